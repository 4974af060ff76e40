"""What the documents, the action and the workflows say of trading-conformance is so."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract_tests import main as command
from contract_tests.commands import arguments
from contract_tests.reports import KINDS
from contract_tests.spec import requirements

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "conformance"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
MANUAL = ROOT / "contract_tests" / "README.md"
DOCUMENTS = [ROOT / "README.md", MANUAL]
BASH = shutil.which("bash")

_FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def fences(path: Path, language: str) -> list[str]:
    """The fenced blocks of a document."""
    return [text for name, text in _FENCE.findall(path.read_text("utf-8")) if name == language]


def commands_in(text: str) -> Iterator[list[str]]:
    """The arguments of each trading-conformance command in a script, variables filled in."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.match(r"^\s*(?:-\s+)?(?:\$ )?\S*trading-conformance (.*)$", line)
        if found:
            yield shlex.split(re.sub(r"\$\w+", "x", found[1]))


WRITTEN = [
    pytest.param(given, id=f"{path.parent.name}/{path.name}: {' '.join(given)}")
    for path in DOCUMENTS
    for language in ("sh", "console", "yaml")
    for block in fences(path, language)
    for given in commands_in(block)
]


@pytest.mark.parametrize("given", WRITTEN)
def test_documented_commands_are_understood(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the documents is one that the parser takes."""
    monkeypatch.chdir(tmp_path)
    for name in ("conformance-report.json", "before.json", "after.json"):
        Path(name).touch()
    Path("conformance-known-failures.txt").write_text("ORD-016  # why\n")
    if "--help" in given:
        pytest.skip("prints and exits")
    assert callable(command._parser().parse_args(given).command)


def test_documents_have_commands() -> None:
    """The test above saw the manual: it is not the pattern that is to be trusted."""
    named = {given.values[0][0] for given in WRITTEN}  # type: ignore[index]
    assert {"run", "list", "explain", "verify", "replay", "diff"} <= named


def test_options_of_the_manual_exist() -> None:
    """Every option that the manual names in its table is one of `run`."""
    table = re.findall(r"^\| (`-.*?) \|", MANUAL.read_text("utf-8"), re.MULTILINE)
    named = {option for row in table for option in re.findall(r"--?[a-zA-Z-]+", row)}
    source = ast.parse(Path(arguments.__file__).read_text("utf-8"))
    known = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant)}
    assert len(named) > 10
    assert set() == named - known


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_documents_name_requirements_that_exist(path: Path) -> None:
    """An id in a document is one of the spec."""
    named = set(re.findall(r"\b[A-Z]{3}-\d{3}\b", path.read_text("utf-8")))
    assert set() == named - requirements().keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    """A link to a file of the repository has one at its end."""
    found = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text("utf-8"))
    assert [one for one in found if not (path.parent / one).exists()] == []


# --- the action ---


def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    return loaded


def uses(node: Any) -> Iterator[dict[str, Any]]:
    """Every step in a workflow that uses the action."""
    if isinstance(node, dict):
        if "actions/conformance" in str(node.get("uses", "")):
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from uses(one)


def test_everyone_gives_the_action_what_it_takes() -> None:
    """The workflow of the project and those of the documents give known inputs, and all needed."""
    inputs = action()["inputs"]
    needed = {name for name, one in inputs.items() if one.get("required")}
    texts = [WORKFLOW.read_text("utf-8")]
    texts += [block for path in DOCUMENTS for block in fences(path, "yaml")]
    steps = [step for text in texts for step in uses(yaml.safe_load(text))]
    assert len(steps) == 3
    for step in steps:
        assert needed <= step["with"].keys() <= inputs.keys()


def test_action_passes_every_input_on() -> None:
    """Inputs reach scripts through the environment, never as text of the script."""
    steps = action()["runs"]["steps"]
    passed = " ".join(str(value) for step in steps for value in step.get("env", {}).values())
    assert set() == {name for name in action()["inputs"] if f"inputs.{name} " not in passed}
    assert not any("${{" in step["run"] for step in steps)


FAKE = """\
import json, pathlib, sys
pathlib.Path("given.json").write_text(json.dumps(sys.argv[1:]))
if "http://nowhere" not in sys.argv:
    reports = [one for given in sys.argv if "json=" in given for one in given.split(",")]
    path = next(one for one in reports if one.startswith("json=")).removeprefix("json=")
    pathlib.Path(path).write_text(pathlib.Path("report.json").read_text())
sys.exit(int(pathlib.Path("status").read_text()))
"""
REPORT = {
    "spec": {"title": "Trading API"},
    "verdict": "not conformant",
    "target": {"url": "http://localhost:1"},
    "run": {"profile": "full", "seed": 7},
    "totals": {"MUST": {"failed": 1, "passed": 2}, "SHOULD": {"passed": 3}},
    "requirements": [
        {"id": "ORD-001", "level": "MUST", "outcome": "passed", "text": "", "reason": ""},
        {
            "id": "ORD-004",
            "level": "MUST",
            "outcome": "failed",
            "text": "A sentence.",
            "reason": "the <status> | that\ncame",
            "known_failure": False,
        },
    ],
}


def judge(directory: Path, status: int, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's script with a fake suite that exits with a status."""
    tools = directory / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    fake = tools / "trading-conformance"
    fake.write_text(f"#!{sys.executable}\n{FAKE}")
    fake.chmod(0o755)
    (directory / "report.json").write_text(json.dumps(REPORT))
    (directory / "status").write_text(str(status))
    defaults = {
        name.upper().replace("-", "_"): str(one.get("default", ""))
        for name, one in action()["inputs"].items()
    }
    files = {name: str(directory / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    return subprocess.run(
        [str(BASH), str(ACTION / "judge.sh")],
        cwd=directory,
        env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"} | defaults | files | inputs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


needs_bash = pytest.mark.skipif(BASH is None, reason="the action runs in bash")


@needs_bash
def test_action_runs_the_suite_and_tells(tmp_path: Path) -> None:
    """The script exits as the suite does, with the verdict as an output and a summary."""
    done = judge(
        tmp_path,
        1,
        URL="http://localhost:1",
        ALLOW_FILLS="true",
        SEED="7",
        TRADING_CONFORMANCE_HEADERS="Authorization: Bearer a b\nX-Other: 1\n",
    )
    assert 1 == done.returncode, done.stderr
    given = json.loads((tmp_path / "given.json").read_text())
    options = command._parser().parse_args(_without_reports(given))
    assert ("http://localhost:1", "full", 7, True) == (
        options.url,
        options.profile,
        options.seed,
        options.allow_fills,
    )
    assert [("Authorization", "Bearer a b"), ("X-Other", "1")] == options.header
    outputs = (tmp_path / "GITHUB_OUTPUT").read_text().splitlines()
    assert ["verdict=not conformant", "report=conformance/conformance-report.json"] == outputs
    summary = (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert "| MUST | 1 | 2 |" in summary
    assert "| ORD-004 | MUST | failed | A sentence. the &lt;status> \\| that came |" in summary
    assert "ORD-001" not in summary


def _without_reports(given: list[str]) -> list[str]:
    """The same command without its reports, whose directory is not here."""
    places = [place for place, one in enumerate(given) if one == "--report"]
    kinds = {one.partition("=")[0] for place in places for one in given[place + 1].split(",")}
    assert set(KINDS) == kinds
    left_out = {*places, *(place + 1 for place in places)}
    return [one for place, one in enumerate(given) if place not in left_out]


@needs_bash
def test_action_has_no_verdict_without_a_report(tmp_path: Path) -> None:
    """Where the target cannot be reached the script says so, and invents no verdict."""
    done = judge(tmp_path, 3, URL="http://nowhere")
    assert 3 == done.returncode, done.stderr
    assert not (tmp_path / "GITHUB_OUTPUT").exists()

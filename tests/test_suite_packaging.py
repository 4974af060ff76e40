"""What the wheel of the suite alone holds, and that it works where nothing else is."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "contract_tests"
ENTRIES = (
    "contract_tests.__main__",
    "contract_tests.fuzzing.hooks",
    "contract_tests.fuzzing.guarded_hooks",
)
"""What is started: by the command, by a stock Schemathesis, and by the suite's own."""

OURS = {"uvicorn", "connexion", "starlette", "pydantic", "orjson", "uvloop", "gunicorn"}
"""What the server needs and the suite does not."""


def project(directory: Path) -> dict[str, object]:
    loaded: dict[str, object] = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    return loaded


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("suite")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, str(place)], cwd=SUITE, check=True, capture_output=True)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_what_the_suite_reads(wheel: Path, names: set[str]) -> None:
    """Both documents as files, and every data file beside the code that is not a test's."""
    with ZipFile(wheel) as archive:
        for spec in ("openapi.yaml", "asyncapi.yaml"):
            assert (ROOT / spec).read_bytes() == archive.read(f"contract_tests/{spec}")
    data = {
        str(path.relative_to(ROOT))
        for path in SUITE.rglob("[!.]*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}
    }
    hidden = {one for one in data if "/." in one or "/mutants/" in one}
    assert {"contract_tests/pyproject.toml"} == data - hidden - names
    assert set() == {one for one in names if "/." in one}


def test_wheel_holds_all_that_is_imported_and_no_tests(names: set[str]) -> None:
    """Every module that the suite imports is there, and none that imports pytest."""
    needed = {str(path.relative_to(ROOT)) for path in imported()}
    assert set() == needed - names
    tests = {one for one in names if re.search(r"/(test_|conftest|mutants/)", one)}
    assert set() == tests
    for one in names & {str(path.relative_to(ROOT)) for path in SUITE.rglob("*.py")}:
        assert "pytest" not in {module.split(".")[0] for module in targets(ROOT / one)}, one


def imported() -> set[Path]:
    """The files that are imported, at once or later, by what is started."""
    found: set[Path] = set()
    waiting = [*ENTRIES, *(f"contract_tests.requirements.{p.stem}" for p in areas())]
    while waiting:
        path = ROOT.joinpath(*waiting.pop().split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.exists() and path not in found:
            found.add(path)
            waiting += [one for one in targets(path) if one.startswith("contract_tests")]
    return found


def areas() -> Iterator[Path]:
    return (SUITE / "requirements").glob("*.py")


def targets(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_version_and_dependencies_have_one_place(wheel: Path) -> None:
    """The suite has the project's version, and the dependencies of the extra `conformance`."""
    with ZipFile(wheel) as archive:
        (entry,) = (one for one in archive.namelist() if one.endswith("METADATA"))
        metadata = HeaderParser().parsestr(archive.read(entry).decode())
    whole = project(ROOT)
    assert ("trading-api-conformance", whole["version"]) == (metadata["Name"], metadata["Version"])
    extras = whole["optional-dependencies"]
    assert isinstance(extras, dict)
    assert sorted(extras["conformance"]) == project(SUITE)["dependencies"]


@pytest.mark.slow
def test_command_says_which_package_is_missing() -> None:
    """Without the extra it ends as a command that cannot begin, not as a server that is wrong."""
    without = (
        "import sys; sys.modules['rich'] = None; from contract_tests.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, "list"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("trading-conformance needs rich")
    assert "trading-api[conformance]" in done.stderr


def test_suite_runs_where_nothing_else_is(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, the command works, and nothing of the server came with it."""
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    options = ["--no-input", "--quiet", "--no-compile", "--retries", "1", "--timeout", "10"]
    done = run([*pip, "install", *options, str(wheel)], tmp_path)
    if done.returncode and re.search(r"No matching distribution|connection|timed out", done.stderr):
        pytest.skip("no package index can be reached")
    assert 0 == done.returncode, done.stderr
    installed = run([*pip, "list", "--format", "freeze"], tmp_path).stdout.lower()
    assert set() == OURS & {line.partition("==")[0] for line in installed.splitlines()}
    command = str(python.with_name("trading-conformance"))
    listed = run([command, "list"], tmp_path)
    assert (0, "") == (listed.returncode, listed.stderr)
    assert "ORD-001" in listed.stdout
    assert (
        3 == run([command, "run", "http://127.0.0.1:9", "--profile", "smoke"], tmp_path).returncode
    )


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that sees nothing of this repository."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    return subprocess.run(
        command,
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

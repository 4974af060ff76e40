"""The forms of the report: complete, well-formed, and unmoved by whatever a server sends."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from rich.console import Console

from contract_tests import spec
from contract_tests.laboratory.report_samples import (
    BASE,
    BINARY,
    CLIENT_ID,
    MUST,
    NASTY,
    SHOULD,
    Document,
    check,
    document,
    every_outcome,
    exchange,
    failed,
    placed,
    requirement,
)
from contract_tests.reports import KINDS, curl, reading, render, terminal, text, wording
from contract_tests.running.report import SCHEMA_FILE

SCHEMA: Final = json.loads(SCHEMA_FILE.read_text("utf-8"))
VOID: Final = {"meta", "link", "input", "rect", "br", "hr"}


@pytest.fixture(scope="module")
def full() -> Document:
    """A report with everything in it."""
    return document(every_outcome())


@pytest.fixture(scope="module")
def good() -> Document:
    """A report of a conformant server."""
    return document([requirement(one, check(one)) for one in MUST[:3]], skip=[])


@pytest.fixture(scope="module")
def empty() -> Document:
    """A report of a run that judged nothing."""
    return document([requirement(MUST[0], check(MUST[0], "needs"))], skip=[])


def test_the_sample_is_a_report_with_every_outcome(full: Document) -> None:
    """What the renderers are tried with is valid, and leaves no case out."""
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(full)
    assert {one["outcome"] for one in full["requirements"]} == set(reading.OUTCOMES)
    severities = {one.severity for one in reading.problems(full)}
    assert severities == {"error", "warning", "known"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_server_sends_cannot_act(kind: str, full: Document) -> None:
    """No form holds a control character, a mark that reorders text, or what UTF-8 cannot say."""
    written = render(kind, full).encode().decode()
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", written) == []


def test_json_holds_everything(full: Document) -> None:
    """The JSON form is the document, also where a string has half a character."""
    odd = full | {"requirements": [full["requirements"][0] | {"reason": "\ud800"}]}
    assert json.loads(render("json", odd)) == odd


# --- html ---


class Page(HTMLParser):
    """Reads a page strictly: every tag closed in order, all text and attributes kept."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that is closed at once."""
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """It closes the one that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text belongs to the innermost tag."""
        inner = self.open[-1] if self.open else ""
        self.text[inner] = self.text.get(inner, "") + data

    def values(self, *names: str) -> list[str]:
        """The values of all attributes with these names."""
        return [value for _, name, value in self.attributes if name in names]


@pytest.fixture(scope="module")
def page(full: Document) -> Page:
    """The page of the full report."""
    return Page(render("html", full))


def test_html_is_well_formed_and_runs_nothing_of_others(page: Page) -> None:
    """All tags are closed, and the one script, without source or handlers, is our own."""
    assert page.open == []
    assert page.tags["script"] == 1
    assert "alert(1)" not in page.text["script"]
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []


def test_html_of_runs_with_little_to_tell(good: Document, empty: Document) -> None:
    """Nothing failed, nothing judged, no capabilities, no fuzzing: the page leads with that."""
    bare = good | {"fuzzing": None, "target": good["target"] | {"capabilities": None}}
    pages = [Page(render("html", one)) for one in (good, empty, bare)]
    titles = [one.text["title"].partition(":")[0] for one in pages]
    assert titles == ["Conformant", "Nothing exercised", "Conformant"]
    assert "The capabilities could not be read." in "".join(pages[2].text.values())


def test_html_loads_nothing(page: Page) -> None:
    """Links stay on the page, nothing else is referred to, and the page's policy forbids more."""
    referred = page.values("src", "href", "action", "data", "srcset", "poster")
    assert [value for value in referred if not value.startswith(("#", "data:,"))] == []
    assert not re.search(r"url\(|@import", page.text["style"])
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'")
    for element in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.text[element].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_html_ids_are_unique_and_all_links_arrive(page: Page) -> None:
    """Every link of the page and every label leads to one place on it."""
    ids = page.values("id")
    assert [one for one, number in Counter(ids).items() if number > 1] == []
    wanted = {value[1:] for value in page.values("href") if value.startswith("#")}
    assert wanted | set(page.values("aria-labelledby")) <= set(ids)


def test_html_shows_what_was_sent_as_text_and_cuts_it(full: Document, page: Page) -> None:
    """Server text stands there readable; a body of a megabyte does not."""
    shown = "".join(page.text.values())
    assert text.visible(NASTY) in shown
    assert '"bid": 1.50' in shown
    assert "1,000,000 characters in all" in shown
    assert len(render("html", full)) < 300_000


def test_html_tells_every_problem(full: Document, page: Page) -> None:
    """Each problem has its sentence, what was expected, and a script of its requests."""
    shown = "".join(page.text.values())
    for one in reading.problems(full):
        assert f"problem-{one.id}" in page.values("id")
        assert one.requirement["text"] in shown
        if one.exchanges:
            assert curl.script(one.check, BASE) in shown


# --- junit ---


def test_junit_counts(full: Document) -> None:
    """The root and each suite count what is in them; only what blocks conformance fails."""
    root = ET.fromstring(render("junit", full))  # noqa: S314  our own
    for suite in [root, *root.iter("testsuite")]:
        cases = list(suite.iter("testcase"))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == sum(case.find(tag) is not None for case in cases)
        assert int(suite.get("tests", "")) == len(cases)
    errors = [one for one in reading.problems(full) if one.severity == "error"]
    assert int(root.get("failures", "")) + int(root.get("errors", "")) == len(errors)
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_junit_warnings_are_skipped_with_their_text(full: Document) -> None:
    """A SHOULD that fails is seen, with all that is known, and turns no pipeline red."""
    root = ET.fromstring(render("junit", full))  # noqa: S314  our own
    case = next(one for one in root.iter("testcase") if SHOULD[0] in (one.get("name") or ""))
    skipped = case.find("skipped")
    assert skipped is not None
    assert (skipped.get("message") or "").startswith(f"warning, {SHOULD[0]} SHOULD")
    assert "expected: 200" in (case.findtext("system-out") or "")


def test_junit_of_a_run_without_judgement_is_red(good: Document, empty: Document) -> None:
    """Nothing judged is an error; all held is none."""
    roots = [ET.fromstring(render("junit", one)) for one in (good, empty)]  # noqa: S314
    assert [(root.get("failures"), root.get("errors")) for root in roots] == [
        ("0", "0"),
        ("0", "1"),
    ]


# --- sarif and badge ---


def test_sarif_has_a_rule_for_each_requirement_and_a_result_for_each_problem(
    full: Document,
) -> None:
    """Results point to their rule, and to the line of the spec on which it stands."""
    log = json.loads(render("sarif", full))
    (run,) = log["runs"]
    rules, lines = run["tool"]["driver"]["rules"], spec.SPEC_FILE.read_text("utf-8").splitlines()
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == [one["id"] for one in full["requirements"]]
    assert len(run["results"]) == len(reading.problems(full))
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        line = location["physicalLocation"]["region"]["startLine"]
        assert lines[line - 1].strip() == f"- id: {result['ruleId']}"
        assert result["message"]["text"]
    levels = {one["ruleId"]: one["level"] for one in run["results"]}
    assert (levels[MUST[1]], levels[SHOULD[0]], levels[MUST[6]]) == ("error", "warning", "note")
    assert [one["ruleId"] for one in run["results"] if "suppressions" in one] == [MUST[6]]


def test_badge(full: Document, good: Document, empty: Document) -> None:
    """The verdict, the profile, how much holds, and a colour that says the same."""
    badges = [json.loads(render("badge", one)) for one in (good, full, empty)]
    assert {key for one in badges for key in one} == {"schemaVersion", "label", "message", "color"}
    assert [(one["message"], one["color"]) for one in badges] == [
        ("conformant · full 3/3", "brightgreen"),
        ("not conformant · full 2/12", "red"),
        ("nothing exercised · full 0/1", "lightgrey"),
    ]


def test_badge_counts_what_the_profile_asks(good: Document) -> None:
    """What the profile leaves out does not count; what was left out by choice does."""
    out = requirement(SHOULD[0], reason="not in the profile core")
    core = document([*good["requirements"], out], profile="core", skip=[])
    chosen = document([*good["requirements"], out], skip=[SHOULD[0]])
    shown = [json.loads(render("badge", one)) for one in (core, chosen)]
    assert [one["message"] for one in shown] == [
        "conformant · core 3/3",
        "conformant · full 3/4",
    ]
    assert [one["color"] for one in shown] == ["brightgreen", "yellowgreen"]


# --- curl ---

STUB: Final = """#!{python}
import json, sys
body = sys.stdin.buffer.read().hex() if "@-" in sys.argv else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], body]) + "\\n")
print("new-id" if sys.argv[0].endswith("jq") else "{{}}")
"""


def run_script(script: str, directory: Path) -> list[tuple[list[str], bytes]]:
    """Run a script with a curl and a jq that write down what they were asked."""
    log = directory / "log"
    for name in ("curl", "jq"):
        stub = directory / name
        stub.write_text(STUB.format(python=sys.executable, log=str(log)))
        stub.chmod(0o755)
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "TOKEN": "s3cret"}
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script.replace("sleep 1", ":")],
        env=environment,
        cwd=directory,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    return [(words, bytes.fromhex(body)) for words, body in calls]


def test_script_runs_the_chain_with_new_ids(tmp_path: Path) -> None:
    """Ids come from the new answers, the key from the environment; quotes stay what they are."""
    calls = [
        words for words, _ in run_script(curl.script(failed(MUST[1], placed()), BASE), tmp_path)
    ]
    post, jq, look, delete = calls
    assert f"{BASE}/orders" in post
    assert "authorization: Bearer s3cret" in post
    sent = json.loads(post[post.index("--data-binary") + 1])
    assert sent["symbol"] == 'it\'s "BTC"; $(id)'
    assert sent["client_order_id"] != CLIENT_ID
    assert len(sent["client_order_id"]) == len(CLIENT_ID)
    assert jq == ["-r", '.["order"][0]["id"]']
    assert f"{BASE}/orders/new-id" in look
    assert f"{BASE}/orders/new-id" in delete
    assert delete[delete.index("-X") + 1] == "DELETE"


@pytest.mark.parametrize(
    "sent",
    [
        {"request_body": "x" * 1_000_000},
        {"request_body": NASTY},
        {"request_body": None, "request_body_base64": base64.b64encode(BINARY).decode()},
    ],
    ids=["long", "nasty", "binary"],
)
def test_script_sends_any_body_as_it_was(sent: Document, tmp_path: Path) -> None:
    """What no command line can hold goes through a pipe, unchanged."""
    one = exchange("POST", "/orders", **sent)
    ((words, body),) = run_script(curl.script(check(MUST[0], exchanges=[one]), BASE), tmp_path)
    assert body == text.raw_body(one, "request_")
    assert "content-type:" in words


def test_script_leaves_out_what_cannot_be_packed() -> None:
    """A long body without any pattern is left to replay, and the script says so."""
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(1000))
    script = curl.script(check(MUST[0], exchanges=[exchange("POST", request_body=noise)]), BASE)
    assert "trading-conformance replay" in script
    assert "curl -sS" not in script


def test_the_same_question_asked_again_is_one_turn() -> None:
    """A check that waits asks many times; a reader needs to see that once."""
    turns = reading.turns(placed())
    assert [(turn.first, turn.last, turn.times) for turn in turns] == [
        (0, 0, 1),
        (1, 3, 3),
        (4, 4, 1),
    ]
    assert turns[1].waited == pytest.approx(1.0)


# --- terminal ---


def printed(whole: Document, **options: Any) -> str:
    """The summary as a log gets it, 80 columns wide."""
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(console, whole, **options)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return written


def test_summary_tells_verdict_failures_and_gaps(full: Document) -> None:
    """All that stands in the way is there with expected and actual, as is what was not judged."""
    shown = printed(full, report=Path("report.json"))
    words = " ".join(shown.split())
    assert "NOT CONFORMANT" in shown
    commands = [row for row in shown.splitlines() if row.startswith("trading-conformance")]
    assert max(len(row) for row in shown.splitlines() if row not in commands) <= 80
    for one in reading.problems(full):
        if one.severity == "error":
            assert f"✗ {one.requirement['id']}" in shown
            assert one.requirement["text"] in words
    for group in reading.unjudged(full):
        assert group.reason in words
    assert commands == [
        f"trading-conformance explain {MUST[1]}",
        f"trading-conformance replay report.json {MUST[1]} --against http://127.0.0.1:8080",
    ]
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown


def test_summary_of_a_good_server_proposes_fills(good: Document) -> None:
    """Where only fills are missing, the next command offers them."""
    needs = requirement(MUST[5], check(MUST[5], "needs"))
    shown = printed(document([*good["requirements"], needs], skip=[]))
    assert "CONFORMANT" in shown
    assert shown.splitlines()[-1] == wording.command(good) + " --allow-fills"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_has_a_line_for_each_bad_check(is_terminal: bool, full: Document) -> None:
    """A bar or, in a log, a line now and then; either way what goes wrong is told at once."""
    console = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, color_system=None)
    checks = [one for each in full["requirements"] for one in each["checks"]]
    with terminal.Progress(console, len(checks)) as progress:
        for one in checks:
            progress.started(one["id"])
            progress.finished(one)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    for one in checks:
        told = f"{one['id'][:7]} " in written and one["outcome"] in written
        assert told or one["outcome"] not in reading.BAD
    assert (f"{len(checks)}/{len(checks)} checks" in written) is not is_terminal
    assert "\x1b[2J" not in written


# --- words ---


def test_every_area_of_the_spec_has_a_name() -> None:
    """A new prefix needs a name; those that are gone need none."""
    prefixes = {reading.area(one) for one in spec.requirements()}
    assert prefixes == set(reading.AREAS)


def test_fuzzing_does_not_tell_twice_what_a_check_tells(full: Document) -> None:
    """A finding that is among the checks is one problem; another is a problem of its own."""
    told = copy.deepcopy(full)
    finding = told["fuzzing"]["findings"][0]
    failure = {name: finding[name] for name in ("what", "expected", "actual")}
    told["requirements"][1]["checks"][0]["failure"] |= failure
    ids = [[one.id for one in reading.problems(each)] for each in (full, told)]
    assert f"{MUST[1]}-fuzzing-1" in ids[0]
    assert f"{MUST[1]}-fuzzing-1" not in ids[1]


def test_verdict_sentences(full: Document, good: Document, empty: Document) -> None:
    """The sentence beside the verdict has its numbers."""
    assert wording.verdict_sentence(good) == "3 of the 3 MUST requirements that were judged hold."
    assert wording.verdict_sentence(full) == (
        "3 of the 7 MUST requirements that were judged do not hold; "
        f"not judged for a bug of the suite: {MUST[4]}; "
        f"listed as known failures but hold: {MUST[7]}."
    )
    assert "nothing is known" in wording.verdict_sentence(empty)


def test_reservations(good: Document) -> None:
    """What makes a verdict weaker is said, and nothing where nothing does."""
    weak = {"out_of_time": True, "max_time": 60, "target_lost": True}
    assert wording.reservations(document(good["requirements"], skip=[], allow_fills=True)) == []
    said = wording.reservations(document(good["requirements"], **weak))
    assert len(said) == 3
    assert "60 s" in " ".join(said)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"a":[1.50,{}],"b":"{,}"}', '{\n  "a": [\n    1.50,\n    {}\n  ],\n  "b": "{,}"\n}'),
        ("[]", "[]"),
        ("not {json", "not {json"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
    ],
)
def test_bodies_are_readable_and_values_as_they_were(given: str, shown: str) -> None:
    """JSON is indented without touching a number; what is none is shown as it is."""
    assert text.body({"body": given}) == shown

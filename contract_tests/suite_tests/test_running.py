"""A run as its user sees it: exit codes, what ends it early, and what its report says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contract_tests.fuzzing.stage import Fuzzed
from contract_tests.laboratory.fakes import DROP, HANG, HEALTHY, Asked, Fake, exit_code, fake_server
from contract_tests.laboratory.servers import free_port
from contract_tests.reports import KINDS
from contract_tests.requirements import Check
from contract_tests.running import options, report, target
from contract_tests.running import run as running
from contract_tests.spec import requirements
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import NotDeclared, NotExercised

Document = dict[str, Any]
Judge = Callable[..., tuple[int, Document]]

UNREADY = {"ready": False, "providers": [], "provider_count": 0}


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Runs the requirements given against a fake; the exit code and the report."""

    def run(fake: Fake | str, *arguments: str, only: str = "SYS-002 SYS-003") -> tuple[int, Any]:
        path = tmp_path / "report.json"
        chosen = [word for one in only.split() for word in ("--only", one)]
        url = fake if isinstance(fake, str) else fake.url
        code = exit_code("run", url, *chosen, "--report", f"json={path}", *arguments)
        document = json.loads(path.read_text("utf-8"))
        assert report.errors(document) == []
        return code, document

    return run


def outcomes(document: Document) -> dict[str, str]:
    """The outcomes of a report but for what was left out of the run."""
    return {
        one["id"]: one["outcome"]
        for one in document["requirements"]
        if one["outcome"] != "skipped" or one["checks"]
    }


def replace_checks(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
    """Let a run have these checks and no other."""
    monkeypatch.setattr(options, "checks", lambda: checks)


def check(requirement_id: str, run: Callable[[Api], None]) -> Check:
    """A check that needs nothing."""
    return Check(requirement_id, run, frozenset())


# --- exit codes ---


def test_conformant_server_exits_0(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    """What was judged holds: 0, and the terminal says so."""
    with fake_server() as fake:
        code, document = judge(fake)
    assert (code, document["verdict"]) == (0, "conformant")
    assert outcomes(document) == {"SYS-002": "passed", "SYS-003": "passed"}
    assert "CONFORMANT" in capsys.readouterr().out


def test_lists_of_anything_break_nothing(judge: Judge) -> None:
    """Whatever stands where symbols and states should be, the run has its verdict."""
    garbled = {"id": "x", "symbol": {"0": "A"}, "status": {"0": "O"}}
    held = {"id": "y", "symbol": "AAPL", "status": ["OPEN"]}
    lists = {"/positions": (200, [garbled]), "/orders": (200, [held])}
    quotes = {f"/quotes/{symbol}": {"symbol": symbol} for symbol in ("AAPL", "MSFT")}
    with fake_server({**HEALTHY, **lists, **quotes}) as fake:
        code, document = judge(fake)
    assert (code, document["target"]["symbols"]) == (0, ["MSFT"])


def test_failure_exits_1_and_explains(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    """A MUST that does not hold: 1, and the terminal tells which, what came, and of what."""
    with fake_server({**HEALTHY, "/ready": UNREADY}) as fake:
        code, document = judge(fake)
    assert (code, document["verdict"]) == (1, "not conformant")
    assert outcomes(document) == {"SYS-002": "passed", "SYS-003": "failed"}
    printed = capsys.readouterr().out
    for part in ("SYS-003", "NOT CONFORMANT", "expected", "True", "False", "/ready"):
        assert part in printed


def test_should_only_warns(judge: Judge) -> None:
    """A SHOULD that does not hold leaves the verdict as it is."""
    with fake_server({**HEALTHY, "/livez": (500, b"")}) as fake:
        code, document = judge(fake, only="SYS-002 SYS-005")
    assert (code, document["verdict"]) == (0, "conformant")
    assert outcomes(document) == {"SYS-002": "passed", "SYS-005": "failed"}


def test_nothing_exercised_is_not_conformant(judge: Judge) -> None:
    """A run that judged nothing is never green."""
    with fake_server() as fake:
        code, document = judge(fake, only="AUT-004")
    assert (code, document["verdict"]) == (1, "nothing exercised")
    assert outcomes(document) == {"AUT-004": "needs"}


WRONG_USES = (
    ("--only", "NOPE-001"),
    ("--header", "no colon"),
    ("--header", "Bad Name: x"),
    ("--header", "X-Key: sn\u00f6w"),
    ("--seed", "-1"),
    ("--max-time", "0"),
    ("--timeout", "soon"),
    ("--profile", "tiny"),
    ("--report", "pdf"),
    ("--report", "json=no/such/directory/report.json"),
    ("--known-failures", "no-such-file"),
)


@pytest.mark.parametrize("words", WRONG_USES, ids=" ".join)
def test_wrong_usage_exits_2(words: tuple[str, str]) -> None:
    """What cannot be meant is refused before anything is sent."""
    assert exit_code("run", "http://127.0.0.1:1", *words) == 2


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "http://x/?key=1"])
def test_wrong_urls_exit_2(url: str) -> None:
    """What is no base URL is refused."""
    assert exit_code("run", url) == 2


def test_unreachable_server_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens: 3, and a sentence says so."""
    assert exit_code("run", f"http://127.0.0.1:{free_port()}") == 3
    assert "cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [HANG, DROP], ids=["hang", "drop"])
def test_mute_server_exits_3(answer: object) -> None:
    """Somebody listens and never answers: 3."""
    with fake_server({}, otherwise=answer) as fake:
        assert exit_code("run", fake.url, "--timeout", "0.2") == 3


def test_broken_check_exits_4_and_the_rest_goes_on(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in a check is told as such, spoils no other check, and is never green."""

    def broken(api: Api) -> None:
        api.get("/health").ok()["no-such-member"].upper()

    def right(api: Api) -> None:
        api.get("/ready").ok()

    replace_checks(monkeypatch, check("SYS-002", broken), check("SYS-003", right))
    with fake_server() as fake:
        code, document = judge(fake)
    assert (code, document["verdict"]) == (4, "not conformant")
    assert outcomes(document) == {"SYS-002": "broken", "SYS-003": "passed"}
    (entry,) = (one for one in document["requirements"] if one["id"] == "SYS-002")
    assert "AttributeError" in entry["reason"]
    assert "test_running.py" in entry["reason"]


# --- what a check may say ---


def test_declared_but_not_exercised_is_a_failure(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a MUST asks and the run could not bring about is no skip."""

    def unable(_: Api) -> None:
        raise NotExercised("the market is closed")

    def undeclared(_: Api) -> None:
        raise NotDeclared("feature x")

    def right(api: Api) -> None:
        api.get("/health").ok()

    replace_checks(monkeypatch, check("SYS-002", right), check("SYS-003", undeclared))
    with fake_server() as fake:
        assert judge(fake)[0] == 0
        replace_checks(monkeypatch, check("SYS-002", right), check("SYS-003", unable))
        code, document = judge(fake)
    assert (code, document["verdict"]) == (1, "not conformant")
    assert outcomes(document)["SYS-003"] == "not exercised"


def test_every_answer_is_looked_at(judge: Judge) -> None:
    """What breaks another requirement by the way fails that one, if the run has it."""
    with fake_server() as fake:
        _, document = judge(fake, only="SYS-002 GEN-017")
        assert outcomes(judge(fake, only="SYS-002")[1]) == {"SYS-002": "passed"}
    (entry,) = (one for one in document["requirements"] if one["id"] == "GEN-017")
    assert entry["outcome"] == "failed"
    seen = [one for one in entry["checks"] if "seen_in" in one]
    assert len(seen) == 1
    assert seen[0]["failure"]["exchange"] == len(seen[0]["exchanges"]) - 1


def test_findings_of_fuzzing_count(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """What generated requests find fails the requirement that it breaks."""
    finding = {
        "requirement": "SYS-002",
        "what": "the status",
        "expected": "200",
        "actual": "500",
        "exchange": None,
    }
    found = Fuzzed(cases=3, seconds=1.0, findings=[finding, finding])
    monkeypatch.setattr(running, "fuzz", lambda *_, **__: found)
    with fake_server() as fake:
        code, document = judge(fake, "--fuzz-time", "1")
        assert code == 1
        assert outcomes(document) == {"SYS-002": "failed", "SYS-003": "passed"}
        assert document["fuzzing"]["cases"] == 3
        assert judge(fake, "--fuzz-time", "1", "--no-fuzz")[0] == 0


def test_broken_fuzzing_exits_4_and_loses_nothing(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug in the fuzzing is told as such, and what the checks found is reported all the same."""

    def broken(*_: object, **__: object) -> Fuzzed:
        raise RuntimeError("a hook failed")

    monkeypatch.setattr(running, "fuzz", broken)
    with fake_server() as fake:
        code, document = judge(fake, "--fuzz-time", "1")
    assert code == 4
    assert outcomes(document) == {"SYS-002": "passed", "SYS-003": "passed"}
    assert "a hook failed" in document["fuzzing"]["error"]
    assert "a hook failed" in capsys.readouterr().err


HOSTILE = {
    "half a character": b'{"status": "\\ud800"}',
    "not a number": b'{"status": NaN}',
    "nested": b"[" * 300 + b"]" * 300,
    "nested without end": b"[" * 2000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_break_no_check(tmp_path: Path, name: str) -> None:
    """What no server should answer fails requirements; none passes, and no check breaks."""
    path = tmp_path / "report.json"
    words = ("--profile", "smoke", "--report", f"json={path}")
    with fake_server({}, otherwise=(200, HOSTILE[name])) as fake:
        assert exit_code("run", fake.url, *words) == 1
    document = json.loads(path.read_text("utf-8"))
    assert report.errors(document) == []
    assert set(outcomes(document).values()) <= {"failed", "not exercised"}
    assert exit_code("verify", str(path)) == 0


# --- known failures ---


@pytest.mark.parametrize(
    ("listed", "ready", "code"),
    [
        ("SYS-003  # the board knows", UNREADY, 0),
        ("# none", UNREADY, 1),
        ("SYS-003", HEALTHY["/ready"], 1),
        ("aut-004", HEALTHY["/ready"], 0),
    ],
    ids=["listed and failing", "unlisted and failing", "stale", "listed and not judged"],
)
def test_known_failures(
    judge: Judge, tmp_path: Path, listed: str, ready: Document, code: int
) -> None:
    """Only what is listed may fail, and what holds may not be listed."""
    path = tmp_path / "known.txt"
    path.write_text(f"# what we know\n\n{listed}\n", "utf-8")
    with fake_server({**HEALTHY, "/ready": ready}) as fake:
        assert judge(fake, "--known-failures", str(path))[0] == code


def test_known_failures_name_requirements(tmp_path: Path) -> None:
    """A slip in the file hides nothing: it is refused."""
    path = tmp_path / "known.txt"
    path.write_text("SYS-9\n", "utf-8")
    assert exit_code("run", "http://127.0.0.1:1", "--known-failures", str(path)) == 2


# --- early ends ---


def test_max_time_starts_no_more_checks(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What began is finished, what did not is skipped, and both report and terminal say so."""
    now = 0.0
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: now))

    def slowly(_: Asked) -> Document:
        nonlocal now
        now += 2
        return {"status": "ok"}

    with fake_server() as fake:
        fake.answers["/livez"] = slowly
        code, document = judge(fake, "--max-time", "1", only="SYS-005 SYS-003")
    assert (code, document["run"]["out_of_time"]) == (0, True)
    assert outcomes(document) == {"SYS-005": "passed", "SYS-003": "skipped"}
    assert "ended the run early" in capsys.readouterr().err


def test_hang_is_a_failure(judge: Judge) -> None:
    """An answer that never comes fails its check and no other."""
    with fake_server({**HEALTHY, "/ready": HANG}) as fake:
        code, document = judge(fake, "--timeout", "1", only="SYS-002 SYS-003 SYS-005")
    assert (code, document["run"]["target_lost"]) == (1, False)
    assert outcomes(document) == {"SYS-002": "passed", "SYS-003": "failed", "SYS-005": "passed"}
    (entry,) = (one for one in document["requirements"] if one["id"] == "SYS-003")
    (unanswered,) = entry["checks"][0]["exchanges"][:1]
    assert (unanswered["status"], unanswered["body"]) == (None, None)
    assert "ReadTimeout" in unanswered["error"]


def test_target_that_dies_ends_the_run(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target that is gone for good fails what is left at once, with a clear sentence."""
    monkeypatch.setattr(target, "GRACE", 0.1)
    with fake_server() as fake:

        def die(_: Asked) -> object:
            fake.answers.clear()
            fake.otherwise = DROP
            return DROP

        fake.answers["/livez"] = die
        code, document = judge(fake, only="SYS-002 SYS-005 SYS-003")
    assert (code, document["run"]["target_lost"]) == (1, True)
    expected = {"SYS-002": "passed", "SYS-005": "failed", "SYS-003": "not exercised"}
    assert outcomes(document) == expected
    assert "/ready" not in {one.path for one in fake.asked}
    assert "answers no more" in capsys.readouterr().err


# --- the target ---


@pytest.mark.parametrize(
    ("prefix", "given", "found"),
    [
        ("", "", "/"),
        ("/v1", "", "/v1"),
        ("/v1", "/v1/", "/v1"),
        ("", "/v1", "/"),
        ("/a", "/a", "/a"),
    ],
)
def test_base_path_is_found(judge: Judge, prefix: str, given: str, found: str) -> None:
    """The API is found at the URL, below it at /v1, and above it where the URL ends so."""
    with fake_server(prefix=prefix) as fake:
        code, document = judge(fake.url + given)
    assert (code, document["target"]["base_path"]) == (0, found)


def test_headers_go_with_every_request(judge: Judge) -> None:
    """What is given with -H is sent, and the report names it without its value."""
    with fake_server() as fake:
        _, document = judge(fake, "-H", "X-Tenant: blue")
    assert {one.headers.get("x-tenant") for one in fake.asked} == {"blue"}
    assert document["run"]["headers"] == ["X-Tenant"]


def test_provenance(judge: Judge) -> None:
    """The report says by which spec and suite, of what, with which seed."""
    with fake_server() as fake:
        _, document = judge(fake, "--seed", "7")
    assert document["spec"] == report.spec()
    assert document["suite"] == report.suite()
    assert document["target"]["url"] == fake.url
    assert document["target"]["capabilities"] == HEALTHY["/capabilities"]
    assert document["run"]["seed"] == 7
    assert [one["id"] for one in document["requirements"]] == list(requirements())


def test_every_kind_of_report_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds are separated by commas or given one by one, and lie here by default."""
    monkeypatch.chdir(tmp_path)
    kinds = ",".join(kind for kind in KINDS if kind != "json")
    with fake_server() as fake:
        words = ("--only", "SYS-002", "--report", kinds, "--report", "json=own.json")
        assert exit_code("run", fake.url, *words) == 0
    expected = {kind.file for name, kind in KINDS.items() if name != "json"} | {"own.json"}
    assert {path.name for path in tmp_path.iterdir()} == expected


# --- what is judged ---


def test_smoke_is_what_every_server_must_do_at_once() -> None:
    """The profile smoke has the core's MUSTs, by checks that need nothing."""
    smoke = options.plan(options.Options(url="http://x", profile="smoke"))
    levels = {(requirements()[one.requirement].level, one.needs) for one in smoke}
    assert levels == {("MUST", frozenset[str]())}
    assert {requirements()[one.requirement].profile for one in smoke} == {"core"}
    assert len(smoke) >= 30


def test_selection() -> None:
    """--only and --skip decide together, and whole profiles are left out."""
    only = options.Options(url="http://x", only=frozenset({"ORD-001", "ORD-004"}))
    assert {one.requirement for one in options.plan(only)} == {"ORD-001", "ORD-004"}
    core = options.Options(url="http://x", profile="core", skip=frozenset({"SYS-002"}))
    chosen = {one.requirement for one in options.plan(core)}
    assert {requirements()[one].profile for one in chosen} == {"core"}
    assert "SYS-002" not in chosen


def test_a_console_that_knows_no_tick_gets_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary's signs are no reason to fail where the output is plain ASCII."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    with fake_server(HEALTHY) as fake:
        assert exit_code("run", fake.url, "--only", "SYS-002") == 0
    assert b"\\u2713" in written.getvalue()

"""A report can be checked by anyone: its verdict follows from its traffic, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contract_tests.laboratory.fakes import DROP, HANG, HEALTHY, exit_code, fake_server
from contract_tests.laboratory.servers import Server
from contract_tests.requirements import Check
from contract_tests.running import options, report
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import eventually

Document = dict[str, Any]
Verify = Callable[[Document], int]
Forge = Callable[[Document], None]

JUDGED = "SYS-002 ORD-001 ORD-004 IDM-001 IDM-003 IDM-004 LST-006 LST-007 GEN-015 BAR-005 ORD-015"
"""Requests of all kinds: at the same time, with ids of ours, of odd bodies, on time, that trade."""


@pytest.fixture(scope="module")
def true_report(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Document:
    """What a run against our own server found."""
    path = tmp_path_factory.mktemp("reports") / "true.json"
    chosen = [word for one in JUDGED.split() for word in ("--only", one)]
    words = ("--allow-fills", "--report", f"json={path}")
    assert exit_code("run", server.url, *chosen, *words) == 0
    document: Document = json.loads(path.read_text("utf-8"))
    return document


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Verifies a report."""

    def run(document: Document) -> int:
        path = tmp_path / "report.json"
        path.write_text(json.dumps(document), "utf-8")
        return exit_code("verify", str(path))

    return run


def entries(document: Document) -> Iterator[Document]:
    """Every check of a report."""
    for one in document["requirements"]:
        yield from one["checks"]


def named(document: Document, requirement_id: str) -> Document:
    """The requirement of a report."""
    return next(one for one in document["requirements"] if one["id"] == requirement_id)


def test_true_report_is_verified(
    true_report: Document, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a run wrote is what its traffic says."""
    assert {one["outcome"] for one in entries(true_report)} <= {"passed", "needs"}
    assert verify(true_report) == 0
    assert "VERIFIED: conformant" in capsys.readouterr().out


# --- what was changed ---


def _fail_outcome(document: Document) -> None:
    named(document, "ORD-004")["checks"][0]["outcome"] = "failed"


def _verdict(document: Document) -> None:
    document["verdict"] = "not conformant"


def _totals(document: Document) -> None:
    document["totals"]["MUST"]["passed"] += 1


def _body(document: Document) -> None:
    exchange = named(document, "SYS-002")["checks"][0]["exchanges"][0]
    exchange["body"] = exchange["body"].replace("ok", "ill")


def _status(document: Document) -> None:
    named(document, "IDM-003")["checks"][0]["exchanges"][-1]["status"] = 500


def _dropped_exchange(document: Document) -> None:
    named(document, "ORD-001")["checks"][0]["exchanges"].pop(3)


def _added_exchange(document: Document) -> None:
    exchanges = named(document, "ORD-001")["checks"][0]["exchanges"]
    exchanges.append(deepcopy(exchanges[0]))


def _dropped_check(document: Document) -> None:
    named(document, "IDM-001")["checks"].pop()


def _dropped_requirement(document: Document) -> None:
    document["requirements"].remove(named(document, "LST-006"))


def _invented_pass(document: Document) -> None:
    one = named(document, "POS-001")
    one["outcome"], one["reason"] = "passed", ""


def _softened(document: Document) -> None:
    named(document, "ORD-001")["level"] = "MAY"


def _capabilities(document: Document) -> None:
    document["target"]["capabilities"]["features"] = []


FORGERIES: tuple[Forge, ...] = (
    _fail_outcome,
    _verdict,
    _totals,
    _body,
    _status,
    _dropped_exchange,
    _added_exchange,
    _dropped_check,
    _dropped_requirement,
    _invented_pass,
    _softened,
    _capabilities,
)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__.strip("_"))
def test_forged_report_is_refused(true_report: Document, verify: Verify, forge: Forge) -> None:
    """What does not follow from the traffic is found, also where the digest was made anew."""
    document = deepcopy(true_report)
    forge(document)
    document["digest"] = report.digest(document)
    assert verify(document) == 1


def test_change_without_consequence_is_refused(true_report: Document, verify: Verify) -> None:
    """A change that no check would notice is noticed by the digest."""
    document = deepcopy(true_report)
    named(document, "SYS-002")["checks"][0]["exchanges"][0]["headers"]["server"] = "better"
    assert verify(document) == 1
    del document["digest"]
    assert verify(document) == 1


@pytest.mark.parametrize("text", ["", "no JSON", "{}", "[]", '{"verdict": "conformant"}'])
def test_no_report_exits_2(tmp_path: Path, text: str) -> None:
    """What is no report is neither true nor false."""
    path = tmp_path / "report.json"
    path.write_text(text, "utf-8")
    assert exit_code("verify", str(path)) == 2
    assert exit_code("diff", str(path), str(path)) == 2
    assert exit_code("replay", f"{path}#SYS-002") == 2


def test_report_by_another_spec_exits_2(
    true_report: Document, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """This suite cannot tell what another contract's checks, or another version's, would say."""
    document = deepcopy(true_report)
    document["suite"]["version"] = "0.0.1"
    document["digest"] = report.digest(document)
    assert verify(document) == 2
    document = deepcopy(true_report)
    document["spec"]["digest"] = "sha256:" + "0" * 64
    document["digest"] = report.digest(document)
    assert verify(document) == 2
    assert "verify it with trading-conformance" in capsys.readouterr().err


# --- reports of failures are true too ---


def judged(url: str, path: Path, *arguments: str) -> Document:
    """The report of a run, whatever its verdict."""
    assert exit_code("run", url, "--report", f"json={path}", *arguments) == 1
    document: Document = json.loads(path.read_text("utf-8"))
    return document


def test_waits_end_as_they_did(
    tmp_path: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a check waited for in vain is judged by the recorded times, and nobody waits again."""

    def patient(api: Api) -> None:
        eventually(
            lambda: api.get("/health").ok()["status"], lambda one: one == "x", "x", within=0.3
        )

    checks = (Check("SYS-002", patient, frozenset()),)
    monkeypatch.setattr(options, "checks", lambda: checks)
    with fake_server() as fake:
        document = judged(fake.url, tmp_path / "true.json", "--only", "SYS-002")
    (entry,) = entries(document)
    assert entry["failure"]["expected"] == "within 0.3 s"
    assert verify(document) == 0
    del entry["exchanges"][entry["cleaning_from"] - 1]
    document["digest"] = report.digest(document)
    assert verify(document) == 1


@pytest.mark.parametrize("answer", [HANG, DROP], ids=["hang", "drop"])
def test_silence_is_played_too(tmp_path: Path, verify: Verify, answer: object) -> None:
    """A request that was not answered is not answered again."""
    words = ("--timeout", "0.3", "--only", "SYS-002", "--only", "SYS-003", "--only", "GEN-017")
    with fake_server({**HEALTHY, "/ready": answer}) as fake:
        document = judged(fake.url, tmp_path / "true.json", *words)
    assert named(document, "SYS-003")["outcome"] == "failed"
    assert verify(document) == 0


def test_early_end_is_believed_only_at_the_end(tmp_path: Path, verify: Verify) -> None:
    """What was not reached is skipped; what was judged cannot be made into what was not."""
    words = ("--max-time", "0.000001", "--only", "SYS-002", "--only", "SYS-003")
    with fake_server() as fake:
        document = judged(fake.url, tmp_path / "true.json", *words)
    assert document["verdict"] == "nothing exercised"
    assert verify(document) == 0


def test_body_that_is_not_text(tmp_path: Path, verify: Verify) -> None:
    """Bytes are kept as they were."""
    with fake_server({**HEALTHY, "/ready": (200, b"\x00\xff")}) as fake:
        document = judged(fake.url, tmp_path / "true.json", "--only", "SYS-003")
    exchange = named(document, "SYS-003")["checks"][0]["exchanges"][0]
    assert (exchange["body"], exchange["body_base64"]) == (None, "AP8=")
    assert verify(document) == 0
    exchange["body_base64"] = "?"
    document["digest"] = report.digest(document)
    assert verify(document) == 1

"""A failure is shown again wherever it still is, and two reports tell what became of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contract_tests.laboratory.fakes import HEALTHY, NOT_FOUND, Fake, exit_code, fake_server
from contract_tests.laboratory.servers import Server, free_port
from contract_tests.running import report
from contract_tests.spec import requirements

Document = dict[str, Any]

READY = HEALTHY["/ready"]
UNREADY = {"ready": False, "providers": [], "provider_count": 0}


def write(path: Path, document: Document) -> str:
    """Write a report to a file; its name."""
    path.write_text(json.dumps(document), "utf-8")
    return str(path)


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """The report of a server that is not ready."""
    path = tmp_path / "failed.json"
    only = [word for one in ("SYS-002", "SYS-003") for word in ("--only", one)]
    with fake_server({**HEALTHY, "/ready": UNREADY}) as fake:
        assert exit_code("run", fake.url, *only, "--report", f"json={path}") == 1
    return path


# --- replay ---


@pytest.mark.parametrize(("ready", "code"), [(READY, 0), (UNREADY, 1)])
def test_replay_tells_whether_it_still_fails(
    failed: Path, capsys: pytest.CaptureFixture[str], ready: Document, code: int
) -> None:
    """The check runs again and shows what went over the wire."""
    with fake_server({**HEALTHY, "/ready": ready}, prefix="/v1") as fake:
        assert exit_code("replay", f"{failed}#SYS-003", "--against", fake.url) == code
        assert "/v1/ready" in {one.path for one in fake.asked}
    printed = capsys.readouterr().out
    for part in (requirements()["SYS-003"].text, "GET http", "/ready", json.dumps(ready)):
        assert part in printed


def test_replay_of_what_was_seen_by_the_way(tmp_path: Path) -> None:
    """What broke while another requirement was judged is looked for where it was seen."""
    path = str(tmp_path / "report.json")
    name = "GEN-002-seen_in-SYS-002-health_is_ok"
    with fake_server({**HEALTHY, "/health": (503, {})}) as fake:
        only = ("--only", "SYS-002", "--only", "GEN-002")
        assert exit_code("run", fake.url, *only, "--report", f"json={path}") == 1
        fake.asked.clear()
        assert exit_code("replay", path, name, "--against", fake.url) == 1
        assert {one.path for one in fake.asked} == {"/health", "/v1/health"}
        fake.answers["/health"] = (404, NOT_FOUND)
        assert exit_code("replay", path, name, "--against", fake.url) == 0
        assert exit_code("replay", path, "SYS-002", "--against", fake.url) == 1


def test_replay_of_a_finding(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A generated request is sent again as it was, and its answer is judged as every answer."""
    document = json.loads(failed.read_text("utf-8"))
    (one,) = (one for one in document["requirements"] if one["id"] == "SYS-002")
    exchange = deepcopy(one["checks"][0]["exchanges"][0]) | {
        "request_headers": {"x-own": "1", "authorization": "***"},
        "request_body": '{"a":1}',
    }
    finding = {**one["checks"][0], "id": "GEN-002-fuzzing", "exchanges": [exchange]}
    (errors,) = (one for one in document["requirements"] if one["id"] == "GEN-002")
    errors["checks"] = [finding]
    path = write(failed, document)
    with fake_server() as fake:
        words = ("--against", fake.url, "-H", "Authorization: Bearer mine-own")
        fake.answers["/health"] = (400, {})
        assert exit_code("replay", path, "GEN-002-fuzzing", *words) == 1
        asked = fake.asked[-1]
        fake.answers["/health"] = (400, {"code": "INVALID_VALUE", "message": "", "details": None})
        assert exit_code("replay", path, "gen-002", *words) == 0
    assert (asked.method, asked.body, asked.headers["x-own"]) == ("GET", b'{"a":1}', "1")
    assert asked.headers["authorization"] == "Bearer mine-own"
    assert "mine-own" not in capsys.readouterr().out


def test_replay_needs_a_check_and_a_server(failed: Path) -> None:
    """A check that the report does not have is wrong usage; a server that is gone has its code."""
    assert exit_code("replay", f"{failed}#ORD-001-nothing") == 2
    assert exit_code("replay", str(failed)) == 2
    gone = f"http://127.0.0.1:{free_port()}"
    assert exit_code("replay", f"{failed}#SYS-003", "--against", gone) == 3


def test_same_seed_on_the_same_server(server: Server, tmp_path: Path) -> None:
    """A run with the same seed meets the ids of the first and draws others: nothing is spoilt."""
    path = tmp_path / "seeded.json"
    words = ("--only", "IDM-001", "--only", "OCO-003", "--seed", "7", "--report", f"json={path}")
    drawn = []
    for _ in range(2):
        assert exit_code("run", server.url, *words) == 0
        drawn.append(_client_ids(path))
    assert exit_code("replay", str(path), "IDM-001", "--against", server.url) == 0
    assert drawn[0]
    assert drawn[0].isdisjoint(drawn[1])


def _client_ids(path: Path) -> set[str]:
    document = json.loads(path.read_text("utf-8"))
    checks = [check for one in document["requirements"] for check in one["checks"]]
    bodies = [
        json.loads(one["request_body"])
        for check in checks
        for one in check["exchanges"]
        if one["method"] == "POST" and one["request_body"]
    ]
    return {body["client_order_id"] for body in bodies if "client_order_id" in body}


def test_curl_prints_the_chain(failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorded requests are printed as a script, and nothing is sent."""
    capsys.readouterr()
    assert exit_code("replay", f"{failed}#SYS-003", "--curl") == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/bin/sh")
    assert "/ready" in script
    shell = shutil.which("sh")
    assert shell
    subprocess.run([shell, "-n"], input=script.encode(), check=True)


# --- diff ---


def _report(fake: Fake, path: Path) -> str:
    words = ("--only", "SYS-002", "--only", "SYS-003", "--report", f"json={path}")
    assert exit_code("run", fake.url, *words) in {0, 1}
    return str(path)


def test_diff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails newly is worse; what passes newly is not; nothing changed is neither."""
    with fake_server() as fake:
        good = _report(fake, tmp_path / "good.json")
        fake.answers["/ready"] = UNREADY
        bad = _report(fake, tmp_path / "bad.json")
    capsys.readouterr()
    assert exit_code("diff", good, bad) == 1
    worse = capsys.readouterr().out
    assert "newly failing:\n  SYS-003  MUST    passed -> failed" in worse
    assert exit_code("diff", bad, good) == 0
    better = capsys.readouterr().out
    assert "newly passing:\n  SYS-003  MUST    failed -> passed" in better
    assert exit_code("diff", bad, bad) == 0
    assert "every requirement has the outcome that it had" in capsys.readouterr().out


def test_diff_of_what_is_judged_no_more(failed: Path) -> None:
    """A failure that is only left out is no pass, and a verdict that is lost is worse."""
    document = json.loads(failed.read_text("utf-8"))
    (one,) = (one for one in document["requirements"] if one["id"] == "SYS-003")
    skipped = one | {"outcome": "skipped", "checks": []}
    place = document["requirements"].index(one)
    document["requirements"][place] = skipped
    quiet = write(failed.with_name("quiet.json"), report.sealed(document))
    assert exit_code("diff", str(failed), quiet) == 0
    nothing = write(failed.with_name("none.json"), document | {"verdict": "nothing exercised"})
    assert exit_code("diff", quiet, nothing) == 1

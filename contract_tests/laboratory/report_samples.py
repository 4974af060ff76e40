"""A handmade report in which everything occurs, also what a server would rather not be shown."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from contract_tests import spec
from contract_tests.running import judging

NASTY: Final = "</pre><script>alert(1)</script> ]]> [red]x[/red] \x1b[2J\x00\u202e ünï 漢 \"'&"
BINARY: Final = b"\x00\xff\xfe<b>"
ORDER: Final = "ord_0123456789abcdef"
CLIENT_ID: Final = "conf-0123456789abcdef0123456789abcdef"
BASE: Final = "http://127.0.0.1:8080/v1"

Document = dict[str, Any]


def exchange(method: str = "GET", path: str = "/quotes/BTC%2FUSD", **changes: Any) -> Document:
    """A request and its answer, as they stand in a document."""
    made: Document = {
        "at": 0.1,
        "method": method,
        "url": BASE + path,
        "request_headers": {"host": "127.0.0.1:8080", "authorization": "***"},
        "request_body": None,
        "status": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"bid":1.50}',
        "seconds": 0.002,
    }
    return made | changes


def placed() -> list[Document]:
    """The chain of a check: an order placed, looked at until it changed, and cancelled."""
    body = json.dumps({"symbol": 'it\'s "BTC"; $(id)', "client_order_id": CLIENT_ID})
    content = {"authorization": "***", "content-type": "application/json"}
    answer = {"status": 201, "body": json.dumps({"order": [{"id": ORDER}]})}
    looks = [exchange(path=f"/orders/{ORDER}", at=at) for at in (0.2, 0.4, 1.2)]
    return [
        exchange("POST", "/orders", request_headers=content, request_body=body, **answer),
        *looks,
        exchange("DELETE", f"/orders/{ORDER}", at=1.3, status=404, body=NASTY),
    ]


def check(requirement_id: str, outcome: str = "passed", **changes: Any) -> Document:
    """A check of a requirement."""
    made: Document = {
        "id": f"{requirement_id}-a_check",
        "description": "It is so.",
        "outcome": outcome,
        "reason": "" if outcome == "passed" else f"why it is {outcome}",
        "seconds": 0.25,
        "failure": None,
        "exchanges": [exchange()],
    }
    return made | changes


def failed(requirement_id: str, exchanges: list[Document], judged: int | None = -1) -> Document:
    """A check that failed, with its judged exchange counted from the end."""
    index = None if judged is None else len(exchanges) + judged
    said = {"what": f"the status {NASTY}", "expected": "200", "actual": NASTY, "exchange": index}
    return check(requirement_id, "failed", reason=NASTY, failure=said, exchanges=exchanges)


def requirement(requirement_id: str, *checks: Document, **changes: Any) -> Document:
    """A requirement of the spec, with the outcome that its checks give it."""
    one = spec.requirements()[requirement_id]
    outcome = str(judging.worst(each["outcome"] for each in checks)) if checks else "skipped"
    reason = next((each["reason"] for each in checks if each["outcome"] == outcome), "")
    made: Document = {
        "id": one.id,
        "level": one.level,
        "profile": one.profile,
        "feature": one.feature,
        "text": one.text,
        "where": one.where,
        "outcome": outcome,
        "reason": reason,
        "known_failure": False,
        "checks": list(checks),
    }
    return made | changes


MUST: Final = [one.id for one in spec.requirements().values() if one.level == "MUST"]
SHOULD: Final = [one.id for one in spec.requirements().values() if one.level == "SHOULD"]


def every_outcome() -> list[Document]:
    """Requirements with every outcome there is, at every weight that a failure can have."""
    huge = exchange("POST", "/orders", request_body="x" * 1_000_000, body="y" * 1_000_000)
    binary = exchange(
        body=None, body_base64=base64.b64encode(BINARY).decode(), headers={"x": NASTY}
    )
    silent = exchange(status=None, body=None, headers={})
    return [
        requirement(MUST[0], check(MUST[0])),
        requirement(MUST[1], failed(MUST[1], placed())),
        requirement(MUST[2], failed(MUST[2], [huge, binary]), check(MUST[2]) | {"id": "again"}),
        requirement(MUST[3], check(MUST[3], "not exercised")),
        requirement(MUST[4], check(MUST[4], "broken", exchanges=[])),
        requirement(MUST[5], check(MUST[5], "needs", reason="orders that trade")),
        requirement(MUST[6], failed(MUST[6], [silent]), known_failure=True),
        requirement(MUST[7], check(MUST[7]), known_failure=True),
        requirement(SHOULD[0], failed(SHOULD[0], [exchange(), binary], None)),
        requirement(SHOULD[1], check(SHOULD[1], "not declared", reason="feature hedging")),
        requirement(SHOULD[2], outcome="pending", reason="comes later"),
        requirement(SHOULD[3], reason="left out by --skip"),
    ]


def document(requirements: list[Document], **run: Any) -> Document:
    """A whole report of these requirements."""
    known = [one["id"] for one in requirements if one["known_failure"]]
    return {
        "schema_version": "1",
        "suite": {"name": "trading-conformance", "version": "0.1.0", "python": "3.12.3"},
        "spec": {"title": "Trading API", "version": "0.1.0", "digest": "sha256:" + "0" * 64},
        "target": TARGET,
        "run": RUN | {"known_failures": known} | run,
        "verdict": judging.verdict(requirements),
        "totals": judging.totals(requirements),
        "requirements": requirements,
        "fuzzing": {"cases": 1200, "seconds": 40.0, "findings": [finding()]},
    }


def finding() -> Document:
    """What fuzzing found."""
    return {
        "requirement": MUST[1],
        "what": NASTY,
        "expected": "JSON",
        "actual": "not JSON",
        "exchange": exchange(url=f"{BASE}/{NASTY}"),
    }


TARGET: Final = {
    "url": "http://127.0.0.1:8080",
    "base_path": "/v1",
    "server": NASTY,
    "capabilities": {"features": ["oco", NASTY]},
    "symbols": ["BTC/USD", NASTY],
}
RUN: Final = {
    "started_at": "2026-01-02T03:04:05.678+00:00",
    "finished_at": "2026-01-02T03:05:38.9+00:00",
    "seconds": 93.2,
    "profile": "full",
    "seed": 7,
    "allow_fills": False,
    "max_time": None,
    "only": [],
    "skip": [SHOULD[3]],
    "known_failures": [],
    "out_of_time": False,
    "headers": ["Authorization"],
}

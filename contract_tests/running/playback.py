"""Plays a recorded run once more: the same checks, answered from the report's traffic.

A check sees the answers that the target gave then, at the times at which they came, so it decides
what it decided then, provided that the report is true.
"""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from contract_tests.requirements import Check
from contract_tests.running.options import Options
from contract_tests.running.report import Document
from contract_tests.running.run import Run
from contract_tests.running.target import Target
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client, Outgoing, Reply
from contract_tests.wire.clock import Played
from contract_tests.wire.redaction import STRUCK
from contract_tests.wire.sockets import Upgraded
from contract_tests.wire.traffic import NO_STATUS, Exchange, Message

NOT_RECORDED: Final = "the report has no answer to this request"


@dataclass(slots=True)
class Tape:
    """The recorded exchanges of one check. `missing` holds the requests that it has no answer to.

    Requests sent at the same time are recorded as they were answered, so each takes the first
    answer to its like that is left.
    """

    left: list[Document] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wires: list[TapeWire] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, url: str, body: bytes, *, upgrade: bool = False) -> Document | None:
        """The answer to a request, or to a handshake."""
        with self._lock:
            for place, one in enumerate(self.left):
                asked = (one["method"], one["url"], "messages" in one)
                if asked == (method, url, upgrade) and _is_sent(one, body):
                    return self.left.pop(place)
            self.missing.append(f"{method} {url}")
            return None


class TapeWire:
    """A recorded WebSocket: its messages come at their times, and it expects what was sent."""

    def __init__(self, recorded: Document, tape: Tape, played: Played) -> None:
        self._url = recorded["url"]
        self._tape = tape
        self._played = played
        self.left = {
            name: deque(one for one in recorded["messages"] if one["from"] == name)
            for name in ("client", "server")
        }

    def receive(self, deadline: float) -> Message | None:
        """See Wire."""
        coming = self.left["server"]
        if not coming or coming[0]["at"] > deadline:
            self._played.reach(deadline)
            return None
        one = coming.popleft()
        self._played.reach(one["at"])
        return Message(at=one["at"], sent=False, data=data_of(one), code=one.get("close"))

    def send(self, data: str | bytes) -> None:
        """See Wire."""
        expected = self.left["client"]
        if not expected or data_of(expected.popleft()) != data:
            self._tape.missing.append(f"a message at {self._url}")

    def close(self) -> None:
        """See Wire."""


def data_of(message: Document) -> str | bytes:
    """What a message said. Raises ValueError where it is badly encoded."""
    encoded = message.get("base64")
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    return str(message["text"])


def _is_sent(exchange: Document, body: bytes) -> bool:
    """A body that went out in chunks may have been cut short by the answer."""
    recorded = body_of(exchange, "request_")
    chunked = "transfer-encoding" in exchange["request_headers"]
    return body.startswith(recorded) if chunked else body == recorded


def body_of(exchange: Mapping[str, Any], prefix: str = "") -> bytes:
    """A body as bytes. Raises ValueError where it is badly encoded."""
    encoded = exchange.get(prefix + "body_base64")
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    return (exchange[prefix + "body"] or "").encode()


class TapeClient(Client):
    """A client whose requests go nowhere: the tape answers."""

    def __init__(self, *arguments: Any, tape: Tape, played: Played, **options: Any) -> None:
        super().__init__(*arguments, clock=played, **options)
        self._tape = tape
        self._played = played

    def perform(self, url: str, request: httpx.Request, body: Outgoing) -> Reply:
        """Answer from the tape."""
        request.read()
        found = self._tape.take(request.method, url, body.sent)
        if found is None:
            return Reply(at=self._played.monotonic(), seconds=0, error=NOT_RECORDED)
        return Reply(
            status=NO_STATUS if found["status"] is None else found["status"],
            headers=found["headers"],
            body=body_of(found),
            seconds=found["seconds"],
            at=self._played.advance(found["at"]),
            error=found.get("error", ""),
        )

    def upgrade(self, url: str, headers: Mapping[str, str], *, slow: bool) -> Upgraded:
        """Answer a handshake from the tape."""
        del headers, slow
        found = self._tape.take("GET", url, b"", upgrade=True)
        if found is None:
            return Upgraded(error=NOT_RECORDED)
        self._played.advance(found["at"])
        wire = TapeWire(found, self._tape, self._played)
        self._tape.wires.append(wire)
        return Upgraded(
            status=NO_STATUS if found["status"] is None else found["status"],
            headers=found["headers"],
            body=body_of(found),
            error=found.get("error", ""),
            wire=wire if found["status"] == HTTPStatus.SWITCHING_PROTOCOLS else None,
        )


class Playback(Run):
    """A run against the traffic of a report. `remarks` says where that does not fit the checks."""

    def __init__(self, report: Document) -> None:
        recorded = report["target"]
        found = Target(url=recorded["url"], base=base_of(report), server=recorded["server"])
        super().__init__(options_of(report), found)
        self.remarks: list[str] = []
        self._report = report
        self._tape = Tape()
        self._played = Played()
        self._recorded = {
            check["id"]: check
            for one in report["requirements"]
            for check in one["checks"]
            if "seen_in" not in check
        }

    def client(self, headers: dict[str, str], exchanges: list[Exchange]) -> Client:
        """A client that the tape answers."""
        return TapeClient(
            self.target.base,
            headers,
            watch=self.watcher,
            exchanges=exchanges,
            tape=self._tape,
            played=self._played,
        )

    def is_over(self, check: Check) -> bool:
        """Whether the run ended before this check; once it did, no later one can have run."""
        recorded = self._recorded.get(check.id)
        ended = self.out_of_time or self.lost
        if recorded is None or recorded.get("started_at") is not None:
            if ended:
                self.remarks.append(f"{check.id} is recorded after the end of the run")
            return False
        if not ended:
            self.lost = self._report["run"].get("target_lost", False)
            self.out_of_time = not self.lost and self._report["run"]["out_of_time"]
        return self.out_of_time or self.lost

    def is_lost(self) -> bool:
        """Whether the target was gone for good shows in what was not asked any more."""
        return False

    def judge(self, check: Check, api: Api) -> Document:
        """Play a check with what was recorded of it."""
        recorded = self._recorded.get(check.id, {"exchanges": [], "started_at": None})
        started_at = recorded.get("started_at") or self._report["run"]["started_at"]
        self._tape.left, self._tape.missing = list(recorded["exchanges"]), []
        self._tape.wires = []
        self._played.restart(datetime.fromisoformat(started_at))
        entry = super().judge(check, api)
        if self._tape.missing:
            self.remarks.append(f"{check.id} asks what was not recorded: {self._tape.missing[0]}")
        if self._tape.left:
            self.remarks.append(f"{check.id} never asks {len(self._tape.left)} of its requests")
        if unheard := sum(len(part) for wire in self._tape.wires for part in wire.left.values()):
            self.remarks.append(f"{check.id} never takes or sends {unheard} of its messages")
        return entry

    def fuzz(self) -> Document | None:
        """What was generated cannot be played: chance chose it, not the answers."""
        found: Document | None = self._report["fuzzing"]
        return found

    def target_entry(self, api: Api) -> Document:
        """As it was recorded, with the capabilities that the checks were told of."""
        recorded: Document = self._report["target"]
        told = api.market.__dict__.setdefault("capabilities", recorded["capabilities"])
        return recorded | {"capabilities": told}


class Silent:
    """Shows no progress."""

    def started(self, check_id: str) -> None:
        """A check begins."""

    def finished(self, check: dict[str, Any]) -> None:
        """It is over."""


def options_of(report: Document) -> Options:
    """The options of a recorded run. Its secrets are struck out, a key is so a struck-out one."""
    run = report["run"]
    return Options(
        url=report["target"]["url"],
        headers={"X-API-Key": STRUCK} if "key" in run.get("offers", ()) else {},
        profile=run["profile"],
        seed=run["seed"],
        only=frozenset(run["only"]),
        skip=frozenset(run["skip"]),
        symbols=tuple(run.get("symbols", ())),
        allow_fills=run["allow_fills"],
        known_failures=frozenset(run["known_failures"]),
        max_time=run["max_time"],
    )


def base_of(report: Document) -> str:
    """The URL before the paths of the spec."""
    recorded = report["target"]
    parts = urlsplit(recorded["url"])
    path: str = recorded["base_path"].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def differences(report: Document, played: Document) -> Iterator[str]:
    """Where a report says other things than its traffic does."""
    for name in ("verdict", "totals"):
        if report[name] != played[name]:
            yield f"the {name}: the report says {report[name]}, its traffic {played[name]}"
    if report["target"]["capabilities"] != played["target"]["capabilities"]:
        yield "the capabilities are not those that the target answered"
    ours = {one["id"]: one for one in played["requirements"]}
    if [one["id"] for one in report["requirements"]] != list(ours):
        yield "the requirements are not those of the spec"
    for one in report["requirements"]:
        if one["id"] in ours:
            yield from _differences(one, ours[one["id"]])


def _differences(recorded: Document, played: Document) -> Iterator[str]:
    for name in recorded.keys() - {"checks", "reason"}:
        if recorded[name] != played[name]:
            yield f"{recorded['id']}: {name} is {recorded[name]}, not {played[name]}"
    ours = {check["id"]: check for check in played["checks"]}
    if [check["id"] for check in recorded["checks"]] != list(ours):
        yield f"{recorded['id']}: its checks are not those that ran"
    for check in recorded["checks"]:
        if check["id"] in ours:
            yield from _other_findings(check, ours[check["id"]])


def _other_findings(recorded: Document, played: Document) -> Iterator[str]:
    if recorded["outcome"] != played["outcome"]:
        yield (
            f"{recorded['id']}: the report says {recorded['outcome']}, its traffic"
            f" {played['outcome']} ({played['reason'] or 'without a reason'})"
        )
    elif _told(recorded) != _told(played):
        yield f"{recorded['id']}: its reason or failure reads differently"


def _told(check: Document) -> tuple[str, ...]:
    """What a check says of its outcome. Struck-out secrets may leave more or less of a text."""
    failure = check["failure"] or {}
    texts = [check["reason"], *(str(failure.get(name)) for name in ("what", "expected", "actual"))]
    kept = ["" if STRUCK in text else text for text in texts]
    return *kept, str(failure.get("exchange"))

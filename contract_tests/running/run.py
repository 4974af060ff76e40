"""Runs the checks against a target and writes the report of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from contract_tests.fuzzing.stage import fuzz
from contract_tests.requirements import Check, pending
from contract_tests.running import report, target
from contract_tests.running.checks import (
    Outcome,
    Result,
    Watcher,
    broken_by_the_way,
    run_check,
    where,
)
from contract_tests.running.options import Options, plan, why_skipped
from contract_tests.running.report import Document
from contract_tests.spec import Requirement, requirements
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client
from contract_tests.toolkit.expect import Failure, NotExercised
from contract_tests.toolkit.lab import Keyed, Lab
from contract_tests.wire.clock import Steps
from contract_tests.wire.redaction import Secrets
from contract_tests.wire.traffic import KEY_HEADERS, NO_STATUS, Exchange

OUT_OF_TIME: Final = "not reached: --max-time was over"
GONE: Final = "the target answers no more"


class Progress(Protocol):
    """Shows how far a run is."""

    def started(self, check_id: str) -> None:
        """A check begins."""

    def finished(self, check: dict[str, Any]) -> None:
        """A check has an entry in the report."""


class CommandLineLab(Lab):
    """Offers what the options allow: fills, and the key among the headers."""

    def __init__(self, client: Client, anonymous: Client, *, fills: bool) -> None:
        self._client = client
        self._anonymous = anonymous
        self._key = _key(client)
        self.offers = frozenset(["fills"] * fills + ["key"] * bool(self._key))

    def keyed(self) -> Keyed:
        """The target itself, with the headers given and without the key among them."""
        return Keyed(api=Api(self._client), anonymous=Api(self._anonymous), key=self._key)


def _key(client: Client) -> str:
    """The API key among the headers; empty where there is none of the documented kinds."""
    headers = {name.lower(): value for name, value in client.headers.items()}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


class Run:
    """One run of the checks. `entries` holds what it found so far, by requirement."""

    def __init__(self, options: Options, found: target.Target) -> None:
        self.options = options
        self.target = found
        self.entries: dict[str, list[Document]] = {
            one.id: [] for one in requirements().values() if not why_skipped(one, options)
        }
        self.fuzzing: Document | None = None
        self.out_of_time = False
        self.lost = False
        self._secrets = Secrets(options.headers.items())
        self.watcher = Watcher()
        self._clock = Steps()
        self._by_the_way: set[str] = set()
        self._began = time.monotonic()
        self._started_at = datetime.now(UTC)

    def perform(self, progress: Progress) -> Document:
        """Run everything; the report."""
        with self.api() as api:
            for check in plan(self.options):
                if self.is_over(check):
                    self._leave_out(check)
                    continue
                progress.started(check.id)
                progress.finished(self.judge(check, api))
                api.client.exchanges.clear()
            if self.options.fuzz_time:
                progress.started("fuzzing")
            self.fuzzing = self.fuzz()
            self._enter_findings()
            return self._document(api)

    @contextmanager
    def api(self) -> Iterator[Api]:
        """The target as the checks see it."""
        headers, exchanges = dict(self.options.headers), list[Exchange]()
        bare = {name: one for name, one in headers.items() if name.lower() not in KEY_HEADERS}
        with self.client(headers, exchanges) as client, self.client(bare, exchanges) as anonymous:
            lab = CommandLineLab(client, anonymous, fills=self.options.allow_fills)
            yield Api(client, lab=lab, symbols=self.options.symbols)

    def client(self, headers: dict[str, str], exchanges: list[Exchange]) -> Client:
        """A client of the target that shares its exchanges with others."""
        return Client(
            self.target.base,
            headers,
            watch=self.watcher,
            timeout=self.options.timeout,
            clock=self._clock,
            exchanges=exchanges,
        )

    # -- checks ---------------------------------------------------------------------------------

    def judge(self, check: Check, api: Api) -> Document:
        """Run a check and enter what it found; its entry."""
        result = run_check(check, api, seed=self.options.seed)
        entry = self._enter(result)
        for other in broken_by_the_way(self.watcher.take(), result):
            if not api.market.disclaims(other.requirement.feature):
                self._enter_once(other)
        if any(one.status == NO_STATUS for one in result.exchanges + result.cleaning):
            self.lost = self.is_lost()
        return entry

    def is_lost(self) -> bool:
        """Whether the target, which left a request unanswered, answers no more at all."""
        return target.is_gone(self.target.base, self.options.headers, timeout=self.options.timeout)

    def _enter(self, result: Result) -> Document:
        entry = report.check_entry(result, self._secrets)
        self.entries[result.requirement.id].append(entry)
        return entry

    def _enter_once(self, result: Result) -> None:
        """What every answer gets wrong would fill the report; the first time says it."""
        chosen = result.requirement.id in self.entries
        if chosen and result.requirement.id not in self._by_the_way:
            self._by_the_way.add(result.requirement.id)
            self._enter(result)

    def is_over(self, check: Check) -> bool:
        """Whether the run ends before this check."""
        del check  # only who plays a run once more needs to know it
        left = self._seconds_left()
        self.out_of_time = self.out_of_time or (left is not None and left <= 0)
        return self.out_of_time or self.lost

    def _seconds_left(self) -> float | None:
        if self.options.max_time is None:
            return None
        return self.options.max_time - (time.monotonic() - self._began)

    def _leave_out(self, check: Check) -> None:
        outcome = Outcome.NOT_EXERCISED if self.lost else Outcome.SKIPPED
        reason = GONE if self.lost else OUT_OF_TIME
        one = requirements()[check.requirement]
        self._enter(Result(requirement=one, outcome=outcome, reason=reason, check=check))

    # -- fuzzing --------------------------------------------------------------------------------

    def fuzz(self) -> Document | None:
        """What generated requests find; None where none are sent."""
        left = self._seconds_left()
        if not self.options.fuzz_time or self.lost or (left is not None and left <= 0):
            return None
        seconds = min(self.options.fuzz_time, left or self.options.fuzz_time)
        struck: Document = self._secrets.node(self._fuzzed(seconds))
        return struck

    def _fuzzed(self, seconds: float) -> Document:
        try:
            found = fuzz(
                self.target.base,
                self.options.headers,
                seed=self.options.seed,
                seconds=seconds,
                allow_fills=self.options.allow_fills,
                symbols=self.options.symbols,
                timeout=self.options.timeout,
            )
        except Exception as error:  # noqa: BLE001  what the checks found is not lost with it
            return {"cases": 0, "seconds": 0, "findings": [], "error": where(error)}
        return asdict(found)

    def _enter_findings(self) -> None:
        for finding in (self.fuzzing or {"findings": []})["findings"]:
            if finding["requirement"] in self.entries:
                self._enter_finding(finding)

    def _enter_finding(self, finding: Document) -> None:
        """One entry a requirement: that of its first finding."""
        entries = self.entries[finding["requirement"]]
        entry = finding_entry(finding)
        if entry["id"] not in {one["id"] for one in entries}:
            entries.append(entry)

    # -- the report -----------------------------------------------------------------------------

    def _document(self, api: Api) -> Document:
        return report.sealed(
            {
                "schema_version": report.SCHEMA_VERSION,
                "suite": report.suite(),
                "spec": report.spec(),
                "target": self.target_entry(api),
                "run": self._run_entry(api),
                "requirements": [self._entry(one, api) for one in requirements().values()],
                "fuzzing": self.fuzzing,
            }
        )

    def target_entry(self, api: Api) -> Document:
        """What the report says of the target."""
        return {
            "url": self._secrets.text(self.target.url),
            "base_path": self._secrets.text(self.target.base_path),
            "server": self._secrets.node(self.target.server),
            "capabilities": self._secrets.node(capabilities(api)),
            "symbols": self._secrets.node(symbols(api)),
        }

    def _run_entry(self, api: Api) -> Document:
        options = self.options
        return {
            "started_at": self._started_at.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
            "seconds": round(time.monotonic() - self._began, 3),
            "profile": options.profile,
            "seed": options.seed,
            "allow_fills": options.allow_fills,
            "max_time": options.max_time,
            "only": sorted(options.only),
            "skip": sorted(options.skip),
            "known_failures": sorted(options.known_failures),
            "out_of_time": self.out_of_time,
            "target_lost": self.lost,
            "headers": sorted(self._secrets.text(name) for name in options.headers),
            "offers": sorted(api.lab.offers),
            "symbols": self._secrets.node(list(options.symbols)),
        }

    def _entry(self, one: Requirement, api: Api) -> Document:
        known = one.id in self.options.known_failures
        skipped = why_skipped(one, self.options)
        otherwise = (Outcome.SKIPPED, skipped) if skipped else unchecked(one, api)
        return report.requirement_entry(
            one, self.entries.get(one.id, []), known=known, otherwise=otherwise
        )


def finding_entry(finding: Document) -> Document:
    """What fuzzing found out about a requirement, as the entry of a check."""
    exchange = finding["exchange"]
    return {
        "id": f"{finding['requirement']}-fuzzing",
        "description": "No generated request makes the server break this.",
        "outcome": str(Outcome.FAILED),
        "reason": finding["what"],
        "seconds": 0,
        "failure": {
            "what": finding["what"],
            "expected": finding["expected"],
            "actual": finding["actual"],
            "exchange": None if exchange is None else 0,
        },
        "exchanges": [] if exchange is None else [exchange],
    }


def capabilities(api: Api) -> Document | None:
    """What the target declares; None where it cannot be read."""
    try:
        return dict(api.market.capabilities)
    except (Failure, NotExercised):
        return None


def symbols(api: Api) -> list[str]:
    """What the run could trade."""
    try:
        return [one.symbol for one in api.market.instruments]
    except (Failure, NotExercised):
        return []


def unchecked(one: Requirement, api: Api) -> tuple[Outcome, str]:
    """What becomes of a requirement without a check that could run, and why."""
    if one.id not in pending():
        return Outcome.SKIPPED, "none of its checks belongs to the profile"
    declared = one.feature is None or one.feature in (capabilities(api) or {}).get("features", ())
    if declared:
        return Outcome.PENDING, pending()[one.id]
    return Outcome.NOT_DECLARED, f"feature {one.feature}"

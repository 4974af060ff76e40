"""The stage of a run that sends generated requests: Schemathesis, kept harmless and judged by us.

Schemathesis runs as a process of its own, first in chains of requests, then operation by operation.
What it sends and what comes back is written down as it goes, so that a target that dies or hangs,
or time that is up, takes nothing away from what was found before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote, urlsplit

from contract_tests.fuzzing import record
from contract_tests.fuzzing.blame import GENERAL, JUDGED_BY_INVARIANTS, requirement_of
from contract_tests.fuzzing.harmless import Guard, Tradable
from contract_tests.fuzzing.process import (
    CHAINS,
    OPERATION_BY_OPERATION,
    Settings,
    run_schemathesis,
    troubles,
)
from contract_tests.spec import requirements
from contract_tests.toolkit.client import Client, NoAnswer
from contract_tests.toolkit.expect import Failure, NotExercised
from contract_tests.toolkit.invariants import Judge
from contract_tests.toolkit.market import UNKNOWN_SYMBOL, Instrument, Market
from contract_tests.wire.redaction import Secrets
from contract_tests.wire.traffic import NO_STATUS, Exchange
from contract_tests.wire.written import exchange_entry

CHAINS_SHARE: Final = 0.4
"""How much of the time the chains of requests may take."""

CLEANING_SHARE: Final = 0.1
"""How much of the time is kept for judging and cleaning up."""

PATIENCE: Final = 10.0
"""Seconds that a request may take at most, unless it is told otherwise."""

ANSWERED: Final = "every request is answered"

OTHER: Final = "other"
"""Counts the requests to what the document does not have."""

_SECONDS_PER_EXAMPLE: Final = 6.0
_MOST_EXAMPLES: Final = 60
_INSTRUMENTS: Final = 5
_ROUNDS: Final = 10
UNDECLARED: Final = "ORD-026"
"""What concerns a feature that is not declared is no fault of the feature."""


@dataclass(slots=True)
class Fuzzed:
    """What generated requests found: each finding is a JSON object, see report.schema.json.

    `operations` counts requests by operationId; `complete` is whether the time sufficed for all.
    """

    cases: int = 0
    complete: bool = False
    seconds: float = 0.0
    operations: dict[str, int] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)


def fuzz(
    url: str,
    headers: Mapping[str, str],
    *,
    seed: int,
    seconds: float,
    allow_fills: bool,
    symbols: Sequence[str] = (),
    examples: int | None = None,
    timeout: float = PATIENCE,
) -> Fuzzed:
    """Send generated requests for some seconds, and clean up; never raises for what a server does.

    How many `examples` an operation gets follows from `seconds` where it is not given. One seed
    and number make the same requests, as far as the target answers the same and in time.
    """
    started = time.monotonic()
    patience = min(timeout, max(1.0, seconds / 4))
    with (
        TemporaryDirectory(prefix="trading-conformance-") as name,  # readable by its owner alone
        Client(url, headers, timeout=patience) as client,
    ):
        stage = _Stage(client, Path(name), seconds)
        try:
            client.send("GET", "/health")
            stage.prepare(Market(client, symbols), allow_fills=allow_fills)
            stage.send(seed, examples or _examples(seconds), patience)
        except NoAnswer as silence:
            stage.add_silence(silence)
        stage.judge()
        try:
            client.send("GET", "/health")
            stage.clean_up()
        except NoAnswer as silence:
            stage.add_silence(silence)
    stage.result.seconds = round(time.monotonic() - started, 3)
    return stage.result


def _examples(seconds: float) -> int:
    """What a target that answers in a few milliseconds has time for twice over."""
    return max(2, min(_MOST_EXAMPLES, int(seconds / _SECONDS_PER_EXAMPLE)))


class _Stage:
    """One run: what may be touched, what was found, and what is to be taken away again."""

    def __init__(self, client: Client, directory: Path, seconds: float) -> None:
        self.result = Fuzzed()
        self._client = client
        self._secrets = Secrets(client.headers.items())
        self._directory = directory
        self._deadline = time.monotonic() + seconds * (1 - CLEANING_SHARE)
        self._seconds = seconds
        self._guard = Guard(allow_fills=False, tradable={})
        self._without: list[str] = []
        self._declared: frozenset[str] | None = None
        self._seen: set[tuple[str, str, str]] = set()
        self._judge = Judge()

    # --- before ---

    def prepare(self, market: Market, *, allow_fills: bool) -> None:
        """Find out what can be traded, and what is there already and stays as it is."""
        orders, positions = self._listed("/orders"), self._listed("/positions")
        if orders != []:
            self._without.append("cancel_all_orders")
        if positions != []:
            self._without.append("close_all_positions")
        if self._is_a_breaker_open():
            self._without.append("reset_circuit_breakers")
        held = {one["symbol"] for one in positions or ()}
        instruments = [
            one
            for one in self._instruments(market)
            if not allow_fills or (positions is not None and one.symbol not in held)
        ]
        self._guard = Guard(
            allow_fills=allow_fills,
            tradable=dict(self._tradable(market, instruments)),
            foreign={one["id"] for one in [*(orders or ()), *(positions or ())]},
        )
        plan = json.dumps(self._guard.plan())
        (self._directory / record.PLAN).write_text(plan, "utf-8")

    def _instruments(self, market: Market) -> Sequence[Instrument]:
        try:
            self._declared = frozenset(market.capabilities["features"])
            return market.instruments[:_INSTRUMENTS]
        except NoAnswer:
            raise
        except (Failure, NotExercised):
            return ()  # the directed checks tell; what needs no symbol is still fuzzed

    def _tradable(
        self, market: Market, instruments: Sequence[Instrument]
    ) -> Iterator[tuple[str, Tradable]]:
        for one in instruments:
            try:
                yield one.symbol, Tradable.of(one, market.quote(one.symbol))
            except NoAnswer:
                raise
            except Failure:
                continue  # without a quote nobody knows what is far from the market

    def _listed(self, path: str) -> list[dict[str, Any]] | None:
        """What is there now; None where the list cannot be read."""
        try:
            found: list[dict[str, Any]] = self._client.send("GET", path).ok()
        except NoAnswer:
            raise
        except Failure:
            return None
        return found

    def _is_a_breaker_open(self) -> bool:
        """To close one is for its operator; a server without breakers has none that is open."""
        try:
            found = self._client.send("GET", "/circuit-breakers").ok()
        except NoAnswer:
            raise
        except Failure:
            return False
        return any(one["state"] == "open" for one in found.values())

    # --- meanwhile ---

    def send(self, seed: int, examples: int, patience: float) -> None:
        """Run Schemathesis until the time is up."""
        settings = Settings(
            url=self._client.base_url,
            headers=self._client.headers,
            seed=seed,
            examples=examples,
            patience=patience,
            symbols=[*self._guard.tradable, UNKNOWN_SYMBOL],
            without=self._without,
        )
        chains = min(self._left(), self._seconds * CHAINS_SHARE)
        chained = run_schemathesis(self._directory, settings, CHAINS, chains)
        left = max(1.0, self._left())
        single = run_schemathesis(self._directory, settings, OPERATION_BY_OPERATION, left)
        self.result.complete = chained and single

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    # --- after ---

    def judge(self) -> None:
        """Look at all that was recorded."""
        base_path = urlsplit(self._client.base_url).path
        for exchange, more in record.read(self._directory, base_path):
            if "judgement" in more:
                self._judged(exchange, **more["judgement"])
            elif exchange.status == NO_STATUS:
                self._silent(exchange)
            else:
                self._answered(exchange)
        for operation, said in troubles(self._directory):
            if (GENERAL, operation, ANSWERED) not in self._seen:
                self.add(GENERAL, Failure(ANSWERED, expected=f"readable: {operation}", actual=said))

    def _answered(self, exchange: Exchange) -> None:
        name = exchange.operation.id if exchange.operation else OTHER
        self.result.cases += 1
        self.result.operations[name] = self.result.operations.get(name, 0) + 1
        self._guard.saw(name, exchange)
        for violation in self._judge.violations(exchange):
            self.add(violation.requirement, violation.failure)

    def _silent(self, exchange: Exchange) -> None:
        self.result.cases += 1
        self.add(
            GENERAL,
            Failure(ANSWERED, expected="an answer", actual=exchange.error, exchange=exchange),
        )

    def _judged(
        self, exchange: Exchange, *, check: str, what: str, actual: str, expected: str = ""
    ) -> None:
        if check in JUDGED_BY_INVARIANTS:
            return
        blamed = requirements()[requirement_of(check, exchange)]
        if blamed.feature is not None and blamed.feature not in (self._declared or ()):
            blamed = requirements()[UNDECLARED]
        self.add(
            blamed.id,
            Failure(what, expected=expected or blamed.text, actual=actual, exchange=exchange),
        )

    def add_silence(self, silence: NoAnswer) -> None:
        """Keep that the target did not answer the stage itself."""
        probed = silence.exchange is not None and silence.exchange.path.endswith("/health")
        self.add("SYS-002" if probed else GENERAL, silence)

    def add(self, requirement_id: str, failure: Failure) -> None:
        """Keep a failure, unless the same was seen of the same operation before."""
        exchange = failure.exchange
        place = str(exchange.operation) if exchange else ""
        key = (requirement_id, place, failure.what)
        if key not in self._seen:
            self._seen.add(key)
            self.result.findings.append(
                {
                    "requirement": requirement_id,
                    "what": self._secrets.text(failure.what),
                    "expected": self._secrets.text(str(failure.expected)),
                    "actual": self._secrets.text(str(failure.actual)),
                    "exchange": exchange and exchange_entry(exchange, self._secrets),
                }
            )

    def clean_up(self) -> None:
        """Cancel the orders that were made and are open, and close what came of them."""
        for _ in range(_ROUNDS):
            orders = self._listed("/orders")
            mine = [one["id"] for one in orders or () if self._guard.made(one)]
            if orders is None:
                mine = list(self._guard.own)
            for order_id in mine:
                self._client.send("DELETE", f"/orders/{quote(order_id, safe='')}")
            if orders is None or not mine:
                break
        if self._guard.allow_fills:
            self._close_positions()

    def _close_positions(self) -> None:
        for one in self._listed("/positions") or ():
            if one["id"] not in self._guard.foreign and one["symbol"] in self._guard.tradable:
                self._client.send("DELETE", f"/positions/{quote(one['id'], safe='')}")

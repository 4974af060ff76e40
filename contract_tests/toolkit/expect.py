"""How a check says what must hold.

A check raises `Failure` where the server breaks the requirement, `NotDeclared` where the server
does not claim the feature, `NotExercised` where the circumstances (an account without money, a
market that is closed) kept the check from seeing what it judges, and `NotOffered` where it would
touch orders and positions of others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from contract_tests.wire import clock
from contract_tests.wire.traffic import Exchange

T = TypeVar("T")


@dataclass(slots=True)
class Patience:
    """Seconds that a check waits for something the market must bring about."""

    seconds: float = 15.0


PATIENCE: Final = Patience()
"""A run whose market is quick may shorten it."""


SHORTEST_WAIT: Final = 0.5


class Endurance:
    """How long a run waits: less each time that a target let it wait for the same in vain."""

    def __init__(self) -> None:
        self._vain: Counter[str] = Counter()

    def seconds(self, what: str) -> float:
        """The seconds that something is waited for."""
        return max(PATIENCE.seconds * 0.5 ** self._vain[what], SHORTEST_WAIT)

    def note(self, what: str, *, vain: bool) -> None:
        """It was waited for, in vain or not."""
        self._vain[what] = self._vain[what] + 1 if vain else 0


class Failure(AssertionError):
    """The server breaks the requirement: what was judged, what was expected, what came."""

    def __init__(
        self, what: str, *, expected: object, actual: object, exchange: Exchange | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.actual = actual
        self.exchange = exchange

    def __str__(self) -> str:
        lines = [self.what, f"  expected: {self.expected}", f"  actual:   {self.actual}"]
        if self.exchange is not None:
            lines.append(self.exchange.render())
        return "\n".join(lines)


class Overdue(Failure):
    """What should have come about in time did not."""


class NotDeclared(Exception):
    """The server does not claim what the check would judge."""


class NotExercised(Exception):
    """The check could not bring about the situation it judges."""


class NotOffered(NotExercised):
    """It would take an account, or symbols, that the run does not give to the suite alone."""


def shown(value: object) -> str:
    """A value as a failure names it: the same text each time, also for sets."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    return repr(value)


def equal(actual: object, expected: object, what: str, exchange: Exchange | None = None) -> None:
    """Raise Failure unless both are equal."""
    if actual != expected:
        raise Failure(what, expected=shown(expected), actual=shown(actual), exchange=exchange)


def one_of(actual: object, expected: set[Any], what: str, exchange: Exchange | None = None) -> None:
    """Raise Failure unless the value is one of those expected."""
    if actual not in expected:
        allowed = " or ".join(sorted(map(repr, expected)))
        raise Failure(what, expected=allowed, actual=shown(actual), exchange=exchange)


def that(
    holds: bool,
    what: str,
    *,
    expected: object,
    actual: object,
    exchange: Exchange | None = None,
) -> None:
    """Raise Failure unless the condition holds."""
    if not holds:
        raise Failure(what, expected=expected, actual=actual, exchange=exchange)


def dec(value: Any, what: str = "a decimal") -> Decimal:
    """A decimal string of an answer as Decimal; raises Failure when it is none."""
    if not isinstance(value, str):
        raise Failure(what, expected="a decimal string", actual=repr(value))
    try:
        found = Decimal(value)
    except ArithmeticError:
        raise Failure(what, expected="a decimal string", actual=repr(value)) from None
    if not found.is_finite():
        raise Failure(what, expected="a number", actual=repr(value))
    return found


def plain(value: Decimal) -> str:
    """A Decimal as the wire wants it: plain notation, no trailing zeros beyond the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def eventually(
    probe: Callable[[], T],
    satisfied: Callable[[T], bool],
    what: str,
    *,
    within: float | None = None,
) -> T:
    """Ask until the answer satisfies; raises Overdue with the last answer when time is up."""
    seconds = PATIENCE.seconds if within is None else within
    time = clock.current()
    deadline = time.monotonic() + seconds
    while True:
        last = probe()
        if satisfied(last):
            return last
        if time.monotonic() > deadline:
            raise Overdue(what, expected=f"within {seconds:g} s", actual=f"still {last!r}")
        time.sleep(0.05)

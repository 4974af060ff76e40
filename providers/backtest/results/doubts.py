"""What makes the result of a run doubtful, in sentences."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import RoundTrip
from providers.backtest.source import closes
from providers.engine.money import ZERO
from providers.models import OrderStatus

FEW: Final = 30
"""Round trips below which an average is mostly luck."""

SHORT: Final = timedelta(days=365)

_DAY: Final = timedelta(days=1)

_LISTED: Final = 3

Trips = Sequence[RoundTrip]


def found(record: RunRecord, trips: Trips) -> list[str]:
    """Every reason to doubt, the gravest first. Runs in the exact context."""
    return [sentence for doubt in _DOUBTS for sentence in doubt(record, trips)]


def unexplained(record: RunRecord, trips: Trips) -> Decimal:
    """What the equity changed by beyond the round trips; 0 unless something else moved money."""
    change = record.final_equity - record.initial_balance
    return change - sum((trip.pnl for trip in trips), ZERO)


def _aborted(record: RunRecord, _: Trips) -> Iterator[str]:
    if record.status == "aborted":
        yield f"The run was aborted: it ends at {_moment(record)}, before its data do."


def _ruined(record: RunRecord, _: Trips) -> Iterator[str]:
    below = next((point for point in record.equity if point.equity <= 0), None)
    if below:
        yield (
            f"On {below.time:%Y-%m-%d} the equity was {below.equity:f}: "
            "the account had lost everything."
        )


def _notices(record: RunRecord, _: Trips) -> Iterator[str]:
    by_code: dict[str, list[str]] = {}
    for notice in record.notices:
        by_code.setdefault(notice.code, []).append(notice.message)
    for code, messages in by_code.items():
        more = f" and {len(messages) - _LISTED} more" if len(messages) > _LISTED else ""
        often = f" {len(messages)} times" if len(messages) > 1 else ""
        yield f"{code}{often}: {'; '.join(messages[:_LISTED])}{more}."


def _mismatch(record: RunRecord, trips: Trips) -> Iterator[str]:
    rest = unexplained(record, trips)
    if rest:
        yield f"{rest:f} {record.currency} of the result come from no round trip."


def _few(_: RunRecord, trips: Trips) -> Iterator[str]:
    closed = sum(1 for trip in trips if trip.status == "closed")
    if closed < FEW:
        number = "No round trip was" if not closed else f"Only {_count(closed, 'round trip')} were"
        number = number.replace("Only 1 round trip were", "Only one round trip was")
        yield f"{number} completed: below {FEW} a win rate or an average is mostly luck."


def _short(record: RunRecord, _: Trips) -> Iterator[str]:
    lasted = record.ended - record.started
    if lasted < SHORT:
        days = _count(round(lasted / _DAY), "day") if lasted >= _DAY else "less than a day"
        yield f"The run covers {days}: figures for a year are extrapolated."


def _lopsided(_: RunRecord, trips: Trips) -> Iterator[str]:
    gains = [trip.pnl for trip in trips]
    total, best = sum(gains, ZERO), max(gains, default=ZERO)
    if len(gains) > 1 and total > 0 and best * 2 > total:
        without = "the rest lost money" if best > total else "the rest made less than half of it"
        yield f"One round trip made {best:,.2f} of the {total:,.2f} gained: {without}."


def _open(record: RunRecord, trips: Trips) -> Iterator[str]:
    pending = [trip for trip in trips if trip.status == "open"]
    if pending:
        worth = sum((trip.pnl for trip in pending), ZERO)
        yield (
            f"{_count(len(pending), 'position')} still open at the end, counted at the last "
            f"price: {worth:,.2f} {record.currency}."
        )


def _free(record: RunRecord, _: Trips) -> Iterator[str]:
    if record.trades and not any(fill.commission for fill in record.trades):
        yield "No commission was paid: with real costs the result is smaller."


def _untraded(record: RunRecord, _: Trips) -> Iterator[str]:
    """Fills in bars without volume: nobody traded then."""
    opens = {symbol: [bar.timestamp for bar in bars] for symbol, bars in record.bars.items()}
    mute = {symbol for symbol, bars in record.bars.items() if not any(bar.volume for bar in bars)}
    number = 0
    for fill in record.trades:
        place = bisect_right(opens.get(fill.symbol, []), fill.timestamp) - 1
        if place < 0 or fill.symbol in mute:
            continue
        bar = record.bars[fill.symbol][place]
        number += not bar.volume and fill.timestamp <= closes(bar)
    if number:
        yield f"{_count(number, 'fill')} in bars without volume: nobody traded then."
    if silent := mute & {fill.symbol for fill in record.trades}:
        yield f"The bars of {', '.join(sorted(silent))} have no volume: fills cannot be judged."


def _refused(record: RunRecord, _: Trips) -> Iterator[str]:
    reasons = Counter(
        order.reject_reason.value if order.reject_reason else "no reason"
        for order in record.orders
        if order.status is OrderStatus.REJECTED
    )
    if reasons:
        listed = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        yield f"{_count(reasons.total(), 'order')} rejected: {listed}."


def _moment(record: RunRecord) -> str:
    return f"{record.ended:%Y-%m-%d %H:%M}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


_DOUBTS: Final[tuple[Callable[[RunRecord, Trips], Iterator[str]], ...]] = (
    _aborted,
    _ruined,
    _notices,
    _mismatch,
    _few,
    _short,
    _lopsided,
    _refused,
    _untraded,
    _open,
    _free,
)

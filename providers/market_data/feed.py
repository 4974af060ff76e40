"""The prices of one symbol, from the coarse to the fine.

Each bar is computed from its parent and a key that names the bar, so any moment can be asked for
without computing those before it:

    week of days     the history file, then `DailyWalk`
    1 day            24 hours (the history file where it is hourly)
    1 hour           12 x 5 minutes
    5 minutes        5 x 1 minute
    1 minute         60 ticks, one a second

    The last price of AAPL at 14:35:07 needs the day's bar, the hour 14:00 of its 24, the five
    minutes from 14:35 of that hour's 12, the minute 14:35 of those 5 and tick 7 of that minute.

Results are kept in bounded caches; since each is a pure function of its key, what was asked
before changes how fast an answer comes and never what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from providers.market_data.aggregate import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    MINUTE,
    WEEK,
    RawBar,
    aggregate,
    floor_to,
)
from providers.market_data.draws import UNIFORM, draws
from providers.market_data.history import History, load
from providers.market_data.instruments import LISTED, Listing
from providers.market_data.split import ORDERING, split, walk
from providers.market_data.walk import DailyWalk

_PARENT = {MINUTE: FIVE_MINUTES, FIVE_MINUTES: HOUR, HOUR: DAY, DAY: WEEK}
_CACHED_SPLITS = 128
_CACHED_DAYS = 1024
_CACHED_MINUTES = 16
_QUOTE_DRAWS = 4  # per tick: width of the spread, place of the last price in it, both sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the drawn prices depend on besides the listing.

    `volatility` is in thousandths of the usual one; `ticks` is the number of ticks a minute.
    """

    seed: int
    volatility: int
    ticks: int


class Tick(NamedTuple):
    """One tick: its `number`, counted from the epoch, and what is quoted, in increments.

    `volume` is what has been traded since the start of the UTC day. `sizes` are two uniform draws
    for the caller to turn into the sizes on either side.
    """

    number: int
    bid: int
    last: int
    ask: int
    volume: int
    sizes: tuple[int, int]


class _Minute(NamedTuple):
    """A minute in ticks: its prices, `_QUOTE_DRAWS` draws for each, the day's volume before it."""

    bar: RawBar
    prices: list[int]
    noise: tuple[int, ...]
    volume_before: int


class SymbolFeed:
    """Bars and ticks of one listing; all arguments and results in whole numbers."""

    def __init__(self, listing: Listing, drawing: Drawing) -> None:
        self.listing = listing
        self._drawing = drawing
        self._key = f"{drawing.seed}|{listing.symbol}"
        self._history = load(listing.compact, listing.history) if listing.history else None
        self._walk, self._usual_volume = self._continuation(self._history)
        # By their arguments: a day, the bars of one length within a parent, the ticks of a minute.
        self._day = lru_cache(_CACHED_DAYS)(self._make_day)
        self._within = lru_cache(_CACHED_SPLITS)(self._make_within)
        self._minute = lru_cache(_CACHED_MINUTES)(self._make_minute)

    @property
    def first(self) -> int:
        """The start of the first bar."""
        return self._history.first if self._history else LISTED

    def bars(self, span: int, first: int, last: int, limit: int) -> list[RawBar]:
        """The newest `limit` bars of `span` seconds opening from `first` to `last`, ascending.

        `first` is no earlier than the opening of the bar that contains the feed's own `first`.
        Walks back page by page from the end, so a recent window never computes the past.
        """
        page = HOUR if span < HOUR else DAY if span < DAY else WEEK
        pages: list[list[RawBar]] = []
        missing, start = limit, floor_to(last, page)
        while missing > 0 and start + page > first:
            bars = aggregate(self._page(start, page, span), span)
            pages.append([bar for bar in bars if first <= bar.start <= last])
            missing -= len(pages[-1])
            start -= page
        ascending = [bar for page_ in reversed(pages) for bar in page_]
        return ascending[-limit:] if limit > 0 else []

    def tick(self, number: int) -> Tick | None:
        """The tick in force at the moment of tick `number`; None before the first bar.

        Where the history has a gap that is the last tick before it.
        """
        wanted, place = divmod(number, self._drawing.ticks)
        start = self._latest_minute(wanted * MINUTE)
        if start is None:
            return None
        return self._quoted(start, place if start == wanted * MINUTE else self._drawing.ticks - 1)

    def _continuation(self, history: History | None) -> tuple[DailyWalk, int]:
        """The walk that follows `history`, or starts from the listing, and its usual volume."""
        listing = self.listing
        sigma = listing.sigma * self._drawing.volatility // 1000
        if history:
            return DailyWalk(self._key, history.bars[-1].close, sigma), history.usual_volume()
        return DailyWalk(self._key, listing.start_price, sigma), listing.daily_volume

    def _page(self, start: int, page: int, span: int) -> Iterator[RawBar]:
        """The bars within a page from which those of `span` are made: the coarsest that fit."""
        base = next(base for base in (DAY, HOUR, FIVE_MINUTES, MINUTE) if span % base == 0)
        for parent in range(start, start + page, _PARENT[base]):
            yield from self._within(base, parent).values()

    def _make_within(self, span: int, parent_start: int) -> dict[int, RawBar]:
        """The bars of `span` in the parent that opens at `parent_start`, by their start."""
        if span == DAY:
            days = map(self._day, range(parent_start, parent_start + WEEK, DAY))
            return {day.start: day for day in days if day}
        history = self._history
        if history and history.span == span and parent_start <= history.last_day:
            return {bar.start: bar for bar in history.of_day(parent_start)}
        parent = self._bar(_PARENT[span], parent_start)
        if parent is None:
            return {}
        key = f"{self._key}|{span}|{parent_start}"
        bars = split(parent, span, _PARENT[span] // span, key)
        return {bar.start: bar for bar in bars}

    def _bar(self, span: int, start: int) -> RawBar | None:
        """The bar of `span` that opens at `start`; None where nothing traded."""
        if span == DAY:
            return self._day(start)
        return self._within(span, floor_to(start, _PARENT[span])).get(start)

    def _make_day(self, start: int) -> RawBar | None:
        history = self._history
        if history and start <= history.last_day:
            return history.day(start)
        day_zero = history.last_day if history else LISTED - DAY
        if start <= day_zero:
            return None
        (draw,) = draws(f"{self._key}|volume|{start}", 1)
        volume = self._usual_volume * (UNIFORM // 2 + draw) // UNIFORM
        return RawBar(start, *self._walk.ohlc((start - day_zero) // DAY), volume)

    def _latest_minute(self, minute: int) -> int | None:
        """The start of the last minute with a bar at or before `minute`."""
        while minute >= self.first:
            gap = next((s for s in (DAY, HOUR) if self._bar(s, floor_to(minute, s)) is None), None)
            if gap is None:
                return minute
            minute = floor_to(minute, gap) - MINUTE
        return None

    def _make_minute(self, start: int) -> _Minute:
        bar = self._within(MINUTE, floor_to(start, FIVE_MINUTES))[start]
        count = self._drawing.ticks
        steps = count - 1
        noise = draws(f"{self._key}|tick|{count}|{start}", steps + ORDERING + _QUOTE_DRAWS * count)
        prices = walk(bar, steps, noise)
        return _Minute(bar, prices, noise[-_QUOTE_DRAWS * count :], self._volume_of_day(start))

    def _volume_of_day(self, until: int) -> int:
        """What traded in the UTC day before `until`, the start of a minute."""
        return sum(
            bar.volume
            for span in (HOUR, FIVE_MINUTES, MINUTE)
            for bar in self._within(span, floor_to(until, _PARENT[span])).values()
            if bar.start + span <= until
        )

    def _quoted(self, start: int, place: int) -> Tick:
        """Tick number `place` of a minute: the last price with a spread around it."""
        bar, prices, noise, volume_before = self._minute(start)
        count = self._drawing.ticks
        last = prices[place]
        width, offset, bid_size, ask_size = noise[_QUOTE_DRAWS * place :][:_QUOTE_DRAWS]
        spread = last * self.listing.habits.spread * (UNIFORM // 2 + width) // (UNIFORM * 1_000_000)
        spread = max(1, spread)
        bid = last - (spread + 1) * offset // UNIFORM
        volume = volume_before + bar.volume * (place + 1) // count
        number = start // MINUTE * count + place
        return Tick(number, bid, last, bid + spread, volume, (bid_size, ask_size))

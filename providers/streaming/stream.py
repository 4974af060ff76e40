"""The event stream of the paper exchange: an account's log as the store has it, and the market.

::

    store ── Tail ───── a ring per account ──┐
                                             ├── EventStream ── one generator per client
    market ─ Ticker ─── a ring of quotes  ───┘

Account frames come from the log alone, so none is lost and none comes twice, whichever process made
it and however often a client resumes. Frames of the market are not kept: a reader too slow for
them is told so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from providers.base import Clock, FrameType, MarketData, StreamQuery
from providers.errors import InvalidValue
from providers.exchange.frames import connected
from providers.exchange.log import LoggedStore
from providers.streaming.tail import Tail
from providers.streaming.ticker import MarketEvents, Ticker
from providers.streaming.told import Listener, Told

ALWAYS = frozenset({FrameType.CONNECTION})
"""What comes whatever a client has chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a client wants to hear, by canonical symbols; None means everything."""

    symbols: frozenset[str] | None
    types: frozenset[FrameType] | None

    def texts(self, told: Iterable[Told]) -> Iterator[str]:
        """The frames that it wants of these."""
        for _, type_, symbol, text in told:
            if (self.types is None or type_ in self.types or type_ in ALWAYS) and (
                self.symbols is None or symbol is None or symbol in self.symbols
            ):
                yield text

    def symbols_for(self, type_: FrameType, listed: Iterable[str]) -> frozenset[str]:
        """The symbols of which frames of a type are wanted."""
        if self.types is not None and type_ not in self.types:
            return frozenset()
        return frozenset(listed) if self.symbols is None else self.symbols


class EventStream:
    """Subscriptions to a store and a market; `name` is that of the provider.

    `listed` answers with the symbols that a client hears of who chooses none: all of the market,
    unless it says less.
    """

    def __init__(
        self,
        name: str,
        store: LoggedStore,
        market: MarketData,
        *,
        clock: Clock,
        tick: timedelta,
        listed: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        self._name = name
        self._store = store
        self._market = market
        self._clock = clock
        self._listed = listed or (lambda: market.instruments)
        self.tail = Tail(store)
        self.ticker = Ticker(market, clock=clock, interval=tick)

    async def stop(self) -> None:
        """End every subscription."""
        await self.tail.stop()
        await self.ticker.stop()

    def announce(self, type_: FrameType, text: str) -> None:
        """Tell every client something that is of no account's log, such as a lost connection."""
        self.ticker.tell(type_, None, text)
        self.tail.wake()

    async def subscribe(self, account: str, query: StreamQuery) -> AsyncIterator[str]:
        """See `Provider.subscribe`; listening begins with the first frame that is asked for."""
        choice = Choice(self._canonical(query.symbols), query.types)
        last, newest = await self._store.read(
            lambda reader: (reader.last_event(account), reader.newest_event())
        )
        after = last if query.after is None else query.after
        if after > last:
            raise InvalidValue("after", after, f"is beyond the newest event, which is {last}")
        return self._frames(account, choice, after, newest)

    def _canonical(self, symbols: frozenset[str] | None) -> frozenset[str] | None:
        if symbols is None:
            return None
        return frozenset(self._market.resolve(symbol).symbol for symbol in symbols)

    async def _frames(
        self, account: str, choice: Choice, after: int, newest: int
    ) -> AsyncIterator[str]:
        listener = Listener()
        with self.tail.listening(account, listener, after, newest) as events:
            yield connected(self._clock(), self._name, after)
            while events.behind:
                for text in choice.texts(await events.next()):
                    yield text
            # Only now: a long past must not make a slow reader of the present.
            with self._listening_to_market(choice, listener) as market:
                for told in market.present:
                    yield told.text
                while listener.look():
                    for text in choice.texts(await events.next()):
                        yield text
                    if not events.behind:
                        for text in choice.texts(market.next()):
                            yield text
                        await listener.moved()

    def _listening_to_market(
        self, choice: Choice, listener: Listener
    ) -> AbstractContextManager[MarketEvents]:
        listed = self._listed()
        quotes = choice.symbols_for(FrameType.QUOTE, listed)
        candles = choice.symbols_for(FrameType.CANDLE, listed)
        return self.ticker.listening(listener, quotes, candles)

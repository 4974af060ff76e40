"""The simulated exchange as a backtest has it: its time stands still unless the price moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count

from providers.backtest.clock import SimulatedClock
from providers.backtest.market import ReplayMarket
from providers.engine.margin import marked
from providers.engine.sessions import session_end
from providers.engine.world import Rules, World
from providers.exchange.exchange import SimulatedExchange
from providers.exchange.memory import MemoryStore
from providers.exchange.store import Session
from providers.models import AssetClass, PositionSide


class BacktestExchange(SimulatedExchange):
    """Between two prices everything waits; `moving` is where the price moves."""

    def __init__(
        self, store: MemoryStore, market: ReplayMarket, rules: Rules, clock: SimulatedClock
    ) -> None:
        super().__init__(
            store,
            market,
            rules,
            clock=clock,
            ids=counted_ids(),
            sessions=self._is_open_at,
            session_end=self._session_end_of,
        )
        self.next_open: datetime | None = None
        self._memory = store
        self._between = True
        self._gapped = False
        self._paused_at: datetime | None = None

    @contextmanager
    def moving(self, *, gapped: bool) -> Iterator[None]:
        """The price has just moved; `gapped`: to where a bar opens."""
        self._between, self._gapped = False, gapped
        if not gapped:
            self._paused_at = None
        try:
            yield
        finally:
            self._between, self._gapped = True, False

    def pause(self) -> None:
        """A bar is over: orders sent from now on have not met an open market."""
        self._paused_at = self._clock()

    def liquidation_prices(self, symbol: str) -> Iterator[tuple[PositionSide, Decimal]]:
        """Where open positions in a symbol would be liquidated, as things stand."""
        for account in self._memory.leveraged_accounts():
            for position in self._memory.positions(account, symbol):
                price = marked(position, self._world()).liquidation_price
                if price is not None:
                    yield position.side, price

    def _world(self, session: Session | None = None) -> World:
        world = super()._world(session)
        return replace(world, between=self._between, gapped=self._gapped)

    def _is_open_at(self, _: AssetClass, moment: datetime) -> bool:
        """History has no bars while a market is closed, so it is open, but for the pause between
        two bars: what came then has not rested when the next one opens.
        """
        return self._paused_at is None or not self._paused_at <= moment < self._clock()

    def _session_end_of(self, asset_class: AssetClass, now: datetime) -> datetime:
        """The end of the session in which the next bar lies: holidays are where history has none.

        The built-in rules, not a calendar: the same run is the same wherever it is repeated.
        """
        return session_end(asset_class, max(now, self.next_open or now))


def counted_ids() -> Callable[[str], str]:
    """`ord_000001`, `ord_000002`, `pos_000001`: the same in every run of the same orders."""
    counters: dict[str, Iterator[int]] = {}

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(counters.setdefault(prefix, count(1))):06d}"

    return new_id

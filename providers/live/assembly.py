"""The parts of a live provider put together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import uuid_utils

from providers.base import Clock, FrameType, IdSource
from providers.exchange.frames import data_staleness
from providers.exchange.log import LoggedStore
from providers.live.market import LiveMarket
from providers.live.pace import USUAL, Pace
from providers.live.provider import LiveProvider
from providers.live.settings import Environment, LiveSettings
from providers.live.venue import Feed, Venue

log = logging.getLogger(__name__)

OpenStore = Callable[..., LoggedStore]

REAL_MONEY = (
    "%s trades with REAL MONEY: orders sent to this server are executed. For practice accounts use"
    " environment=paper."
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """`ord_0192...`: 36 characters for a prefix of three, which every venue takes."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def live_provider(
    venue: Venue,
    feed: Feed,
    store: LoggedStore,
    *,
    account: str,
    clock: Clock = utc_now,
    ids: IdSource = new_id,
    pace: Pace = USUAL,
) -> LiveProvider:
    """A provider over one venue and one feed."""
    market = LiveMarket(feed, clock=clock)
    provider = LiveProvider(venue, market, store, account=account, clock=clock, ids=ids, pace=pace)
    market.heard = provider.watch.heard

    def staleness(symbols: frozenset[str], since: datetime | None) -> None:
        frame = data_staleness(clock(), feed.name, symbols, since)
        provider.stream.announce(FrameType.DATA_STALENESS, frame)

    market.staleness = staleness
    return provider


def opened(open_store: OpenStore, database_url: str) -> LoggedStore:
    """The store of a live account, which begins with nothing: the venue says what there is."""
    return open_store(database_url, initial_balance=Decimal(0))


def warn_of_real_money(settings: LiveSettings, name: str) -> None:
    if settings.environment is Environment.LIVE:
        log.warning(REAL_MONEY, name)

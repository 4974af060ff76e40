"""The providers by name, each imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from providers.base import MarketData, Provider

if TYPE_CHECKING:
    from providers.live.settings import LiveSettings
    from providers.live.venue import Feed
    from providers.paper.settings import PaperSettings


class Place(NamedTuple):
    """Where a live venue's code is, and whether it takes orders or has market data only.

    `extra` is what `pip install trading-api[extra]` brings along for it.
    """

    settings: str
    trades: bool = True
    extra: str = "live"


VENUES: Mapping[str, Place] = {
    "alpaca": Place("AlpacaSettings"),
    "binance": Place("BinanceSettings"),
    "oanda": Place("OandaSettings"),
    "saxo": Place("SaxoSettings"),
    "ccxt": Place("CcxtSettings", extra="ccxt"),
    "massive": Place("MassiveSettings", trades=False),
}


def create(name: str, *, database_url: str, options: Mapping[str, str]) -> Provider:
    """The provider of that name, not started yet.

    Raises ValueError for a name, an option or a database that is not known.
    """
    if name in VENUES and VENUES[name].trades:
        return _live(name, database_url, options)
    try:
        factory = _FACTORIES[name]
    except KeyError:
        known = sorted([*_FACTORIES, *(each for each in VENUES if VENUES[each].trades)])
        raise ValueError(f"unknown provider {name!r}; known are {known}") from None
    return factory(database_url, options)


def _paper(database_url: str, options: Mapping[str, str]) -> Provider:
    from providers.paper.faults import FaultyProvider
    from providers.paper.provider import PaperProvider
    from providers.paper.settings import Fault, PaperSettings
    from providers.store.opening import open_store

    unknown = sorted(set(options) - set(PaperSettings.model_fields))
    if unknown:
        raise ValueError(f"unknown options of the paper exchange: {', '.join(unknown)}")
    settings = PaperSettings.model_validate(dict(options))
    if settings.fault is not Fault.NONE:
        return FaultyProvider(settings.fault)
    store = open_store(
        database_url,
        initial_balance=settings.initial_balance,
        currency=settings.currency,
        synchronous=settings.synchronous.value,
    )
    return PaperProvider(store, _market(settings), settings)


def _market(settings: PaperSettings) -> MarketData:
    """The market that the paper exchange trades on: a drawn one, or a real one."""
    if settings.market_data != "synthetic":
        from providers.live.assembly import utc_now
        from providers.live.market import LiveMarket

        return LiveMarket(_feed(settings.market_data), clock=utc_now)
    from providers.market_data.synthetic import SyntheticMarketData

    return SyntheticMarketData(
        settings.seed, volatility=settings.volatility, tick_interval=settings.tick_interval
    )


def _backtest(_: str, options: Mapping[str, str]) -> Provider:
    from providers.backtest.runs import create as create_backtest
    from providers.backtest.settings import BacktestSettings

    unknown = sorted(set(options) - set(BacktestSettings.model_fields))
    if unknown:
        raise ValueError(f"unknown options of a backtest: {', '.join(unknown)}")
    return create_backtest(BacktestSettings.model_validate(dict(options)))


def _live(name: str, database_url: str, options: Mapping[str, str]) -> Provider:
    module = _module(name, "provider")
    from providers.live.assembly import live_provider, opened, warn_of_real_money
    from providers.live.options import BridgeOptions
    from providers.store.opening import open_store

    bridging = {key: text for key, text in options.items() if key in BridgeOptions.model_fields}
    bridge = BridgeOptions.model_validate(bridging)
    settings = _settings(name, {key: options[key] for key in options.keys() - bridging.keys()})
    warn_of_real_money(settings, name)
    feed = _feed(bridge.market_data) if bridge.market_data else module.feed(settings)
    store = opened(open_store, database_url)
    return live_provider(module.venue(settings), feed, store, account=bridge.account)


def _feed(name: str) -> Feed:
    """The market data of a live venue, with the settings of its environment."""
    if name not in VENUES:
        raise ValueError(f"unknown market_data {name!r}; known are {sorted(VENUES)}")
    feed: Feed = _module(name, "provider").feed(_settings(name, {}))
    return feed


def _settings(name: str, options: Mapping[str, str]) -> LiveSettings:
    from providers.live.settings import load

    loaded: LiveSettings = load(getattr(_module(name, "settings"), VENUES[name].settings), options)
    return loaded


def _module(name: str, part: str) -> Any:
    """A module of a live venue. Raises ValueError, saying what to install, if it cannot load."""
    try:
        return importlib.import_module(f"providers.{name}.{part}")
    except ModuleNotFoundError as error:
        extra = VENUES[name].extra
        message = f"{name} needs {error.name}: pip install 'trading-api[{extra}]'"
        raise ValueError(message) from error


_FACTORIES: dict[str, Callable[[str, Mapping[str, str]], Provider]] = {
    "paper": _paper,
    "backtest": _backtest,
}

"""The providers by name, each imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers.base import Provider


def create(name: str, *, database_url: str, options: Mapping[str, str]) -> Provider:
    """The provider of that name, not started yet.

    Raises ValueError for a name, an option or a database that is not known.
    """
    try:
        factory = _FACTORIES[name]
    except KeyError:
        raise ValueError(f"unknown provider {name!r}; known are {sorted(_FACTORIES)}") from None
    return factory(database_url, options)


def _paper(database_url: str, options: Mapping[str, str]) -> Provider:
    from providers.market_data.synthetic import SyntheticMarketData
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
    market = SyntheticMarketData(
        settings.seed, volatility=settings.volatility, tick_interval=settings.tick_interval
    )
    store = open_store(
        database_url,
        initial_balance=settings.initial_balance,
        currency=settings.currency,
        synchronous=settings.synchronous.value,
    )
    return PaperProvider(store, market, settings)


def _backtest(_: str, options: Mapping[str, str]) -> Provider:
    from providers.backtest.runs import create as create_backtest
    from providers.backtest.settings import BacktestSettings

    unknown = sorted(set(options) - set(BacktestSettings.model_fields))
    if unknown:
        raise ValueError(f"unknown options of a backtest: {', '.join(unknown)}")
    return create_backtest(BacktestSettings.model_validate(dict(options)))


_FACTORIES: dict[str, Callable[[str, Mapping[str, str]], Provider]] = {
    "paper": _paper,
    "backtest": _backtest,
}

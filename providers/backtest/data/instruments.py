"""What a history file trades: a known instrument, or one guessed from the shape of its symbol."""

from __future__ import annotations

from decimal import Decimal

from providers.base import Instrument
from providers.market_data.instruments import HABITS, LISTINGS
from providers.models import AssetClass

FIAT = frozenset(
    "AED ARS AUD BRL CAD CHF CLP CNH CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR"
    " NOK NZD PEN PHP PLN RON RUB SAR SEK SGD THB TRY TWD USD ZAR".split()
)
"""The currencies of states: a pair of two of them is forex."""


def class_of(symbol: str, given: AssetClass | None = None) -> AssetClass:
    """The asset class of a symbol: the one it is listed with, the one given, or the likely one.

    EUR/CHF and EURCHF are forex, another pair with a slash is crypto, anything else a stock.
    """
    if symbol in LISTINGS:
        return LISTINGS[symbol].instrument.asset_class
    if given:
        return given
    if {symbol[:3], symbol[3:].removeprefix("/")} <= FIAT:
        return AssetClass.FOREX
    return AssetClass.CRYPTO if "/" in symbol else AssetClass.STOCK


def instrument_of(symbol: str, asset_class: AssetClass, places: int) -> Instrument:
    """The instrument, with a price step that reaches the decimals that its prices have."""
    step = Decimal(1).scaleb(-places)
    if symbol in LISTINGS:
        known = LISTINGS[symbol].instrument
        return Instrument(
            symbol=symbol,
            asset_class=asset_class,
            price_increment=min(known.price_increment, step),
            quantity_increment=known.quantity_increment,
            currency=known.currency,
        )
    habits = HABITS.get(asset_class)
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        price_increment=step,
        quantity_increment=habits.quantity_increment if habits else Decimal(1),
        currency=_currency(symbol, asset_class),
    )


def _currency(symbol: str, asset_class: AssetClass) -> str:
    """What prices are in: EUR/CHF and, as forex, EURCHF are in CHF; without a pair USD."""
    _, slash, quote = symbol.partition("/")
    if slash:
        return quote
    return symbol[3:] if asset_class is AssetClass.FOREX and len(symbol) == 6 else "USD"

"""What can be traded on the target, found through its own answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote as percent

from contract_tests.toolkit.client import Client
from contract_tests.toolkit.expect import Failure, NotExercised, NotOffered, dec, plain


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol and a quantity that is small, and valid wherever it trades, as is its half."""

    symbol: str
    quantity: Decimal
    asset_class: str | None = None

    @property
    def amount(self) -> str:
        """The quantity as the wire wants it."""
        return plain(self.quantity)


CANDIDATES: Final = (
    Instrument("BTC/USD", Decimal("0.01"), "CRYPTO"),
    Instrument("ETH/USD", Decimal("0.1"), "CRYPTO"),
    Instrument("EUR/USD", Decimal(1000), "FOREX"),
    Instrument("GBP/USD", Decimal(1000), "FOREX"),
    Instrument("AAPL", Decimal(2), "STOCK"),
    Instrument("MSFT", Decimal(2), "STOCK"),
    Instrument("GOOG", Decimal(2), "STOCK"),
    Instrument("IBM", Decimal(2), "STOCK"),
    Instrument("SPY", Decimal(2), "STOCK"),
)
"""Tried in this order: what never closes comes first."""

TERMINAL: Final = {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}
"""The states of an order that has ended."""

UNKNOWN_SYMBOL: Final = "NOSUCHSYMBOL"
ALIASES = {"S:AAPL": "AAPL", "C:BTCUSD": "BTC/USD", "F:EURUSD": "EUR/USD"}


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote in decimals; sizes are None where the source does not know them."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_size: Decimal | None
    ask_size: Decimal | None
    timestamp: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Quote:
        """A quote from an answer of GET /quotes/{symbol}."""
        return cls(
            symbol=body["symbol"],
            bid=dec(body["bid"], "bid"),
            ask=dec(body["ask"], "ask"),
            bid_size=_maybe(body.get("bid_size")),
            ask_size=_maybe(body.get("ask_size")),
            timestamp=body["timestamp"],
        )

    @property
    def tick(self) -> Decimal:
        """A step that surely is on the tick size: that of the prices shown."""
        exponents = [price.as_tuple().exponent for price in (self.bid, self.ask)]
        return Decimal(1).scaleb(min(int(exponent) for exponent in exponents))

    def below(self, fraction: str) -> Decimal:
        """A price on tick at that fraction of the bid."""
        return (self.bid * Decimal(fraction)).quantize(self.tick, ROUND_FLOOR)

    def above(self, fraction: str) -> Decimal:
        """A price on tick at that multiple of the ask."""
        return (self.ask * Decimal(fraction)).quantize(self.tick, ROUND_CEILING)


def _maybe(value: str | None) -> Decimal | None:
    return None if value is None else dec(value, "a size")


class Market:
    """The target's capabilities, instruments and quotes."""

    def __init__(self, client: Client, symbols: Sequence[str] = ()) -> None:
        self._client = client
        self._symbols = symbols

    def learn_from(self, other: Market) -> None:
        """Take over what another has read already of the same server."""
        for name in ("capabilities", "quoted"):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]

    @cached_property
    def capabilities(self) -> dict[str, Any]:
        """What the target declares."""
        return self._read("/capabilities", "the capabilities")

    def _read(self, path: str, what: str) -> dict[str, Any]:
        """What a check needs before it can judge; how it is answered is judged elsewhere."""
        try:
            body: dict[str, Any] = self._client.send("GET", path).ok()
        except Failure as failure:
            reason = f"{failure.what}, expected {failure.expected}, was {failure.actual}"
            raise NotExercised(f"{what} cannot be read: {reason}") from failure
        return body

    def declares(self, feature: str) -> bool:
        """Whether the feature is listed."""
        return feature in self.capabilities["features"]

    def disclaims(self, feature: str | None) -> bool:
        """Whether the capabilities were read and do not list the feature."""
        read = self.__dict__.get("capabilities")
        return feature is not None and read is not None and feature not in read["features"]

    @cached_property
    def quoted(self) -> tuple[Instrument, ...]:
        """What the target quotes: of the symbols given, else of the known candidates."""
        found = tuple(one for one in self._wanted() if self._quoted(one.symbol))
        if not found:
            raise NotExercised("no symbol to trade was found; name some with --symbol")
        return found

    @cached_property
    def instruments(self) -> tuple[Instrument, ...]:
        """What checks may trade: what is quoted, and was named or is not in use.

        The average price and the exits of what the account holds already would not be the same
        after the suite traded there.
        """
        used = set() if self._symbols else self._symbols_at("/positions", "/orders")
        free = tuple(one for one in self.quoted if one.symbol not in used)
        if not free:
            raise NotOffered(
                "the account has positions or orders in every symbol found; name one with --symbol"
            )
        return free

    def _symbols_at(self, *paths: str) -> set[str]:
        """The symbols of what some lists hold, as far as they can be read."""
        listed = [one for path in paths for one in self._client.send("GET", path).exchange.items()]
        # A tuple: what a server answers may be anything, and not everything can be in a set.
        alive = [one["symbol"] for one in listed if one["status"] not in tuple(TERMINAL)]
        return {symbol for symbol in alive if isinstance(symbol, str)}

    def _wanted(self) -> Iterable[Instrument]:
        known = {one.symbol: one for one in CANDIDATES}
        if self._symbols:
            return [known.get(name) or _named(name) for name in self._symbols]
        classes = {name.upper() for name in self.capabilities["supported_asset_classes"]}
        return [one for one in CANDIDATES if one.asset_class in classes]

    def _quoted(self, symbol: str) -> bool:
        return self._client.send("GET", quote_path(symbol)).status == 200

    @property
    def instrument(self) -> Instrument:
        """The instrument that checks trade unless they say otherwise."""
        return self.instruments[0]

    @property
    def second(self) -> Instrument:
        """Another instrument; raises NotOffered where there is only one."""
        if len(self.instruments) < 2:
            raise NotOffered("only one symbol to trade was found; name two with --symbol")
        return self.instruments[1]

    def quote(self, symbol: str | None = None) -> Quote:
        """The quote in force now."""
        wanted = symbol or self.instrument.symbol
        found = Quote.of(self._read(quote_path(wanted), f"the quote of {wanted}"))
        if not 0 < found.bid <= found.ask:
            raise NotExercised(f"the quote of {found.symbol} shows no price to go by")
        return found


def _named(text: str) -> Instrument:
    """The instrument of a SYMBOL, or of SYMBOL=QUANTITY for orders of that quantity."""
    name, _, amount = text.partition("=")
    return Instrument(name, Decimal(amount or 2))


def quote_path(symbol: str) -> str:
    """The path of a symbol's quote, its slash percent-encoded."""
    return "/quotes/" + percent(symbol, safe="")


def bars_path(symbol: str) -> str:
    """The path of a symbol's bars, its slash percent-encoded."""
    return "/bars/" + percent(symbol, safe="")

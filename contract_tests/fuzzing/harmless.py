"""Makes generated requests harmless to the account they are sent to.

Whatever a fuzzer generates, a lenient server may accept: a MARKET order written in lower case, a
price that is a number, a close without a body. So nothing is left to the server's strictness:

- orders are for symbols and quantities that were looked up before, or for a symbol that nobody has;
- unless fills are allowed every price lies far from the market, and what may be read as an order
  without a price is for the symbol that nobody has;
- orders and positions that were there before, or that others made meanwhile, are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final

from contract_tests.toolkit.expect import plain
from contract_tests.toolkit.market import UNKNOWN_SYMBOL, Instrument, Quote
from contract_tests.wire.traffic import Exchange

Body = dict[str, Any]

UNKNOWN_ID: Final = "no-such-id"
_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_PRICES: Final = {"limit_price", "stop_price", "trailing_distance", "stop_loss", "take_profit"}
_SIDES: Final = {"BUY", "SELL"}
_TYPES: Final = {"MARKET", "LIMIT", "STOP", "STOP_LIMIT", "TRAILING_STOP"}
_PRICE_OF: Final = {
    "LIMIT": {"limit_price"},
    "STOP": {"stop_price"},
    "STOP_LIMIT": {"limit_price", "stop_price"},
    "TRAILING_STOP": {"trailing_distance"},
}
_PATH_OF: Final = {
    "modify_order": "order_id",
    "cancel_order": "order_id",
    "modify_position": "position_id",
    "close_position": "position_id",
}
"""Operations that change something which the path names, and the parameter that names it."""

_MAKES: Final = {("submit_order", 201), ("close_position", 200), ("close_all_positions", 200)}
"""Operations that answer the handles of new orders."""


@dataclass(frozen=True, slots=True)
class Tradable:
    """A small quantity of a symbol, and prices of it that are far from the market."""

    quantity: str
    lowest: str
    low: str
    high: str
    highest: str

    @classmethod
    def of(cls, instrument: Instrument, quote: Quote) -> Tradable:
        """A quarter and half of the bid, twice and three times the ask."""
        low, high = (
            [quote.below(one) for one in ("0.25", "0.5")],
            [quote.above("2"), quote.above("3")],
        )
        return cls(instrument.amount, *(plain(price) for price in low + high))

    def far(self, name: str, side: str, kind: str) -> str:
        """A value of a price field with which an order of that side and type rests."""
        buys = side == "BUY"
        match name:
            case "trailing_distance":
                return self.low
            case "stop_loss":
                return self.lowest if buys else self.highest
            case "take_profit":
                return self.highest if buys else self.lowest
            case "stop_price":
                return self.high if buys else self.low
            case _ if kind == "STOP_LIMIT":
                return self.high if buys else self.low
            case _:
                return self.low if buys else self.high


@dataclass(slots=True)
class Guard:
    """What may be traded, and what belongs to others; it learns from the answers it is shown."""

    allow_fills: bool
    tradable: Mapping[str, Tradable]
    foreign: set[str] = field(default_factory=set)
    own: dict[str, Body] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Guard:
        """From what `plan` made."""
        tradable = {symbol: Tradable(**one) for symbol, one in plan["tradable"].items()}
        return cls(plan["allow_fills"], tradable, set(plan["foreign"]))

    def plan(self) -> dict[str, Any]:
        """As JSON, for another process."""
        return {
            "allow_fills": self.allow_fills,
            "tradable": {symbol: asdict(one) for symbol, one in self.tradable.items()},
            "foreign": sorted(self.foreign),
        }

    # --- what was answered ---

    def saw(self, operation: str | None, exchange: Exchange) -> None:
        """Tell our own orders from those of others."""
        try:
            body = exchange.json()
        except ValueError:
            return  # the invariants complain of it
        named = [one for one in (body if isinstance(body, list) else [body]) if _has_id(one)]
        if (operation, exchange.status) in _MAKES:
            sent = exchange.sent_json() if operation == "submit_order" else None
            for handle in named:
                self.own[handle["id"]] = sent if isinstance(sent, dict) else {}
        elif operation in {"list_orders", "get_order_history"}:
            self.foreign |= {one["id"] for one in named if not self.made(one)}
        elif operation == "list_positions" and not self.allow_fills:
            # Where orders fill, a position that was not there before came of them.
            self.foreign |= {one["id"] for one in named}

    def made(self, order: Body) -> bool:
        """Whether an order, or the one that it is an exit of, was made by the fuzzer."""
        return order["id"] in self.own or str(order.get("parent_order_id")) in self.own

    # --- what is about to be sent ---

    def path(self, operation: str | None, parameters: Body, body: Any) -> Body:
        """The path parameters, naming nothing that may not be changed."""
        name = _PATH_OF.get(operation or "")
        if name is None or name not in parameters:
            return parameters
        given = str(parameters[name])
        harmful = given in self.foreign or not given.strip("/. ")
        if operation == "modify_order" and not self.allow_fills:
            harmful = harmful or (given in self.own and not _readable(body, _PRICES))
        return {**parameters, name: UNKNOWN_ID} if harmful else parameters

    def body(self, operation: str | None, parameters: Body, body: Any) -> Any:
        """The body, asking for nothing that may not happen."""
        if not isinstance(body, dict):
            return body
        if operation == "submit_order":
            return self._order(body)
        order = self.own.get(str(parameters.get("order_id")), {})
        if operation == "modify_order" and _is_one_of(order.get("symbol"), self.tradable):
            return self._change(body, order)
        return body

    def _order(self, body: Body) -> Body:
        symbol = body.get("symbol")
        one = self.tradable.get(symbol) if isinstance(symbol, str) else None
        if one is None or not _readable(body, {"quantity"}):
            return _nobodys(body)
        body = _small(body, one)
        if str(body.get("position_id")) in self.foreign:
            body["position_id"] = UNKNOWN_ID
        if self.allow_fills:
            return body
        if not (
            _is_one_of(body.get("side"), _SIDES) and _is_one_of(body.get("order_type"), _TYPES)
        ):
            return _nobodys(body)
        if not _readable(body, _PRICES):
            return _nobodys(body)
        if body["order_type"] == "MARKET":
            body = {**body, "order_type": "LIMIT", "limit_price": one.low}
        if any(body.get(name) is None for name in _PRICE_OF[body["order_type"]]):
            return _nobodys(body)
        return _far(body, one, body["side"], body["order_type"])

    def _change(self, body: Body, order: Body) -> Body:
        one = self.tradable[order["symbol"]]
        body = _small(body, one)
        if self.allow_fills:
            return body
        # What was sent without fills has a side and a type, and is LIMIT where MARKET was wanted.
        return _far(body, one, order["side"], order["order_type"])


def _is_one_of(value: Any, known: Collection[str]) -> bool:
    return isinstance(value, str) and value in known


def _has_id(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("id"), str)


def _readable(body: Any, names: Iterable[str]) -> bool:
    """Whether everything that has one of the names is a plain decimal, or absent."""
    return not isinstance(body, dict) or all(
        isinstance(body[name], str) and _DECIMAL.fullmatch(body[name])
        for name in names
        if body.get(name) is not None
    )


def _is_positive(value: Any) -> bool:
    return isinstance(value, str) and bool(_DECIMAL.fullmatch(value)) and Decimal(value) > 0


def _small(body: Body, one: Tradable) -> Body:
    """A copy with a small quantity; one that no server can take stays as it is."""
    given = body.get("quantity")
    return {**body, "quantity": one.quantity} if _is_positive(given) else {**body}


def _far(body: Body, one: Tradable, side: str, kind: str) -> Body:
    """A copy with far prices; what is no price stays, and goes to no order (see `path`)."""
    names = [name for name in _PRICES & body.keys() if _is_positive(body[name])]
    changes = {name: one.far(name, side, kind) for name in names}
    if "trailing_distance" in changes and body.get("trailing_type") == "PERCENT":
        changes["trailing_distance"] = "50"
    return {**body, **changes}


def _nobodys(body: Body) -> Body:
    """The same order for a symbol that nobody has, unless its symbol cannot be one anyway."""
    symbol = body.get("symbol")
    named = isinstance(symbol, str) and any(char.isalnum() for char in symbol)
    return {**body, "symbol": UNKNOWN_SYMBOL} if named else body

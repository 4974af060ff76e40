"""One account on one server, as a check sees it: requests, orders, and leaving no trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from contract_tests.client import Answer, Client
from contract_tests.expect import (
    NotDeclared,
    NotExercised,
    Overdue,
    dec,
    equal,
    eventually,
    one_of,
    plain,
)
from contract_tests.lab import Lab
from contract_tests.market import Instrument, Market, Quote

Body = dict[str, Any]
OPEN: Final = {"PENDING", "OPEN", "PARTIALLY_FILLED", "PENDING_CANCEL"}
TERMINAL: Final = {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}
CIRCUMSTANCES: Final = {
    "INSUFFICIENT_MARGIN",
    "INSUFFICIENT_BALANCE",
    "MARKET_CLOSED",
    "RATE_LIMITED",
}
"""Reasons to reject a valid order that say more of the account and the hour than of the server."""


class Api:
    """The requests of a check. Every order that it makes is remembered for `clean_up`."""

    def __init__(self, client: Client, *, lab: Lab | None = None, symbols: Sequence[str] = ()):
        self.client = client
        self.lab = lab or Lab()
        self.market = Market(client, symbols)
        self._created: list[str] = []
        self._exits = False

    def send(self, method: str, path: str, query: Any = (), **options: Any) -> Answer:
        """Send any request; see Client.send."""
        answer = self.client.send(method, path, query, **options)
        self._remember(answer)
        return answer

    def get(self, path: str, query: Any = (), **options: Any) -> Answer:
        """Send a GET."""
        return self.send("GET", path, query, **options)

    def post(self, path: str, json: object, **options: Any) -> Answer:
        """Send a POST with a JSON body."""
        return self.send("POST", path, json=json, **options)

    def patch(self, path: str, json: object, **options: Any) -> Answer:
        """Send a PATCH with a JSON body."""
        return self.send("PATCH", path, json=json, **options)

    def delete(self, path: str, query: Any = (), **options: Any) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", path, query, **options)

    # -- bodies ---------------------------------------------------------------------------------

    def limit(self, **changes: Any) -> Body:
        """A valid LIMIT BUY at half the bid: it rests."""
        symbol = changes.get("symbol", self.market.instrument.symbol)
        body: Body = {
            "symbol": symbol,
            "side": "BUY",
            "quantity": self._amount(symbol),
            "order_type": "LIMIT",
            "limit_price": plain(self.quote(symbol).below("0.5")),
        }
        return body | changes

    def stop(self, **changes: Any) -> Body:
        """A valid STOP BUY at twice the ask: it rests."""
        self.require_type("STOP")
        return without(self._stopped("STOP", **changes), "limit_price")

    def stop_limit(self, **changes: Any) -> Body:
        """A valid STOP_LIMIT BUY at twice the ask: it rests."""
        self.require_type("STOP_LIMIT")
        body = self._stopped("STOP_LIMIT", **changes)
        return body | {"limit_price": changes.get("limit_price", body["stop_price"])}

    def trailing(self, **changes: Any) -> Body:
        """A valid TRAILING_STOP BUY whose stop is at twice the ask: it rests."""
        self.require_type("TRAILING_STOP")
        distance = plain(self.quote(changes.get("symbol")).ask)
        body = self.limit(
            **({"order_type": "TRAILING_STOP", "trailing_distance": distance} | changes)
        )
        return without(body, "limit_price")

    def _stopped(self, order_type: str, **changes: Any) -> Body:
        price = plain(self.quote(changes.get("symbol")).above("2"))
        return self.limit(**({"order_type": order_type, "stop_price": price} | changes))

    def at_market(self, **changes: Any) -> Body:
        """A valid MARKET BUY of a small quantity."""
        return without(self.limit(order_type="MARKET", **changes), "limit_price")

    def bodies(self) -> dict[str, Body]:
        """A valid body that rests for every such order type that the target declares."""
        makers = {
            "LIMIT": self.limit,
            "STOP": self.stop,
            "STOP_LIMIT": self.stop_limit,
            "TRAILING_STOP": self.trailing,
        }
        declared = self.market.capabilities["supported_order_types"]
        return {kind: make() for kind, make in makers.items() if kind in declared}

    def _amount(self, symbol: str) -> str:
        amounts = {one.symbol: one.amount for one in self.market.instruments}
        return amounts.get(symbol, self.market.instrument.amount)

    # -- orders ---------------------------------------------------------------------------------

    def submit(self, body: Body, **options: Any) -> Answer:
        """POST an order."""
        return self.post("/orders", body, **options)

    def accept(self, body: Body, **options: Any) -> Body:
        """POST a valid order; its handle. Raises NotExercised where money or market forbid it."""
        answer = self.submit(body, **options)
        if answer.status == 422:
            reason = answer.rejected().get("reject_reason")
            if reason in CIRCUMSTANCES:
                raise NotExercised(f"an order of {body['symbol']} was rejected: {reason}")
        handle: Body = answer.ok(201)
        return handle

    def place(self, body: Body) -> Body:
        """Submit a valid order and read it."""
        return self.order(self.accept(body)["id"])

    def rest(self, **changes: Any) -> Body:
        """Place a LIMIT BUY far below the market."""
        order = self.place(self.limit(**changes))
        one_of(order["status"], {"OPEN", "PENDING"}, "the status of an order that rests")
        return order

    def order(self, order_id: str) -> Body:
        """Read an order."""
        found: Body = self.get(f"/orders/{order_id}").ok()
        return found

    def cancelled(self, **changes: Any) -> Body:
        """An order that was placed and cancelled."""
        order = self.rest(**changes)
        result: Body = self.delete(f"/orders/{order['id']}").ok()
        return self.settled(result["order"]["id"])

    def ended(self, order_id: str) -> Body:
        """The order once it is terminal, which it must become."""
        return eventually(
            lambda: self.order(order_id),
            lambda order: order["status"] in TERMINAL,
            "the order becomes terminal",
        )

    def settled(self, order_id: str) -> Body:
        """The order once it is terminal; raises NotExercised if the market keeps it open."""
        try:
            return self.ended(order_id)
        except Overdue as overdue:
            raise NotExercised(f"an order did not settle: {overdue.actual}") from None

    def fill(self, **changes: Any) -> Body:
        """Send a MARKET order and wait for its fill; raises NotExercised if it does not fill."""
        order = self.settled(self.place(self.at_market(**changes))["id"])
        if order["status"] != "FILLED":
            raise NotExercised(f"a MARKET order ended as {order['status']}, not FILLED")
        return order

    def trades(self, order_id: str) -> list[Body]:
        """The trades of an order, oldest first."""
        found: list[Body] = self.get("/trades", {"order_id": order_id}).ok()
        return found[::-1]

    def orders(self, **filters: Any) -> list[Body]:
        """GET /orders."""
        found: list[Body] = self.get("/orders", filters).ok()
        return found

    def history(self, **filters: Any) -> list[Body]:
        """GET /orders/history."""
        found: list[Body] = self.get("/orders/history", filters).ok()
        return found

    # -- positions and account ------------------------------------------------------------------

    def positions(self, symbol: str) -> list[Body]:
        """The open positions of a symbol."""
        found: list[Body] = self.get("/positions", {"symbol": symbol}).ok()
        return found

    def position(self, symbol: str) -> Body:
        """The only position of a symbol."""
        found = self.positions(symbol)
        equal(len(found), 1, f"the number of positions in {symbol}")
        return found[0]

    def flat(self) -> Instrument:
        """An instrument without a position, so that what a check does there can be told."""
        for instrument in self.market.instruments:
            if not self.positions(instrument.symbol):
                return instrument
        raise NotExercised("every symbol has a position already; name another with --symbol")

    def account(self) -> dict[str, Decimal]:
        """The figures of the account."""
        body = self.get("/account").ok()
        return {key: dec(value, key) for key, value in body.items() if key != "currency"}

    # -- what the target can do -----------------------------------------------------------------

    def require_type(self, order_type: str) -> None:
        """Raise NotDeclared unless the target lists the order type."""
        if order_type not in self.market.capabilities["supported_order_types"]:
            raise NotDeclared(f"order type {order_type}")

    def require(self, feature: str) -> None:
        """Raise NotDeclared unless the target lists the feature."""
        if not self.market.declares(feature):
            raise NotDeclared(f"feature {feature}")

    def quote(self, symbol: str | None = None) -> Quote:
        """The quote in force now."""
        return self.market.quote(symbol)

    # -- leaving no trace -----------------------------------------------------------------------

    def _remember(self, answer: Answer) -> None:
        operation = answer.exchange.operation
        created = {"submit_order": 201, "close_position": 200, "close_all_positions": 200}
        if operation and created.get(operation.id) == answer.status:
            body = answer.body
            handles = body if isinstance(body, list) else [body]
            self._created += [one["id"] for one in handles if isinstance(one, dict) and "id" in one]
        if operation and answer.status in {200, 201}:
            sent = answer.exchange.sent_json()
            given = sent.keys() if isinstance(sent, dict) else set()
            self._exits = self._exits or not given.isdisjoint({"stop_loss", "take_profit"})

    def clean_up(self) -> None:
        """Cancel every order made, and trade back what they bought or sold."""
        mine = self._cancelled(dict.fromkeys(self._created))
        if self._exits:
            mine |= self._cancelled(self._exits_of(mine))
        self._created, self._exits = [], False
        if self.hedges:
            self._close({order["position_id"] for order in mine.values()})
        else:
            for symbol, quantity in _net(mine.values()).items():
                if quantity:
                    self._trade_back(symbol, quantity)
        self._created = []

    @property
    def hedges(self) -> bool:
        """Whether each opening order makes a position of its own."""
        declared: str = self.market.capabilities["position_mode"]
        return declared == "HEDGING"

    def _cancelled(self, order_ids: Iterable[str]) -> dict[str, Body]:
        """The orders once they are terminal, by id."""
        answers = [self.delete(f"/orders/{order_id}") for order_id in order_ids]
        orders = [one.ok()["order"] for one in answers if one.status == 200]
        return {order["id"]: order for order in orders}

    def _exits_of(self, orders: Mapping[str, Body]) -> list[str]:
        """The exits that the server made for some orders or for the positions they made."""
        positions = {order["position_id"] for order in orders.values()} - {None}
        since = min((order["created_at"] for order in orders.values()), default=None)
        if since is None:
            return []
        window = {"since": since, "limit": 1000}
        return [
            one["id"]
            for one in self.orders(**window) + self.history(**window)
            if one["id"] not in orders
            and one["reduce_only"]
            and (one["parent_order_id"] in orders or one["position_id"] in positions)
        ]

    def _close(self, position_ids: set[str | None]) -> None:
        for position in self.get("/positions").ok():
            if position["id"] in position_ids:
                self.settled(self.delete(f"/positions/{position['id']}").ok()["id"])

    def _trade_back(self, symbol: str, quantity: Decimal) -> None:
        side, amount = ("SELL" if quantity > 0 else "BUY"), plain(abs(quantity))
        try:
            self.fill(symbol=symbol, side=side, quantity=amount)
        except NotExercised:
            # Orders that rest may bind the margin that an order needs; a close needs none.
            position = self.position(symbol)
            handle = self.delete(f"/positions/{position['id']}", json={"quantity": amount}).ok()
            self.settled(handle["id"])


def _net(orders: Iterable[Body]) -> Mapping[str, Decimal]:
    """What some orders bought less what they sold, by symbol."""
    net: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        sign = 1 if order["side"] == "BUY" else -1
        net[order["symbol"]] += sign * dec(order["filled_quantity"])
    return net


def without(body: Mapping[str, Any], *fields: str) -> Body:
    """A copy of a body without some fields."""
    return {key: value for key, value in body.items() if key not in fields}

"""Load on a server that is about to be killed, and the books to settle with it afterwards.

Every trader works on its own orders only, one request at a time. So each order has one last state
that was acknowledged, and at most one change whose answer never came.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contract_tests.toolkit.api import Api, Body, without
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.client import NoAnswer
from contract_tests.toolkit.expect import NotExercised, dec, equal, one_of, plain, that
from contract_tests.toolkit.fillings import notional, traded
from contract_tests.toolkit.market import TERMINAL

ZERO = Decimal(0)


@dataclass(slots=True)
class Sent:
    """An order as its sender knows it.

    `order_id` is None until the submission was acknowledged, `last` the last state that was,
    `unanswered` the change on its way when the server went away, and `trades` those already seen.
    """

    body: Body
    order_id: str | None = None
    last: Body | None = None
    unanswered: Body | None = None
    trades: list[Body] = field(default_factory=list)


class Trader:
    """Sends orders, changes and cancels until the server is gone."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.sent: list[Sent] = []
        self.acknowledged = 0
        self._symbols = [one.symbol for one in api.market.instruments]  # while all are free
        self._random = random.Random(seed)  # noqa: S311  (a reproducible load, not a secret)

    def run(self) -> None:
        """Work until a request is not answered any more."""
        try:
            while True:
                self._step()
        except NoAnswer:
            return
        except NotExercised as unread:  # a quote that was to be read first
            if not isinstance(unread.__cause__, NoAnswer):
                raise

    def _step(self) -> None:
        resting = [one for one in self.sent if one.last and one.last["status"] == "OPEN"]
        action = self._random.choice(("rest", "rest", "trade", "trade", "change", "cancel"))
        if action == "rest" or not resting:
            self._submit(self.api.limit(client_order_id=new_id()))
        elif action == "trade":
            side = self._random.choice(("BUY", "SELL"))
            symbol = self._random.choice(self._symbols)
            body = self.api.at_market(symbol=symbol, side=side, client_order_id=new_id())
            self._submit(body)
        elif action == "change":
            self._change(self._random.choice(resting))
        else:
            self._cancel(self._random.choice(resting))

    def _submit(self, body: Body) -> None:
        sent = Sent(body, unanswered={})
        self.sent.append(sent)
        sent.order_id = self.api.submit(body).ok(201)["id"]
        sent.unanswered = None
        self.acknowledged += 1
        sent.last = self.api.order(sent.order_id)
        sent.trades = self.api.trades(sent.order_id)

    def _change(self, sent: Sent) -> None:
        sent.unanswered = {
            "quantity": plain(dec(sent.body["quantity"]) * self._random.randint(2, 9))
        }
        sent.last = self.api.patch(f"/orders/{sent.order_id}", sent.unanswered).ok()
        sent.unanswered = None
        self.acknowledged += 1

    def _cancel(self, sent: Sent) -> None:
        sent.unanswered = {"status": "CANCELLED"}
        sent.last = self.api.delete(f"/orders/{sent.order_id}").ok()["order"]
        sent.unanswered = None
        self.acknowledged += 1


def retry_unacknowledged(api: Api, sent: list[Sent]) -> None:
    """Send every submission again whose answer never came; each is an order now."""
    for one in sent:
        if one.order_id is None:
            one.order_id = api.submit(one.body).ok(201)["id"]
            one.unanswered = None


def judge_orders(api: Api, sent: list[Sent]) -> None:
    """What was acknowledged is still so; what was not is as before or as it was asked to be."""
    for one in sent:
        now = api.order(str(one.order_id))
        for name in ("symbol", "side", "order_type", "client_order_id"):
            equal(now[name], one.body[name], f"{name} of {one.order_id}")
        if one.last is not None:
            _judge_state(now, one.last, one.unanswered)
        seen = {trade["id"]: trade for trade in one.trades}
        kept = {trade["id"]: trade for trade in api.trades(str(one.order_id))}
        equal({key: kept.get(key) for key in seen}, seen, f"the trades seen of {one.order_id}")


def _judge_state(now: Body, last: Body, unanswered: Body | None) -> None:
    if last["status"] in TERMINAL:
        equal(now, last, f"the terminal order {last['id']}")
    elif last["order_type"] == "LIMIT":
        allowed = [_shape(last)] + ([_shape(last | unanswered)] if unanswered else [])
        that(_shape(now) in allowed, f"{last['id']}", expected=allowed, actual=_shape(now))
    else:
        # A MARKET order that was partly filled may have filled further since.
        one_of(now["status"], {last["status"], "FILLED"}, f"the status of {last['id']}")
        kept = dec(now["filled_quantity"]) >= dec(last["filled_quantity"])
        that(kept, f"filled_quantity of {last['id']}", expected=last, actual=now)


def _shape(order: Body) -> dict[str, Any]:
    """An order without what follows from its other fields, and with quantity as a number."""
    bare = without(order, "updated_at", "remaining_quantity")
    return bare | {"quantity": dec(order["quantity"])}


def judge_uniqueness(api: Api, sent: list[Sent]) -> None:
    """Every client id has one order, a repeat answers it, and there is no other order."""
    listed = list(everything(api, "/orders", "created_at")) + list(
        everything(api, "/orders/history", "created_at")
    )
    by_client = sorted(order["client_order_id"] for order in listed)
    equal(by_client, sorted(one.body["client_order_id"] for one in sent), "the client ids")
    for one in sent:
        answer = api.submit(one.body)
        equal(answer.ok(201)["id"], one.order_id, "the order of a repeated request")
        equal(answer.headers.get("idempotent-replayed"), "true", "Idempotent-Replayed")


def everything(api: Api, path: str, moment: str) -> Iterator[Body]:
    """All items of a list, page by page."""
    query: dict[str, Any] = {"limit": 1000}
    while page := api.get(path, query).ok():
        yield from page
        query["until"] = page[-1][moment]


def judge_money(api: Api, deposits: Decimal) -> None:
    """Trades, positions and balance agree to the last digit, before and after going flat."""
    _judge_books(api, deposits)
    api.delete("/orders").ok()
    for handle in api.delete("/positions").ok():
        equal(api.settled(handle["id"])["status"], "FILLED", "a close order")
    equal(api.get("/positions").ok(), [], "the positions in the end")
    _judge_books(api, deposits)
    equal(api.account()["margin_used"], ZERO, "margin_used in the end")


def _judge_books(api: Api, deposits: Decimal) -> None:
    trades = list(everything(api, "/trades", "timestamp"))
    equal(len({one["id"] for one in trades}), len(trades), "the ids of all trades without repeats")
    _judge_fills(api, trades)
    positions = {one["symbol"]: one for one in api.get("/positions").ok()}
    held, cost = ZERO, ZERO
    for symbol in {one["symbol"] for one in trades}:
        mine = [one for one in trades if one["symbol"] == symbol]
        held = _net(mine, traded)
        position = positions.get(symbol)
        sign = 0 if position is None else 1 if position["side"] == "LONG" else -1
        quantity = ZERO if position is None else dec(position["quantity"])
        equal(sign * quantity, held, f"the position in {symbol}")
        cost += ZERO if position is None else sign * dec(position["cost_basis"])
    commissions = sum((dec(one["commission"]) for one in trades), ZERO)
    balance = deposits - _net(trades, notional) + cost - commissions
    equal(api.account()["balance"], balance, "the balance")


def _net(trades: list[Body], measure: Any) -> Decimal:
    """What was bought less what was sold."""
    buys, sells = ([one for one in trades if one["side"] == side] for side in ("BUY", "SELL"))
    net: Decimal = measure(buys) - measure(sells)
    return net


def _judge_fills(api: Api, trades: list[Body]) -> None:
    by_order: dict[str, list[Body]] = {}
    for one in trades:
        by_order.setdefault(one["order_id"], []).append(one)
    for order_id, own in by_order.items():
        filled = dec(api.order(order_id)["filled_quantity"])
        equal(traded(own), filled, f"the trades of {order_id}")

"""A short walk through the API at random: the invariants judge what comes back."""

from __future__ import annotations

import random
from typing import Any, Final

from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import Failure, NotDeclared, NotExercised, plain
from contract_tests.toolkit.market import UNKNOWN_SYMBOL, bars_path, quote_path

STEPS: Final = 30


class Walk:
    """Takes steps that are drawn from the same numbers every time."""

    def __init__(self, api: Api, seed: int = 0) -> None:
        self._api = api
        self._random = random.Random(seed)  # noqa: S311  (no secret)
        self._orders: list[str] = []

    def go(self, steps: int = STEPS) -> None:
        """Take the steps and clean up; what an answer lacks is the invariants' business."""
        for _ in range(steps):
            step = self._random.choice(
                (self._submit, self._submit, self._list, self._act, self._read)
            )
            self._take(step)
        self._take(self._api.clean_up)

    def _take(self, step: Any) -> None:
        try:
            step()
        except (Failure, NotDeclared, NotExercised):
            # The watcher has seen the answer already; the walk goes on.
            return

    def _submit(self) -> None:
        symbol = self._random.choice(self._api.market.instruments).symbol
        make = self._random.choice(
            (self._api.limit, self._api.stop, self._api.trailing, self._api.at_market)
        )
        body: Body = make(symbol=symbol)
        body |= self._random.choice(({}, {"time_in_force": "DAY"}, {"leverage": "2"}))
        if self._random.random() < 0.1:
            body["symbol"] = UNKNOWN_SYMBOL
        if "limit_price" in body and self._random.random() < 0.5:
            body["limit_price"] = plain(self._api.quote(symbol).above("1.01"))
        self._orders.append(self._api.submit(body).ok(201)["id"])

    def _list(self) -> None:
        path = self._random.choice(("/orders", "/orders/history", "/trades", "/positions"))
        query = self._random.choice(
            ({}, {"limit": 2}, {"symbol": self._api.market.instrument.symbol})
        )
        self._api.get(path, {} if path == "/positions" and "limit" in query else query)

    def _act(self) -> None:
        order_id = self._random.choice(self._orders or ["ord_unknown"])
        match self._random.randrange(3):
            case 0:
                self._api.get(f"/orders/{order_id}")
            case 1:
                self._api.delete(f"/orders/{order_id}")
            case _:
                self._api.patch(f"/orders/{order_id}", {})

    def _read(self) -> None:
        symbol = self._api.market.instrument.symbol
        bars = {"timeframe": self._random.choice(("1m", "1h", "1d")), "limit": 5}
        path, query = self._random.choice(
            (("/account", {}), (quote_path(symbol), {}), (bars_path(symbol), bars))
        )
        self._api.get(path, query)

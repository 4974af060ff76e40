"""Orders, trades and balances of the emulated account, over the exchange inside."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from uuid import uuid4

from providers.base import OrderQuery, TradeQuery
from providers.errors import OrderRejected, TradingError
from providers.models import (
    Order,
    OrderRequest,
    OrderType,
    Quote,
    RejectReason,
    Side,
    TimeInForce,
    Trade,
)
from tests.venues.binance.documents import (
    HIGHEST,
    ICEBERG_PARTS,
    LOWEST,
    MIN_NOTIONAL,
    OF,
    ORDER_TYPES,
    PAIRS,
    QUOTE_ASSET,
    ZERO,
    Deal,
    Pair,
    Placed,
)
from tests.venues.exchange import ACCOUNT, Backing

CLIENT_IDS = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
CENT = Decimal("0.00000001")

BEHIND = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
}
NEEDS = {
    "LIMIT": {"timeInForce", "price"},
    "LIMIT_MAKER": {"price"},
    "MARKET": set[str](),
    "STOP_LOSS": {"stopPrice"},
    "STOP_LOSS_LIMIT": {"timeInForce", "price", "stopPrice"},
}
"""What each type takes and cannot do without, besides its quantity."""
CONDITIONAL = {"timeInForce", "price", "stopPrice"}

REFUSED = {
    RejectReason.INSUFFICIENT_MARGIN: "Account has insufficient balance for requested action.",
    RejectReason.INSUFFICIENT_BALANCE: "Account has insufficient balance for requested action.",
    RejectReason.POST_ONLY_VIOLATED: "Order would immediately match and take.",
    RejectReason.MARKET_CLOSED: "Market is closed.",
}


@dataclass
class Refusal(Exception):
    """The venue's error: its code, its words, and the HTTP status."""

    code: int
    message: str
    status: int = 400


class Desk:
    """One account. `fee` is what each fill costs, of its notional.

    It is taken from what is received: of the base asset on buys, of the quote asset on sells;
    with a `fee_asset` always in that one, as in BNB.

    The exchange inside shows the best price only, so that the deeper levels of the book come with
    the next quotes: a large market order takes a moment. Where `shallow` is set there are none, and
    what the best price does not have of it expires.
    """

    def __init__(
        self,
        backing: Backing,
        *,
        initial: Decimal,
        fee: Decimal = ZERO,
        fee_asset: str | None = None,
    ) -> None:
        self.backing = backing
        self.fee = fee
        self.shallow = False
        self._fee_asset = fee_asset
        self._initial = initial
        self.placed: list[Placed] = []
        self.by_label: dict[str, Placed] = {}
        self.by_backing: dict[str, Placed] = {}
        self.deals: dict[str, Deal] = {}
        self._numbers: Counter[str] = Counter()
        self._since: datetime | None = None
        self._placing = asyncio.Lock()
        self._reading = asyncio.Lock()

    # What is asked for

    async def order(self, placed: Placed) -> Order:
        return await self.backing.exchange.get_order(ACCOUNT, placed.backing)

    async def open_orders(self) -> list[tuple[Placed, Order]]:
        page = await self.backing.exchange.list_orders(ACCOUNT, OrderQuery(limit=1000))
        known = ((self.by_label.get(each.client_order_id or ""), each) for each in page.items)
        return [(placed, order) for placed, order in known if placed is not None]

    def find(self, pair: Pair, number: str | None, client_id: str | None) -> Placed | None:
        """By the venue's number, else the last that had the client id."""
        for placed in reversed(self.placed):
            if placed.pair is pair and placed.backing:
                if number is not None and placed.number == int(number):
                    return placed
                if number is None and placed.client_id == client_id:
                    return placed
        return None

    async def deals_of(self, placed: Placed) -> list[Deal]:
        await self.catch_up()
        found = (deal for deal in self.deals.values() if deal.trade.order_id == placed.backing)
        return sorted(found, key=lambda deal: deal.number)

    async def catch_up(self) -> None:
        """Number the trades that were made since the last time, the oldest first."""
        async with self._reading:
            found: list[Trade] = []
            until = None
            while True:
                query = TradeQuery(since=self._since, until=until, limit=1000)
                page = await self.backing.exchange.list_trades(ACCOUNT, query)
                found += page.items
                if not page.has_more:
                    break
                until = page.items[-1].timestamp
            for trade in reversed(found):
                self.number(trade)

    def number(self, trade: Trade) -> Deal:
        """The deal of a trade, which gets its number when it is first seen."""
        known = self.deals.get(trade.id)
        if known is not None:
            return known
        pair = OF[trade.symbol]
        self._numbers[pair.name] += 1
        fee, asset = self._fee(trade, pair)
        deal = Deal(self._numbers[pair.name], trade, fee, asset)
        self.deals[trade.id] = deal
        self._since = trade.timestamp
        return deal

    def _fee(self, trade: Trade, pair: Pair) -> tuple[Decimal, str]:
        if not self.fee:
            return ZERO, QUOTE_ASSET
        cost = trade.price * trade.quantity * self.fee
        if self._fee_asset is not None:
            worth = self.backing.market.quote(f"{self._fee_asset}/USD", trade.timestamp).last
            return (cost / (worth or Decimal(1))).quantize(CENT), self._fee_asset
        if trade.side is Side.BUY:
            return (trade.quantity * self.fee).quantize(CENT, ROUND_DOWN), pair.base
        return cost.quantize(CENT), QUOTE_ASSET

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Free and locked, by asset."""
        await self.catch_up()
        totals = {QUOTE_ASSET: self._initial, **{pair.base: ZERO for pair in PAIRS.values()}}
        for deal in self.deals.values():
            sign = 1 if deal.trade.side is Side.BUY else -1
            totals[OF[deal.trade.symbol].base] += sign * deal.trade.quantity
            totals[QUOTE_ASSET] -= sign * deal.trade.quantity * deal.trade.price
            totals[deal.fee_asset] -= deal.fee
        locked = dict.fromkeys(totals, ZERO)
        for placed, order in await self.open_orders():
            asset, amount = self._binds(placed, order.remaining_quantity)
            locked[asset] += amount
        return {asset: (total - locked[asset], locked[asset]) for asset, total in totals.items()}

    def _binds(self, placed: Placed, quantity: Decimal) -> tuple[str, Decimal]:
        """The asset that an order takes, and how much of it."""
        if placed.side == "SELL":
            return placed.pair.base, quantity
        price = placed.price or placed.stop or self.quote(placed.pair).ask
        return QUOTE_ASSET, quantity * price

    def quote(self, pair: Pair) -> Quote:
        return self.backing.market.quote(pair.behind, datetime.now(UTC))

    # New orders

    async def place(self, query: Mapping[str, str]) -> Placed:
        """Raises Refusal."""
        async with self._placing:
            placed = self._read(query)
            check(placed, self.quote(placed.pair))
            open_ids = {each.client_id for each, _ in await self.open_orders()}
            if placed.client_id in open_ids:
                raise Refusal(-2010, "Duplicate order sent.")
            await self._can_pay(placed)
            self.by_label[placed.label] = placed
            self.placed.append(placed)
            try:
                await self._submit(placed)
            except Refusal:
                self.placed.remove(placed)
                raise
            return placed

    def _read(self, query: Mapping[str, str]) -> Placed:
        pair = pair_of(query)
        kind = query["type"]
        if kind not in ORDER_TYPES:
            raise Refusal(-1013, "Take profit orders are not supported for this symbol.")
        for name in sorted({"quantity", *NEEDS[kind]} - query.keys()):
            raise Refusal(
                -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            )
        for name in sorted(CONDITIONAL & query.keys() - NEEDS[kind]):
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
        client_id = query.get("newClientOrderId", uuid4().hex[:22])
        if not CLIENT_IDS.fullmatch(client_id):
            raise Refusal(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
        return Placed(
            number=pair.first_order + sum(each.pair is pair for each in self.placed) + 1,
            pair=pair,
            client_id=client_id,
            kind=kind,
            side=query["side"],
            quantity=amount(query, "quantity"),
            label=uuid4().hex,
            created=datetime.now(UTC),
            time_in_force=query.get("timeInForce", "GTC"),
            price=amount(query, "price"),
            stop=amount(query, "stopPrice"),
            iceberg=amount(query, "icebergQty"),
        )

    async def _can_pay(self, placed: Placed) -> None:
        asset, needed = self._binds(placed, placed.quantity)
        free, _ = (await self.balances())[asset]
        if needed > free:
            raise Refusal(-2010, REFUSED[RejectReason.INSUFFICIENT_BALANCE])

    async def _submit(self, placed: Placed) -> None:
        immediate = placed.kind == "MARKET" and self.shallow
        request = OrderRequest(
            symbol=placed.pair.behind,
            side=Side(placed.side),
            quantity=placed.quantity,
            order_type=BEHIND[placed.kind],
            limit_price=placed.price or None,
            stop_price=placed.stop or None,
            time_in_force=TimeInForce.IOC if immediate else TimeInForce(placed.time_in_force),
            client_order_id=placed.label,
            post_only=placed.kind == "LIMIT_MAKER" or None,
            display_quantity=placed.iceberg or None,
        )
        try:
            submission = await self.backing.exchange.submit_order(ACCOUNT, request)
        except OrderRejected as error:
            message = REFUSED.get(error.reject_reason, "This action is disabled on this account.")
            raise Refusal(-2010, message) from error
        except TradingError as error:
            raise Refusal(-2010, "Unsupported order combination") from error
        self.known_as(placed, submission.handle.id)

    def known_as(self, placed: Placed, backing: str) -> None:
        placed.backing = backing
        self.by_backing[backing] = placed

    # Cancels

    async def cancel(self, placed: Placed) -> bool:
        """Whether it was open still."""
        result = await self.backing.exchange.cancel_order(ACCOUNT, placed.backing)
        return result.success


def pair_of(query: Mapping[str, str]) -> Pair:
    if query.get("symbol") not in PAIRS:
        raise Refusal(-1121, "Invalid symbol.")
    return PAIRS[query["symbol"]]


def amount(query: Mapping[str, str], name: str) -> Decimal:
    """Zero where it was not sent."""
    text = query.get(name, "0")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.") from None
    if value != value.quantize(CENT):
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
    return value


def check(placed: Placed, quote: Quote) -> None:
    """The filters of the symbol, and what an order of its type must keep from the market."""
    pair, last = placed.pair, quote.last or quote.bid
    prices = [each for each in (placed.price, placed.stop) if each]
    if any(each % pair.tick for each in prices):
        raise Refusal(-1013, "Filter failure: PRICE_FILTER")
    if not placed.quantity or placed.quantity % pair.lot or placed.quantity > 9000:
        raise Refusal(-1013, "Filter failure: LOT_SIZE")
    if placed.price and not last * LOWEST <= placed.price <= last * HIGHEST:
        raise Refusal(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    if placed.quantity * (placed.price or placed.stop or last) < MIN_NOTIONAL:
        raise Refusal(-1013, "Filter failure: NOTIONAL")
    if placed.iceberg:
        check_iceberg(placed)
    reached = last >= placed.stop if placed.side == "BUY" else last <= placed.stop
    if placed.stop and reached:
        raise Refusal(-2010, "Order would trigger immediately.")


def check_iceberg(placed: Placed) -> None:
    if placed.time_in_force != "GTC":
        raise Refusal(-1013, "Unsupported order combination")
    if placed.iceberg >= placed.quantity:
        raise Refusal(-2010, "IcebergQty exceeds QTY.")
    if placed.quantity > placed.iceberg * ICEBERG_PARTS:
        raise Refusal(-1013, "Filter failure: ICEBERG_PARTS")

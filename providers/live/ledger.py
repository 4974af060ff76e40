"""Our books against the venue's: positions and money that others have moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from providers.engine.book import resize, room
from providers.engine.links import reducing
from providers.engine.margin import cost
from providers.engine.money import EXACT, ZERO, trim
from providers.engine.transitions import new_position
from providers.engine.turn import Turn
from providers.live.venue import Funds, Holding
from providers.models import MarginMode, Position, PositionSide

CENT: Final = Decimal("0.01")
"""Venues round money; what is less than this apart is the same."""


def held(turn: Turn) -> dict[str, Decimal]:
    """What our books hold by symbol; short positions are negative."""
    return {position.symbol: signed(position) for position in turn.positions()}


def signed(position: Position) -> Decimal:
    long = position.side is PositionSide.LONG
    return position.quantity if long else position.quantity.copy_negate()


def differences(
    ours: Mapping[str, Decimal], theirs: Iterable[Holding]
) -> dict[str, tuple[Decimal, Holding]]:
    """By symbol what we hold and what the venue says, where that is not the same."""
    found = {each.symbol: each for each in theirs}
    nothing = {symbol: Holding(symbol=symbol, quantity=ZERO) for symbol in ours}
    return {
        symbol: (ours.get(symbol, ZERO), holding)
        for symbol, holding in {**nothing, **found}.items()
        if ours.get(symbol, ZERO) != holding.quantity
    }


def correct(turn: Turn, holding: Holding) -> None:
    """Bring a position to what the venue says is held: somebody has traded past us.

    What is taken off leaves at the average entry price: at which it left, nobody has told us.
    """
    old = next((each for each in turn.positions() if each.symbol == holding.symbol), None)
    side = PositionSide.LONG if holding.quantity > 0 else PositionSide.SHORT
    if old is not None and holding.quantity and old.side is side:
        resized(turn, old, holding)
    else:
        if old is not None:
            closed(turn, old)
        if holding.quantity:
            opened(turn, holding, side)
    for order in turn.linked(reducing(holding.symbol)):
        resize(turn, order, min(order.remaining_quantity, room(turn, order)))


def resized(turn: Turn, old: Position, holding: Holding) -> None:
    quantity = abs(holding.quantity)
    average = holding.average_price
    if average is None or quantity < old.quantity:
        average = old.average_entry_price
    changes = {
        "quantity": trim(quantity),
        "average_entry_price": average,
        "cost_basis": trim(EXACT.multiply(average, quantity)),
        "updated_at": turn.stamp(),
    }
    turn.position_event("POSITION_MODIFIED", old, changes)


def closed(turn: Turn, old: Position) -> None:
    changes = {"quantity": ZERO, "cost_basis": ZERO, "updated_at": turn.stamp()}
    turn.position_event("POSITION_CLOSED", old, changes)


def opened(turn: Turn, holding: Holding, side: PositionSide) -> None:
    """A position of unknown origin; where the venue has no entry price, at the present quote."""
    quote = turn.world.quote(holding.symbol)
    price = holding.average_price or (quote.bid if side is PositionSide.LONG else quote.ask)
    quantity, now = abs(holding.quantity), turn.stamp()
    position = new_position(
        id=turn.world.new_id("pos"),
        symbol=holding.symbol,
        side=side,
        quantity=quantity,
        average_entry_price=price,
        cost_basis=trim(EXACT.multiply(price, quantity)),
        current_price=price,
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        margin_mode=MarginMode.CROSS,
        leverage=turn.world.rules.leverage,
        opened_at=now,
        updated_at=now,
    )
    turn.position_event("POSITION_OPENED", position, {})


def money_off(turn: Turn, funds: Funds, *, money_is_cash: bool) -> Decimal | None:
    """By how much the balance is not what the venue's money says; None if it is.

    The difference counts as a deposit (or a withdrawal, interest, a fee that no execution told of).
    """
    money = funds.money
    if money_is_cash:
        for position in turn.positions():
            bound = cost(position)
            long = position.side is PositionSide.LONG
            money = EXACT.add(money, bound if long else bound.copy_negate())
    off = EXACT.subtract(money, turn.ledger.balance)
    fresh = turn.ledger.currency != funds.currency
    return off if abs(off) >= CENT or fresh else None

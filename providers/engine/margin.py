"""The money view of an account: equity, margin, liquidation prices, what one more order binds.

    equity            = balance + unrealized profit and loss
    margin_used       = margin of the positions + reserves of the open orders
    margin_available  = equity - margin_used

A CROSS position binds its notional at the mark divided by its leverage. An ISOLATED one binds what
it was given, cost divided by leverage, plus its unrealized profit or loss, but never less than
nothing: so its profit and loss stay its own, and margin_available does not move with them.
Reserves are what open orders would bind beyond closing the opposite position.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

from providers.engine.money import ZERO, exact, quotient, trim
from providers.engine.reserves import Reserves, Resting, leverage_of
from providers.engine.state import AccountState, Ledger
from providers.engine.world import World, touch
from providers.models import (
    Account,
    MarginMode,
    Position,
    PositionMode,
    PositionSide,
    Quote,
    Side,
)
from providers.values import trusted

new_account = trusted(Account)

DIRECTION = {Side.BUY: PositionSide.LONG, Side.SELL: PositionSide.SHORT}
"""The position that a side opens."""


def mark(position: Position, quote: Quote) -> Decimal:
    """The price that the position would close at: the bid for LONG, the ask for SHORT."""
    return quote.bid if position.side is PositionSide.LONG else quote.ask


def unrealized(position: Position, price: Decimal) -> Decimal:
    """Profit if the position closed at that price."""
    gain = price * position.quantity - cost(position)
    return gain if position.side is PositionSide.LONG else -gain


def cost(position: Position) -> Decimal:
    """What the position was bought or sold for, exactly."""
    if position.cost_basis is None:
        raise ValueError("the engine's positions have a cost basis")
    return position.cost_basis


def isolated(position: Position) -> bool:
    return position.margin_mode is MarginMode.ISOLATED


def own_margin(position: Position) -> Decimal:
    """What an ISOLATED position was given: all that it can lose."""
    return quotient(cost(position), leverage_of(position))


def margin_of(position: Position, price: Decimal, gain: Decimal) -> Decimal:
    """What the position binds at this mark, where its unrealized profit is `gain`."""
    if isolated(position):
        return max(own_margin(position) + gain, ZERO)
    return quotient(price * position.quantity, leverage_of(position))


def exit_price(position: Position, kept: Decimal) -> Decimal | None:
    """The mark at which an ISOLATED position is worth `kept`, a fraction of its notional there.

    With 0 it is the price at which its margin is used up. None if there is no such price.
    """
    if not position.quantity:
        return None
    margin, one = own_margin(position), Decimal(1)
    if position.side is PositionSide.LONG:
        price = quotient(cost(position) - margin, position.quantity * (one - kept))
    else:
        price = quotient(cost(position) + margin, position.quantity * (one + kept))
    return price if price > 0 else None


def marked(position: Position, world: World) -> Position:
    """The position with current_price, unrealized_pnl and liquidation_price at this moment."""
    with exact():
        return revalued(position, world, {})


def revalued(position: Position, world: World, changes: dict[str, Any]) -> Position:
    """The position with these changes, and what they and the present quote make of its values."""
    price = mark(position, world.quote(position.symbol))
    quantity = changes.get("quantity", position.quantity)
    gain = price * quantity - changes.get("cost_basis", cost(position))
    profit = trim(gain if position.side is PositionSide.LONG else -gain)
    position = position.evolve(**changes, current_price=price, unrealized_pnl=profit)
    if not isolated(position):
        return position
    return position.evolve(liquidation_price=exit_price(position, world.rules.maintenance))


def figures(state: AccountState, world: World) -> Account:
    """The account as it stands at the present quotes."""
    with exact():
        return account_of(state.ledger, state.positions.values(), state.reserves, world)


def account_of(
    ledger: Ledger, positions: Iterable[Position], reserves: Reserves, world: World
) -> Account:
    """The account that this money, these positions and these open orders make."""
    profit, used = sums(tuple(positions), reserves, world)
    equity = ledger.balance + profit
    return new_account(
        balance=trim(ledger.balance),
        equity=trim(equity),
        margin_used=trim(used),
        margin_available=trim(equity - used),
        unrealized_pnl=trim(profit),
        currency=ledger.currency,
    )


def sums(
    positions: Collection[Position], reserves: Reserves, world: World
) -> tuple[Decimal, Decimal]:
    """Unrealized profit, and margin used by positions and open orders."""
    profit, used = ZERO, reserved(positions, reserves, world)
    for position in positions:
        price = mark(position, world.quote(position.symbol))
        gain = unrealized(position, price)
        profit += gain
        used += margin_of(position, price, gain)
    return profit, used


def reserved(positions: Collection[Position], reserves: Reserves, world: World) -> Decimal:
    """What the open orders would bind if all of them filled."""
    total = ZERO
    for (symbol, side), resting in reserves.items():
        price, _ = touch(world.quote(symbol), side)
        total += resting.value(price, opposite(positions, world, symbol, side))
    return total


def opposite(positions: Iterable[Position], world: World, symbol: str, side: Side) -> Decimal:
    """How much of the symbol is held against this side, so that orders would only close it.

    In a hedging account orders of the other side open positions of their own.
    """
    held = ZERO
    if world.rules.position_mode is PositionMode.HEDGING:
        return held
    opened = DIRECTION[side]
    for position in positions:
        if position.symbol == symbol and position.side is not opened:
            held += position.quantity
    return held


def total_quantity(positions: Iterable[Position]) -> Decimal:
    return sum((position.quantity for position in positions), ZERO)


def shortfall(
    state: AccountState,
    world: World,
    symbol: str,
    side: Side,
    change: tuple[Resting, Resting],
) -> tuple[Decimal, Decimal] | None:
    """(needed, available) if replacing the first sums by the second binds more than there is.

    None if the account can carry it. What binds nothing more is always carried, so that an
    account below its margin can still reduce.
    """
    positions = state.positions.values()
    covered = opposite(positions, world, symbol, side)
    price, _ = touch(world.quote(symbol), side)
    before, after = change
    needed = after.value(price, covered) - before.value(price, covered)
    if needed <= 0:
        return None
    profit, used = sums(tuple(positions), state.reserves, world)
    available = state.ledger.balance + profit - used
    return (trim(needed), trim(available)) if needed > available else None

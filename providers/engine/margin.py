"""The money view of an account: equity, margin and what one more order would bind.

    equity            = balance + unrealized profit and loss
    margin_used       = (notional of positions at their mark + reserves of open orders) / leverage
    margin_available  = equity - margin_used

Reserves are what open orders would be worth beyond closing the opposite position.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from providers.engine.money import ZERO, exact, quotient, trim
from providers.engine.reserves import Resting
from providers.engine.state import AccountState
from providers.engine.world import World, touch
from providers.models import Account, Position, PositionSide, Quote, Side

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
    assert position.cost_basis is not None, "the engine always sets it"  # noqa: S101
    return position.cost_basis


@exact
def marked(position: Position, quote: Quote) -> Position:
    """The position with current_price and unrealized_pnl at this quote."""
    price = mark(position, quote)
    return position.model_copy(
        update={"current_price": price, "unrealized_pnl": trim(unrealized(position, price))}
    )


@exact
def figures(state: AccountState, world: World) -> Account:
    """The account as it stands at the present quotes."""
    profit = bound = ZERO
    for position in state.positions.values():
        price = mark(position, world.quote(position.symbol))
        profit += unrealized(position, price)
        bound += price * position.quantity
    bound += reserved(state, world)
    equity = state.ledger.balance + profit
    used = quotient(bound, world.rules.leverage)
    return Account(
        balance=trim(state.ledger.balance),
        equity=trim(equity),
        margin_used=used,
        margin_available=trim(equity - used),
        unrealized_pnl=trim(profit),
        currency=state.ledger.currency,
    )


def reserved(state: AccountState, world: World) -> Decimal:
    """The value of everything that open orders would add to exposure."""
    total = ZERO
    for symbol in state.reserves.symbols():
        quote = world.quote(symbol)
        for side in Side:
            resting = state.reserves.of(symbol, side)
            total += resting.value(touch(quote, side)[0], opposite(state, symbol, side))
    return total


def opposite(state: AccountState, symbol: str, side: Side) -> Decimal:
    """How much of the symbol is held against this side, so that orders would only close it."""
    return total_quantity(
        held
        for held in state.positions.values()
        if held.symbol == symbol and held.side is not DIRECTION[side]
    )


def total_quantity(positions: Iterable[Position]) -> Decimal:
    return sum((position.quantity for position in positions), ZERO)


@exact
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
    covered = opposite(state, symbol, side)
    price = touch(world.quote(symbol), side)[0]
    before, after = (resting.value(price, covered) for resting in change)
    needed = quotient(after - before, world.rules.leverage)
    if needed <= 0:
        return None
    available = figures(state, world).margin_available
    return (needed, available) if needed > available else None

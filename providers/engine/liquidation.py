"""What happens when margin runs out: a warning, and then liquidation.

An ISOLATED position is closed when the mark reaches its liquidation price, at the mark but never
beyond the price at which its own margin is used up: it cannot lose more.

A CROSS account is closed down when what backs its positions falls to their maintenance: its open
orders are cancelled first, then its worst positions are closed, one by one, until the rest stands.
It is warned once when that comes near, and again only after it has recovered.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from providers.engine.book import EXIT_SIDE, closing, end
from providers.engine.exits import release
from providers.engine.fills import Fill, worse
from providers.engine.margin import (
    exit_price,
    isolated,
    mark,
    own_margin,
    unrealized,
)
from providers.engine.money import ZERO
from providers.engine.state import Notice
from providers.engine.trailing import to_step
from providers.engine.transitions import fill
from providers.engine.turn import Turn
from providers.engine.world import World
from providers.models import OrderStatus, OrderType, Position, Side


def guard(turn: Turn) -> None:
    """Warn or liquidate as the present quotes demand; nothing happens to a sound account."""
    for position in list(turn.positions()):
        if used_up(turn, position):
            liquidate(turn, position)
    guard_cross(turn)


def used_up(turn: Turn, position: Position) -> bool:
    """Whether an ISOLATED position must be closed, and its market is open for that."""
    world = turn.world
    return (
        isolated(position)
        and world.trades_now(position.symbol)
        and beyond(position, world, world.rules.maintenance)
    )


def guard_cross(turn: Turn) -> None:
    """Bring the CROSS side of the account back above its maintenance."""
    equity, maintenance = cross_figures(turn)
    if not maintenance or equity > maintenance * turn.world.rules.warning:
        if turn.ledger.warned:
            turn.recovered()
        return
    if not turn.ledger.warned:
        turn.account_event("MARGIN_WARNING", warned=True)
    if equity <= maintenance and closable(turn):
        close_down(turn)


def close_down(turn: Turn) -> None:
    """Cancel what is open, then close the worst positions until the rest stands."""
    turn.account_event("MARGIN_CALL", warned=True)
    for order in turn.open_orders():
        end(turn, order, OrderStatus.CANCELLED)
    equity, maintenance = cross_figures(turn)
    while equity <= maintenance and (able := closable(turn)):
        liquidate(turn, min(able, key=lambda held: profit(turn, held)))
        equity, maintenance = cross_figures(turn)


def cross_figures(turn: Turn) -> tuple[Decimal, Decimal]:
    """What backs the CROSS positions, and what they need as maintenance."""
    held = cross_positions(turn)
    apart = sum((own_margin(each) for each in turn.positions() if isolated(each)), ZERO)
    equity = turn.ledger.balance - apart + sum((profit(turn, each) for each in held), ZERO)
    notional = sum((each.quantity * present_mark(turn.world, each) for each in held), ZERO)
    return equity, notional * turn.world.rules.maintenance


def cross_positions(turn: Turn) -> list[Position]:
    return [held for held in turn.positions() if not isolated(held)]


def closable(turn: Turn) -> list[Position]:
    """The CROSS positions whose market is open."""
    return [held for held in cross_positions(turn) if turn.world.trades_now(held.symbol)]


def profit(turn: Turn, position: Position) -> Decimal:
    return unrealized(position, present_mark(turn.world, position))


def present_mark(world: World, position: Position) -> Decimal:
    return mark(position, world.quote(position.symbol))


def beyond(position: Position, world: World, kept: Decimal) -> bool:
    """Whether the mark has reached the price at which only `kept` of the notional is left."""
    limit = exit_price(position, kept)
    if limit is None:
        return False
    price, side = present_mark(world, position), EXIT_SIDE[position.side]
    return price == limit or worse(price, limit, side)


def liquidate(turn: Turn, position: Position) -> None:
    """Close the position at the mark, an ISOLATED one no worse than its margin allows."""
    price = liquidation_price(turn.world, position)
    order = closing(turn, position, OrderType.MARKET, position.quantity)
    order = turn.order_event("ORDER_CREATED", order)
    filled, _ = fill(turn, order, Fill(price, position.quantity, is_maker=False))
    release(turn, filled)
    turn.notice(
        Notice(
            code="LIQUIDATION",
            message=f"Position {position.id} in {position.symbol} was liquidated at {price:f}",
            details={"position_id": position.id, "order_id": order.id, "price": f"{price:f}"},
        )
    )


def liquidation_price(world: World, position: Position) -> Decimal:
    """The mark, or the last tick at which the margin of an ISOLATED position still suffices."""
    return within_margin(present_mark(world, position), position, world)


def within_margin(price: Decimal, position: Position, world: World) -> Decimal:
    """The price, or the last tick before it at which a position that it closes can pay its loss."""
    side = EXIT_SIDE[position.side]
    last = exit_price(position, ZERO) if isolated(position) else None
    if last is None or not worse(price, last, side):
        return price
    step = world.listed(position.symbol).price_increment
    return to_step(last, step, ROUND_CEILING if side is Side.SELL else ROUND_FLOOR)

"""Both sides compared: what others have done at the venue, and what our books make of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from providers.errors import ProviderUnavailable
from providers.live.venue import Amends, Funds, Holding, Progress, Report, Ticket
from providers.models import OrderType, PositionSide, Side
from tests.live.desk import ACCOUNT, Desk, trading
from tests.live.fake import FakeVenue, traits, until

FOREIGN = Ticket(
    client_id="theirs",
    symbol="BTC/USD",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal(3),
    limit_price=Decimal(80),
)


def money(amount: int, currency: str = "USD") -> Funds:
    return Funds(currency=currency, money=Decimal(amount))


async def balance(desk: Desk) -> tuple[Decimal, str]:
    account = await desk.provider.get_account(ACCOUNT)
    return account.balance, account.currency


# Orders


async def test_a_foreign_order(tmp_path: Path) -> None:
    """An order of somebody else is ours from the first look, and can be cancelled here."""
    async with trading(tmp_path) as desk:
        desk.venue.place(FOREIGN)
        await desk.compare()
        (order,) = await desk.orders()
        assert ("OPEN", "theirs", Decimal(3)) == (
            order.status.value,
            order.client_order_id,
            order.quantity,
        )
        await desk.compare()
        assert 1 == len(await desk.orders())
        assert (await desk.cancel(order)).success


async def test_a_foreign_order_without_an_id(tmp_path: Path) -> None:
    """One without a client's id is known by the venue's."""
    async with trading(tmp_path) as desk:
        one = desk.venue.place(replace(FOREIGN, client_id=""))
        for _ in range(2):
            await desk.compare()
        (order,) = await desk.orders()
        assert order.client_order_id is None
        desk.venue.fill(one, 3, 80)
        await desk.reaches(order.id, "FILLED")


@pytest.mark.parametrize("priceless", [False, True])
async def test_a_foreign_order_that_has_filled(tmp_path: Path, priceless: bool) -> None:
    """Its fills count with its adoption; without a price they wait, and nothing else does."""
    async with trading(tmp_path) as desk:
        desk.venue.fill(one := desk.venue.place(FOREIGN), 1, 79, tell=False)
        if priceless:
            desk.venue.priceless.add(one.venue_id)
            await desk.compare()
            await desk.submit()
            desk.venue.priceless.clear()
        await desk.compare()
        assert Decimal(1) == await desk.held()
        assert [Decimal(79)] == [trade.price for trade in await desk.trades()]


async def test_a_foreign_change(tmp_path: Path) -> None:
    """Terms that somebody else sets are the order's from the next look, and stay."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        one = desk.venue.only()
        one.ticket = replace(one.ticket, limit_price=Decimal(85), quantity=Decimal(4))
        for _ in range(2):
            await desk.compare()
        found = await desk.order(order.id)
        assert (Decimal(85), Decimal(4)) == (found.limit_price, found.quantity)
        assert (Decimal(85), 0) == (one.ticket.limit_price, desk.venue.count("replace"))


async def test_a_foreign_replacement(tmp_path: Path) -> None:
    """Where a change makes a new order, our order goes on as that one, at its terms."""
    async with trading(tmp_path, FakeVenue(traits(Amends.NEW_ORDER))) as desk:
        order = await desk.submit(quantity=5)
        one = desk.venue.only()
        desk.venue.fill(one, 1, 90, tell=False)
        new = desk.venue.place(replace(one.ticket, client_id="app", limit_price=Decimal(85)))
        new.ticket = replace(new.ticket, quantity=Decimal(3))
        one.progress, one.replaced_by = Progress.CANCELLED, new.venue_id
        for _ in range(3):
            await desk.compare()
        (found,) = await desk.orders()
        assert (order.id, Decimal(85), Decimal(1), Decimal(3)) == (
            found.id,
            found.limit_price,
            found.filled_quantity,
            found.remaining_quantity,
        )
        assert [new] == desk.venue.open()
        desk.venue.fill(new, 3, 85)
        await desk.reaches(order.id, "FILLED")
        assert (Decimal(4), []) == (await desk.held(), await desk.slips())


async def test_a_foreign_cancel(tmp_path: Path) -> None:
    """An order that somebody else has cancelled is CANCELLED."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        desk.venue.finish(desk.venue.only(), Progress.CANCELLED, tell=False)
        await desk.compare()
        assert "CANCELLED" == (await desk.order(order.id)).status.value


async def test_an_order_that_is_unknown_for_a_moment(tmp_path: Path) -> None:
    """A venue that does not find one of its orders at once is asked again before it is believed."""
    async with trading(tmp_path) as desk:
        order = await desk.submit()
        client_id = desk.venue.only().ticket.client_id
        desk.venue.unaware.add(client_id)
        find = desk.venue.find

        async def once(ticket: Ticket) -> Report | None:
            found = await find(ticket)
            desk.venue.unaware.clear()
            return found

        desk.venue.find = once  # type: ignore[method-assign]
        await desk.compare()
        assert not desk.venue.unaware
        assert "OPEN" == (await desk.order(order.id)).status.value


# Positions


@pytest.mark.parametrize(
    ("quantity", "side"), [(Decimal(3), PositionSide.LONG), (Decimal(-3), PositionSide.SHORT)]
)
async def test_a_foreign_position(tmp_path: Path, quantity: Decimal, side: PositionSide) -> None:
    """A position that somebody else has opened is there after two looks that found the same."""
    async with trading(tmp_path) as desk:
        held = Holding(symbol="BTC/USD", quantity=quantity, average_price=Decimal(70))
        desk.venue.held["BTC/USD"] = held
        await desk.compare()
        await desk.compare()
        (position,) = await desk.provider.list_positions(ACCOUNT, None)
        assert (side, Decimal(3), Decimal(70)) == (
            position.side,
            position.quantity,
            position.average_entry_price,
        )
        assert [] == await desk.trades()


async def test_a_position_of_unknown_cost(tmp_path: Path) -> None:
    """Where the venue has no entry price, the present quote is one."""
    async with trading(tmp_path) as desk:
        desk.venue.held["BTC/USD"] = Holding(symbol="BTC/USD", quantity=Decimal(3))
        await desk.compare()
        await desk.compare()
        (position,) = await desk.provider.list_positions(ACCOUNT, None)
        assert Decimal(100) == position.average_entry_price


async def test_one_look_is_not_believed(tmp_path: Path) -> None:
    """A difference that the next look does not confirm corrects nothing."""
    async with trading(tmp_path) as desk:
        held = await desk.bought(3)
        lags = [Decimal(2), Decimal(1), Decimal(3)]

        async def holdings() -> list[Holding]:
            quantity = lags.pop(0) if len(lags) > 1 else lags[0]
            return [Holding(symbol="BTC/USD", quantity=quantity)]

        desk.venue.holdings = holdings  # type: ignore[method-assign]
        await desk.compare()
        await until(lambda: len(lags) == 1)
        await desk.compare()
        (position,) = await desk.provider.list_positions(ACCOUNT, None)
        assert (held.id, Decimal(3)) == (position.id, position.quantity)
        assert held.updated_at == position.updated_at


async def test_a_position_that_somebody_else_has_closed(tmp_path: Path) -> None:
    """It leaves at its average price, and its exits go with it."""
    async with trading(tmp_path) as desk:
        await desk.bought(3, take_profit=Decimal(120))
        await until(lambda: len(desk.venue.open()) == 1)
        del desk.venue.held["BTC/USD"]
        for _ in range(3):
            await desk.compare()
        await until(lambda: not desk.venue.open())
        assert Decimal(0) == await desk.held()
        assert "CANCELLED" == (await desk.orders())[1].status.value


async def test_a_position_that_somebody_else_has_reduced(tmp_path: Path) -> None:
    """The exits shrink to what is held."""
    async with trading(tmp_path) as desk:
        await desk.bought(3, take_profit=Decimal(120))
        await until(lambda: len(desk.venue.open()) == 1)
        desk.venue.held["BTC/USD"] = Holding(symbol="BTC/USD", quantity=Decimal(1))
        for _ in range(3):
            await desk.compare()
        await until(lambda: desk.venue.only().ticket.quantity == Decimal(1))
        assert Decimal(1) == await desk.held()


async def test_a_position_turned_round(tmp_path: Path) -> None:
    """A position on the other side is another one."""
    async with trading(tmp_path) as desk:
        before = await desk.bought(3)
        desk.venue.held["BTC/USD"] = Holding(symbol="BTC/USD", quantity=Decimal(-2))
        for _ in range(3):
            await desk.compare()
        (position,) = await desk.provider.list_positions(ACCOUNT, None)
        assert (PositionSide.SHORT, Decimal(2)) == (position.side, position.quantity)
        assert before.id != position.id


async def test_what_is_not_traded_is_no_position(tmp_path: Path) -> None:
    """What the venue holds and does not list is left alone."""
    async with trading(tmp_path) as desk:
        desk.venue.held["AIR/USD"] = Holding(symbol="AIR/USD", quantity=Decimal(3))
        for _ in range(3):
            await desk.compare()
        assert Decimal(0) == await desk.held()


# Money


async def test_the_first_look_at_money(tmp_path: Path) -> None:
    """A new account has what the venue says, in its currency."""
    venue = FakeVenue()
    venue.money = money(5000, "EUR")
    async with trading(tmp_path, venue) as desk:
        await desk.compare()
        assert (Decimal(5000), "EUR") == await balance(desk)


async def test_a_deposit(tmp_path: Path) -> None:
    """Money that was paid in counts after two looks."""
    async with trading(tmp_path) as desk:
        await desk.compare()
        desk.venue.money = money(100500)
        await desk.compare()
        await desk.compare()
        assert (Decimal(100500), "USD") == await balance(desk)
        state = await desk.provider._store.read(lambda reader: reader.ledger(ACCOUNT))
        assert Decimal(100500) == state.deposits


async def test_one_look_at_money_is_not_believed(tmp_path: Path) -> None:
    """Money that has moved with a fill that is still on its way is no deposit."""
    async with trading(tmp_path) as desk:
        await desk.compare()
        told = [money(90000), money(100000)]

        async def funds() -> Funds:
            desk.venue.calls.append(("funds", ""))
            return told.pop(0) if len(told) > 1 else told[0]

        desk.venue.funds = funds  # type: ignore[method-assign]
        await desk.compare()
        await desk.compare()
        state = await desk.provider._store.read(lambda reader: reader.ledger(ACCOUNT))
        assert (Decimal(100000), Decimal(100000)) == (state.deposits, state.balance)


async def test_cash_of_what_was_bought(tmp_path: Path) -> None:
    """Where money is cash, what positions have cost is no loss."""
    async with trading(tmp_path, FakeVenue(traits(money_is_cash=True))) as desk:
        desk.venue.money = money(100000)
        await desk.compare()
        desk.venue.money = money(100000 - 202)
        await desk.bought(2)
        for _ in range(3):
            await desk.compare()
        state = await desk.provider._store.read(lambda reader: reader.ledger(ACCOUNT))
        assert (Decimal(100000), Decimal(100000)) == (state.deposits, state.balance)


async def test_a_look_that_fails_is_taken_again(tmp_path: Path) -> None:
    """Nothing is believed of a venue that cannot be asked to the end."""
    async with trading(tmp_path) as desk:
        desk.venue.money = money(7)
        desk.venue.fails("holdings", *[ProviderUnavailable("away")] * 3)
        await desk.compare()
        await desk.compare()
        assert (Decimal(7), "USD") == await balance(desk)

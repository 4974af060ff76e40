"""The event stream of the paper exchange: no gap, no repeat, and no work that nobody wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.base import FrameType, StreamQuery
from providers.errors import InvalidValue, ProviderUnavailable, SymbolNotFound
from tests.paper.exchange import OPENING, Exchange
from tests.paper.listening import QUOTES, listening, small


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with aclosing(await Exchange(tmp_path / "paper.db").open()) as opened:
        yield opened


async def ids(exchange: Exchange, account: str = "me") -> list[int]:
    """The ids of all events of an account, from the store."""
    frames = await exchange.store.read(lambda reader: reader.events(account, 0, 100_000))
    return [frame.event_id for frame in frames]


def names(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["event"] for frame in frames]


# What is told


async def test_an_orders_life(exchange: Exchange) -> None:
    """Each change is told as it commits, with growing ids, and says what REST answers."""
    async with listening(exchange) as client:
        order = await exchange.buy("10", limit="98")
        created = await client.next()
        assert (created["event"], created["order"]["status"]) == ("ORDER_CREATED", "OPEN")
        await exchange.modify(order, quantity="5")
        assert names(await client.take(1)) == ["ORDER_MODIFIED"]
        await exchange.tick("97", "98")
        frames = await client.take(3)
        assert names(frames) == ["ORDER_FILLED", "TRADE_FILLED", "POSITION_OPENED"]
        answered = await exchange.order(order)
        assert frames[0]["order"] == json.loads(answered.model_dump_json())
        heard = [json.loads(text).get("event_id") for text in client.texts[1:]]
    assert [int(each) for each in heard] == await ids(exchange)


async def test_brackets(exchange: Exchange) -> None:
    """What protects an order names it at the top of its frame too; other orders name none."""
    async with listening(exchange, types=frozenset({FrameType.ORDER})) as client:
        parent = await exchange.buy("10", stop_loss=Decimal(90), take_profit=Decimal(120))
        frames = await client.take(4)
    assert names(frames)[2:] == ["BRACKET_ORDER_CREATED"] * 2
    assert [frame.get("parent_order_id") for frame in frames] == [
        None,
        None,
        parent.handle.id,
        parent.handle.id,
    ]


async def test_everything_that_can_be_told(exchange: Exchange) -> None:
    """Rejections, fees, warnings and liquidations follow asyncapi.yaml as well."""
    exchange.options |= {"taker_fee": "0.001", "max_leverage": 10, "initial_balance": 1000}
    await exchange.restart()
    async with listening(exchange) as client:
        await exchange.buy("50", leverage=Decimal(10))
        await exchange.tick("85", "86")
        await exchange.tick("70", "71")
        heard = [await client.next() for _ in await ids(exchange)]
    assert {frame["type"] for frame in heard} == {"order", "trade", "position", "account", "error"}
    assert [frame["code"] for frame in heard if frame["type"] == "error"] == ["LIQUIDATION"]


async def test_accounts_hear_their_own(exchange: Exchange) -> None:
    """Nothing of another account, though its events are in the same log."""
    async with listening(exchange, "alice") as alice, listening(exchange, "bob") as bob:
        for account in ("alice", "bob", "alice"):
            await exchange.buy("1", account, limit="50")
        assert await alice.ids_until(3) == [1, 3] == await ids(exchange, "alice")
        assert await bob.ids_until(2) == [2] == await ids(exchange, "bob")


async def test_frames_are_encoded_once(exchange: Exchange) -> None:
    """All clients of an account are given the very same text."""
    async with listening(exchange) as one, listening(exchange) as two:
        await exchange.buy("1", limit="50")
        assert await one.next() == await two.next()
        assert one.texts[1] is two.texts[1]


# Where it begins


async def test_without_a_cursor_it_begins_now(exchange: Exchange) -> None:
    """What was before is not told; the cursor given is that of the newest event."""
    await exchange.buy("1", limit="50")
    async with listening(exchange) as client:
        assert json.loads(client.texts[0])["last_event_id"] == "1"
        await exchange.buy("1", limit="50")
        assert await client.ids_until(2) == [2]


@pytest.mark.parametrize("after", [0, 1, 4, 7])
async def test_resuming(exchange: Exchange, after: int) -> None:
    """All that is later, in order, and then what happens: over a restart too."""
    for _ in range(7):
        await exchange.buy("1", limit="50")
    await exchange.restart()
    async with listening(exchange, after=after) as client:
        assert json.loads(client.texts[0])["last_event_id"] == str(after)
        await exchange.buy("1", limit="50")
        assert await client.ids_until(8) == list(range(after + 1, 9))


async def test_a_cursor_that_cannot_be(exchange: Exchange) -> None:
    """One beyond the newest event of the account is of another log."""
    await exchange.buy("1", "other", limit="50")
    with pytest.raises(InvalidValue, match="after"):
        await exchange.provider.subscribe("me", StreamQuery(after=1))


# No gap, no repeat


async def test_commits_all_along(exchange: Exchange) -> None:
    """Clients come and resume while orders are made: each hears all that is later, once."""
    total = 120

    async def trade() -> None:
        for _ in range(total // 4):
            await asyncio.gather(*(exchange.buy("1", limit="50") for _ in range(4)))

    async def follow(after: int | None) -> tuple[int, list[int]]:
        """In several connections, each resuming where the last one ended."""
        begun, heard = after or 0, list[int]()
        while not heard or heard[-1] < total:
            async with listening(exchange, after=after) as client:
                if after is None:
                    begun = int(json.loads(client.texts[0])["last_event_id"])
                limit = min(total, (heard[-1] if heard else begun) + 17)
                heard += await client.ids_until(limit)
                after = heard[-1]
        return begun, heard

    trading = asyncio.create_task(trade())
    followed = await asyncio.gather(*(follow(after) for after in (0, None, None, 0)))
    await trading
    assert await ids(exchange) == list(range(1, total + 1))
    for begun, heard in followed:
        assert heard == list(range(begun + 1, total + 1))


async def test_two_workers(exchange: Exchange) -> None:
    """What another process commits is told in order with what this one does."""
    other = await exchange.second()
    try:
        async with listening(exchange) as client, listening(other) as there:
            for _ in range(5):
                await other.buy("1", limit="50")
                await exchange.buy("1", limit="50")
            expected = list(range(1, 11))
            assert await client.ids_until(10) == expected == await there.ids_until(10)
    finally:
        await other.provider.stream.stop()
        await other.aclose()


async def test_falling_behind_the_memory(exchange: Exchange) -> None:
    """Whoever is too slow for what is kept in memory goes on from the store."""
    stream = small(exchange, events=5)
    async with listening(stream) as slow, listening(stream) as quick:
        for last in range(1, 251):
            await exchange.buy("1", limit="50")
            if last % 3 == 0:
                await quick.ids_until(last)
        assert await slow.ids_until(250) == list(range(1, 251))
        await exchange.buy("1", limit="50")
        assert await slow.ids_until(251) == [251]


async def test_coming_and_going(exchange: Exchange) -> None:
    """The account's ring is made anew for each who finds nobody else listening."""
    for last in range(1, 20):
        async with listening(exchange, after=last - 1) as client:
            await exchange.buy("1", limit="50")
            assert await client.ids_until(last) == [last]


# What is chosen


async def test_types_and_symbols(exchange: Exchange) -> None:
    """Only what was chosen, by an alias too; what is about no symbol comes all the same."""
    exchange.options["taker_fee"] = "0.001"
    await exchange.restart()
    bitcoin = frozenset({"C:BTCUSD"})
    trades = frozenset({FrameType.TRADE})
    async with (
        listening(exchange, types=trades) as by_type,
        listening(exchange, symbols=bitcoin) as by_symbol,
        listening(exchange, symbols=bitcoin, types=trades) as by_both,
    ):
        await exchange.buy("1")
        await exchange.buy("1", symbol="BTC/USD")
        assert [frame["trade"]["symbol"] for frame in await by_type.take(2)] == ["AAPL", "BTC/USD"]
        assert (await by_both.next())["trade"]["symbol"] == "BTC/USD"
        heard = await by_symbol.take(6)
    assert [frame["type"] for frame in heard] == [
        "account",
        "order",
        "order",
        "trade",
        "position",
        "account",
    ]


async def test_an_unknown_symbol(exchange: Exchange) -> None:
    """It is told at once, not by silence."""
    with pytest.raises(SymbolNotFound):
        await exchange.provider.subscribe("me", StreamQuery(symbols=frozenset({"NOPE"})))


# How it lives and ends


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()} & {"event-log", "ticker"}


async def test_nothing_runs_for_nobody(exchange: Exchange) -> None:
    """Log and market are followed only while somebody listens to them."""
    assert tasks() == set()
    async with listening(exchange, types=None) as client:
        await client.next()
        assert tasks() == {"event-log", "ticker"}
    async with listening(exchange):
        await asyncio.sleep(0)
        assert tasks() == {"event-log"}
    await asyncio.sleep(0)
    assert tasks() == set()


async def test_the_store_is_out_of_reach_for_a_while(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are told late rather than never."""
    async with listening(exchange) as client:
        read = exchange.store.read
        failures = iter([ProviderUnavailable("busy"), ProviderUnavailable("busy")])

        async def failing(query: Any) -> Any:
            for failure in failures:
                raise failure
            return await read(query)

        monkeypatch.setattr(exchange.store, "read", failing)
        await exchange.buy("1", limit="50")
        assert await client.ids_until(1) == [1]


async def test_a_defect_is_not_silence(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told that nothing will come; who comes later misses nothing."""
    async with listening(exchange) as client:
        read = exchange.store.read

        async def failing(query: Any) -> Any:
            raise RuntimeError("a defect")

        monkeypatch.setattr(exchange.store, "read", failing)
        await exchange.buy("1", limit="50")
        with pytest.raises(RuntimeError, match="a defect"):
            await client.next()
        monkeypatch.setattr(exchange.store, "read", read)
        async with listening(exchange, after=0) as later:
            assert await later.ids_until(1) == [1]


async def test_the_provider_stops(exchange: Exchange) -> None:
    """Every subscription ends."""
    async with listening(exchange) as one, listening(exchange, types=QUOTES) as two:
        await two.take(2)
        await exchange.provider.stream.stop()
        for client in (one, two):
            with pytest.raises(StopAsyncIteration):
                await client.next()


async def test_acknowledgements_change_nothing(exchange: Exchange) -> None:
    """A client that resumes says itself where it was."""
    await exchange.provider.acknowledge("me", ["1", "x"])
    assert exchange.provider.now() == OPENING

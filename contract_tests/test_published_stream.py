"""The event stream of the published Python client works unmodified against our server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.exceptions import InvalidStatus

from contract_tests.laboratory.fleet import FUNDS, KEYS, Fleet
from contract_tests.laboratory.servers import Server
from contract_tests.toolkit.chance import new_id

tektii: Any = pytest.importorskip("tektii", reason="the published client is not installed")
streams: Any = pytest.importorskip("tektii.stream")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The published client leaves sockets and event loops open; `swept` finds them here, not later."""


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What the client has left open is collected before the next test."""
    yield
    gc.collect()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left(server: Server) -> Iterator[None]:
    """The main server serves other tests too."""
    yield
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        http.delete("/orders").raise_for_status()
        http.delete("/positions").raise_for_status()


ASYNCAPI = yaml.safe_load(Path(__file__).with_name("asyncapi.yaml").read_text("utf-8"))
PATIENCE = 30
MARKET = {"symbol": "BTC/USD", "side": "BUY", "quantity": "0.01", "order_type": "MARKET"}


def examples() -> Iterator[Any]:
    for message in ASYNCAPI["operations"]["send_events"]["messages"]:
        name = message["$ref"].rpartition("/")[2]
        for example in ASYNCAPI["components"]["messages"][name]["examples"]:
            yield pytest.param(example["payload"], id=example["name"])


@pytest.fixture(autouse=True)
def nothing_is_dropped(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The client drops frames that it cannot read, and says so in its log only."""
    with caplog.at_level(logging.WARNING, logger="tektii.stream"):
        yield
    assert [text for text in caplog.messages if "Dropping" in text] == []


def stream(server: Server, query: str = "", **options: Any) -> Any:
    """The client's stream, quick to come back."""
    url = server.url.replace("http:", "ws:") + "/v1/ws" + query
    return streams.AsyncEventStream(url, max_reconnect_delay=0.2, **options)


@contextlib.asynccontextmanager
async def events_of(stream: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """Its events; every one that is taken is acknowledged as the next is asked for."""
    async with stream, contextlib.aclosing(aiter(stream)) as events:
        yield events


async def until(events: AsyncIterator[Any], wanted: str) -> list[Any]:
    """The events up to the first of a name."""
    taken = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            taken.append(event)
            if getattr(event, "event", event.type) == wanted:
                break
    return taken


async def order(server: Server, **fields: str) -> str:
    """Submit an order; answers its id."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        answer = await http.post("/orders", json=MARKET | {"client_order_id": new_id()} | fields)
        return str(answer.json()["id"])


@pytest.mark.parametrize("frame", list(examples()))
def test_every_frame_is_understood(frame: dict[str, Any]) -> None:
    """The client's models take every example of asyncapi.yaml."""
    event = streams._event_adapter.validate_python(frame)  # noqa: SLF001
    assert event.type == frame["type"]
    assert event.event_id == frame.get("event_id")


async def test_an_orders_life(server: Server) -> None:
    """Made, filled, traded: each event with its id, and the market beside it."""
    async with events_of(stream(server)) as events:
        first = await anext(events)
        assert (first.type, first.event, first.broker) == ("connection", "CONNECTED", "paper")
        id_ = await order(server)
        heard = await until(events, "BALANCE_UPDATED")
        heard += await until(events, "quote")
    ours = [event for event in heard if event.type == "order" and event.order.id == id_]
    assert [event.event for event in ours] == ["ORDER_CREATED", "ORDER_FILLED"]
    (trade,) = [event.trade for event in heard if event.type == "trade"]
    assert (trade.order_id, trade.symbol) == (id_, "BTC/USD")
    ids = [int(event.event_id) for event in heard if event.event_id is not None]
    assert ids == sorted(set(ids))
    assert len(ids) >= 5


def test_the_synchronous_stream(server: Server) -> None:
    """The same from a thread of the client's own."""
    with tektii.TradingGateway(server.url) as gateway:
        loop = gateway._loop  # noqa: SLF001
        with gateway.stream() as events:
            inner = events._loop  # noqa: SLF001
            handle = None
            for event in events:
                if event.type == "connection":
                    handle = gateway.submit_order("ETH/USD", "buy", "0.1")
                if event.type == "order" and handle and event.order.id == handle.id:
                    break
            assert event.event == "ORDER_CREATED"
    # The client stops its event loops and leaves them open, which would be reported as a leak.
    for each in (loop, inner):
        each.close()


async def test_resuming(server: Server) -> None:
    """With the id of the last event seen in the URL, all later ones come, and only they."""
    async with events_of(stream(server, "?types=order")) as events:
        await anext(events)
        await order(server)
        seen = (await until(events, "ORDER_CREATED"))[-1]
    id_ = await order(server)
    async with events_of(stream(server, f"?types=order&after={seen.event_id}")) as events:
        heard = [await anext(events) for _ in range(4)]
    assert [event.event for event in heard[:2]] == ["CONNECTED", "ORDER_FILLED"]
    assert heard[1].order.id == seen.order.id
    assert [event.order.id for event in heard[2:]] == [id_, id_]


async def test_a_server_that_is_killed(fleet: Fleet) -> None:
    """The client comes back by itself, and what was acknowledged before the end is told."""
    server = fleet.launch("stream-kill", options=FUNDS)
    async with events_of(stream(server, "?types=order&after=0")) as events:
        await anext(events)
        id_ = await order(server)
        await until(events, "ORDER_FILLED")
        await asyncio.to_thread(server.restart)
        back = await until(events, "ORDER_FILLED")
        assert [event.event for event in back] == ["CONNECTED", "ORDER_CREATED", "ORDER_FILLED"]
        assert back[-1].order.id == id_
        later = await order(server)
        assert (await until(events, "ORDER_FILLED"))[-1].order.id == later


async def test_a_server_that_stops(fleet: Fleet) -> None:
    """The client is told before the connection ends."""
    server = fleet.launch("stream-stop", options=FUNDS)
    async with events_of(stream(server, "?types=order", reconnect=False)) as events:
        await anext(events)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert [event.event for event in await until(events, "DISCONNECTING")] == ["DISCONNECTING"]
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        await stopping


async def test_a_bad_key(fleet: Fleet) -> None:
    """The client gives up at once: a key that is refused now is refused for ever."""
    keys = ",".join(f"{account}:{key}" for account, key in KEYS.items())
    server = fleet.launch("stream-keys", options=FUNDS | {"API_KEYS": keys})
    with pytest.raises(InvalidStatus) as refused:
        async with events_of(stream(server, api_key="not-one-of-the-keys")):
            pass
    assert refused.value.response.status_code == 401
    async with events_of(stream(server, api_key=KEYS["alice"])) as events:
        assert (await anext(events)).event == "CONNECTED"


async def test_the_readme(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The program of the README follows the stream."""
    readme = Path(__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("this installation has no README")
    _, _, rest = readme.read_text("utf-8").partition("## The event stream")
    program = rest.partition("```python\n")[2].partition("```")[0]
    program = program.replace("localhost:8080", f"127.0.0.1:{server.port}")
    names: dict[str, Any] = {}
    exec(program.replace("asyncio.run(follow())", ""), names)  # noqa: S102
    await order(server)
    following = asyncio.create_task(names["follow"]())
    printed = ""
    async with asyncio.timeout(PATIENCE):
        while "trade" not in printed:
            await asyncio.sleep(0.05)
            printed += capsys.readouterr().out
    following.cancel()
    assert printed.startswith("connection None CONNECTED\norder ")

"""A kill at any moment loses nothing that was acknowledged and applies nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from contract_tests.laboratory import killing
from contract_tests.laboratory.fleet import FUNDS, Connect, Fleet
from contract_tests.laboratory.killing import Sent, Trader
from contract_tests.laboratory.servers import Server
from contract_tests.toolkit.chance import new_id
from contract_tests.toolkit.expect import eventually
from contract_tests.toolkit.fillings import too_large

ROUNDS = 2
TRADERS = 6
DEPOSITS = Decimal(FUNDS["PAPER_INITIAL_BALANCE"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many rounds as --kill-rounds or KILL_ROUNDS say."""
    if "kill_round" in metafunc.fixturenames:
        rounds = metafunc.config.getoption("--kill-rounds") or os.environ.get("KILL_ROUNDS", ROUNDS)
        metafunc.parametrize("kill_round", range(int(rounds)))


def test_kill_under_load(kill_round: int, fleet: Fleet, connect: Connect) -> None:
    """After a kill -9 amid orders, fills, changes and cancels the books still agree.

    Every other round has two worker processes, and each is killed at another moment.
    """
    workers = {"WORKERS": str(1 + kill_round % 2)}
    server = fleet.launch(f"killed-{kill_round}", options=FUNDS | workers)
    traders = [Trader(connect(server.url), kill_round * TRADERS + n) for n in range(TRADERS)]
    with ThreadPoolExecutor(TRADERS) as pool:
        futures = [pool.submit(trader.run) for trader in traders]
        enough = 60 + 37 * kill_round % 240
        eventually(
            lambda: sum(trader.acknowledged for trader in traders),
            lambda count: count >= enough or any(one.done() for one in futures),
            "enough requests are acknowledged",
            within=60,
        )
        server.kill()
        for future in futures:
            future.result()
    server.start()
    sent = [one for trader in traders for one in trader.sent]
    api = connect(server.url)
    killing.retry_unacknowledged(api, sent)
    killing.judge_orders(api, sent)
    killing.judge_uniqueness(api, sent)
    killing.judge_money(api, DEPOSITS)
    server.stop()


@pytest.fixture(scope="module")
def twins(fleet: Fleet) -> Iterator[tuple[Server, Server]]:
    """Two servers of one database."""
    first = fleet.launch("twin-a", options=FUNDS)
    second = fleet.launch("twin-b", options=FUNDS, database=first.database)
    yield first, second
    first.stop()
    second.stop()


def test_two_servers_share_a_database(twins: tuple[Server, Server], connect: Connect) -> None:
    """Two processes given the same client_order_id at once create one order, which fills once."""
    apis = [connect(server.url) for server in twins for _ in range(3)]
    sent: list[Sent] = []
    with ThreadPoolExecutor(len(apis)) as pool:
        for number in range(12):
            make: Any = apis[0].at_market if number % 2 else apis[0].limit
            body = make(client_order_id=new_id())
            answers = list(pool.map(lambda api, body=body: api.submit(body), apis))
            ids = {answer.ok(201)["id"] for answer in answers}
            assert len(ids) == 1
            firsts = [one for one in answers if "idempotent-replayed" not in one.headers]
            assert len(firsts) == 1
            sent.append(Sent(body, order_id=ids.pop()))
    for one in sent[1::2]:
        apis[-1].settled(str(one.order_id))
    killing.judge_orders(apis[-1], sent)
    killing.judge_uniqueness(apis[-1], sent)
    killing.judge_money(apis[-1], DEPOSITS)


def test_other_twin_takes_over(twins: tuple[Server, Server], connect: Connect) -> None:
    """Of two servers of one database one dies; the other goes on filling what rests."""
    first, second = twins
    api = connect(second.url)
    # More than the quote shows: the rest can only fill when somebody drives the market clock.
    order = api.place(api.at_market(quantity=too_large(api.quote())))
    first.kill()
    eventually(
        lambda: api.order(order["id"])["status"],
        lambda status: status == "FILLED",
        "the rest of the order fills",
        within=60,
    )
    api.clean_up()

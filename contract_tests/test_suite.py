"""The suite itself: servers that answer nothing useful pass nothing, and exit codes tell why."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contract_tests import main
from contract_tests.api import Api, Body
from contract_tests.client import Answer, Client
from contract_tests.market import CANDIDATES, Quote
from contract_tests.requirements import checks
from contract_tests.requirements.orders import FEATURE_FIELDS
from contract_tests.runner import Outcome, Watcher, run_check
from contract_tests.servers import Server, free_port
from contract_tests.spec import operations, requirements
from contract_tests.traffic import Exchange

ERROR = b'{"code":"NOT_FOUND","message":"no","details":null}'
NULL_SERVERS = {
    "empty-object": (200, b"{}"),
    "empty-list": (200, b"[]"),
    "unauthorized": (401, ERROR),
    "not-found": (404, ERROR),
    "failing": (500, b"oops"),
    "not-json": (200, b"\x00\xff"),
}


@contextmanager
def null_server(status: int, body: bytes) -> Iterator[str]:
    """A server with one answer for everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two would wait for each other

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", NULL_SERVERS)
def test_null_servers_pass_nothing(name: str) -> None:
    """Not one requirement holds of a server that has one answer for everything."""
    offered = [one for one in checks() if not one.needs]
    with null_server(*NULL_SERVERS[name]) as url, Client(url, watch=Watcher()) as client:
        outcomes = {one.id: run_check(one, Api(client)).outcome for one in offered}
    assert [one for one, outcome in outcomes.items() if outcome is Outcome.PASSED] == []


class Fake(Api):
    """A server that declares nothing optional and answers every order in one way."""

    def __init__(self, client: Client, order: tuple[int, dict[str, object]]) -> None:
        super().__init__(client)
        self.market.__dict__["capabilities"] = DECLARED
        self.market.__dict__["instruments"] = (CANDIDATES[0],)
        self._order = order

    def quote(self, symbol: str | None = None) -> Quote:
        """Always the same."""
        return Quote(symbol or "BTC/USD", Decimal(100), Decimal(101), None, None, "now")

    def submit(self, body: Body, **_: Any) -> Answer:
        """Features are answered as was said, an order without any is accepted."""
        asked = [name for name, field in FEATURE_FIELDS.items() if field.items() <= body.items()]
        status, answer = self._order if asked else (201, {"id": "x", "status": "OPEN"})
        if status == 501 and answer == {}:
            answer = ERROR_501 | {"details": {"feature": asked[0]}}
        return Answer(
            Exchange(
                method="POST",
                url="http://fake/orders",
                operation=operations()["submit_order"],
                sent_headers={},
                sent_body=b"",
                status=status,
                headers={"content-type": "application/json"},
                body=json.dumps(answer).encode(),
                seconds=0.0,
            )
        )


DECLARED = {"supported_order_types": ["LIMIT"], "features": [], "position_mode": "NETTING"}
ERROR_501: dict[str, object] = {"code": "UNSUPPORTED_OPERATION", "message": "no"}


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        ((501, {}), Outcome.PASSED),
        ((501, ERROR_501 | {"details": {"feature": "all"}}), Outcome.FAILED),
        ((201, {"id": "x", "status": "OPEN"}), Outcome.FAILED),
        ((400, ERROR_501 | {"details": None}), Outcome.FAILED),
    ],
)
def test_undeclared_features(order: tuple[int, dict[str, object]], outcome: Outcome) -> None:
    """A server that ignores what it does not declare, or names something else, is found out."""
    (check,) = (one for one in checks() if one.requirement == "ORD-026")
    with Client("http://fake") as client:
        assert run_check(check, Fake(client, order)).outcome is outcome


def run_command(*arguments: str) -> int:
    """The exit status of trading-conformance."""
    with pytest.raises(SystemExit) as done:
        main.main(arguments)
    assert isinstance(done.value.code, int)
    return done.value.code


def test_conformant_server_exits_0(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """What was judged holds: 0, and a line for every requirement."""
    assert run_command("run", server.url, "--only", "ORD-004", "--only", "gen-013") == 0
    printed = capsys.readouterr().out
    assert "ORD-004  MUST    passed" in printed
    assert "CONFORMANT in all that was judged" in printed


def test_failure_exits_1_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    """What a MUST asks does not hold: 1, with its sentence, what was expected, and the request."""
    with null_server(404, ERROR) as url:
        assert run_command("run", url, "--only", "GEN-002", "--only", "SYS-002") == 1
    printed = capsys.readouterr().out
    for part in (requirements()["SYS-002"].text, "expected: 200", "actual:   404", "GET http"):
        assert part in printed


def test_nothing_exercised_is_not_conformant(server: Server) -> None:
    """A run that judged nothing is never green."""
    assert run_command("run", server.url, "--only", "AUT-004") == 1


def test_wrong_usage_exits_2() -> None:
    """An id that the spec does not have: 2."""
    assert run_command("run", "http://127.0.0.1:1", "--only", "NOPE-001") == 2
    assert run_command("explain", "NOPE-001") == 2


def test_unreachable_server_exits_3() -> None:
    """Nobody listens: 3."""
    assert run_command("run", f"http://127.0.0.1:{free_port()}") == 3


def test_secrets_are_struck_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A key given as a header is in no report."""
    with null_server(404, ERROR) as url:
        header = "Authorization: Bearer very-secret"
        assert run_command("run", url, "-H", header, "--only", "SYS-002") == 1
    assert "very-secret" not in capsys.readouterr().out


def test_list_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """Every requirement is listed, and each can be explained."""
    assert run_command("list") == 0
    listed = capsys.readouterr().out
    for requirement_id in requirements():
        assert requirement_id in listed
        assert run_command("explain", requirement_id) == 0
    assert "needs" in capsys.readouterr().out

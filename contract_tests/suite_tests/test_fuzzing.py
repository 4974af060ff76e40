"""The stage of generated requests: harmless to a server, silent about a conformant one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from contract_tests.fuzzing.stage import Fuzzed, fuzz
from contract_tests.laboratory.fleet import Fleet
from contract_tests.laboratory.servers import Server, free_port

SECONDS = 270.0
"""Enough for all requests on a machine that does many other things too; few use a tenth of it."""

KEY = {"Authorization": "Bearer key-of-the-stage"}
X_API_KEY = {"X-API-Key": "key-of-the-stage"}


@dataclass(frozen=True)
class Passing:
    """A request on its way to the server, or the answer on its way back (`status` is set)."""

    method: str
    path: str
    query: str
    body: bytes
    status: int = 0

    def json(self) -> Any:
        """The body; None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Change = Callable[[Passing], Passing]


class Handler(BaseHTTPRequestHandler):
    """Passes on what comes, with the key."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for each other
    server: Proxy

    def answer(self) -> None:
        """Change the request; unless that answers it, pass it on and change the answer."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path, _, query = self.path.partition("?")
        passing = self.server.change(Passing(self.command, path, query, body))
        headers = httpx.Headers({"content-type": "application/json"})
        if not passing.status:
            real = self._real(passing)
            headers = real.headers
            passing = replace(passing, status=real.status_code, body=real.content)
            passing = self.server.change(passing)
        self.send_response(passing.status)
        for name, value in headers.multi_items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(passing.body)))
        self.end_headers()
        self.wfile.write(passing.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def _real(self, passing: Passing) -> httpx.Response:
        url = f"{self.server.target}{passing.path}" + (f"?{passing.query}" if passing.query else "")
        headers = {k: v for k, v in self.headers.items() if k.lower() in PASSED_ON} | KEY
        return self.server.http.request(passing.method, url, content=passing.body, headers=headers)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Proxy(ThreadingHTTPServer):
    """Closes the connection, without a word, where the real server gives no answer."""

    daemon_threads = False  # awaited at the end: none may use the client after it is closed

    def __init__(self, target: str, change: Change, http: httpx.Client) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target
        self.change = change
        self.http = http

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def in_front_of(server: Server, change: Change) -> Iterator[str]:
    """A server that passes everything on, and changes what it likes on the way."""
    with (
        httpx.Client(trust_env=False, timeout=10) as http,
        Proxy(server.url, change, http) as proxy,
    ):
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()
            thread.join()


PASSED_ON = {"content-type", "x-request-id", "accept"}
"""Headers of requests; others concern the connection, or are keys that httpx cannot send."""


def run(
    url: str,
    *,
    fills: bool = False,
    timeout: float = 10,
    headers: Mapping[str, str] = KEY,
) -> Fuzzed:
    """Fuzz a server with the key."""
    options: dict[str, Any] = {"seconds": SECONDS, "allow_fills": fills, "timeout": timeout}
    return fuzz(url, headers, seed=1, examples=3, **options)


@pytest.fixture(scope="module")
def target(fleet: Fleet) -> Server:
    """A server that nothing else uses, so that what it holds afterwards is what was left."""
    return fleet.launch("stage", options={"API_KEYS": "stage:key-of-the-stage"})


def ask(server: Server, method: str, path: str, body: object = None) -> Any:
    """What the server answers now."""
    return httpx.request(method, server.url + path, json=body, headers=KEY, trust_env=False).json()


LIMIT = {"side": "BUY", "order_type": "LIMIT", "symbol": "AAPL", "quantity": "1"}


@pytest.mark.slow
def test_conformant_server_is_left_as_it_was(target: Server) -> None:
    """Nothing is found, nothing trades, and the orders that are left are those from before."""
    mine = ask(target, "POST", "/orders", LIMIT | {"limit_price": "1.00"})["id"]
    found = run(target.url)
    assert ([], True) == (found.findings, found.complete)
    assert {"submit_order", "get_order", "modify_order", "cancel_order"} <= found.operations.keys()
    assert "cancel_all_orders" not in found.operations
    assert [mine] == [one["id"] for one in ask(target, "GET", "/orders")]
    assert [] == ask(target, "GET", "/trades")
    ask(target, "DELETE", f"/orders/{mine}")


@pytest.mark.slow
def test_fills_leave_no_position(target: Server) -> None:
    """With fills allowed orders trade, in small quantities, and what they opened is closed."""
    assert [] == run(target.url, fills=True, headers=X_API_KEY).findings
    sizes = {float(one["quantity"]) for one in ask(target, "GET", "/trades?limit=1000")}
    assert 0 < max(sizes) <= 10_000
    assert [] == ask(target, "GET", "/positions")
    assert [] == ask(target, "GET", "/orders")


class Broken:
    """Wrong in many ways, each at a place of its own, and besides it asks nobody for a key."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._hung = 0

    def __call__(self, passing: Passing) -> Passing:
        """Twice it does not answer before all is over."""
        if passing.path == "/positions" and passing.query and self._hung < 2:
            self._hung += 1
            self.over.wait(60)
        return changed(passing)


def changed(passing: Passing) -> Passing:
    """The request without its limit, the answer with a fault."""
    body = passing.json()
    match passing.method, passing.path, passing.status:
        case "GET", "/trades", 0:
            query = "&".join(one for one in passing.query.split("&") if "limit" not in one)
            passing = replace(passing, query=query)
        case "PUT", "/account", 0:
            passing = replace(passing, status=200, body=b"{}")
        case "GET", "/status", 200:
            passing = replace(passing, status=418)
        case "GET", "/account", 200:
            passing = replace(passing, body=json.dumps(body | {"equity": "1"}).encode())
        case "GET", "/orders/history", 200:
            passing = replace(passing, body=json.dumps(body[::-1]).encode())
    return passing


@pytest.fixture(scope="module")
def found(target: Server) -> Fuzzed:
    """What a run finds of a server that is broken."""
    broken = Broken()
    with in_front_of(target, broken) as url:
        found = run(url, timeout=5)
        broken.over.set()
    return found


@pytest.mark.slow
def test_findings_name_what_is_broken(found: Fuzzed) -> None:
    """Each fault of a server is found under the requirement that it breaks."""
    named = {(one["requirement"], urlsplit(one["exchange"]["url"]).path) for one in found.findings}
    assert {
        ("LST-009", "/trades"),
        ("GEN-014", "/account"),
        ("GEN-024", "/status"),
        ("ACC-002", "/account"),
        ("LST-006", "/orders/history"),
    } <= named
    assert "AUT-001" in {one["requirement"] for one in found.findings}
    assert "key-of-the-stage" not in json.dumps(found.findings)


@pytest.mark.slow
def test_hanging_operation_is_a_finding(found: Fuzzed) -> None:
    """A target that does not answer a request is told so, with the request, and the stage ends."""
    assert found.complete
    silent = [one for one in found.findings if one["exchange"]["status"] is None]
    assert {"GEN-024"} == {one["requirement"] for one in silent}
    assert {"/positions"} == {urlsplit(one["exchange"]["url"]).path for one in silent}


@pytest.mark.slow
def test_dying_target_is_a_finding(fleet: Fleet) -> None:
    """A target that is gone when the stage ends is told so, and what was sent is not lost."""
    server = fleet.launch("dying")

    def die(passing: Passing) -> Passing:
        if passing.method == "POST" and passing.status == 0:
            server.kill()
        return passing

    with in_front_of(server, die) as url:
        found = run(url)
    assert "SYS-002" in {one["requirement"] for one in found.findings}
    assert found.cases > 0


def test_target_that_never_was_is_a_finding() -> None:
    """Where nobody listens there is one finding, at once."""
    found = run(f"http://127.0.0.1:{free_port()}")
    assert ["SYS-002"] == [one["requirement"] for one in found.findings]
    assert found.seconds < SECONDS / 4

"""What is asked and what answers: two requests, and a provider that has the answers ready.

The provider costs nothing, so what is measured is the way of a request through the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from providers.base import Submission
from providers.models import OrderHandle, OrderRequest, OrderStatus, Quote

KEY = "bench-0123456789abcdef0123456789abcdef"
API_KEYS = f"bench:{KEY}"

ORDER = (
    b'{"symbol":"AAPL","side":"BUY","quantity":"100","order_type":"LIMIT","limit_price":"150.00",'
    b'"time_in_force":"GTC","client_order_id":"bench-order-1"}'
)


@dataclass(frozen=True)
class Request:
    """One request, and the status that shows it was served and not refused."""

    name: str
    method: str
    path: str
    body: bytes
    status: int

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What a usual client sends."""
        body = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
        ]
        return [
            (b"host", b"127.0.0.1:8080"),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"connection", b"keep-alive"),
            (b"user-agent", b"bench/1.0"),
            (b"authorization", f"Bearer {KEY}".encode()),
            *(body if self.body else []),
        ]

    @property
    def raw(self) -> bytes:
        """The request as HTTP/1.1 has it."""
        lines = [f"{self.method} {self.path} HTTP/1.1".encode()]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join([*lines, b"", b""]) + self.body


POST_ORDERS = Request("POST /orders", "POST", "/orders", ORDER, 201)
GET_QUOTE = Request("GET /quotes/{symbol}", "GET", "/quotes/AAPL", b"", 200)
REQUESTS = (GET_QUOTE, POST_ORDERS)


class ConstantProvider:
    """As much of a provider as the two requests need."""

    name = "constant"

    def __init__(self) -> None:
        handle = OrderHandle(
            id="ord_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d",
            status=OrderStatus.OPEN,
            client_order_id="bench-order-1",
        )
        self._submission = Submission(handle)
        self._quote = Quote(
            symbol="AAPL",
            provider="constant",
            bid=Decimal("150.20"),
            bid_size=Decimal(100),
            ask=Decimal("150.25"),
            ask_size=Decimal(200),
            last=Decimal("150.22"),
            timestamp=datetime(2025, 1, 15, 10, 30, 0, 123000, UTC),
        )

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def submit_order(self, account: str, request: OrderRequest) -> Submission:  # noqa: ARG002
        return self._submission

    async def get_quote(self, symbol: str) -> Quote:  # noqa: ARG002
        return self._quote

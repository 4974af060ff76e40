"""A load generator: connections that each send the next request when the last is answered.

Raw sockets and no parser beyond what counting needs, so that one core can keep a server busy.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Outcome:
    """What came back, and how long each answer took, in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, percent: int) -> float:
        """Milliseconds within which `percent` of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[len(ordered) * percent // 100] * 1000


class Connection(asyncio.Protocol):
    """Sends what `requests` yields, one at a time, until it ends."""

    def __init__(self, requests: Iterator[bytes], outcome: Outcome) -> None:
        self._requests = requests
        self._outcome = outcome
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(rest) < content_length(head):
            return
        self._buffer = b""
        self._outcome.latencies.append(time.perf_counter() - self._sent)
        self._outcome.statuses[int(head[9:12])] += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            if error:
                self.done.set_exception(error)
            else:
                self.done.set_result(None)


def content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length: ") + 16
    return int(lowered[start:].split(b"\r\n", 1)[0])


async def run(
    port: int, make_request: Callable[[int], bytes], *, connections: int, seconds: float
) -> Outcome:
    """Loads 127.0.0.1:`port` for so long; `make_request` gives the request of a connection."""
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    start = time.perf_counter()

    def requests(number: int) -> Iterator[bytes]:
        while time.perf_counter() < start + seconds:
            yield make_request(number)

    made = [
        await loop.create_connection(
            lambda number=number: Connection(requests(number), outcome),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        for number in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    outcome.seconds = time.perf_counter() - start
    return outcome

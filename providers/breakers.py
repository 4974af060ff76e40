"""Circuit breakers: a venue that keeps failing is sent no new orders for a while.

Each process has its own: it counts what it has seen fail itself. Times are seconds of a monotonic
clock, also in a backtest, since what a breaker guards is a real connection.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from providers.errors import ProviderUnavailable, RateLimited
from providers.models import CircuitBreaker as Snapshot
from providers.models import CircuitBreakers as Snapshots
from providers.models import CircuitState, OrderRequest

Monotonic = Callable[[], float]
"""Returns seconds that never run backwards."""

THRESHOLD: Final = 10
WINDOW_SECONDS: Final = 60.0
RESET_SECONDS: Final = 300
"""What GET /circuit-breakers and POST /circuit-breakers/reset in openapi.yaml promise."""


class CircuitBreaker:
    """Open while at least `THRESHOLD` failures lie within the last `WINDOW_SECONDS`.

    As the oldest leaves the window one call is let through, and either fails, which opens it again,
    or does not.
    """

    def __init__(self, name: str, now: Monotonic) -> None:
        self._name = name
        self._now = now
        self._failures: deque[float] = deque(maxlen=THRESHOLD)

    def record(self) -> None:
        """A call has failed."""
        self._failures.append(self._now())

    def forget(self) -> None:
        self._failures.clear()

    @property
    def failure_count(self) -> int:
        """Failures within the window, counted up to the threshold."""
        while self._failures and self._now() - self._failures[0] >= WINDOW_SECONDS:
            self._failures.popleft()
        return len(self._failures)

    @property
    def is_open(self) -> bool:
        return self.failure_count >= THRESHOLD

    def admit(self) -> None:
        """Raises ProviderUnavailable while it is open, with the time until it may close."""
        if self.is_open:
            left = self._failures[0] + WINDOW_SECONDS - self._now()
            message = f"The circuit breaker {self._name} is open: the venue has failed too often"
            raise ProviderUnavailable(message, retry_after=max(1, math.ceil(left)))

    def snapshot(self) -> Snapshot:
        count = self.failure_count
        state = CircuitState.OPEN if count >= THRESHOLD else CircuitState.CLOSED
        return Snapshot(failure_count=count, state=state)


class CircuitBreakers:
    """Both breakers of a provider, which records the failures; the API asks before an order.

    A provider that reaches no venue has nothing to record, and its breakers stay closed.
    """

    def __init__(self, now: Monotonic = time.monotonic) -> None:
        self.adapter = CircuitBreaker("adapter", now)
        self.exit_order = CircuitBreaker("exit_order", now)
        self._now = now
        self._may_reset_at = -math.inf

    def admit(self, request: OrderRequest) -> None:
        """Raises ProviderUnavailable for an order that must not go to the venue now."""
        if not request.reduce_only:
            self.adapter.admit()
        if request.stop_loss is not None or request.take_profit is not None:
            self.exit_order.admit()

    def reset(self) -> None:
        """Close both. Raises RateLimited where that is tried too often to close open ones."""
        if self.adapter.is_open or self.exit_order.is_open:
            self._note_reset()
        self.adapter.forget()
        self.exit_order.forget()

    def _note_reset(self) -> None:
        left = self._may_reset_at - self._now()
        if left > 0:
            message = "The circuit breakers were reset a short while ago"
            raise RateLimited(message, retry_after=math.ceil(left))
        self._may_reset_at = self._now() + RESET_SECONDS

    def snapshot(self) -> Snapshots:
        return Snapshots(adapter=self.adapter.snapshot(), exit_order=self.exit_order.snapshot())

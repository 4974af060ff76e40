"""Circuit breakers: when they open, what they hold back, and how they close."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from providers.breakers import RESET_SECONDS, THRESHOLD, WINDOW_SECONDS, CircuitBreakers
from providers.errors import ProviderUnavailable, RateLimited
from providers.models import CircuitState, OrderRequest, OrderType, Side


class Seconds:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def breakers(seconds: Seconds) -> CircuitBreakers:
    return CircuitBreakers(seconds)


def order(**changes: Any) -> OrderRequest:
    plain = {"symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(1)}
    return OrderRequest(**{**plain, "order_type": OrderType.MARKET, **changes})


def trip(breakers: CircuitBreakers, name: str = "adapter") -> None:
    for _ in range(THRESHOLD):
        getattr(breakers, name).record()


def test_opens_at_the_threshold(breakers: CircuitBreakers) -> None:
    """One failure fewer than the threshold lets orders through; the next holds them back."""
    for _ in range(THRESHOLD - 1):
        breakers.adapter.record()
    breakers.admit(order())
    breakers.adapter.record()
    with pytest.raises(ProviderUnavailable, match="circuit breaker adapter is open"):
        breakers.admit(order())
    shown = breakers.snapshot().adapter
    assert (THRESHOLD, CircuitState.OPEN) == (shown.failure_count, shown.state)


def test_says_when_it_may_close(breakers: CircuitBreakers, seconds: Seconds) -> None:
    """Retry-After is what the oldest failure has left of the window, rounded up."""
    trip(breakers)
    seconds.now += WINDOW_SECONDS - 10.5
    with pytest.raises(ProviderUnavailable) as refused:
        breakers.admit(order())
    assert 11 == refused.value.retry_after


def test_closes_as_failures_grow_old(breakers: CircuitBreakers, seconds: Seconds) -> None:
    """A failure counts for the window; as the oldest is out one call may try, and fail again."""
    breakers.adapter.record()
    seconds.now += 1
    for _ in range(THRESHOLD - 1):
        breakers.adapter.record()
    seconds.now += WINDOW_SECONDS - 1
    breakers.admit(order())
    breakers.adapter.record()
    with pytest.raises(ProviderUnavailable):
        breakers.admit(order())
    seconds.now += WINDOW_SECONDS
    assert 0 == breakers.snapshot().adapter.failure_count


def test_more_failures_keep_it_open_longer(breakers: CircuitBreakers, seconds: Seconds) -> None:
    """What fails while it is open, such as a read, counts too."""
    trip(breakers)
    seconds.now += WINDOW_SECONDS / 2
    trip(breakers)
    seconds.now += WINDOW_SECONDS / 2
    assert breakers.adapter.is_open


def test_orders_that_only_reduce_pass(breakers: CircuitBreakers) -> None:
    """Who wants to get out may try."""
    trip(breakers)
    breakers.admit(order(reduce_only=True))


@pytest.mark.parametrize("exit_", ["stop_loss", "take_profit"])
def test_orders_with_exits(breakers: CircuitBreakers, exit_: str) -> None:
    """Where exits cannot be placed, orders that bring some wait, and others do not."""
    trip(breakers, "exit_order")
    breakers.admit(order())
    with pytest.raises(ProviderUnavailable, match="circuit breaker exit_order is open"):
        breakers.admit(order(**{exit_: Decimal(1)}))


def test_reset_closes_both(breakers: CircuitBreakers) -> None:
    """Nothing is counted any more."""
    trip(breakers)
    trip(breakers, "exit_order")
    breakers.reset()
    breakers.admit(order(stop_loss=Decimal(1)))
    shown = breakers.snapshot()
    assert (0, 0) == (shown.adapter.failure_count, shown.exit_order.failure_count)


def test_resets_of_closed_breakers_are_free(breakers: CircuitBreakers) -> None:
    """They may be repeated, and none makes the next that closes something wait."""
    breakers.reset()
    breakers.reset()
    trip(breakers)
    breakers.reset()
    breakers.reset()
    assert not breakers.adapter.is_open


def test_resets_of_open_breakers_have_to_wait(breakers: CircuitBreakers, seconds: Seconds) -> None:
    """A second one within the time is refused and changes nothing; after it, it closes."""
    trip(breakers)
    breakers.reset()
    seconds.now += RESET_SECONDS - WINDOW_SECONDS / 2
    trip(breakers)
    with pytest.raises(RateLimited) as refused:
        breakers.reset()
    assert WINDOW_SECONDS / 2 == refused.value.retry_after
    assert breakers.adapter.is_open
    seconds.now += WINDOW_SECONDS / 2 - 1e-3
    with pytest.raises(RateLimited):
        breakers.reset()
    seconds.now += 1e-3
    trip(breakers)
    breakers.reset()
    assert not breakers.adapter.is_open

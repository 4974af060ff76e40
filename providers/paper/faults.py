"""A provider that fails on purpose, so that a client can be tried against every failure."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from providers.breakers import CircuitBreaker, CircuitBreakers
from providers.errors import (
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UnsupportedOperation,
)
from providers.paper.settings import Fault


class FaultyProvider:
    """Answers every call with one fault; `crash` raises an error that nobody handles.

    It counts faults of a venue in its circuit breakers, as the provider of a real one does. Faults
    of the server itself, rate_limited and crash, keep also the breakers from being asked.
    """

    name = "paper"

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._breakers = CircuitBreakers()

    @property
    def breakers(self) -> CircuitBreakers:
        if self._fault in (Fault.RATE_LIMITED, Fault.CRASH):
            raise self._error()
        return self._breakers

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def _fail(self, *_: object) -> NoReturn:
        self._count(self._breakers.adapter)
        raise self._error()

    async def modify_position(self, *_: object) -> NoReturn:
        """Exits that cannot be placed."""
        self._count(self._breakers.exit_order)
        await self._fail()

    def _count(self, breaker: CircuitBreaker) -> None:
        if self._fault in (Fault.UNAVAILABLE, Fault.PROVIDER_ERROR):
            breaker.record()

    def _error(self) -> Exception:
        match self._fault:
            case Fault.UNAVAILABLE:
                return ProviderUnavailable("The paper exchange was told to be unavailable")
            case Fault.RATE_LIMITED:
                return RateLimited("The paper exchange was told to limit requests", retry_after=1)
            case Fault.PROVIDER_ERROR:
                return ProviderError("The paper exchange was told to answer nonsense")
            case Fault.UNSUPPORTED:
                return UnsupportedOperation("every operation")
        return RuntimeError("The paper exchange was told to crash")

    submit_order = list_orders = list_order_history = get_order = modify_order = _fail
    cancel_order = cancel_all_orders = list_positions = get_position = close_position = _fail
    close_all_positions = list_trades = get_account = get_quote = get_bars = _fail
    get_capabilities = get_status = subscribe = acknowledge = _fail

    def now(self) -> datetime:
        raise self._error()

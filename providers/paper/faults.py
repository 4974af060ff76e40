"""A provider that fails on purpose, so that a client can be tried against every failure."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from providers.errors import (
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    UnsupportedOperation,
)
from providers.paper.settings import Fault


class FaultyProvider:
    """Answers every call with one fault; `crash` raises an error that nobody handles."""

    name = "paper"

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def _fail(self, *_: object) -> NoReturn:
        raise self._error()

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
    get_capabilities = get_status = modify_position = subscribe = acknowledge = _fail

    def now(self) -> datetime:
        raise self._error()

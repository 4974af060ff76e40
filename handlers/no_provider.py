"""What stands in where no provider is configured (`--provider none`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NoReturn

from providers.breakers import CircuitBreakers
from providers.errors import ProviderUnavailable

NAME = "none"


class NoProvider:
    """Refuses every trading call; the server is alive and not ready."""

    name = NAME

    def __init__(self) -> None:
        self.breakers = CircuitBreakers()

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def _refuse(self, *_: object) -> NoReturn:
        raise ProviderUnavailable("No provider is configured", retry_after=30)

    submit_order = list_orders = list_order_history = get_order = modify_order = _refuse
    cancel_order = cancel_all_orders = list_positions = get_position = close_position = _refuse
    close_all_positions = list_trades = get_account = get_quote = get_bars = _refuse
    get_capabilities = get_status = modify_position = subscribe = acknowledge = _refuse

    def now(self) -> datetime:
        return datetime.now(UTC)

"""The exchange that fails on purpose."""

from __future__ import annotations

import inspect

import pytest

from providers.base import Provider
from providers.errors import (
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    TradingError,
    UnsupportedOperation,
)
from providers.paper.faults import FaultyProvider
from providers.paper.settings import Fault

FAULTS: dict[Fault, type[Exception]] = {
    Fault.UNAVAILABLE: ProviderUnavailable,
    Fault.RATE_LIMITED: RateLimited,
    Fault.PROVIDER_ERROR: ProviderError,
    Fault.UNSUPPORTED: UnsupportedOperation,
    Fault.CRASH: RuntimeError,
}
SAYS = {Fault.UNSUPPORTED: "every operation"}
OPERATIONS = sorted(
    name
    for name, _ in inspect.getmembers(Provider, inspect.isfunction)
    if not name.startswith("_") and name not in ("start", "stop")
)


def test_every_fault_is_tried() -> None:
    """The table has every fault that can be set."""
    assert set(Fault) - {Fault.NONE} == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_operation_fails(fault: Fault) -> None:
    """Whatever is asked, the answer is the fault that was set; starting and stopping work."""
    provider: Provider = FaultyProvider(fault)
    await provider.start()
    for operation in OPERATIONS:
        parameters = inspect.signature(getattr(Provider, operation)).parameters
        with pytest.raises(FAULTS[fault], match=SAYS.get(fault, "was told to")):
            await getattr(provider, operation)(*[None] * (len(parameters) - 1))
    await provider.stop()
    assert 21 == len(OPERATIONS)


async def test_faults_say_when_to_come_back() -> None:
    """Where trying again makes sense, the error says after how many seconds."""
    with pytest.raises(ProviderUnavailable) as unavailable:
        await FaultyProvider(Fault.UNAVAILABLE).get_status()
    with pytest.raises(RateLimited) as limited:
        await FaultyProvider(Fault.RATE_LIMITED).get_status()
    assert (1, 1) == (unavailable.value.retry_after, limited.value.retry_after)


@pytest.mark.parametrize(
    ("fault", "counted"),
    [(Fault.UNAVAILABLE, 2), (Fault.PROVIDER_ERROR, 2), (Fault.UNSUPPORTED, 0)],
)
async def test_faults_of_a_venue_are_counted(fault: Fault, counted: int) -> None:
    """A venue that fails is counted, its exits apart; one that lacks a feature has not failed."""
    provider = FaultyProvider(fault)
    for failing in (provider.get_status, provider.modify_position):
        with pytest.raises(TradingError):
            await failing()
    shown = provider.breakers.snapshot()
    assert (counted, counted // 2) == (
        shown.adapter.failure_count,
        shown.exit_order.failure_count,
    )


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.CRASH])
def test_faults_of_the_server_itself(fault: Fault) -> None:
    """They befall the question for the breakers too."""
    with pytest.raises(FAULTS[fault]):
        _ = FaultyProvider(fault).breakers

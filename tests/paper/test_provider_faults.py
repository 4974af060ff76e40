"""The exchange that fails on purpose."""

from __future__ import annotations

import inspect

import pytest

from providers.base import Provider
from providers.errors import (
    ProviderError,
    ProviderUnavailable,
    RateLimited,
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

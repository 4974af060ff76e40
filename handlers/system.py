"""Tag System: what the provider can do, and whether it and this server are up."""

from __future__ import annotations

from handlers.no_provider import NAME as NO_PROVIDER
from handlers.replies import Call, Reply
from providers.models import (
    Capabilities,
    CircuitBreakers,
    ConnectionStatus,
    Health,
    HealthStatus,
    Readiness,
)


async def get_capabilities(call: Call) -> Capabilities:
    return await call.provider.get_capabilities()


async def get_status(call: Call) -> ConnectionStatus:
    return await call.provider.get_status()


async def get_circuit_breakers(call: Call) -> CircuitBreakers:
    return call.provider.breakers.snapshot()


async def reset_circuit_breakers(call: Call) -> CircuitBreakers:
    call.provider.breakers.reset()
    return call.provider.breakers.snapshot()


async def get_health(call: Call) -> Health:  # noqa: ARG001  # every handler takes the call
    """Liveness: this process answers. It asks no provider."""
    return Health(status=HealthStatus.OK)


async def get_ready(call: Call) -> Reply:
    """Readiness: a provider is configured."""
    name = call.provider.name
    if name == NO_PROVIDER:
        message = "No providers configured"
        body = Readiness(ready=False, providers=[], provider_count=0, message=message)
        return Reply(body, 503, ((b"retry-after", b"30"),))
    return Reply({"ready": True, "providers": [name], "provider_count": 1})


get_livez = get_health
get_readyz = get_ready

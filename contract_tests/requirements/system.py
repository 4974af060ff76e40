"""Capabilities, connection status and probes."""

from __future__ import annotations

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.expect import equal, that


@requirement("CAP-001")
def capabilities_say_what_works(api: Api) -> None:
    """The answer follows its schema and lists at least one class and one order type, each once."""
    declared = api.get("/capabilities").ok()
    for name in ("supported_asset_classes", "supported_order_types"):
        that(bool(declared[name]), name, expected="at least one", actual=declared[name])
    for name in ("supported_asset_classes", "supported_order_types", "features"):
        equal(len(set(declared[name])), len(declared[name]), f"{name} without repeats")


@requirement("CAP-002")
def listed_order_types_are_accepted(api: Api) -> None:
    """An order of every listed type that can rest is accepted, as that type."""
    for kind, body in api.bodies().items():
        equal(api.place(body)["order_type"], kind, "order_type")


@requirement("CAP-002", needs="fills")
def listed_market_type_is_accepted(api: Api) -> None:
    """A MARKET order is accepted where the type is listed."""
    equal(api.place(api.at_market())["order_type"], "MARKET", "order_type")


@requirement("SYS-001")
def status_tells_of_the_connection(api: Api) -> None:
    """A connected provider has a latency and a heartbeat."""
    status = api.get("/status").ok()
    equal(status["connected"], True, "connected, while quotes are answered")
    for name in ("latency_ms", "last_heartbeat"):
        that(status.get(name) is not None, name, expected="a value", actual=None)


@requirement("SYS-002")
def health_is_ok(api: Api) -> None:
    """GET /health answers status ok."""
    equal(api.get("/health").ok()["status"], "ok", "status")


@requirement("SYS-005")
def livez_is_health(api: Api) -> None:
    """Both answer status ok."""
    for path in ("/livez", "/health"):
        equal(api.get(path).ok()["status"], "ok", f"status of {path}")


@requirement("SYS-002", needs="no_provider")
def health_needs_no_provider(api: Api) -> None:
    """GET /health answers status ok without a provider too, where trading answers 503."""
    bare = api.lab.without_provider()
    equal(bare.get("/health").ok()["status"], "ok", "status")
    bare.get("/account").refused(503)


@requirement("SYS-003")
def ready_names_its_providers(api: Api) -> None:
    """A ready server counts and names its providers."""
    body = api.get("/ready").ok()
    equal(body["ready"], True, "ready")
    equal(body["provider_count"], len(body["providers"]), "provider_count")
    that(body["provider_count"] > 0, "provider_count", expected="above 0", actual=body)


@requirement("SYS-006")
def readyz_is_ready(api: Api) -> None:
    """Both are ready and name the same providers."""
    equal(_shown(api.get("/readyz").ok()), _shown(api.get("/ready").ok()), "the body of /readyz")


def _shown(body: Body) -> Body:
    return {name: body[name] for name in ("ready", "providers", "provider_count")}


@requirement("SYS-006", needs="no_provider")
def readyz_is_not_ready_either(api: Api) -> None:
    """Without a provider both answer the same 503; with one both are 200."""
    bare = api.lab.without_provider()
    aliased, named = bare.get("/readyz").ok(503), bare.get("/ready").ok(503)
    equal(_shown(aliased), _shown(named), "the body of /readyz")
    api.get("/readyz").ok()


@requirement("SYS-004", needs="no_provider")
def not_ready_without_a_provider(api: Api) -> None:
    """Without a provider /ready is 503 and says why; with one it is 200."""
    answer = api.lab.without_provider().get("/ready")
    body = answer.ok(503)
    equal((body["ready"], body["providers"], body["provider_count"]), (False, [], 0), "the body")
    answer.that(bool(body.get("message")), "a message", body)
    api.get("/ready").ok()

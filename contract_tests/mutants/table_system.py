"""Wrong access, capabilities and probes."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from contract_tests.laboratory.fleet import KEYS
from contract_tests.mutants.kit import (
    Answers,
    answer,
    ask,
    instead,
    row,
)
from contract_tests.mutants.messages import (
    Forward,
    Mutation,
    Request,
    Response,
    failing,
)
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.stage import On

TABLE: Final = Table()
add = TABLE.add

# -- AUT: who may ask ---

VALID: Final = f"Bearer {KEYS['alice']}"


def unauthorized(*operations: str) -> Answers:
    """Refusals for want of a key."""
    return answer(*operations, status=401)


def admitting(condition: Any, *operations: str) -> Mutation:
    """Requests refused for want of a key that meet a condition are let in."""
    refused = answer(*operations, status=401).where

    def mutation(request: Request, forward: Forward) -> Response:
        response = forward(request)
        if refused(request, response) and condition(request):
            return forward(request.with_headers({"authorization": VALID}))
        return response

    return mutation


def without_key(request: Request) -> bool:
    """Whether a request brings no key at all."""
    return not {"authorization", "x-api-key"} & set(request.headers)


add("AUT-001", "no key is as good as any", lambda: admitting(without_key), on=On.KEYS)
add(
    "AUT-001",
    "a wrong key is as good as any",
    lambda: admitting(lambda request: "x-api-key" in request.headers),
    on=On.KEYS,
)
add(
    "AUT-001",
    "Basic credentials let in",
    lambda: admitting(lambda request: request.headers.get("authorization", "").startswith("Basic")),
    on=On.KEYS,
)
add("AUT-001", "quotes need no key", lambda: admitting(lambda _: True, "get_quote"), on=On.KEYS)
add(
    "AUT-001",
    "cancelling all needs no key",
    lambda: admitting(lambda _: True, "cancel_all_orders"),
    on=On.KEYS,
)
add("AUT-001", "without a key 403 is answered", lambda: unauthorized().status(403), on=On.KEYS)
add(
    "AUT-001",
    "401 has no WWW-Authenticate",
    lambda: unauthorized().without("WWW-Authenticate"),
    on=On.KEYS,
)
add("AUT-001", "401 has another code", lambda: unauthorized().code("NOT_FOUND"), on=On.KEYS)


def only_header(name: str) -> Mutation:
    """One of the two headers is not looked at."""
    return ask(lambda request: request.with_headers({name: None}))


add("AUT-002", "X-API-Key is not looked at", lambda: only_header("x-api-key"), on=On.KEYS)
add(
    "AUT-002",
    "Bearer is not looked at",
    lambda: only_header("authorization"),
    on=On.KEYS,
)


def header_first(request: Request) -> Request:
    """Where both are there, X-API-Key decides."""
    both = {"authorization", "x-api-key"} <= set(request.headers)
    return request.with_headers({"authorization": None}) if both else request


add("AUT-002", "X-API-Key is judged first", lambda: ask(header_first), on=On.KEYS)


add(
    "AUT-003",
    "readiness needs a key",
    lambda: instead(
        lambda request: request.names("get_ready", "get_readyz") and not_let_in(request),
        lambda _: failing(401, "UNAUTHORIZED"),
    ),
    on=On.KEYS,
)
add(
    "AUT-003",
    "a wrong key at /livez is refused",
    lambda: instead(
        lambda request: request.names("get_livez") and "authorization" in request.headers,
        lambda _: failing(401, "UNAUTHORIZED"),
    ),
    on=On.KEYS,
)


def not_let_in(request: Request) -> bool:
    """Whether a request is without one of the keys."""
    given = request.headers.get("authorization", "") + request.headers.get("x-api-key", "")
    return not any(key in given for key in KEYS.values())


def as_alice(request: Request) -> Request:
    """The request in the name of the first account."""
    return request.with_headers({"x-api-key": KEYS["alice"], "authorization": None})


def leaking(*operations: str) -> Mutation:
    """What an account does not have itself is looked for in another one."""
    missing = answer(*operations, status=404).where

    def mutation(request: Request, forward: Forward) -> Response:
        response = forward(request)
        if missing(request, response) and request.headers.get("x-api-key") == KEYS["bob"]:
            return forward(as_alice(request))
        return response

    return mutation


def shared(*operations: str) -> Mutation:
    """All accounts are answered what the first one is."""
    return ask(
        lambda request: (
            as_alice(request) if request.headers.get("x-api-key") == KEYS["bob"] else request
        ),
        *operations,
    )


for operation in ("get_order", "modify_order", "cancel_order", "get_position", "close_position"):
    add(
        "AUT-004",
        f"{operation} reaches into other accounts",
        partial(leaking, operation),
        on=On.KEYS,
    )
for operation in (
    "list_orders",
    "get_order_history",
    "list_trades",
    "get_account",
    "cancel_all_orders",
    "close_all_positions",
):
    add(
        "AUT-004",
        f"{operation} is the same for all accounts",
        partial(shared, operation),
        on=On.KEYS,
    )
add(
    "AUT-004",
    "another account's order answers 403",
    lambda: answer("get_order", status=404).status(403),
    on=On.KEYS,
)


class OneBook:
    """One account has used a client_order_id, so another one cannot."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[str | None, Response]] = {}

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Answer an order whose client_order_id another account has used as a repeat."""
        given = request.fields.get("client_order_id")
        if not (request.names("submit_order") and given):
            return forward(request)
        account = request.headers.get("x-api-key")
        owner, first = self._used.get(given, (account, None))
        if first is not None and owner != account:
            return first
        response = forward(request)
        if response.status == 201:
            self._used.setdefault(given, (account, response))
        return response


add("AUT-004", "client ids are shared by all accounts", OneBook, on=On.KEYS)

# -- CAP, SYS ---


def declares(**changes: Any) -> Answers:
    """Capabilities with members made of those there are."""
    return answer("get_capabilities").body(
        lambda body: body | {name: make(body[name]) for name, make in changes.items()}
    )


add("CAP-001", "features are listed twice", lambda: declares(features=lambda found: found * 2))
add("CAP-001", "no asset class is listed", lambda: declares(supported_asset_classes=lambda _: []))
add(
    "CAP-001",
    "capabilities tell no position mode",
    lambda: answer("get_capabilities").dropping("position_mode"),
)
add(
    "CAP-001",
    "order types are listed in small letters",
    lambda: declares(supported_order_types=lambda found: [one.lower() for one in found]),
)


def refusing_type(order_type: str) -> Mutation:
    """Orders of a type are refused."""
    return instead(
        lambda request: request.fields.get("order_type") == order_type,
        lambda _: failing(501, "UNSUPPORTED_OPERATION", feature=order_type),
    )


add("CAP-002", "STOP orders are listed and refused", lambda: refusing_type("STOP"))
add("CAP-002", "trailing stops are listed and refused", lambda: refusing_type("TRAILING_STOP"))
add("CAP-002", "MARKET orders are listed and refused", lambda: refusing_type("MARKET"))


def declares_less(request: Request, forward: Forward) -> Response:
    """A server that is right: it declares no hidden orders, and refuses them by that name."""
    if request.fields.get("hidden"):
        return failing(501, "UNSUPPORTED_OPERATION", feature="hidden_orders")
    undeclared = declares(features=lambda found: [one for one in found if one != "hidden_orders"])
    return undeclared(request, forward)


add(
    "ORD-026",
    "a feature that is not declared is accepted",
    lambda: declares(features=lambda found: [one for one in found if one != "hidden_orders"]),
)
add(
    "ORD-026",
    "a feature that is not declared is refused as something else",
    lambda: row(
        declares(features=lambda found: [one for one in found if one != "post_only"]),
        instead(
            lambda request: request.fields.get("post_only") is True,
            lambda _: failing(501, "UNSUPPORTED_OPERATION", feature="orders"),
        ),
    ),
)
add(
    "ORD-026",
    "a feature that is not declared is refused with 400",
    lambda: row(
        declares(features=lambda found: [one for one in found if one != "oco"]),
        instead(
            lambda request: bool(request.fields.get("oco_group_id")),
            lambda _: failing(400, "INVALID_REQUEST", field="oco_group_id"),
        ),
    ),
)
add(
    "SYS-001",
    "a connected provider has no latency",
    lambda: answer("get_status").with_members(latency_ms=None),
)
add(
    "SYS-001",
    "a connected provider has no heartbeat",
    lambda: answer("get_status").dropping("last_heartbeat"),
)
add(
    "SYS-001",
    "status is never connected",
    lambda: answer("get_status").with_members(connected=False),
)
add("SYS-002", "health is UP", lambda: answer("get_health").body(lambda _: {"status": "UP"}))
add("SYS-005", "livez answers an empty object", lambda: answer("get_livez").body(lambda _: {}))
add(
    "SYS-002",
    "health needs a provider",
    lambda: healthy_with_provider,
    on=On.NO_PROVIDER,
)


def healthy_with_provider(request: Request, forward: Forward) -> Response:
    """Health is what readiness is."""
    response = forward(request)
    ready = forward(request.asking("GET", "/ready")).status if request.names("get_health") else 200
    return response if ready == 200 else failing(503, "PROVIDER_UNAVAILABLE")


def ready(status: int = 200) -> Answers:
    """Readiness, with or without a provider."""
    return answer("get_ready", "get_readyz", status=status)


add(
    "SYS-003",
    "ready counts one provider too many",
    lambda: ready().body(lambda body: body | {"provider_count": body["provider_count"] + 1}),
)
add(
    "SYS-003",
    "ready names no provider",
    lambda: ready().with_members(providers=[], provider_count=0),
)
add("SYS-003", "ready is false though it is", lambda: ready().with_members(ready=False))
add("SYS-006", "the alias of ready answers 204", lambda: answer("get_readyz").status(204).text(b""))
add(
    "SYS-004",
    "without a provider it is ready",
    lambda: ready(503).status(200),
    on=On.NO_PROVIDER,
)
add(
    "SYS-004",
    "without a provider ready is true",
    lambda: ready(503).with_members(ready=True),
    on=On.NO_PROVIDER,
)
add(
    "SYS-004",
    "without a provider no message says so",
    lambda: ready(503).dropping("message"),
    on=On.NO_PROVIDER,
)
add(
    "SYS-004",
    "without a provider readiness is an error",
    lambda: ready(503).then(lambda *_: failing(503, "PROVIDER_UNAVAILABLE")),
    on=On.NO_PROVIDER,
)
add("SYS-005", "there is no livez", lambda: answer("get_livez").status(404))
add(
    "SYS-006",
    "the alias of ready names no provider",
    lambda: answer("get_readyz").with_members(providers=[]),
)

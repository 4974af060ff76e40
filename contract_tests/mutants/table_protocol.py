"""Wrong shapes, headers and statuses, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from contract_tests.mutants.kit import (
    REFUSAL,
    SUCCESS,
    Answers,
    answer,
    ask,
    each,
    forgiving,
    instead,
    member,
    setting,
    when,
)
from contract_tests.mutants.messages import (
    Forward,
    Mutation,
    Request,
    Response,
    answering,
    failing,
)
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.stage import On

TABLE: Final = Table()
add = TABLE.add

# -- GEN-001, GEN-002: what every answer looks like ---

add(
    "GEN-001",
    "successes claim to be text",
    lambda: answer().header("Content-Type", "text/plain; charset=utf-8"),
)
add(
    "GEN-001",
    "a cancelled order answers a body with a comma too many",
    lambda: answer("cancel_order").then(
        lambda _, found: replace(found, body=found.body[:-1] + b",}")
    ),
)
add("GEN-001", "an accepted change answers no body", lambda: answer("modify_order").text(b""))
add(
    "GEN-002",
    "errors are problem+json",
    lambda: answer(status=REFUSAL).body(
        lambda body: {"title": body["code"], "detail": body["message"], "status": 400}
    ),
)
add("GEN-002", "errors have no details", lambda: answer(status=REFUSAL).dropping("details"))
add(
    "GEN-025",
    "unknown paths answer plain text",
    lambda: answer(status=404, code="NOT_FOUND").text(b"Not Found"),
)
add(
    "GEN-002",
    "invalid requests answer a list of complaints",
    lambda: answer(status=400).body(lambda body: {"detail": [body["message"]]}),
)
add(
    "GEN-025",
    "methods not allowed answer an empty body",
    lambda: answer(status=405).text(b""),
)


# -- GEN-013 to GEN-016: what is refused before it is understood ---

add(
    "GEN-013",
    "unknown paths answer an empty object",
    lambda: answer(status=404, code="NOT_FOUND").then(lambda *_: answering(200, {})),
)
add(
    "GEN-013",
    "unknown paths are an ORDER_NOT_FOUND",
    lambda: answer(status=404, code="NOT_FOUND").code("ORDER_NOT_FOUND"),
)
add("GEN-014", "405 has no Allow", lambda: answer(status=405).without("Allow"))
add("GEN-014", "Allow lists GET alone", lambda: answer(status=405).header("Allow", "GET"))
add(
    "GEN-014",
    "methods not allowed answer 404",
    lambda: answer(status=405).status(404).code("NOT_FOUND"),
)
add(
    "GEN-015",
    "large bodies answer 400",
    lambda: answer(status=413).status(400).code("INVALID_REQUEST"),
)
add(
    "GEN-015",
    "large bodies in chunks are read",
    lambda: forgiving(
        lambda request: (
            replace(request, body=request.body.replace(b" ", b""), chunked=False)
            if request.chunked
            else request
        ),
        status=413,
    ),
)
add(
    "GEN-016",
    "any media type is read as JSON",
    lambda: forgiving(
        lambda request: request.with_headers({"content-type": "application/json"}), status=415
    ),
)
add(
    "GEN-016",
    "any media type is read as JSON in changes",
    lambda: forgiving(
        lambda request: request.with_headers({"content-type": "application/json"}),
        "modify_order",
        status=415,
    ),
)
add(
    "GEN-016",
    "other media types answer 400",
    lambda: answer(status=415).status(400).code("INVALID_REQUEST"),
)
add(
    "GEN-016",
    "a charset is too much",
    lambda: instead(
        lambda request: "charset" in request.headers.get("content-type", ""),
        lambda _: failing(415, "UNSUPPORTED_MEDIA_TYPE"),
    ),
)


# -- GEN-017, GEN-018 ---

add(
    "GEN-017",
    "no answer has an id",
    lambda: answer(status=SUCCESS | REFUSAL).without("X-Request-Id"),
)
add("GEN-017", "errors have no id", lambda: answer(status=REFUSAL).without("X-Request-Id"))
add(
    "GEN-017",
    "a quote has no id",
    lambda: answer("get_quote").without("X-Request-Id"),
)
add(
    "GEN-017",
    "the id of the request is not kept",
    lambda: ask(lambda request: request.with_headers({"x-request-id": None})),
)
add(
    "GEN-017",
    "all answers have the same id",
    lambda: ask(
        lambda request: request.with_headers(
            {"x-request-id": request.headers.get("x-request-id", "the-same")}
        )
    ),
)


def on_refusal(method: str, target: str, *operations: str, status: int = 400) -> Mutation:
    """A refused request does something all the same."""

    def mutation(request: Request, forward: Forward) -> Response:
        response = forward(request)
        if request.names(*operations) and response.status == status:
            forward(request.asking(method, target))
        return response

    return mutation


add(
    "GEN-018",
    "a refused cancellation of all cancels all",
    lambda: on_refusal("DELETE", "/orders", "cancel_all_orders"),
)
add(
    "GEN-018",
    "cancelling an unknown order cancels another",
    lambda: on_refusal("DELETE", "/orders", "cancel_order", status=404),
)


def orders_anyway(request: Request, forward: Forward) -> Response:
    """A refused order is placed, with what was right of it."""
    response = forward(request)
    if request.names("submit_order") and response.status == 415:
        forward(request.with_headers({"content-type": "application/json"}))
    return response


add("GEN-018", "an order of the wrong media type is placed", lambda: orders_anyway)

# -- GEN-019: /v1 ---


def under_v1(path: str = "/") -> Callable[[Request], bool]:
    """Whether a request goes below a path under /v1."""
    return lambda request: request.path.startswith("/v1" + path)


add(
    "GEN-019",
    "there is no /v1",
    lambda: instead(under_v1(), lambda _: failing(404, "NOT_FOUND")),
)
add(
    "GEN-019",
    "there are no positions under /v1",
    lambda: instead(under_v1("/positions"), lambda _: failing(404, "NOT_FOUND")),
)
add(
    "GEN-019",
    "orders made under /v1 are nowhere else",
    lambda: instead(
        lambda request: (
            under_v1("/orders")(request) and request.fields.get("limit_price") != "1.00"
        ),
        lambda _: answering(201, {"id": "ord_elsewhere", "status": "OPEN"}),
    ),
)

# -- GEN-020, GEN-021: a provider that fails ---


def down(status: int = 503) -> Answers:
    """Answers while the provider is down."""
    return answer(status=status, code="PROVIDER_UNAVAILABLE")


add(
    "GEN-020",
    "a provider that is down is an internal error",
    lambda: down().status(500).code("INTERNAL_ERROR"),
    on=On.UNAVAILABLE,
)
add("GEN-020", "a provider that is down answers 502", lambda: down().status(502), on=On.UNAVAILABLE)
add(
    "GEN-027",
    "a provider that is down is a PROVIDER_ERROR",
    lambda: down().code("PROVIDER_ERROR"),
    on=On.UNAVAILABLE,
)
add(
    "GEN-020",
    "while the provider is down lists are empty",
    lambda: answer("list_orders", "list_positions", status=503).then(lambda *_: answering(200, [])),
    on=On.UNAVAILABLE,
)
add(
    "GEN-021",
    "503 does not say when to come back",
    lambda: answer(status=503).without("Retry-After"),
    on=On.UNAVAILABLE,
)
add(
    "GEN-021",
    "429 does not say when to come back",
    lambda: answer(status=429).without("Retry-After"),
    on=On.RATE_LIMITED,
)
add(
    "GEN-021",
    "Retry-After is a date",
    lambda: answer(status=503).header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"),
    on=On.UNAVAILABLE,
)
add(
    "GEN-021",
    "Retry-After has a fraction",
    lambda: answer(status=429).header("Retry-After", "1.5"),
    on=On.RATE_LIMITED,
)

# -- GEN-022 to GEN-024 ---


def scientific(value: str) -> str:
    """A decimal with an exponent, where it is small."""
    return f"{Decimal(value):E}" if 0 < abs(Decimal(value)) < Decimal("0.0001") else value


add(
    "GEN-022",
    "small prices are answered with an exponent",
    lambda: each("Order", member("limit_price", scientific)),
)
add(
    "GEN-022",
    "profits are answered with a plus sign",
    lambda: each("Account", member("equity", lambda value: "+" + value)),
)
add(
    "GEN-023",
    "a body needs a length",
    lambda: instead(
        lambda request: request.chunked, lambda _: failing(400, "INVALID_REQUEST", field=None)
    ),
)
add(
    "GEN-024",
    "an accepted order answers 202",
    lambda: answer("submit_order", status=201).status(202),
)
add(
    "GEN-024",
    "an unknown order answers 410",
    lambda: answer("get_order", status=404).status(410),
)
add(
    "GEN-024",
    "an order has a status of its own",
    lambda: each("Order", when(lambda one: one["status"] == "OPEN", setting(status="ACTIVE"))),
)
add(
    "GEN-024",
    "quantities of orders are numbers",
    lambda: each("Order", member("quantity", float)),
)
add(
    "GEN-024",
    "an account without currency",
    lambda: answer("get_account").dropping("currency"),
)
add(
    "GEN-024",
    "times have no offset",
    lambda: each("Order", member("created_at", lambda value: value[:19])),
)
add(
    "GEN-024",
    "lists come in an envelope",
    lambda: answer("list_positions").body(lambda body: {"items": body}),
)
add("GEN-024", "a flag is a number", lambda: each("Order", setting(reduce_only=0)))
add(
    "GEN-028",
    "an unknown order has a code of its own",
    lambda: answer("get_order", status=404).code("NO_SUCH_ORDER"),
)
add(
    "GEN-028",
    "a rejection has a reason of its own",
    lambda: answer("submit_order", status=422).detail("reject_reason", "BAD_LUCK"),
)
add(
    "GEN-028",
    "a feature of its own is declared",
    lambda: answer("get_capabilities").body(
        lambda body: body | {"features": [*body["features"], "time_travel"]}
    ),
)
add(
    "GEN-025",
    "other media types are refused without details",
    lambda: answer(status=415).dropping("details"),
)
add(
    "GEN-027",
    "a provider that is down has an order's code",
    lambda: down().code("ORDER_REJECTED"),
    on=On.UNAVAILABLE,
)

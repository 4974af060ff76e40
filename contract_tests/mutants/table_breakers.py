"""Circuit breakers that do not break, or do not close again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contract_tests.mutants.kit import Answers, answer, instead
from contract_tests.mutants.messages import (
    Body,
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

CLOSED: Final = {"failure_count": 0, "state": "closed"}
BOTH_CLOSED: Final = {"adapter": CLOSED, "exit_order": CLOSED}


def adapter(operation: str, **members: object) -> Answers:
    """Answers in which the adapter's breaker has other members."""
    return answer(operation).body(lambda body: body | {"adapter": body["adapter"] | members})


def twice(body: Body) -> Body:
    """Each failure of the adapter counts two."""
    return body | {
        "adapter": body["adapter"] | {"failure_count": 2 * body["adapter"]["failure_count"]}
    }


def is_open(forward: Forward, request: Request) -> bool:
    """Whether the server behind holds orders back."""
    found: Body = forward(request.asking("GET", "/circuit-breakers")).fields
    return bool(found["adapter"]["state"] == "open")


def blocking(concerned: Callable[[Request], bool]) -> Mutation:
    """Requests that must reach the venue are held back while the breaker is open."""

    def mutation(request: Request, forward: Forward) -> Response:
        if concerned(request) and is_open(forward, request):
            return failing(503, "PROVIDER_UNAVAILABLE").with_header("Retry-After", "30")
        return forward(request)

    return mutation


# -- SYS-007: an open breaker holds new orders back ---

add(
    "SYS-007",
    "a breaker is said to be open and orders are taken",
    lambda: adapter("get_circuit_breakers", state="open", failure_count=10),
)
add(
    "SYS-007",
    "an open breaker lets new orders through",
    lambda: answer("submit_order", status=503).then(lambda *_: failing(502, "PROVIDER_ERROR")),
    on=On.BREAKING,
)
add(
    "SYS-007",
    "an open breaker does not say when to come back",
    lambda: answer("submit_order", status=503).without("Retry-After"),
    on=On.BREAKING,
)
add(
    "SYS-007",
    "an open breaker answers that there are too many requests",
    lambda: answer("submit_order", status=503).then(
        lambda *_: failing(429, "RATE_LIMITED").with_header("Retry-After", "1")
    ),
    on=On.BREAKING,
)
add(
    "SYS-007",
    "an open breaker holds reduce-only orders back",
    lambda: blocking(lambda request: bool(request.fields.get("reduce_only"))),
    on=On.BREAKING,
)
add(
    "SYS-007",
    "an open breaker holds cancels back",
    lambda: blocking(lambda request: request.names("cancel_order")),
    on=On.BREAKING,
)

# -- SYS-008: failures are counted ---

add(
    "SYS-008",
    "no failure counts",
    lambda: adapter("get_circuit_breakers", failure_count=0),
    on=On.BREAKING,
)
add(
    "SYS-008",
    "a failure counts twice",
    lambda: answer("get_circuit_breakers").body(twice),
    on=On.BREAKING,
)
add(
    "SYS-008",
    "the breaker never opens",
    lambda: adapter("get_circuit_breakers", state="closed"),
    on=On.BREAKING,
)
add(
    "SYS-008",
    "failures are counted for the exits",
    lambda: answer("get_circuit_breakers").body(
        lambda body: {"adapter": body["exit_order"], "exit_order": body["adapter"]}
    ),
    on=On.BREAKING,
)

# -- SYS-009, SYS-010: a reset ---

add(
    "SYS-009",
    "a reset answers a failure",
    lambda: adapter("reset_circuit_breakers", failure_count=1),
)
add("SYS-009", "a reset opens", lambda: adapter("reset_circuit_breakers", state="open"))
add(
    "SYS-009",
    "a reset answers nothing",
    lambda: answer("reset_circuit_breakers").status(204).text(b""),
)
add(
    "SYS-009",
    "a reset forgets the breaker of the exits",
    lambda: answer("reset_circuit_breakers").body(
        lambda body: body | {"exit_order": {"failure_count": 3, "state": "closed"}}
    ),
)
add(
    "SYS-010",
    "a reset only says that it was one",
    lambda: instead(
        lambda request: request.names("reset_circuit_breakers"),
        lambda _: answering(200, BOTH_CLOSED),
    ),
    on=On.BREAKING,
)
add(
    "SYS-010",
    "a reset may follow at once upon another",
    lambda: answer("reset_circuit_breakers", status=429).then(
        lambda *_: answering(200, BOTH_CLOSED)
    ),
    on=On.BREAKING,
)
add(
    "SYS-010",
    "a reset that is too early does not say when it is time",
    lambda: answer("reset_circuit_breakers", status=429).without("Retry-After"),
    on=On.BREAKING,
)

"""Circuit breakers: a venue that keeps failing is sent no new orders."""

from __future__ import annotations

from typing import Any, Final

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import NotExercised, equal
from contract_tests.toolkit.samples import UNKNOWN_ORDER

PATH: Final = "/circuit-breakers"
RESET: Final = f"{PATH}/reset"
CLOSED: Final = (0, "closed")
MANY: Final = 1000
"""Calls that fail in a row: a breaker that lets more than this through guards nothing."""

ORDER: Final = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}


@requirement("SYS-007")
def open_breaker_holds_orders_back(api: Api) -> None:
    """Orders are taken while the breaker is closed, and held back while it is open."""
    if adapter(api)["state"] == "open":
        held_back(api.post("/orders", api.limit()))
    else:
        api.place(api.limit())


@requirement("SYS-007", needs="fault")
def open_breaker_lets_clients_out(api: Api) -> None:
    """While it is open a new order is held back; a cancel and a reduce-only order still try."""
    venue = api.lab.breaking()
    fail_until_open(venue)
    held_back(venue.client.send("POST", "/orders", json=ORDER))
    venue.client.send("POST", "/orders", json=ORDER | {"reduce_only": True}).refused(502)
    venue.delete(f"/orders/{UNKNOWN_ORDER}").refused(502)


@requirement("SYS-008", needs="fault")
def failures_are_counted(api: Api) -> None:
    """The first failure counts one, a good answer of this server none; many open the breaker."""
    venue = api.lab.breaking()
    equal(shown(adapter(venue)), CLOSED, "adapter, before any failure")
    venue.get("/health").ok()
    fail(venue)
    equal(shown(adapter(venue)), (1, "closed"), "adapter, after one failure")
    fail_until_open(venue)


@requirement("SYS-009")
def reset_closes_both(api: Api) -> None:
    """Breakers that are closed are reset to what they are: no failure counts."""
    before = api.get(PATH).ok()
    if any(breaker["state"] == "open" for breaker in before.values()):
        raise NotExercised("a breaker is open: to close it is for its operator")
    after = api.send("POST", RESET).ok()
    for name in ("adapter", "exit_order"):
        equal(shown(after[name]), CLOSED, name)


@requirement("SYS-010", needs="fault")
def reset_lets_orders_through(api: Api) -> None:
    """After a reset the venue is asked again; the next reset of open breakers has to wait."""
    venue = api.lab.breaking()
    fail_until_open(venue)
    after = venue.client.send("POST", RESET).ok()["adapter"]
    equal(shown(after), CLOSED, "adapter, as the reset answers it")
    equal(shown(adapter(venue)), CLOSED, "adapter, read after the reset")
    venue.client.send("POST", "/orders", json=ORDER).refused(502)
    fail_until_open(venue)
    again = venue.client.send("POST", RESET)
    again.refused(429, "RATE_LIMITED")
    again.that(int(again.headers.get("retry-after", 0)) > 0, "Retry-After", again.headers)
    equal(adapter(venue)["state"], "open", "the state after a reset that was refused")


def adapter(api: Api) -> Body:
    """The breaker between this server and the venue."""
    found: Body = api.get(PATH).ok()["adapter"]
    return found


def shown(breaker: Body) -> tuple[int, str]:
    """What a breaker says, without what a server may add."""
    return breaker["failure_count"], breaker["state"]


def fail(venue: Api) -> None:
    """Make one call that the venue fails."""
    venue.get("/account").refused(502)


def fail_until_open(venue: Api) -> None:
    """Let the venue fail until the breaker opens. Raises Failure where it never does."""
    found: Any = None
    for _ in range(MANY):
        found = adapter(venue)
        if found["state"] == "open":
            return
        fail(venue)
    equal(found, "open", f"adapter, after {MANY} failures")


def held_back(answer: Answer) -> None:
    """The order was not sent to the venue, and the answer says when to come back."""
    answer.refused(503, "PROVIDER_UNAVAILABLE")
    answer.that("retry-after" in answer.headers, "Retry-After is set", answer.headers)

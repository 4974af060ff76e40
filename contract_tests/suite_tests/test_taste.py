"""A server of another taste is conformant: what only we chose never fails a core MUST."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from contract_tests.laboratory.servers import Server
from contract_tests.mutants.messages import Body, Forward, Request, Response, answering
from contract_tests.mutants.proxy import proxied
from contract_tests.requirements import Check, checks
from contract_tests.running.checks import Outcome, Watcher, run
from contract_tests.spec import requirements
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import Client
from contract_tests.toolkit.lab import Lab
from contract_tests.toolkit.market import TERMINAL

LONGEST = 100
LISTS = ("list_orders", "get_order_history", "list_trades")
OURS = {"livez", "readyz"}
CORE = [
    check
    for check in checks()
    if requirements()[check.requirement].profile == "core" and check.needs <= {"fills"}
]


def other_taste(request: Request, forward: Forward) -> Response:
    """The paper server, as somebody would have written it who read the founding document only."""
    if request.last_segment in OURS or request.path.startswith("/v1/"):
        return Response(404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>")
    if request.names("modify_position"):
        return Response(405, {"Content-Type": "text/html"}, b"<h1>Not allowed</h1>")
    if request.names("modify_order") and not any(request.fields.values()):
        return refusal(400, "NOTHING_TO_DO")
    if request.names(*LISTS) and number(request.parameter("limit")) > LONGEST:
        return refusal(400, "TOO_MANY")
    return judged_otherwise(request, forward(request.with_headers({"x-request-id": None})))


def judged_otherwise(request: Request, response: Response) -> Response:
    """The same answer in other words."""
    response = response.with_header("X-Request-Id", None).with_header("Link", None)
    if response.header("Idempotent-Replayed"):
        return refusal(409, "TAKEN")
    if request.names("cancel_order") and response.fields.get("success") is False:
        return refusal(409, "ENDED")
    if response.status >= 400 and not request.names("get_ready"):
        return refusal(response.status, str(response.fields["code"]), response.error)
    if request.names("list_orders") and response.status < 400:
        kept = [one for one in response.json if one["status"] not in TERMINAL]
        response = response.with_json(kept)
    return response.with_json(worded(response.json))


def refusal(status: int, code: str, said: Body | None = None) -> Response:
    """An error with codes and details of its own; those of unknown orders are the document's."""
    details = {"because": (said or {}).get("reason")}
    if code == "ORDER_NOT_FOUND":
        details |= {"resource": "order", "id": (said or {}).get("id")}
    else:
        code = f"E_{code}"
    body = {"code": code, "message": "no", "details": details}
    return answering(status, body).with_header("X-Request-Id", None)


def worded(thing: Any) -> Any:
    """Objects with a member more and none that is null, times of whole seconds, oldest first."""
    if isinstance(thing, list):
        return [worded(one) for one in thing]
    if isinstance(thing, dict):
        members = {name: worded(value) for name, value in thing.items() if value is not None}
        if "features" in members:
            members["features"] = [*members["features"], "weather"]
        return members | {"remark": "of its own"}
    if isinstance(thing, str):
        return re.sub(r"(T\d\d:\d\d:\d\d)\.\d+Z$", r"\1Z", thing)
    return thing


def number(text: str | None) -> int:
    """What a parameter says; 0 where it is no number."""
    return int(text) if text and text.isdigit() else 0


class Fills(Lab):
    """Lets orders trade."""

    offers = frozenset({"fills"})


@pytest.fixture(scope="module")
def watcher() -> Watcher:
    """Looks at the traffic of this module only."""
    return Watcher()


@pytest.fixture(scope="module")
def tasteful(server: Server, watcher: Watcher) -> Iterator[Api]:
    """The main server behind a proxy that words it otherwise."""
    with proxied(server.url) as proxy, Client(proxy.url, watch=watcher) as client:
        proxy.mutation = other_taste
        yield Api(client, lab=Fills())


@pytest.mark.slow
@pytest.mark.parametrize("check", CORE, ids=lambda check: check.id)
def test_core_holds_whatever_the_taste(check: Check, tasteful: Api, watcher: Watcher) -> None:
    """Every core check passes, and no other core requirement breaks by the way."""
    results = list(run([check], tasteful, watcher))
    assert results[0].outcome in {Outcome.PASSED, Outcome.NOT_DECLARED}, results[0].render()
    broken = [one.render() for one in results[1:] if one.requirement.profile == "core"]
    assert broken == []


@pytest.mark.slow
def test_taste_is_told(tasteful: Api, watcher: Watcher) -> None:
    """What that server does otherwise is seen: the requirements of our own choice fail."""
    ours = {"ORD-028", "MOD-011", "MOD-012", "POS-008", "SYS-005", "IDM-007", "GEN-028", "LST-013"}
    wanted = [check for check in checks() if check.requirement in ours and not check.needs]
    failed = {one.requirement.id for one in run(wanted, tasteful, watcher) if one.failure}
    assert ours - failed == set()

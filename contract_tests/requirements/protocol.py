"""Shapes, headers and statuses that hold whatever is asked."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote as percent

from contract_tests.requirements import requirement
from contract_tests.spec import (
    VERSION_PREFIX,
    documented_methods,
    operations,
    response_errors,
    strange_values,
)
from contract_tests.toolkit.api import MOST, Api, Body
from contract_tests.toolkit.client import NOTHING, Answer
from contract_tests.toolkit.expect import NotExercised, dec, equal, plain, that
from contract_tests.toolkit.market import UNKNOWN_SYMBOL, quote_path
from contract_tests.toolkit.refusals import unaffordable
from contract_tests.toolkit.sameness import described
from contract_tests.toolkit.samples import UNKNOWN_ORDER, UNKNOWN_POSITION, Sample, samples, send

BODY_SIZES = (1 << 20, 1 << 23, 1 << 26)
"""Bytes of the bodies tried until one is too large: 1, 8 and 64 MiB."""


@requirement("GEN-001")
def success_is_json(api: Api) -> None:
    """Every operation that changes something, and every one that reads, succeeds in JSON."""
    symbol = percent(api.market.instrument.symbol, safe="")
    for sample in _core(symbol):
        if sample.operation.method == "GET" and "_id}" not in sample.operation.path:
            send(api, sample).ok()
    order = api.place(api.limit())
    double = plain(dec(order["quantity"]) * 2)
    api.patch(f"/orders/{order['id']}", {"quantity": double}).ok()
    api.delete(f"/orders/{order['id']}").ok()


def _core(symbol: str) -> list[Sample]:
    """The samples of all operations that every conformant server has."""
    return [one for one in samples(symbol) + samples(public=True) if one.operation.core]


@requirement("GEN-002")
def errors_are_code_message_details(api: Api) -> None:
    """Errors of the validator and of the business look the same, whoever asked for what."""
    symbol = percent(api.market.instrument.symbol, safe="")
    answers = [
        api.post("/orders", {}),
        api.get(f"/orders/{UNKNOWN_ORDER}"),
        api.delete(f"/orders/{UNKNOWN_ORDER}"),
        api.get(f"/positions/{UNKNOWN_POSITION}"),
        api.get(quote_path(UNKNOWN_SYMBOL)),
        api.get(f"/bars/{symbol}"),
    ]
    for answer in answers:
        answer.that(answer.status >= 400, "a refusal", answer.status)
        answer.error()
    api.get("/orders").ok()


@requirement("GEN-025")
def errors_of_the_router_look_the_same(api: Api) -> None:
    """Unknown paths and methods are refused in the shape of every other error; so are others."""
    for answer in (api.get("/no/such/path"), api.send("PUT", "/orders")):
        answer.that(answer.status >= 400, "a refusal", answer.status)
        answer.error()
    other = api.submit(api.limit(), headers={"Content-Type": "text/plain"})
    if other.status >= 400:
        other.error()
    api.get("/orders").ok()


@requirement("GEN-028")
def listed_values_are_documented(api: Api) -> None:
    """Capabilities and errors hold no other codes, features and classes than those listed."""
    for answer in (
        api.get("/capabilities"),
        api.post("/orders", {}),
        api.get(f"/orders/{UNKNOWN_ORDER}"),
        api.get(quote_path(UNKNOWN_SYMBOL)),
    ):
        _is_closed(answer)
    api.accept(api.limit())


def _is_closed(answer: Answer) -> None:
    operation = answer.exchange.operation
    if operation is not None:
        strange = strange_values(operation, answer.status, answer.body)
        answer.that(not strange, f"the values of {operation} {answer.status} are listed", strange)


@requirement("GEN-024")
def answers_are_as_documented(api: Api) -> None:
    """Every operation, asked as the document says, answers a listed status and in its schema."""
    symbol = percent(api.market.instrument.symbol, safe="")
    for sample in _core(symbol):
        answer = send(api, sample)
        operation, status = sample.operation, answer.status
        that(
            status in operation.statuses,
            "the status",
            expected=operation.statuses,
            actual=status,
            exchange=answer.exchange,
        )
        errors = response_errors(operation, status, answer.body) if status < 400 else []
        answer.that(not errors, f"the body of {operation} {status} follows its schema", errors)


@requirement("GEN-013")
def unknown_path_is_not_found(api: Api) -> None:
    """A path that the spec does not have answers 404 NOT_FOUND."""
    for path in ("/no-such-path", "/order", "/account/history"):
        api.get(path).refused(404, "NOT_FOUND")
    api.get("/account").ok()


@requirement("GEN-014")
def unknown_method_is_405_with_allow(api: Api) -> None:
    """PUT, which no path has, answers 405 and Allow lists all that the path has."""
    symbol = percent(api.market.instrument.symbol, safe="")
    for operation in operations().values():
        sample = Sample.of(operation, symbol)
        answer = api.send("PUT", sample.path)
        answer.refused(405, "METHOD_NOT_ALLOWED")
        allowed = set(re.split(r"\s*,\s*", answer.headers.get("allow", "").upper()))
        missing = documented_methods(operation.path) - allowed
        answer.that(not missing, f"Allow of {operation.path} lists all its methods", missing)


@requirement("GEN-014")
def method_of_another_path_is_405(api: Api) -> None:
    """A method that other paths have is refused where this path lacks it."""
    api.post("/account", {}).refused(405, "METHOD_NOT_ALLOWED")
    api.patch("/orders", {}).refused(405, "METHOD_NOT_ALLOWED")
    api.get("/account").ok()


@requirement("GEN-015")
def oversized_body_is_413(api: Api) -> None:
    """Some size is too large, announced by Content-Length or not."""
    size = _refused_size(api)
    padded = _padded(api, size)
    chunks = (padded[at : at + 65536] for at in range(0, len(padded), 65536))
    headers = {"Content-Type": "application/json"}
    answer = api.send("POST", "/orders", content=chunks, headers=headers)
    answer.refused(413, "PAYLOAD_TOO_LARGE")
    api.accept(api.limit())


def _refused_size(api: Api) -> int:
    headers = {"Content-Type": "application/json"}
    for size in BODY_SIZES[:-1]:
        answer = api.send("POST", "/orders", content=_padded(api, size), headers=headers)
        if answer.status == 413:
            answer.refused(413, "PAYLOAD_TOO_LARGE")
            return size
    answer = api.send("POST", "/orders", content=_padded(api, BODY_SIZES[-1]), headers=headers)
    answer.refused(413, "PAYLOAD_TOO_LARGE")
    return BODY_SIZES[-1]


def _padded(api: Api, size: int) -> bytes:
    """A body that would be valid but for its length: JSON ignores white space."""
    body = f'{{"symbol": "{api.market.instrument.symbol}"'.encode()
    return body + b" " * (size - len(body) - 1) + b"}"


@requirement("GEN-016")
def other_media_types_are_415(api: Api) -> None:
    """The same bytes are accepted as application/json only, with or without a charset."""
    body = api.limit()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = api.submit(body, headers={"Content-Type": media_type})
        answer.refused(415, "UNSUPPORTED_MEDIA_TYPE")
    order = api.rest()
    answer = api.patch(f"/orders/{order['id']}", {}, headers={"Content-Type": "text/plain"})
    answer.refused(415, "UNSUPPORTED_MEDIA_TYPE")
    for media_type in ("application/json", "application/json; charset=utf-8"):
        api.accept(api.limit(), headers={"Content-Type": media_type})


@requirement("GEN-017")
def request_id_is_echoed(api: Api) -> None:
    """Successes and errors carry an X-Request-Id; the client's own comes back."""
    mine = {"X-Request-Id": "conformance-1"}
    for path in ("/health", "/account", "/no/such/path", f"/orders/{UNKNOWN_ORDER}"):
        named = api.get(path, headers=mine)
        equal(
            named.headers.get("x-request-id"), mine["X-Request-Id"], "X-Request-Id", named.exchange
        )
        ids = [api.get(path).headers.get("x-request-id") for _ in range(2)]
        that(all(ids) and ids[0] != ids[1], "each has its own", expected="two ids", actual=ids)


@requirement("GEN-018")
def refused_request_changes_nothing(api: Api) -> None:
    """After each refusal, orders, positions, trades and balance are what they were."""
    order = api.rest()
    path = f"/orders/{order['id']}"
    refused = 0
    for method, target, query, body, headers in _refusable(api, path):
        before = _state(api)
        answer = api.send(method, target, query, json=body, headers=headers)
        if answer.status >= 400:
            refused += 1
            equal(_state(api), before, "the account after a refused request", answer.exchange)
    if not refused:
        raise NotExercised("the server refuses nothing")
    before = _state(api)
    api.delete(path).ok()
    that(_state(api) != before, "an accepted request shows", expected="a change", actual="none")


def _refusable(api: Api, path: str) -> list[tuple[str, str, Body, object, Body]]:
    """Requests that a strict server refuses; what a lenient one accepts is judged elsewhere."""
    strange, nobody = {"colour": "red"}, {"symbol": UNKNOWN_SYMBOL}
    return [
        ("POST", "/orders", {}, api.limit(side="HOLD"), {}),
        ("POST", "/orders", {}, unaffordable(api), {}),
        ("POST", "/orders", {}, api.limit() | nobody, {}),
        ("POST", "/orders", {}, api.limit(), {"Content-Type": "text/plain"}),
        ("PATCH", path, {}, {"quantity": "cheap"}, {}),
        ("PATCH", path, {}, {"quantity": "0"}, {}),
        ("PATCH", path, {}, {"quantity": api.market.instrument.amount} | strange, {}),
        ("DELETE", f"/orders/{UNKNOWN_ORDER}", {}, NOTHING, {}),
        # For the symbol of nobody: what ignores unknown parameters must not cancel everything.
        ("DELETE", "/orders", nobody | strange, NOTHING, {}),
    ]


def _state(api: Api) -> dict[str, Any]:
    held = api.get("/positions").ok()
    return {
        "orders": [described(one) for one in api.orders(limit=MOST)],
        "positions": [(one["id"], one["side"], one["quantity"]) for one in held],
        "trades": api.get("/trades", {"limit": 1}).ok(),
        "balance": api.account()["balance"],
    }


@requirement("GEN-019")
def every_path_is_served_under_v1(api: Api) -> None:
    """The same requests under /v1 answer the same statuses, and about the same account."""
    if api.client.base_url.endswith(VERSION_PREFIX):
        raise NotExercised("the URL given ends in /v1 already")
    symbol = percent(api.market.instrument.symbol, safe="")
    for sample in samples(symbol) + samples(public=True):
        bare = send(api, sample)
        operation, path = sample.operation, VERSION_PREFIX + sample.path
        prefixed = api.send(operation.method, path, sample.query, json=sample.json)
        equal(prefixed.status, bare.status, f"the status of {path}", prefixed.exchange)
    order = api.post(VERSION_PREFIX + "/orders", api.limit()).ok(201)
    equal(api.order(order["id"])["id"], order["id"], "an order made under /v1, read without it")


@requirement("GEN-020", needs="fault")
def unavailable_provider_is_503(api: Api) -> None:
    """With the provider down every operation that needs it answers 503, and none otherwise."""
    down = api.lab.faulty("unavailable")
    for sample in (one for one in samples() if one.operation.core):
        send(down, sample).refused(503)
        healthy = send(api, sample)
        healthy.that(healthy.status < 500, "the same request with a provider", healthy.status)


def documenting(status: int) -> list[Sample]:
    """Samples of the operations that document a status: what has no 503 needs no provider."""
    return [one for one in samples() if status in one.operation.statuses]


@requirement("GEN-027", needs="fault")
def unavailable_provider_is_told(api: Api) -> None:
    """With the provider down every 503 says so; without that fault none does."""
    down = api.lab.faulty("unavailable")
    for sample in documenting(503):
        send(down, sample).refused(503, "PROVIDER_UNAVAILABLE")
        healthy = send(api, sample)
        healthy.that(healthy.status < 500, "the same request with a provider", healthy.status)


@requirement("GEN-021", needs="fault")
def retry_after_is_whole_seconds(api: Api) -> None:
    """503 and 429 of every operation carry Retry-After in digits."""
    for fault, status in (("unavailable", 503), ("rate_limited", 429)):
        failing = api.lab.faulty(fault)
        for sample in documenting(status):
            answer = send(failing.client, sample)
            answer.refused(status)
            value = answer.headers.get("retry-after", "")
            answer.that(value.isdigit(), "Retry-After is whole seconds", repr(value))


@requirement("GEN-022")
def small_decimals_are_plain(api: Api) -> None:
    """A price with many places is answered without an exponent, as are all other decimals."""
    price = "0." + "0" * 16 + "01"
    answer = api.submit(api.limit(limit_price=price))
    if answer.status == 422:
        # Off the tick of most instruments: the rejected order still shows the price.
        order_id = answer.rejected().get("order_id")
        order = api.order(order_id) if order_id else api.rest()
    else:
        order = api.order(answer.ok(201)["id"])
        equal(dec(order["limit_price"]), dec(price), "limit_price as submitted")
    for name in ("quantity", "filled_quantity", "remaining_quantity", "limit_price"):
        plain = re.fullmatch(r"[0-9]+(\.[0-9]+)?", order[name])
        that(bool(plain), name, expected="plain notation", actual=order[name])


@requirement("GEN-023")
def chunked_body_is_accepted(api: Api) -> None:
    """A body without Content-Length is read to its end and judged like any other."""
    whole = json.dumps(api.limit()).encode()
    headers = {"Content-Type": "application/json"}
    chunks = (whole[at : at + 7] for at in range(0, len(whole), 7))
    api.send("POST", "/orders", content=chunks, headers=headers).ok(201)
    bad = json.dumps(api.limit(side="HOLD")).encode()
    whole_again = api.send("POST", "/orders", content=bad, headers=headers)
    answer = api.send("POST", "/orders", content=iter([bad[:9], bad[9:]]), headers=headers)
    answer.that(answer.status >= 400, "the refusal of a side that is none", answer.status)
    equal(answer.status, whole_again.status, "the status of the same body", answer.exchange)

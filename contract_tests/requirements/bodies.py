"""What a request may hold: JSON, fields, decimals, enums, times."""

from __future__ import annotations

import json

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import MOST, Api, Body
from contract_tests.toolkit.client import Answer
from contract_tests.toolkit.expect import dec, equal, that
from contract_tests.toolkit.market import quote_path

JSON_HEADER = {"Content-Type": "application/json"}


def post_raw(api: Api, content: bytes) -> Answer:
    """POST bytes that claim to be JSON as an order."""
    return api.send("POST", "/orders", content=content, headers=JSON_HEADER)


@requirement("GEN-003")
def malformed_json_is_refused(api: Api) -> None:
    """What is not JSON, not UTF-8 or empty is refused; the same well-formed is accepted."""
    good = json.dumps(api.limit()).encode()
    for content in (good[:-1], b"", b"order", b"'x'", good.replace(b'"BUY"', b'"\xff\xfe"')):
        post_raw(api, content).refused(400, "INVALID_REQUEST")
    post_raw(api, good).ok(201)


@requirement("GEN-003")
def nan_and_infinity_are_refused(api: Api) -> None:
    """NaN and Infinity are not JSON, whatever a lenient parser thinks."""
    order = api.limit()
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        amount = b'"' + order["quantity"].encode() + b'"'
        content = json.dumps(order).encode().replace(amount, word)
        post_raw(api, content).refused(400, "INVALID_REQUEST")
    post_raw(api, json.dumps(order).encode()).ok(201)


@requirement("GEN-004")
def unknown_body_field_is_refused(api: Api) -> None:
    """An unknown field of any body is refused by name; without it the request is accepted."""
    body = api.limit()
    api.submit(body | {"colour": "red"}).refused(400, "INVALID_REQUEST", field="colour")
    order = api.place(body)
    path = f"/orders/{order['id']}"
    api.patch(path, {"colour": "red"}).refused(400, "INVALID_REQUEST", field="colour")
    api.patch(path, {}).ok()


@requirement("GEN-005")
def unknown_query_parameter_is_refused(api: Api) -> None:
    """An unknown parameter is refused by name; without it the request is accepted."""
    quote = quote_path(api.market.instrument.symbol)
    for path in ("/orders", "/orders/history", "/positions", "/trades", "/account", quote):
        api.get(path, {"colour": "red"}).refused(400, "INVALID_REQUEST", field="colour")
        api.get(path).ok()


BAD_BODY_VALUES: tuple[tuple[str, object], ...] = (
    ("side", "HOLD"),
    ("order_type", "MAGIC"),
    ("time_in_force", "FOREVER"),
    ("quantity", "ten"),
    ("quantity", ""),
    ("quantity", None),
    ("quantity", ["1"]),
    ("limit_price", "1,50"),
)
"""What the protocol's founding document leaves no doubt about."""

WORSE_BODY_VALUES: tuple[tuple[str, object], ...] = (
    *BAD_BODY_VALUES,
    ("side", 1),
    ("symbol", ""),
    ("symbol", "not a symbol"),
    ("client_order_id", ""),
    ("reduce_only", "yes"),
    ("post_only", 1),
    ("margin_mode", "LOOSE"),
)
BAD_QUERY_VALUES = (("side", "HOLD"), ("limit", "many"))
WORSE_QUERY_VALUES = (
    *BAD_QUERY_VALUES,
    ("status", "NOPE"),
    ("limit", "1.5"),
    ("symbol", "not a symbol"),
    ("client_order_id", ""),
)


@requirement("GEN-006")
def forbidden_body_value_is_refused(api: Api) -> None:
    """A side, type, lifetime, quantity or price that cannot be meant is refused; a good is not."""
    good = api.limit()
    for field, value in BAD_BODY_VALUES:
        api.submit(good | {field: value}).refused(400)
    order = api.place(good)
    path = f"/orders/{order['id']}"
    for field, text in (("limit_price", "cheap"), ("quantity", "ten")):
        api.patch(path, {field: text}).refused(400)
    api.patch(path, {"limit_price": order["limit_price"]}).ok()


@requirement("GEN-006")
def forbidden_query_value_is_refused(api: Api) -> None:
    """A side that is none and a limit that is no number are refused; good ones are not."""
    for name, value in BAD_QUERY_VALUES:
        for path in ("/orders", "/orders/history"):
            api.get(path, {name: value}).refused(400)
    api.get("/orders", {"side": "BUY", "limit": 5}).ok()


@requirement("GEN-026")
def forbidden_body_value_is_named(api: Api) -> None:
    """Each value that the schema forbids is refused by its field's name."""
    good = api.limit()
    for field, value in WORSE_BODY_VALUES:
        api.submit(good | {field: value}).refused(400, field=field)
    order = api.place(good)
    for field, value in (("limit_price", "cheap"), ("quantity", "0x10"), ("stop_price", True)):
        api.patch(f"/orders/{order['id']}", {field: value}).refused(400, field=field)
    api.patch(f"/orders/{order['id']}", {"limit_price": order["limit_price"]}).ok()


@requirement("GEN-026")
def forbidden_query_value_is_named(api: Api) -> None:
    """Each value that a parameter's schema forbids is refused by its name."""
    for name, value in WORSE_QUERY_VALUES:
        for path in ("/orders", "/orders/history"):
            api.get(path, {name: value}).refused(400, field=name)
    api.get("/orders", {"status": "OPEN", "side": "BUY", "limit": 5}).ok()


@requirement("GEN-007")
def decimal_as_number_is_refused(api: Api) -> None:
    """A JSON number where a decimal string belongs is refused by name."""
    good = api.limit()
    for field in ("quantity", "limit_price"):
        for value in (1, 1.5):
            api.submit(good | {field: value}).refused(400, "INVALID_VALUE", field=field)
    order = api.place(good)
    answer = api.patch(f"/orders/{order['id']}", {"limit_price": 1})
    answer.refused(400, "INVALID_VALUE", field="limit_price")


@requirement("GEN-008")
def decimals_are_plain_and_bounded(api: Api) -> None:
    """Exponents, signs, stray characters and a nineteenth digit are refused; eighteen are not."""
    good = api.limit()
    nineteen = "0." + "0" * 18 + "1"
    for value in ("1e2", "1E2", "+1", "-1", " 1", "1\n", ".5", "1.", "0" * 18 + "1", nineteen):
        for field in ("quantity", "limit_price"):
            api.submit(good | {field: value}).refused(400, "INVALID_VALUE", field=field)
    price = good["limit_price"]
    padded = "0" * (18 - len(price.partition(".")[0])) + price
    places = len(price.partition(".")[2])
    padded += ("" if places else ".") + "0" * (18 - places)
    order = api.place(good | {"limit_price": padded})
    equal(dec(order["limit_price"]), dec(price), "a price of 18 digits before and after")


@requirement("GEN-009")
def null_counts_as_absent(api: Api) -> None:
    """An order with every optional field null is the order without them."""
    optional = (
        "stop_price time_in_force client_order_id stop_loss take_profit reduce_only post_only"
        " oco_group_id hidden display_quantity leverage margin_mode position_id trailing_distance"
        " trailing_type"
    ).split()
    body = api.limit()
    bare, nulls = api.place(body), api.place(body | dict.fromkeys(optional))
    equal(_described(nulls), _described(bare), "the order submitted with nulls")


def _described(order: Body) -> Body:
    own = {"id", "created_at", "updated_at"}
    return {name: value for name, value in order.items() if name not in own and value is not None}


@requirement("GEN-010")
def enum_values_in_any_case(api: Api) -> None:
    """Lower and mixed case are accepted in bodies and queries and answered in upper case."""
    order = api.place(api.limit(side="buy", order_type="Limit", time_in_force="gtc"))
    shown = {name: order[name] for name in ("side", "order_type", "time_in_force")}
    equal(shown, {"side": "BUY", "order_type": "LIMIT", "time_in_force": "GTC"}, "canonical case")
    found = api.orders(side="buy", status="open", limit=MOST)
    that(
        order["id"] in {one["id"] for one in found},
        "the order is found by lower-case filters",
        expected=order["id"],
        actual=len(found),
    )


@requirement("GEN-011")
def arrays_repeat_or_separate_by_commas(api: Api) -> None:
    """Both spellings of two states list the same orders, and both states are among them."""
    open_id, cancelled_id = api.rest()["id"], api.cancelled()["id"]
    repeated = api.get("/orders", [("status", "OPEN"), ("status", "CANCELLED")]).ok()
    separated = api.get("/orders", [("status", "OPEN,CANCELLED")]).ok()
    equal(separated, repeated, "the list by comma-separated states")
    ids = {one["id"] for one in separated}
    that({open_id, cancelled_id} <= ids, "both states", expected="both orders", actual=ids)


@requirement("GEN-012")
def times_need_an_offset(api: Api) -> None:
    """A time without an offset, a date, or no time at all is refused; Z and offsets are not."""
    bad = ("2025-01-15T10:30:00", "2025-01-15", "yesterday", "1736937000", "2025-13-45T10:30:00Z")
    for value in bad:
        for path, name in (
            ("/orders", "since"),
            ("/orders/history", "until"),
            ("/trades", "since"),
        ):
            api.get(path, {name: value}).refused(400, "INVALID_VALUE", field=name)
    for value in ("2025-01-15T10:30:00Z", "2025-01-15T12:30:00+02:00", "2025-01-15T10:30:00.5Z"):
        api.get("/orders", {"since": value}).ok()

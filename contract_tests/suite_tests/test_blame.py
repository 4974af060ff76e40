"""Who is to blame: the requirement behind a complaint of the fuzzer, and what it may not send."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from contract_tests.fuzzing import blame
from contract_tests.fuzzing.blame import GENERAL, faults, requirement_of
from contract_tests.fuzzing.harmless import UNKNOWN_ID, Guard, Tradable
from contract_tests.spec import operation_of, operations, requirements
from contract_tests.toolkit.market import UNKNOWN_SYMBOL
from contract_tests.wire.traffic import Exchange

ORDER = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "LIMIT"}
PRICED = ORDER | {"limit_price": "100.00"}
JSON = {"content-type": "application/json"}


def exchange(
    request: str,
    sent: Any = None,
    *,
    status: int = 200,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Exchange:
    """An exchange; `request` is a method and a path."""
    method, _, path = request.partition(" ")
    return Exchange(
        method=method,
        url=f"http://target{path}",
        operation=operation_of(method, urlsplit(path).path),
        sent_headers=JSON if headers is None else headers,
        sent_body=b"" if sent is None else sent if isinstance(sent, bytes) else encoded(sent),
        status=status,
        headers=JSON,
        body=encoded(body),
        seconds=0.0,
    )


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


ERROR = {"code": "INVALID_VALUE", "message": "no", "details": {"field": "quantity"}}

FAULTS: list[tuple[str, Any, set[str]]] = [
    ("GET /orders?colour=red", None, {"GEN-005"}),
    ("GET /orders?limit=0", None, {"LST-009"}),
    ("GET /orders?limit=1001", None, {"LST-009"}),
    ("GET /orders?since=yesterday", None, {"GEN-012"}),
    ("GET /orders?side=UP", None, {"GEN-006"}),
    ("GET /orders?side=buy&status=open,filled", None, set()),
    ("GET /orders?symbol=AAPL&symbol=MSFT", None, {"GEN-026"}),
    ("GET /bars/AAPL", None, {"BAR-001"}),
    ("GET /bars/AAPL?timeframe=1h&end=2025-01-01", None, {"GEN-012"}),
    ("POST /orders", PRICED, set()),
    ("POST /orders", PRICED | {"colour": "red"}, {"GEN-004"}),
    ("POST /orders", PRICED | {"quantity": 1}, {"GEN-007"}),
    ("POST /orders", PRICED | {"quantity": "1e3"}, {"GEN-008"}),
    ("POST /orders", PRICED | {"quantity": "-1"}, {"ORD-007"}),
    ("POST /orders", PRICED | {"quantity": "much"}, {"GEN-006"}),
    ("POST /orders", PRICED | {"leverage": "much"}, {"GEN-026"}),
    ("POST /orders", PRICED | {"side": "UP"}, {"GEN-006"}),
    ("POST /orders", PRICED | {"side": "buy", "hidden": None}, set()),
    ("POST /orders", PRICED | {"hidden": "yes"}, {"GEN-026"}),
    ("POST /orders", PRICED | {"client_order_id": "x" * 65}, {"IDM-006"}),
    ("POST /orders", {"symbol": "AAPL"}, {"ORD-002"}),
    ("POST /orders", [], {"GEN-026"}),
    ("POST /orders", b"{", {"GEN-003"}),
    ("GET /nowhere", None, set()),
]


@pytest.mark.parametrize(("request_line", "sent", "expected"), FAULTS)
def test_faults_of_requests(request_line: str, sent: Any, expected: set[str]) -> None:
    """What is wrong with a request has a sentence of its own; what is tolerated has none."""
    assert expected == set(faults(exchange(request_line, sent)))


def test_other_media_types_are_a_fault() -> None:
    """A body that is not JSON by its own account is refused for that alone."""
    sent = exchange("POST /orders", b"quantity=1", headers={"content-type": "text/plain"})
    assert ["GEN-016"] == list(faults(sent))


COMPLAINTS: list[tuple[str, Exchange, str]] = [
    ("status_code_conformance", exchange("GET /status", status=418), "GEN-024"),
    ("content_type_conformance", exchange("GET /status"), "GEN-001"),
    ("content_type_conformance", exchange("GET /status", status=503), "GEN-002"),
    ("content_type_conformance", exchange("GET /status", status=500), "GEN-025"),
    ("response_headers_conformance", exchange("GET /status", status=503), "GEN-021"),
    ("response_headers_conformance", exchange("GET /status"), "GEN-017"),
    ("ignored_auth", exchange("GET /account"), "AUT-001"),
    ("unsupported_method", exchange("PUT /account"), "GEN-014"),
    ("negative_data_rejection", exchange("GET /account?x=1"), "GEN-005"),
    ("not_a_server_error", exchange("GET /account?x=1", status=500), "GEN-005"),
    ("not_a_server_error", exchange("GET /account", status=500), "GEN-024"),
    ("positive_data_acceptance", exchange("GET /account", status=400), "ACC-001"),
    ("positive_data_acceptance", exchange("GET /nowhere", status=400), "GEN-024"),
    ("a_check_of_tomorrow", exchange("GET /account"), "GEN-024"),
    ("refusals_have_a_reason", exchange("POST /orders", PRICED, status=400), "ORD-001"),
    ("refusals_have_a_reason", exchange("POST /orders", PRICED, status=400, body=ERROR), "ORD-025"),
    ("refusals_have_a_reason", exchange("POST /orders", ORDER, status=422), "ORD-004"),
    ("refusals_have_a_reason", exchange("POST /orders", ORDER, status=400, body=ERROR), "ORD-029"),
    ("refusals_have_a_reason", exchange("GET /bars/AAPL", status=400), "BAR-006"),
    ("refusals_have_a_reason", exchange("DELETE /positions/p", status=200), "CLO-003"),
]


@pytest.mark.parametrize(("check", "seen", "expected"), COMPLAINTS)
def test_complaints_name_a_requirement(check: str, seen: Exchange, expected: str) -> None:
    """Every complaint is that of a requirement, and what has none of its own is not dropped."""
    assert expected == requirement_of(check, seen)


def test_every_blamed_requirement_exists() -> None:
    """The tables name ids of the spec, and have an entry for every operation."""
    single = (blame._BY_CHECK, blame._VALID, blame._BY_THE_MARKET, blame._RULES)  # noqa: SLF001
    named = {one for table in single for one in table.values()} | {GENERAL}
    named |= {*blame._RULE_OF.values(), *blame._PARAMETERS.values()}  # noqa: SLF001
    named |= {one for pair in blame._NEEDED.values() for one in pair}  # noqa: SLF001
    assert set() == named - requirements().keys()
    assert operations().keys() == blame._VALID.keys()  # noqa: SLF001


# --- what is not sent ---

APPLE = Tradable(quantity="1", lowest="50", low="100", high="400", highest="600")


def guard(*, fills: bool = False, foreign: set[str] | None = None) -> Guard:
    return Guard(allow_fills=fills, tradable={"AAPL": APPLE}, foreign=foreign or set())


def sent(body: Any, *, fills: bool = False) -> Any:
    return guard(fills=fills).body("submit_order", {}, body)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("kind", ["MARKET", "LIMIT", "STOP", "STOP_LIMIT", "TRAILING_STOP"])
def test_orders_rest_far_from_the_market(side: str, kind: str) -> None:
    """Without fills every price is half the bid or less, or twice the ask or more."""
    prices = dict.fromkeys(("limit_price", "stop_price", "trailing_distance"), "199.99")
    order = sent({**ORDER, "side": side, "order_type": kind, "quantity": "1000", **prices})
    assert ("AAPL", "1") == (order["symbol"], order["quantity"])
    assert "MARKET" != order["order_type"]
    buys_low = (side == "BUY") == (kind != "STOP_LIMIT")
    assert ("100" if buys_low else "400") == order["limit_price"]
    assert ("400" if side == "BUY" else "100") == order["stop_price"]


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "TSLA"},
        {"symbol": "aapl"},
        {"order_type": "market"},
        {"order_type": None},
        {"side": "buy"},
        {"limit_price": None},
        {"limit_price": 150},
        {"limit_price": "1e9"},
        {"quantity": 1000},
        {"quantity": " 1000"},
        {"side": {}},
        {"order_type": []},
        {"side": [], "position_id": {}},
    ],
)
def test_what_a_lenient_server_may_misread_is_for_no_market(changes: dict[str, Any]) -> None:
    """An order that is not exactly known to rest is for a symbol that nobody has."""
    assert UNKNOWN_SYMBOL == sent(PRICED | changes)["symbol"]


@pytest.mark.parametrize("body", [None, [], "MARKET", 5, {}, {"quantity": "5"}, {"symbol": 5}])
def test_what_cannot_be_an_order_stays(body: Any) -> None:
    """Nothing is changed where no server can find a symbol."""
    assert body == sent(body)


def test_fills_are_small() -> None:
    """With fills a MARKET order stays one, and is small."""
    order = sent({**ORDER, "order_type": "MARKET", "quantity": "1000000"}, fills=True)
    assert ("MARKET", "1") == (order["order_type"], order["quantity"])


def test_what_others_own_is_not_named() -> None:
    """Neither orders nor positions that are not our own are changed, cancelled or closed."""
    guarded = guard(foreign={"theirs"})
    guarded.saw("submit_order", exchange("POST /orders", PRICED, status=201, body={"id": "ours"}))
    listed = [{"id": "ours"}, {"id": "leg", "parent_order_id": "ours"}, {"id": "new"}]
    guarded.saw("list_orders", exchange("GET /orders", body=listed))
    guarded.saw("list_positions", exchange("GET /positions", body=[{"id": "held"}]))
    for order_id in ("theirs", "new", "", "..", " "):
        changed = guarded.path("cancel_order", {"order_id": order_id}, None)
        assert {"order_id": UNKNOWN_ID} == changed
    for order_id in ("ours", "leg", "ord_abc123"):
        parameters = {"order_id": order_id}
        assert parameters == guarded.path("cancel_order", parameters, None)
    held = {"position_id": "held"}
    assert {"position_id": UNKNOWN_ID} == guarded.path("close_position", held, None)
    assert held == guarded.path("get_position", held, None)


def test_changes_keep_an_order_where_it_is() -> None:
    """A change of our own order asks for a far price, and one that may be misread is not sent."""
    guarded = guard()
    guarded.saw("submit_order", exchange("POST /orders", PRICED, status=201, body={"id": "ours"}))
    ours = {"order_id": "ours"}
    assert {"limit_price": "100", "quantity": "1"} == guarded.body(
        "modify_order", ours, {"limit_price": "199", "quantity": "7"}
    )
    misreadings: list[Any] = [199, "1e9", "abc", [], {}]
    for misread in misreadings:
        body = guarded.body("modify_order", ours, {"limit_price": misread, "quantity": misread})
        assert {"order_id": UNKNOWN_ID} == guarded.path("modify_order", ours, body)

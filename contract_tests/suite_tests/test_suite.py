"""The suite itself: what it takes for a declared feature, and what its commands answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from contract_tests.laboratory.fakes import exit_code
from contract_tests.requirements import checks
from contract_tests.requirements.orders import FEATURE_FIELDS
from contract_tests.running.checks import Outcome, run_check
from contract_tests.spec import operations, requirements
from contract_tests.toolkit.api import Api, Body
from contract_tests.toolkit.client import Answer, Client
from contract_tests.toolkit.market import CANDIDATES, Quote
from contract_tests.wire.traffic import Exchange


class Fake(Api):
    """A server that declares nothing optional and answers every order in one way."""

    def __init__(self, client: Client, order: tuple[int, dict[str, object]]) -> None:
        super().__init__(client)
        self.market.__dict__["capabilities"] = DECLARED
        self.market.__dict__["instruments"] = (CANDIDATES[0],)
        self._order = order

    def quote(self, symbol: str | None = None) -> Quote:
        """Always the same."""
        return Quote(symbol or "BTC/USD", Decimal(100), Decimal(101), None, None, "now")

    def submit(self, body: Body, **_: Any) -> Answer:
        """Features are answered as was said, an order without any is accepted."""
        asked = [name for name, field in FEATURE_FIELDS.items() if field.items() <= body.items()]
        status, answer = self._order if asked else (201, {"id": "x", "status": "OPEN"})
        if status == 501 and answer == {}:
            answer = ERROR_501 | {"details": {"feature": asked[0]}}
        return Answer(
            Exchange(
                method="POST",
                url="http://fake/orders",
                operation=operations()["submit_order"],
                sent_headers={},
                sent_body=b"",
                status=status,
                headers={"content-type": "application/json"},
                body=json.dumps(answer).encode(),
                seconds=0.0,
            )
        )


DECLARED = {"supported_order_types": ["LIMIT"], "features": [], "position_mode": "NETTING"}
ERROR_501: dict[str, object] = {"code": "UNSUPPORTED_OPERATION", "message": "no"}


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        ((501, {}), Outcome.PASSED),
        ((501, ERROR_501 | {"details": {"feature": "all"}}), Outcome.FAILED),
        ((201, {"id": "x", "status": "OPEN"}), Outcome.FAILED),
        ((400, ERROR_501 | {"details": None}), Outcome.FAILED),
    ],
)
def test_undeclared_features(order: tuple[int, dict[str, object]], outcome: Outcome) -> None:
    """A server that ignores what it does not declare, or names something else, is found out."""
    (check,) = (one for one in checks() if one.requirement == "ORD-026")
    with Client("http://fake") as client:
        assert run_check(check, Fake(client, order)).outcome is outcome


def test_list_and_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """Every requirement is listed, and each can be explained."""
    assert exit_code("list") == 0
    listed = capsys.readouterr().out
    for requirement_id in requirements():
        assert requirement_id in listed
        assert exit_code("explain", requirement_id) == 0
    assert "needs" in capsys.readouterr().out


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get every requirement with the ids of its checks."""
    assert exit_code("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in listed] == list(requirements())
    found = {check["id"] for one in listed for check in one["checks"]}
    assert found == {check.id for check in checks()}

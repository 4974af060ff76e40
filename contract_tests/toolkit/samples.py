"""One harmless request for every operation: what they answer does not matter, that they do does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contract_tests.spec import Operation, operations
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.client import NOTHING, Answer, Client
from contract_tests.toolkit.market import UNKNOWN_SYMBOL

UNKNOWN_ORDER = "ord_00000000000000000000000000000000"
UNKNOWN_POSITION = "pos_00000000000000000000000000000000"

_BODIES: dict[str, Any] = {
    # The unknown symbol keeps a server that should have refused the request from trading.
    "submit_order": {
        "symbol": UNKNOWN_SYMBOL,
        "side": "BUY",
        "quantity": "1",
        "order_type": "LIMIT",
        "limit_price": "1.00",
    },
    "modify_order": {"limit_price": "1.00"},
    "modify_position": {"stop_loss": "1.00"},
}
_QUERIES = {
    "cancel_all_orders": {"symbol": UNKNOWN_SYMBOL},
    "close_all_positions": {"symbol": UNKNOWN_SYMBOL},
    "get_bars": {"timeframe": "1h"},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The arguments of a request that is valid in itself and changes nothing."""

    operation: Operation
    path: str
    query: dict[str, str]
    json: Any

    @classmethod
    def of(cls, operation: Operation, symbol: str = "AAPL") -> Sample:
        """The sample of an operation; `symbol` is asked for quotes and bars."""
        path = operation.path.replace("{symbol}", symbol)
        path = path.replace("{order_id}", UNKNOWN_ORDER).replace("{position_id}", UNKNOWN_POSITION)
        query = _QUERIES.get(operation.id, {})
        return cls(operation, path, query, _BODIES.get(operation.id, NOTHING))


def samples(symbol: str = "AAPL", *, public: bool = False) -> list[Sample]:
    """Samples of all operations that need the provider, or of all that are public."""
    wanted = [one for one in operations().values() if one.public is public]
    return [Sample.of(operation, symbol) for operation in wanted]


def send(api: Api | Client, sample: Sample, **options: Any) -> Answer:
    """Send the sample of an operation. An Api obeys a 429 where a Client answers it."""
    return api.send(sample.operation.method, sample.path, sample.query, json=sample.json, **options)

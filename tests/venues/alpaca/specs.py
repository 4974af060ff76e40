"""Alpaca's specifications, with the answers that they leave out."""

from __future__ import annotations

import functools
from typing import Any

from tests.venues.contract import Contract, find, read

TRADING = "https://paper-api.alpaca.markets"
DATA = "https://data.alpaca.markets"

UNLISTED: dict[str, dict[str, tuple[str, ...]]] = {
    "/v2/account": {"get": ("401",)},
    "/v2/account/activities": {"get": ("401", "422")},
    "/v2/assets": {"get": ("401",)},
    "/v2/assets/{symbol_or_asset_id}": {"get": ("401",)},
    "/v2/clock": {"get": ("401",)},
    "/v2/orders": {"get": ("401", "422"), "post": ("401",)},
    "/v2/orders/{order_id}": {
        "get": ("401", "404"),
        "patch": ("401", "403", "404", "422"),
        "delete": ("401", "404"),
    },
    "/v2/orders:by_client_order_id": {"get": ("401", "404")},
    "/v2/positions": {"get": ("401",)},
}
"""The document of the trading API names no status for a wrong key, and hardly any for an order
that is not there or cannot be changed. That there are such answers, and that they have the shape
that is `Error` there, is known from its own examples and from Alpaca's guides.
"""


@functools.cache
def trading() -> Contract | None:
    """The contract of the trading API, unless the document is not at hand."""
    path = find("alpaca-trading.json")
    return None if path is None else Contract(amended(read(path)), TRADING)


@functools.cache
def market_data() -> Contract | None:
    """The contract of the market data API, unless the document is not at hand."""
    path = find("alpaca-marketdata.json")
    return None if path is None else Contract(read(path), DATA)


def amended(document: dict[str, Any]) -> dict[str, Any]:
    error = {
        "description": "Not listed in the document.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path, methods in UNLISTED.items():
        for method, statuses in methods.items():
            responses = document["paths"][path][method]["responses"]
            for status in statuses:
                responses.setdefault(status, error)
    return document

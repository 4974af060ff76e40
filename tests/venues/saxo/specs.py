"""Saxo's specifications, with what they lack."""

from __future__ import annotations

import copy
import functools
from typing import Any

from tests.venues.contract import Contract, find, read

SERVER = "https://gateway.saxobank.com/sim/openapi"
GROUPS = ("trade", "port", "ref", "chart", "root")

Document = dict[str, Any]


@functools.cache
def contract(group: str) -> Contract | None:
    """The contract of one group of services, unless its document is not at hand.

    There is none of `cs`, to which the log of order activities belongs.
    """
    path = find(f"saxo/saxo-{group}.yaml")
    if path is None:
        return None
    document = by_token_only(read(path))
    amend = {"trade": amended_trade, "chart": amended_chart}.get(group, copy.deepcopy)
    return Contract(amend(document), SERVER)


def by_token_only(document: Document) -> Document:
    """Each operation may be authorized by OAuth or by a token, both in the same header. The first
    is taken out, since openapi-core cannot look at it.
    """
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                schemes = operation.get("security", [])
                schemes[:] = [each for each in schemes if "OpenApiOAuthSecurityScheme" not in each]
    return document


def amended_trade(document: Document) -> Document:
    """The answers to commands are listed under a status whose description says "Not used", while
    200, which is used, is listed without a body. That repeats within 15 seconds are answered with
    409 is only said in the guide to rate limits.
    """
    document = copy.deepcopy(document)
    described = (("/trade/v2/orders", "post", "201"), ("/trade/v2/orders", "patch", "204"),
                 ("/trade/v2/orders/{OrderIds}", "delete", "204"))  # fmt: skip
    for path, method, unused in described:
        responses = document["paths"][path][method]["responses"]
        responses["200"]["content"] = responses[unused]["content"]
        responses["409"] = {"description": "Not listed in the document."}
    return document


def amended_chart(document: Document) -> Document:
    """The document has version 1 of the charts only. Saxo's release notes of August 2024 say that
    requests and answers of version 3, which takes its place, are the same.
    """
    document = copy.deepcopy(document)
    document["paths"]["/chart/v3/charts"] = document["paths"]["/chart/v1/charts"]
    return document

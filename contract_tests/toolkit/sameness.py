"""When two sightings of one thing agree, however a server writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract_tests.spec import decimal_fields, document
from contract_tests.toolkit.expect import dec, equal

Body = Mapping[str, Any]


def described(thing: Body, schema: str = "Order") -> dict[str, Any]:
    """What the document knows of an object: null is absent, and a decimal is its value."""
    known = document()["components"]["schemas"][schema]["properties"]
    return {
        name: dec(value, name) if name in decimal_fields() else value
        for name, value in thing.items()
        if name in known and value is not None
    }


def same(
    actual: Body, expected: Body, what: str, *, but: tuple[str, ...] = (), schema: str = "Order"
) -> None:
    """Raise Failure unless both describe the same, apart from the members named in `but`."""
    found, wanted = described(actual, schema), described(expected, schema)
    differing = sorted(
        name
        for name in found.keys() | wanted.keys()
        if name not in but and found.get(name) != wanted.get(name)
    )
    equal(
        [(name, found.get(name)) for name in differing],
        [(name, wanted.get(name)) for name in differing],
        what,
    )

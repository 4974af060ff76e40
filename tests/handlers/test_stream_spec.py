"""asyncapi.yaml holds together: references, examples, and what the code says of the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from handlers.site import load_spec
from handlers.stream_spec import LONGEST_QUERY, Resolver, StreamSpec
from providers.base import FrameType, StreamQuery
from providers.errors import InvalidRequest
from scripts.lint_spec import json_schema

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = load_spec(ROOT / "openapi.yaml")
ASYNCAPI = load_spec(ROOT / "asyncapi.yaml")
RESOLVER = Resolver({"": ASYNCAPI, "./openapi.yaml": OPENAPI})
MESSAGES: dict[str, Any] = RESOLVER.resolved(ASYNCAPI["components"]["messages"])
EXAMPLES = [
    (name, example["name"], example["payload"])
    for name, message in MESSAGES.items()
    for example in message["examples"]
]


def validator(name: str) -> jsonschema_rs.Validator:
    schema = json_schema(MESSAGES[name]["payload"]["schema"])
    return jsonschema_rs.Draft4Validator(schema, validate_formats=True)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def names(operation: str) -> list[str]:
    return [reference.rpartition("/")[2] for reference in references_of(operation)]


def references_of(operation: str) -> list[str]:
    return [each["$ref"] for each in ASYNCAPI["operations"][operation]["messages"]]


def test_every_reference_leads_somewhere() -> None:
    """Also those into openapi.yaml."""
    found = set(references(ASYNCAPI))
    assert len(found) > 40
    for reference in found:
        assert RESOLVER.resolved({"$ref": reference})


@pytest.mark.parametrize(
    ("name", "payload"),
    [pytest.param(name, payload, id=label) for name, label, payload in EXAMPLES],
)
def test_examples_hold(name: str, payload: Any) -> None:
    """Every example follows the schema of its message, and is not too long."""
    assert [] == [error.message for error in validator(name).iter_errors(payload)]
    assert payload["type"] == name


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_an_example(name: str) -> None:
    """And its payload is an OpenAPI schema that forbids another type and asks for the rest."""
    assert name in {message for message, _, _ in EXAMPLES}
    assert MESSAGES[name]["payload"]["schemaFormat"].startswith("application/vnd.oai.openapi")
    assert not validator(name).is_valid({"type": "other", "timestamp": "2025-01-15T10:30:00Z"})
    assert validator(name).is_valid({"type": name}) is (name == "pong")


def test_frame_types_are_those_of_the_port() -> None:
    """The messages sent, the types to choose from and FrameType are the same."""
    types = [each.value for each in FrameType]
    assert types == ASYNCAPI["components"]["schemas"]["FrameType"]["enum"]
    assert types == names("send_events")


def test_every_message_is_used() -> None:
    """The channel has exactly the messages of both directions."""
    channel = list(ASYNCAPI["channels"]["events"]["messages"])
    assert channel == [*names("send_events"), *names("receive_messages")] == list(MESSAGES)


def test_requirements_of_a_handshake_have_their_answers() -> None:
    """Every status that a requirement names is among those of the handshake."""
    statuses = ASYNCAPI["channels"]["events"]["x-handshake"]
    for entry in ASYNCAPI["channels"]["events"]["x-requirements"]:
        named = [word for word in entry["text"].split() if word.strip(".,").isdigit()]
        for status in (word.strip(".,") for word in named if len(word.strip(".,")) == 3):
            assert status in statuses


SPEC = StreamSpec(ASYNCAPI, OPENAPI)
ORDER, QUOTE = FrameType.ORDER, FrameType.QUOTE


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        (b"", {}, StreamQuery()),
        (b"after=0", {}, StreamQuery(after=0)),
        (b"after=17", {b"last-event-id": b"3"}, StreamQuery(after=17)),
        (b"", {b"last-event-id": b"3"}, StreamQuery(after=3)),
        (b"types=order,quote", {}, StreamQuery(types=frozenset({ORDER, QUOTE}))),
        (b"types=order&types=QUOTE", {}, StreamQuery(types=frozenset({ORDER, QUOTE}))),
        (b"symbols=A%2FB,C:D&symbols=E", {}, StreamQuery(symbols=frozenset({"A/B", "C:D", "E"}))),
    ],
)
def test_queries(query: bytes, headers: dict[bytes, bytes], expected: StreamQuery) -> None:
    """What a handshake may ask for, comma-separated or repeated."""
    assert SPEC.query(query, headers) == expected


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        (b"after=-1", {}, "after"),
        (b"after=", {}, "after"),
        (b"after=01", {}, "after"),
        (b"after=1.0", {}, "after"),
        (b"after=9999999999999999999", {}, "after"),
        (b"after=1&after=1", {}, "after"),
        (b"", {b"last-event-id": b"\xe4"}, "Last-Event-ID"),
        (b"", {b"last-event-id": b""}, "Last-Event-ID"),
        (b"types=", {}, "types"),
        (b"types=order,", {}, "types"),
        (b"types=orders", {}, "types"),
        (b"symbols=", {}, "symbols"),
        (b"symbols=A%0A", {}, "symbols"),
        (b"symbols=%FF", {}, "query"),
        (b"Types=order", {}, "Types"),
        (b"symbols=" + b"A" * LONGEST_QUERY, {}, "query"),
    ],
)
def test_wrong_queries(query: bytes, headers: dict[bytes, bytes], field: str) -> None:
    """What cannot be meant is refused, and the parameter named."""
    with pytest.raises(InvalidRequest) as refused:
        SPEC.query(query, headers)
    assert (refused.value.details or {})["field"] == field

"""What asyncapi.yaml says of the handshake and of a client's messages, compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from handlers.errors import malformed
from handlers.parameters import Parameter, ParameterReader
from handlers.schemas import CompiledSchema
from providers.base import FrameType, StreamQuery

LONGEST_QUERY = 16_384
"""Bytes of a query string; more than a thousand symbols."""
LONGEST_MESSAGE = 65_536
"""Bytes of a client's message: an acknowledgement of some thousand events."""

Json = Any


class StreamSpec:
    """asyncapi.yaml, with openapi.yaml beside it for its references."""

    def __init__(self, asyncapi: Json, openapi: Json) -> None:
        spec = Resolver({"": asyncapi, "./openapi.yaml": openapi})
        channel = asyncapi["channels"]["events"]
        self.path: str = channel["address"]
        binding = spec.resolved(channel["bindings"]["ws"])
        self._parameters = ParameterReader(_definitions(binding["query"], "query"))
        (self._last_event_id,) = map(Parameter, _definitions(binding["headers"], "header"))
        heard = spec.resolved(asyncapi["operations"]["receive_messages"]["messages"])
        self._messages = {
            message["name"]: CompiledSchema(message["payload"]["schema"], "message")
            for message in heard
        }

    def query(self, query_string: bytes, headers: Mapping[bytes, bytes]) -> StreamQuery:
        """What a handshake asks for. Raises InvalidRequest and InvalidValue."""
        if len(query_string) > LONGEST_QUERY:
            raise malformed("query", f"must have at most {LONGEST_QUERY} bytes")
        asked = self._parameters.read({}, query_string)
        header = headers.get(b"last-event-id")
        if header is not None:
            asked.setdefault("after", self._last_event_id.parse(header.decode("latin-1")))
        return StreamQuery(
            after=asked.get("after"),
            symbols=_set(asked.get("symbols")),
            types=_set(FrameType(name) for name in asked["types"]) if "types" in asked else None,
        )

    def message(self, received: Mapping[str, Any]) -> dict[str, Any]:
        """A client's message, checked. Raises InvalidRequest and InvalidValue."""
        text = received.get("text")
        if text is None:
            raise malformed("message", "must be text, not binary")
        if len(text) > LONGEST_MESSAGE or len(text.encode()) > LONGEST_MESSAGE:
            raise malformed("message", f"must have at most {LONGEST_MESSAGE} bytes")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise malformed("message", f"is not valid JSON: {error}") from None
        if not isinstance(message, dict):
            raise malformed("message", "must be a JSON object")
        accepted: dict[str, Any] = self._schema(message.get("type")).accept(message)
        return accepted

    def _schema(self, name: object) -> CompiledSchema:
        schema = self._messages.get(name) if isinstance(name, str) else None
        if schema is None:
            raise malformed("type", f"must be one of {', '.join(self._messages)}")
        return schema


class Resolver:
    """Puts in place of each `$ref` what it means; `documents` are by the name before its `#`."""

    def __init__(self, documents: Mapping[str, Json]) -> None:
        self._documents = documents

    def resolved(self, node: Json, home: str = "") -> Json:
        if isinstance(node, list):
            return [self.resolved(item, home) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._target(node["$ref"], home)
        return {key: self.resolved(value, home) for key, value in node.items()}

    def _target(self, reference: str, home: str) -> Json:
        name, _, pointer = reference.partition("#/")
        home = name or home
        target = self._documents[home]
        for step in pointer.split("/"):
            target = target[step]
        return self.resolved(target, home)


def _definitions(schema: Json, location: str) -> list[dict[str, Any]]:
    """The properties of a binding as OpenAPI writes parameters."""
    return [
        {"name": name, "in": location, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _set(items: Iterable[Any] | None) -> frozenset[Any] | None:
    return None if items is None else frozenset(items)

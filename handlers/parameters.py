"""Path and query parameters: from text to typed, checked keyword arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from handlers.errors import malformed, shorten
from handlers.schemas import CompiledSchema, Schema
from providers.errors import InvalidValue

Arguments = dict[str, Any]

MOST_FIELDS = 200
"""Query fields a request may have; far beyond what any operation takes."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)


class Parameter:
    """One parameter of the spec: turns its text into a value the handler can use."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        schema: Schema = definition["schema"]
        self.name: str = definition["name"]
        self.location: str = definition["in"]
        self.required: bool = definition.get("required", False)
        self.is_array = schema.get("type") == "array"
        self.has_default = "default" in schema
        self.default = schema.get("default")
        item: Schema = schema["items"] if self.is_array else schema
        self._schema = CompiledSchema(item, self.name)
        self._convert = _CONVERTERS.get(item["type"])
        self._is_moment = item.get("format") == "date-time"

    def parse(self, text: str) -> Any:
        """The value of `text`. Raises InvalidValue."""
        value = self._convert(text) if self._convert else text
        value = self._schema.accept(value)
        return to_utc(self.name, value) if self._is_moment else value

    def parse_all(self, texts: Sequence[str]) -> Any:
        """The value of a query parameter, given once, repeated or comma-separated."""
        if self.is_array:
            return [self.parse(item) for text in texts for item in text.split(",")]
        if len(texts) > 1:
            raise malformed(self.name, "is given more than once")
        return self.parse(texts[0])


class ParameterReader:
    """All parameters of one operation."""

    def __init__(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        parameters = [Parameter(definition) for definition in definitions]
        self.path = tuple(p for p in parameters if p.location == "path")
        self.query = {p.name: p for p in parameters if p.location == "query"}
        self._defaults = {p.name: p.default for p in self.query.values() if p.has_default}
        self._required = [p.name for p in self.query.values() if p.required]

    def read(self, path_values: Mapping[str, str], query_string: bytes) -> Arguments:
        """Arguments by parameter name; a parameter without value or default is left out.

        Raises InvalidRequest for a missing, unknown or repeated parameter, InvalidValue for a
        wrong value.
        """
        arguments = self._defaults.copy()
        for parameter in self.path:
            arguments[parameter.name] = parameter.parse(path_values[parameter.name])
        if query_string:
            self._read_query(query_string, arguments)
        for name in self._required:
            if name not in arguments:
                raise malformed(name, "is required")
        return arguments

    def _read_query(self, query_string: bytes, arguments: Arguments) -> None:
        for name, texts in _fields(query_string).items():
            parameter = self.query.get(name)
            if parameter is None:
                raise malformed(name, "is not a query parameter of this operation")
            arguments[name] = parameter.parse_all(texts)


def _fields(query_string: bytes) -> dict[str, list[str]]:
    """The texts of each field. An empty one counts: `?symbol=` must not mean every symbol."""
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise malformed("query", "is not percent-encoded UTF-8, or has too many fields") from None
    for name, text in pairs:
        fields.setdefault(name, []).append(text)
    return fields


def to_utc(name: str, text: str) -> datetime:
    """The moment that an RFC 3339 text names; its form is already checked.

    Left over are what the form allows and a datetime cannot hold: leap seconds, and offsets that
    lead out of the years 1 to 9999.
    """
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(name, shorten(text), "is not a moment this API can hold") from None


def _integer(text: str) -> int | str:
    """Other text is left as it is: the schema then refuses it, and says why."""
    return int(text) if _INTEGER.fullmatch(text) else text


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {"integer": _integer, "boolean": _boolean}

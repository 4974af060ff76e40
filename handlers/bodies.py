"""Request bodies: from the wire to a checked JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import Receive

from handlers.errors import PayloadTooLarge, UnsupportedMediaType, malformed
from handlers.replies import JSON
from handlers.schemas import CompiledSchema, Schema

JsonObject = dict[str, Any]


class ClientGone(Exception):
    """The client hung up before its request was complete; nobody is left to answer."""


class BodyReader:
    """Reads the body of one operation.

    An operation whose body is optional takes an empty one as None, whatever its Content-Type.
    Any other must be declared as JSON: a body without Content-Type is refused too, because
    browsers may send such a body to another site's server without asking it first.
    """

    def __init__(self, schema: Schema, *, required: bool, limit: int) -> None:
        self._schema = CompiledSchema(schema, "body")
        self._required = required
        self._limit = limit

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> JsonObject | None:
        """Raises PayloadTooLarge, UnsupportedMediaType, InvalidRequest and InvalidValue."""
        length = headers.get(b"content-length")
        if length is not None and int(length) > self._limit:
            raise PayloadTooLarge(self._limit)
        raw = await self._bytes(receive)
        if raw:
            _check_content_type(headers.get(b"content-type"))
            return self._parse(raw)
        if self._required:
            raise malformed("body", "is required")
        return None

    async def _bytes(self, receive: Receive) -> bytes:
        raw: bytes = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            raw += message.get("body", b"")
            if len(raw) > self._limit:
                raise PayloadTooLarge(self._limit)
            if not message.get("more_body", False):
                return raw

    def _parse(self, raw: bytes) -> JsonObject:
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise malformed("body", f"is not valid JSON: {error}") from None
        accepted: JsonObject = self._schema.accept(body)
        return accepted


def _check_content_type(content_type: bytes | None) -> None:
    if content_type is None:
        raise UnsupportedMediaType(None)
    if content_type != JSON and not _is_json(content_type):
        raise UnsupportedMediaType(content_type.decode("latin-1"))


def _is_json(content_type: bytes) -> bool:
    """Whether it names JSON in UTF-8, the only encoding JSON has on the wire (RFC 8259, 8.1)."""
    media_type, *parameters = content_type.lower().replace(b" ", b"").split(b";")
    charsets = [p[8:].strip(b'"') for p in parameters if p.startswith(b"charset=")]
    return media_type == JSON and all(charset == b"utf-8" for charset in charsets)

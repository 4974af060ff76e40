"""The binary messages of Saxo's stream, as developer.saxo describes "plain WebSocket" streaming.

One WebSocket message holds one or more of these, all numbers little endian::

    8 bytes  message id, of which nothing but equality means anything
    2 bytes  reserved
    1 byte   length of the reference id
    n bytes  reference id, ASCII
    1 byte   format of the payload: 0 for JSON in UTF-8, 1 for Protobuf
    4 bytes  length of the payload
    m bytes  payload
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import simplejson

from providers.errors import ProviderError

HEAD: Final = struct.Struct("<QHB")
BODY: Final = struct.Struct("<BI")
JSON: Final = 0

HEARTBEAT: Final = "_heartbeat"
RESET: Final = "_resetsubscriptions"
DISCONNECT: Final = "_disconnect"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `reference` names a subscription of ours, or begins with `_`."""

    id: int
    reference: str
    payload: Any


def decoded(data: bytes | str) -> Iterator[Frame]:
    """The messages of one WebSocket message. Raises ProviderError for what is none."""
    if isinstance(data, str):
        raise ProviderError("Saxo's stream sent text")
    try:
        place = 0
        while place < len(data):
            frame, place = _frame(data, place)
            yield frame
    except (struct.error, ValueError) as error:
        raise ProviderError("Saxo's stream sent what is not a message") from error


def _frame(data: bytes, place: int) -> tuple[Frame, int]:
    identity, _, length = HEAD.unpack_from(data, place)
    place += HEAD.size
    reference = data[place : place + length].decode("ascii")
    layout, size = BODY.unpack_from(data, place + length)
    place += length + BODY.size
    if layout != JSON or place + size > len(data):
        raise ValueError(f"format {layout}, {size} bytes")
    payload = simplejson.loads(data[place : place + size], use_decimal=True)
    return Frame(identity, reference, payload), place + size

"""The binary messages of the stream."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ProviderError
from providers.saxo import frames
from tests.venues.saxo.streams import Frame

REFERENCES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=50)
PAYLOADS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.decimals(
        allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9
    )
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FRAMES = st.builds(Frame, st.integers(0, 2**64 - 1), REFERENCES, PAYLOADS)


@given(st.lists(FRAMES, max_size=4))
def test_what_was_packed_is_read(sent: list[Frame]) -> None:
    """One WebSocket message may hold several, and decimals keep their digits."""
    found = list(frames.decoded(b"".join(map(bytes, sent))))
    assert [(each.id, each.reference, each.payload) for each in sent] == [
        (each.id, each.reference, each.payload) for each in found
    ]


@given(FRAMES, st.data())
def test_a_message_cut_short_is_nonsense(frame: Frame, data: st.DataObject) -> None:
    whole = bytes(frame)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ProviderError):
        list(frames.decoded(whole[:cut]))


def test_a_known_message() -> None:
    """The layout, byte by byte."""
    data = struct.pack("<QHB", 1, 0, 3) + b"abc" + struct.pack("<BI", 0, 7) + b'{"a":1}'
    assert [frames.Frame(1, "abc", {"a": 1})] == list(frames.decoded(data))


@pytest.mark.parametrize("data", [b"\x00", "text", bytes(Frame(1, "r", {}, layout=1))])
def test_what_is_no_message_is_refused(data: bytes | str) -> None:
    """Half a head, text, and Protobuf, which nobody has asked for."""
    with pytest.raises(ProviderError):
        list(frames.decoded(data))

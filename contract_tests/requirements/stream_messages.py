"""The event stream: what the server hears."""

from __future__ import annotations

from typing import Any

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.listening import complain, errors, hear, mark
from contract_tests.toolkit.stream import Stream

TOO_LONG = "x" * 70_000
"""More than 64 KiB and less than 256 KiB."""

ACK: dict[str, Any] = {
    "type": "event_ack",
    "correlation_id": "conformance",
    "events_processed": [],
    "timestamp": 1736937000123,
}


def stays(api: Api, stream: Stream) -> None:
    """The connection still tells what happens."""
    hear(stream, api.rest()["id"], "ORDER_CREATED")


@requirement("WS-070")
def pong_and_ack_are_not_answered(api: Api) -> None:
    """They bring no error, whichever ids are acknowledged; an invalid message after them does."""
    with api.listen() as stream:
        seen = str(mark(api, stream))
        stream.say({"type": "pong"})
        for ids in ([seen], [seen], ["999999999", "no-such-event"], []):
            stream.say(ACK | {"events_processed": ids})
        complain(stream, {"type": "weather"})
        stays(api, stream)
        stream.equal(errors(stream), ["INVALID_MESSAGE"], "the errors, of one invalid message")


@requirement("WS-071")
def invalid_message_is_answered(api: Api) -> None:
    """Each brings one INVALID_MESSAGE, and the connection goes on."""
    incomplete = {name: value for name, value in ACK.items() if name != "events_processed"}
    mistyped = ACK | {"events_processed": "17"}
    with api.listen() as stream:
        for message in ("no JSON", "[]", "{}", {"type": "weather"}, incomplete, mistyped):
            complain(stream, message)
        stays(api, stream)
        stream.say({"type": "pong"})
        stays(api, stream)
        stream.equal(len(errors(stream)), 6, "the number of errors")


@requirement("WS-072")
def binary_and_long_messages_are_answered(api: Api) -> None:
    """A binary message, and one of 70,000 characters, bring an error and do not end it."""
    with api.listen() as stream:
        for message in (b"\x00\xff", b'{"type":"pong"}', TOO_LONG):
            complain(stream, message)
        stays(api, stream)


@requirement("WS-073")
def invalid_message_is_explained(api: Api) -> None:
    """The details name the member that is wrong or missing, and why."""
    missing = {name: value for name, value in ACK.items() if name != "correlation_id"}
    wrong = {
        "type": {"type": "weather"},
        "correlation_id": missing,
        "timestamp": ACK | {"timestamp": "yesterday"},
    }
    with api.listen() as stream:
        for field, message in wrong.items():
            details = complain(stream, message).body["details"] or {}
            stream.equal(details.get("field"), field, "details.field")
            reason = details.get("reason")
            stream.that(bool(reason), "details.reason", "a reason", reason)

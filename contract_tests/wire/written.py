"""What went over the wire as a report writes it, without secrets."""

from __future__ import annotations

import base64
from typing import Any, Final

from contract_tests.wire.redaction import Secrets
from contract_tests.wire.traffic import NO_STATUS, Exchange, Message

Document = dict[str, Any]

_NOISE: Final = frozenset({"accept-encoding", "connection", "user-agent"})


def exchange_entry(exchange: Exchange, secrets: Secrets) -> Document:
    """One request and its answer."""
    entry: Document = {
        "at": exchange.at,
        "method": exchange.method,
        "url": secrets.text(exchange.url),
        "request_headers": {
            name: secrets.header(name, value)
            for name, value in exchange.sent_headers.items()
            if name.lower() not in _NOISE
        },
        **_body(exchange.sent_body, secrets, "request_"),
        "status": None if exchange.status == NO_STATUS else exchange.status,
        "headers": {name: secrets.header(name, one) for name, one in exchange.headers.items()},
        **_body(exchange.body, secrets, ""),
        "seconds": round(exchange.seconds, 6),
    }
    if exchange.messages is not None:
        entry["messages"] = [_message(one, secrets) for one in exchange.messages]
    return entry | {"error": secrets.text(exchange.error)} if exchange.error else entry


def _message(message: Message, secrets: Secrets) -> Document:
    """One message of a WebSocket, or its end."""
    entry: Document = {"at": message.at, "from": "client" if message.sent else "server"}
    if message.code is not None:
        entry["close"] = message.code
    if isinstance(message.data, bytes):
        encoded = base64.b64encode(secrets.data(message.data)).decode("ascii")
        return entry | {"text": None, "base64": encoded}
    return entry | {"text": secrets.text(message.data)}


def _body(body: bytes, secrets: Secrets, prefix: str) -> Document:
    if not body:
        return {prefix + "body": None}
    struck = secrets.data(body)
    try:
        return {prefix + "body": struck.decode()}
    except UnicodeDecodeError:
        encoded = base64.b64encode(struck).decode("ascii")
        return {prefix + "body": None, prefix + "body_base64": encoded}

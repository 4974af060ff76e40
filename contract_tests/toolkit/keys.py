"""API keys in the headers that carry them."""

from __future__ import annotations

WRONG = "not-a-key-of-this-server"


def bearer(key: str) -> dict[str, str]:
    """The headers of a Bearer key."""
    return {"Authorization": f"Bearer {key}"}


def api_key(key: str) -> dict[str, str]:
    """The headers of an X-API-Key."""
    return {"X-API-Key": key}

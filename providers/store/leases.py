"""Leases in SQLite. Each function runs inside a transaction of the only writer."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from providers.exchange.documents import to_micros
from providers.exchange.store import Lease, LeaseLost

# A holder that comes back under its own name gets a new token: what it did before is over. A lease
# that lasts longer than any is given for was given before the clock was set back: its holder, if it
# lives, finds out by its token.
_ACQUIRE = """
    INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, 1, ?)
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at
    WHERE leases.expires_at <= ? OR leases.expires_at > ? OR leases.holder = excluded.holder"""


def acquire(
    connection: sqlite3.Connection, name: str, holder: str, ttl: timedelta, now: datetime
) -> Lease | None:
    """See Store.acquire_lease."""
    expires_at = now + ttl
    values = (name, holder, *map(to_micros, (expires_at, now, now + 2 * ttl)))
    if connection.execute(_ACQUIRE, values).rowcount == 0:
        return None
    (token,) = connection.execute("SELECT token FROM leases WHERE name = ?", (name,)).fetchone()
    return Lease(name, holder, token, expires_at)


def renew(connection: sqlite3.Connection, lease: Lease, ttl: timedelta, now: datetime) -> Lease:
    """See Store.renew_lease."""
    expires_at = now + ttl
    if not _set_expiry(connection, lease, to_micros(expires_at)):
        raise LeaseLost(lease.name)
    return Lease(lease.name, lease.holder, lease.token, expires_at)


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """See Store.release_lease."""
    _set_expiry(connection, lease, 0)


def _set_expiry(connection: sqlite3.Connection, lease: Lease, expires_at: int) -> bool:
    """Whether the lease is still the one that was given out."""
    changed = connection.execute(
        "UPDATE leases SET expires_at = ? WHERE name = ? AND token = ?",
        (expires_at, lease.name, lease.token),
    )
    return changed.rowcount == 1

"""Which store a database URL means."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote, urlsplit

from providers.exchange.log import LoggedStore
from providers.store.schema import Synchronous
from providers.store.sqlite import SqliteStore


def open_store(
    url: str,
    *,
    initial_balance: Decimal,
    currency: str = "USD",
    synchronous: Synchronous = "FULL",
) -> LoggedStore:
    """The store behind `sqlite:///FILE`; a fourth slash makes the path absolute.

    An account that was never used starts with `initial_balance`.

    Raises ValueError for any other kind of URL.
    """
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme != "sqlite" or not path or parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"cannot use the database {url!r}: it must be sqlite:///FILE")
    return SqliteStore(
        Path(path),
        initial_balance=initial_balance,
        currency=currency,
        synchronous=synchronous,
    )

"""Which store a database URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from providers.paper.settings import PaperSettings
from providers.paper.sqlite import SqliteStore
from providers.paper.tail import LoggedStore


def open_store(url: str, settings: PaperSettings) -> LoggedStore:
    """The store behind `sqlite:///FILE`; a fourth slash makes the path absolute.

    Raises ValueError for any other kind of URL.
    """
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme != "sqlite" or not path or parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"cannot use the database {url!r}: it must be sqlite:///FILE")
    return SqliteStore(
        Path(path),
        initial_balance=settings.initial_balance,
        currency=settings.currency,
        synchronous=settings.synchronous.value,
    )

"""API keys: which account a request acts for.

A key comes as `Authorization: Bearer KEY`, or else as `X-API-Key: KEY`. The configuration names
it in clear or by its SHA-256; either way only the SHA-256 is kept in memory. That is enough for
keys of 128 random bits or more, as `trading-api key` makes them: they cannot be guessed, so a
slow password hash would only cost time on every request.

Lookup reveals nothing by its timing: the table is indexed by a digest keyed with a secret of this
process, which a caller can neither predict nor approach byte by byte, and the match is confirmed
with a constant-time comparison.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from providers.errors import Unauthorized

OPEN_ACCOUNT = "default"
"""Who everybody is when no key is configured; serving is then confined to loopback."""

_ENTRY = re.compile(
    r"(?P<account>[A-Za-z0-9_.-]{1,64}):(?P<hashed>sha256:)?(?P<key>[!-+\--9;-~]{16,256})"
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of an account, by its SHA-256."""

    account: str
    sha256: bytes

    @classmethod
    def parse(cls, entry: str) -> ApiKey:
        """Reads `account:key` or `account:sha256:<64 hex digits>`; raises ValueError.

        The message never repeats the entry, which may hold a key.
        """
        match = _ENTRY.fullmatch(entry)
        if not match:
            raise ValueError("an entry must be ACCOUNT:KEY, the key at least 16 characters")
        account, hashed, key = match.group("account", "hashed", "key")
        if not hashed:
            return cls(account, hashlib.sha256(key.encode()).digest())
        if not _SHA256.fullmatch(key):
            raise ValueError("ACCOUNT:sha256:DIGEST needs 64 hexadecimal digits")
        return cls(account, bytes.fromhex(key))


def new_key(account: str) -> tuple[str, str]:
    """A fresh key of 256 random bits, and the entry that admits it without revealing it."""
    key = secrets.token_urlsafe(32)
    return key, f"{account}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


class Keyring:
    """All configured keys. Without any, everybody is let in as `OPEN_ACCOUNT`."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._pepper = os.urandom(32)
        self._keys = {self._tag(key.sha256): key for key in keys}
        self.open = not self._keys

    def account(self, headers: Mapping[bytes, bytes]) -> str:
        """The account behind a request's headers. Raises Unauthorized."""
        if self.open:
            return OPEN_ACCOUNT
        presented = presented_key(headers)
        if presented is None:
            raise Unauthorized("An API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
        digest = hashlib.sha256(presented).digest()
        known = self._keys.get(self._tag(digest))
        if known is None or not hmac.compare_digest(known.sha256, digest):
            raise Unauthorized("The API key is not valid")
        return known.account

    def _tag(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._pepper, digest_size=16).digest()


def presented_key(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key of a Bearer token, or else of X-API-Key; None if there is neither."""
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"x-api-key")

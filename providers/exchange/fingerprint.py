"""What makes two order requests the same: every field, whatever way its value was written."""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

from providers.models import OrderRequest, TimeInForce


def fingerprint(request: OrderRequest) -> str:
    """A digest of the request: 100 and 100.0 are the same, and so are an absent and a default
    time_in_force, and null, false and absent.
    """
    said = {name: value for name, value in request if value not in (None, False)}
    said.setdefault("time_in_force", TimeInForce.GTC)
    text = orjson.dumps(said, default=_normal, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).hexdigest()


def _normal(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    raise TypeError(f"{type(value).__name__} is no field of an order request")

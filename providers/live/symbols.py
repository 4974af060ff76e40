"""Aliases of canonical symbols: `S:AAPL`, `C:BTCUSD` and `F:EURUSD`, as openapi.yaml has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from providers.base import Instrument
from providers.models import AssetClass

CLASSES: Final = {
    "S:": AssetClass.STOCK,
    "C:": AssetClass.CRYPTO,
    "F:": AssetClass.FOREX,
}


def canonical(alias: str, known: Mapping[str, Instrument]) -> str | None:
    """The canonical symbol that a symbol or an alias names; None if that is not known.

    An alias only names an instrument of its own class. Where a pair without its slash could be
    two known pairs, such as `C:ABCDUSD` with ABC/DUSD and ABCD/USD, the longer base counts.
    """
    if alias in known:
        return alias
    asset_class = CLASSES.get(alias[:2])
    if asset_class is None:
        return None
    plain = alias[2:]
    splits = (f"{plain[:cut]}/{plain[cut:]}" for cut in range(len(plain) - 1, 0, -1))
    for symbol in (plain, *splits):
        if symbol in known and known[symbol].asset_class is asset_class:
            return symbol
    return None

"""The packages that only the results of a backtest need, imported when they are."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


class MissingExtra(ImportError):
    """A package of the extra `backtest` is not installed."""


def extra(module: str) -> Any:
    """The module. Raises MissingExtra, with what to do, where its package is not installed."""
    require(module)
    return import_module(module)


def require(*modules: str) -> None:
    """Raises MissingExtra if one of them is not installed; imports none, so it takes no time."""
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtra(
                f"the results of a backtest need {module}: pip install 'trading-api[backtest]'"
            )

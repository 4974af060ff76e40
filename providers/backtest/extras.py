"""Packages that are only needed by some runs, imported when they are."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

RESULTS = "the results of a backtest"


class MissingExtra(ImportError):
    """A package of an extra is not installed."""


def extra(module: str, user: str = RESULTS, name: str = "backtest") -> Any:
    """The module. Raises MissingExtra, with what to do, where its package is not installed."""
    require(module, user=user, name=name)
    return import_module(module)


def require(*modules: str, user: str = RESULTS, name: str = "backtest") -> None:
    """Raises MissingExtra if one of them is not installed; imports none, so it takes no time.

    `user` is what needs them, `name` the extra that they come with.
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtra(f"{user} need {module}: pip install 'trading-api[{name}]'")

"""What was asked for on the command line, as settings and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.backtest.grid import Axes
from handlers.options import given
from handlers.settings import Settings
from providers.backtest.settings import BacktestSettings


def settings_of(options: dict[str, Any]) -> tuple[BacktestSettings, Settings]:
    """The settings of the run and of its server. Raises pydantic's ValidationError."""
    if "fees" in options:
        options = {"maker_fee": options["fees"], "taker_fee": options["fees"], **options}
    server: dict[str, Any] = {"log_level": "error", **given(options, Settings)}
    if options["strategy"] is not None:
        server.setdefault("port", "0")
    return BacktestSettings(**given(options, BacktestSettings)), Settings(**server)


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as names and values. Raises ValueError."""
    split = [text.partition("=") for text in texts]
    names = {name for name, _, _ in split}
    if len(names) < len(split) or not all(each[0].isidentifier() and each[1] for each in split):
        raise ValueError(f"{option} must be NAME=VALUE, each name once, not {' '.join(texts)}")
    return {name: value for name, _, value in split}


def axes_of(texts: Sequence[str]) -> Axes:
    """`NAME=VALUE,VALUE` texts as names and values. Raises ValueError."""
    axes = {name: values.split(",") for name, values in pairs("--grid", texts).items()}
    for name, values in axes.items():
        if not all(values) or len(set(values)) < len(values):
            raise ValueError(
                f"--grid must be NAME=VALUE,VALUE, each value once, not {name}={','.join(values)}"
            )
    return axes

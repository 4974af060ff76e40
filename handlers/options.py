"""Options of a command line that are the fields of settings: documented once, where they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings

USAGE_ERROR = 2


def add_options(
    parser: Any, settings: type[BaseSettings], names: Collection[str] | None = None
) -> None:
    """One `--option` for each field (or each of `names`), absent unless it is given."""
    for name, field in settings.model_fields.items():
        if names is None or name in names:
            default = field.get_default(call_default_factory=True)
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                metavar=name.rsplit("_", 1)[-1].upper(),
                default=argparse.SUPPRESS,
                help=f"{field.description} Default: {shown(default)}.",
            )


def shown(default: Any) -> str:
    """A default as one would type it."""
    if isinstance(default, (list, tuple)):
        default = ",".join(map(str, default))
    return str(getattr(default, "value", default) or "none").replace("%", "%%")


def complaints(error: ValidationError, prefix: str, secrets: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with settings, in terms of their options and environment variables."""
    for each in error.errors():
        name = str(each["loc"][0]) if each["loc"] else ""
        problem = each["msg"].removeprefix("Value error, ")
        if not name:
            yield problem
            continue
        option = "" if name in secrets else f"--{name.replace('_', '-')} or "
        yield f"{option}{prefix}{name.upper()}: {problem}"


def complain(*lines: str) -> int:
    """Say what is wrong with the command line, and the exit status for that."""
    for line in lines:
        print(f"trading-api: {line}", file=sys.stderr)
    return USAGE_ERROR


def given(options: Mapping[str, Any], settings: type[BaseSettings]) -> dict[str, Any]:
    """Those of parsed options that are fields of these settings."""
    return {name: value for name, value in options.items() if name in settings.model_fields}

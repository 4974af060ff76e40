"""The report of a run as one page that needs nothing else: no network and no second file.

The page's own policy allows the style and the script that stand in it, by their digests, and
forbids all else, so a symbol or a setting can load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from providers.backtest.extras import extra
from providers.backtest.results import charts
from providers.backtest.results.performance import GROUPS, Figure, Summary, Undefined
from providers.backtest.results.round_trips import RoundTrip
from providers.backtest.settings import PREFIX

LISTED: Final = 1_000
"""Round trips that the page lists; the files beside it have all."""

_FILES: Final = Path(__file__).parent / "templates"
_HEADLINES: Final = (
    "net_profit",
    "cagr",
    "max_drawdown",
    "sharpe",
    "win_rate",
    "profit_factor",
    "trades",
    "exposure_time",
)
_SIGNED: Final = frozenset(
    "net_profit open_profit total_return cagr benchmark_return excess_return alpha expectancy "
    "average_win average_loss best_trade worst_trade best_return worst_return".split()
)
"""Figures that are good above 0 and bad below."""


def tear_sheet(summary: Summary, trips: Sequence[RoundTrip]) -> str:
    """The page."""
    record = summary.record
    style, script = _file("tearsheet.css"), _file("tearsheet.js")
    page: str = _template().render(
        record=record,
        summary=summary,
        style=style,
        script=script,
        policy=_policy(style, script),
        data=_data(charts.over_time(record)),
        symbols=charts.charted(record),
        groups=GROUPS,
        headlines=[summary.figures[name] for name in _HEADLINES],
        bins=charts.histogram(trips),
        months=charts.months(record, summary.calendar),
        trips=trips[-LISTED:],
        hidden=max(len(trips) - LISTED, 0),
        command=reproduction(record.settings),
    )
    return page


@cache
def _template() -> Any:
    jinja2 = extra("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FILES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "shown": shown,
        "tone": tone,
        "percent": percent,
        "money": money,
        "plain": plain,
        "moment": moment,
        "span": span,
    }
    return environment.get_template("tearsheet.html.jinja")


def _file(name: str) -> Any:
    """One of our own files, which stand in the page as they are."""
    return extra("markupsafe").Markup((_FILES / name).read_text("utf-8"))


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which nothing but the two can act, and nothing is loaded."""
    digests = (hashlib.sha256(part.encode()).digest() for part in (style, script))
    allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return (
        f"default-src 'none'; style-src {allowed[0]}; script-src {allowed[1]}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(document: Mapping[str, Any]) -> Any:
    """JSON that can stand inside a script element: it cannot end it."""
    text = orjson.dumps(document).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return extra("markupsafe").Markup(text)


def reproduction(settings: Mapping[str, str]) -> str:
    """The settings as environment variables, for a shell."""
    return "\n".join(
        f"export {PREFIX}{name.upper()}={shlex.quote(value)}" for name, value in settings.items()
    )


def shown(figure: Figure) -> str:
    """The value as people read it, a dash where there is none."""
    if isinstance(figure.value, Undefined):
        return "\N{EN DASH}"
    return _UNITS[figure.meaning.unit](figure.value)


def tone(figure: Figure) -> str:
    """A class of the style sheet: gain or loss, or nothing for figures that are neither."""
    if isinstance(figure.value, Undefined) or figure.name not in _SIGNED or not figure.value:
        return ""
    return "gain" if float(figure.value) > 0 else "loss"


def percent(value: Decimal | float, places: int = 2) -> str:
    return _minus(f"{100 * float(value):,.{places}f}%")


def money(value: Decimal | float) -> str:
    """Two places, or as many as a small amount needs."""
    return _minus(f"{value:,.4g}" if 0 < abs(float(value)) < 1 else f"{value:,.2f}")


def plain(value: Decimal) -> str:
    """A price or quantity to 5 digits behind the point, a small one to 8, without zeros behind."""
    places = 5 if abs(value) >= 1 else 8
    return _minus(f"{value:,.{places}f}".rstrip("0").rstrip("."))


def moment(time: datetime) -> str:
    """To the minute, or the day alone where that is its first minute."""
    text = f"{time:%Y-%m-%d %H:%M}"
    return text.removesuffix(" 00:00")


def span(length: timedelta) -> str:
    """A length of time in its largest fitting unit."""
    return days(length / timedelta(days=1))


def days(number: Decimal | float) -> str:
    if number < 1:
        return f"{float(number) * 24:.1f} hours"
    return f"{float(number):,.0f} day{'' if round(number) == 1 else 's'}"


def _minus(text: str) -> str:
    """With a true minus sign, and none before a zero."""
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        return text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def _ratio(value: Decimal | float) -> str:
    return _minus(f"{value:,.2f}")


_UNITS: Final[Mapping[str, Callable[[Decimal | float], str]]] = {
    "percent": percent,
    "money": money,
    "ratio": _ratio,
    "times": lambda value: f"{_ratio(value)} \N{MULTIPLICATION SIGN}",
    "count": lambda value: f"{value:,}",
    "days": days,
    "bars": lambda value: f"{value:,.1f} bars",
}

"""What the commands take, and what is wrong with what they were given."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from contract_tests.reports import KINDS
from contract_tests.running.known_failures import NoKnownFailures, known_failures
from contract_tests.running.options import PROFILES
from contract_tests.spec import requirements

FUZZ_SECONDS: Final = 45.0
_MOST_SEED: Final = 2**63 - 1
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The arguments of `run`."""
    parser.add_argument("url", type=url, help="such as http://localhost:8080, with or without /v1")
    add_headers(parser)
    profiles = "; ".join(f"{name}: {meaning}" for name, meaning in PROFILES.items())
    parser.add_argument("--profile", choices=sorted(PROFILES), default="full", help=profiles)
    parser.add_argument(
        "--seed", type=seed, metavar="N", help="make up the same values as another run (printed)"
    )
    for name, meaning in (("--only", "judge these alone"), ("--skip", "leave these out")):
        parser.add_argument(
            name, action="append", type=requirement_id, default=[], metavar="ID", help=meaning
        )
    parser.add_argument(
        "--symbol",
        action="append",
        type=symbol,
        default=[],
        metavar="SYMBOL[=QUANTITY]",
        help="trade these instead of those found, in orders of that quantity and its half",
    )
    parser.add_argument(
        "--allow-fills",
        action="store_true",
        help="let small orders trade; without it all orders rest far from the market",
    )
    _add_limits(parser)
    _add_outputs(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-time", type=seconds, metavar="SECONDS", help="start no check after so long"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long an answer may take (default 10)",
    )
    parser.add_argument("--no-fuzz", action="store_true", help="send no generated requests")
    parser.add_argument(
        "--fuzz-time",
        type=seconds,
        metavar="SECONDS",
        help=f"how long to send generated requests (default {FUZZ_SECONDS:g}; none in the profile"
        " smoke or with --only)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--known-failures",
        type=_known_failures,
        default=frozenset(),
        metavar="FILE",
        help="requirements that may fail, an id a line; one that holds must be taken off",
    )
    kinds = "; ".join(f"{name}: {kind.purpose}" for name, kind in KINDS.items())
    parser.add_argument(
        "--report",
        action="append",
        type=_reports,
        default=[],
        metavar="KIND[=PATH]",
        help=f"write a report, or several separated by commas. {kinds}",
    )


def add_headers(parser: argparse.ArgumentParser) -> None:
    """Headers that go with every request."""
    parser.add_argument(
        "-H", "--header", action="append", type=_header, default=[], metavar="NAME: VALUE"
    )


def add_replay(parser: argparse.ArgumentParser) -> None:
    """The arguments of `replay`."""
    parser.add_argument("report", help="a report in JSON, or REPORT#CHECK")
    parser.add_argument("check", nargs="?", help="the id of a check or requirement in it")
    parser.add_argument(
        "--against", type=url, metavar="URL", help="the server to ask now (default: that of before)"
    )
    add_headers(parser)
    parser.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help="as of run"
    )
    parser.add_argument(
        "--curl", action="store_true", help="send nothing, print the recorded chain as a script"
    )


def url(text: str) -> str:
    """An http or https URL without query, fragment or trailing slash."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL: {error}") from error
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as http://localhost:8080")
    if parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} has a query or a fragment; paths come after it")
    return text.rstrip("/")


def file(text: str) -> Path:
    """A file that exists."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return path


def requirement_id(text: str) -> str:
    """The id of a requirement, in any case."""
    name = text.upper()
    if name not in requirements():
        raise argparse.ArgumentTypeError(f"{text} is no requirement; see trading-conformance list")
    return name


def symbol(text: str) -> str:
    """A symbol, and the quantity of its orders where one is given."""
    name, equals, amount = text.partition("=")
    if not name or (equals and not re.fullmatch(r"0*[1-9][0-9]*|[0-9]+\.0*[1-9][0-9]*", amount)):
        raise argparse.ArgumentTypeError(f"{text!r} is not such as BTC/USD or BTC/USD=0.01")
    return text


def seed(text: str) -> int:
    """A number that reports can hold."""
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_SEED):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {_MOST_SEED}")
    return int(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _HEADER_NAME.fullmatch(name):
        raise argparse.ArgumentTypeError("a header is written NAME: VALUE")
    if not (value.isascii() and value.isprintable()):
        raise argparse.ArgumentTypeError(f"the value of {name} has characters that headers cannot")
    return name, value


def _known_failures(text: str) -> frozenset[str]:
    try:
        return known_failures(Path(text))
    except NoKnownFailures as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _reports(text: str) -> dict[str, Path]:
    return dict(map(_report, text.split(",")))


def _report(text: str) -> tuple[str, Path]:
    kind, equals, place = text.partition("=")
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise argparse.ArgumentTypeError(f"{kind!r} is no kind of report; there are {known}")
    path = Path(place if equals else KINDS[kind].file)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(
            f"{path} cannot be written: no such directory, or it is one"
        )
    return kind, path

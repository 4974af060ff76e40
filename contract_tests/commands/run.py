"""`run`: judges a server."""

from __future__ import annotations

import argparse
import base64
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from rich.console import Console

from contract_tests.commands.arguments import FUZZ_SECONDS
from contract_tests.commands.output import (
    BROKEN,
    CONFORMANT,
    NOT_CONFORMANT,
    UNREACHABLE,
    Unusable,
    complain,
    say,
)
from contract_tests.reports import render
from contract_tests.reports.terminal import Progress, summary
from contract_tests.running import judging, target
from contract_tests.running.options import Options, plan
from contract_tests.running.report import Document
from contract_tests.running.run import Run
from contract_tests.toolkit.client import NoAnswer
from contract_tests.wire.redaction import Secrets

_SEED_BITS: Final = 32


def run_checks(arguments: argparse.Namespace) -> int:
    """Judge the target, write the reports, and tell."""
    options = options_of(arguments)
    try:
        found = target.find(options.url, options.headers, timeout=options.timeout)
    except NoAnswer as error:
        shown = Secrets(options.headers.items()).text(f"{error.actual}")
        complain(f"{options.url} cannot be reached: {shown}")
        return UNREACHABLE
    console = Console()
    say(f"judging {found.base} with --seed {options.seed}")
    document = _judged(Run(options, found), console)
    _write(document, options.reports)
    summary(console, document, report=options.reports.get("json"))
    return exit_code(document)


def _judged(run: Run, console: Console) -> Document:
    with Progress(console, len(plan(run.options))) as progress:
        document = run.perform(progress)
    if run.lost:
        complain(f"{run.target.base} answers no more, so the run ended early.")
    if run.out_of_time:
        complain(f"The {run.options.max_time:g} s of --max-time ended the run early.")
    return document


def options_of(arguments: argparse.Namespace) -> Options:
    """The options as the run wants them; what was left open is chosen here."""
    url, headers = target_of(arguments.url, arguments.header)
    seed = arguments.seed
    return Options(
        url=url,
        headers=headers,
        profile=arguments.profile,
        seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
        only=frozenset(arguments.only),
        skip=frozenset(arguments.skip),
        symbols=tuple(arguments.symbol),
        allow_fills=arguments.allow_fills,
        known_failures=arguments.known_failures,
        max_time=arguments.max_time,
        timeout=arguments.timeout,
        fuzz_time=_fuzz_time(arguments),
        reports={kind: path for each in arguments.report for kind, path in each.items()},
    )


def target_of(url: str, headers: Iterable[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """The URL without name and password, and the headers with them."""
    parts = urlsplit(url)
    given, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, dict(headers)
    encoded = base64.b64encode(unquote(given).encode()).decode()
    bare = urlunsplit(parts._replace(netloc=host))
    return bare, {"Authorization": f"Basic {encoded}", **dict(headers)}


def _fuzz_time(arguments: argparse.Namespace) -> float:
    """Those who want to know of a few requirements, or to know soon, do not wait for fuzzing."""
    if arguments.no_fuzz:
        return 0.0
    if arguments.fuzz_time is not None:
        return float(arguments.fuzz_time)
    return 0.0 if arguments.only or arguments.profile == "smoke" else FUZZ_SECONDS


def _write(document: Document, reports: Mapping[str, Path]) -> None:
    for kind, path in reports.items():
        text = render(kind, document)
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise Unusable(f"{path} cannot be written: {error}") from error
        say(f"wrote {path}")


def exit_code(document: Document) -> int:
    """What a report means for the shell."""
    if judging.is_broken(document):
        if fuzzing_error := (document["fuzzing"] or {}).get("error"):
            complain(f"The fuzzing broke: {fuzzing_error}")
        complain("Something broke in the suite: this is its own bug, not the server's.")
        return BROKEN
    return CONFORMANT if document["verdict"] == judging.CONFORMANT else NOT_CONFORMANT

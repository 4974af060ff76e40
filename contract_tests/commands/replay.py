"""`replay`: one check of a report once more, against a server as it is now."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contract_tests.commands.output import (
    CONFORMANT,
    NOT_CONFORMANT,
    UNREACHABLE,
    Unusable,
    complain,
    indented,
    say,
)
from contract_tests.commands.reading import read_report
from contract_tests.commands.run import target_of
from contract_tests.reports import curl
from contract_tests.requirements import Check, checks
from contract_tests.running import target
from contract_tests.running.checks import Outcome, broken_by_the_way, run_check
from contract_tests.running.judging import BAD
from contract_tests.running.playback import base_of, body_of, options_of
from contract_tests.running.report import Document
from contract_tests.running.run import Run
from contract_tests.toolkit.client import Client, NoAnswer
from contract_tests.toolkit.invariants import Judge
from contract_tests.wire.redaction import STRUCK, Secrets
from contract_tests.wire.traffic import Exchange

_BY_CLIENT = frozenset({"host", "content-length", "transfer-encoding"})


def replay_failure(arguments: argparse.Namespace) -> int:
    """Run the check again with its seed, or print its requests as a script for curl."""
    path, name = _split(arguments.report, arguments.check)
    document = read_report(path)
    one, entry = _find(document, name)
    if arguments.curl:
        say(curl.script(entry, base_of(document)))
        return CONFORMANT
    against = arguments.against or document["target"]["url"]
    base, headers = target_of(against, arguments.header)
    try:
        found = target.find(base, headers, timeout=arguments.timeout)
    except NoAnswer as error:
        complain(f"{base} cannot be reached: {error.actual}")
        return UNREACHABLE
    recorded = options_of(document)
    options = replace(
        recorded, url=base, headers=headers, timeout=arguments.timeout, only=frozenset([one["id"]])
    )
    return _replay(Run(options, found), document, one, entry)


def _replay(run: Run, document: Document, one: Document, entry: Document) -> int:
    say(f"{entry['id']} against {run.target.base}: {one['text']}")
    known = {check.id: check for check in checks()}
    check = known.get(str(entry.get("seen_in", entry["id"])))
    if check is not None:
        return _once_more(run, check, one["id"])
    if not entry["exchanges"]:
        raise Unusable(f"{entry['id']} is no check of this suite, and has no requests to send")
    return _resend(run, document, one["id"], entry["exchanges"])


def _once_more(run: Run, check: Check, requirement_id: str) -> int:
    """Run the check; what it judged by the way counts where that was the failure."""
    with run.api() as api:
        result = run_check(check, api, seed=run.options.seed)
    by_the_way = {
        other.requirement.id: other for other in broken_by_the_way(run.watcher.take(), result)
    }
    if requirement_id != check.requirement:
        result = by_the_way.get(requirement_id, replace(result, outcome=Outcome.PASSED, reason=""))
    secrets = Secrets(run.options.headers.items())
    _show(result.exchanges, secrets)
    if result.failure is not None:
        failure = result.failure
        say(secrets.text(f"{failure.what}\n  expected: {failure.expected}"))
        say(secrets.text(f"  actual:   {failure.actual}"))
    say(secrets.text(f"{result.outcome}: {result.reason}" if result.reason else result.outcome))
    return CONFORMANT if result.outcome is Outcome.PASSED else NOT_CONFORMANT


def _show(exchanges: Sequence[Exchange], secrets: Secrets) -> None:
    for number, exchange in enumerate(exchanges, 1):
        say(f"--- {number}")
        say(indented(secrets.text(exchange.render())))


def _resend(
    run: Run, document: Document, requirement_id: str, exchanges: Sequence[Document]
) -> int:
    """Send recorded requests as they are; what they find out is what every answer is judged by."""
    old = base_of(document)
    with Client(run.target.base, run.options.headers, timeout=run.options.timeout) as client:
        for one in exchanges:
            try:
                _send(client, one, one["url"].removeprefix(old))
            except NoAnswer:
                break
    _show(client.exchanges, Secrets(run.options.headers.items()))
    unanswered = not client.exchanges[-1].status
    judge = Judge()
    broken = [found for exchange in client.exchanges for found in judge.violations(exchange)]
    holds = not unanswered and requirement_id not in {found.requirement for found in broken}
    say("passed" if holds else "failed")
    return CONFORMANT if holds else NOT_CONFORMANT


def _send(client: Client, exchange: dict[str, Any], path: str) -> None:
    headers = {
        name: value
        for name, value in exchange["request_headers"].items()
        if value != STRUCK and name.lower() not in _BY_CLIENT
    }
    content = body_of(exchange, "request_") or None
    client.send(exchange["method"], path, content=content, headers=headers)


# --- what is replayed ---


def _split(report: str, check: str | None) -> tuple[Path, str]:
    """REPORT and CHECK, also where they are written as one: REPORT#CHECK."""
    if check is not None:
        return Path(report), check
    path, mark, name = report.rpartition("#")
    if not mark or not name:
        raise Unusable("name a check: REPORT#CHECK, or REPORT CHECK")
    return Path(path), name


def _find(document: Document, name: str) -> tuple[Document, Document]:
    """The requirement and the check; of a requirement its first that failed."""
    for one in document["requirements"]:
        for entry in one["checks"]:
            if entry["id"] == name:
                return one, entry
    for one in document["requirements"]:
        if one["id"] == name.upper() and one["checks"]:
            bad = [entry for entry in one["checks"] if entry["outcome"] in BAD]
            return one, (bad or one["checks"])[0]
    raise Unusable(f"the report has no check {name}")

"""Writes down what a run found, in the form of report.schema.json, without secrets."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from contract_tests.running import judging
from contract_tests.running.checks import Outcome, Result
from contract_tests.spec import SPEC_FILES, Requirement, document
from contract_tests.toolkit.expect import Failure, shown
from contract_tests.wire.redaction import Secrets
from contract_tests.wire.traffic import Exchange
from contract_tests.wire.written import exchange_entry

Document = dict[str, Any]

SCHEMA_FILE: Final = Path(__file__).with_name("report.schema.json")
SCHEMA_VERSION: Final = "1"
SUITE: Final = "trading-conformance"
_DISTRIBUTIONS: Final = ("trading-api-conformance", "trading-api")


# --- where it comes from ---


def suite() -> Document:
    """Which suite this is. Run from a mere copy of the sources it has no version."""
    return {"name": SUITE, "version": _version(), "python": platform.python_version()}


def _version() -> str:
    for name in _DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


@cache
def spec() -> Document:
    """The contract that this suite judges by; the digest is that of both documents in a row."""
    info = document()["info"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in SPEC_FILES)).hexdigest()
    return {
        "title": info["title"],
        "version": str(info["version"]),
        "digest": f"sha256:{digest}",
    }


# --- what was found ---


def requirement_entry(
    one: Requirement, checks: Sequence[Document], *, known: bool, otherwise: tuple[Outcome, str]
) -> Document:
    """A requirement with its checks; `otherwise` is its outcome and why where it has none."""
    outcome = judging.worst(check["outcome"] for check in checks) if checks else otherwise[0]
    reasons = [check["reason"] for check in checks if check["outcome"] == outcome]
    return {
        "id": one.id,
        "level": one.level,
        "profile": one.profile,
        "feature": one.feature,
        "text": one.text,
        "where": one.where,
        "outcome": str(outcome),
        "reason": "; ".join(dict.fromkeys(filter(None, reasons))) if checks else otherwise[1],
        "known_failure": known,
        "checks": list(checks),
    }


def check_entry(result: Result, secrets: Secrets) -> Document:
    """What became of a check, with its traffic."""
    if result.check is None:
        raise ValueError("only what a check found has an entry")
    exchanges = [*result.exchanges, *(() if result.by_the_way else result.cleaning)]
    # First the exchanges: secrets that the server gave out are learned from their headers.
    written = [exchange_entry(one, secrets) for one in exchanges]
    entry = {
        "id": result.check.id,
        "description": (result.check.run.__doc__ or "").strip(),
        "outcome": str(result.outcome),
        "reason": secrets.text(result.reason),
        "seconds": round(result.seconds, 6),
        "failure": _failure(result.failure, exchanges, secrets),
        "exchanges": written,
        "cleaning_from": len(result.exchanges),
        "started_at": _moment(result.started_at),
    }
    return entry | _seen_in(result) if result.by_the_way else entry


def _seen_in(result: Result) -> Document:
    seen_in = result.check.id if result.check else ""
    return {
        "id": f"{result.requirement.id}-seen_in-{seen_in}",
        "description": f"Every answer is looked at, also those that {seen_in} got.",
        "seen_in": seen_in,
    }


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _failure(
    failure: Failure | None, exchanges: Sequence[Exchange], secrets: Secrets
) -> Document | None:
    if failure is None:
        return None
    places = [place for place, one in enumerate(exchanges) if one is failure.exchange]
    return {
        "what": secrets.text(failure.what),
        "expected": secrets.text(_shown(failure.expected)),
        "actual": secrets.text(_shown(failure.actual)),
        "exchange": places[0] if places else None,
    }


def _shown(value: object) -> str:
    return shown(value) if isinstance(value, set | frozenset) else str(value)


# --- the whole ---


def sealed(report: Document) -> Document:
    """The report with its totals and verdict, and with the digest of all of that."""
    requirements = report["requirements"]
    whole = report | {
        "verdict": judging.verdict(requirements),
        "totals": judging.totals(requirements),
    }
    return whole | {"digest": digest(whole)}


def digest(report: Document) -> str:
    """The SHA-256 of a report without its own digest, in one spelling of its JSON."""
    bare = {name: value for name, value in report.items() if name != "digest"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def errors(report: object) -> list[str]:
    """Where a document departs from report.schema.json; empty when it is a report."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'document'}: {error.message}"
        for error in _validator().iter_errors(report)
    ]


@cache
def _validator() -> jsonschema_rs.Validator:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

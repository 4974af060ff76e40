"""The file of known failures: requirements that may fail, and must be taken off when they hold."""

from __future__ import annotations

from pathlib import Path

from contract_tests.spec import requirements


class NoKnownFailures(Exception):
    """The file cannot be read, or names what is no requirement."""


def known_failures(path: Path) -> frozenset[str]:
    """The ids in a file: one a line, what follows a # is for people."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NoKnownFailures(f"{path} cannot be read: {error}") from error
    ids = [line.partition("#")[0].strip().upper() for line in lines]
    named = frozenset(one for one in ids if one)
    if unknown := sorted(named - requirements().keys()):
        raise NoKnownFailures(f"{path} names no requirement of this spec: {', '.join(unknown)}")
    return named

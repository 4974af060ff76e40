"""`verify`: recomputes what a report says from the traffic that it holds."""

from __future__ import annotations

import argparse

from contract_tests.commands.output import CONFORMANT, NOT_CONFORMANT, Unusable, say
from contract_tests.commands.reading import read_report
from contract_tests.running import report
from contract_tests.running.playback import Playback, Silent, differences
from contract_tests.running.report import Document


def verify_report(arguments: argparse.Namespace) -> int:
    """Play every check once more and compare; 0 if the report says what its traffic says."""
    document = read_report(arguments.report)
    found = list(dict.fromkeys(problems(document)))
    for problem in found:
        say(problem)
    if found:
        say(f"REFUTED: {arguments.report} does not follow from its traffic")
        return NOT_CONFORMANT
    say(f"VERIFIED: {_what(document)}")
    return CONFORMANT


def problems(document: Document) -> list[str]:
    """Everything that is wrong with a report. Raises Unusable for one of another suite."""
    if document.get("digest") != report.digest(document):
        return ["the digest is not that of the report: it was changed after it was written"]
    if _origin(document) != (report.suite()["version"], report.spec()):
        raise Unusable(
            f"the report was made with the spec {document['spec']['digest']}, and this suite has"
            f" {report.spec()['digest']}: verify it with trading-conformance"
            f" {document['suite']['version']}"
        )
    try:
        playback = Playback(document)
        played = playback.perform(Silent())
    except ValueError as error:
        return [f"the traffic cannot be read: {error}"]
    return [*playback.remarks, *differences(document, played)]


def _origin(document: Document) -> tuple[str, Document]:
    return document["suite"]["version"], document["spec"]


def _what(document: Document) -> str:
    checks = [check for one in document["requirements"] for check in one["checks"]]
    exchanges = sum(len(check["exchanges"]) for check in checks)
    said = f"{document['verdict']}, as {len(checks)} checks see it in {exchanges} exchanges"
    findings = (document["fuzzing"] or {"findings": []})["findings"]
    return said + (f"; {len(findings)} findings of fuzzing stand as they are" if findings else "")

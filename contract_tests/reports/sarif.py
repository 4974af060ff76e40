"""The report as SARIF 2.1.0, for code scanning: requirements are rules, problems are results."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from contract_tests.reports.reading import Document, Problem, area, area_name, problems
from contract_tests.reports.text import body, line, visible
from contract_tests.reports.wording import provenance, verdict_sentence
from contract_tests.spec import SPEC_FILE, SPEC_FILES

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {"MUST": "error", "SHOULD": "warning", "MAY": "note"}
_RESULT_LEVELS: Final = {"error": "error", "warning": "warning", "note": "note", "known": "note"}


def sarif(document: Document) -> str:
    """The log file, with one run."""
    requirements = document["requirements"]
    index = {one["id"]: number for number, one in enumerate(requirements)}
    suite, run = document["suite"], document["run"]
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": suite["name"],
                        "version": suite["version"],
                        "rules": [_rule(one) for one in requirements],
                    }
                },
                "automationDetails": {"id": f"trading-api-conformance/{run['profile']}"},
                "invocations": [_invocation(document)],
                "results": [
                    _result(one, index[one.requirement["id"]]) for one in problems(document)
                ],
                "properties": dict(provenance(document)),
            }
        ],
    }
    return json.dumps(log, indent=1) + "\n"


def _rule(requirement: Document) -> dict[str, Any]:
    told = f"`trading-conformance explain {requirement['id']}` tells how it is judged."
    tags = [area_name(area(requirement["id"])), requirement["level"], requirement["profile"]]
    return {
        "id": requirement["id"],
        "shortDescription": {"text": requirement["text"]},
        "fullDescription": {"text": requirement["text"]},
        "help": {"text": f"{requirement['text']} {told}"},
        "defaultConfiguration": {"level": _LEVELS[requirement["level"]]},
        "properties": {"tags": tags + [one for one in [requirement["feature"]] if one]},
    }


def _invocation(document: Document) -> dict[str, Any]:
    nothing = document["verdict"] == "nothing exercised"
    note = {"level": "error", "message": {"text": verdict_sentence(document)}}
    return {
        "executionSuccessful": not nothing
        and all(one["outcome"] != "broken" for one in document["requirements"]),
        "startTimeUtc": document["run"]["started_at"],
        "endTimeUtc": document["run"]["finished_at"],
        "toolExecutionNotifications": [note] if nothing else [],
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    requirement_id = problem.requirement["id"]
    result: dict[str, Any] = {
        "ruleId": requirement_id,
        "ruleIndex": rule,
        "level": _RESULT_LEVELS[problem.severity],
        "message": {"text": _message(problem)},
        "locations": [_location(requirement_id)],
        "partialFingerprints": {"check/v1": problem.id},
    }
    if problem.severity == "known":
        listed = "listed in the file of known failures"
        result["suppressions"] = [{"kind": "external", "justification": listed}]
    return result | _wire(problem.judged) if problem.judged else result


def _message(problem: Problem) -> str:
    failure = problem.failure
    parts = [visible(problem.requirement["text"]), visible(failure["what"])]
    if failure["expected"] or failure["actual"]:
        parts += [f"Expected: {line(failure['expected'])}", f"Actual: {line(failure['actual'])}"]
    return "\n".join(parts)


def _location(requirement_id: str) -> dict[str, Any]:
    name, number = _lines().get(requirement_id, (SPEC_FILE.name, None))
    physical: dict[str, Any] = {"artifactLocation": {"uri": name}}
    if number is not None:
        physical["region"] = {"startLine": number}
    return {"physicalLocation": physical}


@cache
def _lines() -> dict[str, tuple[str, int | None]]:
    """The document and the line on which each requirement stands."""
    found: dict[str, tuple[str, int | None]] = {}
    for path in SPEC_FILES:
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            if match := re.fullmatch(r"\s*- id: ([A-Z]+-\d+)", text):
                found[match[1]] = path.name, number
    return found


def _wire(exchange: dict[str, Any]) -> dict[str, Any]:
    answered = {"statusCode": exchange["status"]} if exchange["status"] is not None else {}
    return {
        "webRequest": {
            "method": exchange["method"],
            "target": exchange["url"],
            "headers": exchange["request_headers"],
            "body": {"text": body(exchange, "request_")},
        },
        "webResponse": answered
        | {
            "noResponseReceived": exchange["status"] is None,
            "headers": exchange["headers"],
            "body": {"text": body(exchange)},
        },
    }

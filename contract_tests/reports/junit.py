"""The report as JUnit XML, as GitLab, Jenkins and the reporters of GitHub read it.

One suite an area, one case a check, and one a requirement that has no check to show. A case fails
where it stands in the way of conformance, so that a pipeline is red exactly when the verdict is.
What only warns (SHOULD, MAY, known failures) is skipped with its text as the message: these
systems show a skipped case beside the others, and a passing one they hide.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from contract_tests.reports.reading import (
    MEANINGS,
    Document,
    Problem,
    area,
    area_name,
    by_area,
    problems,
)
from contract_tests.reports.text import body, line, visible
from contract_tests.reports.wording import provenance, verdict_sentence


def junit(document: Document) -> str:
    """The XML document."""
    root = ET.Element("testsuites", name="Trading API conformance")
    found: dict[str, list[Problem]] = {}
    for problem in problems(document):
        found.setdefault(problem.requirement["id"], []).append(problem)
    for prefix, requirements in by_area(document).items():
        suite = ET.SubElement(root, "testsuite", name=f"{prefix} {area_name(prefix)}")
        _properties(suite, document)
        for requirement in requirements:
            suite.extend(_cases(requirement, found.get(requirement["id"], [])))
        _count(suite, document)
    if document["verdict"] == "nothing exercised":
        root.append(_nothing(document))
    _total(root, document)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _properties(suite: ET.Element, document: Document) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in provenance(document):
        ET.SubElement(properties, "property", name=name, value=line(value, 2000))


def _cases(requirement: Document, found: list[Problem]) -> Iterator[ET.Element]:
    bad = {problem.id: problem for problem in found}
    for check in requirement["checks"]:
        case = _case(requirement, check["id"], check["description"], check["seconds"])
        if problem := bad.pop(check["id"], None):
            _judge(case, problem)
        elif check["outcome"] != "passed":
            _skip(case, check)
        yield case
    for problem in bad.values():
        case = _case(requirement, problem.id, problem.check["description"], 0)
        _judge(case, problem)
        yield case
    if not requirement["checks"] and not found:
        case = _case(requirement, requirement["id"], "", 0)
        if requirement["outcome"] != "passed":
            _skip(case, requirement)
        yield case


def _case(requirement: Document, name: str, description: str, seconds: float) -> ET.Element:
    title = f"{name}: {line(description)}" if description else name
    group = f"conformance.{area(requirement['id'])}.{requirement['id']}"
    return ET.Element("testcase", classname=group, name=visible(title), time=f"{seconds:.3f}")


def _judge(case: ET.Element, problem: Problem) -> None:
    requirement = problem.requirement
    told = "\n".join(_told(problem))
    message = f"{requirement['id']} {requirement['level']}: {line(problem.failure['what'])}"
    if problem.severity == "error" or problem.outcome == "broken":
        tag = "error" if problem.outcome == "broken" else "failure"
        ET.SubElement(case, tag, message=message, type=problem.outcome).text = told
        return
    warns = "known failure" if problem.severity == "known" else "warning"
    ET.SubElement(case, "skipped", message=f"{warns}, {message}")
    ET.SubElement(case, "system-out").text = told


def _told(problem: Problem) -> Iterator[str]:
    requirement = problem.requirement
    yield f"{requirement['id']} ({requirement['level']}): {visible(requirement['text'])}"
    failure = problem.failure
    yield visible(failure["what"])
    if failure["expected"] or failure["actual"]:
        yield f"  expected: {line(failure['expected'], 2000)}"
        yield f"  actual:   {line(failure['actual'], 2000)}"
    if exchange := problem.judged:
        yield f"> {visible(exchange['method'])} {visible(exchange['url'])}"
        yield body(exchange, "request_")
        yield f"< {exchange['status'] or 'no answer'}"
        yield body(exchange)
    yield f"trading-conformance explain {requirement['id']}"


def _skip(case: ET.Element, judged: Document) -> None:
    outcome = judged["outcome"]
    ET.SubElement(
        case, "skipped", message=f"{outcome}: {line(judged['reason']) or MEANINGS[outcome]}"
    )


def _nothing(document: Document) -> ET.Element:
    """A run that judged nothing is not green, though not one of its checks has failed."""
    suite = ET.Element("testsuite", name="Verdict")
    case = ET.SubElement(suite, "testcase", classname="conformance", name="verdict", time="0.000")
    ET.SubElement(case, "error", message=verdict_sentence(document), type="nothing exercised")
    _count(suite, document)
    return suite


def _count(suite: ET.Element, document: Document) -> None:
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
    suite.set("timestamp", document["run"]["started_at"])


def _total(root: ET.Element, document: Document) -> None:
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, 0)) for suite in root)))
    root.set("time", f"{document['run']['seconds']:.3f}")

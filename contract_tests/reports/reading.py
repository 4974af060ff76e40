"""What every renderer reads out of a report document (see report.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract_tests.reports.text import line
from contract_tests.running import judging

Document = Mapping[str, Any]

OUTCOMES: Final = tuple(map(str, judging.WORST_FIRST))
"""All outcomes, worst first."""

MEANINGS: Final = {
    "broken": "the check itself broke: a bug of the suite",
    "failed": "the server does not do what the requirement asks",
    "not exercised": "declared or always due, but it could not be brought about",
    "needs": "not judged: it needs more than this run offered",
    "pending": "not judged: its check is still to come",
    "not declared": "not judged: the server does not claim the feature",
    "skipped": "not judged: left out of this run",
    "passed": "seen to hold",
}
BAD: Final = frozenset(map(str, judging.BAD))
LEVELS: Final = ("MUST", "SHOULD", "MAY")
_MILDER: Final = {"MUST": "known", "SHOULD": "warning", "MAY": "note"}

AREAS: Final = {
    "GEN": "Protocol and errors",
    "AUT": "Authentication",
    "ORD": "Orders",
    "IDM": "Idempotency",
    "PST": "Post-only orders",
    "RED": "Reduce-only orders",
    "ICE": "Iceberg orders",
    "HID": "Hidden orders",
    "TRL": "Trailing stops",
    "OCO": "One cancels the other",
    "BRK": "Brackets",
    "SHT": "Short selling",
    "LEV": "Leverage",
    "MRG": "Margin modes",
    "HDG": "Hedging",
    "LST": "Lists of orders",
    "GET": "One order",
    "MOD": "Changing orders",
    "CAN": "Cancelling orders",
    "POS": "Positions",
    "EXT": "Exits of positions",
    "CLO": "Closing positions",
    "TRD": "Trades",
    "ACC": "Account",
    "QUO": "Quotes",
    "BAR": "Bars",
    "CAP": "Capabilities",
    "SYS": "System",
    "WS": "Event stream",
}
"""Names of the prefixes of requirement ids; a prefix that is new stands for itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that speaks against the server, or a known failure that has become stale.

    `check` has the form of the document, whatever found the problem. `severity` is "error" where
    it stands in the way of conformance, "warning" and "note" for SHOULD and MAY, "known" where
    the run was told to expect it.
    """

    requirement: Document
    check: Document
    severity: str

    @property
    def id(self) -> str:
        """The check's id."""
        return str(self.check["id"])

    @property
    def outcome(self) -> str:
        """The check's outcome; "passed" for a known failure that holds."""
        return str(self.check["outcome"])

    @property
    def failure(self) -> Document:
        """What was judged, expected and seen; what only has a reason has that alone."""
        without = {"what": self.check["reason"], "expected": "", "actual": "", "exchange": None}
        return self.check["failure"] or without

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """The traffic."""
        return list(self.check["exchanges"])

    @property
    def judged(self) -> dict[str, Any] | None:
        """The exchange that was judged; None where it was several, or none."""
        index = self.failure["exchange"]
        return None if index is None else self.exchanges[index]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Requirements that were not judged for one reason."""

    outcome: str
    reason: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature, whether the server declares it (None: unreadable), and how much was judged."""

    name: str
    declared: bool | None
    judged: int
    total: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, or the same one asked again and again until the answer changed.

    `exchange` is the last of them, `first` and `last` are indices, `waited` is in seconds.
    """

    exchange: dict[str, Any]
    first: int
    last: int
    waited: float

    @property
    def times(self) -> int:
        """How often it was asked."""
        return self.last - self.first + 1

    def holds(self, index: int | None) -> bool:
        """Whether it is, or has among it, the exchange with this index."""
        return index is not None and self.first <= index <= self.last


def area(requirement_id: str) -> str:
    """The prefix of a requirement's id."""
    return requirement_id.partition("-")[0]


def area_name(prefix: str) -> str:
    """What an area is called."""
    return AREAS.get(prefix, prefix)


def by_area(document: Document) -> dict[str, list[dict[str, Any]]]:
    """The requirements by the prefix of their ids; areas in the order of the document."""
    areas: dict[str, list[dict[str, Any]]] = {}
    for one in document["requirements"]:
        areas.setdefault(area(one["id"]), []).append(one)
    return {prefix: sorted(found, key=lambda one: one["id"]) for prefix, found in areas.items()}


def count(document: Document, outcome: str, level: str | None = None) -> int:
    """How many requirements, of a level or of all, have an outcome."""
    totals = document["totals"]
    return sum(totals.get(one, {}).get(outcome, 0) for one in LEVELS if level in {None, one})


# --- problems ---


def problems(document: Document) -> list[Problem]:
    """All problems: errors first, each kind in the order of the document."""
    found = [one for each in document["requirements"] for one in _problems(each, document)]
    order = ["error", "warning", "note", "known"]
    return sorted(found, key=lambda one: order.index(one.severity))


def _problems(requirement: dict[str, Any], document: Document) -> Iterator[Problem]:
    if judging.is_stale(requirement):
        yield Problem(requirement, _stale(requirement), "error")
    if requirement["outcome"] not in BAD:
        return
    bad = [check for check in requirement["checks"] if check["outcome"] in BAD]
    bad += _findings(requirement, document, bad)
    for check in bad or [{**requirement, "failure": None, "exchanges": [], "description": ""}]:
        yield Problem(requirement, check, _severity(requirement, check["outcome"]))


def _severity(requirement: dict[str, Any], outcome: str) -> str:
    """How heavily a bad outcome weighs, by the rules of the verdict."""
    if judging.is_damning(requirement | {"outcome": outcome}):
        return "error"
    return "known" if requirement["known_failure"] else _MILDER[requirement["level"]]


def _findings(
    requirement: Document, document: Document, told: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """What fuzzing found and no check tells already, as checks."""
    said = [(one["failure"]["what"], one["failure"]["actual"]) for one in told if one["failure"]]
    fuzzing = document["fuzzing"] or {"findings": []}
    found = [one for one in fuzzing["findings"] if one["requirement"] == requirement["id"]]
    for number, finding in enumerate(found, 1):
        if (finding["what"], finding["actual"]) not in said:
            yield _of_finding(finding, number)


def _of_finding(finding: Document, number: int) -> dict[str, Any]:
    exchange = finding["exchange"]
    judged = None if exchange is None else 0
    return {
        "id": f"{finding['requirement']}-fuzzing-{number}",
        "description": "Found by generated requests.",
        "outcome": "failed",
        "reason": finding["what"],
        "seconds": 0,
        "failure": {name: finding[name] for name in ("what", "expected", "actual")}
        | {"exchange": judged},
        "exchanges": [] if exchange is None else [exchange],
    }


def _stale(requirement: Document) -> dict[str, Any]:
    failure = {
        "what": "a known failure that holds: take it off the list",
        "expected": "failed, as the file of known failures says",
        "actual": "passed",
        "exchange": None,
    }
    same = {name: requirement[name] for name in ("id", "outcome", "reason")}
    return same | {"description": "", "failure": failure, "exchanges": []}


# --- what was not judged ---


def unjudged(document: Document) -> list[Unjudged]:
    """What was not judged and why, the most frequent reason first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in document["requirements"]:
        if one["outcome"] not in BAD | {"passed"}:
            key = one["outcome"], line(one["reason"]) or MEANINGS[one["outcome"]]
            groups.setdefault(key, []).append(one["id"])
    found = [Unjudged(*key, tuple(ids)) for key, ids in groups.items()]
    return sorted(found, key=lambda group: -len(group.ids))


def features(document: Document) -> list[Feature]:
    """Every feature of the requirements and of the server's capabilities."""
    capabilities = document["target"]["capabilities"]
    listed = (capabilities or {}).get("features")
    declared = [str(one) for one in listed] if isinstance(listed, list) else []
    judged: dict[str, list[bool]] = {name: [] for name in declared}
    for one in document["requirements"]:
        if one["feature"]:
            was = one["outcome"] in {"passed", "failed"}
            judged.setdefault(one["feature"], []).append(was)
    return [
        Feature(name, None if capabilities is None else name in declared, sum(seen), len(seen))
        for name, seen in sorted(judged.items())
    ]


# --- chains ---


def turns(exchanges: list[dict[str, Any]]) -> list[Turn]:
    """The exchanges in order, each run of the same GET as one turn; a WebSocket is its own."""
    found: list[Turn] = []
    for index, exchange in enumerate(exchanges):
        if found and _asks_again(found[-1].exchange, exchange):
            first = found.pop().first
            waited = exchange["at"] - exchanges[first]["at"]
            found.append(Turn(exchange, first, index, max(waited, 0.0)))
        else:
            found.append(Turn(exchange, index, index, 0.0))
    return found


def _asks_again(before: Document, after: Document) -> bool:
    same = ("method", "url", "request_headers")
    alone = after["method"] != "GET" or "messages" in before or "messages" in after
    return not alone and all(before[name] == after[name] for name in same)

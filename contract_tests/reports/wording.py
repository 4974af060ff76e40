"""The words of a report: verdict, provenance, times, and the command to run the same again."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from urllib.parse import urlsplit

from contract_tests.reports.reading import BAD, Document, Problem, count, problems


def verdict_sentence(document: Document) -> str:
    """The verdict in one sentence, with its numbers."""
    held, judged = count(document, "passed", "MUST"), _judged(document, "MUST")
    if document["verdict"] == "nothing exercised":
        return "Not one requirement was judged, so nothing is known about this server."
    if document["verdict"] == "conformant":
        if not judged:
            return "No MUST requirement was judged; of the others none stands in the way."
        known = judged - held
        but = f"; {known} fail as the file of known failures says" if known else ""
        return f"{held} of the {judged} MUST requirements that were judged hold{but}."
    return _shortfall(document)


def _judged(document: Document, level: str) -> int:
    return sum(count(document, outcome, level) for outcome in ("passed", *BAD))


def _shortfall(document: Document) -> str:
    errors = [one for one in problems(document) if one.severity == "error"]
    stale = _ids(errors, "passed")
    broken = _ids(errors, "broken")
    rest = len(_ids(errors, "failed", "not exercised"))
    judged = _judged(document, "MUST")
    parts = [
        f"{rest} of the {judged} MUST requirements that were judged do not hold" if rest else "",
        f"not judged for a bug of the suite: {', '.join(broken)}" if broken else "",
        f"listed as known failures but hold: {', '.join(stale)}" if stale else "",
    ]
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _ids(errors: list[Problem], *outcomes: str) -> list[str]:
    return sorted({one.requirement["id"] for one in errors if one.outcome in outcomes})


def moment(timestamp: str) -> str:
    """A date-time as people read it, in the zone it was given in."""
    read = datetime.fromisoformat(timestamp)
    return f"{read:%Y-%m-%d %H:%M:%S} {read.tzname() or ''}".strip()


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def base_url(document: Document) -> str:
    """Where the API was found: what stands before the paths of the spec."""
    target = document["target"]
    parts = urlsplit(target["url"])
    return f"{parts.scheme}://{parts.netloc}{target['base_path'].rstrip('/')}"


def path(url: str, base: str) -> str:
    """What follows the base of the API in a URL; of another URL everything after the host."""
    if url.startswith(base):
        return url.removeprefix(base) or "/"
    return urlsplit(url)._replace(scheme="", netloc="").geturl() or url


def provenance(document: Document) -> list[tuple[str, str]]:
    """Names and values that say what was judged, by what, when and how."""
    suite, spec, target, run = (document[name] for name in ("suite", "spec", "target", "run"))
    return [
        ("Target", target["url"]),
        ("Base path", target["base_path"] or "/"),
        ("Server", target["server"] or "does not say"),
        ("Symbols", ", ".join(target["symbols"]) or "none"),
        ("Spec", f"{spec['title']} {spec['version']}"),
        ("Spec digest", spec["digest"]),
        ("Suite", f"{suite['name']} {suite['version']}, Python {suite['python']}"),
        ("Profile", run["profile"]),
        ("Seed", str(run["seed"])),
        ("Fills", "allowed" if run["allow_fills"] else "not allowed"),
        ("Known failures", ", ".join(run["known_failures"]) or "none"),
        ("Fuzzing", _fuzzing(document)),
        ("Started", moment(run["started_at"])),
        ("Duration", duration(run["seconds"])),
    ]


def _fuzzing(document: Document) -> str:
    fuzzing = document["fuzzing"]
    if fuzzing is None:
        return "none"
    took = duration(fuzzing["seconds"])
    cut = "" if fuzzing.get("complete", True) else ", cut short"
    number = len(fuzzing["findings"])
    found = f"{number} finding{'' if number == 1 else 's'}"
    return f"{fuzzing['cases']:,} generated requests in {took}{cut}, {found}"


def command(document: Document) -> str:
    """The command line that runs the same again; the key is read from the environment."""
    run, target = document["run"], document["target"]
    words = ["trading-conformance", "run", target["url"]]
    words += ["--profile", run["profile"], "--seed", str(run["seed"])]
    words += ["--allow-fills"] if run["allow_fills"] else []
    words += [] if run["max_time"] is None else ["--max-time", f"{run['max_time']:g}"]
    words += ["--known-failures", "known-failures.txt"] if run["known_failures"] else []
    for option in ("only", "skip"):
        words += [word for each in run[option] for word in (f"--{option}", each)]
    words += [word for symbol in run.get("symbols", []) for word in ("--symbol", symbol)]
    return " ".join([shlex.join(words), *map(_header, run.get("headers", []))])


def _header(name: str) -> str:
    """The option for a header, its value from the environment: no report holds one."""
    if name.lower() == "authorization":
        return '-H "Authorization: Bearer $TOKEN"'
    variable = "TOKEN" if name.lower() == "x-api-key" else re.sub(r"\W", "_", name).upper()
    return f'-H {shlex.quote(f"{name}: ")}"${variable}"'


def reservations(document: Document) -> list[str]:
    """What makes the verdict say less than it seems to, beside what was not judged one by one."""
    run, said = document["run"], []
    if run.get("target_lost"):
        said.append("The server stopped answering, which ended the run.")
    if run["out_of_time"]:
        said.append(f"The run ended at its limit of {run['max_time']:g} s before all checks ran.")
    if not run["allow_fills"]:
        said.append("No order was allowed to trade: what only fills can show was not judged.")
    if document["target"]["capabilities"] is None:
        said.append("The capabilities could not be read.")
    return said

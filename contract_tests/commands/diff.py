"""`diff`: what changed from one report to another."""

from __future__ import annotations

import argparse

from contract_tests.commands.output import CONFORMANT, NOT_CONFORMANT, say
from contract_tests.commands.reading import read_report
from contract_tests.running import judging
from contract_tests.running.report import Document


def compare_reports(arguments: argparse.Namespace) -> int:
    """The requirements with another outcome; 1 where the second report is worse."""
    documents = [read_report(one) for one in (arguments.before, arguments.after)]
    before, after = map(_by_id, documents)
    same = [one for one in after if one in before]
    worse = [one for one in same if _is_bad(after[one]) and not _is_bad(before[one])]
    better = [one for one in same if _is_bad(before[one]) and after[one]["outcome"] == "passed"]
    changed = [one for one in same if before[one]["outcome"] != after[one]["outcome"]]
    new_and_bad = [one for one in after if one not in before and _is_bad(after[one])]
    _tell("newly failing", worse + new_and_bad, before, after)
    _tell("newly passing", better, before, after)
    _tell("otherwise changed", [one for one in changed if one not in worse + better], before, after)
    _tell("only in the first", [one for one in before if one not in after], before, after)
    _tell("only in the second", [one for one in after if one not in before], before, after)
    if not changed and before.keys() == after.keys():
        say("every requirement has the outcome that it had")
    old, new = (one["verdict"] for one in documents)
    say(f"verdict: {old} -> {new}")
    fell = judging.CONFORMANT == old != new
    return NOT_CONFORMANT if worse or new_and_bad or fell else CONFORMANT


def _by_id(document: Document) -> dict[str, Document]:
    return {one["id"]: one for one in document["requirements"]}


def _is_bad(one: Document) -> bool:
    return one["outcome"] in judging.BAD


def _tell(
    title: str, ids: list[str], before: dict[str, Document], after: dict[str, Document]
) -> None:
    if not ids:
        return
    say(f"{title}:")
    for one in ids:
        old, new = (side[one]["outcome"] if one in side else "-" for side in (before, after))
        entry = after.get(one) or before[one]
        reason = f" ({entry['reason']})" if one in after and entry["reason"] else ""
        say(f"  {one}  {entry['level']:6}  {old} -> {new}{reason}")

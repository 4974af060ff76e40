"""Reads the README's walk-through and does what it says.

In the section "A walk through" every fenced ``console`` or ``sh`` block is read line by line:

- ``$ curl ...`` is run, with the server under test in the place of localhost:8080; a line that
  ends in a backslash goes on in the next. Other commands are left alone.
- What follows, up to the next ``$`` line, is the JSON that comes back. ``...`` stands for more
  members or items, and inside a string for any text: ``"ord_..."``.
- Under ``id``, ``order_id`` and ``position_id`` the text may stand for the real id: when
  ``"id": "ord_1"`` was shown, ``ord_1`` means that order from then on, in commands too.
- ``# the server is killed and started again`` is done.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

SECTION: Final = "A walk through"
RESTART: Final = "# the server is killed and started again"
HOST: Final = "localhost:8080"
ANY: Final = "..."
_IDS: Final = {"id", "order_id", "position_id"}
_FENCE: Final = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ELLIPSIS: Final = re.compile(r'("(?:[^"\\]|\\.)*")|(\.\.\.)')


@dataclass(frozen=True, slots=True)
class Step:
    """A command and the text shown below it; a restart has the command RESTART."""

    command: str
    shown: str


def steps(readme: str) -> list[Step]:
    """The steps of the walk-through; empty where there is no such section."""
    found: list[Step] = []
    for block in _FENCE.findall(_section(readme)):
        found += _steps(block.replace("\\\n", " "))
    return [step for step in found if step.command == RESTART or step.command.startswith("curl ")]


def _section(readme: str) -> str:
    heading = re.search(rf"^(#+) {SECTION}$", readme, re.MULTILINE)
    if heading is None:
        return ""
    rest = readme[heading.end() :]
    following = re.search(rf"^#{{1,{len(heading[1])}}} ", _without_fences(rest), re.MULTILINE)
    return rest[: following.start()] if following else rest


def _without_fences(text: str) -> str:
    """The same length, with every fenced block blanked: a # in one is no heading."""
    return re.sub(
        r"^```.*?^```$", lambda found: " " * len(found[0]), text, flags=re.MULTILINE | re.DOTALL
    )


def _steps(block: str) -> Iterator[Step]:
    command, shown = "", ""
    for line in block.splitlines():
        if line.startswith("$ ") or line == RESTART:
            yield Step(command, shown)
            command, shown = line.removeprefix("$ "), ""
        else:
            shown += line + "\n"
    yield Step(command, shown)


@dataclass(slots=True)
class Names:
    """What the ids that the README shows stand for."""

    real: dict[str, str] = field(default_factory=dict)

    def arguments(self, command: str, host: str) -> list[str]:
        """A curl command as its arguments, with real ids and the real host."""
        for shown, real in self.real.items():
            command = command.replace(shown, real)
        return [part.replace(HOST, host) for part in shlex.split(command)]

    def differences(self, shown: str, answered: str) -> list[str]:
        """Where an answer is not what the README shows; empty when it is."""
        return list(self._compare(_pattern(shown), json.loads(answered), "", "answer"))

    def _compare(self, shown: Any, real: Any, name: str, where: str) -> Iterator[str]:
        if isinstance(shown, dict) and isinstance(real, dict):
            yield from self._members(shown, real, where)
        elif isinstance(shown, list) and isinstance(real, list):
            yield from self._items(shown, real, name, where)
        elif isinstance(shown, str) and isinstance(real, str):
            if not self._same_text(shown, real, name):
                yield f"{where} is {real!r}, the README shows {shown!r}"
        elif shown != real and shown != ANY:
            yield f"{where} is {real!r}, the README shows {shown!r}"

    def _members(self, shown: Any, real: Any, where: str) -> Iterator[str]:
        for name, value in shown.items():
            if name != ANY and name not in real:
                yield f"{where} has no {name}"
            elif name != ANY:
                yield from self._compare(value, real[name], name, f"{where}.{name}")
        if ANY not in shown:
            yield from (f"{where} also has {name}" for name in real.keys() - shown.keys())

    def _items(self, shown: Any, real: Any, name: str, where: str) -> Iterator[str]:
        more = shown[-1:] == [ANY]
        wanted = shown[:-1] if more else shown
        if len(real) < len(wanted) or (len(real) > len(wanted) and not more):
            yield f"{where} has {len(real)} items, the README shows {len(wanted)}"
        for number, (one, other) in enumerate(zip(wanted, real, strict=False)):
            yield from self._compare(one, other, name, f"{where}[{number}]")

    def _same_text(self, shown: str, real: str, name: str) -> bool:
        if ANY in shown:
            return fnmatchcase(real, shown.replace("[", "[[]").replace(ANY, "*"))
        if name in _IDS:
            return self.real.setdefault(shown, real) == real
        return shown == real


def _pattern(shown: str) -> Any:
    """The JSON of the README; a bare ... becomes a member or an item of that name."""

    def replace(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        before = shown[: found.start()].rstrip()
        is_member = _innermost(before) == "{" and before[-1] in "{,"
        return f'"{ANY}": "{ANY}"' if is_member else f'"{ANY}"'

    return json.loads(_ELLIPSIS.sub(replace, shown))


def _innermost(text: str) -> str:
    """The bracket that is still open at the end of a text."""
    stack: list[str] = []
    for bracket in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        if bracket in "{[":
            stack.append(bracket)
        elif bracket in "}]" and stack:
            stack.pop()
    return stack[-1] if stack else ""

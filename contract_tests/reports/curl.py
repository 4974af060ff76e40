"""A check's requests as a shell script, to be run against any server.

Ids that the server gave out are read from its new answers, ids that the suite made up are made up
anew, and secrets come from the environment. A WebSocket is listened to in the background, while
the requests after it are sent; what it said is shown in the end. curl sends no messages.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from contract_tests.reports.reading import Turn, turns
from contract_tests.reports.text import is_usual, line, raw_body, sendable, visible

_PLAIN: Final = 2000
_PACKED: Final = 8000
_PAUSE: Final = 0.2
"""Seconds of asking again and again that a script makes up for by waiting."""

_SWITCHING: Final = 101
_AFTER: Final = 3
"""Seconds for which a script listens longer than the check did: it is slower."""

_UPGRADE: Final = {
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "Y29uZm9ybWFuY2UtdGVzdA==",
}
_SECRET: Final = "***"  # noqa: S105  what stands in the place of one
_HEAD: Final = 6
_MADE_UP: Final = re.compile(r"[A-Za-z0-9_.-]{12,128}")


def script(check: Mapping[str, Any], base: str) -> str:
    """The script for a check of the document; `base` is the URL before the paths of the spec."""
    chain = turns(check["exchanges"])
    failure = check["failure"] or {"exchange": None}
    names = {base: "BASE"} | _client_ids(chain)
    steps: list[str] = []
    for number, turn in enumerate(chain, 1):
        given = _captures(turn.exchange, chain[number:], names)
        steps += ["", *_step(number, turn, names, given, judged=turn.holds(failure["exchange"]))]
        names |= {value: name for name, value, _ in given}
    if any(_listens(turn.exchange) for turn in chain):
        steps += ["", "wait  # for what was listened to", "cat stream_*.txt"]
    text = "\n".join(steps)
    return "\n".join(_head(check, base, text)) + text + "\n"


def _head(check: Mapping[str, Any], base: str, steps: str) -> Iterator[str]:
    yield "#!/bin/sh"
    yield f"# {line(check['id'])}: {line(check['description'])}"
    if failure := check["failure"]:
        yield f"# what:     {line(failure['what'])}"
        yield f"# expected: {line(failure['expected'])}"
        yield f"# actual:   {line(failure['actual'])}"
    if "| jq " in steps:
        yield "# Needs jq, to take ids from the answers."
    if '"$TOKEN"' in steps:
        yield ': "${TOKEN:?set it to the API key}"'
    yield f"BASE=${{BASE:-{shlex.quote(base)}}}"
    if '"$RUN"' in steps:
        yield "RUN=$(date +%s | tail -c 7)  # makes the client's ids new"
    yield ""


def _step(
    number: int, turn: Turn, names: Mapping[str, str], given: list[_Capture], *, judged: bool
) -> Iterator[str]:
    if turn.waited >= _PAUSE:
        yield f"sleep {math.ceil(turn.waited)}  # it was asked {turn.times} times"
    yield f"echo {shlex.quote(_title(number, turn.exchange, judged=judged))}"
    if _listens(turn.exchange):
        yield from _listening(number, turn.exchange, names)
        return
    request = _request(turn.exchange, names, captures=bool(given))
    if request is None:
        yield "# Its body is too long for a script; `trading-conformance replay` sends it."
    elif not given:
        yield request
        yield "echo"
    else:
        yield f"answer=$({request})"
        yield "printf '%s\\n' \"$answer\""
        for name, _, path in given:
            yield f"{name}=$(printf '%s' \"$answer\" | jq -r {shlex.quote(path)})"


def _listens(exchange: Mapping[str, Any]) -> bool:
    """Whether it opened a WebSocket."""
    return exchange.get("messages") is not None and exchange["status"] == _SWITCHING


def _listening(number: int, exchange: dict[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    times = [one["at"] for one in exchange["messages"]] or [exchange["at"]]
    seconds = math.ceil(max(times) - exchange["at"]) + _AFTER
    if any(one["from"] == "client" for one in exchange["messages"]):
        yield "# It also sent messages; `trading-conformance replay` sends them."
    request = _request(exchange, names, captures=False)
    yield f"{request} \\\n  --http1.1 -N -m {seconds} -o stream_{number}.txt 2>/dev/null &"
    yield "sleep 1"


def _title(number: int, exchange: Mapping[str, Any], *, judged: bool) -> str:
    status = exchange["status"]
    came = "no answer" if status is None else f"answered {status}"
    mark = ", the judged one" if judged else ""
    path = urlsplit(exchange["url"]).path
    return f"--- {number}. {line(exchange['method'])} {line(path)}: {came}{mark}"


# --- one request ---


def _request(exchange: dict[str, Any], names: Mapping[str, str], *, captures: bool) -> str | None:
    """The curl command, or None when its body is too long. A captured answer is the body alone."""
    body = raw_body(exchange, "request_")
    packed = _packed(body)
    if packed is not None and len(packed) > _PACKED:
        return None
    source = f"printf %s {packed} | base64 -d | gunzip | " if packed else ""
    shown = "-D /dev/stderr" if captures else "-i"
    words = [f"curl -sS {shown}{_method(exchange['method'], body)} {_url(exchange, names)}"]
    upgrade = _UPGRADE if "messages" in exchange else {}
    words += _headers(exchange["request_headers"], names, body)
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in upgrade.items()]
    if packed:
        words.append("--data-binary @-")
    elif body:
        words.append(f"--data-binary {_word(body.decode(), names)}")
    return source + " \\\n  ".join(words)


def _packed(body: bytes) -> str | None:
    """A body that cannot stand in a script as it is, compressed, in base64."""
    text = body.decode("utf-8", "replace")
    if len(body) <= _PLAIN and text.encode() == body and visible(text) == text:
        return None
    return base64.b64encode(gzip.compress(body, mtime=0)).decode()


def _method(method: str, body: bytes) -> str:
    if method == "HEAD":
        return " --head"
    return "" if method == "GET" and not body else f" -X {shlex.quote(method)}"


def _url(exchange: Mapping[str, Any], names: Mapping[str, str]) -> str:
    url = sendable(exchange["url"])
    globs = "-g " if re.search(r"[][{}]", url) else ""
    dots = "--path-as-is " if "/." in url else ""
    return f"{globs}{dots}{_word(url, names)}"


def _headers(headers: Mapping[str, str], names: Mapping[str, str], body: bytes) -> Iterator[str]:
    for name, value in headers.items():
        if is_usual(name, value):
            continue
        if name.lower() == "authorization" and value == _SECRET:
            value = f"Bearer {_SECRET}"
        text = f"{name}: {value}" if value else f"{name};"
        yield f"-H {_word(visible(text), {**names, _SECRET: 'TOKEN'})}"
    if body and "content-type" not in map(str.lower, headers):
        yield "-H content-type:"


def _word(text: str, names: Mapping[str, str]) -> str:
    """One word of the shell, in which every known value is taken from its variable."""
    known = sorted(names, key=len, reverse=True)
    parts = re.split("|".join(f"({re.escape(value)})" for value in known), text)
    quoted = [_part(part, names) for part in parts if part]
    return "".join(quoted) or "''"


def _part(part: str, names: Mapping[str, str]) -> str:
    if part not in names:
        return shlex.quote(part)
    name = names[part]
    return f'"${name}"{shlex.quote(part[_HEAD:])}' if name == "RUN" else f'"${name}"'


# --- ids ---

_Capture = tuple[str, str, str]
"""A variable, the value it stands for, and where jq finds it."""


def _client_ids(chain: list[Turn]) -> dict[str, str]:
    """The client's own ids: the second run would be taken for a repetition of the first."""
    ids = {value for turn in chain for value in _sent_ids(turn.exchange)}
    tails = {value[_HEAD:] for value in ids}
    return dict.fromkeys(ids, "RUN") if len(tails) == len(ids) else {}


def _sent_ids(exchange: Mapping[str, Any]) -> Iterator[str]:
    for path, value in _strings(exchange["request_body"]):
        if path and path[-1] == "client_order_id" and _MADE_UP.fullmatch(value):
            yield value


def _captures(
    exchange: Mapping[str, Any], later: list[Turn], names: Mapping[str, str]
) -> list[_Capture]:
    """The ids in an answer that later requests name."""
    asked = [f"{turn.exchange['url']} {turn.exchange['request_body']}" for turn in later]
    found: dict[str, _Capture] = {}
    for path, value in _strings(exchange["body"]):
        is_id = path and str(path[-1]).endswith("id") and len(value) >= _HEAD
        if is_id and value not in names and any(value in text for text in asked):
            number = len(found) + sum(name.startswith("id_") for name in names.values()) + 1
            found.setdefault(value, (f"id_{number}", value, _jq(path)))
    return list(found.values())


def _jq(path: tuple[str | int, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f"[{json.dumps(step)}]" for step in path)
    return "." + "".join(steps) if not _is_name(path) else f".{path[0]}"


def _is_name(path: tuple[str | int, ...]) -> bool:
    return len(path) == 1 and isinstance(path[0], str) and path[0].isidentifier()


def _strings(text: str | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string in a JSON text with its path; none where it is not JSON."""
    try:
        yield from _walk(json.loads(text or ""), ())
    except (ValueError, RecursionError):
        return


def _walk(value: object, path: tuple[str | int, ...]) -> Iterator[Any]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _walk(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))

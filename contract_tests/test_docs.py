"""The README's walk-through does what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from contract_tests.laboratory.fleet import Fleet
from contract_tests.laboratory.walkthrough import RESTART, SECTION, Names, Step, steps

README = Path(__file__).parents[1] / "README.md"
CURL = shutil.which("curl")

SAMPLE = f"""
# Title

## {SECTION}

Words.

```console
$ make serve
$ curl -s localhost:8080/orders \\
    -d '{{"symbol": "AAPL"}}'
{{"id": "ord_1", "status": "FILLED", ...}}
{RESTART}
$ curl -s localhost:8080/orders/ord_1
{{
  "id": "ord_1", "price": "15...",
  "legs": ["a", ...],
  "at": ...
}}
```

## Another

```console
$ curl -s localhost:8080/elsewhere
```
"""


def curl(arguments: list[str]) -> str:
    """Run curl as the README says, without the proxies and settings of this machine."""
    done = subprocess.run(
        [str(CURL), "--disable", "--noproxy", "*", "--no-progress-meter", *arguments[1:]],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout


def test_walk_through(fleet: Fleet) -> None:
    """Every curl command of the README answers what the README shows below it."""
    if not README.exists():
        pytest.skip("this installation has no README")
    if CURL is None:
        pytest.skip("curl is not installed")
    found = steps(README.read_text("utf-8"))
    assert found, f"the README has no commands in a section {SECTION!r}"
    server, names = fleet.launch("walk-through"), Names()
    for step in found:
        if step.command == RESTART:
            server.restart()
        else:
            answered = curl(names.arguments(step.command, f"127.0.0.1:{server.port}"))
            assert names.differences(step.shown, answered) == [], step.command


def test_steps_are_found_in_their_section() -> None:
    """Only curl commands and restarts of the one section count, continued lines as one."""
    assert [step.command.split() for step in steps(SAMPLE)] == [
        ["curl", "-s", "localhost:8080/orders", "-d", '\'{"symbol":', '"AAPL"}\''],
        RESTART.split(),
        ["curl", "-s", "localhost:8080/orders/ord_1"],
    ]


def test_ids_stand_for_real_ones() -> None:
    """An id that was shown is the real one in every later command and answer."""
    first, _, second = steps(SAMPLE)
    names = Names()
    assert names.differences(first.shown, '{"id": "x9", "status": "FILLED", "more": 1}') == []
    assert names.arguments(second.command, "h:1") == ["curl", "-s", "h:1/orders/x9"]
    good = '{"id": "x9", "price": "15.5", "legs": ["a", "b"], "at": null}'
    assert names.differences(second.shown, good) == []
    assert len(names.differences(second.shown, good.replace("x9", "x8"))) == 1


@pytest.mark.parametrize(
    "answered",
    [
        '{"id": "x", "status": "OPEN"}',
        '{"id": "x"}',
        '[{"id": "x", "status": "FILLED"}]',
        '{"id": 5, "status": "FILLED"}',
    ],
)
def test_differences_are_told(answered: str) -> None:
    """Another value, a missing member and another shape are not what the README shows."""
    assert Names().differences(steps(SAMPLE)[0].shown, answered) != []


def test_unshown_members_are_told() -> None:
    """Without an ellipsis an object has just the members shown, a list just the items."""
    step = Step("curl x", '{"legs": [1]}')
    assert Names().differences(step.shown, '{"legs": [1]}') == []
    assert Names().differences(step.shown, '{"legs": [1, 2]}') != []
    assert Names().differences(step.shown, '{"legs": [1], "more": 1}') != []

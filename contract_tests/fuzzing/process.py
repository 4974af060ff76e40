"""Schemathesis as a process of its own: its settings for a run, and its time limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract_tests.fuzzing.record import DIRECTORY, RECORD
from contract_tests.spec import SPEC_FILE
from contract_tests.wire.traffic import KEY_HEADERS

CHAINS: Final = "stateful"
OPERATION_BY_OPERATION: Final = "examples,coverage,fuzzing"

_STOCK: Final = Path(__file__).with_name("schemathesis.toml")
_OUTPUT: Final = "schemathesis.log"
_EVENTS: Final = ".ndjson"
_OF_THE_GENERATOR: Final = {"Unsatisfiable", "FailedHealthCheck", "Flaky", "FlakyFailure"}
"""Troubles of Hypothesis with what it generates, which say nothing of any answer."""

_REFUSED: Final = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
_CIRCUMSTANCES: Final = [401, 403, 404, 409, 429, "5xx"]
"""Answers to a valid request that say more of the account and the hour than of the request."""

_METHODS: Final = ["GET", "PUT", "POST", "PATCH", "DELETE"]
"""Others never reach the server where a proxy answers them."""

_MANY: Final = 60
"""Operations with more examples than this in the stock settings are those with many fields."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is to do.

    `without` are operations that are left out; `examples` is how many examples an operation gets,
    or rather a plain one: those with many fields get more.
    """

    url: str
    headers: Mapping[str, str]
    seed: int
    examples: int
    patience: float
    symbols: Iterable[str]
    without: Iterable[str]

    def configuration(self) -> dict[str, Any]:
        """The stock settings, changed for a target that is not our own."""
        config = tomllib.loads(_STOCK.read_text("utf-8"))
        config |= {
            "seed": self.seed,
            "hooks": "contract_tests.fuzzing.guarded_hooks",
            "headers": {name: text.replace("${", "$${") for name, text in self.headers.items()},
            "request-timeout": self.patience,
            "warnings": False,
        }
        config["generation"] |= {"deterministic": False, "no-shrink": True}
        config["generation"]["max-examples"] = self.examples
        config["phases"]["stateful"]["generation"]["max-examples"] = 2 * self.examples
        config["phases"]["coverage"] = {"unexpected-methods": _METHODS}
        config["dictionaries"]["symbols"]["values"] = list(self.symbols)
        config["checks"] |= self._checks()
        config["operations"] = [self._operation(one) for one in config["operations"]]
        left_out = sorted(self.without)
        if left_out:
            config["operations"].append({"include-operation-id": left_out, "enabled": False})
        return config

    def _checks(self) -> dict[str, Any]:
        has_key = any(name.lower() in KEY_HEADERS for name in self.headers)
        return {
            "ignored_auth": {"enabled": has_key},
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 501, 502, 503]},
            "negative_data_rejection": {"expected-statuses": _REFUSED},
            "positive_data_acceptance": {"expected-statuses": ["2xx", *_CIRCUMSTANCES]},
        }

    def _operation(self, stock: dict[str, Any]) -> dict[str, Any]:
        """Settings of some operations, with fewer examples and with the circumstances."""
        own = {**stock}
        if most := own.get("generation", {}).get("max-examples"):
            scaled = self.examples * 3 if most > _MANY else min(most, self.examples)
            own["generation"] = {"max-examples": scaled}
        if checks := own.pop("checks", {}):
            checks.pop("not_a_server_error", None)
            accepted = checks.get("positive_data_acceptance")
            if accepted is not None:
                accepted["expected-statuses"] += _CIRCUMSTANCES
            own["checks"] = checks
        return own


def run_schemathesis(directory: Path, settings: Settings, phases: str, limit: float) -> bool:
    """Run some phases until they are done or the time is up, with the record in `directory`.

    Answers whether they were done. Raises RuntimeError where Schemathesis itself fails.
    """
    config = directory / "schemathesis.toml"
    config.write_text(_toml(settings.configuration()), "utf-8")
    log = directory / _OUTPUT
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [str(SPEC_FILE), "--url", settings.url, "--phases", phases]
    events = directory / f"{phases.partition(',')[0]}{_EVENTS}"
    command += ["--report", "ndjson", "--report-ndjson-path", str(events)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=directory,
            env=_environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.kill()
            process.wait()
    if status not in {0, 1} or not (directory / RECORD).exists():
        said = log.read_text("utf-8", "replace")[-5_000:]
        raise RuntimeError(f"schemathesis ended with {status}:\n{said}")
    return True


def troubles(directory: Path) -> Iterator[tuple[str, str]]:
    """What kept operations from being tried, with their names: answers that cannot be read.

    Raises RuntimeError where our own hooks failed.
    """
    for path in sorted(directory.glob(f"*{_EVENTS}")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith('{"NonFatalError"') and line.endswith("\n"):
                    event = json.loads(line)["NonFatalError"]
                    kind, said = event["value"]["type"], event["value"]["message"]
                    if kind == "HookExecutionError":
                        raise RuntimeError(f"a hook failed: {said}")
                    if kind not in _OF_THE_GENERATOR:
                        yield event["label"], f"{kind}: {said}"


def _environment(directory: Path) -> dict[str, str]:
    """Ours, with this package on the path and without proxies, which the suite never uses."""
    own = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")}
    path = [str(Path(__file__).parents[2]), *filter(None, [own.get("PYTHONPATH")])]
    more = {DIRECTORY: str(directory), "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "100"}
    return own | more


def _toml(table: Mapping[str, Any]) -> str:
    return "".join(f"{_text(name)} = {_value(value)}\n" for name, value in table.items())


def _value(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        members = (f"{_text(name)} = {_value(member)}" for name, member in value.items())
        return f"{{ {', '.join(members)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else str(value).lower()


def _text(text: str) -> str:
    """JSON's strings are strings of TOML, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

"""What a wheel holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, str(place)], cwd=ROOT, check=True, capture_output=True)
    with ZipFile(next(place.glob("*.whl"))) as archive:
        yield archive


@pytest.mark.parametrize("spec", ["openapi.yaml", "asyncapi.yaml"])
@pytest.mark.parametrize("package", ["handlers", "contract_tests"])
def test_wheel_holds_the_spec(wheel: ZipFile, package: str, spec: str) -> None:
    """The server and the suite each carry the specs themselves, not links."""
    assert (ROOT / spec).read_bytes() == wheel.read(f"{package}/{spec}")


def test_wheel_holds_the_packages_and_nothing_else(wheel: ZipFile) -> None:
    """Tests, scripts and tools stay in the repository."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert {"contract_tests", "handlers", "providers"} == tops - metadata
    assert len(metadata) == 1


def test_wheel_holds_every_data_file(wheel: ZipFile) -> None:
    """What stands beside the code, such as market data and migrations, is shipped."""
    expected = {
        str(path.relative_to(ROOT))
        for package in ("handlers", "providers", "contract_tests")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pyc")) for part in path.parts[1:])
    }
    assert set() == expected - set(wheel.namelist())


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / ".ci" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_locks_agree() -> None:
    """The developer's environment holds the very packages that the server runs with."""
    assert pins("runtime.lock").items() <= pins("dev.lock").items()


def test_locks_hold_every_dependency() -> None:
    """What pyproject.toml asks for is in the lock: `make lock` was not forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {"runtime.lock": project["dependencies"]}
    asked["dev.lock"] = [d for extra in project["optional-dependencies"].values() for d in extra]
    missing = {
        dependency
        for lock, dependencies in asked.items()
        for dependency in dependencies
        if not dependency.startswith("trading-api[")
        and re.split(r"[<>=\[; ]", dependency)[0] not in pins(lock)
    }
    assert set() == missing

"""Who may import whom, what stands where, and how long things may get."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("handlers", "providers", "contract_tests")

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "asyncapi.yaml",
    "contract_tests",
    "handlers",
    "openapi.yaml",
    "providers",
    "pyproject.toml",
    "scripts",
    "tests",
}
VENUES = ("alpaca", "binance", "ccxt", "massive", "oanda", "saxo")
ROOMS = {
    "handlers": {"backtest"},
    "providers": {
        *("backtest", "engine", "exchange", "live", "market_data", "paper", "store", "streaming"),
        *VENUES,
    },
    "contract_tests": {
        *("commands", "fuzzing", "laboratory", "mutants", "reports"),
        *("requirements", "running", "suite_tests", "toolkit", "wire"),
    },
}

VALUES = ("providers.models", "providers.values", "providers.errors")
PORTS = ("providers.base", "providers.breakers", *VALUES)
EXCHANGE = ("providers.exchange", "providers.engine", *PORTS)
VENUE_PORTS = (
    *(f"providers.live.{module}" for module in ("http", "reading", "reconnecting", "settings")),
    *("providers.live.symbols", "providers.live.venue"),
    *PORTS,
)
"""What a venue may know: the ports that it implements, and how we talk to it; no other venue."""
WIRE = ("contract_tests.wire", "contract_tests.spec")
TOOLKIT = ("contract_tests.toolkit", *WIRE)
SHIPPED = (
    *("commands", "fuzzing", "reports", "requirements"),
    *("running", "spec", "toolkit", "wire"),
)
"""What the suite is without its own tests and the servers that it is tested on."""

# What a module may import from this project besides its own package; the longest prefix counts.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "handlers": ("handlers", *PORTS),
    "handlers.app": ("handlers", *PORTS, "providers.registry"),
    "handlers.backtest": ("handlers", *PORTS, "providers.backtest"),
    "providers": PORTS,
    "providers.models": (),
    "providers.values": ("providers.models",),
    "providers.errors": ("providers.models",),
    "providers.base": ("providers.models", "providers.errors", "providers.breakers"),
    "providers.breakers": ("providers.models", "providers.errors"),
    "providers.registry": ("providers",),
    "providers.engine": ("providers.engine", *VALUES),
    "providers.market_data": ("providers.market_data", *PORTS),
    "providers.exchange": EXCHANGE,
    "providers.store": ("providers.store", *EXCHANGE),
    "providers.streaming": ("providers.streaming", *EXCHANGE),
    "providers.live": ("providers.live", "providers.streaming", *EXCHANGE),
    **{f"providers.{venue}": (f"providers.{venue}", *VENUE_PORTS) for venue in VENUES},
    "providers.paper": ("providers.paper", "providers.streaming", *EXCHANGE),
    "providers.backtest": (
        "providers.backtest",
        "providers.exchange",
        "providers.engine",
        "providers.market_data",
        *PORTS,
    ),
    "contract_tests": ("contract_tests",),
    "contract_tests.spec": (),
    "contract_tests.wire": ("contract_tests.wire", "contract_tests.spec"),
    "contract_tests.toolkit": ("contract_tests.toolkit", *WIRE),
    "contract_tests.requirements": ("contract_tests.requirements", *TOOLKIT),
    "contract_tests.fuzzing": ("contract_tests.fuzzing", *TOOLKIT),
    "contract_tests.running": (
        "contract_tests.running",
        "contract_tests.fuzzing",
        "contract_tests.requirements",
        *TOOLKIT,
    ),
    "contract_tests.reports": ("contract_tests.reports", "contract_tests.running", *WIRE),
    "contract_tests.commands": tuple(f"contract_tests.{one}" for one in SHIPPED),
}


@dataclass(frozen=True)
class Import:
    """`module` imports `target`, at import time or (`lazily`) inside a function or for types."""

    module: str
    target: str
    lazily: bool


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTION) or for_types(node)]
    lazy = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        for target in targets(node):
            yield Import(module_name(path), target, lazily=id(node) in lazy)


def for_types(node: ast.AST) -> bool:
    """Whether it is an `if TYPE_CHECKING:`, which imports nothing when the program runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def targets(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports; `from a import b` is a.b if that is one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [submodule(node.module, alias.name) for alias in node.names]
    return []


def submodule(package: str, name: str) -> str:
    place = ROOT.joinpath(*package.split("."), name)
    return f"{package}.{name}" if place.is_dir() or place.with_suffix(".py").exists() else package


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def allowed(module: str) -> tuple[str, ...]:
    return MAY_IMPORT[max((p for p in MAY_IMPORT if within(module, p)), key=len)]


FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = [found for path in sources(*PACKAGES) for found in imports(path)]


def own(found: Import) -> bool:
    return found.target.split(".")[0] in {*PACKAGES, "scripts", "tests"}


def test_imports_point_in_the_allowed_directions() -> None:
    """No module imports another part of the project than the table above allows."""
    wrong = [
        f"{found.module} -> {found.target}"
        for found in IMPORTS
        if own(found) and not any(within(found.target, prefix) for prefix in allowed(found.module))
    ]
    assert wrong == []


def test_areas_of_requirements_know_no_other_area() -> None:
    """What checks of two areas need is in the toolkit."""
    wrong = [
        f"{found.module} -> {found.target}"
        for found in IMPORTS
        if within(found.module, "contract_tests.requirements")
        and found.target.startswith("contract_tests.requirements.")
    ]
    assert wrong == []


def test_engine_is_pure() -> None:
    """The engine imports nothing but itself, values, errors and the standard library."""
    foreign = [
        f"{found.module} -> {found.target}"
        for found in IMPORTS
        if within(found.module, "providers.engine")
        and not own(found)
        and found.target.split(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


def test_engine_has_no_clock_and_no_randomness() -> None:
    """Time, ids and chance come into the engine as arguments."""
    banned = {
        "asyncio",
        "os",
        "random",
        "secrets",
        "socket",
        "sqlite3",
        "threading",
        "time",
        "uuid",
    }
    found = {
        f"{found.module} -> {found.target}"
        for found in IMPORTS
        if within(found.module, "providers.engine") and found.target.split(".")[0] in banned
    }
    calls = {
        f"{path.name}:{node.lineno}"
        for path in sources("providers/engine")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("now", "utcnow", "today")
    }
    assert set() == found | calls


def test_engine_has_no_floats() -> None:
    """Money is never a float: the engine has no float literal and names no float."""
    floats = [
        f"{path.name}:{node.lineno}"
        for path in sources("providers/engine")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert floats == []


def test_registry_imports_venues_lazily() -> None:
    """A provider's dependencies are needed only by those who choose it."""
    eager = [
        found.target
        for found in IMPORTS
        if found.module == "providers.registry"
        and own(found)
        and not found.lazily
        and found.target not in PORTS
    ]
    assert eager == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_known(package: str) -> None:
    """A new package inside a package is entered into the tables above first."""
    rooms = {path.parent.name for path in (ROOT / package).glob("*/*.py")}
    assert set() == rooms - ROOMS[package]


def test_top_level_holds_nothing_unexpected() -> None:
    """What stands at the top of the repository is a decision, not an accident."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    unexpected = {name for name in visible if not any(fnmatch(name, glob) for glob in ignored)}
    assert unexpected <= TOP_LEVEL


WRITTEN = [
    path for path in sources(*PACKAGES, "scripts") if module_name(path) != "providers.models"
]


@pytest.mark.parametrize("path", WRITTEN, ids=module_name)
def test_files_and_functions_are_short(path: Path) -> None:
    """No file has more than 500 lines and no function more than 40."""
    text = path.read_text()
    long_functions = {
        node.name: length
        for node in ast.walk(ast.parse(text))
        if isinstance(node, FUNCTION)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > 40
    }
    assert {} == long_functions
    assert len(text.splitlines()) <= 500

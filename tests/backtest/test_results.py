"""A run on disk: complete or not there, the same each time, and exact."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.backtest import extras
from providers.backtest.extras import MissingExtra, extra
from providers.backtest.results.record import RunRecord
from providers.backtest.results.writing import check_folder, write_results
from providers.exchange.documents import to_micros
from providers.models import Order, Trade
from tests.backtest.records import bars_of, flat, random_deals, record_of, walk

FILES = {
    "summary.json", "report.html", "orders.json", "orders.parquet", "trades.json",
    "trades.parquet", "equity.json", "equity.parquet", "round_trips.json", "round_trips.parquet",
}  # fmt: skip


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """A run of two symbols with everything in it."""
    bars = walk(["A", "B"], 120)
    return record_of(bars, random_deals(bars, 60), "0.0005")


@pytest.fixture(scope="module")
def folder(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its results."""
    place = tmp_path_factory.mktemp("written") / "of [a] 'run'"
    write_results(place, record)
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def query(text: str, *files: Path) -> list[tuple[Any, ...]]:
    """The rows of a query; {} in it are the files."""
    names = ["'" + str(file).replace("'", "''") + "'" for file in files]
    with extra("duckdb").connect() as database:
        rows: list[tuple[Any, ...]] = database.execute(text.format(*names)).fetchall()
    return rows


def test_a_repeated_run_leaves_the_same_bytes(
    record: RunRecord, folder: Path, tmp_path: Path
) -> None:
    """In all files, Parquet too, wherever they are written."""
    write_results(tmp_path / "again", record)
    first, second = contents(folder), contents(tmp_path / "again")
    assert set(first) == FILES
    assert {name for name in FILES if first[name] != second[name]} == set()


def test_tables_are_the_documents_of_the_api(record: RunRecord, folder: Path) -> None:
    """What was written can be read as what it was."""
    orders = json.loads((folder / "orders.json").read_text())
    trades = json.loads((folder / "trades.json").read_text())
    assert [Order.model_validate(one) for one in orders] == record.orders
    assert [Trade.model_validate(one) for one in trades] == record.trades


def test_the_round_trips_on_disk_add_up_to_the_result(record: RunRecord, folder: Path) -> None:
    """In SQL, with the decimals of the files, exactly."""
    ((made,),) = query("SELECT sum(pnl) FROM {}", folder / "round_trips.parquet")
    ((last,),) = query("SELECT last(equity ORDER BY time) FROM {}", folder / "equity.parquet")
    assert made == last - record.initial_balance
    figures = json.loads((folder / "summary.json").read_text())["figures"]
    assert Decimal(figures["net_profit"]) == made


@pytest.mark.parametrize("name", ["orders", "trades", "equity", "round_trips"])
def test_parquet_holds_what_json_holds(folder: Path, name: str) -> None:
    """As many rows and columns of numbers, moments and flags, not all as text."""
    rows = json.loads((folder / f"{name}.json").read_text())
    table = query("DESCRIBE SELECT * FROM {}", folder / f"{name}.parquet")
    assert [column for column, *_ in table] == list(rows[0])
    assert query("SELECT count(*) FROM {}", folder / f"{name}.parquet") == [(len(rows),)]
    kinds = {column: kind for column, kind, *_ in table}
    moments = {"created_at", "timestamp", "time", "entry_time", "exit_time"} & kinds.keys()
    assert {kinds[column] for column in moments} == {"TIMESTAMP WITH TIME ZONE"}
    numbers = {"quantity", "price", "equity", "pnl", "limit_price"} & kinds.keys()
    assert {kinds[column] for column in numbers} == {"DECIMAL(38,18)"}


def test_parquet_has_moments_in_utc_and_exits_as_lists(folder: Path) -> None:
    """To the microsecond, and nested as in JSON."""
    rows = json.loads((folder / "round_trips.json").read_text())
    found = query(
        "SELECT epoch_us(entry_time), len(exits), exits[1].pnl FROM {}",
        folder / "round_trips.parquet",
    )
    assert [(time, number) for time, number, _ in found] == [
        (to_micros(datetime.fromisoformat(row["entry_time"])), len(row["exits"])) for row in rows
    ]
    assert [pnl for *_, pnl in found if pnl is not None] == [
        Decimal(row["exits"][0]["pnl"]) for row in rows if row["exits"]
    ]


@pytest.mark.parametrize(
    ("price", "kind"),
    [
        ("100.5", "DECIMAL(38,18)"),
        ("0.12345678901234567890123", "DECIMAL(38,23)"),
        ("1234567890123456789012345.5", "DECIMAL(38,13)"),
        ("12345678901234567890.1234567890123456789", "VARCHAR"),
    ],
)
def test_no_digit_is_lost_in_parquet(price: str, kind: str, tmp_path: Path) -> None:
    """A column is as wide as it must be; what no decimal holds is text."""
    bars = {"A": bars_of("A", flat(price, price))}
    write_results(tmp_path / "run", record_of(bars, [(0, "A", 1, price)]))
    file = tmp_path / "run" / "trades.parquet"
    ((value, found),) = query("SELECT price, typeof(price) FROM {}", file)
    assert (Decimal(value), found) == (Decimal(price), kind)


@pytest.mark.parametrize("status", ["complete", "aborted"])
@pytest.mark.parametrize("prices", [(), (100,), (100, 101, 102)])
def test_runs_with_little_to_tell(prices: tuple[int, ...], status: str, tmp_path: Path) -> None:
    """No bar, one bar, no trade, aborted: all files are there, and no figure is NaN."""
    bars = {"A": bars_of("A", flat(*prices))} if prices else {}
    write_results(tmp_path / "run", record_of(bars, status=status))
    assert set(contents(tmp_path / "run")) == FILES
    text = (tmp_path / "run" / "summary.json").read_text()
    summary = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in {text}"))
    assert summary["status"] == status
    missing = {name for name, value in summary["figures"].items() if value is None}
    assert missing == set(summary["undefined"])


def test_the_summary_on_disk(folder: Path) -> None:
    """Money is text, other figures are numbers, and how to do it again is there."""
    summary = json.loads((folder / "summary.json").read_text())
    assert isinstance(summary["figures"]["final_equity"], str)
    assert isinstance(summary["figures"]["sharpe"], float)
    assert summary["periods_per_year"] == 365
    assert summary["symbols"] == ["A", "B"]
    assert summary["settings"]["data"] == "prices.csv"


# --- the folder ---


def test_an_earlier_run_is_replaced(record: RunRecord, tmp_path: Path) -> None:
    """Nothing of it stays, and nothing of the work either."""
    place = tmp_path / "deep" / "run"
    write_results(place, record)
    write_results(place, record_of({}))
    assert json.loads((place / "summary.json").read_text())["symbols"] == []
    assert [path.name for path in place.parent.iterdir()] == ["run"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    """There is nothing in it to lose."""
    (tmp_path / "run").mkdir()
    write_results(tmp_path / "run", record_of({}))
    assert set(contents(tmp_path / "run")) == FILES


def _no_run(place: Path) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("years of work")


def _a_run_with_notes(place: Path) -> None:
    write_results(place, record_of({}))
    (place / "notes.txt").write_text("why it failed")


def _a_file(place: Path) -> None:
    place.write_text("not a folder")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_no_run, "holds no earlier run"),
        (_a_run_with_notes, "holds notes.txt"),
        (_a_file, "is not a folder"),
    ],
)
def test_what_is_not_of_a_run_is_left_alone(
    prepare: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """A clear error before anything is written or lost."""
    place = tmp_path / "run"
    prepare(place)
    before = contents(place) if place.is_dir() else place.read_bytes()
    for attempt in (lambda: check_folder(place), lambda: write_results(place, record_of({}))):
        with pytest.raises(ValueError, match=message):
            attempt()
    assert before == (contents(place) if place.is_dir() else place.read_bytes())


def test_a_failure_leaves_the_earlier_run(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half-written stays, and what was there is as it was."""
    place = tmp_path / "run"
    write_results(place, record_of({}))
    before = contents(place)

    def fail(*_: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr("providers.backtest.results.writing.tear_sheet", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_results(place, record)
    assert contents(place) == before
    assert list(tmp_path.iterdir()) == [place]


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"need duckdb: pip install 'trading-api\[backtest\]'"):
        check_folder(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []

"""The rows of each symbol as one series: in order, each moment once, evenly spaced, without gaps.

What counts as a gap depends on when the asset class trades. Crypto never rests: every missing bar
is one. Of the others only a bar shorter than a day can be missing, and only between two bars of
the same trading day, so that nights, weekends and holidays are none; the trading day of stocks is
the New York date, that of forex and futures begins at 17:00 in New York.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from providers.backtest.data.checks import BadData, Repair
from providers.backtest.data.rows import Rows
from providers.backtest.data.workshop import Workshop
from providers.market_data.aggregate import DAY, EPOCH, SECONDS, floor_to
from providers.models import AssetClass, Timeframe

_SECOND = 1_000_000  # microseconds, in which the tables have their moments
_MONDAY = floor_to(0, SECONDS[Timeframe.W1]) * _SECOND

_ORDERED = """
    CREATE TABLE series AS
    SELECT place, moment, rowid AS row, file, open, high, low, close, volume FROM rows
    WHERE place IS NOT NULL AND fault IS NULL ORDER BY place, moment, row
"""
# The empty OVER () goes through the table as it lies, which is sorted, without sorting it again.
_STEPS = """
    CREATE VIEW steps AS
    SELECT *, CASE WHEN place = last_place THEN moment - last_moment END AS step
    FROM (SELECT *, lag(place) OVER () AS last_place, lag(moment) OVER () AS last_moment,
                 lag(row) OVER () AS last_row, lag(file) OVER () AS last_file,
                 lag(close) OVER () AS last_close FROM series)
"""


def make_series(
    shop: Workshop,
    rows: Rows,
    classes: Mapping[str, AssetClass],
    timeframe: Timeframe,
    repairs: frozenset[Repair],
) -> None:
    """From the table `rows` make the table `bars`, of `timeframe`, by symbol and then by time.

    `classes` are the asset classes of the symbols, in the order of their numbers. Raises BadData.
    """
    shop.run(_ORDERED)
    shop.run("DROP TABLE rows")
    shop.run(_STEPS)
    _check_symbols(shop, list(classes))
    if Repair.SORT not in repairs:
        _check_order(shop, rows)
    _treat_duplicates(shop, rows, repairs)
    spans = _spans(shop, rows, list(classes), timeframe)
    _treat_strays(shop, rows, timeframe, repairs)
    if Repair.ALLOW_GAPS not in repairs:
        _treat_gaps(shop, rows, list(classes.values()), repairs)
    finest = all(span == SECONDS[timeframe] for span in spans)
    width = SECONDS[timeframe] * _SECOND
    shop.run(_SAME if finest else _COARSER, second=_SECOND, monday=_MONDAY, width=width)
    shop.run("DROP VIEW steps")
    shop.run("DROP TABLE series")


def iso(moment: int) -> str:
    """Microseconds since the epoch as text."""
    return written(EPOCH + timedelta(microseconds=moment))


def written(moment: datetime) -> str:
    """A moment as errors show it: 2024-01-02T09:30Z."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    whole = utc.second == utc.microsecond == 0
    return f"{utc.isoformat(timespec='minutes' if whole else 'auto')}Z"


def length(seconds: int) -> str:
    """A span of time as errors show it: 5m, 1h, 90s."""
    for unit, size in {"w": 7 * DAY, "d": DAY, "h": 3600, "m": 60}.items():
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _check_symbols(shop: Workshop, symbols: Sequence[str]) -> None:
    found = {row[0] for row in shop.run("SELECT DISTINCT place FROM series")}
    for place, symbol in enumerate(symbols):
        if place not in found:
            raise BadData(f"there are no bars of {symbol}")


def _check_order(shop: Workshop, rows: Rows) -> None:
    """Raises BadData for the first row that is earlier than the one of its symbol before it."""
    shuffled = "SELECT 1 FROM steps WHERE step > 0 AND row < last_row AND file = last_file LIMIT 1"
    if not shop.run(shuffled):
        return
    [[row, moment, last]] = shop.run(
        """
        SELECT row, moment, last FROM (
            SELECT row, moment, lag(moment) OVER (PARTITION BY file, place ORDER BY row) AS last
            FROM series
        ) WHERE moment < last ORDER BY row LIMIT 1
        """
    )
    problem = f"{iso(moment)} comes after {iso(last)}"
    raise rows.bad(row, problem, repairs=(Repair.SORT,))


def _treat_duplicates(shop: Workshop, rows: Rows, repairs: frozenset[Repair]) -> None:
    """Leave out all but the first row of a moment. Raises BadData if that was not asked for."""
    if Repair.DROP_DUPLICATES in repairs:
        shop.run("DELETE FROM series WHERE row IN (SELECT row FROM steps WHERE step = 0)")
        return
    doubles = "SELECT row, moment, last_row FROM steps WHERE step = 0 ORDER BY row LIMIT 1"
    for row, moment, first in shop.run(doubles):
        file, line = rows.locate(first)
        problem = f"{iso(moment)} is there already, in {file}, {line}"
        raise rows.bad(row, problem, repairs=(Repair.DROP_DUPLICATES,))


def _spans(shop: Workshop, rows: Rows, symbols: Sequence[str], timeframe: Timeframe) -> list[int]:
    """The length of the bars of each symbol in seconds; also, in microseconds, as a table.

    It is the most frequent step among those that bars of the timeframe can be made of.
    Raises BadData where bars of the timeframe cannot be made of them.
    """
    wanted = SECONDS[timeframe]
    shop.run(_SPANS, wanted=wanted * _SECOND)
    spans = []
    for place, span, row in shop.run("SELECT place, span, row FROM spans ORDER BY place"):
        if wanted * _SECOND % span:
            relation = "coarser than" if span > wanted * _SECOND else "which does not divide"
            problem = f"the bars of {symbols[place]} are {length(span // _SECOND)} apart"
            raise BadData(f"{problem}, {relation} {timeframe}", file=rows.locate(row)[0])
        spans.append(span // _SECOND)
    return spans


_SPANS = """
    CREATE TABLE spans AS
    SELECT place, min(row) AS row, coalesce(
        arg_max(step, (n, -step)) FILTER ($wanted % step = 0), arg_max(step, (n, -step)), $wanted
    ) AS span
    FROM (SELECT place, step, count(*) AS n, min(row) AS row FROM steps GROUP BY place, step)
    GROUP BY place
"""


def _treat_strays(
    shop: Workshop, rows: Rows, timeframe: Timeframe, repairs: frozenset[Repair]
) -> None:
    """A bar must lie within one bar of the timeframe; others are bad rows."""
    width = SECONDS[timeframe] * _SECOND
    shop.run(_STRAYS, width=width, monday=_MONDAY)
    if Repair.DROP_BAD in repairs:
        shop.run("DELETE FROM series WHERE row IN (SELECT row FROM strays)")
        return
    for row, moment, span in shop.run("SELECT * FROM strays ORDER BY row LIMIT 1"):
        problem = (
            f"a bar of {length(span // _SECOND)} from {iso(moment)} does not fit into those of "
            f"{timeframe}, which begin at whole multiples in UTC"
        )
        raise rows.bad(row, problem, repairs=(Repair.DROP_BAD,))


_STRAYS = """
    CREATE TABLE strays AS
    SELECT s.row, moment, span FROM series s JOIN spans USING (place)
    WHERE ((moment - $monday) % $width + $width) % $width + span > $width
"""


def _treat_gaps(
    shop: Workshop, rows: Rows, classes: Sequence[AssetClass], repairs: frozenset[Repair]
) -> None:
    """Fill what is missing with flat bars. Raises BadData if that was not asked for."""
    shop.run(_GAPS, gap=_gap(classes))
    if Repair.FILL_GAPS in repairs:
        shop.run(_FILL)
        return
    for row, last, moment, missing in shop.run(
        "SELECT row, last_moment, moment, step // span - 1 FROM gaps ORDER BY row LIMIT 1"
    ):
        bars = "1 bar is" if missing <= 1 else f"{missing} bars are"
        problem = f"{bars} missing between {iso(last)} and {iso(moment)}"
        raise rows.bad(row, problem, repairs=(Repair.FILL_GAPS, Repair.ALLOW_GAPS))


_GAPS = """
    CREATE TABLE gaps AS
    SELECT steps.* EXCLUDE (file, last_file), span FROM steps JOIN spans USING (place)
    WHERE step > span AND ($gap)
"""
_FILL = """
    INSERT INTO series
    SELECT place, unnest(range(last_moment + span, moment, span)), row, NULL,
           last_close, last_close, last_close, last_close, 0 FROM gaps
"""


def _gap(classes: Sequence[AssetClass]) -> str:
    """SQL for whether a step longer than a bar leaves out bars."""
    groups: dict[AssetClass, list[str]] = {}
    for place, asset_class in enumerate(classes):
        groups.setdefault(asset_class, []).append(str(place))
    return " OR ".join(
        f"(steps.place IN ({', '.join(places)}) AND {_RESTS[asset_class]})"
        for asset_class, places in groups.items()
    )


def _same_day(shift: str) -> str:
    """SQL for whether two bars are of one trading day, New York time shifted by some hours."""
    dates = [
        f"CAST(timezone('America/New_York', make_timestamptz({moment})) + {shift} AS DATE)"
        for moment in ("last_moment", "moment")
    ]
    day = DAY * _SECOND
    return f"(span < {day} AND step < {day} AND {' = '.join(dates)})"


_RESTS = {
    AssetClass.CRYPTO: "true",
    AssetClass.STOCK: _same_day("INTERVAL 0 HOUR"),
    AssetClass.FOREX: _same_day("INTERVAL 7 HOUR"),
    AssetClass.FUTURES: _same_day("INTERVAL 7 HOUR"),
}

_SAME = """
    CREATE TABLE bars AS
    SELECT place, moment // $second AS start, open, high, low, close, volume FROM series
    ORDER BY place, start
"""
_COARSER = """
    CREATE TABLE bars AS
    SELECT place, (moment - ((moment - $monday) % $width + $width) % $width) // $second AS start,
           arg_min(open, moment) AS open, max(high) AS high, min(low) AS low,
           arg_max(close, moment) AS close, sum(volume) AS volume
    FROM series GROUP BY place, start ORDER BY place, start
"""

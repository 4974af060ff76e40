"""The report of a run: one page that stands by itself, whatever the data are called."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from providers.backtest.results import charts
from providers.backtest.results.performance import GROUPS, summarize
from providers.backtest.results.record import RunRecord
from providers.backtest.results.round_trips import round_trips
from providers.backtest.results.tearsheet import reproduction, tear_sheet
from tests.backtest.records import bars_of, flat, random_deals, record_of, walk

VOID = {"meta", "link", "input", "br"}
NASTY = "</script><img src=x onerror=alert(1)>&'\""


class Page(HTMLParser):
    """Reads a page strictly: every tag closed in order, all text and attributes kept."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that is closed at once."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """It closes the one that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text belongs to the innermost tag."""
        self.texts.append((self.open[-1] if self.open else "", data))

    def said(self, tag: str) -> list[str]:
        return [text for inside, text in self.texts if inside == tag and text.strip()]

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


def page_of(record: RunRecord) -> str:
    trips = round_trips(record)
    return tear_sheet(summarize(record, trips), trips)


def data_of(page: Page) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(page.said("script")[0])
    return data


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """A run of two symbols."""
    bars = walk(["A", "B"], 200)
    return record_of(bars, random_deals(bars, 80), "0.0005")


@pytest.fixture(scope="module")
def text(record: RunRecord) -> str:
    """Its page."""
    return page_of(record)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_well_formed_with_unique_ids(page: Page) -> None:
    """All tags are closed, and every link arrives."""
    assert page.open == []
    ids = page.values("id")
    assert [one for one, number in Counter(ids).items() if number > 1] == []
    wanted = {value[1:] for value in page.values("href") if value.startswith("#")}
    assert wanted | set(page.values("aria-labelledby")) <= set(ids)


def test_it_loads_nothing_and_names_no_address(text: str, page: Page) -> None:
    """The one address is the name of SVG, which nobody fetches."""
    assert set(re.findall(r"(?:https?:)?//[\w.]+\.[a-z]+[^\"\s]*", text)) == {
        "http://www.w3.org/2000/svg"
    }
    referred = page.values("src", "href", "action", "data", "srcset")
    assert [value for value in referred if not value.startswith(("#", "data:,"))] == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", text)


def test_its_policy_allows_its_own_style_and_script_alone(page: Page) -> None:
    """By their digests; there is no inline style and no handler."""
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'")
    for kind, content in (("style", page.said("style")[0]), ("script", page.said("script")[1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert [name for name, _ in page.attributes if name.startswith("on") or name == "style"] == []


def test_names_cannot_act() -> None:
    """A symbol or a setting is text wherever it stands, in the data of the charts too."""
    bars = {NASTY: bars_of(NASTY, flat(100, 101, 102)), "B": bars_of("B", flat(1, 1))}
    deals = [(0, NASTY, 10, 100), (1, NASTY, -10, 101)]
    page = Page(page_of(record_of(bars, deals, settings={"data": NASTY})))
    assert page.open == []
    assert page.tags["img"] == 0
    assert page.tags["script"] == 2
    assert data_of(page)["symbols"][0]["name"] == NASTY
    assert NASTY in page.said("td")
    assert NASTY in page.said("option")


def test_every_figure_is_shown_with_what_it_means(record: RunRecord, page: Page) -> None:
    """Its name, its definition, and the doubts."""
    names, definitions = page.said("dt"), page.said("small")
    for group in GROUPS.values():
        for meaning in group.values():
            assert meaning.label in names
            assert meaning.definition in definitions
    doubts = summarize(record, round_trips(record)).warnings
    assert doubts
    assert set(doubts) <= set(page.said("li"))


def test_what_has_no_value_says_why() -> None:
    """In the place of the number, for a run that did nothing."""
    page = Page(page_of(record_of({})))
    assert " No value: no round trip was completed." in [f" {each}" for each in page.said("em")]
    assert "Nothing was traded." in page.said("p")
    assert "nan" not in "".join(page.said("dd")).lower()


def test_an_aborted_run_is_marked(text: str) -> None:
    """At the very top."""
    bars = {"A": bars_of("A", flat(100, 101))}
    assert '<span class="flag">aborted</span>' in page_of(record_of(bars, status="aborted"))
    assert '<span class="flag">' not in text


def test_it_says_how_to_do_it_again() -> None:
    """As environment variables that a shell reads as they were given."""
    assert reproduction({"data": "my prices.csv", "taker_fee": "0.001"}) == (
        "export TRADING_API_BACKTEST_DATA='my prices.csv'\n"
        "export TRADING_API_BACKTEST_TAKER_FEE=0.001"
    )


def test_at_most_a_thousand_trips_are_listed() -> None:
    """And the page says where the others are."""
    bars = {"A": bars_of("A", flat(*[100] * 10))}
    deals = [(number // 300, "A", (10, -10)[number % 2], 100) for number in range(2200)]
    page = Page(page_of(record_of(bars, deals)))
    assert page.said("td").count("LONG") == 1000
    assert any("The last 1,000 of 1,100; round_trips.json" in said for said in page.said("p"))


# --- what the charts are given ---


def test_charts_begin_with_the_start_and_hold_every_fill(record: RunRecord, page: Page) -> None:
    """Equity from the initial balance on, and the fills of each symbol."""
    data = data_of(page)
    account = data["account"]
    assert len(account["time"]) == len(record.equity) + 1
    assert account["equity"][0] == account["held"][0] == 100_000
    assert account["equity"][-1] == pytest.approx(float(record.final_equity))
    assert min(account["drawdown"]) < 0 == max(account["drawdown"])
    fills = Counter(fill.symbol for fill in record.trades)
    assert {each["name"]: len(each["fills"]) for each in data["symbols"]} == fills


def test_thinning_keeps_the_extremes_and_the_ends() -> None:
    """Of each column, within the limit."""
    one = [float(place * 7919 % 10_007) for place in range(20_000)]
    other = [float(place * 104_729 % 10_009) for place in range(20_000)]
    kept = charts.thinned([one, other], 500)
    assert len(kept) <= 500
    assert (kept[0], kept[-1]) == (0, 19_999)
    for column in (one, other):
        assert {min(column), max(column)} <= {column[place] for place in kept}


def test_long_histories_are_merged_without_losing_highs_and_lows() -> None:
    """Each point of the price chart is several bars as one."""
    bars = walk(["A"], 6000)
    (prices,) = charts.over_time(record_of(bars))["symbols"]
    assert prices["merged"] == 3
    assert len(prices["bars"]) == 2000
    assert max(bar[2] for bar in prices["bars"]) == max(float(bar.high) for bar in bars["A"])
    assert min(bar[3] for bar in prices["bars"]) == min(float(bar.low) for bar in bars["A"])
    assert prices["bars"][-1][4] == float(bars["A"][-1].close)


def test_of_many_symbols_those_with_most_fills_have_a_chart() -> None:
    """In their own order."""
    bars = walk([f"S{number}" for number in range(charts.SYMBOLS + 5)], 3)
    record = record_of(bars, [(0, "S44", 1, 100), (1, "S2", 1, 100)])
    names = charts.charted(record)
    assert len(names) == charts.SYMBOLS
    assert names[:3] == ["S0", "S1", "S2"]
    assert names[-1] == "S44"


def test_the_histogram_has_every_trip_and_an_edge_at_nothing() -> None:
    """Gains and losses never share a bin."""
    bars = walk(["A"], 300)
    trips = round_trips(record_of(bars, random_deals(bars, 150)))
    closed = [trip for trip in trips if trip.status == "closed"]
    bins = charts.histogram(trips)
    assert sum(each.number for each in bins) == len(closed)
    assert any(each.low == 0 for each in bins)
    assert len(bins) < 40
    losses = sum(1 for trip in closed if trip.net_return < 0)
    assert sum(each.number for each in bins if each.sign == "loss") == losses


def test_without_different_returns_there_is_no_histogram() -> None:
    """One round trip is no distribution."""
    bars = {"A": bars_of("A", flat(100, 110))}
    record = record_of(bars, [(0, "A", 1, 100), (1, "A", -1, 110)])
    assert charts.histogram(round_trips(record)) == []

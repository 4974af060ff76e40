"""The quotes of the synthetic market."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import MarketData
from providers.errors import SymbolNotFound
from providers.market_data.aggregate import RawBar
from providers.market_data.instruments import DEFAULT_SYMBOLS, LISTINGS
from providers.market_data.synthetic import SyntheticMarketData
from providers.models import AssetClass, Bar, Quote

NOW = datetime(2025, 11, 24, 17, 30, 12, 345_678, tzinfo=UTC)
SECOND = timedelta(seconds=1)
Ask = Callable[..., list[Bar]]

symbols = st.sampled_from(DEFAULT_SYMBOLS)
moments = st.timedeltas(timedelta(0), timedelta(days=80 * 365)).map(
    lambda passed: datetime(2018, 1, 1, tzinfo=UTC) + passed  # after the last real history
)


def multiple(value: Decimal | None, step: Decimal) -> bool:
    """Whether `value` is given, positive and on the step."""
    return value is not None and value > 0 and value % step == 0


def ohlc(quotes: list[Quote]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Open, high, low and close of the last prices of `quotes`."""
    prices = [quote.last for quote in quotes if quote.last is not None]
    assert len(quotes) == len(prices)
    return prices[0], max(prices), min(prices), prices[-1]


def test_it_is_a_market(market: SyntheticMarketData) -> None:
    """It fits the port, lists stocks, forex and crypto, and quotes all of them."""
    port: MarketData = market
    classes = {instrument.asset_class for instrument in port.instruments.values()}
    assert {AssetClass.STOCK, AssetClass.FOREX, AssetClass.CRYPTO} == classes
    assert set(DEFAULT_SYMBOLS) == port.instruments.keys()
    assert all(symbol == port.quote(symbol, NOW).symbol for symbol in DEFAULT_SYMBOLS)


@given(symbols, moments)
def test_a_quote_is_sound(market: SyntheticMarketData, symbol: str, at: datetime) -> None:
    """bid < ask, bid <= last <= ask, all on the price step; sizes on the quantity step."""
    quote, instrument = market.quote(symbol, at), market.instruments[symbol]
    assert quote.last is not None
    assert quote.bid < quote.ask
    assert quote.bid <= quote.last <= quote.ask
    assert all(
        multiple(price, instrument.price_increment) for price in (quote.bid, quote.last, quote.ask)
    )
    assert multiple(quote.bid_size, instrument.quantity_increment)
    assert multiple(quote.ask_size, instrument.quantity_increment)
    assert "synthetic" == quote.provider
    assert market.tick_time(at) == quote.timestamp


@given(symbols, moments)
def test_a_spread_is_a_small_part_of_the_price(
    market: SyntheticMarketData, symbol: str, at: datetime
) -> None:
    """At most one price step or two hundredths of a percent."""
    quote = market.quote(symbol, at)
    step = market.instruments[symbol].price_increment
    assert quote.ask - quote.bid <= max(step, quote.bid * Decimal("0.0002"))


def test_sizes_vary(market: SyntheticMarketData) -> None:
    """Over a minute a stock shows from one to nine round lots."""
    quotes = [market.quote("AAPL", NOW + i * SECOND) for i in range(60)]
    sizes = {size for quote in quotes for size in (quote.bid_size, quote.ask_size)}
    assert {Decimal(100 * lots) for lots in range(1, 10)} == sizes


def test_a_quote_holds_until_the_next_tick(market: SyntheticMarketData) -> None:
    """Within a second the quote is the same object; the next second has another."""
    first = market.quote("AAPL", NOW)
    assert first is market.quote("AAPL", NOW + timedelta(milliseconds=654))
    assert first.timestamp + SECOND == market.quote("AAPL", NOW + SECOND).timestamp


def test_a_moment_is_the_same_in_every_zone(market: SyntheticMarketData) -> None:
    """The zone of `at` does not matter; times are served in UTC."""
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert market.quote("AAPL", NOW) == market.quote("AAPL", there)
    assert timedelta(0) == market.quote("IBM", there).timestamp.utcoffset()


@settings(max_examples=20)
@given(st.permutations(range(12)))
def test_the_order_of_asking_does_not_matter(order: list[int]) -> None:
    """Neither does having asked for the future: each quote is that of a market asked only once."""
    moments_ = [NOW + i * timedelta(hours=7, seconds=11) for i in range(12)]
    market = SyntheticMarketData(seed=3)
    asked = {i: market.quote("ETH/USD", moments_[i]) for i in order}
    alone = [SyntheticMarketData(seed=3).quote("ETH/USD", moment) for moment in moments_]
    assert alone == [asked[i] for i in range(12)]


def test_the_seed_decides() -> None:
    """Another seed is another market."""
    quotes = {SyntheticMarketData(seed=seed).quote("BTC/USD", NOW).last for seed in range(5)}
    assert len(quotes) == 5


def test_the_volume_of_the_day_grows_to_that_of_its_bar(
    market: SyntheticMarketData, ask: Ask
) -> None:
    """A quote's volume never falls within a UTC day and ends at the volume of the day's bar."""
    day = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    end = day + timedelta(days=1)
    moments_ = [day + i * timedelta(seconds=863) for i in range(100)] + [end - SECOND]
    volumes = [market.quote("BTC/USD", moment).volume for moment in moments_]
    (bar,) = ask("BTC/USD", "1d", end, start=day, end=day)
    known = [volume for volume in volumes if volume is not None]
    assert len(volumes) == len(known)
    assert sorted(known) == known
    assert bar.volume == known[-1]
    assert (volume := market.quote("BTC/USD", end).volume) is not None
    assert volume < bar.volume / 100


def test_over_a_gap_the_last_quote_stays(market: SyntheticMarketData) -> None:
    """At the weekend within the real history the quote is that of Friday's last second."""
    friday = market.quote("AAPL", datetime(2013, 2, 22, 23, 59, 59, tzinfo=UTC))
    assert friday == market.quote("AAPL", datetime(2013, 2, 24, 12, tzinfo=UTC))
    assert Decimal("450.81") == friday.last
    euro = market.quote("EUR/USD", datetime(2017, 12, 25, 12, tzinfo=UTC))
    assert datetime(2017, 12, 25, 7, 59, 59, tzinfo=UTC) == euro.timestamp
    assert Decimal("1.18767") == euro.last


@pytest.mark.parametrize(
    ("symbol", "first"),
    [
        ("AAPL", datetime(2005, 3, 1, tzinfo=UTC)),
        ("EUR/USD", datetime(2017, 1, 1, 22, tzinfo=UTC)),
        ("BTC/USD", datetime(2015, 1, 1, tzinfo=UTC)),
    ],
)
def test_before_its_first_bar_a_symbol_has_no_quote(
    market: SyntheticMarketData, ask: Ask, symbol: str, first: datetime
) -> None:
    """It is quoted from the opening of its first bar on, and is not found before."""
    assert market.quote(symbol, first).last == ask(symbol, "1m", first + timedelta(hours=1))[0].open
    with pytest.raises(SymbolNotFound):
        market.quote(symbol, first - timedelta(microseconds=1))


def test_the_drawn_market_goes_on_from_the_last_real_close(market: SyntheticMarketData) -> None:
    """The first drawn price is the last real one."""
    saturday = datetime(2013, 3, 2, tzinfo=UTC)
    assert Decimal("430.47") == market.quote("AAPL", saturday).last
    assert Decimal("1.20075") == market.quote("EUR/USD", datetime(2017, 12, 30, tzinfo=UTC)).last


@pytest.mark.parametrize(
    ("alias", "symbol"), [("S:AAPL", "AAPL"), ("F:EURUSD", "EUR/USD"), ("C:BTCUSD", "BTC/USD")]
)
def test_an_alias_leads_to_the_canonical_symbol(
    market: SyntheticMarketData, alias: str, symbol: str
) -> None:
    """`resolve` and `quote` take an alias; what they answer names the canonical symbol."""
    assert market.resolve(alias) is market.resolve(symbol)
    assert symbol == market.resolve(alias).symbol
    assert market.quote(symbol, NOW) == market.quote(alias, NOW)


@pytest.mark.parametrize("name", ["", "aapl", "s:AAPL", "X:AAPL", "C:AAPL", "BTCUSD", "USD/JPY"])
def test_other_names_are_not_found(market: SyntheticMarketData, name: str) -> None:
    """Only canonical symbols that are listed and their aliases resolve, case and all."""
    for call in (market.resolve, lambda symbol: market.quote(symbol, NOW)):
        with pytest.raises(SymbolNotFound) as caught:
            call(name)
        assert {"resource": "symbol", "id": name} == caught.value.details


def test_symbols_can_be_chosen() -> None:
    """A market lists just the symbols asked for, in whatever currency."""
    market = SyntheticMarketData(symbols=["USD/JPY"])
    assert ["USD/JPY"] == list(market.instruments)
    assert "JPY" == market.resolve("F:USDJPY").currency
    assert 3 == -int(market.quote("USD/JPY", NOW).bid.as_tuple().exponent)
    with pytest.raises(SymbolNotFound):
        market.resolve("S:AAPL")


@pytest.mark.parametrize(
    "setting",
    [
        {"symbols": ["AAPL", "NOPE"]},
        {"volatility": Decimal("-0.1")},
        {"tick_interval": timedelta(seconds=7)},
        {"tick_interval": timedelta(seconds=20)},
        {"tick_interval": timedelta(0)},
        {"tick_interval": timedelta(seconds=-1)},
    ],
)
def test_wrong_settings_are_refused(setting: dict[str, object]) -> None:
    """A symbol nobody knows, a negative volatility, a tick that does not divide a minute well."""
    with pytest.raises(ValueError, match=r"NOPE|volatility|tick_interval"):
        SyntheticMarketData(**setting)  # type: ignore[arg-type]


def test_without_volatility_the_price_stands_still() -> None:
    """Volatility 0 freezes `last` at the last real close while the quotes go on."""
    market = SyntheticMarketData(volatility=Decimal(0))
    quotes = [market.quote("AAPL", NOW + i * SECOND) for i in range(90)]
    assert {Decimal("430.47")} == {quote.last for quote in quotes}
    assert len({quote.timestamp for quote in quotes}) == 90


@pytest.mark.parametrize("interval", [timedelta(milliseconds=100), timedelta(seconds=15)])
def test_faster_or_slower_ticks_make_the_same_bars(
    ask: Ask, make_ask: Callable[[SyntheticMarketData], Ask], interval: timedelta
) -> None:
    """The tick interval changes the quotes between, not the bars they make."""
    market = SyntheticMarketData(seed=7, tick_interval=interval)
    assert ask("AAPL", "1m", NOW, limit=5) == make_ask(market)("AAPL", "1m", NOW, limit=5)
    assert NOW - interval < market.tick_time(NOW) == market.quote("AAPL", NOW).timestamp <= NOW
    minute = NOW.replace(second=0, microsecond=0)
    ticks = [
        market.quote("AAPL", minute + i * interval) for i in range(timedelta(minutes=1) // interval)
    ]
    (bar,) = ask("AAPL", "1m", NOW + timedelta(minutes=1), limit=1)
    assert (bar.open, bar.high, bar.low, bar.close) == ohlc(ticks)


@settings(max_examples=30)
@given(symbols, moments)
def test_the_quotes_of_a_minute_make_its_bar(
    market: SyntheticMarketData, ask: Ask, symbol: str, at: datetime
) -> None:
    """Open, high, low and close of a closed 1m bar are those of `last` over its 60 quotes."""
    start = at.replace(second=0, microsecond=0)
    quotes = [market.quote(symbol, start + i * SECOND) for i in range(60)]
    (bar,) = ask(symbol, "1m", start + timedelta(minutes=1), start=start)
    assert (bar.open, bar.high, bar.low, bar.close) == ohlc(quotes)


def test_a_minute_of_quotes_costs_three_splits(splits: list[RawBar]) -> None:
    """A fresh market splits a day, an hour and five minutes for the first quote; then nothing."""
    market = SyntheticMarketData(symbols=["AAPL"])
    minute = NOW.replace(second=0)
    for i in range(60):
        market.quote("AAPL", minute + i * SECOND)
    assert 3 == len(splits)


def test_caches_are_bounded(make_ask: Callable[[SyntheticMarketData], Ask]) -> None:
    """However much is asked, what is kept stays within the stated numbers."""
    market = SyntheticMarketData(symbols=["BTC/USD"])
    served = make_ask(market)
    for days in range(0, 7300, 365):
        at = NOW + timedelta(days=days)
        market.quote("BTC/USD", at)
        served("BTC/USD", "1h", at, limit=1000)
        served("BTC/USD", "1w", at, limit=100)
    known = market._feeds["BTC/USD"]
    for cache in (known._day, known._within, known._minute, known._walk.close):
        info = cache.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize
    assert len(market._quotes) == 1


async def test_start_reads_the_history_of_all_symbols() -> None:
    """After `start` no first request pays for reading a file; `stop` has nothing to do."""
    market = SyntheticMarketData()
    await market.start()
    assert market._feeds.keys() == set(DEFAULT_SYMBOLS)
    await market.stop()


def test_listings_are_sound() -> None:
    """Each listing can be drawn: a history or a start, a lot on the quantity step, one alias."""
    listings = LISTINGS.values()
    assert len(listings) == len({listing.alias for listing in listings})
    for listing in listings:
        assert listing.history or listing.start_price > 0 < listing.daily_volume
        assert multiple(listing.lot, listing.instrument.quantity_increment)
        assert 0 < listing.sigma < 100_000

"""The event stream: quotes and candles."""

from __future__ import annotations

from decimal import Decimal

from contract_tests.requirements import requirement
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.expect import NotExercised, Overdue, dec, equal
from contract_tests.toolkit.fillings import await_next_quote
from contract_tests.toolkit.invariants import moment
from contract_tests.toolkit.market import bars_path
from contract_tests.toolkit.sameness import same
from contract_tests.toolkit.stream import Frame, Stream

LOOKS = 3
LONGEST_MINUTE = 65.0

Touch = tuple[Decimal, Decimal]


@requirement("WS-060")
def quotes_move(api: Api) -> None:
    """Each quote is of the symbol chosen and newer than the last, with the bid and ask of REST."""
    symbol = api.market.instrument.symbol
    answered: dict[str, Touch] = {}
    with api.listen({"symbols": symbol}) as stream:
        frames = []
        for _ in range(LOOKS):
            frames.append(_next_quote(api, stream, symbol))
            quote = api.quote(symbol)
            answered[quote.timestamp] = quote.bid, quote.ask
        quotes = [one.body["quote"] for one in stream.seen if one.type == "quote"]
        stream.equal({one["symbol"] for one in quotes}, {symbol}, "the symbols of quotes")
        times = [moment(one["timestamp"]) for one in quotes]
        stream.equal(times, sorted(set(times)), "the times of quotes, each newer")
        told = {one["timestamp"]: (dec(one["bid"]), dec(one["ask"])) for one in quotes}
        common = told.keys() & answered.keys()
        if not common:
            raise NotExercised("no quote was told that GET /quotes answered too")
        for time in common:
            stream.equal(told[time], answered[time], f"bid and ask at {time}, as REST has them")


def _next_quote(api: Api, stream: Stream, symbol: str) -> Frame:
    try:
        return stream.until(lambda one: one.type == "quote", "a quote")[-1]
    except Overdue:
        await_next_quote(api, symbol)
        raise


@requirement("WS-061", needs="minute_end")
def candle_comes_with_its_minute(api: Api) -> None:
    """When a minute is over its bar is told, as GET /bars answers it then."""
    mine = api.lab.minute_end()
    symbol = mine.market.instrument.symbol
    with mine.listen({"symbols": symbol}) as stream:
        frame = stream.until(lambda one: one.type == "candle", "a candle", within=LONGEST_MINUTE)[
            -1
        ]
        bar = frame.body["bar"]
        equal((bar["symbol"], bar["timeframe"]), (symbol, "1m"), "the symbol and timeframe")
        window = {"timeframe": "1m", "start": bar["timestamp"], "end": bar["timestamp"]}
        answered = mine.get(bars_path(symbol), window).ok()
        equal(len(answered), 1, "the number of bars of that minute")
        same(bar, answered[0], "the bar told", schema="Bar")

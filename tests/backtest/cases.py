"""Small bars, orders, and the trades that the rules make of them, each worked out by hand.

Bars are `open high low close`; orders as in `actions`; trades are `bar side quantity @ price`, with
`maker` where the order rested. Orders of bar 0 are sent on its candle and meet bar 1 at its open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from providers.models import Timeframe
from tests.backtest.actions import Costs, Scripted
from tests.backtest.driving import Scene, drawn

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A row of the table: bars, what is done on them, and the trades that it makes.

    IBM, where there is any, has bars and trades of its own.
    """

    name: str
    bars: str
    script: str
    trades: str
    ibm: str = ""
    ibm_trades: str = ""
    ibm_skip: tuple[int, ...] = ()
    penetrate: bool = False
    costs: Costs = field(default_factory=Costs)
    timeframe: Timeframe = Timeframe.D1
    start: datetime = MONDAY
    balance: str = ""

    def scene(self) -> Scene:
        spans = Scene(bars=[], timeframe=self.timeframe).span
        bars = drawn(self.bars, self.start, spans, self.symbol)
        if self.ibm:
            bars += drawn(self.ibm, self.start, spans, "IBM", self.ibm_skip)
        bars.sort(key=lambda bar: bar.start)  # keeps AAPL before IBM
        return Scene(
            bars=bars, timeframe=self.timeframe, costs=self.costs, penetrate=self.penetrate
        )

    @property
    def symbol(self) -> str:
        return next((each for each in ("BTC/USD", "EUR/USD") if each in self.script), "AAPL")

    def strategy(self) -> Scripted:
        return Scripted(self.script, self.symbol)

    def expected(self) -> dict[str, list[str]]:
        """The trades by symbol, in words."""
        own = [part.strip() for part in self.trades.split(";") if part.strip()]
        other = [part.strip() for part in self.ibm_trades.split(";") if part.strip()]
        return {self.symbol: own} | ({"IBM": other} if self.ibm else {})


def fees(**amounts: str) -> Costs:
    return Costs(**{name: Decimal(amount) for name, amount in amounts.items()})


FLAT = "100 100 100 100, "

MARKET = [
    Case("a market order fills at the next open",
         "100 101 99 100, 102 103 98 99", "0: buy 10", "1 buy 10 @ 102"),
    Case("a market sale too",
         "100 101 99 100, 98 103 97 99", "0: sell 10", "1 sell 10 @ 98"),
    Case("on the last bar there is no next open",
         "100 101 99 100, 102 103 98 99", "1: buy 10", ""),
    Case("a bar of one price is a bar",
         FLAT + "101 101 101 101", "0: buy 10", "1 buy 10 @ 101"),
    Case("an immediate market order fills at the next open as well",
         FLAT + "102 103 98 99", "0: buy 10 ioc; 0: buy 5 fok",
         "1 buy 10 @ 102; 1 buy 5 @ 102"),
    Case("orders of one candle fill in their order",
         FLAT + "102 103 98 99", "0: buy 10; 0: sell 4; 0: buy 1",
         "1 buy 10 @ 102; 1 sell 4 @ 102; 1 buy 1 @ 102"),
    Case("slippage is against the order, on the tick, and only for those who take",
         FLAT + "100 101 95 96", "0: buy 10; 0: sell 10; 0: buy 10 limit 97",
         "1 buy 10 @ 100.13; 1 sell 10 @ 99.87; 1 buy 10 @ 97 maker",
         costs=fees(slippage="0.00123")),
]  # fmt: skip

LIMIT = [
    Case("a limit fills at its limit when the low touches it",
         FLAT + "101 102 95 97", "0: buy 10 limit 95", "1 buy 10 @ 95 maker"),
    Case("a tick short it does not fill",
         FLAT + "101 102 95.01 97", "0: buy 10 limit 95", ""),
    Case("a limit to sell fills when the high touches it",
         FLAT + "101 105 100 102", "0: sell 10 limit 105", "1 sell 10 @ 105 maker"),
    Case("it waits for its bar",
         FLAT + "101 102 96 97, 97 98 96 98, 98 99 94 95", "0: buy 10 limit 95",
         "3 buy 10 @ 95 maker"),
    Case("marketable at the open it takes the better open",
         FLAT + "101 102 99 100", "0: buy 10 limit 105", "1 buy 10 @ 101"),
    Case("so it does at an open just at its limit",
         FLAT + "101 102 99 100", "0: buy 10 limit 101", "1 buy 10 @ 101"),
    Case("one that rests is gapped through: the better open, and it makes",
         FLAT + "100 102 99 101, 93 96 92 95", "0: buy 10 limit 95", "2 buy 10 @ 93 maker"),
    Case("a resting sale gapped through",
         FLAT + "100 102 99 101, 108 109 106 107", "0: sell 10 limit 105",
         "2 sell 10 @ 108 maker"),
    Case("the seen bar cannot fill it: only the next ones",
         "100 110 90 100, 100 101 99 100", "0: buy 10 limit 95; 0: sell 5 limit 105", ""),
    Case("an immediate limit fills at the open or not at all",
         FLAT + "101 102 95 97, 94 95 90 91", "0: buy 10 limit 95 ioc; 0: buy 3 limit 101 ioc",
         "1 buy 3 @ 101"),
    Case("a fill-or-kill limit as well",
         FLAT + "101 102 95 97, 94 95 90 91", "0: sell 10 limit 102 fok; 0: sell 3 limit 99 fok",
         "1 sell 3 @ 101"),
    Case("a post-only limit that would take at the open ends",
         FLAT + "99 102 95 97", "0: buy 10 limit 99 post", ""),
    Case("a post-only limit that the open does not reach makes",
         FLAT + "99.01 102 95 97", "0: buy 10 limit 99 post", "1 buy 10 @ 99 maker"),
    Case("both sides of the book in one bar, as the path goes",
         FLAT + "100 106 90 98", "0: buy 10 limit 95; 0: sell 10 limit 105",
         "1 sell 10 @ 105 maker; 1 buy 10 @ 95 maker"),
    Case("the nearer of two levels is met first, whichever is older",
         FLAT + "100 101 90 91", "0: buy 1 limit 92; 0: buy 2 limit 98; 0: buy 3 limit 95",
         "1 buy 2 @ 98 maker; 1 buy 3 @ 95 maker; 1 buy 1 @ 92 maker"),
    Case("penetrate: a touch is not enough",
         FLAT + "101 102 95 97, 97 98 95 96, 96 97 94.99 95", "0: buy 10 limit 95",
         "3 buy 10 @ 95 maker", penetrate=True),
    Case("penetrate: nor for a sale",
         FLAT + "101 105 100 102, 102 105.01 100 101", "0: sell 10 limit 105",
         "2 sell 10 @ 105 maker", penetrate=True),
    Case("penetrate: gapped through it fills at the better open",
         FLAT + "100 102 99 101, 93 96 92 95", "0: buy 10 limit 95",
         "2 buy 10 @ 93 maker", penetrate=True),
    Case("penetrate: an open at the limit is a touch",
         FLAT + "100 102 99 101, 95 96 95 96", "0: buy 10 limit 95", "", penetrate=True),
    Case("penetrate: from an open at the limit it may go on beyond",
         FLAT + "100 102 99 101, 95 99 94 96", "0: buy 10 limit 95",
         "2 buy 10 @ 95 maker", penetrate=True),
    Case("penetrate: what takes at the open needs no more than to reach it",
         FLAT + "101 102 101 102", "0: buy 10 limit 101", "1 buy 10 @ 101", penetrate=True),
]  # fmt: skip

STOP = [
    Case("a stop trades at its trigger", FLAT + "101 107 100 106", "0: buy 10 stop 105",
         "1 buy 10 @ 105"),
    Case("at the high exactly", FLAT + "101 105 100 104", "0: buy 10 stop 105",
         "1 buy 10 @ 105"),
    Case("a tick short it waits", FLAT + "101 104.99 100 104, 104 106 103 105",
         "0: buy 10 stop 105", "2 buy 10 @ 105"),
    Case("a stop to sell", FLAT + "100 101 94 96", "0: sell 10 stop 95", "1 sell 10 @ 95"),
    Case("gapped through it trades at the open", FLAT + "108 109 104 106",
         "0: buy 10 stop 105", "1 buy 10 @ 108"),
    Case("gapped through after a bar of rest", FLAT + "100 101 99 100, 91 97 90 96",
         "0: sell 10 stop 95", "2 sell 10 @ 91"),
    Case("one that is passed already triggers at the open, wherever that is",
         "105 105 105 105, 104 106 103 105", "0: buy 10 stop 100", "1 buy 10 @ 104"),
    Case("penetrate concerns limits, not stops", FLAT + "100 101 95 96",
         "0: sell 10 stop 95", "1 sell 10 @ 95", penetrate=True),
    Case("a stop-limit triggers and takes at its stop", FLAT + "101 107 100 106",
         "0: buy 10 stop 105 limit 106", "1 buy 10 @ 105"),
    Case("a limit touched before the stop does not count",
         FLAT + "104 107 102 105, 105 106 103 104", "0: buy 10 stop 106 limit 103",
         "2 buy 10 @ 103 maker"),
    Case("touched after the stop it does",
         FLAT + "104 105 100 101", "0: buy 10 stop 105 limit 103", "1 buy 10 @ 103 maker"),
    Case("a stop-limit to sell waits above for its price",
         FLAT + "100 102 97 99, 99 101 98 100", "0: sell 10 stop 98 limit 100.50",
         "2 sell 10 @ 100.5 maker"),
    Case("touched on the way back in the same bar",
         FLAT + "100 103 97 99", "0: sell 10 stop 98 limit 102", "1 sell 10 @ 102 maker"),
    Case("an open beyond the stop and the limit triggers; the limit fills when prices come back",
         FLAT + "108 109 105.50 107", "0: buy 10 stop 105 limit 106", "1 buy 10 @ 106 maker"),
    Case("an open between stop and limit takes at the open",
         FLAT + "105.50 109 105 107", "0: buy 10 stop 105 limit 106", "1 buy 10 @ 105.5"),
    Case("a stop-limit that gapped beyond its limit may never fill",
         FLAT + "108 109 106.01 107, 107 109 107 108", "0: buy 10 stop 105 limit 106", ""),
    Case("triggered once, it stays a limit",
         FLAT + "108 109 107 107, 107 108 103 104", "0: buy 10 stop 105 limit 106",
         "2 buy 10 @ 106 maker"),
    Case("an equal distance goes to the low first",
         FLAT + "100 110 90 100", "0: buy 10 stop 105 oco g; 0: sell 10 stop 95 oco g",
         "1 sell 10 @ 95"),
    Case("the nearer high comes first",
         FLAT + "100 106 90 100", "0: buy 10 stop 105 oco g; 0: sell 10 stop 95 oco g",
         "1 buy 10 @ 105"),
    Case("the nearer low comes first",
         FLAT + "100 110 94 100", "0: buy 10 stop 105 oco g; 0: sell 10 stop 95 oco g",
         "1 sell 10 @ 95"),
    Case("an open at the high: the high was first",
         FLAT + "100 100 90 92", "0: sell 10 limit 100.01; 0: sell 5 stop 95",
         "1 sell 5 @ 95"),
    Case("in and out in one bar by two stops",
         FLAT + "100 106 90 100", "0: buy 10 stop 105; 0: sell 10 stop 95",
         "1 buy 10 @ 105; 1 sell 10 @ 95", balance="999900"),
]  # fmt: skip

BRACKET = [
    Case("entry at the open, stop-loss in the same bar",
         FLAT + "100 104 94 96", "0: buy 10 sl 95 tp 110", "1 buy 10 @ 100; 1 sell 10 @ 95",
         balance="999950"),
    Case("entry at the open, take-profit in the same bar",
         FLAT + "100 111 98 105", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 1 sell 10 @ 110 maker", balance="1000100"),
    Case("both in one bar, the low nearer: the stop-loss",
         FLAT + "100 112 94 105", "0: buy 10 sl 95 tp 110", "1 buy 10 @ 100; 1 sell 10 @ 95"),
    Case("both in one bar, the high nearer: the stop-loss all the same",
         FLAT + "100 106 80 90", "0: buy 10 sl 95 tp 105", "1 buy 10 @ 100; 1 sell 10 @ 95"),
    Case("both in one later bar, the high nearer",
         FLAT + "100 101 99 100, 100 106 80 90", "0: buy 10 sl 95 tp 105",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
    Case("a short with both in one bar, the low nearer: the stop-loss above",
         FLAT + "100 120 94 105", "0: sell 10 sl 105 tp 95", "1 sell 10 @ 100; 1 buy 10 @ 105"),
    Case("a short with its take-profit only",
         FLAT + "100 104.99 94 105", "0: sell 10 sl 106 tp 95",
         "1 sell 10 @ 100; 1 buy 10 @ 95 maker"),
    Case("an open beyond the take-profit comes before any stop-loss in the bar",
         FLAT + "100 101 99 100, 112 113 90 95", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 2 sell 10 @ 112 maker"),
    Case("an open beyond the stop-loss fills there",
         FLAT + "100 101 99 100, 93 113 90 95", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 2 sell 10 @ 93"),
    Case("an exit filled cancels the other",
         FLAT + "100 101 94 96, 96 112 96 111", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 1 sell 10 @ 95"),
    Case("what the bar had behind it when the entry filled is no exit",
         FLAT + "100 110 99 104", "0: buy 10 stop 105 sl 99.50 tp 120", "1 buy 10 @ 105"),
    Case("a stop-loss that an entry inside the bar creates works in the rest of the bar",
         FLAT + "104 106 100 102", "0: buy 10 stop 105 sl 103",
         "1 buy 10 @ 105; 1 sell 10 @ 103"),
    Case("entry by limit inside the bar, take-profit on the way to the close",
         FLAT + "100 101 94 100", "0: buy 10 limit 95 sl 90 tp 99",
         "1 buy 10 @ 95 maker; 1 sell 10 @ 99 maker"),
    Case("a take-profit that lies before the entry on the path is not met",
         FLAT + "100 101 94 96", "0: buy 10 limit 95 sl 90 tp 99", "1 buy 10 @ 95 maker"),
    Case("entry by limit and stop-loss on the same way down",
         FLAT + "100 101 92 98", "0: buy 10 limit 95 sl 93 tp 99",
         "1 buy 10 @ 95 maker; 1 sell 10 @ 93"),
    Case("entry inside the bar, both exits in what remains: the stop-loss",
         FLAT + "100 110 99 101", "0: buy 10 stop 105 sl 103 tp 108",
         "1 buy 10 @ 105; 1 sell 10 @ 103"),
    Case("entry inside the bar, only the take-profit in what remains",
         FLAT + "100 110 99 104", "0: buy 10 stop 105 sl 103 tp 108",
         "1 buy 10 @ 105; 1 sell 10 @ 108 maker"),
    Case("a short entry inside the bar, both exits in what remains",
         FLAT + "100 101 90 99", "0: sell 10 stop 95 sl 97 tp 92",
         "1 sell 10 @ 95; 1 buy 10 @ 97"),
    Case("a market entry that gaps below its stop-loss is out at the same price",
         FLAT + "94 96 93 95", "0: buy 10 sl 95", "1 buy 10 @ 94; 1 sell 10 @ 94",
         balance="1000000"),
    Case("a market entry that gaps beyond its take-profit is out at the same price",
         FLAT + "107 109 106 108", "0: buy 10 tp 105", "1 buy 10 @ 107; 1 sell 10 @ 107"),
    Case("a limit entry that gaps below its stop-loss",
         FLAT + "100 101 99 100, 91 96 90 95", "0: buy 10 limit 97 sl 95 tp 120",
         "2 buy 10 @ 91 maker; 2 sell 10 @ 91"),
    Case("an entry cancelled takes its exits with it",
         FLAT + "101 102 99 100, 100 120 80 100", "0: buy 10 limit 95 sl 90 tp 110 as e; "
         "1: cancel e", ""),
    Case("exits shrink with the position",
         FLAT + "100 101 99 100, 100 101 99 100, 100 101 94 95", "0: buy 10 sl 95 tp 110; "
         "1: sell 4", "1 buy 10 @ 100; 2 sell 4 @ 100; 3 sell 6 @ 95"),
    Case("exits end with the position",
         FLAT + "100 101 99 100, 100 101 99 100, 100 120 80 95", "0: buy 10 sl 95 tp 110; "
         "1: sell 10", "1 buy 10 @ 100; 2 sell 10 @ 100"),
    Case("two entries, each with its own stop-loss",
         FLAT + "100 101 99 100, 100 101 99 100, 100 100 89 91",
         "0: buy 10 sl 95; 1: buy 5 sl 90",
         "1 buy 10 @ 100; 2 buy 5 @ 100; 3 sell 10 @ 95; 3 sell 5 @ 90"),
    Case("exits on the wrong side of the market are refused",
         FLAT + "100 120 80 100", "0: buy 10 sl 101; 0: sell 10 tp 100; 0: buy 1 tp 99", ""),
    Case("penetrate: a take-profit touched is not taken",
         FLAT + "100 110 98 105, 105 110.01 104 108", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 2 sell 10 @ 110 maker", penetrate=True),
    Case("exits given to a position work from the next open",
         FLAT + "100 101 94 100, 100 101 94 95", "0: buy 10; 1: protect sl 95 tp 120",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
    Case("a stop-loss moved up",
         FLAT + "100 106 99 105, 105 106 102 104", "0: buy 10 sl 95 tp 120; 1: protect sl 103",
         "1 buy 10 @ 100; 2 sell 10 @ 103"),
    Case("a take-profit given to a position that its entry gave a stop-loss: that is still first",
         FLAT + "100 101 99 100, 100 106 80 90", "0: buy 10 sl 95; 1: protect tp 105",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
    Case("a stop-loss given to a position that its entry gave a take-profit",
         FLAT + "100 101 99 100, 100 106 80 90", "0: buy 10 tp 105; 1: protect sl 95",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
    Case("two entries of one position: the stop-loss of one before the take-profit of the other",
         FLAT + "100 101 99 100, 100 106 80 90", "0: buy 10 sl 95; 0: buy 5 tp 105",
         "1 buy 10 @ 100; 1 buy 5 @ 100; 2 sell 10 @ 95; 2 sell 5 @ 105 maker"),
    Case("exits sent by hand",
         FLAT + "100 101 99 100, 100 106 80 90",
         "0: buy 10; 1: sell 10 stop 95 reduce oco g; 1: sell 10 limit 105 reduce oco g",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
    Case("exits given to a position, both in one bar, the high nearer",
         FLAT + "100 101 99 100, 100 106 80 90", "0: buy 10; 1: protect sl 95 tp 105",
         "1 buy 10 @ 100; 2 sell 10 @ 95"),
]  # fmt: skip

TRAILING = [
    Case("the favourable extreme first: the stop moves, then it is hit",
         FLAT + "100 106 90 95", "0: sell 10 trail 5", "1 sell 10 @ 101"),
    Case("the adverse extreme first: it is hit where it was",
         FLAT + "100 110 94 105", "0: sell 10 trail 5", "1 sell 10 @ 95"),
    Case("equally near: the low is first",
         FLAT + "100 110 90 105", "0: sell 10 trail 5", "1 sell 10 @ 95"),
    Case("the way to the close may hit a stop that the high has moved",
         FLAT + "100 108 97 101", "0: sell 10 trail 5", "1 sell 10 @ 103"),
    Case("it never backs off",
         FLAT + "100 104 99 103, 103 103 100 101, 101 102 98 100", "0: sell 10 trail 5",
         "3 sell 10 @ 99"),
    Case("gapped through it trades at the open",
         FLAT + "100 108 99 107, 101 103 100 102", "0: sell 10 trail 5", "2 sell 10 @ 101"),
    Case("an open above moves it first",
         FLAT + "100 103 99 102, 110 111 106 107, 107 108 105 106", "0: sell 10 trail 5",
         "2 sell 10 @ 106"),
    Case("a buy trails the low",
         FLAT + "100 110 96 105", "0: buy 10 trail 5", "1 buy 10 @ 101"),
    Case("a buy whose adverse extreme is first",
         FLAT + "100 106 90 95", "0: buy 10 trail 5", "1 buy 10 @ 105"),
    Case("a percentage is on the tick grid, away from the market",
         FLAT + "100 101.23 98 99", "0: sell 10 trail 2.5%", "1 sell 10 @ 98.69"),
    Case("a buy by percentage is rounded up",
         FLAT + "100 103 98.77 101", "0: buy 10 trail 2.5%", "1 buy 10 @ 101.24"),
    Case("it starts from the close at which it was accepted, not from that bar's high",
         "100 120 100 100, 98 98 93 95", "0: sell 10 trail 5", "1 sell 10 @ 95"),
    Case("so the first open may be beyond it",
         "110 110 110 110, 100 101 96 97", "0: sell 10 trail 5", "1 sell 10 @ 100"),
    Case("a distance changed counts from the best price",
         FLAT + "100 108 100 107, 107 107.50 104 105", "0: sell 10 trail 9 as t; "
         "1: change t trail 3", "2 sell 10 @ 105"),
]  # fmt: skip

POSITIONS = [
    Case("an order larger than the position reverses it",
         FLAT + "100 101 99 100, 110 111 109 110, 120 121 119 120", "0: buy 10; 1: sell 30; "
         "2: buy 20", "1 buy 10 @ 100; 2 sell 30 @ 110; 3 buy 20 @ 120", balance="999900"),
    Case("exits of the old position do not touch the reversed one",
         FLAT + "100 101 99 100, 100 101 99 100, 100 115 85 100", "0: buy 10 sl 90 tp 110; "
         "1: sell 20", "1 buy 10 @ 100; 2 sell 20 @ 100"),
    Case("an entry that reverses brings exits for what it opened",
         FLAT + "100 101 99 100, 100 101 99 100, 100 101 94 95", "0: buy 10; "
         "1: sell 15 sl 110 tp 95", "1 buy 10 @ 100; 2 sell 15 @ 100; 3 buy 5 @ 95 maker"),
    Case("closing a position sells it at the next open",
         FLAT + "100 101 99 100, 103 104 102 103", "0: buy 10; 1: close",
         "1 buy 10 @ 100; 2 sell 10 @ 103", balance="1000030"),
    Case("closing a part", FLAT + "100 101 99 100, 97 98 96 97, 95 95 95 95",
         "0: sell 10; 1: close 4; 2: close", "1 sell 10 @ 100; 2 buy 4 @ 97; 3 buy 6 @ 95",
         balance="1000042"),
    Case("closing more than there is is refused",
         FLAT + "100 101 99 100, 103 104 102 103", "0: buy 10; 1: close 11", "1 buy 10 @ 100"),
    Case("closing cancels the exits, also in part",
         FLAT + "100 101 99 100, 100 101 99 100, 100 100 80 90", "0: buy 10 sl 95; 1: close 4",
         "1 buy 10 @ 100; 2 sell 4 @ 100"),
    Case("a reduce-only order never fills more than the position",
         FLAT + "100 101 99 100, 100 101 99 100, 100 101 99 100",
         "0: buy 10; 1: sell 15 reduce", "1 buy 10 @ 100; 2 sell 10 @ 100"),
    Case("without a position it is refused",
         FLAT + "100 101 94 96", "0: sell 10 stop 95 reduce; 0: buy 10",
         "1 buy 10 @ 100"),
    Case("on the position's own side it is refused",
         FLAT + "100 101 99 100, 100 101 99 100", "0: buy 10; 1: buy 5 reduce",
         "1 buy 10 @ 100"),
    Case("a second one finds nothing left",
         FLAT + "100 101 99 100, 100 101 99 100, 105 106 104 105",
         "0: buy 10; 1: sell 7 reduce; 1: sell 7 reduce; 1: sell 7 reduce",
         "1 buy 10 @ 100; 2 sell 7 @ 100; 2 sell 3 @ 100"),
    Case("it shrinks with the position, and does not grow with it again",
         FLAT + "100 101 99 100, 100 101 99 100, 100 101 99 100, 100 106 99 105",
         "0: buy 10; 1: sell 20 limit 105 reduce; 2: sell 4; 2: buy 3; 3: buy 1",
         "1 buy 10 @ 100; 3 sell 4 @ 100; 3 buy 3 @ 100; 4 buy 1 @ 100; 4 sell 6 @ 105 maker"),
    Case("it ends with the position",
         FLAT + "100 101 99 100, 100 101 99 100, 108 112 107 110",
         "0: buy 10; 1: sell 10 limit 111 reduce; 1: sell 10", "1 buy 10 @ 100; 2 sell 10 @ 100"),
    Case("shorts profit from a fall",
         FLAT + "100 101 99 100, 90 91 89 90", "0: sell 10; 1: buy 10",
         "1 sell 10 @ 100; 2 buy 10 @ 90", balance="1000100"),
    Case("the mean entry of two buys",
         FLAT + "100 101 99 100, 103 103 103 103, 106 106 106 106", "0: buy 1; 1: buy 2; 2: sell 2",
         "1 buy 1 @ 100; 2 buy 2 @ 103; 3 sell 2 @ 106", balance="1000008"),
]  # fmt: skip

LINKED = [
    Case("the first fill of a group cancels the others",
         FLAT + "100 106 99 105, 105 106 90 91", "0: buy 10 stop 105 oco g; "
         "0: sell 10 stop 95 oco g", "1 buy 10 @ 105"),
    Case("at one open the older order is first",
         FLAT + "100 101 99 100", "0: buy 10 oco g; 0: sell 10 oco g", "1 buy 10 @ 100"),
    Case("a group that has traded takes no more",
         FLAT + "100 101 99 100, 100 101 99 100", "0: buy 10 oco g; 1: sell 10 oco g",
         "1 buy 10 @ 100"),
    Case("cancelling one by hand leaves the others",
         FLAT + "100 101 99 100, 100 101 94 95", "0: buy 10 stop 105 oco g as a; "
         "0: sell 10 stop 95 oco g; 1: cancel a", "2 sell 10 @ 95"),
    Case("an order cancelled before the next open is gone",
         FLAT + "100 101 99 100", "0: buy 10 as a; 0: cancel a", ""),
    Case("a stop changed works at its new price",
         FLAT + "100 101 99 100, 100 104 99 103", "0: buy 10 stop 105 as a; 1: change a stop 103",
         "2 buy 10 @ 103"),
    Case("a limit changed to be marketable trades at the next open, not at the close it has seen",
         FLAT + "100 101 99 100, 102 104 99 103", "0: buy 10 limit 95 as a; "
         "1: change a limit 105", "2 buy 10 @ 102"),
    Case("an order on its way cannot be changed",
         FLAT + "100 101 99 100", "0: buy 10 limit 95 as a; 0: change a limit 99.50", ""),
    Case("a quantity changed", FLAT + "100 101 99 100, 100 101 94 95",
         "0: buy 10 limit 95 as a; 1: change a quantity 4", "2 buy 4 @ 95 maker"),
    Case("an order sent at a fill works in the rest of the bar",
         FLAT + "100 110 99 101", "0: buy 10 stop 105; fill 0: sell 10 stop 103",
         "1 buy 10 @ 105; 1 sell 10 @ 103"),
    Case("a limit sent at a fill works in the rest of the bar, as a maker",
         FLAT + "100 110 99 109", "0: buy 10 stop 105; fill 0: sell 10 limit 108",
         "1 buy 10 @ 105; 1 sell 10 @ 108 maker"),
    Case("a market order sent at a fill trades where prices are",
         FLAT + "100 110 99 101", "0: buy 10 stop 105; fill 0: sell 10",
         "1 buy 10 @ 105; 1 sell 10 @ 105", balance="1000000"),
    Case("a position closed at the fill that opened it has earned nothing",
         FLAT + "100 101 90 95", "0: buy 10; fill 0: close", "1 buy 10 @ 100; 1 sell 10 @ 100",
         balance="1000000"),
    Case("a stop sent at a fill trades at its trigger, also on the same way down",
         FLAT + "100 101 90 95", "0: buy 10 limit 95; fill 0: sell 10 stop 93",
         "1 buy 10 @ 95 maker; 1 sell 10 @ 93"),
    Case("what lies behind the fill is not met by an order sent at it",
         FLAT + "100 110 99 109, 109 110 108 109",
         "0: buy 10 stop 105; fill 0: sell 10 limit 110.01; fill 0: sell 1 stop 100",
         "1 buy 10 @ 105"),
]  # fmt: skip

SYMBOLS = [
    Case("an order for the other symbol fills at that one's next open",
         FLAT + "101 102 100 101", "0: buy 10 of IBM; IBM 0: buy 5", "1 buy 5 @ 101",
         ibm="50 52 48 50, 53 54 52 53", ibm_trades="1 buy 10 @ 53 of IBM"),
    Case("a symbol without a bar lets its orders wait",
         FLAT + "101 102 100 101, 102 103 101 102", "0: buy 10; IBM 0: sell 5 of IBM",
         "1 buy 10 @ 101", ibm="50 52 48 50, 47 48 46 47", ibm_skip=(1,),
         ibm_trades="1 sell 5 @ 47 of IBM"),
    Case("positions of two symbols do not net",
         FLAT + "100 101 94 95", "0: buy 10 sl 95; 0: sell 10 of IBM sl 55",
         "1 buy 10 @ 100; 1 sell 10 @ 95",
         ibm="50 52 48 50, 50 54 49 50", ibm_trades="1 sell 10 @ 50 of IBM"),
    Case("a bar that both have seen fills neither",
         "100 110 90 100, 100 101 99 100", "IBM 0: buy 1 limit 95; IBM 0: sell 1 limit 45 of IBM",
         "", ibm="50 60 40 40, 41 42 40 41", ibm_trades=""),
]  # fmt: skip

EVENING = datetime(2024, 1, 10, 19, tzinfo=UTC)
"""14:00 in New York, a Wednesday."""

DAY = [
    Case("a day order on daily bars works for one bar",
         FLAT + "100 101 96 100, 100 101 94 95", "0: buy 10 limit 95 day", ""),
    Case("and all through that bar",
         FLAT + "100 104 99 101", "0: sell 10 limit 104 day; 0: buy 5 stop 103 day",
         "1 buy 5 @ 103; 1 sell 10 @ 104 maker"),
    Case("a crypto day ends at midnight",
         FLAT + "100 101 96 100, 100 101 94 95", "0: buy 1 limit 96 of BTC/USD day; "
         "0: buy 2 limit 95 of BTC/USD day; 0: buy 3 limit 95 of BTC/USD",
         "1 buy 1 @ 96 maker of BTC/USD; 2 buy 3 @ 95 maker of BTC/USD"),
    Case("a forex day ends at 17:00 in New York: the bar of 16:00 is in it",
         "1.1 1.1 1.1 1.1, 1.1 1.1 1.09 1.1, 1.1 1.1 1.08 1.1, 1.1 1.1 1.07 1.1",
         "0: buy 10 limit 1.08 of EUR/USD day; 0: buy 20 limit 1.07 of EUR/USD day; "
         "0: buy 30 limit 1.07 of EUR/USD",
         "2 buy 10 @ 1.08 maker of EUR/USD; 3 buy 30 @ 1.07 maker of EUR/USD",
         timeframe=Timeframe.H1, start=EVENING),
    Case("a stop-loss outlives the day of its entry",
         FLAT + "100 101 99 100, 100 101 96 97, 97 98 94 95", "0: buy 10 day sl 95",
         "1 buy 10 @ 100; 3 sell 10 @ 95"),
]  # fmt: skip

FEES = [
    Case("a taker pays the taker's fee, a maker the maker's",
         FLAT + "100 101 95 96", "0: buy 10; 0: buy 10 limit 95",
         "1 buy 10 @ 100 fee 1; 1 buy 10 @ 95 maker fee 0.19",
         costs=fees(taker_fee="0.001", maker_fee="0.0002"), balance="999998.81"),
    Case("fees per unit and per order come on top",
         FLAT + "100 101 95 96", "0: buy 10; 0: sell 4",
         "1 buy 10 @ 100 fee 2.05; 1 sell 4 @ 100 fee 1.42",
         costs=fees(taker_fee="0.001", unit_fee="0.005", order_fee="1"), balance="999996.53"),
    Case("a stop-loss takes",
         FLAT + "100 104 94 96", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100 fee 1; 1 sell 10 @ 95 fee 0.95", costs=fees(taker_fee="0.001")),
    Case("a take-profit makes",
         FLAT + "100 110 99 105", "0: buy 10 sl 95 tp 110",
         "1 buy 10 @ 100; 1 sell 10 @ 110 maker fee 1.1", costs=fees(maker_fee="0.001")),
    Case("a limit marketable at the open takes",
         FLAT + "100 101 95 96", "0: buy 10 limit 100", "1 buy 10 @ 100 fee 1",
         costs=fees(taker_fee="0.001")),
    Case("a stop-limit takes at its stop, or makes at its limit",
         FLAT + "104 105 100 101", "0: buy 10 stop 105 limit 103; 0: buy 10 stop 105 limit 106",
         "1 buy 10 @ 105 fee 2.1; 1 buy 10 @ 103 maker fee 1.03",
         costs=fees(taker_fee="0.002", maker_fee="0.001")),
]  # fmt: skip

CASES = [
    *MARKET, *LIMIT, *STOP, *BRACKET, *TRAILING, *POSITIONS, *LINKED, *SYMBOLS, *DAY, *FEES,
]  # fmt: skip

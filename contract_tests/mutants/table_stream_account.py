"""Wrong event streams: what is told of orders, fills, positions and money."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Final

from contract_tests.mutants.messages import Body
from contract_tests.mutants.mutant import Table
from contract_tests.mutants.relay import Data, Line
from contract_tests.mutants.streams import (
    Lines,
    Streaming,
    Where,
    dropped,
    frames,
    inside,
    lacking,
    of,
    setting,
    twice,
)

TABLE: Final = Table()
add = TABLE.add

CREATED: Final = of("ORDER_CREATED")
CANCELLED: Final = of("ORDER_CANCELLED")
MODIFIED: Final = of("ORDER_MODIFIED")
FILLED: Final = of("ORDER_FILLED")
TRADE: Final = of("trade")
ORDER: Final = of("order")
LATER: Final = "9"

# -- frames ---

add("WS-020", "order events have no timestamp", lambda: frames(ORDER, lacking("timestamp")))
add(
    "WS-020",
    "orders are told with numbers for quantities",
    lambda: frames(ORDER, inside(quantity=float)),
)
add("WS-020", "prices of trades are numbers", lambda: frames(TRADE, inside(price=float)))
add("WS-020", "trades come without a side", lambda: frames(TRADE, inside(side=None)))
add("WS-020", "frames are binary", lambda: frames(ORDER, lambda one: [str(one).encode()]))
add(
    "WS-020",
    "an event of an undocumented type is told",
    lambda: frames(CREATED, lambda one: [one, {"type": "weather", "timestamp": one["timestamp"]}]),
)
add(
    "WS-020",
    "the account is told without a balance",
    lambda: frames(of("account"), setting(account={})),
)
add(
    "WS-021",
    "the frame of a new order is padded",
    lambda: frames(CREATED, setting(padding="x" * 300_000)),
)
add("WS-022", "order events have no id", lambda: frames(CANCELLED, lacking("event_id")))
add("WS-022", "trades have no id", lambda: frames(TRADE, lacking("event_id")))
add(
    "WS-022",
    "ids of events are numbers",
    lambda: frames(ORDER, lambda one: [one | {"event_id": int(one["event_id"])}]),
)
add(
    "WS-022",
    "an order's end has the id of an earlier event",
    lambda: frames(CANCELLED, setting(event_id="1")),
)
add("WS-022", "trades have ids of their own", lambda: frames(TRADE, setting(event_id="1")))

# -- orders ---


class Swapped:
    """What two frames tell comes the other way round; their ids stay in their places."""

    def __init__(self, first: Where, second: Where) -> None:
        self._first = first
        self._second = second

    def __call__(self, line: Line, frame: Body) -> Iterable[Body | Data]:
        """Keep the first back until the second comes."""
        if self._first(line, frame):
            line.notes["kept"] = frame
            return []
        kept = line.notes.pop("kept", None)
        if kept is None:
            return [frame]
        if not self._second(line, frame):
            return [kept, frame]
        early, late = frame | {"event_id": kept["event_id"]}, kept | {"event_id": frame["event_id"]}
        return [early, late]


add("WS-030", "new orders are not told", lambda: dropped(CREATED))
add(
    "WS-030",
    "a new order is told once more as a change",
    lambda: frames(CREATED, setting(event="ORDER_MODIFIED")),
)
add(
    "WS-030",
    "a new order is told after its fill",
    lambda: Streaming(frames=Swapped(CREATED, FILLED)),
)
add("WS-031", "changes of orders are not told", lambda: dropped(MODIFIED))
add(
    "WS-031",
    "a change is told with the quantity doubled",
    lambda: frames(MODIFIED, inside(quantity=lambda one: one + LATER)),
)
add(
    "WS-031",
    "changes of legs are changes of orders",
    lambda: frames(of("BRACKET_ORDER_MODIFIED"), setting(event="ORDER_MODIFIED")),
)
add("WS-031", "changes of legs are not told", lambda: dropped(of("BRACKET_ORDER_MODIFIED")))


class Stale:
    """A change is told with the order as it was before."""

    def __call__(self, line: Line, frame: Body) -> Iterable[Body]:
        """Remember what was told."""
        if frame["type"] != "order":
            return [frame]
        known = line.notes.setdefault(frame["order"]["id"], frame["order"])
        line.notes[frame["order"]["id"]] = frame["order"]
        return [frame | {"order": known}] if MODIFIED(line, frame) else [frame]


add("WS-031", "a change is told with the order as before", lambda: Streaming(frames=Stale()))
add("WS-032", "cancels are not told", lambda: dropped(CANCELLED))
add("WS-032", "a cancel is told twice", lambda: twice(CANCELLED))
add("WS-032", "a fill is told twice", lambda: twice(FILLED))
add(
    "WS-032",
    "a change is told after the end",
    lambda: frames(CANCELLED, lambda one: [one, one | {"event": "ORDER_MODIFIED"}]),
)
add(
    "WS-032",
    "an order that filled is told as filled in part",
    lambda: frames(FILLED, setting(event="ORDER_PARTIALLY_FILLED")),
)

# -- fills, positions, money ---

add("WS-033", "trades are not told", lambda: dropped(TRADE))
add("WS-033", "each trade is told twice", lambda: twice(TRADE))
add(
    "WS-033",
    "a fill is told as if nothing had filled",
    lambda: frames(FILLED, inside(filled_quantity="0")),
)
add("WS-033", "fills in part are not told", lambda: dropped(of("ORDER_PARTIALLY_FILLED")))
add("WS-033", "the fill is not told, only the trade", lambda: dropped(FILLED))
add("WS-034", "new positions are not told", lambda: dropped(of("POSITION_OPENED")))
add(
    "WS-034",
    "a new position is a change",
    lambda: frames(of("POSITION_OPENED"), setting(event="POSITION_MODIFIED")),
)
add("WS-034", "changes of positions are not told", lambda: dropped(of("POSITION_MODIFIED")))
add("WS-034", "closed positions are not told", lambda: dropped(of("POSITION_CLOSED")))
add(
    "WS-034",
    "a closed position has its quantity still",
    lambda: frames(of("POSITION_CLOSED"), inside(quantity="1")),
)
BALANCE: Final = of("BALANCE_UPDATED")
add("WS-035", "balances are not told", lambda: dropped(BALANCE))
add(
    "WS-035",
    "a round balance is told",
    lambda: frames(BALANCE, inside(balance=lambda one: one.partition(".")[0])),
)
LEG: Final = of("BRACKET_ORDER_CREATED")
add("WS-036", "legs are told as orders", lambda: frames(LEG, setting(event="ORDER_CREATED")))
add("WS-036", "legs are told without their parent", lambda: frames(LEG, lacking("parent_order_id")))
add("WS-036", "legs are not told", lambda: dropped(LEG))
add(
    "WS-036",
    "a leg's parent is itself",
    lambda: frames(LEG, lambda one: [one | {"parent_order_id": one["order"]["id"]}]),
)

# -- who hears it ---


class Leak(Streaming):
    """Some events are told to everybody."""

    def __init__(self, where: Where) -> None:
        super().__init__(frames=self._tell)
        self._where = where
        self._lines = Lines()

    def _tell(self, line: Line, frame: Body) -> Iterable[Body]:
        self._lines.place(line)
        if self._where(line, frame):
            for other in self._lines.all:
                if _key(other) != _key(line):
                    other.tell(json.dumps(frame))
        return [frame]


def _key(line: Line) -> str | None:
    return line.request.headers.get("x-api-key")


add("WS-037", "orders of others are told", lambda: Leak(ORDER))
add("WS-037", "trades of others are told", lambda: Leak(TRADE))
add("WS-037", "balances of others are told", lambda: Leak(BALANCE))


class Apart:
    """Every connection but the oldest is told something else."""

    def __init__(self, where: Where, change: Callable[[Body], Iterable[Body | Data]]) -> None:
        self._lines = Lines()
        self._where = where
        self._change = change

    def __call__(self, line: Line, frame: Body) -> Iterable[Body | Data]:
        """Change it for the others."""
        apart = self._lines.place(line) > 0 and self._where(line, frame)
        return self._change(frame) if apart else [frame]


add(
    "WS-038",
    "only the oldest connection is told of cancels",
    lambda: Streaming(frames=Apart(CANCELLED, lambda _: [])),
)
add(
    "WS-038",
    "the times of events are those of the connection",
    lambda: Streaming(frames=Apart(ORDER, setting(timestamp="2026-01-01T00:00:00Z"))),
)

# -- one story ---

add(
    "WS-039",
    "a limit is told a little higher",
    lambda: frames(ORDER, inside(limit_price=lambda one: one and one + LATER)),
)
add("WS-039", "a cancelled order is told as open", lambda: frames(CANCELLED, inside(status="OPEN")))
add("WS-039", "trades are told without commission", lambda: frames(TRADE, inside(commission="0")))
add(
    "WS-039",
    "makers are told as takers and the reverse",
    lambda: frames(TRADE, inside(is_maker=lambda one: not one)),
)
add(
    "WS-039",
    "positions are told with another entry",
    lambda: frames(of("position"), inside(average_entry_price="1")),
)
add(
    "WS-039",
    "orders are told with the time of the event",
    lambda: frames(MODIFIED, lambda one: inside(created_at=one["timestamp"])(one)),
)
REJECTED: Final = of("ORDER_REJECTED")
add("WS-046", "rejections are not told", lambda: dropped(REJECTED))
add(
    "WS-046",
    "rejections are told as cancels",
    lambda: frames(REJECTED, setting(event="ORDER_CANCELLED")),
)
add(
    "WS-046",
    "rejections are told with another reason",
    lambda: frames(REJECTED, inside(reject_reason="OTHER")),
)


def slowly(where: Where) -> Streaming:
    """Some frames are told late."""

    def wait(frame: Body) -> Iterable[Body]:
        time.sleep(1.5)
        return [frame]

    return frames(where, wait)


add("WS-047", "new orders are told late", lambda: slowly(CREATED))
add("WS-047", "cancels are told late", lambda: slowly(CANCELLED))
add("WS-047", "changes are told late", lambda: slowly(MODIFIED))

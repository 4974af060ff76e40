"""How long the bridge waits for what: every duration in one place, so that tests can be quick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All in seconds.

    `ask_after` is how long to wait before each time that an order is asked for whose command had no
    answer. A request waits up to `answer` for the venue to confirm, and is answered as it stands
    then; one for an order that executes at once waits up to `execution` more for its fill. While it
    waits it looks at our books every `look`, and asks the venue itself every `poll`.

    The watch takes a `turn` that often; asks for what has been under way for `overdue`, or, if it
    is a cancel, for `overdue_cancel`; compares both sides every `compare`, or `compare_again` after
    a comparison that failed or found a difference. An order about which the venue has refused
    something rests for `pause`, then twice that, up to `longest_pause`. Clients hear of new quotes
    every `tick`.
    """

    ask_after: tuple[float, ...] = (0.2, 1.0, 2.0)
    answer: float = 8.0
    execution: float = 0.5
    look: float = 0.5
    poll: float = 1.0
    turn: float = 0.5
    overdue: float = 15.0
    overdue_cancel: float = 2.0
    compare: float = 60.0
    compare_again: float = 2.0
    pause: float = 1.0
    longest_pause: float = 60.0
    tick: float = 0.25


USUAL: Final = Pace()


def seconds(duration: float) -> timedelta:
    return timedelta(seconds=duration)

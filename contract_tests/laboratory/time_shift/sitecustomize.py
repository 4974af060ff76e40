"""Puts the clock of a server under test forward: SHIFT_SECONDS in its environment.

Python imports this module at its start when the directory is on PYTHONPATH. Session ends can so be
tried without waiting for one, and without a setting for it in the server.
"""

from __future__ import annotations

import datetime
import os
from typing import Any

_SHIFT = datetime.timedelta(seconds=float(os.environ.get("SHIFT_SECONDS", "0")))
_Real = datetime.datetime


class _Meta(type):
    """Real datetimes are instances of the shifted class: `now` answers real ones."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Real)


class _Shifted(_Real, metaclass=_Meta):
    """`datetime` whose present is later; what it makes is real, so that it can be serialised."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return _Real(*args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Real.now(tz) + _SHIFT


if _SHIFT:
    datetime.datetime = _Shifted  # type: ignore[misc]

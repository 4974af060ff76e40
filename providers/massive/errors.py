"""What Massive's failures mean: the only table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from providers.errors import ProviderError, TradingError
from providers.live.http import Answer

STATUSES: Final[Mapping[int, str]] = {
    400: "Massive does not accept the request",
    401: "Massive does not know the API key",
    403: "the plan at Massive does not include this",
    404: "Massive has nothing there",
}
"""What 429 and 5xx mean is the same at every venue; see `providers.live.http`."""

PROGRESS: Final = frozenset({"connected", "auth_success", "success"})
"""What the messages of a stream about itself say while all is well."""

FAILURES: Final[Mapping[str, str]] = {
    "auth_failed": "Massive does not know the API key",
    "auth_timeout": "Massive was not told the API key in time",
    "not_authorized": "the plan at Massive does not include this stream",
    "error": "Massive does not accept a subscription",
    "max_connections": "another connection with the same API key has taken over the stream",
    "force_disconnect": "Massive has closed the stream",
}


def refusal(answer: Answer) -> TradingError:
    """The error of an answer that is no success; only what stands in the table is said."""
    return ProviderError(STATUSES.get(answer.status, f"Massive answered {answer.status}"))


def heard(message: Mapping[str, Any]) -> None:
    """A message of a stream about itself. Raises ProviderError for what ends it."""
    status = message.get("status")
    if status in PROGRESS:
        return
    raise ProviderError(FAILURES.get(str(status), f"Massive tells an unknown status {status!r}"))

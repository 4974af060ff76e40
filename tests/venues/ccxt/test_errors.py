"""Every exception of ccxt has a meaning, and none of our messages tells a secret."""

from __future__ import annotations

import aiohttp
import pytest
from ccxt.base import errors as library  # type: ignore[import-untyped]

from providers.ccxt.errors import MEANINGS, Fate, meaning, translated
from providers.errors import ProviderError, ProviderUnavailable, RateLimited
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason

CLASSES = [getattr(library, name) for name in library.__all__ if name != "error_hierarchy"]


def tree(node: dict[str, dict[str, object]]) -> list[str]:
    """The names in ccxt's own hierarchy of its exceptions."""
    return [name for key, inner in node.items() for name in (key, *tree(inner))]  # type: ignore[arg-type]


def test_total() -> None:
    """The table has exactly the classes of ccxt, each by itself."""
    assert set(MEANINGS) == set(CLASSES)
    assert {each.__name__ for each in MEANINGS} == set(tree(library.error_hierarchy))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("command", [True, False])
def test_each_becomes_ours(kind: type[Exception], command: bool) -> None:
    """A command may be refused or unanswered; a read is never either."""
    ours = (ProviderUnavailable, ProviderError, RateLimited, Gone, Refused)
    error = translated(kind("no"), name="x", command=command)
    assert isinstance(error, ours)
    assert command or not isinstance(error, (Refused, Unanswered))


def test_a_class_of_an_exchange_means_what_its_base_means() -> None:
    """Exchanges may derive their own exceptions."""

    class TooPoor(library.InsufficientFunds):  # type: ignore[misc]
        pass

    assert RejectReason.INSUFFICIENT_BALANCE is meaning(TooPoor()).reason


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("kind", [library.ExchangeNotAvailable, library.RequestTimeout])
def test_without_a_connection_nothing_was_sent(kind: type[Exception]) -> None:
    """Then a command is not in doubt."""
    cause = aiohttp.ClientConnectorError(None, OSError())  # type: ignore[arg-type]
    assert Fate.UNAVAILABLE is meaning(caused(kind(), cause)).command


def test_a_broken_answer_leaves_a_command_in_doubt() -> None:
    """ccxt raises a plain ExchangeError for it, which else is a refusal."""
    broken = caused(library.ExchangeError(), aiohttp.ClientPayloadError())
    assert Fate.UNANSWERED is meaning(broken).command
    assert Fate.UNAVAILABLE is meaning(broken).read


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AttributeError("x")])
def test_nonsense_leaves_a_command_in_doubt(error: Exception) -> None:
    """What ccxt cannot read was answered to something that may have been done."""
    assert isinstance(translated(error, name="x", command=True), Unanswered)
    assert type(translated(error, name="x", command=False)) is ProviderError


def test_a_duplicate_is_to_be_looked_for() -> None:
    """The order of that id may be the very one."""
    error = translated(library.DuplicateOrderId("again"), name="x", command=True)
    assert isinstance(error, Unanswered)


def test_no_secrets() -> None:
    """Addresses, which may be signed, and credentials are left out of messages."""
    text = "binance GET https://api.x.com/order?signature=abc&key=KEY 400 Bad KEY {'msg': 'no'}"
    error = translated(
        library.ExchangeError(text), name="binance-live", command=True, secrets=["KEY"]
    )
    assert "binance-live: ExchangeError: binance 400 Bad *** {'msg': 'no'}" == str(error)


def test_the_wait_is_told() -> None:
    """A rate limit says how long it lasts."""
    error = translated(library.RateLimitExceeded(), name="x", command=True, wait=7)
    assert isinstance(error, RateLimited)
    assert 7 == error.retry_after

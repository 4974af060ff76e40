"""No credential of a venue is ever shown: not in a log, an error, a body, a frame or a repr."""

from __future__ import annotations

import asyncio
import base64
import importlib
import logging
import random
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from handlers.errors import error_reply
from handlers.logs import configure, formatter
from providers import registry
from providers.base import BarQuery, StreamQuery
from providers.errors import TradingError
from providers.live import http
from providers.live.assembly import live_provider
from providers.live.provider import LiveProvider
from providers.live.settings import LiveSettings
from providers.models import ModifyOrderRequest, Timeframe
from providers.store.opening import open_store
from tests.live.desk import ACCOUNT
from tests.live.fake import until
from tests.venues.campaign import QUICK, Trader
from tests.venues.emulate import emulator_of
from tests.venues.emulated import Emulated
from tests.venues.faults import Faults, Odds

VENUES = ("alpaca", "binance", "oanda", "saxo", "ccxt")
AWFUL = Odds(
    limited=0.1, refused=0.1, failed=0.1, cut=0.1, slow=0.05, dropped=0.2, twice=0.1, late=0.1
)
LOGGERS = (None, "connexion", "httpx", "websockets", "uvicorn.websockets")


class Lines(logging.Handler):
    """Every line that the server would write, but those of the emulator's own server."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(formatter("json"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("uvicorn"):
            self.lines.append(self.format(record))


@pytest.fixture
def logged() -> Iterator[Lines]:
    """What is logged at DEBUG, configured as the server does it."""
    before = [(log := logging.getLogger(name), log.level) for name in LOGGERS]
    handlers = logging.root.handlers[:]
    configure("debug", "json")
    lines = Lines()
    logging.root.handlers[:] = [lines]
    yield lines
    logging.root.handlers[:] = handlers
    for log, level in before:
        log.setLevel(level)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", httpx.Timeout(1.0))


def credentials(name: str, environment: Mapping[str, str]) -> set[str]:
    """The names of the variables of a venue that are secrets, as its settings have them."""
    module = importlib.import_module(f"providers.{name}.settings")
    settings: type[LiveSettings] = getattr(module, registry.VENUES[name].settings)
    prefix = settings.model_config.get("env_prefix", "")
    secret = {
        f"{prefix}{field}".upper()
        for field, about in settings.model_fields.items()
        if "SecretStr" in str(about.annotation)
    }
    found = secret & environment.keys()
    assert found
    return found


def secrets_of(name: str, environment: Mapping[str, str]) -> set[str]:
    """The credentials among some variables, and how they may look on their way."""
    values = [environment[variable] for variable in credentials(name, environment)]
    lines = {line for value in values for line in value.splitlines() if len(line) >= 8}
    return lines | {base64.b64encode(line.encode()).decode() for line in lines}


def shown(error: BaseException) -> list[str]:
    """All that somebody may see of an error."""
    texts = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), repr(seen.args)]
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, TradingError):
        texts.append(repr(error_reply(error)))
    return texts


class Watcher(Trader):
    """A trader that keeps what it is told of its failures."""

    def __init__(self, emulated: Emulated) -> None:
        super().__init__(emulated, random.Random(7))  # noqa: S311 - not a secret
        self.texts: list[str] = []

    async def act(self, provider: LiveProvider) -> None:
        """One request of each kind; whatever fails is kept."""
        query = BarQuery(symbol=self.emulated.symbol, timeframe=Timeframe.M1)
        change = ModifyOrderRequest(limit_price=Decimal(1))
        for request in (
            self._submit(provider),
            self._modify(provider),
            self._cancel(provider),
            self._close(provider),
            provider.get_bars(query),
            provider.get_account(ACCOUNT),
            provider.get_status(),
            provider.modify_order(ACCOUNT, "nobody's", change),
        ):
            try:
                self.texts.append(repr(await request))
            except TradingError as error:
                self.texts += shown(error)


async def listen(provider: LiveProvider, texts: list[str]) -> None:
    async for text in await provider.subscribe(ACCOUNT, StreamQuery()):
        texts.append(text)  # noqa: PERF401 - it ends by being cancelled


@pytest.mark.slow
@pytest.mark.parametrize("name", VENUES)
async def test_a_storm(name: str, tmp_path: Path, logged: Lines) -> None:
    """A venue that fails in every way: its credentials are nowhere."""
    faults = Faults(3)
    async with emulator_of(name)(tmp_path, faults, tick_interval="0.1") as emulated:
        store = open_store(f"sqlite:///{tmp_path / 'ours.db'}", initial_balance=Decimal(0))
        venue, feed = emulated.venue(), emulated.feed()
        provider = live_provider(venue, feed, store, account=ACCOUNT, pace=QUICK)
        watcher = Watcher(emulated)
        await provider.start()
        await until(lambda: provider.watch.ready, 10)
        listening = asyncio.create_task(listen(provider, watcher.texts))
        faults.odds = AWFUL
        for _ in range(3):
            await watcher.act(provider)
        faults.calm()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        watcher.texts += [repr(each) for each in (venue, feed, provider, vars(venue))]
        await provider.stop()
        everything = "\n".join([*logged.lines, *watcher.texts])
        assert any('"warning"' in line for line in logged.lines)
        leaked = secrets_of(name, emulated.environment)
        assert [] == [secret for secret in leaked if secret in everything]


@pytest.mark.parametrize("name", VENUES)
async def test_wrong_credentials(
    name: str, tmp_path: Path, logged: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that a venue refuses are not repeated in what it says about them."""
    monkeypatch.chdir(tmp_path)
    async with emulator_of(name)(tmp_path, Faults(3)) as emulated:
        secret_names = credentials(name, emulated.environment)
        wrong = {
            variable: spoiled(value) if variable in secret_names else value
            for variable, value in emulated.environment.items()
        }
        for variable, value in wrong.items():
            monkeypatch.setenv(variable, value)
        provider = registry.create(
            name, database_url=f"sqlite:///{tmp_path / 'ours.db'}", options={}
        )
        texts = []
        try:
            await provider.start()
        except TradingError as error:
            texts += shown(error)
        with suppress(AssertionError):
            await until(lambda: any('"warning"' in line for line in logged.lines), 2)
        await provider.stop()
        everything = "\n".join([*logged.lines, *texts])
        assert [] == [secret for secret in secrets_of(name, wrong) if secret in everything]


def spoiled(value: str) -> str:
    """Another value of the same form; a key of several lines stays, it is only another's."""
    return value if "\n" in value else value[::-1]

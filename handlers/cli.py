"""The command `trading-api`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

import uvicorn
from pydantic import ValidationError

from handlers import logs
from handlers.app import create_app, create_provider
from handlers.auth import ApiKey, new_key
from handlers.backtest import command
from handlers.options import add_options, complain, complaints
from handlers.server import UVICORN_OPTIONS, WORKER_SECONDS
from handlers.settings import PREFIX, SECRETS, Settings, refusal_to_bind
from providers.base import Provider

_EXAMPLES = f"""\
examples:
  trading-api serve
      a simulated exchange on http://localhost:8080, its orders kept in ./trading-api.db;
      read the API and try it at http://localhost:8080/docs
  trading-api serve --port 9000 --database-url sqlite:////var/lib/trading/orders.db
  {PREFIX}API_KEYS=alice:sha256:... trading-api serve --host 0.0.0.0 --log-format json
      for others to use: keys are needed (see `trading-api key --help`), logs are for machines
  TRADING_API_ALPACA_KEY_ID=... TRADING_API_ALPACA_SECRET_KEY=... \
      trading-api serve --provider alpaca
      in front of a practice account at Alpaca; credentials never come from the command line
  trading-api serve --provider-options market_data=binance
      the paper exchange on real prices
  gunicorn --config python:handlers.gunicorn_conf
      for production; reads the same environment

Every option may also be set as {PREFIX}NAME in the environment or in a file .env here.
SIGTERM and Ctrl-C finish what is in flight, and exit with 0.
"""
_KEY_HELP = f"""\
Makes an API key. The first line goes to the caller, the second into the environment of the server
or its .env. The server needs only the digest: the key itself cannot be read from it.

Callers send it as `Authorization: Bearer KEY` or as `X-API-Key: KEY`. To replace a key, add the new
entry beside the old one, move the callers over, then take the old one away. Entries are separated
by commas in {PREFIX}API_KEYS.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    sys.exit(command(**options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trading-api", description="One REST API to trade on many venues."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    command.add_command(commands)
    _add_key(commands)
    return parser


def _version() -> str:
    try:
        return version("trading-api")
    except PackageNotFoundError:
        return "not installed: run from its sources"


def _add_serve(commands: Any) -> None:
    serve_parser = commands.add_parser(
        "serve",
        help="run the server",
        description="Serves the Trading API over HTTP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(serve_parser, Settings, Settings.model_fields.keys() - SECRETS)
    serve_parser.set_defaults(command=serve)


def _add_key(commands: Any) -> None:
    key_parser = commands.add_parser(
        "key",
        help="make an API key",
        description=_KEY_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    key_parser.add_argument("account", metavar="ACCOUNT", help="whose orders it will act on")
    key_parser.set_defaults(command=make_key)


def make_key(account: str) -> int:
    key, entry = new_key(account)
    try:
        ApiKey.parse(entry)
    except ValueError:
        return complain(f"{account!r} cannot name an account: use letters, digits, _ . or -")
    print(key)
    print(f"{PREFIX}API_KEYS={entry}")
    return 0


def serve(**given: str) -> int:
    """Runs until a signal comes; `given` are the options of the command line."""
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic reads the text
    except ValidationError as error:
        return complain(*complaints(error, PREFIX, SECRETS))
    refusal = refusal_to_bind(settings, [settings.host])
    if refusal:
        return complain(refusal)
    logs.configure(settings.log_level, settings.log_format)
    try:
        provider = create_provider(settings)
    except ValueError as error:
        return complain(str(error))
    # Uvicorn raises a signal anew once it has shut down; for us that is a normal end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    _run(settings, provider, given)
    return 0


def _run(settings: Settings, provider: Provider, given: dict[str, str]) -> None:
    options = {
        **UVICORN_OPTIONS,
        "host": settings.host,
        "port": settings.port,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }
    if settings.workers == 1:
        uvicorn.run(create_app(settings, provider), **options)
        return
    # Workers are fresh processes: they find what the command line said in their environment.
    os.environ.update({f"{PREFIX}{name.upper()}": text for name, text in given.items()})
    app = "handlers.app:app_from_environment"
    options["timeout_worker_healthcheck"] = WORKER_SECONDS
    uvicorn.run(app, factory=True, workers=settings.workers, **options)

"""What can be asked for on the command line."""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import ValidationError

from handlers.backtest.many import prepare_grid
from handlers.backtest.single import prepare_run
from handlers.options import add_options, complain, complaints
from handlers.settings import PREFIX, Settings
from providers.backtest.extras import MissingExtra
from providers.backtest.settings import PREFIX as BACKTEST_PREFIX
from providers.backtest.settings import BacktestSettings

_SERVER = ("host", "port", "log_level", "log_format")
_EXAMPLES = """\
examples:
  trading-api backtest --symbols AAPL
      replays the history that comes with the package on http://localhost:8080; the run begins when
      a strategy connects to ws://localhost:8080/ws, and ends the command
  trading-api backtest --data bars/ --symbols AAPL,MSFT --timeframe 1h --cash 10000 --fees 0.0005
  trading-api backtest --strategy examples:Crossover --set fast=10 --set slow=30 --output results
      runs the strategy too: Crossover(fast="10", slow="30").run(url)
  trading-api backtest --strategy examples:Crossover --grid fast=5,10,20 --grid slow=30,50 \\
          --output grid
      runs all six combinations, as many at a time as there are processors

Every option may also be set as TRADING_API_BACKTEST_NAME in the environment or in a file .env.
The command ends with 0 when every run was complete, with 1 when one was broken off or failed, with
2 when it could not begin.
"""


def add_command(commands: Any) -> None:
    """Add `backtest` to the commands of `trading-api`."""
    parser = commands.add_parser(
        "backtest",
        help="replay history for a strategy",
        description="Serves the Trading API over history: the same endpoints, in simulated time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run(parser.add_argument_group("the run"))
    _add_strategy(parser.add_argument_group("the strategy"))
    _add_grid(parser.add_argument_group("many runs"))
    parser.add_argument(
        "--open", action="store_true", dest="show", help="Show the report in a browser at the end."
    )
    server = parser.add_argument_group("the server")
    add_options(server, Settings, _SERVER)
    parser.set_defaults(command=backtest)


def _add_run(group: Any) -> None:
    add_options(group, BacktestSettings)
    group.add_argument(
        "--cash",
        dest="initial_balance",
        metavar="AMOUNT",
        default=argparse.SUPPRESS,
        help="The same as --initial-balance.",
    )
    group.add_argument(
        "--fees",
        metavar="FRACTION",
        default=argparse.SUPPRESS,
        help="Sets --maker-fee and --taker-fee.",
    )


def _add_strategy(group: Any) -> None:
    group.add_argument(
        "--strategy", metavar="MODULE:CLASS", help="Run this too; without it one may connect."
    )
    group.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        dest="parameters",
        help="An argument of the strategy's class, as text.",
    )


def _add_grid(group: Any) -> None:
    group.add_argument(
        "--grid",
        metavar="NAME=VALUE,VALUE",
        action="append",
        default=[],
        help="Values to try for an argument of the strategy's class; each combination of all that"
        " are given is a run.",
    )
    group.add_argument(
        "--jobs", metavar="N", type=int, help="Runs at a time. Default: one for each processor."
    )
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="Run them on a Dask cluster instead, whose scheduler is at tcp://HOST:PORT.",
    )
    group.add_argument(
        "--rank-by",
        metavar="FIGURE",
        default="sharpe",
        help="The figure of summary.json that tells which run is best. Default: sharpe.",
    )


def backtest(**options: Any) -> int:
    """Carry out what the command line means; the exit status."""
    try:
        prepared = prepare_grid(options) if options["grid"] else prepare_run(options)
    except ValidationError as error:
        prefix = PREFIX if error.title == "Settings" else BACKTEST_PREFIX
        return complain(*complaints(error, prefix))
    except (ValueError, MissingExtra) as error:
        return complain(str(error))
    return prepared()

"""Run an emulator by itself: `python -m tests.venues.emulate alpaca`.

Prints the variables with which a server finds it, one NAME=VALUE a line, then an empty line, and
serves until it is interrupted. `--set seed=3` and the like are settings of the exchange inside.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import tempfile
from pathlib import Path

from tests.venues.emulated import Emulator
from tests.venues.faults import CALM, STORM, Faults


def emulator_of(venue: str) -> Emulator:
    """The emulator of a venue by its name."""
    module = importlib.import_module(f"tests.venues.{venue}.emulator")
    found: Emulator = module.emulator
    return found


async def run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    faults = Faults(arguments.seed, STORM if arguments.storm else CALM)
    exchange = dict(pair.split("=", 1) for pair in arguments.set)
    with tempfile.TemporaryDirectory() as folder:
        start = emulator_of(arguments.venue)
        async with start(Path(folder), faults, port=arguments.port, **exchange) as emulated:
            for name, value in emulated.environment.items():
                print(f"{name}={value}")  # noqa: T201 - what is asked for
            print(flush=True)  # noqa: T201
            await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venue")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storm", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

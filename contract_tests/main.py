"""The command `trading-conformance`: judges a running server by the requirements of the spec.

Exit codes: 0 conformant, 1 not, 2 usage, 3 the target cannot be reached, 4 a bug of the suite.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from contract_tests.commands import arguments as take
from contract_tests.commands.catalogue import explain_requirement, list_requirements
from contract_tests.commands.diff import compare_reports
from contract_tests.commands.output import (
    BROKEN,
    USAGE,
    Unusable,
    complain,
    write_whatever_the_console_takes,
)
from contract_tests.commands.replay import replay_failure
from contract_tests.commands.run import run_checks
from contract_tests.commands.verify import verify_report


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; exits with one of the codes above."""
    write_whatever_the_console_takes()
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.command(options))
    except Unusable as error:
        complain(str(error))
        sys.exit(USAGE)
    except Exception:  # noqa: BLE001  whatever escapes is our own fault, and has its own code
        traceback.print_exc()
        complain("This is a bug of the suite, not of the server.")
        sys.exit(BROKEN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trading-conformance",
        description="Judges a running server by the requirements of the Trading API.",
        epilog="exit codes: 0 conformant, 1 not, 2 usage, 3 unreachable, 4 a bug of the suite",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the checks against a server")
    take.add_run(run)
    run.set_defaults(command=run_checks)
    listing = commands.add_parser("list", help="list the requirements and their checks")
    listing.add_argument("--json", action="store_true", help="as JSON, with every check")
    listing.set_defaults(command=list_requirements)
    explain = commands.add_parser("explain", help="tell what a requirement asks and how")
    explain.add_argument("id", type=take.requirement_id)
    explain.set_defaults(command=explain_requirement)
    replay = commands.add_parser("replay", help="run one check of a report once more")
    take.add_replay(replay)
    replay.set_defaults(command=replay_failure)
    verify = commands.add_parser("verify", help="recompute a report from its recorded traffic")
    verify.add_argument("report", type=take.file, help="a report in JSON")
    verify.set_defaults(command=verify_report)
    diff = commands.add_parser("diff", help="tell which outcomes two reports differ in")
    diff.add_argument("before", type=take.file)
    diff.add_argument("after", type=take.file)
    diff.set_defaults(command=compare_reports)
    return parser


if __name__ == "__main__":
    main()

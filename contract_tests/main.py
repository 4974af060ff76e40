"""The command `trading-conformance`: judges a running server by the requirements of the spec.

Exit codes: 0 conformant, 1 not, 2 usage, 3 the target cannot be reached, 4 a bug of the suite.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from contract_tests.api import Api
from contract_tests.client import Client, NoAnswer
from contract_tests.expect import Failure
from contract_tests.lab import NEEDS, Keyed, Lab
from contract_tests.requirements import checks, pending
from contract_tests.runner import Outcome, Result, Watcher, run
from contract_tests.spec import Requirement, requirements

CONFORMANT, NOT_CONFORMANT, USAGE, UNREACHABLE, BROKEN = range(5)
_KEY_HEADERS: Final = {"authorization", "x-api-key"}


class CommandLineLab(Lab):
    """Offers what the options allow: fills, and the key among the headers."""

    def __init__(self, client: Client, anonymous: Client, *, fills: bool) -> None:
        self._client = client
        self._anonymous = anonymous
        has_key = client.headers != anonymous.headers
        self.offers = frozenset(["fills"] * fills + ["key"] * has_key)

    def keyed(self) -> Keyed:
        """The target itself, with the headers given and without the key among them."""
        key = next(v for k, v in self._client.headers.items() if k.lower() in _KEY_HEADERS)
        return Keyed(
            api=Api(self._client),
            anonymous=Api(self._anonymous),
            key=key.removeprefix("Bearer ").strip(),
        )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; exits with one of the codes above."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(options.command(options))
    except Exception:  # noqa: BLE001  whatever escapes is our own fault, and has its own code
        traceback.print_exc()
        print("This is a bug of the suite, not of the server.", file=sys.stderr)
        sys.exit(BROKEN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trading-conformance",
        description="Judges a running server by the requirements of the Trading API.",
        epilog="exit codes: 0 conformant, 1 not, 2 usage, 3 unreachable, 4 a bug of the suite",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="run the checks against a server"))
    listing = commands.add_parser("list", help="list the requirements and their checks")
    listing.set_defaults(command=list_requirements)
    explain = commands.add_parser("explain", help="tell what a requirement asks and how")
    explain.add_argument("id", type=_known)
    explain.set_defaults(command=explain_requirement)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="such as http://localhost:8080")
    parser.add_argument(
        "-H", "--header", action="append", type=_header, default=[], metavar="NAME: VALUE"
    )
    parser.add_argument(
        "--profile",
        choices=("core", "full"),
        default="full",
        help="core: what the protocol's founding document states; full: common practice too",
    )
    parser.add_argument("--only", action="append", type=_known, metavar="ID", help="these alone")
    parser.add_argument(
        "--skip", action="append", type=_known, default=[], metavar="ID", help="not these"
    )
    parser.add_argument(
        "--symbol", action="append", default=[], help="trade these instead of those found"
    )
    parser.add_argument(
        "--allow-fills",
        action="store_true",
        help="let small orders trade; without it all orders rest far from the market",
    )
    parser.set_defaults(command=run_checks)


def _known(text: str) -> str:
    name = text.upper()
    if name not in requirements():
        raise argparse.ArgumentTypeError(f"{text} is no requirement; see trading-conformance list")
    return name


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME: VALUE")
    return name.strip(), value.strip()


def list_requirements(_: argparse.Namespace) -> int:
    """One line a requirement: id, level, profile, feature, how many checks, sentence."""
    counts = Counter(check.requirement for check in checks())
    for one in requirements().values():
        condition = f" [{one.feature}]" if one.feature else ""
        print(f"{one.id}  {one.level:6}  {one.profile}  {counts[one.id]}{condition}  {one.text}")
    return CONFORMANT


def explain_requirement(options: argparse.Namespace) -> int:
    """The requirement, where it stands, and what each of its checks does."""
    one = requirements()[options.id]
    print(f"{one.id}: {one.text}")
    print(f"  level {one.level}, profile {one.profile}, on {one.where}")
    if one.feature:
        print(f"  judged only where GET /capabilities declares {one.feature}")
    for check in (check for check in checks() if check.requirement == one.id):
        print(f"  {check.run.__name__}: {(check.run.__doc__ or '').strip()}")
        for need in sorted(check.needs):
            print(f"    needs {NEEDS[need]}")
    if one.id in pending():
        print(f"  no check yet: {pending()[one.id]}")
    return CONFORMANT


def run_checks(options: argparse.Namespace) -> int:
    """Judge the target; the worst outcome decides the exit code."""
    headers, watcher = dict(options.header), Watcher()
    bare = {name: value for name, value in headers.items() if name.lower() not in _KEY_HEADERS}
    with (
        Client(options.url, headers, watch=watcher) as client,
        Client(options.url, bare, watch=watcher) as anonymous,
    ):
        lab = CommandLineLab(client, anonymous, fills=options.allow_fills)
        api = Api(client, lab=lab, symbols=options.symbol)
        try:
            api.get("/health")
        except NoAnswer as error:
            print(f"{options.url} cannot be reached: {error.actual}", file=sys.stderr)
            return UNREACHABLE
        wanted = [one for one in requirements().values() if _selected(one, options)]
        return _verdict(list(_report(wanted, api, watcher)))


def _selected(one: Requirement, options: argparse.Namespace) -> bool:
    return (
        (options.only is None or one.id in options.only)
        and one.id not in options.skip
        and (options.profile == "full" or one.profile == "core")
    )


def _report(wanted: list[Requirement], api: Api, watcher: Watcher) -> Iterator[Result]:
    seen: set[str] = set()
    for requirement in wanted:
        own = [check for check in checks() if check.requirement == requirement.id]
        for result in run(own, api, watcher) if own else [_unchecked(requirement, api)]:
            by_the_way = result.requirement.id != requirement.id
            if by_the_way and result.requirement.id in seen:
                continue
            seen |= {result.requirement.id} if by_the_way else set()
            print(_line(result))
            if result.outcome is Outcome.FAILED:
                print(_indented(result.render()))
            yield result


def _unchecked(requirement: Requirement, api: Api) -> Result:
    """A requirement whose check is still to come is judged nowhere, and says so."""
    feature = requirement.feature or ""
    outcome, reason = Outcome.NOT_DECLARED, f"feature {feature}"
    try:
        if api.market.declares(feature):
            outcome, reason = Outcome.PENDING, pending().get(requirement.id, "")
    except Failure as failure:
        reason = f"the capabilities cannot be read: {failure.what}"
    return Result(requirement=requirement, outcome=outcome, reason=reason)


def _line(result: Result) -> str:
    reason = f": {result.reason}" if result.reason else ""
    return f"{result.requirement.id}  {result.requirement.level:6}  {result.outcome}{reason}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _verdict(results: list[Result]) -> int:
    """Not conformant: a MUST that failed or could not be exercised, or nothing that passed."""
    counts = Counter(str(result.outcome) for result in results)
    print("\n" + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    bad = (Outcome.FAILED, Outcome.NOT_EXERCISED)
    broken = {one.requirement for one in results if one.outcome in bad}
    by_level = Counter(one.level for one in broken)
    if by_level["SHOULD"] or by_level["MAY"]:
        print(f"{by_level['SHOULD']} SHOULD and {by_level['MAY']} MAY do not hold: warnings only")
    if counts[Outcome.NOT_OFFERED]:
        print("not judged: what needs more than this run offers (see 'needs' above)")
    if not counts[Outcome.PASSED] and not broken:
        print("NOT CONFORMANT: nothing was exercised")
        return NOT_CONFORMANT
    if by_level["MUST"]:
        print(f"NOT CONFORMANT: {by_level['MUST']} MUST do not hold")
        return NOT_CONFORMANT
    print("CONFORMANT in all that was judged")
    return CONFORMANT


if __name__ == "__main__":
    main()

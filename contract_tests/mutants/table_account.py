"""Wrong money."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Final

from contract_tests.mutants.kit import (
    Answers,
    Change,
    answer,
    each,
    member,
    plus,
    setting,
    times,
)
from contract_tests.mutants.messages import (
    Body,
    Forward,
    Request,
    Response,
)
from contract_tests.mutants.mutant import Table

TABLE: Final = Table()
add = TABLE.add
# -- money ---


def account(change: Change) -> Answers:
    """The account changed."""
    return each("Account", change)


def lacking(figure: str) -> Answers:
    """The account without a figure."""
    return answer("get_account").dropping(figure)


for figure in ("balance", "equity", "margin_used", "margin_available", "unrealized_pnl"):
    add(
        "ACC-001",
        f"the account lacks {figure}",
        partial(lacking, figure),
    )
add("ACC-001", "the account is in no currency", lambda: account(setting(currency="")))
add(
    "ACC-001",
    "figures of the account are numbers",
    lambda: account(lambda one: {k: v if k == "currency" else float(v) for k, v in one.items()}),
)
add("ACC-002", "equity is a cent too high", lambda: account(member("equity", plus("0.01"))))
add(
    "ACC-002",
    "equity is the balance",
    lambda: account(lambda one: one | {"equity": one["balance"]}),
)
add(
    "ACC-002",
    "equity is rounded to cents",
    lambda: account(lambda one: one | {"equity": str(round(Decimal(one["equity"]), 2))}),
)
add(
    "ACC-003",
    "what is available is the equity",
    lambda: account(lambda one: one | {"margin_available": one["equity"]}),
)
add(
    "ACC-003",
    "what is available is a cent off",
    lambda: account(member("margin_available", plus("-0.01"))),
)
add(
    "ACC-003",
    "what is available is rounded to cents",
    lambda: account(member("margin_available", lambda v: str(round(Decimal(v), 1)))),
)
add(
    "ACC-004",
    "the balance is rounded to cents",
    lambda: account(lambda one: one | {"balance": str(round(Decimal(one["balance"]), 2))}),
)
add(
    "ACC-004",
    "commissions are shown twice as high",
    lambda: each("Trade", member("commission", times("2"))),
)
add(
    "ACC-004",
    "commissions are rounded to cents",
    lambda: each("Trade", member("commission", lambda v: str(round(Decimal(v), 2)))),
)
add("ACC-004", "commissions are not told", lambda: each("Trade", setting(commission="0")))
add(
    "ACC-005",
    "open orders reserve nothing",
    lambda: account(lambda one: one | {"margin_used": "0", "margin_available": one["equity"]}),
)


class SameReserve:
    """Some margin is used, or none."""

    def __call__(self, request: Request, forward: Forward) -> Response:
        """Show a hundred for whatever is used."""

        def changed(one: Body) -> Body:
            used = "100" if Decimal(one["margin_used"]) else "0"
            return one | {"margin_used": used, "margin_available": plus("-" + used)(one["equity"])}

        return account(changed)(request, forward)


add("ACC-005", "open orders reserve the same whatever their size", SameReserve)

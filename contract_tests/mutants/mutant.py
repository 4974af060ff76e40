"""One wrong server: its name, the requirement it breaks, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contract_tests.mutants.messages import Mutation, straight
from contract_tests.mutants.stage import On, Restarted, stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A server that is wrong in one way.

    `make` makes its mutation anew for each server, `restarted` is what it does after a restart,
    and `on` says where a tool that knows only one server should look for the wrong.
    """

    name: str
    breaks: str
    make: Callable[[], Mutation]
    restarted: Restarted = stay
    on: On = On.MAIN


class Table:
    """The mutants of an area, in the order in which they were added."""

    def __init__(self) -> None:
        self.mutants: list[Mutant] = []

    def add(
        self,
        breaks: str,
        name: str,
        make: Callable[[], Mutation],
        *,
        on: On = On.MAIN,
        restarted: Restarted = stay,
    ) -> None:
        """A mutant that breaks the requirement; `make` is called for each server."""
        self.mutants.append(Mutant(name=name, breaks=breaks, make=make, on=on, restarted=restarted))

    def add_forgetful(self, breaks: str, name: str, restarted: Restarted) -> None:
        """A mutant that is right until it is started again."""
        self.mutants.append(
            Mutant(name=name, breaks=breaks, make=lambda: straight, restarted=restarted)
        )

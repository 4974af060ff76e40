"""Requirements and checks belong together, and neither is alone."""

from __future__ import annotations

from contract_tests.requirements import checks, pending
from contract_tests.spec import requirements
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.frames import FRAME_RULES
from contract_tests.toolkit.invariants import INVARIANTS, REMEMBERING

CHECKED = {check.requirement for check in checks()}


def test_every_requirement_has_a_check() -> None:
    """A requirement without a check is written down as pending."""
    assert requirements().keys() - CHECKED - pending().keys() == set()


def test_every_check_proves_a_known_requirement() -> None:
    """A check or an invariant that names an id the spec does not have proves nothing."""
    rules = [*INVARIANTS, *REMEMBERING, *FRAME_RULES]
    named = CHECKED | {requirement_id for requirement_id, _ in rules}
    assert named - requirements().keys() == set()


def test_check_ids_are_unique() -> None:
    """A check can be told from every other by its id."""
    ids = [check.id for check in checks()]
    assert sorted(set(ids)) == sorted(ids)


def test_every_check_says_what_it_does() -> None:
    """`trading-conformance explain` has a sentence for every check."""
    silent = [check.id for check in checks() if not check.run.__doc__]
    assert silent == []


def test_pending_is_not_stale() -> None:
    """A pending id is in the spec, has a reason and no check."""
    stale = {one for one in pending() if one not in requirements() or one in CHECKED}
    assert stale == set()
    assert [one for one, reason in pending().items() if not reason] == []


def test_pending_waits_for_undeclared_features(api: Api) -> None:
    """Only what the server does not declare may wait for its check."""
    declared = set(api.get("/capabilities").ok()["features"])
    waiting = {one: requirements()[one].feature for one in pending()}
    overdue = {one for one, feature in waiting.items() if feature is None or feature in declared}
    assert overdue == set()

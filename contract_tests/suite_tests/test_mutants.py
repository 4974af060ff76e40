"""What the suite is worth: nothing holds of a server without use, and what is wrong is noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from contract_tests.laboratory.servers import Server
from contract_tests.mutants.catalogue import chosen, mutants, of_number
from contract_tests.mutants.kit import answer
from contract_tests.mutants.matrix import Row, first_killer, own_checks, passes
from contract_tests.mutants.messages import straight
from contract_tests.mutants.mutant import Mutant
from contract_tests.mutants.nulls import NULL_SERVERS, null_api
from contract_tests.mutants.proxy import proxied
from contract_tests.mutants.report import Matrix, markdown, summary
from contract_tests.mutants.stage import Stage, staged
from contract_tests.requirements import checks
from contract_tests.running.checks import Outcome, run_check
from contract_tests.spec import requirements
from contract_tests.toolkit.expect import PATIENCE

# -- null servers ---


@pytest.mark.parametrize("name", NULL_SERVERS)
def test_null_servers_pass_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one check passes, whatever it needs, against a server that answers nothing useful."""
    monkeypatch.setattr(PATIENCE, "seconds", 0.1)
    with null_api(NULL_SERVERS[name], timeout=0.02 if name == "hanging" else 5) as api:
        outcomes = {check.id: run_check(check, api()).outcome for check in checks()}
    assert [one for one, outcome in outcomes.items() if outcome is Outcome.PASSED] == []


# -- the catalogue ---


def test_every_requirement_has_a_mutant() -> None:
    """No requirement is without a server that breaks it, and no mutant breaks what is gone."""
    broken = Counter(mutant.breaks for mutant in mutants())
    assert requirements().keys() - broken.keys() == set()
    assert broken.keys() - requirements().keys() == set()


def test_mutants_are_many_and_have_names_of_their_own() -> None:
    """There are at least 150, and each name is that of one."""
    names = Counter(mutant.name for mutant in mutants())
    assert len(names) >= 150
    assert [name for name, count in names.items() if count > 1] == []


def test_parts_are_all_mutants() -> None:
    """What the parts of a run choose is everything, once."""
    parts = [mutant.name for part in range(1, 6) for mutant in chosen(part=(part, 5))]
    assert sorted(parts) == sorted(mutant.name for mutant in mutants())


def test_numbers_take_turns() -> None:
    """In two months of days every mutant that is quick has had its turn, a dozen at a time."""
    days = [of_number(number, 12) for number in range(60)]
    assert {len(day) for day in days} <= {11, 12}
    turns = {mutant.name for day in days for mutant in day}
    assert len(turns) > 0.9 * len(mutants())


# -- the proxy ---


def test_proxy_changes_nothing_of_its_own(server: Server) -> None:
    """Statuses, bodies and headers are the same with and without it."""
    requests = (
        ("GET", "/health"),
        ("GET", "/bars/BTC%2FUSD?timeframe=1h&limit=3&end=2025-01-15T10:00:00Z"),
        ("GET", "/orders?limit=0"),
        ("PUT", "/orders"),
        ("HEAD", "/account"),
        ("POST", "/orders"),
    )
    with proxied(server.url) as proxy, httpx.Client(trust_env=False) as http:
        for method, target in requests:
            direct = http.request(method, server.url + target)
            assert _seen(direct) == _seen(http.request(method, proxy.url + target))


def _seen(response: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    changing = {"date", "x-request-id"}
    headers = {k: v for k, v in response.headers.items() if k not in changing}
    return response.status_code, response.content, headers


def test_proxy_passes_chunks_on(server: Server) -> None:
    """A body without length is still one behind the proxy, and its answer comes back changed."""
    with proxied(server.url) as proxy, httpx.Client(trust_env=False) as http:
        proxy.mutation = answer("submit_order", status=400).status(418)
        response = http.post(
            proxy.url + "/orders",
            content=iter([b'{"symbol": ', b'"AAPL"}']),
            headers={"Content-Type": "application/json"},
        )
    assert response.status_code == 418
    assert response.json()["details"]["field"] == "side"


# -- some of them, others every day ---


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A dozen mutants: those of the number given, or of the day."""
    if "mutant" in metafunc.fixturenames:
        picked = of_number(metafunc.config.getoption("--mutants"), 12)
        metafunc.parametrize("mutant", picked, ids=[f"{m.breaks}: {m.name}" for m in picked])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Servers behind proxies, and checks that wait for a quick market only."""
    before, PATIENCE.seconds = PATIENCE.seconds, 6
    with staged(tmp_path_factory.mktemp("mutants")) as stage:
        yield stage
    PATIENCE.seconds = before


def test_mutant_is_killed(mutant: Mutant, stage: Stage) -> None:
    """A check of the requirement that it breaks fails, and passes where nothing is broken."""
    row = first_killer(mutant, stage)
    assert row.killed, f"{mutant.name}: {row.others or 'nobody noticed'} {row.unsure}"
    stage.become(lambda: straight)
    for check in own_checks(mutant.breaks):
        if check.id in row.own:
            assert passes(check, stage)


# -- the report ---

ROWS = [
    Row(name="a", breaks="GEN-001", own=["GEN-001-x"], others=["GEN-002-y"], stock=["wrong type"]),
    Row(name="b", breaks="GEN-002", others=["GEN-001-x"], stock=[]),
    Row(name="c", breaks="LST-001", unsure=["LST-001-z: not exercised, no symbol"]),
]


def test_summary_names_what_got_away() -> None:
    """Killed by its own requirement, by an unrelated check only, or by nothing: each is told."""
    lines = summary(Matrix(rows=ROWS, seconds=90))
    assert lines == [
        "3 mutants of 3 requirements: 1 killed by the requirement that they break (33 %)"
        " in 1.5 minutes",
        "stock schemathesis noticed 1 of 2 (50 %)",
        "by an unrelated check only: GEN-002, b",
        "survived: LST-001, c (LST-001-z: not exercised, no symbol)",
    ]


def test_table_has_a_row_for_each() -> None:
    """A mutant's row tells who killed it, and whether the stock tool noticed."""
    text = markdown(Matrix(rows=ROWS, seconds=90))
    assert "| GEN-001 | MUST | a | x | 1 | wrong type |" in text
    assert "| GEN-002 | MUST | b | **nothing** | 1 | missed |" in text
    assert "| LST-001 | MUST | c | **nothing** |  | not tried |" in text

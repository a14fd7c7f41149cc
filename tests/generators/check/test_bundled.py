"""The laws on the bundled APIs as the sandbox serves them: no false alarm when it is healthy, planted bugs found."""

from importlib import import_module

import pytest
from in_process import InProcess
from sampling import some

from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.client.session import Budget
from mockserver.mutants.planting import planted

SLOW = "boundary"  # sends thousands of items; once is enough
TWIN = "importByPatch"  # is `import` under another method

PLANTED = [
    ("genero", "postJob", "outcome-lost", "isolated"),
    ("genero", "postJob", "failure-hidden", "singular"),
    ("genero", "postJob", "stops-at-failure", "isolated"),
    ("genero", "postJob", "items-bleed", "permuted"),
    ("genero", "postJob", "update-replaces", "singular"),
    ("genero", "postJob", "reference-dropped", "singular"),
    ("genero", "postJob", "duplicate-accepted", "duplicate"),
    ("genero", "postJob", "refusal-leaves-traces", "duplicate"),
    ("genero", "postJob", "job-goes-backwards", "job-moves"),
    ("genero", "postJob", "job-forgotten", "job-moves"),
    ("genero", "postJob", "processed-falls", "job-progress"),
    ("genero", "postJob", "results-change", "job-progress"),
    ("genero", "postJob", "job-acts-early", "job-progress"),
    ("genero", "postJob", "job-errors-hidden", "status-class"),
    ("genero", "postMultiTenantJob", "target-leaks", "fan-out"),
    ("genero", "postMultiTenantJob", "target-missing", "fan-out"),
    ("onkey", "batchCreate", "outcome-doubled", "count"),
    ("onkey", "batchCreate", "outcomes-swapped", "outcome-order"),
    ("onkey", "batchCreate", "rollback-missing", "atomic"),
    ("onkey", "batchUpdate", "rollback-partial", "atomic"),
    ("onkey", "batchCreate", "wrong-default-mode", "atomic"),
    ("onkey", "batchCreate", "neighbour-fails", "isolated"),
    ("onkey", "batchCreate", "tail-lost", "split"),
    ("onkey", "import", "groups-ignored", "grouped"),
    ("onkey", "import", "groups-blind", "grouped"),
    ("onkey", "batchUpdate", "version-ignored", "stale-version"),
    ("onkey", "batchUpdate", "version-leaps", "stale-version"),
    ("onkey", "batchUpdate", "version-stays", "stale-version"),
    ("onkey", "batchUpdate", "null-ignored", "effect"),
    ("onkey", "batchDelete", "deletion-ignored", "effect"),
    ("onkey", "batchCreate", "text-trimmed", "effect"),
    ("onkey", "batchCreate", "uniqueness-unchecked", "effect"),
    ("onkey", "batchCreate", "mode-unchecked", "duplicate"),
    ("onkey", "batchCreate", "overlong-accepted", "boundary"),
    ("onkey", "batchCreate", "job-drops-last", "async-is-sync"),
    ("onkey", "batchCreate", "cancel-ignored", "job-moves"),
    ("onkey", "batchCreate", "all-failed-crash", "response"),
]


def api_of(name):
    return import_module(f"mockserver.apis.{name}").api()


def checked(api, **options):
    return list(run_checks(api.contract, InProcess(api), name_prefix="00001", budget=Budget(seconds=1000), **options))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), some([(name, seed) for seed in range(5) for name in ("genero", "onkey")], 2))
def test_the_healthy_sandbox_keeps_every_law(name, seed):
    """Zero findings, and no law that applies is left out."""
    left_out = [*([SLOW] if seed else []), *([TWIN] if name == "onkey" else [])]
    events = checked(api_of(name), seed=seed, skip=left_out)
    assert [event.finding.says for event in events if isinstance(event, FindingFound)] == []
    words = {event.answer.word for event in events if isinstance(event, LawAnswered)}
    assert words == {"passed", "not-applicable"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "operation", "bug", "law"), PLANTED, ids=str)
def test_a_planted_bug_is_found(name, operation, bug, law):
    """The law that a bug breaks finds it on the operation that has it."""
    only = [law, operation] if law != "response" else [law, operation, "count"]
    events = checked(planted(api_of(name), bug), only=only)
    assert law in {event.finding.law for event in events if isinstance(event, FindingFound)}

"""Ids of new records and tasks."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mockserver.apis.onkey.scope import SEEDS, job_id, new_keys
from mockserver.domain.clock_and_ids import IdSource


def api_state(seed):
    return SimpleNamespace(ids=IdSource(seed=seed), memory={})


@given(st.integers(), st.integers(0, 999_999))
def test_ids_have_sixteen_digits_below_2_to_the_53(seed, before):
    """Whatever the seed and the count, an id is one that JavaScript keeps, and none that is seeded."""
    here = api_state(seed)
    here.ids.counters["record"] = before
    (key,) = new_keys(SimpleNamespace(api_state=here), None)(1)
    assert len(str(key)) == 16
    assert key < 2**53
    assert key not in {one.id for one in SEEDS}


def test_the_same_seed_gives_the_same_ids_and_another_seed_others():
    """Ids come from the seed and the count alone, and none is given twice."""
    runs = {seed: SimpleNamespace(api_state=api_state(seed)) for seed in (0, 1)}
    first = [*new_keys(runs[0], None)(2), *new_keys(runs[0], None)(1)]
    assert first == [*new_keys(SimpleNamespace(api_state=api_state(0)), None)(3)]
    assert len({*first, *new_keys(runs[1], None)(3)}) == 6


def test_a_task_keeps_ids_for_its_steps():
    """The ids after a task's own are its steps', one for each record."""
    here = api_state(0)
    task = int(job_id(SimpleNamespace(api_state=here), 5))
    assert list(new_keys(SimpleNamespace(api_state=here), None)(1)) == [task + 6]

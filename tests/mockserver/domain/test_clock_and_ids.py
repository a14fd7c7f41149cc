"""Time and chance are values: the same calls, the same answers."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mockserver.domain.clock_and_ids import FROZEN_EPOCH, IdSource, VirtualClock

REAL = datetime(2026, 11, 21, 12, tzinfo=UTC)
spans = st.timedeltas(timedelta(0), timedelta(days=400))
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@given(spans)
def test_a_frozen_clock_stands_still(passed):
    """Real time does not move it, whoever looks and whenever."""
    assert VirtualClock.start("frozen", REAL).now(REAL + passed) == FROZEN_EPOCH


@given(spans, st.floats(0.01, 1000))
def test_a_scaled_clock_runs_so_many_times_as_fast(passed, factor):
    """An hour outside is `factor` hours inside."""
    clock = VirtualClock.start("scaled", REAL, factor=factor)
    assert abs(clock.now(REAL + passed) - REAL - passed * factor) < timedelta(milliseconds=1)


@given(spans, spans, st.sampled_from(["system", "frozen", "scaled"]))
def test_advancing_moves_every_instant_by_as_much(by, passed, mode):
    """Advancing commutes with the passing of real time."""
    clock = VirtualClock.start(mode, REAL, factor=60)
    assert clock.advance(by).now(REAL + passed) == clock.now(REAL + passed) + by


@given(spans, st.sampled_from(["system", "frozen", "scaled"]), st.sampled_from(["system", "frozen", "scaled"]))
def test_changing_the_mode_does_not_jump(passed, before, after):
    """A clock goes on from where it stands."""
    clock = VirtualClock.start(before, REAL, factor=7)
    assert clock.set(REAL + passed, mode=after).now(REAL + passed) == clock.now(REAL + passed)


@given(st.integers(0, 2**31), st.lists(st.sampled_from(["job", "trace", "token"]), max_size=30))
def test_the_same_seed_and_calls_give_the_same_ids(seed, kinds):
    """Ids come from the seed and counters alone, and none comes twice."""
    first, second = IdSource(seed=seed), IdSource(seed=seed)
    ids = [first.uuid(kind) for kind in kinds]
    assert ids == [second.uuid(kind) for kind in kinds]
    assert len(set(ids)) == len(ids)
    assert all(UUID4.fullmatch(one) for one in ids)


@given(st.integers(1, 20))
def test_one_kind_does_not_disturb_another(times):
    """How many traces there were does not change the next job's id."""
    busy, quiet = IdSource(seed=7), IdSource(seed=7)
    for _ in range(times):
        busy.hex("trace", 32)
    assert busy.uuid("job") == quiet.uuid("job")
    assert len(busy.hex("trace", 15)) == 15


def test_another_seed_gives_other_ids():
    """Seeds tell worlds apart."""
    assert IdSource(seed=1).uuid("job") != IdSource(seed=2).uuid("job")

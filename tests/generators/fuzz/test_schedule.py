"""What a shard does one after the other: everything once in a campaign's first, then what makes most requests."""

from collections import Counter
from itertools import islice, pairwise
from random import Random

import pytest

from contracts.messages import Headers, Response
from contracts.openapi.loading import load_bundled
from generators.check.laws.catalogue import CALL_LAWS, LAWS, LIST_LAWS
from generators.client.session import Budget, Session
from generators.fuzz.progress import PropertyCoverage
from generators.fuzz.schedule import WIDE, LawTask, LimitsTask, RateLimitTask, SequenceTask, scheduled_tasks
from generators.fuzz.targets import discover_targets


class Nothing:
    """Answers every call with an empty list."""

    controlled = True

    def send(self, call):
        del call
        return Response(status=200, headers=Headers(), body=b"[]", data=[])

    def now(self):
        return None


@pytest.fixture(scope="module", params=["genero", "onkey"])
def target(request):
    contract = load_bundled(request.param)
    session = Session(contract, Nothing(), seed=0, name_prefix="00000", budget=Budget(), given={})
    return contract, discover_targets(session)


def entries(target, shard, count):
    return list(islice(tasks(target, PropertyCoverage(target[0]), shard), count))


def tasks(target, coverage, shard):
    return scheduled_tasks(*target, Random(shard), coverage, ordinal=shard)


def kinds(some):
    return Counter(type(one) for one in some)


def test_the_first_shard_begins_with_each_law_and_all_limits_once(target):
    """No law comes twice before every law that applies and every limit has come, with an episode every few entries."""
    operations = [one.operation for one in target[1].bulk]
    fitting = {
        one.name
        for laws, some in ((LAWS, operations), (LIST_LAWS, target[0].operations))
        for one in laws
        if one.experiment is not None and any(one.exempt_reason(each) is None for each in some)
    }
    laws = fitting - {"boundary"}
    found = entries(target, 0, 200)
    made = [one.law.name for one in found if isinstance(one, LawTask) and one.law not in CALL_LAWS]
    calls = [(one.law.name, one.operation.id) for one in found if isinstance(one, LawTask) and one.law in CALL_LAWS]
    assert set(made[: len(laws)]) == laws
    assert len(calls) == len(set(calls)) > len(CALL_LAWS)
    last = max(n for n, one in enumerate(found) if isinstance(one, LimitsTask | RateLimitTask))
    episodes = [n for n, one in enumerate(found) if isinstance(one, SequenceTask)]
    assert kinds(found)[LimitsTask] == 2 * len({one.id for one in operations})
    assert last < 100
    assert max(after - before for before, after in pairwise(episodes)) <= 8


@pytest.mark.parametrize("shard", [1, 7, 11])
def test_later_shards_play_mostly_wide_episodes(target, shard):
    """Experiments are made now and then, each law in its turn, and the largest requests are left alone."""
    found = entries(target, shard, 200)
    counted = kinds(found)
    assert counted[LimitsTask] == counted[RateLimitTask] == 0
    assert counted[SequenceTask] == 4 * counted[LawTask]
    wide = [one for one in found if isinstance(one, SequenceTask) and one.style is WIDE]
    assert len(wide) > counted[SequenceTask] / 2


def test_a_later_shard_now_and_then_posts_the_largest_requests_again(target):
    """The tenth shard after the first begins with the limits."""
    found = entries(target, 10, 60)
    count = kinds(entries(target, 0, 200))[LimitsTask]
    assert all(isinstance(one, LimitsTask) for one in found[:count])
    assert kinds(found)[LimitsTask] == count


def test_experiments_that_the_campaign_has_not_run_come_first(target):
    """What other shards have run, on whatever machine, comes last."""
    every = [one for one in entries(target, 1, 2000) if isinstance(one, LawTask)]
    pairs = {(one.law.name, one.operation.id) for one in every}
    left = set(sorted(pairs)[:2])
    coverage = PropertyCoverage(target[0], {(*pair, "experiment") for pair in pairs - left})
    found = [one for one in islice(tasks(target, coverage, 1), 100) if isinstance(one, LawTask)]
    assert {(one.law.name, one.operation.id) for one in found[:2]} == left


def test_an_operation_of_which_nothing_is_covered_comes_first(target):
    """All are drawn as long as nothing is covered; then the one of which nothing is, beside much of the others."""
    _, targets = target
    rng = Random(1)
    ids = {one.operation.id for one in targets.bulk}
    assert ids == {one.operation.id for _ in range(200) for one in targets.narrow(rng, lambda _: 0).bulk}
    for name in ids:
        for _ in range(20):
            narrowed = targets.narrow(rng, lambda other, name=name: 10**12 * (other != name))
            assert name in {one.operation.id for one in narrowed.bulk}

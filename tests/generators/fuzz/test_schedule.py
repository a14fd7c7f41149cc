"""What a shard does one after the other: everything once in a campaign's first, then what makes most requests."""

from collections import Counter
from dataclasses import replace
from itertools import count, islice, pairwise
from random import Random

import pytest
from children import HANGS
from sampling import ALL

from contracts.exchange.locations import find, json_of, put
from contracts.messages import Headers, Response
from contracts.openapi.loading import load_bundled
from generators.check.laws.calls.catalogue import CALL_LAWS
from generators.check.laws.catalogue import LAWS
from generators.check.laws.lists.catalogue import LIST_LAWS
from generators.client.environments import TargetOptions
from generators.client.session import Budget, Session
from generators.fuzz.progress import PropertyCoverage
from generators.fuzz.schedule import (
    COSTLY_LAWS,
    SIDE_BY_SIDE,
    TELLING_LAWS,
    WIDE,
    LawTask,
    LimitsTask,
    RateLimitTask,
    SequenceTask,
    scheduled_tasks,
    with_edge_cases,
)
from generators.fuzz.shards import CampaignConfig, Shard
from generators.fuzz.targets import discover_targets
from generators.fuzz.worker import run_shard
from generators.oracles.intended_effects import RecordTypes
from generators.requests.batch import Composer


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


def entries(target, shard, many):
    return list(islice(tasks(target, PropertyCoverage(target[0]), shard), many))


def tasks(target, coverage, shard):
    return scheduled_tasks(*target, Random(shard), coverage, ordinal=shard)


def kinds(some):
    return Counter(type(one) for one in some)


def test_the_first_shard_begins_with_each_law_and_all_limits_once(target):
    """No law comes twice before every other one that costs little, and every limit soon, with an episode in between."""
    operations = [one.operation for one in target[1].bulk]
    fitting = {
        one.name
        for laws, some in (((*LAWS, SIDE_BY_SIDE), operations), (LIST_LAWS, target[0].operations))
        for one in laws
        if one.experiment is not None and any(one.exempt_reason(each) is None for each in some)
    }
    laws = fitting - {"boundary"}
    found = entries(target, 0, 200)
    made = [one.law.name for one in found if isinstance(one, LawTask) and one.law not in CALL_LAWS]
    calls = [(one.law.name, one.operation.id) for one in found if isinstance(one, LawTask) and one.law in CALL_LAWS]
    cheap = laws - set(COSTLY_LAWS)
    assert set(made[: len(cheap)]) == cheap
    assert laws <= set(made)
    assert len(calls) == len(set(calls)) > len(CALL_LAWS)
    episodes = [n for n, one in enumerate(found) if isinstance(one, SequenceTask)]
    limits = [(one.target.operation.id, one.size) for one in found if isinstance(one, LimitsTask)]
    assert sorted(limits) == sorted(
        (one, size) for one in {one.id for one in operations} for size in ("small", "large")
    )
    assert max(n for n, one in enumerate(found) if isinstance(one, LimitsTask | RateLimitTask)) < 100
    assert max(after - before for before, after in pairwise(episodes)) <= 7 + len(limits)
    assert [size for _, size in limits] == sorted((size for _, size in limits), reverse=True)


def first_round(target):
    """Return the experiments of laws on items and lists before the first that is run without need."""
    found = entries(target, 0, 200)
    last = max(n for n, one in enumerate(found) if isinstance(one, LawTask) and one.law in CALL_LAWS)
    return [one for one in found[:last] if isinstance(one, LawTask) and one.law not in CALL_LAWS]


def test_costly_experiments_of_the_first_shard_come_last(target):
    """What needs hundreds of requests or items comes when the others have come once."""
    costly = [one.law.name in COSTLY_LAWS for one in first_round(target)]
    assert costly == sorted(costly)
    assert any(costly)


def test_laws_that_tell_most_are_soon_run_on_each_kind_of_operation(target):
    """The first round runs them on every bulk operation to which they apply, of those that declare the same on one."""
    made = [(one.law.name, one.operation) for one in first_round(target)]
    for law in (one for one in LAWS if one.name in TELLING_LAWS):
        kinds = [one.operation.bulk for one in target[1].bulk if law.exempt_reason(one.operation) is None]
        run = [operation.bulk for name, operation in made if name == law.name]
        assert all(run.count(one) == 1 for one in kinds)


def test_laws_on_calls_are_soon_run_on_each_type_of_body(target):
    """A form may be read by other code than JSON, and what has no body by none."""
    found = [one for one in entries(target, 0, 200) if isinstance(one, LawTask) and one.law in CALL_LAWS]
    named = [(one.law.name, tuple(media_types(one.operation))) for one in found]
    assert named[: len(set(named))] == list(dict.fromkeys(named))


def media_types(operation):
    return sorted(one.media_range for one in operation.body.content) if operation.body is not None else []


def experiment_name(one):
    """Return what the first round has once: a law, on each kind of operation where it tells most, or a cell."""
    if not isinstance(one, LawTask) or one.law in CALL_LAWS:
        return one.cell
    return one.law.name, repr(one.operation.bulk) if one.law.name in TELLING_LAWS else ""


@pytest.mark.parametrize("size", [1, 10])
def test_what_the_first_shard_had_no_time_for_is_done_by_the_next_ones(target, size):
    """However slow a machine is, it is the number of requests that decides when an experiment is done."""
    whole = {experiment_name(one) for one in entries(target, 0, 150) if not isinstance(one, SequenceTask)}
    coverage, done = PropertyCoverage(target[0]), []
    while len(done) < len(whole):
        every = islice(tasks(target, coverage, 1 if done else 0), 150)
        for one in [one for one in every if not isinstance(one, SequenceTask)][:size]:
            coverage.count_experiment(*one.cell, is_applicable=len(done) % 2 == 0)
            done.append(experiment_name(one))
    assert set(done[: len(whole)]) == whole


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
    many = kinds(entries(target, 0, 200))[LimitsTask]
    assert all(isinstance(one, LimitsTask) for one in found[:many])
    assert kinds(found)[LimitsTask] == many


def test_experiments_that_the_campaign_has_not_run_come_first(target):
    """What other shards have run, on whatever machine, comes last."""
    every = [one for shard in (0, 1) for one in entries(target, shard, 2000) if not isinstance(one, SequenceTask)]
    pairs = {one.cell for one in every if isinstance(one, LawTask) and one.law not in CALL_LAWS}
    left = set(list({law: (law, operation) for law, operation in sorted(pairs)}.values())[:2])
    coverage = PropertyCoverage(target[0], {(*one.cell, "experiment") for one in every if one.cell not in left})
    found = [one for one in islice(tasks(target, coverage, 1), 100) if isinstance(one, LawTask)]
    assert {one.cell for one in found[:2]} == left


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


MOST_REQUESTS = 6500  # of a campaign until everything has been done once


@pytest.mark.slow
@pytest.mark.parametrize("name", ["genero", "onkey"] if ALL else ["genero"])
def test_each_limit_is_met_within_a_number_of_requests(name, serving):
    """Shards of any length, one after the other, have soon posted the largest request of each operation, and one more.

    The self-test's campaigns are such ones; what is met does not depend on the clock.
    """
    job = CampaignConfig(contract=load_bundled(name), place=TargetOptions(url=serving(name).running.url), shrinks=False)
    covered, calls = set(), 0
    wanted = {(f"limits-{size}", one.id) for one in job.contract.operations if one.bulk for size in ("small", "large")}

    def emit(event):
        nonlocal calls
        covered.update(tuple(cell) for *cell, _ in event.get("laws", ()))
        calls += event.get("calls", 0)

    def is_done():
        return wanted <= {cell[:2] for cell in tuple(covered)} or calls > MOST_REQUESTS

    for n in count():
        shard = Shard(number=n, part="bulk", seconds=HANGS, ordinal=n, covered=frozenset(covered))
        run_shard(job, shard, emit, is_done)
        if is_done():
            break
    assert calls < MOST_REQUESTS


def test_edge_cases_stand_beside_malformed_changes():
    """An entry of a list of changes that is no change at all stays as it is."""
    contract = load_bundled("onkey")
    kind = RecordTypes(contract)["Resource"]
    target = next(one for one in contract.operations if one.id == "batchUpdate")
    for change in ([1.5, {"path": "description", "value": "a"}], [{"path": "description", "value": "a"}, {"path": {}}]):
        batch = Composer(contract, target).compose(seed=1, size=1)
        (at,) = (one for one in target.bulk.items.places if isinstance(find(batch.body, one), list))
        body = put(batch.body, at, [put(find(batch.body, at)[0], target.bulk.effect.payload, change)])
        sent = json_of(with_edge_cases(replace(batch, body=body), target.bulk, kind, Random(1)).body)
        assert len(find(find(sent, at)[0], target.bulk.effect.payload)) == len(change)

"""What a lease does one after the other: everything once in a campaign's first, then what makes most requests."""

from collections import Counter
from itertools import islice, pairwise
from random import Random

import pytest

from contracts.document import load_bundled
from contracts.messages import Headers, Reply
from generators.campaign.agenda import Episode, Experiment, Insist, Limits, agenda
from generators.campaign.grounds import survey
from generators.campaign.styles import WIDE
from generators.checks.bench import Bench, Budget
from generators.checks.laws import LAWS


class Nothing:
    """Answers every call with an empty list."""

    controlled = True

    def send(self, call):
        del call
        return Reply(status=200, headers=Headers(), body=b"[]", data=[])

    def now(self):
        return None


@pytest.fixture(scope="module", params=["genero", "onkey"])
def ground(request):
    contract = load_bundled(request.param)
    bench = Bench(contract, Nothing(), seed=0, salt="00000", budget=Budget(), given={})
    return contract, survey(bench)


def entries(ground, lease, count):
    return list(islice(agenda(*ground, Random(lease), nth=lease), count))


def kinds(some):
    return Counter(type(one) for one in some)


def test_the_first_lease_begins_with_each_law_and_all_limits_once(ground):
    """No law comes twice before every law that applies and every limit has come, with an episode every few entries."""
    operations = [one.operation for one in ground[1].bulk]
    laws = {one.name for one in LAWS if one.experiment is not None and one.name != "boundary"}
    laws = {one.name for one in LAWS if one.name in laws and any(one.exempts(each) is None for each in operations)}
    found = entries(ground, 0, 200)
    made = [one.law.name for one in found if isinstance(one, Experiment)]
    assert set(made[: len(laws)]) == laws
    last = max(n for n, one in enumerate(found) if isinstance(one, Limits | Insist))
    episodes = [n for n, one in enumerate(found) if isinstance(one, Episode)]
    assert kinds(found)[Limits] == 2 * len({one.id for one in operations})
    assert last < 60
    assert max(after - before for before, after in pairwise(episodes)) <= 5


@pytest.mark.parametrize("lease", [1, 7, 11])
def test_later_leases_play_mostly_wide_episodes(ground, lease):
    """Experiments are made now and then, each law in its turn, and the largest requests are left alone."""
    found = entries(ground, lease, 200)
    counted = kinds(found)
    assert counted[Limits] == counted[Insist] == 0
    assert counted[Episode] == 4 * counted[Experiment]
    wide = [one for one in found if isinstance(one, Episode) and one.style is WIDE]
    assert len(wide) > counted[Episode] / 2


def test_a_later_lease_now_and_then_posts_the_largest_requests_again(ground):
    """The tenth lease after the first begins with the limits."""
    found = entries(ground, 10, 60)
    count = kinds(entries(ground, 0, 200))[Limits]
    assert all(isinstance(one, Limits) for one in found[:count])
    assert kinds(found)[Limits] == count

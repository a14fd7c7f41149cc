"""Shards have names of their own: on a server that everybody shares no shard meets what another one made."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.openapi.model import Contract
from generators.client.environments import PREFIX_COUNT, TargetOptions, open_target, prefix_text
from generators.fuzz.shards import ENVIRONMENTS_PER_SHARD, CampaignConfig, Shard, first_environment
from mockserver.apis.sources import find_sources

CONTRACT: Contract = find_sources(("genero",))[0].load().contract
LEASES = st.builds(Shard, number=st.integers(0, 6000), part=st.sampled_from(["bulk", "schemas"]), seconds=st.just(20.0))


def prefixes(job, shard):
    first = first_environment(job, shard)
    return {
        prefix_text(n % PREFIX_COUNT)
        for n in (first, first + ENVIRONMENTS_PER_SHARD // 2, first + ENVIRONMENTS_PER_SHARD - 1)
    }


@given(name_prefix=st.integers(0, PREFIX_COUNT - 1), one=LEASES, other=LEASES)
def test_no_two_shards_share_a_prefix(name_prefix, one, other):
    """The prefixes of different shards of a campaign are different, those of a shard lie in its own range."""
    job = CampaignConfig(contract=CONTRACT, place=TargetOptions(url="http://127.0.0.1:1"), name_prefix=name_prefix)
    assert prefixes(job, one).isdisjoint(prefixes(job, other)) == (one.name != other.name)


def test_campaigns_begin_anywhere():
    """Two campaigns against one server have other names."""
    jobs = [CampaignConfig(contract=CONTRACT, place=TargetOptions(url="http://127.0.0.1:1")) for _ in range(20)]
    assert len({job.name_prefix for job in jobs}) > 1


def test_a_world_bears_the_prefix_of_its_shard():
    """A server without a control API gives worlds that begin with the number asked for, one after the other."""
    target = open_target(CONTRACT, TargetOptions(url="http://127.0.0.1:1"), "any", 36**5 - 1)
    try:
        assert [target.fresh().name_prefix, target.fresh().name_prefix] == ["zzzzz", "00000"]
    finally:
        target.close()

"""Leases have names of their own: on a server that everybody shares no lease meets what another one made."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.model import Contract
from generators.campaign.leases import WORLDS, Job, Lease, first_world
from generators.campaign.target import SALTS, Place, open_target, salt_text
from mockserver.sources import find_sources

CONTRACT: Contract = find_sources(("genero",))[0].load().contract
LEASES = st.builds(Lease, number=st.integers(0, 6000), part=st.sampled_from(["bulk", "schemas"]), seconds=st.just(20.0))


def prefixes(job, lease):
    first = first_world(job, lease)
    return {salt_text(n % SALTS) for n in (first, first + WORLDS // 2, first + WORLDS - 1)}


@given(salt=st.integers(0, SALTS - 1), one=LEASES, other=LEASES)
def test_no_two_leases_share_a_prefix(salt, one, other):
    """The prefixes of different leases of a campaign are different, those of a lease lie in its own range."""
    job = Job(contract=CONTRACT, place=Place(url="http://127.0.0.1:1"), salt=salt)
    assert prefixes(job, one).isdisjoint(prefixes(job, other)) == (one.name != other.name)


def test_campaigns_begin_anywhere():
    """Two campaigns against one server have other names."""
    jobs = [Job(contract=CONTRACT, place=Place(url="http://127.0.0.1:1")) for _ in range(20)]
    assert len({job.salt for job in jobs}) > 1


def test_a_world_bears_the_prefix_of_its_lease():
    """A server without a control API gives worlds that begin with the number asked for, one after the other."""
    target = open_target(CONTRACT, Place(url="http://127.0.0.1:1"), "any", 36**5 - 1)
    try:
        assert [target.fresh().salt, target.fresh().salt] == ["zzzzz", "00000"]
    finally:
        target.close()

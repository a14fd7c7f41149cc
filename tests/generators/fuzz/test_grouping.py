"""Grouping: findings with one root cause are told as one, those with several are not."""

from example_findings import kept
from hypothesis import given
from hypothesis import strategies as st

from generators.fuzz.progress import CampaignState
from generators.oracles.findings import fingerprint_of
from generators.triage.stored_finding import concern_other_members, is_explained, root_causes, share_root_cause

LOOK = ("answered item of many: done, failed", "look")
finding_lists = st.lists(
    st.builds(
        kept,
        st.sampled_from("0123456789abcdef"),
        law=st.sampled_from(["count", "atomic", "model", "read-back"]),
        shape=st.sampled_from(["update stays", "delete stays", "member is lost"]),
        operation=st.sampled_from(["batchCreate", "import"]),
        small=st.booleans(),
        outline=st.sampled_from([(), LOOK, ("write",)]),
        cause=st.sampled_from(["", "0" * 16, "a" * 16]),
    ),
    unique_by=lambda one: one.fingerprint,
    max_size=10,
)


@given(finding_lists)
def test_each_group_is_named_by_its_first(some):
    """A group's name is that of its earliest finding, which itself has none; findings that are linked are together."""
    first = root_causes(some)
    places = [one.fingerprint for one in some]
    assert list(first) == places
    assert all(not own or (first[own] == "" and places.index(own) < places.index(name)) for name, own in first.items())
    group = {name: own or name for name, own in first.items()}
    for one in some:
        assert all(group[one.fingerprint] == group[other.fingerprint] for other in some if share_root_cause(one, other))


@given(finding_lists)
def test_the_state_groups_as_if_all_had_been_known_at_once(some):
    """It makes no difference that findings come one after the other."""
    state = CampaignState()
    for one in some:
        state.add(one)
    assert {name: one.group for name, one in state.findings.items()} == root_causes(list(state.findings.values()))


def test_one_way_of_breaking_a_law_is_one_cause_on_every_operation():
    """An item's action and the operation make no other cause."""
    one, other = (
        kept("a", law="atomic", shape="update stays"),
        kept("b", law="atomic", shape="delete stays", operation="x"),
    )
    assert share_root_cause(one, other)


def test_bugs_of_two_members_are_two_and_of_many_are_one():
    """One operation that spoils two members may have two bugs; one that spoils each member has one."""
    some = [kept(name, law="read-back", shape=f"member is lost at /{name}", outline=LOOK) for name in "abcd"]
    pairs = [(one, other) for one in some for other in some if one is not other]
    assert not any(concern_other_members(one.shape, one.shape) for one in some)
    assert all(concern_other_members(one.shape, other.shape) for one, other in pairs)
    assert root_causes(some[:2]) == {"a" * 16: "", "b" * 16: ""}
    assert set(root_causes(some).values()) == {"", "a" * 16}


def test_what_a_baseline_accepts_stands_for_nothing_new():
    """Of findings with one cause one is told that is not known, whichever came first."""
    first, other = kept("a", law="singular", shape="x"), kept("b", law="singular", shape="x", operation="o")
    state = CampaignState(known=frozenset({fingerprint_of(first.law, first.operation, first.shape)}))
    state.add(first)
    state.add(other)
    assert {one.fingerprint[0]: one.group[:1] for one in state.findings.values()} == {"a": "b", "b": ""}
    assert state.broken == [state.findings[other.fingerprint]]


def test_what_many_a_bug_breaks_needs_calls_of_the_same_kinds():
    """That a record reads otherwise links two findings only when their scripts are alike."""
    one = kept("a", law="read-back", shape="member is lost", outline=LOOK)
    assert share_root_cause(one, kept("b", law="read-back", shape="member is lost", operation="x", outline=LOOK))
    assert not share_root_cause(
        one, kept("b", law="read-back", shape="member is lost", operation="x", outline=("write", "look"))
    )


def test_what_a_script_shows_besides_has_its_cause():
    """A finding that shows in the small script of another one is told beneath it."""
    one = kept("a", law="count", shape="outcomes missing", beside=(("model", "batchCreate", "not-run for failed"),))
    assert share_root_cause(one, kept("b", law="model", shape="not-run for failed"))
    assert not share_root_cause(one, kept("b", law="model", shape="not-run for failed", operation="x"))


def test_what_was_seen_in_one_world_is_taken_for_one_cause_until_it_is_small():
    """A later finding of a world stands beneath the first one, and by itself once its own script shows otherwise."""
    first = kept("a", law="count", shape="outcomes missing")
    later = kept("b", law="listing", shape="record is missing", cause=first.fingerprint, small=False, tries=0)
    state = CampaignState()
    state.add(first)
    assert state.add(later).group == first.fingerprint
    assert not is_explained(later, [first])
    assert is_explained(kept("c", small=False), [first])
    assert state.renew(kept("b", law="listing", shape="record is missing", cause=first.fingerprint)).group == ""
    assert state.take_regrouped() == {later.fingerprint}
    assert state.take_regrouped() == set()


def test_what_a_reply_looks_like_explains_nothing_else():
    """A header that is missing everywhere is no cause of what is found after it; it is one cause on all operations."""
    formal = kept("a", law="response", shape="200 header:X-Trace required")
    assert not share_root_cause(
        formal, kept("b", law="read-back", shape="member is lost", cause=formal.fingerprint, small=False)
    )
    assert share_root_cause(formal, kept("b", law="response", shape="202 header:X-Trace required", operation="read"))

"""What the state model knows after each of its operations: of records, names, references and data sets."""

from types import SimpleNamespace

import pytest
from library import exchange, place, record, state

from generators.client.environments import Environment
from generators.oracles.state_model import StateModel

ANN, BOB = "b00000-ann", "b00000-bob"
UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.mark.parametrize(
    ("value", "is_ours"),
    [
        ("b00000-1", True),
        ("Bulk of b00000", True),
        ("B00000X", True),
        ("b00001-1", False),
        ("austen", False),
        (7 * 10**14, True),
        (7 * 10**14 + 5, True),
        (12, False),
        (UUID, False),
    ],
)
def test_generated_values_are_known_by_their_prefix_or_range(value, is_ours):
    """No record of others has one."""
    assert state().is_generated(value) is is_ours


@pytest.mark.parametrize("name", ["b0ab01-1", "B0ab011nd0", "B0AB01-1", "b0AB011nD0"])
def test_names_of_experiments_are_known_in_any_case(name):
    """Those of sessions begin with a capital, and texts are written in other cases."""
    environment = Environment(client=SimpleNamespace(controlled=True), name_prefix="0ab01")
    assert StateModel({}, environment).is_generated(name)


@pytest.mark.parametrize(
    ("put", "asked"), [(7, "7"), ("7", 7), (7, 7.0), (UUID, UUID.upper()), (UUID.upper(), UUID), ("Ann", "Ann")]
)
def test_a_record_is_found_by_any_notation_of_its_key(put, asked):
    """A key in a path is text, and a UUID is the same in any case."""
    assert state(record("books", put)).find(place("books"), asked) is not None


@pytest.mark.parametrize("other", ["ANN", "ann ", "ann/"])
def test_another_key_is_another_record(other):
    """Only the notation of one value does not count."""
    assert state(record("authors", "ann")).find(place("authors"), other) is None


@pytest.mark.parametrize(
    ("more", "is_known"),
    [({}, True), ({"present": None}, False), ({"jobs": frozenset({3})}, False), ({"present": False}, True)],
)
def test_a_record_is_known_unless_a_job_may_change_it(more, is_known):
    """Absent is known too."""
    assert record("books", 7, **{"present": True, **more}).is_known is is_known


def test_what_is_marked_unknown_is_to_be_read():
    """Its members and version are forgotten, its existence at some time is not; a read takes it off the list."""
    model = state(record("books", 7, members={"year": 1815}, version=3))
    model.mark_unknown(place("books"), 7)
    entry = model.find(place("books"), 7)
    assert (entry.present, entry.version, dict(entry.members), entry.existed) == (None, None, {}, True)
    assert list(model.unknown) == [(place("books"), "7")]
    model.put(record("books", 7))
    assert list(model.unknown) == []


@pytest.mark.parametrize(("marked", "unknown"), [(7, ["7"]), ({"isbn": "x"}, ["7", "8"])], ids=["a key", "a lookup"])
def test_an_effect_on_a_lookup_may_be_one_on_any_record(marked, unknown):
    """Which one is meant is not known."""
    model = state(record("books", 7), record("books", 8))
    model.mark_effect_unknown(place("books"), marked, {})
    assert [key for _, key in model.unknown] == unknown


HOLDERS = [
    ("the same value", {"mail": "m"}, {"mail": "m"}, ["b00000-ann"]),
    ("another value", {"mail": "m"}, {"mail": "n"}, []),
    ("no value", {}, {"mail": "m"}, []),
    ("an equal number", {"mail": 1}, {"mail": 1.0}, ["b00000-ann"]),
]


@pytest.mark.parametrize(("members", "asked", "keys"), [row[1:] for row in HOLDERS], ids=[row[0] for row in HOLDERS])
def test_holders_of_a_unique_value_are_found(members, asked, keys):
    """Values are compared in canonical form."""
    model = state(record("authors", ANN, members=members))
    assert [one.key for one in model.holders(place("authors"), ("mail",), asked)] == keys


def test_a_value_is_given_up_by_a_deletion_and_remembered():
    """A job that began before may still meet it."""
    model = state(record("authors", ANN, members={"mail": "m"}))
    model.put(record("authors", ANN, present=False, members={"mail": "m"}))
    assert list(model.holders(place("authors"), ("mail",), {"mail": "m"})) == []
    assert model.was_taken(place("authors"), ("mail",), {"mail": "m"})


def test_references_are_followed_back_until_they_are_gone():
    """That there was one is remembered."""
    model = state(record("books", 7, members={"author": ANN}))
    assert [one.key for one in model.referrers(place("authors"), ANN)] == [7]
    model.put(record("books", 7, members={"author": BOB}))
    assert list(model.referrers(place("authors"), ANN)) == []
    assert model.was_referred_to(place("authors"), ANN)
    assert not model.was_referred_to(place("authors"), "austen")


@pytest.mark.parametrize(
    ("members", "key", "may"),
    [
        ({"author": ANN}, ANN, True),
        ({"author": ANN}, BOB, False),
        ({"author": {"isbn": "x"}}, BOB, True),
        ({}, ANN, False),
    ],
)
def test_a_record_under_an_unknown_key_may_refer_to_what_it_names(members, key, may):
    """One that names it by a lookup may refer to any."""
    model = state()
    model.add_pending(place("books"), members)
    assert model.may_be_referred_to(place("authors"), key) is may
    model.remove_pending(place("books"), members)
    assert not model.may_be_referred_to(place("authors"), key)


@pytest.mark.parametrize(
    ("scope", "other", "may"),
    [("a/x", "a/y", False), ("a/x", "a/", True), ("a/", "a/x", True), ("a/x", "b/x", False), ("a/", "b/", False)],
)
def test_data_sets_may_be_the_same_where_a_tenant_is_not_named(scope, other, may):
    """Two tenants, and two data sets, are not."""
    model = state(record("authors", ANN, scope=scope))
    assert model.has_alias(place("authors", other), ANN) is may


@pytest.mark.parametrize("keeps", [True, False])
def test_changes_are_kept_or_taken_back_together(keeps):
    """Records, names, and what is to be read."""
    model = state(record("authors", ANN, members={"mail": "m"}))
    model.begin()
    model.put(record("authors", ANN, members={"mail": "n"}))
    model.put(record("authors", BOB, None, members={"mail": "o"}))
    model.commit() if keeps else model.roll_back()
    assert model.find(place("authors"), ANN).members == {"mail": "n" if keeps else "m"}
    assert (model.find(place("authors"), BOB) is not None) is keeps
    assert bool(list(model.holders(place("authors"), ("mail",), {"mail": "m"}))) is not keeps
    assert bool(model.unknown) is keeps


@pytest.mark.parametrize(
    ("one", "live", "gone"),
    [
        (record("authors", ANN), [ANN], []),
        (record("authors", ANN, present=False), [], [ANN]),
        (record("authors", ANN, None), [], []),
        (record("authors", ANN, jobs=frozenset({1})), [], []),
    ],
    ids=["there", "gone", "unknown", "a job's"],
)
def test_requests_are_composed_from_what_is_certain(one, live, gone):
    """Known records are those that requests may change, refer to, and find deleted."""
    known = state(one).known("")
    assert [entry.key for entry in known.live("authors")] == live
    assert list(known.gone("authors")) == gone


def test_what_is_permitted_is_no_longer_forbidden():
    """A name of a failed request may be used by a later one."""
    model = state()
    model.forbidden.update({"b00000-m": exchange(), "b00000-n": exchange()})
    model.permit({"mail": "b00000-m", "name": None})
    assert list(model.forbidden) == ["b00000-n"]

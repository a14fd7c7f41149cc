"""Naming records by what is unique about them: templates filled in, read back, and resolved to keys."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.model import Resource
from contracts.openapi.loading import bundled_path, load
from generators.client.environments import Environment
from generators.oracles.intended_effects import IntendedEffect, RecordTypes, resolve_lookups
from generators.oracles.state_model import RecordSet, RecordState, StateModel
from generators.requests.calls import fill_lookup, lookup_members

CONTRACT = load(bundled_path("onkey"), name="onkey")
KINDS = RecordTypes(CONTRACT)
BOOKS = Resource(name="books", lookups=({"find": "books", "by": {"isbn": "{isbn}"}}, {"shelf": "{shelf}", "n": "{n}"}))
TRADES = RecordSet("here/", "Trade")
BY_CODE = {"converter": "ReferenceLookup", "code": "T1"}


@given(st.dictionaries(st.sampled_from(["isbn", "shelf", "n"]), st.text() | st.integers()), st.integers(0, 1))
def test_what_a_template_makes_is_read_back(members, which):
    """A lookup tells the members that it was made from; one that lacks a member is not made."""
    made = fill_lookup(BOOKS.lookups[which], members)
    wanted = (("isbn",), ("shelf", "n"))[which]
    if all(name in members for name in wanted):
        assert lookup_members(BOOKS, made) == {name: members[name] for name in wanted}
    else:
        assert made is None


def test_what_is_no_lookup_is_not_taken_for_one():
    """Another constant, a member more or less, a list, or a key is no lookup."""
    others = ({"find": "pages", "by": {"isbn": "1"}}, {"find": "books"}, {"find": "books", "by": {"isbn": []}}, "1", 1)
    assert all(
        lookup_members(BOOKS, one) is None
        for one in (*others, {**fill_lookup(BOOKS.lookups[1], {"shelf": 1, "n": 2}), "x": 1})
    )


def ledger_with(*entries):
    state_model = StateModel(CONTRACT.resources, Environment(client=None, name_prefix="00000"), {})  # nothing is sent
    for entry in entries:
        state_model.put(entry)
    return state_model


def trade(key, code, **more):
    return RecordState(where=TRADES, key=key, present=True, members={"code": code}, **more)


def effect(name, key, **members):
    return IntendedEffect(
        action="update", where=RecordSet("here/", name), record_type=KINDS[name], key=key, members=members, partial=True
    )


def test_a_record_that_is_surely_the_one_is_named_by_its_key():
    """A lookup in the place of a key, and one in a reference, become the key of the one record that has the value."""
    state_model = ledger_with(trade(5, "T1"), trade(6, "T2"))
    found = resolve_lookups(
        state_model, [effect("Trade", BY_CODE, description="x"), effect("ResourceTrade", 9, tradeId=BY_CODE), None]
    )
    assert (found[0].key, found[1].members["tradeId"], found[2]) == (5, 5, None)


def test_a_record_that_may_be_another_stays_a_lookup():
    """Nobody has the value, somebody may have it, a job may change it, or the same call does: nothing is resolved."""
    for state_model in (
        ledger_with(),
        ledger_with(trade(5, "T1", jobs=frozenset({3}))),
        ledger_with(replace(trade(5, "T1"), present=None)),
    ):
        assert resolve_lookups(state_model, [effect("Trade", BY_CODE, description="x")])[0].key == BY_CODE
    renamed = [effect("Trade", 5, code="T9"), effect("ResourceTrade", 9, tradeId=BY_CODE)]
    assert resolve_lookups(ledger_with(trade(5, "T1")), renamed)[1].members["tradeId"] == BY_CODE


def test_what_an_unresolved_lookup_may_have_written_is_doubted():
    """Any record of the kind may be the one that was meant, and no other kind's."""
    other = RecordState(where=RecordSet("here/", "Resource"), key=5, present=True, members={"code": "T1"})
    state_model = ledger_with(trade(5, "T1"), trade(6, "T2"), other)
    state_model.mark_effect_unknown(TRADES, BY_CODE, {})
    assert [one.present for one in state_model.entries(TRADES)] == [None, None]
    assert state_model.find(other.where, 5).present

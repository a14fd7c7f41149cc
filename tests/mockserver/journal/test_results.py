"""The results of a call's items, kept small."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.model import Resource
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.journal.facts import MAX_ITEMS_STORED
from mockserver.journal.item_results import NO_RESULTS, Part, results_by_item, results_of, tally_of

THING = Resource(name="thing", key="id")
WORDS = st.sampled_from(["done", "failed", "not-run"])
KEYS = st.none() | st.text(max_size=3) | st.integers()


def outcome(n, key, word):
    item = Item(n, key, "create", THING, key, {}, None, None, {})
    return Outcome(item, word, "create", (ItemFault("missing", ("name",)),) if word == "failed" else ())


@given(st.lists(st.tuples(KEYS, WORDS), max_size=8))
def test_every_item_has_its_result(given_items):
    """Each item's result comes back in its place, with its key or else its place, and the tally counts them."""
    outcomes = [outcome(n, key, word) for n, (key, word) in enumerate(given_items)]
    results = results_of(outcomes)
    errors = {"done": "", "failed": "name is required", "not-run": "not run"}
    wanted = [(n if key is None else key, word, errors[word]) for n, (key, word) in enumerate(given_items)]
    assert [tuple(one) for one in results] == wanted
    words = [word for _, word in given_items]
    assert results.tally == (*map(words.count, ("done", "failed", "not-run")), 0)
    assert len(results) == len(outcomes)


@pytest.mark.parametrize("part", [Part("", 10**12, error="It was refused."), Part("", 10**12, job="j")])
def test_items_without_number_are_counted_and_not_all_listed(part):
    """A client can send millions of items that are refused, and a snapshot can claim any number of them."""
    told = sum(1 for _ in results_by_item(NO_RESULTS, [part], ()))
    assert (told, sum(tally_of(NO_RESULTS.tally, [part]))) == (MAX_ITEMS_STORED, 10**12)

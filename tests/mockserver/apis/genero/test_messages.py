"""The vendor's message texts."""

from hypothesis import given
from hypothesis import strategies as st

from mockserver.apis.genero import api
from mockserver.apis.genero.entities import ENTITY_WORDS, text_of
from mockserver.domain.values import Item, ItemFault, Outcome

API = api()


def outcome(name, key, *faults):
    item = Item(0, key, "upsert", API.contract.resources[name], key, {}, None, None, {})
    return Outcome(item, "failed", "upsert", faults)


def test_the_vendors_example():
    """The text of the vendor's page, to the letter."""
    fault = ItemFault("reference", ("blockId",), "3", {"resource": "block"})
    assert text_of(outcome("chain", "1", fault)) == "Block id 3 is not found in database."


def test_every_entity_has_a_word():
    """The words are those of the contract's resources."""
    assert ENTITY_WORDS.keys() == API.contract.resources.keys()


@given(st.permutations(["missing", "wholesalerId", "chainId"]), st.text(min_size=1), st.text(min_size=1))
def test_own_key_first_then_references_in_the_order_of_the_fields(order, one, other):
    """However the faults were found, they are told in one order, and ids are told as they are."""
    faults = {
        "missing": ItemFault("missing", ("name",)),
        "wholesalerId": ItemFault("reference", ("wholesalerId",), one, {"resource": "wholesaler"}),
        "chainId": ItemFault("reference", ("chainId",), other, {"resource": "chain"}),
    }
    assert text_of(outcome("customer", "{0}", *(faults[name] for name in order))) == (
        f"Customer id {{0}} has no name. Wholesaler id {one} is not found in database. "
        f"Chain id {other} is not found in database."
    )


def test_a_scenarios_own_text_is_told_as_it_is():
    """A fault that brings its message is told in that message's words, one without in ours."""
    told = outcome("block", "1", ItemFault("scenario", facts={"message": "Block 1 is frozen."}))
    assert text_of(told) == "Block 1 is frozen."
    assert text_of(outcome("block", "1", ItemFault("scenario"))) == "Block id 1 cannot be processed."

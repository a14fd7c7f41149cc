"""Names, paths and ids as On Key reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.apis.onkey import api
from mockserver.apis.onkey.resource_types import key_of, object_types_of

ONKEY = api()
KINDS = object_types_of(ONKEY)
TRADE = KINDS.by_name["ResourceTrade"]
TREE = KINDS.by_name["PermissionTree"]


@pytest.mark.parametrize(
    ("given_name", "steps"),
    [
        ("resourceId", ("resourceId",)),
        ("ResourceTrade->ResourceId", ("resourceId",)),
        ("RESOURCETRADE->RESOURCE_ID", ("resourceId", "id")),
        ("resourceCode", ("resourceId", "code")),
        (
            "ResourceTrade->Resource_DefaultResourceTrade_Trade_Code",
            ("resourceId", "defaultResourceTradeId", "tradeId", "code"),
        ),
        ("id", ("id",)),
        ("ResourceTrade->Version", ("version",)),
        ("permissionTreeCreatedOn", ("permissionTreeId", "createdOn")),
    ],
)
def test_names_and_paths_are_read_without_regard_to_case(given_name, steps):
    """A name or a path leads through references to a property, whatever its case."""
    assert KINDS.steps(TRADE, given_name) == steps
    assert KINDS.steps(TRADE, given_name.upper()) == steps


@pytest.mark.parametrize(
    "given_name", ["", "->", "Resource->Code", "code", "resource", "resource_", "ResourceTrade->", "a->b->c"]
)
def test_what_is_no_property_leads_nowhere(given_name):
    """A name of another kind, or of none, has no steps."""
    assert KINDS.steps(TRADE, given_name) is None


def test_a_path_follows_so_many_references_and_no_more():
    """A path through a cycle of references ends, however long it is."""
    assert len(KINDS.steps(TREE, "parent_" * 8 + "code")) == 9
    assert KINDS.steps(TREE, "parent_" * 9 + "code") is None
    assert KINDS.steps(TREE, "parent" * 100_000) is None


@given(st.integers(0, 2**63 - 1), st.integers(0, 30))
def test_an_id_is_the_same_as_a_number_and_as_digits(key, zeros):
    """A number, its digits, and the digits after zeros are one id."""
    assert key_of(key) == key_of(str(key)) == key_of("0" * zeros + str(key)) == key


@given(st.integers(0, 2**53))
def test_an_id_may_be_written_with_a_fraction_of_nothing(key):
    """`1.0` is the id 1."""
    assert key_of(float(key)) == key


@pytest.mark.parametrize(
    "value", [-1, 2**63, "-1", "", " 1", "1.0", "x", "٣", str(2**63), "9" * 5000, True, None, 1.5, float("inf"), [], {}]
)
def test_what_no_id_can_be_is_none(value):
    """Only numbers from 0 to 2^63 - 1 are ids."""
    assert key_of(value) is None


def test_a_kind_knows_its_place():
    """Every kind is found by module and plural, and by no other pair."""
    assert {kind.name for kind in KINDS.by_place.values()} == set(KINDS.by_name)
    assert KINDS.at("RISK", "AssetImportances").name == "AssetImportance"
    assert KINDS.at("res", "assetimportances") is None

"""Reading OKQL: what it means, and where it is wrong."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.apis.onkey import api
from mockserver.apis.onkey.lists import Condition, Mistake, SortKey, read_filter, read_order, read_select
from mockserver.apis.onkey.resource_types import object_types_of

ONKEY = api()
KINDS = object_types_of(ONKEY)
KIND = KINDS.by_name["AssetImportance"]


def filtered(text):
    return read_filter(KINDS, KIND, text)


def escaped(text):
    return text.replace("\\", "\\\\").replace("'", "\\'")


@given(st.text())
def test_a_text_in_quotes_means_itself(text):
    """Whatever stands between quotes, escaped, is the value; a doubled quote is one quote too."""
    assert filtered(f"code eq '{escaped(text)}'") == (Condition(("code",), "eq", text),)
    doubled = text.replace("\\", "\\\\").replace('"', '""')
    assert filtered(f'code eq "{doubled}"') == (Condition(("code",), "eq", text),)


@given(st.text(), st.sampled_from([read_filter, read_order, read_select]))
@example("code eq '" + "'" * 4000, read_filter)
@example("code startswith '\\", read_filter)
@example("weight eq 1e999", read_filter)
@example("createdOn eq '0001-01-01T00:00:00+14:00'", read_filter)
@example("createdOn eq '9999-12-31T23:59:59-14:00'", read_filter)
def test_any_text_is_read_or_is_a_mistake_with_a_column(text, read):
    """Nothing raises, and a mistake points into the text or just past it."""
    found = read(KINDS, KIND, text)
    if isinstance(found, Mistake):
        assert 1 <= found.column <= len(text) + 1
        assert found.detail


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("weight GE -1.5e1 AND weight lt 2", (Condition(("weight",), "ge", -15.0), Condition(("weight",), "lt", 2))),
        (
            "notes eq null and isActive ne True",
            (Condition(("notes",), "eq", None), Condition(("isActive",), "ne", value=True)),
        ),
        ("id gt '007'", (Condition(("id",), "gt", 7),)),
        ("code\n startswith\t'\\u0041\\n'", (Condition(("code",), "startswith", "A\n"),)),
        ("permissionTreeCode eq 'A20'", (Condition(("permissionTreeId", "code"), "eq", "A20"),)),
    ],
)
def test_filters(text, conditions):
    """Operators and words are read without regard to case, values exactly."""
    assert filtered(text) == conditions


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("", 1, "property"),
        ("code", 5, "startswith"),
        ("code eq", 8, "text in quotes"),
        ("code eq 'a' and", 16, "property"),
        ("code eq 'a' code eq 'b'", 13, "'and'"),
        ("code eq 'a", 9, "text in quotes"),
        ("weight startswith 'a'", 19, "number"),
        ("weight startswith 1", 8, "number"),
        ("code startswith null", 6, "null"),
        ("isActive gt true", 10, "order"),
        ("weight gt null", 8, "order"),
        ("isActive eq yes", 13, "true or false"),
        ("createdOn gt 'soon'", 14, "instant"),
        ("weight eq 12abc", 11, "number"),
        (" and ".join(["id gt 0"] * 101), 12 * 99 + 9, "100"),
    ],
)
def test_mistakes_in_filters(text, column, word):
    """A mistake says where it is and what was expected."""
    found = filtered(text)
    assert isinstance(found, Mistake)
    assert (found.column, word in found.detail) == (column, True)


def test_orders_and_selections():
    """Commas part properties; an order goes up unless it says desc."""
    assert read_order(KINDS, KIND, " code  DESC ,weight asc,id") == (
        SortKey(("code",), descending=True),
        SortKey(("weight",), descending=False),
        SortKey(("id",), descending=False),
    )
    assert read_select(KINDS, KIND, "Code, AssetImportance->PermissionTree_Code") == (
        ("code",),
        ("permissionTreeId", "code"),
    )
    assert read_select(KINDS, KIND, "code, colour") == Mistake(7, "'colour' is not a property of AssetImportance.")
    assert read_order(KINDS, KIND, "code,  weight upwards").column == 15

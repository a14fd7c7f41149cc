"""Bodies as the contract writes them."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request
from mockserver.apis.onkey import api
from mockserver.bulk.items import canonical_body

ONKEY = api()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "Id", "ID", "version", "Version", "records", "properties", "Converter", "converter", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
OPERATIONS = [
    "batchCreate",
    "batchUpdate",
    "batchDelete",
    "matchUpdate",
    "import",
    "importByPatch",
    "create",
    "update",
    "delete",
]


def canonical(operation, data):
    asked = ONKEY.contract.operation(operation)
    media = asked.body.content[0].media_range if asked.body is not None else ""
    request = Request(method=asked.method, path="/", headers=Headers((("Content-Type", media),)))
    return canonical_body(SimpleNamespace(api=ONKEY, operation=asked, request=request), data)


@given(st.sampled_from(OPERATIONS), JSON)
def test_a_canonical_body_is_canonical(operation, data):
    """Any JSON value is taken, and once canonical it does not change again."""
    once = canonical(operation, data)
    assert repr(canonical(operation, once)) == repr(once)


@pytest.mark.parametrize("operation", ["batchUpdate", "batchDelete"])
def test_ids_and_versions_become_numbers(operation):
    """What is an id becomes a number; what is none stays, to be refused."""
    given_body = [{"id": "007", "version": 1.0}, {"id": -1, "version": "x"}, 5, {"id": True}, {}]
    assert canonical(operation, given_body) == [
        {"id": 7, "version": 1},
        {"id": -1, "version": "x"},
        5,
        {"id": True},
        {},
    ]


def test_records_that_are_canonical_are_the_same_objects():
    """What needs no change is not copied."""
    record = {"id": 1, "version": 1, "operations": []}
    assert canonical("batchUpdate", [record])[0] is record
    item = {"entityType": "Trade", "action": "Insert", "userObjectId": "a", "properties": {"code": "A"}}
    assert canonical("import", [item])[0] is item
    created = [{"userObjectId": "a", "properties": {}}]
    assert canonical("batchCreate", created) is created


def test_of_two_names_that_mean_the_same_the_exact_one_counts():
    """The other stays under its own name, where nothing reads it."""
    assert canonical("import", [{"id": 2, "Id": 1, "ID": 3}]) == [{"id": 2, "Id": 1, "ID": 3}]
    assert canonical("import", [{"ID": "3", "id": 2}]) == [{"Id": 3, "id": 2}]

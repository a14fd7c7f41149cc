"""Names of members in items: where their case does not count they mean what the schema of an item has."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from contracts.exchange.bulk_request import read_bulk_request
from contracts.exchange.locations import in_declared_names, parse_request
from contracts.messages import Headers, Request
from contracts.openapi.loading import load_bundled

CONTRACT = load_bundled("onkey")
ITEM = {
    "entityType": "Trade",
    "action": "Update",
    "userObjectId": "a",
    "groupOrder": 2,
    "Id": 7,
    "properties": {"X": 1},
}
TYPE = CONTRACT.operation("import").body.content[0].media_range
JSON = Headers((("Content-Type", TYPE),))


def items_of(operation, items):
    request = Request(method="POST", path="/", headers=JSON, body=orjson.dumps(items))
    return read_bulk_request(CONTRACT, parse_request(CONTRACT.operation(operation), request, {})).items


@given(st.data())
def test_the_case_of_names_makes_no_difference(data):
    """Whatever letters are capital ones, an item is the same, but for what it looks like."""
    swaps = data.draw(st.lists(st.sampled_from(sorted(ITEM)), unique=True))
    sent = {name.swapcase() if name in swaps else name: value for name, value in ITEM.items()}
    assert items_of("import", [sent]) == items_of("import", [ITEM])
    assert items_of("import", [ITEM])[0].raw == ITEM


def test_of_two_spellings_that_of_the_schema_counts():
    """The other one is a member that is not declared."""
    found = items_of("import", [{"GROUPORDER": 1, **ITEM}])
    assert (found[0].group, found[0].raw["GROUPORDER"]) == (2, 1)


def test_names_count_elsewhere():
    """An operation that says nothing of case has names that count; what is no list of objects is left as it is."""
    request = Request(method="POST", path="/", headers=JSON)
    for operation, body in (
        ("batchCreate", [{"CODE": 1}]),
        ("import", {"a": 1}),
        ("import", [1, None]),
        ("import", None),
    ):
        assert in_declared_names(CONTRACT.operation(operation), request, body) == body

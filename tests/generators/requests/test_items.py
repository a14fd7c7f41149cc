"""How items state what they want."""

from contracts.bulk.declarations import read_bulk
from generators.check.trial_setup import possible_cases
from generators.requests.items import says_version


def test_an_item_in_a_wrapper_has_a_version_where_its_word_has_one():
    """A deletion that is the text of a key has no place for it: no law may ask that it is stale."""
    bulk = read_bulk(
        {
            "items": {"at": "/operations"},
            "effect": {
                "action": {"from": "/~member", "map": {"change": "update", "remove": "delete"}},
                "target": ["/change/id", "/remove"],
                "payload": {"update": "/change"},
                "version": "/change/etag",
            },
            "key": {"by": "order"},
            "unit": {"of": "item"},
            "reply": {"status": {"allOk": 200}},
        }
    )
    stale = {case.action for case in possible_cases(bulk) if case.defect == "stale"}
    assert (stale, says_version(bulk, "delete")) == ({"update"}, False)

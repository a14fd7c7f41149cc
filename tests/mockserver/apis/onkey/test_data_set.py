"""Looking records up: whichever way the records are found, they are those that have what is wanted."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mockserver.apis.onkey import api
from mockserver.apis.onkey.data_set import DataSet, is_same, look_up
from mockserver.apis.onkey.resource_types import object_types_of
from mockserver.bulk.prepared_api import prepared
from mockserver.stores.interface import Collection, Record
from mockserver.stores.memory import MemoryStore

ONKEY = api()
KINDS = object_types_of(ONKEY)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCOPE = "a/b"
CODES = ("A", "a", "B", None)


def data_set(bodies):
    """Return a data set of the bodies by resource; keys count from 1 in each."""
    store = MemoryStore(prepared(ONKEY).indexes)
    for resource, some in bodies.items():
        for key, body in enumerate(some, 1):
            kept = {name: value for name, value in body.items() if value is not None}
            store.put(Collection(SCOPE, resource), Record(key, 1, deleted=False, body=kept, created=NOW, modified=NOW))
    return DataSet(KINDS, store, SCOPE)


codes = st.sampled_from(CODES)
links = st.integers(1, 3) | st.none()
api_states = st.fixed_dictionaries(
    {
        "Resource": st.lists(st.fixed_dictionaries({"code": codes, "description": codes}), max_size=3),
        "Trade": st.lists(st.fixed_dictionaries({"code": codes, "permissionTreeId": links}), max_size=3),
        "PermissionTree": st.lists(st.fixed_dictionaries({"code": codes, "parentId": links}), max_size=3),
        "ResourceTrade": st.lists(st.fixed_dictionaries({"resourceId": links, "tradeId": links}), max_size=4),
    }
)
PATHS = (
    "Resource_Code",
    "Resource_Description",
    "Trade_Code",
    "Trade_PermissionTree_Parent_Code",
    "ResourceId",
    "TradeId",
    "Id",
    "PermissionTreeId",
)
wanted = st.dictionaries(st.sampled_from(PATHS), codes | links, min_size=1, max_size=3)


@given(api_states, wanted)
def test_indexes_find_what_looking_at_every_record_finds(bodies, values):
    """The records that match are those of all whose values, read one by one, are the wanted ones."""
    data, kind = data_set(bodies), KINDS.by_name["ResourceTrade"]
    asked = [(KINDS.steps(kind, path), value) for path, value in values.items()]
    plain = [
        one.key
        for one in data.scan(kind)
        if all(is_same(data.value(kind, one, steps), value) for steps, value in asked)
    ]
    assert sorted(one.key for one in data.matching(kind, asked)) == sorted(plain)


def test_values_are_compared_exactly():
    """Case counts, and true is not 1; an id may be written in digits."""
    data = data_set({"Resource": [{"code": "SHBE", "isActive": True}]})
    kind = KINDS.by_name["Resource"]
    assert look_up(data, kind, {"converter": "ReferenceLookup", "code": "SHBE"}).key == 1
    assert look_up(data, kind, {"converter": "ReferenceLookup", "code": "shbe"}).fault.kind == "reference"
    for path, value, found in (
        ("isActive", True, 1),
        ("isActive", 1, None),
        ("Resource->Id", "1", 1),
        ("createdOn", "2026-01-01T00:00:00.0000000Z", 1),
    ):
        assert (
            look_up(data, kind, {"converter": "ReferenceLookup", "type": "Custom", "properties": {path: value}}).key
            == found
        )

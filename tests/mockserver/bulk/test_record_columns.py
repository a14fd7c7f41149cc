"""Items applied together against the same items applied one by one: outcomes, records, indexes and ids are the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bulk.model import Resource
from contracts.messages import ABSENT
from contracts.openapi.inference import KeyType, ResourceKeys
from contracts.schemas.schema_set import SchemaSet
from mockserver.bulk.record_columns import apply_all, apply_together
from mockserver.bulk.record_service import RecordRules, RecordService
from mockserver.domain.columns import ItemColumns, item_column
from mockserver.domain.values import Item, ItemFault, Resolution
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.stores.interface import Collection, Record
from mockserver.stores.memory import MemoryStore, Overlay

BORN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BORN + timedelta(hours=1)
HERE, THERE = Collection("s", "thing"), Collection("s", "place")
THING = Resource(
    name="thing",
    key="id",
    tombstone="deleted",
    unique=(("code",), ("a", "b")),
    references={"place": "place", "parent": "thing"},
    required=("name",),
    defaults={"a": "default", "kind": None},
)
SCHEMA = SchemaSet(
    {
        "u": {
            "properties": {
                "name": {"type": ["string", "null"], "maxLength": 1},
                "a": {"enum": ["x", "default", None]},
                "place": {"type": ["string", "null"]},
                "deleted": {"type": "boolean"},
                "kind": {},
            },
            "dependentRequired": {"a": ["code"]},
        }
    }
).schema("u#")
INDEXES = {"thing": (*THING.unique, ("parent",))}

keys = st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6", "odd", 7])
codes = st.sampled_from(["c1", "c2", "c3", "c4", "c5", None, 1, True, 1.0])
members = {
    "id": keys,
    "name": st.sampled_from(["n", "m", "too long", None]),
    "Name": st.just("n"),
    "code": codes,
    "a": st.sampled_from(["x", "y", None]),
    "b": st.sampled_from(["x", "y", None]),
    "place": st.sampled_from(["p1", "p2", "gone", "none", None, 3, ["p1"], True]),
    "parent": st.sampled_from(["k1", "k2", "none", None]),
    "deleted": st.sampled_from([True, False, None, "yes"]),
    "kind": st.sampled_from(["k", None]),
}


def one_member(name):
    """Draw a value of one member."""
    return st.fixed_dictionaries({name: members[name]})


payloads = st.fixed_dictionaries({}, optional=members)
odd_members = st.sampled_from([*[{}] * 30, {"name": None}, {"deleted": True}, {"id": "k1"}]).flatmap(
    lambda odd: st.one_of(*[st.just(odd)] * 5, st.sampled_from(sorted(members)).flatmap(one_member))
)
bodies = st.fixed_dictionaries({"name": st.just("n")}, optional={"code": st.sampled_from(["c1", "c2", "c3"])})
stored = st.dictionaries(st.sampled_from(["k1", "k2", "k3", "k4"]), st.tuples(bodies, st.booleans()), max_size=3)


@st.composite
def lists(draw):
    """Draw items that could all be written together, but for what some of them have that is odd."""
    names = draw(st.permutations(["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"]))
    items = []
    for n, key in enumerate(names[: draw(st.integers(3, 8))]):
        odd = draw(odd_members)
        base = {"name": "n", "code": f"own{n}", "place": "p1"} | ({"id": key} if draw(st.booleans()) else {})
        version = draw(st.sampled_from([*[None] * 8, 1, 2]))
        items.append((key if draw(st.integers(0, 40)) else draw(keys), {**base, **odd}, version))
    return items


bodies = st.fixed_dictionaries({"name": st.just("n")}, optional={"code": st.sampled_from(["c1", "c2", "c3"])})
stored = st.dictionaries(st.sampled_from(["k1", "k2", "k3", "k4"]), st.tuples(bodies, st.booleans()), max_size=3)


def resolve(run, view, resource, member, value):
    """Take a text for the key itself, but for one that is another's and one that is unknown."""
    del run, view, resource
    if value == "p2":
        return Resolution("p1")
    return Resolution(value) if value != "gone" else Resolution(None, ItemFault("reference", (member,), value))


def prepare(run, resource):
    """Fill a member of new records, and keep another of stored ones as it is."""
    del run, resource

    def prepared(record, members):
        return {"b": "filled", **members} if record is None else {n: v for n, v in members.items() if n != "kind"}

    return lambda records, members: list(map(prepared, records, members))


def new_keys(run, resource):
    """Make keys of which callers may have taken some."""
    del resource

    def fresh(size):
        run.taken[0] += size
        return [f"k{n}" for n in range(run.taken[0] - size + 3, run.taken[0] + 3)]

    return fresh


def service_of(records, resource, action, *, own, overlaid, valid=True, settable=None):
    """Return a service over a store of its own with these records."""
    store = MemoryStore(INDEXES)
    for name, is_deleted in (("p1", False), ("p2", False), ("gone", True)):
        store.put(THERE, Record(name, 1, deleted=is_deleted, body={}, created=BORN, modified=BORN))
    for key, (body, is_deleted) in records.items():
        store.put(HERE, Record(key, 2, deleted=is_deleted, body=dict(body), created=BORN, modified=BORN))
    hooks = replace(DEFAULT_HOOKS, new_keys=new_keys, **({"resolve": resolve, "prepare": prepare} if own else {}))
    effect = SimpleNamespace(effect=SimpleNamespace(target=("/id",) if action != "create" else ()))
    operation = SimpleNamespace(id="write", bulk=effect, record=None)
    run = SimpleNamespace(
        api=SimpleNamespace(hooks=hooks, plain=False),
        scope="s",
        now=NOW,
        valid={"thing"} if valid else set(),
        operation=operation,
        taken=[0],
        unit="item",
    )
    kinds = ResourceKeys(
        kind=KeyType(), referred={"place": KeyType(), "parent": KeyType()}, are_given=not resource.assigned
    )
    limits = {} if settable is None else {"write": settable}
    rules = RecordRules(resource, None if valid else SCHEMA, [("thing", "parent")], kinds, limits)
    view = Overlay(store) if overlaid else store
    return RecordService(rules, run, view), store


def _by_columns(items):
    """Return items as columns."""
    names = ("key", "target", "payload", "raw", "version")
    return ItemColumns(items[0].action, items[0].resource, **{name: item_column(items, name) for name in names})


def state_of(service):
    """Return all that can be seen of the records, and how many keys were made."""
    view = service.view
    found = {
        (index, value): list(view.find(HERE, index, value))
        for index in INDEXES["thing"]
        for value in (
            (("c1",), ("c2",), ("c3",), (True,), ("k1",)) if len(index) == 1 else (("x", "y"), ("x", "filled"))
        )
    }
    return list(view.scan(HERE)), found, service.run.taken


items_of = st.lists(
    st.tuples(st.one_of(keys, st.just(ABSENT)), payloads, st.sampled_from([None, None, None, 1, 2])),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("action", ["create", "update", "upsert", "delete"])
@settings(deadline=None)
@given(
    items=st.one_of(lists(), lists(), lists(), items_of),
    records=stored,
    assigned=st.booleans(),
    restrict=st.booleans(),
    own=st.booleans(),
    overlaid=st.booleans(),
    simple=st.booleans(),
    valid=st.booleans(),
    defaults=st.sampled_from([THING.defaults, {"a": "default"}, {}]),
    settable=st.sampled_from([None, None, {"name", "code", "place", "a", "b"}]),
)
def test_together_and_one_by_one_are_the_same(
    *, items, records, action, assigned, restrict, own, overlaid, simple, valid, defaults, settable
):
    """Whatever the items and the records are, nobody can tell whether the items were applied together."""
    resource = replace(
        THING,
        assigned=assigned,
        restrict=restrict,
        ignore_case=own,
        defaults=defaults,
        **({"unique": (), "references": {}} if simple else {}),
    )
    sent = [
        Item(n, None, action, resource, target, payload, version, None, payload)
        for n, (target, payload, version) in enumerate(items)
    ]
    ways = {"own": own, "overlaid": overlaid, "valid": valid, "settable": settable}
    together, store = service_of(records, resource, action, **ways)
    one_by_one, other = service_of(records, resource, action, **ways)
    assert list(apply_all(together, _by_columns(sent) if simple else sent)) == list(map(one_by_one.apply, sent))
    assert state_of(together) == state_of(one_by_one)
    if overlaid:
        together.view.commit()
        one_by_one.view.commit()
    assert list(store.scan(HERE)) == list(other.scan(HERE))


@settings(deadline=None)
@given(items=lists(), records=stored, action=st.sampled_from(["create", "update", "upsert"]), assigned=st.booleans())
def test_all_or_nothing(items, records, action, assigned):
    """Items that are applied together are done as one by one; else nothing has changed, and no key was made."""
    resource = replace(THING, assigned=assigned)
    sent = [Item(n, None, action, resource, *one[:2], one[2], None, one[1]) for n, one in enumerate(items)]
    together, store = service_of(records, resource, action, own=False, overlaid=False)
    one_by_one, other = service_of(records, resource, action, own=False, overlaid=False)
    before = state_of(together)
    done = apply_together(together, sent)
    if done is None:
        assert state_of(together) == before
    else:
        assert done == list(map(one_by_one.apply, sent))
        assert state_of(together) == state_of(one_by_one)
        assert list(store.scan(HERE)) == list(other.scan(HERE))


ODD = (
    ("create", {"name": None}, "failed"),
    ("upsert", {"name": None}, "failed"),
    ("upsert", {"deleted": True}, "failed"),
    ("create", {"id": "k30"}, "failed"),
    ("update", {"id": "k30"}, "failed"),
    ("upsert", {"place": "none"}, "failed"),
    ("create", {"place": "gone"}, "failed"),
    ("update", {"place": ["p1"]}, "failed"),
    ("update", {"parent": "k1"}, "done"),
    ("update", {"code": "taken"}, "failed"),
    ("create", {"code": "taken"}, "failed"),
    ("create", {"code": True}, "done"),
    ("create", {"a": "x"}, "done"),
)


def test_one_invalid_payload_is_looked_at_by_itself(monkeypatch):
    """The others are written together, although not all payloads of the request are valid."""
    looked = []
    judged = RecordService.apply
    monkeypatch.setattr(RecordService, "apply", lambda self, item: looked.append(item.index) or judged(self, item))
    service, _ = service_of({}, THING, "create", own=False, overlaid=False, valid=False)
    odd = {4: {"name": "too long"}, 9: {"place": 1}, 14: {"a": "x", "code": None}, 15: {"a": "x"}}
    sent = [{"id": f"k{n}", "name": "n", "deleted": False} | odd.get(n, {}) for n in range(20)]
    items = [Item(n, None, "create", THING, f"k{n}", one, None, None, one) for n, one in enumerate(sent)]
    failed = [one.item.index for one in apply_all(service, items) if one.failed]
    assert looked == [4, 9, 14, 15]
    assert failed == [4, 9, 15]


@pytest.mark.parametrize(("action", "odd", "result"), ODD)
def test_only_an_odd_item_is_looked_at_by_itself(action, odd, result, monkeypatch):
    """The items before and after it are written together, and it is judged in its place."""
    looked = []
    judged = RecordService.apply
    monkeypatch.setattr(RecordService, "apply", lambda self, item: looked.append(item.index) or judged(self, item))
    known = {f"k{n}": ({"name": "n", "code": f"old{n}"}, False) for n in range(20)} if action == "update" else {}
    service, _ = service_of({**known, "k99": ({"code": "taken"}, False)}, THING, action, own=False, overlaid=False)
    sent = [{"id": f"k{n}", "name": "n", "code": f"c{n}", "place": "p1"} | (odd if n == 10 else {}) for n in range(20)]
    items = [Item(n, None, action, THING, f"k{n}", one, None, None, one) for n, one in enumerate(sent)]
    results = [one.result for one in apply_all(service, items)]
    assert looked == [10]
    assert results == ["done"] * 10 + [result] + ["done"] * 9


@pytest.mark.parametrize("action", ["create", "update"])
def test_names_in_another_case_make_no_item_odd(action, monkeypatch):
    """Where names are read without regard to case, items are written together however they spell them."""
    looked = []
    judged = RecordService.apply
    monkeypatch.setattr(RecordService, "apply", lambda self, item: looked.append(item.index) or judged(self, item))
    known = {f"k{n}": ({"name": "m"}, False) for n in range(20)} if action == "update" else {}
    resource = replace(THING, ignore_case=True)
    service, _ = service_of(known, resource, action, own=False, overlaid=False, valid=False)
    spelt = ({"Name": "n"}, {"NAME": "n"}, {"name": "o", "Name": "n"}, {"Name": "o", "name": "n"})
    items = [Item(n, None, action, resource, f"k{n}", spelt[n % 4], None, None, None) for n in range(20)]
    assert [one.record.body["name"] for one in apply_all(service, items)] == ["n"] * 20
    assert looked == []


@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("action", ["create", "update"])
def test_a_member_that_the_operation_may_not_set_fails_its_item_alone(action, valid, monkeypatch):
    """It is told in the place of what else is wrong with that member, beside the faults of others."""
    looked = []
    judged = RecordService.apply
    monkeypatch.setattr(RecordService, "apply", lambda self, item: looked.append(item.index) or judged(self, item))
    known = {f"k{n}": ({"name": "n"}, False) for n in range(20)} if action == "update" else {}
    service, _ = service_of(known, THING, action, own=False, overlaid=False, valid=valid, settable={"name", "code"})
    sent = [{"id": f"k{n}", "name": "n"} for n in range(20)]
    sent[7] = {"id": "k7", "name": "n", "code": "c", "place": 3, "kind": "k"}
    items = [Item(n, None, action, THING, f"k{n}", one, None, None, one) for n, one in enumerate(sent)]
    outcomes = apply_all(service, items)
    assert looked == [7]
    (faults,) = [one.faults for one in outcomes if one.failed]
    assert list(faults) == [ItemFault("choice", ("place",), 3), ItemFault("choice", ("kind",), "k")]


def test_a_value_that_two_items_want_makes_both_odd(monkeypatch):
    """The first gets it, the second fails; and a version that is not the stored one is odd too."""
    looked = []
    judged = RecordService.apply
    monkeypatch.setattr(RecordService, "apply", lambda self, item: looked.append(item.index) or judged(self, item))
    known = {f"k{n}": ({"name": "n"}, False) for n in range(20)}
    service, _ = service_of(known, THING, "update", own=False, overlaid=False)
    sent = [{"code": f"c{n % 12}"} if n in {0, 12} else {"name": "m"} for n in range(20)]
    items = [Item(n, None, "update", THING, f"k{n}", one, 9 if n == 5 else 2, None, one) for n, one in enumerate(sent)]
    results = [one.result for one in apply_all(service, items)]
    assert looked == [0, 5, 12]
    assert [n for n, one in enumerate(results) if one != "done"] == [5, 12]

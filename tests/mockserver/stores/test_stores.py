"""The store and its overlays against a plain dictionary that does everything by looking at all it has."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mockserver.stores import packed_records, spooled_bodies
from mockserver.stores.interface import Collection, Record
from mockserver.stores.memory import MemoryStore, Overlay, Table, hashable
from mockserver.stores.spooled_bodies import MAX_BYTES_IN_MEMORY, Spool

PEOPLE = Collection("one", "people")
OTHERS = Collection("two", "people")
INDEXES = {"people": (("name",), ("town", "street"))}
BORN = datetime(2026, 1, 1, tzinfo=UTC)

keys = st.integers(1, 6)
values = st.sampled_from([None, "a", "b", 1, 1.0, True, False, "1", ["x"], {"y": 1}])
bodies = st.fixed_dictionaries({}, optional={"name": values, "town": values, "street": values})
places = st.sampled_from([PEOPLE, OTHERS])


def record(key, body):
    return Record(key, 1, deleted=False, body=body, created=BORN, modified=BORN)


class Stores(RuleBasedStateMachine):
    """Whatever is done, the view says what a dictionary says, through every overlay."""

    @initialize()
    def begin(self):
        self.views = [MemoryStore(INDEXES)]
        self.models = [{}]
        self.packs = False

    @property
    def view(self):
        return self.views[-1]

    @property
    def model(self):
        return self.models[-1]

    @rule(place=places, key=keys, body=bodies)
    def put(self, place, key, body):
        self.view.put(place, record(key, body))
        self.model[place, key] = record(key, body)

    @rule(packs=st.booleans())
    def pack_or_not(self, packs):
        """Begin or cease to pack the records between two steps."""
        self.packs = packs

    @rule(place=places, key=keys)
    def drop(self, place, key):
        self.view.drop(place, key)
        self.model.pop((place, key), None)

    @rule(place=places, some=st.dictionaries(keys, bodies, max_size=6))
    def put_all(self, place, some):
        several = [record(key, body) for key, body in some.items()]
        self.view.put_all(place, several)
        self.model.update({(place, one.key): one for one in several})

    @rule(place=places, some=st.dictionaries(keys, bodies, max_size=3), gone=keys)
    def take_back(self, place, some, gone):
        if isinstance(self.view, MemoryStore):
            self.view.undo = []
            self.view.put_all(place, [record(key, body) for key, body in some.items()])
            self.view.drop(place, gone)
            self.view.put(place, record(gone, {"name": "b"}))
            self.view.roll_back()

    @rule()
    def overlay(self):
        if len(self.views) < 4:
            self.views.append(Overlay(self.view))
            self.models.append(dict(self.model))

    @rule()
    def commit(self):
        if len(self.views) > 1:
            self.views.pop().commit()
            model = self.models.pop()
            self.models[-1] = model

    @rule()
    def roll_back(self):
        if len(self.views) > 1:
            self.views.pop()
            self.models.pop()

    @rule(place=places, name=values.filter(lambda value: value is not None))
    def find_by_one(self, place, name):
        found = set(self.view.find(place, ("name",), (name,)))
        assert found == {
            key
            for (at, key), one in self.model.items()
            if at == place and hashable(one.body.get("name")) == hashable(name)
        }
        assert self.view.has_any(place, ("name",), {hashable(name)}) == bool(found)

    @rule(place=places, town=values, street=values)
    def find_by_two(self, place, town, street):
        if town is None and street is None:
            return
        wanted = (hashable(town), hashable(street))
        found = set(self.view.find(place, ("town", "street"), (town, street)))
        assert found == {
            key
            for (at, key), one in self.model.items()
            if at == place and (hashable(one.body.get("town")), hashable(one.body.get("street"))) == wanted
        }

    @invariant()
    def the_same_records(self):
        for place in (PEOPLE, OTHERS):
            wanted = {key: one for (at, key), one in self.model.items() if at == place}
            assert {one.key: one for one in self.view.scan(place)} == wanted
            assert all(self.view.get(place, key) == wanted.get(key) for key in range(1, 7))
            assert self.view.get_all(place, range(1, 7)) == [wanted.get(key) for key in range(1, 7)]
        if self.packs:
            with patch.object(packed_records, "MIN_PACKED", 1):
                self.views[0].pack()


Stores.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStores = pytest.mark.slow(Stores.TestCase)


def test_true_is_not_one():
    """Values that Python takes for equal, and JSON does not, are different in an index."""
    store = MemoryStore(INDEXES)
    store.put(PEOPLE, record(1, {"name": True}))
    assert list(store.find(PEOPLE, ("name",), (1,))) == []
    assert list(store.find(PEOPLE, ("name",), (True,))) == [1]


class Word(str):
    """A text of a class of its own, such as that of an enumeration."""

    __slots__ = ()


KEPT = [None, True, 1, 1.0, -0.0, 2**70, float("inf"), "é\ud800", ["x", {"y": []}], {"": {"a": "1"}}, b"b", (1,)]
LEFT = [BORN, Decimal(1), Word("x"), {"in": [Decimal(1)]}]


@pytest.mark.parametrize("value", KEPT + LEFT, ids=repr)
def test_records_are_unpacked_as_they_were(value):
    """In their order, with their types and instants; with what cannot be packed, a collection stays as it is."""
    table, zone = Table((("name",),)), timezone(timedelta(hours=1))
    born = [BORN, BORN.astimezone(zone), BORN + timedelta(1)]
    rows = [Record(key, n, n == 2, {"name": value, "n": n}, born[n % 3], BORN) for n, key in enumerate("dbac")]
    table.put_all([row.key for row in rows], rows, [None] * len(rows))
    table.pack()
    for _ in range(2):
        assert (table.size, repr(list(table.records()))) == (4, repr(rows))
    assert (table.records()[0] is rows[0]) is any(value is one for one in LEFT)
    assert list(table.find(("name",), (value,))) == ([] if value is None else list("dbac"))
    assert repr(list(table.rows.items())) == repr([(row.key, row) for row in rows])


def test_parcels_come_back_whole():
    """What is left in a depot comes back as it was, whether it was kept in memory or in a file."""
    spool = Spool()
    bodies = [b"", b"small", b"x" * (MAX_BYTES_IN_MEMORY + 1), b"y" * (MAX_BYTES_IN_MEMORY * 3)]
    parcels = [spool.store(body) for body in bodies]
    assert [spooled_body.read() for spooled_body in reversed(parcels)] == bodies[::-1]
    assert [spooled_body.spool_file is None for spooled_body in parcels] == [True, True, False, False]


@given(st.lists(st.one_of(st.integers(0, 3 * MAX_BYTES_IN_MEMORY), st.none()), max_size=60), st.randoms())
def test_bodies_come_back_whole_in_any_order(sizes, random):
    """Whatever is stored and read in between, before it was written to the file and after."""
    spool, stored = Spool(), []
    for n, size in enumerate(sizes):
        if size is not None:
            body = bytes((n % 256,)) * size
            stored.append((body, spool.store(body)))
        elif stored:
            body, spooled = random.choice(stored)
            assert spooled.read() == body
    assert all(spooled.read() == body for body, spooled in stored)


def test_bodies_that_stay_long_do_not_keep_a_file_for_each(monkeypatch):
    """Of files in which hardly a body is left, the rest is moved: what is on disk is a few times what is kept."""
    monkeypatch.setattr(spooled_bodies, "MAX_FILE_BYTES", 50_000)
    spool, stay = Spool(), []
    for n in range(1000):
        body = bytes((n % 256,)) * 2000
        stored = spool.store(body)
        if n % 50 == 0:
            stay.append((body, stored))
    assert all(stored.read() == body for body, stored in stay)
    assert len({stored.spool_file for _, stored in stay}) <= 5  # a file for each would be 20

"""Which effects requests and items intend: tables of what is sent and what is meant."""

from operator import attrgetter

import orjson
import pytest
from library import LIBRARY, TYPES, effect, place, record, state

from contracts.exchange.bulk_request import BulkItem
from contracts.exchange.locations import parse_request
from contracts.exchange.preconditions import read_version
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.loading import load_bundled
from contracts.openapi.model import Route
from contracts.openapi.routing import Router
from generators.oracles.intended_effects import (
    RecordTypes,
    effect_of_item,
    effect_of_request,
    resolve_lookups,
    scope_of,
    written_members,
)

ROUTER = Router(LIBRARY)
UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"


def intended(method, path, body=ABSENT, **headers):
    """Return what a single-record request means, in one tuple; None for nothing."""
    content = b"" if body is ABSENT else orjson.dumps(body)
    fields = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    route = ROUTER.match(method, path)
    assert isinstance(route, Route)
    sent = parse_request(
        route.operation, Request(method=method, path=path, headers=fields, body=content), route.variables
    )
    found = effect_of_request(TYPES, sent)
    return (
        None
        if found is None
        else (found.action, found.where.resource, found.key, found.members, found.version, found.partial)
    )


REQUESTS = [
    ("a read", ("GET", "/authors/ann"), ("read", "authors", "ann", {}, None, False)),
    ("a list", ("GET", "/authors"), ("list", "authors", ABSENT, {}, None, False)),
    ("a creation", ("POST", "/books", {"isbn": "1"}), ("create", "books", ABSENT, {"isbn": "1"}, None, False)),
    ("a change", ("PATCH", "/books/7", {"year": 1}), ("update", "books", "7", {"year": 1}, None, True)),
    (
        "a write by name",
        ("PUT", "/authors/ann", {"name": "A"}),
        ("upsert", "authors", "ann", {"name": "A"}, None, False),
    ),
    ("a deletion", ("DELETE", "/authors/ann"), ("delete", "authors", "ann", {}, None, False)),
    ("a tombstone", ("PUT", "/cards/c", {"gone": True}), ("delete", "cards", "c", {}, None, False)),
    (
        "a tombstone with a wrong member",
        ("PUT", "/cards/c", {"gone": True, "holder": 7}),
        ("delete", "cards", "c", None, None, False),
    ),
    ("no tombstone", ("PUT", "/cards/c", {"gone": False}), ("upsert", "cards", "c", {"gone": False}, None, False)),
    ("a body of another form", ("PATCH", "/books/7", "year"), ("update", "books", "7", None, None, True)),
]


@pytest.mark.parametrize(("sent", "meant"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_what_a_request_means(sent, meant):
    """Action, record and members are where the contract says."""
    assert intended(*sent) == meant


@pytest.mark.parametrize(
    ("text", "version"), [('"3"', 3), ("3", 3), ('W/"3"', None), ('"x"', None), ('"3", "4"', None), ("*", None)]
)
def test_one_version_that_is_a_number_is_expected(text, version):
    """What else a precondition may say is not predicted."""
    assert intended("PATCH", "/books/7", {"year": 1}, If_Match=text)[4] == version


def item(**more):
    plain = {"index": 0, "key": "k", "action": "update", "resource": "books", "target": 7, "payload": {"year": 1}}
    return BulkItem(**{**plain, "version": ABSENT, "group": ABSENT, "raw": {}, **more})


ITEMS = [
    ("a change", {}, ("update", 7, {"year": 1}, None)),
    ("an unknown resource", {"resource": "maps"}, None),
    ("an unknown action", {"action": None}, None),
    ("a version", {"version": 3}, ("update", 7, {"year": 1}, 3)),
    ("a version as text", {"version": "3"}, ("update", 7, {"year": 1}, 3)),
    ("a version as a number with a fraction of nothing", {"version": 3.0}, ("update", 7, {"year": 1}, 3)),
    ("entity tags", {"version": '"a", "b"'}, ("update", 7, {"year": 1}, read_version('"a", "b"'))),
    ("no payload", {"payload": ABSENT}, ("update", 7, {}, None)),
    ("a payload of another form", {"payload": 7}, ("update", 7, None, None)),
    ("a deletion", {"action": "delete", "payload": {"year": 1}}, ("delete", 7, {}, None)),
    ("a deletion beside a wrong member", {"action": "delete", "payload": {"year": "x"}}, ("delete", 7, None, None)),
    ("a lookup", {"target": {"isbn": "1"}}, ("update", {"isbn": "1"}, {"year": 1}, None)),
]


@pytest.mark.parametrize(("sent", "meant"), [row[1:] for row in ITEMS], ids=[row[0] for row in ITEMS])
def test_what_an_item_means(sent, meant):
    """An item that cannot be read means nothing that is certain."""
    found = effect_of_item(TYPES, item(**sent), "a/")
    assert meant == (None if found is None else (found.action, found.key, found.members, found.version))
    assert found is None or (found.where, found.partial) == (place("books", "a/"), found.action == "update")


WRITTEN = [
    ({"year": 1}, {"year": 1}),
    (ABSENT, {}),
    ("year", None),
    ([], {}),
    ([{"path": "/year", "value": 1}], {"year": 1}),
    ([{"op": "add", "path": "year", "value": 1}, {"path": "/isbn", "value": "2"}], {"year": 1, "isbn": "2"}),
    ([{"op": "remove", "path": "/year", "value": 1}], None),
    ([{"path": "/year"}], None),
    ([{"path": "/a/b", "value": 1}], None),
    ([7], None),
]


@pytest.mark.parametrize(("payload", "members"), WRITTEN)
def test_members_are_written_by_an_object_or_by_a_list_of_changes(payload, members):
    """Other forms cannot be read."""
    assert written_members(payload, TYPES["books"]) == members


FACTS = [
    ("authors", "readable", ("name", "mail", "born")),
    ("books", "readable", ("isbn", "title", "year", "price", "author", "copies")),
    ("cards", "readable", ("holder", "colour")),
    ("authors", "is_closed", False),
    ("books", "is_closed", True),
    ("authors", "reader.has_numbers", False),
    ("books", "reader.has_numbers", True),
    ("authors", "spelled", {"born"}),
]


@pytest.mark.parametrize(("resource", "fact", "value"), FACTS)
def test_what_a_record_type_is(resource, fact, value):
    """Members that only one side sends are not compared."""
    assert attrgetter(fact)(TYPES[resource]) == value


@pytest.mark.parametrize(
    ("resource", "key", "same"),
    [("books", "7", 7), ("books", 7, 7), ("cards", UUID.upper(), UUID), ("authors", "7", "7")],
)
def test_a_key_has_the_type_and_the_notation_that_records_show(resource, key, same):
    """A number in a path is text, a UUID may be in capital letters."""
    assert TYPES[resource].key(key) == same


@pytest.mark.parametrize(
    ("resource", "members", "missing"),
    [
        ("authors", {}, ["name"]),
        ("authors", {"name": None}, ["name"]),
        ("authors", {"name": "A"}, []),
        ("books", {"title": "x"}, ["isbn"]),
    ],
)
def test_a_required_member_may_be_missing(resource, members, missing):
    """Null is a value only where the schema says so."""
    assert TYPES[resource].missing(members) == missing


@pytest.mark.parametrize(
    ("path", "target", "scope"), [("/authors/ann", None, "/"), ("/authors/ann", "x", "/x"), ("/books/7", None, "/")]
)
def test_records_of_one_data_set_have_one_scope(path, target, scope):
    """The variable that names the record is no part of it."""
    route = ROUTER.match("GET", path)
    sent = parse_request(route.operation, Request(method="GET", path=path), route.variables)
    assert scope_of(LIBRARY, sent, target) == scope


BOOK = record("books", 7, members={"isbn": "1", "year": 1815})
LOOKUPS = [
    ("a record that has the value", [BOOK], [effect("books", "update", {"isbn": "1"}, {"year": 1})], [7]),
    ("none that has it", [BOOK], [effect("books", "update", {"isbn": "2"}, {"year": 1})], [{"isbn": "2"}]),
    (
        "one that may be gone",
        [record("books", 7, None, members={"isbn": "1"})],
        [effect("books", "update", {"isbn": "1"}, {})],
        [{"isbn": "1"}],
    ),
    (
        "one that a job may change",
        [record("books", 7, members={"isbn": "1"}, jobs=frozenset({3}))],
        [effect("books", "update", {"isbn": "1"}, {})],
        [{"isbn": "1"}],
    ),
    (
        "a value that another item writes",
        [BOOK],
        [effect("books", "update", 7, {"isbn": "3"}), effect("books", "update", {"isbn": "1"}, {})],
        [7, {"isbn": "1"}],
    ),
    ("its own value, which it writes", [BOOK], [effect("books", "update", {"isbn": "1"}, {"isbn": "3"})], [7]),
    ("a key", [BOOK], [effect("books", "update", 7, {"year": 1}), None], [7, None]),
]


@pytest.mark.parametrize(("records", "effects", "keys"), [row[1:] for row in LOOKUPS], ids=[row[0] for row in LOOKUPS])
def test_a_lookup_is_the_record_that_certainly_has_its_value(records, effects, keys):
    """Where that may change, or is not known, it stays a lookup."""
    found = resolve_lookups(state(*records), effects)
    assert [None if one is None else one.key for one in found] == keys


def test_a_reference_is_the_same_as_a_number_and_as_its_text():
    """Servers that take both show one of them."""
    trade = RecordTypes(load_bundled("onkey"))["ResourceTrade"]
    assert trade.reads_as("tradeId", "5000001002", 5000001002)
    assert not trade.reads_as("tradeId", "5000001002", 5000001003)
    assert not trade.reads_as("tradeId", "5000001002", None)

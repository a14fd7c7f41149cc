"""Members of records for experiments: valid, told apart by fresh names alone, and changed so that it shows."""

from json import dumps
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.openapi.loading import load, load_bundled
from contracts.schemas.schema_set import SchemaSet
from generators.check.laws.lists.selecting import columns_of
from generators.errors import NotApplicableError
from generators.requests.known_records import FIRST_NUMBER, KnownRecords, Names, RecordContext
from generators.requests.options import named_targets
from generators.requests.record_factory import RecordFactory

CONTRACTS = {
    "genero": load_bundled("genero"),
    "onkey": load_bundled("onkey"),
    "shelves": load(Path(__file__).parent / "data" / "shelves.yaml"),
}
RESOURCES = [(api, name) for api, contract in CONTRACTS.items() for name in contract.resources]
WORDS = ("type", "minLength", "maxLength", "enum")


def test_equal_texts_of_two_trials_compare_equal_whatever_small_numbers_they_used():
    """A date does not have the number of a record that is not there."""
    one, other = Names(prefix="B1n", number=FIRST_NUMBER), Names(prefix="B2n", number=FIRST_NUMBER)
    one.register(20, "x3")
    other.register(1577, "x3")
    assert one.normalise("2033-11-20") == other.normalise("2033-11-20") == "2033-11-20"


@pytest.mark.parametrize("most", [2**31 - 1, 9_999_999, 150_000])
def test_a_number_of_no_record_is_large_and_found_in_texts(most):
    """A server that counts from 1 has none of them; what a text says of two trials compares equal."""
    schema = SchemaSet({"": {"type": "integer", "minimum": 1, "maximum": most}}).schema("#")
    said = set()
    for trial in range(20):
        names = Names(prefix=f"B{trial}n", number=FIRST_NUMBER + 10**4 * trial)
        value = names.fresh_value(schema, "x3")
        assert 10**5 <= value <= most
        said.add(names.normalise(f"There is no {value} since 2033-11-11."))
    assert said == {"There is no ~x3 since 2033-11-11."}


def factory_of(api, name):
    contract = CONTRACTS[api]
    return RecordFactory(contract, contract.resources[name], fallback=None, target_schema=None)


def making(seed, trial):
    names = Names(prefix=f"Bzqj{trial}n", number=FIRST_NUMBER + trial * 10**4)
    return RecordContext(rng=Random(seed), known=KnownRecords(), names=names, slot_prefix="y")


def takes_text(factory, member):
    return member not in factory.resource.references and factory.members[member].is_valid("Bzqj1nc")


@pytest.mark.parametrize(("api", "name"), RESOURCES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_equal_trials_differ_in_their_names_alone(api, name, seed):
    """The same seed makes the same record twice, once its fresh values are taken for their slots."""
    factory, (one, other) = factory_of(api, name), (making(seed, trial) for trial in (1, 2))
    first, second = factory.fresh_record(one, "r", {}), factory.fresh_record(other, "r", {})
    assert one.names.normalise(first) == other.names.normalise(second)
    assert factory.fits(first, partial=False)
    if any(takes_text(factory, member) for member in first):
        assert one.names.marker(first) is not None
        assert first != second
    assert not first.keys() & factory.resource.references.keys()


@pytest.mark.parametrize(("api", "name"), RESOURCES)
def test_a_change_shows_and_is_free(api, name):
    """A changed member fits, is bound to nothing, and has a value that no record has where it takes a text."""
    factory, one = factory_of(api, name), making(3, 1)
    if not factory.free:
        with pytest.raises(NotApplicableError, match="no member"):
            factory.fresh_change(one, "c")
        return
    ((member, value),) = factory.fresh_change(one, "c").items()
    assert member in factory.free
    assert factory.members[member].is_valid(value)
    assert one.names.is_fresh(value) or not any(takes_text(factory, free) for free in factory.free)
    if len(factory.free) > 1:
        assert member not in factory.fresh_change(one, "d", besides=[member])
    else:
        with pytest.raises(NotApplicableError, match="no second member"):
            factory.fresh_change(one, "d", besides=[member])


@pytest.mark.parametrize(("api", "name"), RESOURCES)
def test_one_member_is_broken_and_not_a_spared_one(api, name):
    """Each variant breaks the schema of exactly one member, in the way that was asked for."""
    factory, one = factory_of(api, name), making(5, 1)
    values = factory.fresh_record(one, "r", {})
    spared = {factory.resource.key, *factory.unique}
    for mutation in factory.broken_members(values, Random(1), spared=spared, keywords=WORDS):
        wrong = [member for member, value in mutation.value.items() if not factory.members[member].is_valid(value)]
        assert len(wrong) == 1
        assert wrong[0] not in spared
        assert mutation.pointer.startswith(f"/{wrong[0]}")
        assert mutation.keyword in WORDS


def test_what_is_left_out_is_not_what_the_record_is_known_by():
    """An incomplete record lacks a member that it needs, another one than a spared one if there is one."""
    factory = factory_of("shelves", "book")
    required = factory.resource.required
    values = dict.fromkeys(required, 1)
    for spared in ((), required[:1], required):
        (lacking,) = values.keys() - factory.without_required(values, making(1, 1), spared).keys()
        assert lacking not in spared or len(spared) == len(required)


def test_targets_of_a_fan_out_are_told_by_examples():
    """The first target of an example comes first; an operation without a fan-out names none."""
    contract = CONTRACTS["genero"]
    fanned = [one for one in contract.operations if one.bulk and one.bulk.items.fan_out is not None]
    named = named_targets(contract, fanned)
    assert named.first
    assert not set(named.first) & set(named.others)
    plain = [one for one in contract.operations if one not in fanned]
    assert named_targets(contract, plain) == ((), ())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "string", "format": "email"},
        {"type": "string", "format": "uri"},
        {"type": "string", "format": "hostname"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{6}$"},
    ],
)
def test_two_trials_never_have_a_fresh_value_in_common(schema):
    """A value that another trial has too would be taken for its record: a trace that a refused request never left."""
    bound = SchemaSet({"": schema}).schema("#")
    trials = [Names(prefix=f"B{n}", number=FIRST_NUMBER + 1000 * n) for n in range(20)]
    values = [names.fresh_value(bound, "0") for names in trials]
    assert len(set(values)) == len(trials)
    assert all(bound.is_valid(value) for value in values)


CLOSED = {"type": "object", "additionalProperties": False, "properties": {"title": {"type": "string"}}}
PATHS = {"/books/{code}": {"put": {"operationId": "putBook", "responses": {"200": {"description": "done"}}}}}


def closed_factory(folder):
    """Return a factory of records whose schema has no member for the key, which stands in the path."""
    books = {"schema": CLOSED, "key": "code", "unique": [["title"]], "required": ["title"]}
    head = {"openapi": "3.1.0", "info": {"title": "Books", "version": "1"}, "paths": PATHS}
    (folder / "books.json").write_text(dumps({**head, "x-resources": {"books": books}}))
    contract = load(folder / "books.json")
    return RecordFactory(contract, contract.resources["books"], fallback=None, target_schema=None)


def test_a_key_that_the_schema_has_no_member_for_is_beside_the_record(tmp_path):
    """A closed schema without the key is that of the body alone: its members fit, and the key is made all the same."""
    factory = closed_factory(tmp_path)
    made = factory.fresh_record(making(3, 1), "r", {})
    assert made.keys() == {"code", "title"}
    assert not factory.fits({**made, "pages": 1}, partial=False)


@pytest.mark.parametrize(
    ("limits", "least"),
    [({}, -1.5), ({"type": "integer"}, -1), ({"minimum": 1}, 1), ({"minimum": 0, "maximum": 40}, 1)],
)
def test_numbers_that_lists_are_tried_on_are_those_that_a_member_may_have(tmp_path, limits, least):
    """Whatever the ends of a member's range, filters and orders are tried on numbers in it, the most telling first."""
    size = {"type": "number", **limits}
    schemas = {"Book": {"type": "object", "properties": {"size": size}}}
    books = {"key": "id", "assigned": True, "schema": {"$ref": "#/components/schemas/Book"}}
    head = {"openapi": "3.1.0", "info": {"title": "Books", "version": "1"}, "paths": {}}
    document = {**head, "x-resources": {"books": books}, "components": {"schemas": schemas}}
    (tmp_path / "books.json").write_text(dumps(document))
    contract = load(tmp_path / "books.json")
    columns = columns_of(RecordFactory(contract, contract.resources["books"], fallback=None, target_schema=None))
    assert (columns.number, min(columns.numbers)) == ("size", least)
    assert all(
        contract.schemas.schema(contract.resources["books"].schema).is_valid({"size": n}) for n in columns.numbers
    )

"""`x-faker` says what a value is about: honoured where it fits the schema, and nowhere else."""

from random import Random

import pytest

from contracts.schemas.faker_names import PROVIDERS
from contracts.schemas.schema_set import SchemaSet
from generators.data.best_effort import made_of
from generators.data.compile import compile_schema
from generators.data.formats import faked

NAMES = faked("first_name")
HONOURED = [
    ({"type": "string", "x-faker": "name.firstName"}, "first_name"),
    ({"type": "string", "x-faker": "first_name"}, "first_name"),
    ({"type": "string", "format": "email", "x-faker": "internet.email"}, "email"),
    ({"type": "string", "format": "date-time", "x-faker": "date.past"}, "past_datetime"),
    ({"type": "string", "format": "uuid", "x-faker": "datatype.uuid"}, "uuid4"),
    ({"type": ["integer", "null"], "maximum": 9999, "x-faker": "datatype.number"}, "random_int"),
    ({"x-faker": "address.latitude"}, "latitude"),
]
LEFT = [
    {"type": "integer", "minimum": 3, "x-faker": "name.firstName"},
    {"type": "string", "maxLength": 1, "x-faker": "name.firstName"},
    {"type": "string", "x-faker": "name.unheardOf"},
    {"enum": ["x"], "x-faker": "name.firstName"},
    {"type": "string", "x-faker": {"helpers.arrayElement": [["a"]]}},
]


@pytest.mark.parametrize(("schema", "provider"), HONOURED)
@pytest.mark.parametrize("profile", ["plain", "realistic"])
def test_a_known_name_is_honoured(schema, provider, profile):
    """Values are those of the provider, by the seed as all others."""
    generator = compile_schema(schema, profile=profile)
    values = [*generator.stream(1, 8)]
    assert set(values) <= set(faked(provider))
    assert values == [*generator.stream(1, 8)]
    assert len(set(values)) > 1


@pytest.mark.parametrize("schema", LEFT)
def test_what_does_not_fit_is_left_out(schema):
    """The schema wins."""
    assert compile_schema(schema).draw(Random(1)) not in NAMES


def test_a_part_that_fits_is_kept():
    """Of the provider's values those count that the schema accepts; the wide profile takes none."""
    schema = {"type": "string", "maxLength": 4, "x-faker": "name.firstName"}
    assert {len(one) <= 4 and one in NAMES for one in compile_schema(schema).stream(1, 9)} == {True}
    assert not set(compile_schema(schema, profile="wide").stream(1, 9)) & set(NAMES)


def test_answers_of_the_mock_have_such_values():
    """An example comes first where one is given."""
    person = {"type": "object", "properties": {"name": {"type": "string", "x-faker": "name.firstName"}}}
    schema = SchemaSet({"p": person}).schema("p#")
    assert made_of(schema, 1).value["name"] in NAMES
    person["properties"]["name"]["example"] = "Ann"
    assert made_of(SchemaSet({"p": person}).schema("p#"), 1).value == {"name": "Ann"}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_each_provider_makes_json_and_reads_no_clock(provider):
    """Faker has each of them, and the same values come each time."""
    values = faked(provider)
    assert len(values) > 50
    assert {type(one) for one in values} <= {str, int, float, bool}
    assert not [one for one in map(str, values) if one.startswith("2026-") and provider != "future_datetime"]

"""Values: valid for every keyword, the same for the same seed, and cut into slices without a seam."""

import json
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_schemas import FORMATS, OPINIONS, SCHEMAS, second_opinion

import contracts
from contracts.openapi.loading import load_bundled
from generators.data import formats
from generators.data.compile import compile_schema, generate, stream
from generators.errors import UnsatisfiableError

IMPOSSIBLE = {
    "false": (False, "#", "false"),
    "enum": ({"type": "string", "enum": [1]}, "#", "enum"),
    "member": ({"type": "object", "required": ["a"], "properties": {"a": False}}, "#/properties/a", "false"),
    "types": (
        {"properties": {"a": {"allOf": [{"type": "string"}, {"type": "integer"}]}}, "required": ["a"]},
        "#/properties/a",
        "type",
    ),
    "circle": ({"$ref": "#"}, "#", "$ref"),
    "endless": ({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}, "#", "$ref"),
    "nothing there": ({"$ref": "#/$defs/none"}, "#", "$ref"),
    "bounds": ({"type": "integer", "minimum": 3, "maximum": 2}, "#", "minimum"),
    "steps": ({"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9}, "#", "multipleOf"),
    "lengths": ({"type": "string", "minLength": 3, "maxLength": 2}, "#", "minLength"),
    "pattern": ({"type": "string", "pattern": "^(?!)$"}, "#", "pattern"),
    "no pattern": ({"type": "string", "pattern": "("}, "#", "pattern"),
    "format": ({"type": "string", "format": "uuid", "maxLength": 3}, "#", "format"),
    "unique": ({"type": "array", "items": {"enum": [1, 2]}, "minItems": 3, "uniqueItems": True}, "#", "uniqueItems"),
    "items": ({"type": "array", "items": False, "minItems": 1}, "#/items", "false"),
    "names": ({"type": "object", "required": ["b"], "propertyNames": {"const": "a"}}, "#", "propertyNames"),
    "not": ({"type": "integer", "not": {}}, "#", "false"),
    "dynamic": (
        {"$dynamicAnchor": "a", "properties": {"b": {"$dynamicRef": "#a"}}, "required": ["b"]},
        "#/properties/b",
        "$ref",
    ),
}


def test_decimal_steps_are_exact():
    """A step that has no exact binary form is kept in decimal."""
    values = list(stream({"type": "number", "multipleOf": 0.01, "minimum": 4, "maximum": 5}, 1, 100))
    assert all(len(str(value)) <= 4 for value in values)
    assert len(set(values)) > 50


def test_there_is_a_second_opinion_on_every_format():
    """A validator passes whatever has a format that it does not know."""
    assert set(FORMATS) <= OPINIONS.checkers.keys()
    assert [text for text in ("http://é.example/ü?ö#ä", "http://a b", "é") if OPINIONS.conforms(text, "iri")] == [
        "http://é.example/ü?ö#ä"
    ]
    assert not OPINIONS.conforms("é\ue000", "iri-reference")


def dumped(values):
    return [json.dumps(value) for value in values]


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_are_valid_to_a_second_validator(name):
    """What is generated for a schema, another implementation than the one that checks inside finds valid too."""
    plain = compile_schema(SCHEMAS[name], profile="plain")
    edgy = compile_schema(SCHEMAS[name], edges=0.5)
    if "unicode" in name:  # Python's own expressions know no \\p
        return
    judge = second_opinion(SCHEMAS[name])
    for seed in range(3):
        for value in (*plain.stream(seed, 12), *edgy.stream(seed, 12)):
            judge.validate(value)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_is_said_with_place_and_keyword(name):
    """A schema without values is an error that names the pointer and the keyword, never a wrong value."""
    schema, pointer, keyword = IMPOSSIBLE[name]
    with pytest.raises(UnsatisfiableError) as caught:
        generate(schema, 1)
    assert (caught.value.pointer, caught.value.keyword) == (pointer, keyword)
    assert str(caught.value).startswith(f"{pointer}: ")


@pytest.mark.parametrize("name", ["bounds", "pattern", "tree", "open object", "format uuid", "one of"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name):
    """Values depend on the seed alone: two compilations agree, two seeds do not."""
    once, again, other = (dumped(stream(SCHEMAS[name], seed, 40)) for seed in (7, 7, -7))
    assert once == again
    assert once != other


@given(start=st.integers(0, 200), n=st.integers(0, 150), seed=st.integers())
@settings(max_examples=30, deadline=None)
def test_a_slice_is_the_same_part_of_the_whole(start, n, seed):
    """Value number i depends on (seed, i) alone, so that a stream may be made in shards."""
    generator = compile_schema(SCHEMAS["one of"])
    whole = dumped(generator.stream(seed, start + n))
    assert dumped(generator.stream(seed, n, start=start)) == whole[start:]


def test_streaming_holds_one_value_at_a_time():
    """Memory does not grow with the number of values."""
    generator = compile_schema(SCHEMAS["pattern"])

    def peak(n):
        tracemalloc.start()
        for _ in generator.stream(1, n):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(64)
    assert peak(4000) < 3 * peak(400)  # ten times, if they were kept


def test_both_ways_of_a_choice_are_taken():
    """A choice is drawn, not decided once: each branch, each type, each optional member occurs and is missing."""
    drawn = list(stream(SCHEMAS["one of"], 1, 60))
    assert {tuple(value) for value in drawn} == {("a",), ("b",)}
    assert {type(value) for value in stream(SCHEMAS["types"], 1, 60)} == {str, bool, type(None)}
    assert {len(value) for value in stream(SCHEMAS["dependent"], 1, 60)} >= {0, 2, 4}


def test_recursion_ends_and_still_branches():
    """A schema that refers to itself gives trees of several depths, none endless."""

    def depth(tree):
        return 1 + max((depth(kid) for kid in tree.get("kids", ())), default=0)

    depths = {depth(tree) for tree in stream(SCHEMAS["tree"], 1, 100)}
    assert 1 in depths
    assert 3 <= max(depths) <= 6


def test_values_of_a_large_schema_stay_small():
    """A schema of many branches that lead back to each other gives values of a bounded size: OpenAPI's own."""
    schema = json.loads((Path(contracts.__file__).parent / "openapi.schema.json").read_text())
    sizes = [len(json.dumps(value)) for value in stream(schema, 1, 30)]
    assert max(sizes) < 300_000
    assert max(sizes) > 2_000


def test_names_and_formats_make_text_realistic_within_the_limits():
    """Faker's text is taken by a property's name, and only what the schema allows of it."""
    properties = {"name": {"maxLength": 12}, "billingCity": {"pattern": "^[A-M]"}, "email": {"format": "email"}}
    schema = {
        "required": [*properties],
        "properties": {name: {"type": "string", **said} for name, said in properties.items()},
    }
    for value in compile_schema(schema, edges=0).stream(1, 50):
        assert re.fullmatch(r"[\w.' -]{2,12}", value["name"])
        assert re.match(r"[A-M][a-z]+", value["billingCity"])
        assert value["email"].endswith(("example.com", "example.org", "example.net"))
    plain = next(compile_schema(schema, profile="plain").stream(1, 1))
    assert re.fullmatch("[A-Za-z0-9]+", plain["name"])


def test_without_faker_values_are_plain_and_as_valid(monkeypatch):
    """Faker is an extra: where it is not installed, text has no meaning and the schema is kept all the same."""
    monkeypatch.setitem(sys.modules, "faker", None)
    for cached in (formats.pool, formats._faker):  # noqa: SLF001 - what was drawn before is forgotten
        cached.cache_clear()
    schema = {"required": ["name", "city"], "properties": {"name": {"type": "string"}, "city": {"maxLength": 3}}}
    try:
        made = list(compile_schema(schema, edges=0).stream(1, 20))
    finally:
        for cached in (formats.pool, formats._faker):  # noqa: SLF001 - the same
            cached.cache_clear()
    assert all(re.fullmatch("[A-Za-z0-9]+", value["name"]) and len(value["city"]) <= 3 for value in made)


@pytest.mark.slow
@pytest.mark.parametrize("api", ["genero", "onkey"])
def test_every_bundled_schema_has_values(api):
    """For each schema file of a bundled contract valid values are made, whatever document it refers to."""
    loaded = load_bundled(api)
    files = sorted(Path(contracts.__file__).parent.glob(f"bundled/{api}/schemas/*.json"))
    uris = [uri for uri in loaded.schemas.documents if uri.endswith(tuple(f"/schemas/{file.name}" for file in files))]
    assert len(uris) == len(files) > 20
    for uri in uris:
        schema = loaded.schemas.schema(f"{uri}#")
        judge = second_opinion(schema.standalone())
        for value in compile_schema(schema).stream(5, 5):
            judge.validate(value)

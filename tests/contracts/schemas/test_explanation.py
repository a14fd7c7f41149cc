"""What is wrong with a value is told once, where it is, by the keyword that it breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.messages import ABSENT
from contracts.openapi.validation import Report, validate_value
from contracts.schemas.schema_set import SchemaSet
from contracts.schemas.violations import Violation
from contracts.syntax.text import look_up, pointer_of

ITEM = {
    "type": "object",
    "required": ["blockId"],
    "additionalProperties": False,
    "properties": {
        "blockId": {"type": "string", "minLength": 1, "maxLength": 5},
        "name": {"type": "string", "pattern": "^[a-z ]*$"},
        "deleted": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "maxItems": 3},
    },
}
BATCH = {"type": "array", "minItems": 1, "maxItems": 6000, "items": ITEM}
ENVELOPE = {"type": "object", "required": ["data"], "properties": {"data": BATCH}}


def schema(raw):
    """Return a schema that stands alone."""
    return SchemaSet({"s": raw}).schema("s#")


def told(raw, value, **options):
    """Return what is told of a value as pointer, rule and detail."""
    return [(one.pointer, one.rule, one.detail) for one in validate_value(schema(raw), value, **options)]


@pytest.mark.parametrize(
    ("raw", "value", "expected"),
    [
        ({"type": "string"}, 1, [("", "type", "The body must be a string.")]),
        ({"type": ["integer", "null"]}, "1", [("", "type", "The body must be an integer or null.")]),
        ({"enum": ["a", "b"]}, "c", [("", "enum", 'The body must be "a" or "b".')]),
        (
            {"enum": ["alpha", "beta"]},
            "alhpa",
            [("", "enum", 'The body must be "alpha" or "beta". Did you mean \'alpha\'?')],
        ),
        ({"const": {"a": 1}}, 1, [("", "const", "The body must be an object of 1 member.")]),
        ({"minimum": 3}, 2, [("", "minimum", "The body must be at least 3.")]),
        ({"exclusiveMaximum": 3}, 3, [("", "exclusiveMaximum", "The body must be less than 3.")]),
        ({"multipleOf": 0.5}, 0.7, [("", "multipleOf", "The body must be a multiple of 0.5.")]),
        ({"minLength": 1}, "", [("", "minLength", "The body must have at least 1 character.")]),
        ({"pattern": "^a"}, "b", [("", "pattern", "The body must have the form ^a.")]),
        ({"format": "uuid"}, "b", [("", "format", "The body must be a UUID.")]),
        ({"format": "email"}, "b", [("", "format", "The body must be an e-mail address.")]),
        (
            {"format": "date-time"},
            "b",
            [("", "format", "The body must be a date and time such as 2024-01-31T08:30:00Z.")],
        ),
        ({"uniqueItems": True}, [1, 1], [("", "uniqueItems", "The body must have no element twice.")]),
        ({"minProperties": 2}, {}, [("", "minProperties", "The body must have at least 2 members.")]),
        (
            {"contains": {"const": 1}, "minContains": 2},
            [1],
            [("", "contains", "The body must have elements of the required kind.")],
        ),
        ({"not": {"const": 1}}, 1, [("", "not", "The body must not be of the excluded form.")]),
        ({"properties": {"a": False}}, {"a": 1}, [("/a", "not", "'a' is not allowed here.")]),
        ({"required": ["a", "b"]}, {"b": 1}, [("", "required", "The body lacks 'a'.")]),
        (
            {"dependentRequired": {"a": ["b"]}},
            {"a": 1},
            [("", "dependentRequired", "The body lacks 'b', which 'a' needs.")],
        ),
        ({"dependentSchemas": {"a": {"required": ["c"]}}}, {"a": 1}, [("", "required", "The body lacks 'c'.")]),
        (
            {"propertyNames": {"enum": ["name"]}},
            {"nmae": 1},
            [("/nmae", "propertyNames", "'nmae' is not known here. Did you mean 'name'?")],
        ),
        (
            ITEM,
            {"blockId": "1", "nmae": 1},
            [("/nmae", "additionalProperties", "'nmae' is not known here. Did you mean 'name'?")],
        ),
        (
            {"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False},
            {"x-a": 1, "b": 2},
            [
                ("/x-a", "type", "'x-a' must be a string."),
                ("/b", "additionalProperties", "'b' is not known here."),
            ],
        ),
        (
            {"properties": {"a/b~c": {"type": "string"}}},
            {"a/b~c": 1},
            [("/a~1b~0c", "type", "'a/b~c' must be a string.")],
        ),
        (
            {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
            [1, "a"],
            [
                ("/0", "type", "An element must be a string."),
                ("/1", "type", "An element must be an integer."),
            ],
        ),
        (
            {"allOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            [
                ("", "required", "The body lacks 'a'."),
                ("", "required", "The body lacks 'b'."),
            ],
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
            {"a": 1},
            [("", "required", "The body lacks 'b'.")],
        ),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
            {},
            [("", "required", "The body lacks 'c'.")],
        ),
        (
            {"properties": {"a": True}, "unevaluatedProperties": False},
            {"b": 1},
            [("/b", "unevaluatedProperties", "'b' is not known here.")],
        ),
    ],
)
def test_each_keyword_is_told(raw, value, expected):
    """A broken keyword is told with the true pointer and one sentence."""
    assert told(raw, value) == expected


SHAPES = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind", "radius"],
            "properties": {"kind": {"const": "round"}, "radius": {"type": "number"}},
        },
        {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"const": "flat"}, "sides": {"type": "integer"}},
        },
    ]
}


@pytest.mark.parametrize(
    ("raw", "value", "expected"),
    [
        (SHAPES, {"kind": "round"}, [("", "required", "The body lacks 'radius'.")]),
        (SHAPES, {"kind": "flat", "sides": "x"}, [("/sides", "type", "'sides' must be an integer.")]),
        (SHAPES, {"kind": "rond"}, [("/kind", "enum", "'kind' must be \"round\" or \"flat\". Did you mean 'round'?")]),
        (SHAPES, {"kind": 1}, [("/kind", "enum", '\'kind\' must be "round" or "flat".')]),
        (SHAPES, {}, [("", "required", "The body lacks 'kind'.")]),
        (SHAPES, 3, [("", "type", "The body must be an object.")]),
        ({"anyOf": [{"type": "null"}, ITEM]}, {"blockId": 1}, [("/blockId", "type", "'blockId' must be a string.")]),
        ({"anyOf": [{"type": "null"}, ITEM]}, 1, [("", "type", "The body must be null or an object.")]),
        (
            {"oneOf": [BATCH, ENVELOPE]},
            {"data": [{}]},
            [("/data/0", "required", "An element of 'data' lacks 'blockId'.")],
        ),
        ({"oneOf": [BATCH, ENVELOPE]}, [{}], [("/0", "required", "An element lacks 'blockId'.")]),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3, [("", "oneOf", "The body fits more than one of its forms.")]),
        ({"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]}, {}, [("", "required", "The body lacks 'c'.")]),
    ],
)
def test_a_choice_is_told_by_what_was_meant(raw, value, expected):
    """Of several forms the one that was meant is explained: by its tag, by its type, else the nearest."""
    assert told(raw, value) == expected


def test_a_discriminator_chooses():
    """OpenAPI's discriminator chooses the form, by its mapping and by schema names."""
    documents = {
        "d": {
            "Pet": {
                "oneOf": [{"$ref": "d#/Cat"}, {"$ref": "d#/Dog"}],
                "discriminator": {"propertyName": "kind", "mapping": {"kitty": "d#/Cat"}},
            },
            "Cat": {"type": "object", "required": ["lives"], "properties": {"kind": {"type": "string"}}},
            "Dog": {"type": "object", "required": ["bark"], "properties": {"kind": {"type": "string"}}},
        }
    }
    pet = SchemaSet(documents).schema("d#/Pet")
    details = [[one.detail for one in validate_value(pet, {"kind": kind})] for kind in ("kitty", "Dog", "Fish")]
    assert details == [["The body lacks 'lives'."], ["The body lacks 'bark'."], ['\'kind\' must be "kitty" or "Dog".']]


def batch(*changes):
    """Return 10 good items, with some replaced."""
    items = [{"blockId": str(n)} for n in range(10)]
    for n, item in changes:
        items[n] = item
    return items


def test_like_faults_are_one_group():
    """Items that break the same rule of the same field are one violation with the first pointer and their number."""
    items = batch((3, {"blockId": ""}), (5, {"blockId": "", "nmae": 1}), (7, {}), (8, 4))
    report = validate_value(schema(ENVELOPE), {"data": items}, items_at=("/data",))
    assert [(one.pointer, one.rule, one.items, one.field) for one in report] == [
        ("/data/3/blockId", "minLength", 2, "blockId"),
        ("/data/5/nmae", "additionalProperties", 1, "nmae"),
        ("/data/7", "required", 1, "data"),
        ("/data/8", "type", 1, "data"),
    ]
    assert (report.total, report.bad_items) == (5, 4)
    assert [one.detail for one in report][2:] == ["An item lacks 'blockId'.", "An item must be an object."]
    assert report.violations[1].hint == "name"


def test_an_item_counts_once_in_a_group():
    """Two faults of one kind in one item are two faults in one item."""
    report = validate_value(schema(BATCH), batch((2, {"blockId": "1", "tags": [1, 2]})), items_at=("",))
    assert [(one.pointer, one.items) for one in report] == [("/2/tags/0", 1)]
    assert (report.total, report.bad_items) == (2, 1)


def test_members_of_a_map_can_be_items():
    """Where items are a map's members each bad member counts."""
    raw = {"type": "object", "additionalProperties": ITEM}
    report = validate_value(schema(raw), {"a": {}, "b": {"blockId": "1"}, "c": {}}, items_at=("",))
    assert (report.total, report.bad_items, report.violations[0].items) == (2, 2, 2)


def test_only_so_many_groups_are_listed():
    """The list is capped, the count is not."""
    report = validate_value(schema(BATCH), [{"blockId": "1", f"x{n}": 1} for n in range(500)], items_at=("",))
    assert (len(report), report.total, report.bad_items) == (100, 500, 500)
    assert len(validate_value(schema(BATCH), [{"blockId": "1", f"x{n}": 1} for n in range(50)], most=7)) == 7


def test_the_envelope_is_told_beside_the_items():
    """A fault of the list itself does not hide those of its items."""
    report = validate_value(schema(BATCH), [{}] * 6001, items_at=("",))
    assert [(one.pointer, one.rule, one.items) for one in report] == [("", "maxItems", 1), ("/0", "required", 6001)]
    assert report.total == 6002


def test_nothing_carries_the_body():
    """No member of a violation grows with the value."""
    huge = {"data": [{"blockId": "x" * 10_000, "y" * 10_000: ["z" * 10_000]}]}
    for one in validate_value(schema(ENVELOPE), huge, items_at=("/data",)):
        assert len(one.got) <= 80
        assert len(one.expected) <= 80


def test_a_valid_value_has_an_empty_report():
    """What fits has no violations, and its report is false."""
    report = validate_value(schema(BATCH), batch())
    assert report == Report()
    assert not report
    assert [*report] == []


def test_violations_are_values():
    """Violations compare by what they say."""
    (one,) = validate_value(schema({"type": "string"}), 1)
    assert one == Violation(
        side="call",
        where="body",
        pointer="",
        rule="type",
        expected="a string",
        got="1",
        detail="The body must be a string.",
    )


SIMPLE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 7) | st.sampled_from(["", "a", "abc def", "ABCDEFG", 1.5]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["blockId", "name", "deleted", "tags", "data", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
PLAIN = [
    ITEM,
    BATCH,
    ENVELOPE,
    {"items": {"$ref": "s#"}, "maxItems": 2, "minProperties": 1, "additionalProperties": {"$ref": "s#"}},
]


def expected_of(raw, value):
    """Return pointer and keyword of every fault as jsonschema tells them, unknown members at their own place."""
    alone = schema(raw).standalone()
    found = []
    for error in Draft202012Validator(alone).iter_errors(value):
        at = [*error.absolute_path]
        extras = (
            [name for name in error.instance if name not in error.schema["properties"]]
            if error.validator == "additionalProperties" and error.validator_value is False
            else [None]
        )
        found += [(pointer_of(at if name is None else [*at, name]), error.validator) for name in extras]
    return sorted(found)


@given(st.sampled_from(PLAIN), SIMPLE)
def test_faults_are_those_that_jsonschema_finds(raw, value):
    """For schemas without choices each single fault is one that jsonschema finds, and none is left out."""
    report = validate_value(schema(raw), value, most=1000)
    expected = expected_of(raw, value)
    assert report.total == len(expected)
    assert {(one.pointer, one.rule) for one in report} <= set(expected)
    assert {rule for _, rule in expected} == {one.rule for one in report}


ANY_SCHEMA = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer"]),
            "enum": st.just(["a", 1]),
            "minLength": st.integers(0, 3),
            "maxItems": st.integers(0, 2),
            "required": st.just(["name"]),
            "properties": st.dictionaries(st.sampled_from(["name", "tags"]), ANY_SCHEMA, max_size=2),
            "additionalProperties": st.booleans(),
            "unevaluatedProperties": st.booleans(),
            "unevaluatedItems": st.booleans(),
            "items": ANY_SCHEMA,
            "contains": ANY_SCHEMA,
            "not": ANY_SCHEMA,
            "if": ANY_SCHEMA,
            "then": ANY_SCHEMA,
            "else": ANY_SCHEMA,
            "allOf": st.lists(ANY_SCHEMA, min_size=1, max_size=2),
            "anyOf": st.lists(ANY_SCHEMA, min_size=1, max_size=2),
            "oneOf": st.lists(ANY_SCHEMA, min_size=1, max_size=2),
            "dependentSchemas": st.dictionaries(st.sampled_from(["name", "tags"]), ANY_SCHEMA, max_size=1),
        },
    )
)


@pytest.mark.slow
@given(ANY_SCHEMA, SIMPLE)
def test_what_does_not_fit_is_always_explained(raw, value):
    """A report is empty exactly when the value fits, and its pointers lead to places in the value."""
    report = validate_value(schema(raw), value)
    assert bool(report) == (not Draft202012Validator(raw).is_valid(value))
    assert len(report) <= report.total
    for one in report:
        assert look_up(value, one.pointer) is not ABSENT
        assert one.detail.endswith((".", "?"))

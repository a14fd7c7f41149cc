"""Changes of schemas: judged by direction, proven where that can be, shown by values."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.diff.compatibility import SchemaComparer
from contracts.diff.structure import edits
from contracts.messages import ABSENT
from contracts.schemas.schema_set import SchemaSet
from generators.contract_diff import find_witness
from generators.data.compile import compile_schema
from generators.errors import UnsatisfiableError

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def of(members, **more):
    return {"type": "object", "properties": members, **more}


def schema(raw):
    return SchemaSet({"": raw}).schema("#")


def changes(old, new, direction, find=find_witness):
    judge = SchemaComparer(find=find)
    return [*judge.compare(schema(old), schema(new), direction=direction, operation="", place="")]


# old, new, the keyword, its place; what fits less in the new one
NARROWED = [
    ({"type": ["string", "null"]}, TEXT, "type", ""),
    ({"type": "number"}, WHOLE, "type", ""),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, "enum", ""),
    (TEXT, {"const": "a"}, "enum", ""),
    ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 5}, "maxLength", ""),
    (TEXT, {"type": "string", "minLength": 1}, "minLength", ""),
    (TEXT, {"type": "string", "pattern": "^a"}, "pattern", ""),
    (TEXT, {"type": "string", "format": "uuid"}, "format", ""),
    (WHOLE, {"type": "integer", "minimum": 1}, "minimum", ""),
    ({"type": "number", "maximum": 9}, {"type": "number", "exclusiveMaximum": 9}, "maximum", ""),
    ({"type": "integer", "multipleOf": 5}, {"type": "integer", "multipleOf": 10}, "multipleOf", ""),
    (
        {"type": "array", "items": TEXT, "maxItems": 100},
        {"type": "array", "items": TEXT, "maxItems": 50},
        "maxItems",
        "",
    ),
    ({"type": "array", "items": TEXT}, {"type": "array", "items": TEXT, "uniqueItems": True}, "uniqueItems", ""),
    (
        {"type": "array", "items": TEXT},
        {"type": "array", "items": {"type": "string", "maxLength": 3}},
        "maxLength",
        "/*",
    ),
    ({"type": "array"}, {"type": "array", "contains": WHOLE}, "contains", ""),
    ({"type": "array"}, {"type": "array", "prefixItems": [TEXT]}, "type", "/0"),
    (of({"a": TEXT}), of({"a": TEXT}, required=["a"]), "required", ""),
    (of({"a": TEXT}), of({"a": {"type": "string", "maxLength": 3}}), "maxLength", "/a"),
    (of({"a": of({"b": TEXT})}), of({"a": of({"b": {"const": "x"}})}), "enum", "/a/b"),
    (of({"a": TEXT}), of({"a": TEXT}, additionalProperties=False), "additionalProperties", ""),
    (
        of({"a": TEXT, "b": TEXT}, additionalProperties=False),
        of({"a": TEXT}, additionalProperties=False),
        "properties",
        "",
    ),
    (
        of({}, additionalProperties=TEXT),
        of({}, additionalProperties={"type": "string", "maxLength": 3}),
        "maxLength",
        "/*",
    ),
    (of({}, patternProperties={"^x": TEXT}), of({}, patternProperties={"^x": {"const": "y"}}), "enum", "/*"),
    (of({"a": TEXT, "b": TEXT}), of({"a": TEXT, "b": TEXT}, dependentRequired={"a": ["b"]}), "dependentRequired", ""),
    (of({}), of({}, maxProperties=1), "maxProperties", ""),
    (of({}), of({}, propertyNames={"maxLength": 2}), "maxLength", ""),
    ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT]}, "anyOf", ""),
    (
        {"oneOf": [of({"k": {"const": "a"}}, required=["k"]), of({"k": {"const": "b"}}, required=["k"])]},
        {"oneOf": [of({"k": {"const": "a"}}, required=["k"])]},
        "oneOf",
        "",
    ),
    (TEXT, {"type": "string", "not": {"const": "no"}}, "not", ""),
    ({"allOf": [TEXT]}, {"allOf": [TEXT, {"maxLength": 3}]}, "allOf", ""),
    (of({"a": WHOLE}), of({"a": WHOLE}, **{"if": {"required": ["a"]}, "then": {"required": ["b"]}}), "if", ""),
    (
        {"anyOf": [{"type": "string", "title": "T", "maxLength": 9}, WHOLE]},
        {"anyOf": [{"type": "string", "title": "T", "maxLength": 5}, WHOLE]},
        "maxLength",
        "",
    ),
]


@pytest.mark.parametrize(("old", "new", "keyword", "place"), NARROWED)
def test_a_narrower_request_and_a_wider_response_break_and_a_value_shows_it(old, new, keyword, place):
    """A change that takes values away breaks requests, its reverse breaks responses; the witness fits only one side."""
    narrow, wide = schema(new), schema(old)
    for direction, sides in (("request", (old, new)), ("response", (new, old))):
        (found,) = [one for one in changes(*sides, direction) if one.severity == "error"]
        assert (found.rule.split("-")[1], found.place, found.proof) == (keyword, place, "witness")
        assert wide.is_valid(found.witness)
        assert not narrow.is_valid(found.witness)


@pytest.mark.parametrize(("old", "new", "keyword"), [one[:3] for one in NARROWED])
def test_a_wider_request_and_a_narrower_response_break_nobody(old, new, keyword):
    """The same changes in the other direction are told as what they are: harmless."""
    for direction, sides in (("request", (new, old)), ("response", (old, new))):
        found = changes(*sides, direction)
        assert keyword in {one.rule.split("-")[1] for one in found}
        assert {one.severity for one in found} == {"info"}


# old and new, written otherwise: the same values fit
ALIKE = [
    ({"type": "string", "maxLength": 5}, {"allOf": [TEXT, {"maxLength": 5}]}),
    ({"enum": ["a", "b"]}, {"anyOf": [{"const": "a"}, {"const": "b"}]}),
    ({"type": "integer", "minimum": 1}, {"type": "integer", "exclusiveMinimum": 0}),
    ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
    ({"type": "string", "minLength": 0}, TEXT),
    (of({"a": TEXT}, description="one"), of({"a": {"type": "string", "title": "other"}})),
]


@pytest.mark.parametrize(("old", "new"), ALIKE)
@pytest.mark.parametrize("direction", ["request", "response"])
def test_the_same_written_otherwise_breaks_nobody(old, new, direction):
    """Where it can be proven that a schema takes what it must, what is written otherwise is no breaking change."""
    assert {one.severity for one in changes(old, new, direction)} <= {"info"}


def test_members_of_open_objects_may_come_and_are_missed_when_they_go():
    """A described member where anything was allowed breaks nobody; one that is not described any more is a warning."""
    one, two = of({"a": TEXT}), of({"a": TEXT, "b": WHOLE})
    for direction in ("request", "response"):
        assert [each.severity for each in changes(one, two, direction)] == ["info"]
        assert [each.severity for each in changes(two, one, direction)] == ["warning"]


def test_what_no_value_decides_is_a_warning():
    """Two patterns that match the same are not known to: neither proof nor witness, so nothing is claimed."""
    one, two = {"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^(a|aa)+$"}
    for direction in ("request", "response"):
        assert [(each.severity, each.witness) for each in changes(one, two, direction)] == [("warning", ABSENT)]


def test_without_a_finder_what_a_rule_says_stands():
    """Witnesses are an addition: without them a narrower limit breaks, and another pattern may."""
    narrower = changes({"maxLength": 9}, {"maxLength": 5}, "request", find=None)
    other = changes({"pattern": "^a"}, {"pattern": "^b"}, "request", find=None)
    assert [(one.severity, one.witness) for one in narrower] == [("error", ABSENT)]
    assert [one.severity for one in other] in (["warning"], ["error"])


def test_schemas_that_refer_to_themselves_are_compared():
    """A circle of references is walked once."""

    def tree(most):
        node = {"type": "object", "properties": {"v": {"type": "integer", "maximum": most}}}
        node["properties"]["kids"] = {"type": "array", "items": {"$ref": "#/$defs/node"}}
        return {"$defs": {"node": node}, "allOf": [{"$ref": "#/$defs/node"}]}

    (found,) = changes(tree(9), tree(5), "request")
    assert (found.rule, found.severity, found.place) == ("request-maximum-narrowed", "error", "/v")


def test_a_witness_is_small_and_shows_its_own_change():
    """What is not needed to show a change is left out, and other changes are not what it shows."""
    old = of({"a": TEXT, "b": {"type": "string", "maxLength": 9}, "c": WHOLE})
    new = of({"a": TEXT, "b": {"type": "string", "maxLength": 5}, "c": WHOLE}, required=["a"])
    found = {one.rule: one.witness for one in changes(old, new, "request")}
    assert found["request-required-narrowed"] == {}
    assert found["request-maxLength-narrowed"].keys() == {"a", "b"}


def test_witnesses_are_the_same_every_time():
    """The same two schemas give the same witness."""
    pair = of({"a": TEXT}), of({"a": {"type": "string", "pattern": "^[0-9]+$"}})
    assert changes(*pair, "request") == changes(*pair, "request")


leaves = st.one_of(
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-3, 3),
        st.integers(0, 5),
    ),
    st.lists(st.sampled_from(["a", "b", 1, None, True]), min_size=1, max_size=4, unique_by=repr).map(
        lambda them: {"enum": them}
    ),
    st.sampled_from([{"type": "null"}, {"type": ["string", "integer"]}, {"type": "boolean"}]),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            lambda members, needed, closed: of(
                members,
                required=[one for one in needed if one in members],
                **({"additionalProperties": False} if closed else {}),
            ),
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            st.lists(st.sampled_from("abc"), unique=True),
            st.booleans(),
        ),
        st.builds(lambda one, most: {"type": "array", "items": one, "maxItems": most}, inner, st.integers(0, 4)),
        st.lists(inner, min_size=1, max_size=3).map(lambda them: {"anyOf": them}),
    ),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(schemas, schemas)
def test_no_breaking_change_goes_untold(old, new):
    """Whenever a value of the old schema does not fit the new one, some change of the request is no mere info."""
    try:
        values = [*compile_schema(old).stream(1, 40)]
    except UnsatisfiableError:
        return
    refused = [one for one in values if not schema(new).is_valid(one)]
    if refused and not _is_about_new_members(old, new):
        assert {"error", "warning"} & {one.severity for one in changes(old, new, "request")}


def _is_about_new_members(old, new):
    """Tell whether the only news is that members of open objects are described, which is never called a breach."""
    return any(edit.max_severity == "info" for edit in edits(schema(old), schema(new)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(schemas, schemas)
def test_requests_and_responses_mirror_each_other(old, new):
    """What a change does to a request, its reverse does to a response; and every witness fits one side alone."""
    forth, back = changes(old, new, "request"), changes(new, old, "response")
    assert ("error" in {one.severity for one in forth}) is ("error" in {one.severity for one in back})
    for one in (*forth, *back):
        if one.witness is not ABSENT:
            assert schema(old).is_valid(one.witness)
            assert not schema(new).is_valid(one.witness)

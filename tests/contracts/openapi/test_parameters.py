"""Parameters are taken apart by their styles and given the types that their schemas want."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request
from contracts.openapi.model import Operation, Parameter
from contracts.openapi.validation import parse_parameters
from contracts.schemas.schema_set import SchemaSet

NUMBERS = {"type": "array", "items": {"type": "integer"}}
COLOUR = {"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "integer"}}}


def parameter(schema, *, where="query", style=None, explode=None, required=False, name="p"):
    """Return a parameter with OpenAPI's defaults for what is not said."""
    style = style or {"query": "form", "cookie": "form"}.get(where, "simple")
    return Parameter(
        name=name,
        where=where,
        required=required,
        schema=SchemaSet({"s": schema}).schema("s#"),
        style=style,
        explode=style in {"form", "deepObject"} if explode is None else explode,
    )


def parsed(one, *, query=(), variables=None, headers=()):
    """Return the value of a parameter (None when it has none), and the rules that are broken."""
    operation = Operation(id="o", method="GET", path="/", pointer="", parameters=(one,))
    call = Request(method="GET", path="/", query=tuple(query), headers=Headers(headers))
    values, violations = parse_parameters(operation, call, variables or {})
    return values.get((one.where, one.name)), [violation.rule for violation in violations]


@pytest.mark.parametrize(
    ("schema", "text", "value", "rules"),
    [
        ({"type": "integer"}, "12", 12, []),
        ({"type": "integer"}, "-0", 0, []),
        ({"type": "integer"}, "1.0", "1.0", ["type"]),
        ({"type": "integer"}, "01", "01", ["type"]),
        ({"type": "integer"}, "٣", "٣", ["type"]),
        ({"type": "integer"}, "9" * 5000, "9" * 5000, ["type"]),
        ({"type": "number"}, "1e2", 100.0, []),
        ({"type": "number"}, "nan", "nan", ["type"]),
        ({"type": "boolean"}, "true", True, []),
        ({"type": "boolean"}, "True", "True", ["type"]),
        ({"type": "string"}, "12", "12", []),
        ({"type": ["integer", "null"]}, "", None, []),
        ({"type": ["integer", "string"]}, "7", 7, []),
        ({"anyOf": [{"type": "integer"}, {"const": "all"}]}, "all", "all", []),
        ({"type": "integer", "minimum": 1}, "0", 0, ["minimum"]),
        ({"enum": ["a", "b"]}, "c", "c", ["enum"]),
        ({}, "x", "x", []),
    ],
)
def test_single_values_have_their_type(schema, text, value, rules):
    """A text becomes what its schema wants; what does not fit stays text and breaks its rule."""
    assert parsed(parameter(schema), query=[("p", text)]) == (value, rules)


@pytest.mark.parametrize(
    ("style", "explode", "query"),
    [
        ("form", True, [("p", "1"), ("p", "2"), ("p", "3")]),
        ("form", False, [("p", "1,2,3")]),
        ("spaceDelimited", False, [("p", "1 2 3")]),
        ("pipeDelimited", False, [("p", "1|2|3")]),
        ("pipeDelimited", True, [("p", "1"), ("p", "2"), ("p", "3")]),
    ],
)
def test_arrays_in_a_query(style, explode, query):
    """Each style of an array in the query gives the same array."""
    assert parsed(parameter(NUMBERS, style=style, explode=explode), query=query) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("style", "explode", "text"),
    [
        ("simple", False, "1,2,3"),
        ("simple", True, "1,2,3"),
        ("label", False, ".1,2,3"),
        ("label", True, ".1.2.3"),
        ("matrix", False, ";p=1,2,3"),
        ("matrix", True, ";p=1;p=2;p=3"),
    ],
)
def test_arrays_in_a_path(style, explode, text):
    """Each style of an array in the path gives the same array."""
    one = parameter(NUMBERS, where="path", style=style, explode=explode, required=True)
    assert parsed(one, variables={"p": text}) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("style", "explode", "query"),
    [
        ("form", True, [("R", "100"), ("G", "200"), ("other", "1")]),
        ("form", False, [("p", "R,100,G,200")]),
        ("deepObject", True, [("p[R]", "100"), ("p[G]", "200")]),
        ("spaceDelimited", False, [("p", "R 100 G 200")]),
        ("pipeDelimited", False, [("p", "R|100|G|200")]),
    ],
)
def test_objects_in_a_query(style, explode, query):
    """Each style of an object in the query gives the same object."""
    assert parsed(parameter(COLOUR, style=style, explode=explode), query=query) == ({"R": 100, "G": 200}, [])
    assert parsed(parameter(COLOUR, style=style, explode=explode)) == (None, [])


@pytest.mark.parametrize(
    ("style", "explode", "text"),
    [
        ("simple", False, "R,100,G,200"),
        ("simple", True, "R=100,G=200"),
        ("label", False, ".R,100,G,200"),
        ("label", True, ".R=100.G=200"),
        ("matrix", False, ";p=R,100,G,200"),
        ("matrix", True, ";R=100;G=200"),
    ],
)
def test_objects_in_a_path(style, explode, text):
    """Each style of an object in the path gives the same object."""
    one = parameter(COLOUR, where="path", style=style, explode=explode, required=True)
    assert parsed(one, variables={"p": text}) == ({"R": 100, "G": 200}, [])


@pytest.mark.parametrize(("style", "text"), [("simple", "5"), ("label", ".5"), ("matrix", ";p=5")])
def test_single_values_in_a_path(style, text):
    """Each style of a single value in the path gives the same value."""
    one = parameter({"type": "integer"}, where="path", style=style, required=True)
    assert parsed(one, variables={"p": text}) == (5, [])


def test_headers_and_cookies():
    """Header names are read without regard to case, repeated fields as one list; cookies are found among others."""
    assert parsed(parameter(NUMBERS, where="header", name="X-P"), headers=[("x-p", "1, 2"), ("X-P", "3")]) == (
        [1, 2, 3],
        [],
    )
    cookie = parameter({"type": "integer"}, where="cookie")
    assert parsed(cookie, headers=[("Cookie", "q=1; p=2; r")]) == (2, [])
    assert parsed(cookie) == (None, [])


def test_json_in_a_parameter():
    """A parameter with content is read as JSON; text that is none breaks the type."""
    one = parameter(COLOUR, style="content")
    assert parsed(one, query=[("p", '{"R": 1}')]) == ({"R": 1}, [])
    assert parsed(one, query=[("p", "{R")]) == ("{R", ["type"])


def test_missing_repeated_and_default_values():
    """A required parameter may not be missing, a single one not repeated; a default fills in."""
    assert parsed(parameter({"type": "integer"}, required=True)) == (None, ["required"])
    assert parsed(parameter({"type": "integer"}), query=[("p", "1"), ("p", "1")]) == (None, ["maxItems"])
    assert parsed(parameter({"type": "integer", "default": 7})) == (7, [])


def test_violations_name_the_parameter():
    """A violation says where the parameter stands and what was expected, in a sentence."""
    operation = Operation(
        id="o",
        method="GET",
        path="/",
        pointer="",
        parameters=(parameter({"type": "integer", "maximum": 9}, name="take"),),
    )
    (one,) = parse_parameters(operation, Request(method="GET", path="/", query=(("take", "10"),)), {})[1]
    assert (one.where, one.pointer, one.rule, one.expected, one.got) == ("query:take", "", "maximum", "at most 9", "10")
    assert one.detail == "'take' must be at most 9."


@given(
    st.sampled_from(["form", "spaceDelimited", "pipeDelimited", "deepObject", "content"]),
    st.booleans(),
    st.sampled_from([NUMBERS, COLOUR, {"type": "integer"}, {}, {"type": ["array", "object", "null"]}]),
    st.lists(st.tuples(st.sampled_from(["p", "R", "p[R]", "p[", "p[]", "q"]), st.text(max_size=8)), max_size=4),
)
def test_no_query_raises(style, explode, schema, query):
    """Whatever the query, a parameter has a value or a violation."""
    parsed(parameter(schema, style=style, explode=explode), query=query)


@given(
    st.sampled_from(["simple", "label", "matrix"]),
    st.booleans(),
    st.sampled_from([NUMBERS, COLOUR]),
    st.text(max_size=12),
)
def test_no_path_value_raises(style, explode, schema, text):
    """Whatever stands in the path, a parameter has a value or a violation."""
    parsed(parameter(schema, where="path", style=style, explode=explode), variables={"p": text})

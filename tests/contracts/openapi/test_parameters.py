"""Parameters are taken apart by their styles and given the types that their schemas want."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request
from contracts.openapi.model import Operation, Parameter
from contracts.openapi.parameters import undeclared_query
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


FILTER = {
    "type": "object",
    "properties": {
        "price": {"type": "object", "properties": {"min": {"type": "integer"}}},
        "ids": {"type": "array", "items": {"type": "integer"}},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "free": {"type": "object", "additionalProperties": {"type": "boolean"}},
    },
}
NESTED = [
    ([("p[price][min]", "5")], {"price": {"min": 5}}),
    ([("p[ids][]", "1"), ("p[ids][]", "2")], {"ids": [1, 2]}),
    ([("p[ids][0]", "1"), ("p[ids][1]", "2")], {"ids": [1, 2]}),
    ([("p[ids][10]", "2"), ("p[ids][2]", "1")], {"ids": [1, 2]}),
    ([("p[ids]", "1")], {"ids": [1]}),
    ([("p[rows][0][n]", "1"), ("p[rows][1][n]", "2")], {"rows": [{"n": 1}, {"n": 2}]}),
    ([("p[free][a]", "true"), ("p[free][b c]", "false")], {"free": {"a": True, "b c": False}}),
    ([("p[price]", '{"min": 7}')], {"price": {"min": 7}}),
    ([("p", '{"ids": [1]}')], {"ids": [1]}),
]


@pytest.mark.parametrize(("query", "value"), NESTED, ids=str)
def test_deep_objects_may_be_nested(query, value):
    """Brackets lead into objects and arrays of any depth; JSON stands for either."""
    assert parsed(parameter(FILTER, style="deepObject"), query=[("q[price]", "1"), *query]) == (value, [])


@pytest.mark.parametrize("query", [[("p", "abc")], [("p[price][min]", "x")], [("p[ids][]", "x")], [("p[rows]", "x")]])
def test_what_is_no_deep_object_breaks_its_schema(query):
    """A text where an object stands, and texts of another type inside, are violations."""
    assert parsed(parameter(FILTER, style="deepObject"), query=query)[1] == ["type"]


def test_names_in_brackets_may_be_as_deep_as_somebody_likes():
    """A name of a thousand levels is read without harm."""
    assert parsed(parameter(FILTER, style="deepObject"), query=[("p" + "[a]" * 1000, "1")])[1] == []


def test_parameters_of_several_types():
    """A text is what it can be: an object or array as JSON, else a scalar of one of the types."""
    either = {"anyOf": [{"type": "string"}, COLOUR]}
    assert parsed(parameter(either, explode=False), query=[("p", "x")]) == ("x", [])
    assert parsed(parameter(either, explode=False), query=[("p", "R,1")]) == ({"R": 1}, [])
    assert parsed(parameter({"type": ["integer", "null"]}), query=[("p", "null")]) == (None, [])
    wrong = parameter(COLOUR, style="simple", where="path", required=True)
    assert parsed(wrong, variables={"p": "R,1,G"})[1] == ["type"]


def test_members_of_an_exploded_object():
    """A member that is an array takes repeated names; an object without members takes what nobody else declares."""
    listed = {"type": "object", "properties": {"R": NUMBERS}}
    assert parsed(parameter(listed), query=[("R", "1"), ("R", "2")]) == ({"R": [1, 2]}, [])
    free = parameter({"type": "object", "additionalProperties": {"type": "integer"}})
    operation = Operation(
        id="o", method="GET", path="/", pointer="", parameters=(free, parameter({"type": "integer"}, name="n"))
    )
    query = (("n", "1"), ("a", "2"), ("__code", "200"))
    values, violations = parse_parameters(operation, Request(method="GET", path="/", query=query), {})
    assert (values["query", "p"], values["query", "n"], violations) == ({"a": 2}, 1, ())
    assert undeclared_query(operation, Request(method="GET", path="/", query=query)) == ()


def test_an_empty_value_may_be_allowed():
    """`allowEmptyValue` makes an empty value valid, whatever the schema."""
    flag = parameter({"type": "boolean"})
    assert parsed(flag, query=[("p", "")])[1] == ["type"]
    assert parsed(replace(flag, allow_empty=True), query=[("p", "")]) == ("", [])
    assert parsed(replace(flag, allow_empty=True), query=[("p", "x")])[1] == ["type"]


def test_names_in_the_query_that_nobody_declares():
    """Members of exploded objects and names below a deep object are declared; everything else is not."""
    declared = (
        parameter({"type": "integer"}, name="n"),
        parameter(COLOUR, name="colour"),
        parameter(FILTER, name="f", style="deepObject"),
    )
    operation = Operation(id="o", method="GET", path="/", pointer="", parameters=declared)
    query = [(name, "1") for name in ("n", "R", "f[price][min]", "x", "n[]", "x", "colour")]
    assert undeclared_query(operation, Request(method="GET", path="/", query=tuple(query))) == ("x", "n[]", "colour")


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

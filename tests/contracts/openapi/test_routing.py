"""Paths lead to operations: literals before variables, in time that does not grow with the document."""

import itertools
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.openapi.model import Contract, NoRoute, Operation, Parameter
from contracts.openapi.routing import Router, expand, last_variable, segment_pattern, split_path, splits, variables_of
from contracts.schemas.schema_set import SchemaSet


def contract(*routes, **more):
    """Return a contract of operations written `GET /path`, each named by itself."""
    operations = tuple(Operation(id=one, method=one.split()[0], path=one.split()[1], pointer="") for one in routes)
    return Contract(
        name="toy",
        title="",
        version="",
        mount="",
        operations=operations,
        resources={},
        schemas=SchemaSet({}),
        document={},
        **more,
    )


TOY = contract(
    "GET /",
    "GET /pets",
    "POST /pets",
    "GET /pets/mine",
    "GET /pets/{id}",
    "DELETE /pets/{pet}",
    "GET /pets/{id}.json",
    "GET /pets/{id}/toys/{toy}",
    "GET /pets/mine/toys",
    "GET /{kind}/all",
    "POST /pets:batch",
    "GET /files/{name}.{kind}",
    "GET /slash/",
)


def found(router, call):
    """Return the name and the variables of a call's route, or what the path allows."""
    route = router.match(*call.split(" ", 1))
    return route.allow if isinstance(route, NoRoute) else (route.operation.id, dict(route.variables))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("GET /", ("GET /", {})),
        ("GET /pets", ("GET /pets", {})),
        ("PUT /pets", ("GET", "POST")),
        ("HEAD /pets", ("GET", "POST")),
        ("GET /pets/", None),
        ("GET //pets", None),
        ("GET ", None),
        ("GET /pets/mine", ("GET /pets/mine", {})),
        ("DELETE /pets/mine", ("GET",)),
        ("GET /pets/7", ("GET /pets/{id}", {"id": "7"})),
        ("DELETE /pets/7", ("DELETE /pets/{pet}", {"pet": "7"})),
        ("PUT /pets/7", ("GET", "DELETE")),
        ("GET /pets/7.json", ("GET /pets/{id}.json", {"id": "7"})),
        ("GET /pets/.json", ("GET /pets/{id}", {"id": ".json"})),
        ("GET /pets/mine/toys/ball", ("GET /pets/{id}/toys/{toy}", {"id": "mine", "toy": "ball"})),
        ("GET /pets/all", ("GET /pets/{id}", {"id": "all"})),
        ("GET /cats/all", ("GET /{kind}/all", {"kind": "cats"})),
        ("POST /pets:batch", ("POST /pets:batch", {})),
        ("GET /p%65ts/a%2Fb%20c", ("GET /pets/{id}", {"id": "a/b c"})),
        ("GET /files/a.b.txt", ("GET /files/{name}.{kind}", {"name": "a.b", "kind": "txt"})),
        ("GET /slash/", ("GET /slash/", {})),
        ("GET /slash", None),
        ("GET /PETS", None),
    ],
)
def test_where_calls_lead(call, expected):
    """Each call finds its operation with decoded variables, else the methods of its path, else nothing."""
    assert found(Router(TOY), call) == expected


def test_case_counts_only_where_the_contract_says_so():
    """Without regard to case literals fit in any spelling; values keep theirs."""
    router = Router(replace(TOY, ignore_case=True))
    assert found(router, "GET /PETS/Mine") == ("GET /pets/mine", {})
    assert found(router, "GET /Pets/ABC.JSON") == ("GET /pets/{id}.json", {"id": "ABC"})


BLOCKS = contract(
    "GET /{kind}/{id}",
    "PUT /{kind}/{id}",
    "POST /{kind}/post",
    "GET /{kind}/status/{job}",
    "POST /{kind}/many/post",
    reserved=("post", "status", "many"),
)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("GET /block/a", ("GET /{kind}/{id}", {"kind": "block", "id": "a"})),
        ("GET /block/post", ("POST",)),
        ("POST /block/post", ("POST /{kind}/post", {"kind": "block"})),
        ("GET /block/status", ()),
        ("PUT /block/many", ()),
        ("GET /block/status/post", None),
        ("GET /block/Status", ("GET /{kind}/{id}", {"kind": "block", "id": "Status"})),
        ("GET /block/status/7", ("GET /{kind}/status/{job}", {"kind": "block", "job": "7"})),
    ],
)
def test_reserved_words_are_no_values(call, expected):
    """A variable takes no reserved word; a path that ends in one, with others below it, exists and allows nothing."""
    assert found(Router(BLOCKS), call) == expected


def test_only_operations_that_take_the_values_of_a_path_count():
    """A path is there for the methods whose path parameters take its values; where there are none it is unknown."""

    def named(words):
        schema = SchemaSet({"w": {"enum": words}}).schema("w#")
        return (Parameter(name="kind", where="path", required=True, schema=schema, style="simple", explode=False),)

    toy = contract("GET /{kind}/all", "POST /{kind}/all", "GET /{kind}/status/{job}", reserved=("status",))
    words = (["red", "blue"], ["red"], ["red", "blue"])
    routed = tuple(replace(one, parameters=named(some)) for one, some in zip(toy.operations, words, strict=True))
    router = Router(replace(toy, operations=routed))
    assert [found(router, f"PUT /{kind}/all") for kind in ("red", "blue", "green")] == [("GET", "POST"), ("GET",), None]
    assert [router.allowed(f"/{kind}/all") for kind in ("red", "blue", "green")] == [("GET", "POST"), ("GET",), ()]
    assert [found(router, f"GET /{kind}/status") for kind in ("red", "green")] == [(), None]


TEMPLATES = ("/a/{x}", "/a/{x}.json", "/{x}:cancel", "/a/{x}-{y}/b", "/{y}/v{x}", "/plain")


@given(
    st.sampled_from(TEMPLATES),
    st.dictionaries(st.sampled_from("xy"), st.from_regex("[a-z/ ä]{1,5}", fullmatch=True), min_size=2),
)
def test_a_path_made_of_a_template_leads_back(template, values):
    """What values make of a template is matched by it, and gives the same values."""
    own = {name: values[name] for name in variables_of(template)}
    route = Router(contract(f"GET {template}")).match("GET", expand(template, values))
    assert dict(route.variables) == own
    cut = zip(template.split("/")[1:], split_path(template, expand(template, values)), strict=True)
    assert [piece for wanted, pieces in cut if "{" in wanted for piece in pieces[1::2]] == list(own.values())
    assert last_variable(template) == (list(own)[-1] if own else None)


ANY, NUMBER, UUID = {"type": "string"}, {"type": "integer"}, "123e4567-e89b-12d3-a456-426614174000"
JOINED = [  # template, schemas, segment, values
    ("{a}{b}", {"a": NUMBER, "b": {"enum": ["kg", "g"]}}, "12kg", ("12", "kg")),
    ("{a}{b}", {"a": {"enum": ["ab", "abc"]}, "b": {"pattern": "^[0-9]+$"}}, "abc12", ("abc", "12")),
    ("{a}{b}", {"a": {"type": "string", "minLength": 3, "maxLength": 3}, "b": ANY}, "abcde", ("abc", "de")),
    ("{a}{b}", {"a": {"type": "string", "format": "uuid"}, "b": ANY}, f"{UUID}x", (UUID, "x")),
    ("{a}{b}", {"a": {"type": "boolean"}, "b": NUMBER}, "true7", ("true", "7")),
    ("{a}{b}", {}, "abc", ("a", "bc")),
    ("{a}{b}", {"b": {"pattern": "^[.].+$"}}, "report.json", ("report", ".json")),
    ("{a}.{b}", {}, "archive.tar.gz", ("archive.tar", "gz")),
    (
        "{a}.{b}",
        {"b": {"enum": ["gz", "tar.gz"]}, "a": {"pattern": "^[a-z]+$"}},
        "archive.tar.gz",
        ("archive", "tar.gz"),
    ),
    ("{a}.{b}", {"a": {"type": "number"}, "b": {"enum": ["json"]}}, "1.5.json", ("1.5", "json")),
    ("{a}-{b}", {}, "x-y-z", ("x", "y-z")),
    ("{a}-{b}", {"b": {"pattern": "^[^-]+$"}}, "x-y-z", ("x-y", "z")),
    ("{a}-{b}", {"a": NUMBER, "b": NUMBER}, "-5--3", ("-5", "-3")),
    ("{a}-{b}", {"a": {"type": "string", "format": "date"}, "b": ANY}, "2026-01-02-x", ("2026-01-02", "x")),
    ("{a}:{b}", {"b": {"enum": ["cancel"]}}, "urn:x:cancel", ("urn:x", "cancel")),
    ("{a},{b}", {"a": {"type": "number"}, "b": {"type": "number"}}, "1.5,-2", ("1.5", "-2")),
    ("{a}...{b}", {}, "v1.0...v1.1", ("v1.0", "v1.1")),
    ("x{a}-{b}-{c}y", {"b": NUMBER}, "xp-q-7-ry", ("p-q", "7", "r")),
    ("{a}-{b}", {"a": NUMBER, "b": NUMBER}, "x-y", ("x", "y")),
]


@pytest.mark.parametrize(("template", "schemas", "segment", "values"), JOINED)
def test_variables_that_share_a_segment_are_split_as_their_parameters_say(template, schemas, segment, values):
    """Of all ways to split a segment the one counts whose values fit; of several the likeliest, as of none."""
    document = SchemaSet(dict(schemas))
    toy = contract(f"GET /v1/{template}/tail/{{z}}")
    (operation,) = toy.operations
    parameters = tuple(
        Parameter(
            name=one, where="path", required=True, schema=document.schema(f"{one}#"), style="simple", explode=False
        )
        for one in schemas
    )
    router = Router(replace(toy, operations=(replace(operation, parameters=parameters),)))
    route = router.match("GET", f"/v1/{segment}/tail/end")
    assert route.variables == {**dict(zip("abc", values, strict=False)), "z": "end"}


def test_a_segment_with_very_many_splits_is_answered():
    """The number of splits that are tried is limited."""
    toy = contract("GET /{a}-{b}-{c}-{d}-{e}")
    assert Router(toy).match("GET", f"/{'-' * 190}").operation.id == "GET /{a}-{b}-{c}-{d}-{e}"
    assert Router(toy).match("GET", f"/{'-' * 3000}").operation.id == "GET /{a}-{b}-{c}-{d}-{e}"


SEGMENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(SEGMENTS, SEGMENTS)
def test_any_value_goes_through_a_variable(left, right):
    """A value that is percent-encoded in a path arrives as it was."""
    router = Router(contract("GET /a/{x}/b/{y}"))
    path = f"/a/{quote(left, safe='')}/b/{quote(right, safe='')}"
    assert found(router, f"GET {path}") == ("GET /a/{x}/b/{y}", {"x": left, "y": right})


@given(st.text(max_size=40))
def test_no_path_raises(path):
    """Whatever the path, there is a route or none."""
    Router(TOY).match("GET", path)


def test_ten_thousand_operations_are_all_found():
    """In a huge document each path finds its own operation."""
    router = Router(contract(*(f"GET /area{n % 100}/things{n}/{{id}}" for n in range(10_000))))
    for n in range(0, 10_000, 997):
        path = f"GET /area{n % 100}/things{n}"
        assert found(router, f"{path}/x") == (f"{path}/{{id}}", {"id": "x"})


@given(
    st.lists(st.text("ab", max_size=2), min_size=2, max_size=5).filter(lambda one: one != [""]),
    st.text("abAB\n", max_size=12),
    st.booleans(),
)
def test_values_of_a_segment_are_those_of_the_shortest_match(literals, text, ignore_case):
    """They are what a regular expression finds that takes as little as it can for each variable."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    found = re.fullmatch("(.+?)".join(literals), text, flags)
    template = "{v}".join(literals)
    assert segment_pattern(template, ignore_case=ignore_case).match(text) == (found and found.groups())


@given(st.lists(st.text("ab.", max_size=2), max_size=3), st.text("ab.", max_size=9))
def test_every_way_to_read_a_segment_is_there(literals, text):
    """Each way is given once: values that are not empty, with the literals between them."""
    ways = list(splits(tuple(literals), text)) if text else []
    for way in ways:
        assert all(way)
        assert "".join(one + two for one, two in zip(way, [*literals, ""], strict=True)) == text
    cuts = itertools.combinations(range(1, len(text)), len(literals))
    expected = 0
    for ends in cuts:
        begin = 0
        for end, literal in zip(ends, literals, strict=True):
            if end <= begin or not text.startswith(literal, end):
                break
            begin = end + len(literal)
        else:
            expected += begin < len(text)
    assert len(ways) == len(set(ways))
    assert not literals or len(ways) == expected

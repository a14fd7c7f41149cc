"""jsonschema and jsonschema-rs say the same of generated values, for every schema of every bundled contract."""

import re
from datetime import datetime
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from contracts import BUNDLED, load, load_bundled
from contracts.checking import published
from contracts.keywords import rewritten
from contracts.messages import ABSENT
from contracts.pointers import look_up
from contracts.registry import bundled_path
from contracts.schemas import compiled
from contracts.validation import check_value

CONTRACTS = {name: load_bundled(name) for name in BUNDLED}
FILES = [uri for one in CONTRACTS.values() for uri in one.schemas.documents if "/schemas/" in uri]
OPINIONS = FormatChecker(["uuid", "date"])
WORDS = ["", "a", "blockId", "AllOrNone", "merge", "Update", "Code", "é", "x" * 51, "1", "-1", "007", "9" * 19, "a\n"]
FORMATS = {
    "uuid": ["6df8d937-129b-44ed-9bf2-740717f134a7", "6DF8D937-129B-44ED-9BF2-740717F134A7", "6df8d937129b44ed9bf2740717f134a7"],
    "email": ["a@b.c", "a.b+c@d.example", "a@", "@b", "a b@c.d", "a..b@c.d", "a@b@c", "a@-b.c", "a"],
    "date-time": [
        "2026-01-05T08:30:00.0000000Z",
        "2026-01-05T08:30:00+01:00",
        "2026-01-05t08:30:00z",
        "2026-02-30T08:30:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05 08:30:00Z",
        "2026-01-05T08:30:00",
    ],
    "json-pointer": ["", "/a/0", "a", "/~2", "/~1~0"],
    "uri-reference": ["about:blank", "/a?b#c", "", "a b", "\\", "%zz"],
}


@OPINIONS.checks("email")
def _is_email(value):
    atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    return not isinstance(value, str) or bool(re.fullmatch(rf"{atom}(?:\.{atom})*@{label}(?:\.{label})*", value))


@OPINIONS.checks("date-time")
def _is_date_time(value):
    form = r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
    if not isinstance(value, str):
        return True
    found = re.fullmatch(form, value, re.ASCII)
    return found is not None and _is_instant(f"{found[1]}T{found[2]}")


def _is_instant(text):
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@OPINIONS.checks("json-pointer")
def _is_pointer(value):
    return not isinstance(value, str) or bool(re.fullmatch(r"(?:/(?:[^~/]|~[01])*)*", value))


@OPINIONS.checks("uri-reference")
def _is_uri_reference(value):
    return not isinstance(value, str) or bool(re.fullmatch(r"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", value))


def _ecma_pattern(validator, pattern, value, _):
    """Match as ECMA-262 does, where `$` is the very end and `\\d` and `\\w` are ASCII's."""
    if validator.is_type(value, "string") and not re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), value, re.ASCII):
        yield ValidationError(pattern)


Second = validators.extend(Draft202012Validator, {"pattern": _ecma_pattern})


@cache
def opinions(uri):
    """Return the two validators of a schema file, and its text with everything that it refers to."""
    schema = next(one for one in CONTRACTS.values() if uri in one.schemas.documents).schemas.schema(f"{uri}#")
    alone = schema.standalone()
    return schema, Second(alone, format_checker=OPINIONS), alone


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([2**53, 2**63, 1.5, 1.0, 5e10]) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=3,
)


def values(schema, root, depth=0):
    """Return a strategy of values that a schema takes, or nearly takes."""
    if depth > 8 or not isinstance(schema, dict):
        return NOISE
    return st.integers(0, 11).flatmap(lambda n: NOISE if n == 0 else near(schema, root, depth))


def near(schema, root, depth):
    """Return a strategy of values by the first keyword that says most."""
    inner = depth + 1
    if "$ref" in schema:
        return values(look_up(root, schema["$ref"][1:]), root, inner)
    if "const" in schema or "enum" in schema:
        return st.sampled_from([schema["const"]] if "const" in schema else schema["enum"])
    parts = [one for word in ("allOf", "anyOf", "oneOf") for one in schema.get(word, ())]
    parts += [schema[word] for word in ("then", "else", "if") if word in schema]
    own = by_type(schema, root, inner)
    if not parts:
        return own
    merged = st.tuples(own, *(values(one, root, inner) for one in parts)).map(_merged)
    return st.one_of(merged, *(values(one, root, inner) for one in parts))


def _merged(options):
    objects = [one for one in options if isinstance(one, dict)]
    return {key: one for value in objects for key, one in value.items()} if objects else options[-1]


def by_type(schema, root, depth):
    """Return a strategy of values by the type, or by the keywords of one."""
    types = schema.get("type", [])
    kinds = [types] if isinstance(types, str) else list(types)
    if not kinds:
        kinds = [kind for kind, words in HINTS.items() if words & schema.keys()] or ["null"]
    return st.one_of(*(MAKERS[kind](schema, root, depth) for kind in kinds))


def objects(schema, root, depth):
    """Return objects with some of the declared members, and now and then another one."""
    members = {name: values(one, root, depth) for name, one in schema.get("properties", {}).items()}
    wanted = {name: one for name, one in members.items() if name in schema.get("required", ())}
    others = schema.get("additionalProperties", True)
    spare = st.dictionaries(st.sampled_from(WORDS), values(others, root, depth), max_size=1)
    base = st.fixed_dictionaries(wanted, optional={name: one for name, one in members.items() if name not in wanted})
    drop = st.sampled_from([None, None, None, *wanted])
    return st.tuples(base, spare, drop).map(lambda all_: {k: v for k, v in (all_[1] | all_[0]).items() if k != all_[2]})


def arrays(schema, root, depth):
    """Return short arrays, among them some with a repeated element."""
    plain = st.lists(values(schema.get("items", True), root, depth), max_size=3)
    return plain | plain.map(lambda one: one + one[:1])


def strings(schema, *_):
    """Return texts of the format, of the pattern, around the allowed lengths, and others."""
    if "format" in schema:
        return st.sampled_from(FORMATS[schema["format"]])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True) | st.sampled_from(WORDS)
    edges = [schema.get("minLength", 1), schema.get("maxLength", 3)]
    return st.sampled_from(["é" * max(0, n + off) for n in edges for off in (-1, 0, 1)] + WORDS)


def numbers(schema, *_):
    """Return numbers around the allowed limits, whole ones also as floats."""
    edges = [schema.get(word, 0) for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    whole = [int(n) + off for n in edges for off in (-1, 0, 1)]
    return st.sampled_from([*whole, *(float(n) for n in whole if abs(n) < 2**53), 0.5])


HINTS = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "patternProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"format", "pattern", "minLength", "maxLength"},
    "number": {"minimum", "maximum"},
}
MAKERS = {
    "object": objects,
    "array": arrays,
    "string": strings,
    "number": numbers,
    "integer": numbers,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


@pytest.mark.parametrize("uri", FILES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_both_validators_agree(uri, data):
    """On any value near a schema both validators say yes or both say no, and what is refused is explained."""
    first, second, alone = opinions(uri)
    value = data.draw(values(alone, alone))
    assert first.is_valid(value) == second.is_valid(value)
    report = check_value(first, value)
    assert bool(report) != first.is_valid(value)
    assert all(look_up(value, one.pointer) is not ABSENT for one in report)


@pytest.mark.parametrize("uri", FILES)
def test_bundled_schemas_are_schemas(uri):
    """Each schema file is valid JSON Schema 2020-12 in the eyes of both validators."""
    document = next(one.schemas.documents[uri] for one in CONTRACTS.values() if uri in one.schemas.documents)
    Draft202012Validator.check_schema(document)
    compiled(rewritten(opinions(uri)[2], str))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_documents_are_sound(name):
    """A bundled contract passes every check that a user's document must pass."""
    checked = load(bundled_path(name), name=name)
    assert [one.id for one in checked.operations] == [one.id for one in CONTRACTS[name].operations]
    assert Draft202012Validator(published("openapi")).is_valid(CONTRACTS[name].document)


def examples():
    """Yield each example of each bundled contract with the schema that it must fit."""
    for name, contract in CONTRACTS.items():
        for operation in contract.operations:
            bodies = [("call", operation.body.content)] if operation.body else []
            bodies += [(status, one.content) for status, one in operation.responses.items()]
            for place, content in bodies:
                for media in content:
                    for title, value in media.examples.items():
                        yield pytest.param(media, value, id=f"{name}-{operation.id}-{place}-{title}")


@pytest.mark.parametrize(("media", "value"), [*examples()])
def test_bundled_examples_fit_their_schemas(media, value):
    """Every example, of a call or of any status, fits the schema that it stands beside."""
    assert [one.detail for one in check_value(media.schema, value)] == []
    assert Second(media.schema.standalone(), format_checker=OPINIONS).is_valid(value)

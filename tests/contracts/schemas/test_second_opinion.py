"""jsonschema and jsonschema-rs say the same of generated values, for every schema of every bundled contract."""

import re
from datetime import datetime
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from contracts import BUNDLED, load, load_bundled
from contracts.messages import ABSENT
from contracts.openapi.document_checks import published_schema
from contracts.openapi.loading import bundled_path
from contracts.openapi.validation import validate_value
from contracts.schemas.keywords import rewrite_references
from contracts.schemas.schema_set import compiled
from contracts.syntax.text import look_up

CONTRACTS = {name: load_bundled(name) for name in BUNDLED}
FILES = [uri for one in CONTRACTS.values() for uri in one.schemas.documents if "/schemas/" in uri]
OPINIONS = FormatChecker(["uuid", "date"])
WORDS = ["", "a", "blockId", "AllOrNone", "merge", "Update", "Code", "é", "x" * 51, "1", "-1", "007", "9" * 19, "a\n"]
FORMATS = {
    "uuid": [
        "6df8d937-129b-44ed-9bf2-740717f134a7",
        "6DF8D937-129B-44ED-9BF2-740717F134A7",
        "6df8d937129b44ed9bf2740717f134a7",
    ],
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
    return not isinstance(value, str) or bool(
        re.fullmatch(r"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", value)
    )


def _ecma_pattern(validator, pattern, value, _):
    """Match as ECMA-262 does, where `$` is the very end and classes of letters and digits are ASCII's."""
    if validator.is_type(value, "string") and not re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), value, re.ASCII):
        yield ValidationError(pattern)


Second = validators.extend(Draft202012Validator, {"pattern": _ecma_pattern})


@cache
def opinions(uri):
    """Return the two validators of a schema file, and its text with everything that it refers to."""
    schema = next(one for one in CONTRACTS.values() if uri in one.schemas.documents).schemas.schema(f"{uri}#")
    alone = schema.standalone()
    return schema, Second(alone, format_checker=OPINIONS), alone


NAMES = st.sampled_from([*WORDS, "Code"])
NOISE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([2**53, 2**63, 1.5, 1.0, 5e10])
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=3,
)


def values(schema, root, depth=0, spoil=0):
    """Return a strategy of values that a schema takes; with `spoil` one in so many places breaks some rule."""
    if depth > 8 or not isinstance(schema, dict):
        return NOISE
    good = near(schema, root, depth, spoil)
    return st.integers(1, spoil).flatmap(lambda n: NOISE if n == 1 else good) if spoil else good


@cache
def values_of(uri, spoil):
    """Return the strategy of values of a schema file, which takes longer to build than to draw from."""
    alone = opinions(uri)[2]
    return values(alone, alone, spoil=spoil)


def near(schema, root, depth, spoil):
    """Return a strategy of values by the first keyword that says most."""
    inner = {"root": root, "depth": depth + 1, "spoil": spoil}
    if "$ref" in schema:
        return values(look_up(root, schema["$ref"][1:]), **inner)
    if "const" in schema or "enum" in schema:
        return st.sampled_from([schema["const"]] if "const" in schema else schema["enum"])
    own = by_type(schema, inner)
    ways = [one for word in ("anyOf", "oneOf") for one in schema.get(word, ())]
    parts = [one for one in schema.get("allOf", ()) if isinstance(one, dict)]
    conditions = [one for one in (schema, *parts) if "if" in one]
    ways += [{"allOf": [one["if"], one.get("then", True)]} for one in conditions]
    ways += [one["else"] for one in conditions if "else" in one]
    together = [values(one, **inner) for one in parts if "if" not in one]
    picked = [st.one_of(*(values(one, **inner) for one in ways if one is not True))] if ways else []
    typed = [own] if schema.keys() & {"type", *KEYWORDS} or not (together or picked) else []
    return st.tuples(*typed, *together, *picked).map(_merged)


def _merged(options):
    """Return one value that has something of each: objects are laid over one another."""
    objects = [one for one in options if isinstance(one, dict)]
    return {key: one for value in objects for key, one in value.items()} if objects else options[-1]


def by_type(schema, inner):
    """Return a strategy of values by the type, or by the keywords of one."""
    types = schema.get("type", [])
    kinds = [types] if isinstance(types, str) else list(types)
    kinds = kinds or [kind for kind, words in HINTS.items() if words & schema.keys()] or ["object", "null"]
    return st.one_of(*(MAKERS[kind](schema, inner) for kind in kinds))


def objects(schema, inner):
    """Return objects with some of the declared members; spoilt ones lack or have too many."""
    members = {name: values(one, **inner) for name, one in schema.get("properties", {}).items() if one is not False}
    required = schema.get("required", ())
    wanted = {name: members.get(name, st.sampled_from(WORDS)) for name in required}
    base = st.fixed_dictionaries(wanted, optional={name: one for name, one in members.items() if name not in wanted})
    others = schema.get("additionalProperties", True)
    if not inner["spoil"]:
        more = st.dictionaries(NAMES, values(others, **inner), max_size=2) if isinstance(others, dict) else st.just({})
        return st.tuples(more, base).map(lambda both: both[0] | both[1])
    spare = st.dictionaries(NAMES, values(others, **inner), max_size=1)
    drop = st.sampled_from([None] * inner["spoil"] + list(wanted))
    return st.tuples(base, spare, drop).map(lambda one: {k: v for k, v in (one[1] | one[0]).items() if k != one[2]})


def arrays(schema, inner):
    """Return short arrays; spoilt ones may repeat an element or be empty."""
    fewest = 0 if inner["spoil"] else schema.get("minItems", 0)
    plain = st.lists(values(schema.get("items", True), **inner), min_size=fewest, max_size=max(fewest, 2))
    return plain | plain.map(lambda one: one + one[:1]) if inner["spoil"] else plain


def strings(schema, inner):
    """Return texts of the format, of the pattern, or around the allowed lengths."""
    if "format" in schema:
        return st.sampled_from(FORMATS[schema["format"]] if inner["spoil"] else FORMATS[schema["format"]][:1])
    if "pattern" in schema:
        fitting = st.from_regex(schema["pattern"], fullmatch=True).map(str.strip)
        return fitting | st.sampled_from(WORDS) if inner["spoil"] else fitting
    fewest, most = schema.get("minLength", 0), schema.get("maxLength", 5)
    off = 1 if inner["spoil"] else 0
    return st.sampled_from(["é" * max(0, fewest - off), "x" * (most + off), "name"[:most]])


def numbers(schema, inner):
    """Return numbers at the allowed limits, or just beyond them, whole ones also as floats."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    high = schema.get("maximum", max(low, 5))
    off = 1 if inner["spoil"] else 0
    return st.sampled_from([low - off, high + off, low, *([float(low), low + 0.5] if off else [])])


HINTS = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "patternProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"format", "pattern", "minLength", "maxLength"},
    "number": {"minimum", "maximum"},
}
KEYWORDS = set().union(*HINTS.values())
MAKERS = {
    "object": objects,
    "array": arrays,
    "string": strings,
    "number": numbers,
    "integer": numbers,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


@pytest.mark.slow
@pytest.mark.parametrize("uri", FILES)
@settings(max_examples=16, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_both_validators_agree(uri, data):
    """On any value near a schema both validators say yes or both say no, and what is refused is explained."""
    first, second, _ = opinions(uri)
    value = data.draw(values_of(uri, data.draw(st.sampled_from([0, 5, 25]))))
    assert first.is_valid(value) == second.is_valid(value) == first.are_valid([value, value])
    report = validate_value(first, value)
    assert bool(report) != first.is_valid(value)
    assert all(look_up(value, one.pointer) is not ABSENT for one in report)


@pytest.mark.parametrize("uri", FILES)
def test_bundled_schemas_are_schemas(uri):
    """Each schema file is valid JSON Schema 2020-12 in the eyes of both validators."""
    document = next(one.schemas.documents[uri] for one in CONTRACTS.values() if uri in one.schemas.documents)
    Draft202012Validator.check_schema(document)
    compiled(rewrite_references(opinions(uri)[2], str))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_documents_are_sound(name):
    """A bundled contract passes every check that a user's document must pass."""
    checked = load(bundled_path(name), name=name)
    assert [one.id for one in checked.operations] == [one.id for one in CONTRACTS[name].operations]
    assert Draft202012Validator(published_schema("openapi")).is_valid(CONTRACTS[name].document)


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
    assert [one.detail for one in validate_value(media.schema, value)] == []
    assert opinion(media.schema).is_valid(value)


@pytest.mark.parametrize(("media", "value"), [*examples()])
def test_many_values_are_judged_as_one_by_one(media, value):
    """Values are valid together exactly when each of them is, in whatever place the bad one is."""
    for bad in (damaged(value, at, new) for at in range(6) for new in (None, [], "", -1)):
        for several in ([bad], [value, bad], [bad, value, value], []):
            assert media.schema.are_valid(several) == all(map(media.schema.is_valid, several))


def damaged(value, at, new):
    """Return a copy of a value with the part number `at` replaced, or dropped; parts are counted from the whole on."""
    count = iter(range(at + 1))

    def copy(one):
        if next(count, None) == at:
            return new
        if isinstance(one, dict):
            return {name: kept for name, part in one.items() if (kept := copy(part)) is not ABSENT}
        return [kept for part in one if (kept := copy(part)) is not ABSENT] if isinstance(one, list) else one

    return copy(value)


@pytest.mark.slow
@pytest.mark.parametrize(("media", "value"), [*examples()])
@settings(max_examples=10)
@given(at=st.integers(0, 25), new=NOISE | st.just(ABSENT))
def test_both_validators_agree_on_damaged_examples(media, value, at, new):
    """On an example with one part changed or taken away both validators agree, and what is refused is explained."""
    changed = damaged(value, at, new)
    if changed is not ABSENT:
        assert media.schema.is_valid(changed) == opinion(media.schema).is_valid(changed)
        assert media.schema.is_valid(changed) == media.schema.are_valid([value, changed])
        assert bool(validate_value(media.schema, changed)) != media.schema.is_valid(changed)


@cache
def opinion(schema):
    """Return jsonschema's validator of a schema."""
    return Second(schema.standalone(), format_checker=OPINIONS)

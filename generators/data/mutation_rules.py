"""Where a value can be mutated, and the candidates by keyword. Begin with `mutation_sites` and `RULES`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from math import ceil, floor, inf, nextafter
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.schemas.schema_set import Schema, SchemaSet
from generators.data.plan import pattern_predicate

BROKEN_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "uuid": ("00000000-0000-4000-8000-00000000000g", "00000000-0000-4000-8000-00000000000", "not-a-uuid"),
    "date": ("2024-02-30", "2024-13-01", "24-01-31", "31.01.2024"),
    "time": ("25:00:00Z", "08:61:00Z", "08:30", "8.30"),
    "date-time": (
        "2024-02-30T08:30:00Z",
        "2024-01-31T25:00:00Z",
        "2024-01-31 08.30",
        "2024-01-31",
        "2024-01-31T08:30:00",
    ),
    "duration": ("PT", "1D", "P1H", "P1DT"),
    "email": ("nobody", "@example.com", "nobody@", "no body@example.com", "nobody@example..com"),
    "idn-email": ("nobody", "@example.com", "nobody@"),
    "hostname": ("-a.example.com", "a..example.com", "a_b.example.com", "a.example.com-", f"{'a' * 64}.example.com"),
    "idn-hostname": ("-a.example.com", "a..example.com"),
    "ipv4": ("256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4"),
    "ipv6": ("1::2::3", "12345::", ":::", "1:2:3:4:5:6:7:8:9"),
    "uri": ("example.com/path", "http://exa mple.com", "/path", "://example.com"),
    "uri-reference": ("/a b", "\\path", "http://[::1"),
    "iri": ("/path", "http://exa mple.com"),
    "iri-reference": ("/a b", "\\path"),
    "uri-template": ("/a/{b", "/a/{}b}"),
    "json-pointer": ("a/b", "/a/~2", "/~"),
    "relative-json-pointer": ("/a", "-1/a", "01/a"),
    "regex": ("(", "[a", "a{2,1}", "*"),
}

DISPUTED_FORMATS: Final = frozenset(("email", "idn-email", "uuid", "duration", "uri-template", "regex"))
"""Formats of which implementations take more or less: a misspelling may be one that a server takes."""


def misspellings(text: str, rng: Random) -> Iterator[str]:
    """Yield the text with one character changed, added or removed, at one random position."""
    at = int(rng.random() * len(text)) if text else 0
    for char in ("#", " ", "é", "!", "0", "a", "A", "-"):
        if text:
            yield f"{text[:at]}{char}{text[at + 1 :]}"
        yield f"{text[:at]}{char}{text[at:]}"
        yield f"{char}{text}"
        yield f"{text}{char}"
    if text:
        yield f"{text[:at]}{text[at + 1 :]}"
        yield text.swapcase()


WRITABLE: Final = (-(2**63), 2**64 - 1)  # whole numbers that writers of JSON take


def is_writable(number: float) -> bool:
    """Say whether a number can be written as JSON by every writer."""
    return isinstance(number, float) or WRITABLE[0] <= number <= WRITABLE[1]


def near_values(value: object) -> Iterator[object]:
    """Yield values of the same JSON type that differ a little."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (value.swapcase(), f"{value}x", f" {value}", value[:-1], "")
    elif isinstance(value, int | float):
        yield from filter(is_writable, (value + 1, value - 1, -value, value + 0.5))
    elif isinstance(value, list):
        yield from ([*value, None], value[1:], [])
    elif isinstance(value, dict):
        yield from ({**value, "unexpected": None}, {})
    else:
        yield from (0, "", False)


@dataclass(frozen=True, slots=True)
class MutationSite:
    """A keyword that applies to a part of a value: its argument, its schema, the part, and the tokens to it.

    `within` are the schemas that the schema refers to.
    """

    keyword: str
    argument: Any
    schema: Mapping[str, Any]
    value: Any
    tokens: tuple[str | int, ...]
    within: SchemaSet


def mutation_sites(schema: Schema, value: object, tokens: tuple[str | int, ...] = ()) -> Iterator[MutationSite]:
    """Yield each keyword that applies to the valid `value` and its parts."""
    raw = schema.raw
    yield from (MutationSite(keyword, argument, raw, value, tokens, schema.within) for keyword, argument in raw.items())
    for part in _applied_subschemas(schema, raw, value):
        yield from mutation_sites(part, value, tokens)
    for token, part, one in _child_sites(schema, raw, value):
        yield from mutation_sites(part, one, (*tokens, token))


def _applied_subschemas(schema: Schema, raw: Mapping[str, Any], value: object) -> Iterator[Schema]:
    if "$ref" in raw:
        yield schema.within.schema(str(raw["$ref"]))
    yield from schema.parts("allOf")
    for keyword in ("anyOf", "oneOf"):
        yield from (part for part in schema.parts(keyword) if part.is_valid(value))
    if "if" in raw:
        branch = "then" if schema.inside("if").is_valid(value) else "else"
        yield from (schema.inside(branch),) if branch in raw else ()
    for name in raw.get("dependentSchemas", ()):
        if isinstance(value, dict) and name in value:
            yield schema.inside("dependentSchemas", name)


def _child_sites(schema: Schema, raw: Mapping[str, Any], value: object) -> Iterator[tuple[str | int, Schema, object]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from ((name, part, one) for part in _member_subschemas(schema, raw, name))
    elif isinstance(value, list):
        first = schema.parts("prefixItems")
        yield from ((n, part, one) for n, (part, one) in enumerate(zip(first, value, strict=False)))
        if isinstance(raw.get("items"), Mapping):
            rest = schema.inside("items")
            yield from ((n, rest, value[n]) for n in range(len(first), len(value)))


def _member_subschemas(schema: Schema, raw: Mapping[str, Any], name: str) -> Iterator[Schema]:
    found = name in raw.get("properties", ())
    if found:
        yield schema.inside("properties", name)
    for pattern in raw.get("patternProperties", ()):
        if pattern_predicate(pattern)(name):
            found = True
            yield schema.inside("patternProperties", pattern)
    if not found and isinstance(raw.get("additionalProperties"), Mapping):
        yield schema.inside("additionalProperties")


class Candidate(NamedTuple):
    """A replacement for the value of a site; `inside` are the tokens of the violating part, () for the whole."""

    value: object
    says: str
    inside: tuple[str | int, ...] = ()


Rule: TypeAlias = Callable[[MutationSite, Random], Iterator[Candidate]]

TYPE_SAMPLES: Final[Mapping[str, object]] = {
    "null": None,
    "boolean": True,
    "string": "text",
    "integer": 7,
    "number": 1.5,
    "array": [],
    "object": {},
}
FILLER_CHARS: Final = "abcdefghij0123456789"
MAX_MUTATION_SIZE: Final = 200_000  # characters or elements; longer values are not made


def _type(site: MutationSite, _: Random) -> Iterator[Candidate]:
    allowed = [site.argument] if isinstance(site.argument, str) else site.argument
    for name, sample in TYPE_SAMPLES.items():
        if name in allowed or (name == "integer" and "number" in allowed):
            continue
        yield Candidate(sample, f"it is {name}, not {' or '.join(allowed)}")
    if isinstance(site.value, int | float) and "string" not in allowed:
        kind = "boolean" if isinstance(site.value, bool) else "number"
        yield Candidate(str(site.value).lower(), f"it is a {kind} written as text")
    if isinstance(site.value, str | dict) and "array" not in allowed:
        yield Candidate([site.value], "it is wrapped into an array")


def _enum(site: MutationSite, _: Random) -> Iterator[Candidate]:
    for word in near_values(site.value):
        yield Candidate(word, f"{word!r} is none of the values that are allowed")


def _min_length(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str) and site.argument > 0:
        yield Candidate(
            site.value[: site.argument - 1], f"it has {site.argument - 1} characters, {site.argument} are needed"
        )
        yield Candidate(
            site.value[-site.argument + 1 :] if site.argument > 1 else "", f"it is shorter than {site.argument}"
        )


def _max_length(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str) and site.argument < MAX_MUTATION_SIZE:
        text, missing = site.value, site.argument + 1 - len(site.value)
        filler = "".join(rng.choices(FILLER_CHARS, k=missing))
        for longer in (text + filler, filler + text, text[:1] * missing + text, text + text[-1:] * missing):
            yield Candidate(longer, f"it has {site.argument + 1} characters, {site.argument} are allowed")


def _pattern(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str):
        for text in misspellings(site.value, rng):
            yield Candidate(text, f"{text!r} does not match the pattern")


def _format(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str):
        near = () if site.argument in DISPUTED_FORMATS else misspellings(site.value, rng)
        for text in (*BROKEN_FORMATS.get(site.argument, ()), *near):
            yield Candidate(text, f"{text!r} is no {site.argument}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exact(number: float) -> Fraction:
    """Return a number as it is written in JSON."""
    return Fraction(str(number)) if isinstance(number, float) else Fraction(number)


def _written(number: Fraction) -> float:
    """Return a number in JSON, whole where it can be."""
    return int(number) if number.denominator == 1 and is_writable(int(number)) else float(number)


def _beyond(sign: int, *, itself: bool = False) -> Rule:
    """Return the rule of a bound: numbers below it for sign -1, above it for 1, and the bound if it excludes `itself`.

    They keep `multipleOf`.
    """

    def rule(site: MutationSite, _: Random) -> Iterator[Candidate]:
        if not _is_number(site.value):
            return
        bound = _exact(site.argument)
        numbers = _steps_beyond(bound, sign, _exact(site.schema["multipleOf"]) if "multipleOf" in site.schema else None)
        for number in (*((bound,) if itself else ()), *numbers):
            value = _written(number)
            if (value - site.argument) * sign <= 0 and number != bound:  # the difference is lost in floating point
                value = nextafter(float(site.argument), sign * inf)
            yield Candidate(value, f"{value} is beyond {site.argument}")

    return rule


def _steps_beyond(bound: Fraction, sign: int, step: Fraction | None) -> tuple[Fraction, ...]:
    """Return numbers beyond a bound: the next multiple of `step`, or without one numbers near and far."""
    if step is not None:
        return (step * (ceil(bound / step) - 1 if sign < 0 else floor(bound / step) + 1),)
    return (bound + sign, bound + Fraction(sign, 1000))


def _multiple_of(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if _is_number(site.value):
        value, step = _exact(site.value), _exact(site.argument)
        for by in (1, step / 2, step / 10, Fraction(1, 2)):
            for other in (value + by, value - by):
                if other % step and _exact(_written(other)) == other:
                    yield Candidate(_written(other), f"{_written(other)} is no multiple of {site.argument}")


def _required(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict):
        yield from (_without_member(site.value, name) for name in site.argument if name in site.value)


def _dependent_required(site: MutationSite, _: Random) -> Iterator[Candidate]:
    for given, names in site.argument.items():
        if isinstance(site.value, dict) and given in site.value:
            yield from (_without_member(site.value, name) for name in names)


def _without_member(value: Mapping[str, object], name: str) -> Candidate:
    return Candidate({key: one for key, one in value.items() if key != name}, f"'{name}' is left out")


def _undeclared_member(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if site.argument is False and isinstance(site.value, dict):
        known = next(iter(site.schema.get("properties", ())), "")
        for name in ("unexpected", f"{known}x", known.swapcase()):
            if name and name not in site.value:
                surplus = "".join(rng.choices(FILLER_CHARS, k=8))  # unique, as members may match regardless of case
                yield Candidate({**site.value, name: surplus}, f"'{name}' is no known member", (name,))


def _property_names(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict):
        known = next(iter(site.value), "name")
        for name in ("", " ", "0", "a b", "Ä", known.swapcase(), *misspellings(known, rng), "x" * 300):
            if name not in site.value:
                yield Candidate(
                    {**site.value, name: site.value.get(known)}, f"the name {name!r} is not allowed", (name,)
                )


def _min_properties(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict) and site.argument > 0:
        needed = [name for name in site.schema.get("required", ()) if name in site.value]
        others = [name for name in site.value if name not in needed]
        kept = {*needed, *rng.sample(others, max(0, min(len(others), site.argument - 1 - len(needed))))}
        yield Candidate(
            {name: one for name, one in site.value.items() if name in kept}, f"fewer than {site.argument} members"
        )


def _max_properties(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict) and site.argument < MAX_MUTATION_SIZE:
        missing = site.argument + 1 - len(site.value)
        sample = next(iter(site.value.values()), "surplus")
        names = [name for name in site.schema.get("properties", ()) if name not in site.value]
        for more in (names, [f"extra{n}" for n in range(missing)]):
            if len(more) >= missing:
                yield Candidate(
                    {**site.value, **dict.fromkeys(more[:missing], sample)}, f"more than {site.argument} members"
                )


def _min_items(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list) and site.argument > 0:
        yield Candidate(
            site.value[: site.argument - 1], f"it has {site.argument - 1} elements, {site.argument} are needed"
        )


def _max_items(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list) and site.value and site.argument < MAX_MUTATION_SIZE:
        more = islice(cycle(site.value), site.argument + 1 - len(site.value))
        yield Candidate([*site.value, *more], f"it has {site.argument + 1} elements, {site.argument} are allowed")


def _unique_items(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    if site.argument and isinstance(site.value, list) and site.value:
        twin = rng.choice(site.value)
        yield Candidate([*site.value, twin], "an element stands twice")
        yield Candidate([twin, *site.value[1:]], "an element stands twice")
        yield Candidate([*site.value[:-1], twin], "an element stands twice")


def _items(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if site.argument is False and isinstance(site.value, list):
        more = [*site.value, "surplus"]
        yield Candidate(more, "it has an element too many", (len(site.value),))
        yield Candidate(more, "it has an element too many")


def _contains(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for one in [*site.value, None, "other", -1, {}]:
            yield Candidate([one] * max(1, len(site.value)), "what must be contained is not")
        yield Candidate([], "what must be contained is not")


def _min_contains(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for n in range(len(site.value)):
            yield Candidate([*site.value[:n], *site.value[n + 1 :]], "too few of what must be contained")


def _max_contains(site: MutationSite, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for one in site.value:
            yield Candidate([*site.value, *[one] * (site.argument + 1)], "too many of what must be contained")


RULES: Final[Mapping[str, Rule]] = {
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "minimum": _beyond(-1),
    "maximum": _beyond(1),
    "exclusiveMinimum": _beyond(-1, itself=True),
    "exclusiveMaximum": _beyond(1, itself=True),
    "multipleOf": _multiple_of,
    "required": _required,
    "dependentRequired": _dependent_required,
    "additionalProperties": _undeclared_member,
    "unevaluatedProperties": _undeclared_member,
    "propertyNames": _property_names,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "items": _items,
    "unevaluatedItems": _items,
    "contains": _contains,
    "minContains": _min_contains,
    "maxContains": _max_contains,
}

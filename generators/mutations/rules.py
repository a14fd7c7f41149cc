"""How each keyword is broken: a table of what could stand in place of a valid part."""

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from random import Random
from typing import Final, NamedTuple, TypeAlias

from generators.mutations.sites import Site
from generators.mutations.texts import BROKEN_FORMATS, near_words, respelled


class Candidate(NamedTuple):
    """A value in place of the one at a site. `inside` is the token of the part that breaks it, if not the whole."""

    value: object
    says: str
    inside: tuple[str | int, ...] = ()


Rule: TypeAlias = Callable[[Site, Random], Iterator[Candidate]]

SAMPLES: Final[Mapping[str, object]] = {
    "null": None,
    "boolean": True,
    "string": "text",
    "integer": 7,
    "number": 1.5,
    "array": [],
    "object": {},
}
LETTERS: Final = "abcdefghij0123456789"
MOST: Final = 200_000  # a longer text or list is not made


def _type(site: Site, _: Random) -> Iterator[Candidate]:
    allowed = [site.said] if isinstance(site.said, str) else site.said
    for name, sample in SAMPLES.items():
        if name in allowed or (name == "integer" and "number" in allowed):
            continue
        yield Candidate(sample, f"it is {name}, not {' or '.join(allowed)}")
    if isinstance(site.value, int | float) and not isinstance(site.value, bool) and "string" not in allowed:
        yield Candidate(str(site.value), "it is a number written as text")
    if isinstance(site.value, str | dict) and "array" not in allowed:
        yield Candidate([site.value], "it is wrapped into an array")


def _enum(site: Site, _: Random) -> Iterator[Candidate]:
    for word in near_words(site.value):
        yield Candidate(word, f"{word!r} is none of the values that are allowed")


def _min_length(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str) and site.said > 0:
        yield Candidate(site.value[: site.said - 1], f"it has {site.said - 1} characters, {site.said} are needed")
        yield Candidate(site.value[-site.said + 1 :] if site.said > 1 else "", f"it is shorter than {site.said}")


def _max_length(site: Site, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str) and site.said < MOST:
        text, missing = site.value, site.said + 1 - len(site.value)
        filler = "".join(rng.choices(LETTERS, k=missing))
        for longer in (text + filler, filler + text, text[:1] * missing + text, text + text[-1:] * missing):
            yield Candidate(longer, f"it has {site.said + 1} characters, {site.said} are allowed")


def _pattern(site: Site, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str):
        for text in respelled(site.value, rng):
            yield Candidate(text, f"{text!r} does not match the pattern")


def _format(site: Site, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, str):
        for text in (*BROKEN_FORMATS.get(site.said, ()), *respelled(site.value, rng)):
            yield Candidate(text, f"{text!r} is no {site.said}")


def _beyond(sign: int, *, itself: bool = False) -> Rule:
    def rule(site: Site, _: Random) -> Iterator[Candidate]:
        if isinstance(site.value, int | float) and not isinstance(site.value, bool):
            step = site.schema.get("multipleOf", 1)
            steps = (0, step) if itself else (step, step / 1000)
            for one in steps:
                yield Candidate(site.said + sign * one, f"{site.said + sign * one} is beyond {site.said}")

    return rule


def _multiple_of(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, int | float) and not isinstance(site.value, bool):
        for other in (site.value + 1, site.value - 1, site.value + site.said / 2, site.value - site.said / 2):
            yield Candidate(other, f"{other} is no multiple of {site.said}")


def _required(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict):
        yield from (_lacking(site.value, name) for name in site.said if name in site.value)


def _dependent_required(site: Site, _: Random) -> Iterator[Candidate]:
    for given, names in site.said.items():
        if isinstance(site.value, dict) and given in site.value:
            yield from (_lacking(site.value, name) for name in names)


def _lacking(value: Mapping[str, object], name: str) -> Candidate:
    return Candidate({key: one for key, one in value.items() if key != name}, f"'{name}' is left out")


def _closed(site: Site, rng: Random) -> Iterator[Candidate]:
    if site.said is False and isinstance(site.value, dict):
        known = next(iter(site.schema.get("properties", ())), "")
        for name in ("unexpected", f"{known}x", known.swapcase()):
            if name and name not in site.value:
                surplus = "".join(rng.choices(LETTERS, k=8))  # where case does not count it may be of a unique member
                yield Candidate({**site.value, name: surplus}, f"'{name}' is no known member", (name,))


def _property_names(site: Site, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict):
        known = next(iter(site.value), "name")
        for name in ("", " ", "0", "a b", "Ä", known.swapcase(), *respelled(known, rng), "x" * 300):
            if name not in site.value:
                yield Candidate(
                    {**site.value, name: site.value.get(known)}, f"the name {name!r} is not allowed", (name,)
                )


def _min_properties(site: Site, rng: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict) and site.said > 0:
        needed = [name for name in site.schema.get("required", ()) if name in site.value]
        others = [name for name in site.value if name not in needed]
        kept = {*needed, *rng.sample(others, max(0, min(len(others), site.said - 1 - len(needed))))}
        yield Candidate(
            {name: one for name, one in site.value.items() if name in kept}, f"fewer than {site.said} members"
        )


def _max_properties(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, dict) and site.said < MOST:
        missing = site.said + 1 - len(site.value)
        sample = next(iter(site.value.values()), "surplus")
        names = [name for name in site.schema.get("properties", ()) if name not in site.value]
        for more in (names, [f"extra{n}" for n in range(missing)]):
            if len(more) >= missing:
                yield Candidate(
                    {**site.value, **dict.fromkeys(more[:missing], sample)}, f"more than {site.said} members"
                )


def _min_items(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list) and site.said > 0:
        yield Candidate(site.value[: site.said - 1], f"it has {site.said - 1} elements, {site.said} are needed")


def _max_items(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list) and site.value and site.said < MOST:
        more = islice(cycle(site.value), site.said + 1 - len(site.value))
        yield Candidate([*site.value, *more], f"it has {site.said + 1} elements, {site.said} are allowed")


def _unique(site: Site, rng: Random) -> Iterator[Candidate]:
    if site.said and isinstance(site.value, list) and site.value:
        twin = rng.choice(site.value)
        yield Candidate([*site.value, twin], "an element stands twice")
        yield Candidate([twin, *site.value[1:]], "an element stands twice")
        yield Candidate([*site.value[:-1], twin], "an element stands twice")


def _items(site: Site, _: Random) -> Iterator[Candidate]:
    if site.said is False and isinstance(site.value, list):
        more = [*site.value, "surplus"]
        yield Candidate(more, "it has an element too many", (len(site.value),))
        yield Candidate(more, "it has an element too many")


def _contains(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for one in [*site.value, None, "other", -1, {}]:
            yield Candidate([one] * max(1, len(site.value)), "what must be contained is not")
        yield Candidate([], "what must be contained is not")


def _few_of_contained(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for n in range(len(site.value)):
            yield Candidate([*site.value[:n], *site.value[n + 1 :]], "too few of what must be contained")


def _many_of_contained(site: Site, _: Random) -> Iterator[Candidate]:
    if isinstance(site.value, list):
        for one in site.value:
            yield Candidate([*site.value, *[one] * (site.said + 1)], "too many of what must be contained")


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
    "additionalProperties": _closed,
    "unevaluatedProperties": _closed,
    "propertyNames": _property_names,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique,
    "items": _items,
    "unevaluatedItems": _items,
    "contains": _contains,
    "minContains": _few_of_contained,
    "maxContains": _many_of_contained,
}

"""What a change of one keyword does to the values that fit: a table by keyword."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from contracts.diff.edits import Effect, Raw, Rule, Said, breach
from contracts.diff.limits import LIMITS
from contracts.messages import ABSENT
from contracts.texts import clipped, listed, short

MANY: Final = 8
TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


def compare_keywords(old: Raw, new: Raw) -> Iterator[Said]:
    """Yield what changed in the keywords that speak of one value alone, not of its members."""
    for rule in RULES:
        yield from rule(old, new)


def values(items: list[Any]) -> str:
    """Return values as text: at most eight of them."""
    more = len(items) - MANY
    told = [short(one) for one in items[:MANY]]
    return f"{', '.join(told)} and {more} more" if more > 0 else listed(told)


def _types(raw: Raw) -> list[str]:
    given = raw.get("type", TYPES)
    named = [given] if isinstance(given, str) else list(given)
    return [*named, "integer"] if "number" in named and "integer" not in named else named


def _type(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = _types(old), _types(new)
    lost, gained = _lacking(before, after), _lacking(after, before)
    if lost:
        yield Said("type", "narrowed", f"the type {_words(lost)} does not fit any more", in_new=breach(new, "type"))
    if gained:
        yield Said("type", "widened", f"the type {_words(gained)} fits too", in_old=breach(old, "type"))


def _lacking(one: list[str], other: list[str]) -> list[str]:
    found = [name for name in one if name not in other]
    return [name for name in found if not (name == "integer" and "number" in found)]


def _words(names: list[str]) -> str:
    return listed(names, "or")


def choices(raw: Raw) -> list[Any] | None:
    """Return the only values that fit, None when they are not listed."""
    if "const" in raw:
        return [raw["const"]]
    found: list[Any] | None = raw.get("enum")
    return found


def is_among(value: Any, items: list[Any]) -> bool:
    """Say whether a JSON value is among others: `1` is `1.0`, and `true` is not `1`."""
    return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in items)


def _enum(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = choices(old), choices(new)
    if after is None and before is not None:
        yield Said("enum", "widened", f"not only {values(before)} fits any more", in_old=breach(old, "const", "enum"))
    elif before is None and after is not None:
        yield Said("enum", "narrowed", f"only {values(after)} fits now", in_new=breach(new, "const", "enum"))
    elif before is not None and after is not None:
        lost = [one for one in before if not is_among(one, after)]
        gained = [one for one in after if not is_among(one, before)]
        if lost:
            yield Said("enum", "narrowed", f"{values(lost)} does not fit any more", in_new={"enum": lost})
        if gained:
            yield Said("enum", "widened", f"{values(gained)} fits too", in_old={"enum": gained})


def _multiple(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = old.get("multipleOf"), new.get("multipleOf")
    if before == after:
        return
    fewer = before is None or (after is not None and _is_multiple(after, before))
    more = after is None or (before is not None and _is_multiple(before, after))
    effect: Effect = "narrowed" if fewer else "widened" if more else "changed"
    says = "any number fits, multiple or not" if after is None else f"only multiples of {short(after)} fit"
    yield Said("multipleOf", effect, says, breach(old, "multipleOf"), breach(new, "multipleOf"))


def _is_multiple(one: float, other: float) -> bool:
    return Decimal(str(one)) % Decimal(str(other)) == 0


def _worded(keyword: str, what: str) -> Rule:
    """Return the rule of a keyword whose values cannot be told apart by size."""

    def rule(old: Raw, new: Raw) -> Iterator[Said]:
        before, after = old.get(keyword, ABSENT), new.get(keyword, ABSENT)
        if before == after:
            return
        if after is ABSENT:
            yield Said(keyword, "widened", f"{what} {_shown(before)} is not asked any more", breach(old, keyword))
        elif before is ABSENT:
            yield Said(keyword, "narrowed", f"{what} {_shown(after)} is asked", in_new=breach(new, keyword))
        else:
            says = f"{what} {_shown(after)} is asked, not {_shown(before)}"
            yield Said(keyword, "changed", says, breach(old, keyword), breach(new, keyword))

    return rule


def _shown(value: Any) -> str:
    return clipped(str(value)) if isinstance(value, str) else short(value)


def _unique(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = bool(old.get("uniqueItems")), bool(new.get("uniqueItems"))
    if after and not before:
        yield Said("uniqueItems", "narrowed", "no element may stand twice", in_new=breach(new, "uniqueItems"))
    if before and not after:
        yield Said("uniqueItems", "widened", "an element may stand twice", in_old=breach(old, "uniqueItems"))


def _required(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = old.get("required", []), new.get("required", [])
    for name in after:
        if name not in before:
            yield Said("required", "narrowed", f"'{name}' is required now", in_new={"not": {"required": [name]}})
    for name in before:
        if name not in after:
            says = f"'{name}' is not required any more"
            yield Said("required", "widened", says, in_old={"not": {"required": [name]}})


def _dependent(old: Raw, new: Raw) -> Iterator[Said]:
    before, after = _pairs(old), _pairs(new)
    for name, other in after:
        if (name, other) not in before:
            says = f"'{other}' is required now where '{name}' is given"
            yield Said("dependentRequired", "narrowed", says, in_new=_without(name, other))
    for name, other in before:
        if (name, other) not in after:
            says = f"'{other}' is not required any more where '{name}' is given"
            yield Said("dependentRequired", "widened", says, in_old=_without(name, other))


def _pairs(raw: Raw) -> list[tuple[str, str]]:
    return [(name, other) for name, others in raw.get("dependentRequired", {}).items() for other in others]


def _without(name: str, other: str) -> Raw:
    return {"required": [name], "properties": {other: False}}


RULES: Final[tuple[Rule, ...]] = (
    _type,
    _enum,
    *LIMITS,
    _multiple,
    _unique,
    _required,
    _dependent,
    _worded("pattern", "the pattern"),
    _worded("format", "the format"),
    _worded("contentEncoding", "the encoding"),
    _worded("contentMediaType", "the media type"),
)

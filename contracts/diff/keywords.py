"""How a change of one JSON Schema keyword changes the set of valid values. Begin with `compare_keywords`; `RULES`.

The keywords are the assertions of JSON Schema 2020-12 Validation, section 6, and `format`, for one instance without its
members and elements.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from contracts.diff.model import KeywordChange, Raw, Rule, ValueSetChange, violating
from contracts.messages import ABSENT
from contracts.syntax.text import clipped, listed, short


class Limit(NamedTuple):
    """A limit of a schema; `exclusive` when the value itself is invalid."""

    value: float
    exclusive: bool = False


class LimitKeywords(NamedTuple):
    """A keyword that limits from one side, with its exclusive form. `of` is what it counts, "" for the value itself."""

    keyword: str
    of: str
    is_least: bool
    exclusive: str = ""


LIMIT_KEYWORDS: Final = (
    LimitKeywords("minimum", "", is_least=True, exclusive="exclusiveMinimum"),
    LimitKeywords("maximum", "", is_least=False, exclusive="exclusiveMaximum"),
    LimitKeywords("minLength", "characters", is_least=True),
    LimitKeywords("maxLength", "characters", is_least=False),
    LimitKeywords("minItems", "elements", is_least=True),
    LimitKeywords("maxItems", "elements", is_least=False),
    LimitKeywords("minProperties", "members", is_least=True),
    LimitKeywords("maxProperties", "members", is_least=False),
    LimitKeywords("minContains", "elements of that kind", is_least=True),
    LimitKeywords("maxContains", "elements of that kind", is_least=False),
)
DEFAULT_LIMITS: Final = {"minLength": 0, "minItems": 0, "minProperties": 0}


def _limit(raw: Raw, scale: LimitKeywords) -> Limit | None:
    """Return the narrower of a limit and its exclusive form, None when there is no limit."""
    found = (
        [Limit(raw[scale.keyword])] if raw.get(scale.keyword) not in (None, DEFAULT_LIMITS.get(scale.keyword)) else []
    )
    if scale.exclusive in raw:
        found.append(Limit(raw[scale.exclusive], exclusive=True))
    return (max if scale.is_least else min)(found, key=lambda one: _rank(one, scale), default=None)


def _rank(limit: Limit, scale: LimitKeywords) -> tuple[float, bool]:
    return limit.value, limit.exclusive is scale.is_least


def _limit_rule(scale: LimitKeywords) -> Rule:
    def rule(old: Raw, new: Raw) -> Iterator[KeywordChange]:
        before, after = _limit(old, scale), _limit(new, scale)
        if before == after:
            return
        effect = _limit_effect(before, after, scale)
        keywords = (scale.keyword, scale.exclusive)
        says = _limit_text(before, after, scale)
        yield KeywordChange(scale.keyword, effect, says, violating(old, *keywords), violating(new, *keywords))

    return rule


def _limit_effect(before: Limit | None, after: Limit | None, scale: LimitKeywords) -> ValueSetChange:
    if before is None or after is None:
        return "narrowed" if before is None else "widened"
    rose = _rank(after, scale) > _rank(before, scale)
    return "narrowed" if rose is scale.is_least else "widened"


def _limit_text(before: Limit | None, after: Limit | None, scale: LimitKeywords) -> str:
    now = _shown_limit(after, scale)
    if before is None or after is None:
        return f"{now} now" if before is None else f"{now} any more, where it was {_shown_limit(before, scale)}"
    alike = before.exclusive is after.exclusive
    return f"{now}, not {short(before.value) if alike else _shown_limit(before, scale)}"


def _shown_limit(limit: Limit | None, scale: LimitKeywords) -> str:
    if limit is None:
        return "no limit"
    word = "at least" if scale.is_least else "at most"
    if limit.exclusive:
        word = "more than" if scale.is_least else "less than"
    return f"{word} {short(limit.value)} {scale.of}".rstrip()


LIMIT_RULES: Final[tuple[Rule, ...]] = tuple(map(_limit_rule, LIMIT_KEYWORDS))


MAX_LISTED_VALUES: Final = 8
TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


def compare_keywords(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    """Yield the changes of keywords that apply to the instance itself, not to its members or elements."""
    for rule in RULES:
        yield from rule(old, new)


def render_values(items: list[Any]) -> str:
    """Return at most `MAX_LISTED_VALUES` values as text."""
    more = len(items) - MAX_LISTED_VALUES
    texts = [short(one) for one in items[:MAX_LISTED_VALUES]]
    return f"{', '.join(texts)} and {more} more" if more > 0 else listed(texts)


def _types(raw: Raw) -> list[str]:
    given = raw.get("type", TYPES)
    named = [given] if isinstance(given, str) else list(given)
    return [*named, "integer"] if "number" in named and "integer" not in named else named


def _type(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = _types(old), _types(new)
    lost, gained = _missing_types(before, after), _missing_types(after, before)
    if lost:
        yield KeywordChange(
            "type", "narrowed", f"the type {_words(lost)} does not fit any more", in_new=violating(new, "type")
        )
    if gained:
        yield KeywordChange("type", "widened", f"the type {_words(gained)} fits too", in_old=violating(old, "type"))


def _missing_types(one: list[str], other: list[str]) -> list[str]:
    found = [name for name in one if name not in other]
    return [name for name in found if not (name == "integer" and "number" in found)]


def _words(names: list[str]) -> str:
    return listed(names, "or")


def allowed_values(raw: Raw) -> list[Any] | None:
    """Return the values of `const` or `enum`, None when the schema has neither."""
    if "const" in raw:
        return [raw["const"]]
    found: list[Any] | None = raw.get("enum")
    return found


def is_among(value: Any, items: list[Any]) -> bool:
    """Say whether a JSON value equals one of `items`: `1` equals `1.0`, `true` does not equal `1`."""
    return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in items)


def _enum(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = allowed_values(old), allowed_values(new)
    if after is None and before is not None:
        yield KeywordChange(
            "enum", "widened", f"not only {render_values(before)} fits any more", in_old=violating(old, "const", "enum")
        )
    elif before is None and after is not None:
        yield KeywordChange(
            "enum", "narrowed", f"only {render_values(after)} fits now", in_new=violating(new, "const", "enum")
        )
    elif before is not None and after is not None:
        lost = [one for one in before if not is_among(one, after)]
        gained = [one for one in after if not is_among(one, before)]
        if lost:
            yield KeywordChange(
                "enum", "narrowed", f"{render_values(lost)} does not fit any more", in_new={"enum": lost}
            )
        if gained:
            yield KeywordChange("enum", "widened", f"{render_values(gained)} fits too", in_old={"enum": gained})


def _multiple(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = old.get("multipleOf"), new.get("multipleOf")
    if before == after:
        return
    fewer = before is None or (after is not None and _is_multiple(after, before))
    more = after is None or (before is not None and _is_multiple(before, after))
    effect: ValueSetChange = "narrowed" if fewer else "widened" if more else "changed"
    says = "any number fits, multiple or not" if after is None else f"only multiples of {short(after)} fit"
    yield KeywordChange("multipleOf", effect, says, violating(old, "multipleOf"), violating(new, "multipleOf"))


def _is_multiple(one: float, other: float) -> bool:
    return Decimal(str(one)) % Decimal(str(other)) == 0


def _opaque_rule(keyword: str, what: str) -> Rule:
    """Return the rule of a keyword whose values have no order, such as `pattern`."""

    def rule(old: Raw, new: Raw) -> Iterator[KeywordChange]:
        before, after = old.get(keyword, ABSENT), new.get(keyword, ABSENT)
        if before == after:
            return
        if after is ABSENT:
            yield KeywordChange(
                keyword, "widened", f"{what} {_render(before)} is not asked any more", violating(old, keyword)
            )
        elif before is ABSENT:
            yield KeywordChange(
                keyword, "narrowed", f"{what} {_render(after)} is asked", in_new=violating(new, keyword)
            )
        else:
            says = f"{what} {_render(after)} is asked, not {_render(before)}"
            yield KeywordChange(keyword, "changed", says, violating(old, keyword), violating(new, keyword))

    return rule


def _render(value: Any) -> str:
    return clipped(str(value)) if isinstance(value, str) else short(value)


def _unique(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = bool(old.get("uniqueItems")), bool(new.get("uniqueItems"))
    if after and not before:
        yield KeywordChange(
            "uniqueItems", "narrowed", "no element may stand twice", in_new=violating(new, "uniqueItems")
        )
    if before and not after:
        yield KeywordChange(
            "uniqueItems", "widened", "an element may stand twice", in_old=violating(old, "uniqueItems")
        )


def _required(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = old.get("required", []), new.get("required", [])
    for name in after:
        if name not in before:
            yield KeywordChange(
                "required", "narrowed", f"'{name}' is required now", in_new={"not": {"required": [name]}}
            )
    for name in before:
        if name not in after:
            says = f"'{name}' is not required any more"
            yield KeywordChange("required", "widened", says, in_old={"not": {"required": [name]}})


def _dependent_required(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    before, after = _pairs(old), _pairs(new)
    for name, other in after:
        if (name, other) not in before:
            says = f"'{other}' is required now where '{name}' is given"
            yield KeywordChange("dependentRequired", "narrowed", says, in_new=_lacks_dependent(name, other))
    for name, other in before:
        if (name, other) not in after:
            says = f"'{other}' is not required any more where '{name}' is given"
            yield KeywordChange("dependentRequired", "widened", says, in_old=_lacks_dependent(name, other))


def _pairs(raw: Raw) -> list[tuple[str, str]]:
    return [(name, other) for name, others in raw.get("dependentRequired", {}).items() for other in others]


def _lacks_dependent(name: str, other: str) -> Raw:
    return {"required": [name], "properties": {other: False}}


def _discriminator(old: Raw, new: Raw) -> Iterator[KeywordChange]:
    """Yield the changes of OpenAPI's `discriminator`: the member that says which form a value has, and its words."""
    before, after = old.get("discriminator"), new.get("discriminator")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return
    was, now = before.get("propertyName"), after.get("propertyName")
    if was != now:
        says = f"the member '{now}' says which form a value has, not '{was}'"
        yield KeywordChange("discriminator", "changed", says, is_unvalidated=True)
    words, news = _words_of_forms(old, before), _words_of_forms(new, after)
    for word, form in words.items():
        if word not in news:
            says = f"{short(word)} does not stand for '{form}' any more"
            yield KeywordChange("discriminator", "narrowed", says, is_unvalidated=True)
        elif news[word] != form:
            says = f"{short(word)} stands for '{news[word]}', not for '{form}'"
            yield KeywordChange("discriminator", "changed", says, is_unvalidated=True)
    for word in (one for one in news if one not in words):
        says = f"{short(word)} stands for '{news[word]}' too"
        yield KeywordChange("discriminator", "widened", says, is_unvalidated=True)


def _words_of_forms(raw: Raw, discriminator: Mapping[str, Any]) -> dict[str, str]:
    """Return the form that each word stands for, as its reference ends: its name, and the mapped words."""
    parts = [one for keyword in ("oneOf", "anyOf") for one in raw.get(keyword, ()) if isinstance(one, Mapping)]
    names = [str(one["$ref"]).rpartition("/")[2] for one in parts if "$ref" in one]
    mapped = {word: str(ref).rpartition("/")[2] for word, ref in discriminator.get("mapping", {}).items()}
    return {**{name: name for name in names}, **mapped}


RULES: Final[tuple[Rule, ...]] = (
    _discriminator,
    _type,
    _enum,
    *LIMIT_RULES,
    _multiple,
    _unique,
    _required,
    _dependent_required,
    _opaque_rule("pattern", "the pattern"),
    _opaque_rule("format", "the format"),
    _opaque_rule("contentEncoding", "the encoding"),
    _opaque_rule("contentMediaType", "the media type"),
)

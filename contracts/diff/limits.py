"""Least and most: what a change of a limit does to the values that fit."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.diff.edits import Effect, Raw, Rule, Said, breach
from contracts.texts import short


class Limit(NamedTuple):
    """A limit of a schema; `exclusive` when the value itself does not fit."""

    value: float
    exclusive: bool = False


class Scale(NamedTuple):
    """One pair of keywords that limit the same from one side. `of` is what is counted, "" for the value itself."""

    keyword: str
    of: str
    is_least: bool
    exclusive: str = ""


SCALES: Final = (
    Scale("minimum", "", is_least=True, exclusive="exclusiveMinimum"),
    Scale("maximum", "", is_least=False, exclusive="exclusiveMaximum"),
    Scale("minLength", "characters", is_least=True),
    Scale("maxLength", "characters", is_least=False),
    Scale("minItems", "elements", is_least=True),
    Scale("maxItems", "elements", is_least=False),
    Scale("minProperties", "members", is_least=True),
    Scale("maxProperties", "members", is_least=False),
    Scale("minContains", "elements of that kind", is_least=True),
    Scale("maxContains", "elements of that kind", is_least=False),
)
DEFAULTS: Final = {"minLength": 0, "minItems": 0, "minProperties": 0}


def _limit(raw: Raw, scale: Scale) -> Limit | None:
    """Return the narrower of the two keywords of a scale, None when there is no limit."""
    found = [Limit(raw[scale.keyword])] if raw.get(scale.keyword) not in (None, DEFAULTS.get(scale.keyword)) else []
    if scale.exclusive in raw:
        found.append(Limit(raw[scale.exclusive], exclusive=True))
    return (max if scale.is_least else min)(found, key=lambda one: _rank(one, scale), default=None)


def _rank(limit: Limit, scale: Scale) -> tuple[float, bool]:
    return limit.value, limit.exclusive is scale.is_least


def _rule(scale: Scale) -> Rule:
    def rule(old: Raw, new: Raw) -> Iterator[Said]:
        before, after = _limit(old, scale), _limit(new, scale)
        if before == after:
            return
        effect = _effect(before, after, scale)
        keywords = (scale.keyword, scale.exclusive)
        says = _said(before, after, scale)
        yield Said(scale.keyword, effect, says, breach(old, *keywords), breach(new, *keywords))

    return rule


def _effect(before: Limit | None, after: Limit | None, scale: Scale) -> Effect:
    if before is None or after is None:
        return "narrowed" if before is None else "widened"
    rose = _rank(after, scale) > _rank(before, scale)
    return "narrowed" if rose is scale.is_least else "widened"


def _said(before: Limit | None, after: Limit | None, scale: Scale) -> str:
    now = _shown(after, scale)
    if before is None or after is None:
        return f"{now} now" if before is None else f"{now} any more, where it was {_shown(before, scale)}"
    alike = before.exclusive is after.exclusive
    return f"{now}, not {short(before.value) if alike else _shown(before, scale)}"


def _shown(limit: Limit | None, scale: Scale) -> str:
    if limit is None:
        return "no limit"
    word = "at least" if scale.is_least else "at most"
    if limit.exclusive:
        word = "more than" if scale.is_least else "less than"
    return f"{word} {short(limit.value)} {scale.of}".rstrip()


LIMITS: Final[tuple[Rule, ...]] = tuple(map(_rule, SCALES))

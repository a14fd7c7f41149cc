"""What became of schemas made of others: allOf, anyOf, oneOf, not, if."""

from collections.abc import Mapping, Sequence
from typing import Final

from contracts.diff.edits import Effect, Said, breach
from contracts.diff.keywords import choices
from contracts.diff.spots import Found, Spot, child, is_same
from contracts.pointers import tokens_of
from contracts.schemas import Schema
from contracts.texts import short

Pairs = Sequence[tuple[Schema | None, Schema | None]]
CONDITION: Final = ("if", "then", "else")
TOLD: Final[Mapping[tuple[bool, bool], tuple[str, Effect]]] = {  # whether it is a rule among others, whether it came
    (True, True): ("the rules{} hold too", "narrowed"),
    (True, False): ("the rules{} do not hold any more", "widened"),
    (False, True): ("the form{} fits too", "widened"),
    (False, False): ("the form{} does not fit any more", "narrowed"),
}
NESTING: Final = frozenset(("allOf", "anyOf", "oneOf"))


def compare_branches(spot: Spot) -> Found:
    """Yield differences in what a schema is made of, and the parts to look into."""
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from _listed(spot, keyword)
    yield from _negation(spot)
    yield from _condition(spot)


def _listed(spot: Spot, keyword: str) -> Found:
    old, new = spot.old.parts(keyword), spot.new.parts(keyword)
    if keyword != "allOf" and bool(old) is not bool(new):
        yield from _choice(spot, keyword, narrowed=bool(new))
        return
    for was, now in paired(old, new):
        if was is not None and now is not None:
            yield spot.inner(was, now, keyword)
        else:
            yield from _branch(spot, keyword, was, now)


def _choice(spot: Spot, keyword: str, *, narrowed: bool) -> Found:
    old, new = spot.raws
    if narrowed:
        says = "one of several forms is asked now"
        yield spot.edit(Said(keyword, "narrowed", says, in_new=breach(new, keyword)))
    else:
        says = "none of several forms is asked any more"
        yield spot.edit(Said(keyword, "widened", says, in_old=breach(old, keyword)))


def _branch(spot: Spot, keyword: str, was: Schema | None, now: Schema | None) -> Found:
    part = now or was
    assert part is not None  # noqa: S101 - one of them is there
    name = f" '{named(part)}'" if named(part) else ""
    is_rule = keyword == "allOf"
    says, effect = TOLD[is_rule, now is not None]
    if is_rule:
        breaking = {"not": {"$ref": part.ref}}
        yield spot.edit(Said(keyword, effect, says.format(name), breaking, breaking))
    else:
        breaches = (breach(one, keyword) for one in spot.raws)
        yield spot.edit(Said(keyword, effect, says.format(name), *breaches), within=part)


def paired(old: Sequence[Schema], new: Sequence[Schema]) -> Pairs:
    """Pair the parts of two lists: those written alike, then those of one name, then those without, as they come."""
    found: list[tuple[Schema | None, Schema | None]] = []
    before, after = list(old), list(new)
    for matches in (is_same, _is_namesake, _may_be):
        for one in [*before]:
            other = next((each for each in after if matches(one, each)), None)
            if other is not None:
                found.append((one, other))
                before.remove(one)
                after.remove(other)
    return [*found, *((one, None) for one in before), *((None, one) for one in after)]


def _is_namesake(one: Schema, other: Schema) -> bool:
    return bool(named(one)) and named(one) == named(other)


def _may_be(one: Schema, other: Schema) -> bool:
    """Say whether nothing tells that two parts are not the same: one of them has no name."""
    return not (named(one) and named(other))


def named(schema: Schema) -> str:
    """Return what a part of a choice is called: by its own place, its title, or a member that tells it; else ""."""
    uri, _, pointer = schema.ref.partition("#")
    tokens = tokens_of(pointer)
    if not tokens:
        return uri.rpartition("/")[2].partition(".")[0]
    if len(tokens) < 2 or tokens[-2] not in NESTING:  # noqa: PLR2004 - a keyword and a number
        return tokens[-1]
    return str(schema.raw.get("title", "")) or _telling(schema)


def _telling(schema: Schema) -> str:
    members = schema.raw.get("properties")
    for name, one in members.items() if isinstance(members, Mapping) else ():
        only = choices(one) if isinstance(one, Mapping) else None
        if only is not None and len(only) == 1:
            return f"{name}: {short(only[0])}"
    return ""


def _negation(spot: Spot) -> Found:
    old, new = spot.raws
    if "not" in old and "not" in new:
        if not is_same(child(spot.old, "not"), child(spot.new, "not")):
            says = "what must not fit is described otherwise"
            yield spot.edit(Said("not", "changed", says, breach(old, "not"), breach(new, "not")))
    elif "not" in new:
        yield spot.edit(Said("not", "narrowed", "something must not fit now", in_new=breach(new, "not")))
    elif "not" in old:
        yield spot.edit(Said("not", "widened", "nothing need be avoided any more", in_old=breach(old, "not")))


def _condition(spot: Spot) -> Found:
    old, new = spot.raws
    if "if" in old and "if" in new and is_same(child(spot.old, "if"), child(spot.new, "if")):
        yield spot.inner(child(spot.old, "then"), child(spot.new, "then"), "then")
        yield spot.inner(child(spot.old, "else"), child(spot.new, "else"), "else")
    elif "if" in old and "if" in new:
        says = "what holds under a condition is described otherwise"
        yield spot.edit(Said("if", "changed", says, breach(old, *CONDITION), breach(new, *CONDITION)))
    elif "if" in new:
        yield spot.edit(Said("if", "narrowed", "more holds under a condition", in_new=breach(new, *CONDITION)))
    elif "if" in old:
        yield spot.edit(Said("if", "widened", "less holds under a condition", in_old=breach(old, *CONDITION)))

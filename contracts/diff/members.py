"""What became of the members of objects."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from contracts.diff.edits import Edit, Raw, Said, breach
from contracts.diff.spots import ANYTHING, Found, Spot, child, either, is_nothing
from contracts.schemas import Schema
from contracts.texts import listed

FRESH: Final = "unforeseen"


def compare_members(spot: Spot) -> Found:
    """Yield differences in the members of objects, and the schemas of members to look into."""
    for name in either(_named(spot.old, "properties"), _named(spot.new, "properties")):
        yield from _property(spot, name)
    yield from _patterns(spot)
    yield from _others(spot)
    names = (child(spot.old, "propertyNames"), child(spot.new, "propertyNames"))
    yield spot.inner(*names, "propertyNames")
    yield from _unevaluated(spot)
    yield from _dependent(spot)


def _named(schema: Schema, keyword: str) -> Mapping[str, object]:
    found = schema.raw.get(keyword)
    return found if isinstance(found, Mapping) else {}


def _property(spot: Spot, name: str) -> Found:
    before, after = _declared(spot.old, name), _declared(spot.new, name)
    if before is None and after is not None:
        yield from _added(spot, name, after)
    elif after is None and before is not None:
        yield from _removed(spot, name, before)
    elif before is not None and after is not None:
        yield spot.inner(before, after, "properties", name, token=name)


def _declared(schema: Schema, name: str) -> Schema | None:
    return schema.inside("properties", name) if name in _named(schema, "properties") else None


def _added(spot: Spot, name: str, after: Schema) -> Found:
    was = undeclared(spot.old, name)
    if is_nothing(was):
        says = f"the member '{name}' is new"
        yield spot.edit(Said("properties", "widened", says, in_old={"required": [name]}))
    elif was.raw:
        yield spot.inner(was, after, "properties", name, token=name)
    else:
        yield spot.edit(Said("properties", "narrowed", f"the member '{name}' is described now"), mild="info")


def _removed(spot: Spot, name: str, before: Schema) -> Found:
    now = undeclared(spot.new, name)
    if is_nothing(now):
        says = f"the member '{name}' is refused now"
        yield spot.edit(Said("properties", "narrowed", says, in_new={"required": [name]}))
    elif now.raw:
        yield spot.inner(before, now, "properties", name, token=name)
    else:
        says = f"the member '{name}' is not described any more"
        yield spot.edit(Said("properties", "widened", says), mild="warning", least="warning")


def undeclared(schema: Schema, name: str) -> Schema:
    """Return what holds for a member of that name, its own declaration left aside."""
    patterns = [one for one in _named(schema, "patternProperties") if _matches(one, name)]
    if patterns:
        return schema.inside("patternProperties", patterns[0])
    return child(schema, "additionalProperties")


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _patterns(spot: Spot) -> Found:
    before, after = _named(spot.old, "patternProperties"), _named(spot.new, "patternProperties")
    for pattern in before:
        if pattern in after:
            step = ("patternProperties", pattern)
            yield spot.inner(spot.old.inside(*step), spot.new.inside(*step), *step, token="*")  # noqa: S106 - a pointer's token
    if before.keys() != after.keys():
        said = (
            f"members are described by other patterns: {listed(after)}"
            if after
            else "no members are described by patterns"
        )
        keywords = ("properties", "patternProperties", "additionalProperties")
        sides = (breach(one, *keywords) for one in spot.raws)
        yield spot.edit(Said("patternProperties", "changed", said, *sides))


def _others(spot: Spot) -> Found:
    """Compare what holds for members that are not named."""
    was, now = child(spot.old, "additionalProperties"), child(spot.new, "additionalProperties")
    closed, closing = is_nothing(was), is_nothing(now)
    if closing and not closed:
        says = "members that are not named are refused now"
        yield spot.edit(Said("additionalProperties", "narrowed", says, in_new=_some_other(spot)))
    elif closed and not closing:
        says = "members that are not named fit too"
        yield spot.edit(Said("additionalProperties", "widened", says, in_old=_some_other(spot)))
    elif not closed:
        yield spot.inner(was, now, "additionalProperties", _fresh(spot), token="*")  # noqa: S106 - a pointer's token


def _some_other(spot: Spot) -> Raw:
    return {"required": [_fresh(spot)]}


def _fresh(spot: Spot) -> str:
    taken = {*_named(spot.old, "properties"), *_named(spot.new, "properties")}
    name = FRESH
    while name in taken:
        name += "_"
    return name


def _unevaluated(spot: Spot) -> Found:
    for keyword in ("unevaluatedProperties", "unevaluatedItems"):
        was, now = child(spot.old, keyword), child(spot.new, keyword)
        if keyword in spot.old.raw or keyword in spot.new.raw:
            yield from (spot.edit(one) for one in _whether(spot, keyword, was, now))


def _whether(spot: Spot, keyword: str, was: Schema, now: Schema) -> Iterator[Said]:
    old, new = spot.raws
    if was.raw == now.raw:
        return
    what = "what no other rule speaks of"
    if now is ANYTHING or not now.raw:
        yield Said(keyword, "widened", f"{what} fits too", in_old=breach(old, keyword))
    elif was is ANYTHING or not was.raw:
        yield Said(keyword, "narrowed", f"{what} does not always fit any more", in_new=breach(new, keyword))
    else:
        yield Said(keyword, "changed", f"{what} is described otherwise", breach(old, keyword), breach(new, keyword))


def _dependent(spot: Spot) -> Iterator[Edit | Spot]:
    before, after = _named(spot.old, "dependentSchemas"), _named(spot.new, "dependentSchemas")
    for name in either(before, after):
        was, now = child(spot.old, "dependentSchemas", name), child(spot.new, "dependentSchemas", name)
        yield spot.inner(was, now, "dependentSchemas", name)

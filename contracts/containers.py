"""Explaining objects and arrays: the members and elements that do not fit, each by its own schema."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from contracts.alternatives import words_of
from contracts.findings import Explain, ExplainerOf, Findings, Path
from contracts.schemas import Schema, compiled
from contracts.wording import known_words, unknown

Part: TypeAlias = tuple[Callable[[Any], bool], Explain]


def members_rule(schema: Schema, explain_of: ExplainerOf) -> Explain:
    """Return the rule of `properties`, `patternProperties` and `additionalProperties`."""
    part_of = _parts_by_name(schema, explain_of)

    def rule(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, dict):
            return
        counts = found.holds_items(path)
        for name, one in value.items():
            for fits, explain in part_of(name):
                if not fits(one):
                    _tell(explain, one, path, name, found, counts=counts)

    return rule


def elements_rule(schema: Schema, explain_of: ExplainerOf) -> Explain:
    """Return the rule of `prefixItems` and `items`."""
    first = [_part(one, explain_of) for one in schema.parts("prefixItems")]
    rest = _part(schema.inside("items"), explain_of) if "items" in schema.raw else None

    def rule(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, list):
            return
        counts = found.holds_items(path)
        for n, one in enumerate(value):
            part = rest if n >= len(first) else first[n]
            if part is not None and not part[0](one):
                _tell(part[1], one, path, n, found, counts=counts)

    return rule


def names_rule(schema: Schema, _: ExplainerOf) -> Explain:
    """Return the rule of `propertyNames`."""
    names = schema.inside("propertyNames")
    options = names.raw.get("enum")
    listed = tuple(map(str, options)) if isinstance(options, list) else ()
    known = listed or known_words("const", names.raw.get("const")) or words_of(names.raw.get("pattern"), names.raw)
    broken = unknown(known, "propertyNames")

    def rule(value: Any, path: Path, found: Findings) -> None:
        for name in value if isinstance(value, dict) else ():
            if not names.is_valid(name):
                found.add(broken, (path, name), name)

    return rule


def _tell(explain: Explain, value: Any, path: Path, token: str | int, found: Findings, *, counts: bool) -> None:
    at = (path, token)
    if counts:
        found.enter(at)
    explain(value, at, found)
    if counts:
        found.enter(None)


def _parts_by_name(schema: Schema, explain_of: ExplainerOf) -> Callable[[str], tuple[Part, ...]]:
    """Return what gives the schemas that a member of some name must fit."""
    known = {name: (_part(schema.inside("properties", name), explain_of),) for name in _names(schema, "properties")}
    others = _others(schema, explain_of, tuple(known))
    patterns = [
        (compiled({"pattern": pattern}).is_valid, _part(schema.inside("patternProperties", pattern), explain_of))
        for pattern in _names(schema, "patternProperties")
    ]
    if not patterns:
        return lambda name: known.get(name, others)
    return lambda name: (*known.get(name, ()), *(part for fits, part in patterns if fits(name))) or others


def _others(schema: Schema, explain_of: ExplainerOf, known: tuple[str, ...]) -> tuple[Part, ...]:
    declared = schema.raw.get("additionalProperties", True)
    if declared is not False:
        return (_part(schema.inside("additionalProperties"), explain_of),) if isinstance(declared, Mapping) else ()
    broken = unknown(known)

    def refuse(value: Any, path: Path, found: Findings) -> None:
        found.add(broken, path, value)

    return ((lambda _: False, refuse),)


def _names(schema: Schema, keyword: str) -> Mapping[str, Any]:
    named = schema.raw.get(keyword)
    return named if isinstance(named, Mapping) else {}


def _part(schema: Schema, explain_of: ExplainerOf) -> Part:
    return schema.validator.is_valid, explain_of(schema)

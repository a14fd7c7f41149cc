"""Explain violations of `oneOf`, `anyOf`, objects and arrays by the branch or member that was most likely intended.

Begin with `choice_rule`, `members_rule` and `elements_rule`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from contracts.messages import ABSENT
from contracts.schemas.schema_set import Schema, compiled
from contracts.schemas.violations import Explain, ExplainerOf, Findings, Path
from contracts.schemas.wording import Check, check, keyword_check, known_words, missing_member, unknown_member
from contracts.syntax.text import as_list, as_mapping, words_of

SEVERAL_BRANCHES = check("oneOf", "fits more than one of its forms", "exactly one form")


@dataclass(frozen=True, slots=True)
class BranchSelector:
    """A member whose value selects the branch, as OpenAPI's `discriminator` does."""

    name: str
    branches: Mapping[str, Schema]

    def select(self, value: Mapping[str, Any], path: Path) -> "Schema | tuple[Check, Path]":
        """Return the selected branch, or what is wrong with the selecting member, and where."""
        given = value.get(self.name, ABSENT)
        if given is ABSENT:
            return missing_member(self.name), path
        branch = self.branches.get(given) if isinstance(given, str) else None
        return branch or (keyword_check("enum", list(self.branches)), (path, self.name))


def choice_rule(schema: Schema, explain_of: ExplainerOf, *, keyword: str) -> Explain:
    """Return the rule of `oneOf` or `anyOf`."""
    parts = schema.parts(keyword)
    selector = _discriminator(schema, parts) or _constant_selector(parts)

    def rule(value: Any, path: Path, found: Findings) -> None:
        fitting = sum(part.is_valid(value) for part in parts)
        if fitting == 1 or (fitting and keyword == "anyOf"):
            return
        selected = (SEVERAL_BRANCHES, path) if fitting else _nearest_branch(parts, selector, value, path, explain_of)
        if isinstance(selected, Schema):
            explain_of(selected)(value, path, found)
        else:
            found.add(
                selected[0], selected[1], value if selected[1] is path else value[selector.name] if selector else value
            )

    return rule


def _nearest_branch(
    parts: tuple[Schema, ...], selector: BranchSelector | None, value: Any, path: Path, explain_of: ExplainerOf
) -> "Schema | tuple[Check, Path]":
    if selector is not None and isinstance(value, dict):
        return selector.select(value, path)
    near = [part for part in parts if _type_fits(part, value)]
    if not near:
        return keyword_check("type", [*dict.fromkeys(name for part in parts for name in _types(part))]), path
    return near[0] if len(near) == 1 else min(near, key=lambda part: _distance(part, value, explain_of))


def _distance(part: Schema, value: Any, explain_of: ExplainerOf) -> int:
    findings = Findings()
    explain_of(part)(value, None, findings)
    return findings.total


def _types(schema: Schema) -> list[str]:
    found = next((form.raw["type"] for form in schema.forms() if "type" in form.raw), [])
    return [found] if isinstance(found, str) else [*map(str, found)] if isinstance(found, list) else []


def _type_fits(schema: Schema, value: Any) -> bool:
    types = _types(schema)
    return not types or compiled({"type": types}).is_valid(value)


def _discriminator(schema: Schema, parts: tuple[Schema, ...]) -> BranchSelector | None:
    """Return the selector of OpenAPI's `discriminator`; a branch without a mapping is selected by its schema's name."""
    discriminator = schema.raw.get("discriminator")
    if not isinstance(discriminator, Mapping) or "propertyName" not in discriminator:
        return None
    mapping = discriminator.get("mapping", {})
    mapped = {value: schema.within.schema(ref) for value, ref in mapping.items()}
    named = {part.ref.rpartition("/")[2]: part for part in parts if part not in mapped.values()}
    return BranchSelector(discriminator["propertyName"], {**mapped, **named})


def _constant_selector(parts: tuple[Schema, ...]) -> BranchSelector | None:
    """Return a required member with different constants in each branch as the selector, None when there is none."""
    constants = [dict(_constants(part)) for part in parts]
    for name in constants[0] if constants else ():
        if all(name in one for one in constants):
            branches = {word: part for part, one in zip(parts, constants, strict=True) for word in one[name]}
            if len(branches) == sum(len(one[name]) for one in constants):
                return BranchSelector(name, branches)
    return None


def _constants(part: Schema) -> Iterator[tuple[str, list[str]]]:
    required = part.raw.get("required", ())
    for name, schema in part.members().items():
        raw = schema.raw
        words = [raw["const"]] if "const" in raw else raw.get("enum")
        if isinstance(words, list) and all(isinstance(one, str) for one in words) and name in (required or ()):  # type: ignore[operator] # a list of names
            yield name, words


Part: TypeAlias = tuple[Callable[[Any], bool], Explain]


def members_rule(schema: Schema, explain_of: ExplainerOf) -> Explain:
    """Return the rule of `properties`, `patternProperties` and `additionalProperties`."""
    part_of = _parts_by_name(schema, explain_of)

    def rule(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, dict):
            return
        counts = found.is_item_collection(path)
        for name, one in value.items():
            for fits, explain in part_of(name):
                if not fits(one):
                    _explain_at(explain, one, path, name, found, counts=counts)

    return rule


def elements_rule(schema: Schema, explain_of: ExplainerOf) -> Explain:
    """Return the rule of `prefixItems` and `items`."""
    first = [_part(one, explain_of) for one in schema.parts("prefixItems")]
    rest = _part(schema.inside("items"), explain_of) if "items" in schema.raw else None

    def rule(value: Any, path: Path, found: Findings) -> None:
        if not isinstance(value, list):
            return
        counts = found.is_item_collection(path)
        for n, one in enumerate(value):
            part = rest if n >= len(first) else first[n]
            if part is not None and not part[0](one):
                _explain_at(part[1], one, path, n, found, counts=counts)

    return rule


def names_rule(schema: Schema, _: ExplainerOf) -> Explain:
    """Return the rule of `propertyNames`."""
    names = schema.inside("propertyNames")
    listed = tuple(map(str, as_list(names.raw.get("enum"))))
    known = listed or known_words("const", names.raw.get("const")) or words_of(names.raw.get("pattern"), names.raw)
    broken = unknown_member(known, "propertyNames")

    def rule(value: Any, path: Path, found: Findings) -> None:
        for name in value if isinstance(value, dict) else ():
            if not names.is_valid(name):
                found.add(broken, (path, name), name)

    return rule


def _explain_at(explain: Explain, value: Any, path: Path, token: str | int, found: Findings, *, counts: bool) -> None:
    at = (path, token)
    if counts:
        found.enter(at)
    explain(value, at, found)
    if counts:
        found.enter(None)


def _parts_by_name(schema: Schema, explain_of: ExplainerOf) -> Callable[[str], tuple[Part, ...]]:
    """Return a function from a member's name to the schemas that apply to it."""
    known = {
        name: (_part(schema.inside("properties", name), explain_of),)
        for name in as_mapping(schema.raw.get("properties"))
    }
    others = _others(schema, explain_of, tuple(known))
    patterns = [
        (compiled({"pattern": pattern}).is_valid, _part(schema.inside("patternProperties", pattern), explain_of))
        for pattern in as_mapping(schema.raw.get("patternProperties"))
    ]
    if not patterns:
        return lambda name: known.get(name, others)
    return lambda name: (*known.get(name, ()), *(part for fits, part in patterns if fits(name))) or others


def _others(schema: Schema, explain_of: ExplainerOf, known: tuple[str, ...]) -> tuple[Part, ...]:
    declared = schema.raw.get("additionalProperties", True)
    if declared is not False:
        return (_part(schema.inside("additionalProperties"), explain_of),) if isinstance(declared, Mapping) else ()
    broken = unknown_member(known)

    def refuse(value: Any, path: Path, found: Findings) -> None:
        found.add(broken, path, value)

    return ((lambda _: False, refuse),)


def _part(schema: Schema, explain_of: ExplainerOf) -> Part:
    return schema.validator.is_valid, explain_of(schema)

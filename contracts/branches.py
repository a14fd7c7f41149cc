"""Explaining `oneOf` and `anyOf` by the branch that was meant: known by a tag, by its type, or as the nearest one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.findings import Explain, ExplainerOf, Findings, Path
from contracts.messages import ABSENT
from contracts.schemas import Schema, compiled
from contracts.wording import Check, check, lacking, of_keyword

TOO_MANY = check("oneOf", "fits more than one of its forms", "exactly one form")


@dataclass(frozen=True, slots=True)
class Tag:
    """A member whose value says which branch is meant."""

    name: str
    branches: Mapping[str, Schema]

    def meant(self, value: Mapping[str, Any], path: Path) -> "Schema | tuple[Check, Path]":
        """Return the branch that an object means, or what is wrong with its tag and where."""
        given = value.get(self.name, ABSENT)
        if given is ABSENT:
            return lacking(self.name), path
        branch = self.branches.get(given) if isinstance(given, str) else None
        return branch or (of_keyword("enum", list(self.branches)), (path, self.name))


def choice_rule(schema: Schema, explain_of: ExplainerOf, *, keyword: str) -> Explain:
    """Return the rule of `oneOf` or `anyOf`."""
    parts = schema.parts(keyword)
    tag = _declared_tag(schema, parts) or _common_tag(parts)

    def rule(value: Any, path: Path, found: Findings) -> None:
        fitting = sum(part.is_valid(value) for part in parts)
        if fitting == 1 or (fitting and keyword == "anyOf"):
            return
        meant = (TOO_MANY, path) if fitting else _meant(parts, tag, value, path, explain_of)
        if isinstance(meant, Schema):
            explain_of(meant)(value, path, found)
        else:
            found.add(meant[0], meant[1], value if meant[1] is path else value[tag.name] if tag else value)

    return rule


def _meant(
    parts: tuple[Schema, ...], tag: Tag | None, value: Any, path: Path, explain_of: ExplainerOf
) -> "Schema | tuple[Check, Path]":
    if tag is not None and isinstance(value, dict):
        return tag.meant(value, path)
    near = [part for part in parts if _type_fits(part, value)]
    if not near:
        return of_keyword("type", [*dict.fromkeys(name for part in parts for name in _types(part))]), path
    return near[0] if len(near) == 1 else min(near, key=lambda part: _distance(part, value, explain_of))


def _distance(part: Schema, value: Any, explain_of: ExplainerOf) -> int:
    trial = Findings()
    explain_of(part)(value, None, trial)
    return trial.total


def _types(schema: Schema) -> list[str]:
    found = next((form.raw["type"] for form in schema.forms() if "type" in form.raw), [])
    return [found] if isinstance(found, str) else [*map(str, found)] if isinstance(found, list) else []


def _type_fits(schema: Schema, value: Any) -> bool:
    types = _types(schema)
    return not types or compiled({"type": types}).is_valid(value)


def _declared_tag(schema: Schema, parts: tuple[Schema, ...]) -> Tag | None:
    """Return what OpenAPI's `discriminator` says; a branch without a mapping goes by its schema's name."""
    discriminator = schema.raw.get("discriminator")
    if not isinstance(discriminator, Mapping) or "propertyName" not in discriminator:
        return None
    mapping = discriminator.get("mapping", {})
    mapped = {value: schema.within.schema(ref) for value, ref in mapping.items()}
    named = {part.ref.rpartition("/")[2]: part for part in parts if part not in mapped.values()}
    return Tag(discriminator["propertyName"], {**mapped, **named})


def _common_tag(parts: tuple[Schema, ...]) -> Tag | None:
    """Return the member that has other constants in each branch, when there is one."""
    constants = [dict(_constants(part)) for part in parts]
    for name in constants[0] if constants else ():
        if all(name in one for one in constants):
            branches = {word: part for part, one in zip(parts, constants, strict=True) for word in one[name]}
            if len(branches) == sum(len(one[name]) for one in constants):
                return Tag(name, branches)
    return None


def _constants(part: Schema) -> Iterator[tuple[str, list[str]]]:
    required = part.raw.get("required", ())
    for name, schema in part.members().items():
        raw = schema.raw
        words = [raw["const"]] if "const" in raw else raw.get("enum")
        if isinstance(words, list) and all(isinstance(one, str) for one in words) and name in (required or ()):  # type: ignore[operator] # a list of names
            yield name, words

"""Giving a record's members the one defect, or the one peculiarity, that an intent asks for."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from contracts.schemas import Schema
from generators.checks.intents import Intent
from generators.checks.payloads import Members, drawn_member, example_members, schema_of, writable
from generators.checks.stage import Stage
from generators.impossible import ImpossibleError
from generators.mutations import invalid_variants

KEYWORDS: Final = ("type", "minLength", "maxLength", "enum")
PLACEHOLDER: Final = "A text of some length"


def spoilt(stage: Stage, slot: int, intent: Intent, members: Members, rng: Random) -> Members:
    """Return the members with what the intent asks for. Raises ImpossibleError when there is no room for it."""
    for word in (intent.flavour, intent.defect):
        if word in CHANGES:
            members = CHANGES[word](stage, f"x{slot}", intent, members, rng)
    return members


def _lacking(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Leave out a member that a new record must have, one that it is not recognised by if possible."""
    del slot, intent, rng
    needed = [name for name in stage.spot.resource.required if name in members]
    plain = [name for name in needed if not _is_fresh(stage, members[name])]
    if not needed:
        raise ImpossibleError(f"a new {stage.spot.resource.name} needs no member")
    return {name: value for name, value in members.items() if name != (plain or needed)[0]}


def _is_fresh(stage: Stage, value: object) -> bool:
    return isinstance(value, str | int) and value in stage.names.given


def _dangling(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Refer to a record that does not exist."""
    del intent
    resource, schema = stage.spot.resource, schema_of(stage.spot.bench, stage.spot.resource)
    name = next(iter(resource.references), None)
    if name is None:
        raise ImpossibleError(f"a {resource.name} refers to nothing")
    return {**members, name: stage.names.fit(schema.member(name) if schema is not None else None, slot, rng)}


def _invalid(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Break the record's schema in one member, keys and unique ones left alone."""
    del slot
    resource = stage.spot.resource
    schema = _schema(stage)
    kept = {resource.key, *(name for group in resource.unique for name in group)}
    words = (intent.keyword,) if intent.keyword else KEYWORDS
    for mutation in invalid_variants(schema, members, rng, keywords=words):
        value = mutation.value
        if isinstance(value, dict) and value.keys() == members.keys():
            changed = [name for name in members if value[name] is not members[name] and value[name] != members[name]]
            if changed and not kept & set(changed) and value[changed[0]] is not None:
                return value
    raise ImpossibleError(f"no member of a {resource.name} could be made invalid")


def _padded(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Put blanks around a text."""
    del slot
    schema, open_ = _schema(stage), _free(stage)
    others = [] if intent.existing else [name for name in open_ if name not in members]
    for name in (*(name for name in members if name in open_), *others):
        value = members.get(name) or drawn_member(stage.spot.bench, stage.spot.resource, name, rng)
        for padded in (f" {value} ", f" {value[:1]} ") if isinstance(value, str) else ():
            inner = schema.member(name)
            if inner is None or inner.is_valid(padded):
                return {**members, name: padded}
    raise ImpossibleError(f"a {stage.spot.resource.name} has no text that may have blanks around it")


def _wide(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Change another member too, where there is one that can be changed freely."""
    schema, bench, resource = _schema(stage), stage.spot.bench, stage.spot.resource
    shown = [name for name in example_members(stage.spot.operation) if name in _free(stage)]
    others = [name for name in shown or _free(stage) if name not in members]
    if not others:
        raise ImpossibleError(f"a {resource.name} has no second member that can be changed freely")
    for name in others:
        inner = schema.member(name)
        text = stage.names.text(f"w{slot}")
        if inner is not None and inner.is_valid(text):
            return {**members, name: stage.names.keep(text, f"w{slot}")}
    del intent
    return {**members, **{name: drawn_member(bench, resource, name, rng) for name in others[:1]}}


def _cleared(stage: Stage, slot: str, intent: Intent, members: Members, rng: Random) -> Members:
    """Set a member to null that is not null."""
    del slot, intent, rng
    name = clearable(stage)
    unique = {one for group in stage.spot.resource.unique for one in group}
    kept = {one: value for one, value in members.items() if one == stage.spot.resource.key or one in unique}
    return {**kept, name: None}


def clearable(stage: Stage) -> str:
    """Return a member that may be null. Raises ImpossibleError when there is none."""
    schema = _schema(stage)
    for name in _free(stage):
        inner = schema.member(name)
        if inner is not None and inner.is_valid(None):
            return name
    raise ImpossibleError(f"a {stage.spot.resource.name} has no member that may be null")


def filled(stage: Stage, members: Members, rng: Random) -> Members:
    """Return a new record's members with something in the member that is going to be cleared."""
    name = clearable(stage)
    inner = _schema(stage).member(name)
    value: object = PLACEHOLDER
    if inner is not None and not inner.is_valid(value):
        value = drawn_member(stage.spot.bench, stage.spot.resource, name, rng)
    return {**members, name: value}


def _free(stage: Stage) -> list[str]:
    unique = {name for group in stage.spot.resource.unique for name in group}
    return [name for name in writable(stage.spot.bench, stage.spot.resource) if name not in unique]


def _schema(stage: Stage) -> Schema:
    schema = schema_of(stage.spot.bench, stage.spot.resource)
    if schema is None:
        raise ImpossibleError(f"a {stage.spot.resource.name} has no schema")
    return schema


Change = Callable[[Stage, str, Intent, Members, Random], Members]
CHANGES: Final[Mapping[str, Change]] = {
    "required": _lacking,
    "reference": _dangling,
    "invalid": _invalid,
    "padded": _padded,
    "wide": _wide,
    "cleared": _cleared,
}

"""Naming a record by what is unique about it, where an API takes that in the place of its key."""

from collections.abc import Mapping
from typing import Any

from contracts.bulk import Resource


def lookup(template: Any, members: Mapping[str, object]) -> Any:
    """Return what looks up a record with these members, None when the template asks for one that is not known."""
    name = _blank(template)
    if name is not None:
        value = members.get(name)
        return value if isinstance(value, str | int) and not isinstance(value, bool) else None
    if isinstance(template, dict):
        made = {key: lookup(inner, members) for key, inner in template.items()}
        return None if None in made.values() else made
    return template


def looked_up(resource: Resource, value: object) -> Mapping[str, object] | None:
    """Return the members that a value looks a record up by, None when it is no lookup of the resource's."""
    for template in resource.lookups:
        found: dict[str, object] = {}
        if _matches(template, value, found):
            return found
    return None


def _matches(template: object, value: object, found: dict[str, object]) -> bool:
    name = _blank(template)
    if name is not None:
        found[name] = value
        return isinstance(value, str | int)
    if isinstance(template, dict) and isinstance(value, dict):
        return template.keys() == value.keys() and all(_matches(template[key], value[key], found) for key in template)
    return template == value


def _blank(template: object) -> str | None:
    is_blank = isinstance(template, str) and template.startswith("{") and template.endswith("}")
    return template[1:-1] if is_blank and isinstance(template, str) else None

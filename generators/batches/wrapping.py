"""Putting an item together from its parts, at the places that the declaration names."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT
from contracts.pointers import look_up, tokens_of
from contracts.schemas import Schema
from generators.batches.making import Making
from generators.batches.requesting import filled
from generators.checks.locations import is_outside, put

PATHS: Final = ("path", "property", "field", "member", "name")


class Wrapper:
    """Wraps payloads into items of one operation. `element` is the schema of an item, None when there is none."""

    __slots__ = ("_bulk", "_patch", "element")

    def __init__(self, bulk: Bulk, element: Schema | None, payload: Schema | None) -> None:
        self._bulk, self.element = bulk, element
        self._patch = _patch_members(payload)

    def payload(self, values: Mapping[str, Any]) -> object:
        """Return members as the payload is written: themselves, or as a list of changes by path."""
        if self._patch is None:
            return dict(values)
        path, has_op = self._patch
        if has_op:
            return [{"op": "replace", path: f"/{name}", "value": value} for name, value in values.items()]
        return [{path: name, "value": value} for name, value in values.items()]

    def item(self, payload: object, parts: Mapping[str, object], making: Making) -> object:
        """Return the item of a payload and the parts by location; members that it lacks are drawn."""
        at = self._bulk.effect.payload
        item: Any = payload if at == "" else {}
        if at and at not in self._bulk.items.shared and payload is not None:
            item = put(item, at, payload)
        for location, value in parts.items():
            if not is_outside(location) and location and value is not ABSENT and value is not None:
                item = put(item, location, value)
        return filled(item, self.element, making)

    def fits(self, item: object) -> bool:
        """Say whether an item keeps the request's schema."""
        return self.element is None or self.element.is_valid(item)


def group_value(element: Schema | None, location: str, number: int) -> object:
    """Return a group's number in the type that its place takes."""
    schema = element.at(location) if element is not None else None
    return number if schema is None or schema.is_valid(number) else str(number)


def named_member(location: str) -> str:
    """Return the last token of a pointer."""
    return tokens_of(location)[-1] if location else ""


def key_of(item: object, bulk: Bulk, resource: Resource | None, *, name: object) -> object:
    """Return what an item's outcome is known by, read from the item as it is sent; None when it says nothing."""
    if bulk.key.by in {"index", "order"} or (bulk.items.shape == "map" and not bulk.key.at):
        return name
    places = [bulk.key.at] if bulk.key.at is not None else [*bulk.effect.target]
    if not places and resource is not None:
        places = [f"{bulk.effect.payload}/{resource.key}"]
    found = next((value for place in places if (value := look_up(item, place)) is not ABSENT), None)
    return found if isinstance(found, str | int) else None


def _patch_members(payload: Schema | None) -> tuple[str, bool] | None:
    """Return how a payload that lists changes names what it changes, and whether it says `op`; None when it is no list."""
    change = payload.items() if payload is not None else None
    members = change.members() if change is not None else {}
    path = next((name for name in PATHS if name in members), None)
    return (path, "op" in members) if path is not None and "value" in members else None

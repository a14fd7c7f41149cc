"""Putting an item together from its parts, at the places that the declaration names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT
from contracts.pointers import look_up, pointer_of, tokens_of
from contracts.schemas import Schema
from generators.batches.making import Making
from generators.batches.requesting import filled
from generators.checks.locations import is_outside

PATHS: Final = ("path", "property", "field", "member", "name")


class Wrapper:
    """Wraps payloads into items of one operation. `element` is the schema of an item, None when there is none."""

    __slots__ = ("_at", "_patch", "_payload_at", "_places", "element")

    def __init__(self, bulk: Bulk, element: Schema | None, payload: Schema | None) -> None:
        self.element = element
        self._patch = _patch_members(payload)
        self._at = bulk.effect.payload
        self._payload_at = None if bulk.effect.payload in bulk.items.shared else bulk.effect.payload
        self._places: dict[str, Place] = {}

    @property
    def lists_changes(self) -> bool:
        """Whether a payload is a list of changes, not the members themselves."""
        return self._patch is not None

    def payload(self, values: Mapping[str, Any]) -> object:
        """Return members as the payload is written: themselves, or as a list of changes by path."""
        if self._patch is None:
            return dict(values)
        path, has_op = self._patch
        if has_op:
            return [{"op": "replace", path: f"/{name}", "value": value} for name, value in values.items()]
        return [{path: name, "value": value} for name, value in values.items()]

    def pointer(self, values: Mapping[str, Any], inner: str) -> str:
        """Return where in an item, or in the body where all share it, stands what `inner` points at in the members."""
        if self._patch is None:
            return f"{self._at}{inner}"
        name, *rest = tokens_of(inner)
        return f"{self._at}{pointer_of([[*values].index(name), 'value', *rest])}"

    def item(self, payload: object, parts: Mapping[str, object], making: Making) -> object:
        """Return the item of a payload and the parts by location; members that it lacks are drawn."""
        item: Any = payload if self._payload_at == "" and payload is not None else {}
        if self._payload_at and payload is not None:
            self._place(self._payload_at).put(item, payload)
        for location, value in parts.items():
            if location and value is not None and not is_outside(location):
                self._place(location).put(item, value)
        return item if self.fits(item) else filled(item, self.element, making)

    def fits(self, item: object) -> bool:
        """Say whether an item keeps the request's schema."""
        return self.element is None or self.element.is_valid(item)

    def _place(self, location: str) -> "Place":
        ready = self._places.get(location)
        if ready is None:
            schema = self.element.at(location) if self.element is not None else None
            is_valid = schema.validator.is_valid if schema is not None else None
            ready = self._places[location] = Place(tokens_of(location), is_valid)
        return ready


@dataclass(frozen=True, slots=True)
class Place:
    """A place in items, and what its schema takes."""

    tokens: tuple[str, ...]
    is_valid: Callable[[object], bool] | None

    def put(self, item: dict[str, Any], value: object) -> None:
        """Write a value there, a number as text where only that fits."""
        for token in self.tokens[:-1]:
            item = item.setdefault(token, {})
        wrong = self.is_valid is not None and isinstance(value, int) and not self.is_valid(value)
        item[self.tokens[-1]] = (
            str(value) if wrong and self.is_valid is not None and self.is_valid(str(value)) else value
        )


def key_of(item: object, bulk: Bulk, resource: Resource | None, *, name: object, index: int) -> object:
    """Return what an item's outcome is known by, read from the item as it is sent; None when it says nothing."""
    if bulk.key.by in {"index", "order"}:
        return index
    if bulk.items.shape == "map" and not bulk.key.at:
        return name
    places = [bulk.key.at] if bulk.key.at is not None else [*bulk.effect.target]
    if not places and resource is not None:
        places = [f"{bulk.effect.payload}/{resource.key}"]
    found = next((value for place in places if (value := look_up(item, place)) is not ABSENT), None)
    return found if isinstance(found, str | int) else None


def _patch_members(payload: Schema | None) -> tuple[str, bool] | None:
    """Return how a payload that lists changes names what it changes, and whether it says `op`; None for another."""
    change = payload.items() if payload is not None else None
    members = change.members() if change is not None else {}
    path = next((name for name in PATHS if name in members), None)
    return (path, "op" in members) if path is not None and "value" in members else None

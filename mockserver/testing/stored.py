"""The records that a sandbox holds, as a test asks about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from contracts.errors import MisuseError
from contracts.names import did_you_mean

Key: TypeAlias = str | int


class Entity(NamedTuple):
    """One record; `body` is as the API shows it."""

    key: Key
    version: int
    deleted: bool
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The records of one kind. Every member has its plural: `.codes` is the set of all values of `code`.

    Members inside an object of a record, such as On Key's `properties`, count as the record's own.
    """

    kind: str
    entities: tuple[Entity, ...]

    @property
    def keys(self) -> set[Key]:
        """Return the keys of the records."""
        return {one.key for one in self._living}

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the records as the API shows them, in the order of their keys."""
        return [one.body for one in self._living]

    @property
    def deleted(self) -> set[Key]:
        """Return the keys of records that were deleted and left a mark."""
        return {one.key for one in self.entities if one.deleted}

    def get(self, key: Key) -> dict[str, Any] | None:
        """Return the record of that key, None when there is none."""
        return next((one.body for one in self._living if str(one.key) == str(key)), None)

    def version(self, key: Key) -> int:
        """Return the version of a record. Raises KeyError when there is none of that key."""
        found = next((one.version for one in self._living if str(one.key) == str(key)), None)
        if found is None:
            raise KeyError(key)
        return found

    @property
    def _living(self) -> tuple[Entity, ...]:
        return tuple(one for one in self.entities if not one.deleted)

    def __len__(self) -> int:
        return len(self._living)

    def __contains__(self, key: object) -> bool:
        return str(key) in {str(one.key) for one in self._living}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def __repr__(self) -> str:
        return "\n".join([f"{len(self)} {self.kind}", *(f"  {one}" for one in self.records)])

    def __getattr__(self, name: str) -> set[Any] | list[Any]:
        """Return the values of a member by its plural: a set, or a list where values are lists or objects."""
        if name.startswith("_"):
            raise AttributeError(name)
        members = [dict(_members(body)) for body in self.records]
        found = next((member for one in members for member in one if _is_plural(name, member)), None)
        if found is None and members:
            known = sorted({member for one in members for member in one})
            hint = did_you_mean(name, known) or f"They have {', '.join(known)}."
            raise AttributeError(f"No {self.kind} has a member of which '{name}' is the plural. {hint}")
        values = [one[found] for one in members if found is not None and one.get(found) is not None]
        return values if any(isinstance(value, dict | list) for value in values) else set(values)


def _members(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for inner in body.values():
        if isinstance(inner, Mapping):
            yield from inner.items()
    yield from body.items()


def _is_plural(name: str, member: str) -> bool:
    plural, single = name.replace("_", "").lower(), member.replace("_", "").lower()
    return plural in {f"{single}s", f"{single}es", f"{single[:-1]}ies" if single.endswith("y") else single}


def entities_of(told: Mapping[str, Any]) -> tuple[Entity, ...]:
    """Return what the control API told as values."""
    return tuple(Entity(**one) for one in told["entities"])


def unlike(entities: tuple[Entity, ...], others: tuple[Entity, ...]) -> tuple[Entity, ...]:
    """Return the entities that are not among the others, or in another version."""
    versions = {one.key: one.version for one in others}
    return tuple(one for one in entities if versions.get(one.key) != one.version or one.deleted)


def no_scope_yet(error: MisuseError) -> bool:
    """Tell whether the control API refused because no data set has been used."""
    return "None has been used yet" in error.fact

"""The stored records of a sandbox, for assertions (`StoredRecords`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from contracts.errors import MisuseError
from contracts.syntax.text import names_hint
from mockserver.testing.transports import Transport, ask

Key: TypeAlias = str | int
__tracebackhide__ = True
PRISTINE_NAME: Final = "bulkproof-pristine"  # a sandbox, and a data set, without requests
NO_SCOPE_TEXT: Final = "None has been used yet"  # in the control API's response where no data set is in use


class Entity(NamedTuple):
    """One record; `body` is as the API renders it."""

    key: Key
    version: int
    deleted: bool
    body: dict[str, Any]


Entities: TypeAlias = tuple[Entity, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredRecords:
    """The records of one kind. The plural of a member is the set of its values: `.codes` for `code`.

    Members of an object inside a record, such as On Key's `properties`, count as the record's own.
    """

    kind: str
    entities: Entities

    @property
    def keys(self) -> set[Key]:
        """Return the keys of the records."""
        return {one.key for one in self._living}

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the records as the API renders them, ordered by key."""
        return [one.body for one in self._living]

    @property
    def deleted(self) -> set[Key]:
        """Return the keys of records that were deleted and left a tombstone."""
        return {one.key for one in self.entities if one.deleted}

    def get(self, key: Key) -> dict[str, Any] | None:
        """Return the record of that key, None when there is none."""
        return next((one.body for one in self._living if str(one.key) == str(key)), None)

    def version(self, key: Key) -> int:
        """Return the version of a record. Raises KeyError: there is no such record."""
        found = next((one.version for one in self._living if str(one.key) == str(key)), None)
        if found is None:
            raise KeyError(key)
        return found

    @property
    def _living(self) -> Entities:
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
        """Return the values of a member by its plural: a set, or a list where they are lists or objects."""
        if name.startswith("_"):
            raise AttributeError(name)
        members = [dict(_members(body)) for body in self.records]
        found = next((member for one in members for member in one if _is_plural(name, member)), None)
        if found is None and members:
            known = sorted({member for one in members for member in one})
            hint = names_hint(name, known, "They have")
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


def unlike(entities: Entities, others: Entities) -> Entities:
    """Return the entities that are missing from `others`, or have another version there."""
    versions = {one.key: one.version for one in others}
    return tuple(one for one in entities if versions.get(one.key) != one.version or one.deleted)


@dataclass(frozen=True, slots=True)
class StoredRecordReader:
    """Reads and caches the records of the sandboxes of one server."""

    transport: Transport
    known: dict[tuple[str, str], Entities] = field(default_factory=dict)

    def entities(self, sandbox: str, api: str, kind: str, tenant: str | None) -> Entities:
        """Return the records of a sandbox; those of a fresh one as long as no data set is in use."""
        seeds = self.seeds(api, kind)
        try:
            return self._looked_up(sandbox, api, kind, tenant)
        except MisuseError as error:
            if NO_SCOPE_TEXT not in error.fact:
                raise
            return seeds

    def seeds(self, api: str, kind: str) -> Entities:
        """Return the records of every fresh data set, cached."""
        if (api, kind) not in self.known:
            self.known[api, kind] = self._looked_up(PRISTINE_NAME, api, kind, PRISTINE_NAME)
        return self.known[api, kind]

    def _looked_up(self, sandbox: str, api: str, kind: str, tenant: str | None) -> Entities:
        named = "" if tenant is None else f"?tenant={quote(tenant, safe='')}"
        path = f"/sandboxes/{sandbox}/entities/{quote(api, safe='')}/{quote(kind, safe='')}{named}"
        return tuple(Entity(**one) for one in ask(self.transport, "GET", path)["entities"])

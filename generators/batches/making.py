"""Making the members of one resource's records: valid, complete, with references that hold and unique values unused."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from contracts.bulk import Resource
from contracts.keywords import is_annotation
from contracts.model import Contract
from contracts.schemas import Schema
from generators.batches.known import NOTHING, Known, Live, StoredKey
from generators.requests.lookups import lookup
from generators.requests.members import draw_member, draw_members
from generators.requests.names import FIRST_NUMBER, Names

TRIES: Final = 10
OPTIONAL: Final = 0.7  # the share of records that have a member which they need not have
PLAIN: Final = frozenset(("type", "properties", "required", "additionalProperties"))
GHOSTS: Final = 0.5  # the share of deleted records among those that are referred to in vain
NAMESAKES: Final = 0.4  # the share of stored keys in the other case among awkward keys
LOOKUPS: Final = 0.2  # the share of stored records that are looked up, where an API has a way to
HERE: Final = 0.3  # the share of references to records of the same batch, where there are some


@dataclass(slots=True)
class Making:
    """One batch in the making: what is known, and what its items so far have used up.

    `fresh` are keys of records that earlier items make, where later ones may refer to them.
    """

    rng: Random
    known: Known
    names: Names
    used: set[tuple[str, StoredKey]] = field(default_factory=set)
    looked_up: set[tuple[str, StoredKey]] = field(default_factory=set)
    referred: set[tuple[str, object]] = field(default_factory=set)
    dropped: set[tuple[str, StoredKey]] = field(default_factory=set)
    claimed: set[tuple[str, object]] = field(default_factory=set)
    fresh: dict[str, list[StoredKey]] = field(default_factory=dict)

    def one_of(self, values: Any) -> Any:
        """Draw one of several."""
        return values[int(self.rng.random() * len(values))]

    def slot(self) -> str:
        """Return a name for the next fresh value."""
        return str(len(self.names.given))

    def record(self, resource: str, *, drops: bool, restrict: bool) -> Live | None:
        """Draw a stored record that no other item of the batch changes, None when none is found.

        One that is to be dropped is not referred to by the batch nor, with `restrict`, by any record.
        """
        live = self.known.live(resource)
        for _ in range(TRIES if live else 0):
            found: Live = self.one_of(live)
            name = (resource, found.key)
            in_use = drops and (name in self.referred or (restrict and self.known.is_referred_to(*name)))
            if name not in self.used | self.looked_up and not in_use:
                return found
        return None

    def reference(self, resource: str) -> StoredKey | None:
        """Draw the key of a record that may be referred to, None when none is found."""
        here, live = self.fresh.get(resource), self.known.live(resource)
        if here and (not live or self.rng.random() < HERE):
            return self.one_of(here)  # type: ignore[no-any-return] # a key of the list
        for _ in range(TRIES if live else 0):
            key: StoredKey = self.one_of(live).key
            if (resource, key) not in self.dropped:
                return key
        return None

    def nobody(self, resource: str, schema: Schema | None, *, assigned: bool) -> StoredKey:
        """Return a key that names no record, of the kind that the resource's keys are."""
        live = self.known.live(resource)
        sample = live[0].key if live else 0 if assigned else ""
        number = self.names.number + len(self.names.given)
        if isinstance(sample, int) and (schema is None or schema.is_valid(number)):
            return self.names.keep(number, self.slot())  # type: ignore[no-any-return] # it keeps the type
        return self.names.fit(schema, self.slot(), self.rng)  # type: ignore[no-any-return] # the same


def making_of(rng: Random, known: Known, *, prefix: str = "") -> Making:
    """Return a batch in the making whose made-up names begin with `prefix` and differ from those of other seeds."""
    token = rng.getrandbits(40)
    names = Names(prefix=f"{prefix}{token:x}-", number=FIRST_NUMBER + token % 10**9 * 10**5)
    return Making(rng=rng, known=known, names=names)


class Maker:
    """Makes the members of one resource's records.

    `fallback` is the payload's schema where the resource has none, `named_at` that of the place where an item names its
    record, where it does so beside the payload.
    """

    __slots__ = ("_keys", "_needed", "_own", "_required", "_resources", "members", "resource", "schema")

    def __init__(
        self, contract: Contract, resource: Resource | None, *, fallback: Schema | None, named_at: Schema | None
    ) -> None:
        named = resource.schema if resource is not None else None
        self.resource, self._resources = resource, contract.resources
        self.schema = contract.schemas.schema(named) if named is not None else fallback
        self.members = self.schema.members() if self.schema is not None else {}
        self._required = tuple(resource.required) if resource is not None else ()
        listed = self.schema.raw.get("required") if self.schema is not None else None
        self._needed = (*self._required, *(listed if isinstance(listed, list) else ()))
        own = self.members.get(resource.key) if resource is not None else None
        self._keys = tuple(schema for schema in (own, named_at) if schema is not None)

        self._own = self._sketched()

    def _sketched(self) -> Mapping[str, bool] | None:
        """Return each member but the key, and whether it is drawn here; None when members may hang together."""
        if self.resource is None or self.schema is None:
            return None
        if {word for word in self.schema.raw if not is_annotation(word)} - PLAIN:
            return None
        chosen = {*self.resource.references, *(names[0] for names in self.resource.unique if len(names) == 1)}
        return {name: name not in chosen for name in self.members if name != self.resource.key}

    @property
    def name(self) -> str:
        """The resource's name, "" when there is none."""
        return self.resource.name if self.resource is not None else ""

    @property
    def is_assigned(self) -> bool:
        """Whether the server makes the keys."""
        return self.resource is not None and self.resource.assigned

    def has_in_other_case(self, values: Mapping[str, Any]) -> bool:
        """Say whether a name is that of a member in another case, where case does not count."""
        if self.resource is None or not self.resource.ignore_case:
            return False
        known = {name.lower() for name in self.members}
        return any(name not in self.members and name.lower() in known for name in values)

    def fits(self, values: Mapping[str, Any] | None, *, partial: bool) -> bool:
        """Say whether members keep the resource's schema, those of a change each its own."""
        if values is None or self.schema is None:
            return True
        if not partial:
            return self.schema.is_valid(values)
        return all(name in self.members and self.members[name].is_valid(value) for name, value in values.items())

    def drawn(self, making: Making, *, complete: bool = True) -> dict[str, Any]:
        """Return members as the schema alone has them, with those that a new record must have."""
        return draw_members(self.schema, self.members, self._required if complete else (), making.rng)

    def whole(
        self, making: Making, *, complete: bool = True, stored: Mapping[str, Any] = NOTHING
    ) -> dict[str, Any] | None:
        """Return members for a record, new or `stored`; None when what it needs to refer to is not there."""
        values = self.drawn(making, complete=complete) if self._own is None else self._sketch(making, complete=complete)
        return self.settled(values, making, needed=self._required, stored=stored)

    def _sketch(self, making: Making, *, complete: bool) -> dict[str, Any]:
        """Draw members one by one, leaving to `settled` what it would write over."""
        own, rng = self._own or {}, making.rng
        needed = self._needed if complete else ()
        names = [name for name in own if name in needed or rng.random() < OPTIONAL]
        return {
            name: draw_member(self.members, name, rng, needed=name in self._required) if own[name] else None
            for name in names
        }

    def part(self, making: Making, writable: tuple[str, ...], stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return members for a change of a `stored` record: one to three of those that may be written."""
        names = [name for name in self.members if not writable or name in writable]
        names = [name for name in names if self.resource is None or name != self.resource.key]
        chosen = making.rng.sample(names, min(len(names), 1 + int(making.rng.random() * 3)))
        values = {name: draw_member(self.members, name, making.rng) for name in chosen}
        return self.settled(values, making, needed=(), stored=stored) or {}

    def settled(
        self,
        values: dict[str, Any],
        making: Making,
        *,
        needed: tuple[str, ...],
        stored: Mapping[str, Any] = NOTHING,
    ) -> dict[str, Any] | None:
        """Make references hold and unique values fresh; optional references that cannot hold are left out.

        None when that fails: a needed reference has nothing to refer to, or what is unique together is all in use.
        """
        if self.resource is None:
            return values
        if self.resource.tombstone is not None and self.resource.tombstone in values:
            values[self.resource.tombstone] = False
        for _ in range(TRIES):
            for member, named in self.resource.references.items():
                if member in values and not self._refer(values, member, named, making) and member in needed:
                    return None
            if self._claim(values, making, stored):
                return self._looking_up(values, making)
        return None

    def _looking_up(self, values: dict[str, Any], making: Making) -> dict[str, Any]:
        """Return the members with some of the records that they refer to looked up."""
        assert self.resource is not None  # noqa: S101 - asked before
        for member, named in self.resource.references.items():
            key = values.get(member)
            if isinstance(key, str | int):
                values[member] = self._called(named, key, making, self.members.get(member))
        return values

    def _refer(self, values: dict[str, Any], member: str, named: str, making: Making) -> bool:
        key = making.reference(named)
        if key is None:
            del values[member]
            return False
        values[member] = key
        making.referred.add((named, key))
        return True

    def _called(self, named: str, key: StoredKey, making: Making, schema: Schema | None) -> object:
        """Return a record's key, or now and then what looks the record up, unless this batch may change that."""
        resource, live = self._resources.get(named), making.known.find(named, key)
        if resource is None or live is None or not resource.lookups or making.rng.random() >= LOOKUPS:
            return key
        found = lookup(making.one_of(resource.lookups), live.values)
        if found is None or (named, key) in making.used or (schema is not None and not schema.is_valid(found)):
            return key
        making.looked_up.add((named, key))
        return found

    def called(self, key: StoredKey, making: Making) -> object:
        """Return how an item names a stored record: by its key, or now and then by what looks it up."""
        return self._called(self.name, key, making, self._keys[-1] if self._keys else None)

    def _claim(self, values: dict[str, Any], making: Making, stored: Mapping[str, Any]) -> bool:
        """Make unique members fresh; say whether those that are unique together are."""
        assert self.resource is not None  # noqa: S101 - asked before
        for members in self.resource.unique:
            if not any(member in values for member in members):
                continue
            if len(members) == 1 and members[0] not in self.resource.references:
                values[members[0]] = making.names.fit(self.members.get(members[0]), making.slot(), making.rng)
            whole = {**stored, **values}
            claim = (f"{self.name}/{members}", repr([whole.get(member) for member in members]))
            changed = any(stored.get(member) != whole.get(member) for member in members)
            if claim in making.claimed or (changed and making.known.is_taken(self.name, members, whole)):
                return False
            making.claimed.add(claim)
        return True

    def absent_key(self, making: Making) -> StoredKey:
        """Return a key that names no record."""
        return making.nobody(self.name, self._keys[0] if self._keys else None, assigned=self.is_assigned)

    def new_key(self, making: Making, *, awkward: bool = False) -> StoredKey:
        """Return a key that no record has; an awkward one has characters that need care in URLs and comparisons."""
        key: StoredKey = making.names.fit(self._keys[0] if self._keys else None, making.slot(), making.rng)
        texts: list[str] = []
        if awkward and isinstance(key, str):
            texts = list(self._namesakes(making) if making.rng.random() < NAMESAKES else ()) or list(_awkward(key))
        fitting = [text for text in texts if all(schema.is_valid(text) for schema in self._keys)]
        if fitting:
            key = making.names.keep(making.one_of(fitting), making.slot())
        return key

    def _namesakes(self, making: Making) -> Iterator[str]:
        """Yield the key of a stored record in the other case, where that makes it another key."""
        live = making.known.live(self.name)
        if live and not (self.resource is not None and self.resource.ignore_case):
            other = str(making.one_of(live).key).swapcase()
            if making.known.find(self.name, other) is None and (self.name, other) not in making.used:
                making.used.add((self.name, other))
                yield other

    def dangling(self, values: Mapping[str, Any], making: Making, allowed: Collection[str]) -> dict[str, Any] | None:
        """Return the values with a reference to nothing, None when no `allowed` member is a reference."""
        declared = self.resource.references if self.resource is not None else {}
        references = {member: named for member, named in declared.items() if not allowed or member in allowed}
        if not references:
            return None
        member = making.one_of([*references])
        gone = making.known.gone(references[member])
        fresh = gone[-1] if gone and making.rng.random() < GHOSTS else None
        if fresh is None or (references[member], fresh) in making.used:
            named = self._resources.get(references[member])
            assigned = named is not None and named.assigned
            fresh = making.nobody(references[member], self.members.get(member), assigned=assigned)
        return {**values, member: fresh}

    def taken(
        self, values: Mapping[str, Any], making: Making, own: object, allowed: Collection[str]
    ) -> dict[str, Any] | None:
        """Return the values with a unique value that another record has, None when there is no such record."""
        declared = [members for members in (self.resource.unique if self.resource else ()) if len(members) == 1]
        unique = [members for members in declared if not allowed or members[0] in allowed]
        live = making.known.live(self.name)
        for _ in range(TRIES if unique and live else 0):
            (member,), record = making.one_of(unique), making.one_of(live)
            named = (self.name, record.key)
            if (
                record.key != own
                and record.values.get(member) is not None
                and named not in making.dropped | making.used
            ):
                making.used.add(named)
                return {**values, member: record.values[member]}
        return None

    def incomplete(self, values: Mapping[str, Any], making: Making) -> dict[str, Any] | None:
        """Return the values without a member that a new record must have, None when it need have none."""
        lacking = [name for name in self._required if name in values]
        left_out = making.one_of(lacking) if lacking else None
        return {name: value for name, value in values.items() if name != left_out} if lacking else None


def _awkward(key: str) -> Iterator[str]:
    yield from (
        f"{key}/1",
        f"{key} x",
        f"{key}%41",
        f"{key}é",
        f"{key}?a=b#c",
        f"{key}+",
        f" {key} ",
        f"{key}漢",
        key.upper(),
    )
    yield key.ljust(50, "x")

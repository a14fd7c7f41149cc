"""Create members of one resource's records: valid, complete, with existing references and unused unique values.

Begin with `RecordFactory`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

from contracts.bulk.model import Resource
from contracts.openapi.inference import told_key_schemas
from contracts.openapi.model import Contract
from contracts.schemas.equality import key_text
from contracts.schemas.keywords import is_annotation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, escape
from generators.data.mutation import Mutation, invalid_variants
from generators.data.plan import ValueProfile
from generators.errors import NotApplicableError
from generators.requests.calls import draw_member, draw_members, fill_lookup
from generators.requests.known_records import NO_MEMBERS, RecordContext, StoredKey

MAX_TRIES: Final = 10
OPTIONAL_MEMBER_SHARE: Final = 0.7  # probability of an optional member
INDEPENDENT_KEYWORDS: Final = frozenset(("type", "properties", "required", "additionalProperties"))
DELETED_REFERENCE_SHARE: Final = 0.5  # share of deleted records among dangling references
OTHER_CASE_SHARE: Final = 0.4  # share of stored keys in the other case among awkward keys
FRESH_NAME_SAMPLE: Final = "b00000000n0"  # a text in the form of a fresh name
LOOKUP_SHARE: Final = 0.2  # share of references by lookup, where the resource has lookups


class RecordFactory:
    """Creates the members of one resource's records.

    `fallback` is the payload's schema for a resource without one, `target_schema` that of the item's target
    location, None without one. `unique` are members that must be unique, alone or together; `free` are those with no
    constraint beyond their schema: no key, reference, tombstone or version, not unique and not normalised. `profile` is
    the spread of values.
    """

    __slots__ = (
        "_beside",
        "_groups",
        "_keys",
        "_needed",
        "_own",
        "_profile",
        "_required",
        "_resources",
        "_sure_lookups",
        "free",
        "members",
        "resource",
        "schema",
        "unique",
    )

    def __init__(
        self,
        contract: Contract,
        resource: Resource | None,
        *,
        fallback: Schema | None,
        target_schema: Schema | None,
        profile: ValueProfile = "realistic",
    ) -> None:
        at = resource.schema if resource is not None else None
        self.resource, self._resources, self._profile = resource, contract.resources, profile
        self._sure_lookups = {name: one.sure_lookups for name, one in contract.resources.items()}
        schema = contract.schemas.schema(at) if at is not None else fallback
        self.schema = schema.request if schema is not None else None
        inner = self.schema
        self.members = {} if inner is None else {n: one for n, one in inner.members().items() if n not in inner.unsent}
        self._required = tuple(resource.required) if resource is not None else ()
        self._needed = (*self._required, *as_list(self.schema.raw.get("required") if self.schema is not None else None))
        own = self.members.get(resource.key) if resource is not None else None
        keys = {resource.key} if resource is not None and not resource.assigned else set[str]()
        self._beside = keys.difference(self.members, self._needed)
        told = () if resource is None or own is not None else told_key_schemas(contract, resource)
        self._keys = tuple(schema for schema in (own, *told, target_schema) if schema is not None)
        self._groups = (*resource.unique, *zip(resource.likely, strict=True)) if resource is not None else ()
        self._own = self._independent_members()
        self.unique = frozenset(name for group in self._groups for name in group)
        names = () if resource is None else (resource.key, resource.tombstone, resource.version)
        bound = (*names, *(() if resource is None else (*resource.references, *resource.normalize)))
        self.free = tuple(name for name in self.members if name not in bound and name not in self.unique)

    def _independent_members(self) -> Mapping[str, bool] | None:
        """Return each member but the key, and whether its schema draws it; None when members may be dependent."""
        if self.resource is None or self.schema is None:
            return None
        if {word for word in self.schema.raw if not is_annotation(word)} - INDEPENDENT_KEYWORDS:
            return None
        chosen = {*self.resource.references, *(names[0] for names in self._groups if len(names) == 1)}
        return {name: name not in chosen for name in self.members if name != self.resource.key}

    @property
    def name(self) -> str:
        """The resource's name, "" when there is none."""
        return self.resource.name if self.resource is not None else ""

    @property
    def is_assigned(self) -> bool:
        """Whether the server assigns the keys."""
        return self.resource is not None and self.resource.assigned

    def has_in_other_case(self, values: Mapping[str, Any]) -> bool:
        """Return whether a name equals a member's in another case, where case is ignored."""
        if self.resource is None or not self.resource.ignore_case:
            return False
        known = {name.lower() for name in self.members}
        return any(name not in self.members and name.lower() in known for name in values)

    def fits(self, values: Mapping[str, Any] | None, *, partial: bool) -> bool:
        """Return whether members are valid against the resource's schema; `partial` ones each against their own.

        A key that the schema has no member for stands beside them.
        """
        if values is None or self.schema is None:
            return True
        own = {name: one for name, one in values.items() if name not in self._beside} if self._beside else values
        if not partial:
            return self.schema.is_valid(own)
        return all(name in self.members and self.members[name].is_valid(value) for name, value in own.items())

    def draw(self, context: RecordContext, *, complete: bool = True) -> dict[str, Any]:
        """Return members drawn from the schema alone; `complete` ones contain all required members."""
        required = self._required if complete else ()
        return draw_members(self.schema, self.members, required, context.rng, profile=self._profile)

    def record_members(
        self, context: RecordContext, *, complete: bool = True, stored: Mapping[str, Any] = NO_MEMBERS
    ) -> dict[str, Any] | None:
        """Return members of a whole record, new or `stored`; None when a required reference has no target."""
        values = (
            self.draw(context, complete=complete)
            if self._own is None
            else self._draw_independently(context, complete=complete)
        )
        return self.resolve(values, context, needed=self._required, stored=stored)

    def _draw_independently(self, context: RecordContext, *, complete: bool) -> dict[str, Any]:
        """Draw members one by one; references and unique members are left null for `resolve`."""
        own, rng = self._own or {}, context.rng
        needed = self._needed if complete else ()
        names = [name for name in own if name in needed or rng.random() < OPTIONAL_MEMBER_SHARE]
        return {
            name: draw_member(self.members, name, rng, needed=name in self._required, profile=self._profile)
            if own[name]
            else None
            for name in names
        }

    def change_members(
        self, context: RecordContext, writable: tuple[str, ...], stored: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return members for an update of a `stored` record: one to three of the writable ones."""
        names = [name for name in self.members if not writable or name in writable]
        names = [name for name in names if self.resource is None or name != self.resource.key]
        chosen = context.rng.sample(names, min(len(names), 1 + int(context.rng.random() * 3)))
        values = {name: draw_member(self.members, name, context.rng, profile=self._profile) for name in chosen}
        return self.resolve(values, context, needed=(), stored=stored) or {}

    def resolve(
        self,
        values: dict[str, Any],
        context: RecordContext,
        *,
        needed: tuple[str, ...],
        stored: Mapping[str, Any] = NO_MEMBERS,
    ) -> dict[str, Any] | None:
        """Set references to stored records and unique members to fresh values; drop optional references without target.

        None when a `needed` reference has no target, or when no unused combination of unique members was found.
        """
        if self.resource is None:
            return values
        if self.resource.tombstone is not None and self.resource.tombstone in values:
            values[self.resource.tombstone] = False
        for _ in range(MAX_TRIES):
            for member, named in self.resource.references.items():
                if member in values and not self._set_reference(values, member, named, context) and member in needed:
                    return None
            if self._claim_unique(values, context, stored):
                return self._with_lookups(values, context)
        return None

    def _with_lookups(self, values: dict[str, Any], context: RecordContext) -> dict[str, Any]:
        """Return the members with some of the references replaced by lookups."""
        assert self.resource is not None  # noqa: S101 - asked before
        for member, named in self.resource.references.items():
            key = values.get(member)
            if isinstance(key, str | int):
                values[member] = self._reference_to(named, key, context, self.members.get(member))
        return values

    def _set_reference(self, values: dict[str, Any], member: str, named: str, context: RecordContext) -> bool:
        key = context.reference(named)
        if key is None:
            del values[member]
            return False
        values[member] = key
        context.referred.add((named, key))
        return True

    def _reference_to(self, named: str, key: StoredKey, context: RecordContext, schema: Schema | None) -> object:
        """Return a record's key, or with probability `LOOKUP_SHARE` a lookup that this batch does not change."""
        sure, live = self._sure_lookups.get(named), context.known.find(named, key)
        if live is None or not sure or context.rng.random() >= LOOKUP_SHARE:
            return key
        found = fill_lookup(context.choose(sure), live.values)
        if found is None or (named, key) in context.used or (schema is not None and not schema.is_valid(found)):
            return key
        context.looked_up.add((named, key))
        return found

    def reference_to(self, key: StoredKey, context: RecordContext) -> object:
        """Return how an item names a stored record: by its key, or sometimes by a lookup."""
        return self._reference_to(self.name, key, context, self._keys[-1] if self._keys else None)

    def _claim_unique(self, values: dict[str, Any], context: RecordContext, stored: Mapping[str, Any]) -> bool:
        """Set unique members to fresh values; return whether combinations that must be unique are unused."""
        assert self.resource is not None  # noqa: S101 - asked before
        for members in self._groups:
            if not any(member in values for member in members):
                continue
            if len(members) == 1 and members[0] not in self.resource.references:
                values[members[0]] = context.names.fresh_value(self.members.get(members[0]), context.slot())
            whole = {**stored, **values}
            claim = (f"{self.name}/{members}", repr([whole.get(member) for member in members]))
            changed = any(stored.get(member) != whole.get(member) for member in members)
            if claim in context.claimed or (changed and context.known.is_taken(self.name, members, whole)):
                return False
            context.claimed.add(claim)
        return True

    def absent_key(self, context: RecordContext) -> StoredKey:
        """Return a key of no record."""
        return context.absent_key(self.name, self._keys[0] if self._keys else None, assigned=self.is_assigned)

    def new_key(self, context: RecordContext, *, awkward: bool = False) -> StoredKey:
        """Return an unused key; an `awkward` one has characters that must be escaped in URLs, or another case."""
        key: StoredKey = context.names.fresh_value(self._keys[0] if self._keys else None, context.slot())
        texts: list[str] = []
        if awkward and isinstance(key, str):
            texts = list(self._other_case_keys(context)) if context.rng.random() < OTHER_CASE_SHARE else []
            texts = texts or [*_awkward_keys(key)]
        fitting = [text for text in texts if all(schema.is_valid(text) for schema in self._keys)]
        if fitting:
            key = context.names.register(context.choose(fitting), context.slot())
        return key

    def _other_case_keys(self, context: RecordContext) -> Iterator[str]:
        """Yield a stored record's key in the other case, where that is a different key."""
        live = context.known.live(self.name)
        if live and not (self.resource is not None and self.resource.ignore_case):
            other = str(context.choose(live).key).swapcase()
            is_other = key_text(other) != key_text(other.swapcase())  # a UUID is the same in any case
            if is_other and context.known.find(self.name, other) is None and (self.name, other) not in context.used:
                context.used.add((self.name, other))
                yield other

    def with_dangling_reference(
        self, values: Mapping[str, Any], context: RecordContext, allowed: Collection[str]
    ) -> dict[str, Any] | None:
        """Return the values with a reference to no record, None when no `allowed` member is a reference."""
        declared = self.resource.references if self.resource is not None else {}
        references = {member: named for member, named in declared.items() if not allowed or member in allowed}
        if not references:
            return None
        member = context.choose([*references])
        gone = context.known.gone(references[member])
        fresh = gone[-1] if gone and context.rng.random() < DELETED_REFERENCE_SHARE else None
        if fresh is None or (references[member], fresh) in context.used:
            named = self._resources.get(references[member])
            assigned = named is not None and named.assigned
            fresh = context.absent_key(references[member], self.members.get(member), assigned=assigned)
        return {**values, member: fresh}

    def with_taken_value(
        self, values: Mapping[str, Any], context: RecordContext, own: object, allowed: Collection[str]
    ) -> dict[str, Any] | None:
        """Return the values with another record's unique value, None when there is no such record."""
        declared = [members for members in (self.resource.unique if self.resource else ()) if len(members) == 1]
        unique = [members for members in declared if not allowed or members[0] in allowed]
        live = context.known.live(self.name)
        for _ in range(MAX_TRIES if unique and live else 0):
            (member,), record = context.choose(unique), context.choose(live)
            named = (self.name, record.key)
            is_free = record.key != own and named not in context.dropped | context.used
            if is_free and record.values.get(member) is not None:
                context.used.add(named)
                return {**values, member: record.values[member]}
        return None

    def without_required(
        self, values: Mapping[str, Any], context: RecordContext, spared: Collection[str] = ()
    ) -> dict[str, Any] | None:
        """Return the values without one required member, preferably not a `spared` one; None when there is none."""
        lacking = [name for name in self._required if name in values]
        lacking = [name for name in lacking if name not in spared] or lacking
        left_out = context.choose(lacking) if lacking else None
        return {name: value for name, value in values.items() if name != left_out} if lacking else None

    def broken_members(
        self, values: Mapping[str, Any], rng: Random, *, spared: Collection[str], keywords: tuple[str, ...] = ()
    ) -> Iterator[Mutation]:
        """Yield mutations that make one member invalid that is not `spared`, members in random order."""
        normalised = self.resource.normalize if self.resource is not None else {}  # to what may be valid again
        names = [name for name in values if name in self.members and name not in spared and name not in normalised]
        for name in rng.sample(names, len(names)):
            for mutation in invalid_variants(self.members[name], values[name], rng, keywords=keywords):
                pointer = f"/{escape(name)}{mutation.pointer}"
                yield replace(mutation, value={**values, name: mutation.value}, pointer=pointer)

    def fresh_record(
        self, context: RecordContext, slot: str, references: Mapping[str, object], *, edges: float = 0.0
    ) -> dict[str, Any]:
        """Return valid members of a new record with fresh identifying values and only these references.

        `edges` is the share of values at the limits of their ranges. Raises NotApplicableError.
        """
        drawn = draw_members(self.schema, self.members, self._required, context.rng, edges=edges, profile=self._profile)
        assert self.resource is not None  # noqa: S101 - experiments are made with declared resources
        own = {self.resource.key, *self.unique, *self._required}
        kept = {*self.free, *own} - self.resource.references.keys() - ({self.resource.key}.difference(self._required))
        values = {name: value for name, value in drawn.items() if name in kept}
        values |= {name: key for name, key in references.items() if self.schema is None or name in self.members}
        values |= self._identity(context, slot)
        optional = [name for name in values if name not in own]
        while not self.fits(values, partial=False):
            if not optional:
                wrong = [name for name in values if not self.fits({name: values[name]}, partial=True)]
                told = ", ".join(f"'{name}'" for name in (*wrong, *(one for one in self._needed if one not in values)))
                raise NotApplicableError(f"no record of {self.name} fits its schema{told and f': see {told}'}")
            values.pop(optional.pop())
        return values

    def _identity(self, context: RecordContext, slot: str) -> dict[str, Any]:
        """Return fresh values for the key, for one member of each unique group, or else for a text member."""
        resource = self.resource
        assert resource is not None  # noqa: S101 - asked before
        schemas = {**dict.fromkeys([resource.key], self._keys[0] if self._keys else None), **self.members}
        wanted = [] if resource.assigned else [resource.key]
        groups = [[name for name in group if name not in resource.references] for group in self._groups]
        wanted += [group[0] for group in groups if group and not set(group) & set(wanted)]
        texts = (one for one in self.members if one not in resource.references and one not in resource.normalize)
        marks = [name for name in texts if self.members[name].is_valid(FRESH_NAME_SAMPLE)] if not wanted else []
        wanted += [name for name in self._required if name in marks][:1] or marks[:1]
        return {
            name: context.names.fresh_value(schemas.get(name), slot if n == 0 else f"{slot}m{n}")
            for n, name in enumerate(dict.fromkeys(wanted))
        }

    def fresh_change(
        self, context: RecordContext, slot: str, preferred: Sequence[str] = (), besides: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return one free member with a fresh text, or with any value when none accepts a text.

        One of `preferred` when some of them are free, none of `besides`. Raises NotApplicableError.
        """
        names = [name for name in preferred if name in self.free] or self.free
        names = [name for name in names if name not in besides]
        text = context.names.text(slot)
        for name in names:
            if self.members[name].is_valid(text):
                return {name: context.names.register(text, slot)}
        if not names:
            raise NotApplicableError(
                f"a record of {self.name} has no {'second ' if besides else ''}member that can be changed freely"
            )
        return {names[0]: self.any_value(names[0], context)}

    def any_value(self, name: str, context: RecordContext) -> Any:
        """Return a value for a member, not null when its schema allows another value."""
        return draw_member(self.members, name, context.rng, needed=True, edges=0.0, profile=self._profile)


def _awkward_keys(key: str) -> tuple[str, ...]:
    return (
        f"{key}/1",
        f"{key} x",
        f"{key}%41",
        f"{key}é",
        f"{key}?a=b#c",
        f"{key}+",
        f" {key} ",
        f"{key}漢",
        f"{key}e\u0301",  # two code points that are one letter
        f"{key}\u05d0",  # right to left
        f"{key}\U0001f642",  # beyond 16 bits
        f"{key};v=1",
        f"{key}&a=b",
        f"{key},{key}",
        f"{key}:x@y",
        f"{key}~'!$(*)",
        key.upper(),
        key.ljust(50, "x"),
    )

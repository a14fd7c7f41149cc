"""Apply items to stored records: `RecordRules` has what a resource declares, `RecordService` applies items.

Replacement and preconditions by version follow RFC 9110; partial updates JSON Merge Patch (RFC 7396, top level).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, ClassVar, TypeGuard

from contracts.bulk.model import Resource
from contracts.exchange.preconditions import is_stale
from contracts.exchange.raw_items import naming_member
from contracts.messages import ABSENT
from contracts.openapi.inference import ResourceKeys
from contracts.openapi.model import Operation
from contracts.openapi.representations import takes_key
from contracts.schemas.schema_set import Schema
from mockserver.domain.values import (
    Item,
    ItemFault,
    Outcome,
    PayloadValidator,
    Resolution,
    in_payload_order,
    merge_patched,
    named_record,
)
from mockserver.stores.interface import Collection, Key, Record, View

if TYPE_CHECKING:
    from mockserver.api.model import ItemRun

Referrer = tuple[str, str]


class RecordRules:
    """The rules of one resource. `referrers` are the (resource, member) pairs that refer to it.

    `keys` are the kinds of its keys, and of those of the resources that it refers to. `settable` are the members that
    an operation may set, by its id, where it may not set all.
    """

    __slots__ = ("keys", "payloads", "referrers", "resource", "settable")

    def __init__(
        self,
        resource: Resource,
        schema: Schema | None,
        referrers: Sequence[Referrer],
        keys: ResourceKeys,
        settable: Mapping[str, AbstractSet[str]] | None = None,
    ) -> None:
        self.resource = resource
        self.payloads = PayloadValidator(resource, schema)
        self.referrers = tuple(referrers)
        self.keys = keys
        own = {resource.key, *([resource.version] if resource.version else [])}  # they say which record is meant
        self.settable = {name: members | own for name, members in (settable or {}).items()}

    def bind(self, run: "ItemRun", view: View) -> "RecordService":
        """Return a service that applies items of one run to one view."""
        return RecordService(self, run, view)


class RecordService:
    """Applies items of one resource to a view: every fault is collected, and only an item without faults is written."""

    __slots__ = (
        "bulk",
        "collection",
        "is_reported",
        "naming",
        "new_keys",
        "now",
        "plain",
        "prepare",
        "references",
        "resolve",
        "resource",
        "rules",
        "run",
        "settable",
        "valid",
        "view",
    )

    def __init__(self, rules: RecordRules, run: "ItemRun", view: View) -> None:
        hooks, resource = run.api.hooks, rules.resource
        self.rules, self.run, self.view, self.resource = rules, run, view, resource
        self.collection = Collection(run.scope, resource.name)
        self.now, self.valid, self.plain = run.now, resource.name in run.valid, run.api.plain
        self.resolve, self.bulk = hooks.resolve, None if run.operation is None else run.operation.bulk
        self.settable = None if run.operation is None else rules.settable.get(run.operation.id)
        self.new_keys: Callable[[int], Sequence[Key]] | None = (
            hooks.new_keys(run, resource) if resource.assigned or not takes_key(run.operation, resource) else None
        )
        self.naming, self.prepare = naming_member(self.bulk, resource), hooks.prepare and hooks.prepare(run, resource)
        self.is_reported = _tells_key(run.operation, may_create=rules.keys.are_given) or not resource.assigned
        self.references = tuple((name, Collection(run.scope, named)) for name, named in resource.references.items())

    def apply(self, item: Item) -> Outcome:
        """Apply one item, and return its outcome."""
        return self._actions[item.action](self, item)

    def _create(self, item: Item) -> Outcome:
        resource = self.resource
        if self._is_deletion(item):
            return self._upsert(item)
        if self.naming is not None or not self.is_reported or (item.target is ABSENT and self.new_keys is not None):
            return self._insert(item, None)
        if item.target is ABSENT:
            return failed_outcome(item, ItemFault("missing", (resource.key,)))
        if not self._can_be(item.target, item):
            return failed_outcome(item, self._no_key(item.target))
        existing = self._stored(item.target)
        if existing is not None and not existing.deleted:
            return failed_outcome(item, ItemFault("duplicate", (resource.key,), item.target))
        return self._insert(item, item.target)

    def _insert(self, item: Item, key: object) -> Outcome:
        changes, faults = self._judged(item, None, key=key)
        if faults:
            return failed_outcome(item, *faults, action="create")
        defaults = self.resource.defaults
        body = merge_patched(defaults or {}, changes, self.rules.payloads.keeps_null)
        if key is None:
            (key,) = self.free_keys(1)
            body.pop(self.resource.key, None)  # what a caller says beside it
        now, deleted = self.now, self.plain and self._marks(changes)
        record = tuple.__new__(Record, (key, 1, deleted, body, now, now))
        self.view.put(self.collection, record)
        return tuple.__new__(Outcome, (item, "done", "create", (), record))

    def _marks(self, changes: Mapping[str, object]) -> bool:
        """Tell whether members mark a record as deleted."""
        return self.resource.tombstone is not None and changes.get(self.resource.tombstone) is True

    def _is_deletion(self, item: Item) -> bool:
        """Tell whether a tombstone turns an item into a deletion, whatever its action."""
        tombstone = self.plain and self.bulk is not None and self.bulk.effect.tombstone
        return bool(tombstone) and self._marks(self.changed(item))

    def free_keys(self, size: int) -> Sequence[Key]:
        """Return keys for new records that no caller has taken."""
        assert self.new_keys is not None  # noqa: S101 - the server names the records of this resource
        keys = self.new_keys(size)
        while any(taken := self.view.get_all(self.collection, keys)):
            free = [key for key, record in zip(keys, taken, strict=True) if record is None]
            keys = [*free, *self.new_keys(size - len(free))]
        return keys

    def _update(self, item: Item, *, whole: bool = False) -> Outcome:
        existing, fault = self._existing(item)
        if existing is None:
            is_item = whole and self.bulk is not None and not (self.resource.assigned or self.bulk.effect.http)
            makes = is_item and fault.kind == "not-found" and item.version is None
            return self._create(item) if makes else failed_outcome(item, fault)
        return self._change(item, existing, _stale(item, existing), whole=whole)

    def _replace(self, item: Item) -> Outcome:
        return self._update(item, whole=True)

    def _upsert(self, item: Item) -> Outcome:
        key = item.target
        if self.naming is not None or (type(key) is not str and type(key) is not int):
            found = self._resolved(item)
            if found.fault is not None and found.fault.kind != "reference":
                return failed_outcome(item, found.fault)
            key = found.key
        existing = None if key is None else self._stored(key)
        if existing is not None:
            return self._change(item, existing, _stale(item, existing))
        if self._marks(self.changed(item)):
            _, others = self._judged(item, None)
            beside = [fault for fault in others if fault.kind != "missing"]
            return failed_outcome(item, ItemFault("not-found", (), item.target), *beside)
        if self.resource.assigned and (key is None or not (self.is_reported or self.rules.keys.are_given)):
            return self._insert(item, None)
        if key is None:
            return failed_outcome(item, ItemFault("missing", (self.resource.key,)))
        return self._insert(item, key) if self._can_be(key, item) else failed_outcome(item, self._no_key(key))

    def _can_be(self, key: object, item: Item) -> bool:
        """Tell whether a new record may have this key; one in its payload is judged with the others there."""
        return _is_key(key) and (self.resource.key in self.changed(item) or self.rules.keys.kind.fits(key))

    def _no_key(self, value: object) -> ItemFault:
        own, wanted = self.resource.key, int if self.rules.keys.kind.is_number else str
        if type(value) is wanted:
            return ItemFault("schema", (own,), value, {"keyword": "enum", "message": f"{own} cannot be {value}"})
        return ItemFault("type", (own,), value, {"expected": "integer" if wanted is int else "string"})

    def _delete(self, item: Item) -> Outcome:
        existing, fault = self._existing(item)
        if existing is None:
            return failed_outcome(item, fault)
        found = item._replace(target=existing.key)
        if _stale(item, existing):
            return failed_outcome(found, _conflict(item, existing))
        faults = self._beside(item, existing) or tuple(filter(None, (self._restricted(existing.key),)))
        if faults:
            return failed_outcome(found, *faults)
        if self.resource.tombstone is None:
            self.view.drop(self.collection, existing.key)
        else:
            self.view.put(self.collection, existing._replace(deleted=True, modified=self.now))
        return Outcome(item, "done", "delete", (), existing)

    def _beside(self, item: Item, existing: Record) -> Sequence[ItemFault]:
        """Return the faults of what a deletion writes beside a tombstone."""
        if not self._is_deletion(item):
            return ()
        valid, self.valid = self.valid, False  # nobody has looked at what deletions write
        _, faults = self._judged(item, existing, key=existing.key)
        self.valid = valid
        return faults

    def _change(self, item: Item, existing: Record, stale: bool, *, whole: bool = False) -> Outcome:  # noqa: FBT001 - an inner step
        changes, faults = self._judged(item, existing, whole=whole, key=existing.key)
        if stale:
            faults = (_conflict(item, existing), *faults)
        if faults:
            return failed_outcome(item._replace(target=existing.key), *faults, action="update")
        body = merge_patched(
            self.resource.defaults if whole else existing.body, changes, self.rules.payloads.keeps_null
        )
        deleted, stone = existing.deleted and not (self.plain and item.action == "upsert"), self.resource.tombstone
        if stone is not None:
            deleted = bool(changes.get(stone, deleted))
            if existing.deleted and not deleted and body.get(stone):
                body[stone] = False  # it is back
            if deleted and not existing.deleted and (fault := self._restricted(existing.key)) is not None:
                return failed_outcome(item._replace(target=existing.key), fault, action="delete")
        record = tuple.__new__(Record, (existing.key, existing.version + 1, deleted, body, existing.created, self.now))
        self.view.put(self.collection, record)
        action = "delete" if deleted and self._is_deletion(item) else "update"
        return tuple.__new__(Outcome, (item, "done", action, (), record))

    def _judged(
        self, item: Item, existing: Record | None, *, whole: bool = False, key: object = None
    ) -> tuple[Mapping[str, object], Sequence[ItemFault]]:
        """Return the members to write, references resolved, and every fault in the order of the payload.

        `key` is the record's, None where the server names it.
        """
        resource, faults = self.resource, list[ItemFault]()
        changes = self.changed(item)
        if not self.valid:
            changes, faults = self.rules.payloads.validate(changes, creating=existing is None or whole, key=key)
        if self.prepare is not None:
            (changes,) = self.prepare((existing,), (changes,))
        if key is not None:
            faults.extend(self._renaming(changes.get(resource.key), key))
        if self.valid and existing is None:
            for name in resource.required:
                if changes.get(name) is None and not (name in changes and self.rules.payloads.keeps_null(name)):
                    faults.append(self.rules.payloads.missing_fault(name))
        if self.references:
            changes = self._followed(changes, faults)
        if resource.unique:
            self._unique(changes, existing, faults)
        if self.settable is not None:
            faults = self._unless_settable(changes, faults, self.settable)
        return changes, in_payload_order(faults, changes, resource) if len(faults) > 1 else faults

    def changed(self, item: Item) -> Mapping[str, object]:
        """Return the members that an item sets."""
        return self.run.api.hooks.changed_members(self.resource, (item.payload,))[0]

    def _unless_settable(
        self, changes: Mapping[str, object], faults: list[ItemFault], settable: AbstractSet[str]
    ) -> list[ItemFault]:
        """Return the faults of members that the operation may set, and one for each other member that is known."""
        unknown = {one.members[0] for one in faults if one.kind == "unknown"}
        barred = changes.keys() - settable - unknown
        own = [ItemFault("choice", (name,), value) for name, value in changes.items() if name in barred]
        return [*(one for one in faults if barred.isdisjoint(one.members)), *own]

    def _renaming(self, given: object, key: object) -> Iterator[ItemFault]:
        """Yield the fault of a payload whose key is not that of the record which it is for."""
        own = self.resource.key
        if _is_key(given) and given != key and self.rules.keys.kind.typed(given) != key:
            facts = {"keyword": "const", "expected": key, "message": f"{own} must be that of the record, {key}"}
            yield ItemFault("schema", (own,), given, facts)

    def _followed(self, changes: Mapping[str, object], faults: list[ItemFault]) -> Mapping[str, object]:
        """Return the members with what references mean in the place of what was given."""
        resolve, get = self.resolve, self.view.get
        faulty = {fault.members[0] for fault in faults if fault.members} if faults else ()
        resolved: dict[str, object] = {}
        for member, collection in self.references:
            value = changes.get(member)
            if value is None or member in faulty:
                continue
            key: object = value
            if resolve is not None:
                meaning = resolve(self.run, self.view, self.resource, member, value)
                if meaning.fault is not None:
                    faults.append(meaning.fault._replace(members=meaning.fault.members or (member,)))
                    continue
                key = meaning.key
            named = get(collection, key) if _is_key(key) else None
            if named is None and _is_key(other := self.rules.keys.referred[member].typed(key)):
                named = get(collection, other)  # the member is written as its own schema says
            if named is None or named.deleted:
                faults.append(ItemFault("reference", (member,), value, {"resource": collection.resource}))
            elif key is not value:
                resolved[member] = key
        return {**changes, **resolved} if resolved else changes

    def _unique(self, changes: Mapping[str, object], existing: Record | None, faults: list[ItemFault]) -> None:
        faulty = {member for fault in faults for member in fault.members} if faults else ()
        for index in self.resource.unique:
            if faulty and not faulty.isdisjoint(index):
                continue
            if existing is None:
                values = tuple([changes.get(member) for member in index])
            elif changes.keys().isdisjoint(index):
                continue
            else:
                values = tuple([changes.get(member, existing.body.get(member)) for member in index])
            if None in values:
                continue
            holders = self.view.find(self.collection, index, values)
            own = None if existing is None else existing.key
            if holders and any(key != own for key in holders):
                faults.append(ItemFault("duplicate", index, values[0] if len(values) == 1 else values))

    def _existing(self, item: Item) -> tuple[Record | None, ItemFault]:
        found = self._resolved(item)
        if found.fault is not None:
            return None, found.fault
        record = None if found.key is None else self._stored(found.key)
        if record is None or (record.deleted and item.action != "upsert"):
            return None, ItemFault("not-found", (), item.target)
        return record, _NO_FAULT

    def _resolved(self, item: Item) -> Resolution:
        target = item.target
        if self.naming is not None:
            return named_record(self.view, self.collection, self.naming, target)
        if self.resolve is not None and isinstance(target, dict):
            return self.resolve(self.run, self.view, self.resource, self.resource.key, target)
        return Resolution(None if target is ABSENT else target)  # type: ignore[arg-type] # a key that was checked

    def _stored(self, key: object) -> Record | None:
        return self.view.get(self.collection, key) if _is_key(key) else None

    def _restricted(self, key: Key) -> ItemFault | None:
        """Return what keeps a record from being deleted that others refer to, None when nothing does."""
        referring = self._referring(key) if self.resource.restrict else 0
        return ItemFault("referenced", (), key, {"count": referring}) if referring else None

    def _referring(self, key: Key) -> int:
        """Count the references to a record, its own to itself left out."""
        own, spellings = (self.resource.name, key), self.rules.keys.kind.spellings(key)
        count = 0
        for name, member in self.rules.referrers:
            for one in spellings:
                others = self.view.find(Collection(self.run.scope, name), (member,), (one,))
                count += sum((name, other) != own for other in others)
        return count

    _actions: ClassVar[Mapping[str, Callable[["RecordService", Item], Outcome]]] = {
        "create": _create,
        "update": _update,
        "replace": _replace,
        "upsert": _upsert,
        "delete": _delete,
    }
    """By action: the class's, since a service that held its own methods would be garbage of a circle."""


_NO_FAULT = ItemFault("none")


def failed_outcome(item: Item, *faults: ItemFault, action: str = "") -> Outcome:
    """Return the outcome of an item that failed; `action` replaces the item's, such as the `update` of an upsert."""
    return Outcome(item, "failed", action or item.action, faults)


def _stale(item: Item, existing: Record) -> bool:
    return is_stale(item.version, existing.version)


def _conflict(item: Item, existing: Record) -> ItemFault:
    seen = item.version if isinstance(item.version, int) else str(item.version)
    return ItemFault("version", (), seen, {"current": existing.version, "key": existing.key})


def _tells_key(operation: Operation | None, *, may_create: bool) -> bool:
    """Tell whether an operation names the record: in its path, say; or its items may name new ones."""
    if may_create and operation is not None and operation.bulk is not None and operation.bulk.effect.target:
        return True
    return operation is not None and operation.record is not None and operation.record.key is not None


def _is_key(value: object) -> TypeGuard[Key]:
    """Say whether a JSON value can be a key."""
    return type(value) is str or type(value) is int

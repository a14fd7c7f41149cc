"""Plan one item of a bulk request: which record it targets, which members it sets, and its defect if any.

Begin with `ItemPlanner`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import names_target
from contracts.exchange.raw_items import naming_member
from generators.data.mutation import Mutation, invalid_variants
from generators.requests.known_records import NO_MEMBERS, KnownRecord, RecordContext, StoredKey
from generators.requests.options import actions_of
from generators.requests.profiles import ItemIntent, Profile
from generators.requests.record_factory import RecordFactory

CHANGING_ACTIONS: Final = frozenset(("update", "replace"))
STALE_OFFSETS: Final = (-1, 1, 7)  # stated version minus the current one
DELETED_KEY_SHARE: Final = 0.5  # share of deleted records among keys of no record
REVIVED_SHARE: Final = 0.2  # share of new upserts that write a deleted record again, where there is one
CHANGING_DELETION_SHARE: Final = 0.3  # share of deletions that write other members too, where they can
UNKNOWN_MEMBER_SHARE: Final = 0.2  # share of invalid changes of a member that there is not
UNKNOWN_MEMBER: Final = "surplus"
MAX_PICKS: Final = 20


@dataclass(slots=True, kw_only=True)
class DraftItem:
    """An item under construction. `values` are the members that it sets.

    `target_reference` is the lookup by which it names its target, None when it does so by key. `twin` is the index
    of the item whose key it repeats.
    """

    action: str
    maker: RecordFactory
    intent: ItemIntent = "good"
    target: StoredKey | None = None
    target_reference: object = None
    version: int | None = None
    values: dict[str, Any] | None = None
    fresh: bool = False
    partial: bool = False
    mutation: Mutation | None = None
    twin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlanner:
    """Plans the items of one operation.

    `writable` are the members that the operation may set, by resource; a resource without an entry allows all.
    """

    bulk: Bulk
    writable: Mapping[str, tuple[str, ...]]
    profile: Profile
    context: RecordContext

    def plan(self, action: str, maker: RecordFactory, draft_items: Sequence[DraftItem]) -> DraftItem:
        """Return an item; it is valid when the drawn defect is not possible for it."""
        intent = self.profile.intent(self.context.rng, len(draft_items))
        if intent in NEW_ITEM_DEFECTS:
            return NEW_ITEM_DEFECTS[intent](self, action, maker, draft_items) or self.plan_valid(action, maker)
        draft_item = self.plan_valid(action, maker)
        if intent in ITEM_DEFECTS and draft_item.intent == "good" and ITEM_DEFECTS[intent](self, draft_item):
            draft_item.intent = intent
        elif (
            draft_item.fresh
            and draft_item.intent == "good"
            and draft_item.target is not None
            and self.bulk.order.run == "listed"
        ):
            self.context.fresh.setdefault(maker.name, []).append(draft_item.target)
        return draft_item

    def plan_valid(self, action: str, maker: RecordFactory) -> DraftItem:
        """Return an item that should succeed; with intent `unknown` when it needs a stored record and none is known."""
        if action == "upsert":
            return self._upsert(maker)
        if action in CHANGING_ACTIONS or action == "delete":
            live = self._pick_record(maker, drops=action == "delete")
            return self._on_absent(action, maker) if live is None else self._on_record(action, maker, live)
        return self._new(action, maker)

    def _upsert(self, maker: RecordFactory) -> DraftItem:
        context, profile = self.context, self.profile
        drops = bool(self.bulk.effect.tombstone) and context.rng.random() < profile.delete
        meets = drops or context.rng.random() < profile.existing
        live = self._pick_record(maker, drops=drops) if meets else None
        if live is None:
            return self._revived(maker) or self._new("upsert", maker)
        return self._on_record("delete" if drops else "upsert", maker, live)

    def _revived(self, maker: RecordFactory) -> DraftItem | None:
        """Return an item that writes a deleted record again, now and then; None for another item."""
        context, gone = self.context, self.context.known.gone(maker.name)
        if not gone or context.rng.random() >= REVIVED_SHARE:
            return None
        key = context.choose(gone)
        if (maker.name, key) in context.used or context.known.find(maker.name, key) is not None:
            return None
        context.used.add((maker.name, key))
        draft_item = DraftItem(action="upsert", maker=maker, target=key, values=maker.record_members(context))
        return None if draft_item.values is None else self._with_key(draft_item)

    def _pick_record(self, maker: RecordFactory, *, drops: bool) -> KnownRecord | None:
        restrict = maker.resource is not None and maker.resource.restrict
        return self.context.record(maker.name, drops=drops, restrict=restrict)

    def _new(self, action: str, maker: RecordFactory) -> DraftItem:
        context, assigned = self.context, maker.resource is None or maker.resource.assigned
        draft_item = DraftItem(action=action, maker=maker, fresh=True)
        if not assigned or names_target(self.bulk):
            draft_item.target = maker.new_key(context, awkward=context.rng.random() < self.profile.awkward)
        draft_item.values = maker.record_members(context)
        if draft_item.values is None:
            draft_item.intent, draft_item.values = "dangling", maker.draw(context)
        if (member := self._naming_member(maker)) is not None and action != "create":
            value = context.names.fresh_value(maker.members.get(member), context.slot())
            draft_item.values[member] = draft_item.values.get(member) or value
        return self._with_key(draft_item)

    def _naming_member(self, maker: RecordFactory) -> str | None:
        return None if maker.resource is None else naming_member(self.bulk, maker.resource)

    def _on_record(self, action: str, maker: RecordFactory, live: KnownRecord) -> DraftItem:
        context, versioned = self.context, self.bulk.effect.version is not None
        draft_item = DraftItem(action=action, maker=maker, target=live.key, version=live.version if versioned else None)
        if self.bulk.effect.target and self.bulk.key.by == "client":
            draft_item.target_reference = maker.reference_to(live.key, context)
        if (member := self._naming_member(maker)) is not None:
            draft_item.target_reference = live.values.get(member)
        context.used.add((maker.name, live.key))
        if action == "delete":
            context.dropped.add((maker.name, live.key))
            return self._as_delete(draft_item, live.values)
        draft_item.partial = action == "update"
        if draft_item.partial:
            draft_item.values = maker.change_members(context, self.writable.get(maker.name, ()), live.values)
        else:
            draft_item.values = maker.record_members(context, complete=action == "replace", stored=live.values) or {}
        return self._with_key(draft_item)

    def _on_absent(self, action: str, maker: RecordFactory) -> DraftItem:
        """Return an item that names a record which does not exist."""
        context = self.context
        gone = context.known.gone(maker.name)
        stored = (
            context.choose(gone) if gone and context.rng.random() < DELETED_KEY_SHARE else maker.absent_key(context)
        )
        draft_item = DraftItem(action=action, maker=maker, intent="unknown", target=stored)
        draft_item.version = 1 if self.bulk.effect.version is not None else None
        if action == "delete":
            return self._as_delete(draft_item)
        draft_item.values, draft_item.partial = (
            maker.change_members(context, self.writable.get(maker.name, ()), NO_MEMBERS),
            True,
        )
        return self._with_key(draft_item)

    def _as_delete(self, draft_item: DraftItem, stored: Mapping[str, Any] = NO_MEMBERS) -> DraftItem:
        """Set what a deletion writes: nothing, or now and then other members where it is a change of one."""
        draft_item.values = {} if self.bulk.effect.tombstone or not self.bulk.effect.target else None
        maker, context = draft_item.maker, self.context
        if self._is_change(draft_item) and stored and context.rng.random() < CHANGING_DELETION_SHARE:
            draft_item.values = maker.change_members(context, self.writable.get(maker.name, ()), stored)
        return self._with_key(draft_item)

    def _is_change(self, draft_item: DraftItem) -> bool:
        """Return whether an item writes members of its record, as a deletion does that marks it by a member."""
        resource = draft_item.maker.resource
        marks = bool(self.bulk.effect.tombstone) and resource is not None and resource.tombstone is not None
        return draft_item.values is not None and (draft_item.action != "delete" or marks)

    def _with_key(self, draft_item: DraftItem) -> DraftItem:
        """Set the record's key among the members, where the resource has it there."""
        resource, members = draft_item.maker.resource, draft_item.maker.members
        if resource is None or draft_item.values is None or draft_item.target is None:
            return draft_item
        if resource.key in members or not (self.bulk.effect.target or members):
            draft_item.values[resource.key] = draft_item.target
        return draft_item

    def unknown(self, action: str, maker: RecordFactory, _: Sequence[DraftItem]) -> DraftItem | None:
        """Update or delete a record that does not exist."""
        if action == "upsert" and self.bulk.effect.tombstone:
            action = "delete"
        return self._on_absent(action, maker) if action in CHANGING_ACTIONS or action == "delete" else None

    def stale(self, action: str, maker: RecordFactory, _: Sequence[DraftItem]) -> DraftItem | None:
        """State a version other than the current one."""
        live = self._pick_record(maker, drops=action == "delete")
        if live is None or live.version is None or self.bulk.effect.version is None or action == "create":
            return None
        draft_item = self._on_record(action, maker, live)
        self.context.dropped.discard((maker.name, live.key))
        draft_item.intent = "stale"
        draft_item.version = self.context.choose([live.version + by for by in STALE_OFFSETS if live.version + by >= 0])
        return draft_item

    def referenced(self, action: str, maker: RecordFactory, _: Sequence[DraftItem]) -> DraftItem | None:
        """Delete a record that others refer to, where the contract forbids that and each item has its own action."""
        live, bulk = self.context.known.live(maker.name), self.bulk
        is_own = bulk.effect.action.source.startswith("/") and not bulk.effect.http
        can_delete = action == "delete" or (is_own and "delete" in actions_of(bulk))
        if not can_delete or maker.resource is None or not maker.resource.restrict:
            return None
        for _try in range(MAX_PICKS if live else 0):
            found: KnownRecord = self.context.choose(live)
            name = (maker.name, found.key)
            if name not in self.context.used and self.context.known.is_referred_to(*name):
                return replace(self._on_record("delete", maker, found), intent="referenced")
        return None

    def duplicate(self, action: str, maker: RecordFactory, draft_items: Sequence[DraftItem]) -> DraftItem | None:
        """Repeat the key of an earlier item: the client's item key, or the record's key."""
        client = self.bulk.key.by == "client"
        if self.bulk.items.shape == "map" and not self.bulk.key.at:
            return None  # the members of an object have different names
        alike = [n for n, one in enumerate(draft_items) if client or (one.maker is maker and one.target is not None)]
        alike = [n for n in alike if draft_items[n].intent == "good"]
        if not alike:
            return None
        n: int = self.context.choose(alike)
        if client:
            return replace(self.plan_valid(action, maker), intent="duplicate", twin=n)
        twin = draft_items[n]
        return replace(twin, intent="duplicate", values=None if twin.values is None else dict(twin.values), twin=n)

    def invalid(self, draft_item: DraftItem) -> bool:
        """Violate one keyword of the resource's schema."""
        if draft_item.values is None or draft_item.maker.schema is None:
            return False
        found = self._break_change(draft_item) if draft_item.partial else self._break_record(draft_item)
        if found is None:
            return False
        draft_item.mutation, draft_item.values = found
        return True

    def _break_record(self, draft_item: DraftItem) -> tuple[Mutation, dict[str, Any]] | None:
        assert draft_item.maker.schema is not None  # noqa: S101 - asked before
        for mutation in invalid_variants(draft_item.maker.schema, draft_item.values, self.context.rng):
            broken = mutation.value
            if (
                isinstance(broken, dict)
                and not draft_item.maker.has_in_other_case(broken)
                and _keeps_lookups(draft_item, broken)
            ):
                return mutation, broken
        return None

    def _break_change(self, draft_item: DraftItem) -> tuple[Mutation, dict[str, Any]] | None:
        values, schema = draft_item.values or {}, draft_item.maker.schema
        is_closed = schema is not None and schema.raw.get("additionalProperties") is False
        if is_closed and self.context.rng.random() < UNKNOWN_MEMBER_SHARE:
            broken = {**values, UNKNOWN_MEMBER: self.context.names.text("u")}
            says = f"'{UNKNOWN_MEMBER}' is no member"
            mutation = Mutation(value=broken, keyword="additionalProperties", pointer=f"/{UNKNOWN_MEMBER}", says=says)
            return mutation, broken
        spared = [name for name, value in values.items() if isinstance(value, dict)]
        for mutation in draft_item.maker.broken_members(values, self.context.rng, spared=spared):
            if isinstance(mutation.value, dict):
                return mutation, mutation.value
        return None

    def incomplete(self, draft_item: DraftItem) -> bool:
        """Leave out a required member."""
        return draft_item.fresh and self._set_values(
            draft_item, draft_item.maker.without_required(draft_item.values or {}, self.context)
        )

    def dangling(self, draft_item: DraftItem) -> bool:
        """Refer to a record that does not exist."""
        allowed = self.writable.get(draft_item.maker.name, ()) if draft_item.partial else ()
        values = draft_item.maker.with_dangling_reference(draft_item.values or {}, self.context, allowed)
        if values is None or not self._is_change(draft_item):
            return False
        draft_item.values = values
        return True

    def taken(self, draft_item: DraftItem) -> bool:
        """Use another record's value of a unique member."""
        allowed = self.writable.get(draft_item.maker.name, ()) if draft_item.partial else ()
        return self._set_values(
            draft_item,
            draft_item.maker.with_taken_value(draft_item.values or {}, self.context, draft_item.target, allowed),
        )

    def _set_values(self, draft_item: DraftItem, values: dict[str, Any] | None) -> bool:
        if draft_item.values is None or draft_item.action == "delete" or values is None:
            return False
        draft_item.values = values
        return True

    def malformed(self, _: DraftItem) -> bool:
        """Accept the item; the composer makes it invalid against the request's schema."""
        return True


NEW_ITEM_DEFECTS: Final[
    Mapping[ItemIntent, Callable[[ItemPlanner, str, RecordFactory, Sequence[DraftItem]], DraftItem | None]]
] = {
    "unknown": ItemPlanner.unknown,
    "stale": ItemPlanner.stale,
    "referenced": ItemPlanner.referenced,
    "duplicate": ItemPlanner.duplicate,
}
ITEM_DEFECTS: Final[Mapping[ItemIntent, Callable[[ItemPlanner, DraftItem], bool]]] = {
    "invalid": ItemPlanner.invalid,
    "incomplete": ItemPlanner.incomplete,
    "dangling": ItemPlanner.dangling,
    "taken": ItemPlanner.taken,
    "malformed": ItemPlanner.malformed,
}


def _keeps_lookups(draft_item: DraftItem, broken: Mapping[str, object]) -> bool:
    """Return whether all lookups are unchanged: a malformed one may have the whole request refused."""
    values = draft_item.values or {}
    return all(broken.get(name, value) == value for name, value in values.items() if isinstance(value, dict))

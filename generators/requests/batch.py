"""Compose bulk requests: plan each item, encode it, and put all items where the contract's `x-bulk` declares them.

Begin with `Composer`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from contracts.bulk.model import Bulk, Resource
from contracts.exchange.raw_items import writes_apart
from contracts.messages import ABSENT, Request
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import look_up
from generators.data.mutation import Mutation, invalid_variant
from generators.data.plan import ValueProfile
from generators.requests.envelope import NO_OPTION, OperationSpec, draw_envelope, group_items, operation_spec
from generators.requests.item_planner import DraftItem, ItemPlanner
from generators.requests.items import ItemContent
from generators.requests.known_records import NO_MEMBERS, KnownRecords, RecordContext, record_context
from generators.requests.options import Option
from generators.requests.profiles import PROFILES, ItemIntent, Profile, without_payload_defects

GROUP_COUNT: Final = 3
UNGROUPED_SHARE: Final = 0.1
ALTERNATIVE_BODY_SHARE: Final = 0.25  # share of bodies in another accepted form
CREATING_ACTIONS: Final = frozenset(("create", "upsert"))
DEPENDENT_ITEM_SHARE: Final = 0.2  # share of items that depend on an earlier one, where items can


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class PlannedItem:
    """One planned item of a bulk request and the value that is sent for it.

    `intent` names the intended defect, `good` for none. `mutation` is the schema violation, None without one; its
    pointer is relative to `value`, or to the body when all items share a payload. `key` identifies its outcome,
    `target` is the key of the record that it names, `values` are the members that it sets; each is None when there
    is none. `fresh` tells whether the item creates a record if it succeeds, `after` are the indices of the items
    that it depends on.
    """

    index: int
    value: object
    intent: ItemIntent
    action: str
    resource: str | None
    key: object
    target: object
    version: object
    group: object
    values: Mapping[str, object] | None
    fresh: bool
    mutation: Mutation | None = None
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """A bulk request with its plan.

    `refusals` are the keys of `guard.refuse` that apply to the request; empty when it must not be refused as a
    whole. `unit` is `whole`, `item` or `group`, None when the request asks for an unknown unit. `targets` maps the
    targets of a fan-out to whether they are known to exist.
    """

    operation: str
    request: Request
    body: object
    items: tuple[PlannedItem, ...]
    profile: str
    seed: int
    unit: str | None
    grouped: bool
    deferred: bool
    refusals: tuple[str, ...]
    targets: Mapping[str, bool] = field(default_factory=dict)


def key_of(item: object, bulk: Bulk, resource: Resource | None, *, name: object, index: int) -> object:
    """Return the key that identifies an item's outcome, read from the item as it is sent; None when it has none."""
    if bulk.key.by in {"index", "order"}:
        return index
    if bulk.items.shape == "map" and not bulk.key.at:
        return name
    places = [bulk.key.at] if bulk.key.at is not None else [*bulk.effect.target]
    if not places and resource is not None:
        places = [f"{bulk.effect.payload}/{resource.key}"]
    found = next((value for place in places if (value := look_up(item, place)) is not ABSENT), None)
    return found if isinstance(found, str | int) else None


def _refusals(bulk: Bulk, items: Sequence[PlannedItem], unit: str | None) -> tuple[str, ...]:
    """Return the keys of `guard.refuse` that apply to this request."""
    intents = {item.intent for item in items}
    broken = {"malformed"} if writes_apart(bulk.effect) else {"malformed", "invalid"}
    twice = "duplicateKey" if bulk.key.by == "client" else "duplicateTarget"
    said = {
        "empty": not items,
        "tooMany": bulk.items.max is not None and len(items) > bulk.items.max,
        twice: "duplicate" in intents,
        "malformedItem": bool(intents & broken),
        "badMode": unit is None,
    }
    return tuple(word for word, holds in said.items() if holds and word in bulk.guard.refuse)


class Composer:
    """Composes requests of one bulk operation.

    `given` maps parameter names to values, such as the tenant in the path; other parameters take an example's
    value. `values` is the spread of members' values. Items have these `actions` alone where the operation has one of
    them; empty means any. Raises MisuseError for an operation without `x-bulk`, or whose items are neither an array nor
    a map.
    """

    __slots__ = ("_design",)

    def __init__(
        self,
        contract: Contract,
        operation: Operation,
        *,
        given: Mapping[str, str] | None = None,
        values: ValueProfile = "realistic",
        actions: Collection[str] = (),
    ) -> None:
        design = operation_spec(contract, operation, given or {}, values)
        chosen = tuple(one for one in design.actions if one.meaning in actions)
        self._design = replace(design, actions=chosen) if chosen else design

    @property
    def design(self) -> OperationSpec:
        """The operation's specification."""
        return self._design

    def compose(
        self,
        *,
        seed: int,
        size: int,
        profile: Profile | None = None,
        known: KnownRecords | None = None,
        prefix: str = "",
    ) -> PlannedBatch:
        """Return a request of `size` items; equal arguments and equal known records give an equal request.

        `profile` defaults to `mixed`. Every generated name begins with `prefix`.
        """
        profile = profile or PROFILES["mixed"]
        rng = Random(f"{self._design.operation.id}/{seed}/{size}/{profile.name}")
        context = record_context(rng, known if known is not None else KnownRecords(), prefix=prefix)
        return _Batch(self._design, context, profile, size).build(seed)


def compose_within_limit(
    composer: Composer, *, seed: int, size: int, profile: Profile, known: KnownRecords, prefix: str = ""
) -> PlannedBatch:
    """Return a batch of `size` items, or of as few as the declared bytes of a body allow."""
    most = composer.design.bulk.items.max_bytes
    while True:
        batch = composer.compose(seed=seed, size=size, profile=profile, known=known, prefix=prefix)
        if most is None or len(batch.request.body) <= most or size <= 1:
            return batch
        size //= 2


class _Batch:
    """A batch under construction; `choices` holds the words for each item's action and resource."""

    __slots__ = ("_action", "_design", "_making", "_profile", "_resource", "choices", "draft_items")

    def __init__(self, design: OperationSpec, context: RecordContext, profile: Profile, size: int) -> None:
        self._design, self._making, self._profile = design, context, profile
        self._resource: Option = context.choose(design.resources)
        self._action: Option | None = context.choose(design.actions) if design.has_one_action else None
        self.choices: list[tuple[Option, Option]] = []
        self.draft_items: list[DraftItem] = []
        shared = design.bulk.effect.payload in design.bulk.items.shared
        own = without_payload_defects(profile) if shared else profile
        planner = ItemPlanner(bulk=design.bulk, writable=design.writable, profile=own, context=context)
        for _ in range(size):
            self._add_item(planner)
        if shared:
            self._share(planner)

    def build(self, seed: int) -> PlannedBatch:
        """Return the planned batch."""
        design, bulk = self._design, self._design.bulk
        keys = self._keys()
        items = [self._item(n, keys) for n in range(len(self.draft_items))]
        names = [str(n if key is None else key) for n, key in enumerate(keys)]
        shared: object = ABSENT
        if bulk.effect.payload in bulk.items.shared:
            shared = design.encoder.payload((self.draft_items[0].values if self.draft_items else None) or {})
        return self._wrap(items, names, shared, seed)

    def _wrap(self, items: Sequence[PlannedItem], keys: Sequence[str], shared: object, seed: int) -> PlannedBatch:
        design, bulk, rng = self._design, self._design.bulk, self._making.rng
        raws = [item.value for item in items]
        envelope = draw_envelope(design, self._making, self._profile)
        made = design.request(
            raws if bulk.items.groups is None else group_items(raws, bulk.items.groups, rng),
            envelope.options,
            rng,
            action=self._action or NO_OPTION,
            resource=self._resource if design.has_one_resource else NO_OPTION,
            keys=keys,
            at=bulk.items.also_at[0] if bulk.items.also_at and rng.random() < ALTERNATIVE_BODY_SHARE else None,
            shared=shared,
        )
        return PlannedBatch(
            operation=design.operation.id,
            request=made.request(),
            body=made.data,
            items=tuple(items),
            profile=self._profile.name,
            seed=seed,
            unit=envelope.unit,
            grouped=bool(envelope.options.grouped),
            deferred=envelope.deferred,
            refusals=_refusals(bulk, items, envelope.unit),
            targets=envelope.targets,
        )

    def _add_item(self, planner: ItemPlanner) -> None:
        design, context = self._design, self._making
        resource = self._resource if design.has_one_resource else context.choose(design.resources)
        action: Option = self._action or self._choose_action(resource)
        draft_item = planner.plan(action.meaning, design.makers[resource.meaning], self.draft_items)
        if draft_item.action != action.meaning:
            action = next((word for word in design.actions if word.meaning == draft_item.action), action)
        self.draft_items.append(draft_item)
        self.choices.append((action, resource))

    def _choose_action(self, resource: Option) -> Option:
        """Choose what an item does: it creates a record where none is left that it could change or delete."""
        actions, context = self._design.actions_of(resource), self._making
        action: Option = context.choose(actions)
        if action.meaning in CREATING_ACTIONS or context.record(resource.meaning, drops=False, restrict=False):
            return action
        creating = [one for one in actions if one.meaning in CREATING_ACTIONS]
        return context.choose(creating or actions)  # type: ignore[no-any-return] # an option of the list

    def _share(self, planner: ItemPlanner) -> None:
        """Give all items the same members, sometimes with an invalid one."""
        design, context = self._design, self._making
        maker = design.makers[self._resource.meaning]
        chosen = design.writable.get(maker.name) or tuple(maker.members)
        draft_item = DraftItem(action="update", maker=maker, partial=True)
        draft_item.values = maker.change_members(
            context, tuple(name for name in chosen if name not in maker.unique), NO_MEMBERS
        )
        broken = context.rng.random() < self._profile.invalid and planner.invalid(draft_item)
        for one in self.draft_items:
            one.values = draft_item.values
            if broken and one.intent == "good":
                one.intent, one.mutation = "invalid", draft_item.mutation

    def _keys(self) -> list[object]:
        """Return each item's key: the one that the client chooses for it, or that of the record that it names."""
        design, context = self._design, self._making
        if design.bulk.key.by != "client":
            return [draft_item.target for draft_item in self.draft_items]
        keys: list[object] = []
        for draft_item in self.draft_items:
            fresh = design.encoder.fresh_key(draft_item.action, context.names, context.slot())
            keys.append(fresh if draft_item.twin is None else keys[draft_item.twin])
        return keys

    def _item(self, n: int, keys: list[object]) -> PlannedItem:
        design, draft_item, rng = self._design, self.draft_items[n], self._making.rng
        group, after = self._group(), self._after(n, keys)
        if draft_item.values is not None:
            draft_item.values = dict(design.sendable(draft_item.maker.name, draft_item.values))
        content = ItemContent(
            action=draft_item.action,
            members=draft_item.values,
            target=draft_item.target if draft_item.target_reference is None else draft_item.target_reference,
            key=keys[n],
            version=draft_item.version,
            group=group,
            awaited=[keys[m] for m in after],
            incomplete=draft_item.intent == "incomplete" and "malformedItem" not in design.bulk.guard.refuse,
        )
        action, named = self.choices[n]
        value = design.item(content, rng, action=action.written, resource=named.written, kind=named.meaning)
        mutation: Mutation | None = draft_item.mutation
        if mutation is not None:
            mutation = replace(mutation, pointer=design.encoder.pointer(draft_item.values or {}, mutation.pointer))
        if draft_item.intent == "malformed":
            element = design.encoder.element
            mutation = invalid_variant(element, value, rng) if element is not None else None
            draft_item.intent, value = ("malformed", mutation.value) if mutation is not None else ("good", value)
        resource = draft_item.maker.resource
        return PlannedItem(
            index=n,
            value=value,
            intent=draft_item.intent,
            action=draft_item.action,
            resource=resource.name if resource is not None else None,
            key=key_of(value, design.bulk, resource, name=n if keys[n] is None else keys[n], index=n),
            target=draft_item.target,
            version=draft_item.version,
            group=group,
            values=draft_item.values,
            fresh=draft_item.fresh,
            mutation=mutation,
            after=after,
        )

    def _after(self, n: int, keys: list[object]) -> tuple[int, ...]:
        """Choose the earlier item that this one depends on, where items can depend on others."""
        named = [m for m in range(n) if keys[m] is not None] if self._design.bulk.order.depends_on else []
        chosen = named and self._making.rng.random() < DEPENDENT_ITEM_SHARE
        return (self._making.choose(named),) if chosen else ()

    def _group(self) -> object:
        bulk, rng = self._design.bulk, self._making.rng
        if not (bulk.order.group_by or bulk.unit.group) or rng.random() < UNGROUPED_SHARE:
            return None
        return 1 + int(rng.random() * GROUP_COUNT)

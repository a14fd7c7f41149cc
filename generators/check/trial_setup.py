"""Describe the items of an experiment, valid or with one defect, and prepare them for one trial.

Begin with `ItemCase` and `prepare_trial`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import names_target
from contracts.exchange.raw_items import naming_member, writes_apart
from contracts.messages import ABSENT
from generators.check.records import CreatedRecord, change_version, create_records, filled_members, new_record_members
from generators.client.sites import SiteContext, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.requests.items import ItemContent, example_members, own_key_member, says_version
from generators.requests.known_records import Names, RecordContext
from generators.requests.options import actions_of
from generators.requests.profiles import DEFECTS, ItemIntent
from generators.requests.record_factory import RecordFactory
from generators.requests.single import Members

EXISTING_ACTIONS: Final = frozenset(("delete", "replace", "update"))
WRITING_ACTIONS: Final = frozenset(("create", "replace", "update", "upsert"))
TRIED_DEFECTS: Final[tuple[ItemIntent, ...]] = ("incomplete", "dangling", "invalid", "taken", "unknown", "stale")
VARIANTS: Final[Mapping[str, str]] = {
    "edge": "has values at the ends of their ranges",
    "padded": "has blanks around a text",
    "cleared": "sets members to null",
    "wide": "writes more than one member",
    "bare": "writes no member",
}
VARIANTS_OF: Final = {True: ("padded", "cleared", "wide", "bare"), False: ("edge", "padded")}  # by whether it exists


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCase:
    """An abstract item; it can be prepared repeatedly, each time with fresh names.

    `existing` tells whether its record exists before. `twin` is the slot of an earlier item whose record, or unique
    value, it shares. `group` is its group's number, `awaits` the slots that it depends on. `variant` is an unusual
    content of a valid item (see `VARIANTS`), `defect` its fault (see `DEFECTS`), `keyword` the one that an invalid
    item violates.
    """

    action: str
    defect: ItemIntent | None = None
    existing: bool = False
    twin: int | None = None
    group: float | str | None = None
    awaits: tuple[int, ...] = ()
    variant: str = ""
    keyword: str = ""

    @property
    def needs_record(self) -> bool:
        """Whether its record must exist before."""
        return self.existing and self.defect != "unknown"

    def __str__(self) -> str:
        """Return a short description."""
        more = [VARIANTS[self.variant]] if self.variant else []
        more += [DEFECTS[self.defect] + (f" ({self.keyword})" if self.keyword else "")] if self.defect else []
        return " that ".join((self.action, *more))


def possible_cases(bulk: Bulk) -> tuple[ItemCase, ...]:
    """Return every kind of item that a declaration allows, valid ones first."""
    found: list[ItemCase] = []
    for action in actions_of(bulk):
        existing = action in EXISTING_ACTIONS
        found.append(ItemCase(action=action, existing=existing))
        if action == "upsert" or (action == "replace" and not bulk.effect.http):
            found.append(ItemCase(action=action, existing=not existing))
        if action == "upsert" and bulk.effect.tombstone:
            found.append(ItemCase(action="delete", existing=True))
    defects = [(one, defect) for one in found for defect in TRIED_DEFECTS if _is_possible(bulk, one, defect)]
    found += [ItemCase(action=one.action, defect=defect, existing=one.existing) for one, defect in defects]
    return tuple(dict.fromkeys(found))


def _is_possible(bulk: Bulk, one: ItemCase, defect: ItemIntent) -> bool:
    if defect in {"incomplete", "taken"}:
        return not one.existing
    if defect in {"dangling", "invalid"}:
        return one.action in WRITING_ACTIONS and bulk.effect.payload not in bulk.items.shared
    if defect == "stale":
        return one.existing and says_version(bulk, one.action)
    return one.existing and one.action in EXISTING_ACTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialItem:
    """A prepared item. `known` is the record created for it, `content` what it states, `raw` the item as sent."""

    slot: int
    case: ItemCase
    content: ItemContent
    raw: Any
    known: CreatedRecord | None = None

    @property
    def key(self) -> object:
        """The key of its record, None when the server assigns it."""
        return self.known.key if self.known is not None else self.content.target


@dataclass(slots=True)
class Trial:
    """A prepared trial. `shared` is the payload of all items, if any; those that are `alike` differ in names alone."""

    context: SiteContext
    names: Names
    items: list[TrialItem] = field(default_factory=list)
    shared: Any = ABSENT
    shared_members: Members = field(default_factory=dict)
    alike: bool = False

    def rng(self, slot: object) -> Random:
        """Return the random source of a slot, equal in every trial."""
        return self.context.session.rng(self.context.operation.id, "alike" if self.alike else slot)

    @property
    def maker(self) -> RecordFactory:
        """The record factory of the resource."""
        return record_factory_of(self.context.session, self.context.resource)

    def can_have(self, members: Members) -> bool:
        """Say whether an item can have these members; the cells of a row have texts alone."""
        return self.context.sendable(members) == members

    def record_context(self, slot: str) -> RecordContext:
        """Return the record context of a slot."""
        return record_context_of(self.names, self.rng(slot))

    def with_members(self, trial_item: TrialItem, members: Members, *, barred: bool = False) -> TrialItem:
        """Return an item of the trial with other members, written anew; see `SiteContext.item`."""
        content = replace(trial_item.content, members=members)
        raw = self.context.item(content, self.rng(f"raw{trial_item.slot}"), barred=barred)
        return replace(trial_item, content=content, raw=raw)

    def changed(self, slot: str, besides: Iterable[str] = ()) -> Members:
        """Return a member but for these with a fresh value, preferably one that the operation's examples set."""
        barred = self.context.barred(self.maker.members)
        shown = [name for name in example_members(self.context.operation) if name not in barred]
        return self.maker.fresh_change(self.record_context(slot), slot, shown, barred.union(besides))


DEFAULT_KEYWORDS: Final = ("type", "minLength", "maxLength", "enum")


def _without_required(trial: Trial, slot: str, case: ItemCase, members: Members) -> Members | None:
    """Leave out a required member, if possible one that does not identify the record."""
    del case
    fresh = [name for name, value in members.items() if trial.names.is_fresh(value)]
    return trial.maker.without_required(members, trial.record_context(slot), fresh)


def _dangling(trial: Trial, slot: str, case: ItemCase, members: Members) -> Members | None:
    """Refer to a record that does not exist, by the member that the case names, if it names one."""
    return trial.maker.with_dangling_reference(members, trial.record_context(slot), [case.keyword] * bool(case.keyword))


def _invalid(trial: Trial, slot: str, case: ItemCase, members: Members) -> Members | None:
    """Make one member invalid, neither the key nor a unique one."""
    spared = {trial.context.resource.key, own_key_member(trial.context.bulk) or "", *trial.maker.unique}
    words = (case.keyword,) if case.keyword else DEFAULT_KEYWORDS
    found = trial.maker.broken_members(members, trial.record_context(slot).rng, spared=spared, keywords=words)
    broken = (one.value for one in found if isinstance(one.value, dict) and trial.can_have(one.value))
    return next((one for one in broken if all(one[name] is not None or name in spared for name in one)), None)


def _padded(trial: Trial, slot: str, case: ItemCase, members: Members) -> Members | None:
    """Add spaces around a text."""
    maker, record_context = trial.maker, trial.record_context(slot)
    others = [] if case.existing else [name for name in maker.free if name not in members]
    for name in (*(name for name in members if name in maker.free), *others):
        value = members.get(name) or maker.any_value(name, record_context)
        for padded in (f" {value} ", f" {value[:1]} ") if isinstance(value, str) else ():
            if maker.members[name].is_valid(padded):
                return {**members, name: padded}
    return None


def _wide(trial: Trial, slot: str, _case: ItemCase, members: Members) -> Members:
    """Change a second free member, where there is one."""
    return {**members, **trial.changed(f"w{slot}", members)}


def _cleared(trial: Trial, _slot: str, _case: ItemCase, members: Members) -> Members:
    """Set every member to null that may be."""
    kept = {trial.context.resource.key, *trial.maker.unique, *trial.context.resource.required}
    return {**{name: value for name, value in members.items() if name in kept}, **dict.fromkeys(_clearable(trial))}


def _clearable(trial: Trial) -> list[str]:
    """Return the members that may be null, references too. Raises NotApplicableError when there is none."""
    resource, schemas = trial.context.resource, trial.maker.members
    needed = {*trial.maker.unique, *resource.required}
    own = [name for name in dict.fromkeys((*trial.maker.free, *resource.references)) if name not in needed]
    chosen = trial.context.spec.writable.get(resource.name) or schemas
    found = [name for name in own if name in chosen and name in schemas and schemas[name].is_valid(None)]
    if not found:
        raise NotApplicableError(f"a record of {resource.name} has no member that may be null")
    return found


MemberChange = Callable[[Trial, str, ItemCase, Members], Members | None]
MEMBER_CHANGES: Final[Mapping[str, MemberChange]] = {
    "incomplete": _without_required,
    "dangling": _dangling,
    "invalid": _invalid,
    "padded": _padded,
    "wide": _wide,
    "cleared": _cleared,
    "bare": lambda _trial, _slot, case, _members: {} if case.action == "update" else None,
}


def _with_defect(trial: Trial, slot: int, case: ItemCase, members: Members) -> Members:
    """Return the members with a case's variant and defect. Raises NotApplicableError when they are not possible."""
    for word in (case.variant, case.defect):
        if word is not None and word in MEMBER_CHANGES:
            changed = MEMBER_CHANGES[word](trial, f"x{slot}", case, members)
            if changed is None:
                raise NotApplicableError(f"a {trial.context.resource.name} leaves no room for '{case}'")
            members = changed
    return members


SHARED_SLOT: Final = "shared"
BREAKABLE_KEYWORDS: Final = ("type", "minLength", "maxLength", "format", "pattern", "enum", "minimum", "maximum")


def prepare_trial(ctx: SiteContext, cases: Sequence[ItemCase], *, fitting: bool = True, alike: bool = False) -> Trial:
    """Prepare cases: equal cases give trials that differ in fresh names alone. Raises NotApplicableError.

    `fitting` excludes items that may have the whole request refused.
    """
    trial = Trial(context=ctx, names=ctx.session.names(), alike=alike)
    known = _set_up(trial, cases)
    for slot, case in enumerate(cases):
        trial.items.append(trial_item(trial, slot, case, known[slot], fitting=fitting))
    return trial


def _set_up(trial: Trial, cases: Sequence[ItemCase]) -> list[CreatedRecord | None]:
    """Make the shared payload, if any, and the records that must exist before; return that of each slot."""
    bulk, session, site, names = trial.context.bulk, trial.context.session, trial.context.site, trial.names
    if bulk.effect.payload in bulk.items.shared:
        is_cleared = any(one.variant == "cleared" for one in cases)
        trial.shared_members = dict.fromkeys(_clearable(trial)) if is_cleared else trial.changed(SHARED_SLOT)
        trial.shared = trial.context.spec.encoder.payload(trial.shared_members)
    wanted = [n for n, one in enumerate(cases) if (one.needs_record and one.twin is None) or one.defect == "taken"]
    members = [new_record_members(session, site, names, f"e{n}", trial.rng(f"e{n}")) for n in wanted]
    for at, n in enumerate(wanted):
        if cases[n].variant == "cleared":
            filled = filled_members(session, site, names, f"f{n}", _clearable(trial))
            members[at] = {**members[at], **filled}
    made = dict(zip(wanted, create_records(session, site, members, names) if members else (), strict=True))
    for n in wanted:
        if cases[n].defect == "stale":
            change_version(trial.context, made[n], names, str(n))
    return [made.get(n if one.twin is None else one.twin) for n, one in enumerate(cases)]


def trial_item(trial: Trial, slot: int, case: ItemCase, known: CreatedRecord | None, *, fitting: bool) -> TrialItem:
    """Return a prepared item; `known` is the record that it acts on. Raises NotApplicableError."""
    content, context = _item_content(trial, slot, case, known), trial.context
    raw = context.item(content, trial.rng(f"raw{slot}"))
    is_filled = case.defect == "incomplete" and context.is_filled(content, raw)
    makes = not (context.resource.assigned or context.bulk.effect.http)
    is_odd = case.action == "replace" and (case.defect == "unknown" if makes else not case.existing)
    if is_filled or is_odd or (fitting and not fits_request(trial, case, raw)):
        raise NotApplicableError(f"no item could be made for '{case}' that the contract takes")
    return TrialItem(slot=slot, case=case, content=content, raw=raw, known=known if case.needs_record else None)


def fits_request(trial: Trial, case: ItemCase, raw: object) -> bool:
    """Return whether an item is no reason to refuse the whole request."""
    bulk, effect = trial.context.bulk, trial.context.bulk.effect
    is_record = not (writes_apart(effect) or effect.http)
    is_judged = is_record and (case.action != "delete" or effect.tombstone) and "malformedItem" in bulk.guard.refuse
    fits = not is_judged or not isinstance(raw, dict) or trial.maker.fits(raw, partial=False)
    return fits and trial.context.spec.encoder.fits(raw)


def _item_content(trial: Trial, slot: int, case: ItemCase, known: CreatedRecord | None) -> ItemContent:
    context, maker, group = trial.context, trial.maker, None if case.group is None else str(case.group)
    key = context.spec.encoder.fresh_key(case.action, trial.names, f"k{slot}")
    awaited = [_item_key(trial, one) for one in case.awaits]
    if case.existing:
        there = known is not None and case.defect != "unknown"
        target = known.key if known is not None and there else maker.absent_key(trial.record_context(f"x{slot}"))
        version = _version(trial, case, known)
        members = _changed_members(trial, slot, case, known) if case.action != "delete" else {}
    else:
        members, version = _new_members(trial, slot, case, known), None
        target = None if context.resource.assigned else members.get(context.resource.key)
        if target is None and names_target(context.bulk):
            target = maker.new_key(trial.record_context(f"x{slot}"))
    key = target if names_target(context.bulk) else key
    own = own_key_member(context.bulk)
    if own is not None and key is not None and members:
        if own not in members and case.defect == "incomplete":
            raise NotApplicableError("an item without what is its key too has no outcome of its own")
        key = members[own] if trial.names.is_fresh(members.get(own)) else key
        members = {**members, own: key}
    return ItemContent(
        action=case.action,
        members=members,
        target=target,
        version=version,
        key=key,
        group=group,
        awaited=awaited,
        incomplete=case.defect == "incomplete",
    )


def _item_key(trial: Trial, slot: int) -> object:
    key, trial_item = trial.context.bulk.key, trial.items[slot]
    if key.by == "client":
        return trial_item.content.key
    return slot if key.by in {"index", "order"} else trial_item.content.target


def _version(trial: Trial, case: ItemCase, known: CreatedRecord | None) -> object:
    told = known.version if known is not None and known.version is not None else 1
    return told if says_version(trial.context.bulk, case.action) else None


def _changed_members(trial: Trial, slot: int, case: ItemCase, known: CreatedRecord | None) -> Members:
    bulk, resource = trial.context.bulk, trial.context.resource
    if bulk.effect.payload in bulk.items.shared:
        return {}
    members = {**(known.members if case.action == "replace" and known is not None else {}), **trial.changed(f"c{slot}")}
    if case.action == "upsert" and known is not None and not resource.assigned:
        members = {resource.key: known.key, **members}
    return _with_defect(trial, slot, case, members)


def _new_members(trial: Trial, slot: int, case: ItemCase, known: CreatedRecord | None) -> Members:
    context, resource = trial.context, trial.context.resource
    edges = 1.0 if case.variant == "edge" else 0.0
    members = new_record_members(context.session, context.site, trial.names, str(slot), trial.rng(slot), edges=edges)
    members = {**context.sendable(members)}
    twin = None if case.twin is None else trial.items[case.twin].content.values
    shared: Mapping[str, Any] | None = known.members if known is not None else twin
    if shared is not None:
        spared = {*resource.references, naming_member(context.bulk, resource)}  # whose value names the record itself
        group = next((one for one in resource.unique if not set(one) & spared), None)
        own = group or (() if resource.assigned or case.action != "create" else (resource.key,))
        if not own:
            raise NotApplicableError(f"nothing of a record of {resource.name} must be unique")
        members |= {name: shared[name] for name in own if name in shared}
    return _with_defect(trial, slot, case, members)


def available_cases(context: SiteContext) -> tuple[tuple[ItemCase, ...], tuple[ItemCase, ...]]:
    """Return the valid cases and those with a defect for which items can be made here."""
    name = ("repertoire", context.operation.id, context.site)
    if isinstance(known := context.session.cache.get(name), tuple):
        return known
    possible = _makeable(context, possible_cases(context.bulk))
    found = (tuple(one for one in possible if not one.defect), tuple(one for one in possible if one.defect))
    context.session.cache[name] = found
    return found


def variant_cases(context: SiteContext) -> tuple[tuple[ItemCase, ...], tuple[ItemCase, ...]]:
    """Return valid cases with unusual contents, and cases that each violate a keyword, or name nothing by a member."""
    name = ("flavoured", context.operation.id, context.site)
    if isinstance(known := context.session.cache.get(name), tuple):
        return known
    writing = [one for one in available_cases(context)[0] if one.action != "delete"]
    odd = [replace(one, variant=word) for one in writing for word in VARIANTS_OF[one.existing]]
    bad = [replace(one, defect="invalid", keyword=word) for one in writing for word in BREAKABLE_KEYWORDS]
    named = context.resource.references if context.bulk.effect.payload not in context.bulk.items.shared else ()
    bad += [replace(one, defect="dangling", keyword=name) for one in writing for name in named]
    found = (tuple(_makeable(context, odd)), tuple(_makeable(context, bad, fitting=False)))
    context.session.cache[name] = found
    return found


def _makeable(context: SiteContext, cases: Sequence[ItemCase], *, fitting: bool = True) -> list[ItemCase]:
    """Return the cases of which items can be made; their records are created together, unless one has to be left."""
    trial, found = Trial(context=context, names=context.session.names()), list[ItemCase]()
    try:
        known = _set_up(trial, cases)
    except NotApplicableError:
        return [one for case in cases for one in _makeable(context, [case], fitting=fitting)] if cases[1:] else []
    for slot, case in enumerate(cases):
        with suppress(NotApplicableError):
            trial_item(trial, slot, case, known[slot], fitting=fitting)
            found.append(case)
    return found

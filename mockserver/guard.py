"""What refuses a bulk call before any item is looked at: the `guard` of its declaration."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from contracts.names import closest
from contracts.pointers import look_up
from contracts.texts import listed
from contracts.validation import Violation, check_items
from mockserver.domain.places import choose, is_outside, locate, wished
from mockserver.domain.values import Item
from mockserver.served import BulkPlan, served
from mockserver.stores.memory import hashable
from mockserver.turn import Refusal, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A call that was let through: how many items it has, and the unit that the caller chose."""

    plan: BulkPlan
    size: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The items of an admitted call, with unit and order, and the resources whose payloads all fit their schema."""

    plan: BulkPlan
    items: Sequence[Item]
    unit: str
    grouped: bool
    valid: frozenset[str]


def counted(turn: Turn, plan: BulkPlan) -> Refusal | None:
    """Refuse a list that is empty or too long."""
    items, size = plan.bulk.items, plan.dismantler.size(turn)
    if _place(turn, plan) is None:
        return None
    allowed = turn.api.hooks.max_items(turn)
    most = items.max if allowed is None else allowed if items.max is None else min(allowed, items.max)
    if size < items.min:
        return _sized(turn, plan, "empty" if size == 0 else "tooFew", items.min, size)
    if most is not None and size > most:
        return _sized(turn, plan, "tooMany", most, size)
    return None


def admitted(turn: Turn, plan: BulkPlan) -> Admission | Refusal:
    """Let a call in whose body fits the contract, or say why it is refused."""
    unit = choose(plan.bulk.unit.of, _choice(turn, plan.bulk))
    if unit is None:
        return _bad_mode(turn, plan.bulk)
    refusal = _unread(turn, plan) or _repeated(turn, plan)
    return refusal or Admission(plan=plan, size=plan.dismantler.size(turn), unit=unit)


def opened(turn: Turn, plan: BulkPlan, unit: str) -> Batch:
    """Return the items of an admitted call, ready to be run."""
    items = plan.dismantler.items(turn)
    grouped = plan.bulk.order.run == "grouped" and _in_order(turn, plan.bulk)
    return Batch(plan=plan, items=items, unit=unit, grouped=grouped, valid=_valid(turn, plan, items))


def _choice(turn: Turn, bulk: Bulk) -> object:
    return locate(turn, bulk.unit.of.source) if bulk.unit.of.source else ABSENT


def _in_order(turn: Turn, bulk: Bulk) -> bool:
    if bulk.order.when is None:
        return True
    given = locate(turn, bulk.order.when)
    return wished(turn, bulk.order.when) if "=" in bulk.order.when else given is True or given == "true"


def _refusal(plan_bulk: Bulk, kind: str, detail: str, violation: Violation) -> Refusal:
    status = plan_bulk.guard.refuse.get(kind, 400)
    return Refusal(
        status=status if isinstance(status, int) else 400, kind=kind, detail=detail, violations=(violation,), total=1
    )


def _bad_mode(turn: Turn, bulk: Bulk) -> Refusal:
    source, given = bulk.unit.of.source, _choice(turn, bulk)
    known = " or ".join(bulk.unit.of.words)
    hint = closest(str(given), bulk.unit.of.words)
    meant = f" Did you mean '{hint}'?" if hint else ""
    where, _, name = source.rpartition(":")
    violation = Violation(
        side="call",
        where=source if where else "body",
        pointer="" if where else source,
        rule="enum",
        expected=known,
        got=str(given)[:80],
        hint=hint,
        detail=f"{name} must be {known}.{meant}",
    )
    return _refusal(bulk, "badMode", f"{name} must be {known}; got '{str(given)[:80]}'.{meant}", violation)


def _place(turn: Turn, plan: BulkPlan) -> str | None:
    places = (plan.bulk.items.at, *plan.bulk.items.also_at)
    wanted = dict if plan.bulk.items.shape == "map" else list
    return next((place for place in places if isinstance(locate(turn, place), wanted)), None)


def _sized(turn: Turn, plan: BulkPlan, kind: str, limit: int, size: int) -> Refusal:
    rule, word = ("maxItems", "at most") if kind == "tooMany" else ("minItems", "at least")
    detail = f"The list must have {word} {limit} items; it has {size}."
    violation = Violation(
        side="call",
        where="body",
        pointer=_place(turn, plan) or "",
        rule=rule,
        expected=f"{word} {limit} items",
        got=f"{size} items",
        detail=detail,
    )
    return _refusal(plan.bulk, kind, detail, violation)


def malformed(turn: Turn, plan: BulkPlan) -> Refusal | None:
    """Refuse items that are no records, where an item is the record itself and malformed ones are refused."""
    effect = plan.bulk.effect
    if effect.payload or effect.action.constant == "delete" or "malformedItem" not in plan.bulk.guard.refuse:
        return None
    raws = plan.dismantler.raws(turn)
    resource = plan.dismantler.resource(turn, None)
    schema = None if resource is None else served(turn.api).keepers[resource.name].payloads.schema
    if schema is None:
        return None
    report = check_items(schema, raws, at=_place(turn, plan) or "")
    if not report:
        return None
    status = plan.bulk.guard.refuse["malformedItem"]
    return Refusal(
        status=status if isinstance(status, int) else 400,
        kind="malformedItem",
        detail=f"{report.bad_items} of {len(raws)} items cannot be interpreted.",
        violations=report.violations,
        total=report.total,
    )


def _unread(turn: Turn, plan: BulkPlan) -> Refusal | None:
    """Refuse a list with an item whose kind or action is a word that means nothing: it could not be carried out."""
    index = plan.dismantler.unread(turn)
    if index is None:
        return None
    effect, raws = plan.bulk.effect, plan.dismantler.raws(turn)
    raw = raws[index] if index < len(raws) else None
    resource = plan.dismantler.resource(turn, raw)
    choice = effect.resource if resource is None else effect.action
    source = "" if choice is None else choice.source
    given = ABSENT if not source else locate(turn, source) if is_outside(source) else look_up(raw, source)
    known = tuple(choice.words) if choice is not None else ()
    what, got = "kind of record" if resource is None else "action", "nothing" if given is ABSENT else str(given)[:80]
    hint = closest(got, known)
    meant = f" Did you mean '{hint}'?" if hint else ""
    violation = Violation(
        side="call",
        where=source if is_outside(source) else "body",
        pointer="" if is_outside(source) else f"{_place(turn, plan) or ''}/{index}{source}",
        rule="enum",
        expected=listed(known, "or"),
        got=got,
        hint=hint,
        detail=f"'{got}' is no {what} that is known here.{meant}",
    )
    return _refusal(plan.bulk, "malformedItem", violation.detail, violation)


def _repeated(turn: Turn, plan: BulkPlan) -> Refusal | None:
    """Refuse a list that names one key twice, where the declaration says so."""
    for kind, keys in (("duplicateKey", plan.dismantler.keys), ("duplicateTarget", plan.dismantler.targets)):
        if kind in plan.bulk.guard.refuse:
            named = keys(turn)
            if set(map(type, named)) != {str}:
                named = list(map(hashable, named))
            if len(set(named)) < len(named):
                return _twice(turn, plan, named, kind)
    return None


def _twice(turn: Turn, plan: BulkPlan, keys: Sequence[object], kind: str) -> Refusal | None:
    seen: set[object] = set()
    nothing = hashable(ABSENT)
    for index, key in enumerate(keys):
        if key in seen and key != nothing:
            return _again(turn, plan, index, str(key)[:80], kind)
        seen.add(key)
    return None


def _again(turn: Turn, plan: BulkPlan, index: int, key: str, kind: str) -> Refusal:
    resource = plan.dismantler.resource(turn, plan.dismantler.collection(turn)[index][1])
    own = f"/{resource.key}" if resource is not None else ""
    member = plan.bulk.key.at if kind == "duplicateKey" and plan.bulk.key.at else own
    detail = f"'{key}' occurs more than once in the list."
    violation = Violation(
        side="call",
        where="body",
        pointer=f"{_place(turn, plan) or ''}/{index}{member}",
        rule="uniqueItems",
        expected="each key once",
        got=key,
        detail=detail,
    )
    return _refusal(plan.bulk, kind, detail, violation)


def _valid(turn: Turn, plan: BulkPlan, items: Sequence[Item]) -> frozenset[str]:
    """Return the resources whose payloads all fit their schema: those need no second look."""
    names = {item.resource.name for item in items}
    if not plan.bulk.effect.payload and "malformedItem" in plan.bulk.guard.refuse:
        return frozenset(names)
    keepers, changes = served(turn.api).keepers, turn.api.hooks.changes
    fit = set()
    for name in names:
        payloads = [changes(item) for item in items if item.resource.name == name and item.action != "delete"]
        if keepers[name].payloads.all_valid(payloads):
            fit.add(name)
    return frozenset(fit)

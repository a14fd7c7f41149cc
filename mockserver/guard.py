"""What refuses a bulk call before any item is looked at: the `guard` of its declaration."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.validation import Violation, check_items

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from mockserver.domain.places import choose, locate, wished
from mockserver.domain.values import Item
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The items of a call that was let through, with the unit and the order that the caller chose."""

    plan: BulkPlan
    items: Sequence[Item]
    unit: str
    grouped: bool
    valid: frozenset[str]


def counted(turn: Turn, plan: BulkPlan) -> Refusal | None:
    """Refuse a list that is empty or too long."""
    items, size = plan.bulk.items, len(plan.dismantler.collection(turn))
    if _place(turn, plan) is None:
        return None
    allowed = turn.api.hooks.max_items(turn)
    most = items.max if allowed is None else allowed if items.max is None else min(allowed, items.max)
    if size < items.min:
        return _sized(turn, plan, "empty" if size == 0 else "tooFew", "minItems", items.min, size)
    if most is not None and size > most:
        return _sized(turn, plan, "tooMany", "maxItems", most, size)
    return None


def admitted(turn: Turn, plan: BulkPlan) -> Batch | Refusal:
    """Return the items of a call whose body fits the contract, or why it is refused."""
    unit = choose(plan.bulk.unit.of, _choice(turn, plan.bulk))
    if unit is None:
        return _bad_mode(turn, plan.bulk)
    items = plan.dismantler.items(turn)
    refusal = _malformed(turn, plan, items) or _repeated(turn, plan, items)
    if refusal is not None:
        return refusal
    grouped = plan.bulk.order.run == "grouped" and _in_order(turn, plan.bulk)
    return Batch(plan=plan, items=items, unit=unit, grouped=grouped, valid=_valid(turn, plan, items))


def reopened(turn: Turn, plan: BulkPlan, unit: str) -> Batch:
    """Return the items of a call that was admitted before and has become a job."""
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
    where, _, name = source.rpartition(":")
    violation = Violation(
        where=source if where else "body",
        pointer="" if where else source,
        rule="enum",
        expected=known,
        got=str(given)[:80],
        detail=f"{name} must be {known}.",
    )
    return _refusal(bulk, "badMode", f"{name} must be {known}; got '{str(given)[:80]}'.", violation)


def _place(turn: Turn, plan: BulkPlan) -> str | None:
    places = (plan.bulk.items.at, *plan.bulk.items.also_at)
    wanted = dict if plan.bulk.items.shape == "map" else list
    return next((place for place in places if isinstance(locate(turn, place), wanted)), None)


def _sized(turn: Turn, plan: BulkPlan, kind: str, rule: str, limit: int, size: int) -> Refusal:
    word = "at least" if rule == "minItems" else "at most"
    detail = f"The list must have {word} {limit} items; it has {size}."
    violation = Violation(
        pointer=_place(turn, plan) or "",
        rule=rule,
        expected=f"{word} {limit} items",
        got=f"{size} items",
        detail=detail,
    )
    return _refusal(plan.bulk, kind, detail, violation)


def _malformed(turn: Turn, plan: BulkPlan, items: Sequence[Item]) -> Refusal | None:
    """Refuse items that are no records, where an item is the record itself and the declaration refuses malformed ones."""
    if plan.bulk.effect.payload or "malformedItem" not in plan.bulk.guard.refuse or not items:
        return None
    schema = served(turn.api).keepers[items[0].resource.name].payloads.schema
    if schema is None:
        return None
    report = check_items(schema, [item.raw for item in items], _place(turn, plan) or "")
    if not report.total:
        return None
    status = plan.bulk.guard.refuse["malformedItem"]
    return Refusal(
        status=status if isinstance(status, int) else 400,
        kind="malformedItem",
        detail=f"{report.items} of {len(items)} items cannot be interpreted.",
        violations=report.violations,
        total=report.total,
    )


def _repeated(turn: Turn, plan: BulkPlan, items: Sequence[Item]) -> Refusal | None:
    """Refuse a list that names one key twice, where the declaration says so."""
    refuse = plan.bulk.guard.refuse
    if "duplicateKey" in refuse:
        keys: list[object] = [item.key for item in items]
        if len(set(keys)) < len(keys):
            return _twice(turn, plan, items, keys, "duplicateKey")
    if "duplicateTarget" in refuse:
        targets: list[object] = [item.target for item in items]
        if len(set(map(_hashable, targets))) < len(targets):
            return _twice(turn, plan, items, targets, "duplicateTarget")
    return None


def _hashable(value: object) -> object:
    return value if isinstance(value, str | int) else repr(value)


def _twice(turn: Turn, plan: BulkPlan, items: Sequence[Item], keys: Sequence[object], kind: str) -> Refusal | None:
    seen: set[object] = set()
    for item, key in zip(items, map(_hashable, keys), strict=True):
        if key in seen and key is not None and key is not ABSENT:
            at = plan.bulk.key.at if kind == "duplicateKey" else None
            member = at or f"/{item.resource.key}"
            pointer = f"{_place(turn, plan) or ''}/{item.index}{member}"
            detail = f"'{str(key)[:80]}' occurs more than once in the list."
            got = str(key)[:80]
            return _refusal(
                plan.bulk,
                kind,
                detail,
                Violation(pointer=pointer, rule="uniqueItems", expected="each key once", got=got, detail=detail),
            )
        seen.add(key)
    return None


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

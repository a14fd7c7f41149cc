"""Running items in their units and their order: what falls together, what is tried, what is undone."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from contracts.bulk import Bulk
from mockserver.domain.acting import acting
from mockserver.domain.places import reader
from mockserver.domain.records import Clerk, Keeper
from mockserver.domain.values import Fault, Item, Outcome
from mockserver.stores.memory import MemoryStore, Overlay
from mockserver.turn import Run

Apply: TypeAlias = Callable[[Item], Outcome]
Store: TypeAlias = MemoryStore | Overlay


def run_items(
    run: Run, bulk: Bulk, items: Sequence[Item], store: Store, keepers: Mapping[str, Keeper], *, grouped: bool
) -> list[Outcome]:
    """Apply every item to the store and return the outcomes in the order of the request."""
    ordered = in_groups(items) if grouped else items
    outcomes: list[Outcome] = []
    for unit in units(run.unit, ordered):
        outcomes += _run_unit(run, bulk, unit, store, keepers)
    return sorted(outcomes, key=place_of) if ordered is not items or run.unit == "group" else outcomes


def in_groups(items: Sequence[Item]) -> Sequence[Item]:
    """Return the items, smaller groups first, compared as numbers when all are, else as text; those of none last."""
    names = {str(item.group) for item in items if item.group is not None}
    numbers = {name: number for name in names if (number := _number(name)) is not None}

    def rank(item: Item) -> tuple[bool, Decimal | str]:
        name = str(item.group)
        if item.group is None:
            return True, Decimal(0) if len(numbers) == len(names) else ""
        return False, numbers[name] if len(numbers) == len(names) else name

    return sorted(items, key=rank)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def units(unit: str, items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """Cut the items into the stretches that are one transaction; single items stay together for speed."""
    if unit != "group":
        return (items,)
    groups: dict[object, list[Item]] = {}
    for item in items:
        groups.setdefault(("own", item.index) if item.group is None else ("of", str(item.group)), []).append(item)
    return groups.values()


def _run_unit(
    run: Run, bulk: Bulk, items: Sequence[Item], store: Store, keepers: Mapping[str, Keeper]
) -> list[Outcome]:
    if run.unit == "item":
        return _run_each(run, bulk, items, store, keepers)
    overlay = Overlay(store)
    outcomes = _run_each(run, bulk, items, overlay, keepers)
    if any(outcome.result != "done" for outcome in outcomes):
        return [
            outcome._replace(result="not-run", record=None) if outcome.result == "done" else outcome
            for outcome in outcomes
        ]
    overlay.commit()
    return outcomes


def _run_each(
    run: Run, bulk: Bulk, items: Sequence[Item], store: Store, keepers: Mapping[str, Keeper]
) -> list[Outcome]:
    clerks: dict[str, Clerk] = {name: keepers[name].bind(run, store) for name in {item.resource.name for item in items}}
    if len(clerks) == 1 and not bulk.unit.stop_after and bulk.order.depends_on is None and run.acts is None:
        return next(iter(clerks.values())).apply_all(items)

    def apply_one(item: Item) -> Outcome:
        return clerks[item.resource.name].apply(item)

    def try_one(item: Item) -> Outcome:
        return keepers[item.resource.name].bind(run, Overlay(store)).apply(item)

    acts = run.acts
    return _run_with_care(run, bulk, items, apply_one if acts is None else acting(acts, apply_one, try_one))


def _run_with_care(run: Run, bulk: Bulk, items: Sequence[Item], apply: Apply) -> list[Outcome]:
    """Apply items one after the other, but none that waits for one not done, or comes after too many failures."""
    depends = None if bulk.order.depends_on is None else reader(bulk.order.depends_on)
    limit = bulk.unit.stop_after if isinstance(bulk.unit.stop_after, int) else 0
    broken: set[object] = set(run.broken)
    ahead: Counter[object] = Counter(item.key for item in items) if depends is not None else Counter()
    outcomes: list[Outcome] = []
    for item in items:
        wants = () if depends is None else _listed(depends(item.raw))
        waits = [key for key in wants if key in broken or ahead[key]]
        ahead[item.key] -= 1
        if waits or (limit and len(broken) >= limit):
            outcome = Outcome(item, "not-run", item.action, (Fault("broken", (), waits),))
        else:
            outcome = apply(item)
        if outcome.result != "done":
            broken.add(item.key)
        outcomes.append(outcome)
    return outcomes


def _listed(value: object) -> Sequence[object]:
    named = value if isinstance(value, list) else (value,)
    return [one for one in named if isinstance(one, str | int)]


def place_of(outcome: Outcome) -> int:
    """Return the place of an outcome's item in the request."""
    return outcome.item.index

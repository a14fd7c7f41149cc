"""The law that a stale version fails its item and only that: stale-version."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from contracts.messages import ABSENT
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.intents import Intent, actions_of
from generators.checks.looking import before, stored
from generators.checks.pictures import Picture
from generators.checks.requests import units_of
from generators.checks.staging import repertoire, staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError


def stale_version(spot: Spot) -> Iterator[Finding]:
    """Change records once each; then send live versions around a stale one, for each action that has one."""
    right, wrong = repertoire(spot)
    live = [one for one in right if one.existing and one.action not in {"delete", "create"}]
    actions = [one for one in actions_of(spot.bulk) if Intent(action=one, defect="stale", existing=True) in wrong]
    for intent in live:
        yield from _moves(spot, intent)
    if not actions:
        raise ImpossibleError("no item could be made that names a stale version")
    for action in actions:
        yield from _around(spot, action)
    yield from _twice(spot, actions[0])


def _moves(spot: Spot, intent: Intent) -> Iterator[Finding]:
    """Change one record: its version moves by one."""
    stage = staged(spot, [intent])
    was = before(stage)
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0]))
    if done.result(0) == "done":
        yield from _live(done, {0: was[0]}, stored(done), intent.action)


def _around(spot: Spot, action: str) -> Iterator[Finding]:
    unit = units_of(spot.bulk)[0]
    live = Intent(action=action, existing=True)
    stage = staged(spot, [live, replace(live, defect="stale"), live])
    was = before(stage)
    done = perform(stage, Ask(unit=unit))
    after = stored(done)
    if done.result(1) == "done":
        yield finding("stale-version", f"stale {action} is done", f"a stale version is accepted ({action})", done)
    if after[1].present is not None and was[1].like(stage.names) != after[1].like(stage.names):
        says = f"an item with a stale version changed its record ({action})"
        yield finding("stale-version", f"stale {action} changes its record", says, done, was[1], after[1])
    if unit == "item":
        yield from _live(done, was, after, action)


def _live(done: Ran, was: Mapping[int, Picture], after: Mapping[int, Picture], action: str) -> Iterator[Finding]:
    """Yield what became of the items around the stale one."""
    for slot in (slot for slot in (0, 2) if slot in was):
        if done.result(slot) == "failed":
            says = f"an item with the live version failed beside one with a stale version ({action})"
            yield finding("stale-version", f"live {action} fails", says, done, was[slot])
        elif action != "delete" and _moves_wrongly(was[slot].version, after[slot].version):
            first, now = short(was[slot].version), short(after[slot].version)
            says = f"one change moved a version from {first} to {now}"
            yield finding("stale-version", "version moves wrongly", says, done, was[slot], after[slot])


def _moves_wrongly(before: object, after: object) -> bool:
    if before is ABSENT or after is ABSENT:
        return False
    if isinstance(before, int) and isinstance(after, int):
        return after != before + 1
    return before == after


def _twice(spot: Spot, action: str) -> Iterator[Finding]:
    """Name one record twice with one version, in a list that runs in order: the second is stale by then."""
    bulk = spot.bulk
    if bulk.order.run != "listed" or "duplicateTarget" in bulk.guard.refuse or units_of(bulk)[0] != "item":
        return
    live = Intent(action=action, existing=True)
    stage = staged(spot, [live, replace(live, twin=0)])
    was = before(stage)[0]
    done = perform(stage, Ask(unit="item"))
    after = stored(done, slots=[0])[0]
    if done.refused or was.version is ABSENT:
        return
    if len(done.slots("done")) > 1 or (action != "delete" and _moves_wrongly(was.version, after.version)):
        says = f"one version served for two items of one request ({action})"
        yield finding("stale-version", f"one version serves two {action}s", says, done, was, after)

"""Laws on which item runs before which: grouped and broken-reference."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contracts.texts import short
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.intents import Intent, actions_of
from generators.checks.locations import put
from generators.checks.looking import before, stored
from generators.checks.mixing import bads, goods
from generators.checks.requests import units_of
from generators.checks.staging import Stage, staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot

PAIRS = ((1, 2), (9, 10))  # groups that compare the same as numbers, and not as texts


def grouped(spot: Spot) -> Sequence[Finding]:
    """Let a larger group change what a smaller one changed, listed before it: the larger one's change must stay."""
    return [one for pair in PAIRS for one in _last_one_stays(spot, *pair)]


def _last_one_stays(spot: Spot, small: int, large: int) -> Iterator[Finding]:
    action = next((one for one in ("update", "upsert") if one in actions_of(spot.bulk)), None)
    if action is None:
        yield from _first_one_wins(spot, small, large)
        return
    stage = _pair(spot, Intent(action=action, existing=True), small, large)
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0], grouped=True, order=[1, 0]))
    if done.slots("done") != [0, 1]:
        raise ImpossibleError("two changes of one record in two groups were not both carried out")
    after = stored(done, slots=[0])[0]
    wanted = stage.pieces[1].content.members
    own = {name: value for name, value in wanted.items() if name != spot.resource.key}
    wrong = [name for name, value in own.items() if (after.members or {}).get(name) != value]
    if after.present and wrong:
        got = short((after.members or {}).get(wrong[0]))
        says = f"group {large} is listed before group {small} and ran before it: '{wrong[0]}' is {got}"
        yield finding("grouped", f"groups {small} and {large} in the wrong order", says, done, after)


def _pair(spot: Spot, intent: Intent, small: int, large: int) -> Stage:
    first, second = replace(intent, group=small), replace(intent, group=large, twin=0)
    return _in_turn(staged(spot, [first, second]))


def _in_turn(stage: Stage) -> Stage:
    """Return a stage whose second item names the version that its record has after the first one."""
    version = stage.spot.bulk.effect.version
    given = stage.pieces[1].content.version
    if version is not None and isinstance(given, int) and isinstance(stage.pieces[1].raw, dict):
        stage.pieces[1] = replace(stage.pieces[1], raw=put(stage.pieces[1].raw, version, given + 1))
    return stage


def _first_one_wins(spot: Spot, small: int, large: int) -> Iterator[Finding]:
    """Let two groups create what can exist once, the larger group listed first: the smaller group's must be made."""
    stage = _pair(spot, Intent(action="create"), small, large)
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0], grouped=True, order=[1, 0]))
    if sorted(one.result for one in done.outcomes.values()) != ["done", "failed"]:
        raise ImpossibleError("of two items that create the same, not just one was carried out")
    if done.slots("done") == [1]:
        says = f"group {large} is listed before group {small} and ran before it"
        yield finding("grouped", f"groups {small} and {large} in the wrong order", says, done)


def broken_reference(spot: Spot) -> Sequence[Finding]:
    """Let an item wait for one that fails, and another for one that does not."""
    wrong, right = bads(spot)[0], goods(spot, 1)[0]
    intents = [wrong, replace(right, awaits=(0,)), right, replace(right, awaits=(2,))]
    stage = staged(spot, intents)
    was = before(stage)[1]
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0]))
    if 0 not in done.slots("failed"):
        raise ImpossibleError("the item that another one waits for did not fail")
    after = stored(done, slots=[1])[1]
    found = list(_said(done))
    if after.present is not None and was.like(stage.names) != after.like(stage.names):
        says = "an item was carried out although the one that it waits for had failed"
        found.append(finding("broken-reference", "run all the same", says, done, after))
    return found


def _said(done: Ran) -> Iterator[Finding]:
    declared, one = done.stage.spot.bulk.order.on_broken, done.outcomes[1]
    if one.result == "done":
        says = "an item is done although the one that it waits for failed"
        yield finding("broken-reference", "told as done", says, done)
    elif declared is not None and one.result == "failed":
        says = f"an item whose reference failed says {short(one.error)}, not {short(declared)} as declared"
        yield finding("broken-reference", "not told as declared", says, done)
    if done.result(3) not in {"done", "untold"}:
        says = "an item is not carried out although the one that it waits for is done"
        yield finding("broken-reference", "not run although it could", says, done)

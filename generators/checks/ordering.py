"""Laws on which item runs before which: grouped and broken-reference."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

from contracts.messages import ABSENT
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.intents import Intent, actions_of
from generators.checks.looking import before, stored
from generators.checks.mixing import bads, goods
from generators.checks.requests import units_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot
from generators.checks.wrapping import wrapper_of
from generators.impossible import ImpossibleError
from generators.locations import put

PAIRS = ((1, 2), (9, 10))  # groups that compare the same as numbers, and not as texts


def grouped(spot: Spot) -> Iterator[Finding]:
    """List a larger group before a smaller one: what the smaller one did must be there for the larger one."""
    ways = [way for way in (_changes_meet, _creations_meet) if _can(spot, way)]
    if not ways:
        raise ImpossibleError("its actions leave no room for two items that meet the same record")
    for way, pair in product(ways, PAIRS):
        yield from way(spot, *pair)


def _can(spot: Spot, way: Callable[[Spot, int, int], Iterator[Finding]]) -> bool:
    actions = actions_of(spot.bulk)
    if way is _changes_meet:
        return bool({"update", "upsert"} & set(actions))
    return "create" in actions and bool(spot.resource.unique or not spot.resource.assigned)


def _changes_meet(spot: Spot, small: int, large: int) -> Iterator[Finding]:
    """Let both groups change one member, and the smaller one a second member too: the larger one's change must stay."""
    action = next(one for one in ("update", "upsert") if one in actions_of(spot.bulk))
    first = Intent(action=action, existing=True, group=small, flavour="wide")
    stage = _in_turn(staged(spot, [first, Intent(action=action, existing=True, group=large, twin=0)]))
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0], grouped=True, order=[1, 0]))
    if done.slots("done") == [0] and stage.pieces[1].content.version is not ABSENT:
        says = f"group {large} is listed before group {small}, and does not see the version that {small} made"
        yield finding("grouped", f"groups {small} and {large} in the wrong order", says, done)
        return
    if done.slots("done") != [0, 1]:
        raise ImpossibleError("two changes of one record in two groups were not both carried out")
    after = stored(done, slots=[0])[0]
    early, late = stage.pieces[0].content.members, stage.pieces[1].content.members
    for name, value in {**early, **late}.items():
        if after.present and name != spot.resource.key and (after.members or {}).get(name) != value:
            got = short((after.members or {}).get(name))
            says = f"group {large} is listed before group {small}, and after both '{name}' is {got}, not {short(value)}"
            yield finding("grouped", f"groups {small} and {large} in the wrong order", says, done, after)
            return


def _in_turn(stage: Stage) -> Stage:
    """Return a stage without versions; where items must name one, the second names what the first one makes of it."""
    version, schema = stage.spot.bulk.effect.version, wrapper_of(stage.spot).element
    for n, piece in enumerate(stage.pieces):
        given = piece.content.version
        if version is None or given is ABSENT:
            continue
        timeless = {name: value for name, value in piece.raw.items() if f"/{name}" != version}
        if schema is None or schema.is_valid(timeless):
            stage.pieces[n] = replace(piece, raw=timeless, content=replace(piece.content, version=ABSENT))
        elif isinstance(given, int):
            stage.pieces[n] = replace(piece, raw=put(piece.raw, version, given + n))
    return stage


def _creations_meet(spot: Spot, small: int, large: int) -> Iterator[Finding]:
    """Let two groups create what can exist once: the smaller group's is made, and the larger one's fails."""
    unit = units_of(spot.bulk)[0]
    if unit != "item" or not _exists_once(spot):
        return
    stage = _pair(spot, small, large)
    done = perform(stage, Ask(unit=unit, grouped=True, order=[1, 0]))
    if done.slots("done") == [1]:
        says = f"group {large} is listed before group {small} and ran before it"
        yield finding("grouped", f"groups {small} and {large} in the wrong order", says, done)
    elif done.slots("done") == [0, 1]:
        says = f"group {large} does not see what group {small} created: both create what can exist once"
        yield finding("grouped", "a larger group does not see a smaller one", says, done)


def _pair(spot: Spot, small: int, large: int) -> Stage:
    first = Intent(action="create", group=small)
    return staged(spot, [first, replace(first, group=large, twin=0)])


def _exists_once(spot: Spot) -> bool:
    """Say whether the second of two equal creations fails when they come in two requests."""
    stage, unit = _pair(spot, *PAIRS[0]), units_of(spot.bulk)[0]
    halves = [perform(stage, Ask(unit=unit, order=[slot])) for slot in (0, 1)]
    return halves[0].result(0) == "done" and halves[1].result(1) == "failed"


def broken_reference(spot: Spot) -> Iterator[Finding]:
    """Let an item wait for one that fails, and another for one that does not."""
    wrong, right = bads(spot)[0], goods(spot, 1)[0]
    intents = [right, replace(right, awaits=(0,)), wrong, replace(right, awaits=(2,))]
    stage = staged(spot, intents)
    was = before(stage)[3]
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0]))
    if 2 not in done.slots("failed"):  # noqa: PLR2004 - the place of the one that is wrong
        raise ImpossibleError("the item that another one waits for did not fail")
    after = stored(done, slots=[3])[3]
    yield from _said(done)
    if after.present is not None and was.like(stage.names) != after.like(stage.names):
        says = "an item was applied although the item that it depends on had failed"
        yield finding("broken-reference", "run all the same", says, done, after)


def _said(done: Ran) -> Iterator[Finding]:
    declared, one = done.stage.spot.bulk.order.on_broken, done.outcomes[3]
    if one.result == "done":
        says = "an item is done although the item that it depends on failed"
        yield finding("broken-reference", "told as done", says, done)
    elif declared is not None and one.result == "failed":
        says = f"an item whose dependency failed reports {short(one.error)}, but {short(declared)} is declared"
        yield finding("broken-reference", "not told as declared", says, done)
    if done.result(1) not in {"done", "untold"}:
        says = "an item is not applied although the item that it depends on is done"
        yield finding("broken-reference", "not run although it could", says, done)

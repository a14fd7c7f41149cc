"""The law on requests for several targets: fan-out; and which targets there are to try."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from generators.checks.comparing import compared
from generators.checks.findings import Finding
from generators.checks.following import named_like
from generators.checks.looking import stored
from generators.checks.mixing import mixed
from generators.checks.pictures import Picture
from generators.checks.staging import staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import look, text_of
from generators.requests.calls import examples_of


def fan_out(spot: Spot) -> Iterator[Finding]:
    """Send the same for several targets and for each alone."""
    intents, targets = mixed(spot), known_targets(spot)
    together = perform(staged(spot, intents), Ask(unit="item", targets=targets))
    live = [name for name in targets if name in together.by_target]
    if len(targets) < 2 or not live:  # noqa: PLR2004 - it takes two to be together
        raise ImpossibleError("fewer than two targets are known, or none of them works")
    yield from _untold(together)
    for target in live:
        alone = perform(staged(spot, intents), Ask(unit="item", targets=[target]))
        if target not in alone.by_target:
            says = f"the target {target} is served with others and refused alone"
            yield finding("fan-out", "refused alone", says, together, alone)
            continue
        how = f"with other targets and for {target} alone"
        slots = range(len(intents))
        yield from compared("fan-out", _for(together, target), _for(alone, target), slots, how, target=target)
        yield from _touched(alone, [one for one in live if one != target])


def _untold(together: Ran) -> Iterator[Finding]:
    """Yield where a target is told neither as served nor as one with problems."""
    told = {*together.by_target, *(trace.target for trace in together.view.traces), *(together.view.troubled or ())}
    missing = [name for name in together.view.call.targets or () if name not in told]
    if missing:
        yield finding("fan-out", "target not told", f"no result is reported for the target {missing[0]}", together)


def _for(done: Ran, target: str) -> Ran:
    return replace(done, outcomes=done.by_target[target])


def _touched(alone: Ran, others: Sequence[str]) -> Iterator[Finding]:
    """Yield where another target has a record that was sent for one target alone."""
    fresh = [piece.slot for piece in alone.stage.pieces if not piece.intent.existing and not piece.intent.defect]
    target = alone.ask.targets[0]
    for other in others:
        own, foreign = stored(alone, target=target, slots=fresh), stored(alone, target=other, slots=fresh)
        leaked = [slot for slot in fresh if foreign[slot].present and not _is_same(own[slot], foreign[slot])]
        if leaked:
            says = f"item {leaked[0]}, sent for {target} alone, is stored for {other} too"
            yield finding("fan-out", "stored for another target", says, alone, foreign[leaked[0]])


def _is_same(one: Picture, other: Picture) -> bool:
    """Say whether both were read by the same call, so that nothing tells the targets apart."""
    return one.exchange is not None and other.exchange is not None and one.exchange.call == other.exchange.call


def known_targets(spot: Spot) -> list[str]:
    """Return the targets of a fan-out that the user named, else those of the contract's examples; none without one."""
    declared, given = spot.bulk.items.fan_out, spot.bench.given
    if declared is None:
        return []
    name = declared.over.rpartition("/")[2]
    if name in given:
        return given[name].split(",")
    listed = (look(example, declared.over) for example in examples_of(spot.operation))
    named = [str(one) for some in listed if isinstance(some, list) for one in some]
    return list(dict.fromkeys((*named, *_of_parameters(spot, declared.over))))


def _of_parameters(spot: Spot, over: str) -> Iterator[str]:
    """Yield the examples of parameters of other calls that are named like the list of targets."""
    for operation in spot.bench.contract.operations:
        names: Mapping[str, str] = named_like(operation, over, "")
        for parameter in operation.parameters:
            if parameter.name in names:
                yield from map(text_of, parameter.examples.values())

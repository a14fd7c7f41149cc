"""The law on the targets of a request: `fan-out`. Begin with `fan_out`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import orjson

from contracts.syntax.text import as_list, short
from generators.check.laws.metamorphic import compare_trials, known_targets, mixed_cases
from generators.check.records import Snapshot
from generators.check.trial_setup import prepare_trial
from generators.check.trials import TrialResult, perform, stored_records, trial_finding, trial_request
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import body_schema
from generators.requests.envelope import SendOptions


def fan_out(context: SiteContext) -> Iterator[Finding]:
    """Send the same list for several targets and for each alone."""
    cases, targets = mixed_cases(context), known_targets(context)
    together = perform(prepare_trial(context, cases), SendOptions(unit="item", targets=targets))
    live = [name for name in targets if name in together.by_target]
    if len(targets) < 2 or not live:  # noqa: PLR2004 - it takes two to be together
        raise NotApplicableError("fewer than two targets are known, or none of them works")
    yield from _unreported_targets(together)
    for target in live:
        alone = perform(prepare_trial(context, cases), SendOptions(unit="item", targets=[target]))
        if target not in alone.by_target:
            says = f"the target {target} is served with others and refused alone"
            yield trial_finding("fan-out", "refused alone", says, together, alone)
            continue
        how = f"with other targets and for {target} alone"
        slots = range(len(cases))
        yield from compare_trials(
            "fan-out", _for_target(together, target), _for_target(alone, target), slots, how, target=target
        )
        yield from _other_targets_changed(alone, [one for one in live if one != target])
    yield from _named_twice(together)
    yield from _nearly_named(together)


def _nearly_named(once: TrialResult) -> Iterator[Finding]:
    """Name beside a target what is nearly its name, and nothing: these are told as targets that nobody knows."""
    context, target = once.trial.context, str(once.options.targets[0])
    near = [name for name in ("", f" {target}", f"{target} ", target.swapcase()) if name not in once.options.targets]
    trial, options = prepare_trial(context, [once.trial.items[0].case]), replace(once.options, targets=[target, *near])
    schema = body_schema(context.operation)
    if schema is not None and not schema.is_valid(orjson.loads(trial_request(trial, options).body)):
        return
    done = perform(trial, options)
    if done.refused and not once.refused:
        says = f"names of no targets, {short(near)}, have the whole request refused ({done.status})"
        yield trial_finding("fan-out", "names of no targets are refused", says, once, done)


def _named_twice(once: TrialResult) -> Iterator[Finding]:
    """Name each target twice, and compare what is told of them."""
    again = prepare_trial(once.trial.context, [one.case for one in once.trial.items])
    twice = perform(again, replace(once.options, targets=[*once.options.targets] * 2))
    told = [one.view.failed_targets or {} for one in (once, twice)]
    counts = [{name: len(as_list(says)) for name, says in one.items()} for one in told]
    if not twice.refused and (once.status != twice.status or counts[0] != counts[1]):
        says = f"each target named twice changes what is told of them: {short(told[0])} becomes {short(told[1])}"
        yield trial_finding("fan-out", "target named twice counts twice", says, once, twice)


def _unreported_targets(together: TrialResult) -> Iterator[Finding]:
    """Yield a target that is neither served nor reported as failed."""
    told = {
        *together.by_target,
        *(trace.target for trace in together.view.traces),
        *(together.view.failed_targets or ()),
    }
    missing = [name for name in together.view.request.targets or () if name not in told]
    if missing:
        yield trial_finding(
            "fan-out", "target not told", f"no result is reported for the target {missing[0]}", together
        )


def _for_target(done: TrialResult, target: str) -> TrialResult:
    return replace(done, outcomes=done.by_target[target])


def _other_targets_changed(alone: TrialResult, others: Sequence[str]) -> Iterator[Finding]:
    """Yield another target that stores a record sent for one target alone."""
    fresh = [
        trial_item.slot
        for trial_item in alone.trial.items
        if not trial_item.case.existing and not trial_item.case.defect
    ]
    target = alone.options.targets[0]
    for other in others:
        own = stored_records(alone, target=target, slots=fresh)
        foreign = stored_records(alone, target=other, slots=fresh)
        leaked = [slot for slot in fresh if foreign[slot].present and not _is_same(own[slot], foreign[slot])]
        if leaked:
            says = f"item {leaked[0]}, sent for {target} alone, is stored for {other} too"
            yield trial_finding("fan-out", "stored for another target", says, alone, foreign[leaked[0]])


def _is_same(one: Snapshot, other: Snapshot) -> bool:
    """Return whether both were read by the same request, so that nothing distinguishes the targets."""
    return one.exchange is not None and other.exchange is not None and one.exchange.request == other.exchange.request

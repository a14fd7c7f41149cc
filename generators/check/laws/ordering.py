"""Laws on the order of items: grouped, and lookups of what an item before does.

Begin with `grouped` and `looked_up_in_turn`.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, product
from typing import Final

from contracts.bulk.lists import placeholders_of
from contracts.bulk.model import Resource
from contracts.exchange.bulk_request import chooses_inside
from contracts.exchange.locations import put
from contracts.schemas.equality import equivalent
from contracts.syntax.text import as_list, short
from generators.check.records import Snapshot
from generators.check.trial_setup import ItemCase, Trial, available_cases, prepare_trial
from generators.check.trials import perform, reported_keys, stored_records, trial_finding
from generators.client.sites import SiteContext, experiment_site
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.calls import fill_lookup
from generators.requests.envelope import SendOptions
from generators.requests.options import actions_of, job_setting_of, stops_at_failure, units_of

GROUP_PAIRS: Final = ((1, 2), (9, 10), (1.25, 1.5), (3, None), (0, 1), (-2, -1))
"""The second pair sorts differently as numbers and as texts, the third as whole numbers; None is no group."""

TEXT_GROUPS: Final = (10, 9, "a")  # the first is the smaller one beside a group that is no number
EQUAL_GROUPS: Final = ((1.0, 1), (1, 1.0))  # written as "1.0" and "1" where they are texts
MANY_GROUPS: Final = (1, 2, 9, 10, 30)
GROUP_SIZE: Final = 10  # items of each of many groups


def grouped(context: SiteContext) -> Iterator[Finding]:
    """List larger groups before smaller ones: the larger ones must see the smaller ones' changes."""
    experiments = [
        experiment for experiment in (_same_record_changed, _same_record_created) if _is_possible(context, experiment)
    ]
    if not experiments:
        raise NotApplicableError("its actions leave no room for two items that meet the same record")
    reasons: list[NotApplicableError] = []
    for experiment, pair in product(experiments, GROUP_PAIRS):
        try:
            yield from experiment(context, *pair)
        except NotApplicableError as error:  # not every group can be sent everywhere
            reasons.append(error)
    if len(reasons) == len(experiments) * len(GROUP_PAIRS):
        raise reasons[0]
    wish = job_setting_of(context.bulk)
    if wish is not None and _same_record_changed in experiments:
        with suppress(NotApplicableError):
            yield from _same_record_changed(context, *GROUP_PAIRS[0], wish)
    if _same_record_changed in experiments:
        with suppress(NotApplicableError):
            yield from _many_groups(context)
        with suppress(NotApplicableError):
            yield from _same_record_changed(context, *TEXT_GROUPS[:2], beside=TEXT_GROUPS[2])
        if context.bulk.items.ignore_case:
            with suppress(NotApplicableError):
                yield from _same_record_changed(context, *GROUP_PAIRS[0], swaps=True)
        for pair in EQUAL_GROUPS:
            with suppress(NotApplicableError):
                yield from _equal_groups(context, *pair)
        with suppress(NotApplicableError):
            yield from _not_asked(context)


def _is_other(trial: Trial, after: Snapshot, name: str, value: object) -> bool:
    """Return whether a record shows another value than the last one that a member was given, however it is written."""
    shown = (after.members or {}).get(name)
    is_kept = equivalent(trial.maker.members.get(name), shown, value)
    return after.present is True and name != trial.context.resource.key and not is_kept


def _equal_groups(context: SiteContext, one: float, other: float) -> Iterator[Finding]:
    """Change a record in two groups whose numbers are equal and written otherwise: the second item is the later one."""
    what = f"groups {one} and {other} are run one after the other"
    yield from _judge_as_listed(context, one, other, what, SendOptions(unit=context.unit, grouped=True))


def _not_asked(context: SiteContext) -> Iterator[Finding]:
    """Change a record in a larger and in a smaller group, where no groups are asked for: items run as listed."""
    at = context.bulk.order.when or ""
    named = (one for one in context.operation.parameters if f"{one.where}:{one.name}" == at)
    words = [word for one in named if one.schema is not None for word in as_list(one.schema.raw.get("enum"))]
    for more in ({}, *({at: word} for word in words if word not in {"true", True})) if at else ():
        what = f"groups run in order without being asked to ({more.get(at, 'nothing')})"
        yield from _judge_as_listed(context, 2, 1, what, SendOptions(unit=context.unit, more=more))


def _judge_as_listed(
    context: SiteContext, one: float, other: float, what: str, options: SendOptions
) -> Iterator[Finding]:
    """Change a record in two groups: the second item is the later one."""
    action = next(one for one in ("update", "upsert") if one in actions_of(context.bulk))
    first = ItemCase(action=action, existing=True, group=one, variant="wide")
    trial = with_successive_versions(
        prepare_trial(context, [first, ItemCase(action=action, existing=True, group=other, twin=0)])
    )
    done, late = perform(trial, options), trial.items[1].content.values
    if done.slots("done") == [1] and trial.items[1].content.version is not None:
        yield trial_finding("grouped", what, f"{what}: group {other} does not see what {one} did", done)
    if done.slots("done") != [0, 1]:
        raise NotApplicableError("two changes of one record in two groups were not both carried out")
    after = stored_records(done, slots=[0])[0]
    name = next((name for name, value in late.items() if _is_other(trial, after, name, value)), None)
    if name is not None:
        says = f"{what}: group {one} is listed before group {other}, and its '{name}' remains"
        yield trial_finding("grouped", what, says, done, after)


def _group(group: float | None) -> str:
    return "an item without a group" if group is None else f"group {group}"


def _wrong_order(small: float, large: float | None) -> str:
    return f"groups {small} and {'none' if large is None else large} in the wrong order"


def _is_possible(
    context: SiteContext, experiment: Callable[[SiteContext, float, float | None], Iterator[Finding]]
) -> bool:
    actions = actions_of(context.bulk)
    if experiment is _same_record_changed:
        return bool({"update", "upsert"} & set(actions))
    return "create" in actions and bool(context.resource.unique or not context.resource.assigned)


def _same_record_changed(
    context: SiteContext,
    small: float,
    large: float | None,
    as_job: str | None = None,
    *,
    beside: str | None = None,
    swaps: bool = False,
) -> Iterator[Finding]:
    """Change one member in both groups and a second one in the smaller: the larger group's change must remain.

    `beside` is the group of another item, if any. With `swaps` the names of the items' own members are in another case.
    """
    action = next(one for one in ("update", "upsert") if one in actions_of(context.bulk))
    first = ItemCase(action=action, existing=True, group=small, variant="wide")
    cases = [first, ItemCase(action=action, existing=True, group=large, twin=0)]
    more = [] if beside is None else [ItemCase(action=action, existing=True, group=beside)]
    trial = with_successive_versions(prepare_trial(context, [*cases, *more]))
    if swaps:
        named = [{name.swapcase(): value for name, value in one.raw.items()} for one in trial.items]
        trial.items[:] = [replace(one, raw=raw) for one, raw in zip(trial.items, named, strict=True)]
    done = perform(
        trial, SendOptions(unit=context.unit, grouped=True, order=[1, 0, 2][: len(trial.items)], as_job=as_job)
    )
    if done.slots("done")[:2] in ([0], [0, 2]) and trial.items[1].content.version is not None:
        says = f"{_group(large)} is listed before {_group(small)}, and does not see the version that it made"
        yield trial_finding("grouped", _wrong_order(small, large), says, done)
        return
    if done.slots("done")[:2] != [0, 1]:
        raise NotApplicableError("two changes of one record in two groups were not both carried out")
    after = stored_records(done, slots=[0])[0]
    early, late = (trial_item.content.values for trial_item in trial.items[:2])
    for name, value in {**early, **late}.items():
        if _is_other(trial, after, name, value):
            got = short((after.members or {}).get(name))
            says = f"{_group(large)} is listed before {_group(small)}, and then '{name}' is {got}, not {short(value)}"
            yield trial_finding("grouped", _wrong_order(small, large), says, done, after)
            return


def _many_groups(context: SiteContext) -> Iterator[Finding]:
    """Change many records once in each of several groups, the largest listed first: its changes must remain."""
    action = next(one for one in ("update", "upsert") if one in actions_of(context.bulk))
    count, unit = GROUP_SIZE * len(MANY_GROUPS), context.unit
    if (context.bulk.items.max or count) < count or "duplicateTarget" in context.bulk.guard.refuse:
        raise NotApplicableError(f"a request cannot have {count} items that change records repeatedly")
    cases = [
        ItemCase(action=action, existing=True, group=group, twin=None if group == MANY_GROUPS[0] else n)
        for group in MANY_GROUPS
        for n in range(GROUP_SIZE)
    ]
    trial = with_successive_versions(prepare_trial(context, cases), by=GROUP_SIZE)
    order = sorted(range(count), key=lambda slot: (slot % GROUP_SIZE, -slot))
    done = perform(trial, SendOptions(unit=unit, grouped=True, order=order))
    if len(done.slots("done")) != count:
        raise NotApplicableError("changes of records in many groups were not all carried out")
    for slot, after in stored_records(done, slots=range(count - GROUP_SIZE, count)).items():
        for name, value in trial.items[slot].content.values.items():
            if _is_other(trial, after, name, value):
                got = short((after.members or {}).get(name))
                says = f"{len(MANY_GROUPS)} groups change a record, and after all '{name}' is {got}, not {short(value)}"
                yield trial_finding("grouped", "many groups in the wrong order", says, done, after)
                return


def with_successive_versions(trial: Trial, *, by: int = 1) -> Trial:
    """Return the trial without versions; where they are required, an item states the result of the one `by` before."""
    version, schema = trial.context.bulk.effect.version, trial.context.spec.encoder.element
    for n, trial_item in enumerate(trial.items):
        given = trial_item.content.version
        if version is None or given is None:
            continue
        timeless = {name: value for name, value in trial_item.raw.items() if f"/{name}" != version}
        if schema is None or schema.is_valid(timeless):
            trial.items[n] = replace(trial_item, raw=timeless, content=replace(trial_item.content, version=None))
        elif isinstance(given, int):
            trial.items[n] = replace(trial_item, raw=put(trial_item.raw, version, given + n // by))
    return trial


def _same_record_created(context: SiteContext, small: float, large: float | None) -> Iterator[Finding]:
    """Create in both groups what can exist once: the smaller group succeeds, the larger one fails."""
    unit = context.unit
    if unit != "item" or not _exists_once(context):
        return
    trial = _pair(context, small, large)
    done = perform(trial, SendOptions(unit=unit, grouped=True, order=[1, 0]))
    if done.slots("done") == [1]:
        says = f"{_group(large)} is listed before {_group(small)} and ran before it"
        yield trial_finding("grouped", _wrong_order(small, large), says, done)
    elif done.slots("done") == [0, 1]:
        says = f"{_group(large)} does not see what {_group(small)} created: both create what can exist once"
        yield trial_finding("grouped", "a larger group does not see a smaller one", says, done)


def _pair(context: SiteContext, small: float, large: float | None) -> Trial:
    first = ItemCase(action="create", group=small)
    return prepare_trial(context, [first, replace(first, group=large, twin=0)])


def _exists_once(context: SiteContext) -> bool:
    """Return whether the second of two equal creations in two requests fails."""
    trial, unit = _pair(context, *GROUP_PAIRS[0]), context.unit
    halves = [perform(trial, SendOptions(unit=unit, order=[slot])) for slot in (0, 1)]
    return halves[0].result(0) == "done" and halves[1].result(1) == "failed"


LOOKUP: Final = "lookup"
CREATING: Final = ("create", "upsert")
CHANGING: Final = ("update", "upsert")


def looked_up_in_turn(context: SiteContext, member: str, named: Resource) -> Iterator[Finding]:
    """Let an item refer by lookup to what an item before it creates, fails to create, or deletes; of law `lookup`."""
    bulk, site = context.bulk, experiment_site(context.session, named.name)
    action = next((one for one in CREATING if one in actions_of(bulk)), None)
    if (
        bulk.order.run == "any"
        or action is None
        or site is None
        or not (chooses_inside(bulk) or named is context.resource)
    ):
        raise NotApplicableError("its items cannot refer to what an item before them creates")
    there, creation = replace(context, site=site), ItemCase(action=action)
    yield from _judge_earlier(_lookup_trial(context, there, creation, creation, member), member)
    deletion = ItemCase(action="delete", existing=True)
    before = {"fails to create": replace(creation, defect="invalid"), "deletes": deletion}
    fitting = {word: one for word, one in before.items() if one in chain(*available_cases(there))}
    for (word, case), unit in product(fitting.items(), units_of(bulk)):
        yield from _judge_gone(_lookup_trial(context, there, case, creation, member), word, unit)
    change = next((one for one in available_cases(there)[0] if one.existing and one.action in CHANGING), None)
    if change is not None:
        yield from _judge_renamed(_lookup_trial(context, there, change, creation, member, asks_before=True))


def _lookup_trial(
    context: SiteContext,
    there: SiteContext,
    case: ItemCase,
    creation: ItemCase,
    member: str,
    *,
    asks_before: bool = False,
) -> Trial:
    """Return a trial of an item on another resource, and of one that creates what refers to its record by lookup.

    If it `asks_before` there is such a one before it, too. A change takes away the value by which it is looked up.
    """
    place, size = int(asks_before), int(asks_before) + 2
    groups = range(1, size + 1) if context.bulk.order.run == "grouped" else [None] * size
    trial = prepare_trial(context, [replace(creation, group=group) for group in groups])
    made = prepare_trial(there, [replace(case, group=groups[place])])
    made.names = trial.names
    item = made.items[0]
    members = item.content.values if item.known is None else item.known.members
    templates = ((one, fill_lookup(one, members)) for one in there.resource.sure_lookups)
    template, value = next((pair for pair in templates if pair[1] is not None), (None, None))
    if value is None:
        raise NotApplicableError(f"a record of {there.resource.name} has no value by which it is looked up")
    if case.action in CHANGING:
        item = made.with_members(item, {name: f"{members[name]}r" for name in placeholders_of(template)})
    trial.items = [trial.with_members(one, {**one.content.values, member: value}) for one in trial.items]
    trial.items[place] = replace(item, slot=place)
    return trial


def _options(trial: Trial, unit: str | None) -> SendOptions:
    return SendOptions(unit=unit, grouped=trial.context.bulk.order.run == "grouped")


def _judge_gone(trial: Trial, word: str, unit: str) -> Iterator[Finding]:
    """Yield when an item finds the record that the item before it deletes, or fails to create."""
    bulk, fails = trial.context.bulk, trial.items[0].case.defect is not None
    done, told = perform(trial, _options(trial, unit)), bulk.reply.outcomes
    if done.refused or done.result(0) != ("failed" if fails else "done"):
        return
    is_all_told = fails and told is not None and told.every and not stops_at_failure(bulk)
    if done.result(1) == "done" or (is_all_told and done.result(1) != "failed"):
        says = f"an item looks up the record that the item before it {word}, and is not told as failed"
        yield trial_finding(LOOKUP, f"what an earlier item {word} is found", says, done)


def _judge_renamed(trial: Trial) -> Iterator[Finding]:
    """Yield when an item finds a record by the value that it had when an item before it looked it up."""
    done = perform(trial, _options(trial, trial.context.unit))
    if not done.refused and done.slots("done") == [0, 1, 2]:
        says = "an item looks up a record by a value that the item before it took away, and finds it"
        yield trial_finding(LOOKUP, "what an earlier item renames is found", says, done)


def _judge_earlier(trial: Trial, member: str) -> Iterator[Finding]:
    """Yield when an item does not find the record that the item before it creates."""
    done = perform(trial, _options(trial, trial.context.unit))
    if done.result(0) != "done" and not done.refused:
        return
    if done.refused or done.result(1) not in {"done", "untold"}:
        says = "an item fails that looks up the record which the item before it creates"
        yield trial_finding(LOOKUP, "an earlier item is not found", says, done)
        return
    told, after = reported_keys(done).get(0, trial.items[0].content.target), stored_records(done, slots=[1])[1]
    got = (after.members or {}).get(member)
    if after.present and told is not None and str(got) != str(told):
        says = f"an item looks up {short(told)}, which the item before it creates, and has {short(got)}"
        yield trial_finding(LOOKUP, "an earlier item is taken for another", says, done, after)

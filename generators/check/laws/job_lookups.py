"""The law `job-lookup`: what a job's items refer to, change and compare is as it is when the job runs.

Begin with `looks_up_at_run`. Something is made, deleted or changed while the job tells that nothing is processed yet.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from contracts.bulk.model import Resource
from contracts.exchange.job_traces import SUCCESS_STATUS, JobPoll
from contracts.messages import Exchange
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.records import CreatedRecord, create_records, new_record_members, read_record
from generators.check.trial_setup import ItemCase, Trial, TrialItem, available_cases, fits_request, prepare_trial
from generators.check.trials import TrialResult, perform, send, trial_finding, trial_result
from generators.client.polling import follow, request_jobs, view_of
from generators.client.sites import SiteContext, experiment_site
from generators.errors import NotApplicableError
from generators.oracles.findings import Experiment, Finding
from generators.requests.calls import fill_lookup
from generators.requests.envelope import SendOptions
from generators.requests.items import example_members
from generators.requests.options import job_setting_of, units_of
from generators.requests.single import Members, RecordSite, write_request

LAW: Final = "job-lookup"
FILLERS: Final = (0, 60, 400)  # further items, so that the job takes longer, in turn
CREATING: Final = frozenset(("create", "upsert", "replace"))
SINGLE_CHANGES: Final = ("update", "upsert")


@dataclass(frozen=True, slots=True, kw_only=True)
class LateChange:
    """A trial whose first item depends on something, and the request that makes, deletes or changes that."""

    trial: Trial
    change: Callable[[], Exchange]


def looks_up_at_run(context: SiteContext) -> Iterator[Finding]:
    """Make, delete and change what an item depends on between the post and the run of its job."""
    made, deleted = partial(_refers_late, is_made=True), partial(_refers_late, is_made=False)
    parts: tuple[Experiment, ...] = (made, deleted, _changed_late)
    yield from run_each(parts, lambda part: part(context))


def _refers_late(context: SiteContext, *, is_made: bool) -> Iterator[Finding]:
    """Refer to a record that is made, or deleted, before the job runs."""
    fits, verb = ("done", "made") if is_made else ("failed", "deleted")
    done, exchange = _between(context, lambda filler: _refer(context, filler, is_late=is_made))
    if done.result(0) != ("failed" if is_made else "done"):
        return
    again = _refer(context, 0, is_late=is_made)
    again.change()
    if perform(again.trial, done.options).result(0) == fits:
        told, found = ("fails", "is not found") if is_made else ("is done", "is found")
        says = f"item 0 refers to a record that was {verb} before the job ran, and {told}"
        yield trial_finding(LAW, f"what was {verb} before the run {found}", says, done, exchange)


def _changed_late(context: SiteContext) -> Iterator[Finding]:
    """Change the record of an item before the job runs."""
    changed: dict[str, Any] = {}
    done, exchange = _between(context, lambda filler: _change(context, filler, changed))
    if done.result(0) != "done":
        return
    if context.bulk.effect.version is not None:
        says = "item 0 names a version that its record no longer had when the job ran, and is done"
        yield trial_finding(LAW, "a version is compared before the run", says, done, exchange)
        return
    after = read_record(context.session, context.site, done.trial.items[0].key)
    lost = [name for name, value in changed.items() if after.members is not None and after.members.get(name) != value]
    before = done.trial.items[0].known
    if lost and before is not None and (after.members or {}).get(lost[0]) == before.members.get(lost[0]):
        says = f"'{lost[0]}', changed before the job ran, is as it was before, although no item says so"
        yield trial_finding(LAW, "what was changed before the run is lost", says, done, exchange, after)


def _between(context: SiteContext, prepare: Callable[[int], LateChange]) -> tuple[TrialResult, Exchange]:
    """Post a job, make the change while nothing is processed, and follow the job. Raises NotApplicableError."""
    session = context.session
    unit = "item" if "item" in units_of(context.bulk) else context.unit
    options = SendOptions(unit=unit, as_job=job_setting_of(context.bulk), targets=known_targets(context)[:1])
    for filler in FILLERS[:1] if session.controlled else FILLERS:
        late = prepare(filler)
        sent = send(late.trial, options)
        view = view_of(session, sent)
        if not view.traces:
            raise NotApplicableError(f"the request was answered {sent.response.status}, without a job")
        exchange = late.change()
        polled = request_jobs(session, view, view.traces[0].declared.poll)
        waits = [one for one in view_of(session, sent).traces[0].polls if one.exchange in polled and _waits(one)]
        done = trial_result(late.trial, options, follow(session, sent))
        if waits and exchange.response.status in SUCCESS_STATUS:
            return done, exchange
    raise NotApplicableError("its jobs ended before anything else could be done")


def _waits(poll: JobPoll) -> bool:
    return poll.state == "queued" or poll.is_idle


def _prepared(context: SiteContext, case: ItemCase, filler: int) -> Trial:
    """Return a trial of one case and of further items that create records."""
    most = context.bulk.items.max or filler + 1
    creating = next((one for one in available_cases(context)[0] if one.action in CREATING and not one.existing), None)
    return prepare_trial(context, [case, *([creating] * filler if creating is not None else [])][:most])


def _valid_case(context: SiteContext, *, existing: bool) -> ItemCase:
    right = [one for one in available_cases(context)[0] if one.action != "delete"]
    fitting = [one for one in right if one.existing] if existing else sorted(right, key=lambda one: one.existing)
    if not fitting:
        raise NotApplicableError("no item could be made that writes a record")
    return fitting[0]


def _refer(context: SiteContext, filler: int, *, is_late: bool) -> LateChange:
    """Prepare an item that refers to a record: to one that `change` makes, or to one that it deletes."""
    trial = _prepared(context, _valid_case(context, existing=False), filler)
    named = context.resource.references
    for name in (one for one in named if one in trial.maker.members):
        site = experiment_site(context.session, named[name])
        if site is not None and (is_late or "delete" in site.operations):
            made = _late(context, trial, name, site) if is_late else _doomed(context, trial, name, site)
            if made is not None:
                return made
    raise NotApplicableError(
        f"a record of {context.resource.name} refers to nothing that could be made or deleted meanwhile"
    )


def _late(context: SiteContext, trial: Trial, name: str, site: RecordSite) -> LateChange | None:
    session = context.session
    members = new_record_members(session, site, trial.names, "late", session.rng("late", name))
    value = _reference(site.resource, members)
    if value is None or not _set(trial, name, value):
        return None

    def change() -> Exchange:
        create_records(session, site, [members], trial.names)
        return session.history().exchanges[-1]

    return LateChange(trial=trial, change=change)


def _reference(resource: Resource, members: Members) -> Any:
    """Return what names a record before it is made: the key that it will have, or a lookup; None for neither."""
    if not resource.assigned:
        return members.get(resource.key)
    return next((one for template in resource.lookups if (one := fill_lookup(template, members)) is not None), None)


def _doomed(context: SiteContext, trial: Trial, name: str, site: RecordSite) -> LateChange | None:
    session = context.session
    members = new_record_members(session, site, trial.names, "doomed", session.rng("doomed", name))
    known = create_records(session, site, [members], trial.names)[0]
    if not _set(trial, name, known.key):
        return None
    return LateChange(trial=trial, change=lambda: _delete(context, site, known))


def _delete(context: SiteContext, site: RecordSite, known: CreatedRecord) -> Exchange:
    return context.session.send(write_request(site, "delete", {}, key=known.key, version=known.version).request())


def _set(trial: Trial, name: str, value: Any) -> bool:
    """Put a member into the first item, and say whether the contract takes it."""
    return trial.maker.members[name].is_valid(value) and _write(trial, {**trial.items[0].content.values, name: value})


def _write(trial: Trial, members: Members) -> bool:
    """Let the first item write these members, and say whether the contract takes it."""
    trial.items[0] = trial.with_members(trial.items[0], members)
    return fits_request(trial, trial.items[0].case, trial.items[0].raw)


def _change(context: SiteContext, filler: int, changed: dict[str, Any]) -> LateChange:
    """Prepare an item that changes a record, of which `change` changes another member: `changed`."""
    trial = _prepared(context, _valid_case(context, existing=True), filler)
    trial_item: TrialItem = trial.items[0]
    action = next((one for one in SINGLE_CHANGES if one in context.site.operations), None)
    known = trial_item.known
    if action is None or known is None or trial_item.case.action == "replace":
        raise NotApplicableError(f"no call changes a part of one {context.resource.name}")
    shown, own = example_members(context.operation), context.resource.key
    changed.clear()
    try:
        changed |= trial.maker.fresh_change(trial.record_context("late"), "late", shown, trial_item.content.values)
    except NotApplicableError:  # there is but one member: the item then changes none
        exact = {own, *context.resource.normalize}
        changed |= {name: value for name, value in trial_item.content.values.items() if name not in exact}
        _write(trial, {name: value for name, value in trial_item.content.values.items() if name == own})
    members = changed if action == "update" or context.resource.assigned else {own: known.key, **changed}
    request = write_request(context.site, action, members, key=known.key, version=known.version).request()
    return LateChange(trial=trial, change=lambda: context.session.send(request))

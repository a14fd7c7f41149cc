"""Send a trial, follow its jobs, read its records, and compare two equal trials.

Begin with `perform`; a `TrialResult` is what it returns.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from contracts.exchange.bulk_exchange import BulkExchange
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.outcomes import ReportedOutcome, Result
from contracts.messages import Exchange, Request
from contracts.syntax.text import pointer_of, short
from generators.check.records import UNKNOWN, Snapshot, find_records, read_record
from generators.check.trial_setup import ItemCase, Trial, TrialItem
from generators.client.polling import follow, view_of
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.requests.envelope import SendOptions
from generators.requests.known_records import Marker, Names
from generators.requests.single import RecordSite, write_request

UNAUTHORIZED_STATUSES: Final = frozenset((401, 403))
TAKEN_STATUSES: Final = frozenset((400, 409, 412, 422))  # of a creation with a value that is in use
EXPECTED: Final = frozenset(("done", "untold"))  # results of items whose records are stored if all is well
MAX_RESENDS: Final = 12  # times that unprocessed items are resent
BUSY_DELAYS: Final = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds to wait for other jobs before each try


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """The result of a trial. `outcomes` are by slot; empty when the whole request was refused."""

    trial: Trial
    options: SendOptions
    view: BulkExchange
    outcomes: Mapping[int, ReportedOutcome]
    by_target: Mapping[str, Mapping[int, ReportedOutcome]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the whole request was refused."""
        return self.view.kind == "refused"

    @property
    def status(self) -> int:
        """The status code of the response."""
        return self.view.exchange.response.status

    def result(self, slot: int) -> Result:
        """Return the result of a slot, `untold` when none was reported."""
        return self.outcomes[slot].result if slot in self.outcomes else "untold"

    def slots(self, result: Result) -> list[int]:
        """Return the slots with a result, ascending."""
        return sorted(slot for slot, one in self.outcomes.items() if one.result == result)


def trial_request(trial: Trial, options: SendOptions) -> Request:
    """Return the request of a trial. Raises NotApplicableError when an option cannot be expressed."""
    order = range(len(trial.items)) if options.order is None else options.order
    items = [trial.items[slot] for slot in order]
    return trial.context.request(
        [trial_item.raw for trial_item in items],
        [trial_item.case.action for trial_item in items],
        options,
        keys=[trial_item.slot if trial_item.content.key is None else trial_item.content.key for trial_item in items],
        shared=trial.shared,
    )


def send(trial: Trial, options: SendOptions) -> Exchange:
    """Send a trial without following its jobs, again while other jobs keep it from being accepted.

    Raises NotApplicableError when access is denied, or when other jobs run for long.
    """
    for seconds in BUSY_DELAYS:
        if seconds:
            trial.context.session.wait(timedelta(seconds=seconds))
        exchange = send_at_once(trial, options)
        if not _is_over_limit(trial.context, exchange):
            return exchange
    raise NotApplicableError(f"other jobs are running ({exchange.response.status})")


def _is_over_limit(context: SiteContext, exchange: Exchange) -> bool:
    """Say whether a request was refused as other jobs are, where only so many may be unfinished."""
    job, status = context.bulk.job, exchange.response.status
    limit = job.active if job is not None else None
    if limit is None or status != limit.breach or status in context.bulk.guard.refuse.values():
        return False
    view = view_of(context.session, exchange)
    return view.kind == "refused" and view.request.as_job


def send_at_once(trial: Trial, options: SendOptions) -> Exchange:
    """Send a trial once. Raises NotApplicableError when access is denied."""
    exchange = trial.context.session.send(trial_request(trial, options))
    status = exchange.response.status
    if status in UNAUTHORIZED_STATUSES and status not in trial.context.bulk.guard.refuse.values():
        raise NotApplicableError(f"access was denied ({status})")
    return exchange


def perform(trial: Trial, options: SendOptions) -> TrialResult:
    """Send a trial, follow its jobs, and resend unprocessed items. Raises NotApplicableError."""
    done = _send_and_follow(trial, options)
    for _ in range(MAX_RESENDS):
        left = done.slots("left")
        if not left:
            break
        more = _send_and_follow(trial, replace(options, order=left))
        done = replace(done, outcomes={**done.outcomes, **more.outcomes})
    return done


def _send_and_follow(trial: Trial, options: SendOptions) -> TrialResult:
    return trial_result(trial, options, follow(trial.context.session, send(trial, options)))


def trial_result(trial: Trial, options: SendOptions, view: BulkExchange) -> TrialResult:
    """Return the result of a trial as its bulk exchange shows it."""
    order = list(range(len(trial.items)) if options.order is None else options.order)
    by_target = {
        report.target or "": {order[one.index]: one for one in report.outcomes if one.index < len(order)}
        for report in view.reports
    }
    return TrialResult(
        trial=trial, options=options, view=view, outcomes=next(iter(by_target.values()), {}), by_target=by_target
    )


def differing_outcomes(
    first: TrialResult, second: TrialResult, slots: Sequence[int]
) -> Iterator[tuple[int, str, tuple[object, object]]]:
    """Yield the slots whose outcomes differ between two equal trials, with a description and both errors."""
    for slot in slots:
        one, other = first.outcomes.get(slot), second.outcomes.get(slot)
        if one is None or other is None:
            continue
        if one.result != other.result:
            yield slot, f"{_was(one)} the first time and {_was(other)} the second", (one.error, other.error)
        elif _normalised_error(first.trial.names, one) != _normalised_error(second.trial.names, other):
            says = f"failed with {short(one.error)} the first time and with {short(other.error)} the second"
            yield slot, says, (one.error, other.error)


def _was(outcome: ReportedOutcome) -> str:
    return "failed" if outcome.result == "failed" else f"was {outcome.result.replace('-', ' ')}"


def _normalised_error(names: Names, outcome: ReportedOutcome) -> object:
    error = outcome.error
    return names.normalise(error) if isinstance(error, str | int) and outcome.result == "failed" else None


def differing_snapshots(
    first: Mapping[int, Snapshot], names: Names, second: Mapping[int, Snapshot], others: Names, slots: Sequence[int]
) -> Iterator[tuple[int, str, str]]:
    """Yield the slots whose records differ between two equal trials, a description, and the pointer of a member."""
    for slot in slots:
        one, other = first.get(slot, UNKNOWN), second.get(slot, UNKNOWN)
        if not one.differs(other, names, others):
            continue
        if one.present is not other.present:
            which, other_one = ("first", "second") if one.present else ("second", "first")
            yield slot, f"stored the {which} time and not the {other_one}", ""
        elif one.members is None or other.members is None:
            continue
        elif one.has_counter and one.version != other.version:
            yield slot, f"at version {short(one.version)} the first time and {short(other.version)} the second", ""
        else:
            unlike = _differing_members(one, names, other, others)
            yield from ((slot, f"'{name}' differs", pointer_of((name,))) for name in unlike)
            if not unlike:
                yield slot, "what is stored differs", ""


def _differing_members(one: Snapshot, names: Names, other: Snapshot, others: Names) -> list[str]:
    first, second = one.comparable_members(names), other.comparable_members(others)
    return [name for name in dict.fromkeys((*first, *second)) if first.get(name) != second.get(name)]


def trial_finding(law: str, shape: str, says: str, *evidence: TrialResult | Exchange | Snapshot | None) -> Finding:
    """Return a finding of an experiment; a trial's evidence is its request and the exchanges with outcomes."""
    shown: dict[int, Exchange] = {}
    operation = ""
    for part in evidence:
        if isinstance(part, TrialResult):
            operation = operation or part.trial.context.operation.id
            for one in _exchanges(part):
                shown[one.n] = one
        elif isinstance(part, Snapshot) and part.exchange is not None:
            shown[part.exchange.n] = part.exchange
        elif isinstance(part, Exchange):
            operation = operation or part.operation or ""
            shown[part.n] = part
    return new_finding(law, operation, shape, says, shown.values())


def _exchanges(done: TrialResult) -> list[Exchange]:
    told = [one for report in done.view.reports for one in report.evidence]
    return [done.view.exchange, *told]


def stored_records(
    done: TrialResult, *, target: str | None = None, slots: Sequence[int] | None = None, probe: bool = False
) -> dict[int, Snapshot]:
    """Return the snapshot of each slot's record after a trial."""
    expected = [slot for slot, one in _outcomes(done, target).items() if one.result in EXPECTED]
    told = reported_keys(done, target)
    return snapshots(done.trial, told, target=target, slots=slots, probe=probe, expected=expected)


def reported_keys(done: TrialResult, target: str | None = None) -> dict[int, object]:
    """Return the keys that the server reported for its records, by slot."""
    outcomes = _outcomes(done, target).items()
    return {slot: one.id for slot, one in outcomes if one.result == "done" and isinstance(one.id, str | int)}


def is_astray(trial: Trial, case: ItemCase, after: Snapshot) -> bool:
    """Return whether a record is not there after an item that is done, or still there after one that deletes.

    A deletion that may leave its record in another state leaves nothing to be seen.
    """
    deletes = case.action == "delete"
    keeps = deletes and trial.context.session.contract.keeps_deleted(trial.context.resource.name)
    return after.present is deletes and not keeps


def record_keys(done: TrialResult) -> dict[int, object]:
    """Return the key of each slot's record: its own, else the one that was reported, None where none was."""
    told = reported_keys(done)
    return {one.slot: told.get(one.slot) if one.key is None else one.key for one in done.trial.items}


def _outcomes(done: TrialResult, target: str | None) -> Mapping[int, ReportedOutcome]:
    return done.outcomes if target is None else done.by_target.get(target, {})


def snapshots(
    trial: Trial,
    told: Mapping[int, object],
    *,
    target: str | None = None,
    slots: Sequence[int] | None = None,
    probe: bool = False,
    expected: Collection[int] = (),
) -> dict[int, Snapshot]:
    """Return the snapshot of each slot's record; UNKNOWN where its existence cannot be determined.

    `told` are the keys that the server reported, `expected` the slots whose records are stored if all is well. `probe`
    creates the record once more where neither key nor list can tell whether it exists; this works once, and only for
    records with a unique member.
    """
    wanted = list(range(len(trial.items))) if slots is None else list(slots)
    site = _at_target(trial, target)
    if site is None:
        return dict.fromkeys(wanted, UNKNOWN)
    own = {slot: trial.items[slot].key for slot in wanted}
    keys = {slot: told.get(slot) if key is None else key for slot, key in own.items()}
    session = trial.context.session
    found = {slot: read_record(session, site, key) for slot, key in keys.items() if key is not None}
    lost = [slot for slot in wanted if slot not in found]
    markers = {slot: _marker(trial, trial.items[slot]) for slot in lost}
    awaited = [markers[slot] for slot in lost if slot in expected]
    sought = find_records(session, site, list(markers.values()), expected=awaited)
    for slot, one in zip(lost, sought, strict=True):
        found[slot] = _probe(trial, trial.items[slot]) if probe and one is UNKNOWN else one
    return found


def snapshots_before(
    trial: Trial, slots: Sequence[int] | None = None, *, target: str | None = None
) -> dict[int, Snapshot]:
    """Return the snapshot of each slot's record before a trial: those that were created, as read, and no others."""
    wanted = trial.items if slots is None else [trial.items[slot] for slot in slots]
    met = [trial_item for trial_item in wanted if trial_item.case.needs_record or trial_item.case.defect == "taken"]
    there = [trial_item.slot for trial_item in met if trial_item.key is not None]
    absent = {trial_item.slot: Snapshot(present=False) for trial_item in wanted}
    return {**absent, **snapshots(trial, {}, target=target, slots=there)}


def _marker(trial: Trial, trial_item: TrialItem) -> Marker | None:
    """Return the value by which a list shows the record, None when another record has it too."""
    shares = trial_item.case.defect == "taken" or trial_item.case.twin is not None
    return None if shares else trial.names.marker(trial_item.content.values)


def _probe(trial: Trial, trial_item: TrialItem) -> Snapshot:
    """Determine whether a record exists by creating it: a unique value in use is refused."""
    site, members = trial.context.site, trial_item.content.values
    unique = [set(group) for group in site.resource.unique]
    alone = (
        not trial_item.case.defect and trial_item.case.twin is None and any(group <= members.keys() for group in unique)
    )
    if trial_item.case.existing or not alone or "create" not in site.operations:
        return UNKNOWN
    try:
        exchange = trial.context.session.send(write_request(site, "create", members).request())
    except NotApplicableError:
        return UNKNOWN
    status = exchange.response.status
    if status not in SUCCESS_STATUS and status not in TAKEN_STATUSES:
        return UNKNOWN  # refused for another reason
    return Snapshot(present=status not in SUCCESS_STATUS, exchange=exchange)


def _at_target(trial: Trial, target: str | None) -> RecordSite | None:
    """Return the site of one fan-out target's records, None when no parameter names it."""
    fan_out, site = trial.context.bulk.items.fan_out, trial.context.site
    return site if fan_out is None or target is None else site.at_target([fan_out.over], target)

"""The law `stamps`: a change of a record moves the time of its last write, and leaves that of its first one alone.

Begin with `stamps`. It is judged where a resource declares where it has these times (`created`, `modified`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.bulk.model import Resource
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import short
from generators.check.laws.metamorphic import known_targets, run_each
from generators.check.records import read_record
from generators.check.separate_places import created_record
from generators.check.specimens import item_kinds
from generators.check.trial_setup import ItemCase, available_cases, prepare_trial
from generators.check.trials import perform
from generators.client.session import Session
from generators.client.sites import NO_SITE, SiteContext, experiment_site, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.requests.envelope import SendOptions
from generators.requests.options import units_of
from generators.requests.single import RecordSite, record_request, write_request

LAW: Final = "stamps"
CHANGING: Final = frozenset(("replace", "update", "upsert"))
FAILING: Final = ("stale", "unknown")  # defects of an item that has the others undone
TIMES: Final = 2  # that a fault is seen before it is told: a clock may be set back
SHORT_WAIT, LONG_WAIT = (
    timedelta(seconds=0.05),
    timedelta(seconds=1.1),
)  # for times in fractions of a second, in seconds


def has_stamps(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation changes records that may show the times of their first and last write."""
    act = operation.bulk.effect.action if operation.bulk else operation.record.action if operation.record else None
    words = {act.constant, *act.words.values()} if act is not None else set()
    of = operation.bulk.effect.resource if operation.bulk else operation.record.resource if operation.record else None
    own = {of.constant, *of.words.values()} & contract.resources.keys() if of is not None else set()
    written = [contract.resources[name] for name in own or contract.resources]
    return bool(words & CHANGING) and any(one.created or one.modified for one in written)


def stamps(session: Session, operation: Operation) -> Iterator[Finding]:
    """Change a record, and compare the times that it shows before and after."""
    change = _bulk_change if operation.bulk is not None else _single_change
    for n in range(TIMES):
        found = list(change(session, operation))
        if not found:
            return
        yield from found if n == TIMES - 1 else ()


def _single_change(session: Session, operation: Operation) -> Iterator[Finding]:
    action = operation.record.action.constant if operation.record is not None else ""
    for name, resource in session.contract.resources.items():
        site = experiment_site(session, name) if resource.created or resource.modified else None
        if site is not None and site.operations.get(action) is operation:
            names = session.names()
            known = created_record(session, site, names)
            version = read_record(session, site, known.key).known_version
            context = record_context_of(names, session.rng(LAW, name))
            changed = record_factory_of(session, resource).fresh_change(context, "c")
            members = changed if action == "update" else {**known.members, **changed}
            request = write_request(site, action, members, key=known.key, version=version).request()
            yield from _judged(session, operation, site, known.key, lambda: session.send(request))  # noqa: B023 - used at once
            return
    raise NotApplicableError(NO_SITE)


def _bulk_change(session: Session, operation: Operation) -> Iterator[Finding]:
    """Judge an item of each action that changes a record."""
    fitting = {
        case.action: (context, case)
        for context, case in reversed(item_kinds(session, operation))
        if case.existing and case.action in CHANGING and (context.resource.created or context.resource.modified)
    }
    if not fitting:
        raise NotApplicableError("no item that changes a record could be made")
    yield from run_each(fitting.values(), lambda pair: _changed_by_item(*pair))
    for context, case in fitting.values():
        with suppress(NotApplicableError):
            yield from _undone(context, case)


def _undone(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    """Change a record in a request that fails as a whole, or by an item that fails: its times are as they were."""
    wrong, units = [one for one in available_cases(context)[1] if one.existing], units_of(context.bulk)
    others = [one for one in wrong if one.defect in FAILING][:1]
    plans = [("whole", [case, one]) for one in others] + [
        ("item", [one]) for one in wrong if one.needs_record and one.action == case.action
    ]
    for unit, cases in plans:
        if unit in units:
            yield from _unmoved(context, unit, cases)


def _unmoved(context: SiteContext, unit: str, cases: Sequence[ItemCase]) -> Iterator[Finding]:
    """Yield when a request moves the times of its first item's record, although the item is not done."""
    trial = prepare_trial(context, cases)
    session, request = context.session, record_request(context.site, "read", key=trial.items[0].key).request()
    before = session.send(request)
    done = perform(trial, SendOptions(unit=unit, targets=known_targets(context)[:1]))
    after = session.send(request)
    times = [_stamps(context.resource, one) for one in (before, after)]
    if done.result(0) != "done" and not done.slots("done") and times[0] != times[1]:
        first, then = (short(" and ".join(map(str, one))) for one in times)
        says = f"a change that was undone moves the times of its record from {first} to {then}"
        yield new_finding(
            LAW, context.operation.id, "an undone change moves times", says, (before, done.view.exchange, after)
        )


def _changed_by_item(context: SiteContext, case: ItemCase) -> Iterator[Finding]:
    trial = prepare_trial(context, [case])

    def change() -> Exchange:
        done = perform(trial, SendOptions(unit=context.unit, targets=known_targets(context)[:1]))
        if done.result(0) != "done":
            raise NotApplicableError("a valid item is not done")
        return done.view.exchange

    yield from _judged(context.session, context.operation, context.site, trial.items[0].key, change)


def _judged(
    session: Session, operation: Operation, site: RecordSite, key: object, change: Callable[[], Exchange]
) -> Iterator[Finding]:
    """Yield times that are wrong after a change. Raises NotApplicableError when it is refused."""
    before = session.send(record_request(site, "read", key=key).request())
    created, modified = _stamps(site.resource, before)
    session.wait(SHORT_WAIT if isinstance(modified, datetime) and modified.microsecond else LONG_WAIT)
    exchange = change()
    if exchange.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"a valid request is refused ({exchange.response.status})")
    after = session.send(record_request(site, "read", key=key).request())
    created_then, modified_then = _stamps(site.resource, after)
    evidence = (before, exchange, after)
    if created is not None and created_then != created:
        says = f"a change moves the time of the first write from {short(str(created))} to {short(str(created_then))}"
        yield new_finding(LAW, operation.id, "created moves", says, evidence)
    if modified is not None and (modified_then is None or modified_then <= modified):
        says = (
            f"after a change the time of the last write is {short(str(modified_then))}, it was {short(str(modified))}"
        )
        yield new_finding(LAW, operation.id, "modified does not move", says, evidence)


def _stamps(resource: Resource, exchange: Exchange) -> tuple[datetime | None, datetime | None]:
    return _time(exchange, resource.created), _time(exchange, resource.modified)


def _time(exchange: Exchange, at: str | None) -> datetime | None:
    value = find(exchange.response.data, at) if at is not None else ABSENT
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found

"""Requests that the laws judge: the contract's examples, a round of single-record requests, bulk requests and jobs.

Begin with `replay_examples`, `crud_smoke`, `run_warm_up` and `run_job_warm_up`.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from contracts.exchange.bulk_exchange import BulkExchange, with_history
from contracts.exchange.locations import read_response
from contracts.exchange.outcomes import listed_records
from contracts.messages import ABSENT, FORM_MEDIA_TYPE, ExchangeHistory
from contracts.openapi.model import Operation, Parameter
from contracts.schemas.equality import key_text
from generators.check.laws.metamorphic import batched, invalid_cases, known_targets, mixed_cases, valid_cases
from generators.check.lists import tells_total
from generators.check.records import (
    CreatedRecord,
    create_records,
    find_records,
    new_record_members,
    read_record,
)
from generators.check.specimens import send_and_follow
from generators.check.trial_setup import ItemCase, prepare_trial
from generators.check.trials import perform, send
from generators.client.polling import follow, request_jobs, request_results
from generators.client.session import Session
from generators.client.sites import SiteContext, experiment_site
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.response_laws import CHECK
from generators.requests.calls import RequestDraft, draft, json_media
from generators.requests.envelope import SendOptions
from generators.requests.known_records import Marker, Names
from generators.requests.options import job_setting_of, units_of
from generators.requests.single import RecordSite, list_request, page_size, write_request

EXAMPLES_CHECK: Final = "examples"
SAFE_METHODS: Final = frozenset(("GET", "HEAD"))


def replay_examples(session: Session, operation: Operation, *, read_only: bool) -> None:
    """Send the examples of one operation, and follow their jobs."""
    if read_only and operation.method not in SAFE_METHODS:
        return
    for made in _drafts(session, operation):
        try:
            send_and_follow(session, made.request())
        except NotApplicableError:
            continue


def _drafts(session: Session, operation: Operation) -> Iterator[RequestDraft]:
    """Yield the requests of an operation's examples."""
    if not all(_has_value(session, one) for one in operation.parameters if one.required):
        return
    if operation.body is None or not operation.body.required:
        yield draft(operation, session.given)
    for example in _body_examples(operation):
        made = draft(operation, session.given)
        made.data = example
        yield made


def _has_value(session: Session, parameter: Parameter) -> bool:
    raw = parameter.schema.raw if parameter.schema is not None else {}
    samples = parameter.examples or {"default", "enum", "examples", "const"} & raw.keys()
    return parameter.name in session.given or bool(samples)


def _body_examples(operation: Operation) -> Iterator[object]:
    media = json_media(operation)
    content = operation.body.content if operation.body is not None else ()
    forms = [one for one in content if one.media_range == FORM_MEDIA_TYPE]
    for one in [media] if media is not None else forms:
        yield from one.examples.values()


CHANGING_ACTIONS: Final = ("upsert", "replace", "update")


def crud_smoke(session: Session, name: str) -> Iterator[Finding]:
    """Create, read, list, update and delete one record; then read, update and delete it when it no longer exists."""
    site = experiment_site(session, name)
    if site is not None:
        with suppress(NotApplicableError):
            yield from _crud_round(session, site)


def _crud_round(session: Session, site: RecordSite) -> Iterator[Finding]:
    names, rng = session.names(), session.rng("round", site.resource.name)
    members = new_record_members(session, site, names, "r", rng)
    known = create_records(session, site, [members], names)[0]
    yield from _compare_list(session, site, known, names)
    for action in (one for one in (*CHANGING_ACTIONS, "delete") if one in site.operations):
        _write(session, site, action, known)
    for action in (one for one in ("read", *CHANGING_ACTIONS[1:], "delete") if one in site.operations):
        _write(session, site, action, known)


def _write(session: Session, site: RecordSite, action: str, known: CreatedRecord) -> None:
    version = (
        read_record(session, site, known.key).known_version if site.resource.version is not None else known.version
    )
    session.send(write_request(site, action, known.members, key=known.key, version=version).request())


def _compare_list(session: Session, site: RecordSite, known: CreatedRecord, names: Names) -> Iterator[Finding]:
    """Yield a list that lacks a readable record, or whose total differs from its number of records."""
    lister = site.operations.get("list")
    if lister is None:
        return
    page, most = site.page, page_size(site.page)
    shown = session.send(list_request(site, take=most).request())
    bodies = listed_records(shown.response.data)
    said = read_response(shown.response, page.total) if page.total is not None else ABSENT
    is_whole = bodies is not None and most is not None and len(bodies) < most and tells_total(session, site)
    if bodies is not None and is_whole and said is not ABSENT and str(said) != str(len(bodies)):
        says = f"The list has {len(bodies)} records but reports a total of {said}."
        yield Finding(law=CHECK, operation=lister.id, shape="list tells another total", says=says, evidence=(shown,))
    one = read_record(session, site, known.key)
    if key_text(known.key) in {key_text(site.reader.key(body)) for body in bodies or ()}:
        return  # where its members have no key, nothing else finds it
    wanted = [names.marker(known.members), Marker(site.resource.key, known.key)]  # a server may ignore the first
    marks = find_records(session, site, wanted, by_filter=False)
    listed = next((mark for mark in marks if mark.present is not False), marks[0])
    if one.present and listed.present is False and one.exchange is not None and listed.exchange is not None:
        evidence = (one.exchange, listed.exchange)
        says = f"A record of {site.resource.name} can be read, but is on no page of the list."
        yield Finding(law=CHECK, operation=lister.id, shape="list lacks a record", says=says, evidence=evidence)


FEW_ITEMS: Final = 5
MANY_ITEMS: Final = 40
MAX_PARALLEL_JOBS: Final = 8  # concurrent jobs where no limit is declared
MAX_CONTROLLED_WAIT: Final = timedelta(days=3)  # longest wait for retained results, where the clock is controlled
REAL_WAIT: Final = timedelta(seconds=0.2)


def run_warm_up(context: SiteContext) -> Iterator[Finding]:
    """Send valid, mixed and invalid items in every unit, without other options."""
    waits = context.bulk.job is not None and job_setting_of(context.bulk) is None
    for cases, unit in _case_sets(context, is_brief=waits and not context.session.controlled):
        done = perform(prepare_trial(context, cases), SendOptions(unit=unit, targets=known_targets(context)))
        _poll_ended_jobs(context.session, [done.view])
    yield from ()


def run_job_warm_up(context: SiteContext) -> Iterator[Finding]:
    """Send the same as jobs, several at a time."""
    wish, job = job_setting_of(context.bulk), context.bulk.job
    if wish is None or job is None:
        return
    parallel = min(job.active.max, MAX_PARALLEL_JOBS) if job.active is not None else MAX_PARALLEL_JOBS
    for some in batched(list(_case_sets(context, is_brief=not context.session.controlled)), parallel):
        sent = [send(prepare_trial(context, cases), SendOptions(unit=unit, as_job=wish)) for cases, unit in some]
        _poll_ended_jobs(context.session, [follow(context.session, one) for one in sent])
    yield from ()


def _case_sets(context: SiteContext, *, is_brief: bool) -> Iterator[tuple[list[ItemCase], str | None]]:
    """Yield the cases and the unit of each request; with `is_brief` only the most informative ones.

    The unit None is left to its default: once, with cases that show which one that is.
    """
    most, units = context.bulk.items.max or MANY_ITEMS, units_of(context.bulk)
    sizes = dict.fromkeys(min(most, size) for size in ((FEW_ITEMS,) if is_brief else (1, FEW_ITEMS, MANY_ITEMS)))
    sets = [valid_cases(context, size) for size in sizes]
    try:
        wrong, blend = invalid_cases(context), mixed_cases(context)
    except NotApplicableError:
        telling = sets[-1]
    else:
        telling = blend
        sets += [blend] if is_brief else [blend, [*wrong][:most]]
    for cases in sets:
        yield from ((cases, unit) for unit in units)
        if cases is telling and context.bulk.unit.of.default is not None:
            yield cases, None


def _poll_ended_jobs(session: Session, views: Sequence[BulkExchange]) -> None:
    """Poll finished jobs again after a while within their retention time, and one of them at once, too."""
    ended = [view for view in views if view.traces]
    if not ended:
        return
    declared = ended[0].traces[0].declared
    while_kept = min(declared.keep or timedelta(minutes=1), MAX_CONTROLLED_WAIT) / 2
    for wait, some in ((None, ended[-1:]), (while_kept if session.controlled else min(REAL_WAIT, while_kept), ended)):
        if wait is not None:
            session.wait(wait)
        for view in some:
            request_jobs(session, view, declared.poll)
            request_results(session, view)


def poll_late(session: Session, view: BulkExchange) -> None:
    """Ask once more for jobs that ended some time ago, and for their results."""
    request_jobs(session, view, view.traces[0].declared.poll)
    request_results(session, view)


def seen_late(session: Session, view: BulkExchange) -> BulkExchange:
    """Return a bulk exchange with what was told of its jobs before, and in the session's history."""
    told = [one for trace in view.traces for one in (*(poll.exchange for poll in trace.polls), *trace.results)]
    before = {one.n: one for one in (view.exchange, *told)}
    history = ExchangeHistory(exchanges=(*(before[n] for n in sorted(before)), *session.history().exchanges))
    return with_history(view, history, session.contract, session.router)

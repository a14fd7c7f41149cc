"""The law on lists: `listing`. Pages, totals and order, and lists against single records after each kind of change.

Begin with `listing`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Final

from contracts.exchange.locations import put
from contracts.exchange.outcomes import page_total
from contracts.messages import Exchange
from contracts.schemas.equality import equivalent, key_text
from contracts.syntax.text import short
from generators.check.lists import (
    ATTEMPTS,
    MAX_WHOLE,
    Fault,
    Probe,
    WholeList,
    is_after,
    judge_whole,
    list_finding,
    list_page,
    tells_total,
    walk,
    whole_list,
)
from generators.check.records import (
    CreatedRecord,
    Snapshot,
    create_records,
    new_record_members,
    read_record,
)
from generators.check.trial_setup import ItemCase, Trial, available_cases, prepare_trial
from generators.check.trials import perform, record_keys
from generators.client.session import Session
from generators.client.sites import SiteContext, known_sites, record_context_of, record_factory_of
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions, unsupported_reason
from generators.requests.known_records import Names
from generators.requests.options import job_setting_of
from generators.requests.single import RecordSite, write_request

LAW: Final = "listing"
FEW_RECORDS: Final = 12  # created where the list's default size needs no more
MOST_RECORDS: Final = 210  # created at most, to exceed the list's default size
ASCII_LETTERS: Final = "aAbBz"
LETTERS: Final = "aAbBz\u00e9\uff61\U0001f600"  # ordered by code points, which UTF-16 and collations order otherwise
SHORT_PAGE: Final = 7  # records on the pages that a whole list is read by again
PAGES: Final = 40  # of that size at most

WINDOWS: Final[Sequence[Callable[[int], tuple[int, int]]]] = (
    lambda _: (0, 1),
    lambda _: (1, 1),
    lambda _: (3, SHORT_PAGE),
    lambda count: (count // 2, 5),
    lambda count: (max(count - 2, 0), 5),
    lambda count: (max(count - 5, 0), 5),
    lambda count: (count, 5),
    lambda _: (MAX_WHOLE, 5),
    lambda count: (0, count),
    lambda count: (0, max(count - 1, 1)),
)  # where pages begin in a list of so many records, and their size


def listing(context: SiteContext) -> Iterator[Finding]:
    """Compare pages with the whole list, and the list with single records after they were created, changed, deleted."""
    session, site, names = context.session, context.site, context.session.names()
    known = _created(session, site, names)
    if tells_total(session, site):  # else two lists may be of two instants, while others write
        yield from judge_whole(context, LAW, list(_page_probes(session, site, known)))
    yield from _judge_single_changes(context, known, names)
    yield from judge_whole(context, LAW, [])
    as_job = None
    for operation in session.contract.operations:
        if operation.bulk is not None and operation.bulk.items.fan_out is None:
            writable = unsupported_reason(operation, groups=False) is None and site in known_sites(session, operation)
            if writable:
                own = SiteContext(session=session, operation=operation, site=site)
                wishes = (None, job_setting_of(operation.bulk)) if as_job is None else (None,)
                for as_job in dict.fromkeys(wishes):
                    yield from _judge_bulk_changes(context, own, as_job)
                yield from judge_whole(context, LAW, [])


def _created(session: Session, site: RecordSite, names: Names) -> list[CreatedRecord]:
    """Create records, more than the list shows by default where that is not too many."""
    try:
        return _created_with(session, site, names, LETTERS)
    except NotApplicableError:  # such as by a server that stores no such letters
        return _created_with(session, site, names, ASCII_LETTERS)


def _created_with(session: Session, site: RecordSite, names: Names, letters: str) -> list[CreatedRecord]:
    default = site.page.default
    count = default + 3 if default is not None and FEW_RECORDS <= default + 3 <= MOST_RECORDS else FEW_RECORDS
    first = new_record_members(session, site, names, "la0", session.rng(LAW, 0))
    factory, rng = record_factory_of(session, site.resource), session.rng(LAW, 1)
    parents = {name: first[name] for name in site.resource.references if name in first}
    slots = [f"l{letters[n % len(letters)]}{n}" for n in range(1, count)]
    others = [factory.fresh_record(record_context_of(names, rng), slot, parents) for slot in slots]
    member = site.resource.key
    own = None if site.resource.assigned else factory.members.get(member)
    keys = (f"9{names.number}", f"10{names.number}")  # in the other order as numbers
    for one, key in zip(others, keys, strict=False):
        if own is not None and isinstance(one.get(member), str) and own.is_valid(key):
            one[member] = key
    return create_records(session, site, [first, *others], names)


# Pages and order


def _page_probes(session: Session, site: RecordSite, known: Sequence[CreatedRecord]) -> Iterator[Probe]:
    """Yield what finds pages that show something else than the whole list."""
    yield partial(_missing_faults, site, known)
    page = site.page
    if page.skip is not None and page.take is not None:
        for window in WINDOWS:
            yield partial(_window_faults, session, site, window)
    for skip in (0, 5) if page.default is not None else ():
        if page.skip is not None or not skip:
            yield partial(_page_faults, session, site, skip=skip, take=None)
    if page.take is not None and page.cursor is None and _takes_none(site, page.take):  # no cursor leads on from none
        yield partial(_empty_page_fault, session, site, page.take)
    if page.take is not None and any(one is not None for one in (page.skip, page.number, page.cursor)):
        yield partial(_short_page_faults, session, site)
    yield partial(_order_faults, site)


def _missing_faults(site: RecordSite, known: Sequence[CreatedRecord], whole: WholeList) -> Iterator[Fault]:
    missing = [one for one in known if key_text(one.key) not in whole.bodies]
    if missing:
        says = f"the {site.resource.name} {short(missing[0].key)} was created, and is on no page of the list"
        yield "created record is not listed", says, whole.pages[-1:]


def _empty_page_fault(session: Session, site: RecordSite, at: str, whole: WholeList) -> Iterator[Fault]:
    del whole
    exchange, some = list_page(session, site, asked={at: 0})
    if some:
        yield "page of no records", f"a page of 0 records shows {len(some)}", (exchange,)


def _takes_none(site: RecordSite, at: str) -> bool:
    """Return whether the contract allows a page size of 0."""
    schemas = [one.schema for one in site.operations["list"].parameters if f"{one.where}:{one.name}" == at]
    return any(schema is not None and schema.raw.get("minimum") == 0 for schema in schemas)


def _window_faults(
    session: Session, site: RecordSite, window: Callable[[int], tuple[int, int]], whole: WholeList
) -> Iterator[Fault]:
    skip, take = window(len(whole.keys))
    if site.page.max is None or take <= site.page.max:
        yield from _page_faults(session, site, whole, skip=skip, take=take)


def _page_faults(
    session: Session, site: RecordSite, whole: WholeList, *, skip: int, take: int | None
) -> Iterator[Fault]:
    """Yield how a page differs from the part of the whole list that it is."""
    exchange, bodies = list_page(session, site, skip=skip, take=take)
    size = site.page.default if take is None else take
    assert size is not None  # noqa: S101 - asked before
    keys = tuple(key_text(site.reader.key(body)) for body in bodies)
    wanted = whole.keys[skip : skip + size]
    what = f"the page of {size} records from {skip} on" if take is not None else f"the page from {skip} on"
    if len(keys) != len(wanted):
        shape = "default page has another size" if take is None else "page has another size"
        yield shape, f"{what} shows {len(keys)} records, where {len(wanted)} are to be", (whole.pages[0], exchange)
    elif keys != wanted:
        at = next(n for n, pair in enumerate(zip(keys, wanted, strict=True)) if pair[0] != pair[1])
        says = f"{what} has {short(keys[at])} at {at}, where the whole list has {short(wanted[at])}"
        yield "page shows other records", says, (whole.pages[0], exchange)
    total = page_total(site.page, exchange.response) if tells_total(session, site) else None
    if total is not None and total != len(whole.keys):
        says = f"{what} tells a total of {total}, but the list has {len(whole.keys)} records"
        yield "page tells another total", says, (whole.pages[0], exchange)


def _short_page_faults(session: Session, site: RecordSite, whole: WholeList) -> Iterator[Fault]:
    """Read the list by short pages: each record stands on one of them."""
    keys: list[str] = []
    pages: list[Exchange] = []
    for exchange, some in walk(session, site, max(SHORT_PAGE, len(whole.keys) // PAGES + 1)):
        pages.append(exchange)
        keys += [key_text(site.reader.key(body)) for body in some]
        if len(keys) > len(whole.keys):
            break
    if len(set(keys)) < len(keys):
        twice = next(key for n, key in enumerate(keys) if key in keys[:n])
        yield (
            "record stands on two pages",
            f"page by page the {site.resource.name} {short(twice)} stands in the list twice",
            tuple(pages[:3]),
        )
    elif keys != list(whole.keys):
        lost = next((key for key in whole.keys if key not in keys), None)
        what = (
            f"the {site.resource.name} {short(lost)} is missing"
            if lost is not None
            else "the records are in another order"
        )
        yield "short pages show another list", f"page by page {what}", (whole.pages[0], *pages[:3])


def _order_faults(site: RecordSite, whole: WholeList) -> Iterator[Fault]:
    """Yield two neighbours that are not in the declared order; values of two types have none."""
    act = site.operations["list"].record
    steps = act.rules.ordered_by(site.resource.key) if act is not None else []
    rows = [(key, _members(site, body)) for key, body in whole.bodies.items()] if steps else []
    for (key, one), (other_key, other) in pairwise(rows):
        if is_after(one, other, steps):
            says = f"{short(key)} stands before {short(other_key)} in the list, which is not ordered as declared"
            yield "not in the declared order", says, (whole.page_of(key),)
            return


def _members(site: RecordSite, body: object) -> Mapping[str, object]:
    return {**site.reader.members(body), site.resource.key: site.reader.key(body)}


# Lists against single records


def _judge_single_changes(context: SiteContext, known: Sequence[CreatedRecord], names: Names) -> Iterator[Finding]:
    """Change one record, delete another and write it again, by single requests: the list shows it."""
    site, session = context.site, context.session
    touched: list[object] = []
    for n, action in enumerate(
        one for one in (site.changing_action, "delete") if one is not None and one in site.operations
    ):
        record = known[n + 1]
        members: dict[str, Any] = {}
        if action != "delete":
            factory = record_factory_of(session, site.resource)
            change = factory.fresh_change(record_context_of(names, session.rng(LAW, "c")), "lc")
            members = {**({} if action == "update" else record.members), **change}
        session.send(write_request(site, action, members, key=record.key, version=record.version).request())
        if action != "delete" or not session.contract.keeps_deleted(site.resource.name):
            touched.append(record.key)
    yield from _judge_agreement(context, [known[0].key, *touched], "a single change")
    yield from judge_whole(context, LAW, [])  # before what comes next makes up for it
    writing = next((one for one in ("upsert", "replace") if one in site.operations), None)
    if writing is not None and "delete" in site.operations:
        session.send(write_request(site, writing, record.members, key=record.key).request())
        yield from _judge_agreement(context, [record.key], "a single write of what was deleted")


def _judge_bulk_changes(context: SiteContext, bulk: SiteContext, as_job: str | None) -> Iterator[Finding]:
    """Apply each valid case by a bulk request, with the list read before; then revive what it deleted."""
    try:
        cases = available_cases(bulk)[0]
        trial = prepare_trial(bulk, cases)
        whole_list(context.session, context.site)
        done = perform(trial, SendOptions(unit=bulk.unit, as_job=as_job))
    except NotApplicableError:
        return
    keeps = context.session.contract.keeps_deleted(context.site.resource.name)
    gone = {one.slot for one in trial.items if keeps and one.case.action == "delete"}
    keys = [key for slot, key in record_keys(done).items() if slot not in gone]
    yield from _judge_agreement(context, keys, bulk.operation.id)
    yield from _judge_revival(context, bulk)


def _judge_revival(context: SiteContext, bulk: SiteContext) -> Iterator[Finding]:
    """Delete a record by a single request, and create it again by a bulk request: read and listed alike."""
    site, session, action = context.site, context.session, "upsert"
    if (
        site.resource.assigned
        or action not in {one.action for one in available_cases(bulk)[0]}
        or "delete" not in site.operations
    ):
        return
    try:
        trial = prepare_trial(bulk, [ItemCase(action=action)])
        _revived(trial)
        perform(trial, SendOptions(unit=bulk.unit))
        key = trial.items[0].key
        session.send(
            write_request(site, "delete", {}, key=key, version=read_record(session, site, key).known_version).request()
        )
        whole_list(session, site)
        perform(trial, SendOptions(unit=bulk.unit))
    except NotApplicableError:
        return
    yield from _judge_agreement(context, [key], bulk.operation.id)


def _revived(trial: Trial) -> None:
    """Have the items of a trial say that their records are not deleted, where a member does."""
    tombstone, payload = trial.context.resource.tombstone, trial.context.bulk.effect.payload
    if tombstone is None or payload in trial.context.bulk.items.shared:
        return
    for n, one in enumerate(trial.items):
        trial.items[n] = replace(one, raw=put(one.raw, f"{payload}/{tombstone}", value=False))


def _judge_agreement(context: SiteContext, keys: Sequence[object], by: str) -> Iterator[Finding]:
    """Yield records that the list shows otherwise than single reads, seen twice between two equal reads."""
    session, site = context.session, context.site
    wanted = [one for one in dict.fromkeys(keys) if isinstance(one, str | int)] if "read" in site.operations else []
    seen: set[str] = set()
    for _ in range(ATTEMPTS if wanted else 0):
        reads = {key: read_record(session, site, key) for key in wanted}
        whole = whole_list(session, site)
        found = [fault for key, read in reads.items() for fault in _disagreement(site, whole, read, key_text(key), by)]
        if not found:
            return
        wanted = [key for key in wanted if any(short(key) in one[1] for one in found)]
        after = {key: read_record(session, site, key) for key in wanted}
        steady = [short(key) for key, one in after.items() if not one.differs(reads[key], Names(prefix="~", number=0))]
        found = [one for one in found if any(key in one[1] for key in steady)]
        again = {one[0]: one for one in found if one[0] in seen}
        if again:
            yield from (list_finding(context, LAW, *one) for one in again.values())
            return
        seen |= {one[0] for one in found}


def _disagreement(site: RecordSite, whole: WholeList, read: Snapshot, key: str, by: str) -> Iterator[Fault]:
    """Yield how the list shows a record otherwise than a read."""
    if read.exchange is None:
        return
    evidence, what = (read.exchange, whole.page_of(key)), f"after {by} the {site.resource.name} {short(key)}"
    if read.present and key not in whole.bodies:
        yield f"record is not listed after {by}", f"{what} is read, and not listed", evidence
    elif read.present is False and key in whole.bodies:
        yield f"deleted record is listed after {by}", f"{what} is gone, and listed", evidence
    elif read.present:
        shown = site.reader.stored(whole.bodies[key], None)
        for name, value in (read.members or {}).items():
            schema = None if read.schema is None else read.schema.member(name)
            if name in shown and not equivalent(schema, shown[name], value):
                says = f"{what} has '{name}' {short(value)} when read, and {short(shown[name])} in the list"
                yield f"listed otherwise than read after {by}", says, evidence
                return

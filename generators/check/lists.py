"""Read lists as a whole, compare parts of them with it, also while others write, and find records in them.

Begin with `whole_list` and `judge_whole`. What a part shows is judged when the whole list is the same before and after,
and is reported when it was seen several times. `find_rows` finds records.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from contracts.bulk.lists import FilterLanguage, Pagination
from contracts.bulk.model import Location
from contracts.exchange.filters import Comparison, Filter, Joined, is_writable, write_filter
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import read_response
from contracts.exchange.outcomes import RepresentationReader, listed_records, page_total
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import short
from generators.client.session import Session
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import is_made_up
from generators.requests.known_records import Marker
from generators.requests.single import NOTHING_ASKED, RecordSite, list_request, page_size

MAX_WHOLE: Final = 5000  # records of a list that is read as a whole
MAX_REPEATED: Final = 50  # records of a list that stand twice, before it is left
ATTEMPTS: Final = 8  # readings of a list that others change meanwhile
SIGHTINGS: Final = 3  # of a fault, before it is told
MAX_SELECTIONS: Final = 8  # filtered lists in the place of the whole one
SELECTED_AT_ONCE: Final = 8  # records that one filter selects, where a language has `or`

Fault: TypeAlias = tuple[str, str, tuple[Exchange, ...]]  # shape, what is wrong, evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeList:
    """All records of a list: their keys as text, their bodies by key, the pages, and the faults of these pages.

    `shown` has the page of each key.
    """

    keys: tuple[str, ...]
    bodies: Mapping[str, object]
    pages: tuple[Exchange, ...]
    shown: Mapping[str, Exchange] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def page_of(self, key: str) -> Exchange:
        """Return the page that shows a record; the last one where none does."""
        return self.shown.get(key, self.pages[-1])


Probe: TypeAlias = Callable[[WholeList], Iterator[Fault]]


def whole_list(session: Session, site: RecordSite) -> WholeList:
    """Read all records of a list. Raises NotApplicableError when it is too long, or shows no keys."""
    rows: list[tuple[str, object, Exchange]] = []
    pages: list[tuple[Exchange, int]] = []
    reader, size = site.reader, page_size(site.page)
    for exchange, some in walk(session, site, size):
        pages.append((exchange, len(some)))
        rows += [(_key_of(reader, body), body, exchange) for body in some]
        if len(rows) - len({key for key, *_ in rows}) > MAX_REPEATED:
            break  # a list without an end
        if len(rows) > MAX_WHOLE:
            raise NotApplicableError(f"the list has more than {MAX_WHOLE} records")
    is_steady = len(pages) == 1 or tells_total(session, site)  # else its pages may be of several instants
    if not pages or not is_steady or not _is_whole(site, len(rows), pages[-1][0]):
        raise NotApplicableError("it cannot be told whether the list is whole")
    count = len(rows) if tells_total(session, site) else None
    return WholeList(
        keys=tuple(key for key, *_ in rows),
        bodies={key: body for key, body, _ in rows},
        pages=tuple(exchange for exchange, _ in pages),
        shown={key: exchange for key, _, exchange in reversed(rows)},
        faults=(*_repeated(site, rows), *_page_faults(site, pages, count, size)),
    )


def _key_of(reader: RepresentationReader, body: object) -> str:
    key = reader.key(body)
    if key is ABSENT or isinstance(key, dict | list):
        raise NotApplicableError(f"the list of {reader.resource.name} shows no keys")
    return key_text(key)


def _repeated(site: RecordSite, rows: Sequence[tuple[str, object, Exchange]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for key, _, exchange in rows:
        if key in seen:
            says = f"the {site.resource.name} {short(key)} stands in the list twice"
            yield "record stands twice", says, (exchange,)
            return
        seen.add(key)


def _page_faults(
    site: RecordSite, pages: Sequence[tuple[Exchange, int]], count: int | None, size: int | None
) -> Iterator[Fault]:
    """Yield totals that are not the number of records, and pages that are short although more follow."""
    for exchange, _ in pages:
        total = page_total(site.page, exchange.response)
        if total is not None and count is not None and total != count:
            says = f"the list has {count} records but reports a total of {total}"
            yield "another total", says, (exchange,)
    for (exchange, some), (after, more) in pairwise(pages):
        if size is not None and more and some < size:
            yield "page is short", f"a page of {size} records shows {some}, and more follow", (exchange, after)


def _is_whole(site: RecordSite, count: int, last: Exchange) -> bool:
    """Return whether nothing can stand behind the last page of a list."""
    page = site.page
    if any(one is not None for one in (page.skip, page.number, page.cursor)):
        return True
    size = None if page.otherwise else page_size(page) or page.unasked
    return page_total(page, last.response) == count or (size is not None and count < size)


def walk(session: Session, site: RecordSite, size: int | None) -> Iterator[tuple[Exchange, Sequence[object]]]:
    """Yield the pages of a list, of a `size`, with their records, up to an empty one or the last."""
    page, seen, number, cursor = site.page, 0, 1, None
    while True:
        asked: dict[str, object] = {}
        if page.number is not None and number > 1:
            asked[page.number] = number
        if page.cursor is not None and cursor is not None:
            asked[page.cursor] = cursor
        skip = seen if page.number is None and page.cursor is None else 0
        exchange, some = list_page(session, site, skip=skip, take=size, asked=asked)
        yield exchange, some
        seen, number = seen + len(some), number + 1
        told = read_response(exchange.response, page.next) if page.next is not None else ABSENT
        cursor = told if isinstance(told, str | int) and told != "" else None
        is_told = tells_total(session, site) and page_total(page, exchange.response) == seen
        is_over = cursor is None if page.cursor is not None else is_told
        if not some or is_over or (page.skip is None and page.number is None and page.cursor is None):
            return


def list_page(
    session: Session,
    site: RecordSite,
    *,
    skip: int = 0,
    take: int | None = None,
    asked: Mapping[str, object] = NOTHING_ASKED,
) -> tuple[Exchange, Sequence[object]]:
    """Send a request for a list, with values of further parameters, and return the records that it shows.

    Raises NotApplicableError when it shows none as a list.
    """
    exchange = session.send(list_request(site, skip=skip, take=take, asked=asked).request())
    bodies = listed_records(exchange.response.data)
    if exchange.response.status not in SUCCESS_STATUS or bodies is None or is_made_up(exchange.response):
        raise NotApplicableError(f"the list was answered {exchange.response.status}, or made up")
    return exchange, bodies


def judge_whole(context: SiteContext, law: str, probes: Sequence[Probe]) -> Iterator[Finding]:
    """Yield what probes of a list find, each confirmed by itself."""
    whole = whole_list(context.session, context.site)
    for probe in [one for one in (_faults_of_whole, *probes) if next(one(whole), None) is not None]:
        yield from _confirmed(context, law, probe)


def _faults_of_whole(whole: WholeList) -> Iterator[Fault]:
    yield from whole.faults


def _confirmed(context: SiteContext, law: str, probe: Probe) -> Iterator[Finding]:
    """Yield faults that were seen three times, in the same words, in a list that was the same before and after.

    A record that others delete and create again comes between two equal readings now and then.
    """
    seen = Counter[tuple[str, str]]()
    for _ in range(ATTEMPTS):
        whole = whole_list(context.session, context.site)
        found = list(probe(whole))
        if not found:
            return
        if whole_list(context.session, context.site).keys == whole.keys:
            seen.update({one[:2] for one in found})
            again = {one[0]: one for one in found if seen[one[:2]] >= SIGHTINGS}
            if again:
                yield from (list_finding(context, law, *one) for one in again.values())
                return


def list_finding(context: SiteContext, law: str, shape: str, says: str, evidence: tuple[Exchange, ...]) -> Finding:
    """Return the finding of a fault."""
    return new_finding(law, context.operation.id, shape, says, evidence)


def is_after(one: Mapping[str, object], other: Mapping[str, object], steps: Sequence[tuple[str, bool]]) -> bool:
    """Return whether a record certainly belongs behind another one, in an order by members that may fall."""
    for member, falls in steps:
        values = one.get(member), other.get(member)
        if values[0] == values[1] and values[0] is not None:
            continue
        texts = all(isinstance(value, str) for value in values)
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if not texts and not numbers:
            return False
        return (values[0] < values[1]) if falls else (values[0] > values[1])  # type: ignore[operator,no-any-return] # of one type
    return False


MAX_PAGES: Final = 12  # pages of a list that are searched for one record
TAIL: Final = 16  # records before the last new ones, that a list is searched from

Row: TypeAlias = tuple[object, Exchange, int]  # a record's body, its page, and the number of its copies
Marks: TypeAlias = Callable[[object], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEnd:
    """Where new records stand in a list: from the index `begin` on, at which the record with the key `anchor` stands.

    With `begin` 0 they stand anywhere.
    """

    begin: int = 0
    anchor: str = ""


def find_rows(
    session: Session, site: RecordSite, wanted: Collection[str], expected: Collection[str], marks: Marks
) -> tuple[Mapping[str, Row], Exchange | None]:
    """Return the rows of a list that have one of the `wanted` marks, and the last page where all were certainly seen.

    `expected` are marks that are there if all is well. They are searched for in the whole list, others only where
    new records have been found so far: at the end of the list.
    """
    if not wanted:
        return {}, None
    name = ("end of list", site)
    known = session.cache.get(name)
    end = known if isinstance(known, ListEnd) else None
    if end is not None and end.begin:
        rows, last, seen = _search(session, site, wanted, marks, end.begin)
        if seen and _anchor(site, seen[0]) == end.anchor and all(mark in rows for mark in expected):
            session.cache[name] = _end_of(site, end.begin, seen, rows) or end
            return {mark: row for mark, (_, row) in rows.items()}, last
    rows, last, seen = _search(session, site, wanted, marks, 0)
    if rows and site.page.skip is not None and (end is None or end.begin):
        session.cache[name] = _end_of(site, 0, seen, rows)
    return {mark: row for mark, (_, row) in rows.items()}, last


def find_selected(
    session: Session, site: RecordSite, sought: Sequence[Marker], expected: Collection[str], marks: Marks
) -> tuple[Mapping[str, Row], Exchange | None]:
    """Return what `find_rows` does, from the short lists that filters select, where there are some.

    What is expected and not selected is searched for in the whole list. If it is there, filters are not asked again.
    """
    wanted, name = {one.text for one in sought}, ("filters fail", site)
    asked = [] if session.cache.get(name) else _selections(site.rules.filter, sought)
    found = _selected(session, site, wanted, marks, asked) if asked else None
    if found is not None and all(mark in found[0] for mark in expected):
        return found
    rows, last = find_rows(session, site, wanted, expected, marks)
    if asked:
        session.cache[name] = found is None or len(rows) > len(found[0])
    return rows, last


def _selected(
    session: Session,
    site: RecordSite,
    wanted: Collection[str],
    marks: Marks,
    filters: Sequence[Mapping[Location, object]],
) -> tuple[dict[str, Row], Exchange | None] | None:
    """Return the wanted rows that filters select and the last answer; None where a filter is refused, or ignored."""
    rows: dict[str, Row] = {}
    last: Exchange | None = None
    for asked in filters:
        last = session.send(list_request(site, take=page_size(site.page), asked=asked).request())
        bodies = listed_records(last.response.data)
        if last.response.status not in SUCCESS_STATUS or bodies is None or len(bodies) >= _min_page_size(site.page):
            return None
        found = [(mark, body) for body in bodies for mark in marks(body) if mark in wanted]
        for mark, body in found:
            rows[mark] = (body, last, rows[mark][2] + 1 if mark in rows else 1)
    return rows, last


def _selections(language: FilterLanguage | None, sought: Sequence[Marker]) -> list[Mapping[Location, object]]:
    """Return what to ask a list for, so that it shows the records that are sought; nothing where that is too much."""
    if language is None:
        return []
    each: list[Filter] = [Comparison(one.member, "eq", one.value) for one in sought]
    some = range(0, len(each), SELECTED_AT_ONCE)
    joined: list[Filter] = [Joined("or", tuple(each[at : at + SELECTED_AT_ONCE])) for at in some]
    filters = joined if all(is_writable(language, one) for one in joined) else each
    is_usable = len(filters) <= MAX_SELECTIONS and all(is_writable(language, one) for one in filters)
    return [{language.at: write_filter(language, one)} for one in filters] if is_usable else []


def _anchor(site: RecordSite, body: object) -> str:
    return key_text(site.reader.key(body))


def _end_of(
    site: RecordSite, begin: int, seen: Sequence[object], rows: Mapping[str, tuple[int, Row]]
) -> ListEnd | None:
    """Return where new records stand in a list that was seen from `begin` on, None where it is too short to tell."""
    count = begin + len(seen)
    first = min((at for at, _ in rows.values()), default=count)
    if count - first > len(rows) + TAIL:
        return ListEnd()
    at = max(begin, first - TAIL)
    return ListEnd(begin=at, anchor=_anchor(site, seen[at - begin])) if at < count and at else None


def _search(
    session: Session, site: RecordSite, wanted: Collection[str], marks: Marks, begin: int
) -> tuple[dict[str, tuple[int, Row]], Exchange | None, Sequence[object]]:
    """Return the rows with wanted marks and their indexes, the last page if it is one, and all records seen."""
    rows: dict[str, tuple[int, Row]] = {}
    last: Exchange | None = None
    seen: list[object] = []
    sought = frozenset(wanted)
    for exchange, bodies, is_last in _pages(session, site, begin):
        for at, body in enumerate(bodies, begin + len(seen)):
            for mark in sought.intersection(marks(body)):
                copies = rows[mark][1][2] + 1 if mark in rows else 1
                rows[mark] = (at, (body, exchange, copies))
        seen += bodies
        last = exchange if is_last else None
    return rows, last, seen


def _pages(session: Session, site: RecordSite, begin: int = 0) -> Iterator[tuple[Exchange, Sequence[object], bool]]:
    """Yield the pages of a list, each with whether all records were certainly seen; at most `MAX_PAGES`.

    Where others write too, a page begins with the last record of the one before: if another is there, the list has
    moved between the two requests, and a record may have been missed.
    """
    page, seen, is_steady = site.page, begin, True
    last: object = ABSENT
    for _ in range(MAX_PAGES if "list" in site.operations else 0):
        overlap = 0 if last is ABSENT or session.controlled or page_size(page) == 1 else 1
        exchange = session.send(list_request(site, skip=seen - overlap, take=page_size(page)).request())
        bodies = listed_records(exchange.response.data)
        if exchange.response.status not in SUCCESS_STATUS or bodies is None or not _are_records(bodies, exchange):
            return
        is_same = bool(overlap and bodies) and key_text(site.reader.key(bodies[0])) == key_text(last)
        is_steady = is_steady and (is_same or not overlap)
        last = site.reader.key(bodies[-1]) if bodies else last
        seen += len(bodies) - overlap
        is_short = len(bodies) <= overlap or len(bodies) < _min_page_size(page)
        is_last = is_short or (tells_total(session, site) and page_total(page, exchange.response) == seen)
        yield exchange, bodies[overlap:] if is_same else bodies, is_last and is_steady
        if is_last or page.skip is None:
            return


def _are_records(bodies: Sequence[object], exchange: Exchange) -> bool:
    """Return whether a list has records: a schema may leave open what it has, and a sandbox may make that up."""
    return all(isinstance(one, dict) for one in bodies) and not is_made_up(exchange.response)


def tells_total(session: Session, site: RecordSite) -> bool:
    """Return whether the total of a list is that of the same instant: others write while it may lag behind."""
    return session.controlled or site.resource.consistency is None


def _min_page_size(page: Pagination) -> int:
    """Return the number of records on every page but the last; 0 when it is unknown."""
    known = page_size(page)
    if known is not None:
        return known
    return (page.unasked or 0) if not page.is_paged else 0

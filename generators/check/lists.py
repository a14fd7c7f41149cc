"""Read lists as a whole, and compare parts of them with it, also while others write.

Begin with `whole_list` and `judge_whole`. What a part shows is judged when the whole list is the same before and after,
and is reported when it was seen twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import read_response
from contracts.exchange.outcomes import RepresentationReader, listed_records, page_total
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import short
from generators.check.records import tells_total
from generators.client.session import Session
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.single import RecordSite, list_request, page_size

MAX_WHOLE: Final = 5000  # records of a list that is read as a whole
MAX_REPEATED: Final = 50  # records of a list that stand twice, before it is left
ATTEMPTS: Final = 8  # readings of a list that others change meanwhile

Fault: TypeAlias = tuple[str, str, tuple[Exchange, ...]]  # shape, what is wrong, evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeList:
    """All records of a list: their keys as text, their bodies by key, the pages, and the faults of these pages."""

    keys: tuple[str, ...]
    bodies: Mapping[str, object]
    pages: tuple[Exchange, ...]
    faults: tuple[Fault, ...] = ()

    def page_of(self, key: str) -> Exchange:
        """Return the page that shows a record; the last one where none does."""
        marked = (one for one in self.pages if key.encode() in one.response.body)
        return next(marked, self.pages[-1])


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
    size = page_size(page) or page.unasked
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
    session: Session, site: RecordSite, *, skip: int = 0, take: int | None = None, asked: Mapping[str, object]
) -> tuple[Exchange, Sequence[object]]:
    """Send a request for a list, with values of further parameters, and return the records that it shows.

    Raises NotApplicableError when it shows none as a list.
    """
    exchange = session.send(list_request(site, skip=skip, take=take, asked=asked).request())
    bodies = listed_records(exchange.response.data)
    if exchange.response.status not in SUCCESS_STATUS or bodies is None:
        raise NotApplicableError(f"the list was answered {exchange.response.status}")
    return exchange, bodies


def judge_whole(context: SiteContext, law: str, probes: Sequence[Probe]) -> Iterator[Finding]:
    """Yield what probes of a list find, each confirmed by itself."""
    whole = whole_list(context.session, context.site)
    for probe in [one for one in (_faults_of_whole, *probes) if next(one(whole), None) is not None]:
        yield from _confirmed(context, law, probe)


def _faults_of_whole(whole: WholeList) -> Iterator[Fault]:
    yield from whole.faults


def _confirmed(context: SiteContext, law: str, probe: Probe) -> Iterator[Finding]:
    """Yield faults that were seen twice in a list that was the same before and after."""
    seen: set[str] = set()
    for _ in range(ATTEMPTS):
        whole = whole_list(context.session, context.site)
        found = list(probe(whole))
        if not found:
            return
        if whole_list(context.session, context.site).keys == whole.keys:
            again = {one[0]: one for one in found if one[0] in seen}
            if again:
                yield from (list_finding(context, law, *one) for one in again.values())
                return
            seen |= {one[0] for one in found}


def list_finding(context: SiteContext, law: str, shape: str, says: str, evidence: tuple[Exchange, ...]) -> Finding:
    """Return the finding of a fault."""
    sentence = f"{says[:1].upper()}{says[1:]}."
    return Finding(law=law, operation=context.operation.id, shape=shape, says=sentence, evidence=evidence)


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

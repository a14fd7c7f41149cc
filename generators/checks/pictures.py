"""What is stored, as far as reading it back shows: pictures of records that compare across equal trials."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from contracts.bulk import Page
from contracts.messages import ABSENT, Exchange
from generators.checks.bench import Bench
from generators.checks.jobs import GONE, OK
from generators.checks.payloads import member_schemas
from generators.checks.venues import Venue
from generators.impossible import ImpossibleError
from generators.locations import look, told
from generators.requests.calls import CallDraft, draft
from generators.requests.names import Names

PAGES: Final = 12  # pages of a list that are looked through for one record
PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A record as it was read: `members` are those of its schema. `present` is None when nobody can tell.

    `copies` counts the records that hold what only one was given, where it was found in a list.
    """

    present: bool | None
    key: object = ABSENT
    version: object = ABSENT
    members: Mapping[str, object] | None = None
    copies: int = 1
    exchange: Exchange | None = None

    def like(self, names: Names) -> tuple[object, ...]:
        """Return what must be the same in an equal trial."""
        return (self.present, self.version, names.scrub(dict(self.members)) if self.members is not None else None)


UNKNOWN: Final = Picture(present=None)


def single(venue: Venue, action: str, *, key: object = ABSENT) -> CallDraft:
    """Return a single-record call about one record. Raises ImpossibleError when the contract has none."""
    operation = venue.acts.get(action)
    if operation is None or operation.record is None:
        raise ImpossibleError(f"the contract has no call to {action} one {venue.resource.name}")
    made = draft(operation, venue.values)
    if key is not ABSENT and operation.record.key is not None:
        made.put(operation.record.key, key)
    return made


def read(bench: Bench, venue: Venue, key: object) -> Picture:
    """Return a record by its key. Raises ImpossibleError when it cannot be read."""
    exchange = bench.send(single(venue, "read", key=key).call())
    if exchange.reply.status in GONE:
        return Picture(present=False, key=key, exchange=exchange)
    if exchange.reply.status not in OK:
        raise ImpossibleError(f"reading a {venue.resource.name} back was answered {exchange.reply.status}")
    return picture_of(bench, venue, exchange.reply.data, exchange)


def picture_of(bench: Bench, venue: Venue, body: object, exchange: Exchange) -> Picture:
    """Return the record that a body shows."""
    content = _content(venue, body)
    names = member_schemas(bench, venue.resource)
    skipped = {venue.resource.key, venue.resource.version}
    members = {
        name: value for name, value in content.items() if name not in skipped and (names is None or name in names)
    }
    version = venue.resource.version
    return Picture(
        present=True,
        key=_member(body, content, venue.resource.key),
        version=ABSENT if version is None else _member(body, content, version),
        members=members,
        exchange=exchange,
    )


def _content(venue: Venue, body: object) -> Mapping[str, Any]:
    """Return the members of a record as shown: where its payload is written, else the body itself."""
    writing = (venue.acts[name] for name in ("create", "upsert", "replace") if name in venue.acts)
    places = [one.record.payload for one in writing if one.record is not None and one.record.payload]
    found = [look(body, at) for at in (*places, "")]
    return next((one for one in found if isinstance(one, dict)), {})


def _member(body: object, content: Mapping[str, object], name: str) -> object:
    own = look(body, f"/{name}")
    return own if own is not ABSENT else content.get(name, ABSENT)


def find(bench: Bench, venue: Venue, markers: Sequence[object]) -> Sequence[Picture]:
    """Return the records that hold these values, looked for in the list of all; UNKNOWN where that cannot tell."""
    wanted = {marker for marker in markers if marker is not None}
    found: dict[object, Picture] = {}
    missing = UNKNOWN
    for exchange, bodies, is_last in _pages(bench, venue) if wanted else ():
        near = {marker for marker in wanted if str(marker).encode() in exchange.reply.body}
        for body in bodies if near else ():
            for marker in near.intersection(map(_plain, _content(venue, body).values())):
                copies = found[marker].copies + 1 if marker in found else 1
                found[marker] = replace(picture_of(bench, venue, body, exchange), copies=copies)
        missing = Picture(present=False, exchange=exchange) if is_last else UNKNOWN
    return [UNKNOWN if marker is None else found.get(marker, missing) for marker in markers]


def _plain(value: object) -> object:
    return value if isinstance(value, str | int) else None


def _pages(bench: Bench, venue: Venue) -> Iterator[tuple[Exchange, Sequence[object], bool]]:
    """Yield the pages of a list, each with whether it is surely the last one; as many as are looked through."""
    lister = venue.acts.get("list")
    page = lister.record.page if lister is not None and lister.record is not None else Page()
    seen = 0
    for _ in range(PAGES if lister is not None else 0):
        made = single(venue, "list")
        for at, number in ((page.take, full_page(page)), (page.skip, seen)):
            if at is not None and number:
                made.put(at, number)
        exchange = bench.send(made.call())
        bodies = bodies_of(exchange.reply.data)
        if exchange.reply.status not in OK or bodies is None:
            return
        seen += len(bodies)
        total = told(exchange.reply, page.total) if page.total is not None else ABSENT
        is_last = not bodies or str(total) == str(seen) or len(bodies) < _most(page)
        yield exchange, bodies, is_last
        if is_last or page.skip is None:
            return


def full_page(page: Page) -> int | None:
    """Return how many records to ask a list for: as many as are declared to be allowed, None when nothing is."""
    return None if page.take is None or page.max is None else min(page.max, PAGE)


def _most(page: Page) -> int:
    """Return how many records a page has for sure unless it is the last; 0 when nobody knows."""
    known = full_page(page)
    if known is not None:
        return known
    return page.default if page.take is None and page.skip is None else 0


def bodies_of(data: object) -> Sequence[object] | None:
    """Return the records that a list answers with: the body itself, or the one list in it."""
    lists = [data] if isinstance(data, list) else []
    lists += [value for value in data.values() if isinstance(value, list)] if isinstance(data, dict) else []
    return lists[0] if len(lists) == 1 else None

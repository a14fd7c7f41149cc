"""Holding records that are read, alone or in a list, against what is believed to be stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from contracts.bulk import Page, Resource
from contracts.messages import ABSENT, Exchange
from contracts.texts import short, whole
from generators.campaign.kinds import Kinds
from generators.campaign.ledger import Change, Entry, Ledger, Where
from generators.campaign.listings import Listings, Window, is_native
from generators.campaign.wants import Want
from generators.checks.findings import Finding
from generators.checks.jobs import GONE, OK
from generators.locations import look, told

CHECK: Final = "read-back"
SAYS: Final = "Records whose outcome is done can be read back, and records whose outcome is not done cannot."
TOOK: Final = "took"
KEPT: Final = "kept"
OLD: Final = "member keeps its old value"


class Early(NamedTuple):
    """A record as it was believed to be, and its members as they were read; None when it was not there."""

    entry: Entry
    shown: Mapping[str, object] | None
    exchange: Exchange

    def shows(self, want: Want) -> bool:
        """Say whether the effect of a want is there already."""
        if want.action == "delete":
            return self.entry.present is True and self.shown is None
        if self.shown is None or self.entry.present is False:
            return self.shown is not None
        known = {name: self.entry.members[name] for name in want.members or {} if name in self.entry.members}
        wanted, shown = want.members or {}, self.shown
        return any(not same(old, wanted[name]) and same(shown.get(name), wanted[name]) for name, old in known.items())


class ReadBack:
    """Judges reads. `early` are those of records that a job under way is to change; others write too if not `alone`."""

    def __init__(self, ledger: Ledger, kinds: Kinds, *, alone: bool = True) -> None:
        self._ledger, self._kinds = ledger, kinds
        self._habits: dict[tuple[str, ...], tuple[object, Exchange]] = {}
        self._listings = Listings(alone=alone)
        self.early: list[Early] = []

    def read(self, want: Want, exchange: Exchange) -> Iterator[Finding]:
        """Yield where one record is not as it is believed to be, and believe what was read."""
        status = exchange.reply.status
        if status not in OK and status not in GONE:
            return
        if not isinstance(want.key, str | int):
            return
        body = exchange.reply.data if status in OK else ABSENT
        yield from self._seen(want.where, want.resource, want.key, body, exchange)

    def listed(self, want: Want, exchange: Exchange) -> Iterator[Finding]:
        """Yield where a list that shows all there is lacks a record, has one too many, or shows one otherwise."""
        bodies = exchange.reply.data
        if exchange.reply.status not in OK or not isinstance(bodies, list):
            return
        shown: dict[str, Any] = {
            str(key): body for body in bodies if (key := self.key_in(want.resource, body)) is not ABSENT
        }
        for key, body in shown.items():
            entry = self._ledger.find(want.where, key)
            if entry is not None:
                yield from self._seen(want.where, want.resource, entry.key, body, exchange)
            else:
                yield from self._unknown(want, key, body, exchange)
        yield from self._too_short(exchange, len(bodies))
        if len(shown) == len(bodies):
            yield from self._beside_others(want, shown, exchange)
        if self._is_whole(exchange, len(bodies)):
            for entry in self._ledger.entries(want.where):
                if entry.present and entry.is_sure and str(entry.key) not in shown:
                    yield self._finding(
                        entry, "stored record is not listed", f"{_name(entry)} is not in the list", exchange
                    )
                    self._ledger.doubt(want.where, entry.key)

    def _beside_others(self, want: Want, shown: Mapping[str, Any], exchange: Exchange) -> Iterator[Finding]:
        """Yield where a list does not go with the lists before it."""
        page = self._page(exchange)
        if self._is_whole(exchange, len(shown)):
            natives = frozenset(key for key, body in shown.items() if is_native(self._names(want.resource, body)))
            touched = partial(self._is_touched, want.where)
            for shape, says, evidence in self._listings.whole(want.where, list(shown), natives, exchange, touched):
                yield _said(exchange.operation or "", shape, says, evidence)
        elif page is not None:
            skip, take = _asked(exchange, page.skip, 0), _asked(exchange, page.take, page.default)
            self._listings.window(want.where, Window(skip, take, tuple(shown), exchange))

    def _is_touched(self, where: Where, key: str) -> bool:
        """Say whether a call has named a record, so that the ledger knows better what became of it."""
        return self._ledger.find(where, key) is not None or self._ledger.elsewhere(where, key)

    def _names(self, resource: Resource, body: Any) -> list[object]:
        """Return what a record is called by: its key where callers choose it, and what is unique about it."""
        members = self._members(resource, body)
        own = [] if resource.assigned else [self.key_in(resource, body)]
        return [*own, *(members.get(names[0]) for names in resource.unique if len(names) == 1)]

    def _page(self, exchange: Exchange) -> Page | None:
        operation = self._kinds.routes.get(exchange.operation or "")
        return operation.record.page if operation is not None and operation.record is not None else None

    def _too_short(self, exchange: Exchange, size: int) -> Iterator[Finding]:
        """Yield a list with fewer records than its window has, by the total that it tells."""
        page = self._page(exchange)
        total = told(exchange.reply, page.total) if page is not None and page.total is not None else ABSENT
        number = whole(str(total))
        if page is None or number is None:
            return
        skip, take = (_asked(exchange, at, otherwise) for at, otherwise in ((page.skip, 0), (page.take, page.default)))
        if size < min(take, number - skip):
            says = f"a list shows {size} records from {skip} on, but {total} in all"
            yield _said(exchange.operation or "", "list is shorter than its total", says, (exchange,))

    def _is_whole(self, exchange: Exchange, size: int) -> bool:
        """Say whether a page shows every record that there is."""
        page = self._page(exchange)
        query = dict(exchange.call.query)
        if page is None or len(query) > (page.take is not None) + (page.skip is not None):
            return False
        if page.skip is not None and query.get(page.skip.partition(":")[2], "0") != "0":
            return False
        total = told(exchange.reply, page.total) if page.total is not None else ABSENT
        if total is not ABSENT:
            return str(total) == str(size)
        asked = query.get(page.take.partition(":")[2], "") if page.take is not None else ""
        number = whole(asked)
        return size < (page.default if number is None else number)

    def _unknown(self, want: Want, key: str, body: Any, exchange: Exchange) -> Iterator[Finding]:
        """Yield a record that nobody ought to have made."""
        values = [one for one in self._members(want.resource, body).values() if isinstance(one, str | int)]
        own = [*values, key]
        culprit = next((self._ledger.denied[one] for one in own if one in self._ledger.denied), None)
        ours = any(self._ledger.is_ours(one) and not isinstance(one, bool) for one in own)
        loose = any(map(self._ledger.is_loose, own)) or self._ledger.elsewhere(want.where, key)
        if ours and not loose and culprit is not None:
            says = f"a {want.resource.name} is stored although its outcome is not done"
            yield _said(culprit.operation or "", "undone record is stored", says, (culprit, exchange))
            self._ledger.doubt(want.where, key, at=exchange)

    def _seen(
        self, where: Where, resource: Resource, key: str | int, body: Any, exchange: Exchange
    ) -> Iterator[Finding]:
        entry = self._ledger.find(where, key)
        if entry is None:
            present = False if self._ledger.is_ours(key) and not self._ledger.elsewhere(where, key) else None
            entry = Entry(where=where, key=key, present=present)
        if entry.jobs:
            self._note_early(entry, resource, body, exchange)
            return
        if entry.present is not None:
            yield from self._compared(entry, resource, body, exchange)
        self._ledger.put(self._learned(entry, resource, body, exchange))

    def _compared(self, entry: Entry, resource: Resource, body: Any, exchange: Exchange) -> Iterator[Finding]:
        if entry.present is not (body is not ABSENT):
            shape = "stored record is gone" if entry.present else "record is there that must not be"
            says = f"{_name(entry)} is {'not there' if entry.present else 'there'}"
            yield self._finding(entry, shape, says, exchange)
            return
        if body is ABSENT:
            return
        version = self._version(resource, body)
        if entry.version is not None and isinstance(version, int) and version != entry.version:
            says = f"{_name(entry)} is at version {version}, but the changes so far make it {entry.version}"
            yield replace(self._finding(entry, "version moved otherwise", says, exchange), law="stale-version")
        yield from self._members_compared(entry, resource, body, exchange)

    def _members_compared(self, entry: Entry, resource: Resource, body: Any, exchange: Exchange) -> Iterator[Finding]:
        shown, kind = self._members(resource, body), self._kinds[resource.name]
        for name in kind.shown or entry.members:
            got = shown.get(name)
            if name in entry.members:
                yield from self._member(entry, name, entry.members[name], got, exchange)
            elif entry.unset:
                yield from self._unset(entry, name, got, exchange)

    def _member(self, entry: Entry, name: str, wanted: object, got: object, exchange: Exchange) -> Iterator[Finding]:
        """Yield where a member is not what was written; one that no call of this kind has ever changed is let be."""
        before, by = entry.before.get(name, Change((), entry.by))
        habit = (TOOK, by, entry.where.resource, name)
        stuck = (KEPT, *habit[1:])
        if same(wanted, got):
            if before and not any(same(one, wanted) for one in before) and habit not in self._habits:
                self._habits[habit] = (got, exchange)
                yield from self._stuck(entry, name, stuck)
            return
        is_old = any(same(one, got) for one in before)
        if is_old and habit not in self._habits:
            self._habits.setdefault(stuck, (got, exchange))
            return
        shape = OLD if is_old else "member is lost" if got is None else "member reads otherwise"
        says = f"'{name}' of {_name(entry)} is {short(got)}, but {short(wanted)} was written"
        yield self._finding(entry, shape, says, exchange)

    def _stuck(self, entry: Entry, name: str, stuck: tuple[str, ...]) -> Iterator[Finding]:
        """Yield an earlier read in which a member had not changed, now that it is seen to change elsewhere."""
        if stuck in self._habits:
            got, earlier = self._habits[stuck]
            says = f"'{name}' of a {entry.where.resource} kept its old value {short(got)} although it can be changed"
            yield _said(entry.by, OLD, says, (earlier,))

    def _note_early(self, entry: Entry, resource: Resource, body: Any, exchange: Exchange) -> None:
        if entry.present is not None and len(entry.jobs) == 1:
            shown = self._members(resource, body) if body is not ABSENT else None
            self.early.append(Early(entry, shown, exchange))

    def _unset(self, entry: Entry, name: str, got: object, exchange: Exchange) -> Iterator[Finding]:
        """Yield where a member that was left out has another value than in an earlier record that left it out."""
        usual = self._habits.setdefault(("unset", entry.where.resource, name), (got, exchange))
        if not same(usual[0], got):
            says = f"'{name}' of {_name(entry)} was left out and is {short(got)}, where others have {short(usual[0])}"
            finding = self._finding(entry, "member that was left out has a value", says, exchange)
            yield replace(finding, evidence=(*finding.evidence[:-1], usual[1], exchange))

    def _learned(self, entry: Entry, resource: Resource, body: Any, exchange: Exchange) -> Entry:
        if body is ABSENT:
            return replace(entry, present=False, at=exchange)
        shown = self.key_in(resource, body)
        version = self._version(resource, body)
        number = version if isinstance(version, int) else None
        if entry.fresh and number is not None:
            self._ledger.first_versions.setdefault(resource.name, number)
        unset: dict[str, object] = dict.fromkeys(self._kinds[resource.name].shown)
        told_of = self._members(resource, body).items()
        members = {**unset, **{name: one for name, one in told_of if self._is_member(resource, name)}}
        key = shown if isinstance(shown, str | int) and str(shown) == str(entry.key) else entry.key
        return replace(
            entry,
            key=key,
            present=True,
            version=number,
            members=members,
            before={},
            unset=False,
            at=entry.at or exchange,
        )

    def _is_member(self, resource: Resource, name: str) -> bool:
        kind = self._kinds[resource.name]
        return name not in {resource.key, resource.version} and (kind.schema is None or name in kind.members)

    def _members(self, resource: Resource, body: Any) -> Mapping[str, Any]:
        found = [look(body, at) for at in (*self._kinds[resource.name].places, "")]
        return next((one for one in found if isinstance(one, dict)), {})

    def key_in(self, resource: Resource, body: Any) -> object:
        """Return the key that a record shows, ABSENT when it shows none."""
        own = look(body, f"/{resource.key}")
        return own if own is not ABSENT else self._members(resource, body).get(resource.key, ABSENT)

    def _version(self, resource: Resource, body: Any) -> object:
        if resource.version is None:
            return ABSENT
        own = look(body, f"/{resource.version}")
        return own if own is not ABSENT else self._members(resource, body).get(resource.version, ABSENT)

    def _finding(self, entry: Entry, shape: str, says: str, exchange: Exchange) -> Finding:
        evidence = (entry.at, exchange) if entry.at is not None and entry.at is not exchange else (exchange,)
        return _said(entry.by or exchange.operation or "", shape, says, evidence)


def _asked(exchange: Exchange, at: str | None, otherwise: int) -> int:
    name = at.partition(":")[2] if at is not None else ""
    given = dict(exchange.call.query).get(name, "")
    number = whole(given)
    return otherwise if number is None else number


def _said(operation: str, shape: str, says: str, evidence: Sequence[Exchange]) -> Finding:
    sentence = f"{says[:1].upper()}{says[1:]}."
    return Finding(law=CHECK, operation=operation, shape=shape, says=sentence, evidence=tuple(evidence))


def _name(entry: Entry) -> str:
    return f"the {entry.where.resource} {short(entry.key)}"


def same(one: object, other: object) -> bool:
    """Say whether two JSON values are the same; a value that is not there is as good as null."""
    if one is ABSENT:
        one = None
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return one == other

"""Judge records and lists that are read against the state model and against earlier lists. Begin with `ReadOracle`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from contracts.bulk.model import RecordAct, Resource
from contracts.exchange.job_traces import GONE_STATUS, SUCCESS_STATUS
from contracts.exchange.locations import read_response
from contracts.exchange.outcomes import RepresentationReader, page_total
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import parse_digits, pointer_of, short
from generators.oracles.findings import Finding, new_finding, shape_at
from generators.oracles.intended_effects import IntendedEffect, RecordTypes
from generators.oracles.list_oracle import (
    ListOracle,
    ListPage,
    is_foreign,
    is_selective,
    query_number,
    shows_some_members,
)
from generators.oracles.state_model import ANY_VALUE, REVIVAL, PreviousValues, RecordSet, RecordState, StateModel

CHECK: Final = "read-back"
STATEMENT: Final = "Records whose outcome is done can be read back, and records whose outcome is not done cannot."
CHANGED: Final = "took"
UNCHANGED: Final = "kept"
UNCHANGED_SHAPE: Final = "member keeps its old value"


class EarlyRead(NamedTuple):
    """The known state of a record, and its members as read while a job was running; None when it was not found."""

    entry: RecordState
    shown: Mapping[str, object] | None
    exchange: Exchange

    def has_effect(self, effect: IntendedEffect) -> bool:
        """Return whether the read shows an effect already, and no value that the record may have kept."""
        if effect.action == "delete":
            return self.entry.present is True and self.shown is None
        if self.shown is None or self.entry.present is False:
            return self.shown is not None
        entry, shown, reads_as = self.entry, self.shown, effect.record_type.reads_as
        return any(
            reads_as(name, wanted, shown.get(name))
            and not any(one is ANY_VALUE or reads_as(name, wanted, one) for one in entry.values_of(name))
            for name, wanted in (effect.members or {}).items()
            if name in entry.members
        )


class ReadOracle:
    """Judges reads of single records and lists.

    `early` are the reads of records that a running job is to change. Others write too unless it `is_exclusive`.
    """

    def __init__(self, state_model: StateModel, record_types: RecordTypes, *, is_exclusive: bool = True) -> None:
        self._state_model, self._record_types = state_model, record_types
        self._observations: dict[tuple[str, ...], tuple[object, Exchange]] = {}
        self._list_oracle, self._is_exclusive = ListOracle(is_exclusive=is_exclusive), is_exclusive
        self._read: dict[tuple[RecordSet, str], tuple[RecordState | None, str]] = {}
        self.early: list[EarlyRead] = []

    def judge_read(self, effect: IntendedEffect, exchange: Exchange) -> Iterator[Finding]:
        """Yield differences of one record from the state model, and store what was read."""
        status = exchange.response.status
        if status not in SUCCESS_STATUS and status not in GONE_STATUS:
            return
        if not isinstance(effect.key, str | int) or shows_some_members(self._act(exchange), exchange):
            return
        body = exchange.response.data if status in SUCCESS_STATUS else ABSENT
        yield from self._judge_record(effect.where, effect.resource, effect.key, body, exchange)

    def judge_answer(self, effect: IntendedEffect, exchange: Exchange) -> Iterator[Finding]:
        """Note the members that the answer to a change shows as they were written: reads must show them so, too."""
        entry = self._state_model.find(effect.where, effect.key)
        shown = self._reader(effect.resource).members(exchange.response.data)
        if entry is None or not entry.present:
            return
        for name in effect.members or ():
            wanted = entry.members.get(name, ABSENT)
            if name in shown and wanted is not ABSENT and effect.record_type.reads_as(name, wanted, shown[name]):
                yield from self._compare_member(entry, name, wanted, shown[name], exchange)

    def judge_list(self, effect: IntendedEffect, exchange: Exchange) -> Iterator[Finding]:
        """Yield records of a full list that are missing, unexpected or different, and store what was read."""
        bodies = exchange.response.data
        if exchange.response.status not in SUCCESS_STATUS or not isinstance(bodies, list):
            return
        if shows_some_members(self._act(exchange), exchange):
            return
        shown: dict[str, Any] = {
            key_text(key): body for body in bodies if (key := self._reader(effect.resource).key(body)) is not ABSENT
        }
        for key, body in shown.items():
            entry = self._state_model.find(effect.where, key)
            if entry is not None:
                yield from self._judge_record(effect.where, effect.resource, entry.key, body, exchange)
            else:
                yield from self._judge_unknown(effect, key, body, exchange)
        if self._is_exclusive or effect.resource.consistency is None:  # others may have made records meanwhile
            yield from self._judge_total(exchange, len(bodies))
        if len(shown) == len(bodies):
            yield from self._compare_lists(effect, shown, exchange)
        if self._is_full_list(exchange, len(bodies)):
            for entry in self._state_model.entries(effect.where):
                if entry.present and entry.is_known and key_text(entry.key) not in shown:
                    yield self._finding(
                        entry, "stored record is not listed", f"{_record_text(entry)} is not in the list", exchange
                    )
                    self._state_model.mark_unknown(effect.where, entry.key)

    def _compare_lists(self, effect: IntendedEffect, shown: Mapping[str, Any], exchange: Exchange) -> Iterator[Finding]:
        """Yield differences from earlier lists."""
        act = self._act(exchange)
        if self._is_full_list(exchange, len(shown)):
            foreign_keys = frozenset(
                key for key, body in shown.items() if is_foreign(self._names(effect.resource, body))
            )
            touched = partial(self._is_touched, effect.where)
            for shape, says, evidence in self._list_oracle.judge_full_list(
                effect.where, list(shown), foreign_keys, exchange, touched
            ):
                yield _new_finding(exchange.operation or "", shape, says, evidence)
        elif act is not None and not is_selective(act, exchange):
            page = act.page
            skip, take = query_number(exchange, page.skip, 0), query_number(exchange, page.take, page.unasked)
            if skip is not None and take is not None:
                self._list_oracle.add_page(effect.where, ListPage(skip, take, tuple(shown), exchange))

    def _is_touched(self, where: RecordSet, key: str) -> bool:
        """Return whether a request has named a record, so that the state model has its state."""
        return self._state_model.find(where, key) is not None or self._state_model.has_alias(where, key)

    def _names(self, resource: Resource, body: Any) -> list[object]:
        """Return what identifies a record: its key where clients choose it, and its unique members."""
        members = self._reader(resource).members(body)
        own = [] if resource.assigned else [self._reader(resource).key(body)]
        return [*own, *(members.get(names[0]) for names in resource.unique if len(names) == 1)]

    def _act(self, exchange: Exchange) -> RecordAct | None:
        operation = self._record_types.routes.get(exchange.operation or "")
        return operation.record if operation is not None else None

    def _judge_total(self, exchange: Exchange, size: int) -> Iterator[Finding]:
        """Yield a list with fewer records than its page and the reported total require."""
        act = self._act(exchange)
        total = None if act is None else page_total(act.page, exchange.response)
        if act is None or total is None:
            return
        page = act.page
        skip, take = query_number(exchange, page.skip, 0), query_number(exchange, page.take, page.unasked)
        is_offset = page.number is None and page.cursor is None
        if skip is not None and take is not None and is_offset and size < min(take, total - skip):
            says = f"a list shows {size} records from {skip} on, but {total} in all"
            yield _new_finding(exchange.operation or "", "list is shorter than its total", says, (exchange,))

    def _is_full_list(self, exchange: Exchange, size: int) -> bool:
        """Return whether a page shows every record."""
        act = self._act(exchange)
        query = dict(exchange.request.query)
        if act is None or is_selective(act, exchange):
            return False
        page = act.page
        if not query.keys() <= {at.partition(":")[2] for at in (page.take, page.skip) if at is not None}:
            return False  # another parameter may select
        if page.skip is not None and query.get(page.skip.partition(":")[2], "0") != "0":
            return False
        total = read_response(exchange.response, page.total) if page.total is not None else ABSENT
        if total is not ABSENT:
            return str(total) == str(size)
        asked = query.get(page.take.partition(":")[2], "") if page.take is not None else ""
        number = parse_digits(asked)
        most = page.unasked if number is None or page.otherwise else number
        return most is not None and size < most

    def _judge_unknown(self, effect: IntendedEffect, key: str, body: Any, exchange: Exchange) -> Iterator[Finding]:
        """Yield a listed record that no request should have created."""
        values = [one for one in self._reader(effect.resource).members(body).values() if isinstance(one, str | int)]
        own = [*values, key]
        culprit = next((self._state_model.forbidden[one] for one in own if one in self._state_model.forbidden), None)
        ours = any(self._state_model.is_generated(one) and not isinstance(one, bool) for one in own)
        loose = any(map(self._state_model.is_pending, own)) or self._state_model.has_alias(effect.where, key)
        if ours and not loose and culprit is not None:
            says = f"a record of {effect.resource.name} is stored although its outcome is not done"
            yield _new_finding(culprit.operation or "", "undone record is stored", says, (culprit, exchange))
            self._state_model.mark_unknown(effect.where, key, at=exchange)

    def _judge_record(
        self, where: RecordSet, resource: Resource, key: str | int, body: Any, exchange: Exchange
    ) -> Iterator[Finding]:
        entry, name, text = self._state_model.find(where, key), (where, key_text(key)), repr(body)
        if entry is None:
            is_free = self._state_model.is_generated(key) and not self._state_model.has_alias(where, key)
            entry = RecordState(where=where, key=key, present=False if is_free else None)
        if entry.jobs:
            self._note_early(entry, resource, body, exchange)
            return
        last, last_text = self._read.get(name, (None, ""))
        if last is entry and last_text == text:
            return  # it reads as it did, and nothing has happened since
        found = [] if entry.present is None else list(self._compare(entry, resource, body, exchange))
        yield from found
        self._state_model.put(self._updated_state(entry, resource, body, exchange))
        self._state_model.unknown.pop(name, None)
        self._read[name] = None if found else self._state_model.find(where, key), text

    def _compare(self, entry: RecordState, resource: Resource, body: Any, exchange: Exchange) -> Iterator[Finding]:
        if entry.present is not (body is not ABSENT):
            if not entry.present and self._may_be_new(entry, resource, body):
                return
            shape = "stored record is gone" if entry.present else "record is there that must not be"
            says = f"{_record_text(entry)} is {'not there' if entry.present else 'there'}"
            yield self._finding(entry, shape, says, exchange)
            return
        if body is ABSENT:
            return
        version = self._reader(resource).version(body)
        is_counter = resource.has_counter
        if is_counter and entry.version is not None and isinstance(version, int) and version != entry.version:
            says = f"{_record_text(entry)} is at version {version}, but the changes so far make it {entry.version}"
            yield replace(self._finding(entry, "version moved otherwise", says, exchange), law="stale-version")
        yield from self._compare_members(entry, resource, body, exchange)

    def _may_be_new(self, entry: RecordState, resource: Resource, body: Any) -> bool:
        """Return whether a key that no record had may now be that of one whose key the server did not report."""
        values = self._reader(resource).members(body).values()
        return resource.assigned and not entry.existed and any(map(self._state_model.is_pending, values))

    def _compare_members(
        self, entry: RecordState, resource: Resource, body: Any, exchange: Exchange
    ) -> Iterator[Finding]:
        shown, record_type = self._reader(resource).members(body), self._record_types[resource.name]
        for name in record_type.readable if record_type.members else entry.members:
            got = shown.get(name)
            if name in entry.members:
                yield from self._compare_member(entry, name, entry.members[name], got, exchange)
            elif entry.unset and name not in entry.before:
                yield from self._compare_default(entry, name, got, exchange)

    def _compare_member(
        self, entry: RecordState, name: str, wanted: object, got: object, exchange: Exchange
    ) -> Iterator[Finding]:
        """Yield an unexpected value; an unchanged old one is held back until a like change was seen.

        What a record that comes back takes of a member, only a change of that member in another record by the same
        operation can tell.
        """
        record_type = self._record_types[entry.where.resource]
        before, by = entry.before.get(name, PreviousValues((), entry.by))
        observation = (CHANGED, entry.by if by == REVIVAL else by, entry.where.resource, name)
        stuck = (UNCHANGED, by, *observation[2:])
        same = partial(record_type.is_equivalent, name)
        if record_type.reads_as(name, wanted, got):
            is_change = before and by != REVIVAL and not any(one is ANY_VALUE or same(one, got) for one in before)
            if is_change and observation not in self._observations:
                self._observations[observation] = got, exchange
                yield from self._stuck_findings(entry, name, stuck)
            return
        pointer = record_type.pointer(name, wanted, got)
        is_old = any(one is ANY_VALUE or same(one, got) for one in before)
        if is_old and observation not in self._observations:
            self._observations.setdefault(stuck, (got, exchange))
            return
        shape = UNCHANGED_SHAPE if is_old else "member is lost" if got is None else "member reads otherwise"
        note = record_type.storing_note(name, wanted)
        says = f"'{name}' of {_record_text(entry)} is {short(got)}, but {short(wanted)} was written{note}"
        yield self._finding(entry, shape_at(shape, pointer), says, exchange)

    def _stuck_findings(self, entry: RecordState, name: str, stuck: tuple[str, ...]) -> Iterator[Finding]:
        """Yield the earlier unchanged read of a member, now that another record shows the change."""
        if stuck in self._observations:
            got, earlier = self._observations[stuck]
            whose = f"'{name}' of a record of {entry.where.resource}"
            says = f"{whose} kept its old value {short(got)} although it can be changed"
            yield _new_finding(entry.by, shape_at(UNCHANGED_SHAPE, pointer_of((name,))), says, (earlier,))

    def _note_early(self, entry: RecordState, resource: Resource, body: Any, exchange: Exchange) -> None:
        if entry.present is not None and len(entry.jobs) == 1:
            shown = self._reader(resource).members(body) if body is not ABSENT else None
            self.early.append(EarlyRead(entry, shown, exchange))

    def _compare_default(self, entry: RecordState, name: str, got: object, exchange: Exchange) -> Iterator[Finding]:
        """Yield an omitted member whose value differs from that of other records that omitted it."""
        usual = self._observations.setdefault(("unset", entry.where.resource, name), (got, exchange))
        record_type = self._record_types[entry.where.resource]
        if not record_type.is_equivalent(name, usual[0], got):
            record, pointer = _record_text(entry), record_type.pointer(name, usual[0], got)
            says = f"'{name}' of {record} was left out and is {short(got)}, where others have {short(usual[0])}"
            shape = shape_at("member that was left out has a value", pointer)
            finding = self._finding(entry, shape, says, exchange)
            yield replace(finding, evidence=(*finding.evidence[:-1], usual[1], exchange))

    def _updated_state(self, entry: RecordState, resource: Resource, body: Any, exchange: Exchange) -> RecordState:
        if body is ABSENT:
            is_ours = self._is_exclusive or entry.existed or self._state_model.is_generated(entry.key)
            return replace(entry, present=False if is_ours else None, at=exchange)
        shown = self._reader(resource).key(body)
        version = self._reader(resource).version(body)
        number = version if isinstance(version, int) else None
        if entry.fresh and number is not None and resource.has_counter:
            self._state_model.first_versions.setdefault(resource.name, number)
        record_type = self._record_types[resource.name]
        read = record_type.reader.stored(body, record_type.known_members)
        members = {**dict.fromkeys(record_type.readable), **read, **record_type.as_written(entry.members, read)}
        key = entry.key
        if isinstance(shown, str | int) and key_text(shown) == key_text(key):
            key = shown if isinstance(shown, int) else key_text(shown)
        at = entry.at or exchange
        return replace(entry, key=key, present=True, version=number, members=members, before={}, unset=False, at=at)

    def _reader(self, resource: Resource) -> RepresentationReader:
        return self._record_types[resource.name].reader

    def _finding(self, entry: RecordState, shape: str, says: str, exchange: Exchange) -> Finding:
        evidence = (entry.at, exchange) if entry.at is not None and entry.at is not exchange else (exchange,)
        return _new_finding(entry.by or exchange.operation or "", shape, says, evidence)


def _new_finding(operation: str, shape: str, says: str, evidence: Sequence[Exchange]) -> Finding:
    return new_finding(CHECK, operation, shape, says, evidence)


def _record_text(entry: RecordState) -> str:
    return f"the {entry.where.resource} {short(entry.key)}"

"""What is believed to be stored, and how sure that is: by place, record and member, with what to look it up by."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from contracts.bulk import Resource
from contracts.messages import Exchange
from generators.batches import Known
from generators.campaign.worlds import World

NOTHING: Final[Mapping[str, object]] = {}


class Where(NamedTuple):
    """A kind of record in one data set; `scope` names the data set, and the tenant in it after a `/`."""

    scope: str
    resource: str


class Change(NamedTuple):
    """The values that a member had before it was changed, and the operation that changed it."""

    values: tuple[object, ...]
    by: str


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is believed of one record. It is never changed: not frozen only because so many are made.

    `present` is None when it is not known whether it is there.
    `members` are those whose values are known, `before` the values that changed ones have had since they were read;
    others were never set when it is `unset`. A `fresh` record has not been changed since it was made, one that is gone
    was there `once`. `by` is the operation that wrote it last and `at` the exchange that told so; `jobs` are the
    numbers of the calls whose jobs may still change it.
    """

    where: Where
    key: str | int
    present: bool | None
    version: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    before: Mapping[str, Change] = field(default_factory=dict)
    unset: bool = False
    fresh: bool = False
    once: bool = False
    by: str = ""
    at: Exchange | None = None
    jobs: frozenset[int] = frozenset()

    @property
    def is_sure(self) -> bool:
        """Whether it is known if the record is there, and no job may change it meanwhile."""
        return self.present is not None and not self.jobs

    def was_sure(self, since: int | None) -> bool:
        """Say whether it has been known all the time since the call of that number; None for now alone."""
        return self.is_sure and (since is None or self.at is None or self.at.n <= since)


class Ledger:
    """What is believed of every record that was spoken of. Keys are compared as texts.

    `first_versions` are those of new records by resource, as far as they have been seen. `loose` are values of records
    that may be there under keys that nobody told, `denied` those of records that must not be there.
    """

    def __init__(
        self, resources: Mapping[str, Resource], world: World, first_versions: dict[str, int] | None = None
    ) -> None:
        self.resources = resources
        self._world = world
        self._entries: dict[Where, dict[str, Entry]] = {}
        self._holders: dict[tuple[Where, tuple[str, ...], str], dict[str, None]] = {}
        self._referrers: dict[tuple[Where, str], dict[tuple[Where, str], None]] = {}
        self._referred: Counter[tuple[Where, str]] = Counter()
        self._known: dict[str, Known] = {}
        self._alike: dict[Where, list[Where]] = {}
        self._undo: list[tuple[Where, str, Entry | None]] | None = None
        self.doubtful: dict[tuple[Where, str], None] = {}
        self.loose: Counter[str | int] = Counter()
        self.denied: dict[object, Exchange] = {}
        self.first_versions = first_versions if first_versions is not None else {}

    def is_ours(self, value: object) -> bool:
        """Say whether a value was made up in this world, so that nobody else's record has it."""
        if isinstance(value, int):
            return self._world.base <= value < self._world.base + 10**8 or value // 10**14 == 7  # noqa: PLR2004 - FIRST_NUMBER
        text = str(value)
        return self._world.prefix in text or self._world.prefix.upper() in text

    def find(self, where: Where, key: object) -> Entry | None:
        """Return what is believed of a record, None when it was never spoken of."""
        return self._entries.get(where, {}).get(str(key))

    def entries(self, where: Where) -> Sequence[Entry]:
        """Return what is believed of the records of a kind."""
        return list(self._entries.get(where, {}).values())

    def places(self) -> Sequence[Where]:
        """Return the kinds and data sets that were spoken of."""
        return list(self._entries)

    def elsewhere(self, where: Where, key: object) -> bool:
        """Say whether a record of that key was spoken of in a data set that might be another name of this one."""
        return any(str(key) in self._entries[one] for one in self._namesakes(where))

    def _namesakes(self, where: Where) -> list[Where]:
        """Return the same kind of record in data sets that might be another name of this one."""
        alike = self._alike.get(where)
        if alike is None:
            plain, _, tenant = where.scope.partition("/")
            same = [one for one in self._entries if one.resource == where.resource and one != where]
            alike = self._alike[where] = [one for one in same if _may_be_same(one.scope, plain, tenant)]
        return alike

    def shadow(self, where: Where, key: object) -> None:
        """Believe nothing of what may be the same record under another name of its data set."""
        for one in self._namesakes(where):
            if str(key) in self._entries[one]:
                self.doubt(one, key)

    def put(self, entry: Entry) -> None:
        """Believe something else of a record."""
        key = str(entry.key)
        if entry.where not in self._entries:
            self._entries[entry.where] = {}
            self._alike.clear()
        some = self._entries[entry.where]
        old = some.get(key)
        if not entry.once and (entry.present or (old is not None and old.once)):
            entry = replace(entry, once=True)
        if self._undo is not None:
            self._undo.append((entry.where, key, old))
        self._index(old, -1)
        some[key] = entry
        self._index(entry, 1)
        self._tell(old, entry)

    def doubt(self, where: Where, key: object, *, at: Exchange | None = None) -> None:
        """Believe nothing of a record until it is read."""
        old = self.find(where, key)
        self._referred.update(self._referred_by(where, old.members if old is not None and old.present else NOTHING))
        base = old or Entry(where=where, key=key if isinstance(key, str | int) else str(key), present=None)
        self.put(replace(base, present=None, version=None, members=NOTHING, unset=False, fresh=False, at=at))

    def blur(self, where: Where, key: object, members: Mapping[str, object]) -> None:
        """Believe nothing of what a call may have written: not of its record, its names, nor what it refers to.

        A `key` that looks a record up may be that of any record of the kind.
        """
        if isinstance(key, str | int):
            self.doubt(where, key)
            self.shadow(where, key)
        elif isinstance(key, Mapping):
            for entry in self.entries(where):
                self.doubt(where, entry.key)
        self.loosen(where, members)

    def was_referred_to(self, where: Where, key: object) -> bool:
        """Say whether any record has ever referred to this one."""
        return (where, str(key)) in self._referrers

    def loosen(self, where: Where, members: Mapping[str, object]) -> None:
        """Note that a record may be there, or may come to be, that has these members under a key that is not known."""
        self.loose.update(_scalars(members))
        self._referred.update(self._referred_by(where, members))

    def refer(self, where: Where, members: Mapping[str, object]) -> None:
        """Note that a record refers to others that are not known, since they were looked up."""
        self._referred.update(self._referred_by(where, members))

    def tighten(self, where: Where, members: Mapping[str, object]) -> None:
        """Take back what was noted by `loosen`."""
        self.loose.subtract(_scalars(members))
        self._referred.subtract(self._referred_by(where, members))

    def _referred_by(self, where: Where, members: Mapping[str, object]) -> Iterator[tuple[Where, str]]:
        resource = self.resources.get(where.resource)
        for member, named in resource.references.items() if resource is not None else ():
            value = members.get(member)
            if value is not None:
                yield Where(where.scope, named), str(value) if isinstance(value, str | int) else ""

    def is_loose(self, value: object) -> bool:
        """Say whether a value may be that of a record whose key is not known."""
        return isinstance(value, str | int) and self.loose[value] > 0

    def may_be_referred_to(self, where: Where, key: object) -> bool:
        """Say whether a record that is not known may refer to this one."""
        return self._referred[where, str(key)] > 0 or self._referred[where, ""] > 0

    def begin(self) -> None:
        """Remember what is changed from here on, so that it can be undone."""
        self._undo = []

    def keep(self) -> None:
        """Let what was changed stand."""
        self._undo = None

    def undo(self) -> None:
        """Believe what was believed before `begin`."""
        undo, self._undo = self._undo or [], None
        for where, key, old in reversed(undo):
            if old is not None:
                self.put(old)
            else:
                self._forget(where, key)

    def _forget(self, where: Where, key: str) -> None:
        old = self._entries[where].pop(key)
        self._index(old, -1)
        self._known_of(where.scope).forget(where.resource, old.key)
        self.doubtful.pop((where, key), None)

    def holders(self, where: Where, members: tuple[str, ...], values: Mapping[str, object]) -> Iterator[Entry]:
        """Yield the records that have, or may have, these values of members that are unique together."""
        for key in self._holders.get((where, members, _together(members, values)), ()):
            yield self._entries[where][key]

    def was_held(self, where: Where, members: tuple[str, ...], values: Mapping[str, object]) -> bool:
        """Say whether any record has ever had these values of members that are unique together."""
        return (where, members, _together(members, values)) in self._holders

    def referrers(self, where: Where, key: object) -> Iterator[Entry]:
        """Yield the records that refer, or may refer, to one."""
        for place, own in self._referrers.get((where, str(key)), ()):
            yield self._entries[place][own]

    def known(self, scope: str) -> Known:
        """Return what a caller may take for granted of a data set: what requests are composed from."""
        return self._known_of(scope)

    def _known_of(self, scope: str) -> Known:
        if scope not in self._known:
            self._known[scope] = Known(self.resources)
        return self._known[scope]

    def _index(self, entry: Entry | None, by: int) -> None:
        if entry is None or entry.present is False:
            return
        resource, key = self.resources.get(entry.where.resource), str(entry.key)
        for members in resource.unique if resource is not None else ():
            place = self._holders.setdefault((entry.where, members, _together(members, entry.members)), {})
            _count(place, key, by)
        for member, named in resource.references.items() if resource is not None else ():
            value = entry.members.get(member)
            if isinstance(value, str | int):
                of = (Where(entry.where.scope, named), str(value))
                _count(self._referrers.setdefault(of, {}), (entry.where, key), by)

    def _tell(self, old: Entry | None, entry: Entry) -> None:
        """Keep what requests are composed from, and the list of what should be read, up to date."""
        where, name = entry.where, (entry.where, str(entry.key))
        known = self._known_of(where.scope)
        if not entry.is_sure:
            known.forget(where.resource, entry.key)
        elif entry.present:
            known.put(where.resource, entry.key, version=entry.version, values=entry.members)
        elif old is None or old.present is not False:
            known.put(where.resource, entry.key)
            known.drop(where.resource, entry.key)
        if entry.present is None and not entry.jobs:
            self.doubtful[name] = None
        else:
            self.doubtful.pop(name, None)


def _may_be_same(scope: str, plain: str, tenant: str) -> bool:
    other, _, name = scope.partition("/")
    return other == plain and not (name and tenant)


def _scalars(members: Mapping[str, object]) -> Iterator[str | int]:
    return (one for one in members.values() if isinstance(one, str | int))


def _count(place: dict[Any, None], key: object, by: int) -> None:
    if by > 0:
        place[key] = None
    else:
        place.pop(key, None)


def _together(members: tuple[str, ...], values: Mapping[str, object]) -> str:
    return repr([values.get(member) for member in members])

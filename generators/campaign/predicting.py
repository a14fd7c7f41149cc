"""What must become of one effect, from what is believed to be stored: done, failed for a reason, or nobody can say."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeAlias

from contracts.messages import ABSENT, Exchange
from generators.campaign.ledger import Change, Entry, Ledger, Where
from generators.campaign.wants import Want

Presence: TypeAlias = bool | None
Word: TypeAlias = Literal["done", "failed", "open"]
CREATES: Final = frozenset(("create", "upsert", "replace"))
CHANGES: Final = frozenset(("update", "upsert", "replace", "delete"))


class Verdict(NamedTuple):
    """What must become of an effect, and why; `alone` when nothing else is wrong with it, nor may be."""

    word: Word
    reason: str = ""
    alone: bool = False


DONE: Final = Verdict("done")
OPEN: Final = Verdict("open")


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What was believed all the time since the call of number `since` was made; None for now."""

    ledger: Ledger
    since: int | None = None

    def sure(self, entry: Entry) -> bool:
        """Say whether nothing is open about a record."""
        return entry.was_sure(self.since)


def verdict(ledger: Ledger, want: Want, *, since: int | None = None) -> Verdict:
    """Return what must become of an effect: failed when one reason for it is sure, done when none can be.

    `since` is the number of the call that asked for it, when it was carried out at some time after that.
    """
    if want.action not in CREATES | CHANGES or want.members is None:
        return OPEN
    found = list(_reasons(Beliefs(ledger, since), want))
    sure = [one for one in found if one.word == "failed"]
    if sure:
        return sure[0]._replace(alone=len(found) == 1)
    return OPEN if found else DONE


def _reasons(beliefs: Beliefs, want: Want) -> Iterator[Verdict]:
    present = presence(beliefs, want)
    yield from _target(beliefs, want, present)
    yield from _version(beliefs, want, present)
    if want.action == "delete":
        yield from _deletion(beliefs, want)
        return
    yield from _payload(want, None if present is False and _has_a_tombstone(beliefs, want) else present)
    yield from _references(beliefs, want)
    yield from _uniqueness(beliefs, want, present)


def presence(beliefs: Beliefs, want: Want) -> Presence:
    """Return whether the record that is named is there: None when nobody can say."""
    if want.action == "create" and want.resource.assigned:
        return False
    if want.key is ABSENT or want.key is None:
        return False if want.action in CREATES else None
    return _present(beliefs, want.where, want.key)


def _present(beliefs: Beliefs, where: Where, key: object) -> Presence:
    if not isinstance(key, str | int) or isinstance(key, bool):
        return None
    entry = beliefs.ledger.find(where, key)
    if entry is not None:
        return entry.present if beliefs.sure(entry) else None
    return False if beliefs.ledger.is_ours(key) and not beliefs.ledger.elsewhere(where, key) else None


def _target(beliefs: Beliefs, want: Want, present: Presence) -> Iterator[Verdict]:
    if want.action == "delete" and present is False and _has_a_tombstone(beliefs, want):
        yield OPEN
    elif want.action in {"update", "delete"} or (want.action == "replace" and want.resource.assigned):
        if present is not True:
            yield OPEN if present is None else Verdict("failed", "of a record that is not there")
    elif want.action == "create" and present is not False:
        yield OPEN if present is None else Verdict("failed", "of a record that is there already")
    elif present is None or (not want.resource.assigned and not isinstance(want.key, str | int)):
        yield OPEN


def _has_a_tombstone(beliefs: Beliefs, want: Want) -> bool:
    entry = beliefs.ledger.find(want.where, want.key)
    return want.resource.tombstone is not None and entry is not None and entry.once


def _version(beliefs: Beliefs, want: Want, present: Presence) -> Iterator[Verdict]:
    if want.version is None or (present is False and not _has_a_tombstone(beliefs, want)):
        return
    entry = beliefs.ledger.find(want.where, want.key)
    if entry is None or entry.version is None or present is False or not beliefs.sure(entry):
        yield OPEN
    elif entry.version != want.version:
        yield Verdict("failed", "with a stale version")


def _deletion(beliefs: Beliefs, want: Want) -> Iterator[Verdict]:
    if not want.resource.restrict:
        return
    gone = beliefs.since is not None and beliefs.ledger.was_referred_to(want.where, want.key)
    if gone or beliefs.ledger.may_be_referred_to(want.where, want.key):
        yield OPEN
    for one in beliefs.ledger.referrers(want.where, want.key):
        if str(one.key) != str(want.key):
            yield Verdict("failed", "of a record that others refer to") if beliefs.sure(one) else OPEN


def _payload(want: Want, present: Presence) -> Iterator[Verdict]:
    members = want.members or {}
    yield from _fit(want, members)
    if present is not True or want.action == "replace":
        lacks = [name for name in want.resource.required if members.get(name) is None]
        if lacks:
            yield Verdict("failed", "without a member that it must have") if present is False else OPEN


def _fit(want: Want, members: Mapping[str, object]) -> Iterator[Verdict]:
    kind = want.kind
    if not want.partial:
        if not kind.is_valid(members):
            wrong = [name for name, value in members.items() if not kind.takes(name, value)]
            yield from (Verdict("failed", "with a member that does not fit its schema") for _ in wrong)
            if not wrong:
                yield OPEN  # what is missing may stand beside the payload, in the path, or in what is stored
        return
    for name, value in members.items():
        if name not in kind.members:
            yield Verdict("failed", "with a member that is not known") if kind.is_closed else OPEN
        elif not kind.checks[name](value):
            yield Verdict("failed", "with a member that does not fit its schema")


def _references(beliefs: Beliefs, want: Want) -> Iterator[Verdict]:
    for member, named in want.resource.references.items():
        value = (want.members or {}).get(member)
        if value is None:
            continue
        present = _present(beliefs, Where(want.where.scope, named), value)
        own = named == want.where.resource and str(value) == str(want.key)
        if present is not True:
            yield Verdict("failed", "that refers to nothing") if present is False and not own else OPEN


def _uniqueness(beliefs: Beliefs, want: Want, present: Presence) -> Iterator[Verdict]:
    members, own = want.members or {}, beliefs.ledger.find(want.where, want.key) if want.key is not ABSENT else None
    for names in want.resource.unique:
        if not any(name in members for name in names):
            continue
        whole: Mapping[str, object] = {**(own.members if own is not None and present else {}), **members}
        if any(isinstance(whole.get(name), Mapping) for name in names):
            yield OPEN
            continue
        if any(whole.get(name) is None for name in names):
            if present is None or (present and not all(name in whole for name in names)):
                yield OPEN
            continue
        yield from _taken(beliefs, want, names, whole)


def _taken(beliefs: Beliefs, want: Want, names: tuple[str, ...], whole: Mapping[str, object]) -> Iterator[Verdict]:
    for one in beliefs.ledger.holders(want.where, names, whole):
        if want.key is ABSENT or want.action == "create" or str(one.key) != str(want.key):
            yield Verdict("failed", "with a value that is in use") if beliefs.sure(one) else OPEN
    values = [whole[name] for name in names]
    may_keep = beliefs.since is not None or want.resource.tombstone is not None  # what is gone may hold its values
    if may_keep and beliefs.ledger.was_held(want.where, names, whole):
        yield OPEN
    fresh = any(beliefs.ledger.is_ours(value) for value in values)
    if not fresh or any(map(beliefs.ledger.is_loose, values)):
        yield OPEN


def carried_out(
    ledger: Ledger,
    want: Want,
    *,
    key: object,
    by: str,
    at: Exchange,
    version: object = ABSENT,
    later: bool = False,
) -> None:
    """Believe that an effect was done, `later` when it was at some time after it was asked for.

    `key` is what the server named the record, `version` what it says it is at.
    """
    present = presence(Beliefs(ledger), want)
    creates = want.action in CREATES and present is not True
    named = key if isinstance(key, str | int) and (want.resource.assigned or want.key is ABSENT) else want.key
    if want.resource.assigned and creates and not isinstance(key, str | int):
        ledger.blur(want.where, ABSENT, want.members or {})
    elif not isinstance(named, str | int):
        ledger.blur(want.where, named, want.members or {})
    elif want.members is None or (present is None and (later or want.action != "delete")):
        ledger.blur(want.where, want.kind.key(named), want.members or {})
    else:
        own = want.kind.key(named)
        entry = _EFFECTS[_amounts_to(want, present)](ledger, want, own, by)
        told = version if isinstance(version, int) else entry.version
        ledger.put(replace(entry, version=told, by=by, at=at))
        ledger.refer(want.where, {name: value for name, value in want.members.items() if isinstance(value, dict)})
        ledger.shadow(want.where, own)


def _amounts_to(want: Want, present: Presence) -> str:
    if want.action == "delete":
        return "delete"
    if present is not True:
        return "create"
    return "replace" if want.action == "replace" else "update"


def _written(members: Mapping[str, object]) -> dict[str, object]:
    """Return the members whose stored values are what was written: a lookup is stored as what it found."""
    return {name: value for name, value in members.items() if not isinstance(value, dict)}


def _looks_up(want: Want) -> bool:
    """Say whether something is to be stored that nobody can say here, since it is looked up."""
    return any(isinstance(value, dict) for value in (want.members or {}).values())


def _created(ledger: Ledger, want: Want, key: str | int, by: str) -> Entry:
    """Return a new record, or one that comes back: what it had before may come back with it."""
    gone = ledger.find(want.where, key)
    back = want.resource.tombstone is not None and gone is not None and gone.once
    members = {**({} if back else want.resource.defaults), **_written(want.members or {})}
    revival = f"{by} of one that was deleted"  # what can be written then may be more than what can be changed
    kept = gone.members if back and gone is not None else {}
    before = {name: Change((*_earlier(gone, name), old), revival) for name, old in kept.items()}
    stands = not back or (want.members or {}).get(want.resource.tombstone or "", ABSENT) is not ABSENT
    first = None if back else ledger.first_versions.get(want.where.resource)
    return Entry(
        where=want.where,
        key=key,
        present=True if stands else None,
        version=first,
        members=members,
        before=before,
        unset=not back and not _looks_up(want),
        fresh=not back,
    )


def _updated(ledger: Ledger, want: Want, key: str | int, by: str) -> Entry:
    old, changes = ledger.find(want.where, key), want.members or {}
    if old is None:
        return Entry(where=want.where, key=key, present=True, members=_written(changes))
    kept = {name: one for name, one in old.members.items() if name not in changes}
    known = {name: old.members.get(name) for name in changes if name in old.members or old.unset}
    before = {name: Change((*_earlier(old, name), value), by) for name, value in known.items()}
    version = None if old.version is None else old.version + 1
    return replace(
        old,
        members={**kept, **_written(changes)},
        before={**old.before, **before},
        version=version,
        unset=old.unset and not _looks_up(want),
        fresh=False,
    )


def _earlier(entry: Entry | None, name: str) -> tuple[object, ...]:
    return entry.before[name].values if entry is not None and name in entry.before else ()


def _replaced(ledger: Ledger, want: Want, key: str | int, by: str) -> Entry:
    updated = _updated(ledger, want, key, by)
    return replace(updated, members=_written(want.members or {}), unset=False)


def _deleted(ledger: Ledger, want: Want, key: str | int, by: str) -> Entry:
    del by
    old = ledger.find(want.where, key)
    return Entry(where=want.where, key=key, present=False) if old is None else replace(old, present=False)


_EFFECTS: Final[Mapping[str, Callable[[Ledger, Want, str | int, str], Entry]]] = {
    "create": _created,
    "delete": _deleted,
    "replace": _replaced,
    "update": _updated,
}

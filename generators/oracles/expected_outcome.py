"""Expect the outcome of one effect from the state model, and apply effects that were carried out to it.

Begin with `expected_outcome` and `apply_effect`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeAlias

from contracts.exchange.preconditions import EntityTagList, is_stale, next_version
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import is_text_or_integer
from generators.oracles.intended_effects import IntendedEffect
from generators.oracles.state_model import ANY_VALUE, REVIVAL, PreviousValues, RecordSet, RecordState, StateModel

Presence: TypeAlias = bool | None
ExpectedResult: TypeAlias = Literal["done", "failed", "open"]
CREATING_ACTIONS: Final = frozenset(("create", "upsert", "replace"))
CHANGING_ACTIONS: Final = frozenset(("update", "upsert", "replace", "delete"))
WRITING_ACTIONS: Final = CREATING_ACTIONS | CHANGING_ACTIONS
MISSING: Final = "of a record that is not there"
CONTENT_REASONS: Final = frozenset(
    (
        "of a record that others refer to",
        "that refers to nothing",
        "with a member that does not fit its schema",
        "with a member that is not known",
        "with a member that it may not set",
        "with a value that is in use",
        "with members that do not fit the schema together",
        "without a member that it must have",
    )
)
"""Reasons for a failure that are no question of which record is meant, or of its version."""


class ExpectedOutcome(NamedTuple):
    """The expected outcome of an effect: done, failed for a reason, or open when the state model cannot tell.

    `is_only_reason` tells whether no other reason for a failure is known or possible.
    """

    result: ExpectedResult
    reason: str = ""
    is_only_reason: bool = False


DONE: Final = ExpectedOutcome("done")
OPEN: Final = ExpectedOutcome("open")


class StateView(NamedTuple):
    """A state model restricted to what was known ever since the request of number `since`; None for the present."""

    state_model: StateModel
    since: int | None = None

    def is_known(self, entry: RecordState) -> bool:
        """Return whether a record's state is known."""
        return entry.was_known(self.since)


def expected_outcome(state_model: StateModel, effect: IntendedEffect, *, since: int | None = None) -> ExpectedOutcome:
    """Return the expected outcome: failed when one reason is certain, done when none is possible, else open.

    `since` is the number of the request whose job carries the effect out at some later time; None for at once.
    """
    if effect.action not in WRITING_ACTIONS or effect.members is None:
        return OPEN
    found = list(_reasons(StateView(state_model, since), effect))
    certain = [one for one in found if one.result == "failed"]
    if certain:
        return certain[0]._replace(is_only_reason=len(found) == 1)
    return OPEN if found else DONE


def _reasons(state: StateView, effect: IntendedEffect) -> Iterator[ExpectedOutcome]:
    present = presence(state, effect)
    yield from _target(state, effect, present)
    yield from _version(state, effect, present)
    if effect.action == "delete":
        yield from _deletion(state, effect)
        yield from _beside(state, effect)
        return
    yield from _payload(effect, None if present is False and _is_tombstone(state, effect) else present)
    yield from _references(state, effect)
    yield from _uniqueness(state, effect, present)


def _beside(state: StateView, effect: IntendedEffect) -> Iterator[ExpectedOutcome]:
    """Yield what is wrong with what a deletion writes beside; where no member makes it one, nobody may look at that."""
    if not effect.record_type.is_exact(effect.members or {}):
        yield OPEN
    yield from (one if effect.is_marked else OPEN for one in _references(state, effect))


def presence(state: StateView, effect: IntendedEffect) -> Presence:
    """Return whether the named record exists, None when that is unknown."""
    if effect.action == "create" and effect.resource.assigned:
        return False
    if effect.key is ABSENT or effect.key is None:
        return False if effect.action in CREATING_ACTIONS else None
    return _present(state, effect.where, effect.key)


def _present(state: StateView, where: RecordSet, key: object) -> Presence:
    if not is_text_or_integer(key):
        return None
    entry = state.state_model.find(where, key)
    if entry is not None:
        return entry.present if state.is_known(entry) else None
    return False if state.state_model.is_generated(key) and not state.state_model.has_alias(where, key) else None


def _target(state: StateView, effect: IntendedEffect, present: Presence) -> Iterator[ExpectedOutcome]:
    if effect.action == "delete" and present is False and _is_tombstone(state, effect):
        yield OPEN
    elif effect.action in {"update", "delete"} or (
        effect.action == "replace" and effect.resource.assigned and not effect.creates
    ):
        if present is not True:
            yield OPEN if present is None else ExpectedOutcome("failed", MISSING)
    elif effect.action == "create" and present is not False:
        yield OPEN if present is None else ExpectedOutcome("failed", "of a record that is there already")
    elif present is None or (not effect.resource.assigned and not isinstance(effect.key, str | int)):
        yield OPEN
    elif present is False and effect.action == "replace" and effect.resource.inferred and not effect.creates:
        yield OPEN  # it may make a record, or be refused
    elif present is False and effect.resource.assigned and _is_tombstone(state, effect):
        yield OPEN  # whether it comes back, or its key is one that nobody has


def _is_tombstone(state: StateView, effect: IntendedEffect) -> bool:
    entry = state.state_model.find(effect.where, effect.key)
    return effect.resource.tombstone is not None and entry is not None and entry.existed


def _version(state: StateView, effect: IntendedEffect, present: Presence) -> Iterator[ExpectedOutcome]:
    makes = effect.action in CREATING_ACTIONS  # whether no record has another version is open
    if effect.version is None or (present is False and not makes and not _is_tombstone(state, effect)):
        return
    entry = state.state_model.find(effect.where, effect.key)
    if entry is None or entry.version is None or present is False or not state.is_known(entry):
        yield OPEN
    elif isinstance(effect.version, EntityTagList):
        yield OPEN  # a text that is no number, which no model of the records has
    elif is_stale(effect.version, entry.version):
        yield ExpectedOutcome("failed", "with a stale version")


def _deletion(state: StateView, effect: IntendedEffect) -> Iterator[ExpectedOutcome]:
    if not effect.resource.restrict:
        return
    gone = state.since is not None and state.state_model.was_referred_to(effect.where, effect.key)
    if gone or state.state_model.may_be_referred_to(effect.where, effect.key):
        yield OPEN
    for one in state.state_model.referrers(effect.where, effect.key):
        if key_text(one.key) != key_text(effect.key):
            yield ExpectedOutcome("failed", "of a record that others refer to") if state.is_known(one) else OPEN


def _payload(effect: IntendedEffect, present: Presence) -> Iterator[ExpectedOutcome]:
    members = effect.members or {}
    resource = effect.record_type.resource
    if effect.settable is not None and members.keys() - {resource.key, resource.version, *effect.settable}:
        yield ExpectedOutcome("failed", "with a member that it may not set")
    yield from _fit(effect, members, is_whole=present is False or (present is True and effect.action == "replace"))
    if (present is not True or effect.action == "replace") and effect.record_type.missing(members):
        yield ExpectedOutcome("failed", "without a member that it must have") if present is False else OPEN


def _fit(effect: IntendedEffect, members: Mapping[str, object], *, is_whole: bool) -> Iterator[ExpectedOutcome]:
    """Yield what is wrong with members by themselves, and if they are the whole record with all of them together."""
    record_type = effect.record_type
    if not record_type.is_exact(members):
        yield OPEN
        return
    if not effect.partial:
        if not record_type.is_valid(members):
            wrong = [name for name, value in members.items() if not record_type.accepts(name, value)]
            yield from (ExpectedOutcome("failed", "with a member that does not fit its schema") for _ in wrong)
            if not wrong and is_whole and record_type.is_wrong_together(members, effect.key):
                yield ExpectedOutcome("failed", "with members that do not fit the schema together")
            elif not wrong:
                yield OPEN  # what is missing may stand beside the payload, in the path, or in what is stored
        return
    for name, value in members.items():
        if name not in record_type.members:
            yield ExpectedOutcome("failed", "with a member that is not known") if record_type.is_closed else OPEN
        elif not record_type.schemas[name].is_valid(value):
            yield ExpectedOutcome("failed", "with a member that does not fit its schema")


def _references(state: StateView, effect: IntendedEffect) -> Iterator[ExpectedOutcome]:
    for member, named in effect.resource.references.items():
        value = (effect.members or {}).get(member)
        if value is None:
            continue
        present = _present(state, RecordSet(effect.where.scope, named), value)
        own = named == effect.where.resource and key_text(value) == key_text(effect.key)
        if present is not True:
            yield ExpectedOutcome("failed", "that refers to nothing") if present is False and not own else OPEN
    yield from _kept_references(state, effect)


def _kept_references(state: StateView, effect: IntendedEffect) -> Iterator[ExpectedOutcome]:
    """Yield OPEN where a record that is changed refers to one that may be gone: it may be looked at as a whole."""
    entry = state.state_model.find(effect.where, effect.key) if effect.action in {"update", "upsert"} else None
    for member, named in effect.resource.references.items() if entry is not None and entry.present else ():
        value = entry.members.get(member) if entry is not None else None
        is_kept = value is not None and member not in (effect.members or {})
        if is_kept and _present(state, RecordSet(effect.where.scope, named), value) is not True:
            yield OPEN


def _uniqueness(state: StateView, effect: IntendedEffect, present: Presence) -> Iterator[ExpectedOutcome]:
    members = effect.members or {}
    if any(not state.state_model.is_generated(members[name]) for name in effect.resource.likely if name in members):
        yield OPEN
    own = state.state_model.find(effect.where, effect.key) if effect.key is not ABSENT else None
    for names in effect.resource.unique:
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
        yield from _taken(state, effect, names, whole)


def _taken(
    state: StateView, effect: IntendedEffect, names: tuple[str, ...], whole: Mapping[str, object]
) -> Iterator[ExpectedOutcome]:
    for one in state.state_model.holders(effect.where, names, whole):
        if effect.key is ABSENT or effect.action == "create" or key_text(one.key) != key_text(effect.key):
            is_other = state.is_known(one) and not isinstance(effect.key, Mapping)  # which record it names is not known
            yield ExpectedOutcome("failed", "with a value that is in use") if is_other else OPEN
    values = [whole[name] for name in names]
    gone_may_hold = effect.resource.tombstone is not None or effect.record_type.keeps  # its values
    may_keep = state.since is not None or gone_may_hold
    if may_keep and state.state_model.was_taken(effect.where, names, whole):
        yield OPEN
    fresh = any(state.state_model.is_generated(value) for value in values)
    if not fresh or any(map(state.state_model.is_pending, values)):
        yield OPEN


def apply_effect(
    state_model: StateModel,
    effect: IntendedEffect,
    *,
    key: object,
    by: str,
    at: Exchange,
    version: object = ABSENT,
    later: bool = False,
) -> None:
    """Update the state model with an effect that was carried out; `later` when a job did so at an unknown time.

    `key` is the key that the server reported, `version` the reported version; ABSENT when there is none.
    """
    state_model.permit(effect.members or {})
    present = presence(StateView(state_model), effect)
    creates = effect.action in CREATING_ACTIONS and present is not True
    named = key if isinstance(key, str | int) and (effect.resource.assigned or effect.key is ABSENT) else effect.key
    if effect.resource.assigned and creates and not isinstance(key, str | int):
        looked_up = effect.key if isinstance(effect.key, Mapping) else ABSENT  # it may be any record, or a new one
        state_model.mark_effect_unknown(effect.where, looked_up, effect.members or {})
    elif not isinstance(named, str | int):
        state_model.mark_effect_unknown(effect.where, named, effect.members or {})
    elif effect.members is None or (present is None and (later or effect.action != "delete")):
        state_model.mark_effect_unknown(effect.where, effect.record_type.key(named), effect.members or {})
    else:
        own = effect.record_type.key(named)
        entry = _APPLIED_EFFECTS[_effective_action(effect, present)](state_model, effect, own, by)
        entry.version = version if isinstance(version, int) else entry.version
        entry.by, entry.at, entry.existed = by, at, entry.existed or bool(entry.present)
        state_model.put(entry)
        state_model.add_references(
            effect.where, {name: value for name, value in effect.members.items() if isinstance(value, dict)}
        )
        state_model.mark_aliases_unknown(effect.where, own)
        if effect.action == "delete" and effect.record_type.keeps:
            state_model.mark_kept(effect.where, own)


def _effective_action(effect: IntendedEffect, present: Presence) -> str:
    if effect.action == "delete":
        return "delete"
    if present is not True:
        return "create"
    return "replace" if effect.action == "replace" else "update"


def _stored_values(effect: IntendedEffect, *, is_whole: bool = False) -> dict[str, object]:
    """Return the members whose stored values equal what was sent: all but lookups, and objects in a part of a record.

    Whether an object that changes another is merged with it (RFC 7396) is unknown.
    """
    members, references = effect.members or {}, effect.resource.references
    return {
        name: value
        for name, value in members.items()
        if not isinstance(value, dict) or (is_whole and name not in references)
    }


def _has_lookups(effect: IntendedEffect) -> bool:
    """Return whether a member is a lookup, whose stored value is unknown here."""
    return any(isinstance((effect.members or {}).get(name), dict) for name in effect.resource.references)


def _created(state_model: StateModel, effect: IntendedEffect, key: str | int, by: str) -> RecordState:
    """Return the state of a new record, or of one with a tombstone that is created again with its old members."""
    del by
    gone = state_model.find(effect.where, key)
    back = effect.resource.tombstone is not None and gone is not None and gone.existed
    members = {**({} if back else effect.resource.defaults), **_stored_values(effect, is_whole=not back)}
    before = _before_revival(gone, effect.members or {}) if back and gone is not None else {}
    is_present = not back or (effect.members or {}).get(effect.resource.tombstone or "", ABSENT) is not ABSENT
    again = gone is not None and gone.existed  # its version may begin anew, or go on from that of its deletion
    first = None if again else state_model.first_versions.get(effect.where.resource)
    return RecordState(
        where=effect.where,
        key=key,
        present=True if is_present else None,
        version=first,
        members=members,
        before=before,
        unset=not back and not _has_lookups(effect),
        fresh=not again,
        revived=back,
    )


def _before_revival(gone: RecordState, written: Mapping[str, object]) -> dict[str, PreviousValues]:
    """Return the values that a record which comes back may have kept: those that only a new record takes."""
    known = {name: gone.values_of(name) for name in gone.members}
    unknown = {name: (ANY_VALUE,) for name in written if name not in known}
    return {name: PreviousValues(values, REVIVAL) for name, values in (known | unknown).items()}


def _updated(state_model: StateModel, effect: IntendedEffect, key: str | int, by: str) -> RecordState:
    old, changes = state_model.find(effect.where, key), effect.members or {}
    if old is None:
        return RecordState(where=effect.where, key=key, present=True, members=_stored_values(effect))
    kept = {name: one for name, one in old.members.items() if name not in changes}
    unknown = None if old.unset else ANY_VALUE
    earlier = {
        name: old.values_of(name) if name in old.members else (*old.values_of(name), unknown) for name in changes
    }
    before = {name: PreviousValues(values, by) for name, values in earlier.items()}
    counts = effect.resource.has_counter and (effect.resource.counts_writes or _is_change(effect, old))
    is_known = old.version is not None and counts
    version = next_version(old.version) if is_known and old.version is not None else None
    return replace(
        old,
        members={**kept, **_stored_values(effect)},
        before={**old.before, **before},
        version=version,
        unset=old.unset and not _has_lookups(effect),
        fresh=False,
    )


def _is_change(effect: IntendedEffect, old: RecordState) -> bool:
    """Return whether a value that is known certainly becomes another one."""
    members = effect.members or {}
    if effect.action == "replace":
        members = {**dict.fromkeys(old.members), **effect.resource.defaults, **members}
    plain = ((name, value) for name, value in members.items() if name in old.members and not isinstance(value, dict))
    return any(not effect.record_type.reads_as(name, value, old.members[name]) for name, value in plain)


def _replaced(state_model: StateModel, effect: IntendedEffect, key: str | int, by: str) -> RecordState:
    updated = _updated(state_model, effect, key, by)
    return replace(updated, members=_stored_values(effect, is_whole=True), unset=False)


def _deleted(state_model: StateModel, effect: IntendedEffect, key: str | int, by: str) -> RecordState:
    """Return the state of a record that was there; what its deletion writes beside may be kept or not."""
    del by
    old = state_model.find(effect.where, key) or RecordState(where=effect.where, key=key, present=False)
    beside, existed = effect.members or {}, old.existed or effect.resource.tombstone is not None
    kept = {name: one for name, one in old.members.items() if name not in beside}
    return replace(old, present=False, members=kept, unset=old.unset and not beside, existed=existed)


# each makes a new state, which no state model has yet
_APPLIED_EFFECTS: Final[Mapping[str, Callable[[StateModel, IntendedEffect, str | int, str], RecordState]]] = {
    "create": _created,
    "delete": _deleted,
    "replace": _replaced,
    "update": _updated,
}

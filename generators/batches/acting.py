"""Deciding what one item does: the record it aims at, the members it sets, and what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.pointers import escape
from generators.batches.known import NOTHING, Live, StoredKey
from generators.batches.making import Maker, Making
from generators.batches.profiles import Intent, Profile
from generators.mutations import Mutation, invalid_variant, invalid_variants

CHANGES: Final = frozenset(("update", "replace"))
BESIDE: Final = (-1, 1, 7)  # versions beside the current one that a stale item names
GONE: Final = 0.5  # the share of deleted keys among those that name nothing
TRIES: Final = 20


@dataclass(slots=True, kw_only=True)
class Piece:
    """An item being decided. `values` are the members that it sets, `called` how it names its target, if not by key."""

    action: str
    maker: Maker
    intent: Intent = "good"
    target: StoredKey | None = None
    called: object = None
    version: int | None = None
    values: dict[str, Any] | None = None
    fresh: bool = False
    partial: bool = False
    mutation: Mutation | None = None
    twin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Decides the items of one operation. `writable` are the members that it may set by resource; none means all."""

    bulk: Bulk
    writable: Mapping[str, tuple[str, ...]]
    profile: Profile
    making: Making

    def decide(self, action: str, maker: Maker, pieces: Sequence[Piece]) -> Piece:
        """Return what an item does; what cannot be wrong in the wished way is good."""
        intent = self.profile.intent(self.making.rng)
        if intent in ANEW:
            return ANEW[intent](self, action, maker, pieces) or self.good(action, maker)
        piece = self.good(action, maker)
        if intent in SPOIL and piece.intent == "good" and SPOIL[intent](self, piece):
            piece.intent = intent
        elif piece.fresh and piece.intent == "good" and piece.target is not None and self.bulk.order.run == "listed":
            self.making.fresh.setdefault(maker.name, []).append(piece.target)
        return piece

    def good(self, action: str, maker: Maker) -> Piece:
        """Return an item that ought to succeed; one that needs a record where there is none is `unknown`."""
        if action == "upsert":
            return self._upsert(maker)
        if action in CHANGES or action == "delete":
            live = self._record(maker, drops=action == "delete")
            return self._nobody(action, maker) if live is None else self._on(action, maker, live)
        return self._new(action, maker)

    def _upsert(self, maker: Maker) -> Piece:
        making, profile = self.making, self.profile
        drops = bool(self.bulk.effect.tombstone) and making.rng.random() < profile.delete
        meets = drops or making.rng.random() < profile.existing
        live = self._record(maker, drops=drops) if meets else None
        if live is None:
            return self._new("upsert", maker)
        return self._on("delete" if drops else "upsert", maker, live)

    def _record(self, maker: Maker, *, drops: bool) -> Live | None:
        restrict = maker.resource is not None and maker.resource.restrict
        return self.making.record(maker.name, drops=drops, restrict=restrict)

    def _new(self, action: str, maker: Maker) -> Piece:
        making, assigned = self.making, maker.resource is None or maker.resource.assigned
        piece = Piece(action=action, maker=maker, fresh=True)
        if not assigned:
            piece.target = maker.new_key(making, awkward=making.rng.random() < self.profile.awkward)
        piece.values = maker.whole(making)
        if piece.values is None:
            piece.intent, piece.values = "dangling", maker.drawn(making)
        return self._keyed(piece)

    def _on(self, action: str, maker: Maker, live: Live) -> Piece:
        making, versioned = self.making, self.bulk.effect.version is not None
        piece = Piece(action=action, maker=maker, target=live.key, version=live.version if versioned else None)
        if self.bulk.effect.target and self.bulk.key.by == "client":
            piece.called = maker.called(live.key, making)
        making.used.add((maker.name, live.key))
        if action == "delete":
            making.dropped.add((maker.name, live.key))
            return self._dropping(piece)
        piece.partial = action == "update"
        if piece.partial:
            piece.values = maker.part(making, self.writable.get(maker.name, ()), live.values)
        else:
            piece.values = maker.whole(making, complete=action == "replace", stored=live.values) or {}
        return self._keyed(piece)

    def _nobody(self, action: str, maker: Maker) -> Piece:
        """Return an item that names a record which is not there."""
        making = self.making
        gone = making.known.gone(maker.name)
        stored = making.one_of(gone) if gone and making.rng.random() < GONE else maker.absent_key(making)
        piece = Piece(action=action, maker=maker, intent="unknown", target=stored)
        piece.version = 1 if self.bulk.effect.version is not None else None
        if action == "delete":
            return self._dropping(piece)
        piece.values, piece.partial = maker.part(making, self.writable.get(maker.name, ()), NOTHING), True
        return self._keyed(piece)

    def _dropping(self, piece: Piece) -> Piece:
        piece.values = {} if self.bulk.effect.tombstone or not self.bulk.effect.target else None
        return self._keyed(piece)

    def _keyed(self, piece: Piece) -> Piece:
        """Put the record's key among the members where it belongs there."""
        resource, members = piece.maker.resource, piece.maker.members
        if resource is None or piece.values is None or piece.target is None:
            return piece
        if resource.key in members or not (self.bulk.effect.target or members):
            piece.values[resource.key] = piece.target
        return piece

    def unknown(self, action: str, maker: Maker, _: Sequence[Piece]) -> Piece | None:
        """Change or delete a record that is not there."""
        if action == "upsert" and self.bulk.effect.tombstone:
            action = "delete"
        return self._nobody(action, maker) if action in CHANGES or action == "delete" else None

    def stale(self, action: str, maker: Maker, _: Sequence[Piece]) -> Piece | None:
        """Name a version beside the current one."""
        live = self._record(maker, drops=action == "delete")
        if live is None or live.version is None or self.bulk.effect.version is None or action == "create":
            return None
        piece = self._on(action, maker, live)
        self.making.dropped.discard((maker.name, live.key))
        piece.intent = "stale"
        piece.version = self.making.one_of([live.version + by for by in BESIDE if live.version + by >= 0])
        return piece

    def referenced(self, action: str, maker: Maker, _: Sequence[Piece]) -> Piece | None:
        """Delete a record that others refer to, where that is forbidden."""
        live = self.making.known.live(maker.name)
        if action != "delete" or maker.resource is None or not maker.resource.restrict:
            return None
        for _try in range(TRIES if live else 0):
            found: Live = self.making.one_of(live)
            name = (maker.name, found.key)
            if name not in self.making.used and self.making.known.is_referred_to(*name):
                return replace(self._on(action, maker, found), intent="referenced")
        return None

    def duplicate(self, action: str, maker: Maker, pieces: Sequence[Piece]) -> Piece | None:
        """Repeat the key of an earlier item: the caller's own, or the record's."""
        client = self.bulk.key.by == "client"
        alike = [n for n, one in enumerate(pieces) if client or (one.maker is maker and one.target is not None)]
        alike = [n for n in alike if pieces[n].intent == "good"]
        if not alike:
            return None
        n: int = self.making.one_of(alike)
        if client:
            return replace(self.good(action, maker), intent="duplicate", twin=n)
        twin = pieces[n]
        return replace(twin, intent="duplicate", values=None if twin.values is None else dict(twin.values), twin=n)

    def invalid(self, piece: Piece) -> bool:
        """Break one keyword of the resource's schema."""
        if piece.values is None or piece.maker.schema is None:
            return False
        found = self._part_broken(piece) if piece.partial else self._whole_broken(piece)
        if found is None:
            return False
        piece.mutation, piece.values = found
        return True

    def _whole_broken(self, piece: Piece) -> tuple[Mutation, dict[str, Any]] | None:
        assert piece.maker.schema is not None  # noqa: S101 - asked before
        for mutation in invalid_variants(piece.maker.schema, piece.values, self.making.rng):
            broken = mutation.value
            if isinstance(broken, dict) and not piece.maker.has_in_other_case(broken) and _keeps_lookups(piece, broken):
                return mutation, broken
        return None

    def _part_broken(self, piece: Piece) -> tuple[Mutation, dict[str, Any]] | None:
        values = piece.values or {}
        names = [name for name, value in values.items() if name in piece.maker.members and not isinstance(value, dict)]
        name = self.making.one_of(names) if names else ""
        mutation = invalid_variant(piece.maker.members[name], values[name], self.making.rng) if names else None
        if mutation is None:
            return None
        broken = {**values, name: mutation.value}
        return replace(mutation, value=broken, pointer=f"/{escape(name)}{mutation.pointer}"), broken

    def incomplete(self, piece: Piece) -> bool:
        """Leave out a member that a new record must have."""
        return piece.fresh and self._changed(piece, piece.maker.incomplete(piece.values or {}, self.making))

    def dangling(self, piece: Piece) -> bool:
        """Refer to a record that is not there."""
        allowed = self.writable.get(piece.maker.name, ()) if piece.partial else ()
        return self._changed(piece, piece.maker.dangling(piece.values or {}, self.making, allowed))

    def taken(self, piece: Piece) -> bool:
        """Claim a unique value of another record."""
        allowed = self.writable.get(piece.maker.name, ()) if piece.partial else ()
        return self._changed(piece, piece.maker.taken(piece.values or {}, self.making, piece.target, allowed))

    def _changed(self, piece: Piece, values: dict[str, Any] | None) -> bool:
        if piece.values is None or piece.action == "delete" or values is None:
            return False
        piece.values = values
        return True

    def malformed(self, _: Piece) -> bool:
        """Leave it to whoever wraps the item to break it."""
        return True


ANEW: Final[Mapping[Intent, Callable[[Actor, str, Maker, Sequence[Piece]], Piece | None]]] = {
    "unknown": Actor.unknown,
    "stale": Actor.stale,
    "referenced": Actor.referenced,
    "duplicate": Actor.duplicate,
}
SPOIL: Final[Mapping[Intent, Callable[[Actor, Piece], bool]]] = {
    "invalid": Actor.invalid,
    "incomplete": Actor.incomplete,
    "dangling": Actor.dangling,
    "taken": Actor.taken,
    "malformed": Actor.malformed,
}


def _keeps_lookups(piece: Piece, broken: Mapping[str, object]) -> bool:
    """Say whether what looks records up is as it was: a request may be refused for the form of that."""
    values = piece.values or {}
    return all(broken.get(name, value) == value for name, value in values.items() if isinstance(value, dict))

"""Deciding what one item does: the record it aims at, the members it sets, and what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from contracts.bulk import Bulk
from generators.batches.known import Live, StoredKey
from generators.batches.making import Maker, Making
from generators.batches.profiles import Intent, Profile
from generators.mutations import Mutation, invalid_variant, invalid_variants

CHANGES: Final = frozenset(("update", "replace"))
BESIDE: Final = (-1, 1, 7)  # versions beside the current one


@dataclass(slots=True)
class Piece:
    """An item being decided."""

    action: str
    maker: Maker
    intent: Intent
    target: StoredKey | None = None
    version: int | None = None
    values: dict[str, Any] | None = None
    fresh: bool = False
    partial: bool = False
    mutation: Mutation | None = None
    twin: int | None = None
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Decides the items of one operation. `writable` are the members that it may set; none means all."""

    bulk: Bulk
    writable: Mapping[str, tuple[str, ...]]
    keyed_by_client: bool
    as_list: bool

    def decide(self, action: str, maker: Maker, profile: Profile, making: Making, pieces: list[Piece]) -> Piece:
        """Return what an item does."""
        piece = Piece(action=action, maker=maker, intent=profile.intent(making.rng))
        self._aim(piece, profile, making, pieces)
        self._write(piece, making)
        if piece.values is not None:
            SPOIL.get(piece.intent, _good)(piece, making)
            self._break(piece, making)
        return piece

    def _aim(self, piece: Piece, profile: Profile, making: Making, pieces: list[Piece]) -> None:
        """Choose the record."""
        resource, tombstones = piece.maker.resource, self.bulk.effect.tombstone
        if piece.intent == "duplicate" and self._repeat(piece, making, pieces):
            return
        buries = bool(tombstones) and (making.rng.random() < profile.delete or piece.intent == "unknown")
        meets = piece.action == "upsert" and (piece.intent == "stale" or making.rng.random() < profile.existing)
        if buries and piece.action == "upsert":
            piece.action, piece.extra = "delete", dict(tombstones)
        if piece.action in CHANGES or piece.action == "delete" or meets:
            self._meet(piece, making)
        if piece.target is None and resource is not None and not resource.assigned:
            piece.target = piece.maker.new_key(making, awkward=making.rng.random() < profile.awkward)
        if piece.intent in {"unknown", "stale", "referenced"} and not self._has(piece):
            piece.intent = "good"
        if piece.target is not None and piece.intent != "unknown":
            making.used.add((piece.maker.name, piece.target))

    def _has(self, piece: Piece) -> bool:
        """Say whether what an intent speaks of was found."""
        if piece.intent == "unknown":
            return piece.action in CHANGES or piece.action == "delete"
        return piece.version is not None if piece.intent == "stale" else piece.action == "delete" and not piece.fresh

    def _meet(self, piece: Piece, making: Making) -> None:
        """Aim at a stored record, at none that there is where none is found."""
        resource, deletes = piece.maker.resource, piece.action == "delete"
        restrict = resource is not None and resource.restrict
        live = None
        if piece.intent == "referenced" and deletes and restrict:
            live = _referenced(piece.maker.name, making)
        elif piece.intent != "unknown":
            piece.intent = "good" if piece.intent == "referenced" else piece.intent
            live = making.record(piece.maker.name, droppable=deletes, restrict=restrict)
        if live is not None:
            self._take(piece, live, making)
        elif piece.action != "upsert":
            piece.intent = "unknown"
            gone = making.known.gone(piece.maker.name)
            piece.target = making.one_of(gone) if gone and making.rng.random() < 0.5 else _nobody(piece.maker, making)
            piece.version = 1 if self.bulk.effect.version is not None else None

    def _take(self, piece: Piece, live: Live, making: Making) -> None:
        piece.target, piece.version = live.key, live.version if self.bulk.effect.version is not None else None
        if piece.action == "delete" and piece.intent == "good":
            making.dropped.add((piece.maker.name, live.key))
        if piece.intent == "stale" and live.version is not None and piece.version is not None:
            beside = [live.version + by for by in BESIDE if live.version + by >= 0]
            piece.version = making.one_of(beside)

    def _repeat(self, piece: Piece, making: Making, pieces: list[Piece]) -> bool:
        """Take the key of an earlier item; say whether there was one."""
        alike = [n for n, one in enumerate(pieces) if one.maker is piece.maker and one.intent == "good"]
        if not alike or (not self.keyed_by_client and all(pieces[n].target is None for n in alike)):
            piece.intent = "good"
            return False
        piece.twin = making.one_of(alike)
        twin = pieces[piece.twin]
        piece.action, piece.target, piece.version, piece.extra = twin.action, twin.target, twin.version, dict(twin.extra)
        if self.keyed_by_client and piece.action == "create":
            piece.target = None
        return True

    def _write(self, piece: Piece, making: Making) -> None:
        """Choose the members."""
        if piece.action == "delete":
            piece.values = None if not self.bulk.effect.tombstone else {}
            return
        known = piece.target is not None and making.known.find(piece.maker.name, piece.target) is not None
        if piece.action == "update":
            piece.partial = True
            piece.values = piece.maker.part(making, self.writable.get(piece.maker.name, ()))
            return
        piece.fresh = not known
        piece.values = piece.maker.whole(making, complete=not known or making.rng.random() < 0.5)
        if piece.values is None:
            piece.intent, piece.values = "dangling", generator_values(piece.maker, making)

    def _break(self, piece: Piece, making: Making) -> None:
        if piece.intent != "invalid" or piece.maker.schema is None or piece.values is None:
            piece.intent = "good" if piece.intent == "invalid" else piece.intent
            return
        values = self._keyed(piece)
        piece.mutation = self._mutation(piece, values, making)
        if piece.mutation is None:
            piece.intent = "good"
        elif isinstance(piece.mutation.value, dict):
            piece.values = piece.mutation.value

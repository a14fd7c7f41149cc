"""Composing a bulk request: items decided one by one, wrapped, put where the declaration has them, sent as one call."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final

from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from generators.batches.acting import Actor, Piece
from generators.batches.design import Design, designed
from generators.batches.known import NOTHING, Known
from generators.batches.making import Making, making_of
from generators.batches.planned import PlannedBatch, PlannedItem, key_of
from generators.batches.profiles import PROFILES, Profile
from generators.batches.requesting import requested
from generators.mutations import Mutation, invalid_variant
from generators.requests.items import Part
from generators.requests.words import Word

GROUPS: Final = 3
UNGROUPED: Final = 0.1
UNSAID: Final = Word(None, "")
WAITING: Final = 0.2  # the share of items that wait for an earlier one, where items can


class Composer:
    """Composes requests of one bulk operation.

    `given` are values of parameters by name, such as the tenant in the path; others are taken from examples. Raises
    MisuseError for an operation without `x-bulk`, or whose items are neither an array nor a map.
    """

    __slots__ = ("_design",)

    def __init__(self, contract: Contract, operation: Operation, *, given: Mapping[str, str] | None = None) -> None:
        self._design = designed(contract, operation, given or {})

    @property
    def design(self) -> Design:
        """What is known of the operation."""
        return self._design

    def compose(
        self, *, seed: int, size: int, profile: Profile | None = None, known: Known | None = None, prefix: str = ""
    ) -> PlannedBatch:
        """Return a request of `size` items; the same for the same arguments and the same knowledge.

        `profile` is `mixed` by default. `prefix` begins every name that the batch makes up.
        """
        profile = profile or PROFILES["mixed"]
        rng = Random(f"{self._design.operation.id}/{seed}/{size}/{profile.name}")
        making = making_of(rng, known if known is not None else Known(), prefix=prefix)
        return _Batch(self._design, making, profile, size).planned(seed)


def compose(
    contract: Contract,
    operation: Operation,
    *,
    seed: int,
    size: int,
    profile: Profile | None = None,
    known: Known | None = None,
    given: Mapping[str, str] | None = None,
    prefix: str = "",
) -> PlannedBatch:
    """Return one request of an operation; for many, a `Composer` finds out once what an operation needs."""
    composer = Composer(contract, operation, given=given)
    return composer.compose(seed=seed, size=size, profile=profile, known=known, prefix=prefix)


class _Batch:
    """One batch being composed: `words` are what each piece's action and resource are called."""

    __slots__ = ("_action", "_design", "_making", "_profile", "_resource", "pieces", "words")

    def __init__(self, design: Design, making: Making, profile: Profile, size: int) -> None:
        self._design, self._making, self._profile = design, making, profile
        self._resource: Word = making.one_of(design.resources)
        self._action: Word | None = making.one_of(design.actions) if design.one_action else None
        self.words: list[tuple[Word, Word]] = []
        self.pieces: list[Piece] = []
        shared = design.bulk.effect.payload in design.bulk.items.shared
        own = replace(profile, invalid=0.0, incomplete=0.0, dangling=0.0, taken=0.0) if shared else profile
        actor = Actor(bulk=design.bulk, writable=design.writable, profile=own, making=making)
        for _ in range(size):
            self._decide(actor)
        if shared:
            self._share(actor)

    def planned(self, seed: int) -> PlannedBatch:
        """Return the batch."""
        design, making, bulk = self._design, self._making, self._design.bulk
        keys = self._keys()
        items = [self._item(n, keys) for n in range(len(self.pieces))]
        names = [str(n if key is None else key) for n, key in enumerate(keys)]
        shared: object = ABSENT
        if bulk.effect.payload in bulk.items.shared:
            shared = design.wrapper.payload((self.pieces[0].values if self.pieces else None) or {})
        values = design.values(self._resource if design.fixed else UNSAID, self._action or UNSAID)
        return requested(
            design.operation, values, making, self._profile, items=items, keys=names, shared=shared, seed=seed
        )

    def _decide(self, actor: Actor) -> None:
        design, making = self._design, self._making
        resource = self._resource if design.fixed else making.one_of(design.resources)
        action: Word = self._action or making.one_of(design.actions)
        piece = actor.decide(action.meaning, design.makers[resource.meaning], self.pieces)
        if piece.action != action.meaning:
            action = next((word for word in design.actions if word.meaning == piece.action), action)
        self.pieces.append(piece)
        self.words.append((action, resource))

    def _share(self, actor: Actor) -> None:
        """Give all items the same members, now and then members that are not valid."""
        design, making = self._design, self._making
        maker = design.makers[self._resource.meaning]
        unique = {name for names in (maker.resource.unique if maker.resource else ()) for name in names}
        chosen = design.writable.get(maker.name) or tuple(maker.members)
        piece = Piece(action="update", maker=maker, partial=True)
        piece.values = maker.part(making, tuple(name for name in chosen if name not in unique), NOTHING)
        broken = making.rng.random() < self._profile.invalid and actor.invalid(piece)
        for one in self.pieces:
            one.values = piece.values
            if broken and one.intent == "good":
                one.intent, one.mutation = "invalid", piece.mutation

    def _keys(self) -> list[object]:
        """Return what each item is known by: the key that the caller chooses for it, or the record that it names."""
        design, making = self._design, self._making
        if design.bulk.key.by != "client":
            return [piece.target for piece in self.pieces]
        keys: list[object] = []
        for piece in self.pieces:
            fresh = design.wrapper.fresh_key(piece.action, making.names, making.slot(), making.rng)
            keys.append(fresh if piece.twin is None else keys[piece.twin])
        return keys

    def _item(self, n: int, keys: list[object]) -> PlannedItem:
        design, piece, rng = self._design, self.pieces[n], self._making.rng
        payload = None if piece.values is None else design.wrapper.payload(piece.values)
        group = self._group()
        after = self._after(n, keys)
        parts: dict[Part, object] = {
            "target": piece.target if piece.called is None else piece.called,
            "key": keys[n],
            "version": piece.version,
            "action": self.words[n][0].written,
            "resource": self.words[n][1].written,
            "group": group,
            "awaited": [keys[m] for m in after] or None,
        }
        value = design.wrapper.item(payload, parts, rng, drops=piece.action == "delete")
        mutation: Mutation | None = piece.mutation
        if mutation is not None:
            mutation = replace(mutation, pointer=design.wrapper.pointer(piece.values or {}, mutation.pointer))
        if piece.intent == "malformed":
            element = design.wrapper.element
            mutation = invalid_variant(element, value, rng) if element is not None else None
            piece.intent, value = ("malformed", mutation.value) if mutation is not None else ("good", value)
        resource = piece.maker.resource
        return PlannedItem(
            index=n,
            value=value,
            intent=piece.intent,
            fits=design.wrapper.fits(value) and piece.maker.fits(piece.values, partial=piece.partial),
            action=piece.action,
            resource=resource.name if resource is not None else None,
            key=key_of(value, design.bulk, resource, name=n if keys[n] is None else keys[n], index=n),
            target=piece.target,
            version=piece.version,
            group=group,
            values=piece.values,
            fresh=piece.fresh,
            mutation=mutation,
            after=after,
        )

    def _after(self, n: int, keys: list[object]) -> tuple[int, ...]:
        """Choose the earlier items that one waits for, where items can."""
        named = [m for m in range(n) if keys[m] is not None] if self._design.bulk.order.depends_on else []
        chosen = named and self._making.rng.random() < WAITING
        return (self._making.one_of(named),) if chosen else ()

    def _group(self) -> object:
        bulk, rng = self._design.bulk, self._making.rng
        if not (bulk.order.group_by or bulk.unit.group) or rng.random() < UNGROUPED:
            return None
        return 1 + int(rng.random() * GROUPS)

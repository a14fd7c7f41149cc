"""Composing a bulk request: items decided one by one, wrapped, put where the declaration has them, sent as one call."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final

from contracts.model import Contract, Operation
from generators.batches.acting import Actor, Piece
from generators.batches.design import Design, designed
from generators.batches.known import NOTHING, Known
from generators.batches.making import Making, making_of
from generators.batches.planned import PlannedBatch, PlannedItem
from generators.batches.profiles import PROFILES, Profile
from generators.batches.requesting import collected, requested
from generators.batches.words import Word
from generators.batches.wrapping import key_of
from generators.mutations import Mutation, invalid_variant

GROUPS: Final = 3
UNGROUPED: Final = 0.1
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

    __slots__ = ("_design", "_making", "_profile", "_resource", "pieces", "words")

    def __init__(self, design: Design, making: Making, profile: Profile, size: int) -> None:
        self._design, self._making, self._profile = design, making, profile
        self._resource: Word = making.one_of(design.resources)
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
        keys = self._client_keys()
        items = [self._item(n, keys) for n in range(len(self.pieces))]
        names = [str(n if key is None else key) for n, key in enumerate(keys)]
        collection = collected([item.value for item in items], names, bulk, making)
        shared = None
        if bulk.effect.payload in bulk.items.shared:
            shared = design.wrapper.payload((self.pieces[0].values if self.pieces else None) or {})
        values = design.values(self._resource if design.fixed else Word(None, ""))
        request = requested(design.operation, values, making, self._profile, body=(collection, shared))
        return PlannedBatch(
            operation=design.operation.id,
            call=request.call,
            body=request.body,
            items=tuple(items),
            profile=self._profile.name,
            seed=seed,
            unit=request.unit,
            grouped=request.grouped,
            deferred=request.deferred,
            refusals=self._refusals(items, request.unit),
            targets=request.targets,
        )

    def _decide(self, actor: Actor) -> None:
        design, making = self._design, self._making
        resource = self._resource if design.fixed else making.one_of(design.resources)
        action: Word = making.one_of(design.actions)
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

    def _client_keys(self) -> list[object]:
        """Return the key that the caller chooses for each item, None where it chooses none."""
        key, element, names = self._design.bulk.key, self._design.wrapper.element, self._making.names
        if key.by != "client":
            return [piece.target for piece in self.pieces]
        schema = element.at(key.at) if element is not None and key.at else None
        keys: list[object] = []
        for piece in self.pieces:
            is_named = not key.only_for or piece.action in key.only_for
            fresh = names.fit(schema, self._making.slot(), self._making.rng) if is_named else None
            keys.append(fresh if piece.twin is None else keys[piece.twin])
        return keys

    def _item(self, n: int, keys: list[object]) -> PlannedItem:
        design, piece, rng = self._design, self.pieces[n], self._making.rng
        payload = None if piece.values is None else design.wrapper.payload(piece.values)
        group = self._group()
        after = self._after(n, keys)
        parts = {**self._parts(n, keys, group), **self._waiting(after, keys)}
        value = design.wrapper.item(payload, parts, self._making)
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

    def _waiting(self, after: tuple[int, ...], keys: list[object]) -> dict[str, object]:
        place, element = self._design.bulk.order.depends_on, self._design.wrapper.element
        if not after or place is None:
            return {}
        named = [keys[m] for m in after]
        schema = element.at(place) if element is not None else None
        return {place: named if schema is None or schema.is_valid(named) else named[0]}

    def _parts(self, n: int, keys: list[object], group: object) -> dict[str, object]:
        """Return what stands in an item beside its payload, by location."""
        bulk, piece, (action, resource) = self._design.bulk, self.pieces[n], self.words[n]
        parts: dict[str, object] = dict(piece.marks)
        if bulk.effect.target and not (piece.fresh and piece.maker.is_assigned):
            parts[bulk.effect.target[0]] = piece.target
        if bulk.key.by == "client" and bulk.key.at:
            parts[bulk.key.at] = keys[n]
        if bulk.effect.version is not None:
            parts[bulk.effect.version] = piece.version
        parts[bulk.effect.action.source] = action.written
        if bulk.effect.resource is not None:
            parts[bulk.effect.resource.source] = resource.written
        parts[bulk.order.group_by or bulk.unit.group or ""] = group
        return parts

    def _group(self) -> object:
        bulk, rng = self._design.bulk, self._making.rng
        if not (bulk.order.group_by or bulk.unit.group) or rng.random() < UNGROUPED:
            return None
        return 1 + int(rng.random() * GROUPS)

    def _refusals(self, items: list[PlannedItem], unit: str | None) -> tuple[str, ...]:
        """Return the words of the guard that speak of this request."""
        bulk = self._design.bulk
        intents = {item.intent for item in items}
        broken = {"malformed"} if bulk.effect.payload else {"malformed", "invalid"}
        twice = "duplicateKey" if bulk.key.by == "client" else "duplicateTarget"
        said = {
            "empty": not items,
            "tooMany": bulk.items.max is not None and len(items) > bulk.items.max,
            twice: "duplicate" in intents,
            "malformedItem": bool(intents & broken),
            "badMode": unit is None,
        }
        return tuple(word for word, holds in said.items() if holds and word in bulk.guard.refuse)

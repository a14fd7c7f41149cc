"""The items of a bulk operation as data: as many as are wanted, alone or in the body of a request."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final

from contracts.model import Contract, Operation
from contracts.pointers import tokens_of
from contracts.schemas import Schema
from generators.batches import Composer, Known, Profile
from generators.batches.design import Design
from generators.data.columns import columns_of
from generators.data.stock import before, pretending, stock
from generators.data.subject import BLOCK, Row, Subject
from generators.locations import is_outside, put

PLACE: Final = "\0items\0"


class Kinds:
    """The composers of one operation by resource; `chosen` is the resource that is given, else the first."""

    __slots__ = ("_contract", "_given", "_operation", "_parameter", "chosen", "words")

    def __init__(self, contract: Contract, operation: Operation, given: Mapping[str, str]) -> None:
        choice = operation.bulk.effect.resource if operation.bulk else None
        place = choice.source if choice is not None else ""
        self._contract, self._operation = contract, operation
        self._parameter = place.partition(":")[2] if is_outside(place) else ""
        self._given = {name: value for name, value in given.items() if name != self._parameter}
        every = Composer(contract, operation, given=self._given).design.resources
        self.words = {word.meaning: word.written for word in every} if self._parameter else {}
        self.chosen = Composer(contract, operation, given=given).design.resources[0].meaning

    def composer(self, name: str) -> Composer:
        """Return the composer for one resource."""
        word = self.words.get(name)
        given = {**self._given, self._parameter: word} if word is not None else self._given
        return Composer(self._contract, self._operation, given=given)


def items_of(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Subject:
    """Return the items of a bulk operation. Raises MisuseError when they cannot be composed."""
    kinds = Kinds(contract, operation, given)
    composer = kinds.composer(kinds.chosen)
    design = composer.design

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        known, profile = _stocked(contract, kinds, seed), _profile(design, invalid)
        for block in count():
            held = pretending(known, design, f"{seed}/{block}")
            batch = composer.compose(seed=(seed << 32) + block, size=BLOCK, profile=profile, known=held)
            yield from (Row(item.value, str(item.key), item.mutation) for item in batch.items)

    def around() -> tuple[str, str]:
        body = composer.compose(seed=0, size=1, profile=_profile(design, 0.0)).body
        first, _, last = json.dumps(put(body, design.bulk.items.at, PLACE)).partition(json.dumps(PLACE))
        return first, last

    return Subject(
        name=operation.id,
        rows=rows,
        columns=_columns(design, design.makers[kinds.chosen].schema if design.fixed else None),
        named=design.bulk.items.shape == "map",
        around=around,
    )


def _stocked(contract: Contract, kinds: Kinds, seed: int) -> Known:
    """Return what the same seed makes of the resources that the chosen one refers to."""
    known = Known(contract.resources)
    for name in before(contract, kinds.chosen):
        if name in kinds.words:
            composer = kinds.composer(name)
            profile = _profile(composer.design, 0.0)
            batch = composer.compose(seed=seed << 32, size=BLOCK, profile=profile, known=known)
            stock(known, name, ((item.target, item.values) for item in batch.items))
    return known


def _profile(design: Design, invalid: float) -> Profile:
    """Return what breaks payloads; items themselves where they have no payload of their own."""
    shared = design.bulk.effect.payload in design.bulk.items.shared
    if shared or all(word.meaning == "delete" for word in design.actions):
        return Profile(name="data", malformed=invalid, existing=0.0, delete=0.0)
    return Profile(name="data", invalid=invalid, existing=0.0, delete=0.0)


def _columns(design: Design, payload: Schema | None) -> tuple[str, ...]:
    """Return the columns of items, those of the payload as the resource declares it."""
    at, element = tokens_of(design.bulk.effect.payload), design.wrapper.element
    if not at and not design.bulk.effect.target:
        return tuple(columns_of(payload or element, {}))
    inner = {} if payload is None or not at or design.wrapper.lists_changes else {".".join(at): payload}
    return tuple(columns_of(element, inner))

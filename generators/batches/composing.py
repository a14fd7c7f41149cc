"""Composing a bulk request: items decided one by one, wrapped, put where the declaration has them, sent as one call."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.schemas import Schema
from generators.batches.acting import Actor, Piece
from generators.batches.known import Known
from generators.batches.making import Maker, Making, generator_of
from generators.batches.planned import PlannedBatch, PlannedItem
from generators.batches.profiles import PROFILES, Profile
from generators.batches.requesting import Request, refusals_of
from generators.batches.words import Words, writable_members
from generators.batches.wrapping import Wrapper
from generators.checks.calls import body_schema
from generators.checks.names import FIRST_NUMBER, Names
from generators.mutations import invalid_variant

SHAPES: Final = ("array", "map")
SHARED: Final = {"invalid": 0.0, "incomplete": 0.0, "dangling": 0.0, "taken": 0.0}


class Composer:
    """Composes requests of one bulk operation.

    `given` are values of parameters by name, such as the tenant in the path; others are taken from examples. Raises
    MisuseError for an operation without `x-bulk`, or whose items are neither an array nor a map.
    """

    __slots__ = ("_body", "_given", "_makers", "_words", "bulk", "contract", "element", "operation", "writable")

    def __init__(self, contract: Contract, operation: Operation, *, given: Mapping[str, str] | None = None) -> None:
        bulk = operation.bulk
        if bulk is None:
            raise MisuseError(f"{operation.id} is no bulk operation.", cure="Name one that has 'x-bulk'.")
        if bulk.items.shape not in SHAPES:
            raise MisuseError(f"{operation.id} has its items as {bulk.items.shape}, which cannot be composed.")
        self.contract, self.operation, self.bulk = contract, operation, bulk
        self._given, self._body = given or {}, body_schema(operation)
        self.element = element_of(self._body, bulk)
        self.writable = writable_members(contract, operation)
        self._words = Words(contract, operation, self.element, self._given)
        self._makers: dict[str, Maker] = {}

    def compose(
        self, *, seed: int, size: int, profile: Profile | None = None, known: Known | None = None, prefix: str = ""
    ) -> PlannedBatch:
        """Return a request of `size` items; the same for the same arguments and the same knowledge.

        `profile` is `mixed` by default. `prefix` begins every name that the batch makes up.
        """
        profile = profile or PROFILES["mixed"]
        rng = Random(f"{self.operation.id}/{seed}/{size}/{profile.name}")
        token = rng.getrandbits(40)
        names = Names(prefix=f"{prefix}{token:x}-", number=FIRST_NUMBER + token % 10**9 * 10**5)
        making = Making(rng=rng, known=known or Known(), names=names)
        if self.bulk.effect.payload in self.bulk.items.shared:
            return self._with_shared(making, profile, seed, size)
        pieces = self._pieces(making, profile, size)
        return self._batch(making, profile, seed, pieces, shared=None)

    def maker(self, name: str) -> Maker:
        """Return what makes records of a resource; "" is that of an operation which names none."""
        ready = self._makers.get(name)
        if ready is None:
            payload = self.element.at(self.bulk.effect.payload) if self.element is not None else None
            ready = self._makers[name] = Maker(self.contract, self.contract.resources.get(name), payload)
        return ready

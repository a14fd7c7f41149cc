"""Composing a bulk request: items decided one by one, wrapped, put where the declaration has them, sent as one call."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.errors import MisuseError
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.pointers import look_up
from contracts.schemas import Schema
from generators.batches.acting import Actor, Piece
from generators.batches.known import Known
from generators.batches.making import Maker, Making
from generators.batches.planned import PlannedBatch, PlannedItem
from generators.batches.profiles import PROFILES, Profile
from generators.batches.requesting import Request, collected, requested
from generators.batches.words import Word, action_words, resource_words, writable_members
from generators.batches.wrapping import Wrapper, group_value, key_of
from generators.checks.calls import body_schema
from generators.checks.locations import is_outside
from generators.checks.names import FIRST_NUMBER, Names
from generators.mutations import Mutation, invalid_variant

SHAPES: Final = ("array", "map")
PAYLOAD_INTENTS: Final = {"invalid": 0.0, "incomplete": 0.0, "dangling": 0.0, "taken": 0.0}
GROUPS: Final = 3
UNGROUPED: Final = 0.1
AFTER: Final = 0.2  # the share of items that wait for an earlier one, where they can


class Composer:
    """Composes requests of one bulk operation.

    `given` are values of parameters by name, such as the tenant in the path; others are taken from examples. Raises
    MisuseError for an operation without `x-bulk`, or whose items are neither an array nor a map.
    """

    __slots__ = ("_actions", "_given", "_makers", "_resources", "_wrapper", "_writable", "bulk", "contract", "operation")

    def __init__(self, contract: Contract, operation: Operation, *, given: Mapping[str, str] | None = None) -> None:
        bulk = operation.bulk
        if bulk is None:
            raise MisuseError(f"{operation.id} is no bulk operation.", cure="Name one that has 'x-bulk'.")
        if bulk.items.shape not in SHAPES:
            raise MisuseError(f"{operation.id} has its items as {bulk.items.shape}, which cannot be composed.")
        self.contract, self.operation, self.bulk, self._given = contract, operation, bulk, given or {}
        body = body_schema(operation)
        element = _element(body, bulk)
        payload = (body if bulk.effect.payload in bulk.items.shared else element) or None
        self._wrapper = Wrapper(bulk, element, payload.at(bulk.effect.payload) if payload is not None else None)
        self._resources = resource_words(contract, operation, element, self._given)
        self._actions = action_words(operation, element)
        self._writable = writable_members(contract, operation)
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
        making = Making(rng=rng, known=known if known is not None else Known(), names=names)
        return _Batch(self, making, profile).planned(seed, size)

    def maker(self, name: str) -> Maker:
        """Return what makes records of a resource; "" is that of an operation which names none."""
        ready = self._makers.get(name)
        if ready is None:
            element, at = self._wrapper.element, self.bulk.effect.payload
            payload = element.at(at) if element is not None else None
            ready = self._makers[name] = Maker(self.contract, self.contract.resources.get(name), payload)
        return ready


class _Batch:
    """One batch being composed."""

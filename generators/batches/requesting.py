"""The rest of a bulk request around its items: path, unit, order, targets, keys against repetition, and the wish for a job."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT, Call
from contracts.model import Contract, Operation
from contracts.pointers import look_up
from generators.batches.making import Making, generator_of
from generators.batches.profiles import Profile
from generators.batches.words import Word, place_schema, words_of
from generators.checks.calls import CallDraft, body_schema, draft
from generators.checks.locations import is_outside

NO_UNIT: Final = "NoSuchUnit"
ENVELOPED: Final = 0.25  # the share of bodies in another of the forms that are accepted
UNSAID: Final = 0.2  # the share of callers that leave the unit to its default
TARGETS: Final = 3


class Request:
    """One request being composed around its items."""

    __slots__ = ("_bulk", "_draft", "_making", "_profile", "deferred", "grouped", "targets", "unit")

    def __init__(
        self, operation: Operation, values: Mapping[str, str], making: Making, profile: Profile
    ) -> None:
        assert operation.bulk is not None  # noqa: S101 - asked before
        self._draft, self._bulk = draft(operation, values), operation.bulk
        self._making, self._profile = making, profile
        self.unit = self._choose_unit(operation)
        self.grouped = self._ask_for_order()
        self.deferred = self._ask_for_job()
        self.targets = self._name_targets(operation)
        self._mark()

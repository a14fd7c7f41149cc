"""A trial ready to be sent: its items made real."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from contracts.messages import ABSENT
from generators.checks.intents import Intent
from generators.checks.payloads import Members
from generators.checks.records import Known
from generators.checks.venues import Spot
from generators.checks.wrapping import Content
from generators.requests.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One item made real. `known` is the record that was set up for it, `content` what it says, `raw` how."""

    slot: int
    intent: Intent
    content: Content
    raw: Any
    known: Known | None = None

    @property
    def key(self) -> object:
        """The key of the record that it acts on, ABSENT when the server is to name it."""
        return self.known.key if self.known is not None else self.content.target


@dataclass(slots=True)
class Stage:
    """One trial ready to be sent. `shared` is the payload of all its items as written, ABSENT when each has its own."""

    spot: Spot
    names: Names
    pieces: list[Piece] = field(default_factory=list)
    shared: Any = ABSENT
    shared_members: Members = field(default_factory=dict)

    def rng(self, slot: object) -> Random:
        """Return the random source of a slot: the same in every trial."""
        return self.spot.bench.rng(self.spot.operation.id, slot)

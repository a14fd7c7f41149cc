"""How one JSON Schema differs from another: edits, each at a place and in one keyword."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from contracts.diff.changes import Severity
from contracts.schemas import Schema

Effect: TypeAlias = Literal["narrowed", "widened", "changed"]
Raw: TypeAlias = Mapping[str, Any]
Step: TypeAlias = tuple[str, ...]  # a keyword, and the name or number behind it


class Said(NamedTuple):
    """What became of one keyword: fewer values fit now, more, or others.

    `in_old` and `in_new` describe values that the old and the new side refuse for this reason.
    """

    keyword: str
    effect: Effect
    says: str
    in_old: Raw | None = None
    in_new: Raw | None = None


Rule: TypeAlias = Callable[[Raw, Raw], Iterator[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What became of one keyword, and where.

    `old` and `new` are the schemas in which it stands, `steps` lead to them from the root, `at` is the place of the
    value. `mild` is the most severe that it can be, whichever direction it has, and `least` the least.
    `within` is the part that came or went, where that is a form of its own.
    """

    said: Said
    old: Schema
    new: Schema
    steps: tuple[Step, ...] = ()
    at: str = ""
    mild: Severity = "error"
    least: Severity = "info"
    within: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Where a witness of an edit may be found.

    `steps` lead to the place; a value there fits `within` on the side that accepts it, and `breach` describes what the
    other side refuses.
    """

    steps: tuple[Step, ...]
    within: Schema
    breach: Raw


class Finder(Protocol):
    """Finds values that tell schemas apart; handed in, because making values is none of the contract's business."""

    def __call__(self, accepting: Schema, refusing: Schema, clue: Clue | None) -> object:
        """Return a value that one schema accepts and the other refuses, ABSENT when none is found."""


def breach(raw: Raw, *keywords: str) -> Raw:
    """Return a schema for values that break those keywords of a schema."""
    return {"not": {keyword: raw[keyword] for keyword in keywords if keyword in raw}}

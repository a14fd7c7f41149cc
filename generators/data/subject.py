"""Something that data can be made of: its endless row of values, and how they stand in a document."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from generators.mutations import Mutation

BLOCK: Final = 64  # values drawn from one seeding


class Row(NamedTuple):
    """One value, its name where values are named, and how it was broken, if it was."""

    value: object
    name: str = ""
    mutation: Mutation | None = None


Rows: TypeAlias = Callable[[int, float], Iterator[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that data can be made of.

    `rows` yields its endless row of values for a seed and a share of broken ones. `around` returns what stands before
    and after the values in a JSON document of them; `named` values are an object's members, others an array's elements.
    """

    name: str
    rows: Rows
    columns: tuple[str, ...]
    named: bool = False
    around: Callable[[], tuple[str, str]] = field(default=lambda: ("", ""))

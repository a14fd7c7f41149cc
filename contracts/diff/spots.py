"""Two schemas side by side, one of each version, and where they stand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from contracts.diff.changes import Severity
from contracts.diff.edits import Edit, Raw, Said, Step
from contracts.pointers import escape
from contracts.schemas import Schema, SchemaSet

ANYTHING: Final = SchemaSet({"": True}).schema("#")
NOTHING: Final[Raw] = {"not": {}}


class Spot(NamedTuple):
    """A schema of the old version and one of the new, for values at the same place."""

    old: Schema
    new: Schema
    steps: tuple[Step, ...] = ()
    at: str = ""

    @property
    def raws(self) -> tuple[Raw, Raw]:
        """Return both schemas as mappings."""
        return self.old.raw, self.new.raw

    def inner(self, old: Schema, new: Schema, *step: str, token: str = "") -> "Spot":
        """Return the schemas one step inside; `token` is that of the value when it is another value."""
        at = f"{self.at}/{escape(token)}" if token else self.at
        return Spot(old, new, (*self.steps, step), at)

    def edit(
        self, said: Said, *, mild: Severity = "error", least: Severity = "info", within: Schema | None = None
    ) -> Edit:
        """Return a difference found here."""
        old, new, steps, at = self
        return Edit(said=said, old=old, new=new, steps=steps, at=at, mild=mild, least=least, within=within)


Found: TypeAlias = Iterator[Edit | Spot]


def child(schema: Schema, keyword: str, *more: str) -> Schema:
    """Return the schema at a keyword, that of anything when there is none."""
    value: object = schema.raw
    for token in (keyword, *more):
        if isinstance(value, Mapping):
            value = value.get(token)
        elif isinstance(value, Sequence) and not isinstance(value, str) and int(token) < len(value):
            value = value[int(token)]
        else:
            return ANYTHING
    return schema.inside(keyword, *more) if isinstance(value, Mapping | bool) else ANYTHING


def is_nothing(schema: Schema) -> bool:
    """Say whether no value fits."""
    return schema.raw == NOTHING


def is_same(one: Schema, other: Schema) -> bool:
    """Say whether two schemas are written alike, with everything that they refer to."""
    return one.standalone() == other.standalone()


def either(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Return the names of both, in their order, each once."""
    return [*dict.fromkeys((*one, *other))]

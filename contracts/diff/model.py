"""The values of a comparison: `Change` and `Diff`, edits of schemas (`SchemaEdit`), and hints for witnesses."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from contracts.messages import ABSENT
from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.syntax.text import escape

Severity: TypeAlias = Literal["error", "warning", "info"]
Direction: TypeAlias = Literal["request", "response"]
Proof: TypeAlias = Literal["rule", "containment", "witness"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change between two versions of a contract.

    `severity`: `error` breaks clients, `warning` may break some, `info` breaks none. `operation` is `POST /pets`, or ""
    for the contract as a whole; `place` is where in it; `schema` is the reference of the changed schema; `also` are
    other operations and places with the same change. `says` is a clause for reports. `proof` is what the severity rests
    on. `witness` is a body, parameter or header that one version accepts and the other refuses, ABSENT when none was
    found.
    """

    rule: str
    severity: Severity
    operation: str
    place: str
    says: str
    proof: Proof = "rule"
    witness: object = ABSENT
    schema: str = ""
    also: tuple[str, ...] = ()

    @property
    def direction(self) -> str:
        """Return `request`, `response`, or "" when the change belongs to neither."""
        head = self.rule.partition("-")[0]
        return head if head in {"request", "response"} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """All changes, worst first; `old` and `new` are title and version of the compared contracts."""

    old: tuple[str, str]
    new: tuple[str, str]
    changes: tuple[Change, ...]

    @property
    def counts(self) -> Mapping[Severity, int]:
        """Return the number of changes of each severity."""
        found = Counter(one.severity for one in self.changes)
        return {severity: found[severity] for severity in SEVERITIES}

    def at_least(self, severity: Severity) -> tuple[Change, ...]:
        """Return the changes of this severity or a worse one."""
        worst = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(one for one in self.changes if one.severity in worst)


ValueSetChange: TypeAlias = Literal["narrowed", "widened", "changed"]
Raw: TypeAlias = Mapping[str, Any]
Step: TypeAlias = tuple[str, ...]  # a keyword, and the member name or index after it


class KeywordChange(NamedTuple):
    """The change of one keyword: `effect` is what it does to the set of valid values.

    `in_old` and `in_new` are schemas of values that the old or the new side refuses because of this keyword, None when
    they cannot be described. `is_unvalidated`: the keyword says what values mean, and no validator looks at it.
    """

    keyword: str
    effect: ValueSetChange
    says: str
    in_old: Raw | None = None
    in_new: Raw | None = None
    is_unvalidated: bool = False


Rule: TypeAlias = Callable[[Raw, Raw], Iterator[KeywordChange]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEdit:
    """The change of one keyword, and where it is.

    `old` and `new` are the schemas that have it, `steps` lead to them from the root, `at` is a pointer to the value.
    `max_severity` and `min_severity` limit its rating in either direction. `within` is the subschema that was added or
    removed, when it is an alternative (`anyOf`, `oneOf`).
    """

    change: KeywordChange
    old: Schema
    new: Schema
    steps: tuple[Step, ...] = ()
    at: str = ""
    max_severity: Severity = "error"
    min_severity: Severity = "info"
    within: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessHint:
    """Where a witness of an edit may be found.

    `steps` lead to the place; a value there is valid for `within` on the side that accepts it, and `violation` is a
    schema of the values that the other side refuses.
    """

    steps: tuple[Step, ...]
    within: Schema
    violation: Raw


class WitnessFinder(Protocol):
    """Searches for values that distinguish schemas. It is passed in: making values belongs to `generators`."""

    def __call__(self, accepting: Schema, refusing: Schema, hint: WitnessHint | None) -> object:
        """Return a value that one schema accepts and the other refuses, ABSENT when none is found."""


def violating(raw: Raw, *keywords: str) -> Raw:
    """Return a schema of values that violate these keywords of a schema."""
    return {"not": {keyword: raw[keyword] for keyword in keywords if keyword in raw}}


TRUE_SCHEMA: Final = SchemaSet({"": True}).schema("#")
FALSE_SCHEMA: Final[Raw] = {"not": {}}


class SchemaPair(NamedTuple):
    """A schema of the old version and one of the new, for values at the same place."""

    old: Schema
    new: Schema
    steps: tuple[Step, ...] = ()
    at: str = ""

    @property
    def raws(self) -> tuple[Raw, Raw]:
        """Return both schemas as mappings."""
        return self.old.raw, self.new.raw

    def inner(self, old: Schema, new: Schema, *step: str, token: str = "") -> "SchemaPair":
        """Return the pair one step inside; `token` is that of the value, "" when it is the same value."""
        at = f"{self.at}/{escape(token)}" if token else self.at
        return SchemaPair(old, new, (*self.steps, step), at)

    def edit(
        self,
        change: KeywordChange,
        *,
        max_severity: Severity = "error",
        min_severity: Severity = "info",
        within: Schema | None = None,
    ) -> SchemaEdit:
        """Return an edit found at this pair."""
        old, new, steps, at = self
        return SchemaEdit(
            change=change,
            old=old,
            new=new,
            steps=steps,
            at=at,
            max_severity=max_severity,
            min_severity=min_severity,
            within=within,
        )


Differences: TypeAlias = Iterator[SchemaEdit | SchemaPair]


def subschema(schema: Schema, keyword: str, *more: str) -> Schema:
    """Return the schema at a keyword, `TRUE_SCHEMA` when there is none."""
    value: object = schema.raw
    for token in (keyword, *more):
        if isinstance(value, Mapping):
            value = value.get(token)
        elif isinstance(value, Sequence) and not isinstance(value, str) and int(token) < len(value):
            value = value[int(token)]
        else:
            return TRUE_SCHEMA
    return schema.inside(keyword, *more) if isinstance(value, Mapping | bool) else TRUE_SCHEMA


def rejects_all(schema: Schema) -> bool:
    """Say whether no value is valid."""
    return schema.raw == FALSE_SCHEMA


def is_same_text(one: Schema, other: Schema) -> bool:
    """Say whether two schemas have the same text, with everything that they refer to."""
    return one.standalone() == other.standalone()


def union_of_names(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Return the names of both, in their order, each once."""
    return [*dict.fromkeys((*one, *other))]

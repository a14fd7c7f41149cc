"""Rate edits of a schema by their effect on clients. Begin with `SchemaComparer`.

A request schema must accept every value that it accepted before; a response schema must permit no value that it did not
permit before. Containment of schemas is decided by jsonschema-rs (`canonicalize`, `covers`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, cast

from jsonschema_rs import ReferencingError, canonicalize, dereference

from contracts.diff.model import (
    TRUE_SCHEMA,
    Change,
    Direction,
    Proof,
    SchemaEdit,
    Severity,
    ValueSetChange,
    WitnessFinder,
    WitnessHint,
    is_same_text,
)
from contracts.diff.structure import edits
from contracts.messages import ABSENT
from contracts.schemas.keywords import children
from contracts.schemas.schema_set import PATTERN_OPTIONS, Schema
from contracts.syntax.text import look_up

MAX_SCHEMAS: Final = 3_000  # nested schemas; with more, a proof takes over a second
Containment: TypeAlias = Literal["yes", "no", "unknown"]


class ContainmentProofs:
    """Containment of pairs of schemas, each computed once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Schema, Schema], Containment] = {}

    def covers(self, wide: Schema, narrow: Schema) -> Containment:
        """Say whether every value of `narrow` is valid for `wide`; `unknown` when that cannot be decided."""
        pair = (wide, narrow)
        if pair not in self._known:
            self._known[pair] = _prove_containment(wide, narrow)
        return self._known[pair]


def _prove_containment(wide: Schema, narrow: Schema) -> Containment:
    if wide is TRUE_SCHEMA:
        return "yes"
    wholes = [one.standalone() for one in (wide, narrow)]
    if any(_size(one, one, (), MAX_SCHEMAS) > MAX_SCHEMAS for one in wholes):
        return "unknown"
    try:
        one, other = (
            canonicalize(dereference(whole), validate_formats=True, pattern_options=PATTERN_OPTIONS, offline=True)
            for whole in wholes
        )
    except (ReferencingError, ValueError):
        return "unknown"
    return cast("Containment", one.covers(other).value)


def _size(schema: object, whole: Mapping[str, object], seen: tuple[str, ...], most: int) -> int:
    """Return the number of schemas after references are expanded; counting ends beyond `most`."""
    size = 1
    if not isinstance(schema, Mapping):
        return size
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref not in seen:
        size += _size(look_up(whole, ref.removeprefix("#")), whole, (*seen, ref), most)
    for tokens, one in children(schema):
        if size > most:
            break
        if tokens[0] != "$defs":
            size += _size(one, whole, seen, most - size)
    return size


SAFE_CHANGE: Final[dict[Direction, ValueSetChange]] = {"request": "widened", "response": "narrowed"}
SEVERITY_ORDER: Final[tuple[Severity, ...]] = ("info", "warning", "error")
UNEXPLAINED_CHANGE: Final = {
    "request": "a value that fitted is refused now",
    "response": "a value may come now that could not come before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Two schemas of which `wide` must accept every value of `narrow` for clients to go on working."""

    wide: Schema
    narrow: Schema


def required_inclusion(old: Schema, new: Schema, direction: Direction) -> Inclusion:
    """Return the inclusion that clients need: new includes old for a request, old includes new for a response."""
    return Inclusion(wide=new, narrow=old) if direction == "request" else Inclusion(wide=old, narrow=new)


@dataclass(slots=True)
class SchemaComparer:
    """Compares and rates pairs of schemas, each pair once. `find` searches for witnesses; None searches for none."""

    find: WitnessFinder | None
    proofs: ContainmentProofs = field(default_factory=ContainmentProofs)
    known: dict[tuple[Schema, Schema, Direction], tuple[Change, ...]] = field(default_factory=dict)
    rated: dict[tuple[Schema, Schema, str, Direction], Change] = field(default_factory=dict)

    def compare(
        self, old: Schema | None, new: Schema | None, *, direction: Direction, operation: str, place: str
    ) -> Iterator[Change]:
        """Yield the changes of a schema of a request or response; None stands for a schema that accepts everything."""
        pair = (_directed(old or TRUE_SCHEMA, direction), _directed(new or TRUE_SCHEMA, direction))
        key = (*pair, direction)
        if key not in self.known:
            self.known[key] = tuple(_PairComparison(self, *pair, direction).changes())
        for one in self.known[key]:
            yield replace(one, operation=operation, place=f"{place} {one.place}".strip())


def _directed(schema: Schema, direction: Direction) -> Schema:
    """Return a schema for what is sent in a direction: without what only the other side sends."""
    return (schema.request if direction == "request" else schema.response).with_static_references()


class _PairComparison:
    """The comparison of one pair of schemas."""

    def __init__(self, comparer: SchemaComparer, old: Schema, new: Schema, direction: Direction) -> None:
        self.comparer, self.direction = comparer, direction
        self.old, self.new = old, new
        self.inclusion = required_inclusion(old, new, direction)

    def changes(self) -> Iterator[Change]:
        if is_same_text(self.old, self.new):
            return
        is_safe = self._covers(self.inclusion) == "yes"
        worst: Severity = "info"
        for edit in edits(self.old, self.new):
            change = self._safe_change(edit) if is_safe else self._cached(edit)
            worst = max(worst, change.severity, key=SEVERITY_ORDER.index)
            yield change
        if not is_safe and worst != "error":
            yield from self._unexplained()

    def _covers(self, pair: Inclusion) -> str:
        return self.comparer.proofs.covers(pair.wide, pair.narrow)

    def _safe_change(self, edit: SchemaEdit) -> Change:
        """Return the change for an edit of a schema that, as a whole, still includes what it must."""
        if edit.change.is_unvalidated:
            return self._by_effect(edit)
        return self._change(edit, edit.min_severity, "rule" if self._is_harmless(edit) else "containment")

    def _by_effect(self, edit: SchemaEdit) -> Change:
        """Return the change for an edit of which no validator knows, so that nothing can be proven."""
        return self._change(edit, "info" if self._is_harmless(edit) else edit.max_severity, "rule")

    def _is_harmless(self, edit: SchemaEdit) -> bool:
        return edit.change.effect == SAFE_CHANGE[self.direction]

    def _cached(self, edit: SchemaEdit) -> Change:
        """Return the change for an edit; an edit that was rated at another place has the same rating."""
        key = (edit.old, edit.new, f"{edit.change.keyword} {edit.change.says}", self.direction)
        if key not in self.comparer.rated:
            self.comparer.rated[key] = self._rated(edit)
        return replace(self.comparer.rated[key], place=edit.at)

    def _rated(self, edit: SchemaEdit) -> Change:
        if edit.change.is_unvalidated:
            return self._by_effect(edit)
        if self._is_harmless(edit):
            return self._change(edit, edit.min_severity, "rule")
        if edit.max_severity != "error":
            return self._change(edit, edit.max_severity, "rule")
        contained = self._covers(required_inclusion(edit.old, edit.new, self.direction))
        if contained == "yes":
            return self._change(edit, edit.min_severity, "containment")
        witness = self._witness(edit)
        if witness is not ABSENT:
            return self._change(edit, "error", "witness", witness)
        is_sure = contained == "no" or edit.change.effect != "changed"
        return self._change(edit, "error" if is_sure else "warning", "containment" if contained == "no" else "rule")

    def _witness(self, edit: SchemaEdit | None) -> object:
        if self.comparer.find is None:
            return ABSENT
        return self.comparer.find(
            self.inclusion.narrow, self.inclusion.wide, self._hint(edit) if edit is not None else None
        )

    def _hint(self, edit: SchemaEdit) -> WitnessHint | None:
        within, breach = (
            (edit.old, edit.change.in_new) if self.direction == "request" else (edit.new, edit.change.in_old)
        )
        return (
            WitnessHint(steps=edit.steps, within=edit.within or within, violation=breach)
            if breach is not None
            else None
        )

    def _unexplained(self) -> Iterator[Change]:
        """Yield a breaking change that no rule found, if a witness proves it."""
        witness = self._witness(None)
        if witness is not ABSENT:
            yield Change(
                rule=f"{self.direction}-schema-changed",
                severity="error",
                operation="",
                place="",
                says=UNEXPLAINED_CHANGE[self.direction],
                proof="witness",
                witness=witness,
            )

    def _change(self, edit: SchemaEdit, severity: Severity, proof: Proof, witness: object = ABSENT) -> Change:
        change = edit.change
        return Change(
            rule=f"{self.direction}-{change.keyword}-{change.effect}",
            severity=severity,
            operation="",
            place=edit.at,
            says=change.says,
            proof=proof,
            witness=witness,
            schema=edit.new.ref if edit.old is TRUE_SCHEMA else edit.old.ref,
        )

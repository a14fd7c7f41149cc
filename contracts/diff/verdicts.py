"""What edits of a schema mean for a client: a request may only be relaxed, a response only tightened."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.diff.changes import Change, Direction, Proof, Severity
from contracts.diff.edits import Clue, Edit, Effect, Finder
from contracts.diff.proof import Proofs
from contracts.diff.schemas import edits
from contracts.diff.spots import ANYTHING, is_same
from contracts.messages import ABSENT
from contracts.schemas import Schema

HARMLESS: Final[dict[Direction, Effect]] = {"request": "widened", "response": "narrowed"}
RANK: Final[tuple[Severity, ...]] = ("info", "warning", "error")
UNSEEN: Final = {
    "request": "a value that fitted is refused now",
    "response": "a value may come now that could not come before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two schemas by their part in a call: clients rely on `wide` taking whatever `narrow` takes."""

    wide: Schema
    narrow: Schema


def sides(old: Schema, new: Schema, direction: Direction) -> Sides:
    """Return which schema must take what the other takes: the new of a request, the old of a response."""
    return Sides(wide=new, narrow=old) if direction == "request" else Sides(wide=old, narrow=new)


@dataclass(slots=True)
class Judge:
    """Judges pairs of schemas. `find` makes witnesses; a pair that was judged before is not judged again."""

    find: Finder | None
    proofs: Proofs = field(default_factory=Proofs)
    known: dict[tuple[Schema, Schema, Direction], tuple[Change, ...]] = field(default_factory=dict)
    judged: dict[tuple[Schema, Schema, str, Direction], Change] = field(default_factory=dict)

    def schemas(
        self, old: Schema | None, new: Schema | None, *, direction: Direction, operation: str, place: str
    ) -> Iterator[Change]:
        """Yield how a schema of a request or of a response has changed."""
        pair = (old or ANYTHING, new or ANYTHING)
        key = (*pair, direction)
        if key not in self.known:
            self.known[key] = tuple(_Case(self, *pair, direction).changes())
        for one in self.known[key]:
            yield replace(one, operation=operation, place=f"{place} {one.place}".strip())


class _Case:
    """One pair of schemas under judgement."""

    def __init__(self, judge: Judge, old: Schema, new: Schema, direction: Direction) -> None:
        self.judge, self.direction = judge, direction
        self.old, self.new = old, new
        self.sides = sides(old, new, direction)

    def changes(self) -> Iterator[Change]:
        if is_same(self.old, self.new):
            return
        is_safe = self._covers(self.sides) == "yes"
        worst: Severity = "info"
        for edit in edits(self.old, self.new):
            change = self._eased(edit) if is_safe else self._known(edit)
            worst = max(worst, change.severity, key=RANK.index)
            yield change
        if not is_safe and worst != "error":
            yield from self._unseen()

    def _covers(self, pair: Sides) -> str:
        return self.judge.proofs.covers(pair.wide, pair.narrow)

    def _eased(self, edit: Edit) -> Change:
        """Return an edit of a schema that as a whole takes what it must."""
        return self._change(edit, edit.least, "rule" if self._is_harmless(edit) else "containment")

    def _is_harmless(self, edit: Edit) -> bool:
        return edit.said.effect == HARMLESS[self.direction]

    def _known(self, edit: Edit) -> Change:
        """Return the judgement of an edit: one that was met elsewhere is as bad here."""
        key = (edit.old, edit.new, f"{edit.said.keyword} {edit.said.says}", self.direction)
        if key not in self.judge.judged:
            self.judge.judged[key] = self._judged(edit)
        return replace(self.judge.judged[key], place=edit.at)

    def _judged(self, edit: Edit) -> Change:
        if self._is_harmless(edit):
            return self._change(edit, edit.least, "rule")
        if edit.mild != "error":
            return self._change(edit, edit.mild, "rule")
        contained = self._covers(sides(edit.old, edit.new, self.direction))
        if contained == "yes":
            return self._change(edit, edit.least, "containment")
        witness = self._witness(edit)
        if witness is not ABSENT:
            return self._change(edit, "error", "witness", witness)
        is_sure = contained == "no" or edit.said.effect != "changed"
        return self._change(edit, "error" if is_sure else "warning", "containment" if contained == "no" else "rule")

    def _witness(self, edit: Edit | None) -> object:
        if self.judge.find is None:
            return ABSENT
        return self.judge.find(self.sides.narrow, self.sides.wide, self._clue(edit) if edit is not None else None)

    def _clue(self, edit: Edit) -> Clue | None:
        within, breach = (edit.old, edit.said.in_new) if self.direction == "request" else (edit.new, edit.said.in_old)
        return Clue(steps=edit.steps, within=edit.within or within, breach=breach) if breach is not None else None

    def _unseen(self) -> Iterator[Change]:
        """Yield a breach that no rule has seen, if there is a value that shows it."""
        witness = self._witness(None)
        if witness is not ABSENT:
            yield Change(
                rule=f"{self.direction}-schema-changed",
                severity="error",
                operation="",
                place="",
                says=UNSEEN[self.direction],
                proof="witness",
                witness=witness,
            )

    def _change(self, edit: Edit, severity: Severity, proof: Proof, witness: object = ABSENT) -> Change:
        said = edit.said
        return Change(
            rule=f"{self.direction}-{said.keyword}-{said.effect}",
            severity=severity,
            operation="",
            place=edit.at,
            says=said.says,
            proof=proof,
            witness=witness,
            schema=edit.new.ref if edit.old is ANYTHING else edit.old.ref,
        )

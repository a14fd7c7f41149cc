"""Which laws, checks and operations a run is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import MisuseError
from contracts.model import Contract
from contracts.names import did_you_mean
from generators.checks import conformance, differential, examples
from generators.checks.findings import Law
from generators.checks.laws import EFFECT, LAWS

OTHERS: Final = (examples.CHECK, conformance.CHECK, differential.CHECK)
EVERY: Final = (*LAWS, EFFECT)
CHECKS: Final = (*OTHERS, *(law.name for law in EVERY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run is about: checks by name, the laws among them, and operations by operationId."""

    checks: tuple[str, ...]
    laws: tuple[Law, ...]
    operations: frozenset[str]


def selection(contract: Contract, only: Sequence[str], skip: Sequence[str]) -> Selection:
    """Return what is left of all checks and operations. Raises MisuseError for a name that is neither.

    Replaying examples alone would find nothing: it brings the check of replies with it. A model that had nothing to be
    compared with would not either: it brings the laws, whose calls it judges.
    """
    operations = [one.id for one in contract.operations]
    for name in (*only, *skip):
        if name not in CHECKS and name not in operations:
            known = (*CHECKS, *operations)
            cure = did_you_mean(name, known) or f"Known: {', '.join(known)}."
            raise MisuseError(f"'{name}' is neither a check nor an operationId of {contract.title}.", cure=cure)
    asked = (*only, conformance.CHECK) if examples.CHECK in only else only
    if differential.CHECK in only and not any(law.name in only for law in EVERY):
        asked = (*asked, *(law.name for law in EVERY))
    checks = _left(CHECKS, asked, skip)
    return Selection(
        checks=checks,
        laws=tuple(law for law in EVERY if law.name in checks),
        operations=frozenset(_left(operations, only, skip)),
    )


def _left(names: Sequence[str], only: Sequence[str], skip: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are wanted; those that `only` does not speak of at all are all wanted."""
    wanted = [name for name in names if name in only] or names
    return tuple(name for name in wanted if name not in skip)

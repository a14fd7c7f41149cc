"""Which findings have one root cause: judged by what their small scripts show, and by how a law is broken."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from generators.campaign.kept import Kept

ACTIONS: Final = re.compile(r"\b(creates?|deletes?|effects?|replaces?|updates?|upserts?)\b")
STATUS: Final = re.compile(r"^\d{3} ")
BROAD: Final = frozenset(("coverage", "effect", "model", "read-back"))
"""Checks that many a bug breaks: that two findings break one of them in one way says little."""
VAGUE: Final = ("good ", "no answer", "status ")
FORMAL: Final = frozenset(("coverage", "response"))
"""Checks of what a reply looks like: whatever else is found in a world where one is broken hardly follows from it."""


class Way(NamedTuple):
    """How a law is broken, on whichever operation and by whichever action."""

    law: str
    shape: str

    @property
    def is_telling(self) -> bool:
        """Whether this says by itself what is wrong."""
        return self.law not in BROAD and not self.shape.startswith(VAGUE)


@lru_cache(maxsize=4096)
def way_of(law: str, shape: str) -> Way:
    """Return in what way a finding breaks its law."""
    return Way(law, ACTIONS.sub("*", STATUS.sub("", shape)))


def causes(findings: Sequence[Kept]) -> dict[str, str]:
    """Return for each finding, by fingerprint, the first one with the same root cause; for that one itself ""."""
    first: dict[str, str] = {one.fingerprint: one.fingerprint for one in findings}
    for n, one in enumerate(findings):
        for other in findings[:n]:
            if first[other.fingerprint] != first[one.fingerprint] and linked(other, one):
                _join(first, first[other.fingerprint], first[one.fingerprint])
    return {name: own if own != name else "" for name, own in first.items()}


def _join(first: dict[str, str], one: str, other: str) -> None:
    """Give two groups the name of the one that stands first."""
    places = list(first)
    kept, gone = sorted((one, other), key=places.index)
    for name, own in first.items():
        if own == gone:
            first[name] = kept


def linked(one: Kept, other: Kept) -> bool:
    """Say whether two findings have the same root cause, as far as one can tell by now."""
    return _seen_together(one, other) or _seen_together(other, one) or _akin(one, other)


def _seen_together(one: Kept, other: Kept) -> bool:
    """Say whether a finding, not made small yet, was seen in a world where the other one had shown before."""
    return not other.small and other.cause == one.fingerprint and one.law not in FORMAL


def _akin(one: Kept, other: Kept) -> bool:
    """Say whether two findings are broken in one way, or shown by one script, or alike in both."""
    own, others = way_of(one.law, one.shape), way_of(other.law, other.shape)
    if own == others and (own.is_telling or not (one.small and other.small)):
        return True
    if _beside(one, other) or _beside(other, one):
        return True
    return bool(one.outline) and one.outline == other.outline and not _ways(one).isdisjoint(_ways(other))


def _beside(one: Kept, other: Kept) -> bool:
    """Say whether the script of one finding shows the other as well."""
    return (other.law, other.operation, other.shape) in one.beside


def _ways(kept: Kept) -> set[Way]:
    return {way_of(kept.law, kept.shape), *(way_of(law, shape) for law, _, shape in kept.beside)}


def is_explained(kept: Kept, others: Iterable[Kept]) -> bool:
    """Say whether another finding, made small already, has the same root cause by more than having come before."""
    return any(one.small and one.fingerprint != kept.fingerprint and _akin(one, kept) for one in others)

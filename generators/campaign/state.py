"""What a campaign has come to so far: findings by fingerprint and root cause, and what was exercised."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from generators.campaign.coverage import merge
from generators.campaign.kept import Kept
from generators.campaign.steps import Asking


@dataclass(slots=True)
class State:
    """Grows while a campaign runs. `known` are fingerprints that a baseline accepts; `new_at` is when the last came."""

    known: frozenset[str] = frozenset()
    findings: dict[str, Kept] = field(default_factory=dict)
    calls: int = 0
    items: int = 0
    laws: Counter[tuple[str, ...]] = field(default_factory=Counter)
    keywords: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    leases: int = 0
    lost: list[str] = field(default_factory=list)
    started: float = field(default_factory=monotonic)
    new_at: float | None = None

    @property
    def seconds(self) -> float:
        """How long the campaign has been running."""
        return monotonic() - self.started

    @property
    def groups(self) -> Mapping[str, list[Kept]]:
        """The findings by root cause, each under the fingerprint of the one found first."""
        found: dict[str, list[Kept]] = {}
        for kept in self.findings.values():
            found.setdefault(kept.group or kept.fingerprint, []).append(kept)
        return found

    @property
    def broken(self) -> list[Kept]:
        """The findings that nobody has accepted."""
        return [one for one in self.findings.values() if one.fingerprint not in self.known]

    def add(self, kept: Kept) -> Kept | None:
        """Take a finding in; return it with its group when it is new, None when it was there before."""
        if kept.fingerprint in self.findings:
            return None
        self.new_at = monotonic()
        placed = replace(kept, group=self._group(kept), seconds=round(self.seconds, 3))
        self.findings[kept.fingerprint] = placed
        return placed

    def renew(self, kept: Kept) -> Kept:
        """Take the confirmed form of a finding; return it with what is known of it."""
        old = self.findings.get(kept.fingerprint)
        group = old.group if old is not None else ""
        placed = replace(
            kept, group=self._group(kept, own=group), seconds=old.seconds if old is not None else kept.seconds
        )
        self.findings[kept.fingerprint] = placed
        return placed

    def progress(self, told: Mapping[str, Any]) -> None:
        """Take in what a lease has done since it told last."""
        self.calls += told["calls"]
        self.items += told["items"]
        merge(self.laws, self.keywords, told)

    def _group(self, kept: Kept, own: str = "") -> str:
        """Return the finding with the same root cause that was found first, "" for the first itself."""
        if not own and kept.group in self.findings:
            return self.findings[kept.group].group or kept.group
        for other in self.findings.values():
            if other.fingerprint == kept.fingerprint:
                return own
            if not other.group and _alike(kept, other):
                return other.fingerprint
        return own


def _alike(one: Kept, other: Kept) -> bool:
    """Say whether two findings look like one root cause: broken in one way, or shown by the same calls."""
    return (one.law, one.shape) == (other.law, other.shape) or _outline(one) == _outline(other)


def _outline(kept: Kept) -> tuple[str, ...]:
    return tuple(step.operation if isinstance(step, Asking) else "wait" for step in kept.script.steps)

"""What a campaign has come to so far: findings by fingerprint and root cause, and what was exercised."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from generators.campaign.coverage import merge
from generators.campaign.grouping import causes
from generators.campaign.kept import Kept


@dataclass(slots=True)
class State:
    """Grows while a campaign runs. `known` are fingerprints that a baseline accepts; `new_at` is when the last came.

    `moved` are the findings whose group has changed since `take_moved`.
    """

    known: frozenset[str] = frozenset()
    findings: dict[str, Kept] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
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
        """The findings that nobody has accepted, and that are more than flaky."""
        accepted = self.known | {one.fingerprint for one in self.findings.values() if one.is_doubtful}
        return [one for one in self.findings.values() if one.fingerprint not in accepted]

    def add(self, kept: Kept) -> Kept | None:
        """Take a finding in; return it with its group when it is new, None when it was there before."""
        if kept.fingerprint in self.findings:
            return None
        self.new_at = monotonic()
        return self._placed(replace(kept, seconds=round(self.seconds, 3)))

    def renew(self, kept: Kept) -> Kept:
        """Take the confirmed form of a finding; return it with what is known of it."""
        old = self.findings.get(kept.fingerprint, kept)
        return self._placed(replace(kept, seconds=old.seconds))

    def _placed(self, kept: Kept) -> Kept:
        """Take a finding in and group all findings anew, by what is known now."""
        self.findings[kept.fingerprint] = kept
        for name, first in causes(sorted(self.findings.values(), key=lambda one: one.is_doubtful)).items():
            if self.findings[name].group != first:
                self.findings[name] = replace(self.findings[name], group=first)
                self.moved.add(name)
        return self.findings[kept.fingerprint]

    def take_moved(self) -> set[str]:
        """Return the findings whose group has changed since this was asked last."""
        moved, self.moved = self.moved, set()
        return moved

    def progress(self, told: Mapping[str, Any]) -> None:
        """Take in what a lease has done since it told last."""
        self.calls += told["calls"]
        self.items += told["items"]
        merge(self.laws, self.keywords, told)

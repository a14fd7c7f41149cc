"""What one API knows in one sandbox: records, jobs, ids, settings, and what its hooks remember."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

from mockserver.domain.jobs import JobBook
from mockserver.ids import Ids
from mockserver.stores.memory import MemoryStore
from mockserver.stores.spill import Depot

BY_JOB = (
    "polls",
    "bugs/early",
    "bugs/processed",
    "bugs/results",
    "bugs/told",
)  # kinds of memory whose keys are ids of jobs


@dataclass(slots=True, kw_only=True)
class World:
    """The mutable state of one API in one sandbox. `settings` is the whole sandbox's, shared by its worlds.

    `memory` belongs to the API's hooks (tokens, quotas); what `remember` puts there goes when its time is over.
    `stocked` are the scopes that exist.
    """

    store: MemoryStore
    ids: Ids
    settings: dict[str, Any]
    jobs: JobBook = field(default_factory=JobBook)
    memory: dict[str, Any] = field(default_factory=dict)
    stocked: set[str] = field(default_factory=set)
    depot: Depot = field(default_factory=Depot)
    born: datetime
    expiring: list[tuple[datetime, int, str, Hashable]] = field(default_factory=list)
    remembered: int = 0

    def remember(self, kind: str, key: Hashable, value: object, until: datetime) -> None:
        """Put something into the memory of that kind until an instant of the sandbox's clock."""
        self.memory.setdefault(kind, {})[key] = value
        self.remembered += 1
        heappush(self.expiring, (until, self.remembered, kind, key))

    def forget(self, now: datetime) -> None:
        """Drop what is over by `now`: ended jobs with what was noted of them, tokens, keys. It costs what it drops."""
        while self.expiring and self.expiring[0][0] <= now:
            _, _, kind, key = heappop(self.expiring)
            self.memory.get(kind, {}).pop(key, None)
        for job in self.jobs.forget(now):
            for kind in BY_JOB:
                self.memory.get(kind, {}).pop(job, None)

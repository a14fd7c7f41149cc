"""What one API knows in one sandbox: records, jobs, ids, settings, and what its hooks remember."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mockserver.domain.jobs import JobBook
from mockserver.ids import Ids
from mockserver.stores.memory import MemoryStore
from mockserver.stores.spill import Depot


@dataclass(slots=True, kw_only=True)
class World:
    """The mutable state of one API in one sandbox. `settings` is the whole sandbox's, shared by its worlds.

    `memory` belongs to the API's hooks (tokens, quotas); `stocked` are the scopes that exist.
    """

    store: MemoryStore
    ids: Ids
    settings: dict[str, Any]
    jobs: JobBook = field(default_factory=JobBook)
    memory: dict[str, Any] = field(default_factory=dict)
    stocked: set[str] = field(default_factory=set)
    depot: Depot = field(default_factory=Depot)
    born: datetime

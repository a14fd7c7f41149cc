"""The states of jobs (`JOB_TRANSITIONS`), the transitions between them, how many there may be, and how long they take.

Begin with `is_legal_transition`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

FINAL_STATES: Final = frozenset(("cancelled", "done", "doneWithErrors", "expired", "failed"))
JOB_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    "open": FINAL_STATES | {"queued", "running"},
    "queued": FINAL_STATES | {"running"},
    "running": FINAL_STATES,
    **dict.fromkeys(sorted(FINAL_STATES), frozenset()),
}


def is_legal_transition(before: str, after: str) -> bool:
    """Say whether a job seen in one state may be seen in another later; staying in a state is always legal."""
    return before == after or after in JOB_TRANSITIONS[before]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDuration:
    """How long a simulated job takes: `base` and `per_item` for each item; `queued` is the share (0 to 1) queued."""

    base: timedelta = timedelta(seconds=2)
    per_item: timedelta = timedelta(milliseconds=1)
    queued: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveJobs:
    """How many jobs may be unfinished at a time, for each value of `per`; `breach` is the status code of a refusal.

    It is `conduct` where more are not refused but count as misuse.
    """

    max: int
    per: str = ""
    breach: int | str = "conduct"

"""Set and advance a sandbox's clock; jobs begin and end on the way, in the order of their instants.

Main entries: `advance` and `replace_clock`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from contracts.bulk.model import BulkJob
from contracts.syntax.text import text_of
from mockserver.api.model import Api
from mockserver.bulk.job_status import state_word
from mockserver.domain.clock_and_ids import VirtualClock
from mockserver.domain.jobs import Job, JobRegistry, is_final, job_state, state_changes
from mockserver.sandbox.sandboxes import MAX_INSTANT, MIN_INSTANT, Sandbox

RunDueJobs: TypeAlias = Callable[[Sandbox, datetime], object]


class ClockEvent(NamedTuple):
    """A change of a job's state at an instant of the sandbox's clock."""

    at: datetime
    kind: str
    id: str
    text: str


class ClockRangeError(Exception):
    """The clock would leave the supported years, 1970 to 9000."""

    def __init__(self) -> None:
        super().__init__(f"A clock stays between {MIN_INSTANT:%Y-%m-%d} and {MAX_INSTANT:%Y-%m-%d}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with its API, to show its state in the API's own words."""

    api: Api
    job: Job
    book: JobRegistry

    @property
    def declared(self) -> BulkJob | None:
        """Return the job declaration of its operation, None when a changed contract no longer has it."""
        operation = self.api.contract.operation(self.job.operation)
        return None if operation is None or operation.bulk is None else operation.bulk.job

    def state_word(self, state_class: str) -> str:
        """Return the API's word for a class of state."""
        declared = self.declared
        return state_class if declared is None else text_of(state_word(declared, state_class))

    def stage(self, now: datetime) -> str:
        """Return the class of state at `now`, the same words for all APIs."""
        return job_state(self.job, self.book.results.get(self.job.id), now)

    def state(self, now: datetime) -> str:
        """Return the API's word for the state at `now`."""
        return self.state_word(self.stage(now))

    def changes(self) -> list[tuple[datetime, str]]:
        """Return the instants at which the state changes, with the API's word for the new state."""
        return [
            (at, self.state(at) if word == "done" else self.state_word(word)) for at, word in state_changes(self.job)
        ]


def jobs_of(sandbox: Sandbox) -> Iterator[JobView]:
    """Yield every job of a sandbox, by API and then by arrival."""
    for name, api_state in sandbox.api_states.items():
        api = sandbox.template.apis[name]
        for job in api_state.jobs.jobs.values():
            yield JobView(api=api, job=job, book=api_state.jobs)


def never_ending(sandbox: Sandbox) -> list[str]:
    """Return the ids of the unfinished jobs that have no end."""
    return [job.id for job in _unfinished(sandbox) if job.due is None]


def replace_clock(sandbox: Sandbox, clock: VirtualClock, real: datetime, settle: RunDueJobs) -> list[ClockEvent]:
    """Replace the sandbox's clock, run the jobs that become due, and return the events in between, in order.

    Raises ClockRangeError, and changes nothing, when the clock would leave the years 1970 to 9000.
    """
    before = sandbox.now(real)
    after = require_in_range(clock, real)
    sandbox.clock = clock
    settle(sandbox, after)
    sandbox.notify_clock_change()
    events = sorted(_events(sandbox, before, after), key=_instant_of) if after > before else []
    sandbox.drop_expired(after)
    return events


def advance(sandbox: Sandbox, by: timedelta, real: datetime, settle: RunDueJobs) -> list[ClockEvent]:
    """Advance the clock by `by`; return the events. Raises ClockRangeError."""
    try:
        clock = sandbox.clock.advance(by)
    except OverflowError:
        raise ClockRangeError from None
    return replace_clock(sandbox, clock, real, settle)


def advance_to_next_event(sandbox: Sandbox, real: datetime, settle: RunDueJobs) -> list[ClockEvent]:
    """Advance the clock until a job begins or ends; return the events, none when no job will."""
    now = sandbox.now(real)
    ahead = [at for job in _unfinished(sandbox) for at, _ in state_changes(job) if at > now]
    return advance(sandbox, min(ahead) - now, real, settle) if ahead else []


def advance_until_idle(sandbox: Sandbox, real: datetime, settle: RunDueJobs) -> list[ClockEvent]:
    """Advance the clock until every unfinished job that has an end has ended; return the events."""
    now = sandbox.now(real)
    ahead = [job.due for job in _unfinished(sandbox) if job.due is not None and job.due > now]
    return advance(sandbox, max(ahead) - now, real, settle) if ahead else []


def _unfinished(sandbox: Sandbox) -> Iterator[Job]:
    for api_state in sandbox.api_states.values():
        yield from (api_state.jobs.jobs[name] for name in api_state.jobs.unfinished)


def require_in_range(clock: VirtualClock, real: datetime) -> datetime:
    """Return the time of a clock. Raises ClockRangeError outside the years 1970 to 9000."""
    try:
        now = clock.now(real)
    except OverflowError:
        raise ClockRangeError from None
    if not MIN_INSTANT <= now <= MAX_INSTANT:
        raise ClockRangeError
    return now


def _events(sandbox: Sandbox, before: datetime, after: datetime) -> Iterator[ClockEvent]:
    for view in jobs_of(sandbox):
        if view.job.begins > after or is_final(view.job, before):
            continue
        for at, word in view.changes():
            if before < at <= after:
                yield ClockEvent(at, "job", view.job.id, f"{view.api.name} {view.job.operation}: {word}")


def _instant_of(event: ClockEvent) -> datetime:
    return event.at

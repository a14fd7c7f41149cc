"""Moving a sandbox's clock, and what happens on the way: jobs begin and end in the order of their plans."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from contracts.bulk import BulkJob
from mockserver.api import Api
from mockserver.behaviours.polls import word_for
from mockserver.clock import Clock
from mockserver.domain.jobs import Job, JobBook, is_final, plan, state
from mockserver.sandbox import EARLIEST, LATEST, Sandbox

Settle: TypeAlias = Callable[[Sandbox, datetime], object]


class Event(NamedTuple):
    """Something that happened at an instant of the sandbox's clock."""

    at: datetime
    kind: str
    id: str
    says: str


class OutOfTimeError(Exception):
    """The clock would leave the years in which sandboxes live."""

    def __init__(self) -> None:
        super().__init__(f"A clock stays between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with the API that made it, its state in that API's own words."""

    api: Api
    job: Job
    book: JobBook

    @property
    def declared(self) -> BulkJob | None:
        """Return what the job's operation declares of its jobs, None when a changed contract no longer has it."""
        operation = self.api.contract.operation(self.job.operation)
        return None if operation is None or operation.bulk is None else operation.bulk.job

    def word(self, state_class: str) -> str:
        """Return the API's word for a class of state."""
        declared = self.declared
        return state_class if declared is None else word_for(declared, state_class)

    def state(self, now: datetime) -> str:
        """Return the API's word for the state at `now`."""
        return self.word(state(self.job, self.book.results.get(self.job.id), now))

    def moves(self) -> list[tuple[datetime, str]]:
        """Return the instants at which the state changes, with the API's word for what begins there."""
        return [(at, self.state(at) if word == "done" else self.word(word)) for at, word in plan(self.job)]


def jobs_of(sandbox: Sandbox) -> Iterator[JobView]:
    """Yield every job of a sandbox, by API and then by arrival."""
    for name, world in sandbox.worlds.items():
        api = sandbox.blank.apis[name]
        for job in world.jobs.jobs.values():
            yield JobView(api=api, job=job, book=world.jobs)


def never_ending(sandbox: Sandbox) -> list[str]:
    """Return the ids of the unfinished jobs that have no end."""
    return [job.id for job in _unfinished(sandbox) if job.due is None]


def move(sandbox: Sandbox, clock: Clock, real: datetime, settle: Settle) -> list[Event]:
    """Give the sandbox another clock, run what falls due, and return what happened in between, in order.

    Raises OutOfTimeError, and changes nothing, when the clock would leave the years 1970 to 9000.
    """
    before = sandbox.now(real)
    after = require_in_time(clock, real)
    sandbox.clock = clock
    settle(sandbox, after)
    sandbox.moved()
    events = sorted(_events(sandbox, before, after), key=_when) if after > before else []
    sandbox.forget(after)
    return events


def advance(sandbox: Sandbox, by: timedelta, real: datetime, settle: Settle) -> list[Event]:
    """Let time pass. Raises OutOfTimeError."""
    try:
        clock = sandbox.clock.advance(by)
    except OverflowError:
        raise OutOfTimeError from None
    return move(sandbox, clock, real, settle)


def to_next_event(sandbox: Sandbox, real: datetime, settle: Settle) -> list[Event]:
    """Let time pass until a job begins or ends; nothing moves when none will."""
    now = sandbox.now(real)
    ahead = [at for job in _unfinished(sandbox) for at, _ in plan(job) if at > now]
    return advance(sandbox, min(ahead) - now, real, settle) if ahead else []


def to_idle(sandbox: Sandbox, real: datetime, settle: Settle) -> list[Event]:
    """Let time pass until no job is unfinished but those that never end."""
    now = sandbox.now(real)
    ahead = [job.due for job in _unfinished(sandbox) if job.due is not None and job.due > now]
    return advance(sandbox, max(ahead) - now, real, settle) if ahead else []


def _unfinished(sandbox: Sandbox) -> Iterator[Job]:
    for world in sandbox.worlds.values():
        yield from (world.jobs.jobs[name] for name in world.jobs.unfinished)


def require_in_time(clock: Clock, real: datetime) -> datetime:
    """Return what a clock tells. Raises OutOfTimeError outside the years 1970 to 9000."""
    try:
        now = clock.now(real)
    except OverflowError:
        raise OutOfTimeError from None
    if not EARLIEST <= now <= LATEST:
        raise OutOfTimeError
    return now


def _events(sandbox: Sandbox, before: datetime, after: datetime) -> Iterator[Event]:
    for view in jobs_of(sandbox):
        if view.job.begins > after or is_final(view.job, before):
            continue
        for at, word in view.moves():
            if before < at <= after:
                yield Event(at, "job", view.job.id, f"{view.api.name} {view.job.operation}: {word}")


def _when(event: Event) -> datetime:
    return event.at

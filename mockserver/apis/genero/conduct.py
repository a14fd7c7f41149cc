"""The vendor's code of conduct: in `enforce` its breaches are refused; and the order of jobs that are due together."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

from contracts.messages import Headers, Reply
from mockserver.apis.genero.settings import longest_batch
from mockserver.domain.jobs import Job, is_final
from mockserver.turn import Refusal, Turn

ORDER: Final = {"block": 0, "chain": 1, "wholesaler": 2, "customer": 3, "customercontact": 4}
EVERY: Final = timedelta(minutes=5)  # between polls of one job
TOLERANCE: Final = 0.1  # of EVERY: how much sooner a poll may come
TIMED_OUT: Final = timedelta(minutes=30)  # from here on a job in progress may be given up
WEEK: Final = timedelta(days=7)  # between two batches of maximum size


class Polled(NamedTuple):
    """When a job's status was last told, and whether it was final then."""

    at: datetime
    final: bool


def precedence(job: Job) -> int:
    """Return the place of a job among those of its tenant that are due at the same instant."""
    return ORDER[job.variables["entity"]]


def check(turn: Turn, items: int) -> Refusal | None:
    """Refuse in `enforce` what the code of conduct forbids: a poll when the turn has a job, else a post of `items`."""
    if turn.world.settings["conduct"] != "enforce":
        return None
    return _check_poll(turn, turn.jobs[0]) if turn.jobs else _check_post(turn, items)


def note(turn: Turn, reply: Reply) -> Reply:
    """Remember what later calls are measured by: polls that were answered, batches of maximum size that were taken."""
    for job in turn.jobs if reply.status < 300 else ():  # noqa: PLR2004 - HTTP's own number
        if turn.operation is not None and turn.operation.bulk is None:
            _polls(turn)[job.id] = Polled(turn.now, is_final(job, turn.now))
        elif job.items >= longest_batch(turn.world):
            _largest(turn)[job.client] = turn.now
    return reply


def _check_post(turn: Turn, items: int) -> Refusal | None:
    book = turn.world.jobs
    mine = (job for job in map(book.jobs.__getitem__, book.unfinished) if job.client == turn.client)
    if any(turn.now - job.posted < TIMED_OUT for job in mine):
        return Refusal(
            status=409, kind="conflict", detail="The client has a batch job in progress; one at a time may be."
        )
    last = _largest(turn).get(turn.client)
    if items < longest_batch(turn.world) or last is None or turn.now - last >= WEEK:
        return None
    return _too_soon("A batch of maximum size may be posted once in 7 days.", last + WEEK - turn.now)


def _check_poll(turn: Turn, job: Job) -> Refusal | None:
    last = _polls(turn).get(job.id, Polled(job.posted, final=False))
    if last.final:
        left = (job.due or turn.now) + (job.keep or EVERY) - turn.now
        return _too_soon("A final status was told; polling ends with it.", left)
    since = turn.now - last.at
    if since >= EVERY * (1 - TOLERANCE):
        return None
    return _too_soon("A job may be polled every 5 minutes, the first time 5 minutes after its post.", EVERY - since)


def _too_soon(detail: str, wait: timedelta) -> Refusal:
    after = str(ceil(wait.total_seconds()))
    return Refusal(status=429, kind="quota", detail=detail, headers=Headers((("Retry-After", after),)))


def _polls(turn: Turn) -> dict[str, Polled]:
    found: dict[str, Polled] = turn.world.memory.setdefault("polls", {})
    return found


def _largest(turn: Turn) -> dict[str, datetime]:
    found: dict[str, datetime] = turn.world.memory.setdefault("largest", {})
    return found

"""What a scenario does to a job: how long it takes, what its items come to, when it is forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mockserver.domain.acting import Acts
from mockserver.domain.jobs import Job
from mockserver.domain.values import Item

if TYPE_CHECKING:
    from mockserver.scenario.effects import JobEffect

ACTS: Final = "acts"  # in a job's `extra`: what becomes of its items when it runs
ERRORS: Final = "errors"


def bent(job: Job, effect: "JobEffect | None", acts: Acts | None) -> Job:
    """Return the job as a scenario wants it."""
    job = job if acts is None else replace(job, extra={**job.extra, ACTS: acts})
    if effect is None:
        return job
    extra: dict[str, Any] = {**job.extra}
    if effect.errors:
        extra[ERRORS] = effect.errors
    timed = job if effect.duration is None else _lasting(job, effect.duration)
    return replace(
        timed,
        due=None if effect.never_ends else timed.due,
        progress=effect.progress or job.progress,
        forgotten=None if effect.gone_after is None else job.posted + effect.gone_after,
        extra=extra,
    )


def _lasting(job: Job, length: timedelta) -> Job:
    """Return the job with another length; it waits for the same share of it."""
    planned = None if job.due is None else job.due - job.posted
    waits = (job.begins - job.posted) / planned if planned else 0.0
    return replace(job, begins=job.posted + length * waits, due=job.posted + length)


def acts_of(job: Job, items: Sequence[Item]) -> Acts | None:
    """Return what becomes of the items of a job that runs, None when nothing unusual does."""
    acts: Acts | None = job.extra.get(ACTS)
    errors: Mapping[str, str] = job.extra.get(ERRORS, {})
    if not errors:
        return acts
    from mockserver.scenario.effects import ItemEffect  # noqa: PLC0415 - only where a scenario bends a job

    struck = {
        item.index: ItemEffect(kind="fail", message=errors[str(item.key)]) for item in items if str(item.key) in errors
    }
    return {**(acts or {}), **struck}

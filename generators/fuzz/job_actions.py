"""The actions of a sequence on the jobs of its requests. Begin with `JobActions`."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Final

from contracts.exchange.bulk_exchange import TrackedJob
from generators.client.polling import Pacing, poll_until_ended, poll_until_started, request_jobs, request_results
from generators.fuzz.shards import TaskRun
from generators.oracles.state_model import RecordState

MAX_CONTROLLED_DELAY: Final = timedelta(days=1)
CONTROLLED_STEP: Final = timedelta(seconds=1)
REAL_STEP: Final = timedelta(seconds=0.15)
REPEATED_POLL_SHARE: Final = 0.2
RUNNING_CANCEL_SHARE: Final = 0.5  # share of cancellations of jobs that run, as far as they tell
POLLS_AFTER_END: Final = 3  # of one job in a row: what is told must not change


class JobActions:
    """The actions on the jobs of one task."""

    def __init__(self, run: TaskRun, rng: Random) -> None:
        self._run, self._rng = run, rng

    def running(self) -> list[TrackedJob]:
        """Return the requests with a running job."""
        return self._run.oracle.jobs.unfinished()

    def ended_jobs(self) -> list[TrackedJob]:
        """Return the requests whose jobs have all ended."""
        return [one for one in self._run.oracle.jobs.all if one.is_over]

    def affected_records(self, tracked: TrackedJob) -> list[RecordState]:
        """Return the records that a running job may change."""
        state_model = self._run.oracle.state_model
        return [
            one for where in state_model.record_sets() for one in state_model.entries(where) if tracked.n in one.jobs
        ]

    def ask(self, tracked: TrackedJob, name: str | None = None) -> None:
        """Poll the jobs of a request, or send another operation about each of them."""
        request_jobs(self._run.session, tracked.view, name or tracked.declared.poll)

    def results(self, tracked: TrackedJob) -> None:
        """Request the results of the jobs, where they are separate from the poll."""
        request_results(self._run.session, tracked.view)

    def advance(self, by: timedelta) -> None:
        """Let time pass; at most `REAL_STEP` in real time."""
        self._run.session.wait(by if self._run.session.controlled else min(by, REAL_STEP))

    def poll(self) -> None:
        """Poll a running job after up to one second."""
        running = self.running()
        if running:
            self.advance(CONTROLLED_STEP * self._rng.random())
            self.ask(self._rng.choice(running))

    def finish(self, tracked: TrackedJob) -> None:
        """Wait until a request's jobs end, and request their results; sometimes poll once more."""
        try:
            self.wait_for(tracked)
            self.results(tracked)
        finally:
            tracked.is_over = True
        if self._rng.random() < REPEATED_POLL_SHARE:
            self.ask(tracked)
            self.results(tracked)

    def wait_for(self, tracked: TrackedJob) -> None:
        """Poll jobs until they end: for days where the clock is controlled, else at the pace of jobs before them."""
        pacing = Pacing(self._run.session, tracked.view)
        delays = _controlled_delays(tracked) if self._run.session.controlled else pacing.delays()
        poll_until_ended(self._run.session, lambda: tracked.view, delays)
        pacing.remember()

    def cancel(self, tracked: TrackedJob) -> list[RecordState]:
        """Cancel a request's jobs, poll them now and later, and return the records that must not change."""
        assert tracked.declared.cancel is not None  # noqa: S101 - asked before
        affected_records = self.affected_records(tracked)
        if self._rng.random() < RUNNING_CANCEL_SHARE:
            poll_until_started(self._run.session, lambda: tracked.view)
        self.ask(tracked, tracked.declared.cancel)
        self.ask(tracked)
        self.advance(CONTROLLED_STEP * 20)
        self.ask(tracked)
        self.results(tracked)
        self.wait_for(tracked)
        tracked.is_over = True
        return affected_records

    def cancel_late(self, tracked: TrackedJob) -> None:
        """Cancel a request's jobs after their end, and poll them."""
        if tracked.declared.cancel is not None:
            self.ask(tracked, tracked.declared.cancel)
            self.ask(tracked)

    def poll_ended(self) -> None:
        """Poll a job that has ended several times, one with failures if there is one."""
        ended_jobs = self.ended_jobs()
        some = [self._rng.choice([*filter(_has_failures, ended_jobs)] or ended_jobs)] if ended_jobs else []
        for tracked in some * POLLS_AFTER_END:
            self.ask(tracked)
            self.results(tracked)


def _controlled_delays(tracked: TrackedJob) -> Iterator[timedelta]:
    takes = tracked.declared.takes
    delay = takes.base + takes.per_item * len(tracked.view.request.items) + CONTROLLED_STEP
    while delay < MAX_CONTROLLED_DELAY:
        yield delay
        delay = min(delay * 2, MAX_CONTROLLED_DELAY)
    yield delay


def _has_failures(tracked: TrackedJob) -> bool:
    return any(one.result == "failed" for report in tracked.view.reports for one in report.outcomes)

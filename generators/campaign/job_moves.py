"""The moves about jobs: ask while they run, look at their records too early, wait for their end, cancel, ask again."""

from datetime import timedelta
from random import Random
from typing import Final

from generators.campaign.jobwatch import Watched
from generators.campaign.ledger import Entry
from generators.campaign.session import Session
from generators.checks.following import ask

WHOLE_DAY: Final = timedelta(days=1)
STEP: Final = timedelta(seconds=1)
SLICE: Final = timedelta(seconds=0.15)
LONGEST: Final = timedelta(seconds=3)


class Jobs:
    """The jobs of one session, as moves see them."""

    def __init__(self, session: Session, rng: Random) -> None:
        self._session, self._rng = session, rng

    def under_way(self) -> list[Watched]:
        """Return the calls whose jobs have not all come to an end."""
        return self._session.watcher.jobs.under_way()

    def ended(self) -> list[Watched]:
        """Return the calls whose jobs have."""
        return [one for one in self._session.watcher.jobs.all if one.is_over]

    def touched(self, watched: Watched) -> list[Entry]:
        """Return the records that a job under way may change."""
        ledger = self._session.watcher.ledger
        return [one for where in ledger.places() for one in ledger.entries(where) if watched.n in one.jobs]

    def ask(self, watched: Watched, name: str | None = None) -> None:
        """Ask for the jobs of a call, or make another call about them."""
        for trace in watched.view.traces:
            ask(self._session.bench, watched.view, name or watched.declared.poll, trace)

    def results(self, watched: Watched) -> None:
        """Ask for the results of a call's jobs, where they are told apart."""
        for name in watched.declared.results:
            if name != "here":
                self.ask(watched, name)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass; only a little where it is real."""
        self._session.bench.wait(by if self._session.caller.controlled else min(by, SLICE))

    def poll(self) -> None:
        """Ask for a job under way, after a little while."""
        under_way = self.under_way()
        if under_way:
            self.pass_time(STEP * self._rng.random())
            self.ask(self._rng.choice(under_way))

    def finish(self, watched: Watched) -> None:
        """Wait until the jobs of a call have ended, and ask for their results; now and then ask again."""
        self.wait_for(watched)
        self.results(watched)
        watched.is_over = True
        if self._rng.random() < AGAIN:
            self.ask(watched)
            self.results(watched)

    def wait_for(self, watched: Watched) -> None:
        """Ask for jobs until they have ended, or for a day where waiting is free."""
        takes, controlled = watched.declared.takes, self._session.caller.controlled
        delay = takes.base + takes.per_item * len(watched.view.call.items) + STEP if controlled else SLICE
        while any(trace.end is None for trace in watched.view.traces):
            self._session.bench.wait(delay)
            for trace in [one for one in watched.view.traces if one.end is None]:
                ask(self._session.bench, watched.view, watched.declared.poll, trace)
            if delay >= WHOLE_DAY:
                return
            delay = min(delay * 2, WHOLE_DAY if controlled else LONGEST)

    def cancel(self, watched: Watched) -> list[Entry]:
        """Cancel a call's jobs, ask for them now and later, and return the records that must not change."""
        assert watched.declared.cancel is not None  # noqa: S101 - asked before
        touched = self.touched(watched)
        self.ask(watched, watched.declared.cancel)
        self.ask(watched)
        self.pass_time(STEP * 20)
        self.ask(watched)
        self.results(watched)
        if any(trace.end is None for trace in watched.view.traces):
            self.wait_for(watched)
        watched.is_over = True
        return touched

    def cancel_late(self, watched: Watched) -> None:
        """Cancel a call's jobs when they have ended, and ask for them."""
        if watched.declared.cancel is not None:
            self.ask(watched, watched.declared.cancel)
            self.ask(watched)

    def again(self) -> None:
        """Ask once more for a job that has ended."""
        ended = self.ended()
        if ended:
            watched = self._rng.choice(ended)
            self.ask(watched)
            self.results(watched)


AGAIN: Final = 0.2

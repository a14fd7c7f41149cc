"""The jobs that calls have made: which polls and results belong to which, and when their items have run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.bulk import BulkJob
from contracts.messages import Exchange, History
from contracts.model import Contract
from contracts.routing import Router
from generators.checks.jobs import handle_id, last_variable
from generators.checks.views import View, renewed


@dataclass(slots=True)
class Watched:
    """One accepted call: the exchanges about its jobs, and which of their tellings have been reckoned with."""

    view: View
    declared: BulkJob
    related: list[Exchange]
    settled: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    is_over: bool = False

    @property
    def n(self) -> int:
        """The number of the call."""
        return self.related[0].n


class JobWatch:
    """Finds the job that a call is about by the job's id and the operation that is called."""

    def __init__(self, contract: Contract, router: Router) -> None:
        self._contract, self._router = contract, router
        self._of: dict[tuple[str, str], Watched] = {}
        self.all: list[Watched] = []

    def add(self, view: View) -> Watched | None:
        """Watch the jobs of a call that was accepted, None when it told no handle."""
        if not view.traces:
            return None
        watched = Watched(view=view, declared=view.traces[0].declared, related=[view.exchange])
        for trace in view.traces:
            own = handle_id(self._contract, self._router, trace.handle)
            for name in (watched.declared.poll, watched.declared.cancel, *watched.declared.results):
                if name is not None:
                    self._of[name, own] = watched
        self.all.append(watched)
        return watched

    def about(self, exchange: Exchange, variables: Mapping[str, str]) -> Watched | None:
        """Return the accepted call whose job an exchange is about, brought up to date; None when it is about none."""
        operation = self._contract.operation(exchange.operation or "")
        last = None if operation is None else last_variable(operation)
        watched = None if last is None else self._of.get((exchange.operation or "", variables.get(last, "")))
        if watched is None:
            return None
        watched.related.append(exchange)
        history = History(exchanges=tuple(watched.related))
        watched.view = renewed(watched.view, history, self._contract, self._router)
        return watched

    def under_way(self) -> list[Watched]:
        """Return the calls whose jobs have not all come to an end."""
        return [one for one in self.all if not one.is_over]

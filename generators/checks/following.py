"""Following jobs to their end: polls with growing waits, in the target's own time where that can be moved."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from contracts.bulk import BulkJob
from contracts.messages import Exchange
from contracts.model import Operation
from generators.checks.bench import Bench
from generators.checks.jobs import OK, Trace, handle_id, last_variable
from generators.checks.views import View, views
from generators.impossible import ImpossibleError
from generators.requests.calls import draft

FIRST: Final = {True: timedelta(seconds=0.5), False: timedelta(seconds=0.05)}
LONGEST: Final = {True: timedelta(minutes=5), False: timedelta(seconds=5)}
STEPS: Final = 10  # how finely a learned length is refined
PATIENCE: Final = {True: timedelta(hours=2), False: timedelta(days=1)}


def view_of(bench: Bench, exchange: Exchange) -> View:
    """Return a bulk call with all that has been answered about it so far. Raises ImpossibleError."""
    history = bench.history(exchange.n - 1)
    for view in views(history, bench.contract, operation=exchange.operation, router=bench.router):
        if view.exchange is exchange:
            return view
    raise ImpossibleError("the request that was sent could not be read as its declaration says")


def follow(bench: Bench, exchange: Exchange) -> View:
    """Ask for the jobs of a bulk call until they have ended, and for their results. Raises ImpossibleError."""
    view = view_of(bench, exchange)
    if not view.traces:
        return view
    declared = view.traces[0].declared
    open_, pace = view.traces, _Pace(bench, view, declared)
    while True:
        ask_all(bench, view, declared.poll, open_)
        open_ = tuple(trace for trace in view_of(bench, exchange).traces if trace.end is None)
        if not open_:
            break
        pace.wait()
    pace.note()
    ask_results(bench, view, declared)
    return view_of(bench, exchange)


class _Pace:
    """When to ask for a job again: after growing waits, or first after as long as the last job of its kind took."""

    def __init__(self, bench: Bench, view: View, declared: BulkJob) -> None:
        self._bench, self._controlled = bench, bench.caller.controlled
        self._name = ("pace", view.operation.id, len(str(len(view.call.items))))  # jobs of about the same size
        known = bench.memory.get(self._name)
        self._learned = known if isinstance(known, timedelta) and not self._controlled else None
        self._delay = FIRST[self._controlled]
        self._waited = self._unfinished = timedelta(0)
        self._limit = max(declared.timeout or timedelta(0), PATIENCE[self._controlled])

    def wait(self) -> None:
        """Wait until it is time to ask again. Raises ImpossibleError when it has taken too long."""
        if self._waited > self._limit:
            raise ImpossibleError(f"a job had not ended after {self._waited.total_seconds():g} s")
        self._unfinished = self._waited
        if self._learned is not None and self._waited < self._learned:
            delay = max(self._learned - self._waited, FIRST[False])
        elif self._learned is not None:
            delay = max(self._learned / STEPS, FIRST[False])
        else:
            delay = self._delay
            self._delay = min(self._delay * 2, LONGEST[self._controlled])
        self._bench.wait(delay)
        self._waited += delay

    def note(self) -> None:
        """Remember the longest time after which the job had not ended."""
        if self._waited:
            self._bench.memory[self._name] = self._unfinished


def ask_results(bench: Bench, view: View, declared: BulkJob) -> None:
    """Ask for the results of the jobs of a call, where they are told apart from the poll."""
    for name in declared.results:
        if name != "here":
            ask_all(bench, view, name)


def ask_all(bench: Bench, view: View, name: str, traces: Sequence[Trace] | None = None) -> list[Exchange]:
    """Make one call about each job of a bulk call."""
    return [ask(bench, view, name, trace) for trace in (view.traces if traces is None else traces)]


def ask(bench: Bench, view: View, name: str, trace: Trace) -> Exchange:
    """Make the call `name` about one job. Raises ImpossibleError when the contract has no such call."""
    operation = bench.contract.operation(name)
    variable = None if operation is None else last_variable(operation)
    if operation is None or variable is None:
        raise ImpossibleError(f"'{name}' is no call that names a job")
    values: dict[str, str] = {**bench.given, **view.call.sent.variables}
    values[variable] = handle_id(bench.contract, bench.router, trace.handle)
    values |= target_values(operation, view, trace.target)
    values |= _queries(operation, view)
    return bench.send(draft(operation, values).call())


def target_values(operation: Operation, view: View, target: str | None) -> Mapping[str, str]:
    """Return the target of a fan-out as the parameter of another call that is named like the list of targets."""
    fan_out = view.bulk.items.fan_out
    if fan_out is None or target is None:
        return {}
    return named_like(operation, fan_out.over, target)


def named_like(operation: Operation, over: str, target: str) -> Mapping[str, str]:
    """Return the parameter that has the name of a list of targets, in the singular, with one target as its value."""
    name = over.rpartition("/")[2].lower()
    known = {name, name.removesuffix("s"), name.removesuffix("es")}
    return {one.name: target for one in operation.parameters if one.name.lower() in known}


def _queries(operation: Operation, view: View) -> Mapping[str, str]:
    """Return the query parameters that a bulk call shares with the calls about its job."""
    names = {one.name for one in operation.parameters if one.where == "query"}
    return {name: value for name, value in view.exchange.call.query if name in names}


def was_taken(exchange: Exchange) -> bool:
    """Say whether a call was answered with success."""
    return exchange.reply.status in OK

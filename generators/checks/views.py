"""A bulk call together with all that was answered about it, at once and by its jobs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from contracts.bulk import Bulk, Outcomes
from contracts.messages import ABSENT, Exchange, History
from contracts.model import Contract, NoRoute, Operation
from contracts.routing import Router
from generators.checks.jobs import OK, Trace, Tracks
from generators.checks.reading import BulkCall, read_call
from generators.checks.telling import Entry, Outcome, entries_of, outcomes_of
from generators.locations import look, sent_of, told

Kind: TypeAlias = Literal["refused", "answered", "accepted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """The outcomes of a bulk call for one target: in its reply, or in what was asked of its job once that had ended."""

    declared: Outcomes
    target: str | None
    entries: tuple[Entry, ...]
    outcomes: tuple[Outcome, ...]
    evidence: tuple[Exchange, ...]
    body: object
    trace: Trace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One bulk call. `refused` is the whole request turned away, `accepted` one that has become jobs.

    `troubled` are the targets of a fan-out that had problems instead.
    """

    call: BulkCall
    exchange: Exchange
    kind: Kind
    tellings: tuple[Telling, ...] = ()
    traces: tuple[Trace, ...] = ()
    troubled: Mapping[str, object] | None = None

    @property
    def operation(self) -> Operation:
        """The bulk operation."""
        return self.call.operation

    @property
    def bulk(self) -> Bulk:
        """Its declaration."""
        return self.call.bulk


def views(
    history: History, contract: Contract, *, operation: str | None = None, router: Router | None = None
) -> Iterator[View]:
    """Yield every bulk call of a history that could be taken apart, those of one operation when it is named.

    `router` is the contract's, for whoever has it ready.
    """
    router = router or Router(contract)
    tracks: Tracks | None = None
    for exchange in history.exchanges:
        named = contract.operation(exchange.operation or "")
        if named is None or named.bulk is None or operation not in {None, named.id}:
            continue
        route = router.match(exchange.call.method, exchange.call.path)
        variables = {} if isinstance(route, NoRoute) else route.variables
        call = read_call(contract, sent_of(named, exchange.call, variables))
        if call is not None:
            tracks = tracks or Tracks(contract, history.exchanges, router)
            yield _view(call, exchange, tracks)


def renewed(view: View, history: History, contract: Contract, router: Router) -> View:
    """Return a view with all that a longer history has about it; the call is not taken apart again."""
    return _view(view.call, view.exchange, Tracks(contract, history.exchanges, router))


def _view(call: BulkCall, exchange: Exchange, tracks: Tracks) -> View:
    if call.bulk.items.fan_out is not None:
        return _fanned(call, exchange, tracks)
    traces = _traces(call, exchange, tracks)
    if traces:
        return View(call=call, exchange=exchange, kind="accepted", traces=traces, tellings=_ended(call, traces))
    telling = _answered(call, exchange, exchange.reply.data, None)
    if telling is None and exchange.reply.status not in OK:
        return View(call=call, exchange=exchange, kind="refused")
    kind: Kind = "accepted" if telling is None and call.as_job else "answered"
    return View(call=call, exchange=exchange, kind=kind, tellings=(telling,) if telling is not None else ())


def _traces(call: BulkCall, exchange: Exchange, tracks: Tracks) -> tuple[Trace, ...]:
    declared = call.bulk.job
    if declared is None or not call.as_job or exchange.reply.status not in OK:
        return ()
    handle = told(exchange.reply, declared.handle)
    if handle is ABSENT or isinstance(handle, dict | list):
        return ()
    return (tracks.trace(declared, handle, None, exchange, call.sent),)


def _fanned(call: BulkCall, exchange: Exchange, tracks: Tracks) -> View:
    fan_out, declared = call.bulk.items.fan_out, call.bulk.job
    assert fan_out is not None  # noqa: S101 - asked before
    done, failed = told(exchange.reply, fan_out.succeeded), told(exchange.reply, fan_out.failed)
    known = exchange.reply.status in OK or exchange.reply.status in call.bulk.reply.status.values()
    if not known or not (isinstance(done, dict) or isinstance(failed, dict)):
        return View(call=call, exchange=exchange, kind="refused")
    done, failed = done if isinstance(done, dict) else {}, failed if isinstance(failed, dict) else {}
    if declared is not None and call.as_job:
        traces = tuple(tracks.trace(declared, value, name, exchange, call.sent) for name, value in done.items())
        tellings = _ended(call, traces)
        return View(call=call, exchange=exchange, kind="accepted", traces=traces, tellings=tellings, troubled=failed)
    told_of = [_answered(call, exchange, body, name) for name, body in done.items()]
    tellings = tuple(one for one in told_of if one is not None)
    return View(call=call, exchange=exchange, kind="answered", tellings=tellings, troubled=failed)


def _answered(call: BulkCall, exchange: Exchange, body: object, target: str | None) -> Telling | None:
    """Return the outcomes that stand in the reply itself, None when it is a refusal of the whole."""
    declared, status = call.bulk.reply.outcomes, exchange.reply.status
    words = {name: code for name, code in call.bulk.reply.status.items() if name != "accepted"}
    if declared is None or (status not in OK and status not in words.values()):
        return None
    telling = _telling(call, declared, body, target=target, evidence=(exchange,))
    if telling is None:
        return None
    return telling if status in OK or any(entry.items for entry in telling.entries) else None


def _ended(call: BulkCall, traces: tuple[Trace, ...]) -> tuple[Telling, ...]:
    found = (_of_job(call, trace) for trace in traces)
    return tuple(one for one in found if one is not None)


def _of_job(call: BulkCall, trace: Trace) -> Telling | None:
    """Return the outcomes that a job told after it had ended well."""
    end, declared = trace.end, trace.declared.outcomes
    if end is None or end.state not in {"done", "doneWithErrors"} or declared is None:
        return None
    here = trace.declared.results in {(), ("here",)}
    later = [one for one in trace.results if one.n > end.exchange.n]
    source = end.exchange if here else next(iter(later), None)
    if source is None:
        return None
    evidence = (source,) if here else (end.exchange, source)
    return _telling(call, declared, source.reply.data, target=trace.target, evidence=evidence, trace=trace)


def _telling(
    call: BulkCall,
    declared: Outcomes,
    body: object,
    *,
    target: str | None,
    evidence: tuple[Exchange, ...],
    trace: Trace | None = None,
) -> Telling | None:
    entries = entries_of(call.bulk, declared, body, call.items)
    if entries is None:
        return None
    outcomes = outcomes_of(call.bulk, declared, entries, len(call.items), whole=call.unit == "whole")
    return Telling(
        declared=declared,
        target=target,
        entries=entries,
        outcomes=_but_left(call, body, outcomes),
        evidence=evidence,
        body=body,
        trace=trace,
    )


def _but_left(call: BulkCall, body: object, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Return the outcomes, those of items that are handed back as not processed set right."""
    at = call.bulk.guard.unprocessed
    left = look(body, at) if at is not None else ABSENT
    raws = list(left.values()) if isinstance(left, dict) else left if isinstance(left, list) else []
    if not raws:
        return outcomes
    return tuple(
        replace(one, result="left") if item.raw in raws else one for one, item in zip(outcomes, call.items, strict=True)
    )

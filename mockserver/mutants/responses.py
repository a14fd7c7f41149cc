"""Mutants of responses: wrong outcomes, status codes, counters and fields, bodies that violate their schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from contracts.bulk.model import Bulk, Outcomes
from contracts.messages import ABSENT, Headers, Response
from contracts.syntax.text import look_up
from mockserver.api.model import Batch, RequestContext, problem
from mockserver.bugs.requirements import LONG_LIST_ITEMS, outcomes
from mockserver.bulk.outcome_rendering import outcome_class, reported_outcomes
from mockserver.domain.clock_and_ids import FROZEN_EPOCH
from mockserver.domain.values import ItemFault, Outcome
from mockserver.mutants.guards import CRASH_REFUSAL
from mockserver.mutants.hooks import BrokenHooks, edit_data, mutate_outcomes, mutate_response, value_setter, with_value
from mockserver.mutants.jobs import polled_job
from mockserver.stores.interface import Record

SUCCESS_STATUSES: Final = range(200, 300)


def synchronous_bulk(context: RequestContext) -> Bulk | None:
    """Return the declaration of a bulk request whose items ran at once, None for any other request."""
    bulk = None if context.operation is None else context.operation.bulk
    return bulk if context.outcomes and not context.jobs else None


def _results(context: RequestContext) -> set[str]:
    return {one.result for one in context.outcomes}


def succeed(context: RequestContext, response: Response) -> Response:
    """Answer with the status code of success where an item failed."""
    bulk = None if context.operation is None else context.operation.bulk
    if bulk is None or not (context.outcomes or bulk.items.fan_out is not None):
        return response
    status = bulk.reply.status
    good = status.get("allOk", status.get("accepted", response.status))
    bad = {status.get(word) for word in ("someFailed", "allFailed", "wholeFailed")}
    return replace(response, status=good) if response.status in bad and response.status != good else response


def miscount(context: RequestContext, response: Response) -> Response:
    """Increment a counter when an item failed."""
    places = list(_counters(context, response))
    found = [(place, number) for place in places if type(number := look_up(response.data, place)) is int]
    if not found:
        return response
    place, number = found[0]
    return edit_data(response, value_setter(place, number + 1))


def _counters(context: RequestContext, response: Response) -> Iterator[str]:
    """Yield the locations of counters in a response when some of the items failed."""
    bulk, job = synchronous_bulk(context), polled_job(context, response)
    if bulk is not None and _results(context) != {"done"}:
        yield from bulk.reply.counts.values()
    elif job is not None and job.ended and job.result is not None and job.result.failed:
        yield from (place for name, place in job.declared.progress.items() if name in {"done", "failed"})


def crash(context: RequestContext, response: Response) -> Response:
    """Answer 500 when every item failed."""
    if (
        synchronous_bulk(context) is None
        or "done" in _results(context)
        or response.status not in _outcome_statuses(context)
    ):
        return response
    return problem(CRASH_REFUSAL)


def _outcome_statuses(context: RequestContext) -> set[int]:
    """Return the status codes of responses that report outcomes."""
    bulk = synchronous_bulk(context)
    return set() if bulk is None else set(bulk.reply.status.values())


def nullify(context: RequestContext, response: Response) -> Response:
    """Put null in the place of the outcomes when every item failed."""
    bulk = synchronous_bulk(context)
    declared = None if bulk is None else bulk.reply.outcomes
    if declared is None or "done" in _results(context):
        return response
    places = (at for at in (declared.at, declared.failed_at) if at is not None)
    at = next((at for at in places if look_up(response.data, at) is not ABSENT), None)
    return response if at is None else edit_data(response, partial(with_value, at=at, value=None))


def flatten(context: RequestContext, response: Response) -> Response:
    """Write an empty object of outcomes as an array."""
    for declared in _maps(context, response):
        if look_up(response.data, declared.at) == {}:
            return edit_data(response, value_setter(declared.at, []))
    return response


def _maps(context: RequestContext, response: Response) -> Iterator[Outcomes]:
    bulk, job = synchronous_bulk(context), polled_job(context, response)
    found = (bulk.reply.outcomes if bulk is not None else None, job.declared.outcomes if job is not None else None)
    yield from (one for one in found if one is not None and one.shape == "map")


def drop_content_type(context: RequestContext, response: Response) -> Response:
    """Leave out Content-Type when an item failed."""
    bulk, job = synchronous_bulk(context), polled_job(context, response)
    failed = bulk is not None and _results(context) != {"done"}
    ended = job is not None and job.ended and job.result is not None and job.result.failed > 0
    return _without_fields(response, {"content-type"}) if (failed or ended) and response.body else response


def drop_required_fields(context: RequestContext, response: Response) -> Response:
    """Leave out the header fields that the contract requires."""
    documented = None if context.operation is None else context.operation.response(response.status)
    if documented is None or response.status not in SUCCESS_STATUSES:
        return response
    return _without_fields(response, {header.name.lower() for header in documented.headers if header.required})


def drop_retry_after(context: RequestContext, response: Response) -> Response:
    """Leave out Retry-After."""
    del context
    return _without_fields(response, {"retry-after"})


def _without_fields(response: Response, names: set[str]) -> Response:
    kept = [(name, value) for name, value in response.headers if name.lower() not in names]
    return response if len(kept) == len(response.headers) else replace(response, headers=Headers(kept))


def end_early(context: RequestContext, response: Response) -> Response:
    """Leave the last record out of a list of several."""
    act = None if context.operation is None else context.operation.record
    data: Any = response.data
    if act is None or act.action.constant != "list" or not isinstance(data, list) or len(data) < 2:  # noqa: PLR2004 - several
        return response
    return edit_data(response, lambda found: found[:-1])


MISSING_KEY: Final = 1  # the key of a record that there is not
VAGUE_FAULT: Final = ItemFault("vague", facts={"message": "An error has occurred"})


@dataclass(frozen=True, slots=True)
class ReportedOutcomes:
    """The outcomes of a batch that a response reports, in their order."""

    reported: list[Outcome]
    declared: Outcomes

    @property
    def failed(self) -> list[Outcome]:
        """Return those that failed."""
        return [one for one in self.reported if one.result == "failed"]


def reported_in(batch: Batch, every: list[Outcome]) -> ReportedOutcomes | None:
    """Return the outcomes that a response reports, None when it reports none."""
    bulk = batch.bulk
    declared = outcomes(bulk)
    if declared is None:
        return None
    whole_failed = outcome_class(every, batch.unit) == "wholeFailed"
    return ReportedOutcomes(
        list(reported_outcomes(declared, every, whole_failed=whole_failed, rolled_back=bulk.unit.rolled_back)), declared
    )


def lost(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Leave out the outcome after the first failure."""
    found = reported_in(batch, every)
    if found is None or not found.failed:
        return every
    after = found.reported[found.reported.index(found.failed[0]) + 1 :]
    return [one for one in every if one is not after[0]] if after else every


def doubled(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Report the last outcome twice."""
    found = reported_in(batch, every)
    if found is None or found.declared.shape == "map" or len(found.reported) < 2:  # noqa: PLR2004 - several
        return every
    last = found.reported[-1]
    return [again for one in every for again in ((one, one) if one is last else (one,))]


def swapped(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Swap the last two outcomes of a long list."""
    found = reported_in(batch, every)
    if (
        found is None
        or not found.declared.in_order
        or found.declared.shape == "map"
        or len(found.reported) < LONG_LIST_ITEMS
    ):
        return every
    before, last = found.reported[-2:]
    exchanged = {id(before): last, id(last): before}
    return [exchanged.get(id(one), one) for one in every]


def keys_swapped(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Swap the items of two outcomes."""
    found = reported_in(batch, every)
    pair = None if found is None else _unlike(found)
    if pair is None:
        return every
    one, other = pair
    exchanged = {id(one): one._replace(item=other.item), id(other): other._replace(item=one.item)}
    return [exchanged.get(id(each), each) for each in every]


def _unlike(found: ReportedOutcomes) -> tuple[Outcome, Outcome] | None:
    """Return two reported outcomes with different results and different keys."""
    first = next(iter(found.failed or found.reported), None)
    others = (one for one in found.reported if first is not None and one.item.key != first.item.key)
    pairs = ((first, one) for one in others if first is not None and _result_of(one) != _result_of(first))
    return next(pairs, None)


def _result_of(outcome: Outcome) -> object:
    return outcome.result, outcome.faults, outcome.record


def misplaced(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Report the first failure under the key of an item that succeeded."""
    found = reported_in(batch, every)
    bad = None if found is None else next(iter(found.failed), None)
    good = next((one for one in every if one.result == "done"), None)
    if bad is None or good is None:
        return every
    return [one._replace(item=good.item) if one is bad else one for one in every]


def blamed(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Report the first item that succeeded as failed, with the faults of another."""
    found = reported_in(batch, every)
    bad = None if found is None else next(iter(found.failed), None)
    good = next((one for one in every if one.result == "done"), None)
    if bad is None or good is None:
        return every
    return [one._replace(result="failed", faults=bad.faults, record=None) if one is good else one for one in every]


def hidden(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Report the last failed item as done."""
    found = reported_in(batch, every)
    bad = None if found is None else next(reversed(found.failed), None)
    if bad is None or batch.unit != "item":
        return every
    return [
        one._replace(result="done", faults=(), record=_fabricated_record(one)) if one is bad else one for one in every
    ]


def _fabricated_record(outcome: Outcome) -> Record:
    target = outcome.item.target
    return Record(
        target if isinstance(target, str | int) else MISSING_KEY,
        1,
        deleted=False,
        body={},
        created=FROZEN_EPOCH,
        modified=FROZEN_EPOCH,
    )


def vague(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Replace the faults of every failed item by one vague message."""
    del batch
    return [one._replace(faults=(VAGUE_FAULT,)) if one.result == "failed" else one for one in every]


BREAKS: Final[Mapping[str, BrokenHooks]] = {
    "all-failed-crash": mutate_response(crash),
    "counter-off": mutate_response(miscount),
    "empty-map-as-list": mutate_response(flatten),
    "error-misplaced": mutate_outcomes(misplaced),
    "error-text-vague": mutate_outcomes(vague),
    "failure-hidden": mutate_outcomes(hidden),
    "good-item-blamed": mutate_outcomes(blamed),
    "header-missing": mutate_response(drop_required_fields),
    "keys-swapped": mutate_outcomes(keys_swapped),
    "list-ends-early": mutate_response(end_early),
    "outcome-doubled": mutate_outcomes(doubled),
    "outcome-lost": mutate_outcomes(lost),
    "outcomes-null": mutate_response(nullify),
    "outcomes-swapped": mutate_outcomes(swapped),
    "retry-after-missing": mutate_response(drop_retry_after),
    "status-of-success": mutate_response(succeed),
    "type-missing": mutate_response(drop_content_type),
}

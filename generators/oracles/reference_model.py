"""Compare an implementation's responses with the predictions of a reference model. Begin with `check_model`."""

from collections.abc import Collection, Iterator
from typing import Final

from contracts.exchange.bulk_exchange import BulkExchange, bulk_exchanges
from contracts.exchange.locations import find
from contracts.messages import ABSENT, Exchange, ExchangeHistory
from contracts.openapi.model import Contract
from contracts.schemas.equality import difference_at, equivalent
from contracts.syntax.text import pointer_of, short
from generators.oracles.findings import Finding, Model, Prediction, shape_at
from generators.oracles.response_laws import declared_schema

CHECK: Final = "model"
STATEMENT: Final = "Every response equals the reference model's."
UNFINISHED_RESULTS: Final = frozenset(("failed", "not-run"))


def check_model(contract: Contract, model: Model, history: ExchangeHistory) -> Iterator[Finding]:
    """Yield the differences of a history from a model's predictions, each shape once per operation."""
    seen: set[str] = set()
    for exchange in history.exchanges:
        for finding in differences(model, exchange, _view(contract, exchange, history), contract=contract):
            if finding.fingerprint not in seen:
                seen.add(finding.fingerprint)
                yield finding


def _view(contract: Contract, exchange: Exchange, history: ExchangeHistory) -> BulkExchange | None:
    operation = contract.operation(exchange.operation or "")
    if operation is None or operation.bulk is None:
        return None
    later = ExchangeHistory(exchanges=tuple(one for one in history.exchanges if one.n >= exchange.n))
    return next(
        (one for one in bulk_exchanges(later, contract, operation=operation.id) if one.exchange is exchange), None
    )


def differences(
    model: Model,
    exchange: Exchange,
    view: BulkExchange | None,
    plain: Collection[int] = frozenset(),
    *,
    contract: Contract | None = None,
    is_open: bool = False,
) -> Iterator[Finding]:
    """Yield the differences of one exchange from a model's prediction; `view` is its bulk exchange, if any.

    Members are compared by their schemas in the contract, where there is one, as a value may have several notations;
    where a record `is_open`, more than one value may be right. Errors are compared for the `plain` items alone: of
    several faults of one item, any may be reported.
    """
    predicted = model.predict(exchange)
    if predicted is None:
        return
    status = exchange.response.status
    if predicted.status is not None and status != predicted.status:
        if exchange.request.body and are_refusals(status, predicted.status):
            return  # of several things that are wrong with a call, any may be told
        says = f"The status is {status}; the model expects {predicted.status}."
        yield _finding(exchange, None, f"{status} for {predicted.status}", says)
        return
    if view is not None and predicted.results is not None:
        yield from _results(exchange, view, predicted, plain)
    operation = None if contract is None else contract.operation(exchange.operation or "")
    schema = None if operation is None else declared_schema(operation, exchange.response)
    for name, wanted in (predicted.record or {}).items() if not is_open else ():
        at, got = next(_members(exchange.response.data, name), ("", ABSENT))
        own = None if schema is None else schema.at(at)
        if not equivalent(own, got, wanted):
            told = "nothing" if got is ABSENT else short(got)
            says = f"'{name}' is {told}; the model expects {short(wanted)}."
            pointer = f"{at or pointer_of((name,))}{difference_at(own, got, wanted)}"
            yield _finding(exchange, None, shape_at("a member reads otherwise", pointer), says)


def are_refusals(*statuses: int) -> bool:
    """Return whether all these statuses are client errors."""
    return all(400 <= one < 500 for one in statuses)  # noqa: PLR2004 - what HTTP calls client errors


def _results(
    exchange: Exchange, view: BulkExchange, predicted: Prediction, plain: Collection[int]
) -> Iterator[Finding]:
    results = predicted.results or ()
    errors = predicted.errors or (None,) * len(results)
    for report in view.reports:
        for one, right, error in zip(report.outcomes, results, errors, strict=False):
            if view.request.unit != "item" and {one.result, right} <= UNFINISHED_RESULTS:
                continue  # how many items of a whole that fails are looked at is the implementation's choice
            if one.result not in {right, "untold"}:
                says = f"Item {one.index} is {one.result}; the model expects {right}."
                yield _finding(exchange, view, f"{one.result} for {right}", says)
            elif one.result == "failed" and one.index in plain and error is not None and one.error != error:
                says = f"Item {one.index} failed with {short(one.error)}; the model expects {short(error)}."
                yield _finding(exchange, view, shape_at("another error", "", one.error, error), says)


def _members(data: object, name: str) -> Iterator[tuple[str, object]]:
    """Yield the values of a member with their JSON Pointers: the record's own first, then those one level down."""
    own = find(data, f"/{name}")
    if own is not ABSENT:
        yield f"/{name}", own
    for outer, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict) and name in value:
            yield pointer_of((outer, name)), value[name]


def _finding(exchange: Exchange, view: BulkExchange | None, shape: str, says: str) -> Finding:
    told = (view.exchange, exchange) if view is not None and view.exchange is not exchange else (exchange,)
    operation = view.operation.id if view is not None else exchange.operation or ""
    return Finding(law=CHECK, operation=operation, shape=shape, says=says, evidence=told)

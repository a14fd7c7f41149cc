"""Comparing an implementation with a reference model that was handed in: what it predicts must be what was answered."""

from collections.abc import Collection, Iterator
from typing import Final

from contracts.messages import ABSENT, Exchange, History
from contracts.model import Contract
from contracts.texts import short
from generators.checks.findings import Finding, Model, Prediction
from generators.checks.views import View, views
from generators.locations import look

CHECK: Final = "model"
SAYS: Final = "Every response equals the reference model's."
UNDONE: Final = frozenset(("failed", "not-run"))


def check_model(contract: Contract, model: Model, history: History) -> Iterator[Finding]:
    """Yield where a history differs from what a model predicts of it, each kind of difference once for an operation."""
    seen: set[str] = set()
    for exchange in history.exchanges:
        for finding in differences(model, exchange, _view(contract, exchange, history)):
            if finding.fingerprint not in seen:
                seen.add(finding.fingerprint)
                yield finding


def _view(contract: Contract, exchange: Exchange, history: History) -> View | None:
    operation = contract.operation(exchange.operation or "")
    if operation is None or operation.bulk is None:
        return None
    later = History(exchanges=tuple(one for one in history.exchanges if one.n >= exchange.n))
    return next((one for one in views(later, contract, operation=operation.id) if one.exchange is exchange), None)


def differences(
    model: Model, exchange: Exchange, view: View | None, plain: Collection[int] = frozenset()
) -> Iterator[Finding]:
    """Yield where an exchange differs from what a model predicts; `view` is the bulk call that it tells of.

    Errors are compared for the `plain` items alone: of several things that are wrong with one item, any may be told.
    """
    predicted = model.predict(exchange)
    if predicted is None:
        return
    status = exchange.reply.status
    if predicted.status is not None and status != predicted.status:
        if exchange.call.body and are_refusals(status, predicted.status):
            return  # of several things that are wrong with a call, any may be told
        says = f"The status is {status}; the model expects {predicted.status}."
        yield _finding(exchange, None, f"{status} for {predicted.status}", says)
        return
    if view is not None and predicted.results is not None:
        yield from _results(exchange, view, predicted, plain)
    for name, wanted in (predicted.record or {}).items():
        got = next(_members(exchange.reply.data, name), ABSENT)
        if got != wanted and not (got is ABSENT and wanted is None):
            told = "nothing" if got is ABSENT else short(got)
            says = f"'{name}' is {told}; the model expects {short(wanted)}."
            yield _finding(exchange, None, "a member reads otherwise", says)


def are_refusals(*statuses: int) -> bool:
    """Say whether all these statuses blame the caller."""
    return all(400 <= one < 500 for one in statuses)  # noqa: PLR2004 - what HTTP calls client errors


def _results(exchange: Exchange, view: View, predicted: Prediction, plain: Collection[int]) -> Iterator[Finding]:
    results = predicted.results or ()
    errors = predicted.errors or (None,) * len(results)
    for telling in view.tellings:
        for one, right, error in zip(telling.outcomes, results, errors, strict=False):
            if view.call.unit != "item" and {one.result, right} <= UNDONE:
                continue  # how many items of a whole that fails are looked at is the implementation's choice
            if one.result not in {right, "untold"}:
                says = f"Item {one.index} is {one.result}; the model expects {right}."
                yield _finding(exchange, view, f"{one.result} for {right}", says)
            elif one.result == "failed" and one.index in plain and error is not None and one.error != error:
                says = f"Item {one.index} failed with {short(one.error)}; the model expects {short(error)}."
                yield _finding(exchange, view, "another error", says)


def _members(data: object, name: str) -> Iterator[object]:
    """Yield what a record has under a name: its own member first, then those one level in."""
    own = look(data, f"/{name}")
    if own is not ABSENT:
        yield own
    for value in data.values() if isinstance(data, dict) else ():
        if isinstance(value, dict) and name in value:
            yield value[name]


def _finding(exchange: Exchange, view: View | None, shape: str, says: str) -> Finding:
    told = (view.exchange, exchange) if view is not None and view.exchange is not exchange else (exchange,)
    operation = view.operation.id if view is not None else exchange.operation or ""
    return Finding(law=CHECK, operation=operation, shape=shape, says=says, evidence=told)

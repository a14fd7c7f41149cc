"""What a reference model predicts, held against what was answered."""

from collections.abc import Iterator

from contracts.messages import ABSENT, Exchange
from contracts.texts import short
from generators.checks.differential import CHECK
from generators.checks.findings import Finding, Model, Prediction
from generators.checks.locations import look
from generators.checks.views import View


def differences(model: Model, exchange: Exchange, view: View | None) -> Iterator[Finding]:
    """Yield where an exchange differs from what a model predicts; `view` is the bulk call that it tells of."""
    predicted = model.predict(exchange)
    if predicted is None:
        return
    status = exchange.reply.status
    if predicted.status is not None and status != predicted.status:
        says = f"The status is {status} where the model has {predicted.status}."
        yield _finding(exchange, None, f"{status} for {predicted.status}", says)
        return
    if view is not None and predicted.results is not None:
        yield from _results(exchange, view, predicted)
    for name, wanted in (predicted.record or {}).items():
        got = next(_members(exchange.reply.data, name), ABSENT)
        if got != wanted and not (got is ABSENT and wanted is None):
            told = "nothing" if got is ABSENT else short(got)
            says = f"'{name}' is {told} where the model has {short(wanted)}."
            yield _finding(exchange, None, "a member reads otherwise", says)


def _results(exchange: Exchange, view: View, predicted: Prediction) -> Iterator[Finding]:
    for telling in view.tellings:
        rows = zip(telling.outcomes, predicted.results or (), predicted.errors or (), strict=False)
        for one, right, error in rows:
            if one.result not in {right, "untold"}:
                says = f"Item {one.index} is {one.result} where the model has it {right}."
                yield _finding(exchange, view, f"{one.result} for {right}", says)
            elif one.result == "failed" and error is not None and one.error != error:
                says = f"Item {one.index} failed with {short(one.error)} where the model has {short(error)}."
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

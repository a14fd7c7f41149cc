"""Comparing an implementation with a reference model that was handed in: what it predicts must be what was answered."""

from collections.abc import Iterator
from typing import Final

from contracts.messages import ABSENT, Exchange
from contracts.model import Contract
from contracts.texts import short
from generators.checks.findings import Finding, History, Model, Prediction
from generators.checks.locations import look
from generators.checks.views import views

CHECK: Final = "model"
SAYS: Final = "What is answered is what the reference model predicts."


def check_model(contract: Contract, model: Model, history: History) -> Iterator[Finding]:
    """Yield where a history differs from what a model predicts of it, each kind of difference once for an operation."""
    seen: set[str] = set()
    for exchange in history.exchanges:
        predicted = model.predict(exchange)
        for finding in _differences(contract, exchange, predicted, history) if predicted is not None else ():
            if finding.fingerprint not in seen:
                seen.add(finding.fingerprint)
                yield finding


def _differences(contract: Contract, exchange: Exchange, predicted: Prediction, history: History) -> Iterator[Finding]:
    status = exchange.reply.status
    if predicted.status is not None and status != predicted.status:
        says = f"The status is {status} where the model has {predicted.status}."
        yield _finding(exchange, f"{status} for {predicted.status}", says)
        return
    if predicted.results is not None:
        yield from _results(contract, exchange, predicted.results, history)
    for name, wanted in (predicted.record or {}).items():
        got = next((one for one in _members(exchange.reply.data, name)), ABSENT)
        if got != wanted:
            told = "nothing" if got is ABSENT else short(got)
            yield _finding(exchange, f"member {name}", f"'{name}' is {told} where the model has {short(wanted)}.")


def _results(contract: Contract, exchange: Exchange, wanted: tuple[str, ...], history: History) -> Iterator[Finding]:
    later = History(exchanges=tuple(one for one in history.exchanges if one.n >= exchange.n))
    view = next((one for one in views(later, contract, operation=exchange.operation) if one.exchange is exchange), None)
    for telling in view.tellings if view is not None else ():
        pairs = zip(telling.outcomes, wanted, strict=False)
        for one, right in pairs:
            if one.result not in {right, "untold"}:
                says = f"Item {one.index} is {one.result} where the model has it {right}."
                yield _finding(exchange, f"{one.result} for {right}", says)


def _members(data: object, name: str) -> Iterator[object]:
    """Yield what a record has under a name: its own member first, then one level in."""
    own = look(data, f"/{name}")
    if own is not ABSENT:
        yield own
    if isinstance(data, dict):
        yield from (value[name] for value in data.values() if isinstance(value, dict) and name in value)


def _finding(exchange: Exchange, shape: str, says: str) -> Finding:
    return Finding(law=CHECK, operation=exchange.operation or "", shape=shape, says=says, evidence=(exchange,))

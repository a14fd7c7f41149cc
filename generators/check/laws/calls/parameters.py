"""The law `parameters`: a query parameter whose value its schema excludes is refused, and its limits are allowed.

Begin with `parameters`. Refusals are judged where `x-strict-parameters` declares them, limits on calls that only read.
What must change nothing is in `harmless`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from contracts.bulk.lists import ListRules
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.messages import Exchange, Request
from contracts.openapi.model import Contract, Operation, Parameter
from contracts.openapi.parameters import types_of
from contracts.openapi.validation import parse_parameters
from contracts.syntax.text import as_list
from generators.check.laws.calls.harmless import harmless, has_harmless
from generators.check.laws.calls.malformed import BUSY_STATUS
from generators.check.laws.metamorphic import run_each
from generators.check.specimens import specimen_of, specimen_or_request
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import SERVER_FAULT

LAW: Final = "parameters"
WORD: Final = "bulkproof"  # no number, and no word of anybody's
NUMBERS: Final = frozenset(("integer", "number"))
WRONG_NUMBERS: Final = (WORD, "1.5", "1x", "-1", "0x1")


def has_parameters(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation has query parameters whose schemas exclude something, or what must change nothing."""
    return any(_values(one) for one in _in_query(operation)) or has_harmless(contract, operation)


def parameters(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a request with values that are allowed, or not, and with what changes nothing."""
    yield from run_each((_at_limits, harmless), lambda part: part(session, operation))


def _at_limits(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send one request with values of its query parameters that are just allowed, and just not."""
    make = specimen_or_request if operation.method == "GET" else specimen_of
    request = make(session, operation).request
    if operation.method == "GET" and session.probe(request).response.status not in SUCCESS_STATUS:
        raise NotApplicableError("it is refused without parameters")
    for one in (*_tried(operation, request), *_wrong_queries(operation, request)):
        yield from _judged(session, operation, one)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A request with a value of a parameter, and why the value is excluded, "" for one that is allowed."""

    name: str
    value: str
    request: Request
    why: str


def _in_query(operation: Operation) -> list[Parameter]:
    return [one for one in operation.parameters if one.where == "query" and one.schema is not None]


def _with(request: Request, name: str, value: str) -> Request:
    others = (pair for pair in request.query if pair[0] != name)
    return replace(request, query=(*others, (name, value)))


def _values(parameter: Parameter) -> list[str]:
    """Return values at the limits of a parameter's schema and beyond; nothing for a schema that allows any text."""
    raw, types = parameter.schema.raw if parameter.schema is not None else {}, types_of(parameter.schema) - {"null"}
    if types and types <= NUMBERS:
        limits = [limit for name in ("minimum", "maximum") if isinstance(limit := raw.get(name), int)]
        near = [str(one + by) for one in limits for by in (-1, 0, 1)]
        return [*dict.fromkeys((*near, *WRONG_NUMBERS))]
    words = [str(one) for one in as_list(raw.get("enum"))]
    if words or types == {"boolean"}:
        known = words or ["true", "false"]
        return [*dict.fromkeys((*known, WORD, f"{known[0]}x", "true", "false", "1"))]
    return [WORD] if raw.get("pattern") or raw.get("format") else []


def _tried(operation: Operation, request: Request) -> Iterator[_Tried]:
    """Yield values at the limits of the schemas of parameters, and beyond."""
    for parameter in _in_query(operation):
        for value in _values(parameter):
            made, at = _with(request, parameter.name, value), f"query:{parameter.name}"
            found = [one.detail.rstrip(".") for one in parse_parameters(operation, made, {})[1] if one.where == at]
            yield _Tried(name=parameter.name, value=value, request=made, why=next(iter(found), ""))


def _wrong_queries(operation: Operation, request: Request) -> Iterator[_Tried]:
    """Yield orders, selections and filters that are certainly none: they name what no record has, or break off."""
    rules = operation.record.rules if operation.record is not None else ListRules()
    wrong = [(at, WORD) for at in (rules.sort.at if rules.sort is not None else None, rules.select) if at is not None]
    if rules.filter is not None:
        operator = next(iter(rules.filter.operators.values()), "")
        wrong += [(rules.filter.at, text) for text in (WORD, f"{WORD} {operator} 1", f"{WORD} {operator}")]
    for at, value in wrong:
        where, _, name = at.partition(":")
        if where == "query":
            why = "no record has what it names"
            yield _Tried(name=name, value=value, request=_with(request, name, value), why=why)


def _judged(session: Session, operation: Operation, tried: _Tried) -> Iterator[Finding]:
    """Yield when a value that is excluded is not refused, or one that is allowed is refused."""
    if not session.contract.has_strict_parameters if tried.why else operation.method != "GET":
        return
    exchange = session.probe(tried.request)
    status, what = exchange.response.status, f"a request with {tried.name}={tried.value}"
    if status >= SERVER_FAULT and status not in BUSY_STATUS:
        yield _finding(operation, f"{tried.name} answered {status}", f"{what} was answered with {status}", exchange)
    elif tried.why and status in SUCCESS_STATUS:
        says = f"{what} was answered with {status} instead of being refused: {tried.why}"
        yield _finding(operation, f"excluded {tried.name} accepted", says, exchange)
    elif not tried.why and status not in SUCCESS_STATUS and status not in BUSY_STATUS:
        says = f"{what}, which the contract allows, was answered with {status}"
        yield _finding(operation, f"allowed {tried.name} refused", says, exchange)


def _finding(operation: Operation, shape: str, says: str, exchange: Exchange) -> Finding:
    return new_finding(LAW, operation.id, shape, says, [exchange])

"""The law `methods`: what refuses a method says which methods the path has.

Begin with `methods`. The status 405 and the field `Allow` are RFC 9110, 15.5.6 and 10.2.1. Whether a method is refused,
and with which status, is not judged: a server may have more methods than its document. DELETE is never tried. A word
of `x-reserved` is no record's key: a path that ends with one has the methods of what begins with it, or none. Where
the words of a variable leave out what another path with a variable of this name has, there is no such path: 404.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from contracts.messages import Exchange, Headers, Request
from contracts.openapi.model import Contract, NoRoute, Operation
from contracts.openapi.routing import last_segment_variable
from contracts.openapi.validation import validate_response
from contracts.syntax.text import as_list
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.requests.calls import draft

LAW: Final = "methods"
NOT_ALLOWED: Final = 405
PROBED: Final = ("GET", "PUT", "PATCH", "POST")
NO_KEY: Final = "0"  # in the place of a record's key, where a method is tried that the path has


def is_first_of_path(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation is the first of its path: the law is about paths."""
    return next(one for one in contract.operations if one.path == operation.path) is operation


def methods(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send methods that a path does not have: each refusal with 405 lists those that it has, and no others."""
    request = replace(draft(operation, session.given).request(), headers=Headers(), body=b"")
    undeclared = [one for one in PROBED if one not in session.router.allowed(request.path)]
    answers = [session.probe(replace(request, method=one)) for one in undeclared]
    reserved = list(map(session.probe, _reserved(session, operation)))
    refused = [one for one in (*answers, *reserved) if one.response.status == NOT_ALLOWED]
    absent = list(map(session.probe, _absent(session, operation)))
    if not refused and not reserved and not absent:
        raise NotApplicableError("no method is refused with 405")
    for exchange in refused:
        yield from _judged(session, operation, exchange)
    for exchange in reserved:
        yield from _of_no_record(operation, exchange)
    for exchange in absent:
        if exchange.response.status in {200, NOT_ALLOWED}:
            says = f"GET {exchange.request.path}, which is no path, is answered with {exchange.response.status}"
            yield _finding(operation, "a path that is none", says, exchange)
            return


def _absent(session: Session, operation: Operation) -> Iterator[Request]:
    """Yield reads at paths that end with a reserved word, and whose other words belong to paths of other operations."""
    own = {one.name for one in operation.parameters if one.where == "path"}
    words: dict[str, dict[str, None]] = {}
    for one in (it for other in session.contract.operations for it in other.parameters if it.where == "path"):
        enum = as_list(one.schema.raw.get("enum")) if one.schema is not None and one.name in own else []
        words.setdefault(one.name, {}).update(dict.fromkeys(map(str, enum)))
    choices = [[(name, word) for word in some] for name, some in words.items() if some]
    is_reserved = operation.path.rpartition("/")[2] in session.contract.reserved
    for chosen in product(*choices) if is_reserved and choices else ():
        request = replace(draft(operation, {**session.given, **dict(chosen)}).request(), headers=Headers(), body=b"")
        found = session.router.match("GET", request.path)
        if isinstance(found, NoRoute) and found.allow is None:
            yield replace(request, method="GET")


def _reserved(session: Session, operation: Operation) -> Iterator[Request]:
    """Yield reads of records whose keys would be reserved words."""
    name = last_segment_variable(operation.path) or ""
    for word in session.contract.reserved if name else ():
        request = draft(operation, {**session.given, name: word}).request()
        read = replace(request, method="GET", headers=Headers(), body=b"")
        found = session.router.match("GET", read.path)
        if isinstance(found, NoRoute) and found.allow is not None:
            yield read


def _of_no_record(operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    status, path = exchange.response.status, exchange.request.path
    if status != NOT_ALLOWED:
        says = f"GET {path} is answered with {status}; it ends with a reserved word, which is no key: 405 is expected"
        yield _finding(operation, f"a reserved word {status}", says, exchange)


def _judged(session: Session, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    """Yield what is wrong with a refusal, and with its list of methods."""
    yield from _as_declared(session, operation, exchange)
    method, field = exchange.request.method, ", ".join(exchange.response.headers.get_all("Allow"))
    what = f"{method} {operation.path} is refused with 405"
    if "Allow" not in exchange.response.headers:
        yield _finding(operation, "405 without Allow", f"{what}, without the field Allow", exchange)
        return
    told = [one.strip() for one in field.split(",")]
    if method in told:
        yield _finding(operation, "Allow has a refused method", f"{what}, but Allow has it: {field}", exchange)
    for missing in _missing(session, operation, exchange.request, told):
        says = f"{what} with Allow: {field}, but the path has {missing.request.method}"
        yield _finding(operation, "Allow lacks a method", says, exchange, missing)
        return


def _as_declared(session: Session, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
    """Yield how a refusal violates what every operation of the path declares for it; a gateway may refuse otherwise."""
    own = [one for one in session.contract.operations if one.path == operation.path]
    if any(str(NOT_ALLOWED) not in one.responses for one in own):
        return
    found = [list(validate_response(one, exchange.response)) for one in own]
    for violation in min(found, key=len):
        at = f" at {violation.pointer}" if violation.pointer else ""
        shape = f"405 {violation.where} {violation.rule}"
        says = f"{exchange.request.method} {operation.path} is refused with 405, which violates the contract in its "
        yield _finding(operation, shape, f"{says}{violation.where}{at}: {violation.detail.rstrip('.')}", exchange)
        return


def _missing(session: Session, operation: Operation, request: Request, told: Sequence[str]) -> Iterator[Exchange]:
    """Yield answers to declared methods that are not listed, although the server has them."""
    name, with_key = last_segment_variable(operation.path), request
    if name is not None:
        with_key = replace(draft(operation, {**session.given, name: NO_KEY}).request(), headers=Headers(), body=b"")
    for method in session.router.allowed(request.path):
        if method not in told and (method != "DELETE" or name is not None):
            exchange = session.probe(replace(with_key, method=method))
            if exchange.response.status != NOT_ALLOWED:
                yield exchange


def _finding(operation: Operation, shape: str, says: str, *evidence: Exchange) -> Finding:
    return new_finding(LAW, operation.id, shape, says, evidence)

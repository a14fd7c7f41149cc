"""The part of the law `parameters` on what changes nothing: an `Accept` that fits the answer, and what is ignored.

Begin with `harmless`. What a server answers with may be asked for (RFC 9110, 12.5.1), and so may what `x-accept` says.
A parameter with `x-ignored` has no effect, credentials with it have none where an operation needs none.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import orjson

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, json_of, put
from contracts.messages import Exchange, Request, essence
from contracts.openapi.model import Contract, Operation, Parameter
from contracts.openapi.representations import is_cursor
from contracts.openapi.security import WRONG_BY_SCHEME, as_client, scheme_of, without_credentials
from contracts.syntax.text import as_list, text_of
from generators.check.laws.calls.body_members import keyed_bodies
from generators.check.laws.calls.malformed import BUSY_STATUS
from generators.check.laws.metamorphic import run_each
from generators.check.specimens import send_and_follow, specimen_of, specimen_or_request
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import is_made_up
from generators.requests.calls import body_schema

LAW: Final = "parameters"
ACCEPT: Final = "Accept"
COMPARISONS: Final = 3  # of reads that differ, before it is told
LINK: Final = re.compile(r"[^\s?]*\?\S*")  # a URL with a query, or a part of one
STALE: Final = 10**6  # no version of a record
WITHOUT_ACCESS: Final = frozenset((401, 403))
Change: TypeAlias = Callable[[Request], Request]


def has_harmless(contract: Contract, operation: Operation) -> bool:
    """Say whether something is known that changes nothing in a request of an operation."""
    is_made = operation.method == "GET" or operation.record is not None or operation.bulk is not None
    return is_made and bool(_declared_media(operation) or _ignored(operation) or _free_scheme(contract, operation))


def _declared_media(operation: Operation) -> list[str]:
    good = [one for one in operation.responses.values() if one.status.startswith("2")]
    return [media.media_range for one in good for media in one.content]


def _ignored(operation: Operation) -> list[Parameter]:
    return [one for one in operation.parameters if one.is_ignored and one.where in {"header", "query"}]


def harmless(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send valid requests, and some that are refused, with what must change nothing."""
    parts = (_accepted, _defaults, _refused_alike, _ignored_credentials)
    yield from run_each(parts, lambda part: part(session, operation))


def _accepted(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a valid request with all that changes nothing, one thing at a time."""
    control = _sent(session, operation, lambda one: one)
    if control.response.status not in SUCCESS_STATUS:
        raise NotApplicableError(f"a valid request is refused ({control.response.status})")
    changes = _accepts(session.contract, operation, control) | _with_ignored(operation)
    changes |= _in_other_words(session, operation)
    for (shape, what), change in changes.items():
        exchange = _sent(session, operation, change)
        status = exchange.response.status
        if status not in SUCCESS_STATUS and status not in BUSY_STATUS:
            says = f"a request with {what} was answered with {status}, and {control.response.status} without"
            yield new_finding(LAW, operation.id, f"{shape} refused", says, [control, exchange])


def _sent(session: Session, operation: Operation, change: Change) -> Exchange:
    """Send a changed valid request of its own; only one that writes is looked at by other laws."""
    if operation.method == "GET":
        return session.probe(change(specimen_or_request(session, operation).request))
    return send_and_follow(session, change(specimen_of(session, operation).request))


def _accepts(contract: Contract, operation: Operation, control: Exchange) -> dict[tuple[str, str], Change]:
    """Return what asks for the media type of an answer, and for others that the contract allows."""
    own = essence(control.response.headers.get("Content-Type")) if control.response.body else ""
    main = own.partition("/")[0]
    wide = ("*/*", f"{main}/*", f"text/html, {own};q=0.5") if operation.method == "GET" and own else ()
    own_ranges = dict.fromkeys((own, *wide) if own else (), ACCEPT)
    ranges = dict.fromkeys(contract.accepts, f"{ACCEPT} of the contract") | own_ranges
    return {(shape, f"{ACCEPT}: {one}"): _with_field(ACCEPT, one) for one, shape in ranges.items()}


def _with_field(name: str, value: str) -> Change:
    return lambda request: replace(request, headers=request.headers.with_((name, value)))


def _with_value(parameter: Parameter, value: object) -> Change:
    if parameter.where == "header":
        return _with_field(parameter.name, str(value))
    return lambda request: replace(
        request,
        query=(*(pair for pair in request.query if pair[0] != parameter.name), (parameter.name, str(value))),
    )


def _with_ignored(operation: Operation) -> dict[tuple[str, str], Change]:
    """Return what sets a parameter that is ignored to one of its values."""
    return {
        (f"ignored {one.name}", f"{one.name}={value}"): _with_value(one, value)
        for one in _ignored(operation)
        for value in (*one.examples.values(), *as_list(one.schema.raw.get("enum") if one.schema is not None else None))
    }


def _in_other_words(session: Session, operation: Operation) -> dict[tuple[str, str], Change]:
    """Return what writes the same in the body of a single write: its version as a text, and its own key beside it."""
    act, schema = operation.record, body_schema(operation)
    if act is None or schema is None:
        return {}
    found: dict[tuple[str, str], Change] = {}
    at, inner = act.version or "", schema.at(act.version or "")
    if at.startswith("/") and inner is not None and inner.is_valid("1") and inner.is_valid(1):
        found["a version as a text", "its version as a text"] = partial(_with_text, at)
    for what, key_for in (("own key", _as_number), ("own key as a text", str)) if act.same_key else ():
        found[what, f"its {what} in its body"] = partial(_with_key, session, operation, key_for)
    return found


def _with_text(at: str, request: Request) -> Request:
    data = json_of(request.body)
    return _with_body(request, put(data, at, str(find(data, at))))


def _as_number(key: str) -> object:
    return int(key) if key.isdecimal() else key


def _with_key(session: Session, operation: Operation, key_for: Callable[[str], object], request: Request) -> Request:
    """Return a single write with its own key in its body, as it is where the schema has no such place."""
    return next(keyed_bodies(session, operation, request, key_for), request)


def _defaults(session: Session, operation: Operation) -> Iterator[Finding]:
    """Read with the default of each parameter, one at a time: what is shown is what is shown without it."""
    known = [(one, one.schema.raw["default"]) for one in operation.parameters if _has_default(one) and one.schema]
    if operation.method != "GET" or not known:
        raise NotApplicableError("it reads nothing by parameters that have defaults")
    request = specimen_or_request(session, operation).request
    for one, default in known:
        shown = shown_otherwise(session, request, _with_value(one, text_of(default))(request))
        if shown is not None:
            says = f"what is shown with {one.name}={text_of(default)}, its default, is not what is shown without"
            yield new_finding(LAW, operation.id, f"default of {one.name} is another", says, shown)


def shown_otherwise(session: Session, request: Request, asked: Request) -> tuple[Exchange, Exchange] | None:
    """Return the exchanges of two reads that differ each time, None where they do not: others may write meanwhile."""
    before = exchange = None
    for _ in range(COMPARISONS):
        before, exchange, after = (session.probe(each) for each in (request, asked, request))
        is_read = before.response.status in SUCCESS_STATUS and exchange.response.status not in BUSY_STATUS
        is_read = is_read and not is_made_up(before.response)
        was, told, is_now = (_told(one, asked) for one in (before, exchange, after))
        if not (is_read and was == is_now != told):
            return None
    return (before, exchange) if before is not None and exchange is not None else None


def _has_default(parameter: Parameter) -> bool:
    return parameter.where == "query" and parameter.schema is not None and "default" in parameter.schema.raw


# Requests that are refused


def _refused_alike(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a write that is refused for its content: what is ignored leaves the refusal as it is."""
    changes = _with_ignored(operation)
    for request in _faulty(operation, specimen_of(session, operation).request) if changes else ():
        before, again = session.probe(request), session.probe(request)
        if before.response.status in SUCCESS_STATUS or _told(before, request) != _told(again, request):
            continue
        for (shape, what), change in changes.items():
            exchange = session.probe(asked := change(request))
            if _told(exchange, asked) != _told(before, asked) and exchange.response.status not in BUSY_STATUS:
                says = f"with {what} a request is answered otherwise ({exchange.response.status}), though it is ignored"
                yield new_finding(LAW, operation.id, f"{shape} has an effect", says, [before, exchange])


def _told(exchange: Exchange, asked: Request) -> tuple[int, object]:
    """Return status and body of an answer, without what its links may repeat of a request."""
    return exchange.response.status, _without_echo(exchange.response.data, frozenset(asked.query))


def _without_echo(value: object, asked: frozenset[tuple[str, str]]) -> object:
    """Return a JSON value with the queries of its links as sets, without the pairs that were asked for.

    What a cursor of the next page is made of nobody says: it may have in it what was asked for.
    """
    if isinstance(value, dict):
        told = {name: _without_echo(one, asked) for name, one in value.items()}
        return {name: bool(one) if isinstance(one, str) and is_cursor(name) else one for name, one in told.items()}
    if isinstance(value, list):
        return [_without_echo(one, asked) for one in value]
    if not isinstance(value, str) or not LINK.fullmatch(value):
        return value
    address, _, query = value.partition("?")
    return address, frozenset(parse_qsl(query, keep_blank_values=True)) - asked


def _faulty(operation: Operation, request: Request) -> Iterator[Request]:
    """Yield a write of one record without content, with null in the place of all values, and with a stale version."""
    act, data = operation.record, json_of(request.body)
    if act is None or not isinstance(data, dict):
        return
    content: Any = find(data, act.payload)
    if isinstance(content, dict):
        others: list[object] = [{}, dict.fromkeys(content)]
    else:
        others = [[{**one, "value": None} for one in as_list(content) if isinstance(one, dict)]]
    yield from (_with_body(request, put(data, act.payload, one)) for one in others if one and content)
    if act.version is not None and act.version.startswith("/"):
        yield _with_body(request, put(data, act.version, STALE))


def _with_body(request: Request, data: object) -> Request:
    return replace(request, body=orjson.dumps(data))


# Credentials


def _ignored_credentials(session: Session, operation: Operation) -> Iterator[Finding]:
    """Read with credentials that nobody has, where it is possible without any and the contract ignores them."""
    contract, scheme = session.contract, _free_scheme(session.contract, operation)
    if scheme is None or scheme not in WRONG_BY_SCHEME:
        return
    request = specimen_or_request(session, operation).request
    before = session.probe(without_credentials(contract, operation, request))
    after = session.probe(as_client(contract, operation, request, WRONG_BY_SCHEME[scheme]))
    if before.response.status in SUCCESS_STATUS and after.response.status in WITHOUT_ACCESS:
        says = f"a call that needs no credentials was answered with {after.response.status} for those that it had"
        yield new_finding(LAW, operation.id, "ignored credentials refused", says, [before, after])


def _free_scheme(contract: Contract, operation: Operation) -> str | None:
    """Return the word of the scheme whose credentials are ignored where an operation needs none, None without any."""
    if operation.method != "GET" or all(operation.security):
        return None
    schemes = [contract.security_schemes.get(name, {}) for wanted in operation.security for name in wanted]
    return next((scheme_of(one) for one in schemes[:1] if one.get("x-ignored") is True), None)

"""The law on malformed requests: what is no JSON, or of an undeclared media type, is refused and leaves no trace.

Begin with `malformed`. JSON is RFC 8259, media types are RFC 9110, 8.3; a refusal is a status of 4xx.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

import orjson

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Exchange, Request, essence
from contracts.openapi.model import Operation, best_media, is_json
from contracts.openapi.validation import validate_response
from contracts.syntax.text import as_list, as_mapping
from generators.check.laws.calls.body_members import OTHER_TYPES, Variant, wrong_inside, wrong_members
from generators.check.laws.calls.syntax_places import misplaced
from generators.check.specimens import (
    Specimen,
    carry_out,
    item_kinds,
    send_and_follow,
    specimen_of,
    specimen_or_request,
    specimens_of,
)
from generators.check.trial_setup import available_cases, prepare_trial
from generators.check.trials import TrialResult, differing_outcomes, trial_request, trial_result
from generators.client.polling import follow
from generators.client.session import Session
from generators.client.sites import SiteContext
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import SERVER_FAULT, declares_refusal
from generators.requests.calls import body_schema
from generators.requests.envelope import SendOptions
from generators.requests.options import job_setting_of, limits_jobs

LAW: Final = "malformed"
REFUSED_STATUS: Final = range(400, 500)
BUSY_STATUS: Final = frozenset((401, 403, 408, 409, 423, 425, 429, 503))
"""Statuses of refusals that say nothing of what was sent."""
DEPTH: Final = 100_000  # of arrays in one another
EXTRA_MEMBER: Final = "bulkproof"
MAX_MEDIA_TYPES: Final = 3  # under which items are sent that fare alike
UNSUPPORTED: Final = 415
OF_TYPE: Final = "of the media type"
TWICE: Final = "names"  # the kind of bodies in which an object has a name twice
Change: TypeAlias = Callable[[bytes], bytes | None]
"""Returns the body with one fault, None where it has no place for it."""


@dataclass(frozen=True, slots=True)
class BodyFault:
    """One way to break a JSON body: its kind, what a body with it is, and the change that makes it.

    A `sure` one is certainly no JSON, and must be refused where a refusal is declared; of others is only certain that
    they break no server.
    """

    kind: str
    name: str
    change: Change
    sure: bool = True


def _put(pattern: bytes, text: bytes) -> Change:
    """Return a change that replaces the first match of a pattern."""
    place = re.compile(pattern)
    return lambda body: place.sub(text, body, count=1) if place.search(body) else None


def _member(value: bytes) -> Change:
    """Return a change that puts one more member into the innermost object."""
    return _put(rb"\{(?=[^{}]*\})(?=\s*\")", b'{"%s":%s,' % (EXTRA_MEMBER.encode(), value))


def _single_quotes(body: bytes) -> bytes | None:
    return None if b"'" in body or b'\\"' in body else body.replace(b'"', b"'")


def _no_quotes(body: bytes) -> bytes | None:
    bare = re.sub(rb'"([A-Za-z]\w*)"\s*:', rb"\1:", body)
    return bare if bare != body else None


FIRST_TEXT: Final = rb'(?<=:)\s*"(?=[^"\\])'  # where the text of the first member begins that has one
BODY_FAULTS: Final = (
    BodyFault("cut off", "that is cut off", lambda body: body[:-1]),
    BodyFault("cut off", "that is cut off in the middle", lambda body: body[: len(body) * 2 // 3]),
    BodyFault("trailing comma", "with a comma before the last bracket", lambda body: body[:-1] + b"," + body[-1:]),
    BodyFault("trailing comma", "with a comma before the bracket of an object", _put(rb"(?<=[^{\s])\}", b",}")),
    BodyFault("comment", "with a comment", lambda body: body[:1] + b"/* a comment */" + body[1:]),
    BodyFault("comment", "with a comment to the end of a line", lambda body: body[:1] + b"// a comment\n" + body[1:]),
    BodyFault("quotes", "with texts in single quotes", _single_quotes),
    BodyFault("quotes", "with names without quotes", _no_quotes),
    BodyFault("constants", "with NaN", _member(b"NaN")),
    BodyFault("constants", "with Infinity", _member(b"-Infinity")),
    BodyFault("numbers", "with a number that begins with 0", _member(b"01")),
    BodyFault("numbers", "with a hexadecimal number", _member(b"0x1F")),
    BodyFault("control character", "with a line feed in a text", _put(FIRST_TEXT, b'"\n')),
    BodyFault("several values", "that is two JSON values", lambda body: body + body),
    BodyFault("several values", "with more text behind its JSON value", lambda body: body + b" bulkproof"),
    BodyFault("encoding", "with bytes that are no UTF-8", _put(FIRST_TEXT, b'"\xff\xfe')),
    BodyFault("encoding", "with a surrogate in UTF-8", _put(FIRST_TEXT, b'"\xed\xa0\x80')),
    BodyFault("other formats", "that is no JSON", lambda _: b"bulkproof"),
    BodyFault("other formats", "that is XML", lambda _: b"<records/>"),
    BodyFault("no content", "of blanks", lambda _: b"  \n"),
    BodyFault("depth", "that is nested very deep", lambda _: b"[" * DEPTH),
    BodyFault("encoding", "with a byte order mark", lambda body: b"\xef\xbb\xbf" + body, sure=False),
    BodyFault("encoding", "in UTF-16", lambda body: body.decode().encode("utf-16")),
    BodyFault(TWICE, "with a name twice", _member(b'1,"%s":2' % EXTRA_MEMBER.encode()), sure=False),
    BodyFault(
        TWICE, "with a name and its value twice", _put(rb'\{(\s*"[^"\\]+"\s*:\s*"[^"\\]*")', rb"{\1,\1"), sure=False
    ),
    BodyFault("numbers", "with a very large number", _member(b"1" * 5000), sure=False),
    BodyFault("numbers", "with a number beyond any range", _member(b"1e9999"), sure=False),
)
OTHER_MEDIA_TYPES: Final = ("text/plain", "application/xml", "application/x-bulkproof", "application/x+json", "json")
FORM: Final = "application/x-www-form-urlencoded"
EQUAL_MEDIA_TYPES: Final[Mapping[str, Callable[[str], str]]] = {
    "whose media type has a charset": lambda media: f"{media}; charset=utf-8",
    "whose media type is in capitals": str.upper,
}
ODD_MEDIA_TYPES: Final[Mapping[str, Callable[[str], str]]] = {
    "with an unknown charset": lambda media: f"{media}; charset=bulkproof",
    "with an empty parameter of its media type": lambda media: f"{media}; charset",
}


def exempt_reason(operation: Operation) -> str | None:
    """Return why no malformed request is known of an operation, None for one that takes JSON alone, or forms."""
    content = operation.body.content if operation.body is not None else ()
    if content and (all(is_json(one.media_range) for one in content) or _takes_forms(operation)):
        return None
    return "it takes other bodies than JSON" if content else "it takes no body"


def _takes_forms(operation: Operation) -> bool:
    """Say whether an operation takes forms alone, and declares how it refuses another media type."""
    content = operation.body.content if operation.body is not None else ()
    return "415" in operation.responses and {one.media_range for one in content} == {FORM}


def malformed(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send malformed forms of one request: each is refused, none is answered with 5xx, and nothing is carried out."""
    specimen, other = specimen_or_request(session, operation), specimen_or_request(session, operation)
    if _takes_forms(operation):
        for one in _other_forms(session, operation, specimen.request):
            yield from _judged(operation, one, session.probe(one.request))
        return
    statuses: set[int] = set()
    inside = _wrong_inside(session, operation, specimen.request)
    for one in chain(_variants(session, operation, specimen.request), inside):
        if one.must:
            exchange = session.probe(one.request)
            statuses.add(exchange.response.status)
            yield from _judged(operation, one, exchange)
    for one in _variants(session, operation, other.request):
        if not one.must and not limits_jobs(operation):
            yield from _judged(operation, one, session.probe(one.request))
    yield from misplaced(session, operation, specimen.request)
    with suppress(NotApplicableError):
        yield from _same_outcomes(session, operation)
    if not statuses.isdisjoint(BUSY_STATUS):
        raise NotApplicableError(f"requests are refused for other reasons ({min(statuses & BUSY_STATUS)})")
    if specimen.before:
        yield from _carried_out(session, operation, specimen, statuses)


def _wrong_inside(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield a request with what is wrong inside its body, and one about another resource where something is left out.

    What is left out may be taken for null, which not every member can be.
    """
    yield from wrong_inside(operation, request)
    others = islice(specimens_of(session, operation), 1, 2) if operation.bulk is None else iter(())
    with suppress(NotApplicableError):
        yield from chain.from_iterable(wrong_inside(operation, one.request, ("required",)) for one in others)


def _carried_out(
    session: Session, operation: Operation, specimen: Specimen, statuses: Collection[int]
) -> Iterator[Finding]:
    """Judge requests that must be carried out, and look for those that must not."""
    control = carry_out(session, specimen_of(session, operation))
    yield from _equal_forms(session, operation, control)
    if all(one in REFUSED_STATUS for one in statuses) and specimen.trace() is not None:
        yield from _traces(session, operation)


def _variants(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield the malformed forms of a request that can be made."""
    yield from _broken_bodies(operation, request, has_unique_names=session.contract.has_unique_names)
    yield from _other_media_types(session, operation, request)
    yield from _other_words(operation, request)
    yield from wrong_members(session, operation, request)


def _broken_bodies(operation: Operation, request: Request, *, has_unique_names: bool) -> Iterator[Variant]:
    is_declared = declares_refusal(operation)
    for fault in BODY_FAULTS:
        body = fault.change(request.body)
        if body is not None:
            is_sure = has_unique_names if fault.kind == TWICE else fault.sure and json_of(body) is ABSENT
            changed = replace(request, body=body)
            yield Variant(kind=fault.kind, what=f"a body {fault.name}", request=changed, must=is_declared and is_sure)
    needs_body = is_declared and operation.body is not None and operation.body.required
    yield Variant(kind="no content", what="an empty body", request=replace(request, body=b""), must=needs_body)
    schema = body_schema(operation)
    data = json_of(request.body)
    others = {f"that is {text.decode()} alone": text for text in OTHER_TYPES}
    others |= {"that is one of its items alone": orjson.dumps(data[0])} if isinstance(data, list) and data else {}
    for what, text in others.items():
        if schema is not None and not schema.is_valid(orjson.loads(text)) and not _tells_failures_by_success(operation):
            changed = replace(request, body=text)
            yield Variant(kind="another type", what=f"a body {what}", request=changed, must=is_declared)


def _tells_failures_by_success(operation: Operation) -> bool:
    """Say whether a request that fails as a whole may be answered with a status of success."""
    told = operation.bulk.reply.status if operation.bulk is not None else {}
    return any(status in SUCCESS_STATUS for name, status in told.items() if name in {"allFailed", "wholeFailed"})


def _other_media_types(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield the request under media types that are not declared; they must be refused where 415 is declared."""
    assert operation.body is not None  # noqa: S101 - asked before
    declared = [one for other in session.contract.operations if other.body for one in other.body.content]
    others = [one.media_range for one in declared if is_json(one.media_range) and "*" not in one.media_range]
    for name in dict.fromkeys((*OTHER_MEDIA_TYPES, *others)):
        if operation.body.media(name) is None:
            what = f"a body of the media type {name}"
            is_refused = "415" in operation.responses
            yield Variant(kind="media type", what=what, request=_of_type(request, name), must=is_refused)
    own = request.headers.get("Content-Type")
    for what, written in ODD_MEDIA_TYPES.items():
        yield Variant(kind="charset", what=f"a body {what}", request=_of_type(request, written(own)), must=False)
    without = request.headers.without("Content-Type")
    bare = replace(request, headers=without)
    yield Variant(kind="media type", what="a body without a media type", request=bare, must=False)


def _other_forms(session: Session, operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield a form under media types that are not declared, and as JSON, and what its schema excludes as a form."""
    yield from (one for one in _other_media_types(session, operation, request) if one.must)
    content = operation.body.content if operation.body is not None else ()
    shown = [one for media in content for one in media.examples.values()][-1:]  # the law on quotas uses up the first
    form = {**dict(parse_qsl(request.body.decode())), **(as_mapping(shown[0]) if shown else {})}
    sent = _of_type(replace(request, body=orjson.dumps(form)), "application/json")
    yield Variant(kind="media type", what="a form that is written as JSON", request=sent, must=True)
    schema = content[0].schema if content and declares_refusal(operation) else None
    for name in () if schema is None else form:
        others = {f"without {name}": {one: form[one] for one in form if one != name}}
        others |= {f"whose {name} is another word": {**form, name: "bulkproof"}}
        for what, fields in others.items():
            if schema is not None and not schema.is_valid(fields):
                wrong = replace(request, body=urlencode(fields).encode())
                yield Variant(kind="form", what=f"a form {what}", request=wrong, must=True)


def _of_type(request: Request, media_type: str) -> Request:
    return replace(request, headers=request.headers.with_(("Content-Type", media_type)))


def _other_words(operation: Operation, request: Request) -> Iterator[Variant]:
    """Yield the request with words of the query in another case."""
    for one in operation.parameters:
        words = one.schema.raw.get("enum") if one.schema is not None and one.where == "query" else None
        other = next((word.swapcase() for word in as_list(words) if isinstance(word, str) and word), None)
        if other is None or one.schema is None or one.schema.is_valid(other):
            continue
        query = (*(pair for pair in request.query if pair[0] != one.name), (one.name, other))
        must = declares_refusal(operation)
        what = f"the parameter {one.name}={other}"
        yield Variant(kind=f"words of {one.name}", what=what, request=replace(request, query=query), must=must)


def _judged(operation: Operation, variant: Variant, exchange: Exchange) -> Iterator[Finding]:
    """Yield what is wrong with the response to a malformed request."""
    response = exchange.response
    if response.status >= SERVER_FAULT:
        says = f"a request with {variant.what} was answered with {response.status}"
        yield _finding(exchange, f"{variant.kind} answered {response.status}", says)
    elif variant.must and response.status in SUCCESS_STATUS:
        says = f"a request with {variant.what} was answered with {response.status} instead of being refused"
        yield _finding(exchange, f"{variant.kind} accepted", says)
    elif variant.must and response.status in REFUSED_STATUS and operation.response(response.status) is not None:
        for violation in validate_response(operation, response):
            at = f" at {violation.pointer}" if violation.pointer else ""
            says = (
                f"a request with {variant.what} was refused with {response.status}, "
                f"which violates the contract in its {violation.where}{at}: {violation.detail}"
            )
            yield _finding(exchange, f"{response.status} {violation.where} {violation.rule}", says.rstrip("."))


def _finding(exchange: Exchange, shape: str, says: str, *more: Exchange | None) -> Finding:
    return new_finding(LAW, exchange.operation or "", shape, says, [exchange, *more])


def _equal_forms(session: Session, operation: Operation, control: Exchange) -> Iterator[Finding]:
    """Yield when a request is refused whose media type is written otherwise and means the same."""
    for n in range(len(tuple(_written_otherwise(operation, control.request)))):
        own = specimen_of(session, operation).request
        what, request = next(islice(_written_otherwise(operation, own), n, None), ("", own))
        exchange = send_and_follow(session, request)
        status = exchange.response.status
        if status not in SUCCESS_STATUS and status not in BUSY_STATUS:
            says = f"a request {what} was answered with {status}, and {control.response.status} without"
            yield _finding(exchange, "equal media type refused", says, control)


def _written_otherwise(operation: Operation, request: Request) -> Iterator[tuple[str, Request]]:
    """Yield the request under other forms of its media type, and under others that are declared for the same body."""
    own = essence(request.headers.get("Content-Type"))
    for what, written in EQUAL_MEDIA_TYPES.items():
        yield what, _of_type(request, written(own))
    declared = operation.body.content if operation.body is not None else ()
    media = best_media(declared, own)
    for one in (it for it in declared if media is not None and it != media and it.schema == media.schema):
        if is_json(one.media_range) and "*" not in one.media_range:
            yield f"{OF_TYPE} {one.media_range}", _of_type(request, one.media_range)


def _same_outcomes(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send good items and bad ones under each media type that is declared for the same body, at once and as a job."""
    context = next((one for one, _ in item_kinds(session, operation)), None) if operation.bulk is not None else None
    if context is None:
        return
    for wish in dict.fromkeys((None, job_setting_of(context.bulk))):
        own, *others = _under_each_type(context, SendOptions(unit=context.unit, as_job=wish))
        for other in others:
            yield from _alike(own, other)


def _under_each_type(context: SiteContext, options: SendOptions) -> Iterator[TrialResult]:
    """Yield what becomes of good items and bad ones under each media type, the own one first; nothing under one."""
    session, (right, wrong) = context.session, available_cases(context)
    for n in range(MAX_MEDIA_TYPES):
        trial = prepare_trial(context, [*right[:1], *wrong])
        own = trial_request(trial, options)
        others = [one for what, one in _written_otherwise(context.operation, own) if what.startswith(OF_TYPE)]
        if not others:
            raise NotApplicableError("its body has one media type")
        if n <= len(others):
            sent = session.send([own, *others][n])
            yield trial_result(trial, options, follow(session, sent))


def _alike(own: TrialResult, other: TrialResult) -> Iterator[Finding]:
    """Yield how items fared otherwise under another media type."""
    one, two = own.view.exchange, other.view.exchange
    statuses = {one.response.status, two.response.status}
    if statuses & {*BUSY_STATUS, UNSUPPORTED}:
        return
    says = f"a request under another media type was answered with {two.response.status}, not {one.response.status}"
    slots = range(len(own.trial.items))
    unlike = [f"an item {text}, under another media type" for _, text, _ in differing_outcomes(own, other, slots)]
    for text in ([says] if len(statuses) > 1 else unlike)[:1]:
        yield _finding(two, "another media type means something else", text, one)


def _traces(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send each form again, with names of its own, and yield the first that is refused and carried out."""
    for n, one in enumerate(_variants(session, operation, specimen_of(session, operation).request)):
        specimen = specimen_of(session, operation)
        again = next(islice(_variants(session, operation, specimen.request), n, None), one)
        exchange = session.probe(again.request)
        if not one.must or exchange.response.status not in REFUSED_STATUS:
            continue
        carry_out(session, specimen_of(session, operation))
        trace = specimen.trace()
        if trace is not None:
            says = f"a request with {one.what} was refused ({exchange.response.status}), but it was carried out"
            yield _finding(exchange, "a refused request leaves a trace", says, trace.exchange)
            return

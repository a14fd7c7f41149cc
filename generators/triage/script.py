"""A finding's script: request steps with variables, waits, and signatures of the responses that show the finding.

Begin with `Script` and `replay_script`; a `ResponseSignature` is what all replays of a response have in common.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

from contracts.messages import ABSENT, Exchange, Headers, Request, Response, essence
from contracts.openapi.model import Operation
from generators.client.session import Session
from generators.triage import standalone
from generators.triage.standalone import BLANK, value_of

Token: TypeAlias = str | int | Mapping[str, object]
PREFIX_VARIABLE: Final = "prefix"
UPPER_PREFIX_VARIABLE: Final = "capitals"  # the name prefix in upper case
CAPITAL_PREFIX_VARIABLE: Final = "capital"  # the name prefix with an upper-case first letter
BRACES_VARIABLE: Final = "braces"  # two opening braces, which a text may have without being a variable


class UnknownNameError(Exception):
    """A variable without a value: the request that captures it was removed, or its response lacks the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A variable for a value of a response: that of a header field, else the one at `path` in the body.

    A token of `path` is a member name, an array index, or members that select an element. With `is_address` only
    the last path segment of a URL is taken.
    """

    name: str
    header: str = ""
    path: tuple[Token, ...] = ()
    is_address: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCondition:
    """Repeat the request, for up to 21 s, while the value at `at` in the response is one of `words`."""

    at: Capture
    words: tuple[str, ...]

    def holds(self, response: Response) -> bool:
        """Return whether a response reports unfinished work."""
        return captured_value(self.at, response, {}) in self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStep:
    """A request. Its texts may contain variables: `{{id1}}`, or `{{id1:number}}` for a text that becomes a number.

    `path` is split into segments and decoded. `data` is the JSON value of the body, `raw` any other body, which
    may contain variables too. The request is repeated while `busy` holds. `settle` is the time in seconds that must
    have passed since the last write, where a read may lag behind.
    """

    operation: str
    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    data: Any = ABSENT
    raw: bytes = b""
    captures: tuple[Capture, ...] = ()
    busy: PollCondition | None = None
    settle: float = 0.0

    @property
    def raw_text(self) -> str:
        """The text of a body that is not JSON; bytes that are not UTF-8 are kept as surrogates (PEP 383)."""
        return self.raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep:
    """A wait of `seconds` in the implementation's time."""

    seconds: float


Step: TypeAlias = RequestStep | WaitStep
Names: TypeAlias = Mapping[str, str]


def step_json(step: Step) -> dict[str, Any]:
    """Return the JSON form of a step, which `standalone` runs."""
    if isinstance(step, WaitStep):
        return {"wait": step.seconds}
    made: dict[str, Any] = {"operation": step.operation, "method": step.method, "path": list(step.path)}
    made |= {"query": [list(one) for one in step.query]} if step.query else {}
    made |= {"headers": [list(one) for one in step.headers]} if step.headers else {}
    made |= {"json": step.data} if step.data is not ABSENT else {}
    made |= {"text": step.raw.decode("latin-1")} if step.raw else {}
    made |= {"busy": {**_capture_json(step.busy.at), "words": list(step.busy.words)}} if step.busy is not None else {}
    made |= {"settle": step.settle} if step.settle else {}
    return made | ({"learn": [_capture_json(one) for one in step.captures]} if step.captures else {})


def _capture_json(capture: Capture) -> dict[str, Any]:
    made: dict[str, Any] = {"name": capture.name}
    made |= {"header": capture.header} if capture.header else {"path": list(capture.path)}
    return made | ({"is_address": True} if capture.is_address else {})


def build_request(asking: RequestStep, names: Names) -> Request:
    """Return the request of a step with its variables filled. Raises UnknownNameError."""
    step = step_json(asking)
    if standalone.lacks(step, names):
        raise UnknownNameError(asking.operation)
    path, query, headers, body = standalone.request_of(step, names)
    return Request(method=asking.method, path=path, query=tuple(query), headers=Headers(headers), body=body)


def raw_bytes(text: str) -> bytes:
    """Return the bytes of a `raw_text`."""
    return text.encode("utf-8", "surrogateescape")


def captured_value(capture: Capture, response: Response, names: Names) -> str | None:
    """Return the value that a response has for a capture as text, None when it has none."""
    found: str | None = value_of(_capture_json(capture), _plain(response), names)
    return found


def _plain(response: Response) -> standalone.Response:
    """Return a response as `standalone` has it."""
    fields = {name.lower(): value for name, value in response.headers}
    return response.status, fields, standalone.ABSENT if response.data is ABSENT else response.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Steps to be replayed. `numbers` maps variables to their offsets from an environment's first fresh number."""

    steps: tuple[Step, ...]
    numbers: Mapping[str, int] = field(default_factory=dict)

    def names(self, prefix: str, base: int) -> dict[str, str]:
        """Return the variables known before the first step: name prefix in three cases, and fresh numbers."""
        own = {
            PREFIX_VARIABLE: prefix,
            UPPER_PREFIX_VARIABLE: prefix.upper(),
            CAPITAL_PREFIX_VARIABLE: prefix.capitalize(),
            BRACES_VARIABLE: "{{",
        }
        return own | {name: str(base + offset) for name, offset in self.numbers.items()}


def tidy_script(script: Script) -> tuple[Script, dict[str, str]]:
    """Return a script without unused variables, and the new names of all others."""
    used = {name for step in script.steps if isinstance(step, RequestStep) for name in _used_names(step)}
    captures = [one.name for step in script.steps if isinstance(step, RequestStep) for one in step.captures]
    told = {name: f"id{n}" for n, name in enumerate([one for one in captures if one in used], 1)}
    fresh = {name: f"n{n}" for n, name in enumerate([one for one in script.numbers if one in used], 1)}
    names = told | fresh
    steps = tuple(_rename_step(step, names) for step in script.steps)
    return Script(steps=steps, numbers={new: script.numbers[name] for name, new in fresh.items()}), names


def _rename_step(step: Step, names: Names) -> Step:
    if isinstance(step, WaitStep):
        return step
    captures = [
        replace(one, name=names[one.name], path=rename_variables(one.path, names))
        for one in step.captures
        if one.name in names
    ]
    return replace(
        step,
        path=rename_variables(step.path, names),
        query=rename_variables(step.query, names),
        headers=rename_variables(step.headers, names),
        data=rename_variables(step.data, names),
        raw=raw_bytes(rename_variables(step.raw_text, names)),
        captures=tuple(captures),
    )


def rename_variables(value: Any, names: Names) -> Any:
    """Return a value with the variables in its texts renamed."""
    if isinstance(value, str):
        return BLANK.sub(lambda found: f"{{{{{names.get(found[1], found[1])}{found[2] or ''}}}}}", value)
    if isinstance(value, Mapping):
        return {rename_variables(name, names): rename_variables(inner, names) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(rename_variables(inner, names) for inner in value)
    return value


def _used_names(step: RequestStep) -> Iterator[str]:
    yield from _request_names(step)
    yield from _names_in(one.path for one in step.captures)


def _request_names(step: RequestStep) -> Iterator[str]:
    """Yield the variables in a request."""
    yield from _names_in((step.path, step.query, step.headers, step.data, step.raw_text))


def _names_in(values: Iterable[object]) -> Iterator[str]:
    texts = (text for value in values for text in texts_of(value, with_names=True))
    return (found[1] for text in texts for found in BLANK.finditer(text))


def texts_of(value: object, *, with_names: bool = False) -> Iterator[str]:
    """Yield the texts in a JSON value, and with `with_names` the names of its members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from (name,) if with_names else ()
            yield from texts_of(inner, with_names=with_names)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner, with_names=with_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """The result of one step: its exchange, None for a wait or a request with an unknown variable.

    A repeated step has one result for each exchange. `names` are the variables so far.
    """

    index: int
    exchange: Exchange | None
    names: Names


@dataclass(slots=True)
class _SessionServer:
    """Sends what `standalone` says through a session; `exchange` is the last one."""

    session: Session
    exchange: Exchange | None = None

    def send(
        self, method: str, path: str, query: standalone.Pairs, headers: standalone.Pairs, body: bytes
    ) -> standalone.Response:
        """Send a request and return its response. Raises NoAnswerError, DeadlineExceededError."""
        request = Request(method=method, path=path, query=tuple(query), headers=Headers(headers), body=body)
        self.exchange = self.session.exchange(request)
        return _plain(self.exchange.response)

    def wait(self, seconds: float) -> None:
        """Let time pass for the implementation. Raises NoAnswerError, DeadlineExceededError."""
        self.session.advance(timedelta(seconds=seconds))


def replay_script(script: Script, names: dict[str, str], session: Session) -> Iterator[ReplayResult]:
    """Run every step as `standalone` does and yield its results; `names` is extended.

    Raises NoAnswerError, DeadlineExceededError.
    """
    server = _SessionServer(session)
    for index, step in enumerate(script.steps):
        told = step_json(step)
        if isinstance(step, WaitStep):
            server.wait(step.seconds)
        if isinstance(step, WaitStep) or standalone.lacks(told, names):
            yield ReplayResult(index=index, exchange=None, names=names)
            continue
        for _ in standalone.responses(server, told, names):
            yield ReplayResult(index=index, exchange=server.exchange, names=names)


MAX_SIGNATURE_VALUES: Final = 3000  # values and sizes of one response
MAX_MARKS: Final = 40  # names by which list elements are recognised
MAX_AMBIGUOUS_CHARS: Final = 5  # length up to which a value is not replaced by a variable
VOLATILE_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\dT|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{7,}\b|\b[0-9a-f]{16,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSignature:
    """A response's comparable parts: `values` by JSON Pointer, `sizes` of arrays and objects, header names.

    `headers` is None when they differ between replays. Of a list of records only the elements with one of its
    `marks` (generated names) count, since other clients may write too; these are identified by that name instead of
    an index. With `is_context` it is of a response that the finding does not show in, but may depend on: only its
    status and sizes count.
    """

    step: int
    status: int
    values: Mapping[str, object] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    headers: tuple[str, ...] | None = ()
    media_type: str = ""
    marks: tuple[str, ...] = ()
    is_context: bool = False


def marks_of(operation: Operation | None, names: Names) -> tuple[str, ...]:
    """Return the variables by which our records are recognised in a list operation's response; empty for others."""
    act = operation.record if operation is not None else None
    if act is None or act.action.constant != "list":
        return ()
    return tuple(f"{{{{{name}}}}}" for name, value in names.items() if len(value) > MAX_AMBIGUOUS_CHARS)[:MAX_MARKS]


def signature_of(step: int, response: Response, names: Names, marks: tuple[str, ...] = ()) -> ResponseSignature:
    """Return the signature of a response: variables in place of their values, volatile values left out."""
    values: dict[str, object] = {}
    sizes: dict[str, int] = {}
    told = _variables_by_length(names)
    numbers = {value: blank for some in told.values() for value, blank in some.items() if value.isdecimal()}
    own = [names[one[2:-2]] for one in marks if one[2:-2] in names]
    for pointer, value in standalone.parts(response.data, "", own) if response.data is not ABSENT else ():
        if len(values) + len(sizes) >= MAX_SIGNATURE_VALUES:
            break
        if _is_volatile(at := _with_variables(pointer, told)):
            continue
        if isinstance(value, dict | list):
            sizes[at] = len(value)
            values |= {} if value else {at: value}  # an empty array is no empty object
        elif not _is_volatile(shown := _signature_value(value, told, numbers)):
            values[at] = shown
    return ResponseSignature(
        step=step,
        status=response.status,
        values=values,
        sizes=sizes,
        headers=tuple(sorted({name.lower() for name, _ in response.headers} - standalone.TRAVELLING)),
        media_type=essence(response.headers.get("Content-Type")),
        marks=marks,
    )


def _is_volatile(value: object) -> bool:
    """Return whether a value looks like an instant or a server-generated id."""
    return not isinstance(value, bool | float | None) and VOLATILE_TEXT.search(str(value)) is not None


def _signature_value(value: object, told: Mapping[int, Mapping[str, str]], numbers: Mapping[str, str]) -> object:
    """Return a value with variables in place of their values; an integer is replaced as a whole."""
    if isinstance(value, str):
        return _with_variables(value, told)
    blank = numbers.get(str(value)) if isinstance(value, int) else None
    return value if blank is None else f"{blank[:-2]}:number}}}}"


def _variables_by_length(names: Names) -> dict[int, dict[str, str]]:
    """Return the variables by their values, these by their length, the longest first."""
    found: dict[int, dict[str, str]] = {}
    for name, value in sorted(names.items(), key=lambda pair: -len(pair[1])):
        if len(value) > MAX_AMBIGUOUS_CHARS:
            found.setdefault(len(value), {}).setdefault(value, f"{{{{{name}}}}}")
    return found


def _with_variables(text: str, told: Mapping[int, Mapping[str, str]]) -> str:
    """Return a text with variables in place of their values, the longest first."""
    for length, some in told.items():
        if len(some) < len(text) - length:
            found = {value for value in some if value in text}
        else:
            found = {part for at in range(len(text) - length + 1) if (part := text[at : at + length]) in some}
        for value in [one for one in some if one in found] if found else ():
            text = text.replace(value, some[value])
    return text


def common_signature(first: ResponseSignature, others: Iterable[ResponseSignature]) -> ResponseSignature | None:
    """Return what all signatures of one step have in common, None when status or media type differ."""
    signature = first
    for other in others:
        if (other.status, other.media_type) != (signature.status, signature.media_type):
            return None
        signature = replace(
            signature,
            values={at: one for at, one in signature.values.items() if other.values.get(at, ABSENT) == one},
            sizes={at: one for at, one in signature.sizes.items() if other.sizes.get(at) == one},
            headers=signature.headers if signature.headers == other.headers else None,
            marks=tuple(one for one in signature.marks if one in other.marks),
            is_context=signature.is_context or other.is_context,
        )
    return signature


def rename_signature(signature: ResponseSignature, names: Names) -> ResponseSignature:
    """Return a signature with its variables renamed."""
    return replace(
        signature,
        values=rename_variables(signature.values, names),
        sizes=rename_variables(signature.sizes, names),
        marks=rename_variables(signature.marks, names),
    )


def matches(signature: ResponseSignature, response: Response, names: Names) -> bool:
    """Return whether a response has everything that a signature has."""
    return standalone.shows(asdict(signature), _plain(response), names)

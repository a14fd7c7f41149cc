"""A finding's script: request steps with variables, and waits. Begin with `Script` and `replay_script`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from generators.client.session import Session
from generators.triage import standalone
from generators.triage.standalone import BLANK, value_of

Token: TypeAlias = str | int | Mapping[str, object]
PREFIX_VARIABLE: Final = "prefix"
UPPER_PREFIX_VARIABLE: Final = "capitals"  # the name prefix in upper case
CAPITAL_PREFIX_VARIABLE: Final = "capital"  # the name prefix with an upper-case first letter
BRACES_VARIABLE: Final = "braces"  # two opening braces, which a text may have without being a variable
BUILT_IN_VARIABLES: Final = frozenset(  # that every script knows
    (PREFIX_VARIABLE, UPPER_PREFIX_VARIABLE, CAPITAL_PREFIX_VARIABLE, BRACES_VARIABLE)
)


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

    A number such as 1.0 is written `{{id1:fraction}}`. `path` is split into segments and decoded. `data` is the JSON
    value of the body, `raw` any other body, which may contain variables too. The request is repeated while `busy`
    holds. `settle` is the time in seconds that must have passed since the last write, where a read may lag behind. A
    refusal with Retry-After was the response where the request is sent `once`; elsewhere it is obeyed.
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
    once: bool = False

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
    made |= {"once": True} if step.once else {}
    return made | ({"learn": [_capture_json(one) for one in step.captures]} if step.captures else {})


def _capture_json(capture: Capture) -> dict[str, Any]:
    made: dict[str, Any] = {"name": capture.name}
    made |= {"header": capture.header} if capture.header else {"path": list(capture.path)}
    return made | ({"is_address": True} if capture.is_address else {})


def raw_bytes(text: str) -> bytes:
    """Return the bytes of a `raw_text`."""
    return text.encode("utf-8", "surrogateescape")


def captured_value(capture: Capture, response: Response, names: Names) -> str | None:
    """Return the value that a response has for a capture as text, None when it has none."""
    found: str | None = value_of(_capture_json(capture), plain_response(response), names)
    return found


def plain_response(response: Response) -> standalone.Response:
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
        self,
        method: str,
        path: str,
        query: standalone.Pairs,
        headers: standalone.Pairs,
        body: bytes,
        *,
        settle: float | None,
    ) -> standalone.Response:
        """Send a request and return its response. Raises NoAnswerError, DeadlineExceededError."""
        del settle  # a session waits by itself
        request = Request(method=method, path=path, query=tuple(query), headers=Headers(headers), body=body)
        self.exchange = self.session.exchange(request)
        return plain_response(self.exchange.response)

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

"""Turn a recorded trace into a script: generated names and server-chosen values become variables.

Begin with `parametrise`.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from json import loads
from typing import Any, Final

from contracts.bulk.jobs import FINAL_STATES
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Contract
from contracts.openapi.routing import split_path
from contracts.openapi.security import PLACEHOLDER, WRONG_CREDENTIALS, public_credentials
from contracts.syntax.text import is_text_or_integer, tokens_of
from generators.client.environments import NUMBERS_PER_ENVIRONMENT, Environment
from generators.client.session import TraceEvent, retry_after, settling_times
from generators.requests.known_records import FIRST_NUMBER
from generators.triage.script import (
    BRACES_VARIABLE,
    BUILT_IN_VARIABLES,
    CAPITAL_PREFIX_VARIABLE,
    PREFIX_VARIABLE,
    UPPER_PREFIX_VARIABLE,
    Capture,
    PollCondition,
    ReplayResult,
    RequestStep,
    Script,
    Step,
    Token,
    WaitStep,
    captured_value,
    raw_bytes,
)
from generators.triage.standalone import BLANK

WORD: Final = re.compile(r"[\w.-]+")
MIN_DISTINCT_CHARS: Final = 6  # length from which equal values are assumed to be the same value
MAX_NUMBER_DIGITS: Final = 16
MAX_SEARCHED_CHARS: Final = 300  # of a text that is searched for captured values
BOOLEAN_TEXTS: Final = {"false": "False", "true": "True"}  # JSON booleans as captured
FRESH_NUMBERS: Final = range(FIRST_NUMBER, FIRST_NUMBER + 10**14)


def parametrise(
    events: Sequence[TraceEvent], contract: Contract, environment: Environment, *, is_timed: bool = False
) -> Script:
    """Return the script of a trace, with one step for each event.

    With `is_timed`, when it took real time, polls of finished jobs are repeated until the job ends.
    """
    parametriser = Parametriser(
        prefix=environment.prefix,
        base=environment.base,
        ids=id_members(contract),
        paths={one.id: one.path for one in contract.operations},
        settling=settling_times(contract),
        public=public_credentials(contract),
    )
    steps = [
        WaitStep(seconds=one) if isinstance(one, float) else parametriser.request_step(n, one)
        for n, one in enumerate(events)
    ]
    if is_timed:
        steps = [_poll_until_done(event, step, contract) for event, step in zip(events, steps, strict=True)]
    steps_with_captures = tuple(_with_captures(step, parametriser.used.get(n, ())) for n, step in enumerate(steps))
    return Script(steps=steps_with_captures, numbers=dict(parametriser.numbers))


def _with_captures(step: Step, captures: Sequence[Capture]) -> Step:
    return replace(step, captures=tuple(captures)) if captures and isinstance(step, RequestStep) else step


def _poll_until_done(event: TraceEvent, step: Step, contract: Contract) -> Step:
    """Return a poll that found its job ended as one that is repeated until then."""
    if isinstance(event, float) or isinstance(step, WaitStep):
        return step
    for one in contract.operations:
        job = one.bulk.job if one.bulk is not None else None
        if job is None or job.poll != event.operation or "*" in job.state_at:
            continue
        header = job.state_at.partition(":")[2] if job.state_at.startswith("header:") else ""
        at = Capture(name="state", header=header, path=() if header else tuple(tokens_of(job.state_at)))
        words = {told: kind for word, kind in job.words.items() for told in (word, BOOLEAN_TEXTS.get(word, word))}
        if words.get(captured_value(at, event.response, {}) or "") in FINAL_STATES:
            return replace(
                step, busy=PollCondition(at=at, words=tuple(one for one in words if words[one] not in FINAL_STATES))
            )
    return step


def id_members(contract: Contract) -> frozenset[str]:
    """Return the names of members that hold ids, where even short values may be captured."""
    names = {one.key for one in contract.resources.values()}
    names |= {member for one in contract.resources.values() for member in one.references}
    for one in contract.operations:
        if one.bulk is not None:
            told = one.bulk.reply.outcomes.id if one.bulk.reply.outcomes is not None else None
            handle = one.bulk.job.handle if one.bulk.job is not None else None
            places = [*one.bulk.effect.target, told, handle]
            names |= {tokens_of(place)[-1] for place in places if place and place.startswith("/")}
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class CaptureCandidate:
    """A value in the response of event `n`, with its location and variable name."""

    n: int
    capture: Capture


@dataclass(slots=True)
class Parametriser:
    """The state while a trace is parametrised.

    `sent_values` are values that a request had first, `sent_ids` those of them that were ids, `candidates` those that a
    response had first. `paths` maps
    operationIds to path templates, `settling` those of reads to how long they may lag behind.
    """

    prefix: str
    base: int
    ids: frozenset[str]
    paths: Mapping[str, str] = field(default_factory=dict)
    settling: Mapping[str, timedelta] = field(default_factory=dict)
    public: frozenset[str] = frozenset()
    sent_values: set[str] = field(default_factory=set)
    sent_ids: set[str] = field(default_factory=set)
    candidates: dict[str, CaptureCandidate] = field(default_factory=dict)
    used: dict[int, list[Capture]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def request_step(self, n: int, exchange: Exchange) -> RequestStep:
        """Return the request of an exchange with variables, and collect its response's values."""
        request, data = exchange.request, _plain_json(exchange.request.body)
        request_step = RequestStep(
            operation=exchange.operation or "",
            method=request.method,
            path=tuple(map(self._segment, split_path(self.paths.get(exchange.operation or "", ""), request.path))),
            query=tuple((name, self._text(value)) for name, value in request.query),
            headers=tuple((name, self._text(value)) for name, value in request.headers if self._is_kept(name, value)),
            settle=self.settling.get(exchange.operation or "", timedelta(0)).total_seconds(),
            once=retry_after(exchange.response, exchange.at) is not None,
            data=ABSENT if data is ABSENT else self._with_variables(data, is_id=False),
            raw=raw_bytes(self._text(request.body.decode("utf-8", "surrogateescape"))) if data is ABSENT else b"",
        )
        self.collect_candidates(n, exchange, data)
        return request_step

    def _is_kept(self, name: str, value: str) -> bool:
        """Return whether a header field belongs to the script: one of a test client does, that of all others not."""
        is_own = name.lower() == "authorization" and (PLACEHOLDER in value or value in self.public | WRONG_CREDENTIALS)
        return is_own or name.lower() not in CONNECTION_HEADERS

    def _segment(self, parts: Sequence[str]) -> str:
        """Return a path segment with variables; the values of its template variables are at odd indices."""
        return "".join(self._text(one, is_id=n % 2 == 1) for n, one in enumerate(parts))

    def _with_variables(self, value: Any, *, is_id: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, is_id=is_id)
        if isinstance(value, dict):
            return {self._text(name): self._with_variables(one, is_id=name in self.ids) for name, one in value.items()}
        if isinstance(value, list):
            return [self._with_variables(one, is_id=is_id) for one in value]
        return value if isinstance(value, bool) or not isinstance(value, int | float) else self._number(value, is_id)

    def _number(self, value: float, is_id: bool) -> object:  # noqa: FBT001 - as those above
        """Return a number, or the variable that it is; one such as 1.0 is written with its fraction."""
        whole = isinstance(value, int)
        name = self._name(str(int(value)), is_id=is_id) if whole or value.is_integer() else None
        return value if name is None else f"{{{{{name}:{'number' if whole else 'fraction'}}}}}"

    def _text(self, text: str, *, is_id: bool = False) -> str:
        name = self._name(text, is_id=is_id) if len(text) <= MAX_SEARCHED_CHARS else None
        if name is not None:
            return f"{{{{{name}}}}}"
        escaped = text.replace("{{", f"{{{{{BRACES_VARIABLE}}}}}")
        return self._prefixed(WORD.sub(self._word, escaped) if len(text) <= MAX_SEARCHED_CHARS else escaped)

    def _word(self, found: re.Match[str]) -> str:
        name = self._name(found[0], is_id=False)
        return found[0] if name is None else f"{{{{{name}}}}}"

    def _prefixed(self, text: str) -> str:
        found = text.replace(self.prefix, f"{{{{{PREFIX_VARIABLE}}}}}")
        for blank, own in (
            (UPPER_PREFIX_VARIABLE, self.prefix.upper()),
            (CAPITAL_PREFIX_VARIABLE, self.prefix.capitalize()),
        ):
            found = found.replace(own, f"{{{{{blank}}}}}") if own != self.prefix else found
        return found

    def _name(self, text: str, *, is_id: bool) -> str | None:
        """Return the variable for a value that must not be constant, None for any other value."""
        if text in self.names:
            return self.names[text] if is_id or len(text) >= MIN_DISTINCT_CHARS else None
        candidate = self.candidates.get(text) if is_id or len(text) >= MIN_DISTINCT_CHARS else None
        if candidate is not None:
            name = self.names[text] = candidate.capture.name
            self.used.setdefault(candidate.n, []).append(candidate.capture)
            return name
        if self._is_fresh(text):
            name = self.names[text] = f"n{len(self.numbers) + 1}"
            self.numbers[name] = self._distance(int(text))
            return name
        self.sent_values.add(text)
        self.sent_ids |= {text} if is_id else set()
        return None

    def _distance(self, number: int) -> int:
        """Return a fresh number's offset in its environment; one from elsewhere gets an unused offset."""
        own = number - self.base
        return own if 0 <= own < NUMBERS_PER_ENVIRONMENT else NUMBERS_PER_ENVIRONMENT - 1 - len(self.numbers)

    def _is_fresh(self, text: str) -> bool:
        if not text.isdecimal() or not text.isascii() or len(text) > MAX_NUMBER_DIGITS:
            return False
        return int(text) in FRESH_NUMBERS or int(text) in range(self.base, self.base + NUMBERS_PER_ENVIRONMENT)

    def collect_candidates(self, n: int, exchange: Exchange, data: object) -> None:
        """Collect the values of a response that no request had before."""
        own = set(scalars(data))
        for capture, value, is_id in self._reported_values(exchange, own):
            text = str(value)
            sent = self.sent_ids if is_id else self.sent_values
            if text in sent or text in self.candidates or not (is_id or _is_server_generated(text)):
                continue
            if not self._has_prefix(text) and len(text) <= MAX_SEARCHED_CHARS:
                self.candidates[text] = CaptureCandidate(n, capture)

    def _has_prefix(self, text: str) -> bool:
        return any(own in text for own in (self.prefix, self.prefix.upper(), self.prefix.capitalize()))

    def _reported_values(self, exchange: Exchange, own: set[object]) -> Iterator[tuple[Capture, object, bool]]:
        for name, value in exchange.response.headers:
            if name.lower() not in IGNORED_HEADERS:
                yield self._capture(header=name), value, False
                if "/" in value:
                    yield self._capture(header=name, is_address=True), value.rstrip("/").rpartition("/")[2], True
        if exchange.response.data is not ABSENT:
            for path, leaf in leaves(exchange.response.data, (), own):
                yield self._capture(path=self._variable_path(path)), leaf, bool(path) and path[-1] in self.ids

    def _capture(self, **given: Any) -> Capture:
        return Capture(name=f"v{len(self.candidates) + 1}", **given)

    def _variable_path(self, path: tuple[Token, ...]) -> tuple[Token, ...]:
        return tuple(self._variable_token(token) for token in path)

    def _variable_token(self, token: Token) -> Token:
        if isinstance(token, Mapping):
            return {name: self._with_variables(value, is_id=name in self.ids) for name, value in token.items()}
        return token if isinstance(token, int) else self._prefixed(token)


def _plain_json(body: bytes) -> object:
    """Return the JSON value of a body, ABSENT when it has none that says all of it: no name stands in it twice."""
    data = json_of(body)
    if not isinstance(data, dict | list):
        return data
    try:
        loads(body, object_pairs_hook=_distinct_members)
    except (ValueError, RecursionError):
        return ABSENT
    return data


def _distinct_members(members: list[tuple[str, object]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError


def _is_server_generated(text: str) -> bool:
    """Return whether a value looks generated by a server: 6 or more characters with a digit."""
    return len(text) >= MIN_DISTINCT_CHARS and any(one.isdigit() for one in text)


CONNECTION_HEADERS: Final = frozenset(
    ("accept-encoding", "authorization", "connection", "content-length", "host", "transfer-encoding", "user-agent")
)
IGNORED_HEADERS: Final = frozenset(
    ("connection", "content-length", "content-type", "date", "keep-alive", "server", "vary")
)


def scalars(value: object) -> Iterator[object]:
    """Yield the strings and integers in a JSON value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif is_text_or_integer(value):
        yield value


def leaves(value: object, path: tuple[Token, ...], own: set[object]) -> Iterator[tuple[tuple[Token, ...], object]]:
    """Yield strings and integers with their paths; an array element is selected by a request value, if possible."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name), own)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from leaves(inner, (*path, _element_token(value, own, n)), own)
    elif is_text_or_integer(value):
        yield path, value


def _element_token(elements: list[Any], own: set[object], n: int) -> Token:
    """Return what selects an array element: a unique member with a value of the request, else its index."""
    element = elements[n]
    for name, value in element.items() if isinstance(element, dict) else ():
        if isinstance(value, str) and value in own and len(value) >= MIN_DISTINCT_CHARS:
            alike = [one for one in elements if isinstance(one, dict) and one.get(name) == value]
            if len(alike) == 1:
                return {name: value}
    return n


def id_captures(
    played: Sequence[ReplayResult], evidence: Collection[int], contract: Contract
) -> Mapping[int, Sequence[Capture]]:
    """Return captures for the ids in the evidence that earlier responses had, by the step of these."""
    parametriser: Parametriser | None = None
    wanted: dict[str, CaptureCandidate] = {}
    for n, exchange, names in ((one.index, one.exchange, one.names) for one in played if one.exchange is not None):
        parametriser = parametriser or Parametriser(prefix=names[PREFIX_VARIABLE], base=0, ids=id_members(contract))
        sent = json_of(exchange.request.body)
        known = {*map(str, scalars(sent)), *_path_values(contract, exchange), *names.values()}
        parametriser.sent_values |= known
        parametriser.sent_ids |= known
        for _, leaf in leaves(exchange.response.data, (), set()) if n in evidence else ():
            candidate = parametriser.candidates.get(str(leaf))
            if candidate is not None and candidate.n < n:
                wanted[str(leaf)] = candidate
        parametriser.collect_candidates(n, exchange, sent)
    captures: dict[int, list[Capture]] = {}
    for number, candidate in enumerate(wanted.values(), 1):
        if all(
            blank in BUILT_IN_VARIABLES for token in candidate.capture.path for blank, _ in BLANK.findall(str(token))
        ):
            captures.setdefault(candidate.n, []).append(replace(candidate.capture, name=f"told{number}"))
    return captures


def _path_values(contract: Contract, exchange: Exchange) -> set[str]:
    """Return the values in a request's path: segments, or template variables in them."""
    operation = contract.operation(exchange.operation or "")
    segments = split_path(operation.path if operation is not None else "", exchange.request.path)
    return {part for parts in segments for part in parts}

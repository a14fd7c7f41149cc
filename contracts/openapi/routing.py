"""Path templates, and the operation for a method and a path. Begin with `Router`.

Matching follows the OpenAPI Specification 3.1, Paths Object: concrete segments before templated ones.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple, TypeAlias, cast
from urllib.parse import quote, unquote

from contracts.messages import Request
from contracts.openapi.model import Contract, NoRoute, Operation, Route
from contracts.openapi.parameters import fits_path

VARIABLES: Final = re.compile(r"\{([^{}]+)\}")
UNKNOWN: Final = NoRoute(allow=None)
MAX_SPLIT_CHARS: Final = 200  # of a segment; a longer one is split in the first way
MAX_SPLITS: Final = 1000  # that are tried
SERVER_VARIABLE: Final = re.compile(r"\{+([^{}]+)\}+")  # some write {{variable}}


@lru_cache(maxsize=10_000)
def variables_of(template: str) -> tuple[str, ...]:
    """Return the names of a template's variables in order."""
    return tuple(VARIABLES.findall(template))


Selectors: TypeAlias = tuple[tuple[str, str | None], ...]  # names of parameters, with a value or with any


@lru_cache(maxsize=10_000)
def split_template(template: str) -> tuple[str, Selectors]:
    """Return a path template without its query and fragment, and what these say: `/#Action=Stop`, `/tags#keys`.

    OpenAPI has neither; documents of AWS tell operations on one path apart in this way.
    """
    path = re.split("[?#]", template, maxsplit=1)[0]
    pairs = (part.partition("=") for part in re.split("[?#&]", template[len(path) + 1 :]) if part)
    return path or "/", tuple(
        (unquote(name), unquote(value) if sign and "{" not in value else None) for name, sign, value in pairs
    )


def last_variable(template: str) -> str | None:
    """Return the name of a template's last variable, None when it has none."""
    return next(reversed(variables_of(template)), None)


def last_segment_variable(template: str) -> str | None:
    """Return the variable of a template's last segment, None when it has none or several."""
    names = variables_of(template.rpartition("/")[2])
    return names[0] if len(names) == 1 else None


class SegmentPattern(NamedTuple):
    """A decoded path segment with variables: the literals before, between and after them, folded to ignore case."""

    literals: tuple[str, ...]
    ignore_case: bool = False

    def match(self, text: str) -> tuple[str, ...] | None:
        """Return the values of the variables, each as short as possible, None for another text; in linear time."""
        folded = _folded_chars(text) if self.ignore_case else text
        before, *between, after = self.literals
        if not folded.startswith(before) or not folded.endswith(after):
            return None
        begin, end = len(before), len(text) - len(after)
        values = []
        for literal in between:
            at = folded.find(literal, begin + 1, end)
            if at < 0:
                return None
            values.append(text[begin:at])
            begin = at + len(literal)
        return (*values, text[begin:end]) if begin < end else None


@lru_cache(maxsize=10_000)
def segment_pattern(segment: str, *, ignore_case: bool = False) -> SegmentPattern:
    """Return the pattern of a path segment with variables."""
    literals = map(unquote, VARIABLES.split(segment)[::2])
    return SegmentPattern(tuple(map(_folded_chars, literals) if ignore_case else literals), ignore_case)


def _folded_chars(text: str) -> str:
    """Return a text without regard to case, and as long as before."""
    return "".join(folded if len(folded := one.casefold()) == 1 else one for one in text)


def splits(literals: tuple[str, ...], text: str) -> Iterator[tuple[str, ...]]:
    """Yield each way to read a text as values with these literals between them, the likeliest first.

    A dot is likely the last one, as before the extension of a file; any other literal the first one.
    """
    if not literals:
        yield (text,)
        return
    literal, rest = literals[0], literals[1:]
    cuts = [n for n in range(1, len(text) - len(literal)) if text.startswith(literal, n)]
    others = SegmentPattern(("", *rest, ""))
    for n in reversed(cuts) if literal == "." else cuts:
        after = text[n + len(literal) :]
        if others.match(after) is not None:  # else there is no way to read what comes after
            yield from ((text[:n], *values) for values in splits(rest, after))


def split_segment(segment: str, text: str) -> tuple[str, ...]:
    """Return a decoded segment split at its variables: text, value, text, value, ..., text.

    A segment that does not match its template, or has no variables, is returned as one value.
    """
    pattern = segment_pattern(segment)
    values = pattern.match(text) if variables_of(segment) else None
    if values is None:
        return ("", text, "")
    before, *between, after = pattern.literals
    if between and len(text) <= MAX_SPLIT_CHARS:
        values = next(splits(tuple(between), text[len(before) : len(text) - len(after)]))
    inner = [piece for pair in zip(values, (*between, after), strict=True) for piece in pair]
    return (before, *inner)


Joined: TypeAlias = tuple[tuple[int, tuple[str, ...]], ...]  # segments with several variables


@lru_cache(maxsize=10_000)
def joined_variables(template: str) -> Joined:
    """Return where several variables share a segment: the index of the first one, and the literals between them."""
    found, at = [], 0
    for segment in template.split("/"):
        pieces = VARIABLES.split(segment)
        if len(pieces) > 3:  # noqa: PLR2004 - text, a name, text: one variable
            found.append((at, tuple(map(unquote, pieces[2:-1:2]))))
        at += len(pieces) // 2
    return tuple(found)


def split_path(template: str, path: str) -> tuple[tuple[str, ...], ...]:
    """Return the decoded segments of a path, each split as by `split_segment`; of another template, as whole values."""
    texts = [unquote(one) for one in path.split("/")[1:]]
    expected = template.split("/")[1:]
    return tuple(map(split_segment, expected if len(expected) == len(texts) else [""] * len(texts), texts))


def expand(template: str, values: Mapping[str, object]) -> str:
    """Return the path of a template with values percent-encoded; a variable without a value is left unchanged."""

    def filled(found: re.Match[str]) -> str:
        return quote(str(values[found[1]]), safe="") if found[1] in values else found[0]

    return VARIABLES.sub(filled, template)


MAX_CACHED_PATHS: Final = 1000  # matched paths
MAX_CACHED_PATH_CHARS: Final = 200  # longer paths are not cached
EnumValues: TypeAlias = Mapping[str, Mapping[str, str]]
Endpoint: TypeAlias = tuple[Operation, tuple[str, ...], EnumValues, Joined]


def _selects(operation: Operation, request: Request | None) -> int:
    """Return how many of an operation's selectors a request has, -1 when it lacks one."""
    selectors = operation.selectors
    if not selectors:
        return 0
    if request is None:
        return -1
    sent = dict(request.query)
    headers = request.headers
    for name, value in selectors:
        one = sent.get(name, headers.get(name) if name in headers else None)
        if one is None or value not in {None, one}:
            return -1
    return len(selectors)


@dataclass(slots=True)
class _Branch:
    """What may follow some segments: literals, segments with variables in part, a variable, or the end of a path."""

    literals: "dict[str, _Branch]" = field(default_factory=dict)
    mixed: "dict[SegmentPattern, _Branch]" = field(default_factory=dict)
    variable: "_Branch | None" = None
    ends: "dict[str, Endpoint]" = field(default_factory=dict)
    alternatives: "dict[str, list[Endpoint]]" = field(default_factory=dict)  # of one method, told apart by selectors

    def below(self) -> "Iterator[Endpoint]":
        """Yield the operations of all paths that continue here."""
        yield from self.ends.values()
        further = (*self.literals.values(), *self.mixed.values(), *([self.variable] if self.variable else []))
        for step in further:
            yield from step.below()


def _segments(path: str) -> list[str]:
    return [unquote(one) if "%" in one else one for one in path.split("/")[1:]]


class Router:
    """Matches requests to a contract's operations, in time independent of their number.

    Literal segments win over variables, segment by segment, whatever the methods; a variable matches no empty segment
    and no reserved word; `%2F` inside a segment belongs to its value; a trailing slash makes another path. Variables in
    one segment have values that fit their parameters, the likeliest first (`splits`). Where case is ignored, a variable
    with an `enum` gets the value as the contract writes it. A path without the method of the request has the methods of
    the operations whose path parameters accept its values; without any it is unknown.
    Of several operations with one method and path, the request's query and header fields select one, else the first.
    """

    __slots__ = ("_fold", "_known", "_reserved", "_root", "_selected")

    def __init__(self, contract: Contract) -> None:
        self._fold = contract.ignore_case
        self._reserved = frozenset(map(self._folded, contract.reserved))
        self._root = _Branch()
        self._known: dict[tuple[str, str], Route] = {}
        self._selected: set[str] = set()
        for operation in contract.operations:
            self._add(operation)

    def match(self, method: str, path: str, request: Request | None = None) -> Route | NoRoute:
        """Return the operation with its path variables, or the methods of the path (None: no such path)."""
        known = self._known.get((method, path))
        if known is not None:
            return known
        found = self._find(method, path, request)
        if isinstance(found, Route) and len(path) <= MAX_CACHED_PATH_CHARS and found.operation.id not in self._selected:
            if len(self._known) >= MAX_CACHED_PATHS:
                self._known.clear()
            self._known[method, path] = found
        return found

    def _find(self, method: str, path: str, request: Request | None) -> Route | NoRoute:
        segments = _segments(path)
        found = next(self._ends(self._root, segments, 0, ()), None)
        end = None if found is None else found[0].ends.get(method)
        if found is None or end is None:
            return self._missed(segments)
        if found[0].alternatives:
            end = max(found[0].alternatives.get(method, [end]), key=lambda one: _selects(one[0], request))
        return Route(operation=end[0], variables=self._variables(end, found[1]))

    def allowed(self, path: str) -> tuple[str, ...]:
        """Return the methods of the operations whose path parameters accept this path."""
        return self._allowed(_segments(path))

    def _missed(self, segments: list[str]) -> NoRoute:
        allow = self._allowed(segments)
        return NoRoute(allow=allow) if allow or self._is_inner(segments) else UNKNOWN

    def _allowed(self, segments: list[str]) -> tuple[str, ...]:
        for step, values in self._ends(self._root, segments, 0, ()):
            fitting = tuple(method for method, end in step.ends.items() if self._fits(end, values))
            if fitting:
                return fitting
        return ()

    def _fits(self, end: Endpoint, values: tuple[str, ...]) -> bool:
        return fits_path(end[0], self._variables(end, values))

    def _variables(self, end: Endpoint, values: tuple[str, ...]) -> dict[str, str]:
        """Return the path variables that have a value, by name."""
        _, names, words, joined = end
        for at, literals in joined:
            values = (*values[:at], *self._split(end, values, at, literals), *values[at + len(literals) + 1 :])
        return self._named(words, names, values)

    def _named(self, words: EnumValues, names: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
        variables = dict(zip(names, values, strict=False))
        for name, known in words.items():
            if name in variables:
                variables[name] = known.get(self._folded(variables[name]), variables[name])
        return variables

    def _split(self, end: Endpoint, values: tuple[str, ...], at: int, literals: tuple[str, ...]) -> tuple[str, ...]:
        """Return the values of one segment: the likeliest that fit their parameters, else the likeliest."""
        operation, names, words, _ = end
        found = values[at : at + len(literals) + 1]
        text = found[0] + "".join(f"{literal}{value}" for literal, value in zip(literals, found[1:], strict=True))
        if len(text) > MAX_SPLIT_CHARS:
            return found
        options = list(islice(splits(literals, text), MAX_SPLITS))
        own = names[at : at + len(found)]
        return next((one for one in options if fits_path(operation, self._named(words, own, one))), options[0])

    def _ends(
        self, step: _Branch, segments: list[str], n: int, values: tuple[str, ...]
    ) -> Iterator[tuple[_Branch, tuple[str, ...]]]:
        if n == len(segments):
            if step.ends:
                yield step, values
            return
        segment = segments[n]
        for after, taken in self._after(step, segment):
            yield from self._ends(after, segments, n + 1, (*values, *taken))

    def _after(self, step: _Branch, segment: str) -> Iterator[tuple[_Branch, tuple[str, ...]]]:
        literal = step.literals.get(self._folded(segment))
        if literal is not None:
            yield literal, ()
        for pattern, after in step.mixed.items():
            values = pattern.match(segment)
            if values is not None:
                yield after, values
        if step.variable is not None and segment and self._folded(segment) not in self._reserved:
            yield step.variable, (segment,)

    def _is_inner(self, segments: list[str]) -> bool:
        """Say whether the path ends in a reserved word with which other paths begin."""
        if not segments or self._folded(segments[-1]) not in self._reserved:
            return False
        reached: list[tuple[_Branch, tuple[str, ...]]] = [(self._root, ())]
        for segment in segments:
            reached = [
                (after, (*values, *taken)) for step, values in reached for after, taken in self._after(step, segment)
            ]
        return any(self._fits(end, values) for step, values in reached for end in step.below())

    def _folded(self, segment: str) -> str:
        return segment.casefold() if self._fold else segment

    def _add(self, operation: Operation) -> None:
        step = self._root
        for segment in operation.path.split("/")[1:]:
            step = self._next(step, segment)
        words = self._words(operation) if self._fold else {}
        end = (operation, variables_of(operation.path), words, joined_variables(operation.path))
        first = step.ends.setdefault(operation.method, end)
        if first is not end:
            group = step.alternatives.setdefault(operation.method, [first])
            group.append(end)
            self._selected |= {one[0].id for one in group}

    def _words(self, operation: Operation) -> EnumValues:
        """Return the `enum` values of each path variable, by their case-folded form."""
        enums = {
            one.name: one.schema.raw["enum"]
            for one in operation.parameters
            if one.where == "path" and one.schema is not None and "enum" in one.schema.raw
        }
        return {
            name: {self._folded(word): word for word in cast("list[object]", words) if isinstance(word, str)}
            for name, words in enums.items()
            if f"{{{name}}}" in operation.path
        }

    def _next(self, step: _Branch, segment: str) -> _Branch:
        pieces = VARIABLES.split(segment)
        if len(pieces) == 1:
            return step.literals.setdefault(self._folded(unquote(segment)), _Branch())
        if pieces[0] == pieces[-1] == "" and len(pieces) == 3:  # noqa: PLR2004 - nothing, a name, nothing
            step.variable = step.variable or _Branch()
            return step.variable
        pattern = segment_pattern(segment, ignore_case=self._fold)
        after = step.mixed.setdefault(pattern, _Branch())
        step.mixed = dict(sorted(step.mixed.items(), key=lambda one: -len("(.+?)".join(one[0].literals))))
        return after

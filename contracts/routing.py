"""Finding the operation that a method and a path mean."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast
from urllib.parse import unquote

from contracts.model import Contract, NoRoute, Operation, Route
from contracts.parameters import fits_path
from contracts.templates import VARIABLES, segment_pattern, variables_of

UNKNOWN: Final = NoRoute(allow=None)
REMEMBERED: Final = 1000  # paths that were matched and may come again
SHORT: Final = 200  # characters of a path that is remembered
Words: TypeAlias = Mapping[str, Mapping[str, str]]
End: TypeAlias = tuple[Operation, tuple[str, ...], Words]


@dataclass(slots=True)
class _Step:
    """What may follow after some segments: literals, segments that are part variable, a lone variable, or the end."""

    literals: "dict[str, _Step]" = field(default_factory=dict)
    mixed: "dict[re.Pattern[str], _Step]" = field(default_factory=dict)
    variable: "_Step | None" = None
    ends: "dict[str, End]" = field(default_factory=dict)

    def below(self) -> "Iterator[End]":
        """Yield the operations of all paths that go on from here."""
        yield from self.ends.values()
        further = (*self.literals.values(), *self.mixed.values(), *([self.variable] if self.variable else []))
        for step in further:
            yield from step.below()


def _segments(path: str) -> list[str]:
    return [unquote(one) if "%" in one else one for one in path.split("/")[1:]]


class Router:
    """Matches calls to a contract's operations in time that does not depend on how many there are.

    Literal segments win over variables, segment by segment, whatever the methods; a variable takes no empty segment and
    no reserved word; `%2F` inside a segment belongs to its value; a trailing slash makes another path. Where case does
    not count, a variable with an `enum` gets the word as the contract writes it. A path without the call's
    method exists for the methods of the operations whose path parameters take its values; without any it does not.
    """

    __slots__ = ("_fold", "_known", "_reserved", "_root")

    def __init__(self, contract: Contract) -> None:
        self._fold = contract.ignore_case
        self._reserved = frozenset(map(self._folded, contract.reserved))
        self._root = _Step()
        self._known: dict[tuple[str, str], Route] = {}
        for operation in contract.operations:
            self._add(operation)

    def match(self, method: str, path: str) -> Route | NoRoute:
        """Return the operation with the path's variables, or the methods that the path has (None: no such path)."""
        known = self._known.get((method, path))
        if known is not None:
            return known
        found = self._find(method, path)
        if isinstance(found, Route) and len(path) <= SHORT:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[method, path] = found
        return found

    def _find(self, method: str, path: str) -> Route | NoRoute:
        segments = _segments(path)
        found = next(self._ends(self._root, segments, 0, ()), None)
        end = None if found is None else found[0].ends.get(method)
        if found is None or end is None:
            return self._missed(segments)
        return Route(operation=end[0], variables=self._variables(end, found[1]))

    def allowed(self, path: str) -> tuple[str, ...]:
        """Return the methods of the operations whose path parameters take this path's values."""
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

    def _fits(self, end: End, values: tuple[str, ...]) -> bool:
        return fits_path(end[0], self._variables(end, values))

    def _variables(self, end: End, values: tuple[str, ...]) -> dict[str, str]:
        """Return the variables that have a value, by name; there are fewer values on the way to an operation."""
        _, names, words = end
        variables = dict(zip(names, values, strict=False))
        for name, known in words.items():
            if name in variables:
                variables[name] = known.get(self._folded(variables[name]), variables[name])
        return variables

    def _ends(
        self, step: _Step, segments: list[str], n: int, values: tuple[str, ...]
    ) -> Iterator[tuple[_Step, tuple[str, ...]]]:
        if n == len(segments):
            if step.ends:
                yield step, values
            return
        segment = segments[n]
        for after, taken in self._after(step, segment):
            yield from self._ends(after, segments, n + 1, (*values, *taken))

    def _after(self, step: _Step, segment: str) -> Iterator[tuple[_Step, tuple[str, ...]]]:
        literal = step.literals.get(self._folded(segment))
        if literal is not None:
            yield literal, ()
        for pattern, after in step.mixed.items():
            if fits := pattern.fullmatch(segment):
                yield after, fits.groups()
        if step.variable is not None and segment and self._folded(segment) not in self._reserved:
            yield step.variable, (segment,)

    def _is_inner(self, segments: list[str]) -> bool:
        """Say whether the path ends in a reserved word that other paths go on from."""
        if not segments or self._folded(segments[-1]) not in self._reserved:
            return False
        reached: list[tuple[_Step, tuple[str, ...]]] = [(self._root, ())]
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
        step.ends[operation.method] = (operation, variables_of(operation.path), words)

    def _words(self, operation: Operation) -> Words:
        """Return the words that each variable of a path may be, by what they are without regard to case."""
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

    def _next(self, step: _Step, segment: str) -> _Step:
        pieces = VARIABLES.split(segment)
        if len(pieces) == 1:
            return step.literals.setdefault(self._folded(unquote(segment)), _Step())
        if pieces[0] == pieces[-1] == "" and len(pieces) == 3:  # noqa: PLR2004 - nothing, a name, nothing
            step.variable = step.variable or _Step()
            return step.variable
        pattern = segment_pattern(segment, ignore_case=self._fold)
        after = step.mixed.setdefault(pattern, _Step())
        step.mixed = dict(sorted(step.mixed.items(), key=lambda one: -len(one[0].pattern)))
        return after

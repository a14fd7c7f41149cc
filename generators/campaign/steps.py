"""What was done to an implementation, as data: calls with blanks where only the server could choose, and waits."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import orjson

from contracts.messages import ABSENT, Call, Headers, Reply
from contracts.texts import whole as whole_number

Token: TypeAlias = str | int | Mapping[str, object]
BLANK: Final = re.compile(r"\{\{([a-z]+\d*)(:number)?\}\}")
PREFIX: Final = "prefix"
CAPITALS: Final = "capitals"  # the prefix as it stands in a text that was put in capitals
CAPITAL: Final = "capital"  # the same with its first letter alone as a capital
DELAYS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, *(2.0,) * 9)  # seconds between two calls about what is not done yet


class UnknownNameError(Exception):
    """A blank whose value was never told: the call that would have told it was left out, or answered otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A name for a value of a reply: that of a header, else what stands at `path` in the body.

    A token of `path` is a member's name, an element's index, or members that single out an element. Of an address
    only the last segment is taken when it `is_address`.
    """

    name: str
    header: str = ""
    path: tuple[Token, ...] = ()
    is_address: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """What a reply has at `at` as long as something is not done yet: one of `words`."""

    at: Lesson
    words: tuple[str, ...]

    def tells(self, reply: Reply) -> bool:
        """Say whether a reply tells that it is not done."""
        return learned(self.at, reply, {}) in self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A call. Its texts may have blanks: `{{id1}}`, or `{{id1:number}}` for a text that is to become a number.

    `path` is decoded, segment by segment. `data` is the body's JSON value, `raw` a body that is none. It is asked again
    and again while the reply is `busy`.
    """

    operation: str
    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    data: Any = ABSENT
    raw: bytes = b""
    lessons: tuple[Lesson, ...] = ()
    busy: Busy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Letting time pass for the implementation."""

    seconds: float


Step: TypeAlias = Asking | Waiting
Names: TypeAlias = Mapping[str, str]


def call_of(asking: Asking, names: Names) -> Call:
    """Return the call with its blanks filled. Raises UnknownNameError."""
    data = ABSENT if asking.data is ABSENT else filled(asking.data, names)
    return Call(
        method=asking.method,
        path="/" + "/".join(quote(str(filled(one, names)), safe="") for one in asking.path),
        query=tuple((name, str(filled(value, names))) for name, value in asking.query),
        headers=Headers((name, str(filled(value, names))) for name, value in asking.headers),
        body=asking.raw if data is ABSENT else orjson.dumps(data),
    )


def filled(value: Any, names: Names) -> Any:
    """Return a JSON value with the blanks in its texts, and in its members' names, filled. Raises UnknownNameError."""
    if isinstance(value, str):
        return _filled(value, names) if "{{" in value else value
    if isinstance(value, dict):
        return {str(filled(name, names)): filled(inner, names) for name, inner in value.items()}
    return [filled(inner, names) for inner in value] if isinstance(value, list) else value


def _filled(text: str, names: Names) -> object:
    whole = BLANK.fullmatch(text)
    if whole is not None and whole[2]:
        value = _value(whole[1], names)
        number = whole_number(value)
        return value if number is None else number
    return BLANK.sub(lambda found: _value(found[1], names), text)


def _value(name: str, names: Names) -> str:
    if name in names:
        return names[name]
    raise UnknownNameError(name)


def learned(lesson: Lesson, reply: Reply, names: Names) -> str | None:
    """Return what a reply tells under a lesson's name as text, None when it does not."""
    if lesson.header:
        found: object = reply.headers.get(lesson.header) or ABSENT
    else:
        found = reply.data
        for token in lesson.path:
            found = _inside(found, token, names)
    if lesson.is_address and isinstance(found, str):
        found = found.rstrip("/").rpartition("/")[2]
    return str(found) if isinstance(found, str | int) else None


def _inside(value: object, token: Token, names: Names) -> object:
    if isinstance(token, Mapping):
        return _picked(value, token, names)
    if isinstance(token, str):
        return value.get(_known(token, names), ABSENT) if isinstance(value, dict) else ABSENT
    return value[token] if isinstance(value, list) and token < len(value) else ABSENT


def _picked(value: object, wanted: Mapping[str, object], names: Names) -> object:
    members = {name: _known(one, names) for name, one in wanted.items()}
    fitting = (
        one
        for one in (value if isinstance(value, list) else ())
        if isinstance(one, dict) and all(one.get(name, ABSENT) == inner for name, inner in members.items())
    )
    return next(fitting, ABSENT)


def _known(value: Any, names: Names) -> Any:
    try:
        return filled(value, names)
    except UnknownNameError:
        return ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Steps that can be done again elsewhere. `numbers` are blanks for fresh numbers: their distance from the first."""

    steps: tuple[Step, ...]
    numbers: Mapping[str, int] = field(default_factory=dict)

    def names(self, prefix: str, base: int) -> dict[str, str]:
        """Return what is known before the first step: a prefix that nothing stored begins with, and fresh numbers."""
        own = {PREFIX: prefix, CAPITALS: prefix.upper(), CAPITAL: prefix.capitalize()}
        return own | {name: str(base + offset) for name, offset in self.numbers.items()}


def tidied(script: Script) -> tuple[Script, dict[str, str]]:
    """Return a script without the lessons and numbers that nothing in it uses, and the new names of all others."""
    used = {name for step in script.steps if isinstance(step, Asking) for name in _blanks(step)}
    lessons = [one.name for step in script.steps if isinstance(step, Asking) for one in step.lessons]
    told = {name: f"id{n}" for n, name in enumerate([one for one in lessons if one in used], 1)}
    fresh = {name: f"n{n}" for n, name in enumerate([one for one in script.numbers if one in used], 1)}
    names = told | fresh
    steps = tuple(_named_anew(step, names) for step in script.steps)
    return Script(steps=steps, numbers={new: script.numbers[name] for name, new in fresh.items()}), names


def _named_anew(step: Step, names: Names) -> Step:
    if isinstance(step, Waiting):
        return step
    lessons = [
        replace(one, name=names[one.name], path=renamed(one.path, names)) for one in step.lessons if one.name in names
    ]
    return replace(
        step,
        path=renamed(step.path, names),
        query=renamed(step.query, names),
        headers=renamed(step.headers, names),
        data=renamed(step.data, names),
        lessons=tuple(lessons),
    )


def renamed(value: Any, names: Names) -> Any:
    """Return a value with other names in the blanks of its texts."""
    if isinstance(value, str):
        return BLANK.sub(lambda found: f"{{{{{names.get(found[1], found[1])}{found[2] or ''}}}}}", value)
    if isinstance(value, Mapping):
        return {renamed(name, names): renamed(inner, names) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(renamed(inner, names) for inner in value)
    return value


def _blanks(step: Asking) -> Iterator[str]:
    texts: list[object] = [step.path, step.query, step.headers, *(one.path for one in step.lessons)]
    for value in [*texts, step.data]:
        yield from _named(value)


def _named(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from (found[1] for found in BLANK.finditer(value))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(name)
            yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)

"""How a member of a declaration may change: small functions from old and new to what is to be said of it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from contracts.bulk import Choice
from contracts.diff.changes import Severity
from contracts.durations import iso
from contracts.texts import listed, short

Said: TypeAlias = tuple[Severity, str]
Judging: TypeAlias = Callable[[Any, Any], Iterator[Said]]


def shown(value: Any) -> str:
    """Return a declared value as text."""
    if value is None or value in ((), {}):
        return "nothing"
    if isinstance(value, timedelta):
        return iso(value)
    if isinstance(value, tuple | list):
        return listed(map(shown, value))
    if isinstance(value, Mapping):
        return listed(f"{name} → {shown(one)}" for name, one in value.items())
    return short(value) if isinstance(value, str | int | float | bool) else str(value)


def changed(severity: Severity = "error") -> Judging:
    """Judge every change alike."""

    def judge(old: Any, new: Any) -> Iterator[Said]:
        if old != new:
            yield severity, f"it is {shown(new)}, not {shown(old)}"

    return judge


def most(what: str, *, severity: Severity = "error") -> Judging:
    """Judge a limit from above, None when there is none: clients may rely on it not to fall."""
    return _limit("most", what, severity, lambda old, new: new is not None and (old is None or new < old))


def least(what: str, *, severity: Severity = "error") -> Judging:
    """Judge a limit from below, None when there is none: clients may rely on it not to rise."""
    return _limit("least", what, severity, lambda old, new: new is not None and (old is None or new > old))


def _limit(word: str, what: str, severity: Severity, is_tighter: Callable[[Any, Any], bool]) -> Judging:
    def judge(old: Any, new: Any) -> Iterator[Said]:
        if old == new:
            return
        if new is None:
            yield "info", f"{what} have no limit any more, which was at {word} {shown(old)}"
        else:
            was = "any" if old is None else shown(old)
            yield severity if is_tighter(old, new) else "info", f"at {word} {shown(new)} {what}, not {was}"

    return judge


def span(*, shorter: Severity, longer: Severity) -> Judging:
    """Judge a length of time, None when it is not declared."""

    def judge(old: timedelta | None, new: timedelta | None) -> Iterator[Said]:
        if old == new:
            return
        if old is None or new is None:
            severity = shorter if new is None else "info"
        else:
            severity = shorter if new < old else longer
        yield severity, f"it is {shown(new)}, not {shown(old)}"

    return judge


def switch(*, on: Severity = "info", off: Severity = "info") -> Judging:
    """Judge what is true or false."""

    def judge(old: bool, new: bool) -> Iterator[Said]:  # noqa: FBT001 - the two values that are compared
        if old is not new:
            yield on if new else off, f"it is {shown(new)}, not {shown(old)}"

    return judge


def place(*, gone: Severity = "error", moved: Severity = "error", come: Severity = "info") -> Judging:
    """Judge a location or a name, None or empty when it is not declared."""

    def judge(old: Any, new: Any) -> Iterator[Said]:
        if old == new:
            return
        if _is_absent(new):
            yield gone, f"it is not declared any more, and was {shown(old)}"
        elif _is_absent(old):
            yield come, f"it is declared now: {shown(new)}"
        else:
            yield moved, f"it is {shown(new)}, not {shown(old)}"

    return judge


def _is_absent(value: object) -> bool:
    return value is None or value == ()


def several(*, gone: Severity = "error", come: Severity = "info") -> Judging:
    """Judge a list of which each entry counts alone."""

    def judge(old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[Said]:
        yield from ((gone, f"{shown(one)} is gone") for one in old if one not in new)
        yield from ((come, f"{shown(one)} is new") for one in new if one not in old)

    return judge


def entries(*, gone: Severity = "error", other: Severity = "error", come: Severity = "info") -> Judging:
    """Judge a map of which each entry counts alone."""

    def judge(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Said]:
        for name, value in old.items():
            if name not in new:
                yield gone, f"{name} is gone, and was {shown(value)}"
            elif new[name] != value:
                yield other, f"{name} is {shown(new[name])}, not {shown(value)}"
        yield from ((come, f"{name} is new: {shown(value)}") for name, value in new.items() if name not in old)

    return judge


def choice(old: Choice | None, new: Choice | None) -> Iterator[Said]:
    """Judge a constant, or a word that the caller gives: what a caller gave must go on to mean the same."""
    if old == new:
        return
    if old is None or new is None or old.source != new.source or not (old.source and new.source):
        yield "error", f"it is {_choice(new)}, not {_choice(old)}"
        return
    yield from _words(old, new)
    if old.default != new.default:
        yield "error", f"without a word it is {shown(new.default)}, not {shown(old.default)}"
    if old.ignore_case is not new.ignore_case:
        yield from switch(off="error")(old.ignore_case, new.ignore_case)


def _words(old: Choice, new: Choice) -> Iterator[Said]:
    if bool(old.words) is not bool(new.words):
        severity: Severity = "error" if new.words else "warning"
        yield severity, f"its words are {shown(new.words)}, not {shown(old.words)}"
    else:
        yield from entries()(old.words, new.words)


def _choice(one: Choice | None) -> str:
    if one is None:
        return "nothing"
    return f"what the caller says at {one.source}" if one.source else f"always '{one.constant}'"

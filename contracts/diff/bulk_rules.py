"""Compare old and new value of one member of a declaration: functions that yield a severity and a clause.

Begin with `any_change`; the others are for limits, durations, flags, optional members, lists and maps. The parameters
are the severities of each kind of change.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from contracts.bulk.model import Choice, Quota
from contracts.diff.model import Severity
from contracts.syntax.text import format_duration, listed, short

RatedChange: TypeAlias = tuple[Severity, str]
CompareValues: TypeAlias = Callable[[Any, Any], Iterator[RatedChange]]


def render_value(value: Any) -> str:
    """Return a declared value as text; `nothing` for None and empty collections."""
    if value is None or value in ((), {}):
        return "nothing"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple | list):
        return listed(map(render_value, value))
    if isinstance(value, Mapping):
        return listed(f"{name} → {render_value(one)}" for name, one in value.items())
    return short(value) if isinstance(value, str | int | float | bool) else str(value)


def any_change(severity: Severity = "error") -> CompareValues:
    """Compare values of which every change has the same severity."""

    def compare(old: Any, new: Any) -> Iterator[RatedChange]:
        if old != new:
            yield severity, f"it is {render_value(new)}, not {render_value(old)}"

    return compare


def upper_limit(what: str) -> CompareValues:
    """Compare upper limits, None when unlimited: a lower one is an `error`, a higher one `info`."""
    return _limit("most", what, lambda old, new: new is not None and (old is None or new < old))


def lower_limit(what: str) -> CompareValues:
    """Compare lower limits, None when unlimited: a higher one is an `error`, a lower one `info`."""
    return _limit("least", what, lambda old, new: new is not None and (old is None or new > old))


def _limit(word: str, what: str, is_tighter: Callable[[Any, Any], bool]) -> CompareValues:
    def compare(old: Any, new: Any) -> Iterator[RatedChange]:
        if old == new:
            return
        if new is None:
            yield "info", f"{what} have no limit any more, which was at {word} {render_value(old)}"
        else:
            was = "any" if old is None else render_value(old)
            yield "error" if is_tighter(old, new) else "info", f"at {word} {render_value(new)} {what}, not {was}"

    return compare


def time_limit(*, shorter: Severity, longer: Severity) -> CompareValues:
    """Compare durations, None when undeclared; a duration that is declared now is `info`."""

    def compare(old: timedelta | None, new: timedelta | None) -> Iterator[RatedChange]:
        if old == new:
            return
        if old is None or new is None:
            severity = shorter if new is None else "info"
        else:
            severity = shorter if new < old else longer
        yield severity, f"it is {render_value(new)}, not {render_value(old)}"

    return compare


def flag(*, on: Severity = "info", off: Severity = "info") -> CompareValues:
    """Compare booleans."""

    def compare(old: bool | None, new: bool | None) -> Iterator[RatedChange]:  # noqa: FBT001 - two compared values
        if bool(old) is not bool(new):
            yield on if new else off, f"it is {render_value(new)}, not {render_value(old)}"

    return compare


def optional_member(*, removed: Severity = "error", added: Severity = "info") -> CompareValues:
    """Compare locations or names, where another one is an `error`; None and () mean that the member is not declared."""

    def compare(old: Any, new: Any) -> Iterator[RatedChange]:
        if old == new:
            return
        if _is_absent(new):
            yield removed, f"it is not declared any more, and was {render_value(old)}"
        elif _is_absent(old):
            yield added, f"it is declared now: {render_value(new)}"
        else:
            yield "error", f"it is {render_value(new)}, not {render_value(old)}"

    return compare


def _is_absent(value: object) -> bool:
    return value is None or value == ()


def list_entries(*, removed: Severity = "error", added: Severity = "info") -> CompareValues:
    """Compare lists entry by entry, without regard to order."""

    def compare(old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[RatedChange]:
        yield from ((removed, f"{render_value(one)} is gone") for one in old if one not in new)
        yield from ((added, f"{render_value(one)} is new") for one in new if one not in old)

    return compare


def map_entries(*, removed: Severity = "error", changed: Severity = "error", added: Severity = "info") -> CompareValues:
    """Compare maps entry by entry."""

    def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[RatedChange]:
        for name, value in old.items():
            if name not in new:
                yield removed, f"{name} is gone, and was {render_value(value)}"
            elif new[name] != value:
                yield changed, f"{name} is {render_value(new[name])}, not {render_value(value)}"
        yield from ((added, f"{name} is new: {render_value(value)}") for name, value in new.items() if name not in old)

    return compare


def compare_choice(old: Choice | None, new: Choice | None) -> Iterator[RatedChange]:
    """Compare constants or translated words: a word that clients sent must keep its meaning."""
    if old == new:
        return
    if old is None or new is None or old.source != new.source or not (old.source and new.source):
        yield "error", f"it is {_choice(new)}, not {_choice(old)}"
        return
    yield from _words(old, new)
    if old.default != new.default:
        yield "error", f"without a word it is {render_value(new.default)}, not {render_value(old.default)}"
    if old.ignore_case is not new.ignore_case:
        yield from flag(off="error")(old.ignore_case, new.ignore_case)


def _words(old: Choice, new: Choice) -> Iterator[RatedChange]:
    if bool(old.words) is not bool(new.words):
        severity: Severity = "error" if new.words else "warning"
        yield severity, f"its words are {render_value(new.words)}, not {render_value(old.words)}"
    else:
        yield from map_entries()(old.words, new.words)


def _choice(one: Choice | None) -> str:
    if one is None:
        return "nothing"
    return f"what the caller says at {one.source}" if one.source else f"always '{one.constant}'"


def severity_of_breach(breach: int | str) -> Severity:
    """Return how severe a tighter limit is, whose breach is refused or counts as bad conduct."""
    return "warning" if breach == "conduct" else "error"


def consequence(breach: int | str) -> str:
    """Return in words what becomes of what breaches a limit."""
    return {"conduct": "bad conduct", "unprocessed": "left unprocessed"}.get(str(breach), f"refused with {breach}")


def compare_quotas(old: tuple[Quota, ...], new: tuple[Quota, ...]) -> Iterator[RatedChange]:
    """Yield the changes of quotas; of several on the same thing those with the shortest windows are compared first."""
    before = _by_rank(old)
    for rank, one in _by_rank(new).items():
        was = before.pop(rank, None)
        if was != one:
            eased = was is not None and one.max >= was.max and one.per <= was.per and one.breach == was.breach
            says = f"at most {one.max} of {one.what} in {render_value(one.per)}, more are {consequence(one.breach)}"
            yield ("info" if eased else severity_of_breach(one.breach)), says
    for one in before.values():
        yield "info", f"any number of {one.what} is allowed{f' in {render_value(one.per)}' if new else ''}"


def _by_rank(quotas: tuple[Quota, ...]) -> dict[tuple[str, int], Quota]:
    shorter = (sum((other.what, other.per < one.per) == (one.what, True) for other in quotas) for one in quotas)
    return {(one.what, rank): one for one, rank in zip(quotas, shorter, strict=True)}

"""A comparison of two contracts as text, as Markdown, and as JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from contracts.diff import SEVERITIES, Change, Diff, Severity
from contracts.messages import ABSENT
from contracts.texts import clipped, listed

LONGEST: Final = 400  # characters of a witness for people; JSON has it whole
PLACES: Final = 3  # named for people; JSON has all
MANY, FIRST, WIDE = 4, 2, 60  # elements shown whole, elements of a longer array, characters of a string
SAMENESS: Final = "No changes."
SHOWS: Final[Mapping[str, str]] = {
    "request": "accepted before, rejected now",
    "response": "impossible before, possible now",
}
HEADS: Final[Mapping[Severity, str]] = {
    "error": "Breaks clients",
    "warning": "May break clients",
    "info": "Breaks no client",
}
PROVEN: Final = " (proven compatible)"


def tell(diff: Diff, form: str) -> str:
    """Return a comparison in one of `FORMATS`."""
    return FORMATS[form](diff)


def _title(diff: Diff) -> str:
    return f"{' '.join(diff.old)} → {' '.join(diff.new)}"


def _counted(diff: Diff) -> str:
    told = [f"{number} {name}{'s' if number != 1 else ''}" for name, number in diff.counts.items() if number]
    return listed(told) if told else ""


def _says(change: Change) -> str:
    """Return what has changed as a clause; what is proven harmless says so."""
    return change.says + (PROVEN if change.proof == "containment" and change.severity == "info" else "")


def _several(places: Sequence[str]) -> str:
    return listed(places) if len(places) <= PLACES else f"{len(places)} other places"


def _witness(change: Change) -> str:
    return clipped(_abridged(change.witness), LONGEST)


def _abridged(value: Any) -> str:
    """Return a JSON value as text, long arrays and strings by their beginning."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_abridged(name)}: {_abridged(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        more = [f"… {len(value) - FIRST} more"] if len(value) > MANY else []
        return "[" + ", ".join([*map(_abridged, value[: FIRST if more else MANY]), *more]) + "]"
    if isinstance(value, str) and len(value) > WIDE:
        return f'{orjson.dumps(value[:WIDE]).decode()[:-1]}…" ({len(value)} characters)'
    return orjson.dumps(value).decode()


def as_text(diff: Diff) -> str:
    """Return lines for a terminal."""
    lines = [_title(diff)]
    for one in diff.changes:
        lines += ["", *_told(one)]
    return "\n".join([*lines, "", f"{_counted(diff)}." if diff.changes else SAMENESS]) + "\n"


def _told(one: Change) -> Iterator[str]:
    where = " ".join(part for part in (one.operation, one.place) if part) or "the contract"
    yield f"{one.severity:<8} {where}"
    yield f"         {_says(one)} [{one.rule}]"
    if one.witness is not ABSENT:
        yield f"         {SHOWS[one.direction]}: {_witness(one)}"
    if one.also:
        yield f"         the same in {_several(one.also)}"


def as_markdown(diff: Diff) -> str:
    """Return a document of Markdown, a section for each severity."""
    lines = [f"# {_escaped(_title(diff))}", "", f"{_counted(diff)}." if diff.changes else SAMENESS]
    for severity in SEVERITIES:
        found = [one for one in diff.changes if one.severity == severity]
        if found:
            lines += ["", f"## {HEADS[severity]}", ""]
            lines += [line for one in found for line in _item(one)]
    return "\n".join(lines) + "\n"


def _item(one: Change) -> Iterator[str]:
    where = ", ".join(part for part in (f"`{one.operation}`" if one.operation else "", _escaped(one.place)) if part)
    yield f"- **{where or 'the contract'}**: {_escaped(_says(one))} (`{one.rule}`)"
    if one.witness is not ABSENT:
        yield f"  - {SHOWS[one.direction]}: {_code(_witness(one))}"
    if one.also:
        yield f"  - the same in {_several([f'`{name}`' for name in one.also])}"


def _code(text: str) -> str:
    """Return text as code, fenced with more backticks than it has in a row."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text)


def as_json(diff: Diff) -> str:
    """Return a JSON document; a change without a witness has no member of that name."""
    document = {
        "old": dict(zip(("title", "version"), diff.old, strict=True)),
        "new": dict(zip(("title", "version"), diff.new, strict=True)),
        "counts": diff.counts,
        "changes": list(map(_data, diff.changes)),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _data(one: Change) -> dict[str, Any]:
    named = ("rule", "severity", "operation", "place", "schema", "says", "proof", "also")
    found = {name: getattr(one, name) for name in named}
    return found if one.witness is ABSENT else {**found, "witness": one.witness}


FORMATS: Final[Mapping[str, Callable[[Diff], str]]] = {"text": as_text, "markdown": as_markdown, "json": as_json}

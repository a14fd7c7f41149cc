"""What can be seen of a finding in plain replies: whatever was the same each time that it was made to show."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from contracts.messages import ABSENT, Reply, essence
from contracts.pointers import pointer_of
from generators.campaign.steps import Names, renamed

MOST: Final = 3000  # values of one reply that are kept
SHORT: Final = 5  # characters up to which a value could be anything, and is not taken for a blank's
TRAVELLING: Final = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"))
CHANGING: Final = re.compile(r"\d{4}-\d\d-\d\dT|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{7,}\b|\b[0-9a-f]{16,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What the reply of a step was like: `values` by pointer, `sizes` of arrays and objects, names of its headers.

    `headers` is None where they were not the same each time.
    """

    step: int
    status: int
    values: Mapping[str, object] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    headers: tuple[str, ...] | None = ()
    media_type: str = ""


def sign_of(step: int, reply: Reply, names: Names) -> Sign:
    """Return what a reply is like, with blanks in the place of names, and without what is another one each time."""
    values: dict[str, object] = {}
    sizes: dict[str, int] = {}
    marks = _marks(names)
    for pointer, value in _parts(reply.data, ()) if reply.data is not ABSENT else ():
        at = _blanked(pointer, marks)
        if len(values) + len(sizes) >= MOST or _changes(at):
            continue
        if isinstance(value, dict | list):
            sizes[at] = len(value)
        elif not _changes(shown := _blanked(value, marks) if isinstance(value, str) else value):
            values[at] = shown
    return Sign(
        step=step,
        status=reply.status,
        values=values,
        sizes=sizes,
        headers=tuple(sorted({name.lower() for name, _ in reply.headers} - TRAVELLING)),
        media_type=essence(reply.headers.get("Content-Type")),
    )


def _changes(value: object) -> bool:
    """Say whether a value looks like an instant or like an id that a server makes up."""
    return not isinstance(value, bool | float | None) and CHANGING.search(str(value)) is not None


def _marks(names: Names) -> list[tuple[str, str]]:
    """Return the values of blanks with the blanks, long ones first."""
    told = [(value, f"{{{{{name}}}}}") for name, value in names.items() if len(value) > SHORT]
    return sorted(told, key=lambda pair: -len(pair[0]))


def _blanked(text: str, marks: Sequence[tuple[str, str]]) -> str:
    for value, blank in marks:
        if value in text:
            text = text.replace(value, blank)
    return text


def _parts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, object]]:
    yield pointer_of(path), value
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, one in inner:
        yield from _parts(one, (*path, name))


def common(first: Sign, others: Iterable[Sign]) -> Sign | None:
    """Return what several replies to one step have in common, None when their statuses or their types differ."""
    sign = first
    for other in others:
        if (other.status, other.media_type) != (sign.status, sign.media_type):
            return None
        sign = Sign(
            step=sign.step,
            status=sign.status,
            values={at: one for at, one in sign.values.items() if other.values.get(at, ABSENT) == one},
            sizes={at: one for at, one in sign.sizes.items() if other.sizes.get(at) == one},
            headers=sign.headers if sign.headers == other.headers else None,
            media_type=sign.media_type,
        )
    return sign


def named_anew(sign: Sign, names: Names) -> Sign:
    """Return a sign with other names in its blanks."""
    return replace(sign, values=renamed(sign.values, names), sizes=renamed(sign.sizes, names))


def shows(sign: Sign, reply: Reply, names: Names) -> bool:
    """Say whether a reply is like a sign: all that is kept of it is the same."""
    seen = sign_of(sign.step, reply, names)
    return (
        (seen.status, seen.media_type) == (sign.status, sign.media_type)
        and sign.headers in {None, seen.headers}
        and all(seen.values.get(at, ABSENT) == one for at, one in sign.values.items())
        and all(seen.sizes.get(at) == one for at, one in sign.sizes.items())
    )

"""What can be seen of a finding in plain replies: whatever was the same each time that it was made to show."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from json import dumps
from typing import Any, Final

from contracts.messages import ABSENT, Reply, essence
from contracts.model import Operation
from contracts.pointers import pointer_of
from generators.campaign.steps import CAPITAL, CAPITALS, Names, renamed

MOST: Final = 3000  # values of one reply that are kept
MARKS: Final = 40  # names by which the elements of a list are told
SHORT: Final = 5  # characters up to which a value could be anything, and is not taken for a blank's
TRAVELLING: Final = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"))
CHANGING: Final = re.compile(r"\d{4}-\d\d-\d\dT|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{7,}\b|\b[0-9a-f]{16,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What the reply of a step was like: `values` by pointer, `sizes` of arrays and objects, names of its headers.

    `headers` is None where they were not the same each time. Of a list of records only the elements count that have one
    of its `marks`, names of ours: others may be there as well. They stand under such a name instead of their index.
    """

    step: int
    status: int
    values: Mapping[str, object] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    headers: tuple[str, ...] | None = ()
    media_type: str = ""
    marks: tuple[str, ...] = ()


def marks_of(operation: Operation | None, names: Names) -> tuple[str, ...]:
    """Return by what our records are told from others in the replies of an operation, nothing when it is no list."""
    act = operation.record if operation is not None else None
    if act is None or act.action.constant != "list":
        return ()
    return tuple(f"{{{{{name}}}}}" for name, value in names.items() if len(value) > SHORT)[:MARKS]


def sign_of(step: int, reply: Reply, names: Names, marks: tuple[str, ...] = ()) -> Sign:
    """Return what a reply is like, with blanks in the place of names, and without what is another one each time."""
    values: dict[str, object] = {}
    sizes: dict[str, int] = {}
    told = _told(names)
    numbers = {value: blank for value, blank in told if value.isdecimal()}
    own = [names[one[2:-2]] for one in marks if one[2:-2] in names]
    for pointer, value in _parts(reply.data, (), own) if reply.data is not ABSENT else ():
        at = _blanked(pointer, told)
        if len(values) + len(sizes) >= MOST or _changes(at):
            continue
        if isinstance(value, dict | list):
            sizes[at] = len(value)
        elif not _changes(shown := _shown(value, told, numbers)):
            values[at] = shown
    return Sign(
        step=step,
        status=reply.status,
        values=values,
        sizes=sizes,
        headers=tuple(sorted({name.lower() for name, _ in reply.headers} - TRAVELLING)),
        media_type=essence(reply.headers.get("Content-Type")),
        marks=marks,
    )


def _changes(value: object) -> bool:
    """Say whether a value looks like an instant or like an id that a server makes up."""
    return not isinstance(value, bool | float | None) and CHANGING.search(str(value)) is not None


def _shown(value: object, told: Sequence[tuple[str, str]], numbers: Mapping[str, str]) -> object:
    """Return a value with blanks in the place of names; a number is one as a whole, or is none."""
    if isinstance(value, str):
        return _blanked(value, told)
    blank = numbers.get(str(value)) if isinstance(value, int) else None
    return value if blank is None else f"{blank[:-2]}:number}}}}"


def _told(names: Names) -> list[tuple[str, str]]:
    """Return the values of blanks with the blanks, long ones first."""
    pairs = [(value, f"{{{{{name}}}}}") for name, value in names.items() if len(value) > SHORT]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def _blanked(text: str, told: Sequence[tuple[str, str]]) -> str:
    for value, blank in told:
        if value in text:
            text = text.replace(value, blank)
    return text


def _parts(value: Any, path: tuple[str | int, ...], own: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Yield the parts of a value with their pointers; of lists only the elements that have one of our `own` names."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, list) and own:
        value = [one for one in value if any(name in _text(one) for name in own)]
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = ((_name(value, n, own), one) for n, one in enumerate(value))
    yield pointer_of(path), value
    for name, one in inner:
        yield from _parts(one, (*path, name), own)


def _text(value: object) -> str:
    return dumps(value, ensure_ascii=False)


def _name(elements: Sequence[Any], n: int, own: Sequence[str]) -> str | int:
    """Return by what member an element is told from all others: the first that has a name of ours; else its index."""
    for member, text in _texts(elements[n]) if own else ():
        if any(name in text for name in own) and sum((member, text) in _texts(one) for one in elements) == 1:
            return f"@{member}={text}"
    return n


def _texts(element: object) -> list[tuple[str, str]]:
    """Return the texts of an object, and of those right in it, by their members' names."""
    own = list(element.items()) if isinstance(element, dict) else []
    inner = [pair for _, value in own if isinstance(value, dict) for pair in value.items()]
    return [(name, value) for name, value in (*own, *inner) if isinstance(value, str)]


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
            marks=tuple(one for one in sign.marks if one in other.marks),
        )
    return sign


def named_anew(sign: Sign, names: Names) -> Sign:
    """Return a sign with other names in its blanks."""
    return replace(
        sign,
        values=renamed(sign.values, names),
        sizes=renamed(sign.sizes, names),
        marks=renamed(sign.marks, names),
    )


def shows(sign: Sign, reply: Reply, names: Names) -> bool:
    """Say whether a reply is like a sign: all that is kept of it is the same."""
    seen = sign_of(sign.step, reply, names, sign.marks)
    if names.get(CAPITAL) == names.get(CAPITALS):
        sign = named_anew(sign, {CAPITAL: CAPITALS})
    return (
        (seen.status, seen.media_type) == (sign.status, sign.media_type)
        and sign.headers in {None, seen.headers}
        and all(seen.values.get(at, ABSENT) == one for at, one in sign.values.items())
        and all(seen.sizes.get(at) == one for at, one in sign.sizes.items())
    )

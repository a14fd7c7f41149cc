"""What shows a finding in a response: a `ResponseSignature`, which all replays of that response have in common."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Final

from contracts.messages import ABSENT, Response, essence
from contracts.openapi.model import Operation
from generators.triage import standalone
from generators.triage.script import Names, plain_response, rename_variables

MAX_SIGNATURE_VALUES: Final = 3000  # values and sizes of one response
MAX_MARKS: Final = 40  # names by which list elements are recognised
MAX_AMBIGUOUS_CHARS: Final = 5  # length up to which a value is not replaced by a variable
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT")
VOLATILE_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\dT|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{7,}\b|\b[0-9a-f]{16,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSignature:
    """A response's comparable parts: `values` by JSON Pointer, `sizes` of arrays and objects, header names.

    `headers` is None when they differ between replays. Of a list of records only the elements with one of its
    `marks` (generated names) count, since other clients may write too; these are identified by that name instead of
    an index. With `is_context` it is of a response that the finding does not show in, but may depend on: only its
    status and sizes count.
    """

    step: int
    status: int
    values: Mapping[str, object] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    headers: tuple[str, ...] | None = ()
    media_type: str = ""
    marks: tuple[str, ...] = ()
    is_context: bool = False


def marks_of(operation: Operation | None, names: Names) -> tuple[str, ...]:
    """Return the variables by which our records are recognised in a list operation's response; empty for others.

    An instant is none of them: others may write at the same time.
    """
    act = operation.record if operation is not None else None
    if act is None or act.action.constant != "list":
        return ()
    telling = (name for name, value in names.items() if len(value) > MAX_AMBIGUOUS_CHARS and not INSTANT.match(value))
    return tuple(f"{{{{{name}}}}}" for name in islice(telling, MAX_MARKS))


def signature_of(step: int, response: Response, names: Names, marks: tuple[str, ...] = ()) -> ResponseSignature:
    """Return the signature of a response: variables in place of their values, volatile values left out."""
    values: dict[str, object] = {}
    sizes: dict[str, int] = {}
    told = _variables_by_length(names)
    numbers = {value: blank for some in told.values() for value, blank in some.items() if value.isdecimal()}
    own = [names[one[2:-2]] for one in marks if one[2:-2] in names]
    for pointer, value in standalone.parts(response.data, "", own) if response.data is not ABSENT else ():
        if len(values) + len(sizes) >= MAX_SIGNATURE_VALUES:
            break
        if _is_volatile(at := _with_variables(pointer, told)):
            continue
        if isinstance(value, dict | list):
            sizes[at] = len(value)
            values |= {} if value else {at: value}  # an empty array is no empty object
        elif not _is_volatile(shown := _signature_value(value, told, numbers)):
            values[at] = shown
    return ResponseSignature(
        step=step,
        status=response.status,
        values=values,
        sizes=sizes,
        headers=tuple(sorted({name.lower() for name, _ in response.headers} - standalone.TRAVELLING)),
        media_type=essence(response.headers.get("Content-Type")),
        marks=marks,
    )


def _is_volatile(value: object) -> bool:
    """Return whether a value looks like an instant or a server-generated id."""
    return not isinstance(value, bool | float | None) and VOLATILE_TEXT.search(str(value)) is not None


def _signature_value(value: object, told: Mapping[int, Mapping[str, str]], numbers: Mapping[str, str]) -> object:
    """Return a value with variables in place of their values; an integer is replaced as a whole."""
    if isinstance(value, str):
        return _with_variables(value, told)
    blank = numbers.get(str(value)) if isinstance(value, int) else None
    return value if blank is None else f"{blank[:-2]}:number}}}}"


def _variables_by_length(names: Names) -> dict[int, dict[str, str]]:
    """Return the variables by their values, these by their length, the longest first."""
    found: dict[int, dict[str, str]] = {}
    for name, value in sorted(names.items(), key=lambda pair: -len(pair[1])):
        if len(value) > MAX_AMBIGUOUS_CHARS:
            found.setdefault(len(value), {}).setdefault(value, f"{{{{{name}}}}}")
    return found


def _with_variables(text: str, told: Mapping[int, Mapping[str, str]]) -> str:
    """Return a text with variables in place of their values, the longest first."""
    for length, some in told.items():
        if len(some) < len(text) - length:
            found = {value for value in some if value in text}
        else:
            found = {part for at in range(len(text) - length + 1) if (part := text[at : at + length]) in some}
        for value in [one for one in some if one in found] if found else ():
            text = text.replace(value, some[value])
    return text


def common_signature(first: ResponseSignature, others: Iterable[ResponseSignature]) -> ResponseSignature | None:
    """Return what all signatures of one step have in common, None when status or media type differ."""
    signature = first
    for other in others:
        if (other.status, other.media_type) != (signature.status, signature.media_type):
            return None
        signature = replace(
            signature,
            values={at: one for at, one in signature.values.items() if other.values.get(at, ABSENT) == one},
            sizes={at: one for at, one in signature.sizes.items() if other.sizes.get(at) == one},
            headers=signature.headers if signature.headers == other.headers else None,
            marks=tuple(one for one in signature.marks if one in other.marks),
            is_context=signature.is_context or other.is_context,
        )
    return signature


def rename_signature(signature: ResponseSignature, names: Names) -> ResponseSignature:
    """Return a signature with its variables renamed."""
    return replace(
        signature,
        values=rename_variables(signature.values, names),
        sizes=rename_variables(signature.sizes, names),
        marks=rename_variables(signature.marks, names),
    )


def matches(signature: ResponseSignature, response: Response, names: Names) -> bool:
    """Return whether a response has everything that a signature has."""
    return standalone.shows(asdict(signature), plain_response(response), names)

"""Take the text of a bulk request's body apart: lines of JSON, rows of CSV, parts of a multipart body.

Begin with `read_item_text`. Sources: NDJSON (one JSON value a line), RFC 4180 (CSV), RFC 2046, 5.1 (multipart),
RFC 7578 (multipart/form-data), RFC 9112 (`application/http`), OData 4.01, 11.7 (`$batch` with change sets).
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from io import StringIO
from json import dumps
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contracts.bulk.model import Bulk
from contracts.messages import ABSENT, MULTIPART_MEDIA_TYPE, essence
from contracts.openapi.model import Operation
from contracts.openapi.parameters import read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import BOM, JsonFault, read_json
from contracts.syntax.text import tokens_of

if TYPE_CHECKING:
    from email.message import Message

TEXT_SHAPES: Final = frozenset(("line-pairs", "lines", "parts", "rows"))
MIXED: Final = "multipart/mixed"
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")  # a header field may go on in the next line (RFC 5322, 2.2.3)
BOUNDARY: Final = "batch-e2f1c0a4-part"  # of replies


def is_text(bulk: Bulk | None) -> bool:
    """Say whether the items of a bulk operation are in a body that is not one JSON value."""
    return bulk is not None and bulk.items.shape in TEXT_SHAPES


def read_item_text(
    bulk: Bulk, content_type: str, body: bytes, *, max_depth: int = 64, lenient: bool = False
) -> Any | JsonFault:
    """Return the collection of items that a body has as text, or where it cannot be read; nothing is raised.

    Lines and rows are a list of values; so are the parts of a `multipart/mixed` body, each an object with `id`,
    `group`, `method`, `url`, `headers` and `body`. Where the items are in a part of a form, the result is
    an object of its parts by name, in which that part is such a list and the others are text.
    """
    if essence(content_type) != MULTIPART_MEDIA_TYPE or not bulk.items.at:
        return _collection(bulk.items.shape, content_type, body, max_depth, lenient=lenient)
    try:
        form = dict(_form(content_type, body))
    except ValueError as error:
        return _fault(1, f"The form cannot be read: {error}.")
    name = tokens_of(bulk.items.at)[0]
    if name not in form:
        return _fault(1, f"The form has no part '{name}', which has the items.")
    found = _collection(bulk.items.shape, content_type, form[name], max_depth, lenient=lenient)
    if isinstance(found, JsonFault):
        return found
    return {**{other: text.decode("utf-8", "replace") for other, text in form.items()}, name: found}


def _collection(shape: str, content_type: str, body: bytes, max_depth: int, *, lenient: bool) -> Any | JsonFault:
    if shape == "rows":
        return _rows(body)
    if shape == "parts":
        return _requests(content_type, body, max_depth)
    return _lines(body, max_depth, lenient=lenient)


def _fault(line: int, detail: str) -> JsonFault:
    return JsonFault(line=line, column=1, detail=detail, kind="syntax")


def _lines(body: bytes, max_depth: int, *, lenient: bool) -> list[object] | JsonFault:
    """Return the JSON value of each line that is not blank."""
    values: list[object] = []
    for n, line in enumerate(body.split(b"\n"), 1):
        if not line.strip(b" \t\r"):
            continue
        read = read_json(line, max_depth=max_depth, lenient=lenient)
        if isinstance(read, JsonFault):
            return JsonFault(line=n, column=read.column, detail=f"Line {n}: {read.detail}", kind=read.kind)
        values.append(read)
    return values


def _rows(body: bytes) -> list[object] | JsonFault:
    """Return each row as an object by the names of the header row; an empty cell is an absent member."""
    try:
        text = body.removeprefix(BOM).decode()
    except UnicodeDecodeError as bad:
        return _fault(body[: bad.start].count(b"\n") + 1, f"Byte {bad.start} is not UTF-8.")
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        return _with_names(rows)
    except (csv.Error, ValueError) as error:
        return _fault(max(rows.line_num, 1), f"Line {max(rows.line_num, 1)} of the CSV: {error}.")


def _with_names(rows: Any) -> list[object]:
    """Return the rows by name. Raises ValueError: a row of another length, or a name that is there twice."""
    names: list[str] = next(rows, [])
    if len(set(names)) < len(names):
        raise ValueError("the header row names a column twice")
    values: list[object] = []
    for cells in rows:
        if not cells:
            continue
        if len(cells) != len(names):
            raise ValueError(f"it has {len(cells)} cells, and the header row {len(names)}")
        values.append({name: cell for name, cell in zip(names, cells, strict=True) if cell})
    return values


def typed_rows(rows: Any, schema: Schema | None) -> Any:
    """Return rows with each cell as the JSON value that the schema of a row says; cells that do not fit stay text."""
    if schema is None or not isinstance(rows, list):
        return rows
    members = schema.members()
    return [_typed(row, members) if isinstance(row, dict) else row for row in rows]


def _typed(row: dict[str, Any], members: Mapping[str, Schema]) -> dict[str, Any]:
    return {
        name: read_text(cell, members[name]) if isinstance(cell, str) and name in members else cell
        for name, cell in row.items()
    }


def row_schema(operation: Operation, content_type: str) -> Schema | None:
    """Return the schema that an operation declares for each row of its body, None where it has none."""
    media = None if operation.body is None else operation.body.media(content_type)
    return None if media is None or media.schema is None else media.schema.items()


def pair_lines(lines: list[object], *, has_payload: Callable[[object], bool]) -> list[object]:
    """Return the items of pairs of lines: an action, and its payload where `has_payload` says so of the action's word.

    The action is an object whose only member is its word, with an object of further members. The item has these, the
    word as `~action`, and the payload as `~payload`. A first line that is no such object stands for itself.
    """
    items: list[object] = []
    rest = iter(lines)
    for line in rest:
        item = _action(line)
        if has_payload(item.get("~action", ABSENT)):
            payload = next(rest, ABSENT)
            item = item if payload is ABSENT else {**item, "~payload": payload}
        items.append(item)
    return items


def _action(line: object) -> dict[str, object]:
    if not isinstance(line, dict):
        return {"~action": ABSENT, "~line": line}
    if len(line) == 1:
        word, about = next(iter(line.items()))
        if isinstance(about, dict):
            return {**about, "~action": word}
    return dict(line)


def read_response_parts(content_type: str, body: bytes) -> list[dict[str, object]] | None:
    """Return the HTTP responses in the parts of a `multipart/mixed` body, None where it has others or is malformed.

    Each is an object with `id`, `status`, `headers` and `body`, those of change sets beside the others.
    """
    try:
        return [one for about, content in _parts(content_type, body) for one in _responses(about, content)]
    except ValueError:
        return None


def _responses(about: Mapping[str, str], content: bytes) -> Iterator[dict[str, object]]:
    if essence(about.get("content-type", "")) == MIXED:
        for one, text in _parts(about["content-type"], content):
            yield from _responses(one, text)
        return
    message = _http_message(about, content, "status line")
    if not message.words[0].startswith("HTTP/") or not message.words[1].isdecimal():
        raise ValueError("a part is no response")
    found: dict[str, object] = {"status": int(message.words[1]), "headers": message.headers}
    found |= {} if message.identity is None else {"id": message.identity}
    read = read_json(message.text) if message.text.strip() else ABSENT
    if read is not ABSENT:
        found["body"] = message.text.decode("utf-8", "replace") if isinstance(read, JsonFault) else read
    yield found


def write_response_parts(entries: Sequence[Mapping[str, Any]]) -> tuple[str, bytes]:
    """Return content type and body that have HTTP responses as parts; `read_response_parts` reads them."""
    lines: list[str] = []
    bodies = [_body_text(one) for one in entries]
    boundary = BOUNDARY
    while any(boundary in text for text in bodies):
        boundary += "-"
    for one, text in zip(entries, bodies, strict=True):
        lines += [f"--{boundary}", "Content-Type: application/http"]
        lines += [f"Content-ID: <{one['id']}>"] if "id" in one else []
        status = one.get("status", HTTPStatus.OK)
        lines += ["", f"HTTP/1.1 {status} {_reason(status)}".rstrip()]
        headers = one.get("headers", {})
        if text and "content-type" not in {name.lower() for name in headers}:
            lines.append(f"Content-Type: {'text/plain' if isinstance(one['body'], str) else 'application/json'}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(text.encode('utf-8', 'replace'))}", "", text]
    written = "\r\n".join([*lines, f"--{boundary}--", ""])
    return f"{MIXED}; boundary={boundary}", written.encode("utf-8", "replace")


def _body_text(entry: Mapping[str, Any]) -> str:
    body = entry.get("body", "")
    return body if isinstance(body, str) else dumps(body, ensure_ascii=False)


def _reason(status: object) -> str:
    return HTTPStatus(status).phrase if isinstance(status, int) and status in set(HTTPStatus) else ""


class _HttpMessage(NamedTuple):
    """The first line's words, the header fields, the identity and the body of an `application/http` part."""

    words: list[str]
    headers: dict[str, str]
    identity: str | None
    text: bytes


def _http_message(about: Mapping[str, str], content: bytes, what: str) -> _HttpMessage:
    """Return one `application/http` message (RFC 9112). Raises ValueError when it is none."""
    if essence(about.get("content-type", "")) != "application/http":
        raise ValueError(f"a part must be application/http; got '{about.get('content-type', '')[:80]}'")
    first, _, rest = content.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n")
    words = first.decode("latin-1").split()
    if len(words) < 2:  # noqa: PLR2004 - a method and a target, or a version and a status
        raise ValueError(f"'{first[:80].decode('latin-1')}' is no {what}")
    head, _, text = rest.partition(b"\n\n") if not rest.startswith(b"\n") else (b"", b"", rest[1:])
    headers = {name: str(value) for name, value in _fields(head).items()}
    folded = {name.lower(): value for name, value in headers.items()}
    identity = about.get("content-id") or folded.get("content-id")
    return _HttpMessage(words, headers, None if identity is None else identity.strip("<>"), text)


def _requests(content_type: str, body: bytes, max_depth: int) -> list[object] | JsonFault:
    """Return the requests of a `multipart/mixed` body; those of a change set have its number as their group."""
    found: list[object] = []
    try:
        for n, (about, content) in enumerate(_parts(content_type, body), 1):
            if essence(about.get("content-type", "")) == MIXED:
                inner = _parts(about["content-type"], content)
                found += [_request(one, text, f"set{n}", max_depth) for one, text in inner]
            else:
                found.append(_request(about, content, None, max_depth))
    except ValueError as error:
        return _fault(1, f"The multipart body cannot be read: {error}.")
    return found


def _request(about: Mapping[str, str], content: bytes, group: str | None, max_depth: int) -> dict[str, object]:
    """Return one `application/http` request. Raises ValueError when it is none."""
    words, headers, identity, text = _http_message(about, content, "request line")
    request: dict[str, object] = {"method": words[0], "url": words[1], "headers": headers}
    if identity is not None:
        request["id"] = identity
    if group is not None:
        request["group"] = group
    if text.strip():
        read = read_json(text, max_depth=max_depth)
        if isinstance(read, JsonFault):
            raise ValueError(f"the body of {' '.join(words)[:80]} is no JSON, {read.detail}")
        request["body"] = read
    return request


def _form(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each part of a form that has a name. Raises ValueError."""
    for about, content in _parts(content_type, body):
        named = _fields(f"Content-Disposition: {about.get('content-disposition', '')}".encode())
        name = named.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield name, content


def _parts(content_type: str, body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the header fields, by lower-case name, and the content of each part. Raises ValueError."""
    boundary = _fields(f"Content-Type: {content_type}".encode()).get_boundary()
    if not boundary:
        raise ValueError("its Content-Type names no boundary")
    pieces = (b"\n" + body.replace(b"\r\n", b"\n")).split(b"\n--" + boundary.encode())
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - what is before, and the end
        raise ValueError("its last boundary is missing")
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\n\n")
        yield {name.lower(): str(value) for name, value in _fields(head.lstrip(b"\n")).items()}, content


def _fields(head: bytes) -> "Message":
    """Return header fields as they stand, on one line each; the parser is loaded where a body has parts only."""
    from email.parser import BytesHeaderParser  # noqa: PLC0415 - few requests have parts

    return BytesHeaderParser().parsebytes(_FOLD.sub(b" ", head) + b"\n\n")

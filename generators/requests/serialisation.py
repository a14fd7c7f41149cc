"""Write the parts of a request: parameters by OpenAPI's `style` and `explode`, bodies by their media type.

Begin with `parameter_pairs` and `encode_body`. OpenAPI Specification 3.1, Style Values; RFC 7578 (multipart/form-data).
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import orjson

from contracts.bulk.model import Bulk
from contracts.exchange.item_text import MIXED
from contracts.messages import FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE
from contracts.openapi.model import MediaType, Operation, Parameter, is_json
from contracts.openapi.parameters import SEPARATORS, read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import text_of, tokens_of

OCTETS_MEDIA_TYPE: Final = "application/octet-stream"
BOUNDARY: Final = "bulkproof-part"
EXPLODED_SEPARATORS: Final = {"label": ".", "matrix": ";"}
RANGES: Final = frozenset(("*/*", "application/*"))
CONCRETE_RANGES: Final[Mapping[str, str]] = {
    "*/*": "application/json",
    "application/*": "application/json",
    "text/*": "text/plain",
    "image/*": "image/png",
    "audio/*": "audio/mpeg",
    "video/*": "video/mp4",
    "multipart/*": MULTIPART_MEDIA_TYPE,
}
NAME_CHARS: Final = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"  # of a part's name; quotes and line ends are percent-encoded
Pairs: TypeAlias = list[tuple[str, str]]


def parameter_pairs(parameter: Parameter, value: object) -> Pairs:
    """Return the names and texts under which a value of a parameter is sent: one pair, or one for each part of it."""
    if parameter.style == "content":
        return [(parameter.name, orjson.dumps(value).decode())]
    if isinstance(value, dict):
        return _object_pairs(parameter, [(str(name), text_of(one)) for name, one in value.items()])
    texts = [text_of(one) for one in value] if isinstance(value, list) else [text_of(value)]
    if isinstance(value, list) and parameter.explode and parameter.where in {"query", "cookie"}:
        return [(parameter.name, text) for text in texts]
    if parameter.style == "matrix":
        joint = f";{parameter.name}=" if parameter.explode else ","
        return [(parameter.name, f";{parameter.name}={joint.join(texts)}")]
    exploded = parameter.explode and parameter.style == "label"
    joined = ("." if exploded else SEPARATORS.get(parameter.style, ",")).join(texts)
    return [(parameter.name, f".{joined}" if parameter.style == "label" else joined)]


def _object_pairs(parameter: Parameter, members: Pairs) -> Pairs:
    name, style = parameter.name, parameter.style
    if style == "deepObject":
        return [(f"{name}[{member}]", text) for member, text in members]
    if parameter.explode and style == "form":
        return members
    if parameter.explode:
        joined = EXPLODED_SEPARATORS.get(style, ",").join(f"{member}={text}" for member, text in members)
        return [(name, {"label": ".", "matrix": ";"}.get(style, "") + joined)]
    joined = SEPARATORS.get(style, ",").join(word for pair in members for word in pair)
    return [(name, {"label": ".", "matrix": f";{name}="}.get(style, "") + joined)]


class EncodedBody(NamedTuple):
    """A body in bytes, and its media type with parameters."""

    media_type: str
    content: bytes


def body_media(operation: Operation) -> MediaType | None:
    """Return the media type to send a body in: JSON, else a form, else text, else the first; None without a body."""
    content = operation.body.content if operation.body is not None else ()
    return min(content, key=_rank, default=None)


def _rank(media: MediaType) -> int:
    name = media.media_range
    ranks = (
        is_json(name),
        name in RANGES,
        name == FORM_MEDIA_TYPE,
        _is_multipart(name),
        name.startswith("text/"),
        bool(media.examples),
    )
    return next((n for n, suits in enumerate(ranks) if suits), len(ranks))


def encode_body(media: MediaType, data: object) -> EncodedBody:
    """Return a body in a media type: of a type that is unknown, the text, or JSON."""
    concrete = CONCRETE_RANGES.get(media.media_range, media.media_range)
    if is_json(concrete):
        return EncodedBody(concrete, orjson.dumps(data))
    if concrete == FORM_MEDIA_TYPE and isinstance(data, dict):
        return EncodedBody(concrete, urlencode(list(_form_pairs("", data))).encode())
    if _is_multipart(concrete) and isinstance(data, dict):
        written = b"".join(_parts(data, media.schema))
        return EncodedBody(f"{concrete}; boundary={BOUNDARY}", written + f"--{BOUNDARY}--\r\n".encode())
    if concrete.endswith(("/x-ndjson", "/ndjson", "/jsonl")):
        lines = data if isinstance(data, list) else [data]
        return EncodedBody(concrete, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    if concrete.endswith(("/xml", "+xml")) and not isinstance(data, str):
        return EncodedBody(concrete, _element(_root_name(media.schema), data).encode())
    return EncodedBody(concrete, _plain(data))


def encode_items(bulk: Bulk, media: MediaType, data: Any) -> EncodedBody:
    """Return the body of a bulk request whose items are text: lines of JSON, rows of CSV, parts.

    `data` is the list of them, or the parts of a form by name, of which one is that list. `item_text` reads it.
    """
    concrete = CONCRETE_RANGES.get(media.media_range, media.media_range)
    if bulk.items.at:
        name = tokens_of(bulk.items.at)[0]
        return encode_body(media, {**data, name: _item_text(bulk, data.get(name, []))})
    if bulk.items.shape == "parts":
        return EncodedBody(f"{MIXED}; boundary={BOUNDARY}", "".join(_request_parts(data)).encode())
    return EncodedBody(concrete, _item_text(bulk, data).encode())


def _item_text(bulk: Bulk, items: Sequence[Any]) -> str:
    if bulk.items.shape == "rows":
        return _rows(items, tokens_of(bulk.key.at or "/id")[-1])
    return "".join(f"{orjson.dumps(line).decode()}\n" for item in items for line in _lines_of(item))


def _lines_of(item: object) -> Iterator[object]:
    """Yield the lines of an item: itself, or an action and, where it has one, its payload."""
    if not isinstance(item, dict) or "~action" not in item:
        yield item
        return
    about = {name: value for name, value in item.items() if not name.startswith("~")}
    yield {str(item["~action"]): about}
    if "~payload" in item:
        yield item["~payload"]


def _rows(items: Sequence[Any], first: str) -> str:
    """Return rows of CSV under a header row (RFC 4180); without items the header row names one column."""
    names = list(dict.fromkeys(name for item in items if isinstance(item, dict) for name in item)) or [first]
    written = StringIO()
    rows = csv.writer(written)
    rows.writerow(names)
    rows.writerows([cell_text(item.get(name)) for name in names] if isinstance(item, dict) else [""] for item in items)
    return written.getvalue()


def cell_text(value: object) -> str:
    """Return a value as the text of a cell; nothing for null."""
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    return "" if value is None else text_of(value)


def is_cell(value: object, schema: Schema | None) -> bool:
    """Say whether a value can be in a cell: its text reads back as the same value."""
    text = cell_text(value)
    read = read_text(text, schema)
    return bool(text) and type(read) is type(value) and read == value


def _request_parts(items: Sequence[Any]) -> Iterator[str]:
    """Yield the text of requests as parts; adjacent ones of a group are a change set (OData 4.01, 11.7.7)."""
    for number, (group, some) in enumerate(groupby(items, key=lambda item: item.get("group"))):
        if group is None:
            yield from (_request_part(BOUNDARY, item) for item in some)
            continue
        inner = f"changes-{number}"
        yield f"--{BOUNDARY}\r\nContent-Type: {MIXED}; boundary={inner}\r\n\r\n"
        yield from (_request_part(inner, item) for item in some)
        yield f"--{inner}--\r\n"
    yield f"--{BOUNDARY}--\r\n"


def _request_part(boundary: str, item: Mapping[str, Any]) -> str:
    """Return a request as a part (RFC 9112, `application/http`)."""
    fields = {"Content-Type": "application/http", "Content-Transfer-Encoding": "binary"}
    fields |= {"Content-ID": f"<{item['id']}>"} if item.get("id") is not None else {}
    body = "" if "body" not in item else orjson.dumps(item["body"]).decode()
    own = {**({"Content-Type": "application/json"} if body else {}), **item.get("headers", {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    inner = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    line = f"{item.get('method', '')} {item.get('url', '')} HTTP/1.1"
    return f"--{boundary}\r\n{head}\r\n{line}\r\n{inner}\r\n{body}\r\n"


def _root_name(schema: Schema | None) -> str:
    told = schema.raw.get("xml") if schema is not None else None
    last = schema.ref.rpartition("/")[2] if schema is not None and "/schemas/" in schema.ref else ""
    return str(told.get("name") or last or "root") if isinstance(told, Mapping) else last or "root"


def _element(name: str, value: object) -> str:
    """Return a value as an XML element; an array is its elements, one after the other."""
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    inner = "".join(_element(str(member), one) for member, one in value.items()) if isinstance(value, dict) else None
    text = escape("" if value is None else text_of(value)) if inner is None else inner
    return f"<{name}>{text}</{name}>"


def _is_multipart(media_range: str) -> bool:
    return media_range.startswith("multipart/")


def _plain(value: object) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else orjson.dumps(value)


def _form_pairs(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a form: names of nested members in brackets, elements by a repeated name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _form_pairs(f"{prefix}[{name}]" if prefix else str(name), inner)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for n, inner in enumerate(value):
            yield from _form_pairs(f"{prefix}[{n}]", inner)
    elif isinstance(value, list):
        yield from ((prefix, text_of(one)) for one in value)
    else:
        yield prefix, "" if value is None else text_of(value)


def _parts(members: Mapping[str, object], schema: Schema | None) -> Iterator[bytes]:
    for name, value in members.items():
        declared = schema.member(name) if schema is not None else None
        is_list = isinstance(value, list) and not any(isinstance(one, dict | list) for one in value)
        for one in value if isinstance(value, list) and is_list else [value]:
            yield _part(name, one, declared.items() or declared if is_list and declared else declared)


def _part(name: str, value: object, schema: Schema | None) -> bytes:
    disposition = f'form-data; name="{quote(name, safe=NAME_CHARS)}"'
    lines = [f"--{BOUNDARY}"]
    if _is_file(schema):
        lines += [f'Content-Disposition: {disposition}; filename="file.bin"', f"Content-Type: {OCTETS_MEDIA_TYPE}"]
    elif isinstance(value, dict | list):
        lines += [f"Content-Disposition: {disposition}", "Content-Type: application/json"]
    else:
        lines.append(f"Content-Disposition: {disposition}")
    content = b"" if value is None else _plain(value if isinstance(value, str | dict | list) else text_of(value))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def _is_file(schema: Schema | None) -> bool:
    """Say whether a schema is that of a file: `format: binary`, or another media type (OpenAPI 3.1)."""
    forms = schema.forms() if schema is not None else ()
    return any(form.raw.get("format") == "binary" or "contentMediaType" in form.raw for form in forms)

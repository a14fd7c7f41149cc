"""Write a JSON value as a body of any media type, and as the value of a header field. Begin with `write_body`.

XML follows the XML Object of the OpenAPI Specification 3.1 (`name`, `attribute`, `wrapped`); event streams the HTML
Standard, section 9.2; lines of JSON are NDJSON.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from html import escape
from typing import Final
from urllib.parse import urlencode

import orjson

from contracts.messages import FORM_MEDIA_TYPE, essence
from contracts.openapi.model import is_json
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_mapping, tokens_of

LINES_TYPES: Final = frozenset(
    ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl")
)
IMAGES: Final[Mapping[str, bytes]] = {
    "image/png": b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    ),
    "image/gif": b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
}  # one pixel each
NOT_A_NAME: Final = frozenset(" <>&\"'/=\t\r\n")


def json_bytes(value: object) -> bytes:
    """Return a value as JSON; what orjson does not write, such as integers beyond 64 bits, is written all the same."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, default=str).encode()


def write_body(value: object, media_type: str, schema: Schema | None) -> bytes:
    """Return a value as a body of a media type; text where the type says nothing of the form of a value."""
    name = essence(media_type)
    if is_json(name):
        return json_bytes(value)
    if name in IMAGES:
        return IMAGES[name]
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if name in LINES_TYPES:
        return b"".join(json_bytes(one) + b"\n" for one in _elements_of(value))
    writer = next((write for end, write in WRITERS.items() if name.endswith(end)), None)
    return json_bytes(value) if writer is None else writer(value, schema).encode("utf-8", "replace")


def _elements_of(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _form(value: object, schema: Schema | None) -> str:
    del schema
    members = value if isinstance(value, dict) else {"value": value}
    return urlencode({name: plain_text(one) for name, one in members.items()})


def _events(value: object, schema: Schema | None) -> str:
    del schema
    return "".join(f"data: {json_bytes(one).decode('utf-8', 'replace')}\n\n" for one in _elements_of(value))


def _table(value: object, schema: Schema | None) -> str:
    """Return objects as lines of comma-separated values below a line of names (RFC 4180)."""
    del schema
    rows = [one if isinstance(one, dict) else {"value": one} for one in _elements_of(value)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([plain_text(row.get(name)) for name in names] for row in rows)]
    return "".join(",".join(map(_cell, line)) + "\r\n" for line in lines)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\r\n') else text


def plain_text(value: object) -> str:
    """Return a scalar as text, without quotes; null is empty, anything else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json_bytes(value).decode("utf-8", "replace")


def header_text(value: object) -> str:
    """Return a value in the style `simple` of header fields: elements, or names and values, between commas."""
    if isinstance(value, list):
        return ",".join(map(plain_text, value))
    if isinstance(value, dict):
        return ",".join(f"{name},{plain_text(one)}" for name, one in value.items())
    return plain_text(value)


def printable_ascii(text: str) -> str:
    """Return a text as a header field can have it, with `?` for every other character."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)


def _xml(value: object, schema: Schema | None) -> str:
    root = _xml_name(schema) or (_last_name(schema) if schema is not None else "") or "root"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element(root, value, schema)}'


def _xml_name(schema: Schema | None) -> str:
    name = _xml_object(schema).get("name")
    return name if isinstance(name, str) and name and not NOT_A_NAME & set(name) else ""


def _xml_object(schema: Schema | None) -> Mapping[str, object]:
    found = next((form.raw["xml"] for form in schema.forms() if "xml" in form.raw), {}) if schema is not None else {}
    return as_mapping(found)


def _last_name(schema: Schema) -> str:
    *above, last = ("", *tokens_of(schema.ref.partition("#")[2]))
    return last if above[-1:] == ["schemas"] and last.isidentifier() else ""


def _element(name: str, value: object, schema: Schema | None) -> str:
    tag = name if name and not NOT_A_NAME & set(name) and not name[0].isdigit() else "item"
    if not isinstance(value, dict):
        inner = _elements("item", value, schema) if isinstance(value, list) else escape(plain_text(value), quote=False)
        return f"<{tag}>{inner}</{tag}>"
    attributes, inside = "", ""
    for member, one in value.items():
        own = schema.member(member) if schema is not None else None
        shown = _xml_name(own) or member
        if _xml_object(own).get("attribute") is True and not NOT_A_NAME & set(shown):
            attributes += f' {shown}="{escape(plain_text(one))}"'
        elif isinstance(one, list):
            listed = _elements(shown, one, own)
            inside += f"<{shown}>{listed}</{shown}>" if _xml_object(own).get("wrapped") is True else listed
        else:
            inside += _element(shown, one, own)
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _elements(name: str, values: list[object], schema: Schema | None) -> str:
    items = schema.items() if schema is not None else None
    return "".join(_element(_xml_name(items) or name, one, items) for one in values)


WRITERS: Final[Mapping[str, Callable[[object, Schema | None], str]]] = {
    "/xml": _xml,
    "+xml": _xml,
    "text/csv": _table,
    "text/event-stream": _events,
    FORM_MEDIA_TYPE: _form,
}

"""Read forms, `application/x-www-form-urlencoded` and `multipart/form-data`, by the schema of their media type.

Begin with `read_form`. The Encoding Object is that of the OpenAPI Specification 3.1; multipart follows RFC 7578.
"""

import re
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from contracts.messages import FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, essence
from contracts.openapi.model import MediaType, is_json
from contracts.openapi.parameters import coerce, grouped, nest, types_of
from contracts.schemas.schema_set import Schema

SEPARATORS: Final = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
RESERVED: Final = re.compile(r"[:/?#\[\]@!$'(),;]")  # of RFC 3986, without what form serializers themselves write


class MalformedFormError(Exception):
    """A form cannot be read; `str()` says why."""


class FormPart(NamedTuple):
    """One field of a form: its name, its text, and its own media type where it has one."""

    name: str
    text: str
    media_type: str = ""


def is_form(content_type: str) -> bool:
    """Say whether a media type is a form."""
    return essence(content_type) in {FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE}


def read_form(content_type: str, body: bytes, media: MediaType | None = None) -> dict[str, Any]:
    """Return the fields of a form as an object, in the types of the media type's schema. Raises MalformedFormError.

    Repeated names are arrays, names with brackets nested objects; a file is the text of its content. Multipart without
    a boundary is taken for urlencoded, as Prism does.
    """
    boundary = boundary_of(content_type)
    parts = list(_multipart(boundary, body) if boundary else _urlencoded(body))
    schema, encoding = (media.schema, media.encoding) if media is not None else (None, {})
    members = schema.members() if schema is not None else {}
    typed = {one.name for one in parts if is_json(one.media_type)}
    given = grouped((one.name, one.text) for one in parts)
    plain = {name: texts for name, texts in given.items() if name in members}
    tree = nest({name: texts for name, texts in given.items() if name not in plain})
    for name, texts in plain.items():
        tree[name] = _styled(texts, members[name], encoding.get(name, {}), is_json_text=name in typed)
    return {name: coerce(value, _member(schema, name)) for name, value in tree.items()}


def _member(schema: Schema | None, name: str) -> Schema | None:
    return None if schema is None else schema.member(name)


def _styled(texts: list[str], schema: Schema, encoding: Mapping[str, object], *, is_json_text: bool) -> Any:
    """Return the texts of one field as its `style` and `explode` divide them."""
    if len(texts) > 1:
        return texts
    style, types = str(encoding.get("style", "form")), types_of(schema)
    if is_json_text or texts[0].lstrip()[:1] in {"[", "{"}:
        return texts[0]
    words = texts[0].split(SEPARATORS.get(style, ","))
    if encoding.get("explode", style == "form") or not types & {"array", "object"}:
        return texts[0]
    if "array" in types:
        return words
    return dict(zip(words[::2], words[1::2], strict=False))


def reserved_fields(body: bytes, media: MediaType) -> tuple[str, ...]:
    """Return the fields of a urlencoded form that have reserved characters in spite of their `encoding`."""
    pairs = (pair.partition("=") for pair in body.decode("utf-8", "replace").split("&"))
    guarded = {
        name: SEPARATORS.get(str(one.get("style", "form")), ",") if one.get("explode") is False else ""
        for name, one in media.encoding.items()
        if one.get("allowReserved") is not True
    }  # what divides the elements of a field is no reserved character in it
    return tuple(
        name for name, _, text in pairs if name in guarded and RESERVED.search(text.replace(guarded[name], ""))
    )


def _urlencoded(body: bytes) -> Iterator[FormPart]:
    text = body.decode("utf-8", "replace")
    return (FormPart(name, value) for name, value in parse_qsl(text, keep_blank_values=True))


def _multipart(boundary: str, body: bytes) -> Iterator[FormPart]:
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - what is before, and the end
        raise MalformedFormError(f"The body is not divided by the boundary '{boundary[:80]}'.")
    for piece in pieces[1:-1]:
        head, found, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = BytesHeaderParser().parsebytes(head)
        name = fields.get_param("name", None, header="content-disposition")
        if not found or name is None:
            raise MalformedFormError("A part of the form has no name; Content-Disposition must give one.")
        yield FormPart(_parameter_text(name), _decoded(content), essence(fields.get("content-type", "")))


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart form; "" where there is none."""
    message = Message()
    message["content-type"] = content_type
    return str(message.get_param("boundary", "")) if essence(content_type) == MULTIPART_MEDIA_TYPE else ""


def _parameter_text(value: Any) -> str:
    return str(value[2]) if isinstance(value, tuple) else str(value)


def _decoded(content: bytes) -> str:
    """Return the content of a part as text: UTF-8, else one character for each byte."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")

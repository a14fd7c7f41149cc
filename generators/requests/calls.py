"""Making calls out of operations: path, query, headers and body, filled in by location."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from contracts.bulk import Location
from contracts.media import is_json
from contracts.messages import ABSENT, Call, Headers
from contracts.model import MediaType, Operation, Parameter
from contracts.parameters import read_text
from contracts.schemas import Schema
from contracts.templates import expanded
from generators.impossible import ImpossibleError
from generators.locations import is_outside, put, text_of

FORM: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class CallDraft:
    """A call in the making; `data` is the body's JSON value, ABSENT for none."""

    operation: Operation
    variables: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    data: Any = ABSENT

    def put(self, location: Location, value: object) -> None:
        """Set the value at a location, in the type that its schema wants when it is a word."""
        source, _, name = location.partition(":")
        if not is_outside(location):
            schema = body_schema(self.operation)
            inner = schema.at(location) if schema is not None else None
            typed = read_text(value, inner) if isinstance(value, str) and inner is not None else value
            self.data = put(self.data, location, typed)
            return
        target = {"header": self.headers, "query": self.query, "path": self.variables}[source]
        target[name] = text_of(value)

    def wish(self, wish: str) -> None:
        """Express a wish such as `header:Prefer=respond-async`; `always` needs none."""
        location, _, word = wish.partition("=")
        if wish != "always":
            self.put(location, word or "true")

    def call(self) -> Call:
        """Return the call."""
        headers, body = dict(self.headers), b""
        if self.data is not ABSENT:
            media, body = encoded(self.operation, self.data)
            headers = {"Content-Type": media, **headers}
        return Call(
            method=self.operation.method,
            path=expanded(self.operation.path, self.variables),
            query=tuple(self.query.items()),
            headers=Headers(headers.items()),
            body=body,
        )


def draft(operation: Operation, values: Mapping[str, str]) -> CallDraft:
    """Return a call with its required parameters set; `values` hold those that are known by name."""
    made = CallDraft(operation=operation)
    for parameter in operation.parameters:
        known = values.get(parameter.name)
        if known is None and (parameter.required or parameter.where == "path"):
            known = sample(parameter)
        if known is not None and parameter.where != "cookie":
            made.put(f"{parameter.where}:{parameter.name}", known)
    return made


def sample(parameter: Parameter) -> str:
    """Return a value for a parameter: an example, its default, one of its words, else one drawn."""
    schema = parameter.schema
    raw = schema.raw if schema is not None else {}
    listed = (raw.get("examples"), raw.get("enum"))
    choices = [*parameter.examples.values(), *([raw["default"]] if "default" in raw else ())]
    choices += [value for values in listed if isinstance(values, list) for value in values]
    value = choices[0] if choices else _drawn(schema)
    return ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def _drawn(schema: Schema | None) -> object:
    from generators.values import compile_schema  # noqa: PLC0415 - few parameters need it

    return compile_schema(schema if schema is not None else {"type": "string", "minLength": 1}).draw(Random(0))


def json_media(operation: Operation) -> MediaType | None:
    """Return the first content type of a request body that is JSON, None when there is none."""
    content: Iterable[MediaType] = operation.body.content if operation.body is not None else ()
    return next(
        (one for one in content if is_json(one.media_range) or one.media_range in {"*/*", "application/*"}), None
    )


def examples_of(operation: Operation) -> list[Any]:
    """Return the examples of an operation's JSON body."""
    media = json_media(operation)
    return list(media.examples.values()) if media is not None else []


def body_schema(operation: Operation) -> Schema | None:
    """Return the schema of an operation's JSON body."""
    media = json_media(operation)
    return media.schema if media is not None else None


def encoded(operation: Operation, data: object) -> tuple[str, bytes]:
    """Return the content type and the bytes of a body. Raises ImpossibleError when it is neither JSON nor a form."""
    media = json_media(operation)
    if media is not None:
        return media.media_range if "*" not in media.media_range else "application/json", orjson.dumps(data)
    ranges = [one.media_range for one in operation.body.content] if operation.body is not None else []
    if FORM in ranges and isinstance(data, dict):
        return FORM, urlencode({name: text_of(value) for name, value in data.items()}).encode()
    raise ImpossibleError(f"a body of {operation.id} is neither JSON nor a form")

"""Build requests of single operations: set parameters and body values by location, draw members from their schemas.

Begin with `draft` and `RequestDraft`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from contracts.bulk.model import Location, Resource
from contracts.exchange.locations import is_outside, put, text_of
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.model import MediaType, Operation, Parameter, is_json
from contracts.openapi.parameters import read_text
from contracts.openapi.routing import expand
from contracts.schemas.schema_set import Schema
from generators.data.compile import DEFAULT_EDGE_SHARE, generator_of
from generators.errors import NotApplicableError

FORM_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class RequestDraft:
    """A request under construction; `data` is the JSON value of its body, ABSENT for none."""

    operation: Operation
    variables: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    data: Any = ABSENT

    def put(self, location: Location, value: object) -> None:
        """Set the value at a location; a text is converted to the type that the location's schema asks for."""
        source, _, name = location.partition(":")
        if not is_outside(location):
            schema = body_schema(self.operation)
            inner = schema.at(location) if schema is not None else None
            typed = read_text(value, inner) if isinstance(value, str) and inner is not None else value
            self.data = put(self.data, location, typed)
            return
        target = {"header": self.headers, "query": self.query, "path": self.variables}[source]
        target[name] = text_of(value)

    def apply_setting(self, setting: str) -> None:
        """Apply a setting `LOCATION=VALUE`, such as `header:Prefer=respond-async`; `always` needs none."""
        location, _, word = setting.partition("=")
        if setting != "always":
            self.put(location, word or "true")

    def request(self) -> Request:
        """Return the request."""
        headers, body = dict(self.headers), b""
        if self.data is not ABSENT:
            media, body = encode_body(self.operation, self.data)
            headers = {"Content-Type": media, **headers}
        return Request(
            method=self.operation.method,
            path=expand(self.operation.path, self.variables),
            query=tuple(self.query.items()),
            headers=Headers(headers.items()),
            body=body,
        )


def draft(operation: Operation, values: Mapping[str, str]) -> RequestDraft:
    """Return a request with all required parameters set, those in `values` to the value under their name."""
    made = RequestDraft(operation=operation)
    for parameter in operation.parameters:
        known = values.get(parameter.name)
        if known is None and (parameter.required or parameter.where == "path"):
            known = sample_value(parameter)
        if known is not None and parameter.where != "cookie":
            made.put(f"{parameter.where}:{parameter.name}", known)
    return made


def sample_value(parameter: Parameter) -> str:
    """Return a parameter's value as text: an example, the default, an enum value, or else a drawn value."""
    schema = parameter.schema
    raw = schema.raw if schema is not None else {}
    listed = (raw.get("examples"), raw.get("enum"))
    choices = [*parameter.examples.values(), *([raw["default"]] if "default" in raw else ())]
    choices += [value for values in listed if isinstance(values, list) for value in values]
    fitting = (one for one in choices if one != "" and (schema is None or schema.is_valid(one)))
    value = next(fitting, ABSENT)
    if value is ABSENT:
        value = _draw_value(schema, is_needed=parameter.where == "path")
    return ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def _draw_value(schema: Schema | None, *, is_needed: bool) -> object:
    """Return a drawn value, one that is not empty where there has to be one, such as in a path."""
    from generators.data.compile import compile_schema  # noqa: PLC0415 - few parameters need it

    generator = compile_schema(schema if schema is not None else {"type": "string", "minLength": 1})
    drawn = [generator.draw(Random(n)) for n in range(MAX_DRAWS if is_needed else 1)]
    return next((one for one in drawn if one or one == 0), drawn[0])


def json_media(operation: Operation) -> MediaType | None:
    """Return the first JSON media type of the request body, None when it has none."""
    content: Iterable[MediaType] = operation.body.content if operation.body is not None else ()
    return next(
        (one for one in content if is_json(one.media_range) or one.media_range in {"*/*", "application/*"}), None
    )


def body_examples(operation: Operation) -> list[Any]:
    """Return the examples of the JSON request body."""
    media = json_media(operation)
    return list(media.examples.values()) if media is not None else []


def body_schema(operation: Operation) -> Schema | None:
    """Return the schema of the JSON request body, None when there is none."""
    media = json_media(operation)
    return media.schema if media is not None else None


def encode_body(operation: Operation, data: object) -> tuple[str, bytes]:
    """Return the media type and the bytes of a body. Raises NotApplicableError when it is neither JSON nor a form."""
    media = json_media(operation)
    if media is not None:
        return media.media_range if "*" not in media.media_range else "application/json", orjson.dumps(data)
    ranges = [one.media_range for one in operation.body.content] if operation.body is not None else []
    if FORM_MEDIA_TYPE in ranges and isinstance(data, dict):
        return FORM_MEDIA_TYPE, urlencode({name: text_of(value) for name, value in data.items()}).encode()
    raise NotApplicableError(f"a body of {operation.id} is neither JSON nor a form")


MAX_DRAWS: Final = 20


def draw_member(
    members: Mapping[str, Schema], name: str, rng: Random, *, needed: bool = False, edges: float = DEFAULT_EDGE_SHARE
) -> Any:
    """Return a value for a declared member; a `needed` one is not null unless its schema allows nothing else."""
    schema = members.get(name)
    if schema is None:
        return f"{name}-{rng.getrandbits(32):x}"
    generator = generator_of(schema, name, edges)
    value, left = generator.draw(rng), MAX_DRAWS if needed else 0
    while value is None and left:
        value, left = generator.draw(rng), left - 1
    return value


def draw_members(
    schema: Schema | None,
    members: Mapping[str, Schema],
    required: Collection[str],
    rng: Random,
    *,
    edges: float = DEFAULT_EDGE_SHARE,
) -> dict[str, Any]:
    """Return members drawn from a schema, all `required` ones present. Raises UnsatisfiableError."""
    drawn = generator_of(schema, "", edges).draw(rng) if schema is not None else {}
    values = drawn if isinstance(drawn, dict) else {}
    for name in required:
        if values.get(name) is None:
            values[name] = draw_member(members, name, rng, needed=True, edges=edges)
    return values


def fill_lookup(template: Any, members: Mapping[str, object]) -> Any:
    """Return a lookup template filled with members' values, None when a member that it needs has no value."""
    name = _placeholder_name(template)
    if name is not None:
        value = members.get(name)
        return value if isinstance(value, str | int) and not isinstance(value, bool) else None
    if isinstance(template, dict):
        made = {key: fill_lookup(inner, members) for key, inner in template.items()}
        return None if None in made.values() else made
    return template


def lookup_members(resource: Resource, value: object) -> Mapping[str, object] | None:
    """Return the members by which a lookup value identifies a record, None when it matches no template."""
    for template in resource.lookups:
        found: dict[str, object] = {}
        if _matches(template, value, found):
            return found
    return None


def _matches(template: object, value: object, found: dict[str, object]) -> bool:
    name = _placeholder_name(template)
    if name is not None:
        found[name] = value
        return isinstance(value, str | int)
    if isinstance(template, dict) and isinstance(value, dict):
        return template.keys() == value.keys() and all(_matches(template[key], value[key], found) for key in template)
    return template == value


def _placeholder_name(template: object) -> str | None:
    is_blank = isinstance(template, str) and template.startswith("{") and template.endswith("}")
    return template[1:-1] if is_blank and isinstance(template, str) else None

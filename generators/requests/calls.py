"""Build requests of single operations: set parameters and body values by location, draw members from their schemas.

Begin with `draft` and `RequestDraft`.
"""

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from contracts.bulk.lists import placeholder_of
from contracts.bulk.model import Location, Resource
from contracts.exchange.item_text import is_text
from contracts.exchange.locations import find, is_outside, put
from contracts.messages import ABSENT, MULTIPART_MEDIA_TYPE, Headers, Request
from contracts.openapi.model import Contract, MediaType, Operation, Parameter, is_json
from contracts.openapi.parameters import read_text, types_of
from contracts.openapi.routing import expand
from contracts.openapi.security import with_credentials
from contracts.openapi.validation import validate_request
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import text_of
from generators.data.best_effort import made_of
from generators.data.compile import generator_of
from generators.data.plan import ValueProfile
from generators.errors import NotApplicableError
from generators.requests.serialisation import (
    body_media,
    encode_body,
    encode_items,
    parameter_pairs,
)

COOKIE_CHARS: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~,"


@dataclass(slots=True)
class RequestDraft:
    """A request under construction; `data` is the JSON value of its body, ABSENT for none.

    `media` is the media type of the body, None for the one that suits best. `more_query` are parameters of which there
    are several pairs.
    """

    operation: Operation
    variables: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    data: Any = ABSENT
    media: MediaType | None = None
    more_query: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[tuple[str, str]] = field(default_factory=list)

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

    def set_parameter(self, parameter: Parameter, value: object) -> None:
        """Set a parameter to a JSON value, in its style."""
        pairs = parameter_pairs(parameter, value)
        if parameter.where == "cookie":
            self.cookies += pairs
        elif parameter.where == "query" and [name for name, _ in pairs] != [parameter.name]:
            self.more_query += pairs
        else:
            target = {"header": self.headers, "query": self.query, "path": self.variables}[parameter.where]
            target.update(pairs)

    def request(self) -> Request:
        """Return the request. Raises NotApplicableError when it has a body that the operation does not take."""
        headers, body = dict(self.headers), b""
        bulk, text = self.operation.bulk, item_media(self.operation)
        if bulk is not None and text is not None and self.media is None and isinstance(self.data, list | dict):
            encoded = encode_items(bulk, text, self.data)
            headers, body = {"Content-Type": encoded.media_type, **headers}, encoded.content
        elif self.data is not ABSENT:
            media = self.media or body_media(self.operation)
            if media is None:
                raise NotApplicableError(f"{self.operation.id} takes no body")
            encoded = encode_body(media, self.data)
            headers, body = {"Content-Type": encoded.media_type, **headers}, encoded.content
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={quote(text, safe=COOKIE_CHARS)}" for name, text in self.cookies)
        return Request(
            method=self.operation.method,
            path=expand(self.operation.path, self.variables),
            query=(*self.query.items(), *self.more_query),
            headers=Headers(headers.items()),
            body=body,
        )


def draft(operation: Operation, values: Mapping[str, str]) -> RequestDraft:
    """Return a request with all required parameters set, those in `values` to the value under their name."""
    made = RequestDraft(operation=operation)
    for parameter in operation.parameters:
        known = values.get(parameter.name)
        if known is not None and parameter.where != "cookie":
            made.put(f"{parameter.where}:{parameter.name}", known)
        elif known is None and (parameter.required or parameter.where == "path"):
            made.set_parameter(parameter, parameter_value(parameter))
    return made


def parameter_value(parameter: Parameter, seed: int = 0, *, shown: bool = True) -> object:
    """Return a value of a parameter: one that is `shown` (example, default, first of an enum), or else a drawn one."""
    schema = parameter.schema
    given = [value for value in parameter.examples.values() if value != ""]
    examples = [value for value in given if schema is None or schema.is_valid(value)]
    if schema is None or (examples and shown):
        return examples[0] if examples else "string"
    value = made_of(schema, seed, name=parameter.name, typical=shown).value
    return "string" if value in ("", None) else value


def sample_value(parameter: Parameter) -> str:
    """Return a parameter's value as text, the elements of an array between commas."""
    value = parameter_value(parameter)
    return ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def json_media(operation: Operation) -> MediaType | None:
    """Return the first JSON media type of the request body, None when it has none."""
    content: Iterable[MediaType] = operation.body.content if operation.body is not None else ()
    return next(
        (one for one in content if is_json(one.media_range) or one.media_range in {"*/*", "application/*"}), None
    )


def item_media(operation: Operation) -> MediaType | None:
    """Return the media type of a body that has the items of a bulk request as text, None of other bodies.

    Items as text are lines of JSON, pairs of them, rows of CSV, and parts; or one of these in a part of a form.
    """
    bulk, body = operation.bulk, operation.body
    if bulk is None or body is None or not is_text(bulk):
        return None
    media = next(iter(body.content), None)
    return None if media is None or (bulk.items.at and media.media_range != MULTIPART_MEDIA_TYPE) else media


def body_examples(operation: Operation) -> list[Any]:
    """Return the examples of the JSON request body."""
    media = json_media(operation)
    return list(media.examples.values()) if media is not None else []


def body_schema(operation: Operation) -> Schema | None:
    """Return the schema of the JSON request body, for what requests carry; None when there is none."""
    text = item_media(operation)
    if text is not None:
        is_listed = operation.bulk is not None and operation.bulk.items.shape in {"lines", "rows"}
        return text.schema if is_listed and "array" in types_of(text.schema) else None
    media = json_media(operation)
    return media.schema.request if media is not None and media.schema is not None else None


class ValidRequest(NamedTuple):
    """A request, and a sentence on what is wrong with it where no valid one was found; "" for a valid request."""

    request: Request
    warning: str


MAX_TRIES: Final = 4
NOTHING_GIVEN: Final[Mapping[str, str]] = {}


def valid_request(
    contract: Contract,
    operation: Operation,
    seed: int = 0,
    given: Mapping[str, str] = NOTHING_GIVEN,
    *,
    made_up: bool = True,
) -> ValidRequest:
    """Return a valid request of an operation: its required parameters, a body if it takes one, made-up credentials.

    `given` are values of parameters by name. Otherwise examples come first; what they lack is drawn from the schemas by
    the seed. A key in the path is also the one in the body. Without `made_up` it has no credentials: its client has.
    """
    tries = (_drawn(contract, operation, seed + n, given, shown=n == 0) for n in range(MAX_TRIES))
    first = next(tries)
    found = first if not first.warning else next((one for one in tries if not one.warning), first)
    return found._replace(request=with_credentials(contract, operation, found.request)) if made_up else found


def _drawn(
    contract: Contract, operation: Operation, seed: int, given: Mapping[str, str], *, shown: bool
) -> ValidRequest:
    made = RequestDraft(operation=operation, media=body_media(operation))
    values = {
        (one.where, one.name): read_text(given[one.name], one.schema)
        if one.name in given
        else parameter_value(one, seed, shown=shown)
        for one in operation.parameters
    }
    for one in operation.parameters:
        if one.required or one.where == "path" or one.name in given:
            made.set_parameter(one, values[one.where, one.name])
    if made.media is not None:
        made.data = _body_value(made.media, seed, shown=shown)
        _agree_on_key(contract, made, {name: value for (where, name), value in values.items() if where == "path"})
    request = made.request()
    report = validate_request(operation, request, made.variables, data=made.data, most=1)
    wrong = next((f"{one.where}{one.pointer}: {one.detail}" for one in report.violations), "")
    return ValidRequest(request, wrong)


def _body_value(media: MediaType, seed: int, *, shown: bool) -> object:
    schema = media.schema.request if media.schema is not None else None
    examples = [one for one in media.examples.values() if schema is None or schema.is_valid(one)] if shown else []
    if examples or schema is None:
        return deepcopy(examples[0]) if examples else {} if is_json(media.media_range) else "content"
    return made_of(schema, seed, typical=shown).value


def _agree_on_key(contract: Contract, made: RequestDraft, keys: Mapping[str, object]) -> None:
    """Give the body the keys of the path, under their names and as the key of the record, where it has such members."""
    record, schema = made.operation.record, made.media.schema if made.media is not None else None
    names = dict(keys)
    if record is not None and record.key is not None and record.resource.constant in contract.resources:
        variable = record.key.removeprefix("path:")
        names |= {contract.resources[record.resource.constant].key: keys[variable]} if variable in keys else {}
    payload: Any = find(made.data, record.payload) if record is not None else made.data
    for name in names.keys() & payload.keys() if isinstance(payload, dict) else ():
        before = payload[name]
        payload[name] = read_text(text_of(names[name]), schema.member(name) if schema is not None else None)
        if schema is not None and not schema.request.is_valid(made.data):
            payload[name] = before


MAX_DRAWS: Final = 20


def draw_member(
    members: Mapping[str, Schema],
    name: str,
    rng: Random,
    *,
    needed: bool = False,
    edges: float | None = None,
    profile: ValueProfile = "realistic",
) -> Any:
    """Return a value for a declared member; a `needed` one is not null unless its schema allows nothing else."""
    schema = members.get(name)
    if schema is None:
        return f"{name}-{rng.getrandbits(32):x}"
    generator = generator_of(schema, name, edges, profile)
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
    edges: float | None = None,
    profile: ValueProfile = "realistic",
) -> dict[str, Any]:
    """Return members drawn from a schema, all `required` ones present. Raises UnsatisfiableError."""
    drawn = generator_of(schema, "", edges, profile).draw(rng) if schema is not None else {}
    values = drawn if isinstance(drawn, dict) else {}
    for name in required:
        if values.get(name) is None:
            values[name] = draw_member(members, name, rng, needed=True, edges=edges, profile=profile)
    return values


def fill_lookup(template: Any, members: Mapping[str, object]) -> Any:
    """Return a lookup template filled with members' values, None when a member that it needs has no value."""
    name = placeholder_of(template)
    if name is not None:
        value = members.get(name)
        return value if isinstance(value, str | int | float) else None
    if isinstance(template, dict):
        made = {key: fill_lookup(inner, members) for key, inner in template.items()}
        return None if None in made.values() else made
    return template


def lookup_members(resource: Resource, value: object, *, unique: bool = False) -> Mapping[str, object] | None:
    """Return the members by which a lookup value identifies a record, None when it matches no template.

    With `unique` members that are unique need no template.
    """
    for template in resource.lookups:
        found: dict[str, object] = {}
        if _matches(template, value, found):
            return found
    return value if unique and isinstance(value, dict) and tuple(value) in resource.unique else None


def _matches(template: object, value: object, found: dict[str, object]) -> bool:
    name = placeholder_of(template)
    if name is not None:
        found[name] = value
        return isinstance(value, str | int | float)
    if isinstance(template, dict) and isinstance(value, dict):
        return template.keys() == value.keys() and all(_matches(template[key], value[key], found) for key in template)
    return template == value

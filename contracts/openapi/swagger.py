"""Convert Swagger 2.0 documents to OpenAPI 3.0. Begin with `to_openapi`.

Swagger 2.0 (https://swagger.io/specification/v2/) has the body among the parameters, media types beside operations, and
the keywords of a parameter's schema in the parameter. What is malformed is converted as far as it goes: the document is
mended afterwards. Files that it refers to stay as they are: only schemas in them are of use.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from contracts.messages import FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE
from contracts.openapi.grammar import METHODS
from contracts.schemas.keywords import children
from contracts.syntax.text import as_list, look_up

Object = dict[str, Any]
JSON: Final = ("application/json",)
BINARY: Final = {"type": "string", "format": "binary"}
REFERENCES: Final = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
NAMED: Final = frozenset(("properties", "responses", "schemas"))  # their members have any names
VALUES: Final = frozenset(("default", "enum", "example", "examples"))  # their members are no references
KEPT_OF_DOCUMENT: Final = frozenset(("info", "tags", "security", "externalDocs"))
KEPT_OF_PARAMETER: Final = frozenset(("name", "in", "description", "required", "allowEmptyValue"))
NOT_OF_SCHEMA: Final = KEPT_OF_PARAMETER | {"collectionFormat", "schema"}
IN_BODY: Final = frozenset(("body", "formData"))
STYLES: Final = {"multi": ("form", True), "ssv": ("spaceDelimited", False), "pipes": ("pipeDelimited", False)}
FLOWS: Final = {"application": "clientCredentials", "accessCode": "authorizationCode"}


def is_swagger(root: Mapping[str, Any]) -> bool:
    """Say whether a document is one of Swagger 2."""
    return str(root.get("swagger")) in {"2.0", "2"}


def to_openapi(root: Mapping[str, Any]) -> Object:
    """Return a Swagger 2.0 document as one of OpenAPI 3.0; the original is not changed."""
    source = _Source(root)
    found = {name: one for name, one in root.items() if name in KEPT_OF_DOCUMENT or name.startswith("x-")}
    paths = {path: source.path(item) for path, item in _mapping(root.get("paths")).items()}
    parts = {"servers": _servers(root), "paths": paths, "components": source.components()}
    return {"openapi": "3.0.3", **found, **{name: _referred(one) for name, one in parts.items()}}


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _extensions(value: Mapping[str, Any]) -> Object:
    return {name: one for name, one in value.items() if name.startswith("x-")}


def _servers(root: Mapping[str, Any]) -> list[Object]:
    host, base = root.get("host"), str(root.get("basePath") or "")
    base = f"/{base.strip('/')}" if base.strip("/") else ""
    if not isinstance(host, str):
        return [{"url": base or "/"}]
    schemes = [one for one in as_list(root.get("schemes")) if isinstance(one, str)] or ["https"]
    return [{"url": f"{scheme}://{host}{base}"} for scheme in schemes]


def _referred(value: Any, under: str = "") -> Any:
    """Return a copy of the value of a member, its references leading to the places of OpenAPI 3.0."""
    if isinstance(value, list):
        return [_referred(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = frozenset() if under in NAMED else VALUES
    copied = {name: one if name in kept else _referred(one, name) for name, one in value.items()}
    ref = value.get("$ref")
    for old, new in REFERENCES.items():
        if isinstance(ref, str) and ref.startswith(old):
            copied["$ref"] = new + ref.removeprefix(old)
    return copied


def _schema(value: object) -> Any:
    """Return a schema: files are binary, `x-nullable` and the discriminator as in OpenAPI 3.0."""
    if not isinstance(value, dict):
        return value
    schema = {**value, **BINARY} if value.get("type") == "file" else dict(value)
    if schema.get("x-nullable") is True:
        schema["nullable"] = True
    if isinstance(schema.get("discriminator"), str):
        schema["discriminator"] = {"propertyName": schema["discriminator"]}
    for (keyword, *inner), one in [*children(schema)]:
        if not inner:
            schema[keyword] = _schema(one)
        elif isinstance(schema[keyword], dict):
            schema[keyword] = {**schema[keyword], inner[0]: _schema(one)}
        else:
            schema[keyword] = [_schema(each) for each in schema[keyword]]
    return schema


def _parameter_schema(value: Mapping[str, Any]) -> Object:
    """Return the schema of a parameter, header field or form member, whose keywords stand beside its name."""
    found: Object = _schema(
        {name: one for name, one in value.items() if name not in NOT_OF_SCHEMA and name[:2] != "x-"}
    )
    if value.get("x-nullable") is True:
        found["nullable"] = True
    if isinstance(found.get("items"), dict):
        found["items"] = _parameter_schema(found["items"])
    return found


def _parameter(value: Mapping[str, Any]) -> Object:
    found = {name: one for name, one in value.items() if name in KEPT_OF_PARAMETER} | _extensions(value)
    found["schema"] = _parameter_schema(value)
    return found | _style(value) if value.get("type") == "array" and value.get("in") == "query" else found


def _style(value: Mapping[str, Any]) -> Object:
    """Return how the elements of an array are divided; tab-separated values have no counterpart."""
    style, explode = STYLES.get(str(value.get("collectionFormat")), ("form", False))
    return {"style": style, "explode": explode}


def _media_types(value: object, otherwise: Sequence[str]) -> list[str]:
    return [one for one in as_list(value) if isinstance(one, str)] or list(otherwise)


def _security_scheme(value: object) -> Any:
    scheme = _mapping(value)
    if scheme.get("type") == "basic":
        return {**scheme, "type": "http", "scheme": "basic"}
    if scheme.get("type") != "oauth2":
        return value
    flow: Object = {name: scheme[name] for name in ("authorizationUrl", "tokenUrl") if name in scheme}
    flow["scopes"] = scheme.get("scopes", {})
    kept = {name: scheme[name] for name in ("type", "description") if name in scheme}
    return {**kept, **_extensions(scheme), "flows": {FLOWS.get(str(scheme.get("flow")), str(scheme.get("flow"))): flow}}


class _Source:
    """A Swagger document: its shared parameters and responses, and its media types."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._consumes = _media_types(root.get("consumes"), JSON)
        self._produces = _media_types(root.get("produces"), JSON)

    def components(self) -> Object:
        """Return the components of the document."""
        root = self._root
        parameters = _mapping(root.get("parameters")).items()
        return {
            "schemas": {name: _schema(one) for name, one in _mapping(root.get("definitions")).items()},
            "parameters": {name: _parameter(_mapping(one)) for name, one in parameters if _place(one) not in IN_BODY},
            "responses": {
                name: self._response(one, self._produces) for name, one in _mapping(root.get("responses")).items()
            },
            "securitySchemes": {
                name: _security_scheme(one) for name, one in _mapping(root.get("securityDefinitions")).items()
            },
        }

    def path(self, value: object) -> Any:
        """Return a path item, its body and form parameters moved into its operations."""
        if not isinstance(value, dict):
            return value
        shared = [*self._parameters(value)]
        item = {name: one for name, one in value.items() if name == "$ref" or name.startswith("x-")}
        if plain := [written for written, known in shared if _place(known) not in IN_BODY]:
            item["parameters"] = plain
        bodies = [known for _, known in shared if _place(known) in IN_BODY]
        return item | {method: self._operation(value[method], bodies) for method in METHODS if method in value}

    def _parameters(self, value: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
        """Yield the parameters of an operation or path, as they are to be written, and as they are known."""
        for one in as_list(value.get("parameters")):
            ref = one.get("$ref") if isinstance(one, dict) else None
            known = look_up(self._root, ref[1:]) if isinstance(ref, str) and ref.startswith("#/") else one
            is_shared = isinstance(ref, str) and ref.startswith("#/parameters/")
            found = known if isinstance(known, dict) else None
            yield (one if found is None or is_shared else _parameter(found)), (one if found is None else found)

    def _operation(self, value: object, shared_bodies: list[Any]) -> Any:
        if not isinstance(value, dict):
            return value
        moved = {"parameters", "responses", "consumes", "produces", "schemes"}
        found = {name: one for name, one in value.items() if name not in moved}
        own = [*self._parameters(value)]
        if plain := [written for written, known in own if _place(known) not in IN_BODY]:
            found["parameters"] = plain
        bodies = [known for _, known in own if _place(known) in IN_BODY] or shared_bodies
        if bodies:
            found["requestBody"] = self._body(bodies, _media_types(value.get("consumes"), self._consumes))
        if isinstance(value.get("responses"), dict):
            produces = _media_types(value.get("produces"), self._produces)
            found["responses"] = {
                status: one if status.startswith("x-") else self._response(one, produces)
                for status, one in value["responses"].items()
            }
        return found

    def _body(self, parameters: list[Any], consumes: list[str]) -> Object:
        body = next((one for one in parameters if _place(one) == "body"), None)
        if body is not None:
            described = {name: body[name] for name in ("description", "required") if name in body}
            return {**described, "content": {media: {"schema": _schema(body.get("schema", {}))} for media in consumes}}
        members = {str(one.get("name")): _form_member(one) for one in parameters}
        required = [str(one.get("name")) for one in parameters if one.get("required") is True]
        schema = {"type": "object", "properties": members, **({"required": required} if required else {})}
        has_file = any(one.get("type") == "file" for one in parameters)
        forms = [
            one
            for one in consumes
            if one in {FORM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE} and not (has_file and one == FORM_MEDIA_TYPE)
        ]
        lists = {str(one.get("name")): _style(one) for one in parameters if one.get("type") == "array"}
        media_type = {"schema": schema, **({"encoding": lists} if lists else {})}
        content = dict.fromkeys(forms or [MULTIPART_MEDIA_TYPE if has_file else FORM_MEDIA_TYPE], media_type)
        return {"required": bool(required), "content": content}

    def _response(self, value: object, produces: list[str]) -> Any:
        if not isinstance(value, dict) or "$ref" in value:
            return value
        found = _described(value) | _extensions(value)
        examples = _mapping(value.get("examples"))
        content: Object = {media: {"example": one} for media, one in examples.items() if "/" in media}
        if "schema" in value:
            schema = _schema(value["schema"])
            is_file = _mapping(value["schema"]).get("type") == "file"
            media_types = ["application/octet-stream"] if is_file and produces == list(JSON) else produces
            for media in dict.fromkeys((*media_types, *content)):
                content.setdefault(media, {})["schema"] = schema
        if content:
            found["content"] = content
        if isinstance(value.get("headers"), dict):
            found["headers"] = {name: _header(one) for name, one in value["headers"].items()}
        return found


def _place(parameter: object) -> str:
    return str(parameter.get("in")) if isinstance(parameter, dict) else ""


def _described(value: Mapping[str, Any]) -> Object:
    return {"description": value["description"]} if "description" in value else {}


def _form_member(value: Mapping[str, Any]) -> Object:
    return {**_parameter_schema(value), **_described(value)}


def _header(value: object) -> Any:
    if not isinstance(value, dict):
        return value
    return {**_described(value), **_extensions(value), "schema": _parameter_schema(value)}

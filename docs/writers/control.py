"""For the site the reference of the control API, from its OpenAPI document: a page for each tag, and one of schemas.

Each call has a command that makes it, and the answer that a sandbox gives while the page is written.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from contracts.messages import Headers
from contracts.syntax.documents import read_document
from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.control.routes import DOCUMENT
from mockserver.http.service import Options, Service

HOST = "http://127.0.0.1:8080"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = {"sandbox": "default", "api": "genero", "kind": "block", "n": "1", "form": "curl", "tenant": "publicapitest"}
METHODS = ("get", "put", "post", "patch", "delete")
MOST_LINES = 24  # of an answer that are shown
UNSHOWN = ("streamEvents", "getSnapshot", "getScenarioSchema", "getSnapshotSchema")  # without end, or long
BOUNDS = {
    "format": "format",
    "pattern": "pattern",
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "default": "by default",
}
Node = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return the pages by their paths below `docs/`."""
    document = _document()
    tags = [(tag["name"], tag["description"]) for tag in document["tags"]]
    rows = "\n".join(f"| [{name}]({name}.md) | {says} |" for name, says in tags)
    index = f"# Control API\n\n{document['info']['description']}\n| calls | about |\n|---|---|\n{rows}\n"
    found = {"control/index.md": index, "control/schemas.md": _schemas(document)}
    for name, says in tags:
        parts = [f"# Control API: {name}", says]
        for path, method, call in _calls(document, name):
            parts += _call(document, path, method, call)
        found[f"control/{name}.md"] = "\n\n".join(parts) + "\n"
    return found


def _document() -> Node:
    found = read_document(DOCUMENT, shown=DOCUMENT.name)
    if not isinstance(found, Mapping):
        raise TypeError(found)
    return found


def _calls(document: Node, tag: str) -> Iterator[tuple[str, str, Node]]:
    """Yield the calls of a tag, each with the parameters of its path."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if tag in item.get(method, {}).get("tags", ()):
                call = item[method]
                yield path, method, {**call, "parameters": [*item.get("parameters", ()), *call.get("parameters", ())]}


def _call(document: Node, path: str, method: str, call: Node) -> Iterator[str]:
    yield f"## {call['summary'].rstrip('.')} {{ #{call['operationId']} }}"
    yield f"```http\n{method.upper()} {path}\n```"
    yield call.get("description", "")
    parameters = [_target(document, one) for one in call["parameters"]]
    rows = [
        f"| `{one['name']}` | {one['in']}{', required' if one.get('required') else ''} | {_value(one['schema'])} | "
        f"{_line(one.get('description', ''))} |"
        for one in parameters
    ]
    if rows:
        yield "| parameter | in | value | meaning |\n|---|---|---|---|\n" + "\n".join(rows)
    body = _target(document, call.get("requestBody", {}))
    for media, content in [*body.get("content", {}).items()][:1]:
        yield f"Body: `{media}`, {_value(content['schema'])}{'' if body.get('required') else ', may be left out'}."
    answers = [_answer(status, _target(document, one)) for status, one in call["responses"].items()]
    yield "| status | answer | content |\n|---|---|---|\n" + "\n".join(answers)
    yield _example(document, path, method, call)


def _answer(status: str, response: Node) -> str:
    content = response.get("content", {}).items()
    kinds = ", ".join(f"`{media}`: {_value(one['schema'])}" for media, one in content)
    return f"| {'any other' if status == 'default' else status} | {response['description']} | {kinds or 'none'} |"


def _example(document: Node, path: str, method: str, call: Node) -> str:
    """Return a command, and what it prints of a sandbox that has one job and one exchange."""
    body = _example_body(document, call)
    needed = {one["name"]: one for one in (_target(document, each) for each in call["parameters"])}
    query = {name: one["example"] for name, one in needed.items() if one["in"] == "query" and "example" in one}
    query |= {name: VALUES[name] for name, one in needed.items() if one["in"] == "query" and name in VALUES}
    values = {
        name: str(one.get("example", VALUES.get(name, ""))) for name, one in needed.items() if one["in"] == "path"
    }
    if not all(values.values()):
        return ""
    target = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path) + (f"?{urlencode(query)}" if query else "")
    words = ["curl", "-sS", *(["-X", method.upper()] if method not in {"get", "post"} else [])]
    if method == "post" and body is None:
        words += ["-X", "POST"]
    words.append(HOST + target)
    sent = "" if body is None else json.dumps(body, ensure_ascii=False)
    if method != "get":
        words += ["-H", "Content-Type: application/json", *(["-d", sent] if sent else [])]
    command = f"```bash\n{shlex.join(words)}\n```"
    if call["operationId"] in UNSHOWN or (body is None and "requestBody" in call):
        return command
    status, kind, text = _asked(method.upper(), target, sent)
    if status >= HTTPStatus.BAD_REQUEST:
        return command  # it asks for what this sandbox does not have
    return f"{command}\n\n```{kind}\n{text}\n```" if text else f"{command}\n\nThe answer is {status}, without a body."


def _example_body(document: Node, call: Node) -> Any:
    for content in _target(document, call.get("requestBody", {})).get("content", {}).values():
        if "example" in content:
            return content["example"]
        for one in content.get("examples", {}).values():
            return one["value"]
        if content["schema"].get("$ref", "").endswith("/SettingsChange"):
            return {"conduct": "enforce"}
    return None


def _asked(method: str, target: str, body: str) -> tuple[int, str, str]:
    """Return status, language and text of the answer of a new service, after one batch was posted to it."""
    service = Service([source.load() for source in find_sources(BUNDLED)], Options(mode="frozen"), NOW)
    form = Headers([("Content-Type", "application/json")])
    service.handle("POST", "/genero/api/v1/block/postJob", form, b'[{"blockId": "b1", "name": "One"}]', NOW)
    reply = service.handle(method, target, Headers([]) if method == "GET" else form, body.encode(), NOW)
    text, kind = reply.body.decode(), "text"
    if "json" in (reply.headers.get("Content-Type") or ""):
        text, kind = json.dumps(json.loads(text), indent=2, ensure_ascii=False), "json"
    lines = text.strip().splitlines()
    return reply.status, kind, "\n".join([*lines[:MOST_LINES], *(["..."] if len(lines) > MOST_LINES else [])])


def _schemas(document: Node) -> str:
    parts = ["# Control API: schemas", "The documents that calls take and return."]
    for name, schema in document["components"]["schemas"].items():
        parts += [f"## {name} {{ #{name.lower()} }}", _line(schema.get("description", "")), _fields(schema)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _fields(schema: Node) -> str:
    rows = [*_rows(schema, "")]
    if not rows:
        return f"Value: {_value(schema)}."
    return "| member | value | meaning |\n|---|---|---|\n" + "\n".join(rows)


def _rows(schema: Node, before: str) -> Iterator[str]:
    """Yield a row for each member of an object, those of objects in it after it."""
    required = set(schema.get("required", ()))
    for name, one in schema.get("properties", {}).items():
        if not isinstance(one, Mapping):
            yield f"| `{before}{name}` | any value{', required' if name in required else ''} | |"
            continue
        inner = one.get("items", one)
        value = _value(one) + (", required" if name in required else "")
        yield f"| `{before}{name}` | {value} | {_line(one.get('description', ''))} |"
        if "properties" in inner:
            yield from _rows(inner, f"{before}{name}{'[]' if 'items' in one else ''}.")


def _value(schema: Node) -> str:
    """Return what a schema allows, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](schemas.md#{name.lower()})"
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return " or ".join(map(_value, schema[word]))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type", "any")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if text == "array" and "items" in schema:
        text = f"array of {_value(schema['items'])}"
    bounds = [f"{word} {schema[key]}" for key, word in BOUNDS.items() if key in schema]
    return ", ".join([text, *bounds])


def _target(document: Node, node: Node) -> Node:
    """Return what a reference leads to, or the node itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for token in node["$ref"].removeprefix("#/").split("/"):
        found = found[token]
    return _target(document, found)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

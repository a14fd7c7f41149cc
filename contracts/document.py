"""OpenAPI 3.0 and 3.1 documents loaded into Contracts."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contracts.bulk import Resource
from contracts.declarations import resource_of
from contracts.errors import ContractError, Fault
from contracts.inference import with_inferred, with_records
from contracts.model import Contract
from contracts.operations import Node, node_at, operations_of
from contracts.pointers import escape
from contracts.reading import UnreadableError
from contracts.references import Documents, link
from contracts.registry import bundled_path
from contracts.schemas import SchemaSet


@cache
def load_bundled(name: str) -> Contract:
    """Load a bundled contract, once in a process: callers share it and its compiled schemas, and change nothing in it.

    Raises MisuseError when there is none of that name.
    """
    return load(bundled_path(name), name=name, check=False)


def load(source: Path | str, *, name: str | None = None, check: bool = True) -> Contract:
    """Load an OpenAPI 3.0 or 3.1 document, YAML or JSON, with all local files that it refers to.

    `name` is the contract's, by default the file's stem. `check` holds the document to the shape of OpenAPI, its
    schemas to JSON Schema 2020-12 and its declarations to their own schemas; leave it off only for documents that were
    checked before.
    Raises ContractError with one Fault for each mistake.
    """
    path = Path(source)
    documents = Documents(path, name=name or path.stem or "contract")
    root = _root(documents)
    if check:
        from contracts.checking import check_contract, check_shape  # noqa: PLC0415 - brings jsonschema

        documents.faults += check_shape(root, documents.shown(documents.root))
        link(documents)
        documents.faults += check_contract(documents)
    else:
        link(documents)
    _raise(documents.faults)
    contract = _contract(documents, root)
    if check:
        from contracts.meaning import check_meaning  # noqa: PLC0415

        _raise(check_meaning(contract, documents.shown(documents.root)))
    return contract


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise ContractError(tuple(sorted(set(faults))))


def _root(documents: Documents) -> Mapping[str, Any]:
    shown = documents.shown(documents.root)
    try:
        root = documents.read(documents.root)
    except UnreadableError as error:
        raise ContractError((error.fault,)) from None
    if not isinstance(root, Mapping):
        raise _not_openapi(shown, "", "it is no OpenAPI document: not a mapping.", "Begin with 'openapi: 3.1.0'.")
    if "swagger" in root:
        raise _not_openapi(
            shown, "/swagger", f"Swagger {root['swagger']} is not read.", "Convert it to OpenAPI 3.0 or 3.1."
        )
    version = root.get("openapi")
    if not isinstance(version, str) or not version.startswith(("3.0.", "3.1.")):
        fact = "'openapi' is missing." if version is None else f"OpenAPI {version!r} is not read."
        raise _not_openapi(shown, "" if version is None else "/openapi", fact, "Write 'openapi: 3.1.0', or 3.0.x.")
    return root


def _not_openapi(shown: str, pointer: str, fact: str, cure: str) -> ContractError:
    return ContractError((Fault(file=shown, pointer=pointer, fact=fact, cure=cure),))


def _contract(documents: Documents, root: Mapping[str, Any]) -> Contract:
    schemas = SchemaSet(documents.loaded)
    node = node_at(schemas, f"{documents.root}#")
    reserved = tuple(root.get("x-reserved", ()))
    operations = with_records(operations_of(node), reserved=reserved)
    return Contract(
        name=documents.name,
        title=root["info"]["title"],
        version=str(root["info"]["version"]),
        mount=_mount(root),
        operations=operations,
        resources=with_inferred(_declared(node), operations),
        schemas=schemas,
        document=root,
        security_schemes=_security_schemes(node),
        ignore_case=root.get("x-path-case") == "insensitive",
        reserved=reserved,
    )


def _mount(root: Mapping[str, Any]) -> str:
    servers: list[dict[str, Any]] = root.get("servers", [])
    server: dict[str, Any] = servers[0] if servers else {"url": ""}
    url = server["url"]
    for variable, about in server.get("variables", {}).items():
        url = url.replace(f"{{{variable}}}", about["default"])
    path = urlsplit(url).path.rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


def _declared(root: Node) -> dict[str, Resource]:
    return {name: _resource(root, name) for name in root.value.get("x-resources", ())}


def _resource(root: Node, name: str) -> Resource:
    data = root.value["x-resources"][name]
    at = f"{root.ref}/x-resources/{escape(name)}/schema"
    return resource_of(name, data, schema=root.within.schema(at).ref if "schema" in data else None)


def _security_schemes(root: Node) -> dict[str, Mapping[str, object]]:
    if "components" not in root.value:
        return {}
    return {name: one.value for name, one in root.inside("components").named("securitySchemes")}

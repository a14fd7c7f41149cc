"""Load OpenAPI 3.0 and 3.1 documents into Contracts. Begin with `load`, or `load_bundled` for the bundled APIs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import normpath
from typing import Any, Final

from contracts.bulk.declarations import read_resource
from contracts.bulk.model import Resource
from contracts.errors import ContractError, Fault, MisuseError
from contracts.openapi.inference import with_inferred_records, with_inferred_resources
from contracts.openapi.model import Contract
from contracts.openapi.operations import DocumentNode, node_at, read_operations
from contracts.openapi.overlay import apply_overlay, extended_document, is_overlay, read_overlay, unshared
from contracts.openapi.presets import apply_presets
from contracts.openapi.references import Documents, link
from contracts.schemas.schema_set import SchemaSet
from contracts.syntax.documents import UnreadableError
from contracts.syntax.text import did_you_mean, escape


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How a document is read: the overlays that change it, in turn; presets for the operations that fit them."""

    overlays: tuple[Path, ...] = ()
    presets: tuple[str, ...] = ()


DEFAULT_OPTIONS: Final = LoadOptions()
BUNDLED: Final = ("genero", "onkey")
SERVER_VARIABLE: Final = re.compile(r"\{+([^{}]+)\}+")
SERVER_ORIGIN: Final = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*/?|^/?")
BUNDLED_FOLDER: Final = Path(__file__).parent.parent / "bundled"


def bundled_path(name: str) -> Path:
    """Return the path of a bundled OpenAPI document. Raises MisuseError when there is none of that name."""
    if name not in BUNDLED:
        cure = did_you_mean(name, BUNDLED) or f"Bundled are {' and '.join(BUNDLED)}."
        raise MisuseError(f"there is no bundled contract '{name}'.", cure=cure)
    return BUNDLED_FOLDER / name / "openapi.yaml"


@cache
def load_bundled(name: str) -> Contract:
    """Load a bundled contract, once in a process; callers share it and must not change it.

    Raises MisuseError when there is none of that name.
    """
    return load(bundled_path(name), name=name, check=False)


def load(
    source: Path | str, *, name: str | None = None, check: bool = True, options: LoadOptions = DEFAULT_OPTIONS
) -> Contract:
    """Load an OpenAPI 3.0 or 3.1 document, YAML or JSON, with all local files that it refers to.

    `source` may be an overlay that names its document in `extends`. The overlays of `options` change it before it is
    read.
    `name` is the contract's, by default the file's stem. `check` validates the document against OpenAPI, its schemas
    against JSON Schema 2020-12 and its `x-` declarations against their own schemas; omit it only for documents that
    were checked before. Raises ContractError with one Fault for each mistake.
    """
    documents, files = _overlaid(Path(source), name, options)
    root = _root(documents)
    if check:
        from contracts.openapi.document_checks import check_contract, check_shape  # noqa: PLC0415 - bundled documents are not checked

        documents.faults += check_shape(root, documents.shown(documents.root))
        link(documents)
        apply_presets(documents, options.presets)
        documents.faults += check_contract(documents)
    else:
        link(documents)
        apply_presets(documents, options.presets)
    _raise(documents.faults)
    contract = _contract(documents, root, files)
    if check:
        from contracts.openapi.document_checks import check_meaning  # noqa: PLC0415

        _raise(check_meaning(contract, documents.shown(documents.root)))
    return contract


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise ContractError(tuple(sorted(set(faults))))


def _overlaid(path: Path, name: str | None, options: LoadOptions) -> tuple[Documents, tuple[Path, ...]]:
    """Return the documents of a contract, the root changed by its overlays, and the files of those overlays."""
    documents = Documents(path, name=name or path.stem or "contract")
    overlays = [*options.overlays]
    while is_overlay(_read_root(documents)):
        if path in overlays:
            fact = "it extends itself."
            raise ContractError((Fault(file=str(path), pointer="/extends", fact=fact, cure="Name the document."),))
        overlays.insert(0, path)
        path = extended_document(read_overlay(path), path)
        documents = Documents(path, name=documents.name)
    root = _read_root(documents)
    if overlays and isinstance(root, dict):
        documents.loaded[documents.root] = root = unshared(root)
        faults = [fault for one in overlays for fault in apply_overlay(root, read_overlay(one), shown=str(one))]
        _raise(faults)
    return documents, tuple(overlays)


def _read_root(documents: Documents) -> object:
    try:
        return documents.read(documents.root)
    except UnreadableError as error:
        raise ContractError((error.fault,)) from None


def _root(documents: Documents) -> Mapping[str, Any]:
    shown, root = documents.shown(documents.root), documents.read(documents.root)
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


def _contract(documents: Documents, root: Mapping[str, Any], files: tuple[Path, ...]) -> Contract:
    schemas = SchemaSet(documents.loaded)
    node = node_at(schemas, f"{documents.root}#")
    reserved = tuple(root.get("x-reserved", ()))
    operations = with_inferred_records(read_operations(node), reserved=reserved)
    return Contract(
        name=documents.name,
        title=root["info"]["title"],
        version=str(root["info"]["version"]),
        mount=_mount(root),
        operations=operations,
        resources=with_inferred_resources(_declared(node), operations),
        schemas=schemas,
        document=root,
        security_schemes=_security_schemes(node),
        ignore_case=root.get("x-path-case") == "insensitive",
        reserved=reserved,
        files=(*files, *(documents.folder / documents.shown(uri) for uri in documents.loaded)),
    )


def _mount(root: Mapping[str, Any]) -> str:
    """Return the path of the first server's URL; a variable without a default stands for its own name."""
    servers: list[dict[str, Any]] = root.get("servers", [])
    server: dict[str, Any] = servers[0] if servers else {"url": ""}
    url, about = server["url"], server.get("variables", {})

    def filled(found: re.Match[str]) -> str:
        is_base = found.start() == 0 and not url.startswith(":", found.end())  # such as {baseUrl}/v1
        return str(about.get(found[1], {}).get("default", f"//{found[1]}" if is_base else found[1]))

    path = normpath(SERVER_ORIGIN.sub("/", SERVER_VARIABLE.sub(filled, url), count=1).partition("?")[0])
    return f"/{path.strip('/')}" if path.strip("/.") else ""


def _declared(root: DocumentNode) -> dict[str, Resource]:
    return {name: _resource(root, name) for name in root.value.get("x-resources", ())}


def _resource(root: DocumentNode, name: str) -> Resource:
    data = root.value["x-resources"][name]
    at = f"{root.ref}/x-resources/{escape(name)}/schema"
    return read_resource(name, data, schema=root.within.schema(at).ref if "schema" in data else None)


def _security_schemes(root: DocumentNode) -> dict[str, Mapping[str, object]]:
    if "components" not in root.value:
        return {}
    return {name: one.value for name, one in root.inside("components").named("securitySchemes")}

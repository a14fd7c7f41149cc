"""Load OpenAPI 3.0 and 3.1 documents into Contracts. Begin with `load`, or `load_bundled` for the bundled APIs."""

import os
import pickle
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from posixpath import normpath
from typing import Any, Final

from contracts.bulk.declarations import read_resource
from contracts.bulk.model import Resource
from contracts.errors import ContractError, Fault, MisuseError
from contracts.openapi.grammar import DocumentObject
from contracts.openapi.inference import named_resources, with_inferred_records, with_inferred_resources
from contracts.openapi.model import ClientIdentity, Contract, Operation
from contracts.openapi.operations import DocumentNode, node_at, read_operations
from contracts.openapi.overlay import (
    apply_overlay,
    extended_document,
    is_overlay,
    meant_for_another,
    read_overlay,
    unshared,
)
from contracts.openapi.presets import apply_presets
from contracts.openapi.provenance import Provenance, read_provenance
from contracts.openapi.references import SCANNED, Documents, link
from contracts.openapi.representations import with_inferred_places
from contracts.openapi.routing import SERVER_VARIABLE
from contracts.schemas.schema_set import SchemaSet
from contracts.syntax.documents import UnreadableError
from contracts.syntax.remote import is_url
from contracts.syntax.text import did_you_mean, escape


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How a document is read: the overlays (files or URLs) that change it, in turn; presets for operations that fit.

    `strict` refuses a document with mistakes, which are mended otherwise. `allow_remote` follows references to other
    hosts than this machine, `ref_root` those to files in this folder and below; else to the document's own.
    """

    overlays: tuple[Path | str, ...] = ()
    presets: tuple[str, ...] = ()
    strict: bool = False
    allow_remote: bool = False
    ref_map: Mapping[str, Path] = field(default_factory=dict, hash=False)
    ref_root: Path | None = None


DEFAULT_OPTIONS: Final = LoadOptions()
BUNDLED: Final = ("genero", "onkey")
KNOWN_VERSION: Final = re.compile(r"3\.(?P<minor>[01])(?P<patch>\.\d.*)?")
OTHER_VERSION: Final = re.compile(r"3(\.\d.*)?")
SERVER_ORIGIN: Final = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*/?|^/?")
ANY_VALUE: Final = "*"  # in `x-scopes`: any other value names a place of its own
DIGEST_BYTES: Final = 32  # of SHA-256
SUFFIXES: Final = (".json", ".py", ".yaml")  # of this package's files
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

    Its loaded form is kept where Python keeps bytecode, and is read from there until a file of this package changes.
    Raises MisuseError when there is none of that name.
    """
    path = bundled_path(name)
    place, state = Path(cache_from_source(str(path))).with_suffix(".contract"), _state_of_package()
    kept = b""
    with suppress(OSError):  # there is none yet, or it may not be read
        kept = place.read_bytes()
    if kept[:DIGEST_BYTES] == _digest(state, kept[DIGEST_BYTES:]):
        contract: Contract = pickle.loads(kept[DIGEST_BYTES:])  # noqa: S301 - as trusted as the bytecode beside it
        return contract
    contract = load(path, name=name, check=False)
    if not sys.dont_write_bytecode:
        written = pickle.dumps(contract)
        _keep(place, _digest(state, written) + written)
    return contract


def _state_of_package() -> bytes:
    """Return the names, times (in seconds, as in bytecode) and sizes of this package's files."""
    return repr((sys.version, sorted(_files(str(BUNDLED_FOLDER.parent))))).encode()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for one in entries:
            if one.is_dir():
                yield from _files(one.path)
            elif one.name.endswith(SUFFIXES):
                about = one.stat()
                yield one.path, int(about.st_mtime), about.st_size


def _digest(state: bytes, written: bytes) -> bytes:
    return sha256(state + written).digest()


def _keep(place: Path, content: bytes) -> None:
    """Write a file in one step, where files may be written."""
    unfinished = place.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(place)


def load(
    source: Path | str, *, name: str | None = None, check: bool = True, options: LoadOptions = DEFAULT_OPTIONS
) -> Contract:
    """Load an OpenAPI 3.0 or 3.1 document, YAML or JSON, from a file or a URL, with all that it refers to.

    `source` may be an overlay that names its document in `extends`. The overlays of `options` change it before it is
    read.
    `name` is the contract's, by default the file's stem. `check` validates the document against OpenAPI, its schemas
    against JSON Schema 2020-12 and its `x-` declarations against their own schemas; omit it only for documents that
    were checked before. What can be mended is, and is told by the contract's `repairs`. Raises ContractError with one
    Fault for each mistake: those that cannot be mended, and, where `options` are strict, the others too.
    """
    documents, files = _overlaid(source, name, options)
    root = _root(documents)
    if not check:
        link(documents)
        apply_presets(documents, options.presets)
        _refuse(documents.faults, strict=True)
        return _contract(documents, root, files)
    from contracts.openapi import document_checks as checks  # noqa: PLC0415 - bundled documents are not checked

    checks.mend_shape(documents)
    _refuse(documents.faults)
    link(documents)
    checks.mend_linked(documents)
    apply_presets(documents, options.presets)
    checks.finish(documents)
    _refuse(documents.faults, strict=options.strict)
    contract = _contract(documents, root, files)
    _refuse(checks.check_meaning(contract, documents.shown(documents.root)))
    return contract


def _refuse(faults: Sequence[Fault], *, strict: bool = False) -> None:
    """Raise ContractError when there are faults that are not mended; when strict, for all faults."""
    if faults and (strict or not all(one.mended for one in faults)):
        found = {replace(one, mended="") if strict else one for one in faults if strict or not one.mended}
        raise ContractError(tuple(sorted(found)))


def _overlaid(source: Path | str, name: str | None, options: LoadOptions) -> tuple[Documents, tuple[Path, ...]]:
    """Return the documents of a contract, the root changed by its overlays, and the files of those overlays."""
    root: Path | str = str(source) if is_url(str(source)) else Path(source)
    path = Path(source)
    reading: Any = {"allow_remote": options.allow_remote, "ref_map": options.ref_map, "ref_root": options.ref_root}
    documents = Documents(root, name=name or path.stem or "contract", **reading)
    overlays = [*options.overlays]
    while is_overlay(_read_root(documents)):
        if root in overlays:
            fact = "it extends itself."
            raise ContractError((Fault(file=str(root), pointer="/extends", fact=fact, cure="Name the document."),))
        overlays.insert(0, root)
        root = extended_document(read_overlay(root, allow_remote=options.allow_remote), root)
        documents = Documents(root, name=documents.name, **reading)
    document = _read_root(documents)
    if overlays and isinstance(document, dict):
        documents.loaded[documents.root] = document = unshared(document)
        for one in overlays:
            overlay = read_overlay(one, allow_remote=options.allow_remote)
            documents.faults += [*meant_for_another(overlay, one, root)] if one in options.overlays else []
            documents.faults += apply_overlay(document, overlay, shown=str(one))
        _refuse(documents.faults)
        documents.mentions |= SCANNED  # an overlay may have brought some
    return documents, tuple(one for one in overlays if isinstance(one, Path))


def _read_root(documents: Documents) -> object:
    try:
        return documents.read(documents.root)
    except UnreadableError as error:
        raise ContractError((error.fault,)) from None


def _root(documents: Documents) -> dict[str, Any]:
    root = documents.read(documents.root)
    if not isinstance(root, dict):
        raise _not_openapi(documents, "", "it is no OpenAPI document: not a mapping.", "Begin with 'openapi: 3.1.0'.")
    if "swagger" in root and "openapi" not in root:
        return _converted(documents, root)
    _mend_version(documents, root)
    return root


def _converted(documents: Documents, root: dict[str, Any]) -> dict[str, Any]:
    from contracts.openapi.swagger import is_swagger, to_openapi  # noqa: PLC0415 - few documents need it

    cure = "Convert it to OpenAPI 3.0 or 3.1."
    if not is_swagger(root):
        raise _not_openapi(documents, "/swagger", f"Swagger {root['swagger']} is not read.", cure)
    documents.loaded[documents.root] = root = to_openapi(root)
    place = DocumentObject("document", documents.root, ("swagger",), root)
    documents.fault(
        place, "this is Swagger 2.0.", cure, mended="It is converted to OpenAPI 3.0, whose places are told."
    )
    return root


def _mend_version(documents: Documents, root: dict[str, Any]) -> None:
    """Give a document a version that is read. Raises ContractError: it is no OpenAPI 3 document."""
    shown, version = documents.shown(documents.root), root.get("openapi")
    found = KNOWN_VERSION.fullmatch(str(version))
    if found and isinstance(version, str) and found["patch"]:
        return
    has_paths = any(isinstance(root.get(one), Mapping) for one in ("paths", "components", "webhooks"))
    if version is None and has_paths:
        fact, minor = "'openapi' is missing.", "1"
    elif found or OTHER_VERSION.fullmatch(str(version)):
        fact, minor = f"OpenAPI {version!r} is not read.", found["minor"] if found else "1"
    else:
        fact = "'openapi' is missing." if version is None else f"OpenAPI {version!r} is not read."
        pointer = "" if version is None else "/openapi"
        raise _not_openapi(documents, pointer, fact, "Write 'openapi: 3.1.0', or 3.0.x.")
    root["openapi"] = f"3.{minor}.0"
    cure, mended = "Write 'openapi: 3.1.0', or 3.0.x.", f"It is read as {root['openapi']}."
    documents.faults.append(Fault(file=shown, pointer="/openapi", fact=fact, cure=cure, mended=mended))


def _not_openapi(documents: Documents, pointer: str, fact: str, cure: str) -> ContractError:
    fault = Fault(file=documents.shown(documents.root), pointer=pointer, fact=fact, cure=cure)
    return ContractError((fault, *documents.faults))


def _contract(documents: Documents, root: Mapping[str, Any], files: tuple[Path, ...]) -> Contract:
    schemas = SchemaSet(documents.loaded)
    node = node_at(schemas, f"{documents.root}#")
    reserved = tuple(root.get("x-reserved", ()))
    operations = with_inferred_records(read_operations(node), reserved=reserved)
    declared = _declared(node)
    scopes: Mapping[str, Sequence[str]] = root.get("x-scopes", {})
    acting = {one.record.resource.constant for one in operations if one.record}
    named = named_resources(operations, acting) | declared.keys()
    operations = tuple(_in_scope(one, scopes) for one in with_inferred_places(operations, declared, named))
    return Contract(
        name=documents.name,
        title=root["info"]["title"],
        version=str(root["info"]["version"]),
        mount=_mount(root),
        operations=operations,
        resources=with_inferred_resources(declared, operations, root.get("x-resources", {})),
        schemas=schemas,
        document=root,
        security_schemes=_security_schemes(node),
        ignore_case=root.get("x-path-case") == "insensitive",
        has_unique_names="x-duplicate-names" in root,
        has_strict_parameters="x-strict-parameters" in root,
        reserved=reserved,
        repairs=tuple(sorted(set(documents.faults))),
        provenance=read_provenance(documents.root, documents.loaded)
        if "x-source" in documents.mentions
        else Provenance(),
        files=(*files, *documents.files()),
        scopes={name: tuple(one for one in some if one != ANY_VALUE) for name, some in scopes.items()},
        open_scopes=frozenset(name for name, some in scopes.items() if ANY_VALUE in some),
        syntax_errors=root.get("x-syntax-errors", {}),
        accepts=tuple(root.get("x-accept", ())),
        clients=tuple(_client(name, data) for name, data in root.get("x-test-clients", {}).items()),
    )


def _in_scope(operation: Operation, scopes: Mapping[str, Sequence[str]]) -> Operation:
    """Return an operation whose required parameters that name a scope have its first value as their example."""
    first = {name: {"": one} for name, some in scopes.items() for one in some[:1] if one != ANY_VALUE}
    parameters = tuple(
        replace(one, examples=first[one.name]) if one.required and one.name in first and not one.examples else one
        for one in operation.parameters
    )
    return operation if parameters == operation.parameters else replace(operation, parameters=parameters)


def _client(name: str, data: Mapping[str, Any]) -> ClientIdentity:
    scopes = {parameter: tuple(values) for parameter, values in data.get("scopes", {}).items()}
    auth, tenant = data.get("auth", ""), data.get("tenant", "")
    return ClientIdentity(name=name, auth=auth, refused=data.get("refused"), tenant=tenant, scopes=scopes)


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

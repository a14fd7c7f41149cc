"""Check a document against OpenAPI, JSON Schema 2020-12 and the `x-bulk` schemas, then the contract as a whole.

Begin with `mend_shape`, `mend_linked` and `check_meaning`. Each mistake is one Fault; what can be mended is, in place.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from jsonschema_rs import ValidationError as CompileError

from contracts.bulk.lists import placeholders_of
from contracts.bulk.model import Bulk
from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.openapi.bulk_checks import unserved
from contracts.openapi.grammar import DocumentObject
from contracts.openapi.mending import Mended, mend_paths, mend_value
from contracts.openapi.model import Contract
from contracts.openapi.provenance import check_provenance
from contracts.openapi.references import LEFT_OUT, UNLINKED, Documents
from contracts.schemas.faker_names import check_faker
from contracts.schemas.keywords import children
from contracts.schemas.published import META_SCHEMA, PublishedSchema
from contracts.schemas.schema_set import compiled, is_pure_reference
from contracts.syntax.text import did_you_mean, escape, look_up, pointer_of, split_ref

FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
MIN_SCOPE_VALUES: Final = 2  # a place for tests, and another one
SCHEMA_FOLDER: Final = Path(__file__).parent.parent


@cache
def published_schema(name: str) -> Mapping[str, Any]:
    """Return one of the package's JSON Schemas: by the beginning of its file's name."""
    schema: Mapping[str, Any] = orjson.loads((SCHEMA_FOLDER / f"{name}.schema.json").read_bytes())
    return schema


def mend_shape(documents: Documents) -> None:
    """Mend a root document as OpenAPI, its schemas excepted; the mistakes are added to `documents.faults`."""
    root = documents.read(documents.root)
    found = mend_value(_object_schema("document"), root, shown=documents.shown(documents.root))
    documents.faults += found.faults


def check_published(name: str, value: object, shown: str) -> Iterator[Fault]:
    """Yield the mistakes of a value by one of the package's JSON Schemas; `shown` is its file."""
    yield from _declaration_schema(name).faults(value, shown=shown)


def mend_linked(documents: Documents) -> None:
    """Mend the schemas of linked documents, and the objects that references lead to.

    The mistakes are added to `documents.faults`.
    """
    _LinkedObjects(documents).mend()


def finish(documents: Documents) -> None:
    """Check the `x-` declarations of linked documents, and mend their paths; add the mistakes to `documents.faults`."""
    for place in documents.with_extensions:
        documents.faults += _check_declarations(documents, place)
    for place in documents.with_headers:
        _mend_headers(documents, place)
    if "x-source" in documents.mentions:
        names = {uri: documents.shown(uri) for uri in documents.loaded}
        documents.faults += check_provenance(documents.root, documents.loaded, names)
    if "x-faker" in documents.mentions:
        names = {uri: documents.shown(uri) for uri in documents.loaded}
        documents.faults += check_faker(documents.loaded, names)
    documents.faults += mend_paths(documents)


class _LinkedObjects:
    """The objects of linked documents: outermost schemas, and all that references lead to."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.removed: list[DocumentObject] = []
        self.links: dict[str, list[DocumentObject]] = {}
        for place in documents.links:
            assert isinstance(place.node, dict)  # noqa: S101 - only mappings refer
            self.links.setdefault(place.node.get("$ref", ""), []).append(place)

    def mend(self) -> None:
        """Mend each object; where nothing can be in its place, what refers to it is mended in turn."""
        waiting = list({(one.kind, id(one.node)): one for one in self.documents.roots}.values())
        while waiting:
            place = waiting.pop()
            if is_pure_reference(place.node) or place.kind == "resource":
                continue
            done = self._mended(place)
            if isinstance(place.node, Mapping) or done.value is place.node:
                self.documents.faults += done.faults
            if done.value is not place.node:
                waiting += self._replace(place, done)
        removed = {(one.uri, one.tokens): one for one in self.removed}.values()
        for place in sorted(removed, key=lambda one: [(len(token), token) for token in one.tokens], reverse=True):
            self._remove(place)
        for ref, places in self.links.items():
            uri, pointer = split_ref(ref)
            if ref and look_up(self.documents.loaded.get(uri), pointer) is ABSENT:
                _ = [self._unlink(place) for place in places]

    def _mended(self, place: DocumentObject) -> Mended:
        shown = self.documents.shown(place.uri)
        schema = _meta_schema() if place.kind == "schema" else _object_schema(place.kind)
        done = mend_value(schema, place.node, shown=shown, tokens=place.tokens)
        if place.kind == "schema":
            done.faults.extend(_mend_keywords(done.value, shown, place.tokens))
        return done

    def _replace(self, place: DocumentObject, done: Mended) -> list[DocumentObject]:
        """Put a value in the place of an object, or mend what refers to it; return what is to be mended then."""
        links = self.links.pop(f"{place.uri}#{pointer_of(place.tokens)}", [])
        if links:
            return [self._unlink(one) for one in links]
        self.documents.faults += done.faults
        if done.value is ABSENT:
            self.removed.append(place)
            return []
        parent: Any = look_up(self.documents.loaded[place.uri], pointer_of(place.tokens[:-1]))
        for key in [one for one, value in _entries(parent) if value is place.node and str(one) == place.tokens[-1]]:
            parent[key] = done.value
        return []

    def _unlink(self, place: DocumentObject) -> DocumentObject:
        """Take the reference out of an object."""
        assert isinstance(place.node, dict)  # noqa: S101 - only mappings refer
        ref = self.documents.shown(place.node.pop("$ref", ""))
        fact = f"'$ref: {ref}' does not lead to {KIND_WORDS.get(place.kind, f'a {place.kind}')}."
        self.documents.fault(place, fact, "Correct the reference.", mended=UNLINKED)
        return place

    def _remove(self, place: DocumentObject) -> None:
        """Take an object out of what holds it, unless that was mended before."""
        parent: Any = look_up(self.documents.loaded[place.uri], pointer_of(place.tokens[:-1]))
        for key in [one for one, value in _entries(parent) if value is place.node][::-1]:
            del parent[key]


def _entries(value: object) -> list[tuple[Any, object]]:
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []


KIND_WORDS: Final = {
    "body": "a request body",
    "example": "an example",
    "path": "a path item",
    "operation": "an operation",
}


def _check_declarations(documents: Documents, place: DocumentObject) -> Iterator[Fault]:
    assert isinstance(place.node, Mapping)  # noqa: S101 - only mappings declare
    for name in ("x-bulk", "x-quota", "x-record", "x-resources"):
        if name in place.node:
            shown, tokens = documents.shown(place.uri), (*place.tokens, name)
            yield from _declaration_schema(name).faults(place.node[name], shown=shown, tokens=tokens)


def _mend_headers(documents: Documents, place: DocumentObject) -> None:
    """Leave out the header fields of a response whose names HTTP cannot carry (RFC 9110, 5.1)."""
    fields = place.node.get("headers") if isinstance(place.node, Mapping) else None
    if not isinstance(fields, dict):
        return
    for name in [one for one in fields if not FIELD_NAME.fullmatch(one)]:
        inner = place._replace(tokens=(*place.tokens, "headers", name))
        documents.fault(inner, f"{name!r} is no name of a header field.", "Write it as in X-Name.", mended=LEFT_OUT)
        del fields[name]


def _mend_keywords(schema: object, shown: str, tokens: tuple[str, ...]) -> Iterator[Fault]:
    """Take out the patterns that are no regular expressions, and empty enumerations; yield the faults."""
    if not isinstance(schema, dict):
        return
    if schema.get("enum") == []:
        pointer, cure = pointer_of((*tokens, "enum")), "Write its values, or leave it out."
        yield Fault(file=shown, pointer=pointer, fact="no value is in it.", cure=cure, mended=LEFT_OUT)
        del schema["enum"]
    named = schema.get("patternProperties", {})
    for pattern in [*([schema["pattern"]] if "pattern" in schema else ()), *named]:
        if not _compiles(pattern):
            fact = f"the pattern {pattern!r} is no regular expression that can be used."
            cure = "Write it in ECMA-262's syntax."
            yield Fault(file=shown, pointer=pointer_of(tokens), fact=fact, cure=cure, mended="It is not checked.")
            if named.pop(pattern, None) is None:
                del schema["pattern"]
    for inner, one in children(schema):
        yield from _mend_keywords(one, shown, (*tokens, *inner))


@cache
def _compiles(pattern: str) -> bool:
    try:
        compiled({"pattern": pattern})
    except CompileError:
        return False
    return True


@cache
def _object_schema(kind: str) -> PublishedSchema:
    return PublishedSchema({**published_schema("openapi"), "$ref": f"#/$defs/{kind}"})


@cache
def _meta_schema() -> PublishedSchema:
    return PublishedSchema(META_SCHEMA)


@cache
def _declaration_schema(name: str) -> PublishedSchema:
    return PublishedSchema(published_schema(name))


def check_meaning(contract: Contract, shown: str) -> list[Fault]:
    """Return the mistakes of a contract whose parts are well formed: unknown names, what nothing serves."""
    checks = (_named_operations, _named_resources, _named_scopes, _normalised, unserved)
    return [
        Fault(file=shown, pointer=pointer, fact=fact, cure=cure)
        for check in checks
        for pointer, fact, cure in check(contract)
    ]


Mistakes = Iterator[tuple[str, str, str]]


def _named_operations(contract: Contract) -> Mistakes:
    known = [one.id for one in contract.operations]
    for one in contract.operations:
        for member, name in _referenced_operations(one.bulk) if one.bulk else ():
            if name not in known:
                fact = f"'{name}' is no operationId of this document."
                yield f"{one.pointer}/x-bulk/{member}", fact, did_you_mean(name, known) or "Describe that operation."


def _referenced_operations(bulk: Bulk) -> Iterator[tuple[str, str]]:
    yield from (("effect/like", name) for name in bulk.effect.like)
    if bulk.job:
        named = (("job/poll", bulk.job.poll), ("job/cancel", bulk.job.cancel), ("job/start", bulk.job.start))
        yield from (("job/open", name) for name in (bulk.job.open,) if name)
        yield from ((member, name) for member, name in named if name)


def _named_resources(contract: Contract) -> Mistakes:
    for resource in contract.resources.values():
        for member, name in resource.references.items():
            if name not in contract.resources:
                pointer = f"/x-resources/{resource.name}/references/{member}"
                yield (
                    pointer,
                    f"'{name}' is no resource.",
                    did_you_mean(name, contract.resources) or "Add it to x-resources.",
                )


def _normalised(contract: Contract) -> Mistakes:
    for one in contract.resources.values():
        schema = None if one.schema is None else contract.schemas.schema(one.schema)
        known = schema.members() if schema is not None else {}
        looked_up = [name for template in one.lookups for name in placeholders_of(template)]
        exact = {one.key, one.version, one.tombstone, *one.references, *looked_up, *(n for g in one.unique for n in g)}
        for name in one.normalize:
            pointer = f"/x-resources/{escape(one.name)}/normalize/{escape(name)}"
            if name in exact:
                fact = f"'{name}' identifies records: what is sent and what is stored must be the same."
                yield pointer, fact, "Leave it out, or constrain its schema."
            elif known and name not in known:
                yield pointer, f"'{name}' is no member of {one.name}.", did_you_mean(name, known) or "Leave it out."


def _named_scopes(contract: Contract) -> Mistakes:
    known = {one.name for operation in contract.operations for one in operation.parameters}
    for name in contract.scopes:
        if name not in known:
            cure = did_you_mean(name, known) or "Name a parameter of an operation."
            yield f"/x-scopes/{escape(name)}", f"'{name}' is no parameter of any operation.", cure
        if len(contract.scopes[name]) < MIN_SCOPE_VALUES:
            yield (
                f"/x-scopes/{escape(name)}",
                f"'{name}' has one value alone beside '*'.",
                "Add a second value for tests.",
            )
    for client in contract.clients:
        for name in client.scopes:
            if name not in contract.scopes:
                pointer = f"/x-test-clients/{client.name}/scopes/{escape(name)}"
                yield pointer, f"'{name}' is no scope.", did_you_mean(name, contract.scopes) or "Add it to x-scopes."

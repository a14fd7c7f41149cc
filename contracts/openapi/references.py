"""The files of a contract: objects by kind, local `$ref`s resolved, schemas converted to JSON Schema 2020-12.

Begin with `Documents` and `link`. `GRAMMAR` is the object tree of the OpenAPI Specification 3.1; references follow RFC
3986 and RFC 6901.
"""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.schemas.keywords import Rewrite, children, dialect_rewriter
from contracts.schemas.patterns import use_patterns
from contracts.syntax.documents import UnreadableError, parse_document, read_text
from contracts.syntax.remote import fetch_text, is_loopback, is_url
from contracts.syntax.text import did_you_mean, escape, look_up, pointer_of, short, split_ref, tokens_of

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Member(NamedTuple):
    """A member with objects of another kind: one object, a list, or a map of names to objects."""

    holds: str
    kind: str


def _one(kind: str) -> Member:
    return Member("one", kind)


def _list(kind: str) -> Member:
    return Member("list", kind)


def _map(kind: str) -> Member:
    return Member("map", kind)


SCHEMA_OR_CONTENT: Final = {"schema": _one("schema"), "content": _map("media"), "examples": _map("example")}
GRAMMAR: Final[Mapping[str, Mapping[str, Member]]] = {
    "document": {
        "paths": _map("path"),
        "webhooks": _map("path"),
        "components": _one("components"),
        "x-resources": _map("resource"),
    },
    "components": {
        "schemas": _map("schema"),
        "responses": _map("response"),
        "parameters": _map("parameter"),
        "examples": _map("example"),
        "requestBodies": _map("body"),
        "headers": _map("header"),
        "pathItems": _map("path"),
        "links": _map("link"),
        "callbacks": _map("callback"),
        "securitySchemes": _map("security"),
    },
    "path": {"parameters": _list("parameter"), **dict.fromkeys(METHODS, _one("operation"))},
    "operation": {
        "parameters": _list("parameter"),
        "requestBody": _one("body"),
        "responses": _map("response"),
        "callbacks": _map("callback"),
    },
    "parameter": SCHEMA_OR_CONTENT,
    "header": SCHEMA_OR_CONTENT,
    "body": {"content": _map("media")},
    "response": {"headers": _map("header"), "content": _map("media"), "links": _map("link")},
    "media": {"schema": _one("schema"), "examples": _map("example"), "encoding": _map("encoding")},
    "encoding": {"headers": _map("header")},
    "resource": {"schema": _one("schema")},
    "example": {},
    "link": {},
    "security": {},
}


class DocumentObject(NamedTuple):
    """An object of a known kind, and its document and tokens."""

    kind: str
    uri: str
    tokens: tuple[str, ...]
    node: object


def members(place: DocumentObject) -> Iterator[DocumentObject]:
    """Yield the objects of known kinds directly inside one."""
    node = place.node
    if not isinstance(node, Mapping):
        return
    if place.kind == "schema":
        yield from (
            DocumentObject("schema", place.uri, (*place.tokens, *tokens), one) for tokens, one in children(node)
        )
        return
    named = GRAMMAR.get(place.kind)
    if named is None:  # a callback: a map of expressions to paths
        yield from _member_objects(place, (), Member("map", "path"), node)
        return
    for name, member in named.items():
        if name in node:
            yield from _member_objects(place, (name,), member, node[name])


def _member_objects(
    place: DocumentObject, tokens: tuple[str, ...], member: Member, value: object
) -> Iterator[DocumentObject]:
    at = (*place.tokens, *tokens)
    if member.holds == "one":
        yield DocumentObject(member.kind, place.uri, at, value)
    elif member.holds == "list" and isinstance(value, list):
        yield from (DocumentObject(member.kind, place.uri, (*at, str(n)), one) for n, one in enumerate(value))
    elif member.holds == "map" and isinstance(value, Mapping):
        keep_all = (place.kind, *tokens) not in EXTENDED_MAPS
        yield from (
            DocumentObject(member.kind, place.uri, (*at, name), one)
            for name, one in value.items()
            if keep_all or not name.startswith("x-")
        )


SCHEME: Final = "contract:"
EXTENSION_MEMBERS: Final = {"document": {"x-resources"}, "operation": {"x-bulk", "x-record"}}
EXTENDED_MAPS: Final = {
    ("document", "paths"),
    ("operation", "responses"),
    ("callback",),
}  # the names of others are free
UNLINKED: Final = "Nothing is taken from there."
LEFT_OUT: Final = "It is left out."
TEXT_SUFFIXES: Final = (".csv", ".ndjson", ".txt", ".xml")


class Documents:
    """The documents of one contract, each read when it is first referred to.

    `link` collects mistakes in `faults`, the outermost schemas and all targets of references in `roots`, the objects
    that are references in `links`, and those with `x-` declarations in `with_extensions`.
    """

    def __init__(self, root: Path | str, *, name: str, allow_remote: bool = False) -> None:
        self.url = root if isinstance(root, str) else ""
        path = Path(urlsplit(root).path if isinstance(root, str) else root)
        self.folder = path.parent
        self.name = name
        self.root = f"{SCHEME}/{name}/{path.name or path}"
        self.allow_remote = allow_remote
        self.loaded: dict[str, object] = {}
        self.faults: list[Fault] = []
        self.roots: list[DocumentObject] = []
        self.links: list[DocumentObject] = []
        self.with_extensions: list[DocumentObject] = []

    def shown(self, uri: str) -> str:
        """Return the name of a document for users: relative to the root document's folder."""
        return uri.removeprefix(f"{SCHEME}/{self.name}/")

    def read(self, uri: str) -> object:
        """Return the value of a document. Raises UnreadableError."""
        if uri not in self.loaded:
            shown = self.shown(uri)
            text = self._text(uri, shown)
            is_text = shown.lower().endswith(TEXT_SUFFIXES)
            self.loaded[uri] = text if is_text else parse_document(text, shown=shown, mended=self.faults)
        return self.loaded[uri]

    def _text(self, uri: str, shown: str) -> str:
        if self.url or is_url(uri):
            url = self.url if uri == self.root else urljoin(self.url, shown)
            return fetch_text(url, allow_remote=self.allow_remote)
        return read_text(self.folder / shown, shown=shown)

    def files(self) -> tuple[Path, ...]:
        """Return the files that were read."""
        named = [] if self.url else [uri for uri in self.loaded if not is_url(uri)]
        return tuple(self.folder / self.shown(uri) for uri in named)

    def absolute(self, ref: str, *, base: str) -> str:
        """Return `uri#pointer` for a reference in the document `base`. Raises ValueError whose text is the cure."""
        file, _, fragment = ref.partition("#")
        if file.startswith(SCHEME):
            return ref
        if is_url(file):
            return self._remote(file, fragment)
        if "://" in file or file.startswith(("//", "urn:", "data:")):
            raise ValueError("Save what it refers to in a file beside this one.")
        if is_url(base) or (self.url and file.startswith("/")):
            return self._remote(urljoin(base if is_url(base) else self.url, file), fragment)
        if file.startswith("/") or "\\" in file:
            raise ValueError("Write the path relative to this file, with forward slashes.")
        uri = base if not file else self._join(base, unquote(file))
        return f"{uri}#{self._pointer(uri, unquote(fragment))}"

    def fault(self, place: DocumentObject, fact: str, cure: str, *, mended: str = "") -> None:
        """Record a mistake at an object, and what was done about it."""
        pointer = pointer_of(place.tokens)
        self.faults.append(Fault(file=self.shown(place.uri), pointer=pointer, fact=fact, cure=cure, mended=mended))

    def _remote(self, url: str, fragment: str) -> str:
        if not self.allow_remote and not is_loopback(url):
            raise ValueError("Save what it refers to in a file beside this one, or allow it with --allow-remote.")
        uri = self.root if url == self.url else url
        return f"{uri}#{self._pointer(uri, unquote(fragment))}"

    def _join(self, base: str, file: str) -> str:
        folder = posixpath.dirname(self.shown(base))
        return f"{SCHEME}/{self.name}/{posixpath.normpath(posixpath.join(folder, file))}"

    def _pointer(self, uri: str, fragment: str) -> str:
        if not fragment or fragment.startswith("/"):
            return fragment
        found = next(_anchors(self.read(uri), fragment, ()), None)
        if found is None:
            raise ValueError(
                f"Write a JSON Pointer that begins with '/', or an existing $anchor: '#{fragment}' is neither."
            )
        return pointer_of(found)


def link(documents: Documents) -> None:
    """Resolve every reference reachable from the root document; documents are changed in place."""
    root = documents.read(documents.root)
    rewrite = dialect_rewriter(root if isinstance(root, Mapping) else {})
    waiting = [DocumentObject("document", documents.root, (), root)]
    seen: set[tuple[str, int]] = set()
    while waiting:
        place = waiting.pop()
        node = place.node
        if not isinstance(node, dict) or (place.kind, id(node)) in seen:
            continue
        seen.add((place.kind, id(node)))
        if place.kind in EXTENSION_MEMBERS and not EXTENSION_MEMBERS[place.kind].isdisjoint(node):
            documents.with_extensions.append(place)
        targets = _outgoing(documents, place, node, rewrite)
        inner = [*members(place)]
        documents.roots += targets
        documents.roots += [one for one in inner if one.kind == "schema" != place.kind]
        waiting += [*targets, *inner]
    _check_cycles(documents)


def _outgoing(
    documents: Documents, place: DocumentObject, node: dict[str, object], rewrite: Rewrite
) -> list[DocumentObject]:
    if place.kind == "example" and isinstance(node.get("externalValue"), str):
        _inline_example(documents, place, node)
    targets = [*_follow(documents, place, node), *_link_discriminator(documents, place, node)]
    if place.kind == "schema":
        rewrite(node)
        for pattern, used in use_patterns(node):
            if used.text is not None:
                fact = f"the pattern {pattern!r} is not one of ECMA-262."
                documents.fault(place, fact, "Write it in ECMA-262's syntax.", mended=used.remark)
    return targets


def _follow(documents: Documents, place: DocumentObject, node: dict[str, object]) -> list[DocumentObject]:
    ref = node.pop("$ref", node.pop("$dynamicRef", None) if place.kind == "schema" else None)
    if ref is None:
        return []
    target = _target(documents, place, ref, "" if place.kind == "resource" else UNLINKED)
    if target is None:
        return [place]
    node["$ref"] = f"{target.uri}#{pointer_of(target.tokens)}"
    documents.links.append(place)
    return [target]


def _target(documents: Documents, place: DocumentObject, ref: object, mended: str) -> DocumentObject | None:
    if not isinstance(ref, str):
        documents.fault(place, f"'$ref: {short(ref)}' is no reference.", "Write a string.", mended=mended)
        return None
    try:
        uri, pointer = split_ref(documents.absolute(ref, base=place.uri))
        found = look_up(documents.read(uri), pointer)
    except ValueError as error:
        documents.fault(place, f"'$ref: {ref}' cannot be followed.", str(error), mended=mended)
        return None
    except UnreadableError as error:
        fact = f"'$ref: {ref}' leads to {error.fault.file}: {error.fault.fact}"
        documents.fault(place, fact, error.fault.cure, mended=mended)
        return None
    if found is ABSENT:
        documents.fault(place, f"'$ref: {ref}' leads to nothing.", _nearest(documents, uri, pointer), mended=mended)
        return None
    return DocumentObject(place.kind, uri, tokens_of(pointer), found)


def _nearest(documents: Documents, uri: str, pointer: str) -> str:
    value = documents.read(uri)
    for token in tokens_of(pointer):
        inner = look_up(value, pointer_of([token]))
        if inner is ABSENT:
            hint = did_you_mean(token, value) if isinstance(value, Mapping) else ""
            return hint or f"There is no {token!r} there: add it, or correct the pointer."
        value = inner
    return ""


def _link_discriminator(
    documents: Documents, place: DocumentObject, node: Mapping[str, object]
) -> list[DocumentObject]:
    discriminator = node.get("discriminator") if place.kind == "schema" else None
    mapping = discriminator.get("mapping") if isinstance(discriminator, Mapping) else None
    targets: list[DocumentObject] = []
    if not isinstance(mapping, dict):
        return targets
    for value, ref in [*mapping.items()]:
        at = place._replace(tokens=(*place.tokens, "discriminator", "mapping", value))
        target = _target(documents, at, _mapping_reference(documents, str(ref)), "It is ignored.")
        if target is None:
            del mapping[value]
        else:
            mapping[value] = f"{target.uri}#{pointer_of(target.tokens)}"
            targets.append(target)
    return targets


def _mapping_reference(documents: Documents, ref: str) -> str:
    named = f"{documents.root}#/components/schemas/{escape(ref)}"
    is_name = look_up(documents.read(documents.root), split_ref(named)[1]) is not ABSENT
    return named if is_name or not any(sign in ref for sign in "#/.") else ref


def _check_cycles(documents: Documents) -> None:
    for place in documents.links:
        node, seen = place.node, set[int]()
        while isinstance(node, Mapping) and "$ref" in node and id(node) not in seen:
            seen.add(id(node))
            uri, pointer = split_ref(str(node["$ref"]))
            node = look_up(documents.loaded.get(uri), pointer)
        if isinstance(node, Mapping) and "$ref" in node:
            fact = "its '$ref' leads round in a circle of references."
            documents.fault(place, fact, "Let one of them be the thing itself.", mended=UNLINKED)
            del place.node["$ref"]  # type: ignore[attr-defined] # only mappings refer
            documents.roots.append(place)


def _inline_example(documents: Documents, place: DocumentObject, node: dict[str, object]) -> None:
    external = str(node["externalValue"])
    try:
        uri, _ = split_ref(documents.absolute(external, base=place.uri))
        node["value"] = documents.read(uri)
        del node["externalValue"]
    except ValueError as error:
        documents.fault(place, f"'externalValue: {external}' cannot be read.", str(error), mended=LEFT_OUT)
    except UnreadableError as error:
        documents.fault(place, f"'externalValue: {external}': {error.fault.fact}", error.fault.cure, mended=LEFT_OUT)


def _anchors(value: object, name: str, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        if name in {value.get("$anchor"), value.get("$dynamicAnchor")}:
            yield at
        for key, one in value.items():
            yield from _anchors(one, name, (*at, key))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _anchors(one, name, (*at, str(n)))

"""The files of a contract: objects by kind, local `$ref`s resolved, schemas converted to JSON Schema 2020-12.

Begin with `Documents` and `link`. References follow RFC 3986, RFC 6901 and JSON Schema 2020-12, core, 8.2.
"""

import posixpath
from collections.abc import Mapping
from os.path import abspath  # links in a folder are its owner's, and not followed
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.openapi.grammar import DocumentObject, members
from contracts.schemas.identity import (
    PUBLISHED_DRAFTS,
    SCHEME,
    Identifiers,
    SchemaResource,
    anchored,
    follow_moved,
    joined,
    mapped_file,
    published_metaschema,
)
from contracts.schemas.keywords import SCHEMA_LIST_KEYWORDS, dialect_rewriter, moved_pointer, prefix_items
from contracts.schemas.patterns import use_patterns
from contracts.syntax.documents import UnreadableError, parse_document, read_text
from contracts.syntax.remote import fetch_text, is_loopback, is_url
from contracts.syntax.text import did_you_mean, escape, look_up, pointer_of, short, split_ref, tokens_of

IDENTIFIERS: Final = ("$id", "$anchor", "$dynamicAnchor")
NO_MAP: Final[Mapping[str, Path]] = {}
EXTENSION_MEMBERS: Final = {"document": {"x-resources"}, "operation": {"x-bulk", "x-quota", "x-record"}}
UNLINKED, LEFT_OUT = "Nothing is taken from there.", "It is left out."  # what is done about a mistake
SCANNED: Final = frozenset(("x-faker", "x-source"))
TEXT_SUFFIXES: Final = (".csv", ".ndjson", ".txt", ".xml")


class Documents:
    """The documents of one contract, each read when first referred to; `ref_map` are local files of absolute URIs.

    URLs in files, and of other hosts, need `allow_remote`; files are in the document's folder or in `ref_root`.
    `link` collects mistakes in `faults`, outermost schemas and targets of references in `roots`, the objects that are
    references in `links`, those with `x-` declarations in `with_extensions`, and responses in `with_headers`.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        name: str,
        allow_remote: bool = False,
        ref_map: Mapping[str, Path] = NO_MAP,
        ref_root: Path | None = None,
    ) -> None:
        self.url = root if isinstance(root, str) else ""
        path = Path(urlsplit(root).path if isinstance(root, str) else root)
        self.folder = path.parent
        self.ref_map, self.ref_root = ref_map, abspath(ref_root or self.folder)  # noqa: PTH100 - see its import
        self.identifiers: Identifiers | None = None
        self.unscanned = set[str]()
        self.followed: dict[tuple[str, str, str], str] = {}
        self.name, self.allow_remote = name, allow_remote
        self.root = f"{SCHEME}/{name}/{path.name or path}"
        self.loaded: dict[str, object] = {}
        self.faults: list[Fault] = []
        self.roots: list[DocumentObject] = []
        self.links: list[DocumentObject] = []
        self.with_extensions, self.with_headers = list[DocumentObject](), list[DocumentObject]()
        self.mentions: set[str] = set()  # the words of `SCANNED` that a text has

    def shown(self, uri: str) -> str:
        """Return the name of a document for users: relative to the root document's folder."""
        return uri.removeprefix(f"{SCHEME}/{self.name}/")

    def read(self, uri: str) -> object:
        """Return the value of a document. Raises UnreadableError."""
        if uri in PUBLISHED_DRAFTS and uri not in self.loaded and mapped_file(self.ref_map, uri) is None:
            published = published_metaschema(uri)
            self.loaded.update(published)
            self.unscanned.update(published)
        if uri not in self.loaded:
            mapped = mapped_file(self.ref_map, uri)
            shown = self.shown(uri) if mapped is None else str(mapped)
            text = self._text(uri, shown) if mapped is None else read_text(mapped, shown=shown)
            is_text = shown.lower().endswith(TEXT_SUFFIXES)
            self.mentions |= {word for word in SCANNED if word in text}
            self.loaded[uri] = text if is_text else parse_document(text, shown=shown, mended=self.faults)
            if uri != self.root or any(keyword in text for keyword in IDENTIFIERS):
                self.unscanned.add(uri)
        return self.loaded[uri]

    def _text(self, uri: str, shown: str) -> str:
        if self.url or is_url(uri):
            url = self.url if uri == self.root else urljoin(self.url, shown)
            return fetch_text(url, allow_remote=self.allow_remote)
        return read_text(self.folder / shown, shown=shown)

    def files(self) -> tuple[Path, ...]:
        """Return the files that were read."""
        mapped = [file for uri in self.loaded if (file := mapped_file(self.ref_map, uri)) is not None]
        named = [] if self.url else [uri for uri in self.loaded if uri.startswith(SCHEME)]
        return (*(self.folder / self.shown(uri) for uri in named), *mapped)

    def resolve(self, ref: str, place: DocumentObject) -> str:
        """Return `uri#pointer` for a reference at an object. Raises ValueError whose text is the cure."""
        identifiers = self.identifiers
        file, _, fragment = ref.partition("#")
        if identifiers is None or not (identifiers.named or self.ref_map or file in PUBLISHED_DRAFTS):
            return self.absolute(ref, base=place.uri)
        target = identifiers.resource_at(place.uri, place.tokens)
        if file:
            found = self.identified(joined(target.base, unquote(file)))
            if found is None:
                return self.absolute(ref, base=place.uri)
            target = found
        return f"{target.uri}#{self._inside(target, unquote(fragment))}"

    def identified(self, uri: str) -> SchemaResource | None:
        """Return the resource that a URI without fragment identifies, by an `$id` or the map of URIs to files."""
        assert self.identifiers is not None  # noqa: S101 - `link` has made it
        if uri in self.identifiers.named:
            return self.identifiers.named[uri]
        is_known = uri in self.loaded or uri in PUBLISHED_DRAFTS or mapped_file(self.ref_map, uri) is not None
        if not is_known or uri.startswith(SCHEME):
            return None
        self.scan(DocumentObject("schema", uri, (), self.read(uri)))
        return self.identifiers.resource_at(uri, ())

    def scan(self, place: DocumentObject) -> None:
        """Learn the identifiers in the document of an object, once."""
        assert self.identifiers is not None  # noqa: S101 - `link` has made it
        if place.uri not in self.unscanned:
            return
        self.unscanned.discard(place.uri)
        root = self.loaded[place.uri]
        if place.uri != self.root and not (isinstance(root, Mapping) and "openapi" in root):
            self.identifiers.scan(root, place.uri, ())
            if place.kind == "schema" and place.tokens:
                self.identifiers.scan(place.node, place.uri, place.tokens)
            return
        waiting = [DocumentObject("document", place.uri, (), root)]
        while waiting:
            for one in members(waiting.pop()):
                if one.kind == "schema":
                    self.identifiers.scan(one.node, one.uri, one.tokens)
                else:
                    waiting.append(one)

    def _inside(self, resource: SchemaResource, fragment: str) -> str:
        """Return the pointer of a fragment of a resource, else, where that leads to nothing, of its document."""
        assert self.identifiers is not None  # noqa: S101 - `link` has made it
        start = pointer_of(resource.tokens)
        if fragment and not fragment.startswith("/"):
            found = self.identifiers.anchor(resource, fragment)
            return self._pointer(resource.uri, fragment) if found is None else pointer_of(found)
        if start and look_up(self.read(resource.uri), start + fragment) is ABSENT:
            return fragment
        return start + fragment

    def absolute(self, ref: str, *, base: str) -> str:
        """Return `uri#pointer` for a reference in the document `base`. Raises ValueError whose text is the cure."""
        file, _, fragment = ref.partition("#")
        if file.startswith(SCHEME):
            return ref
        if is_url(file):
            return self._remote(file, fragment)
        if "://" in file or file.startswith(("//", "urn:", "data:")):
            raise ValueError("Name a file that holds it with --ref-map.")
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
        if not self.allow_remote and not (self.url and is_loopback(url)):
            raise ValueError("Name a file that holds it with --ref-map, or allow it with --allow-remote.")
        uri = self.root if url == self.url else url
        return f"{uri}#{self._pointer(uri, unquote(fragment))}"

    def _join(self, base: str, file: str) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.shown(base)), file))
        if not self.url and not Path(abspath(self.folder / path)).is_relative_to(self.ref_root):  # noqa: PTH100 - see its import
            raise ValueError("It is outside of the document's folder: name a folder around both with --ref-root.")
        return f"{SCHEME}/{self.name}/{path}"

    def _pointer(self, uri: str, fragment: str) -> str:
        if not fragment or fragment.startswith("/"):
            return fragment
        found = next(anchored(self.read(uri), fragment, ()), None)
        if found is None:
            raise ValueError(
                f"Write a JSON Pointer that begins with '/', or an existing $anchor: '#{fragment}' is neither."
            )
        return pointer_of(found)


def link(documents: Documents) -> None:
    """Resolve every reference reachable from the root document; documents are changed in place."""
    root = documents.read(documents.root)
    _identify(documents, root)
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
        documents.with_headers += [place] if place.kind == "response" and "headers" in node else []
        targets = _outgoing(documents, place, node)
        inner = [*members(place)]
        documents.roots += targets
        documents.roots += [one for one in inner if one.kind == "schema" != place.kind]
        waiting += [*targets, *inner]
    follow_moved((one.node for one in documents.links), documents.loaded)
    _check_cycles(documents)


def _identify(documents: Documents, root: object) -> None:
    """Learn the identifiers of the root document."""

    def metaschema_at(uri: str) -> object:
        try:
            found = documents.identified(uri)
            return None if found is None else look_up(documents.read(found.uri), pointer_of(found.tokens))
        except UnreadableError:
            return None

    head = root if isinstance(root, Mapping) else {}
    is_30 = str(head.get("openapi", "")).startswith("3.0")
    rewrite = dialect_rewriter(head)
    documents.identifiers = Identifiers(documents.root, rewrite, is_draft_4=is_30, metaschema_at=metaschema_at)
    documents.scan(DocumentObject("document", documents.root, (), root))


def _outgoing(documents: Documents, place: DocumentObject, node: dict[str, object]) -> list[DocumentObject]:
    if place.kind == "example" and isinstance(node.get("externalValue"), str):
        _inline_example(documents, place, node)
    if place.kind == "schema" and not SCHEMA_LIST_KEYWORDS.isdisjoint(node):
        _mend_lists(documents, place, node)
    targets = _follow(documents, place, node) if "$ref" in node or "$dynamicRef" in node else []
    if "discriminator" in node:
        targets += _link_discriminator(documents, place, node)
    if place.kind == "schema" and documents.identifiers is not None:
        documents.identifiers.resource_at(place.uri, place.tokens).rewrite(node)
        if "items" in node and prefix_items(node):
            cure = "Write one schema, or 'prefixItems' in OpenAPI 3.1."
            documents.fault(place, "'items' is a list.", cure, mended="It is read as 'prefixItems'.")
        for pattern, used in use_patterns(node) if "pattern" in node or "patternProperties" in node else ():
            if used.remark:
                fact, cure = f"the pattern {pattern!r} is {used.unlike}.", f"Write it {used.cure}."
                documents.fault(place, fact, cure, mended=used.remark)
    return targets


def _mend_lists(documents: Documents, place: DocumentObject, node: dict[str, object]) -> None:
    """Give a schema lists of schemas where it must have them, so that references in them are followed."""
    for keyword in [one for one in SCHEMA_LIST_KEYWORDS if isinstance(node.get(one), dict)]:
        inner = place._replace(tokens=(*place.tokens, keyword))
        node[keyword] = [node[keyword]]
        fact = "it must be an array, not an object."
        documents.fault(inner, fact, "Write an array.", mended="It is taken as a list of one.")


def _follow(documents: Documents, place: DocumentObject, node: dict[str, object]) -> list[DocumentObject]:
    ref, dynamic = node.pop("$ref", None), node.pop("$dynamicRef", None) if place.kind == "schema" else None
    known = documents.followed.get((place.kind, place.uri, ref)) if isinstance(ref, str) and dynamic is None else None
    if known is not None:
        node["$ref"] = known
        documents.links.append(place)
        return []
    mended = "" if place.kind == "resource" else UNLINKED  # declarations of this project are never mended
    found = [_target(documents, place, one, mended) for one in (ref, dynamic) if one is not None]
    targets = [one for one in found if one is not None]
    if ref is not None and found[0] is not None:
        node["$ref"] = f"{found[0].uri}#{pointer_of(found[0].tokens)}"
        documents.links.append(place)
        if documents.identifiers is not None and not documents.identifiers.named:
            documents.followed[place.kind, place.uri, str(ref)] = str(
                node["$ref"]
            )  # the same from wherever in the document
    if dynamic is not None and found[-1] is not None:
        target = found[-1]
        anchor = target.node.get("$dynamicAnchor") if isinstance(target.node, Mapping) else None
        keyword = "$dynamicRef" if anchor is not None and anchor == str(dynamic).partition("#")[2] else "$ref"
        holder = node if keyword not in node else _added_part(node)
        holder[keyword] = f"{target.uri}#{pointer_of(target.tokens)}"
    return targets if len(targets) == len(found) or not mended else [*targets, place]


def _added_part(node: dict[str, object]) -> dict[str, object]:
    """Return a new part in the `allOf` of a schema."""
    parts, part = node.get("allOf"), dict[str, object]()
    node["allOf"] = [*(parts if isinstance(parts, list) else ()), part]
    return part


def _target(documents: Documents, place: DocumentObject, ref: object, mended: str) -> DocumentObject | None:
    if not isinstance(ref, str):
        documents.fault(place, f"'$ref: {short(ref)}' is no reference.", "Write a string.", mended=mended)
        return None
    try:
        uri, pointer = split_ref(documents.resolve(ref, place))
        found = look_up(documents.read(uri), pointer)
    except ValueError as error:
        documents.fault(place, f"'$ref: {ref}' cannot be followed.", str(error), mended=mended)
        return None
    except UnreadableError as error:
        fact = f"'$ref: {ref}' leads to {error.fault.file}: {error.fault.fact}"
        documents.fault(place, fact, error.fault.cure, mended=mended)
        return None
    if found is ABSENT and (moved := moved_pointer(documents.read(uri), pointer)) is not None:
        pointer, found = moved, look_up(documents.read(uri), moved)
    if found is ABSENT:
        documents.fault(place, f"'$ref: {ref}' leads to nothing.", _nearest(documents, uri, pointer), mended=mended)
        return None
    target = DocumentObject(place.kind, uri, tokens_of(pointer), found)
    documents.scan(target)
    return target


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
    ending: set[str] = set()  # references that lead to an object
    for place in documents.links:
        node, seen, refs = place.node, set[int](), list[str]()
        while isinstance(node, Mapping) and "$ref" in node and id(node) not in seen:
            seen.add(id(node))
            refs.append(str(node["$ref"]))
            if refs[-1] in ending:
                node = None
                break
            uri, pointer = split_ref(refs[-1])
            node = look_up(documents.loaded.get(uri), pointer)
        if not (isinstance(node, Mapping) and "$ref" in node):
            ending.update(refs)
        else:
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

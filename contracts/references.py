"""The files of a contract: every local `$ref` followed, made absolute, and every schema made plain 2020-12."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from contracts.dialect import Rewrite, rewriting
from contracts.errors import Fault
from contracts.grammar import Place, members
from contracts.messages import ABSENT
from contracts.names import did_you_mean
from contracts.pointers import escape, look_up, pointer_of, split_ref, tokens_of
from contracts.reading import UnreadableError, read_document, read_text

SCHEME: Final = "contract:"
DECLARES: Final = {"document": {"x-resources"}, "operation": {"x-bulk", "x-record"}}
TEXTUAL: Final = (".csv", ".ndjson", ".txt", ".xml")


class Documents:
    """The documents of one contract, read when they are first referred to.

    `link` gathers in `faults` what went wrong, in `roots` the outermost schemas and whatever a reference leads to, in
    `links` the objects that are references, and in `declaring` those with declarations of ours.
    """

    def __init__(self, root: Path, *, name: str) -> None:
        self.folder = root.parent
        self.name = name
        self.root = f"{SCHEME}/{name}/{root.name or root}"
        self.loaded: dict[str, object] = {}
        self.faults: list[Fault] = []
        self.roots: list[Place] = []
        self.links: list[Place] = []
        self.declaring: list[Place] = []

    def shown(self, uri: str) -> str:
        """Return a document's name as users see it: relative to the root document's folder."""
        return uri.removeprefix(f"{SCHEME}/{self.name}/")

    def read(self, uri: str) -> object:
        """Return a document's value. Raises UnreadableError."""
        if uri not in self.loaded:
            shown = self.shown(uri)
            read = read_text if shown.lower().endswith(TEXTUAL) else read_document
            self.loaded[uri] = read(self.folder / shown, shown=shown)
        return self.loaded[uri]

    def absolute(self, ref: str, *, base: str) -> str:
        """Return `uri#pointer` for a reference that stands in the document `base`. Raises ValueError with the cure."""
        file, _, fragment = ref.partition("#")
        if file.startswith(SCHEME):
            return ref
        if "://" in file or file.startswith(("//", "urn:", "data:")):
            raise ValueError("Save what it refers to in a file beside this one.")
        if file.startswith("/") or "\\" in file:
            raise ValueError("Write the path relative to this file, with forward slashes.")
        uri = base if not file else self._join(base, unquote(file))
        return f"{uri}#{self._pointer(uri, unquote(fragment))}"

    def fault(self, place: Place, fact: str, cure: str) -> None:
        """Note a mistake at a place."""
        pointer = pointer_of(place.tokens)
        self.faults.append(Fault(file=self.shown(place.uri), pointer=pointer, fact=fact, cure=cure))

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
    """Follow every reference from the root document on, rewriting documents in place."""
    root = documents.read(documents.root)
    rewrite = rewriting(root if isinstance(root, Mapping) else {})
    waiting = [Place("document", documents.root, (), root)]
    seen: set[tuple[str, int]] = set()
    while waiting:
        place = waiting.pop()
        node = place.node
        if not isinstance(node, dict) or (place.kind, id(node)) in seen:
            continue
        seen.add((place.kind, id(node)))
        if place.kind in DECLARES and not DECLARES[place.kind].isdisjoint(node):
            documents.declaring.append(place)
        targets = _outgoing(documents, place, node, rewrite)
        inner = [*members(place)]
        documents.roots += targets
        documents.roots += [one for one in inner if one.kind == "schema" != place.kind]
        waiting += [*targets, *inner]
    _refuse_circles(documents)


def _outgoing(documents: Documents, place: Place, node: dict[str, object], rewrite: Rewrite) -> list[Place]:
    if place.kind == "example" and isinstance(node.get("externalValue"), str):
        _inline_example(documents, place, node)
    targets = [*_follow(documents, place, node), *_link_discriminator(documents, place, node)]
    if place.kind == "schema":
        rewrite(node)
    return targets


def _follow(documents: Documents, place: Place, node: dict[str, object]) -> list[Place]:
    ref = node.pop("$ref", node.pop("$dynamicRef", None) if place.kind == "schema" else None)
    if not isinstance(ref, str):
        return []
    target = _target(documents, place, ref)
    if target is None:
        return []
    node["$ref"] = f"{target.uri}#{pointer_of(target.tokens)}"
    documents.links.append(place)
    return [target]


def _target(documents: Documents, place: Place, ref: str) -> Place | None:
    try:
        uri, pointer = split_ref(documents.absolute(ref, base=place.uri))
        found = look_up(documents.read(uri), pointer)
    except ValueError as error:
        documents.fault(place, f"'$ref: {ref}' cannot be followed.", str(error))
        return None
    except UnreadableError as error:
        documents.fault(place, f"'$ref: {ref}' leads to {error.fault.file}: {error.fault.fact}", error.fault.cure)
        return None
    if found is ABSENT:
        documents.fault(place, f"'$ref: {ref}' leads to nothing.", _nearest(documents, uri, pointer))
        return None
    return Place(place.kind, uri, tokens_of(pointer), found)


def _nearest(documents: Documents, uri: str, pointer: str) -> str:
    value = documents.read(uri)
    for token in tokens_of(pointer):
        inner = look_up(value, pointer_of([token]))
        if inner is ABSENT:
            hint = did_you_mean(token, value) if isinstance(value, Mapping) else ""
            return hint or f"There is no {token!r} there: add it, or correct the pointer."
        value = inner
    return ""


def _link_discriminator(documents: Documents, place: Place, node: Mapping[str, object]) -> list[Place]:
    discriminator = node.get("discriminator") if place.kind == "schema" else None
    mapping = discriminator.get("mapping") if isinstance(discriminator, Mapping) else None
    targets: list[Place] = []
    if not isinstance(mapping, dict):
        return targets
    for value, ref in [*mapping.items()]:
        at = place._replace(tokens=(*place.tokens, "discriminator", "mapping", value))
        target = _target(documents, at, _of_mapping(documents, str(ref)))
        if target is not None:
            mapping[value] = f"{target.uri}#{pointer_of(target.tokens)}"
            targets.append(target)
    return targets


def _of_mapping(documents: Documents, ref: str) -> str:
    named = f"{documents.root}#/components/schemas/{escape(ref)}"
    is_name = look_up(documents.read(documents.root), split_ref(named)[1]) is not ABSENT
    return named if is_name or not any(sign in ref for sign in "#/.") else ref


def _refuse_circles(documents: Documents) -> None:
    for place in documents.links:
        node, seen = place.node, set[int]()
        while isinstance(node, Mapping) and "$ref" in node and id(node) not in seen:
            seen.add(id(node))
            uri, pointer = split_ref(str(node["$ref"]))
            node = look_up(documents.loaded.get(uri), pointer)
        if isinstance(node, Mapping) and "$ref" in node:
            fact = "its '$ref' leads round in a circle of references."
            documents.fault(place, fact, "Let one of them be the thing itself.")


def _inline_example(documents: Documents, place: Place, node: dict[str, object]) -> None:
    external = str(node["externalValue"])
    try:
        uri, _ = split_ref(documents.absolute(external, base=place.uri))
        node["value"] = documents.read(uri)
        del node["externalValue"]
    except ValueError as error:
        documents.fault(place, f"'externalValue: {external}' cannot be read.", str(error))
    except UnreadableError as error:
        documents.fault(place, f"'externalValue: {external}': {error.fault.fact}", error.fault.cure)


def _anchors(value: object, name: str, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        if name in {value.get("$anchor"), value.get("$dynamicAnchor")}:
            yield at
        for key, one in value.items():
            yield from _anchors(one, name, (*at, key))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _anchors(one, name, (*at, str(n)))

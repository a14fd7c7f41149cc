"""Where the facts of a document come from: `x-source` on its objects, `x-source-pages` at its root.

Begin with `read_provenance`. An entry speaks for the object that it stands on, with all that is inside, or for the
places in it that `of` names; of the entries that speak for a place the one nearest to it counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import orjson

from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.openapi.grammar import DocumentObject, members
from contracts.schemas.directions import direction_of
from contracts.schemas.published import PublishedSchema
from contracts.syntax.text import did_you_mean, look_up, pointer_of, split_ref, tokens_of

Says: TypeAlias = Literal["stated", "assumed", "contradicted"]
Documents: TypeAlias = Mapping[str, object]
Tokens: TypeAlias = tuple[str, ...]
SOURCE: Final = "x-source"
PAGES: Final = "x-source-pages"
ENTRY_MEMBERS: Final = frozenset(("says", "page", "note", "of"))
OPERATION_PARTS: Final = (
    "x-bulk",
    "x-reads",
    "x-record",
)  # objects with sources that the grammar of OpenAPI does not know
SCHEMA_FILE: Final = Path(__file__).parent.parent / "x-source.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """Who says a fact: a page (`stated`), or nobody, so that it was decided for this document (`assumed`).

    `contradicted`: a page says it, and something else elsewhere, so that this document had to choose.
    `page` is a URL, `title` its name in the document, both "" for most assumptions; `note` is the fact in words, ""
    where the place says it. `place` is the reference (`uri#pointer`) of what it covers, "" for a fact that no member
    of the document declares; `at` that of the object with the entry.
    """

    says: Says
    page: str = ""
    title: str = ""
    note: str = ""
    place: str = ""
    at: str = ""

    @property
    def assumed(self) -> bool:
        """Whether this document decided it: nobody says it, or a page says two things."""
        return self.says != "stated"

    def __str__(self) -> str:
        """Return the source in words: `stated at https://books.example/guide`."""
        return f"{self.says} at {self.page}" if self.page else self.says


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The sources of a document's facts, in its order; false when it names none."""

    facts: tuple[FactSource, ...] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    _covered: dict[tuple[str, Tokens], FactSource] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the facts by what they cover."""
        for one in self.facts:
            if one.place:
                uri, pointer = split_ref(one.place)
                self._covered[uri, tokens_of(pointer)] = one

    def __bool__(self) -> bool:
        return bool(self.facts)

    def source_of(self, ref: str) -> FactSource | None:
        """Return the source of what is at a reference, whether or not something is there; None when none is named.

        It is the nearest one in the same file, else that of the whole root document.
        """
        uri, pointer = split_ref(ref.partition(":")[2] if direction_of(ref) else ref)
        tokens = tokens_of(pointer)
        for size in range(len(tokens), -1, -1):
            found = self._covered.get((uri, tokens[:size]))
            if found is not None:
                return found
        return self._covered.get((self.root, ()))

    def told_at(self, ref: str) -> tuple[FactSource, ...]:
        """Return the facts of the entries on the object at a reference."""
        return tuple(one for one in self.facts if one.at == ref)


class _Entry(NamedTuple):
    """An entry as written: its place, the object that it stands on."""

    uri: str
    tokens: Tokens  # of the entry itself
    owner: Tokens  # of the object that it speaks for
    node: Any


def read_provenance(root: str, documents: Documents) -> Provenance:
    """Return the sources in the linked documents of a contract, whose root is at the URI `root`.

    The entries are those that `check_provenance` has no fault to find with.
    """
    whole: Any = documents[root]
    pages = _pages(whole)
    facts = tuple(fact for entry in _entries(root, documents) if _is_ours(entry.node) for fact in _facts(entry, pages))
    return Provenance(facts=facts, pages=pages, root=root)


def check_provenance(root: str, documents: Documents, shown: "Mapping[str, str]") -> Iterator[Fault]:
    """Yield the mistakes in `x-source` and `x-source-pages`; `shown` has the names of documents for users.

    A value without a member of ours is somebody else's extension, and is left alone.
    """
    whole: Any = documents[root]
    pages = whole.get(PAGES, {}) if isinstance(whole, Mapping) else {}
    if pages and not _has_only_urls(pages):
        cure = "Write names, each with the URL of a page."
        yield Fault(file=shown[root], pointer=f"/{PAGES}", fact="it is no map of names to URLs.", cure=cure)
    first: dict[tuple[str, Tokens], str] = {}
    for entry in _entries(root, documents):
        if not _is_ours(entry.node):
            continue
        faults = [*_faults(entry, documents, _pages(whole), shown[entry.uri])]
        yield from faults
        for one in [] if faults else _facts(entry, {}):
            key, pointer = split_ref(one.place)
            known = first.setdefault((key, tokens_of(pointer)), pointer_of(entry.tokens)) if one.place else ""
            if known and known != pointer_of(entry.tokens):
                fact = f"{known} speaks for the same place."
                yield Fault(
                    file=shown[entry.uri], pointer=pointer_of(entry.tokens), fact=fact, cure="Keep one of them."
                )


def _pages(whole: Any) -> Mapping[str, str]:
    pages = whole.get(PAGES, {}) if isinstance(whole, Mapping) else {}
    return cast("Mapping[str, str]", pages) if _has_only_urls(pages) else {}


def _has_only_urls(pages: object) -> bool:
    return isinstance(pages, Mapping) and all(isinstance(one, str) and "://" in one for one in pages.values())


def _entries(root: str, documents: Documents) -> Iterator[_Entry]:
    """Yield every entry, object by object, in the order of the document."""
    waiting = [DocumentObject("document", root, (), documents[root])]
    seen: set[tuple[str, Tokens]] = set()
    while waiting:
        place = waiting.pop()
        if (place.uri, place.tokens) in seen or not isinstance(place.node, Mapping):
            continue
        seen.add((place.uri, place.tokens))
        yield from _entries_of(place)
        target = place.node.get("$ref")
        inner = [*members(place)]
        if isinstance(target, str) and place.kind != "example":
            uri, pointer = split_ref(target)
            found = look_up(documents.get(uri), pointer)
            inner += [DocumentObject(place.kind, uri, tokens_of(pointer), found)] if found is not ABSENT else []
        waiting += reversed(inner)


def _entries_of(place: DocumentObject) -> Iterator[_Entry]:
    node: Any = place.node
    holders: list[tuple[Tokens, Any]] = [((), node)]
    holders += [((part,), node[part]) for part in OPERATION_PARTS if place.kind == "operation" and part in node]
    for inner, holder in holders:
        if isinstance(holder, Mapping) and SOURCE in holder:
            owner = (*place.tokens, *inner)
            written = holder[SOURCE]
            if isinstance(written, list):
                for n, one in enumerate(written):
                    yield _Entry(place.uri, (*owner, SOURCE, str(n)), owner, one)
            else:
                yield _Entry(place.uri, (*owner, SOURCE), owner, written)


def _is_ours(node: object) -> bool:
    return isinstance(node, Mapping) and not ENTRY_MEMBERS.isdisjoint(node)


def _facts(entry: _Entry, pages: Mapping[str, str]) -> Iterator[FactSource]:
    node, at = entry.node, f"{entry.uri}#{pointer_of(entry.owner)}"
    name = node.get("page", "")
    places = [at] if "of" not in node else [f"{at}{one}" for one in node["of"]] or [""]
    told = {"page": pages.get(name, name), "title": name if name in pages else "", "note": node.get("note", "")}
    yield from (FactSource(says=node["says"], place=place, at=at, **told) for place in places)


def _faults(entry: _Entry, documents: Documents, pages: Mapping[str, str], shown: str) -> Iterator[Fault]:
    at = pointer_of(entry.tokens)
    found = [*_entry_schema().faults(entry.node, shown=shown, tokens=entry.tokens)]
    yield from found
    if found:
        return
    name = entry.node.get("page", "")
    if name and name not in pages and "://" not in name:
        cure = did_you_mean(name, pages) or f"Write a URL, or name the page in {PAGES}."
        yield Fault(file=shown, pointer=f"{at}/page", fact=f"'{name}' is no URL and no page of {PAGES}.", cure=cure)
    owner = look_up(documents[entry.uri], pointer_of(entry.owner))
    for n, pointer in enumerate(entry.node.get("of", ())):
        if look_up(owner, pointer) is ABSENT:
            cure = "Write the JSON Pointer of something in the object with this entry."
            yield Fault(file=shown, pointer=f"{at}/of/{n}", fact=f"'{pointer}' leads to nothing.", cure=cure)


@cache
def _entry_schema() -> PublishedSchema:
    return PublishedSchema(orjson.loads(SCHEMA_FILE.read_bytes()))

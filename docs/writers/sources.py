"""The `SOURCES.md` of each bundled contract, from its `x-source`."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from contracts.openapi.grammar import DocumentObject
from contracts.openapi.loading import load_bundled
from contracts.openapi.model import Contract, Operation
from contracts.openapi.provenance import FactSource
from contracts.schemas.keywords import children
from contracts.syntax.text import escape

NOTE = "<!-- Written by docs/write.py; change x-source in openapi.yaml and schemas/ instead. -->"
HEAD = """# Where each fact comes from

Each row is a fact of `openapi.yaml` or `schemas/`, and who says it:

- the name of a **page** of the vendor that states it, from the table below;
- **assumption**: no page says it, it was decided here, and the real API may differ;
- **contradicted**: a page says it, and something else too.

`x-source` says so in the contract, next to what it speaks of ([how](../../../docs/x-bulk.md#x-source));
what no row speaks of is an assumption too."""
ASSUMPTION = re.compile(r"(?:^|\s)(?:- )?Assumption: ")
Row = tuple[str, str, str]


def page(name: str) -> str:
    """Return the page of a bundled contract."""
    contract = load_bundled(name)
    writer = _Writer(contract)
    sections = [(title, [*rows]) for title, rows in writer.sections()]
    counted = Counter(source.partition(" ")[0] for _, rows in sections for *_, source in rows)
    assumed, contradicted = counted.pop("assumption", 0), counted.pop("contradicted", 0)
    summary = f"{contract.title}: {counted.total()} facts are stated, {assumed} assumed, {contradicted} contradicted."
    pages = [f"| {title} | <{url}> |" for title, url in contract.provenance.pages.items()]
    lines = [NOTE, "", HEAD, "", summary, "", "| page | address |", "|---|---|", *pages]
    for title, rows in sections:
        lines += ["", f"## {title}", "", "| of | fact | source |", "|---|---|---|"]
        lines += [f"| {of} | {_cell(fact)} | {source} |" for of, fact, source in dict.fromkeys(rows)]
    return "\n".join(lines) + "\n"


class _Writer:
    """The rows of one contract, section by section."""

    def __init__(self, contract: Contract) -> None:
        self.contract, self.told = contract, contract.provenance
        self.root: Mapping[str, Any] = contract.document

    def sections(self) -> Iterator[tuple[str, Iterator[Row]]]:
        """Yield the titles and rows."""
        yield "The API", self._api(contradicted=False)
        yield "Operations", (row for one in self.contract.operations for row in self._operation(one))
        parts = (("Parameters", "parameters"), ("Headers", "headers"), ("Responses", "responses"))
        for title, kind in parts:
            yield title, self._components(kind)
        yield "Resources", self._resources()
        yield "Schemas", self._schemas()
        yield "Where the pages contradict themselves", self._api(contradicted=True)

    def _api(self, *, contradicted: bool) -> Iterator[Row]:
        if not contradicted:
            yield from self._described("", f"{self.told.root}#", str(self.root["info"].get("description", "")))
        for one in self.told.told_at(f"{self.told.root}#"):
            if one.note and (one.says == "contradicted") is contradicted:
                yield "", one.note, _source(one)

    def _operation(self, operation: Operation) -> Iterator[Row]:
        own = f"{self.told.root}#{operation.pointer}"
        name = f"`{operation.id}`"
        yield name, f"`{operation.method} {operation.path}`: {operation.summary}", self._source(own)
        yield from self._described(name, own, operation.description, whole=False)
        for status, response in operation.responses.items():
            description = ASSUMPTION.split(response.description)[0].strip() or "any other answer"
            yield f"{name} {status}", description, self._source(f"{own}/responses/{status}")
        for part in ("", "/x-bulk", "/x-record"):
            yield from self._facts(name, own, self.told.told_at(own + part))

    def _components(self, kind: str) -> Iterator[Row]:
        for name, node in self.root["components"].get(kind, {}).items():
            at = f"{self.told.root}#/components/{kind}/{escape(name)}"
            label = f"`{node.get('name', name)}`"
            yield from self._described(label, at, node.get("description", ""))
            yield from self._facts(label, at, self.told.told_at(at))

    def _resources(self) -> Iterator[Row]:
        for name in self.root.get("x-resources", {}):
            at = f"{self.told.root}#/x-resources/{escape(name)}"
            yield f"`{name}`", "a kind of record", self._source(at)
            yield from self._facts(f"`{name}`", at, self.told.told_at(at))

    def _schemas(self) -> Iterator[Row]:
        for uri, schema in sorted(self.contract.schemas.documents.items()):
            if "/schemas/" in uri and isinstance(schema, Mapping):
                file = uri.rpartition("/")[2]
                yield from self._described(f"`{file}`", f"{uri}#", str(schema.get("description", "")))
                yield from self._facts(f"`{file}`", f"{uri}#", self.told.told_at(f"{uri}#"))
                for place in _members(DocumentObject("schema", uri, (), schema)):
                    at = f"{uri}#" + "".join(f"/{escape(one)}" for one in place.tokens)
                    node: Any = place.node
                    text = node.get("description", "") if isinstance(node, Mapping) else ""
                    yield from self._described(f"`{file}` `{place.tokens[-1]}`", at, text)

    def _described(self, of: str, at: str, description: str, *, whole: bool = True) -> Iterator[Row]:
        """Yield what a description says, and each assumption in it; a place without words has a row of its own."""
        said, *assumed = ASSUMPTION.split(description)
        text = " ".join(said.split())
        if whole and (text or not assumed) and of:
            yield of, text or "as it is declared", self._source(at)
        yield from ((of, " ".join(one.split()).rstrip("."), "assumption") for one in assumed)

    def _facts(self, of: str, own: str, facts: tuple[FactSource, ...]) -> Iterator[Row]:
        """Yield a row for each entry on an object: the places in it that it speaks of, and its note."""
        for one in dict.fromkeys(replace(fact, place="") for fact in facts):
            same = [fact.place for fact in facts if replace(fact, place="") == one]
            names = ", ".join(f"`{place.removeprefix(own).lstrip('/')}`" for place in same if place not in {"", own})
            if names or one.note:
                yield of, ": ".join(part for part in (names, one.note) if part), _source(one)

    def _source(self, at: str) -> str:
        found = self.told.source_of(at)
        return "assumption" if found is None else _source(found)


def _members(place: DocumentObject) -> Iterator[DocumentObject]:
    """Yield the members that a schema of one file declares itself, at any depth."""
    for tokens, node in children(place.node) if isinstance(place.node, Mapping) else ():
        inner = DocumentObject("schema", place.uri, (*place.tokens, *tokens), node)
        if tokens[0] == "properties" and place.tokens[-1:] != ("if",):
            yield inner
        if tokens[0] in {"properties", "items", "additionalProperties"}:
            yield from _members(inner)


def _source(one: FactSource) -> str:
    return {"stated": one.title, "assumed": "assumption"}.get(one.says, f"contradicted ({one.title})")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

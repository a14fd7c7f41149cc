"""The identifiers of schemas (JSON Schema 2020-12, core, 8.2): which URI names which schema of which document.

Begin with `Identifiers`. A schema with `$id` is a resource with a base URI of its own; references in it are resolved
against that. Schemas of OpenAPI 3.0 in files of their own may have `id` instead, as in draft 4.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin

from contracts.messages import ABSENT
from contracts.schemas.keywords import DIALECTS, Rewrite, children, moved_pointer, without_validation
from contracts.syntax.text import as_list, look_up, split_ref

SCHEME: Final = "contract:"
Tokens = tuple[str, ...]


PUBLISHED_DRAFTS: Final[Mapping[str, str]] = {
    "http://json-schema.org/draft-04/schema": "Draft4",
    "http://json-schema.org/draft-06/schema": "Draft6",
    "http://json-schema.org/draft-07/schema": "Draft7",
    "https://json-schema.org/draft/2020-12/schema": "Draft202012",
}


def published_metaschema(uri: str) -> Mapping[str, object]:
    """Return the documents of a published metaschema by their URIs, as jsonschema-rs has them."""
    import jsonschema_rs  # noqa: PLC0415 - few documents refer to a metaschema

    bundle: dict[str, Any] = jsonschema_rs.bundle({"$ref": uri}, draft=getattr(jsonschema_rs, PUBLISHED_DRAFTS[uri]))
    found: Mapping[str, object] = bundle.get("$defs") or bundle["definitions"]
    return found


class SchemaResource(NamedTuple):
    """A document, or a schema with an `$id`: base URI, document and place, and the conversion of its dialect."""

    base: str
    uri: str
    tokens: Tokens
    rewrite: Rewrite


def joined(base: str, reference: str) -> str:
    """Return a reference without fragment, resolved against a base URI (RFC 3986, 5)."""
    if base.startswith(SCHEME) and not reference.startswith(SCHEME) and ":" not in reference.partition("/")[0]:
        folder = posixpath.dirname(base.removeprefix(f"{SCHEME}/"))
        return f"{SCHEME}/{posixpath.normpath(posixpath.join(folder, reference))}"
    return urljoin(base, reference) if not reference.startswith(SCHEME) else reference


class Identifiers:
    """The resources and anchors of documents; `rewrite` converts the schemas of the root document's dialect.

    `is_draft_4`: an `id` is an identifier too, in documents other than `root`. `metaschema_at` returns the document of
    a `$schema`, None when there is none.
    """

    def __init__(
        self, root: str, rewrite: Rewrite, *, is_draft_4: bool, metaschema_at: Callable[[str], object]
    ) -> None:
        self.root, self.rewrite, self.is_draft_4 = root, rewrite, is_draft_4
        self.named: dict[str, SchemaResource] = {}
        self._documents: dict[str, SchemaResource] = {}
        self._metaschema_at = metaschema_at
        self._anchors: dict[tuple[str, Tokens], dict[str, Tokens]] = {}
        self._places: dict[str, dict[Tokens, SchemaResource]] = {}

    def resource_at(self, uri: str, tokens: Tokens) -> SchemaResource:
        """Return the innermost resource that the place lies in."""
        known = self._places.get(uri)
        if known is None:
            return self._documents.setdefault(uri, SchemaResource(uri, uri, (), self.rewrite))
        for end in range(len(tokens), -1, -1):
            if tokens[:end] in known:
                return known[tokens[:end]]
        return SchemaResource(uri, uri, (), self.rewrite)

    def anchor(self, resource: SchemaResource, name: str) -> Tokens | None:
        """Return the tokens of the schema with an anchor in a resource, None when there is none."""
        return self._anchors.get((resource.uri, resource.tokens), {}).get(name)

    def scan(self, schema: object, uri: str, tokens: Tokens) -> None:
        """Learn the identifiers in a schema at a place; a place that was scanned before is skipped."""
        waiting = [(schema, tokens, self.resource_at(uri, tokens))]
        while waiting:
            one, at, resource = waiting.pop()
            if not isinstance(one, Mapping):
                continue
            inside = self._entered(one, at, resource)
            anchors = self._anchors.setdefault((uri, inside.tokens), {})
            for name in self._anchor_names(one, uri):
                anchors.setdefault(name, at)
            waiting += [(inner, (*at, *more), inside) for more, inner in children(one)]

    def _entered(self, schema: Mapping[str, object], at: Tokens, around: SchemaResource) -> SchemaResource:
        """Return the resource of a schema, which is a new one where it has an identifier."""
        given = self._identifier(schema, around.uri)
        dialect = schema.get("$schema")
        if not given and not (isinstance(dialect, str) and not at and around.uri != self.root):
            return around
        rewrite = self._dialect(dialect) if isinstance(dialect, str) else around.rewrite
        base = joined(around.base, given) if given else around.base
        found = SchemaResource(base, around.uri, at, rewrite)
        self._places.setdefault(around.uri, {})[at] = found
        self.named.setdefault(base, found)
        return found

    def _identifier(self, schema: Mapping[str, object], uri: str) -> str:
        """Return the `$id` of a schema without its fragment, "" when it has none."""
        given = schema.get("$id")
        if self._has_old_id(uri) and not isinstance(given, str):
            given = None if "$ref" in schema else schema.get("id")
        return given.partition("#")[0] if isinstance(given, str) else ""

    def _anchor_names(self, schema: Mapping[str, object], uri: str) -> Iterator[str]:
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(name := schema.get(keyword), str):
                yield name
        for keyword in ("$id", "id") if self._has_old_id(uri) else ("$id",):
            given = schema.get(keyword)
            if isinstance(given, str) and given[:1] == "#" and "$ref" not in schema:
                yield given[1:]

    def _has_old_id(self, uri: str) -> bool:
        return self.is_draft_4 and uri != self.root

    def _dialect(self, uri: str) -> Rewrite:
        """Return the conversion for the dialect of a `$schema`, a published draft or a metaschema of vocabularies."""
        name = uri.rstrip("#")
        if name in DIALECTS:
            return DIALECTS[name]
        metaschema = self._metaschema_at(name)
        vocabularies = metaschema.get("$vocabulary") if isinstance(metaschema, Mapping) else None
        if isinstance(vocabularies, Mapping) and not any("/vocab/validation" in one for one in vocabularies):
            return without_validation(self.rewrite)
        return self.rewrite


def mapped_file(ref_map: Mapping[str, Path], uri: str) -> Path | None:
    """Return the local file of a URI; an entry whose URI ends with `/` maps all below it to a folder."""
    if uri in ref_map:
        return ref_map[uri]
    below = [(prefix, folder) for prefix, folder in ref_map.items() if prefix.endswith("/") and uri.startswith(prefix)]
    return next((folder / uri.removeprefix(prefix) for prefix, folder in sorted(below, reverse=True)), None)


def follow_moved(referring: Iterable[object], documents: Mapping[str, object]) -> None:
    """Correct the references of objects to what a conversion has moved after they were resolved, in place."""
    known: dict[str, str] = {}
    for node in referring:
        assert isinstance(node, dict)  # noqa: S101 - only mappings refer
        parts = [part for keyword in ("allOf", "anyOf") for part in as_list(node.get(keyword))[:1]]
        holder = next((one for one in (node, *parts) if isinstance(one, dict) and "$ref" in one), None)
        if holder is None:
            continue
        ref = holder["$ref"]
        if ref not in known:
            uri, pointer = split_ref(ref)
            document = documents.get(uri)
            moved = moved_pointer(document, pointer) if look_up(document, pointer) is ABSENT else None
            known[ref] = ref if moved is None else f"{uri}#{moved}"
        holder["$ref"] = known[ref]


def anchored(value: object, name: str, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the tokens of the schemas in a value that have an anchor of that name; `at` are the value's own."""
    if isinstance(value, Mapping):
        if name in {value.get("$anchor"), value.get("$dynamicAnchor")}:
            yield at
        for key, one in value.items():
            yield from anchored(one, name, (*at, key))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from anchored(one, name, (*at, str(n)))

"""Schemas with `$dynamicRef`, written out with the resources that its targets depend on (JSON Schema 2020-12, 8.2.3.2).

Begin with `with_resources`. The outermost resource that has the anchor decides where a `$dynamicRef` leads; so each
resource becomes a schema with an identifier of its own, with all of its schemas that have such anchors.
`with_static_references` decides instead where each one leads, seen from the schema at which a value enters.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from contracts.schemas.keywords import IDENTIFIER_KEYWORDS, children, is_annotation
from contracts.syntax.text import look_up, pointer_of, split_ref, tokens_of

PREFIX: Final = "urn:bulkproof:resource:"


def with_resources(ref: str, documents: Mapping[str, object], value_at: Callable[[str], object]) -> dict[str, object]:
    """Return a schema that is valid for what the schema at `ref` is, whatever its `$dynamicRef`s lead to."""
    bundle = _Bundle(documents, value_at)
    return {"$ref": bundle.reference(ref), "$defs": bundle.written()}


def with_static_references(
    ref: str, documents: Mapping[str, object], value_at: Callable[[str], object]
) -> tuple[dict[str, object], str]:
    """Return a document of schemas in which each `$dynamicRef` is a `$ref`, and the reference of that for `ref` in it.

    A schema is there once for each meaning that its dynamic references have, under the name that it had.
    """
    resolution = _Resolution(documents, value_at)
    target = resolution.reference(ref)
    return {"$defs": resolution.definitions()}, target


class _Bundle:
    """The resources by document and pointer, and the schemas of each that something refers to."""

    def __init__(self, documents: Mapping[str, object], value_at: Callable[[str], object]) -> None:
        self._documents, self._value_at = documents, value_at
        self._resources: dict[tuple[str, str], int] = {}
        self._definitions: list[dict[str, object]] = []
        self._references: dict[str, str] = {}
        self._waiting: list[tuple[str, str, dict[str, object]]] = []

    def written(self) -> dict[str, object]:
        """Return the resources, with all that was referred to."""
        while self._waiting:
            ref, name, definitions = self._waiting.pop()
            definitions[name] = self._copy(self._value_at(ref), ref, is_root=True)
        return {f"r{n}": {"$id": f"{PREFIX}{n}", "$defs": own} for n, own in enumerate(self._definitions)}

    def reference(self, ref: str) -> str:
        """Return the reference of a schema in the bundle."""
        if ref not in self._references:
            number = self._resource(ref)
            definitions = self._definitions[number]
            name = f"s{len(definitions)}"
            definitions[name] = True  # until it is written
            self._references[ref] = f"{PREFIX}{number}#/$defs/{name}"
            self._waiting.append((ref, name, definitions))
        return self._references[ref]

    def _resource(self, ref: str) -> int:
        """Return the number of the resource that a schema lies in."""
        uri, root = self._root(ref)
        if (uri, root) not in self._resources:
            self._resources[uri, root] = len(self._definitions)
            self._definitions.append({})
            for tokens in _dynamic_anchors(look_up(self._documents.get(uri), root)):
                self.reference(f"{uri}#{root}{pointer_of(tokens)}")
        return self._resources[uri, root]

    def _root(self, ref: str) -> tuple[str, str]:
        """Return the document and the pointer of the resource that a schema lies in."""
        uri, pointer = split_ref(ref)
        value, root, at = self._documents.get(uri), "", ""
        for token in tokens_of(pointer):
            at += pointer_of((token,))
            value = look_up(value, pointer_of((token,)))
            root = at if isinstance(value, Mapping) and isinstance(value.get("$id"), str) else root
        return uri, root

    def _copy(self, schema: object, ref: str, *, is_root: bool) -> object:
        """Return a copy of a schema, its references those of the bundle, what has an identifier taken out of it."""
        if not isinstance(schema, Mapping):
            return schema
        if not is_root and ("$id" in schema or "$dynamicAnchor" in schema):
            return {"$ref": self.reference(ref)}
        inner = {tokens: self._copy(one, ref + pointer_of(tokens), is_root=False) for tokens, one in children(schema)}
        copy: dict[str, Any] = {
            keyword: self._keyword(keyword, value, inner)
            for keyword, value in schema.items()
            if keyword not in IDENTIFIER_KEYWORDS
        }
        if isinstance(schema.get("$dynamicAnchor"), str):
            copy["$dynamicAnchor"] = schema["$dynamicAnchor"]
        return copy

    def _keyword(self, keyword: str, value: object, inner: Mapping[tuple[str, ...], object]) -> object:
        if keyword == "$ref" and isinstance(value, str):
            return self.reference(value)
        if keyword == "$dynamicRef" and isinstance(value, str):
            target = self._value_at(value)
            anchor = target.get("$dynamicAnchor", "") if isinstance(target, Mapping) else ""
            return f"{self.reference(value).partition('#')[0]}#{anchor}"
        own = {tokens[1:]: one for tokens, one in inner.items() if tokens[0] == keyword}
        if not own:
            return value
        if () in own:
            return own[()]
        return [*own.values()] if isinstance(value, list) else {name: one for (name,), one in own.items()}


Bindings: TypeAlias = Mapping[str, str]  # where the dynamic anchors lead that are in force


class _Resolution(_Bundle):
    """The schemas that something refers to, once for each set of anchors in force there."""

    def __init__(self, documents: Mapping[str, object], value_at: Callable[[str], object]) -> None:
        super().__init__(documents, value_at)
        self._bindings: Bindings = {}
        self._names: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        self._unwritten: list[tuple[str, str, Bindings]] = []

    def definitions(self) -> dict[str, object]:
        """Return the schemas by name."""
        found: dict[str, object] = {}
        while self._unwritten:
            ref, name, self._bindings = self._unwritten.pop()
            found[name] = self._copy(self._value_at(ref), ref, is_root=True)
        return found

    def reference(self, ref: str) -> str:
        """Return the reference of a schema, as it is where the anchors at hand are in force."""
        uri, root = self._root(ref)
        value = look_up(self._documents.get(uri), root)
        own = {look_up(value, f"{pointer_of(one)}/$dynamicAnchor"): one for one in _dynamic_anchors(value)}
        bindings = {str(anchor): f"{uri}#{root}{pointer_of(one)}" for anchor, one in own.items()}
        bindings |= self._bindings  # those further outside win
        key = (ref, tuple(sorted(bindings.items())))
        if key not in self._names:
            last = [*tokens_of(split_ref(ref)[1])][-1:] or [uri.rpartition("/")[2].partition(".")[0]]
            name, taken = last[0], set(self._names.values())
            while name in taken:
                name += "'"
            self._names[key] = name
            self._unwritten.append((ref, name, bindings))
        return f"#{pointer_of(('$defs', self._names[key]))}"

    def _copy(self, schema: object, ref: str, *, is_root: bool) -> object:
        copy = super()._copy(schema, ref, is_root=is_root)
        if isinstance(copy, dict):
            copy.pop("$dynamicAnchor", None)
            target = copy.pop("$dynamicRef", None)
            if target is not None and not all(is_annotation(one) for one in copy):
                copy["allOf"] = [{"$ref": target}, *copy.get("allOf", ())]
            elif target is not None:
                copy["$ref"] = target
        return copy

    def _keyword(self, keyword: str, value: object, inner: Mapping[tuple[str, ...], object]) -> object:
        if keyword != "$dynamicRef" or not isinstance(value, str):
            return super()._keyword(keyword, value, inner)
        target = self._value_at(value)
        anchor = target.get("$dynamicAnchor") if isinstance(target, Mapping) else None
        return self.reference(self._bindings.get(str(anchor), value))


def _dynamic_anchors(value: object) -> Iterator[tuple[str, ...]]:
    """Yield the tokens of the schemas with a `$dynamicAnchor` in a resource, those in others inside it left out."""
    waiting: list[tuple[object, tuple[str, ...]]] = [(value, ())]
    while waiting:
        one, at = waiting.pop()
        if isinstance(one, Mapping):
            if at and isinstance(one.get("$id"), str):
                continue
            if isinstance(one.get("$dynamicAnchor"), str):
                yield at
            waiting += [(inner, (*at, name)) for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(inner, (*at, str(n))) for n, inner in enumerate(one)]

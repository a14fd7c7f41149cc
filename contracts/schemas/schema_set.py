"""JSON Schemas (2020-12) by reference: the documents of a contract, and their schemas, compiled on first use.

Begin with `SchemaSet.schema`. Formats are asserted (JSON Schema Validation, 7.2.2); patterns are ECMA-262 as
fancy-regex reads them.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from jsonschema_rs import Draft202012Validator, EmailOptions, FancyRegexOptions, ValidationError

from contracts.messages import ABSENT
from contracts.schemas.directions import HIDING_KEYWORDS, DirectedSchemas, Direction, direction_of
from contracts.schemas.dynamic_scope import with_resources, with_static_references
from contracts.schemas.keywords import REFERENCES, SCHEMA_KEYWORDS, is_annotation, rewrite_references
from contracts.syntax.text import look_up, pointer_of, split_ref, tokens_of

PATTERN_OPTIONS: Final = FancyRegexOptions(backtrack_limit=100_000)  # steps; beyond, the pattern does not match
EMAIL_OPTIONS: Final = EmailOptions(allow_display_text=False)  # RFC 5321's Mailbox: no name before it


def compiled(schema: Mapping[str, object], *, formats: bool = True) -> Draft202012Validator:
    """Compile a schema without external references; formats are asserted, except on wish."""
    return Draft202012Validator(
        dict(schema),
        validate_formats=formats,
        offline=True,
        mask="value",
        pattern_options=PATTERN_OPTIONS,
        email_options=EMAIL_OPTIONS,
    )


def is_pure_reference(schema: object) -> bool:
    """Say whether a schema is a `$ref` with nothing but annotations beside it."""
    return isinstance(schema, Mapping) and "$ref" in schema and all(k == "$ref" or is_annotation(k) for k in schema)


T = TypeVar("T")


class SchemaSet:
    """The documents of a contract by URI; every `$ref` in them is absolute: `uri#pointer`."""

    __slots__ = ("_directed", "_directed_refs", "_dynamic", "_forms", "_made", "_validators", "_values", "documents")

    def __init__(self, documents: Mapping[str, object]) -> None:
        self.documents = documents
        self._validators: dict[str, Draft202012Validator] = {}
        self._values: dict[str, object] = {}
        self._dynamic: dict[str, bool] = {}
        self._forms: dict[str, tuple[Schema, ...]] = {}
        self._directed_refs: dict[tuple[str, Direction], Schema] = {}
        self._made: dict[Hashable, object] = {}
        self._directed = {direction: DirectedSchemas(direction, self.value) for direction in HIDING_KEYWORDS}

    def __reduce__(self) -> tuple[type["SchemaSet"], tuple[Mapping[str, object]]]:
        """Pickle the documents alone; validators are compiled again on use."""
        return SchemaSet, (self.documents,)

    def schema(self, ref: str) -> "Schema":
        """Return the schema at `ref`, any `$ref` at its top followed.

        Raises LookupError when there is nothing at `ref`, or when references form a cycle.
        """
        seen = {ref}
        while is_pure_reference(found := self.value(ref)):
            ref = found["$ref"]  # type: ignore[index] # a pure reference is a mapping
            if ref in seen:
                raise LookupError(ref)
            seen.add(ref)
        return Schema(within=self, ref=ref)

    def value(self, ref: str) -> object:
        """Return the value at `ref`. Raises LookupError when there is none."""
        found = self._values.get(ref, ABSENT)
        if found is ABSENT:
            found = self._values[ref] = self._found(ref)
        if found is ABSENT:
            raise LookupError(ref)
        return found

    def _found(self, ref: str) -> object:
        uri, pointer = split_ref(ref)
        if uri in self.documents:
            return look_up(self.documents[uri], pointer)
        direction = direction_of(ref)
        if direction is None:
            raise LookupError(ref)
        return self._directed[direction].value(ref)

    def forms(self, schema: "Schema") -> "tuple[Schema, ...]":
        """Return a schema of this set, then its in-place subschemas at any depth."""
        known = self._forms.get(schema.ref)
        if known is None:
            found: dict[str, Schema] = {}
            waiting = [schema]
            while waiting:
                one = waiting.pop()
                if one.ref not in found:
                    found[one.ref] = one
                    waiting += reversed(list(one.parts_in_place()))
            known = self._forms[schema.ref] = tuple(found.values())
        return known

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns, which is called the first time that a key is asked for.

        What others make of this set is forgotten with it; a cache of a module would keep contracts that were replaced.
        """
        found = self._made.get(key, ABSENT)
        if found is ABSENT:
            found = self._made[key] = make()
        return cast("T", found)

    def directed(self, ref: str, direction: Direction) -> "Schema":
        """Return the schema at `ref` as it is for what requests, or responses, carry."""
        found = self._directed_refs.get((ref, direction))
        if found is None:
            own = ref if direction_of(ref) is not None else self._directed[direction].reference(ref)
            found = self._directed_refs[ref, direction] = self.schema(own)
        return found

    def validator(self, ref: str) -> Draft202012Validator:
        """Return the compiled schema at `ref`."""
        ready = self._validators.get(ref)
        if ready is None:
            ready = self._validators[ref] = compiled(self.standalone(ref))
        return ready

    def validator_of_arrays(self, ref: str) -> Draft202012Validator:
        """Return the compiled schema of an array of values of the schema at `ref`, which has no `$dynamicRef`."""
        ready = self._validators.get(f"{ref}[]")
        if ready is None:
            ready = self._validators[f"{ref}[]"] = compiled(self.enclosed({"items": {"$ref": ref}}))
        return ready

    def standalone(self, ref: str) -> dict[str, object]:
        """Return the schema at `ref` with everything that it refers to under `$defs`."""
        whole, self._dynamic[ref] = self._enclosed(_mapping(self.value(ref)))
        return with_resources(ref, self.documents, self.value) if self._dynamic[ref] else whole

    def is_dynamic(self, ref: str) -> bool:
        """Say whether validity depends on where the schema at `ref` is referred to from: by a `$dynamicRef`."""
        if ref not in self._dynamic:
            self.standalone(ref)
        return self._dynamic.get(ref, True)

    def enclosed(self, schema: Mapping[str, object]) -> dict[str, object]:
        """Return a copy of a schema of this set with everything that it refers to under `$defs`."""
        return self._enclosed(schema)[0]

    def _enclosed(self, schema: Mapping[str, object]) -> tuple[dict[str, object], bool]:
        """Return a schema with everything that it refers to, and whether a `$dynamicRef` is among it."""
        names: dict[str, str] = {}
        waiting: list[str] = []
        dynamic: list[str] = []

        def name(target: str) -> str:
            if target not in names:
                names[target] = f"s{len(names)}"
                waiting.append(target)
            return f"#/$defs/{names[target]}"

        def dynamic_name(target: str) -> str:
            dynamic.append(target)
            return name(target)

        root = rewrite_references(schema, name, dynamic_name)
        definitions: dict[str, object] = {}
        while waiting:
            target = waiting.pop()
            definitions[names[target]] = rewrite_references(_mapping(self.value(target)), name, dynamic_name)
        return ({**root, "$defs": definitions} if definitions else root), bool(dynamic)


LACKING: Final = frozenset(("required", "minProperties"))
CONDITIONS: Final = frozenset(("dependentRequired", "dependentSchemas", "else", "then"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One schema of a set. Schemas are equal when set and reference are."""

    within: SchemaSet = field(repr=False)
    ref: str

    @property
    def raw(self) -> Mapping[str, object]:
        """Return the schema as a mapping: `true` is `{}`, `false` is `{"not": {}}`."""
        return _mapping(self.within.value(self.ref))

    @property
    def validator(self) -> Draft202012Validator:
        """Return the compiled schema."""
        return self.within.validator(self.ref)

    @property
    def request(self) -> "Schema":
        """Return this schema for what a request carries: no `readOnly` member is required or checked.

        It is this schema itself where no member, at any depth, is `readOnly`. Use it wherever a request's body, an item
        or a payload is validated, generated or explained, and `response` for what a response carries, where the same
        goes for `writeOnly`. In what is generated, leave the members in `unsent` out.
        """
        return self.within.directed(self.ref, "request")

    @property
    def response(self) -> "Schema":
        """Return this schema for what a response carries: no `writeOnly` member is required or checked."""
        return self.within.directed(self.ref, "response")

    @property
    def unsent(self) -> frozenset[str]:
        """Return the declared members that are not sent in the direction of a `request` or `response` schema."""
        direction = direction_of(self.ref)
        keyword = HIDING_KEYWORDS[direction] if direction else ""
        return frozenset(name for name, one in self.members().items() if one.raw.get(keyword) is True)

    def is_valid(self, value: object) -> bool:
        """Say whether `value` is valid."""
        return self.validator.is_valid(value)

    def are_valid(self, values: Sequence[object]) -> bool:
        """Say whether each value is valid, in one call, which costs half as much as a call for each."""
        if self.within.is_dynamic(self.ref):
            return all(map(self.validator.is_valid, values))
        return self.within.validator_of_arrays(self.ref).is_valid(values)

    def error_of_whole(self, members: Mapping[str, object]) -> ValidationError | None:
        """Return the first violation by the members of a record, None when there is none.

        What every record lacks does not count, as it may be stated beside the members; what some members demand does.
        """
        errors = self.validator.iter_errors(members)
        return next((one for one in errors if one.kind.name not in LACKING or CONDITIONS & {*one.schema_path}), None)

    def standalone(self) -> dict[str, object]:
        """Return this schema with everything that it refers to under `$defs`."""
        return self.within.standalone(self.ref)

    def with_static_references(self) -> "Schema":
        """Return this schema with a `$ref` in the place of each `$dynamicRef`; itself where there is none."""
        if not self.within.is_dynamic(self.ref):
            return self
        document, ref = with_static_references(self.ref, self.within.documents, self.within.value)
        return SchemaSet({"": document}).schema(ref)

    def inside(self, *tokens: str) -> "Schema":
        """Return the subschema at those tokens of this schema, such as `properties`, `name`."""
        return self.within.schema(self.ref + pointer_of(tokens))

    def parts(self, keyword: str) -> "tuple[Schema, ...]":
        """Return the subschemas in the list of a keyword such as `oneOf`."""
        listed = self.raw.get(keyword)
        return tuple(self.inside(keyword, str(n)) for n in range(len(listed) if isinstance(listed, list) else 0))

    def forms(self) -> "tuple[Schema, ...]":
        """Return this schema, then its in-place subschemas (`allOf`, `anyOf`, `oneOf`, `then`, `else`) at any depth."""
        return self.within.forms(self)

    def member(self, name: str) -> "Schema | None":
        """Return the schema of an object's member, the first in any of `forms`; None when no form has one."""
        return next(self.declarations(name), None)

    def declarations(self, name: str) -> "Iterator[Schema]":
        """Yield the schemas that `forms` have of an object's member, else that of additional members."""
        is_named = False
        for form in self.forms():
            properties = form.raw.get("properties")
            if isinstance(properties, Mapping) and name in properties:
                is_named = True
                yield form.inside("properties", name)
        if not is_named and (further := self._first("additionalProperties")) is not None:
            yield further

    def items(self) -> "Schema | None":
        """Return the schema of an array's elements, the first in any of `forms`; None when no form has one."""
        return self._first("items")

    def members(self) -> "dict[str, Schema]":
        """Return the schemas of all declared members, those of every form."""
        found: dict[str, Schema] = {}
        for form in self.forms():
            properties = form.raw.get("properties")
            for name in properties if isinstance(properties, Mapping) else ():
                found.setdefault(name, form.inside("properties", name))
        return found

    def at(self, pointer: str) -> "Schema | None":
        """Return the schema of the value at `pointer` of an instance; `*` and numbers go to elements of arrays.

        Where several forms have a member, the first that leads there counts.
        """
        return next(self.reached(tuple(tokens_of(pointer))), None)

    def reached(self, tokens: tuple[str, ...]) -> "Iterator[Schema]":
        """Yield the schemas to which a path leads."""
        if not tokens:
            yield self
            return
        token, *rest = tokens
        is_named = False
        for one in self.declarations(token):
            is_named = True
            yield from one.reached(tuple(rest))
        elements = (one.inside("items") for one in self.forms() if isinstance(one.raw.get("items"), Mapping))
        for one in elements if not is_named and (token == "*" or token.isdecimal()) else ():  # noqa: S105 - a pointer's token
            yield from one.reached(tuple(rest))

    def _first(self, keyword: str) -> "Schema | None":
        assert keyword in SCHEMA_KEYWORDS  # noqa: S101 - a slip of ours, not of a user
        for form in self.forms():
            if isinstance(form.raw.get(keyword), Mapping):
                return form.inside(keyword)
        return None

    def parts_in_place(self) -> "Iterator[Schema]":
        """Yield the subschemas that apply to the same value."""
        yield from (self.within.schema(str(self.raw[keyword])) for keyword in REFERENCES if keyword in self.raw)
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from self.parts(keyword)
        yield from (self.inside(keyword) for keyword in ("then", "else") if keyword in self.raw)


def _mapping(schema: object) -> Mapping[str, object]:
    if isinstance(schema, Mapping):
        return schema
    return {} if schema is True else {"not": {}}

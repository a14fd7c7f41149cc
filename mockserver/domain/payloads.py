"""Judging the members of one payload by its resource's schema, one fault a member."""

from collections.abc import Mapping, Sequence

from contracts.bulk import Resource
from contracts.names import closest
from contracts.schemas import Schema
from contracts.wording import known_words
from mockserver.domain.values import Fault

_LENGTHS = {"minLength", "maxLength"}
_SHAPES = {"type", "anyOf", "oneOf"}


class Payloads:
    """The compiled schema of a resource's payload, None when the contract has none: then everything fits."""

    __slots__ = ("_fold", "_members", "closed", "resource", "schema")

    def __init__(self, resource: Resource, schema: Schema | None) -> None:
        self.resource, self.schema = resource, schema
        self._members = {} if schema is None else schema.members()
        self.closed = schema is not None and schema.raw.get("additionalProperties") is False
        self._fold = {name.lower(): name for name in self._members} if resource.ignore_case else {}

    def all_valid(self, payloads: Sequence[object]) -> bool:
        """Tell whether every payload fits as it is, names and all; the quick first phase."""
        schema = self.schema
        return schema is not None and all(map(schema.validator.is_valid, payloads))

    def name(self, given: str) -> str:
        """Return the name that the schema has for a member, as given when it has none."""
        return self._fold.get(given.lower(), given) if self._fold else given

    def check(self, payload: Mapping[str, object], *, creating: bool) -> tuple[dict[str, object], list[Fault]]:
        """Return the payload with the schema's names, and its faults."""
        named = {self.name(name): value for name, value in payload.items()}
        faults = [fault for name, value in named.items() if (fault := self._fault(name, value)) is not None]
        if creating:
            faults += [self.missing(name) for name in self.resource.required if name not in named]
        return named, faults

    def missing(self, name: str) -> Fault:
        """Return the fault of a required member that is not there."""
        return Fault("missing", (name,), facts=self._bounds(name))

    def _fault(self, name: str, value: object) -> Fault | None:
        if self.schema is None:
            return None
        member = self._members.get(name)
        if member is None:
            return Fault("unknown", (name,), value, {"closest": closest(name, self._members)}) if self.closed else None
        validator = member.validator
        if validator.is_valid(value):
            return None
        if value is None and name in self.resource.required:
            return Fault("missing", (name,), None, self._bounds(name))
        return self._broken(name, value, str(next(iter(validator.iter_errors(value))).schema_path[-1]))

    def _broken(self, name: str, value: object, keyword: str) -> Fault:
        if keyword in _LENGTHS and isinstance(value, str):
            return Fault("length", (name,), value, {**self._bounds(name), "length": len(value)})
        kind = "type" if keyword in _SHAPES else "schema"
        return Fault(
            kind, (name,), value, {**self._bounds(name), "keyword": keyword, **self._words(name, value, keyword)}
        )

    def _words(self, name: str, value: object, keyword: str) -> dict[str, object]:
        """Return the words that a member may be, and the closest of them, where its schema lists some."""
        member = self._members.get(name)
        raw = next((form.raw for form in member.forms() if keyword in form.raw), {}) if member is not None else {}
        words = known_words(keyword, raw.get(keyword), raw)
        return {"words": words, "nearest": closest(value, words) if isinstance(value, str) else ""} if words else {}

    def _bounds(self, name: str) -> dict[str, object]:
        """Return what the schema says of a member: its `expected` type, `min` and `max` length."""
        member = self._members.get(name)
        raw = {} if member is None else member.raw
        words = raw.get("type", ())
        kinds = [words] if isinstance(words, str) else [word for word in words if word != "null"]  # type: ignore[attr-defined] # a schema that was checked
        expected = kinds[0] if kinds else "integer" if name in self.resource.references else "value"
        return {"expected": expected, "min": raw.get("minLength", 0), "max": raw.get("maxLength")}

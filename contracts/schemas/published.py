"""The faults of a document against a published JSON Schema (2020-12), each with a fact and a cure.

Begin with `PublishedSchema`. jsonschema-rs finds the errors; the words are ours, made of the error's keyword, its value
and the schema that has it, whose `description` is the cure where it has one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

from jsonschema_rs import Draft202012Validator, ValidationError

from contracts.errors import Fault
from contracts.messages import ABSENT
from contracts.schemas.schema_set import compiled
from contracts.schemas.wording import keyword_check, type_words
from contracts.syntax.text import (
    DURATION_PATTERN,
    did_you_mean,
    duration_fault,
    listed,
    look_up,
    pointer_of,
    short,
    type_name,
)

META_SCHEMA: Final = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
FactsAndCures: TypeAlias = Iterable[tuple[str, str]]


class SchemaError(NamedTuple):
    """One broken keyword: the error, the value that breaks it, and the schema that has it ({} when unknown)."""

    error: ValidationError
    value: Any
    schema: Mapping[str, Any]

    @property
    def keyword(self) -> str:
        """Return the name of the keyword."""
        return self.error.kind.name

    @property
    def expected(self) -> Any:
        """Return the keyword's value."""
        return self.schema.get(self.keyword, self.error.kind.value)

    @property
    def cure(self) -> str:
        """Return the description of the schema that is not met, "" without one."""
        text = "" if "$schema" in self.schema else self.schema.get("description", "")
        return f"{text}." if text else ""


class PublishedSchema:
    """A JSON Schema that documents are written to, compiled on first use."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    @cached_property
    def validator(self) -> Draft202012Validator:
        """Return the compiled schema; formats are not asserted."""
        return compiled(self.schema, formats=False)

    def faults(self, value: object, *, shown: str, tokens: Iterable[str | int] = ()) -> Iterator[Fault]:
        """Yield the faults of a value; `shown` is its file's name, `tokens` are its place in the file."""
        for broken in self.errors(value):
            pointer = pointer_of((*tokens, *broken.error.instance_path))
            for fact, cure in self.explained(broken, value):
                yield Fault(file=shown, pointer=pointer, fact=fact, cure=cure)

    def errors(self, value: object) -> Iterator[SchemaError]:
        """Yield the broken keywords of a value, each once for one place."""
        if self.validator.is_valid(value):
            return
        seen: set[tuple[str, str, str]] = set()
        for error in self.validator.iter_errors(value):
            one = (error.kind.name, pointer_of(error.instance_path), str(getattr(error.kind, "value", "")))
            if one not in seen:
                seen.add(one)
                yield self._broken(error, value)

    def _broken(self, error: ValidationError, root: object) -> SchemaError:
        schema = look_up(self.schema, pointer_of(error.schema_path[:-1]))
        known = schema if isinstance(schema, Mapping) and error.kind.name in schema else {}
        return SchemaError(error, look_up(root, pointer_of(error.instance_path)), known)

    def explained(self, broken: SchemaError, root: object) -> FactsAndCures:
        """Return a fact and a cure for each mistake behind a broken keyword of the value `root`."""
        if broken.keyword in {"anyOf", "oneOf"}:
            return self._branches(broken, root)
        return EXPLAIN_KEYWORD.get(broken.keyword, _other)(broken)

    def _branches(self, broken: SchemaError, root: object) -> FactsAndCures:
        """Explain the branches whose type matches, when there are any."""
        context = [one for branch in getattr(broken.error.kind, "context", ()) for one in branch]
        near = [one for one in context if one.kind.name != "type"]
        consts = [short(self._broken(one, root).expected) for one in near if one.kind.name == "const"]
        types = [type_words(one.kind.value) for one in context if one.kind.name == "type"]
        if near and types and len(consts) == len(near):
            words = listed(dict.fromkeys((*consts, *types)), "or")
            return [(f"it must be {words}, not {short(broken.value)}.", broken.cure or f"Write {words}.")]
        if near or not context:
            texts = [text for one in near for text in self.explained(self._broken(one, root), root)]
            return texts or _other(broken)
        return _wrong_type(broken, listed(dict.fromkeys(types), "or"))


def _wrong_type(broken: SchemaError, words: str) -> FactsAndCures:
    return [(f"it must be {words}, not {type_words(type_name(broken.value))}.", broken.cure or f"Write {words}.")]


def _type(broken: SchemaError) -> FactsAndCures:
    return _wrong_type(broken, type_words(broken.expected))


def _unknown(broken: SchemaError) -> FactsAndCures:
    known = list(broken.schema.get("properties", ()))
    others = broken.cure or (f"Known: {listed(known)}." if known else "Remove it.")
    return [(f"'{name}' is not known here.", did_you_mean(name, known) or others) for name in broken.error.kind.value]


def _missing(broken: SchemaError) -> FactsAndCures:
    return [(f"'{broken.error.kind.value}' is missing.", "Add it.")]


def _enum(broken: SchemaError) -> FactsAndCures:
    known = [str(one) for one in broken.expected]
    hint = did_you_mean(broken.value, known) if isinstance(broken.value, str) else ""
    return [(f"{short(broken.value)} is not known here.", hint or f"Write {listed(known, 'or')}.")]


def _const(broken: SchemaError) -> FactsAndCures:
    expected = short(broken.expected)
    return [(f"it must be {expected}, not {short(broken.value)}.", broken.cure or f"Write {expected}.")]


def _pattern(broken: SchemaError) -> FactsAndCures:
    if broken.expected == DURATION_PATTERN:
        return [duration_fault(broken.value)]
    return [(f"{short(broken.value)} has not the right form.", broken.cure or f"It must match {broken.expected}.")]


def _name(broken: SchemaError) -> FactsAndCures:
    name = broken.error.kind.value.instance
    return [(f"{short(name)} is no name that can be here.", broken.cure or "Write another one.")]


def _other(broken: SchemaError) -> FactsAndCures:
    shown = "it" if broken.value is ABSENT else short(broken.value)
    fact = f"{shown} {keyword_check(broken.keyword, broken.expected).predicate}."
    return [(fact, broken.cure or "Correct it.")]


EXPLAIN_KEYWORD: Final[Mapping[str, Callable[[SchemaError], FactsAndCures]]] = {
    "additionalProperties": _unknown,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "propertyNames": _name,
    "required": _missing,
    "type": _type,
}

"""Saying why a value does not fit a schema: each keyword asked by itself, each bad part looked at, nothing else.

jsonschema-rs decides every question; only the way through schema and value is ours, so that 5000 bad items cost little.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from jsonschema_rs import Draft202012Validator

from contracts.branches import choice_rule
from contracts.containers import elements_rule, members_rule, names_rule
from contracts.findings import Explain, ExplainerOf, Findings, Path
from contracts.keywords import is_annotation
from contracts.pointers import step
from contracts.schemas import Schema, compiled
from contracts.wording import lacking, lacking_for, of_keyword, unknown

Maker: TypeAlias = Callable[[Schema, ExplainerOf], Explain]
SILENT: Final = frozenset(("$anchor", "$defs", "$dynamicAnchor", "$id", "definitions", "discriminator", "else", "then"))
WITH_CONTAINS: Final = ("maxContains", "minContains")
NEEDS_THE_WHOLE: Final = frozenset(("unevaluatedItems", "unevaluatedProperties"))


class Explainer:
    """Says what is wrong with values that do not fit one schema. Its rules are made when they are first needed."""

    __slots__ = ("_rules", "schema")

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._rules: tuple[Explain, ...] | None = None

    def explain(self, value: object, path: Path, found: Findings) -> None:
        """Add what is wrong with `value`, which does not fit and stands at `path`."""
        rules = self._rules
        if rules is None:
            rules = self._rules = tuple(_rules(self.schema))
        before = found.total
        for rule in rules:
            rule(value, path, found)
        if found.total == before:
            _tell_plainly(self.schema, value, path, found)


def explain(schema: Schema, value: object, path: Path, found: Findings) -> None:
    """Add what is wrong with `value`, which does not fit; what is nested too deep for Python is told in brief."""
    before = found.total
    try:
        explainer(schema)(value, path, found)
    except RecursionError:
        if found.total == before:
            _tell_plainly(schema, value, path, found)


@lru_cache(maxsize=10_000)
def explainer(schema: Schema) -> Explain:
    """Return what explains a schema, the same for the same schema."""
    return Explainer(schema).explain


def _rules(schema: Schema) -> Iterator[Explain]:
    raw = schema.raw
    alone = [one for one in raw if one not in MAKERS and one not in LATER and not is_annotation(one)]
    if alone:
        yield _alone(schema, alone)
    makers = dict.fromkeys(MAKERS[keyword] for keyword in MAKERS if keyword in raw)
    yield from (maker(schema, explainer) for maker in makers)


def _alone(schema: Schema, keywords: list[str]) -> Explain:
    """Return the rule of the keywords that look at one value by themselves."""
    checks = [(_compiled(schema, one).is_valid, of_keyword(one, schema.raw[one], schema.raw)) for one in keywords]

    def rule(value: Any, path: Path, found: Findings) -> None:
        for fits, broken in checks:
            if not fits(value):
                found.add(broken, path, value)

    return rule


def _compiled(schema: Schema, keyword: str) -> Draft202012Validator:
    names = (keyword, *WITH_CONTAINS) if keyword == "contains" else (keyword,)
    return compiled(schema.within.enclosed({one: schema.raw[one] for one in names if one in schema.raw}))


def _required(schema: Schema, _: ExplainerOf) -> Explain:
    known = tuple(schema.members())
    wanted = [(name, lacking(name, known)) for name in _listed(schema.raw["required"])]

    def rule(value: Any, path: Path, found: Findings) -> None:
        if isinstance(value, dict):
            for name, broken in wanted:
                if name not in value:
                    found.add(broken, path, value)

    return rule


def _dependent_required(schema: Schema, _: ExplainerOf) -> Explain:
    needs = _mapped(schema.raw["dependentRequired"])
    wanted = [(given, name, lacking_for(name, given)) for given, names in needs.items() for name in names]

    def rule(value: Any, path: Path, found: Findings) -> None:
        if isinstance(value, dict):
            for given, name, broken in wanted:
                if given in value and name not in value:
                    found.add(broken, path, value)

    return rule


def _dependent_schemas(schema: Schema, explain_of: ExplainerOf) -> Explain:
    parts = {name: schema.inside("dependentSchemas", name) for name in _mapped(schema.raw["dependentSchemas"])}

    def rule(value: Any, path: Path, found: Findings) -> None:
        for name, part in parts.items():
            if isinstance(value, dict) and name in value and not part.is_valid(value):
                explain_of(part)(value, path, found)

    return rule


def _all_of(schema: Schema, explain_of: ExplainerOf) -> Explain:
    parts = schema.parts("allOf")

    def rule(value: Any, path: Path, found: Findings) -> None:
        for part in parts:
            if not part.is_valid(value):
                explain_of(part)(value, path, found)

    return rule


def _if(schema: Schema, explain_of: ExplainerOf) -> Explain:
    condition = schema.inside("if")
    branches = {word: schema.inside(word) for word in ("then", "else") if word in schema.raw}

    def rule(value: Any, path: Path, found: Findings) -> None:
        branch = branches.get("then" if condition.is_valid(value) else "else")
        if branch is not None and not branch.is_valid(value):
            explain_of(branch)(value, path, found)

    return rule


def _reference(schema: Schema, explain_of: ExplainerOf) -> Explain:
    return explain_of(schema.within.schema(str(schema.raw["$ref"])))


def _tell_plainly(schema: Schema, value: object, path: Path, found: Findings) -> None:
    """Add what jsonschema-rs says where no keyword by itself is broken: `unevaluatedProperties` and the like."""
    for error in schema.validator.iter_errors(value):
        at = path
        for token in error.instance_path:
            at = (at, token)
        if error.kind.name == "unevaluatedProperties":
            for name in error.kind.value:
                known = tuple(schema.members())
                found.add(unknown(known, error.kind.name), (at, name), step(error.instance, name))
        else:
            found.add(of_keyword(error.kind.name, error.kind.value), at, error.instance)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else []


def _mapped(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


MAKERS: Final[Mapping[str, Maker]] = {
    "required": _required,
    "dependentRequired": _dependent_required,
    "propertyNames": names_rule,
    "properties": members_rule,
    "patternProperties": members_rule,
    "additionalProperties": members_rule,
    "prefixItems": elements_rule,
    "items": elements_rule,
    "$ref": _reference,
    "allOf": _all_of,
    "oneOf": partial(choice_rule, keyword="oneOf"),
    "anyOf": partial(choice_rule, keyword="anyOf"),
    "if": _if,
    "dependentSchemas": _dependent_schemas,
}
LATER: Final = SILENT | NEEDS_THE_WHOLE | frozenset(WITH_CONTAINS)

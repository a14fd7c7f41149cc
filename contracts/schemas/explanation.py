"""Explain why a value is invalid: each keyword checked alone, only invalid members and elements visited.

Begin with `explain`. jsonschema-rs decides every question; only the traversal is done here, so that thousands of
invalid items cost little.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from jsonschema_rs import Draft202012Validator

from contracts.schemas.explanation_rules import choice_rule, elements_rule, members_rule, names_rule
from contracts.schemas.keywords import is_annotation
from contracts.schemas.schema_set import Schema, compiled
from contracts.schemas.violations import Explain, ExplainerOf, Findings, Path
from contracts.schemas.wording import keyword_check, missing_dependent, missing_member, unknown_member
from contracts.syntax.text import as_list, as_mapping, step

RuleMaker: TypeAlias = Callable[[Schema, ExplainerOf], Explain]
SKIPPED_KEYWORDS: Final = frozenset(
    ("$anchor", "$defs", "$dynamicAnchor", "$id", "definitions", "discriminator", "else", "then")
)
WITH_CONTAINS: Final = ("maxContains", "minContains")
UNEVALUATED_KEYWORDS: Final = frozenset(("unevaluatedItems", "unevaluatedProperties"))


class Explainer:
    """Explains values that are invalid for one schema. Its rules are made on first use.

    A schema with a `$dynamicRef` is explained as a whole: what its parts mean depends on where they are referred to.
    """

    __slots__ = ("_rules", "schema")

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._rules: tuple[Explain, ...] | None = None

    def explain(self, value: object, path: Path, found: Findings) -> None:
        """Add what is wrong with the invalid `value` at `path` to `found`."""
        rules = self._rules
        if rules is None:
            whole = self.schema.within.is_dynamic(self.schema.ref)
            rules = self._rules = () if whole else tuple(_rules(self.schema))
        before = found.total
        for rule in rules:
            rule(value, path, found)
        if found.total == before:
            _explain_whole(self.schema, value, path, found)


def explain(schema: Schema, value: object, path: Path, found: Findings) -> None:
    """Add what is wrong with an invalid `value`; nesting beyond Python's recursion limit gets a summary."""
    before = found.total
    try:
        explainer(schema)(value, path, found)
    except RecursionError:
        if found.total == before:
            _explain_whole(schema, value, path, found)


def explainer(schema: Schema) -> Explain:
    """Return the function that explains a schema, the same for equal schemas."""
    return schema.within.once((explainer, schema.ref), lambda: Explainer(schema).explain)


def _rules(schema: Schema) -> Iterator[Explain]:
    raw = schema.raw
    alone = [one for one in raw if one not in RULE_MAKERS and one not in NOT_CHECKED_ALONE and not is_annotation(one)]
    if alone:
        yield _value_rule(schema, alone)
    makers = dict.fromkeys(RULE_MAKERS[keyword] for keyword in RULE_MAKERS if keyword in raw)
    yield from (maker(schema, explainer) for maker in makers)


def _value_rule(schema: Schema, keywords: list[str]) -> Explain:
    """Return the rule of the keywords that apply to one value by itself."""
    checks = [(_compiled(schema, one).is_valid, keyword_check(one, schema.raw[one], schema.raw)) for one in keywords]

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
    required = [(name, missing_member(name, known)) for name in as_list(schema.raw["required"])]

    def rule(value: Any, path: Path, found: Findings) -> None:
        if isinstance(value, dict):
            for name, broken in required:
                if name not in value:
                    found.add(broken, path, value)

    return rule


def _dependent_required(schema: Schema, _: ExplainerOf) -> Explain:
    needs = as_mapping(schema.raw["dependentRequired"])
    required = [(given, name, missing_dependent(name, given)) for given, names in needs.items() for name in names]

    def rule(value: Any, path: Path, found: Findings) -> None:
        if isinstance(value, dict):
            for given, name, broken in required:
                if given in value and name not in value:
                    found.add(broken, path, value)

    return rule


def _dependent_schemas(schema: Schema, explain_of: ExplainerOf) -> Explain:
    parts = {name: schema.inside("dependentSchemas", name) for name in as_mapping(schema.raw["dependentSchemas"])}

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


def _explain_whole(schema: Schema, value: object, path: Path, found: Findings) -> None:
    """Add the errors of jsonschema-rs where no keyword alone is violated, such as `unevaluatedProperties`."""
    for error in schema.validator.iter_errors(value):
        at = path
        for token in error.instance_path:
            at = (at, token)
        if error.kind.name == "unevaluatedProperties":
            for name in error.kind.value:
                known = tuple(schema.members())
                found.add(unknown_member(known, error.kind.name), (at, name), step(error.instance, name))
        else:
            found.add(keyword_check(error.kind.name, error.kind.value), at, error.instance)


RULE_MAKERS: Final[Mapping[str, RuleMaker]] = {
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
NOT_CHECKED_ALONE: Final = SKIPPED_KEYWORDS | UNEVALUATED_KEYWORDS | frozenset(WITH_CONTAINS)

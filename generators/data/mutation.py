"""Mutate a valid value so that exactly one keyword is violated. Begin with `invalid_variants`.

Each mutation is validated with jsonschema-rs; one that violates more than its keyword is dropped. What breaks `not`,
`if` and `dependentSchemas` is drawn: a value of all that they exclude.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final

from contracts.schemas.explanation import explain
from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.schemas.violations import Findings
from contracts.syntax.text import pointer_of
from generators.data import mutation_rules
from generators.data.compile import compiler_of
from generators.data.mutation_rules import Candidate, MutationSite, Rule, mutation_sites
from generators.data.normalise import flatten
from generators.errors import ContradictionError, UnsatisfiableError

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

CHOICE_KEYWORDS: Final = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """An invalid value: `keyword` is the only one that it violates, `pointer` where, `says` a phrase for messages.

    As in a Violation, a missing member points at the object that lacks it, a surplus one at itself. For a keyword
    inside `anyOf` or `oneOf`, `keyword` is that of the choice; inside `then`, `else` and `dependentSchemas` it is the
    inner one.
    """

    value: object
    keyword: str
    pointer: str
    says: str


STEERED_DRAWS: Final = 3
STEERED_FUEL: Final = 50
CONDITION: Final = ("if", "then", "else")


def _not(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    for value in _drawn_towards(site, ("not",), [site.argument], rng):
        yield Candidate(value, "it has the form that is excluded")


def _if(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    """Yield values that meet the condition and not what follows, or neither it nor what follows otherwise."""
    ways = (
        (site.argument, "then", "the condition holds"),
        ({"not": site.argument}, "else", "the condition does not hold"),
    )
    for test, branch, says in ways:
        if branch in site.schema:
            for value in _drawn_towards(site, CONDITION, [test, {"not": site.schema[branch]}], rng):
                yield Candidate(value, f"{says}, but what '{branch}' asks for is missing")


def _dependent_schemas(site: MutationSite, rng: Random) -> Iterator[Candidate]:
    for name, schema in site.argument.items() if isinstance(site.value, dict) else ():
        goal = [{"type": "object", "required": [name]}, {"not": schema}]
        for value in _drawn_towards(site, ("dependentSchemas",), goal, rng):
            yield Candidate(value, f"'{name}' is there, but not what depends on it")


STEERED_RULES: Final[Mapping[str, Rule]] = {"not": _not, "if": _if, "dependentSchemas": _dependent_schemas}
RULES: Final[Mapping[str, Rule]] = {**mutation_rules.RULES, **STEERED_RULES}


def _drawn_towards(
    site: MutationSite, leaving: tuple[str, ...], goal: Sequence[object], rng: Random
) -> Iterator[object]:
    """Yield values of the site's schema without the keywords `leaving`, which are of all schemas of the goal too.

    Of an object the members that the goal mentions are replaced, if it mentions some.
    """
    rest = {keyword: argument for keyword, argument in site.schema.items() if keyword not in leaving}
    compiler = compiler_of(site.within, edges=0.0, profile="plain")
    node = compiler.plan({"allOf": [rest, *goal]}, pointer_of(site.tokens))
    names = _mentioned(goal, site.within) if isinstance(site.value, dict) and node.possible() else ()
    for _ in range(STEERED_DRAWS if node.possible() else 0):
        try:
            drawn = node.closure()(rng, STEERED_FUEL)
        except UnsatisfiableError:
            return
        if names and isinstance(drawn, dict):
            kept = {name: one for name, one in site.value.items() if name in drawn or name not in names}
            yield kept | {name: one for name, one in drawn.items() if name in names}
        else:
            yield drawn


def _mentioned(goal: Sequence[object], schemas: SchemaSet) -> list[str]:
    """Return the members that schemas, and those that they negate, declare or require."""
    found: dict[str, None] = {}
    for schema in goal:
        try:
            flat = flatten(schema, schemas)
            inner = flatten(flat.get("not", True), schemas)
        except (ContradictionError, UnsatisfiableError):
            continue
        for one in (flat, inner):
            found |= dict.fromkeys((*one.get("properties", ()), *one.get("required", ())))
    return list(found)


def invalid_variants(
    schema: Schema | Mapping[str, object], value: object, rng: Random, *, keywords: tuple[str, ...] = ()
) -> Iterator[Mutation]:
    """Yield invalid variants of a valid value in random order; with `keywords`, only those that violate one of them.

    Variants share parts with `value`: do not change them in place. Violations that cannot be isolated are omitted.
    """
    bound = schema if isinstance(schema, Schema) else SchemaSet({"": schema}).schema("#")
    found = [site for site in mutation_sites(bound, value) if site.keyword in RULES]
    rng.shuffle(found)
    for site in found:
        candidates = list(RULES[site.keyword](site, rng))
        rng.shuffle(candidates)
        for candidate in candidates:
            mutation = _proven(bound, value, site, candidate)
            if mutation is not None and (not keywords or mutation.keyword in keywords):
                yield mutation


def invalid_variant(
    schema: Schema | Mapping[str, object], value: object, rng: Random, *, keywords: tuple[str, ...] = ()
) -> Mutation | None:
    """Return one invalid variant of a valid value, None when there is none."""
    return next(invalid_variants(schema, value, rng, keywords=keywords), None)


def _proven(schema: Schema, value: object, site: MutationSite, candidate: Candidate) -> Mutation | None:
    broken = with_replacement(value, site.tokens, candidate.value)
    errors = list(islice(schema.validator.iter_errors(broken), 2))
    if len(errors) != 1:
        return None
    error, place = errors[0], (*site.tokens, *candidate.inside)
    if site.keyword in STEERED_RULES:
        return _steered(schema, broken, candidate.says) if _is_inside(error, site) else None
    if _is_about(error, site, place):
        return Mutation(value=broken, keyword=site.keyword, pointer=pointer_of(place), says=candidate.says)
    last, at = error.schema_path[-1:], tuple(error.instance_path)
    if last and last[0] in CHOICE_KEYWORDS and at == site.tokens[: len(at)]:
        return Mutation(value=broken, keyword=str(last[0]), pointer=pointer_of(at), says=candidate.says)
    return None


INNER_STEPS: Final = {"if": ("then", "else"), "dependentSchemas": ("dependentSchemas",), "not": ("not",)}


def _is_inside(error: "ValidationError", site: MutationSite) -> bool:
    """Say whether the error is of the site's keyword, or of a schema that it applies."""
    at = tuple(error.instance_path)
    return at[: len(site.tokens)] == site.tokens and any(
        step in error.schema_path for step in INNER_STEPS[site.keyword]
    )


def _steered(schema: Schema, broken: object, says: str) -> Mutation | None:
    """Return the mutation by the keyword and place that validation tells."""
    findings = Findings(most=1)
    explain(schema, broken, None, findings)
    told = next(iter(findings.violations(side="call", where="body")), None)
    return None if told is None else Mutation(value=broken, keyword=told.rule, pointer=told.pointer, says=says)


def _is_about(error: "ValidationError", site: MutationSite, place: tuple[str | int, ...]) -> bool:
    at = tuple(error.instance_path)
    if site.keyword == "propertyNames":
        return at == site.tokens and site.keyword in error.schema_path[-2:-1]
    return at in (site.tokens, place) and error.schema_path[-1:] == [site.keyword]


def with_replacement(value: Any, tokens: tuple[str | int, ...], new: object) -> object:
    """Return a copy of `value` with `new` at `tokens`; parts that are not on the way are shared."""
    if not tokens:
        return new
    copy: Any = value.copy()
    copy[tokens[0]] = with_replacement(value[tokens[0]], tokens[1:], new)
    return copy

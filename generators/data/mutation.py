"""Mutate a valid value so that exactly one keyword is violated. Begin with `invalid_variants`.

Each mutation is validated with jsonschema-rs; one that violates more than its keyword is dropped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final

from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.syntax.text import pointer_of
from generators.data.mutation_rules import RULES, Candidate, MutationSite, mutation_sites

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

CHOICE_KEYWORDS: Final = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """An invalid value: `keyword` is the only one that it violates, `pointer` where, `says` a phrase for messages.

    As in a Violation, a missing member points at the object that lacks it, a surplus one at itself. For a keyword
    inside `anyOf` or `oneOf`, `keyword` is that of the choice.
    """

    value: object
    keyword: str
    pointer: str
    says: str


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
    if _is_about(error, site, place):
        return Mutation(value=broken, keyword=site.keyword, pointer=pointer_of(place), says=candidate.says)
    last, at = error.schema_path[-1:], tuple(error.instance_path)
    if last and last[0] in CHOICE_KEYWORDS and at == site.tokens[: len(at)]:
        return Mutation(value=broken, keyword=str(last[0]), pointer=pointer_of(at), says=candidate.says)
    return None


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

"""Breaking a valid value in one place, and proving that nothing else broke."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final

from contracts.pointers import pointer_of
from contracts.schemas import Schema, SchemaSet
from generators.mutations.rules import RULES, Candidate
from generators.mutations.sites import Site, sites

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

CHOICES: Final = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """An invalid value. `keyword` is what it breaks, and nothing else; `pointer` where; `says` is a phrase for people.

    As in a Violation, a missing member points at the object that lacks it, a surplus one at itself. When the keyword
    stands inside a choice, the choice is what breaks.
    """

    value: object
    keyword: str
    pointer: str
    says: str


def invalid_variants(
    schema: Schema | Mapping[str, object], value: object, rng: Random, *, keywords: tuple[str, ...] = ()
) -> Iterator[Mutation]:
    """Yield invalid variants of a valid value in random order; with `keywords`, only those that break one of them.

    Parts of `value` are shared with the variants: do not change them in place. What cannot be isolated is left out.
    """
    bound = schema if isinstance(schema, Schema) else SchemaSet({"": schema}).schema("#")
    found = [site for site in sites(bound, value) if site.keyword in RULES]
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


def _proven(schema: Schema, value: object, site: Site, candidate: Candidate) -> Mutation | None:
    broken = replaced(value, site.tokens, candidate.value)
    errors = list(islice(schema.validator.iter_errors(broken), 2))
    if len(errors) != 1:
        return None
    error, place = errors[0], (*site.tokens, *candidate.inside)
    if _is_about(error, site, place):
        return Mutation(value=broken, keyword=site.keyword, pointer=pointer_of(place), says=candidate.says)
    last, at = error.schema_path[-1:], tuple(error.instance_path)
    if last and last[0] in CHOICES and at == site.tokens[: len(at)]:
        return Mutation(value=broken, keyword=str(last[0]), pointer=pointer_of(at), says=candidate.says)
    return None


def _is_about(error: "ValidationError", site: Site, place: tuple[str | int, ...]) -> bool:
    at = tuple(error.instance_path)
    if site.keyword == "propertyNames":
        return at == site.tokens and site.keyword in error.schema_path[-2:-1]
    return at in (site.tokens, place) and error.schema_path[-1:] == [site.keyword]


def replaced(value: Any, tokens: tuple[str | int, ...], new: object) -> object:
    """Return a copy of `value` with another value at `tokens`; what is not on the way is shared."""
    if not tokens:
        return new
    copy: Any = value.copy()
    copy[tokens[0]] = replaced(value[tokens[0]], tokens[1:], new)
    return copy

"""The part of the law `errors` on refusals: a request that is refused for its items tells their faults, and no others.

Begin with `refused_errors`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

from contracts.bulk.model import BulkGuard
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find, json_of, put
from contracts.messages import Exchange
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, as_mapping, escape, short
from generators.check.laws.limits import REFUSED_DEFECTS, defective_trial
from generators.check.laws.metamorphic import known_targets, valid_cases
from generators.check.trial_setup import WRITING_ACTIONS, Trial, available_cases, fits_request, prepare_trial
from generators.check.trials import send, trial_finding
from generators.client.sites import SiteContext, experiment_sites
from generators.data.mutation import Mutation, invalid_variants
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.requests.envelope import SendOptions
from generators.requests.items import own_key_member

PLANS: Final[Mapping[int, tuple[tuple[str, int], ...]]] = {
    1: (("type", 0), ("maxLength", 1)),
    2: (("type", 0),),
    4: (("maxLength", 0),),
}  # by the item's index: a keyword to break, and in which of the members
NO_ITEM: Final = "bulkproof"  # in the place of an item
RULES: Final = ("type", "maxLength", "minLength", "format")
WORD_RULES: Final = frozenset(("const", "enum"))  # that a value of another type violates, too
OTHER_RULES: Final = WORD_RULES | {"format", "pattern"}  # that a text may violate, too
ITEMS: Final = 6
FEW_MANY: Final = (2, 120)  # keys that are repeated: more than fit on a page
MAX_KINDS: Final = 6  # of records, each of whose members breaks each rule
MAX_TYPES: Final = 80  # requests with a value of another type
INSIDE: Final = ("required", "additionalProperties", "minProperties")  # keywords that a lookup violates
NEEDED: Final = (
    "type",
    "required",
    "anyOf",
    "minimum",
    "minLength",
)  # keywords by which a request is refused, whatever else is in it


class Place(NamedTuple):
    """Where an item is wrong: its index in the request, a JSON Pointer inside it, and the keyword that is violated."""

    item: int
    inner: str
    keyword: str


def refused_errors(context: SiteContext) -> Iterator[Finding]:
    """Send a request with several malformed items, and judge what its refusal lists. Raises NotApplicableError."""
    guard = context.bulk.guard
    if not guard.faults or "malformedItem" not in guard.refuse:
        raise NotApplicableError("it does not declare how a refusal lists the faults of items")
    left = {one.shape: one for one in _findings(context, tuple(PLANS))}
    for index in PLANS:
        for one in _findings(context, (index,)) if left else ():
            if left.pop(one.shape, None) is not None:
                yield one
    yield from left.values()
    for site in experiment_sites(context.session, context.operation)[:MAX_KINDS]:
        with suppress(NotApplicableError):
            yield from _many_faults(replace(context, site=site))
    yield from _accepted_types(context)
    yield from _pointed(context)
    yield from _repeated(context)


def _repeated(context: SiteContext) -> Iterator[Finding]:
    """Repeat few keys and many, each once: where the total counts the few, it counts the many, listed or not."""
    guard, right, most = context.bulk.guard, available_cases(context)[0], context.bulk.items.max
    word, case = _repeating(guard), next((one for one in right if not one.existing), None)
    if case is None or not word or "total" not in guard.faults or (most is not None and most < 2 * max(FEW_MANY)):
        return
    for size in FEW_MANY:
        trial = prepare_trial(context, [case] * (2 * size))
        for n in range(size):
            trial.items[size + n] = REFUSED_DEFECTS[word](trial, trial.items[n], trial.items[size + n])
        exchange = send(trial, _options(context))
        total = find(exchange.response.data, guard.faults["total"])
        if exchange.response.status != guard.refuse[word] or (size == min(FEW_MANY) and total != size):
            return
        yield from _judge_both(context, trial, size) if size == min(FEW_MANY) else ()
        if total != size:
            says = f"{size} keys are there twice, but the total is {short(total)}"
            yield trial_finding("errors", "refusal tells another total", says, exchange)


def _judge_both(context: SiteContext, trial: Trial, size: int) -> Iterator[Finding]:
    """Put what is no item behind keys that are there twice: where every fault is told, it is counted too."""
    guard, element = context.bulk.guard, context.spec.encoder.element
    if not guard.every_fault or "malformedItem" not in guard.refuse or element is None or element.is_valid(NO_ITEM):
        return
    last = replace(trial.items[0], raw=NO_ITEM, slot=len(trial.items))
    exchange = send(replace(trial, items=[*trial.items, last]), _options(context))
    total = find(exchange.response.data, guard.faults["total"])
    if exchange.response.status in SUCCESS_STATUS or total != size + 1:
        says = f"{size} keys are there twice and one item is none, but the total is {short(total)}"
        yield trial_finding("errors", "refusal tells another total", says, exchange)


def _repeating(guard: BulkGuard) -> str:
    """Return why a request is refused that repeats something, "" where it is not."""
    return next((one for one in ("duplicateKey", "duplicateTarget") if one in guard.refuse), "")


def _pointed(context: SiteContext) -> Iterator[Finding]:
    """Repeat a key, and leave out a member that a record needs: the refusal points where it is declared to point."""
    guard, points = context.bulk.guard, context.bulk.guard.fault_points
    word = _repeating(guard)
    if "repeated" in points and word:
        trial = defective_trial(context, REFUSED_DEFECTS[word])
        at = f"/{len(trial.items) - 1}"
        yield from _judge_pointers(context, trial, word, at, f"{at}/")
    trial = prepare_trial(context, valid_cases(context, 1))
    raw, key = trial.items[0].raw, context.resource.key
    less = {name: value for name, value in raw.items() if name != key} if isinstance(raw, dict) else raw
    if "missing" in points and less != raw and not fits_request(trial, trial.items[0].case, less):
        trial.items[0] = replace(trial.items[0], raw=less)
        yield from _judge_pointers(context, trial, "malformedItem", "/0")


def _judge_pointers(context: SiteContext, trial: Trial, word: str, place: str, inside: str = "") -> Iterator[Finding]:
    """Send a request that is refused, and yield when no fault is told at a place, nor inside it where that is given."""
    declared, exchange = context.bulk.guard.faults, send(trial, _options(context))
    told = as_list(find(exchange.response.data, declared["at"]))
    pointers = [str(find(one, declared["pointer"])) for one in told] if "pointer" in declared else []
    base = _base(context, exchange)
    right = [one for one in pointers if one == f"{base}{place}" or (inside and one.startswith(f"{base}{inside}"))]
    if exchange.response.status == context.bulk.guard.refuse[word] and pointers and not right:
        says = f"a fault is told at {short(pointers[0])}, but it belongs at {base}{place}"
        yield trial_finding("errors", "refusal points elsewhere", says, exchange)


def _options(context: SiteContext) -> SendOptions:
    return SendOptions(unit=context.unit, targets=known_targets(context)[:1])


def _base(context: SiteContext, exchange: Exchange) -> str:
    """Return the pointer of the list of items in a request."""
    sent = json_of(exchange.request.body)
    return next((at for at in context.bulk.items.places if isinstance(find(sent, at), list)), "")


def _many_faults(context: SiteContext) -> Iterator[Finding]:
    """Break each rule of each member, an item for each rule: more kinds of faults than fit on a page are all told."""
    trial = prepare_trial(context, valid_cases(context, min(len(RULES) + 1, context.bulk.items.max or 1)))
    places: list[Place] = []
    element = context.spec.encoder.element
    if element is not None and not element.is_valid(NO_ITEM) and len(trial.items) > len(RULES):
        trial.items[-1] = replace(trial.items[-1], raw=NO_ITEM)
        places.append(Place(len(RULES), "", "type"))
    for n, keyword in enumerate(RULES[: len(trial.items)]):
        raw, schemas = _complete(trial, n, tombstone=True)
        wrong = {name: _broken_value(name, schemas[name], raw[name], keyword) for name in schemas if name in raw}
        wrong = {name: value for name, value in wrong.items() if value is not None}
        if wrong:
            trial.items[n] = replace(trial.items[n], raw={**raw, **wrong})
            places += [Place(n, f"/{escape(name)}", keyword) for name in wrong]
    exchange = send(trial, _options(context)) if places else None
    if exchange is not None and exchange.response.status == context.bulk.guard.refuse["malformedItem"]:
        yield from _judge(context, exchange, places)


def _broken_value(name: str, schema: Schema, value: object, keyword: str) -> object:
    """Return a value that violates one keyword and no other, None where there is none."""
    if (WORD_RULES if keyword in {"type", "format"} else OTHER_RULES) & schema.raw.keys():
        return None
    mutations = invalid_variants(schema, value, Random(f"{name}{keyword}"), keywords=(keyword,))
    return next((one.value for one in mutations if not one.pointer), None)


def _accepted_types(context: SiteContext) -> Iterator[Finding]:
    """Send requests with a value of another type, or without what is needed, in each kind of item: all are refused."""
    seen: set[tuple[str, str]] = set()
    told: set[str] = set()
    for case in available_cases(context)[0]:
        trial = prepare_trial(context, [case])
        one = trial.items[0]
        for what, mutation in (*_wrong_items(trial), *_wrong_lookups(trial)):
            name = what, short(mutation.says)
            if name in seen or what in told or len(seen) == MAX_TYPES or fits_request(trial, case, mutation.value):
                continue
            seen.add(name)
            trial.items[0] = replace(one, raw=mutation.value)
            exchange = send(trial, _options(context))
            if exchange.response.status in SUCCESS_STATUS:
                told.add(what)
                says = f"an item is accepted, although of '{what}' {mutation.says}"
                yield trial_finding("errors", f"another type of {what} is accepted", says, exchange)
            elif exchange.response.status == context.bulk.guard.refuse["malformedItem"]:
                told.update({what} if any(found := [*_all_astray(context, exchange, mutation.pointer)]) else ())
                yield from found


def _all_astray(context: SiteContext, exchange: Exchange, inner: str) -> Iterator[Finding]:
    """Yield when no fault of a refusal is told where the one of its only item is."""
    declared, right = context.bulk.guard.faults, f"{_base(context, exchange)}/0{inner}"
    told = [
        str(find(one, declared.get("pointer", ""))) for one in as_list(find(exchange.response.data, declared["at"]))
    ]
    if "pointer" in declared and told and not any(_is_related(one, right) for one in told):
        says = f"a fault is told at {short(told[0])}, but what is wrong is at {right}"
        yield trial_finding("errors", "refusal points elsewhere", says, exchange)


def _wrong_lookups(trial: Trial) -> Iterator[tuple[str, Mutation]]:
    """Yield items with a lookup that is not well formed, as a reference and as what they act on."""
    element, one, resource = trial.context.spec.encoder.element, trial.items[0], trial.context.resource
    resources, at = trial.context.session.contract.resources, next(iter(trial.context.bulk.effect.target), "")
    for name, named in resource.references.items() if one.case.action in WRITING_ACTIONS else ():
        for lookup in resources[named].lookups[:2] if named in resources else ():
            members = {**one.content.values, name: lookup}
            place = trial.context.spec.encoder.pointer(members, f"/{escape(name)}")
            yield from _broken_at(element, trial.with_members(one, members).raw, place, "a lookup of a reference")
    for lookup in resource.lookups[:2] if at.startswith("/") and one.case.existing else ():
        yield from _broken_at(element, put(one.raw, at, lookup), at, "a lookup of a record")


def _broken_at(element: Schema | None, raw: object, at: str, what: str) -> Iterator[tuple[str, Mutation]]:
    """Yield an item with one thing wrong at a place; no name in another case, which may be the same one."""
    names = {name.swapcase() for name in as_mapping(find(raw, at))}
    found = invalid_variants(element, raw, Random(at), keywords=INSIDE) if element and element.is_valid(raw) else ()
    for one in found:
        inner = one.pointer.removeprefix(at)
        if one.pointer == f"{at}{inner}" and inner.removeprefix("/") not in names:
            yield f"{what}{inner}", one


def _wrong_items(trial: Trial) -> Iterator[tuple[str, Mutation]]:
    """Yield items with one thing wrong, and what that is: a member of a record, or a place in an item of a request."""
    raw, schemas = _complete(trial, 0, tombstone=True)
    element, key = trial.context.spec.encoder.element, trial.context.resource.key
    if not _is_record(trial, 0):
        found = invalid_variants(element, raw, Random("item"), keywords=NEEDED) if element is not None else ()
        yield from ((re.sub(r"\d+/", "", one.pointer)[1:] or "an item", one) for one in found)
        return
    own = {name: one for name, one in trial.maker.members.items() if name == key and name in raw}
    for name, schema in {**own, **schemas}.items():
        for one in invalid_variants(schema, raw[name], Random(name), keywords=("type",)):
            if not one.pointer:
                yield name, replace(one, value={**raw, name: one.value}, pointer=f"/{escape(name)}")


def _findings(context: SiteContext, wrong: Sequence[int]) -> Iterator[Finding]:
    """Send a request and judge its refusal; one with a single `wrong` item has no other, so that it is easily read."""
    guard, bulk = context.bulk.guard, context.bulk
    cases = valid_cases(context, min(ITEMS, bulk.items.max or ITEMS))
    plans = {n: PLANS[n] for n in wrong if n < len(cases)}
    if len(wrong) == 1:
        cases, plans = [cases[n] for n in plans], dict(enumerate(plans.values()))
    trial = prepare_trial(context, cases)
    places = [place for n, plan in plans.items() for place in _spoil(trial, n, plan)]
    if places:
        exchange = send(trial, _options(context))
        if exchange.response.status == guard.refuse["malformedItem"]:
            yield from _judge(context, exchange, places)
    elif len(wrong) > 1:
        raise NotApplicableError("no item could be made that has the request refused")


def _spoil(trial: Trial, index: int, plan: Sequence[tuple[str, int]]) -> Iterator[Place]:
    """Break an item as planned, and yield where it is wrong."""
    trial_item = trial.items[index]
    raw, schemas = _complete(trial, index)
    for keyword, nth in plan:
        changed = _broken(raw, schemas, keyword, nth)
        if changed is not None and not fits_request(trial, trial_item.case, changed[0]):
            raw, inner = changed
            yield Place(index, inner, keyword)
    trial.items[index] = replace(trial_item, raw=raw)


def _is_record(trial: Trial, index: int) -> bool:
    """Say whether the members of an item are those of its record."""
    effect = trial.context.bulk.effect
    return not effect.payload and (trial.items[index].case.action != "delete" or bool(effect.tombstone or effect.http))


def _complete(trial: Trial, index: int, *, tombstone: bool = False) -> tuple[Any, Mapping[str, Schema]]:
    """Return an item with all of its members, and their schemas: of the record that it is, else of the request.

    With `tombstone` they have the member that marks a deleted record.
    """
    raw: Any = trial.items[index].raw
    bulk, element, resource = trial.context.bulk, trial.context.spec.encoder.element, trial.context.resource
    if not isinstance(raw, dict) or bulk.effect.http:
        return raw, {}
    if not _is_record(trial, index):
        own = element.members() if element is not None else {}
        return raw, {name: schema for name, schema in own.items() if name in raw}
    spared = {resource.key, None if tombstone else resource.tombstone, own_key_member(bulk)}
    own = {name: one for name, one in trial.maker.members.items() if name not in spared}
    context = trial.record_context(f"w{index}")
    return {**{name: trial.maker.any_value(name, context) for name in own if name not in raw}, **raw}, own


def _broken(raw: Mapping[str, Any], schemas: Mapping[str, Schema], keyword: str, nth: int) -> tuple[object, str] | None:
    """Return an item with the `nth` member broken that can violate a keyword, and the pointer to the member."""
    found = 0
    for name, schema in schemas.items():
        mutations = invalid_variants(schema, raw[name], Random(f"{name}{keyword}"), keywords=(keyword,))
        mutation = next((one for one in mutations if one.value is not None and not one.pointer), None)
        if mutation is not None:
            if found == nth:
                return {**raw, name: mutation.value}, f"/{escape(name)}"
            found += 1
    return None


def _judge(context: SiteContext, exchange: Exchange, places: list[Place]) -> Iterator[Finding]:
    declared, every, data = context.bulk.guard.faults, context.bulk.guard.every_fault, exchange.response.data
    told = as_list(find(data, declared["at"]))
    if not told:
        yield trial_finding("errors", "refusal lists no fault", "a refusal for its items lists no fault", exchange)
        return
    base = _base(context, exchange)
    pointers = [str(find(one, declared["pointer"])) for one in told] if "pointer" in declared else []
    expected = {f"{base}/{one.item}{one.inner}": one for one in places}
    astray = next((one for one in pointers if not any(_is_related(one, place) for place in expected)), None)
    if astray is not None:
        says = f"a fault is told at {short(astray)}, but what is wrong is at {', '.join(expected)}"
        yield trial_finding("errors", "refusal points elsewhere", says, exchange)
    elif every and pointers:
        yield from _judge_classes(context, exchange, told, [expected.get(one) for one in pointers], places)


def _is_related(one: str, other: str) -> bool:
    """Say whether two pointers are equal, or one is inside the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _judge_classes(
    context: SiteContext, exchange: Exchange, told: list[Any], at: list[Place | None], places: list[Place]
) -> Iterator[Finding]:
    """Yield kinds of faults that are not told, told by another rule, or counted wrongly."""
    declared = context.bulk.guard.faults
    sizes = Counter((one.inner, one.keyword) for one in places)
    counted, rules = Counter[tuple[str, str]](), dict[str, set[str]]()
    for one, place in zip(told, at, strict=True):
        if place is not None:
            rule = str(find(one, declared["rule"])) if "rule" in declared else place.keyword
            size = find(one, declared["items"]) if "items" in declared else 1
            counted[place.inner, rule] += size if isinstance(size, int) else 0
            rules.setdefault(place.inner, set()).add(rule)
    yield from _judge_first(context, exchange, told, at, places)
    for (inner, keyword), size in sizes.items():
        got = counted[inner, keyword]
        if not got:
            others = rules.get(inner, set()) - {word for name, word in sizes if name == inner}
            shape = "refusal tells another rule" if others else "refusal leaves a fault out"
            yield trial_finding("errors", shape, f"the refusal does not tell that {inner} violates {keyword}", exchange)
        elif got != size and "items" in declared:
            says = f"{size} items violate {keyword} at {inner}, but {got} are told"
            yield trial_finding("errors", "refusal miscounts items", says, exchange)
    total = find(exchange.response.data, declared["total"]) if "total" in declared else len(places)
    if total != len(places):
        says = f"the total is {short(total)}, but {len(places)} faults are in the request"
        yield trial_finding("errors", "refusal tells another total", says, exchange)


def _judge_first(
    context: SiteContext, exchange: Exchange, told: list[Any], at: list[Place | None], places: list[Place]
) -> Iterator[Finding]:
    """Yield a pointer of faults that are told as one, if it is not that of the first of them, as declared."""
    declared = context.bulk.guard.faults
    for one, place in zip(told, at, strict=True) if context.bulk.guard.every_fault == "first" else ():
        alike = [other.item for other in places if place is not None and other[1:] == place[1:]]
        if place is not None and find(one, declared["items"]) == len(alike) and place.item != min(alike):
            says = f"{len(alike)} equal faults are told at item {place.item}, but the first is at item {min(alike)}"
            yield trial_finding("errors", "refusal points at a later fault", says, exchange)

"""What of a script has to do with its evidence: the steps, and the items, that share a name with it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from contracts.messages import ABSENT
from contracts.model import Contract
from generators.campaign.steps import Asking, Script, Step
from generators.locations import look, put

ROUNDS: Final = 4  # names that lead to names are followed so far
PLAIN: Final = frozenset(("{{prefix}}", "{{capital}}", "{{capitals}}"))


def slices(script: Script, shown: Sequence[int], contract: Contract) -> Iterator[Script]:
    """Yield smaller scripts that may do: of the items alone that share names with the evidence, then of whole steps."""
    for thin in (True, False):
        found = _slice(script, frozenset(shown), contract, thin=thin)
        if len(found) < len(script.steps) or thin:
            yield replace(script, steps=tuple(found.values()))


def hurried(script: Script, shown: Sequence[int], contract: Contract) -> list[int]:
    """Return the places of all steps but waits, and polls that came too early: those left wait by themselves."""
    polls = {one.bulk.job.poll for one in contract.operations if one.bulk is not None and one.bulk.job is not None}
    return [n for n, step in enumerate(script.steps) if n in shown or not _is_idle(step, polls)]


def _is_idle(step: Step, polls: Collection[str]) -> bool:
    return not isinstance(step, Asking) or (step.operation in polls and step.busy is None)


def related(script: Script, shown: Sequence[int], contract: Contract) -> list[int]:
    """Return the places of the steps that share a name with the evidence, and of the evidence itself."""
    return list(_slice(script, frozenset(shown), contract, thin=False))


def _slice(script: Script, shown: frozenset[int], contract: Contract, *, thin: bool) -> dict[int, Step]:
    names = {name for n in shown if n < len(script.steps) for name in _marks(script.steps[n])}
    kept: dict[int, Step] = {}
    for _ in range(ROUNDS):
        kept = {}
        for n, step in enumerate(script.steps):
            part = step if n in shown or not isinstance(step, Asking) else _part(step, names, contract, thin=thin)
            if part is not None:
                kept[n] = part
        wider = names | {name for step in kept.values() for name in _marks(step)}
        if wider == names:
            break
        names = wider
    return kept


def _part(step: Asking, names: set[str], contract: Contract, *, thin: bool) -> Step | None:
    """Return what of a step shares a name, None when nothing does."""
    operation = contract.operation(step.operation)
    bulk = operation.bulk if operation is not None else None
    if bulk is not None and thin and step.data is not ABSENT:
        place = next((at for at in (bulk.items.at, *bulk.items.also_at) if isinstance(look(step.data, at), list)), None)
        items: Any = look(step.data, place) if place is not None else []
        own = [item for item in items if not names.isdisjoint(_texts(item))]
        if place is not None and own:
            return replace(step, data=put(step.data, place, own))
    told = {f"{{{{{lesson.name}}}}}" for lesson in step.lessons}
    return step if not names.isdisjoint(_marks(step) | told) else None


def _marks(step: Step) -> set[str]:
    """Return the names that a step uses or tells: texts with blanks in them."""
    if not isinstance(step, Asking):
        return set()
    told = {f"{{{{{lesson.name}}}}}" for lesson in step.lessons}
    return {*_texts(list(step.path)), *_texts(step.data), *told}


def _texts(value: object) -> set[str]:
    return set(_found(value)) - PLAIN


def _found(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "{{" in value:
            yield value.replace(":number", "")
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _found(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner)

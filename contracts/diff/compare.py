"""Compare two versions of a contract. Begin with `compare`: a `Diff` with every change, worst first."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from contracts.diff.bulk import compare_bulk, compare_resources
from contracts.diff.compatibility import SchemaComparer
from contracts.diff.model import SEVERITIES, Change, Diff, WitnessFinder
from contracts.diff.operations import (
    compare_identities,
    compare_parameters,
    compare_requests,
    compare_responses,
    compare_schemes,
    compare_security,
    operation_title,
    pair_operations,
)
from contracts.messages import ABSENT
from contracts.openapi.model import Contract, Operation
from contracts.openapi.operations import default_operation_id
from contracts.schemas.identity import SCHEME


def compare(old: Contract, new: Contract, *, find: WitnessFinder | None = None) -> Diff:
    """Return what changed from `old` to `new`, and which changes break clients of `old`.

    `find` searches for witnesses: values that prove that a schema change breaks clients. Without it no change has a
    witness, and a change that only a witness could decide is a `warning`.
    """
    found = _merge(_compare_contracts(old, new, SchemaComparer(find=find)))
    ordered = sorted(found, key=lambda one: SEVERITIES.index(one.severity))
    changes = tuple(replace(one, schema=_relative_reference(one.schema, old, new)) for one in ordered)
    return Diff(old=(old.title, old.version), new=(new.title, new.version), changes=changes)


def _compare_contracts(old: Contract, new: Contract, comparer: SchemaComparer) -> Iterator[Change]:
    pairs, unpaired = pair_operations(old, new)
    yield from compare_identities(old, new)
    yield from compare_schemes(old, new)
    yield from unpaired
    for was, now in pairs:
        yield from _compare_operation(was, now, comparer)
    yield from compare_resources(old, new, comparer)


def _compare_operation(was: Operation, now: Operation, comparer: SchemaComparer) -> Iterator[Change]:
    name = operation_title(was)
    if was.id != now.id and was.id != default_operation_id(was.method.lower(), was.path):
        says = f"the operationId is '{now.id}', not '{was.id}': generated clients get another name"
        yield Change(rule="operation-id-changed", severity="warning", operation=name, place="", says=says)
    yield from compare_security(was, now, name)
    yield from compare_parameters(was, now, name, comparer)
    yield from compare_requests(was, now, name, comparer)
    yield from compare_responses(was, now, name, comparer)
    yield from compare_bulk(was, now, name)


def _merge(changes: Iterable[Change]) -> list[Change]:
    """Return the changes without repetitions: one in a shared schema, or alike for several operations, is kept once."""
    found: dict[object, Change] = {}
    for one in changes:
        key = (one.rule, one.severity, one.says, one.schema or one.place)
        first = found.setdefault(key, one)
        other = _other_place(one, first)
        if other and other not in first.also:
            first = found[key] = replace(first, also=(*first.also, other))
        if first.witness is ABSENT and one.witness is not ABSENT:
            found[key] = replace(first, witness=one.witness, proof=one.proof)
    return [*found.values()]


def _other_place(one: Change, first: Change) -> str:
    """Return the operation and place of a change, as far as they differ from those of the first of its kind."""
    where = (one.operation, "" if one.place == first.place else one.place)
    return "" if where == (first.operation, "") else " ".join(part for part in where if part)


def _relative_reference(ref: str, old: Contract, new: Contract) -> str:
    """Return a reference relative to the document, without the direction that it was compared in."""
    ref = ref.partition(SCHEME)[2] and f"{SCHEME}{ref.partition(SCHEME)[2]}"
    for contract in (old, new):
        ref = ref.removeprefix(f"{SCHEME}/{contract.name}/")
    return ref

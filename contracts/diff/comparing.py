"""Two versions of a contract compared: every change, worst first."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from contracts.diff.bulk import compare_bulk
from contracts.diff.changes import SEVERITIES, Change, Diff
from contracts.diff.contents import compare_requests, compare_responses
from contracts.diff.edits import Finder
from contracts.diff.operations import compare_identities, paired_operations, titled
from contracts.diff.parameters import compare_parameters
from contracts.diff.resources import compare_resources
from contracts.diff.security import compare_schemes, compare_security
from contracts.diff.verdicts import Judge
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.operations import made_up_id
from contracts.references import SCHEME


def compare(old: Contract, new: Contract, *, find: Finder | None = None) -> Diff:
    """Return what changed from `old` to `new`, and which of it breaks clients of `old`.

    `find` looks for witnesses: values that show what a change of a schema breaks. Without it there are none, and what
    only a witness can decide is a warning.
    """
    found = _merged(_changes(old, new, Judge(find=find)))
    ordered = sorted(found, key=lambda one: SEVERITIES.index(one.severity))
    changes = tuple(replace(one, schema=_shown(one.schema, old, new)) for one in ordered)
    return Diff(old=(old.title, old.version), new=(new.title, new.version), changes=changes)


def _changes(old: Contract, new: Contract, judge: Judge) -> Iterator[Change]:
    pairs, unpaired = paired_operations(old, new)
    yield from compare_identities(old, new)
    yield from compare_schemes(old, new)
    yield from unpaired
    for was, now in pairs:
        yield from _operation(was, now, judge)
    yield from compare_resources(old, new, judge)


def _operation(was: Operation, now: Operation, judge: Judge) -> Iterator[Change]:
    name = titled(was)
    if was.id != now.id and was.id != made_up_id(was.method.lower(), was.path):
        says = f"the operationId is '{now.id}', not '{was.id}': generated clients get another name"
        yield Change(rule="operation-id-changed", severity="warning", operation=name, place="", says=says)
    yield from compare_security(was, now, name)
    yield from compare_parameters(was, now, name, judge)
    yield from compare_requests(was, now, name, judge)
    yield from compare_responses(was, now, name, judge)
    yield from compare_bulk(was, now, name)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """Return the changes, each only once that is in a schema which several places share, or alike for operations."""
    found: dict[object, Change] = {}
    for one in changes:
        key = (one.rule, one.severity, one.says, one.schema or one.place)
        first = found.setdefault(key, one)
        other = _other(one, first)
        if other and other not in first.also:
            first = found[key] = replace(first, also=(*first.also, other))
        if first.witness is ABSENT and one.witness is not ABSENT:
            found[key] = replace(first, witness=one.witness, proof=one.proof)
    return [*found.values()]


def _other(one: Change, first: Change) -> str:
    """Return where a change is, told from where the first of its kind is."""
    where = (one.operation, "" if one.place == first.place else one.place)
    return "" if where == (first.operation, "") else " ".join(part for part in where if part)


def _shown(ref: str, old: Contract, new: Contract) -> str:
    """Return a reference as users write it: relative to the document."""
    for contract in (old, new):
        ref = ref.removeprefix(f"{SCHEME}/{contract.name}/")
    return ref

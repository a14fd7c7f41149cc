"""Mistakes that only show in a whole contract: names that lead nowhere, paths that clash, variables not described."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.bulk import Bulk
from contracts.errors import Fault
from contracts.model import Contract, Operation
from contracts.names import did_you_mean

VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


def check_meaning(contract: Contract, shown: str) -> list[Fault]:
    """Return what is wrong with a contract although each of its parts is well formed."""
    checks = (_repeated_ids, _clashing_paths, _variables, _named_operations, _named_resources)
    return [
        Fault(file=shown, pointer=pointer, fact=fact, cure=cure)
        for check in checks
        for pointer, fact, cure in check(contract)
    ]


Said = Iterator[tuple[str, str, str]]


def _repeated_ids(contract: Contract) -> Said:
    given: dict[str, Operation] = {}
    for one in contract.operations:
        other = given.setdefault(one.id, one)
        if other is not one:
            fact = f"the operationId '{one.id}' is also that of {other.method} {other.path}."
            yield f"{one.pointer}/operationId", fact, "Give each its own."


def _clashing_paths(contract: Contract) -> Said:
    taken: dict[tuple[str, str], Operation] = {}
    for one in contract.operations:
        shape = VARIABLE.sub("{}", one.path.lower() if contract.ignore_case else one.path)
        other = taken.setdefault((one.method, shape), one)
        if other is not one:
            yield one.pointer, f"it cannot be told from {other.method} {other.path}.", "Keep one of them."


def _variables(contract: Contract) -> Said:
    for one in contract.operations:
        named = {parameter.name for parameter in one.parameters if parameter.where == "path"}
        used = set(VARIABLE.findall(one.path))
        for name in sorted(used - named):
            yield (
                one.pointer,
                f"the path's variable '{name}' has no parameter.",
                did_you_mean(name, named - used) or "Describe it.",
            )
        for name in sorted(named - used):
            yield (
                one.pointer,
                f"the path has no variable '{name}'.",
                did_you_mean(name, used - named) or "Drop the parameter.",
            )


def _named_operations(contract: Contract) -> Said:
    known = [one.id for one in contract.operations]
    for one in contract.operations:
        for member, name in _mentions(one.bulk) if one.bulk else ():
            if name not in known:
                fact = f"'{name}' is no operationId of this document."
                yield f"{one.pointer}/x-bulk/{member}", fact, did_you_mean(name, known) or "Describe that operation."


def _mentions(bulk: Bulk) -> Iterator[tuple[str, str]]:
    yield from (("effect/like", name) for name in bulk.effect.like)
    if bulk.job:
        named = (("job/poll", bulk.job.poll), ("job/cancel", bulk.job.cancel), ("job/start", bulk.job.start))
        yield from ((member, name) for member, name in named if name)


def _named_resources(contract: Contract) -> Said:
    for resource in contract.resources.values():
        for member, name in resource.references.items():
            if name not in contract.resources:
                pointer = f"/x-resources/{resource.name}/references/{member}"
                yield (
                    pointer,
                    f"'{name}' is no resource.",
                    did_you_mean(name, contract.resources) or "Add it to x-resources.",
                )

"""Which operations of two versions are the same, and which came or went."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from contracts.diff.changes import Change
from contracts.model import Contract, Operation, Parameter

VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
Key = tuple[str, str]


def titled(operation: Operation) -> str:
    """Return what an operation is called in reports: `POST /pets`."""
    return f"{operation.method} {operation.path}"


def paired_operations(old: Contract, new: Contract) -> tuple[list[tuple[Operation, Operation]], list[Change]]:
    """Return the operations of both, by method and path, whatever path variables are called; and who has no partner."""
    before, after = _by_place(old), _by_place(new)
    pairs = [(was, _renamed(after[key], was)) for key, was in before.items() if key in after]
    return pairs, [*_gone(before, after), *_come(before, after)]


def _by_place(contract: Contract) -> dict[Key, Operation]:
    return {(one.method, _shape(one.path, contract)): one for one in contract.operations}


def _shape(path: str, contract: Contract) -> str:
    return VARIABLE.sub("{}", path.lower() if contract.ignore_case else path)


def _renamed(now: Operation, was: Operation) -> Operation:
    """Return the new operation with the path variables of the old one."""
    names = dict(zip(VARIABLE.findall(now.path), VARIABLE.findall(was.path), strict=True))
    parameters = tuple(_with_name(one, names) for one in now.parameters)
    return replace(now, path=was.path, parameters=parameters)


def _with_name(parameter: Parameter, names: dict[str, str]) -> Parameter:
    return (
        replace(parameter, name=names.get(parameter.name, parameter.name)) if parameter.where == "path" else parameter
    )


def _gone(before: dict[Key, Operation], after: dict[Key, Operation]) -> Iterator[Change]:
    paths = {shape for _, shape in after}
    for key, one in before.items():
        if key not in after:
            rule, what = ("method-removed", "the method") if key[1] in paths else ("path-removed", "the path")
            says = f"{what} is gone"
            yield Change(rule=rule, severity="error", operation=titled(one), place="", says=says)


def _come(before: dict[Key, Operation], after: dict[Key, Operation]) -> Iterator[Change]:
    paths = {shape for _, shape in before}
    for key, one in after.items():
        if key not in before:
            rule, what = ("method-added", "the method") if key[1] in paths else ("path-added", "the path")
            yield Change(rule=rule, severity="info", operation=titled(one), place="", says=f"{what} is new")


def compare_identities(old: Contract, new: Contract) -> Iterator[Change]:
    """Yield what changed for the contract as a whole."""
    if old.mount != new.mount:
        says = f"the server's path is '{new.mount or '/'}', not '{old.mount or '/'}': clients need another base URL"
        yield Change(rule="server-path-changed", severity="warning", operation="", place="servers", says=says)
    if old.ignore_case and not new.ignore_case:
        says = "the case of paths matters now"
        yield Change(rule="path-case-narrowed", severity="error", operation="", place="x-path-case", says=says)
    if new.ignore_case and not old.ignore_case:
        says = "the case of paths does not matter any more"
        yield Change(rule="path-case-widened", severity="info", operation="", place="x-path-case", says=says)
    for word in new.reserved:
        if word not in old.reserved:
            says = f"no path variable may be '{word}' any more"
            yield Change(rule="reserved-word-added", severity="warning", operation="", place="x-reserved", says=says)

"""Bugs of the On Key server in what it tells of records that fail; begin with `PATCHES`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import onkey_requests as requests
from onkey_records import Records
from onkey_types import Command, Fault, Message, Property, Type, now
from patching import around, by_name


def missing_told_first(server: Any) -> None:
    """Tell what a record lacks before what is wrong with the rest of it."""
    del server

    @around(Records, "missing")
    def missing(real: Any, *given: Any, **named: Any) -> list[Fault]:
        return [replace(one, at=-1) for one in real(*given, **named)]


def reference_as_text(server: Any) -> None:
    """Tell a reference that is missing as a text that is missing, where a request is undone as a whole."""
    del server

    @around(Records, "empty")
    def empty(real: Any, own: Records, path: str, its: Property, at: int, *, strict: bool) -> Fault:
        kind = "text" if strict and its.kind == "reference" else its.kind
        fault: Fault = real(own, path, replace(its, kind=kind), at, strict=strict)
        return fault


def weight_of_yes(server: Any) -> None:
    """Take true and false for numbers."""
    del server

    @around(Records, "value")
    def value(real: Any, own: Records, command: Command, name: str, *given: Any, **how: Any) -> Any:
        is_number = bool(name) and command.type.properties[name].kind == "number"
        return given[1] if is_number and isinstance(given[1], bool) else real(own, command, name, *given, **how)


def first_hundred_told(server: Any) -> None:
    """Tell the first hundred failures of a request that is undone."""
    del server

    @around(Records, "run")
    def run(real: Any, *given: Any, atomic: bool, **named: Any) -> list[list[Message]]:
        outcomes: list[list[Message]] = real(*given, atomic=atomic, **named)
        failed = [at for at, some in enumerate(outcomes) if any(one["severity"] == "error" for one in some)]
        late = failed[100:] if atomic else []
        return [[] if at in late else some for at, some in enumerate(outcomes)]


def looked_up_nameless(server: Any) -> None:
    """Tell no id in the failure of a record that is named by a lookup."""
    del server

    @around(Records, "tell")
    def tell(real: Any, own: Records, command: Command, fault: Fault, id_: int | None) -> Message:
        told: Message = real(own, command, fault, None if isinstance(command.target, dict) else id_)
        return told


def entities_of_paths_ignored(server: Any) -> None:
    """Take the path of a property of another entity for that of an own one."""
    del server

    @around(Type, "find")
    def find(real: Any, own: Type, path: str) -> str:
        name: str = real(own, path.rpartition("->")[2])
        return name


def value_missing_is_null(server: Any) -> None:
    """Clear a property where an operation has no value."""
    del server

    @around(requests.Reader, "operation")
    def operation(real: Any, own: Any, given: Any, where: str) -> Any:
        return real(own, {"value": None, **given} if isinstance(given, dict) else given, where)


def unknown_as_type(server: Any) -> None:
    """Tell a property that no record has as a value of another type."""
    del server

    @around(Records, "tell")
    def tell(real: Any, own: Records, command: Command, fault: Fault, id_: int | None) -> Message:
        code = "Sandbox_TypeMismatch" if fault.code == "Sandbox_UnknownProperty" else fault.code
        told: Message = real(own, command, replace(fault, code=code), id_)
        return told


def converters_loose(server: Any) -> None:
    """Pass over members of a converter that it does not have."""
    del server

    @around(requests, "converter_fault")
    def converter_fault(real: Any, value: dict[str, Any]) -> str:
        known = ("converter", "type", "code", "properties")
        fault: str = real({name: one for name, one in value.items() if name in known})
        return fault


def unseen_behind_failure(server: Any) -> None:
    """Check what stands behind a failing record without doing it, where a request is undone as a whole."""
    del server
    failing: set[int] = set()

    @around(Records, "begin")
    def begin(real: Any, own: Records, commands: list[Command]) -> None:
        failing.discard(id(own))
        real(own, commands)

    @around(Records, "attempt")
    def attempt(real: Any, own: Records, command: Command, *, atomic: bool) -> list[Message]:
        start = len(own.undo)
        told: list[Message] = real(own, command, atomic=atomic)
        for key, old in reversed(own.undo[start:] if atomic and id(own) in failing else []):
            own.set(own.all.get(key), old)
        failing.update({id(own)} if any(one["severity"] == "error" for one in told) else ())
        return told


def whole_in_steps(server: Any) -> None:
    """List a step for each message of a request that is undone as a whole."""

    @around(server, "steps")
    def steps(real: Any, task: Any) -> list[tuple[int, list[Message]]]:
        shown: list[tuple[int, list[Message]]] = real(task)
        split = len(shown) == 1 and len(shown[0][1]) > 1
        return [(shown[0][0] + n, [one]) for n, one in enumerate(shown[0][1])] if split else shown

    @around(server, "shown_task")
    def shown_task(real: Any, task: Any) -> dict[str, Any]:
        shown: dict[str, Any] = real(task)
        shown["properties"]["stepCount"] = count = len(server.steps(task))
        done = shown["properties"]["status"] == "Completed"
        shown["properties"]["completedStepCount"] = count if done else 0
        return shown


def failed_imports_nameless(server: Any) -> None:
    """Leave out which record an import failed to change or delete."""
    del server

    @around(Records, "tell")
    def tell(real: Any, own: Records, command: Command, fault: Fault, id_: int | None) -> Message:
        told: Message = real(own, command, fault, id_ if command.user is None else None)
        return told


def imports_name_next(server: Any) -> None:
    """Name the record behind the one that an import changed."""
    del server

    @around(Records, "success")
    def success(real: Any, own: Records, command: Command, action: str, done: int) -> list[Message]:
        told: list[Message] = real(own, command, action, done + (bool(command.user) and action == "update"))
        return told


def pairs_half_told(server: Any) -> None:
    """Tell the first property alone where two are unique together."""
    del server

    @around(Records, "duplicates")
    def duplicates(real: Any, *given: Any) -> list[Fault]:
        return [replace(one, paths=one.paths[:1]) for one in real(*given)]


def pairs_turned(server: Any) -> None:
    """Tell the values of two properties that are unique together the other way round."""
    del server

    @around(Records, "duplicates")
    def duplicates(real: Any, *given: Any) -> list[Fault]:
        return [replace(one, text=re.sub(r"'(\d+), (\d+)'", r"'\2, \1'", one.text)) for one in real(*given)]


def pointers_of_next_operation(server: Any) -> None:
    """Point at the operation behind the one that is wrong."""
    del server

    @around(requests.Reader, "refuse")
    def refuse(real: Any, own: Any, text: str, pointer: str) -> None:
        real(own, text, re.sub(r"/operations/(\d+)", lambda at: f"/operations/{int(at[1]) + 1}", pointer))


def merges_as_created(server: Any) -> None:
    """Tell of each record that a merge writes as of a new one."""
    del server

    @around(Records, "success")
    def success(real: Any, own: Records, command: Command, action: str, done: int) -> Any:
        return real(own, command, "create" if command.action == "merge" else action, done)


def trees_matched(server: Any) -> None:
    """Let a match update set references that it must not set."""
    del server

    @around(Records, "value")
    def value(real: Any, own: Records, command: Command, name: str, *given: Any, **how: Any) -> Any:
        may = command.match and name == "permissionTreeId"
        return real(own, replace(command, match=False) if may else command, name, *given, **how)


def undone_to_last(server: Any) -> None:
    """Undo the last change of each record alone."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        own.undo = list({one[0]: one for one in own.undo}.values())
        real(own)


def undone_unprotected(server: Any) -> None:
    """Forget what a record refers to when its deletion is undone."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        back = [old for id_, old in own.undo if old is not None and id_ not in own.all]
        real(own)
        for one in back:
            for target in own.targets(one):
                own.referrers[target].discard(one.id)


def cleared_reference_as_type(server: Any) -> None:
    """Tell a reference that an update sets to null as a wrong type."""
    del server

    @around(Records, "empty")
    def empty(real: Any, own: Records, path: str, its: Property, at: int, *, strict: bool) -> Fault:
        fault: Fault = real(own, path, its, at, strict=strict)
        return replace(fault, code="Sandbox_TypeMismatch", text=f"{{{path}}} must be a reference") if at == 0 else fault


def converter_words_exact(server: Any) -> None:
    """Read the words of converters with regard to case."""
    del server

    @around(requests, "converter_fault")
    def converter_fault(real: Any, value: Any) -> str:
        known = value.get("converter") == "ReferenceLookup" and value.get("type", "Code") in {"Code", "Custom"}
        return str(real(value)) if known else "The converter is not known"


def groups_unsigned(server: Any) -> None:
    """Read groups without their signs."""
    del server

    @around(requests, "grouped")
    def grouped(real: Any, commands: list[Command], **how: Any) -> Any:
        plain = [None if one.group is None else str(one.group).removeprefix("-") for one in commands]
        return real([replace(one, group=group) for one, group in zip(commands, plain, strict=True)], **how)


def weights_rounded(server: Any) -> None:
    """Store numbers with two decimals."""
    del server

    @around(Records, "value")
    def value(real: Any, *given: Any, **how: Any) -> Any:
        found = real(*given, **how)
        return round(found, 2) if isinstance(found, float) else found


def matches_once(server: Any) -> None:
    """Change a record once that a match update names twice."""
    del server

    @around(requests, "matches")
    def matches(real: Any, *given: Any) -> list[Command]:
        return [*{one.target: one for one in real(*given)}.values()]


def failures_are_changes(server: Any) -> None:
    """Move the time of the last change of a record that an update fails to change."""
    del server

    @around(Records, "tell")
    def tell(real: Any, own: Records, command: Command, fault: Fault, id_: int | None) -> Message:
        record = own.all.get(id_ or 0)
        if record is not None and command.action == "update":
            own.set(record, replace(record, modified=now()))
        told: Message = real(own, command, fault, id_)
        return told


PATCHES = by_name(
    merges_as_created,
    trees_matched,
    undone_to_last,
    undone_unprotected,
    cleared_reference_as_type,
    converter_words_exact,
    groups_unsigned,
    weights_rounded,
    matches_once,
    failures_are_changes,
    pairs_half_told,
    pairs_turned,
    pointers_of_next_operation,
    unseen_behind_failure,
    whole_in_steps,
    failed_imports_nameless,
    imports_name_next,
    missing_told_first,
    reference_as_text,
    weight_of_yes,
    first_hundred_told,
    looked_up_nameless,
    entities_of_paths_ignored,
    value_missing_is_null,
    unknown_as_type,
    converters_loose,
)

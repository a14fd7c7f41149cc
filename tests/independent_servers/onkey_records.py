"""The records of one On Key data set, and what requests do to them, one or all or none."""

from __future__ import annotations

import secrets
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from onkey_types import (
    MISSING,
    TYPES,
    WRONG,
    Command,
    Fault,
    Message,
    Property,
    Record,
    Type,
    is_number,
    known,
    leads,
    message,
    mismatch,
    now,
    same,
    whole_number,
    wrong_length,
)

SEEDED = (
    (4417203958810067, "PermissionTree", 1, {"code": "A20"}),
    (2290551873340019, "Trade", 1, {"code": "HAND"}),
    (5000001002, "Resource", 1, {"code": "SHBE"}),
    (1543843155165003, "AssetImportance", 1, {"code": "AI1", "description": "Crucial"}),
    (1543843155164002, "AssetImportance", 1, {"code": "AI2", "description": "Important"}),
    (1543843155165002, "AssetImportance", 3, {"code": "AI3", "description": "Useful"}),
    (1543844764239005, "AssetImportance", 1, {"code": "AI4", "description": "Idle"}),
)
DONE = {
    "create": ("Core_Data_RecordCreated", "Record successfully created"),
    "update": ("Core_Data_RecordUpdated", "Record successfully updated"),
    "delete": ("Sandbox_RecordDeleted", "Record successfully deleted"),
}


class Failed(Exception):  # noqa: N818 - it says what became of the record
    """A record that cannot be done, with the faults that it has."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults


class Records:
    """Every record of a data set, with its indexes and the changes that can still be undone."""

    def __init__(self, has: Callable[[str], bool], others: list[Records] | None = None) -> None:
        self.has = has
        self.others = others or []
        self.all: dict[int, Record] = {}
        self.kept: dict[tuple[str, tuple[Any, ...]], int] = {}
        self.referrers: dict[int, set[int]] = defaultdict(set)
        self.undo: list[tuple[int, Record | None]] = []
        self.before: dict[int, int] = {}
        self.kept_before: set[tuple[str, tuple[Any, ...]]] = set()
        self.fresh: set[int] = set()
        self.early: dict[int, Record] = {}
        self.former: dict[tuple[str, Any], int] = {}
        self.burnt: set[tuple[str, tuple[Any, ...]]] = set()
        self.changes = 0
        self.first_taken = ""
        for id_, name, version, values in SEEDED:
            self.put(id_, self.blank(id_, TYPES[name], version, values))
        if not has("seeds-undone"):
            self.undo.clear()

    def blank(self, id_: int, type_: Type, version: int, values: dict[str, Any]) -> Record:
        """Make a record whose other properties are what they are at first."""
        first = {name: True if p.kind == "boolean" else None for name, p in type_.properties.items()}
        stamp = now()
        return Record(id=id_, type=type_, version=version, values={**first, **values}, created=stamp, modified=stamp)

    # Storing

    def put(self, id_: int, new: Record | None) -> None:
        """Store or remove a record, so that it can be undone."""
        old = self.all.get(id_)
        self.undo.append((id_, old))
        self.set(old, new)

    def set(self, old: Record | None, new: Record | None) -> None:
        """Replace a record in the store and in its indexes."""
        if old:
            del self.all[old.id]
            self.former[old.type.name, old.values.get("code")] = old.id
            if not (self.has("code-kept") and new is None):
                self.kept.pop(self.mark(old), None)
            if not (self.has("reference-stays") and new is not None):
                for target in self.targets(old):
                    self.referrers[target].discard(old.id)
        if new:
            self.all[new.id] = new
            if not (self.has("renamed-unmarked") and old and self.mark(old) != self.mark(new)):
                self.kept[self.mark(new)] = new.id
            for target in self.targets(new):
                self.referrers[target].add(new.id)

    def mark(self, record: Record) -> tuple[str, tuple[Any, ...]]:
        """Give what is unique of a record."""
        return record.type.name, tuple(record.values[name] for name in record.type.unique)

    def targets(self, record: Record) -> Iterable[int]:
        """Give the ids that a record refers to."""
        properties = record.type.properties
        return [record.values[n] for n, p in properties.items() if p.kind == "reference" and record.values[n]]

    def restore(self) -> None:
        """Undo everything since the transaction began."""
        if self.has("rollback-keeps-last") and len(self.undo) > 1:
            self.undo.pop()
        for id_, old in reversed(self.undo):
            if self.has("rollback-keeps-updates") and old and id_ in self.all:
                continue
            self.set(self.all.get(id_), old)
        self.undo.clear()

    # Transactions

    def run(self, commands: list[Command], *, atomic: bool, groups: list[list[int]]) -> list[list[Message]]:
        """Do commands in the order of the groups, and give the messages of each, as they stand in the request."""
        self.begin(commands)
        outcomes: list[list[Message]] = [[] for _ in commands]
        failures = 0
        if self.has("many-groups"):
            groups = [*groups[:3], sorted(at for group in groups[3:] for at in group)]
        for group in groups:
            for at in self.placed(group):
                if not atomic and failures == 2 and self.has("stops-at-two"):
                    continue
                if self.has("batch-of-100") and at == 99 and len(commands) == 100:
                    outcomes[at] = self.success(commands[at], commands[at].action, 10**15 + 1)
                    continue
                outcomes[at] = self.attempt(self.blamed(commands, at, failures, atomic=atomic), atomic=atomic)
                if not atomic and failures >= 10 and self.has("ten-failures") and commands[at].action == "create":
                    outcomes[at] = self.success(commands[at], "create", 10**15 + at)
                failures += any(m["severity"] == "error" for m in outcomes[at])
            if self.has("group-commits") and not failures:
                self.undo.clear()
        if atomic and failures:
            self.restore()
        if not (self.has("deleted-returns") and all(c.action == "delete" for c in commands)):
            self.undo.clear()
        return outcomes

    def placed(self, group: list[int]) -> list[int]:
        """Give the order in which the records of a group run."""
        return [group[8], *group[:8], *group[9:]] if self.has("groups-of-eight") and len(group) > 8 else group

    def begin(self, commands: list[Command]) -> None:
        """Remember what the mistaken ones go by: how things were when the request began."""
        self.early = dict(self.all) if self.has("lookup-early") else self.all
        self.fresh, self.first_taken = set(), ""
        if self.has("stale-lock"):
            targets = [c.target for c in commands if isinstance(c.target, int) and c.target in self.all]
            self.before = {id_: self.all[id_].version for id_ in targets}
        if self.has("unique-late"):
            self.kept_before = set(self.kept)

    def blamed(self, commands: list[Command], at: int, failures: int, *, atomic: bool) -> Command:
        """Give the command to do, under the name that its messages are to have."""
        command = commands[at]
        if atomic or not failures or command.action != "create" or not self.has("blame-next"):
            return command
        try:
            self.build(command, None, atomic=atomic)
        except Failed:
            return replace(command, user=commands[min(at + 1, len(commands) - 1)].user)
        return command

    def attempt(self, command: Command, *, atomic: bool) -> list[Message]:
        """Do one command, or tell why not."""
        id_: int | None = None
        try:
            record = self.target(command)
            action, id_ = self.action(command, record), record.id if record else None
            done = getattr(self, action)(command, record, atomic=atomic)
        except Failed as failed:
            told = id_ if id_ is not None else self.named(command)
            faults = failed.faults[:1] if self.has("first-fault") else failed.faults
            if self.has("property-of-first"):
                faults = tuple(replace(fault, paths=faults[0].paths) for fault in faults)
            return [self.tell(command, self.retold(command, fault, atomic=atomic), told) for fault in faults]
        return self.success(command, action, done)

    def success(self, command: Command, action: str, done: int) -> list[Message]:
        """Write the message of a success."""
        code, text = DONE[action if action in DONE else "create"]
        who = {"objectId": str(done), "objectType": command.type.name, "userObjectId": command.user}
        return [message(code, text, "information", **who)]

    def retold(self, command: Command, fault: Fault, *, atomic: bool) -> Fault:
        """Give a fault as a mistaken server tells it."""
        lost, path = fault.code == "Sandbox_ReferenceNotFound", "".join(fault.paths[:1])
        if self.has("no-properties") and lost:
            return replace(fault, paths=())
        if self.has("mode-codes") and lost and not atomic:
            return replace(fault, code="Sandbox_TypeMismatch", text=f"{{{path}}} must be a reference")
        if self.has("single-codes") and command.single and fault.code == "Core_LengthValidator":
            return replace(fault, code="Sandbox_TypeMismatch", text=f"{{{path}}} must be a text")
        if self.has("task-codes") and command.background and fault.text.endswith("You entered 0 characters"):
            return replace(fault, code=MISSING, text=f"{{{path}}} should not be missing or null")
        if self.has("value-of-first") and fault.code == "Sandbox_DuplicateValue":
            self.first_taken = self.first_taken or fault.text.partition("'")[2]
            return replace(fault, text=f"{fault.text.partition(chr(39))[0]}'{self.first_taken}")
        return fault

    def named(self, command: Command) -> int | None:
        """Give the id that a request names itself."""
        return command.target if isinstance(command.target, int) and command.action in ("update", "delete") else None

    def tell(self, command: Command, fault: Fault, id_: int | None) -> Message:
        """Write the message of a fault."""
        object_id = None if id_ is None else str(id_)
        who: dict[str, Any] = {"objectId": object_id, "objectType": command.type.name, "userObjectId": command.user}
        return message(fault.code, fault.text, properties=list(fault.paths), **who)

    # Finding

    def action(self, command: Command, record: Record | None) -> str:
        """Tell what a merge comes to."""
        return command.action if command.action != "merge" else "update" if record else "create"

    def target(self, command: Command) -> Record | None:
        """Find the record that a command is about; None when it is to be made."""
        if command.action == "create" or command.target is None:
            return None
        if isinstance(command.target, dict):
            return self.looked_up(command, command.target)
        found = self.all.get(command.target)
        if found is None and self.has("ids-as-floats"):
            near = struct.pack("f", command.target)
            found = next((one for id_, one in self.all.items() if struct.pack("f", id_) == near), None)
        if found and (found.type is command.type or (self.has("updates-any-type") and command.action == "update")):
            return found
        if self.has("deletes-any-set") and command.action == "delete" and not command.single:
            for other in self.others:
                if command.target in other.all:
                    return other.all[command.target]
        if command.action == "merge":
            return None
        text = f"{command.type.name} with id {command.target} was not found"
        raise Failed(Fault(code="Sandbox_RecordNotFound", text=text))

    def looked_up(self, command: Command, converter: dict[str, Any]) -> Record | None:
        """Find the record that a converter means."""
        if fault := self.unknown_path(command.type, converter):
            raise Failed(fault)
        matches = self.lookup(command.type, converter)
        if not matches and command.action == "merge":
            return None
        if len(matches) != 1:
            raise Failed(self.unresolved(command.type.path("Id"), len(matches)))
        return matches[0]

    def unresolved(self, path: str, count: int, at: int = -1) -> Fault:
        """Tell that a reference does not mean exactly one record."""
        code = "Sandbox_ReferenceAmbiguous" if count else "Sandbox_ReferenceNotFound"
        text = f"{{{path}}} refers to {count or 'no'} record{'s' if count else ''}"
        return Fault(code=code, text=text, paths=(path,), at=at)

    def lookup(self, type_: Type, converter: dict[str, Any]) -> list[Record]:
        """Find the records that fit a converter."""
        wanted = {"code": converter.get("code")}
        if str(converter.get("type", "Code")).lower() == "custom":
            wanted = converter["properties"]
        if set(wanted) == {"code"} and type_.unique == ("code",):
            return self.coded(type_, wanted["code"])
        own = (record for record in self.early.values() if record.type is type_)
        found = [r for r in own if all(same(self.at(r, path), value) for path, value in wanted.items())]
        return found[:1] if self.has("lookup-first") else found

    def coded(self, type_: Type, code: Any) -> list[Record]:
        """Find the record that has a code."""
        id_ = self.kept.get((type_.name, (code,)))
        if id_ is None and self.has("lookup-former"):
            id_ = self.former.get((type_.name, code))
        if id_ is None and isinstance(code, str) and (self.has("lookup-folded") or self.has("lookup-beginning")):
            known = {mark[0]: at for (name, mark), at in self.kept.items() if name == type_.name}
            alike = str.startswith if self.has("lookup-beginning") else lambda one, two: one.lower() == two.lower()
            id_ = next((at for text, at in known.items() if alike(text, code)), None)
        found = self.early.get(id_) if id_ is not None else None
        return [found] if found is not None and found.id in self.all else []

    def unknown_path(self, type_: Type, converter: dict[str, Any], at: int = -1) -> Fault | None:
        """Tell the first path of a converter that leads nowhere."""
        custom = str(converter.get("type", "Code")).lower() == "custom"
        for path in converter["properties"] if custom else ():
            if not leads(type_, path):
                given = type_.path(path.rpartition("->")[2])
                text = f"{{{given}}} is not a property of {type_.name}{type_.closest(path)}"
                return Fault(code="Sandbox_UnknownProperty", text=text, paths=(given,), at=at)
        return None

    def at(self, record: Record, path: str) -> Any:
        """Give the value at a path, which may lead through references; WRONG when there is no such path."""
        entity, arrow, name = path.rpartition("->")
        first, joined, rest = name.partition("_")
        if arrow and entity.lower() != record.type.name.lower():
            return WRONG
        if not joined:
            return record.value(first) if first.lower() in known(record.type) else WRONG
        link = record.type.find(f"{first}Id")
        if not link:
            return WRONG
        target = self.all.get(record.values[link])
        return self.at(target, rest) if target else None

    # Acting

    def create(self, command: Command, record: Record | None, *, atomic: bool) -> int:
        """Make a record."""
        values = self.build(command, record, atomic=atomic)
        id_ = 10**15 + secrets.randbelow(2**53 - 10**15)
        if self.has("code-burnt"):
            self.burnt.discard((command.type.name, tuple(values.get(name) for name in command.type.unique)))
        self.put(id_, self.blank(id_, command.type, 1, values))
        self.fresh.add(id_)
        return id_

    def update(self, command: Command, record: Record, *, atomic: bool) -> int:
        """Change a record."""
        values = self.build(command, record, atomic=atomic)
        if command.match and self.has("match-clears"):
            values = {n: None for n, p in command.type.properties.items() if p.nullable and p.match} | values
        if command.action == "merge" and self.has("merge-resets"):
            values = {n: True for n, p in command.type.properties.items() if p.kind == "boolean"} | values
        rise = 0 if record.id in self.fresh and self.has("version-stuck") else 1
        self.changes += 1
        if self.has("tenth-version") and self.changes % 10 == 0:
            rise = 0
        new = replace(record, version=record.version + rise, values={**record.values, **values}, modified=now())
        self.put(record.id, new)
        return record.id

    def delete(self, command: Command, record: Record, *, atomic: bool) -> int:
        """Remove a record that no other refers to."""
        del atomic
        if faults := self.conflicts(command, record):
            raise Failed(*faults)
        if count := len(self.referrers.get(record.id, set()) - {record.id}):
            text = f"{record.type.name} with id {record.id} is referenced by {count} records"
            raise Failed(Fault(code="Sandbox_RecordReferenced", text=text))
        for other in self.others if record.id not in self.all else ():
            other.set(other.all.get(record.id), None)
        if record.id in self.all:
            self.put(record.id, None)
        return record.id

    def conflicts(self, command: Command, record: Record | None) -> list[Fault]:
        """Tell whether the version that was sent is stale."""
        if record is None or command.version is None:
            return []
        current = self.before.get(record.id, record.version)
        if self.has("version-at-post") and command.background:
            current = command.seen
        if current == command.version:
            return []
        shown = command.version if self.has("version-of-sender") else current
        text = f"{record.type.name} with id {record.id} is at version {shown}. You sent version {command.version}"
        return [Fault(code="Sandbox_VersionConflict", text=text)]

    # Judging values

    def build(self, command: Command, record: Record | None, *, atomic: bool) -> dict[str, Any]:
        """Give the values that a command sets, or fail with all faults."""
        faults, values, places = self.conflicts(command, record), {}, dict[str, int]()
        for at, (path, raw) in enumerate(command.sets):
            name = command.type.find(path)
            found = self.value(command, name, path, raw, at, strict=record is None and atomic)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                values[name] = found
            places[name] = at
        if record is None:
            faults += self.missing(command, places, strict=atomic)
        faults += self.duplicates(command, record, values, places)
        if faults:
            if record is None and self.has("code-burnt"):
                self.burnt.add((command.type.name, tuple(values.get(name) for name in command.type.unique)))
            raise Failed(*sorted(faults, key=lambda fault: fault.at))
        return values

    def value(self, command: Command, name: str, path: str, raw: Any, at: int, *, strict: bool) -> Any:
        """Judge one value, and give what is stored for it or its fault."""
        if not name:
            given = command.type.path(path.rpartition("->")[2])
            text = f"{{{given}}} is not a property of {command.type.name}{command.type.closest(path)}"
            return Fault(code="Sandbox_UnknownProperty", text=text, paths=(given,), at=at)
        known_as, its = command.type.path(name), command.type.properties[name]
        if command.match and not its.match:
            text = f"{{{known_as}}} is not available for match update"
            return Fault(code="Sandbox_NotMatchUpdatable", text=text, paths=(known_as,), at=at)
        if raw is None:
            return None if its.nullable else self.empty(known_as, its, at, strict=strict)
        if its.kind == "text" and isinstance(raw, str):
            return self.text(command, known_as, its, raw, at)
        if its.kind == "reference":
            return self.referred(known_as, its, raw, at, command)
        fits = isinstance(raw, bool) if its.kind == "boolean" else is_number(raw) and its.kind == "number"
        return raw if fits else mismatch(known_as, its, at)

    def empty(self, path: str, its: Property, at: int, *, strict: bool) -> Fault:
        """Tell that a value is needed."""
        if its.kind == "boolean":
            return mismatch(path, its, at)
        if its.kind == "reference":
            return Fault(code="Core_NotNullValidator", text=f"{{{path}}} must not be empty.", paths=(path,), at=at)
        if strict:
            return Fault(code=MISSING, text=f"{{{path}}} should not be missing or null", paths=(path,), at=at)
        return wrong_length(path, its, 0, at)

    def text(self, command: Command, path: str, its: Property, raw: str, at: int) -> Any:
        """Judge a text by its length."""
        if self.has("trimmed") and command.action == "create" and command.user and not command.single:
            raw = raw.strip() or raw
        if its.low <= len(raw) <= its.high:
            return raw
        if self.has("limits-swapped"):
            its = replace(its, low=its.high, high=its.low)
        return wrong_length(path, its, len(raw.encode() if self.has("length-of-bytes") else raw), at)

    def resolved(self, command: Command) -> dict[int, int]:
        """Give the ids that the references of a command mean now, by their places."""
        found: dict[int, int] = {}
        for at, (path, raw) in enumerate(command.sets):
            its = command.type.properties.get(command.type.find(path), Property())
            id_ = self.referred(path, its, raw, at, command) if its.kind == "reference" and raw is not None else None
            if isinstance(id_, int):
                found[at] = id_
        return found

    def referred(self, path: str, its: Property, raw: Any, at: int, command: Command) -> Any:
        """Find the id of the record that a reference means."""
        if command.resolved is not None:
            return command.resolved.get(at) or self.unresolved(path, 0, at)
        if isinstance(raw, dict) and "converter" in raw:
            if fault := self.unknown_path(TYPES[its.target], raw, at):
                return fault
            matches = self.lookup(TYPES[its.target], raw)
            if not matches and self.has("lookup-nothing"):
                return None
            return matches[0].id if len(matches) == 1 else self.unresolved(path, len(matches), at)
        id_ = whole_number(raw)
        if id_ is None:
            return mismatch(path, its, at)
        found = self.all.get(id_)
        if not found and self.has("reference-any-set"):
            found = next((one.all[id_] for one in self.others if id_ in one.all), None)
        return id_ if found and found.type.name == its.target else self.unresolved(path, 0, at)

    def missing(self, command: Command, places: dict[str, int], *, strict: bool) -> list[Fault]:
        """Tell the required properties that a new record lacks."""
        needed = [name for name, its in command.type.properties.items() if its.required and name not in places]
        properties = command.type.properties
        end = len(command.sets)
        return [self.empty(command.type.path(name), properties[name], end, strict=strict) for name in needed]

    def duplicates(
        self, command: Command, record: Record | None, values: dict[str, Any], places: dict[str, int]
    ) -> list[Fault]:
        """Tell that what has to be unique is in use."""
        unique = command.type.unique
        now_ = {**(record.values if record else {}), **values}
        if not any(name in values for name in unique) or not all(now_.get(name) is not None for name in unique):
            return []
        mark = command.type.name, tuple(now_[name] for name in unique)
        holder = self.kept.get(mark)
        if holder is None and self.has("codes-shared"):
            holder = next((one.kept[mark] for one in self.others if mark in one.kept), None)
        late = self.has("unique-late") and mark not in self.kept_before
        if mark in self.burnt:
            holder, record = 0, None
        if holder is None or late or (record and holder == record.id):
            return []
        shown = ", ".join(str(now_[name]) for name in unique)
        paths = tuple(command.type.path(name) for name in unique)
        text = f"{{{paths[0]}}} must be unique. '{shown}' is in use"
        at = max(places.get(name, -1) for name in unique)
        return [Fault(code="Sandbox_DuplicateValue", text=text, paths=paths, at=at)]

"""On Key's request bodies, read into commands, or refused as a whole with everything that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from onkey_types import TYPES, Command, Message, Refused, Type, converter_fault, malformed, whole_number

ACTIONS = {"insert": "create", "update": "update", "delete": "delete", "merge": "merge"}
MEMBERS = ("entityType", "action", "userObjectId", "groupOrder", "Id", "version", "properties")
SHOWN = 20


class Reader:
    """Reads one body, and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.wrong: list[Message] = []

    def refuse(self, text: str, pointer: str) -> None:
        """Note a fault."""
        self.wrong.append(malformed(text, pointer))

    def close(self) -> None:
        """Refuse the request if anything is wrong."""
        if self.wrong:
            raise Refused(400, self.wrong[:SHOWN])

    def records(self, body: Any, limit: int, where: str = "") -> list[Any]:
        """Read the list of records."""
        if not isinstance(body, list):
            self.refuse("A list of records is needed", where)
        elif not 1 <= len(body) <= limit:
            self.refuse(f"From 1 to {limit} records are possible, not {len(body)}", where)
        self.close()
        return list(body)

    def member(self, item: dict[str, Any], name: str, where: str, fits: Callable[[Any], bool], needed: str) -> Any:
        """Read a member that has to be there."""
        if name in item and fits(item[name]):
            return item[name]
        self.refuse(f"{name} has to be {needed}", f"{where}/{name}" if name in item else where)
        return None

    def number(self, item: dict[str, Any], name: str, where: str) -> int:
        """Read an id or a version."""
        value = self.member(item, name, where, lambda v: whole_number(v) is not None, "a whole number")
        return whole_number(value) or 0

    def value(self, raw: Any, where: str) -> Any:
        """Read a property's value; only a converter can be wrong already."""
        if isinstance(raw, dict) and "converter" in raw and (fault := converter_fault(raw)):
            self.refuse(fault, where)
        return raw

    def properties(self, item: dict[str, Any], where: str) -> tuple[tuple[str, Any], ...]:
        """Read an object of properties."""
        found = self.member(item, "properties", where, lambda v: isinstance(v, dict), "an object") or {}
        return tuple((name, self.value(raw, f"{where}/properties/{escaped(name)}")) for name, raw in found.items())

    def operations(self, item: dict[str, Any], where: str) -> tuple[tuple[str, Any], ...]:
        """Read the operations of an update."""
        found = self.member(item, "operations", where, lambda v: isinstance(v, list), "a list") or []
        return tuple(self.operation(op, f"{where}/operations/{at}") for at, op in enumerate(found))

    def operation(self, op: Any, where: str) -> tuple[str, Any]:
        """Read one operation."""
        if not isinstance(op, dict):
            self.refuse("An operation has to be an object", where)
            return "", None
        path = self.member(op, "path", where, lambda v: isinstance(v, str), "text")
        if "value" not in op:
            self.refuse("An operation needs a value", where)
        return path or "", self.value(op.get("value"), f"{where}/value")

    def user(self, item: dict[str, Any], where: str) -> Any:
        """Read the name that the caller gives to a record."""
        return self.member(item, "userObjectId", where, is_name, "text that is not empty")

    def distinct(self, commands: list[Command]) -> list[Command]:
        """Refuse names that occur twice."""
        seen: set[str | None] = set()
        for at, command in enumerate(commands):
            if command.user is not None and command.user in seen:
                self.refuse(f"userObjectId {command.user} occurs twice", f"/{at}/userObjectId")
            seen.add(command.user)
        self.close()
        return commands

    def object(self, item: Any, where: str) -> dict[str, Any]:
        """Read an object."""
        if isinstance(item, dict):
            return item
        self.refuse("An object is needed", where)
        return {}


def escaped(name: str) -> str:
    """Write a name as a piece of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def is_name(value: Any) -> bool:
    """Say whether a value is text that is not empty."""
    return isinstance(value, str) and bool(value)


def creations(type_: Type, body: Any, limit: int) -> list[Command]:
    """Read a batch create."""
    reader = Reader()
    commands = []
    for at, raw in enumerate(reader.records(body, limit)):
        item = reader.object(raw, f"/{at}")
        if item or isinstance(raw, dict):
            user, sets = reader.user(item, f"/{at}"), reader.properties(item, f"/{at}")
            commands.append(Command(action="create", type=type_, sets=sets, user=user))
    return reader.distinct(commands)


def changes(type_: Type, body: Any, limit: int, action: str) -> list[Command]:
    """Read a batch update or a batch delete."""
    reader = Reader()
    commands = []
    for at, raw in enumerate(reader.records(body, limit)):
        item, where = reader.object(raw, f"/{at}"), f"/{at}"
        if isinstance(raw, dict):
            id_, version = reader.number(item, "id", where), reader.number(item, "version", where)
            sets = reader.operations(item, where) if action == "update" else ()
            commands.append(Command(action=action, type=type_, target=id_, version=version, sets=sets))
    reader.close()
    return commands


def matches(type_: Type, body: Any, limit: int) -> list[Command]:
    """Read a match update."""
    reader = Reader()
    whole = reader.object(body, "")
    reader.close()
    sets = reader.operations(whole, "")
    found = []
    if "records" not in whole:
        reader.refuse("records is missing", "")
    for at, raw in enumerate(reader.records(whole.get("records"), limit, "/records")):
        item, where = reader.object(raw, f"/records/{at}"), f"/records/{at}"
        if isinstance(raw, dict):
            found.append((reader.number(item, "id", where), reader.number(item, "version", where)))
    reader.close()
    return [Command(action="update", type=type_, target=i, version=v, sets=sets, match=True) for i, v in found]


def single(type_: Type, body: Any, action: str, id_: int | None) -> list[Command]:
    """Read the body of a call about one record."""
    reader = Reader()
    item = reader.object(body, "")
    reader.close()
    version, user = None, None
    sets: tuple[tuple[str, Any], ...] = ()
    if action == "create":
        sets = reader.properties(item, "")
        user = reader.user(item, "") if "userObjectId" in item else None
    else:
        version = reader.number(item, "version", "")
        sets = reader.operations(item, "") if action == "update" else ()
        if "id" in item and whole_number(item["id"]) != id_:
            reader.refuse("id is not that of the path", "/id")
    reader.close()
    return [Command(action=action, type=type_, target=id_, version=version, sets=sets, user=user, single=True)]


def imports(body: Any, limit: int) -> list[Command]:
    """Read an import."""
    reader = Reader()
    names = {name.lower(): name for name in MEMBERS}
    commands = []
    for at, raw in enumerate(reader.records(body, limit)):
        item = {names.get(name.lower(), name): value for name, value in reader.object(raw, f"/{at}").items()}
        if isinstance(raw, dict):
            commands.append(imported(reader, item, f"/{at}"))
    return reader.distinct(commands)


def imported(reader: Reader, item: dict[str, Any], where: str) -> Command:
    """Read one record of an import."""
    types = {name.lower(): type_ for name, type_ in TYPES.items()}
    word = reader.member(item, "entityType", where, lambda v: lowered(v) in types, "a kind of record")
    action = ACTIONS.get(
        lowered(reader.member(item, "action", where, lambda v: lowered(v) in ACTIONS, "an action")), ""
    )
    target = imported_target(reader, item, where, action)
    group = item.get("groupOrder")
    if isinstance(group, bool | list | dict):
        reader.refuse("groupOrder has to be a number or text", f"{where}/groupOrder")
    return Command(
        action=action,
        type=types.get(lowered(word), TYPES["Trade"]),
        target=target,
        version=reader.number(item, "version", where) if "version" in item else None,
        sets=reader.properties(item, where) if action != "delete" else (),
        user=reader.user(item, where),
        group=group,
    )


def imported_target(reader: Reader, item: dict[str, Any], where: str, action: str) -> Any:
    """Read which record an import is about."""
    raw = item.get("Id")
    if action == "create" or (raw is None and action == "merge"):
        return None
    if isinstance(raw, dict):
        if fault := converter_fault(raw):
            reader.refuse(fault, f"{where}/Id")
        return raw
    return reader.number(item, "Id", where)


def lowered(value: Any) -> str:
    """Give a text in small letters, and nothing for what is no text."""
    return value.lower() if isinstance(value, str) else ""


def grouped(commands: list[Command], *, ordered: bool, as_text: bool) -> list[list[int]]:
    """Put the places of commands into groups, in the order in which they run."""
    if not ordered:
        return [list(range(len(commands)))]
    texts = {str(c.group) for c in commands if c.group is not None}
    numeric = not as_text and all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) for text in texts)
    groups: dict[Any, list[int]] = {}
    for at, command in enumerate(commands):
        text = None if command.group is None else str(command.group)
        rank = (1, 0) if text is None else (0, float(text) if numeric else text)
        groups.setdefault(rank, []).append(at)
    return [groups[rank] for rank in sorted(groups)]

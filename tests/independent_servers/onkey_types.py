"""The kinds of record that On Key's pages show, their properties, and how messages and values are written."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Message = dict[str, Any]
TOO_HIGH = 2**63
WRONG = object()
MALFORMED = "Sandbox_InvalidRequest"
MISSING = "Core_Resources_SystemRequiredPropertyMissing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property: what it holds, whether it may be null, whether a match update may set it."""

    kind: str = "text"
    low: int = 0
    high: int = 100
    nullable: bool = True
    required: bool = False
    target: str = ""
    match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """One kind of record, where it stands in paths, and which of its properties are unique together."""

    name: str
    module: str
    plural: str
    properties: dict[str, Property]
    unique: tuple[str, ...] = ("code",)

    def find(self, path: str) -> str:
        """Give the property that a name or path means, or nothing."""
        entity, arrow, name = path.rpartition("->")
        if arrow and entity.lower() != self.name.lower():
            return ""
        return next((own for own in self.properties if own.lower() == name.lower()), "")

    def path(self, name: str) -> str:
        """Write a property's path."""
        return f"{self.name}->{name[:1].upper()}{name[1:]}"

    def closest(self, name: str) -> str:
        """Name the property that is closest to an unknown name, as the end of a sentence."""
        lower = {own.lower(): own for own in self.properties}
        near = difflib.get_close_matches(name.lower(), lower, 1)
        return f". The closest is {{{self.path(lower[near[0]])}}}" if near else ""


def reference(target: str, **more: Any) -> Property:
    """Describe a property that refers to a record."""
    return Property(kind="reference", target=target, **more)


CODE = Property(low=1, high=50, nullable=False, required=True)
TREE = reference("PermissionTree")
PART = {"required": True, "nullable": False}
TYPES = {
    kind.name: kind
    for kind in (
        Type(
            name="AssetImportance",
            module="risk",
            plural="assetimportances",
            properties={
                "code": CODE,
                "description": Property(low=1, nullable=False, required=True, match=True),
                "notes": Property(high=2000, match=True),
                "weight": Property(kind="number", match=True),
                "isActive": Property(kind="boolean", nullable=False, match=True),
                "permissionTreeId": TREE,
            },
        ),
        Type(
            name="Resource",
            module="res",
            plural="resources",
            properties={
                "code": CODE,
                "description": Property(match=True),
                "isActive": Property(kind="boolean", nullable=False, match=True),
                "defaultResourceTradeId": reference("ResourceTrade", match=True),
                "permissionTreeId": TREE,
            },
        ),
        Type(
            name="Trade",
            module="res",
            plural="trades",
            properties={"code": CODE, "description": Property(), "permissionTreeId": TREE},
        ),
        Type(
            name="ResourceTrade",
            module="res",
            plural="resourcetrades",
            properties={
                "resourceId": reference("Resource", **PART),
                "tradeId": reference("Trade", **PART),
                "permissionTreeId": TREE,
            },
            unique=("resourceId", "tradeId"),
        ),
        Type(
            name="PermissionTree",
            module="gc",
            plural="permissiontrees",
            properties={"code": CODE, "description": Property(), "parentId": TREE},
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored record, replaced as a whole when it changes."""

    id: int
    type: Type
    version: int
    values: dict[str, Any]
    created: str
    modified: str

    def value(self, name: str) -> Any:
        """Give a property, or one of those that every record has."""
        stamps = {"createdon": self.created, "modifiedon": self.modified}
        return stamps[name.lower()] if name.lower() in stamps else self.values[self.type.find(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One record of a request, whatever kind of request it came in."""

    action: str
    type: Type
    target: int | dict[str, Any] | None = None
    version: int | None = None
    sets: tuple[tuple[str, Any], ...] = ()
    user: str | None = None
    match: bool = False
    group: Any = None
    single: bool = False
    background: bool = False
    seen: int | None = None
    resolved: dict[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a record fails, and at which place of its payload."""

    code: str
    text: str
    paths: tuple[str, ...] = ()
    at: int = -1


@dataclass(slots=True)
class Refused(Exception):  # noqa: N818 - it says what became of the call
    """A call that is refused as a whole."""

    status: int
    messages: list[Message]
    headers: dict[str, str] = field(default_factory=dict)


def message(code: str, text: str, severity: str = "error", **more: Any) -> Message:
    """Write one message, its members in alphabetical order, without those that are empty."""
    whole = {"code": code, "message": text, "severity": severity, **more}
    return {name: whole[name] for name in sorted(whole) if whole[name] not in (None, [], ())}


def malformed(text: str, pointer: str = "") -> Message:
    """Write the message of a call that makes no sense."""
    return message(MALFORMED, text, pointer=pointer)


def now() -> str:
    """Write the present instant with seven digits of a second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def whole_number(value: Any) -> int | None:
    """Read an id or a version, or give None for what is neither."""
    if isinstance(value, str):
        digits = value.lstrip("0")[:20] or "0"
        value = int(digits) if re.fullmatch(r"[0-9]+", value) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < TOO_HIGH else None


def converter_fault(value: Any) -> str:
    """Tell what is wrong with a schema converter, or nothing."""
    if str(value.get("converter")).lower() != "referencelookup":
        return "The converter is not known"
    kind = value.get("type", "Code")
    if not isinstance(kind, str) or kind.lower() not in ("code", "custom"):
        return "The converter's type is not known"
    if value.keys() - {"converter", "type", "code", "properties"}:
        return "The converter has members that it does not know"
    if "code" in value and not isinstance(value["code"], str):
        return "The converter's code is no text"
    needed = "properties" if kind.lower() == "custom" else "code"
    return "" if needed in value and scalars(value.get("properties", {"": ""})) else f"The converter needs {needed}"


def scalars(value: Any) -> bool:
    """Say whether a value is an object of plain values, and not empty."""
    return isinstance(value, dict) and bool(value) and not any(isinstance(v, dict | list) for v in value.values())


def finite(text: str) -> float:
    """Read a number, but none that is out of range."""
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError(text)
    return float(text)


def parsed(raw: bytes) -> Any:
    """Read JSON, or refuse it with the place where it goes wrong."""
    try:
        return json.loads(raw.decode(), parse_constant=int, parse_float=finite)
    except json.JSONDecodeError as e:
        text = f"{e.msg} (line {e.lineno}, column {e.colno})"
    except (ValueError, RecursionError):
        text = "The body cannot be read as JSON (line 1, column 1)"
    raise Refused(400, [malformed(text)])


def known(type_: Type) -> set[str]:
    """Give the names of a type's properties and time stamps, in small letters."""
    return {name.lower() for name in type_.properties} | {"createdon", "modifiedon"}


def leads(type_: Type, path: str) -> bool:
    """Say whether a path names a property, through references or at once."""
    entity, arrow, name = path.rpartition("->")
    if arrow and entity.lower() != type_.name.lower():
        return False
    first, joined, rest = name.partition("_")
    if not joined:
        return first.lower() in known(type_)
    link = type_.find(f"{first}Id")
    return bool(link) and bool(type_.properties[link].target) and leads(TYPES[type_.properties[link].target], rest)


def same(stored: Any, wanted: Any) -> bool:
    """Compare exactly: no number is true, none is a text."""
    return isinstance(stored, bool) == isinstance(wanted, bool) and stored is not WRONG and bool(stored == wanted)


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def mismatch(path: str, its: Property, at: int) -> Fault:
    """Tell that a value has the wrong type."""
    return Fault(code="Sandbox_TypeMismatch", text=f"{{{path}}} must be a {its.kind}", paths=(path,), at=at)


def wrong_length(path: str, its: Property, length: int, at: int) -> Fault:
    """Tell that a text is too short or too long."""
    limits = f"must be between {its.low} and {its.high} characters"
    return Fault(
        code="Core_LengthValidator",
        text=f"{{{path}}} {limits}. You entered {length} characters",
        paths=(path,),
        at=at,
    )

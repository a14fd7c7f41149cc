"""What a call wants done to one record, whether it is an item of a bulk call or a single-record call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.bulk import Resource
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.parameters import types_of
from contracts.schemas import Schema
from generators.campaign.ledger import Where
from generators.checks.following import named_like
from generators.checks.locations import Sent, choose, is_outside, locate, look
from generators.checks.reading import SentItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One effect. `key` is ABSENT when no record is named, `version` None when none is.

    `members` are what is to be written, None when that cannot be read here. A `partial` one leaves other members alone.
    """

    action: str
    where: Where
    resource: Resource
    key: object
    members: Mapping[str, object] | None
    version: int | None = None
    partial: bool = False


def want_of_item(contract: Contract, item: SentItem, scope: str) -> Want | None:
    """Return what an item of a bulk call wants in a data set, None when that cannot be told."""
    resource = contract.resources.get(item.resource or "")
    if resource is None or item.action is None:
        return None
    members = {} if item.action == "delete" else members_of(item.payload, resource, contract)
    named = _number(item.version)
    if item.version is not ABSENT and item.version is not None and named is None:
        return None
    return Want(
        action=item.action,
        where=Where(scope, resource.name),
        resource=resource,
        key=item.target,
        members=members,
        version=named,
        partial=item.action == "update",
    )


def want_of_call(contract: Contract, sent: Sent) -> Want | None:
    """Return what a single-record call wants, None when it is none or cannot be told."""
    act = sent.operation.record
    if act is None:
        return None
    source = act.resource.source
    name = choose(act.resource, locate(sent, source) if source else ABSENT)
    resource = contract.resources.get(name or "")
    if resource is None:
        return None
    payload = look(sent.data, act.payload) if sent.data is not ABSENT else {}
    members = {} if act.action.constant in {"read", "delete", "list"} else members_of(payload, resource, contract)
    key = locate(sent, act.key) if act.key is not None else ABSENT
    if key is ABSENT and members is not None:
        key = members.get(resource.key, ABSENT)
    version = locate(sent, act.version) if act.version is not None else ABSENT
    stone = resource.tombstone
    action = act.action.constant
    if stone is not None and members is not None and members.get(stone) is True and action in {"upsert", "replace"}:
        action, members = "delete", {}
    return Want(
        action=action,
        where=Where(scope_of(contract, sent), resource.name),
        resource=resource,
        key=key,
        members=members,
        version=_number(version),
        partial=action == "update",
    )


def members_of(payload: object, resource: Resource, contract: Contract) -> Mapping[str, object] | None:
    """Return the members that a payload writes: its own, or those that a list of changes sets; None for another form."""
    if isinstance(payload, dict):
        return _canonical(payload, resource, contract)
    if not isinstance(payload, list):
        return {} if payload is ABSENT else None
    steps: list[Any] = payload
    if not all(isinstance(one, dict) and isinstance(one.get("path"), str) and "value" in one for one in steps):
        return None
    if any(one.get("op", "replace") not in {"add", "replace"} for one in steps):
        return None
    names = [str(one["path"]).removeprefix("/") for one in steps]
    if any("/" in name or "->" in name for name in names):
        return None
    pairs = zip(names, (one["value"] for one in steps), strict=True)
    return _canonical(dict(pairs), resource, contract)


def _canonical(members: dict[str, object], resource: Resource, contract: Contract) -> Mapping[str, object]:
    """Return the members under the names that the schema has, where case does not count."""
    if not resource.ignore_case:
        return members
    schema = schema_of(contract, resource)
    names = {name.lower(): name for name in schema.members()} if schema is not None else {}
    return {names.get(name.lower(), name): value for name, value in members.items()}


def schema_of(contract: Contract, resource: Resource) -> Schema | None:
    """Return the schema of a resource's payload."""
    return None if resource.schema is None else contract.schemas.schema(resource.schema)


def _number(version: object) -> int | None:
    text = str(version).strip('"')
    return int(text) if isinstance(version, int | str) and text.isdecimal() and text.isascii() else None


def scope_of(contract: Contract, sent: Sent, target: str | None = None) -> str:
    """Return the data set that a call speaks of, `target` being one of a fan-out."""
    skipped = _choosing(contract, sent.operation)
    plain = "&".join(
        f"{name}={value.lower() if contract.ignore_case else value}"
        for name, value in sent.variables.items()
        if name not in skipped
    )
    return f"{plain}/{(_tenant(contract, sent) if target is None else target) or ''}"


def _choosing(contract: Contract, operation: Operation) -> set[str]:
    """Return the path variables that choose a kind of record or name one, and those that go along with a kind."""
    record, bulk = operation.record, operation.bulk
    choices = [record.resource if record is not None else None, bulk.effect.resource if bulk is not None else None]
    found = {one.source.partition(":")[2] for one in choices if one is not None and is_outside(one.source)}
    if record is not None and record.key is not None:
        found.add(record.key.partition(":")[2])
    return found | {name.removeprefix("x-") for one in contract.resources.values() for name in one.extras}


def _tenant(contract: Contract, sent: Sent) -> str | None:
    for one in contract.operations:
        fan_out = one.bulk.items.fan_out if one.bulk is not None else None
        if fan_out is not None:
            for name in named_like(sent.operation, fan_out.over, ""):
                given = next((value for key, value in sent.call.query if key == name), None)
                if given is not None:
                    return given
    return None


def typed_key(contract: Contract, resource: Resource, key: str | int) -> str | int:
    """Return a key in the type in which records show it."""
    return int(key) if isinstance(key, str) and key.isdecimal() and _shows_numbers(contract, resource) else key


def _shows_numbers(contract: Contract, resource: Resource) -> bool:
    readers = [one for one in contract.operations if one.record is not None and one.record.action.constant == "read"]
    bodies = [
        media.schema
        for one in readers
        for status, response in one.responses.items()
        if status.startswith("2")
        for media in response.content
        if media.schema is not None
    ]
    shown = [one for schema in bodies if (one := schema.member(resource.key)) is not None]
    return any({"integer", "number"} & types_of(one) for one in shown)

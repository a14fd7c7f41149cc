"""What a call wants done to one record, whether it is an item of a bulk call or a single-record call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.bulk import Resource
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.preconditions import Tags, version_of
from generators.campaign.kinds import Kind, Kinds
from generators.campaign.ledger import Where
from generators.checks.following import named_like
from generators.checks.reading import SentItem
from generators.locations import Sent, choose, is_outside, locate, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One effect on a record of a kind. `key` is ABSENT when no record is named, `version` None when none is.

    `members` are what is to be written, None when that cannot be read here. A `partial` one leaves other members alone.
    """

    action: str
    where: Where
    kind: Kind
    key: object
    members: Mapping[str, object] | None
    version: int | None = None
    partial: bool = False

    @property
    def resource(self) -> Resource:
        """What the contract says of the kind."""
        return self.kind.resource


def want_of_item(kinds: Kinds, item: SentItem, scope: str) -> Want | None:
    """Return what an item of a bulk call wants in a data set, None when that cannot be told."""
    kind = kinds.get(item.resource or "")
    if kind is None or item.action is None:
        return None
    members = members_of(item.payload, kind)
    if item.action == "delete":  # what is written beside may still be wrong
        members = {} if _fits(kind, members or {}) else None
    named = version_of(item.version)
    if isinstance(named, Tags):
        return None
    return Want(
        action=item.action,
        where=Where(scope, kind.resource.name),
        kind=kind,
        key=item.target,
        members=members,
        version=named,
        partial=item.action == "update",
    )


def want_of_call(kinds: Kinds, sent: Sent) -> Want | None:
    """Return what a single-record call wants, None when it is none or cannot be told."""
    act = sent.operation.record
    if act is None:
        return None
    source = act.resource.source
    name = choose(act.resource, locate(sent, source) if source else ABSENT)
    kind = kinds.get(name or "")
    if kind is None:
        return None
    resource = kind.resource
    payload = look(sent.data, act.payload) if sent.data is not ABSENT else {}
    members = {} if act.action.constant in {"read", "delete", "list"} else members_of(payload, kind)
    key = locate(sent, act.key) if act.key is not None else ABSENT
    if key is ABSENT and members is not None:
        key = members.get(resource.key, ABSENT)
    version = version_of(locate(sent, act.version)) if act.version is not None else None
    stone = resource.tombstone
    action = act.action.constant
    if stone is not None and members is not None and members.get(stone) is True and action in {"upsert", "replace"}:
        whole = action == "upsert" or all(members.get(name) is not None for name in resource.required)
        action, members = "delete", {} if whole and _fits(kind, members) else None
    return Want(
        action=action,
        where=Where(scope_of(kinds.contract, sent), resource.name),
        kind=kind,
        key=key,
        members=members,
        version=None if isinstance(version, Tags) else version,
        partial=action == "update",
    )


def members_of(payload: object, kind: Kind) -> Mapping[str, object] | None:
    """Return the members that a payload writes: its own, or those that its changes set; None for another form."""
    if isinstance(payload, dict):
        return _canonical(payload, kind)
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
    return _canonical(dict(zip(names, (one["value"] for one in steps), strict=True)), kind)


def _fits(kind: Kind, members: Mapping[str, object]) -> bool:
    return all(kind.takes(name, value) for name, value in members.items())


def _canonical(members: dict[str, object], kind: Kind) -> Mapping[str, object]:
    """Return the members under the names that the schema has, where case does not count."""
    if not kind.names:
        return members
    return {kind.names.get(name.lower(), name): value for name, value in members.items()}


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

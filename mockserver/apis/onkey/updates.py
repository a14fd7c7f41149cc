"""What a list of operations changes, and what a match update may change."""

from collections.abc import Mapping, Sequence

from contracts.bulk import Resource
from mockserver.api import Inspect
from mockserver.apis.onkey.kinds import kinds_of
from mockserver.domain.values import Fault, Item
from mockserver.turn import Run


def changes(item: Item) -> Mapping[str, object]:
    """Return the properties that an item sets; of two operations on one property the later counts."""
    payload = item.payload
    if isinstance(payload, dict):
        return payload
    own = f"{item.resource.name}->"
    return {own_name(str(one["path"]), own): one["value"] for one in payload} if isinstance(payload, list) else {}


def own_name(path: str, own: str) -> str:
    """Return the name in a path of the resource's own: `Resource->Code` gives `Code`; anything else stays."""
    return path[len(own) :] if path[: len(own)].lower() == own.lower() else path


def inspect(run: Run, resource: Resource) -> Inspect | None:
    """Return what finds the properties that a match update may not set; other operations may set any."""
    if run.operation is None or run.operation.id != "matchUpdate":
        return None
    kind = kinds_of(run.api).by_name[resource.name]

    def unmatched(item: Item, changed: Mapping[str, object]) -> Sequence[Fault]:
        del item
        barred = [name for name in changed if name in kind.written and name not in kind.match]
        return [Fault("match", (name,), changed[name]) for name in barred]

    return unmatched

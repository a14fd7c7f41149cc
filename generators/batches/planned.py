"""A batch as it was planned: what is sent, and what each item is meant to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT, Call
from contracts.pointers import look_up
from generators.batches.profiles import Intent
from generators.mutations import Mutation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """One item. `value` is what is sent for it.

    `intent` says what is wrong on purpose with the item itself, `fits` whether it keeps the request's schema and its
    payload the resource's. `mutation` is how it was broken; its pointer leads into `value`, into the body where all
    items share a payload. `key` is what its outcome will be known by, `target` the record that it names, and `values`
    the members that it sets; None where it has none. `fresh` says whether the record is new if all goes well, `after`
    are the places of the items that it waits for.
    """

    index: int
    value: object
    intent: Intent
    fits: bool
    action: str
    resource: str | None
    key: object
    target: object
    version: object
    group: object
    values: Mapping[str, object] | None
    fresh: bool
    mutation: Mutation | None = None
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """One bulk call and its plan.

    `refusals` are the words of the operation's guard that ought to turn the whole away; `unit` is what it asks for
    (`whole`, `item` or `group`, None for a word that there is not). `targets` maps a fan-out's targets to whether they
    are known to exist.
    """

    operation: str
    call: Call
    body: object
    items: tuple[PlannedItem, ...]
    profile: str
    seed: int
    unit: str | None
    grouped: bool
    deferred: bool
    refusals: tuple[str, ...]
    targets: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is meant to be wrong with it."""
        return not self.refusals and all(item.intent == "good" for item in self.items) and all(self.targets.values())


def key_of(item: object, bulk: Bulk, resource: Resource | None, *, name: object, index: int) -> object:
    """Return what an item's outcome is known by, read from the item as it is sent; None when it says nothing."""
    if bulk.key.by in {"index", "order"}:
        return index
    if bulk.items.shape == "map" and not bulk.key.at:
        return name
    places = [bulk.key.at] if bulk.key.at is not None else [*bulk.effect.target]
    if not places and resource is not None:
        places = [f"{bulk.effect.payload}/{resource.key}"]
    found = next((value for place in places if (value := look_up(item, place)) is not ABSENT), None)
    return found if isinstance(found, str | int) else None

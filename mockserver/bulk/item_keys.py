"""Idempotency keys of single items: an item that was done under its key is not done again. Begin with `ItemKeys`.

Other content under a key fails its item. A failure is not kept: the same item may be sent again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

import orjson

from contracts.bulk.model import Bulk, Idempotency
from contracts.exchange.locations import find
from contracts.messages import ABSENT
from contracts.syntax.text import text_of
from mockserver.api.model import ItemRun
from mockserver.bulk.dependent_items import Apply
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.stores.interface import Collection
from mockserver.stores.memory import MemoryStore, Overlay

DEFAULT_KEY_RETENTION: Final = timedelta(days=1)  # what most vendors keep a key for, where the declaration does not say
MEMORY: Final = "idempotency/items"

Place: TypeAlias = tuple[str, ...]


class KeptItem(NamedTuple):
    """What is kept under the key of an item: the SHA-256 of its content, and its outcome."""

    content: bytes
    outcome: Outcome


@dataclass(slots=True, kw_only=True)
class ItemKeys:
    """The keys of the items of one run; `fresh` are those of items that were done in it, by index, and not yet kept."""

    run: ItemRun
    declared: Idempotency
    fresh: dict[int, Place] = field(default_factory=dict)
    within: dict[Place, KeptItem] = field(default_factory=dict)

    @classmethod
    def of(cls, run: ItemRun, bulk: Bulk) -> "ItemKeys | None":
        """Return the keys of a run, None where items have none."""
        declared = bulk.guard.idempotency
        return None if declared is None or declared.scope != "item" else cls(run=run, declared=declared)

    def once(self, apply: Apply, store: MemoryStore | Overlay) -> Apply:
        """Return a function that applies an item, unless it was done before under its key."""

        def act(item: Item) -> Outcome:
            place = self._place(item)
            if place is None:
                return apply(item)
            content = sha256(orjson.dumps(item.raw, option=orjson.OPT_SORT_KEYS)).digest()
            kept: KeptItem | None = self.run.api_state.memory.get(MEMORY, {}).get(place) or self.within.get(place)
            if kept is not None:
                return self._repeated(item, kept, content, store)
            outcome = apply(item)
            if outcome.result == "done":
                self.fresh[item.index] = place
                self.within[place] = KeptItem(content, outcome)
            return outcome

        return act

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what was done for good; what was rolled back is forgotten."""
        until = self.run.now + (self.declared.keep or DEFAULT_KEY_RETENTION)
        for one in outcomes:
            place = self.fresh.pop(one.item.index, None)
            if place is None:
                continue
            kept = self.within[place]
            if one.result == "done":
                self.run.api_state.remember(MEMORY, place, kept, until)
            else:
                del self.within[place]

    def _place(self, item: Item) -> Place | None:
        at, run = self.declared.key, self.run
        key: object = item.key if at == "" else find(item.raw, at)
        if key is ABSENT or key is None:
            return None
        return ("" if run.operation is None else run.operation.id, run.scope, run.client, text_of(key))

    def _repeated(self, item: Item, kept: KeptItem, content: bytes, store: MemoryStore | Overlay) -> Outcome:
        if kept.content != content:
            word = self.declared.mismatch
            facts: dict[str, object] = {"message": "its idempotency key was used with other content"}
            facts |= {} if word is None else {"status" if isinstance(word, int) else "word": word}
            return Outcome(item, "failed", item.action, (ItemFault("duplicate", (), facts=facts),))
        outcome = kept.outcome._replace(item=item)
        return with_current_record(store, self.run.scope, outcome) if self._is_current else outcome

    @property
    def _is_current(self) -> bool:
        return self.declared.replay == "current-state"


def with_current_record(store: MemoryStore | Overlay, scope: str, outcome: Outcome) -> Outcome:
    """Return an outcome with the record as it is now, where there is one."""
    if outcome.record is None or outcome.action == "delete":
        return outcome
    now = store.get(Collection(scope, outcome.item.resource.name), outcome.record.key)
    return outcome if now is None else outcome._replace(record=now)

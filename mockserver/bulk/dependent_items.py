"""Apply items one after the other where they refer to one another, or where failures stop a request.

Begin with `Progress.of`. An item that depends on one that failed, or on none that there is, is not run (RFC 7644,
3.7.2; OData JSON 4.01, 19).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Bulk
from contracts.exchange.http_items import Results
from contracts.exchange.references import References, keys_awaited, references_of
from contracts.messages import ABSENT
from contracts.syntax.text import step
from mockserver.api.model import ItemRun
from mockserver.domain.values import Item, ItemFault, Outcome, ServedOutcome, is_unprocessed

Apply: TypeAlias = Callable[[Item], Outcome]
STOPPED: Final = ItemFault("broken", facts={"message": "it was not run, for too many items before it failed"})
PATH_TOKEN: Final = re.compile(r"[^.\[\]]+")


@dataclass(slots=True, kw_only=True)
class Progress:
    """What has become of the items of one run so far, by the names by which others refer to them: as text.

    `ahead` counts the items of each name that are still to be run, `own` has the name of each item by its index.
    """

    run: ItemRun
    bulk: Bulk
    references: References | None
    own: dict[int, str]
    ahead: Counter[str]
    done: dict[str, Outcome] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    failures: int = 0

    @classmethod
    def of(cls, run: ItemRun, bulk: Bulk, items: Sequence[Item]) -> "Progress | None":
        """Return the progress of a run at its beginning, None where items are independent of one another."""
        references, waits = references_of(bulk), bulk.order.depends_on is not None
        if references is None and not waits and not run.stop_after:
            return None
        named = {one.index: _name(references, one) for one in items}
        own = {place: str(name) for place, name in named.items() if name is not ABSENT and name is not None}
        groups = [str(one.group) for one in items if one.group is not None] if waits else []
        return cls(
            run=run,
            bulk=bulk,
            references=references,
            own=own,
            ahead=Counter([*own.values(), *groups]),
            broken=set(map(str, run.failed_keys)),
            failures=len(run.failed_keys),
        )

    def in_order(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items, each after those that it refers to where references to later items are allowed."""
        if not self.bulk.order.forward:
            return items
        by_name = {self.own[one.index]: one for one in items if one.index in self.own}
        placed: dict[int, Item] = {}
        open_: set[int] = set()

        def place(item: Item) -> None:
            if item.index in placed or item.index in open_:
                return
            open_.add(item.index)
            for name in self._awaited(item):
                if name in by_name:
                    place(by_name[name])
            placed[item.index] = item

        for one in items:
            place(one)
        return list(placed.values())

    def apply_all(self, items: Sequence[Item], apply: Apply) -> list[Outcome]:
        """Apply the items of one unit."""
        return [self._apply(item, apply) for item in self.in_order(items)]

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Take note of what became of a unit: all of it is broken when it was rolled back."""
        for one in outcomes:
            names = {self.own.get(one.item.index, ""), "" if one.item.group is None else str(one.item.group)} - {""}
            if one.result != "done":
                self.broken |= names
                for name in names:
                    self.done.pop(name, None)

    def _apply(self, item: Item, apply: Apply) -> Outcome:
        waits = self._waits(item)
        self._pass(item)
        if waits:
            outcome = Outcome(item, "not-run", item.action, (ItemFault("broken", (), waits),))
        elif self.run.stop_after and self.failures >= self.run.stop_after:
            outcome = Outcome(item, "not-run", item.action, (STOPPED,))
        else:
            outcome = apply(self._filled(item))
        if is_unprocessed(outcome):
            return outcome
        if outcome.result != "done":
            self.failures += 1
            self.broken.add(self.own.get(item.index, ""))
        elif item.index in self.own:
            self.done[self.own[item.index]] = outcome
        return outcome

    def _pass(self, item: Item) -> None:
        names = [self.own[item.index]] if item.index in self.own else []
        if self.bulk.order.depends_on is not None and item.group is not None:
            names.append(str(item.group))
        self.ahead.subtract(names)

    def _awaited(self, item: Item) -> list[str]:
        """Return the names of what an item depends on; those that it refers to come after those that it lists."""
        listed = [str(one) for one in keys_awaited(item.raw, self.bulk.order.depends_on)]
        return [*listed, *(name for name in self._referred(item) if name not in listed)]

    def _referred(self, item: Item) -> list[str]:
        return [] if self.references is None else self.references.named(item.raw, self.own.get(item.index))

    def _waits(self, item: Item) -> list[str]:
        """Return the names because of which an item cannot run: of what failed, is still to come, or is not there."""
        own, group = self.own.get(item.index), None if item.group is None else str(item.group)
        certain = set(keys_awaited(item.raw, self.bulk.order.depends_on))
        strict = self.references is not None and self.references.strict
        waits = []
        for name in self._awaited(item):
            if name in {own, group}:
                continue
            known = name in self.done or name in self.broken or self.ahead[name] > 0 or name in self._groups()
            missing = not known and (strict or name in certain)
            if name in self.broken or self.ahead[name] > 0 or missing:
                waits.append(name)
        return waits

    def _groups(self) -> set[str]:
        return {name for name, left in self.ahead.items() if left == 0} if self.bulk.order.depends_on else set()

    def _filled(self, item: Item) -> Item:
        """Return an item with the results of others in the place of references to them."""
        references, reread = self.references, self.run.reread_item
        if references is None or reread is None or not self._referred_or_named(item):
            return item
        own = self.own.get(item.index)

        def resolve(name: str, path: str) -> object:
            if name == own:
                return None if references.member else ABSENT
            found = self.done.get(name)
            return ABSENT if found is None else self._result(found, path)

        results = Results(references=references, resolve=resolve, address=self._address)
        return reread(item, results.fill(item.raw, self.bulk.effect.http.get("url")))

    def _referred_or_named(self, item: Item) -> bool:
        return bool(self._referred(item)) or (self.references is not None and bool(self.references.member))

    def _result(self, outcome: Outcome, path: str) -> object:
        """Return the key of the record that an item made or changed, or what its result has at a dotted path."""
        shown = self._shown(outcome)
        if path:
            for token in PATH_TOKEN.findall(path):
                shown = step(shown, token)
            return shown
        if outcome.record is not None:
            return outcome.record.key
        return step(shown, outcome.item.resource.key)

    def _shown(self, outcome: Outcome) -> Any:
        if isinstance(outcome, ServedOutcome):
            return outcome.response.data
        if outcome.record is None:
            return ABSENT
        return self.run.api.hooks.render(self.run, outcome.item.resource, outcome.record)

    def _address(self, name: str) -> object:
        """Return the path of the record that the item of this name made, ABSENT when there is none."""
        found = self.done.get(name)
        if not isinstance(found, ServedOutcome):
            return ABSENT
        key = self._result(found, "")
        made = found.action == "create" and key is not ABSENT
        return f"{found.path}/{key}" if made else found.path


def _name(references: References | None, item: Item) -> object:
    return item.key if references is None else references.name_of(item.raw, item.key, item.action)

"""Holding the outcomes that were told against what had to come out, and believing what follows from them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from contracts.messages import ABSENT, Exchange
from generators.campaign.kinds import Kinds
from generators.campaign.ledger import Ledger
from generators.campaign.lookups import resolved
from generators.campaign.predicting import DONE, OPEN, Verdict, carried_out, verdict
from generators.campaign.wants import Want, want_of_item
from generators.checks.findings import Finding
from generators.checks.outcome_laws import found
from generators.checks.reading import SentItem
from generators.checks.telling import Outcome
from generators.checks.views import Telling, View
from generators.checks.waiting import waits

CHECK: Final = "verdict"
SAYS: Final = (
    "Items that must fail do, and items that must succeed do, as far as contract and earlier requests determine it."
)


class Reckoner:
    """Reckons with what is told of one bulk call in one data set. A job runs its items at some time after the call.

    `wants` are what the items want, where that was found out when the call was made.
    """

    def __init__(
        self, ledger: Ledger, kinds: Kinds, view: View, scope: str, *, wants: list[Want | None] | None = None
    ) -> None:
        self._ledger, self._view = ledger, view
        self._since = view.exchange.n if view.traces else None
        self.wants = wants or resolved(ledger, [want_of_item(kinds, item, scope) for item in view.call.items])
        named = Counter(str(item.key) for item in view.call.items)
        self._twice = {item.index for item in view.call.items if named[str(item.key)] > 1}
        self._aimed = Counter(str(one.key) for one in self.wants if one is not None and one.key is not ABSENT)
        self._waits = waits(view.bulk, view.call.items)
        self.plain: set[int] = set()  # the items that have one thing wrong with them, which is known

    def findings(self, telling: Telling) -> Iterator[Finding]:
        """Yield what came out otherwise than it had to, and believe the rest."""
        unit = self._view.call.unit
        failed = any(one.result != "done" for one in telling.outcomes)
        if unit == "item":
            yield from self._each(telling)
        elif unit == "whole":
            yield from self._whole(telling, failed=failed)
        else:
            self.doubt_all()

    def _each(self, telling: Telling) -> Iterator[Finding]:
        stops = self._view.bulk.unit.stop_after
        stopped = False
        for item in self._ordered():
            outcome = telling.outcomes[item.index]
            expected = OPEN if stopped else self._verdict(item, telling)
            stopped = stopped or (bool(stops) and outcome.result != "done")
            yield from self._compared(item, outcome, expected, telling)

    def _compared(self, item: SentItem, outcome: Outcome, expected: Verdict, telling: Telling) -> Iterator[Finding]:
        want = self.wants[item.index]
        wrong = self._wrong(item, outcome, expected)
        if wrong is not None:
            shape, says = wrong
            yield found(CHECK, self._view, shape, says, telling)
        if want is None:
            return
        if wrong is not None or outcome.result == "untold" or item.index in self._twice:
            self._doubt(want, outcome)
        elif outcome.result == "done":
            self._believe(want, outcome, telling)
        else:
            self._deny(want, telling)

    def _wrong(self, item: SentItem, outcome: Outcome, expected: Verdict) -> tuple[str, str] | None:
        action = item.action or "effect"
        if expected.word == "failed" and outcome.result == "done":
            return f"{action} {expected.reason} is done", f"item {item.index}, a {action} {expected.reason}, was done"
        if expected.word == "done" and outcome.result == "failed":
            return f"good {action} fails", f"item {item.index}, a {action} with nothing wrong, failed"
        if expected.word == "done" and outcome.result == "not-run":
            return f"good {action} is not run", f"item {item.index}, a {action} with nothing wrong, was not run"
        return None

    def _whole(self, telling: Telling, *, failed: bool) -> Iterator[Finding]:
        """Try the items as if they stood alone; what came of them stands only when the whole does."""
        self._ledger.begin()
        expected: list[tuple[SentItem, Verdict]] = []
        for item in self._ordered():
            expected.append((item, self._verdict(item, telling)))
            outcome, want = telling.outcomes[item.index], self.wants[item.index]
            if want is not None and outcome.result != "failed":
                self._believe(want, outcome, telling)
        if failed:
            self._ledger.undo()
            yield from self._fallen(expected, telling)
            return
        self._ledger.keep()
        yield from self._stood(expected, telling)
        for want in [self.wants[place] for place in self._twice]:
            if want is not None:
                self._ledger.blur(want.where, want.key, want.members or {})

    def _fallen(self, expected: Sequence[tuple[SentItem, Verdict]], telling: Telling) -> Iterator[Finding]:
        blamed = [(item, one) for item, one in expected if telling.outcomes[item.index].result == "failed"]
        innocent = [item for item, one in blamed if one.word == "done"]
        for item in innocent[:1]:
            says = f"item {item.index}, a {item.action} with nothing wrong, failed"
            yield found(CHECK, self._view, f"good {item.action} fails", says, telling)
        for want in filter(None, self.wants):
            self._deny(want, telling)

    def _stood(self, expected: Sequence[tuple[SentItem, Verdict]], telling: Telling) -> Iterator[Finding]:
        guilty = [(item, one) for item, one in expected if one.word == "failed"]
        for item, one in guilty[:1]:
            says = f"item {item.index}, a {item.action} {one.reason}, was done"
            yield found(CHECK, self._view, f"{item.action} {one.reason} is done", says, telling)
        if guilty:
            self.doubt_all()

    def _verdict(self, item: SentItem, telling: Telling) -> Verdict:
        want = self.wants[item.index]
        if want is None:
            return OPEN
        if any(telling.outcomes[place].result != "done" for place in self._waits[item.index]):
            return Verdict("failed", "that waits for one that was not done")
        if self._is_entangled(item) or any(place > item.index for place in self._waits[item.index]):
            return OPEN
        found = verdict(self._ledger, want, since=self._since)
        self.plain |= {item.index} if found.alone else set()
        return found

    def _is_entangled(self, item: SentItem) -> bool:
        """Say whether what becomes of an item hangs on an order that is not declared, or is not told apart."""
        if item.index in self._twice:
            return True
        if self._view.bulk.order.run != "any":
            return False
        own = self.wants[item.index]
        return own is not None and self._aimed[str(own.key)] > 1

    def _ordered(self) -> Sequence[SentItem]:
        items = self._view.call.items
        return in_groups(items) if self._view.call.grouped else items

    def _believe(self, want: Want, outcome: Outcome, telling: Telling) -> None:
        at = telling.evidence[-1]
        by = self._view.operation.id
        version = outcome.version if isinstance(outcome.version, int) else ABSENT
        old = self._ledger.find(want.where, want.key)
        if old is not None and old.jobs:
            self._ledger.blur(want.where, want.key, want.members or {})
            return
        later = self._since is not None
        carried_out(self._ledger, want, key=outcome.id, by=by, at=at, version=version, later=later)

    def _deny(self, want: Want, telling: Telling) -> None:
        """Remember what must not be found: names made up for a record that was not made."""
        deny(self._ledger, want, telling.evidence[-1])

    def _doubt(self, want: Want, outcome: Outcome) -> None:
        key = outcome.id if want.resource.assigned and want.key is ABSENT else want.key
        self._ledger.blur(want.where, key, want.members or {})

    def doubt_all(self) -> None:
        """Believe nothing of the records that the call speaks of."""
        for want in filter(None, self.wants):
            self._ledger.blur(want.where, want.key, want.members or {})

    def deny_all(self, at: Exchange) -> None:
        """Remember the names of a call that was turned away."""
        for want in filter(None, self.wants):
            deny(self._ledger, want, at)


def deny(ledger: Ledger, want: Want, at: Exchange) -> None:
    """Remember the names that were made up for a record that must not be there."""
    for value in (want.members or {}).values():
        if isinstance(value, str | int) and not isinstance(value, bool) and ledger.is_ours(value):
            ledger.denied.setdefault(value, at)


def in_groups(items: Sequence[SentItem]) -> Sequence[SentItem]:
    """Return the items, smaller groups first, as numbers where all are, else as texts; those of none last."""
    names = {str(item.group) for item in items if item.group is not ABSENT and item.group is not None}
    numbers = {name: _decimal(name) for name in names}
    plain = all(one is not None for one in numbers.values())

    def rank(item: SentItem) -> tuple[bool, Decimal, str]:
        if item.group is ABSENT or item.group is None:
            return True, Decimal(0), ""
        return (
            False,
            (numbers[str(item.group)] or Decimal(0)) if plain else Decimal(0),
            "" if plain else str(item.group),
        )

    return sorted(items, key=rank)


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


__all__ = ["CHECK", "DONE", "SAYS", "Reckoner", "deny", "in_groups"]

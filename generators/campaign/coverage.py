"""What a campaign has exercised: laws by operation and class of outcome, and keywords of the contract's schemas."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from contracts.messages import ABSENT, Exchange
from contracts.model import Contract, Operation
from contracts.schemas import Schema
from generators.campaign.reckoning import CHECK as VERDICT
from generators.campaign.watching import Watcher
from generators.checks.outcome_laws import class_of
from generators.checks.views import View
from generators.locations import json_of
from generators.requests.calls import body_schema

SAMPLED: Final = 40  # one exchange in so many is looked at keyword by keyword
LARGEST: Final = 20_000  # bytes of a body that is
NOT_KEYWORDS: Final = frozenset(("", "$defs", "$ref"))


class Coverage:
    """Counts what was exercised. `laws` are counted by law, operation and class, `keywords` by place and verdict."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._operations = {one.id: one for one in contract.operations}
        self._seen: Counter[str] = Counter()
        self.laws: Counter[tuple[str, str, str]] = Counter()
        self.keywords: Counter[tuple[str, str, bool]] = Counter()

    def see(self, exchange: Exchange, watcher: Watcher) -> None:
        """Count one exchange."""
        name = exchange.operation or ""
        self._seen[name] += 1
        if watcher.last_view is not None:
            for law, word in _exercised(watcher.last_view):
                self.laws[law, watcher.last_view.operation.id, word] += 1
        if self._seen[name] % SAMPLED == 1 and name in self._operations:
            self._sample(self._operations[name], exchange)

    def experiment(self, law: str, operation: str) -> None:
        """Count an experiment that was made."""
        self.laws[law, operation, "experiment"] += 1

    def _sample(self, operation: Operation, exchange: Exchange) -> None:
        if len(exchange.call.body) + len(exchange.reply.body) > LARGEST:
            return
        self._evaluate(f"{operation.id} request", body_schema(operation), json_of(exchange.call.body))
        response = operation.response(exchange.reply.status)
        media = response.media(exchange.reply.headers.get("Content-Type")) if response is not None else None
        place = f"{operation.id} {exchange.reply.status}"
        self._evaluate(place, media.schema if media is not None else None, exchange.reply.data)

    def _evaluate(self, place: str, schema: Schema | None, value: object) -> None:
        if schema is None or value is ABSENT:
            return
        for one in schema.validator.evaluate(value).list()["details"]:
            if one["schemaLocation"].rpartition("/")[2] not in NOT_KEYWORDS:
                self.keywords[place, one["schemaLocation"], one["valid"]] += 1

    def take(self) -> dict[str, list[list[object]]]:
        """Return what was counted since the last time, and begin anew."""
        told: dict[str, list[list[object]]] = {
            "laws": [[*key, n] for key, n in self.laws.items()],
            "keywords": [[*key, n] for key, n in self.keywords.items()],
        }
        self.laws, self.keywords = Counter(), Counter()
        return told


def merge(
    laws: Counter[tuple[str, ...]], keywords: Counter[tuple[str, str, bool]], told: Mapping[str, list[list[object]]]
) -> None:
    """Add what a lease has told to what others have."""
    for *key, n in told.get("laws", ()):
        laws[tuple(map(str, key))] += int(str(n))
    for place, at, valid, n in told.get("keywords", ()):
        keywords[str(place), str(at), bool(valid)] += int(str(n))


def _exercised(view: View) -> Iterator[tuple[str, str]]:
    """Yield the laws that have something to look at in a call, with the class that it came out as."""
    word = outcome_class(view)
    yield VERDICT, word
    if view.kind != "refused":
        yield "status-class", word
    for telling in view.tellings:
        yield "count", word
        yield "key", word
        if telling.declared.in_order:
            yield "outcome-order", word
    if view.bulk.reply.counts and view.tellings:
        yield "counts", word
    if any(trace.polls for trace in view.traces):
        yield "job-moves", word
        yield "job-progress", word


def outcome_class(view: View) -> str:
    """Return the class of a bulk call's outcome: refused, accepted, or what its outcomes amount to."""
    results = [one.result for telling in view.tellings for one in telling.outcomes]
    if view.kind == "refused" or not results:
        return view.kind
    return class_of(list(results), view.call.unit)

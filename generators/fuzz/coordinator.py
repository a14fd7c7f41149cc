"""Run a campaign: replay stored findings, then run shards; every finding is written to disk before it is reported.

Begin with `Campaign`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final

from contracts.errors import MisuseError
from contracts.openapi.model import Contract
from contracts.openapi.security import key_field
from generators.client.access import is_refused, require_admitted
from generators.client.environments import control_note, open_target
from generators.client.session import Budget
from generators.fuzz.executors import Executor
from generators.fuzz.progress import CampaignState, Listener
from generators.fuzz.shards import SHRINK_SHARE, CampaignConfig, Shard, oracle_factory_for, shard_seconds
from generators.requests.envelope import unsupported_reason
from generators.triage.confirm import Triager
from generators.triage.corpus import Corpus
from generators.triage.stored_finding import MAX_MISSES, StoredFinding

COVERAGE_PHASES: Final = ("coverage",)
FUZZING_PHASES: Final = ("fuzzing", "stateful")
MIN_SHARD_SECONDS: Final = 3.0  # shortest useful shard
REPLAY_SHARE: Final = 0.2  # of the time, for findings of earlier campaigns
MAX_TOLD: Final = 5  # stored findings that are named in a message
MIN_SCHEMATHESIS_SECONDS: Final = 12.0  # shortest useful run of schemathesis
MIN_SHARED_SECONDS: Final = 45.0  # shortest campaign in which the fuzzer and schemathesis take turns
SHARED_SHARE: Final = 0.1  # of the time, for each turn of schemathesis on a shared server
MAX_UNTRIED: Final = 12  # findings that a shard receives for shrinking
LAST_SHARD_RESERVED_SECONDS: Final = 6.0  # reserved for shrinking in the last shard ...
MAX_RESERVED_SHARE: Final = 0.4  # ... at most this share of it
CLOSING_SHARE: Final = 0.1  # of the last shard, in which nothing is looked for ...
MAX_CLOSING_SECONDS: Final = 5.0  # ... and at most so long
MANY_CALLS: Final = 200  # after which a campaign is given up of which nearly everything was answered with 401
NO_OPERATION: Final = "No fuzzable bulk operation"


@dataclass(slots=True, kw_only=True)
class Campaign:
    """One campaign. `corpus` None stores nothing; `schemas` tells whether schemathesis runs too.

    After `run`, `interrupted` tells whether Ctrl-C ended it.
    """

    job: CampaignConfig
    executor: Executor
    listener: Listener
    seconds: float
    corpus: Corpus | None = None
    schemas: bool = True
    state: CampaignState = field(default_factory=CampaignState)
    interrupted: bool = False
    _lock: Lock = field(default_factory=Lock)
    _owners: dict[str, str] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _ordinals: dict[str, int] = field(default_factory=dict)
    _lost_ordinals: list[int] = field(default_factory=list)
    _told: set[str] = field(default_factory=set)
    _over: bool = False
    _has_no_operation: bool = False
    _is_shared: bool = False

    def run(self) -> CampaignState:
        """Run the campaign and return its state; Ctrl-C ends it early, and findings so far are kept.

        Raises MisuseError when the contract has nothing to fuzz, or nearly every request was answered with 401.
        """
        budget = Budget(seconds=self.seconds)
        self._has_no_operation = not is_fuzzable(self.job.contract)
        self._is_shared = self._tell_target()
        self.listener.began(self.state)
        try:
            self._require_operations()
            self._replay_known(budget)
            self.executor.run(self._shards(budget), self._handle_event, lambda: self._over or not budget.left)
            self._shrink_rest(budget)
            self._require_operations()
            url, contract = self.job.place.url, self.job.contract
            require_admitted(self.state.refused, self.state.calls, url, contract.clients, key_field(contract))
        except KeyboardInterrupt:
            self.interrupted = True
            self.listener.message("Interrupted: findings so far are stored.")
        finally:
            self._over = True
            self.executor.stop()
        return self.state

    def _require_operations(self) -> None:
        """Raise MisuseError when there is no bulk operation to fuzz and schemathesis cannot run either."""
        if self._has_no_operation and (not self.schemas or self.seconds < MIN_SCHEMATHESIS_SECONDS):
            why = (
                "without schemathesis"
                if not self.schemas
                else f"and schemathesis needs at least {MIN_SCHEMATHESIS_SECONDS:g} s"
            )
            cure = "Declare x-bulk, or remove --no-schemathesis." if not self.schemas else "Give it more --max-time."
            raise MisuseError(f"{NO_OPERATION[0].lower()}{NO_OPERATION[1:]}, {why}: nothing to run.", cure=cure)

    def _tell_target(self) -> bool:
        """Return whether all environments share one server's records; report what its control API lacks."""
        has_sandboxes, note = control_note(self.job.contract, self.job.place, needs_sandboxes=True)
        if note:
            self.listener.message(note)
        is_brief = self.schemas and MIN_SCHEMATHESIS_SECONDS <= self.seconds < MIN_SHARED_SECONDS
        if not has_sandboxes and is_brief and not self._has_no_operation:
            self.listener.message(
                f"Schemathesis does not run: on a server without sandboxes it takes turns with the fuzzer, for which "
                f"{MIN_SHARED_SECONDS:g} s are too little."
            )
        return not has_sandboxes

    def _replay_known(self, budget: Budget) -> None:
        """Replay findings of earlier campaigns for a share of the time: those that wait longest come first."""
        stored = self.corpus.findings(self.listener.message) if self.corpus is not None else []
        own = [one for one in stored if one.contract == self.job.contract.name and not one.is_retired]
        own.sort(key=lambda one: one.replayed)
        budget, lost = Budget(seconds=min(budget.left, self.seconds * REPLAY_SHARE)), list[StoredFinding]()
        for kept, triager in self._triage(own, "known", budget):
            now = triager.shown_again(kept)
            if now is None and not budget.left:
                break
            self.state.replays += 1
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            noted = replace(kept, replayed=at, misses=kept.misses + 1 if now != kept else 0)
            if self.corpus is not None:
                self.corpus.store_notes(noted)
            if now is None:
                lost.append(noted)
            else:
                now = replace(now, replayed=at, misses=0, group="", cause="")
                self._store_new(self.state.add(now))
                self._end_at_first(now)
            if self._over:
                break
        self._tell_replays(own, lost)

    def _tell_replays(self, own: Sequence[StoredFinding], lost: Sequence[StoredFinding]) -> None:
        """Report the stored findings that were not reproduced, those that are retired, and how many have to wait."""
        tell = self.listener.message
        for one in lost[:MAX_TOLD]:
            tell(f"{one.fingerprint[:8]} is no longer reproduced: {one.law} on {one.operation}.")
        if len(lost) > MAX_TOLD:
            tell(f"{len(lost) - MAX_TOLD} more stored findings are no longer reproduced.")
        retired = [one.fingerprint[:8] for one in lost if one.is_retired]
        if retired:
            few = f"{', '.join(retired[:MAX_TOLD])}{' ...' if len(retired) > MAX_TOLD else ''}"
            tell(f"Retired after {MAX_MISSES} campaigns that did not reproduce them, and kept in the corpus: {few}.")
        if self.state.replays < len(own) and not self._over:
            tell(
                f"{self.state.replays} of {len(own)} stored findings were replayed in {REPLAY_SHARE:.0%} of the time; "
                "the next campaign goes on with the others."
            )

    def _end_at_first(self, kept: StoredFinding) -> None:
        """End the campaign with its first confirmed finding that no baseline accepts, if that is asked for."""
        is_final = kept.is_confirmed or not self.job.shrinks
        self._over = self._over or (self.job.stops_at_first and is_final and self.state.is_failure(kept))

    def _shrink_rest(self, budget: Budget) -> None:
        """Shrink findings that no shard had time for, the first of each root cause before the others."""
        if self._over:
            return
        waiting = [one for one in self.state.findings.values() if not one.tries and self.job.shrinks]
        for kept, triager in self._triage(sorted(waiting, key=lambda one: bool(one.group)), "small", budget):
            confirmed = triager.confirm(kept)
            if confirmed.tries:
                self._store_confirmed(confirmed)

    def _triage(
        self, some: Sequence[StoredFinding], name: str, budget: Budget
    ) -> Iterator[tuple[StoredFinding, Triager]]:
        """Yield findings, each with its triager, as long as there is time."""
        if not some or not budget.left:
            return
        place = replace(self.job.place, timeout=min(self.job.place.timeout, budget.left + 1))
        target = open_target(self.job.contract, place, f"{self.job.label}-{name}")
        try:
            for kept in some:
                oracle_factory = oracle_factory_for(self.job, kept)
                is_over, left = lambda: not budget.left, lambda: budget.left
                yield kept, Triager(oracle_factory=oracle_factory, target=target, is_over=is_over, left=left)
                if not budget.left:
                    return
        finally:
            target.close()

    def _shards(self, budget: Budget) -> Iterator[Shard]:
        """Yield shards as long as there is time: schemathesis' coverage once, later its fuzzing, else the fuzzer.

        Schemathesis deletes what it has not made. Where it has no sandbox of its own it runs alone: nothing that the
        fuzzer believes about records outlasts a shard.
        """
        done = self.corpus.shards() if self.corpus is not None else {}
        length = shard_seconds(self.seconds)
        numbers, others = count(_next_number(done, "bulk")), count(_next_number(done, "schemas"))
        ordinals = count()
        for n in count(1):
            left = budget.left
            if self._has_no_operation or (left < MIN_SHARD_SECONDS and n > 1):
                break
            if self._is_turn_of_schemathesis(n, left):
                yield self._assign(self._schemathesis_shard(next(others), length * 2 if n == 1 else length, left))
                left = budget.left
            bulk = Shard(number=next(numbers), part="bulk", seconds=min(length, left))
            if left - length < MIN_SHARD_SECONDS:
                share = min(MAX_RESERVED_SHARE, LAST_SHARD_RESERVED_SECONDS / max(left, MIN_SHARD_SECONDS))
                closing = min(left * CLOSING_SHARE, MAX_CLOSING_SECONDS) if self.job.shrinks else 0.0
                bulk = replace(bulk, reserved=max(SHRINK_SHARE, share), closing=closing)
            yield self._assign(self._with_untried(self._with_ordinal(bulk, ordinals)))
        if self._has_no_operation and self.schemas:
            yield from self._schemathesis_only(budget, others)

    def _is_turn_of_schemathesis(self, n: int, left: float) -> bool:
        """Return whether a shard of schemathesis goes before the fuzzer's nth: on a shared server not the first."""
        if not self.schemas or left < MIN_SCHEMATHESIS_SECONDS:
            return False
        return (n % 4 == 2 and self.seconds >= MIN_SHARED_SECONDS) if self._is_shared else (n == 1 or n % 4 == 0)  # noqa: PLR2004 - each fourth

    def _schemathesis_shard(self, number: int, seconds: float, left: float) -> Shard:
        """Return a shard of schemathesis: its coverage first; alone where it would change the fuzzer's records."""
        phases = FUZZING_PHASES if number else COVERAGE_PHASES
        most = max(self.seconds * SHARED_SHARE, MIN_SCHEMATHESIS_SECONDS)
        most = most if self._is_shared and not self._has_no_operation else left
        return Shard(
            number=number, part="schemas", seconds=min(seconds, most, left), phases=phases, alone=self._is_shared
        )

    def _schemathesis_only(self, budget: Budget, numbers: Iterator[int]) -> Iterator[Shard]:
        self.listener.message(f"{NO_OPERATION}: only schemathesis runs.")
        while (left := budget.left) >= MIN_SCHEMATHESIS_SECONDS:
            yield self._assign(
                replace(self._schemathesis_shard(next(numbers), shard_seconds(self.seconds), left), alone=True)
            )

    def _with_ordinal(self, shard: Shard, ordinals: Iterator[int]) -> Shard:
        """Return a shard with the ordinal of one that was lost, so that its tasks are run again, else with the next."""
        with self._lock:
            ordinal = self._lost_ordinals.pop(0) if self._lost_ordinals else next(ordinals)
            self._ordinals[shard.name] = ordinal
        return replace(shard, ordinal=ordinal)

    def _assign(self, shard: Shard) -> Shard:
        """Return a shard with the findings and the coverage known by now."""
        with self._lock:
            self._running.add(shard.name)
            known = [name for name, one in self.state.findings.items() if not one.is_doubtful]
            return replace(shard, known=frozenset(known), covered=frozenset(self.state.laws))

    def _with_untried(self, shard: Shard) -> Shard:
        """Return a shard with findings that have not been replayed and that no running shard has."""
        with self._lock:
            free = [
                one
                for name, one in self.state.findings.items()
                if not one.tries and self._owners.get(name) not in self._running
            ]
            some = sorted(free, key=lambda one: bool(one.group))[:MAX_UNTRIED] if self.job.shrinks else []
            self._owners |= {one.fingerprint: shard.name for one in some}
        return replace(shard, untried=tuple(some))

    def _handle_event(self, event: Mapping[str, Any]) -> None:
        """Handle an event of a shard; findings are written to disk first."""
        with self._lock:
            match event["kind"]:
                case "found":
                    self._owners.setdefault(event["finding"].fingerprint, event["shard"])
                    self._store_new(self.state.add(event["finding"]))
                case "kept":
                    self._store_confirmed(event["finding"])
                case "progress":
                    self.state.progress(event)
                    self._over = self._over or is_refused(self.state.refused, self.state.calls, MANY_CALLS)
                    self.listener.progressed(self.state)
                case "ended" | "lost":
                    self._running.discard(event["shard"])
                    self._end_shard(event)
                case "message":
                    self.listener.message(event["says"])
                case "nothing-to-fuzz":
                    self._has_no_operation = True

    def _end_shard(self, event: Mapping[str, Any]) -> None:
        """Note that a shard has ended or was lost."""
        ordinal = self._ordinals.pop(event["shard"], None)
        if event["kind"] == "lost":
            self._lost_ordinals += [] if ordinal is None else [ordinal]
            self.state.lost.append(event["shard"])
            self.listener.message(f"Shard {event['shard']} was lost: {event['says']}")
            return
        self.state.shards += 1
        if self.corpus is not None:
            self.corpus.store_shard(event["shard"], {"findings": len(self.state.findings)})

    def _store_new(self, placed: StoredFinding | None) -> None:
        """Store a new finding and report it."""
        if placed is not None:
            self._tell_found(placed, self._keep(placed))
            self._regroup(placed)
            if not self.job.shrinks:
                self._end_at_first(placed)

    def _store_confirmed(self, kept: StoredFinding) -> None:
        """Store the confirmed form of a finding and report it."""
        before, placed = self.state.findings.get(kept.fingerprint), self.state.renew(kept)
        folder = self._keep(placed)
        if before is not None and before.group and not placed.group:
            self._tell_found(placed, folder)
        self._tell_confirmed(placed, folder)
        self._regroup(placed)
        self._end_at_first(placed)

    def _tell_found(self, placed: StoredFinding, folder: Path | None) -> None:
        """Report a finding once, unless a baseline leaves it out."""
        if not self.state.is_left_out(placed) and placed.fingerprint not in self._told:
            self.listener.found(placed, folder)
            self._told |= set() if placed.group else {placed.fingerprint}

    def _tell_confirmed(self, placed: StoredFinding, folder: Path | None) -> None:
        if not self.state.is_left_out(placed):
            self.listener.confirmed(placed, folder)

    def _regroup(self, placed: StoredFinding) -> None:
        """Store findings whose group has changed; report one that has become the first of its group."""
        for name in self.state.take_regrouped() - {placed.fingerprint}:
            kept = self.state.findings[name]
            folder = None if self.corpus is None else self.corpus.store_notes(kept)
            if not kept.group:
                self._tell_found(kept, folder)
            if not kept.group and kept.tries:
                self._tell_confirmed(kept, folder)

    def _keep(self, kept: StoredFinding) -> Path | None:
        return None if self.corpus is None else self.corpus.store(kept)


def _next_number(done: Mapping[str, object], part: str) -> int:
    """Return the number after the last finished shard of a part."""
    return max((int(name.rpartition("-")[2]) + 1 for name in done if name.startswith(part)), default=0)


def is_fuzzable(contract: Contract) -> bool:
    """Return whether a contract declares a bulk operation that requests can be composed for."""
    return any(one.bulk is not None and unsupported_reason(one, groups=False) is None for one in contract.operations)

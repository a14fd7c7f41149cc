"""The state of a campaign: coverage of laws and keywords, findings by root cause; and its progress on the terminal.

Begin with `CampaignState` and `Listener`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol

from contracts.exchange.bulk_exchange import BulkExchange
from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Contract, Operation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import counted
from generators.oracles.facts import Assumptions
from generators.oracles.findings import is_accepted
from generators.oracles.oracle import Oracle
from generators.oracles.outcome_oracle import CHECK as VERDICT
from generators.oracles.response_laws import class_of, declared_schema
from generators.requests.calls import body_schema
from generators.triage.stored_finding import StoredFinding, root_causes

SAMPLING_INTERVAL: Final = 40  # one of so many exchanges is evaluated by keyword
MAX_SAMPLED_BYTES: Final = 6_000  # of both bodies of an evaluated exchange
EXPERIMENT: Final = "experiment"  # the outcome class of a cell that an experiment exercises
NOT_APPLICABLE: Final = "not-applicable"  # of one that an experiment would exercise, if it were possible here
NOT_KEYWORDS: Final = frozenset(("", "$defs", "$ref"))


class PropertyCoverage:
    """Counts what was exercised: `laws` by law, operation and outcome class, `keywords` by location and validity.

    `covered` are the cells (law, operation, outcome class) that the campaign has exercised before. Tasks are chosen by
    what is not covered yet (`has_run`, `cells`).
    """

    def __init__(self, contract: Contract, covered: Iterable[tuple[str, ...]] = ()) -> None:
        self._covered = set(covered)
        self._cells = Counter(operation for _, operation, _ in self._covered)
        self._contract = contract
        self._operations = {one.id: one for one in contract.operations}
        self._seen: Counter[str] = Counter()
        self.laws: Counter[tuple[str, str, str]] = Counter()
        self.keywords: Counter[tuple[str, str, bool]] = Counter()

    def count_exchange(self, exchange: Exchange, oracle: Oracle) -> None:
        """Count one exchange."""
        name = exchange.operation or ""
        self._seen[name] += 1
        if oracle.last_view is not None:
            for law, word in _exercised(oracle.last_view):
                self._count(law, oracle.last_view.operation.id, word)
        if self._seen[name] % SAMPLING_INTERVAL == 1 and name in self._operations:
            self._sample(self._operations[name], exchange)

    def count_experiment(self, name: str, operation: str, *, is_applicable: bool = True) -> None:
        """Count one experiment: that of a law, or one of another name."""
        self._count(name, operation, EXPERIMENT if is_applicable else NOT_APPLICABLE)

    def _count(self, law: str, operation: str, word: str) -> None:
        cell = law, operation, word
        self.laws[cell] += 1
        if cell not in self._covered:
            self._covered.add(cell)
            self._cells[operation] += 1

    def has_run(self, name: str, operation: str) -> bool:
        """Return whether an experiment has been run on an operation, as far as that is possible."""
        return any((name, operation, word) in self._covered for word in (EXPERIMENT, NOT_APPLICABLE))

    @property
    def has_experiments(self) -> bool:
        """Whether the campaign has run any experiment."""
        return any(word == EXPERIMENT for _, _, word in self._covered)

    def cells(self, operation: str) -> int:
        """Return the number of cells of an operation that are covered."""
        return self._cells[operation]

    def _sample(self, operation: Operation, exchange: Exchange) -> None:
        if len(exchange.request.body) + len(exchange.response.body) > MAX_SAMPLED_BYTES:
            return
        self._evaluate(f"{operation.id} request", body_schema(operation), json_of(exchange.request.body))
        place, schema = f"{operation.id} {exchange.response.status}", declared_schema(operation, exchange.response)
        self._evaluate(place, schema, exchange.response.data)

    def _evaluate(self, place: str, schema: Schema | None, value: object) -> None:
        if schema is None or value is ABSENT:
            return
        for one in schema.validator.evaluate(value).list()["details"]:
            if one["schemaLocation"].rpartition("/")[2] not in NOT_KEYWORDS:
                self.keywords[place, one["schemaLocation"], one["valid"]] += 1

    def take(self) -> dict[str, list[list[object]]]:
        """Return the counts since the last call, and reset them."""
        told: dict[str, list[list[object]]] = {
            "laws": [[*key, n] for key, n in self.laws.items()],
            "keywords": [[*key, n] for key, n in self.keywords.items()],
        }
        self.laws, self.keywords = Counter(), Counter()
        return told


def taken(coverages: Iterable[PropertyCoverage]) -> Mapping[str, Any]:
    """Return the counts of several coverages since they were last taken, as one."""
    found = [one.take() for one in coverages]
    return {name: [cell for one in found for cell in one[name]] for name in found[0]}


def merge(
    laws: Counter[tuple[str, ...]], keywords: Counter[tuple[str, str, bool]], told: Mapping[str, list[list[object]]]
) -> None:
    """Add a shard's counts to a campaign's."""
    for *key, n in told.get("laws", ()):
        laws[tuple(map(str, key))] += int(str(n))
    for place, at, valid, n in told.get("keywords", ()):
        keywords[str(place), str(at), bool(valid)] += int(str(n))


def _exercised(view: BulkExchange) -> Iterator[tuple[str, str]]:
    """Yield the laws that can judge a bulk exchange, with its outcome class."""
    word = outcome_class(view)
    yield VERDICT, word
    if view.kind != "refused":
        yield "status-class", word
    for report in view.reports:
        yield "count", word
        yield "key", word
        if report.declared.in_order:
            yield "outcome-order", word
    if view.bulk.reply.counts and view.reports:
        yield "counts", word
    if any(trace.polls for trace in view.traces):
        yield "job-moves", word
        yield "job-progress", word


def outcome_class(view: BulkExchange) -> str:
    """Return the outcome class of a bulk exchange: refused, accepted, or that of its results."""
    results = [one.result for report in view.reports for one in report.outcomes]
    if view.kind == "refused" or not results:
        return view.kind
    return class_of(list(results), view.request.unit)


@dataclass(slots=True)
class CampaignState:
    """The state of a running campaign.

    `known` are fingerprints that a baseline accepts; `assumptions` says what becomes of findings that depart from an
    assumption. `today` is the day, `first_seen` that of each finding of the corpus. `new_at` is the monotonic time of
    the last new finding, None before. `replays` counts replays of stored findings. `regrouped` are the findings whose
    group has changed since `take_regrouped`.
    """

    known: frozenset[str] = frozenset()
    assumptions: Assumptions = "fail"
    today: str = ""
    first_seen: Mapping[str, str] = field(default_factory=dict)
    findings: dict[str, StoredFinding] = field(default_factory=dict)
    regrouped: set[str] = field(default_factory=set)
    calls: int = 0
    items: int = 0
    refused: int = 0
    laws: Counter[tuple[str, ...]] = field(default_factory=Counter)
    keywords: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    shards: int = 0
    replays: int = 0
    lost: list[str] = field(default_factory=list)
    started: float = field(default_factory=monotonic)
    new_at: float | None = None

    @property
    def seconds(self) -> float:
        """The seconds since the campaign began."""
        return monotonic() - self.started

    @property
    def cells(self) -> int:
        """The number of cells (law, operation, outcome class) that were exercised."""
        return sum(word != NOT_APPLICABLE for *_, word in self.laws)

    @property
    def groups(self) -> Mapping[str, list[StoredFinding]]:
        """The findings by root cause, each under the fingerprint of the first one."""
        found: dict[str, list[StoredFinding]] = {}
        for kept in self.findings.values():
            found.setdefault(kept.group or kept.fingerprint, []).append(kept)
        return found

    @property
    def broken(self) -> list[StoredFinding]:
        """The findings that no baseline accepts, that are not doubtful, and that are no mere warnings."""
        return [one for one in self.findings.values() if self.is_failure(one)]

    def is_failure(self, kept: StoredFinding) -> bool:
        """Return whether a finding fails the run."""
        return not (kept.is_doubtful or self.is_known(kept) or self.is_warning(kept))

    def is_warning(self, kept: StoredFinding) -> bool:
        """Return whether a finding departs from an assumption, and that fails no run."""
        return kept.assumed and self.assumptions != "fail"

    def is_left_out(self, kept: StoredFinding) -> bool:
        """Return whether a finding is not told at all."""
        return kept.assumed and self.assumptions == "ignore"

    def is_known(self, kept: StoredFinding) -> bool:
        """Return whether the baseline accepts a finding."""
        return is_accepted(self.known, kept.law, kept.operation, kept.shape)

    def add(self, kept: StoredFinding) -> StoredFinding | None:
        """Add a finding; return it with its group, None when it is not new."""
        if kept.fingerprint in self.findings:
            return None
        self.new_at = monotonic()
        day = kept.first_seen or self.first_seen.get(kept.fingerprint) or self.today
        return self._placed(replace(kept, seconds=round(self.seconds, 3), first_seen=day))

    def renew(self, kept: StoredFinding) -> StoredFinding:
        """Replace a finding by its confirmed form, and return it with its group."""
        old = self.findings.get(kept.fingerprint, kept)
        return self._placed(replace(kept, seconds=old.seconds, first_seen=old.first_seen))

    def _placed(self, kept: StoredFinding) -> StoredFinding:
        """Store a finding and group all findings anew."""
        self.findings[kept.fingerprint] = kept
        ranked = sorted(self.findings.values(), key=self._rank)
        for name, first in root_causes(ranked).items():
            if self.findings[name].group != first:
                self.findings[name] = replace(self.findings[name], group=first)
                self.regrouped.add(name)
        return self.findings[kept.fingerprint]

    def _rank(self, kept: StoredFinding) -> tuple[bool, bool, bool]:
        return self.is_known(kept), self.is_warning(kept), kept.is_doubtful

    def take_regrouped(self) -> set[str]:
        """Return the findings whose group has changed since the last call."""
        regrouped, self.regrouped = self.regrouped, set()
        return regrouped

    def progress(self, told: Mapping[str, Any]) -> None:
        """Add the counts of a shard since its last report."""
        self.calls += told["calls"]
        self.items += told["items"]
        self.refused += told.get("refused", 0)
        merge(self.laws, self.keywords, told)


class Listener(Protocol):
    """Receives the events of a campaign."""

    def began(self, state: CampaignState) -> None:
        """Receive that the campaign begins."""

    def found(self, kept: StoredFinding, folder: Path | None) -> None:
        """Receive a new finding, which is stored in `folder`, None without a corpus."""

    def confirmed(self, kept: StoredFinding, folder: Path | None) -> None:
        """Receive a finding that was shrunk and replayed."""

    def progressed(self, state: CampaignState) -> None:
        """Receive the current state."""

    def message(self, says: str) -> None:
        """Receive another message for the user."""


LINE_INTERVAL: Final = 10.0  # seconds between two plain lines
REDRAWS_PER_SECOND: Final = 4
Say = Callable[[str], None]


def progress_line(state: CampaignState, before: tuple[float, int, int] = (0.0, 0, 0)) -> str:
    """Return the progress in one line; `before` are seconds, requests and items from which the rates are computed."""
    seconds, calls, items = before
    span = max(state.seconds - seconds, 0.001)
    since = f"{monotonic() - state.new_at:.0f} s since the last finding" if state.new_at is not None else "none yet"
    parts = (
        f"{state.seconds:.0f} s",
        f"{(state.calls - calls) / span:.0f} requests/s",
        f"{(state.items - items) / span:.0f} items/s",
        f"{counted(len(state.findings), 'finding')}, {counted(len(state.groups), 'distinct bug')} ({since})",
        f"coverage: {state.cells} property cells",
        f"{len({key[:2] for key in state.keywords})} schema keywords",
    )
    return ", ".join(parts)


class PlainProgress:
    """Prints progress in plain lines, for files and pipes."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last = 0.0
        self._before = (0.0, 0, 0)

    def began(self, state: CampaignState) -> None:
        """Start the interval."""
        self._last = state.seconds

    def found(self, kept: StoredFinding, folder: Path | None) -> None:
        """Print a new finding, unless its root cause was reported before."""
        if not kept.group:
            self._say(finding_line(kept, folder))

    def confirmed(self, kept: StoredFinding, folder: Path | None) -> None:
        """Print the result of replaying a reported finding."""
        del folder
        if not kept.group:
            self._say(confirmation_line(kept))

    def progressed(self, state: CampaignState) -> None:
        """Print the progress every ten seconds."""
        if state.seconds - self._last >= LINE_INTERVAL:
            self._say(progress_line(state, self._before))
            self._last, self._before = state.seconds, (state.seconds, state.calls, state.items)

    def message(self, says: str) -> None:
        """Print a message."""
        self._say(says)

    def ended(self) -> None:
        """Do nothing."""


class TerminalProgress:
    """Shows findings as lines, and below them one line that is updated; needs rich."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.live import Live as RichLive  # noqa: PLC0415 - the same

        self._console = Console(stderr=True, highlight=False)
        self._live: Any = RichLive("", console=self._console, refresh_per_second=REDRAWS_PER_SECOND, transient=True)

    def began(self, state: CampaignState) -> None:
        """Show the line."""
        self._live.start()
        self.progressed(state)

    def found(self, kept: StoredFinding, folder: Path | None) -> None:
        """Print a new finding, unless its root cause was reported before."""
        if not kept.group:
            self._console.print(finding_line(kept, folder), style="bold red", markup=False)

    def confirmed(self, kept: StoredFinding, folder: Path | None) -> None:
        """Print the result of replaying a reported finding."""
        del folder
        if not kept.group:
            self._console.print(confirmation_line(kept), style="dim", markup=False)

    def progressed(self, state: CampaignState) -> None:
        """Update the line."""
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        self._live.update(Text(progress_line(state)))

    def message(self, says: str) -> None:
        """Print a message."""
        self._console.print(says, markup=False)

    def ended(self) -> None:
        """Remove the line."""
        self._live.stop()


def progress_listener(*, is_terminal: bool, say: Say) -> PlainProgress | TerminalProgress:
    """Return the listener for the output: on a terminal with rich, where it is installed."""
    return TerminalProgress() if is_terminal and find_spec("rich") is not None else PlainProgress(say)


def finding_line(kept: StoredFinding, folder: Path | None) -> str:
    """Return a new finding in one line."""
    where = f" → {folder}" if folder is not None else ""
    mark = " (departs from an assumption)" if kept.assumed else ""
    return f"{kept.seconds:7.2f} s  {kept.fingerprint[:8]}  {kept.law} on {kept.operation}: {kept.says}{mark}{where}"


def confirmation_line(kept: StoredFinding) -> str:
    """Return the result of replaying a finding in one line."""
    shown = f"reproduced {kept.confirmed}/{kept.tries}" + (", flaky" if kept.is_flaky else "")
    shown += ", shown again by its experiment" if kept.again else ""
    return f"           {kept.fingerprint[:8]}  {counted(len(kept.script.steps), 'step')}, {shown}"

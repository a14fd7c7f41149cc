"""A shard: a part of a campaign with its own seed and environments, in values that can be sent to another process.

`TaskRun` is the context of each of the fuzzer's tasks, `run_schemathesis` runs a shard of schemathesis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from secrets import randbelow
from time import monotonic
from typing import Any, Final, Literal, TypeAlias

from contracts.messages import Exchange
from contracts.openapi.model import Contract
from generators.client.access import WITHOUT_CREDENTIALS
from generators.client.environments import Environment, SandboxClient, Target, TargetOptions, headers_for
from generators.client.http import HttpClient, NoAnswerError
from generators.client.session import Budget, Session, UnendedJob
from generators.fuzz.progress import PropertyCoverage, taken
from generators.oracles.findings import Finding
from generators.oracles.job_laws import unended
from generators.oracles.oracle import ModelFactory, Oracle, OracleFactory
from generators.oracles.response_laws import unanswered
from generators.schemathesis_engine.coverage import CHECK, SchemathesisCoverage
from generators.schemathesis_engine.process import END_TIMEOUT
from generators.triage.confirm import Triager
from generators.triage.stored_finding import Judged, Observation, StoredFinding

Part: TypeAlias = Literal["bulk", "schemas"]
Emit: TypeAlias = Callable[[Mapping[str, Any]], None]
MIN_SHARD_SECONDS: Final = 20.0
MAX_SHARD_SECONDS: Final = 60.0
SHRINK_SHARE: Final = 0.15
PROGRESS_INTERVAL: Final = 0.5  # seconds between two progress events
ENVIRONMENTS_PER_SHARD: Final = 4096  # name prefixes of a shard on a shared server


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignConfig:
    """What all shards of a campaign share. `document` is the contract with all external references resolved.

    A model that is `made_of_document` alone says how our sandbox fills what the document leaves open, and judges
    sandboxes only. `model` returns the factory for a target.
    The name prefixes of its environments are counted from `name_prefix`; concurrent campaigns should differ in it.
    One that `stops_at_first` ends with its first confirmed finding, and does nothing else while one is replayed.
    """

    contract: Contract
    place: TargetOptions
    document: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    model_factory: ModelFactory | None = None
    made_of_document: bool = False
    seed: int = 0
    label: str = "fuzz"
    name_prefix: int = field(default_factory=partial(randbelow, 36**5))
    shrinks: bool = True
    stops_at_first: bool = False

    def model(self, *, is_sandbox: bool) -> ModelFactory | None:
        """Return the factory of models that judge a target, None for no model."""
        return self.model_factory if is_sandbox or not self.made_of_document else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One part of a campaign. Its seed depends on `number`; `phases` are those of schemathesis.

    `ordinal` counts the shards of its part in this run. `known` are fingerprints that need no triage, `untried` are
    findings to be replayed and shrunk. `covered` are the cells (law, operation, outcome class) that the campaign has
    exercised so far. `reserved` is the share of the time for shrinking when there are findings. In the last `closing`
    seconds nothing is looked for, and the shard ends when no finding waits for its replays. While a shard of
    schemathesis runs `alone` there is no other one. `lanes` are the numbers of the environments, of those that are used
    at a time, that one of two processes plays; all are played when there are none.
    """

    number: int
    part: Part
    seconds: float
    ordinal: int = 0
    phases: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    untried: tuple[StoredFinding, ...] = ()
    covered: frozenset[tuple[str, ...]] = frozenset()
    reserved: float = SHRINK_SHARE
    closing: float = 0.0
    alone: bool = False
    lanes: tuple[int, ...] = ()

    @property
    def process(self) -> int:
        """Which of two processes plays the lanes: 0, or 1 for the second one."""
        return min(self.lanes, default=0)

    @property
    def name(self) -> str:
        """The shard's name in its campaign, such as `bulk-000001`."""
        return f"{self.part}-{self.number:06d}"


@dataclass(slots=True)
class Beside:
    """What the process hears that plays the other lanes of a shard; it may grow while the shard runs.

    `found` are the fingerprints of findings that the other one deals with, `waiting` are those of them that it has not
    replayed yet, `handed` are findings that it leaves to this one. `is_alone` tells that only one environment may be
    used from now on: the first of the first process.
    """

    found: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    handed: list[StoredFinding] = field(default_factory=list)
    is_alone: bool = False

    def hear(self, kind: str, fingerprint: str = "") -> None:
        """Take an event: `found` or `kept` with the fingerprint of a finding, `alone`, or a new `shard`."""
        match kind:
            case "found":
                self.found.add(fingerprint)
                self.waiting.add(fingerprint)
            case "kept":
                self.waiting.discard(fingerprint)
            case "alone":
                self.is_alone = True
            case "shard":
                self.waiting.clear()
                self.handed.clear()
                self.is_alone = False


@dataclass(slots=True)
class ShardProgress:
    """Tells every half second of the calls and items of a shard that are new, and of what is covered."""

    name: str
    emit: Emit
    coverages: Sequence[PropertyCoverage]
    calls: int = 0
    items: int = 0
    refused: int = 0
    _told_at: float = 0.0

    def count(self, exchange: Exchange) -> None:
        """Count an exchange, and whether it was refused for want of credentials."""
        self.calls += 1
        self.refused += exchange.response.status == WITHOUT_CREDENTIALS

    def tell(self, *, final: bool = False) -> None:
        """Emit what is new, unless that was done a moment ago."""
        now = monotonic()
        if final or now - self._told_at > PROGRESS_INTERVAL:
            new = {"calls": self.calls, "items": self.items, "refused": self.refused, **taken(self.coverages)}
            self.emit({"kind": "progress", "shard": self.name, **new})
            self._told_at, self.calls, self.items, self.refused = now, 0, 0, 0


def oracle_factory_for(job: CampaignConfig, kept: StoredFinding) -> OracleFactory:
    """Return an oracle factory with the first versions that were observed when a finding was made."""
    learned = {name: int(version) for name, _, version in (one.partition("=") for one in kept.traits)}
    return OracleFactory(contract=job.contract, model_factory=job.model_factory, first_versions=learned)


def shard_seed(job: CampaignConfig, shard: Shard) -> int:
    """Return the seed of a shard, which depends on the campaign's seed and the shard's number."""
    return job.seed * 1_000_003 + shard.number


def first_environment(job: CampaignConfig, shard: Shard) -> int:
    """Return the number of a shard's first name prefix; no two shards share a prefix."""
    before = 2 * shard.number + (shard.part == "schemas")
    return job.name_prefix + before * ENVIRONMENTS_PER_SHARD + shard.process * ENVIRONMENTS_PER_SHARD // 2


def shard_seconds(seconds: float) -> float:
    """Return the length of each shard: a tenth of the campaign, at least 20 s and at most 60 s."""
    return max(min(MIN_SHARD_SECONDS, seconds), min(MAX_SHARD_SECONDS, seconds / 10))


Hearer: TypeAlias = Callable[[Observation], None]
"""What takes the findings of a task."""


class TaskRun:
    """One task in an environment of its own: its `oracle` judges every exchange of its `session`.

    `on_finding` receives every finding, repeated ones included.
    """

    def __init__(
        self,
        factory: OracleFactory,
        environment: Environment,
        *,
        seed: int,
        budget: Budget,
        given: Mapping[str, str],
        on_finding: Hearer,
        on_exchange: Callable[[Exchange, Oracle], None] | None = None,
        uses_model: bool = True,
        is_over: Callable[[], bool] = lambda: False,
        paces: dict[object, timedelta] | None = None,
    ) -> None:
        self.environment, self._on_finding, self._on_exchange = environment, on_finding, on_exchange
        self.oracle = factory.create(environment, uses_model=uses_model)
        self.session = Session(
            factory.contract,
            environment.client,
            seed=seed,
            name_prefix=environment.name_prefix,
            budget=budget,
            given=given,
            router=factory.router,
            is_over=is_over,
            observer=self,
            trace=[],
            paces=paces,
        )
        self.experiment: tuple[str, ...] = ()
        self._first = ""

    def observe(self, exchange: Exchange) -> None:
        """Judge an exchange, and report its findings."""
        found = self.oracle.judge(exchange)
        if self._on_exchange is not None:
            self._on_exchange(exchange, self.oracle)
        for finding in found:
            self.report(finding)

    def observe_probe(self, exchange: Exchange) -> None:
        """Forget what an exchange may have changed."""
        self.oracle.forget(exchange)

    def observe_failure(self, operation: str, error: NoAnswerError) -> None:
        """Report that a request got no response."""
        self.report(unanswered(operation, error))

    def observe_unended(self, job: UnendedJob) -> None:
        """Report that a job does not end."""
        self.report(unended(job), judged="signs")

    def report(self, finding: Finding, *, judged: Judged = "laws") -> None:
        """Report a finding with the trace so far."""
        cause = self._first if self._first != finding.fingerprint else ""
        self._first = self._first or finding.fingerprint
        trace = tuple(self.session.trace or ())
        self._on_finding(
            Observation(
                finding=finding,
                trace=trace,
                environment=self.environment,
                judged=judged,
                cause=cause,
                experiment=self.experiment,
            )
        )


RETRY_SECONDS: Final = 3.0  # reserved for replaying findings


def run_schemathesis(
    job: CampaignConfig, shard: Shard, target: Target, emit: Emit, is_over: Callable[[], bool]
) -> None:
    """Run schemathesis' phases in an environment of its own.

    Each finding is emitted as soon as it is known, and replayed at the end.
    """
    budget, environment = Budget(seconds=shard.seconds), target.fresh("schemas")
    assert isinstance(environment.client, SandboxClient | HttpClient)  # noqa: S101 - targets have no others
    run = SchemathesisCoverage(job.contract, job.contract.operations)
    task = run.task(
        job.document,
        environment.client.base,
        phases=shard.phases,
        headers=headers_for(job.contract, environment.client, job.place.headers),
        seed=shard_seed(job, shard),
        seconds=max(1.0, budget.left - END_TIMEOUT - RETRY_SECONDS),
        timeout=job.place.timeout,
        rate=job.place.rate,
    )

    def triager() -> Triager:
        return Triager(oracle_factory=OracleFactory(contract=job.contract), target=target, is_over=is_over)

    def progress(calls: int) -> int:
        sent = sum(one.total() for one in run.statuses.values())
        emit({"kind": "progress", "shard": shard.name, "calls": sent - calls, "items": 0})
        return sent

    found: list[StoredFinding] = []
    calls = 0
    for finding in run.findings(task, is_over):
        if finding.fingerprint not in shard.known:
            trace = tuple(replace(one, n=n) for n, one in enumerate(finding.evidence, 1))
            own = replace(finding, evidence=trace)
            seen = Observation(finding=own, trace=trace, environment=environment, judged="signs")
            found.append(triager().store(seen, seconds=budget.spent, seed=job.seed, url=job.place.url))
            emit({"kind": "found", "shard": shard.name, "finding": found[-1]})
        calls = progress(calls)
    progress(calls)
    laws = [[CHECK, name, word, n] for name, words in run.classes().items() for word, n in words.items()]
    emit({"kind": "progress", "shard": shard.name, "calls": 0, "items": 0, "laws": laws})
    for kept in found if job.shrinks else ():
        if not is_over():
            emit({"kind": "kept", "shard": shard.name, "finding": triager().confirm(kept)})

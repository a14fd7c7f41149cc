"""Run the self-test of the fuzzer (`run_self_test`): the sandbox without bugs first, then each planted bug alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from contracts.openapi.model import Contract
from generators.client.environments import TargetOptions
from generators.fuzz.shards import CampaignConfig
from mockserver.apis.reference_model import sandbox_model
from mockserver.bugs.catalogue import Bug
from mockserver.control.server import bundled
from mockserver.mutation_testing import fuzzer, schemathesis
from mockserver.mutation_testing.fuzzer import BugResult, JudgeRun, SelfTestResult, counted_bugs, uncounted_bugs
from mockserver.mutation_testing.variants import Variants, variant_process

LABEL: Final = "self-test"
OnStep = Callable[[SelfTestResult], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestPlan:
    """What the self-test of one API runs.

    `seconds` is the limit for each bug, `healthy_seconds` that for the sandbox without bugs (default 60 each). `only`
    are names of bugs, with `*` as a wildcard. `beside` runs schemathesis, too.
    """

    api: str
    contract: Contract
    seconds: float = 60.0
    healthy_seconds: float = 60.0
    seed: int = 0
    only: tuple[str, ...] = ()
    models: bool = True
    beside: bool = False


def empty_result(plan: SelfTestPlan) -> SelfTestResult:
    """Return an empty result for a plan."""
    contract = plan.contract
    chosen = tuple(bug for bug in counted_bugs(contract) if not plan.only or matches_any(bug.name, plan.only))
    left = {} if plan.only else uncounted_bugs(contract)
    return SelfTestResult(api=contract.name, seconds=plan.seconds, seed=plan.seed, planned=chosen, left_out=left)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of the patterns, with `*` as a wildcard."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def run_self_test(plan: SelfTestPlan, rating: SelfTestResult, tell: OnStep) -> None:
    """Fill a result, and call `tell` after each step. Raises KeyboardInterrupt, NoAnswerError, MisuseError."""
    if plan.beside:
        schemathesis.require_installed()
    job = _job(plan)
    with variant_process(plan.api) as variants:
        rating.healthy = fuzzer.run_without_bugs(job, variants, plan.healthy_seconds)
        if plan.beside:
            rating.plain = schemathesis.run_without_bugs(job, variants, plan.seconds)
        tell(rating)
        for bug in rating.planned:
            ours = fuzzer.run_on_mutant(job, variants, bug.name, plan.seconds)
            rating.rows.append(BugResult(bug=bug, ours=ours, plain=_run_baseline(job, variants, bug, rating)))
            tell(rating)


def _run_baseline(job: CampaignConfig, variants: Variants, bug: Bug, rating: SelfTestResult) -> JudgeRun | None:
    if rating.plain is None:
        return None
    return schemathesis.run_on_mutant(job, variants, bug.name, rating.seconds, known=rating.plain.alarms)


def _job(plan: SelfTestPlan) -> CampaignConfig:
    return CampaignConfig(
        contract=plan.contract,
        place=TargetOptions(url=""),
        document=bundled(plan.contract),
        model_factory=partial(sandbox_model, plan.api) if plan.models else None,
        seed=plan.seed,
        label=LABEL,
        shrinks=False,
    )

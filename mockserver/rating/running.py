"""Going through the planted bugs of an API: the healthy sandbox first, then one bug after the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from contracts.model import Contract
from generators.campaign.leases import Job
from generators.campaign.target import Place
from mockserver.control.documents import bundled
from mockserver.model import sandbox_model
from mockserver.rating import judging, thesis
from mockserver.rating.counting import counting, left_out
from mockserver.rating.results import Rating, Round, Row
from mockserver.rating.variants import Variants, serving
from mockserver.scenario.bugs import Bug

LABEL: Final = "self-test"
Tell = Callable[[Rating], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an API is gone through. Times are in seconds, for each sandbox; `only` are names of bugs, maybe with *."""

    api: str
    contract: Contract
    seconds: float = 60.0
    healthy_seconds: float = 60.0
    seed: int = 0
    only: tuple[str, ...] = ()
    models: bool = True
    beside: bool = False


def begun(plan: Plan) -> Rating:
    """Return a rating in which nothing was done yet."""
    contract = plan.contract
    chosen = tuple(bug for bug in counting(contract) if not plan.only or is_among(bug.name, plan.only))
    left = {} if plan.only else left_out(contract)
    return Rating(api=contract.name, seconds=plan.seconds, seed=plan.seed, planned=chosen, left_out=left)


def is_among(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a name is one of these, in which * stands for anything."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def rate(plan: Plan, rating: Rating, tell: Tell) -> None:
    """Fill a rating, and tell after each step. Raises KeyboardInterrupt, NoAnswerError, MisuseError."""
    if plan.beside:
        thesis.require_installed()
    job = _job(plan)
    with serving(plan.api) as variants:
        rating.healthy = judging.healthy(job, variants, plan.healthy_seconds)
        if plan.beside:
            rating.plain = thesis.healthy(job, variants, plan.seconds)
        tell(rating)
        for bug in rating.planned:
            ours = judging.hunted(job, variants, bug.name, plan.seconds)
            rating.rows.append(Row(bug=bug, ours=ours, plain=_beside(job, variants, bug, rating)))
            tell(rating)


def _beside(job: Job, variants: Variants, bug: Bug, rating: Rating) -> Round | None:
    if rating.plain is None:
        return None
    return thesis.hunted(job, variants, bug.name, rating.seconds, known=rating.plain.alarms)


def _job(plan: Plan) -> Job:
    return Job(
        contract=plan.contract,
        place=Place(url=""),
        document=bundled(plan.contract),
        make_model=partial(sandbox_model, plan.api) if plan.models else None,
        seed=plan.seed,
        label=LABEL,
        shrinks=False,
    )

"""Which planted bugs count for an API, and why others do not."""

from collections.abc import Callable, Mapping
from typing import Final

from contracts.model import Contract
from mockserver.scenario.bugs import BUGS, Bug
from mockserver.scenario.needs import places

UNDECLARED: Final = "this contract does not declare what the bug needs"


def counting(contract: Contract) -> tuple[Bug, ...]:
    """Return the bugs that an implementation of this contract can have, and that break it."""
    return tuple(bug for bug in BUGS if _why_not(bug, contract) is None)


def left_out(contract: Contract) -> Mapping[str, tuple[Bug, ...]]:
    """Return the other bugs, by the reason why they do not count."""
    reasons = {bug: _why_not(bug, contract) for bug in BUGS}
    return {
        why: tuple(bug for bug, reason in reasons.items() if reason == why)
        for why in dict.fromkeys(reasons.values())
        if why is not None
    }


def _why_not(bug: Bug, contract: Contract) -> str | None:
    if not bug.fits(contract):
        return UNDECLARED
    is_allowed, why = ALLOWED.get(bug.name, (_never, ""))
    return why if is_allowed(contract) else None


def _is_conduct(contract: Contract) -> bool:
    """Say whether no limit on active jobs is declared to be refused."""
    jobs = (place.bulk.job for place in places(contract))
    return not any(job is not None and job.active and isinstance(job.active.breach, int) for job in jobs)


def _never(contract: Contract) -> bool:
    del contract
    return False


ALLOWED: Final[Mapping[str, tuple[Callable[[Contract], bool], str]]] = {
    "active-limit-ignored": (
        _is_conduct,
        "this contract makes its limit on active jobs a rule for clients, so that a server may do what the bug does",
    ),
}

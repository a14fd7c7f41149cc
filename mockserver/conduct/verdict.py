"""The verdict on the clients of a sandbox: each law passed, failed or not run, from the journal alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from generators.reports import Report, Row, Status
from mockserver.api import Api
from mockserver.conduct.history import history_of, together
from mockserver.conduct.law import Law, Ruling
from mockserver.conduct.table import ANY, declared
from mockserver.journal import Entry
from mockserver.version import VERSION

EVERY_API: Final = "any"
OLD_KEYS: Final[Mapping[str, str]] = {"kept": "passed", "broken": "failed", "notExercised": "notRun"}
OLD_STATUSES: Final[Mapping[str, str]] = {"kept": "passed", "broken": "failed", "not-exercised": "not-run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One law on the clients of one API, `any` for all of them, with what it found."""

    api: str
    law: Law
    ruling: Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What every law found in one sandbox."""

    sandbox: str
    laws: tuple[Judged, ...]

    def count(self, status: Status) -> int:
        """Return how many laws have that status."""
        return sum(one.ruling.status == status for one in self.laws)


def laws_of(api: Api) -> tuple[Law, ...]:
    """Return the laws for the clients of an API: those that it names, else those that its contract gives a hold for."""
    return declared(api.contract) if api.laws is None else api.laws


def judge(sandbox: str, apis: Iterable[Api], entries: Iterable[Entry]) -> Verdict:
    """Return the verdict on what a journal holds."""
    served = tuple(apis)
    by_api: dict[str, list[Entry]] = {api.name: [] for api in served}
    for entry in entries:
        if entry.api in by_api:
            by_api[entry.api].append(entry)
    histories = {api.name: history_of(api.contract, by_api[api.name]) for api in served}
    own = [
        Judged(api=api.name, law=law, ruling=law.judge(histories[api.name])) for api in served for law in laws_of(api)
    ]
    whole = together(histories.values())
    shared = [Judged(api=EVERY_API, law=law, ruling=law.judge(whole)) for law in ANY]
    return Verdict(sandbox=sandbox, laws=(*own, *shared))


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the control API tells it."""
    laws = [
        {
            "id": one.law.id,
            "api": one.api,
            "says": one.law.says,
            "status": one.ruling.status,
            "evidence": list(one.ruling.evidence),
            "detail": one.ruling.detail,
        }
        for one in verdict.laws
    ]
    counts = {
        "passed": verdict.count("passed"),
        "failed": verdict.count("failed"),
        "notRun": verdict.count("not-run"),
    }
    return {"sandbox": verdict.sandbox, "laws": laws, **counts}


def in_current_words(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict body with the current keys and statuses, whichever version of the control API wrote it.

    Raises AttributeError, KeyError or TypeError when it is no verdict.
    """
    laws = [{**one, "status": OLD_STATUSES.get(one["status"], one["status"])} for one in told["laws"]]
    return {OLD_KEYS.get(name, name): value for name, value in told.items()} | {"laws": laws}


def report_of(told: Mapping[str, Any], facts: Iterable[tuple[str, str]] = ()) -> Report:
    """Return the report of a verdict as the control API tells it."""
    rows = tuple(
        Row(
            id=one["id"],
            group=one["api"],
            says=one["says"],
            status=one["status"],
            detail=one["detail"],
            evidence=tuple(one["evidence"]),
        )
        for one in told["laws"]
    )
    return Report(
        title=f"Conduct of the clients of sandbox {told['sandbox']}", version=VERSION, rows=rows, facts=tuple(facts)
    )

"""The verdict on a sandbox's clients: `judge` applies every law of the catalogue to the journal."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from contracts.bulk.model import Bulk
from contracts.openapi.model import Contract
from generators.reports.model import Report, Row, Status
from mockserver import VERSION
from mockserver.api.model import Api
from mockserver.journal.journal import JournalEntry
from mockserver.verdicts.conduct_law import ConductLaw, LawResult, applies_always
from mockserver.verdicts.history import history_of, merged_history
from mockserver.verdicts.limits import active_jobs, kept_sizes, quota, re_read_after_conflict
from mockserver.verdicts.messages import (
    followed_location,
    ordered_stated,
    right_content_type,
    right_target,
    unique_keys,
)
from mockserver.verdicts.polling import (
    backed_off,
    gave_up_early,
    gave_up_late,
    honoured_retry_after,
    poll_interval,
    polled_to_end,
    stopped_polling,
)
from mockserver.verdicts.resending import no_blind_repost, no_unchanged_retry, resent_only_failed


def _declares(predicate: Callable[[Bulk], object]) -> Callable[[Contract], bool]:
    """Return a predicate on contracts: whether `predicate` is true for the bulk declaration of any operation."""
    return lambda contract: any(one.bulk is not None and predicate(one.bulk) for one in contract.operations)


_bulk = _declares(lambda _: True)
_jobs = _declares(lambda bulk: bulk.job)
_limited = _declares(lambda bulk: bulk.job and bulk.job.active)
_polled = _declares(lambda bulk: bulk.job and bulk.job.every)
_timed = _declares(lambda bulk: bulk.job and bulk.job.timeout)
_fan_out = _declares(lambda bulk: bulk.job and bulk.items.fan_out)
_quotas = _declares(lambda bulk: bulk.guard.quota)
_keyed = _declares(lambda bulk: bulk.key.by == "client")
_versioned = _declares(lambda bulk: bulk.effect.version)
_whole = _declares(lambda bulk: bulk.unit.of.source or bulk.unit.of.constant == "whole")
_grouped = _declares(lambda bulk: bulk.order.group_by and bulk.order.when)

DECLARED_LAWS: Final = tuple(
    ConductLaw(id=name, says=says, judge=judge, applies=applies)
    for name, says, judge, applies in (
        ("active-jobs", "Has no more unfinished jobs at a time than allowed.", active_jobs, _limited),
        ("kept-quota", "Posts no more often than its quotas allow.", quota, _quotas),
        ("poll-interval", "Waits the advised time between polls of a job.", poll_interval, _polled),
        ("stopped-polling", "Stops polling a job once its status is final.", stopped_polling, _jobs),
        ("polled-to-end", "Polls each job until its status is final.", polled_to_end, _jobs),
        ("gave-up-early", "Does not resend a job's items before its timeout.", gave_up_early, _timed),
        ("gave-up-late", "Gives up a job that has not ended by its timeout.", gave_up_late, _timed),
        ("right-target", "Polls the job of each target by its own id.", right_target, _fan_out),
        ("resent-only-failed", "Sends only failed items again, not those that were done.", resent_only_failed, _bulk),
        ("unique-keys", "Gives each item of a call a key of its own.", unique_keys, _keyed),
        ("re-read-after-conflict", "Reads a record after a version conflict.", re_read_after_conflict, _versioned),
        ("no-unchanged-retry", "Does not send again unchanged what failed as a whole.", no_unchanged_retry, _whole),
        ("ordered-stated", "Asks for groups to be kept in order where items name them.", ordered_stated, _grouped),
        (
            "right-content-type",
            "Sends bodies of a content type that the operation takes.",
            right_content_type,
            applies_always,
        ),
    )
)

SHARED_LAWS: Final = (
    ConductLaw(id="honoured-retry-after", says="Waits as long as Retry-After says.", judge=honoured_retry_after),
    ConductLaw(id="backed-off", says="Waits before trying a failed call again, longer each time.", judge=backed_off),
    ConductLaw(id="kept-sizes", says="Sends no more items or bytes than are declared.", judge=kept_sizes),
    ConductLaw(id="followed-location", says="Requests the Location of a 202.", judge=followed_location),
    ConductLaw(
        id="no-blind-repost",
        says="Looks whether a POST without a response was done before it posts again.",
        judge=no_blind_repost,
    ),
)


def applicable_laws(contract: Contract) -> tuple[ConductLaw, ...]:
    """Return the laws that apply to a contract."""
    return tuple(law for law in DECLARED_LAWS if law.applies(contract))


EVERY_API: Final = "any"
OLD_KEYS: Final[Mapping[str, str]] = {"kept": "passed", "broken": "failed", "notExercised": "notRun"}
OLD_STATUSES: Final[Mapping[str, str]] = {"kept": "passed", "broken": "failed", "not-exercised": "not-run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedLaw:
    """The result of one law for the clients of one API; `api` is `any` for the clients of all."""

    api: str
    law: ConductLaw
    ruling: LawResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxVerdict:
    """The results of all laws in one sandbox, from its number of recorded `exchanges`."""

    sandbox: str
    laws: tuple[JudgedLaw, ...]
    exchanges: int = 0

    def count(self, status: Status) -> int:
        """Return the number of laws with that status."""
        return sum(one.ruling.status == status for one in self.laws)


def laws_of(api: Api) -> tuple[ConductLaw, ...]:
    """Return the laws for the clients of an API: its own, else those that its contract declares."""
    return applicable_laws(api.contract) if api.laws is None else cast("tuple[ConductLaw, ...]", api.laws)


def judge(sandbox: str, apis: Iterable[Api], entries: Iterable[JournalEntry]) -> SandboxVerdict:
    """Return the verdict on a journal."""
    served = tuple(apis)
    by_api: dict[str, list[JournalEntry]] = {api.name: [] for api in served}
    for entry in entries:
        if entry.api in by_api:
            by_api[entry.api].append(entry)
    histories = {api.name: history_of(api.contract, by_api[api.name]) for api in served}
    own = [
        JudgedLaw(api=api.name, law=law, ruling=law.judge(histories[api.name]))
        for api in served
        for law in laws_of(api)
    ]
    whole = merged_history(histories.values())
    shared = [JudgedLaw(api=EVERY_API, law=law, ruling=law.judge(whole)) for law in SHARED_LAWS]
    number = sum(map(len, by_api.values()))
    return SandboxVerdict(sandbox=sandbox, laws=(*own, *shared), exchanges=number)


def as_json(verdict: SandboxVerdict) -> dict[str, Any]:
    """Return a verdict as the body of the control API."""
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
    return {"sandbox": verdict.sandbox, "exchanges": verdict.exchanges, "laws": laws, **counts}


def with_current_names(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict body with the current keys and statuses, from any version of the control API.

    Raises AttributeError, KeyError or TypeError for another body.
    """
    laws = [{**one, "status": OLD_STATUSES.get(one["status"], one["status"])} for one in body["laws"]]
    return {OLD_KEYS.get(name, name): value for name, value in body.items()} | {"laws": laws}


def report_of(body: Mapping[str, Any], facts: Iterable[tuple[str, str]] = ()) -> Report:
    """Return the report of a verdict body."""
    rows = tuple(
        Row(
            id=one["id"],
            group=one["api"],
            says=one["says"],
            status=one["status"],
            detail=one["detail"],
            evidence=tuple(one["evidence"]),
        )
        for one in body["laws"]
    )
    return Report(
        title=f"Conduct of the clients of sandbox {body['sandbox']}", version=VERSION, rows=rows, facts=tuple(facts)
    )

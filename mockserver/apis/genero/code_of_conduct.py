"""The vendor's code of conduct: enforced by refusals (`check`, `note`), and as laws of client conduct (`LAWS`)."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from contracts.bulk.model import Quota
from contracts.messages import Response
from contracts.syntax.text import counted
from mockserver.api.model import Refusal, RequestContext
from mockserver.apis.genero.access import max_batch_items
from mockserver.bulk.limits import retry_after
from mockserver.domain.jobs import Job, is_final
from mockserver.verdicts.conduct_law import ConductLaw, LawResult, duration_text, failed, not_run, passed
from mockserver.verdicts.history import ClientHistory, ObservedExchange
from mockserver.verdicts.limits import active_jobs, quota
from mockserver.verdicts.messages import referred_first, right_target
from mockserver.verdicts.polling import gave_up_early, gave_up_late, poll_interval, stopped_polling
from mockserver.verdicts.resending import resent_only_failed

RESOURCE_ORDER: Final = {"block": 0, "chain": 1, "wholesaler": 2, "customer": 3, "customercontact": 4}
POLL_INTERVAL: Final = timedelta(minutes=5)  # between polls of one job
POLL_TOLERANCE: Final = 0.1  # of EVERY: how much sooner a poll may come
JOB_TIMEOUT: Final = timedelta(minutes=30)  # from here on a job in progress may be given up
WEEK: Final = timedelta(days=7)  # between two batches of maximum size


class LastPoll(NamedTuple):
    """The time of the last poll of a job, and whether its status was final."""

    at: datetime
    final: bool


MEMORY_TYPES: Final = {"polls": dict[str, LastPoll], "largest": dict[str, datetime]}  # by job, and by client


def precedence(job: Job) -> int:
    """Return the rank of a job among those of its tenant that are due at the same instant."""
    return RESOURCE_ORDER[job.variables["entity"]]


def check(context: RequestContext, items: int) -> Refusal | None:
    """Return a refusal of what the code of conduct forbids in `enforce` mode: a poll too soon, or a post of `items`."""
    if context.api_state.settings["conduct"] != "enforce":
        return None
    return _check_poll(context, context.jobs[0]) if context.jobs else _check_post(context, items)


def note(context: RequestContext, response: Response) -> Response:
    """Record answered polls and accepted batches of maximum size, for the checks of later requests."""
    for job in context.jobs if response.status < 300 else ():  # noqa: PLR2004 - HTTP's own number
        if context.operation is not None and context.operation.bulk is None:
            _polls(context)[job.id] = LastPoll(context.now, is_final(job, context.now))
        elif job.items >= max_batch_items(context.api_state):
            _largest(context)[job.client] = context.now
    return response


def _check_post(context: RequestContext, items: int) -> Refusal | None:
    book = context.api_state.jobs
    mine = (job for job in map(book.jobs.__getitem__, book.unfinished) if job.client == context.client)
    if any(context.now - job.posted < JOB_TIMEOUT for job in mine):
        return Refusal(
            status=409, kind="conflict", detail="The client has a batch job in progress; one at a time may be."
        )
    last = _largest(context).get(context.client)
    if items < max_batch_items(context.api_state) or last is None or context.now - last >= WEEK:
        return None
    return _too_soon("A batch of maximum size may be posted once in 7 days.", last + WEEK - context.now)


def _check_poll(context: RequestContext, job: Job) -> Refusal | None:
    last = _polls(context).get(job.id, LastPoll(job.posted, final=False))
    if last.final:
        left = (job.due or context.now) + (job.retention or POLL_INTERVAL) - context.now
        return _too_soon("A final status was told; polling ends with it.", left)
    since = context.now - last.at
    if since >= POLL_INTERVAL * (1 - POLL_TOLERANCE):
        return None
    return _too_soon(
        "A job may be polled every 5 minutes, the first time 5 minutes after its post.", POLL_INTERVAL - since
    )


def _too_soon(detail: str, wait: timedelta) -> Refusal:
    return Refusal(status=429, kind="quota", detail=detail, headers=retry_after(wait))


def _polls(context: RequestContext) -> dict[str, LastPoll]:
    found: dict[str, LastPoll] = context.api_state.memory.setdefault("polls", {})
    return found


def _largest(context: RequestContext) -> dict[str, datetime]:
    found: dict[str, datetime] = context.api_state.memory.setdefault("largest", {})
    return found


TOKEN_OPERATION: Final = "fetchToken"  # noqa: S105 - an operationId
COUNTED_STATUSES: Final = frozenset((HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS))


def token_quota(history: ClientHistory) -> LawResult:
    """Judge whether a client fetches no more tokens in a day and in a month than the quotas allow."""
    fetches = [observed for observed in history.observations if _is_fetch(observed)]
    if not fetches:
        return not_run("No token was fetched.")
    past: dict[str, list[ObservedExchange]] = {}
    breaches: list[tuple[ObservedExchange, timedelta, int]] = []
    for observed in fetches:
        before = past.setdefault(_client(observed), [])
        quotas = observed.operation.quota if observed.operation is not None else ()
        breaches += [(observed, one.per, one.max) for one in quotas if _is_used_up(before, observed, one)]
        if observed.status == HTTPStatus.OK:
            before.append(observed)
    if breaches:
        observed, window, most = breaches[0]
        return failed(
            f"#{observed.n} fetched a token although {most} had been in the last {duration_text(window)}; "
            "a token lasts 30 days, "
            f"keep it.",
            (observed for observed, _, _ in breaches),
        )
    return passed(f"{counted(len(fetches), 'token')} fetched, within the quotas.", fetches)


def _is_fetch(observed: ObservedExchange) -> bool:
    return (
        observed.operation is not None
        and observed.operation.id == TOKEN_OPERATION
        and observed.status in COUNTED_STATUSES
    )


def _client(observed: ObservedExchange) -> str:
    return parse_qs(observed.entry.request.body.decode("utf-8", "replace")).get("client_id", [""])[0]


def _is_used_up(before: list[ObservedExchange], now: ObservedExchange, quota: Quota) -> bool:
    return len(before) >= quota.max and now.at - quota.per < before[-quota.max].at <= now.at


LAWS: Final = (
    ConductLaw(id="one-active-job", says="Has one batch job active at a time.", judge=active_jobs),
    ConductLaw(id="max-batch-weekly", says="Posts a batch of maximum size at most once in 7 days.", judge=quota),
    ConductLaw(
        id="poll-interval",
        says="Polls a job every 5 minutes, the first time 5 minutes after its post.",
        judge=poll_interval,
    ),
    ConductLaw(id="stopped-polling", says="Stops polling once a status is final.", judge=stopped_polling),
    ConductLaw(
        id="gave-up-early", says="Does not post a job's items again before 30 minutes in progress.", judge=gave_up_early
    ),
    ConductLaw(
        id="gave-up-late", says="Gives up a job that is still in progress after 30 minutes.", judge=gave_up_late
    ),
    ConductLaw(
        id="referred-first",
        says="Posts what others refer to first: Block, Chain, Wholesaler, Customer.",
        judge=referred_first,
    ),
    ConductLaw(id="right-tenant", says="Asks for the status of each tenant with that tenant's id.", judge=right_target),
    ConductLaw(
        id="resent-only-failed",
        says="Sends only failed items again, not those that were done.",
        judge=resent_only_failed,
    ),
    ConductLaw(id="token-quota", says="Fetches at most 5 tokens a day and 150 a month.", judge=token_quota),
)

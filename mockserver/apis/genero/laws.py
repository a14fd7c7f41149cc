"""How Genero's clients are judged: what its code of conduct and its contract ask of them."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from mockserver.apis.genero.tokens import QUOTAS
from mockserver.conduct.history import Deed, History
from mockserver.conduct.law import Law, Ruling, broken, kept, not_exercised
from mockserver.conduct.limits import active_jobs, quota
from mockserver.conduct.polling import gave_up_early, gave_up_late, poll_interval, stopped_polling
from mockserver.conduct.resending import resent_only_failed
from mockserver.conduct.stating import referred_first, right_target
from mockserver.conduct.wording import counted, span

TOKEN: Final = "fetchToken"  # noqa: S105 - an operationId
ASKED: Final = frozenset((HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS))


def token_quota(history: History) -> Ruling:
    """Judge whether a client fetches no more tokens in a day and in a month than it may."""
    fetches = [deed for deed in history.deeds if _is_fetch(deed)]
    if not fetches:
        return not_exercised("No token was fetched.")
    past: dict[str, list[Deed]] = {}
    breaches: list[tuple[Deed, timedelta, int]] = []
    for deed in fetches:
        before = past.setdefault(_client(deed), [])
        breaches += [(deed, *one) for one in QUOTAS if _is_used_up(before, deed, *one)]
        if deed.status == HTTPStatus.OK:
            before.append(deed)
    if breaches:
        deed, window, most = breaches[0]
        return broken(
            f"#{deed.n} fetched a token although {most} had been in the last {span(window)}; a token lasts 30 days, "
            f"keep it.",
            (deed for deed, _, _ in breaches),
        )
    return kept(f"{counted(len(fetches), 'token')} fetched, within the quotas.", fetches)


def _is_fetch(deed: Deed) -> bool:
    return deed.operation is not None and deed.operation.id == TOKEN and deed.status in ASKED


def _client(deed: Deed) -> str:
    return parse_qs(deed.entry.call.body.decode("utf-8", "replace")).get("client_id", [""])[0]


def _is_used_up(before: list[Deed], now: Deed, window: timedelta, most: int) -> bool:
    return len(before) >= most and now.at - window < before[-most].at <= now.at


LAWS: Final = (
    Law(id="one-active-job", says="Has one batch job active at a time.", judge=active_jobs),
    Law(id="max-batch-weekly", says="Posts a batch of maximum size at most once in 7 days.", judge=quota),
    Law(
        id="poll-interval",
        says="Polls a job every 5 minutes, the first time 5 minutes after its post.",
        judge=poll_interval,
    ),
    Law(id="stopped-polling", says="Stops polling once a status is final.", judge=stopped_polling),
    Law(
        id="gave-up-early", says="Does not post a job's items again before 30 minutes in progress.", judge=gave_up_early
    ),
    Law(id="gave-up-late", says="Gives up a job that is still in progress after 30 minutes.", judge=gave_up_late),
    Law(
        id="referred-first",
        says="Posts what others refer to first: Block, Chain, Wholesaler, Customer.",
        judge=referred_first,
    ),
    Law(id="right-tenant", says="Asks for the status of each tenant with that tenant's id.", judge=right_target),
    Law(
        id="resent-only-failed",
        says="Sends only failed items again, not those that were done.",
        judge=resent_only_failed,
    ),
    Law(id="token-quota", says="Fetches at most 5 tokens a day and 150 a month.", judge=token_quota),
)

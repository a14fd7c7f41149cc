"""The law `quota`: a quota admits so many requests in its window and no more, and says when to come again.

Begin with `quota`. Windows roll: any of their length counts. A wait is that of Retry-After (RFC 9110, 10.2.3). Where
time is real, other clients may use the same quota: only too many successes, and how the refusal is told, are judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from contracts.bulk.model import Location, Quota
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.exchange.locations import find
from contracts.messages import Exchange, Request
from contracts.openapi.model import Operation
from contracts.syntax.text import as_mapping, format_duration
from generators.check.laws.calls.credentials import UNAUTHORIZED, guarded, with_token
from generators.check.specimens import specimen_or_request
from generators.client.session import Session, let_pass, retry_after
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import SERVER_FAULT
from generators.requests.calls import draft

LAW: Final = "quota"
MAX_REQUESTS: Final = 400  # that are sent to fill quotas where waiting takes no real time
MAX_REAL_REQUESTS: Final = 50  # the same on other servers
MIN_WAIT: Final = timedelta(seconds=1)


def quota(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send requests until each quota must refuse one, waiting as told between."""
    quotas = operation.quota
    limit = MAX_REQUESTS if session.controlled else MAX_REAL_REQUESTS
    if min(one.max for one in quotas) >= limit:
        raise NotApplicableError(f"{min(one.max for one in quotas)} requests are more than are sent here")
    first, longest = specimen_or_request(session, operation).request, max(one.per for one in quotas)
    if session.controlled:
        let_pass(session, longest)
    yield from _Filling(session, operation, quotas, limit).findings(first)
    if session.controlled:
        let_pass(session, longest)  # others have the whole quota again


@dataclass(slots=True)
class _Filling:
    """One run of requests; `sent` has the times before and after each request that succeeded."""

    session: Session
    operation: Operation
    quotas: Sequence[Quota]
    limit: int
    sent: list[tuple[datetime, datetime]] = field(default_factory=list)
    token: Request | None = None

    def findings(self, request: Request) -> Iterator[Finding]:
        """Send requests, the first of which is given, and yield what is wrong."""
        filled: set[Quota] = set()
        was_told = False
        for _ in range(self.limit):
            began = self.session.client.now()
            exchange = self.session.exchange(request)
            request = self._next(request)
            if exchange.response.status in SUCCESS_STATUS:
                self.sent.append((began, self.session.client.now()))
                self.token = self.token or self._use_of(exchange)
                over = self._full(but=1)
                if over is not None:
                    yield self._too_many(over, exchange)
                    return
                was_told = False
                continue
            full = self._full()
            yield from self._revoked(exchange) if not filled else ()
            yield from self._refused(exchange, full, was_told=was_told)
            yield from self._refused_others(exchange, full) if self.session.controlled and not filled else ()
            filled |= {one for one in self.quotas if self._is_full(one)}
            if not self.session.controlled or len(filled) == len(self.quotas) or full is None:
                return
            was_told = True
            let_pass(self.session, max(retry_after(exchange.response, began) or self._wait(full), MIN_WAIT))

    def _next(self, request: Request) -> Request:
        """Return the next request: the same, or one with names of its own where it makes a record."""
        act = self.operation.record
        is_reading = act is None or act.action.constant in {"list", "read"}
        return request if is_reading else specimen_or_request(self.session, self.operation).request

    def _use_of(self, fetched: Exchange) -> Request | None:
        """Return a call with the token that was fetched, None where it is not one that is taken."""
        token = as_mapping(fetched.response.data).get("access_token")
        call = next(guarded(self.session.contract, self.operation), None) if isinstance(token, str) else None
        if call is None:
            return None
        made = with_token(specimen_or_request(self.session, call).request, str(token))
        return made if self.session.probe(made).response.status in SUCCESS_STATUS else None

    def _revoked(self, refused: Exchange) -> Iterator[Finding]:
        """Yield when a token that was taken is refused after another was refused for the quota."""
        again = self.session.probe(self.token) if self.token is not None else None
        if again is not None and again.response.status == UNAUTHORIZED:
            says = "a token that was taken is refused once one more was asked for than the quota admits"
            yield new_finding(LAW, self.operation.id, "a refusal ends tokens", says, [refused, again])

    def _refused_others(self, refused: Exchange, full: Quota | None) -> Iterator[Finding]:
        """Yield when somebody else, who has sent nothing in this time, is refused too."""
        by = full.by if full is not None else None
        for request in self._of_others(by) if by is not None else ():
            other = self.session.exchange(request)
            if other.response.status == refused.response.status:
                says = f"a quota is counted by '{by}', but once one has used it up another one is refused"
                yield new_finding(LAW, self.operation.id, "counted together", says, [refused, other])
                return

    def _of_others(self, by: Location) -> Iterator[Request]:
        """Yield the examples of the operation's request with another value at a location than the first one has."""
        content = self.operation.body.content if self.operation.body is not None else ()
        examples = [one for media in content for one in media.examples.values()]
        for one in examples[1:]:
            if find(one, by) != find(examples[0], by):
                made = draft(self.operation, self.session.given)
                made.data = one
                yield made.request()

    def _is_full(self, one: Quota, *, but: int = 0) -> bool:
        """Say whether a window that ends now certainly has all the successes of a quota, and `but` more."""
        most = one.max + but
        return len(self.sent) >= most and self.session.client.now() - self.sent[-most][0] < one.per

    def _full(self, *, but: int = 0) -> Quota | None:
        return next((one for one in self.quotas if self._is_full(one, but=but)), None)

    def _wait(self, one: Quota) -> timedelta:
        return self.sent[-one.max][1] + one.per - self.session.client.now()

    def _refused(self, exchange: Exchange, full: Quota | None, *, was_told: bool) -> Iterator[Finding]:
        """Yield what is wrong with a refusal. Raises NotApplicableError: it is another one than that of a quota."""
        status = exchange.response.status
        if full is None:
            if status not in {one.breach for one in self.quotas}:
                raise NotApplicableError(f"a valid request is refused ({status})")
            if not self.session.controlled:
                raise NotApplicableError("others used the quota before, or it was used up")
            when = "after the wait that Retry-After asked for" if was_told else "although no window is full"
            says = f"request {len(self.sent) + 1} was refused ({status}) {when}"
            yield self._finding("refused too early", says, exchange)
        elif status != full.breach and status < SERVER_FAULT:
            says = f"request {len(self.sent) + 1} was refused with {status}, but {full.breach} is declared"
            yield self._finding(f"refused with {status}", says, exchange)

    def _too_many(self, one: Quota, exchange: Exchange) -> Finding:
        says = f"{one.max + 1} requests were accepted within {format_duration(one.per)}, but {one.max} are declared"
        return self._finding("too many accepted", says, exchange)

    def _finding(self, shape: str, says: str, exchange: Exchange) -> Finding:
        return new_finding(LAW, self.operation.id, shape, says, [exchange])

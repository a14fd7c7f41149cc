"""Watching an implementation: every exchange is judged, by itself and against all that went before it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from contracts.messages import ABSENT, Exchange, History
from contracts.model import Contract, Route
from contracts.routing import Router
from generators.campaign.jobwatch import JobWatch, Watched
from generators.campaign.kinds import Kinds
from generators.campaign.ledger import Entry, Ledger
from generators.campaign.lookups import resolved
from generators.campaign.predicting import OPEN, carried_out, verdict
from generators.campaign.readback import ReadBack
from generators.campaign.reckoning import CHECK, Reckoner, deny
from generators.campaign.refusals import OTHERWISE, refusal_findings
from generators.campaign.repeats import Repeats
from generators.campaign.wants import Want, scope_of, want_of_call
from generators.campaign.worlds import World
from generators.checks import job_laws, outcome_laws
from generators.checks.conformance import check_response
from generators.checks.differential import differences
from generators.checks.findings import Finding, Model
from generators.checks.jobs import OK
from generators.checks.views import Telling, View, views
from generators.locations import Sent, sent_of
from generators.requests.calls import body_schema

VIEW_LAWS: Final[tuple[Callable[[View], Iterator[Finding]], ...]] = (
    outcome_laws.count,
    outcome_laws.key,
    outcome_laws.outcome_order,
    outcome_laws.status_class,
    outcome_laws.counts,
    job_laws.job_moves,
    job_laws.job_progress,
)
SERVER_FAULT: Final = 500
FAILED: Final = frozenset((400, 404, 409, 410, 412, 422))


class Watcher:
    """Judges the exchanges of one world. `seen` is told what each bulk call came to."""

    def __init__(
        self,
        contract: Contract,
        world: World,
        *,
        model: Model | None = None,
        router: Router | None = None,
        first_versions: dict[str, int] | None = None,
        kinds: Kinds | None = None,
    ) -> None:
        self.contract, self.model = contract, model
        self.kinds = kinds or Kinds(contract)
        self.router = router or Router(contract)
        self.ledger = Ledger(contract.resources, world, first_versions)
        self.jobs = JobWatch(contract, self.router)
        self.readback = ReadBack(self.ledger, self.kinds, alone=world.caller.controlled)
        self.repeats = Repeats()
        self._wants: dict[tuple[int, str], list[Want | None]] = {}
        self.last_view: View | None = None
        self._plain: set[int] = set()

    def see(self, exchange: Exchange) -> list[Finding]:
        """Return what is wrong with an exchange, the gravest first."""
        self.last_view, self._plain = None, set()
        found = list(check_response(self.contract, exchange))
        route = self.router.match(exchange.call.method, exchange.call.path)
        if isinstance(route, Route):
            sent = sent_of(route.operation, exchange.call, route.variables)
            found += self._judged(sent, exchange)
        if self.model is not None:
            found += differences(self.model, exchange, self.last_view, self._plain)
        return list({one.fingerprint: one for one in found}.values())

    def _judged(self, sent: Sent, exchange: Exchange) -> list[Finding]:
        if sent.operation.bulk is not None:
            return list(self._bulk(sent, exchange))
        watched = self.jobs.about(exchange, sent.variables)
        if watched is not None:
            return list(self._about_job(watched, exchange))
        want = resolved(self.ledger, [want_of_call(self.kinds, sent)])[0]
        return [] if want is None else list(self._single(want, sent, exchange))

    def _bulk(self, sent: Sent, exchange: Exchange) -> Iterator[Finding]:
        history = History(exchanges=(exchange,))
        view = next(views(history, self.contract, operation=sent.operation.id, router=self.router), None)
        if view is None:
            return
        self.last_view = view
        again = self.repeats.before(view)
        if again is not None:
            yield from self.repeats.findings(view, again)
            return
        self.repeats.note(view)
        found = [one for law in VIEW_LAWS for one in law(view)]
        yield from found
        if exchange.reply.status >= SERVER_FAULT:
            self._reckoner(view, None).doubt_all()
            return
        yield from refusal_findings(self.kinds, view)
        if view.kind == "refused":
            self._reckoner(view, None).deny_all(exchange)
        elif view.traces:
            self._accept(view)
        else:
            for telling in view.tellings:
                yield from self._told(view, telling, is_broken=bool(found))
            if not view.tellings:
                self._reckoner(view, None).doubt_all()

    def _reckoner(self, view: View, target: str | None) -> Reckoner:
        name = (view.exchange.n, target or "")
        scope = scope_of(self.contract, view.call.sent, target)
        reckoner = Reckoner(self.ledger, self.kinds, view, scope, wants=self._wants.get(name))
        if view.traces:
            self._wants[name] = reckoner.wants
        return reckoner

    def _told(self, view: View, telling: Telling, *, is_broken: bool) -> Iterator[Finding]:
        """Reckon with outcomes; where they break a law by themselves, nothing can be believed of them."""
        reckoner = self._reckoner(view, telling.target)
        if is_broken:
            reckoner.doubt_all()
        else:
            yield from reckoner.findings(telling)
            self._plain |= reckoner.plain

    def _accept(self, view: View) -> None:
        watched = self.jobs.add(view)
        if watched is None:
            return
        for target in [trace.target for trace in view.traces]:
            for want in self._reckoner(view, target).wants:
                self._begin(want, view.exchange.n)

    def _begin(self, want: Want | None, n: int) -> None:
        """Note that a job may change a record from now on."""
        if want is None:
            return
        self.ledger.loosen(want.where, want.members or {})
        if isinstance(want.key, str | int):
            fresh = self.ledger.is_ours(want.key) and not self.ledger.elsewhere(want.where, want.key)
            unknown = Entry(where=want.where, key=want.key, present=False if fresh else None)
            entry = self.ledger.find(want.where, want.key) or unknown
            self.ledger.put(replace(entry, jobs=entry.jobs | {n}))
            self.ledger.shadow(want.where, want.key)
        elif isinstance(want.key, Mapping):
            for entry in self.ledger.entries(want.where):
                self.ledger.put(replace(entry, jobs=entry.jobs | {n}))

    def _about_job(self, watched: Watched, exchange: Exchange) -> Iterator[Finding]:
        found = [one for law in VIEW_LAWS for one in law(watched.view) if one.fingerprint not in watched.told]
        watched.told |= {one.fingerprint for one in found}
        yield from found
        yield from self._early(watched, exchange)
        for telling in watched.view.tellings:
            if (telling.target or "") not in watched.settled:
                watched.settled.add(telling.target or "")
                self._end(watched, telling.target)
                self.last_view = watched.view
                yield from self._told(watched.view, telling, is_broken=bool(found))
        self._close(watched)

    def _early(self, watched: Watched, exchange: Exchange) -> Iterator[Finding]:
        """Yield records that had changed while the job of their target said that it had done nothing yet."""
        idle = [
            trace.target
            for trace in watched.view.traces
            for one in trace.polls
            if one.exchange is exchange and not one.is_final and one.progress.get("processed") == 0
        ]
        wants = [one for target in idle for one in self._reckoner(watched.view, target).wants if one is not None]
        if wants:
            yield from self._changed_before(watched, wants, exchange)

    def _changed_before(self, watched: Watched, wants: Sequence[Want], exchange: Exchange) -> Iterator[Finding]:
        scopes = {want.where.scope for want in wants}
        early = [one for one in self.readback.early if watched.n in one.entry.jobs and one.exchange.n > watched.n]
        for seen in [one for one in early if one.entry.where.scope in scopes]:
            self.readback.early.remove(seen)
            named = (seen.entry.where, str(seen.entry.key))
            if any((want.where, str(want.key)) == named and seen.shows(want) for want in wants):
                says = f"the {named[0].resource} {named[1]} has changed although its job has processed nothing yet"
                yield outcome_laws.found("async-is-sync", watched.view, "job acts early", says, seen.exchange, exchange)

    def _end(self, watched: Watched, target: str | None) -> None:
        """Note that a job changes its records no more; those that another call touched meanwhile are doubted."""
        for want in filter(None, self._reckoner(watched.view, target).wants):
            self.ledger.tighten(want.where, want.members or {})
            named = self.ledger.find(want.where, want.key)
            some = self.ledger.entries(want.where) if isinstance(want.key, Mapping) else [named] if named else []
            for entry in [one for one in some if watched.n in one.jobs]:
                self.ledger.put(replace(entry, jobs=entry.jobs - {watched.n}))
                touched = entry.at is not None and entry.at.n > watched.n
                if touched or entry.jobs - {watched.n}:
                    self.ledger.doubt(want.where, entry.key)

    def _close(self, watched: Watched) -> None:
        """Let go of jobs that have ended without outcomes: cancelled before anything ran, or failed."""
        for trace in watched.view.traces:
            end, target = trace.end, trace.target
            if end is None or end.state in {"done", "doneWithErrors"} or (target or "") in watched.settled:
                continue
            watched.settled.add(target or "")
            self._end(watched, target)
            reckoner = self._reckoner(watched.view, target)
            if end.state == "cancelled" and not end.progress.get("processed", 0):
                reckoner.deny_all(end.exchange)
            else:
                reckoner.doubt_all()
        watched.is_over = all((trace.target or "") in watched.settled for trace in watched.view.traces)

    def _single(self, want: Want, sent: Sent, exchange: Exchange) -> Iterator[Finding]:
        if want.action == "read":
            yield from self.readback.read(want, exchange)
        elif want.action == "list":
            yield from self.readback.listed(want, exchange)
        else:
            yield from self._written(want, exchange, is_fit=_fits(sent))

    def _written(self, want: Want, exchange: Exchange, *, is_fit: bool) -> Iterator[Finding]:
        """Yield where a single-record call came out otherwise than it had to, and believe the rest."""
        status = exchange.reply.status
        done, failed = status in OK, status in FAILED
        expected = verdict(self.ledger, want) if is_fit else OPEN
        wrong = (expected.word == "failed" and done) or (expected.word == "done" and failed)
        if wrong:
            said = f"{want.action} {expected.reason} is done" if done else f"good {want.action} fails"
            says = f"A single {said} ({status})."
            yield Finding(
                law=CHECK, operation=exchange.operation or "", shape=f"single {said}", says=says, evidence=(exchange,)
            )
        if done and not wrong and status != ACCEPTED:
            key = self._key_told(want, exchange)
            carried_out(self.ledger, want, key=key, by=exchange.operation or "", at=exchange)
        elif failed and not wrong:
            deny(self.ledger, want, exchange)
        elif wrong or status >= SERVER_FAULT or status == ACCEPTED or (not failed and status not in OTHERWISE):
            self._doubt(want)

    def _doubt(self, want: Want) -> None:
        self.ledger.blur(want.where, want.key, want.members or {})

    def _key_told(self, want: Want, exchange: Exchange) -> object:
        """Return the key of a new record as the reply tells it: in its body, or in a header's address."""
        own = self.readback.key_in(want.resource, exchange.reply.data)
        if own is not ABSENT or not want.resource.assigned:
            return own
        addresses = [value for _, value in exchange.reply.headers if "/" in value and ";" not in value]
        ends = [one.rstrip("/").rpartition("/")[2] for one in addresses]
        return next((one for one in ends if one.isdecimal() or "-" in one), ABSENT)


ACCEPTED: Final = 202


def _fits(sent: Sent) -> bool:
    schema = body_schema(sent.operation)
    return sent.data is ABSENT or schema is None or schema.is_valid(sent.data)

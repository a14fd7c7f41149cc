"""A staged trial sent, followed to its end, and read back; and what two trials that should be equal do not share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.messages import ABSENT, Exchange
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.following import follow
from generators.checks.pictures import UNKNOWN, Picture
from generators.checks.requests import Request, request
from generators.checks.stage import Stage
from generators.checks.telling import Outcome, Result
from generators.checks.views import View
from generators.impossible import ImpossibleError
from generators.requests.names import Names

UNAUTHORIZED: Final = frozenset((401, 403))
ROUNDS: Final = 12  # how often what was handed back as not processed is sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How a trial is sent: in which unit and order, as a job or not, which slots and for which targets.

    `order` are the slots in the order of the request, all by default.
    """

    unit: str | None = None
    order: Sequence[int] | None = None
    as_job: str | None = None
    grouped: bool | None = None
    targets: Sequence[str] = ()
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A trial that was carried out. `outcomes` are by slot; empty when the whole request was refused."""

    stage: Stage
    ask: Ask
    view: View
    outcomes: Mapping[int, Outcome]
    by_target: Mapping[str, Mapping[int, Outcome]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the whole request was turned away."""
        return self.view.kind == "refused"

    @property
    def status(self) -> int:
        """The status of the reply."""
        return self.view.exchange.reply.status

    def result(self, slot: int) -> Result:
        """Return what is told of a slot; `untold` also when nothing is."""
        return self.outcomes[slot].result if slot in self.outcomes else "untold"

    def slots(self, result: Result) -> list[int]:
        """Return the slots with a result, in order."""
        return sorted(slot for slot, one in self.outcomes.items() if one.result == result)


def send(stage: Stage, ask: Ask) -> Exchange:
    """Send a trial, without following what becomes of it. Raises ImpossibleError when it is not let in."""
    order = range(len(stage.pieces)) if ask.order is None else ask.order
    pieces = [stage.pieces[slot] for slot in order]
    wanted = Request(
        items=[piece.raw for piece in pieces],
        actions=tuple(piece.intent.action for piece in pieces),
        unit=ask.unit,
        grouped=ask.grouped,
        as_job=ask.as_job,
        targets=ask.targets,
        keys=[piece.content.key if piece.content.key is not ABSENT else piece.slot for piece in pieces],
        shared=stage.shared,
        more=ask.more,
    )
    exchange = stage.spot.bench.send(request(stage.spot, wanted).call())
    status = exchange.reply.status
    if status in UNAUTHORIZED and status not in stage.spot.bulk.guard.refuse.values():
        raise ImpossibleError(f"access was denied ({status})")
    return exchange


def perform(stage: Stage, ask: Ask) -> Ran:
    """Send a trial and follow it to its end, what is handed back sent again. Raises ImpossibleError."""
    done = _sent(stage, ask)
    for _ in range(ROUNDS):
        left = done.slots("left")
        if not left:
            break
        more = _sent(stage, replace(ask, order=left))
        done = replace(done, outcomes={**done.outcomes, **more.outcomes})
    return done


def _sent(stage: Stage, ask: Ask) -> Ran:
    return ran(stage, ask, follow(stage.spot.bench, send(stage, ask)))


def ran(stage: Stage, ask: Ask, view: View) -> Ran:
    """Return what a view says became of a trial."""
    order = list(range(len(stage.pieces)) if ask.order is None else ask.order)
    by_target = {
        telling.target or "": {order[one.index]: one for one in telling.outcomes if one.index < len(order)}
        for telling in view.tellings
    }
    return Ran(stage=stage, ask=ask, view=view, outcomes=next(iter(by_target.values()), {}), by_target=by_target)


def unlike_outcomes(first: Ran, second: Ran, slots: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the slots that came out differently in two equal trials, with what differs in words."""
    for slot in slots:
        one, other = first.outcomes.get(slot), second.outcomes.get(slot)
        if one is None or other is None:
            continue
        if one.result != other.result:
            yield slot, f"{one.result} here and {other.result} there"
        elif _error(first.stage.names, one) != _error(second.stage.names, other):
            yield slot, f"failed with {short(one.error)} here and with {short(other.error)} there"


def _error(names: Names, outcome: Outcome) -> object:
    error = outcome.error
    return names.scrub(error) if isinstance(error, str | int) and outcome.result == "failed" else None


def unlike_pictures(
    first: Mapping[int, Picture], names: Names, second: Mapping[int, Picture], others: Names, slots: Sequence[int]
) -> Iterator[tuple[int, str]]:
    """Yield the slots whose records differ between two equal trials, with what differs in words."""
    for slot in slots:
        one, other = first.get(slot, UNKNOWN), second.get(slot, UNKNOWN)
        if one.present is None or other.present is None or one.like(names) == other.like(others):
            continue
        if one.present is not other.present:
            yield slot, f"stored {'here' if one.present else 'there'} and not {'there' if one.present else 'here'}"
        elif one.members is None or other.members is None:
            continue
        elif one.version != other.version:
            yield slot, f"at version {short(one.version)} here and {short(other.version)} there"
        else:
            yield slot, f"{_member(one, names, other, others)} differs"


def _member(one: Picture, names: Names, other: Picture, others: Names) -> str:
    first, second = dict(one.members or {}), dict(other.members or {})
    every = dict.fromkeys((*first, *second))
    unlike = [name for name in every if names.scrub(first.get(name)) != others.scrub(second.get(name))]
    return f"'{unlike[0]}'" if unlike else "what is stored"


def finding(law: str, shape: str, says: str, *evidence: Ran | Exchange | Picture | None) -> Finding:
    """Return a finding of an experiment; trials are shown by their calls and what told their outcomes."""
    shown: dict[int, Exchange] = {}
    operation = ""
    for part in evidence:
        if isinstance(part, Ran):
            operation = operation or part.stage.spot.operation.id
            for one in _exchanges(part):
                shown[one.n] = one
        elif isinstance(part, Picture) and part.exchange is not None:
            shown[part.exchange.n] = part.exchange
        elif isinstance(part, Exchange):
            operation = operation or part.operation or ""
            shown[part.n] = part
    sentence = f"{says[:1].upper()}{says[1:]}."
    return Finding(law=law, operation=operation, shape=shape, says=sentence, evidence=tuple(shown.values()))


def _exchanges(done: Ran) -> list[Exchange]:
    told = [one for telling in done.view.tellings for one in telling.evidence]
    return [done.view.exchange, *told]

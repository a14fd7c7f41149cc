"""The law on how many jobs may be unfinished at a time: active."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.bulk import Active
from contracts.messages import Exchange
from generators.checks.bench import Bench
from generators.checks.findings import Finding
from generators.checks.following import ask_all, follow, view_of
from generators.checks.jobs import OK
from generators.checks.looking import stored
from generators.checks.mixing import goods
from generators.checks.requests import units_of, wish_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.targets import known_targets
from generators.checks.trials import Ask, Ran, finding, ran, send
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError

MOST: Final = 40  # a larger limit is not tried out


def active(spot: Spot) -> Iterator[Finding]:
    """Start as many jobs as may be active, and one more; then see each of them to its end."""
    declared = _limit(spot)
    bulk = spot.bulk
    ask = Ask(unit=units_of(bulk)[0], as_job=wish_of(bulk), targets=known_targets(spot))
    sizes = [1 + n % 3 for n in range(declared.max + 1)]
    stages = [staged(spot, goods(spot, size)) for size in sizes]
    sent = [send(stage, ask) for stage in stages]
    if sent[0].reply.status not in OK:
        raise ImpossibleError(f"the first job was refused ({sent[0].reply.status})")
    yield from _kept(spot.bench, declared, sent)
    yield from _each(stages, ask, sent)


def _limit(spot: Spot) -> Active:
    job = spot.bulk.job
    declared = job.active if job is not None else None
    assert declared is not None  # noqa: S101 - the law applies
    if declared.max > MOST:
        raise ImpossibleError(f"{declared.max} jobs are more than are started here")
    return declared


def _kept(bench: Bench, declared: Active, sent: Sequence[Exchange]) -> Iterator[Finding]:
    """Yield where the limit is not kept as declared."""
    early = next((one for one in sent[:-1] if one.reply.status not in OK), None)
    if early is not None and isinstance(declared.breach, int):
        says = f"{declared.max} jobs may be active, but one of them is refused ({early.reply.status})"
        yield finding("active", "refused within the limit", says, sent[0], early)
        return
    last = sent[-1]
    if not isinstance(declared.breach, int) or last.reply.status == declared.breach:
        return
    if last.reply.status not in OK:
        says = f"a job over the limit is refused with {last.reply.status}, but {declared.breach} is declared"
        yield finding("active", f"refused with {last.reply.status}", says, last)
    elif all(_is_running(bench, one) for one in sent[:-1]):
        says = f"{declared.max} jobs may be active, but one more is accepted"
        yield finding("active", "accepted over the limit", says, *sent)
    else:
        raise ImpossibleError("a job ended before the next one was sent")


def _is_running(bench: Bench, exchange: Exchange) -> bool:
    view = view_of(bench, exchange)
    if view.traces:
        ask_all(bench, view, view.traces[0].declared.poll)
    return all(trace.end is None for trace in view_of(bench, exchange).traces)


def _each(stages: Sequence[Stage], ask: Ask, sent: Sequence[Exchange]) -> Iterator[Finding]:
    """See every job that was accepted to its end: none may be lost or mixed up with another."""
    for stage, exchange in zip(stages, sent, strict=True):
        if exchange.reply.status not in OK:
            continue
        done: Ran = ran(stage, ask, follow(stage.spot.bench, exchange))
        if done.by_target and not ask.targets:
            after = stored(done, slots=done.slots("done"))
            gone = [
                slot for slot, one in after.items() if one.present is (stage.pieces[slot].intent.action == "delete")
            ]
            if gone:
                says = f"of two concurrent jobs one reports item {gone[0]} as done, but it was not applied"
                yield finding("active", "jobs lose items", says, done, after[gone[0]])

"""Doing a script again in a fresh world."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from contracts.messages import Exchange
from contracts.model import Contract, Route
from contracts.routing import Router
from generators.campaign.steps import Asking, Script, UnknownNameError, Waiting, call_of, learned
from generators.campaign.worlds import World

Hear = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one step: its exchange, None for a wait and for a call whose blanks could not be filled."""

    index: int
    exchange: Exchange | None


def play(script: Script, world: World, contract: Contract) -> Iterator[Played]:
    """Do every step and yield what became of it. Raises NoAnswerError."""
    names, router = script.names(world.prefix, world.base), Router(contract)
    for index, step in enumerate(script.steps):
        if isinstance(step, Waiting):
            world.caller.advance(timedelta(seconds=step.seconds))
            yield Played(index=index, exchange=None)
        else:
            yield Played(index=index, exchange=_asked(step, names, world, contract, router, index + 1))


def _asked(
    step: Asking, names: dict[str, str], world: World, contract: Contract, router: Router, n: int
) -> Exchange | None:
    try:
        call = call_of(step, names)
    except UnknownNameError:
        return None
    at = world.caller.now()
    reply = world.caller.send(call)
    for lesson in step.lessons:
        value = learned(lesson, reply, names)
        if value is not None:
            names[lesson.name] = value
    route = router.match(call.method, call.path)
    operation = route.operation.id if isinstance(route, Route) else None
    return Exchange(n=n, at=at, api=contract.name, operation=operation, call=call, reply=reply)

"""Doing a script again in a fresh world."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from contracts.messages import Exchange
from contracts.model import Contract
from contracts.routing import Router
from generators.campaign.recording import Recorder
from generators.campaign.steps import DELAYS, Asking, Names, Script, UnknownNameError, Waiting, call_of, learned
from generators.campaign.worlds import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one step: its exchange, None for a wait and for a call whose blanks could not be filled.

    A step that was asked again has one for each exchange. `names` are the blanks' values so far.
    """

    index: int
    exchange: Exchange | None
    names: Names


def play(script: Script, world: World, contract: Contract) -> Iterator[Played]:
    """Do every step and yield what became of it. Raises NoAnswerError."""
    names, recorder = script.names(world.prefix, world.base), Recorder(world.caller, contract, Router(contract))
    for index, step in enumerate(script.steps):
        if isinstance(step, Waiting):
            recorder.advance(timedelta(seconds=step.seconds))
            yield Played(index=index, exchange=None, names=names)
        else:
            for exchange in _asked_until_done(step, names, recorder):
                yield Played(index=index, exchange=exchange, names=names)


def _asked_until_done(step: Asking, names: dict[str, str], recorder: Recorder) -> Iterator[Exchange | None]:
    """Yield what comes of asking, once more after each of some delays while the reply says that it is not done."""
    exchange = _asked(step, names, recorder)
    yield exchange
    for delay in DELAYS:
        if step.busy is None or exchange is None or not step.busy.tells(exchange.reply):
            return
        recorder.advance(timedelta(seconds=delay))
        exchange = _asked(step, names, recorder)
        yield exchange


def _asked(step: Asking, names: dict[str, str], recorder: Recorder) -> Exchange | None:
    try:
        call = call_of(step, names)
    except UnknownNameError:
        return None
    exchange = recorder.exchange(call)
    for lesson in step.lessons:
        value = learned(lesson, exchange.reply, names)
        if value is not None:
            names[lesson.name] = value
    return exchange

"""The stages of a served call: route, admit, read, check, behave, check the reply, record."""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus

from contracts.messages import ABSENT, Call, Reply
from contracts.model import NoRoute
from contracts.validation import Violation, check_reply
from mockserver.api import Api
from mockserver.behaviours import behaviour
from mockserver.behaviours.polls import settle as settle_world
from mockserver.domain.blamed import violations_of
from mockserver.problems import problem
from mockserver.reading import check_body, check_parameters, no_method, read_body
from mockserver.sandbox import Sandbox
from mockserver.served import served
from mockserver.turn import Refusal, Turn

Stage = Callable[[Turn], Refusal | None]


def turn_of(sandbox: Sandbox, api: Api, call: Call, now: datetime) -> Turn:
    """Take a call in hand as of `now`, with everything true that is due by then."""
    world = sandbox.world(api, now)
    settle_world(api, world, now)
    world.forget(now)
    return Turn(api=api, world=world, call=call, now=now)


def checked(turn: Turn) -> Refusal | None:
    """Route, admit, read and check the call; return why it is refused, None when it may be carried out."""
    for stage in STAGES:
        met = stage(turn)
        if met is not None:
            return met
    return None


def behaved(turn: Turn) -> Reply:
    """Carry out a call that may be."""
    assert turn.operation is not None  # noqa: S101 - the first stage has seen to it
    doing = behaviour(served(turn.api), turn.operation.id)
    return problem(NO_BEHAVIOUR) if doing is None else doing(turn)


def finished(turn: Turn, reply: Reply) -> Reply:
    """Return the reply as it goes out: with the API's last word, and held against the contract."""
    return _kept(turn, turn.api.hooks.finish(turn, reply))


def sent(sandbox: Sandbox, turn: Turn, reply: Reply) -> Reply:
    """Return the reply as it goes out, and record the exchange."""
    last = finished(turn, reply)
    if last.status >= HTTPStatus.BAD_REQUEST and turn.outcomes and not turn.violations:
        turn.violations = _blamed(turn)
    sandbox.journal.record(turn, last)
    return last


def _blamed(turn: Turn) -> Sequence[Violation]:
    """Return what is wrong with the items of a call that was refused for them, where it has a list of items."""
    bulk = None if turn.operation is None else turn.operation.bulk
    if bulk is None or bulk.items.shape == "map" or bulk.items.groups is not None:
        return ()
    return violations_of(turn.outcomes, bulk.items.at, bulk.effect.payload)


NO_BEHAVIOUR = Refusal(status=501, kind="no-behaviour", detail="The contract does not say what this operation does.")


def route(turn: Turn) -> Refusal | None:
    """Find the operation that the call means, or say that there is none."""
    found = served(turn.api).router.match(turn.call.method, turn.call.path)
    if not isinstance(found, NoRoute):
        turn.operation, turn.variables = found.operation, found.variables
        return None
    if found.allow is None:
        return Refusal(
            status=404, kind="no-path", detail=f"{turn.api.contract.title} has no path {turn.call.path[:200]}."
        )
    return no_method(turn.call.method, found.allow)


def _admit(turn: Turn) -> Refusal | None:
    return turn.api.hooks.admit(turn)


def _scope(turn: Turn) -> Refusal | None:
    named = turn.api.hooks.scope(turn)
    if isinstance(named, Refusal):
        return named
    turn.scope = named
    return None


STAGES: tuple[Stage, ...] = (route, _admit, check_parameters, _scope, read_body, check_body)


def _kept(turn: Turn, reply: Reply) -> Reply:
    """Return the reply, or a problem document that says how it breaks the contract, unless somebody asked for that."""
    if turn.operation is None or (reply.data is ABSENT and not reply.body and reply.status in _EMPTY):
        return reply
    if reply.status >= HTTPStatus.BAD_REQUEST and turn.operation.response(reply.status) is None:
        return reply  # a refusal that every server may give, such as 415, and that few contracts declare
    broken = check_reply(turn.operation, reply).violations
    if not broken:
        return reply
    turn.violations = (*turn.violations, *broken)
    if turn.api.bugs or (turn.decision is not None and turn.decision.is_asked):
        return reply
    detail = f"The sandbox's own reply ({reply.status}) breaks the contract of {turn.operation.id}."
    return problem(Refusal(status=500, kind="broken-contract", detail=detail, violations=broken))


_EMPTY = frozenset({204, 304})

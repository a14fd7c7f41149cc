"""The engine: a call in, a reply out; or, when scenarios are about, a call under way. Pure but for its sandbox."""

from datetime import datetime

from contracts.messages import Call, Reply
from mockserver.api import Api
from mockserver.behaviours.polls import settle as settle_world
from mockserver.pipeline import behaved, checked, route, sent, turn_of
from mockserver.preferences import may_prefer
from mockserver.sandbox import Sandbox
from mockserver.turn import Refusal
from mockserver.underway import Played


def handle(sandbox: Sandbox, api: Api, call: Call, now: datetime) -> Reply:
    """Answer a call as of `now` on the sandbox's clock, at once; every call has an answer, whatever it is.

    What a scenario does on the wire is left out, but for what it does to the commit.
    """
    return play(sandbox, api, call, now).at_once(now)


def play(sandbox: Sandbox, api: Api, call: Call, now: datetime) -> Played:
    """Take a call as of `now` on the sandbox's clock: the reply, and what happens to it on its way."""
    turn = turn_of(sandbox, api, call, now)
    if _is_staged(sandbox, call):
        from mockserver.playing import played  # noqa: PLC0415 - most servers play nothing

        return played(sandbox, turn)
    met = checked(turn)
    return Played(reply=sent(sandbox, turn, behaved(turn) if met is None else api.hooks.refuse(turn, met)))


def _is_staged(sandbox: Sandbox, call: Call) -> bool:
    """Tell whether anything but the ordinary may happen to a call."""
    return sandbox.is_playing or (sandbox.blank.plays and may_prefer(call))


def refuse(sandbox: Sandbox, api: Api, call: Call, now: datetime, refusal: Refusal) -> Reply:
    """Refuse a call that could not be read at all, in the API's own shape."""
    turn = turn_of(sandbox, api, call, now)
    route(turn)
    return sent(sandbox, turn, api.hooks.refuse(turn, refusal))


def settle(sandbox: Sandbox, now: datetime) -> None:
    """Make true in every world what is due by `now`."""
    for api in sandbox.apis:
        if api.name in sandbox.worlds:
            settle_world(api, sandbox.worlds[api.name], now)

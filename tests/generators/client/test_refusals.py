"""Knocking at the wrong door: when every answer is the same refusal, that is said, and nothing is claimed."""

from datetime import timedelta

import pytest

from contracts.errors import MisuseError
from contracts.messages import Request, Response
from contracts.openapi.loading import load_bundled
from contracts.openapi.model import ClientIdentity
from generators.client.access import MIN_REFUSALS, MIN_REFUSALS_AT_END, AccessGuard, require_admitted
from generators.client.session import Session

GENERO = load_bundled("genero")
LIST, READ = Request(method="GET", path="/api/v1/block"), Request(method="GET", path="/api/v1/block/7")
TOKEN = Request(method="POST", path="/oauth/token")


class Door:
    """Answers every call with the next of its statuses, the last one for ever."""

    controlled = False

    def __init__(self, *statuses):
        self.statuses, self.waited = list(statuses), timedelta(0)

    def send(self, call):
        del call
        return Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    def advance(self, by):
        self.waited += by

    def now(self):
        return None


def attentive(door, *names):
    operations = [one for one in GENERO.operations if not names or one.id in names]
    guard = AccessGuard("http://x/genero", operations)
    return Session(GENERO, door, guard=guard), guard


@pytest.mark.parametrize(("status", "says"), [(404, "the API was not found there"), (401, "credentials are required")])
def test_one_refusal_for_all_calls_is_misuse(status, says):
    """After enough calls it is believed, with a cure; before, it is not."""
    session, _ = attentive(Door(status))
    for _ in range(MIN_REFUSALS - 1):
        session.send(LIST)
    with pytest.raises(MisuseError, match=says):
        session.send(LIST)


def test_one_success_is_enough():
    """Where anything was let in, refusals are the server's business."""
    session, guard = attentive(Door(200, 404))
    for _ in range(MIN_REFUSALS * 2):
        session.send(LIST)
    guard.require_access()


def test_calls_that_hand_out_credentials_are_not_counted():
    """A token that is given says nothing of the calls that need it."""
    session, guard = attentive(Door(200, 401))
    session.send(TOKEN)
    for _ in range(MIN_REFUSALS_AT_END):
        session.send(LIST)
    with pytest.raises(MisuseError, match=r"all 5 requests were answered with 401"):
        guard.require_access()


@pytest.mark.parametrize(("refused", "calls", "is_misuse"), [(4150, 4167, True), (30, 60, False), (20, 20, False)])
def test_a_campaign_is_refused_when_nearly_every_call_is(refused, calls, is_misuse):
    """Some laws act as clients that the document names: what they are told is no success of the others."""
    clients = (ClientIdentity(name="shop", auth="Bearer x"), ClientIdentity(name="old", auth="Bearer y", refused=401))
    if not is_misuse:
        require_admitted(refused, calls, "http://x", clients)
        return
    with pytest.raises(MisuseError, match="4150 of 4167 requests were answered with 401") as told:
        require_admitted(refused, calls, "http://x", clients)
    assert told.value.cure.endswith("The document names test clients: --auth 'Bearer x' (shop).")


def test_a_key_in_a_field_of_its_own_is_asked_for_there():
    """`--auth` is the value of `Authorization`, where a key is not looked for."""
    clients = (ClientIdentity(name="shop", auth="k1"),)
    with pytest.raises(MisuseError) as told:
        require_admitted(100, 100, "http://x", clients, "X-Key")
    named = "The document names test clients: --header 'X-Key: k1' (shop)."
    assert told.value.cure == f"Give the API key with --header 'X-Key: KEY'. {named}"


def test_records_that_are_missing_are_no_wrong_door():
    """Where only single records are asked for, 404 may be the right answer each time."""
    session, guard = attentive(Door(404), "getEntity")
    for _ in range(MIN_REFUSALS * 2):
        session.send(READ)
    guard.require_access()


def test_the_clock_is_the_other_caller_s():
    """Waiting and asking for the time go through."""
    door = Door(200)
    session, _ = attentive(door)
    session.advance(timedelta(seconds=3))
    assert (door.waited, session.controlled, session.send(LIST).at) == (timedelta(seconds=3), False, None)

"""Knocking at the wrong door: when every answer is the same refusal, that is said, and nothing is claimed."""

from datetime import timedelta

import pytest

from contracts.document import load_bundled
from contracts.errors import MisuseError
from contracts.messages import Call, Reply
from generators.attention import LEAST, TRIAL, Attentive

GENERO = load_bundled("genero")
LIST, READ = Call(method="GET", path="/api/v1/block"), Call(method="GET", path="/api/v1/block/7")
TOKEN = Call(method="POST", path="/oauth/token")


class Door:
    """Answers every call with the next of its statuses, the last one for ever."""

    controlled = False

    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def send(self, call):
        del call
        return Reply(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    def advance(self, by):
        self.waited = by

    def now(self):
        return None


def attentive(door, *names):
    operations = [one for one in GENERO.operations if not names or one.id in names]
    return Attentive(door, "http://x/genero", GENERO, operations)


@pytest.mark.parametrize(("status", "says"), [(404, "the API was not found there"), (401, "credentials are required")])
def test_one_refusal_for_all_calls_is_misuse(status, says):
    """After enough calls it is believed, with a cure; before, it is not."""
    caller = attentive(Door(status))
    for _ in range(TRIAL - 1):
        caller.send(LIST)
    with pytest.raises(MisuseError, match=says):
        caller.send(LIST)


def test_one_success_is_enough():
    """Where anything was let in, refusals are the server's business."""
    caller = attentive(Door(200, 404))
    for _ in range(TRIAL * 2):
        caller.send(LIST)
    caller.require_an_open_door()


def test_calls_that_hand_out_credentials_are_not_counted():
    """A token that is given says nothing of the calls that need it."""
    caller = attentive(Door(200, 401))
    caller.send(TOKEN)
    for _ in range(LEAST):
        caller.send(LIST)
    with pytest.raises(MisuseError, match=r"all 5 requests were answered with 401"):
        caller.require_an_open_door()


def test_records_that_are_missing_are_no_wrong_door():
    """Where only single records are asked for, 404 may be the right answer each time."""
    caller = attentive(Door(404), "getEntity")
    for _ in range(TRIAL * 2):
        caller.send(READ)
    caller.require_an_open_door()


def test_the_clock_is_the_other_caller_s():
    """Waiting and asking for the time go through."""
    door = Door(200)
    caller = attentive(door)
    caller.advance(timedelta(seconds=3))
    assert (door.waited, caller.controlled, caller.now()) == (timedelta(seconds=3), False, None)

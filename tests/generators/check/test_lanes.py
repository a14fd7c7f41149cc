"""Lanes of a check: what comes of actions stands in their order, and each session has its own ones."""

from datetime import timedelta

import pytest

from contracts.errors import MisuseError
from contracts.openapi.loading import load_bundled
from generators.check.lanes import Lanes
from generators.check.plan import CheckPlan
from generators.client.http import HttpClient, NoAnswerError
from generators.client.session import Budget
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding

ALONE = ({"rate": 5.0}, {"read_only": True}, {"name_prefix": "00001"})


def lanes(api="onkey", **plan):
    """Return the lanes of a check of a server that nobody calls."""
    return Lanes(load_bundled(api), HttpClient("http://127.0.0.1:9"), CheckPlan(**plan), Budget(), None)


def noting(sessions, n):
    """Return an action that notes its session, and finds something."""

    def action(session):
        sessions[n] = session
        yield Finding(law="a", operation="b", shape=f"shape {n}", says=".")

    return action


def test_each_lane_has_every_second_action():
    """So names are the same whichever is faster."""
    sessions = {}
    tried = list(lanes().run([noting(sessions, n) for n in range(7)], apart=True))
    assert [one.findings[0].shape for one in tried] == [f"shape {n}" for n in range(7)]
    assert [one.is_first for one in tried] == [True, False] * 3 + [True]
    assert len({id(sessions[n]) for n in (0, 2, 4, 6)}) == len({id(sessions[n]) for n in (1, 3, 5)}) == 1
    assert sessions[0].name_prefix != sessions[1].name_prefix


@pytest.mark.parametrize(("plan", "apart"), [*((one, True) for one in ALONE), ({}, False)])
def test_turns_are_taken_where_that_is_asked_for(plan, apart):
    """A rate is that of all, given names are those of one, and nothing is written beside what must be alone."""
    sessions = {}
    assert all(one.is_first for one in lanes(**plan).run([noting(sessions, n) for n in range(3)], apart=apart))
    assert len({id(one) for one in sessions.values()}) == 1


@pytest.mark.parametrize("apart", [True, False])
def test_what_was_found_before_an_error_is_kept(apart):
    """The reason is told beside it."""

    def action(session):
        yield from noting({}, 0)(session)
        raise NotApplicableError("there is no more")

    (tried,) = lanes().run([action], apart=apart)
    assert (len(tried.findings), tried.reason) == (1, "there is no more")


def test_only_the_first_request_of_all_tells_of_a_wrong_address():
    """A server that goes away later is a finding, in the other lane too."""

    def lost(session):
        raise NoAnswerError(f"{session.name_prefix} is lost")

    _, tried = lanes().run([noting({}, 0), lost], apart=True)
    assert [one.shape for one in tried.findings] == ["no answer"]
    assert "lost" in tried.reason
    with pytest.raises(MisuseError, match="No response"):
        list(lanes().run([lost, noting({}, 0)], apart=True))


def test_a_misuse_in_one_lane_ends_the_other():
    """Nothing goes on behind the back of whoever is told of it."""
    reasons = []

    def wrong(_):
        raise MisuseError("all is refused")

    def endless(session):
        try:
            while True:
                session.advance(timedelta(seconds=0.01))
        except Exception as error:
            reasons.append(type(error).__name__)
            raise

    with pytest.raises(MisuseError):
        list(lanes().run([wrong, endless, wrong, endless], apart=True))
    assert reasons == ["DeadlineExceededError"]

"""Rules that check and fuzz share: on refusals, on repeated requests, and on what a change does to a version."""

import pytest

from contracts.bulk.model import Idempotency
from contracts.exchange.preconditions import is_next
from contracts.messages import Response
from generators.oracles.request_oracle import mismatch_fault, refusal_fault, replay_fault


@pytest.mark.parametrize(
    ("declared", "status", "refused", "fault"),
    [
        ([422], 422, True, None),
        ([422], 400, True, "otherwise"),
        ([422, 413], 413, True, None),
        (["quota.exceeded"], 409, True, None),
        ([], 400, True, None),
        ([422], 200, False, "accepted"),
        ([], 200, False, "accepted"),
    ],
)
def test_a_refusal_has_a_declared_status(declared, status, refused, fault):
    """Several reasons let the server choose; a code instead of a status lets any through."""
    assert refusal_fault(declared, status, refused=refused) == fault


@pytest.mark.parametrize(
    ("replay", "again", "fault"),
    [
        ("same-reply", (200, {"id": 1}), None),
        ("same-reply", (200, {"id": 2}), "content"),
        ("same-reply", (201, {"id": 1}), "status"),
        ("current-state", (200, {"id": 2}), None),
        ("current-state", (409, {"id": 1}), "status"),
    ],
)
def test_the_same_request_with_the_same_key_is_answered_once(replay, again, fault):
    """The status is the same; the content too, unless the current state is what is declared."""
    declared = Idempotency(key="header:Key", replay=replay)
    assert replay_fault(declared, Response.of(200, {"id": 1}), Response.of(*again)) == fault


@pytest.mark.parametrize(
    ("mismatch", "status", "fault"),
    [
        (422, 422, None),
        (422, 200, "accepted"),
        (422, 409, "otherwise"),
        ("key.reused", 409, None),
        ("key.reused", 201, "accepted"),
        (None, 200, None),
        (None, 409, None),
    ],
)
def test_other_content_under_a_used_key_is_refused_where_that_is_declared(mismatch, status, fault):
    """Where nothing is declared of it, the first response may be given again."""
    assert mismatch_fault(Idempotency(key="header:Key", mismatch=mismatch), status) == fault


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(1, 2, True), (1, 1, False), (1, 3, False), (2, 1, False), ("a", "b", True), ("a", "a", False)],
)
def test_one_change_moves_a_version_by_one(before, after, expected):
    """Numbers count changes; of other versions it is only known that they differ."""
    assert is_next(before, after) is expected

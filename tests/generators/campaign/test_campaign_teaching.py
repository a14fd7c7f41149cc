"""Ids in the evidence of a finding: those that earlier replies told are learned, so that a wrong one is recognized."""

from datetime import UTC, datetime

from contracts.document import load_bundled
from contracts.messages import Call, Exchange, Headers, Reply
from generators.campaign.playing import Played
from generators.campaign.signs import shows, sign_of
from generators.campaign.steps import learned
from generators.campaign.teaching import ids_told

CONTRACT = load_bundled("onkey")
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {"prefix": "b00000"}
FIRST, SECOND = "2405948789000001", "2405948789000002"


def played(index, data, path="/rows"):
    reply = Reply(status=200, headers=Headers(), body=b"", data=data)
    call = Call(method="GET", path=path)
    exchange = Exchange(n=index + 1, at=AT, api="onkey", operation=None, call=call, reply=reply)
    return Played(index=index, exchange=exchange, names=NAMES)


def test_an_id_that_stands_in_the_wrong_place_is_told_by_its_blank():
    """Evidence that shows another record's id is not like a reply that shows the right one."""
    script = [played(0, {"id": FIRST}), played(1, {"id": SECOND}), played(2, {"of": FIRST, "at": "2026-01-01T00:00"})]
    lessons = ids_told(script, {2}, CONTRACT)
    assert {n: len(some) for n, some in lessons.items()} == {0: 1}
    wrong, right = script[2].exchange.reply, played(2, {"of": SECOND, "at": "2026-01-01T00:00"}).exchange.reply
    (lesson,) = lessons[0]
    known = NAMES | {lesson.name: learned(lesson, script[0].exchange.reply, NAMES)}
    sign = sign_of(2, wrong, known)
    assert sign.values == {"/of": f"{{{{{lesson.name}}}}}"}
    assert shows(sign, wrong, known)
    assert not shows(sign, right, known)
    assert shows(sign_of(2, wrong, NAMES), right, NAMES), "without the lesson nobody could tell"


def test_what_a_call_said_itself_is_not_learned():
    """An id in the address of a call is known anyway, and so is one that only the evidence has."""
    script = [played(0, {"id": FIRST}, path=f"/rows/{FIRST}"), played(1, {"id": FIRST, "other": SECOND})]
    assert ids_told(script, {1}, CONTRACT) == {}

"""Scripts of what was exchanged: done again elsewhere, they say and learn what had been said and told."""

from datetime import UTC, datetime

import orjson
import pytest

from contracts.document import load_bundled
from contracts.messages import ABSENT, Call, Exchange, Headers, Reply
from generators.campaign.playing import play
from generators.campaign.scripting import scripted
from generators.campaign.steps import DELAYS, call_of, learned
from generators.campaign.worlds import WINDOW, World

CONTRACT = load_bundled("onkey")
AT = datetime(2026, 1, 1, tzinfo=UTC)
HERE, THERE = (World(caller=None, salt=salt) for salt in ("00000", "zzzzz"))


def exchange(n, path, sent=ABSENT, told=ABSENT, headers=()):
    call = Call(method="POST", path=path, body=b"" if sent is ABSENT else orjson.dumps(sent))
    body = b"" if told is ABSENT else orjson.dumps(told)
    reply = Reply(status=200, headers=Headers(headers), body=body, data=told)
    return Exchange(n=n, at=AT, api="onkey", operation="import", call=call, reply=reply)


def names_after(script, step, reply):
    names = script.names(THERE.prefix, THERE.base)
    return names | {one.name: learned(one, reply, names) for one in script.steps[step].lessons}


def test_an_id_is_learned_from_the_element_that_told_it():
    """Of several elements of one kind the one is picked that tells of the item; where none can be, its place."""
    told = {
        "messages": [
            {"userObjectId": "b00000-item-1", "objectType": "Resource", "objectId": "2405948789000001"},
            {"userObjectId": "b00000-item-2", "objectType": "Resource", "objectId": "2405948789000002"},
            {"objectType": "Resource", "objectId": "2405948789000003"},
        ]
    }
    sent = [{"userObjectId": f"b00000-item-{n}", "entityType": "Resource"} for n in (1, 2)]
    ids = [one["objectId"] for one in told["messages"]]
    deeds = [exchange(1, "/import", sent, told), *(exchange(2 + n, f"/rows/{own}") for n, own in enumerate(ids))]
    script = scripted(deeds, CONTRACT, HERE)
    other = orjson.loads(orjson.dumps(told).replace(b"b00000", b"bzzzzz").replace(b"2405948789", b"9995948789"))
    other["messages"][:2] = reversed(other["messages"][:2])
    names = names_after(script, 0, Reply(status=200, headers=Headers(), body=b"", data=other))
    assert [call_of(one, names).path for one in script.steps[1:]] == [
        f"/rows/{own.replace('2405948789', '9995948789')}" for own in ids
    ]


def test_made_up_names_and_numbers_are_made_up_anew():
    """The prefix in any case, and numbers that had to be fresh, are others in another world."""
    number = HERE.base + 42
    sent = {"code": "b00000-1", "other": "B00000-1", "id": number, "text": str(number), "plain": 5}
    (step,) = (script := scripted([exchange(1, f"/rows/{number}", sent)], CONTRACT, HERE)).steps
    call = call_of(step, script.names(THERE.prefix, THERE.base))
    fresh = THERE.base + 42
    assert orjson.loads(call.body) == {
        "code": "bzzzzz-1",
        "other": "BZZZZZ-1",
        "id": fresh,
        "text": str(fresh),
        "plain": 5,
    }
    assert call.path == f"/rows/{fresh}"


def test_an_address_is_followed():
    """An id that only a header's address tells is learned from there."""
    deeds = [exchange(1, "/jobs", {}, ABSENT, (("Location", "/jobs/77"),)), exchange(2, "/jobs/77")]
    script = scripted(deeds, CONTRACT, HERE)
    names = names_after(script, 0, Reply(status=202, headers=Headers((("Location", "/x/jobs/78"),)), body=b""))
    assert call_of(script.steps[1], names).path == "/jobs/78"


def test_waits_stand_where_they_were():
    """Every deed has its step."""
    script = scripted([1.5, exchange(1, "/rows"), 2.0], CONTRACT, HERE)
    assert [getattr(one, "seconds", None) for one in script.steps] == [1.5, None, 2.0]


def test_numbers_from_elsewhere_become_numbers_of_the_world():
    """A number that was made up, but not in this world's own range, is one of the other world's range there."""
    foreign = [HERE.base + WINDOW * 7 + n for n in (1, 2)]
    script = scripted([exchange(1, "/rows", {"ids": [*foreign, foreign[0]]})], CONTRACT, HERE)
    first, second, again = orjson.loads(call_of(script.steps[0], script.names(THERE.prefix, THERE.base)).body)["ids"]
    assert first == again != second
    assert all(THERE.base <= one < THERE.base + WINDOW for one in (first, second))


def test_a_prefix_with_one_capital_is_made_up_anew():
    """Names of experiments begin with the prefix, its first letter alone a capital: they are no less ours."""
    here = World(caller=None, salt="rlbtg")
    (step,) = (script := scripted([exchange(1, "/rows/Brlbtg3n1", {"code": "Brlbtg3n1"})], CONTRACT, here)).steps
    call = call_of(step, script.names(THERE.prefix, THERE.base))
    assert (call.path, orjson.loads(call.body)) == ("/rows/Bzzzzz3n1", {"code": "Bzzzzz3n1"})


GENERO = load_bundled("genero")


def poll(n, state):
    reply = Reply(status=200, headers=Headers(), body=b"", data={"batchJobStatus": state})
    call = Call(method="GET", path="/api/v1/customer/jobStatus/j1")
    return Exchange(n=n, at=AT, api="genero", operation="jobStatus", call=call, reply=reply)


def test_a_poll_that_found_a_job_at_its_end_waits_for_it():
    """Elsewhere jobs take another time: what was seen when a job had ended is looked at when it has ended."""
    deeds = [poll(1, "InProgress"), 0.5, poll(2, "CompletedWithErrors")]
    early, _, late = scripted(deeds, GENERO, HERE, is_timed=True).steps
    assert early.busy is None
    assert [late.busy.tells(one.reply) for one in (deeds[0], deeds[2])] == [True, False]
    assert all(getattr(one, "busy", None) is None for one in scripted(deeds, GENERO, HERE).steps)


class Slow:
    """A server whose job has ended at the third look."""

    controlled = False

    def __init__(self):
        self.polls, self.waited = 0, 0.0

    def send(self, call):
        del call
        self.polls += 1
        return poll(0, "Completed" if self.polls > 2 else "InProgress").reply

    def advance(self, by):
        self.waited += by.total_seconds()

    def now(self):
        return AT


def test_playing_asks_until_it_is_done():
    """Every look is an exchange, with a longer wait before each; the step has come to its end with the last."""
    script, server = scripted([poll(1, "Completed")], GENERO, HERE, is_timed=True), Slow()
    done = list(play(script, World(caller=server, salt="zzzzz"), GENERO))
    assert [one.index for one in done] == [0, 0, 0]
    assert done[-1].exchange.reply.data == {"batchJobStatus": "Completed"}
    assert server.waited == pytest.approx(sum(DELAYS[:2]))

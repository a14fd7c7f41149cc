"""Scripts of what was exchanged: done again elsewhere, they say and learn what had been said and told."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.client.environments import NUMBERS_PER_ENVIRONMENT, Environment
from generators.client.session import Session
from generators.triage.parametrise import parametrise
from generators.triage.script import build_request, captured_value, replay_script
from generators.triage.standalone import DELAYS

CONTRACT = load_bundled("onkey")
AT = datetime(2026, 1, 1, tzinfo=UTC)
HERE, THERE = (Environment(client=None, name_prefix=name_prefix) for name_prefix in ("00000", "zzzzz"))


def exchange(n, path, sent=ABSENT, told=ABSENT, headers=()):
    call = Request(method="POST", path=path, body=b"" if sent is ABSENT else orjson.dumps(sent))
    body = b"" if told is ABSENT else orjson.dumps(told)
    reply = Response(status=200, headers=Headers(headers), body=body, data=told)
    return Exchange(n=n, at=AT, api="onkey", operation="import", request=call, response=reply)


def names_after(script, step, reply):
    names = script.names(THERE.prefix, THERE.base)
    return names | {one.name: captured_value(one, reply, names) for one in script.steps[step].captures}


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
    events = [exchange(1, "/import", sent, told), *(exchange(2 + n, f"/rows/{own}") for n, own in enumerate(ids))]
    script = parametrise(events, CONTRACT, HERE)
    other = orjson.loads(orjson.dumps(told).replace(b"b00000", b"bzzzzz").replace(b"2405948789", b"9995948789"))
    other["messages"][:2] = reversed(other["messages"][:2])
    names = names_after(script, 0, Response(status=200, headers=Headers(), body=b"", data=other))
    assert [build_request(one, names).path for one in script.steps[1:]] == [
        f"/rows/{own.replace('2405948789', '9995948789')}" for own in ids
    ]


def test_made_up_names_and_numbers_are_made_up_anew():
    """The prefix in any case, and numbers that had to be fresh, are others in another world."""
    number = HERE.base + 42
    sent = {"code": "b00000-1", "other": "B00000-1", "id": number, "text": str(number), "plain": 5}
    (step,) = (script := parametrise([exchange(1, f"/rows/{number}", sent)], CONTRACT, HERE)).steps
    call = build_request(step, script.names(THERE.prefix, THERE.base))
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
    events = [exchange(1, "/jobs", {}, ABSENT, (("Location", "/jobs/77"),)), exchange(2, "/jobs/77")]
    script = parametrise(events, CONTRACT, HERE)
    names = names_after(script, 0, Response(status=202, headers=Headers((("Location", "/x/jobs/78"),)), body=b""))
    assert build_request(script.steps[1], names).path == "/jobs/78"


def test_waits_stand_where_they_were():
    """Every deed has its step."""
    script = parametrise([1.5, exchange(1, "/rows"), 2.0], CONTRACT, HERE)
    assert [getattr(one, "seconds", None) for one in script.steps] == [1.5, None, 2.0]


def test_numbers_from_elsewhere_become_numbers_of_the_world():
    """A number that was made up, but not in this world's own range, is one of the other world's range there."""
    foreign = [HERE.base + NUMBERS_PER_ENVIRONMENT * 7 + n for n in (1, 2)]
    script = parametrise([exchange(1, "/rows", {"ids": [*foreign, foreign[0]]})], CONTRACT, HERE)
    first, second, again = orjson.loads(build_request(script.steps[0], script.names(THERE.prefix, THERE.base)).body)[
        "ids"
    ]
    assert first == again != second
    assert all(THERE.base <= one < THERE.base + NUMBERS_PER_ENVIRONMENT for one in (first, second))


def test_a_prefix_with_one_capital_is_made_up_anew():
    """Names of experiments begin with the prefix, its first letter alone a capital: they are no less ours."""
    here = Environment(client=None, name_prefix="rlbtg")
    (step,) = (script := parametrise([exchange(1, "/rows/Brlbtg3n1", {"code": "Brlbtg3n1"})], CONTRACT, here)).steps
    call = build_request(step, script.names(THERE.prefix, THERE.base))
    assert (call.path, orjson.loads(call.body)) == ("/rows/Bzzzzz3n1", {"code": "Bzzzzz3n1"})


GENERO = load_bundled("genero")


def poll(n, state):
    reply = Response(status=200, headers=Headers(), body=b"", data={"batchJobStatus": state})
    call = Request(method="GET", path="/api/v1/customer/jobStatus/j1")
    return Exchange(n=n, at=AT, api="genero", operation="jobStatus", request=call, response=reply)


def test_a_poll_that_found_a_job_at_its_end_waits_for_it():
    """Elsewhere jobs take another time: what was seen when a job had ended is looked at when it has ended."""
    events = [poll(1, "InProgress"), 0.5, poll(2, "CompletedWithErrors")]
    early, _, late = parametrise(events, GENERO, HERE, is_timed=True).steps
    assert early.busy is None
    assert [late.busy.holds(one.response) for one in (events[0], events[2])] == [True, False]
    assert all(getattr(one, "busy", None) is None for one in parametrise(events, GENERO, HERE).steps)


class Slow:
    """A server whose job has ended at the third look."""

    controlled = False

    def __init__(self):
        self.polls, self.waited = 0, 0.0

    def send(self, call):
        del call
        self.polls += 1
        return poll(0, "Completed" if self.polls > 2 else "InProgress").response

    def advance(self, by):
        self.waited += by.total_seconds()

    def now(self):
        return AT


def test_playing_asks_until_it_is_done():
    """Every look is an exchange, with a longer wait before each; the step has come to its end with the last."""
    script, server = parametrise([poll(1, "Completed")], GENERO, HERE, is_timed=True), Slow()
    done = list(replay_script(script, script.names(THERE.prefix, THERE.base), Session(GENERO, server)))
    assert [one.index for one in done] == [0, 0, 0]
    assert done[-1].exchange.response.data == {"batchJobStatus": "Completed"}
    assert server.waited == pytest.approx(sum(DELAYS[:2]))


def test_names_in_a_body_that_is_text_are_made_up_anew():
    """Lines and rows have variables as JSON has; other bytes stay as they are."""
    for body in (b'{"code":"b00000-item-1"}\n{"code":"b00000-item-2"}\n', b"code,name\r\nb00000-item-1,\xff\r\n"):
        one = exchange(1, "/api/x")
        one = replace(one, request=replace(one.request, body=body))
        script = parametrise([one], CONTRACT, HERE)
        sent = build_request(script.steps[0], script.names(THERE.prefix, THERE.base)).body
        assert sent == body.replace(b"b00000", THERE.prefix.encode())


def test_braces_that_are_no_variable_stay_what_they_are():
    """A text with what looks like a variable is sent as it was, whatever it may be called."""
    sent = {"code": "b00000-1", "description": "{{prefix}} {{a}} {{{{n1}} {a} }}"}
    script = parametrise([exchange(1, "/import", sent)], CONTRACT, HERE)
    request = build_request(script.steps[0], script.names(THERE.prefix, THERE.base))
    assert orjson.loads(request.body) == {**sent, "code": "bzzzzz-1"}


def test_a_body_that_says_a_name_twice_is_sent_as_it_was():
    """Its JSON value would say less than its text."""
    text = b'{"code":"b00000-1","code":2}'
    call = Request(method="POST", path="/import", body=text)
    sent = replace(exchange(1, "/import"), request=call)
    script = parametrise([sent], CONTRACT, HERE)
    request = build_request(script.steps[0], script.names(THERE.prefix, THERE.base))
    assert request.body == text.replace(b"b00000", b"bzzzzz")

"""Scripts of what was exchanged: done again elsewhere, they say and learn what had been said and told."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from example_findings import build_request

from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.client.environments import NUMBERS_PER_ENVIRONMENT, Environment
from generators.client.session import Session
from generators.triage import standalone
from generators.triage.parametrise import parametrise
from generators.triage.script import (
    Capture,
    PollCondition,
    RequestStep,
    captured_value,
    replay_script,
    step_json,
)
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


class Noting(dict):
    """A step as JSON that notes which of its members were asked for."""

    def __init__(self, step):
        super().__init__(step_json(step))
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.read.add(name)
        return super().__contains__(name)

    def get(self, name, default=None):
        return self[name] if name in self else default  # noqa: SIM401 - so that each is noted


class Elsewhere(standalone.Server):
    """A server that is asked without a network; time passes only when somebody waits."""

    def __init__(self, *refusals):
        super().__init__("http://127.0.0.1:1", "")
        self.refusals, self.sent, self.waits = list(refusals), [], []

    def exchange(self, method, path, *_rest):
        self.sent.append((method, path))
        return (*self.refusals.pop(0), standalone.ABSENT) if self.refusals else (200, {}, {"id": "7"})

    def wait(self, seconds):
        self.waits.append(round(seconds))


POINT = Capture(name="id1", path=("id",))
FULL = RequestStep(
    operation="list",
    method="POST",
    path=("rows",),
    query=(("q", "1"),),
    headers=(("X-A", "b"),),
    data={"a": 1},
    captures=(POINT,),
    busy=PollCondition(at=POINT, words=("8",)),
    settle=5.0,
    once=True,
)


@pytest.mark.parametrize("step", [FULL, replace(FULL, data=ABSENT, raw=b"text")], ids=["json", "text"])
def test_all_that_a_step_says_is_done_by_the_lone_program(step):
    """No member of a step is written for nothing: only the operation's name is for readers."""
    told = Noting(step)
    list(standalone.responses(Elsewhere(), told, {}))
    assert told.keys() - told.read == {"operation"}


@pytest.mark.parametrize(
    ("refusal", "waits"),
    [
        ((429, {"retry-after": "3"}), [3, 3]),
        ((503, {"retry-after": "600"}), [60, 60]),
        ((503, {"retry-after": "Sun, 06 Nov 1994 08:49:41 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}), [5, 5]),
        ((429, {}), []),
        ((429, {"retry-after": "soon"}), []),
        ((400, {"retry-after": "3"}), []),
    ],
)
def test_a_replay_obeys_retry_after(refusal, waits):
    """A busy server's refusal is no other response; where the refusal was what was recorded, it is not sent again."""
    for once in (False, True):
        server = Elsewhere(refusal, refusal)
        step = step_json(replace(FULL, busy=None, settle=0.0, once=once))
        *_, last = standalone.responses(server, step, {})
        assert server.waits == ([] if once else waits)
        assert last[0] == (200 if waits and not once else refusal[0])


def test_a_replay_waits_until_a_read_shows_what_was_written():
    """A read that may lag behind waits as long as its contract declares, counted from the last write."""
    server = Elsewhere()
    read = step_json(replace(FULL, method="GET", busy=None))
    for step in (step_json(replace(FULL, busy=None, settle=0.0)), read, read):
        list(standalone.responses(server, step, {}))
    assert server.waits == [5, 5]


def test_a_session_replays_past_a_refusal_for_now():
    """What is confirmed in a campaign obeys Retry-After as the program beside a finding does."""

    class Busy(Slow):
        def send(self, call):
            if self.waited:
                return super().send(call)
            return Response(status=429, headers=Headers((("Retry-After", "2"),)), body=b"")

    script, server = parametrise([poll(1, "InProgress")], GENERO, HERE), Busy()
    (done,) = replay_script(script, script.names(THERE.prefix, THERE.base), Session(GENERO, server))
    assert (done.exchange.response.status, round(server.waited)) == (200, 2)
    refused = replace(poll(1, ""), response=Busy().send(None))
    script = parametrise([refused], GENERO, HERE)
    (done,) = replay_script(script, script.names(THERE.prefix, THERE.base), Session(GENERO, Busy()))
    assert done.exchange.response.status == 429

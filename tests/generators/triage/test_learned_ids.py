"""Ids in the evidence of a finding: those that earlier replies told are learned, so that a wrong one is recognized."""

from datetime import UTC, datetime

from contracts.messages import Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.triage.parametrise import Parametriser, id_captures
from generators.triage.response_signature import matches, signature_of
from generators.triage.script import ReplayResult, captured_value

CONTRACT = load_bundled("onkey")
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {"prefix": "b00000"}
FIRST, SECOND = "2405948789000001", "2405948789000002"


def results(index, data, path="/rows"):
    reply = Response(status=200, headers=Headers(), body=b"", data=data)
    call = Request(method="GET", path=path)
    exchange = Exchange(n=index + 1, at=AT, api="onkey", operation=None, request=call, response=reply)
    return ReplayResult(index=index, exchange=exchange, names=NAMES)


def test_an_id_that_stands_in_the_wrong_place_is_told_by_its_blank():
    """Evidence that shows another record's id is not like a reply that shows the right one."""
    script = [
        results(0, {"id": FIRST}),
        results(1, {"id": SECOND}),
        results(2, {"of": FIRST, "at": "2026-01-01T00:00"}),
    ]
    lessons = id_captures(script, {2}, CONTRACT)
    assert {n: len(some) for n, some in lessons.items()} == {0: 1}
    wrong, right = script[2].exchange.response, results(2, {"of": SECOND, "at": "2026-01-01T00:00"}).exchange.response
    (capture,) = lessons[0]
    known = NAMES | {capture.name: captured_value(capture, script[0].exchange.response, NAMES)}
    signature = signature_of(2, wrong, known)
    assert signature.values == {"/of": f"{{{{{capture.name}}}}}"}
    assert matches(signature, wrong, known)
    assert not matches(signature, right, known)
    assert matches(signature_of(2, wrong, NAMES), right, NAMES), "without the lesson nobody could tell"


def test_what_a_call_said_itself_is_not_learned():
    """An id in the address of a call is known anyway, and so is one that only the evidence has."""
    script = [results(0, {"id": FIRST}, path=f"/rows/{FIRST}"), results(1, {"id": FIRST, "other": SECOND})]
    assert id_captures(script, {1}, CONTRACT) == {}


def test_an_id_that_equals_a_number_of_another_kind_is_learned():
    """That a price of 6 was sent does not keep the record that a server calls 6 from being told by its id."""
    parametriser = Parametriser(prefix="b00000", base=10**15, ids=frozenset(("id",)), paths={"read": "/rows/{id}"})

    def step(n, method, path, body=b"", data=None):
        request = Request(method=method, path=path, body=body)
        reply = Response(status=200, headers=Headers(), body=b"", data=data)
        operation = "read" if method == "GET" else "create"
        exchange = Exchange(n=n + 1, at=AT, api="rows", operation=operation, request=request, response=reply)
        return parametriser.request_step(n, exchange)

    step(0, "POST", "/rows", b'{"price": 6}', {"id": 5})
    step(1, "POST", "/rows", b'{"price": 7}', {"id": 6})
    read = step(2, "GET", "/rows/6", data={"id": 6})
    (capture,) = parametriser.used[1]
    assert capture.path == ("id",)
    assert read.path[-1] == f"{{{{{capture.name}}}}}"
    own = step(3, "POST", "/rows", b'{"id": 8}', {"id": 8})
    assert own.data == {"id": 8}
    assert step(4, "GET", "/rows/8").path[-1] == "8", "a key that the client chose is not learned"

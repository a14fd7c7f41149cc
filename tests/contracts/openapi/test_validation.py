"""Calls and replies are held to their operation: parameters, content types, statuses, headers, bodies."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from contracts import ABSENT, Headers, Request, Response, load, validate_request, validate_response
from contracts.openapi.validation import validate_items

PETS = load(Path(__file__).parents[1] / "data" / "pets30.yaml")
ROOMS = load(Path(__file__).parents[1] / "data" / "rooms31.yaml")


def call(data=ABSENT, *, query=(), media="application/json", body=None):
    """Return a call with a JSON body."""
    text = body if body is not None else b"" if data is ABSENT else orjson.dumps(data)
    headers = Headers([("Content-Type", media)] if media else [])
    return Request(method="POST", path="/", query=tuple(query), headers=headers, body=text)


def told(report):
    """Return where each violation is, its pointer and its rule."""
    return [(one.where, one.pointer, one.rule) for one in report]


def test_a_sound_call_gives_its_typed_parameters():
    """A call that fits has an empty report with typed parameters and defaults."""
    report = validate_request(PETS.operation("listPets"), call(query=[("tag", "a"), ("tag", "b")]), {})
    assert not report
    assert report.values == {("query", "limit"): 10, ("query", "tag"): ["a", "b"]}


@pytest.mark.parametrize(
    ("given", "data", "expected"),
    [
        (call(), ABSENT, [("body", "", "required")]),
        (call({"name": "Rex"}, media="text/plain"), {"name": "Rex"}, [("content-type", "", "contentType")]),
        (call({"name": "Rex"}, media=""), {"name": "Rex"}, [("content-type", "", "contentType")]),
        (call({"name": ""}), {"name": ""}, [("body", "/name", "minLength")]),
        (call({"name": "Rex"}, media="Application/JSON; charset=utf-8"), {"name": "Rex"}, []),
        (call(body=b"?"), ABSENT, []),
    ],
)
def test_bodies_of_calls(given, data, expected):
    """A missing body, a wrong content type and a wrong body are told apart; an unread body is not judged."""
    assert told(validate_request(PETS.operation("createPet"), given, {}, data=data)) == expected


def test_all_parts_of_a_call_are_judged():
    """Faults of parameters and of the body come in one report, all on the call's side."""
    report = validate_request(
        PETS.operation("bulkPets"), call([{"name": ""}, {"name": ""}, {}]), {}, data=[{"name": ""}, {"name": ""}, {}]
    )
    assert told(report) == [("body", "/0/name", "minLength"), ("body", "/2", "required")]
    assert (report.total, report.bad_items) == (3, 3)
    assert {one.side for one in report} == {"call"}
    page = validate_request(PETS.operation("listPets"), call(query=[("limit", "0"), ("tag", "x")]), {})
    assert told(page) == [("query:limit", "", "exclusiveMinimum")]


def reply(status, data=ABSENT, **fields):
    """Return a JSON reply with more header fields."""
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Response.of(status, data, headers=Headers(pairs))


@pytest.mark.parametrize(
    ("operation", "answer", "expected"),
    [
        ("listPets", reply(200, [{"name": "Rex"}], X_Total_Count="1"), []),
        ("listPets", reply(207, [], X_Total_Count="0"), []),
        ("listPets", reply(200, []), [("header:X-Total-Count", "", "required")]),
        ("listPets", reply(200, [], x_total_count="many"), [("header:X-Total-Count", "", "type")]),
        ("listPets", reply(200, [{}], X_Total_Count="1"), [("body", "/0", "required")]),
        ("listPets", reply(200, X_Total_Count="1"), [("body", "", "required")]),
        ("listPets", reply(404, {}), [("content-type", "", "contentType")]),
        (
            "listPets",
            Response(
                status=404, headers=Headers([("Content-Type", "application/problem+json")]), body=b"{", data=ABSENT
            ),
            [("body", "", "json")],
        ),
        ("createPet", reply(200, {}), [("status", "", "status")]),
        ("createPet", reply(201), []),
        ("readPet", reply(200, {"any": 1}), []),
    ],
)
def test_replies(operation, answer, expected):
    """A reply is held to its status, its headers, its content type and its body."""
    report = validate_response(PETS.operation(operation), answer)
    assert told(report) == expected
    assert {one.side for one in report} <= {"reply"}


def test_an_undeclared_status_names_those_declared():
    """The violation says what was expected instead."""
    (one,) = validate_response(PETS.operation("createPet"), reply(418))
    assert (one.expected, one.got, one.detail) == ("201", "418", "Status 418 is not declared.")


def test_a_response_that_is_declared_as_empty_has_no_body():
    """An empty `content` says that there is none; a response without `content` may have any body.

    In a plain document it says nothing: converters write it everywhere.
    """
    operation = PETS.operation("createPet")
    declared = next(iter(operation.responses.values()))
    for is_empty, act, expected in (
        (True, replace(operation.record, inferred=False), [("body", "", "empty")]),
        (True, operation.record, []),
        (False, replace(operation.record, inferred=False), []),
    ):
        reply = replace(declared, status="204", headers=(), content=(), is_empty=is_empty)
        own = replace(operation, responses={"204": reply}, record=act)
        answer = Response(status=204, headers=Headers([]), body=b"{}")
        assert told(validate_response(own, answer)) == expected


def test_bodies_without_need():
    """A 204 needs no body although its class declares one."""
    assert not validate_response(PETS.operation("listPets"), reply(204, X_Total_Count="0"))


def test_items_can_be_judged_alone():
    """Items taken out of a body are judged one by one, with pointers into that body."""
    room = ROOMS.schemas.schema("contract:/rooms31/parts/schemas.json#/$defs/Room")
    report = validate_items(room, [{"code": "A"}, {"code": "a"}, {}, {"code": "b"}, 4], at="/data")
    assert [(one.pointer, one.rule, one.items) for one in report] == [
        ("/data/1/code", "pattern", 2),
        ("/data/4", "type", 1),
    ]
    assert (report.total, report.bad_items) == (3, 3)
    assert not validate_items(room, [{}, {"code": "A"}])

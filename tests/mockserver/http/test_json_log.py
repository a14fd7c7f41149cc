"""Structured logs: one JSON object for each request, with an id, and without secrets."""

import json
import logging
import re
import socket
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from children import HANGS

from contracts.messages import Headers, Response
from mockserver.apis.sources import find_sources
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.http.json_log import JsonLog, logging_to
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options, Service

THINGS = Path(__file__).parent / "data" / "things.yaml"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "hunter2secret"


@pytest.fixture(scope="module")
def apis():
    return [source.load() for source in find_sources((str(THINGS),))]


@pytest.fixture(scope="module")
def logged(apis):
    """Yield what a running server logs, its port, and that of one that does not."""
    lines = []
    with (
        in_thread(apis, Options(control_token=SECRET)) as plain,
        in_thread(apis, Options(control_token=SECRET), log=JsonLog(lines.append)) as running,
    ):
        yield lines, running.port, plain.port


def send(port, method, target, body=None, **fields):
    connection = HTTPConnection("127.0.0.1", port, timeout=HANGS)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, target, body, {"Content-Type": "application/json", **headers})
    reply = connection.getresponse()
    connection.close()
    return reply.status, [one for one in reply.getheaders() if one[0] != "Date"]


def told(logged, *call, **fields):
    """Return the one event that a call writes."""
    lines, port, _ = logged
    lines.clear()
    send(port, *call, **fields)
    (line,) = lines
    assert "\n" not in line
    return json.loads(line)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/things/boxes/a?x=1", ("default", "things", "/things/boxes/a", 404)),
        ("GET", "/@mine/things/boxes/a", ("mine", "things", "/@mine/things/boxes/a", 404)),
        ("PUT", "/things/nowhere", ("default", "things", "/things/nowhere", 404)),
        ("GET", "/things/a%20b%0A", ("default", "things", "/things/a%20b%0A", 404)),
        ("GET", "/elsewhere?q", (None, None, "/elsewhere", 404)),
        ("GET", "/@bad!name/things/boxes/a", (None, None, "/@bad!name/things/boxes/a", 400)),
        ("GET", "/_sandbox/health", (None, "_sandbox", "/_sandbox/health", 200)),
        ("GET", "/_sandbox/sandboxes", (None, "_sandbox", "/_sandbox/sandboxes", 401)),
    ],
)
def test_each_request_is_one_event(logged, method, target, expected):
    """It says when, where, what was asked and what was answered, and how long that took."""
    event = told(logged, method, target)
    assert (event["sandbox"], event["api"], event["path"], event["status"]) == expected
    assert (event["level"], event["event"], event["method"]) == ("info", "request", method)
    assert RFC_3339.fullmatch(event["time"])
    assert event["durationMs"] >= 0
    assert " ".join(event) == "time level event sandbox api method path status durationMs requestId"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"X_Request_ID": "a-1.b:c/d=="}, "a-1.b:c/d=="),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X_Request_ID": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "mine"),
        ({"X_Request_ID": "two words", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X_Request_ID": "x" * 129}, None),
        ({"X_Request_ID": '{"a":1}'}, None),
        ({"X_Request_ID": "é"}, None),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
        ({"traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}, None),
        ({}, None),
    ],
)
def test_a_request_has_an_id(logged, fields, expected):
    """A client's where it is well-formed; else one of the server's own, which is never used again."""
    ids = [told(logged, "GET", "/things/boxes/a", **fields)["requestId"] for _ in range(2)]
    if expected is None:
        assert ids[0] != ids[1]
        assert all(re.fullmatch(r"[0-9a-f]{8}-\d+", one) for one in ids)
    else:
        assert ids == [expected, expected]


def test_nothing_secret_is_written(logged):
    """Neither a query, nor a header field, nor a body, in whatever way the request fails."""
    lines, port, _ = logged
    lines.clear()
    body = json.dumps({"id": "a", "name": SECRET, "password": SECRET})
    for target in (
        "/things/boxes/a",
        "/_sandbox/sandboxes",
        "/nowhere",
        "/@!/x",
        f"http://u:{SECRET}@h/things/boxes/a",
    ):
        send(port, "PUT", f"{target}?access_token={SECRET}&key={SECRET}", body, Authorization=f"Bearer {SECRET}")
        send(port, "GET", f"{target}?{SECRET}#{SECRET}", Cookie=SECRET, X_Request_ID=f"{SECRET} {SECRET}")
    with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as connection:
        connection.sendall(f"GET /{SECRET} HTTP/1.1\r\nHost: x\r\n{SECRET} {SECRET}\r\n\r\n".encode())
        assert b" 400 Bad Request\r\n" in connection.recv(65536)
    assert len(lines) == 11
    assert json.loads(lines[-1])["event"] == "unreadable-request"
    assert SECRET not in "".join(lines)


def test_a_log_changes_no_response(logged):
    """Status, fields and their order are the same with it and without."""
    _, port, plain = logged
    for call in (("GET", "/things/boxes/a"), ("PUT", "/things/boxes/z", '{"id": "z"}'), ("GET", "/nowhere")):
        assert send(port, *call, X_Request_ID="one") == send(plain, *call, X_Request_ID="one")


def test_a_late_response_is_written_once_it_is_known(apis):
    """What a scenario delays is written when its request is complete."""
    lines = []
    log, service = JsonLog(lines.append), Service(apis, Options(), datetime.now(UTC))
    place = service.find("/things/boxes/a", Headers(), datetime.now(UTC))

    late = DeferredResponse(continuation=lambda _: Response.of(201, {}))
    played = log.follow(place, "GET", Headers(), 0.0, late)
    assert lines == []
    assert played.complete(datetime.now(UTC)).status == 201
    assert [json.loads(line)["status"] for line in lines] == [201]


def test_what_python_logs_becomes_events():
    """Warnings and errors of any library, an exception with its traceback, until the block ends."""
    lines = []
    with logging_to(JsonLog(lines.append)):
        logging.getLogger("bulkproof").info("unsaid")
        logging.getLogger("bulkproof").warning("Cut off %d", 3)
        logging.getLogger("any").error("It failed", exc_info=ValueError("odd"))
    logging.getLogger("bulkproof").warning("afterwards")
    first, second = map(json.loads, lines)
    assert (first["level"], first["event"], first["logger"], first["message"]) == (
        "warning",
        "log",
        "bulkproof",
        "Cut off 3",
    )
    assert (second["level"], second["message"]) == ("error", "It failed")
    assert second["exception"].endswith("ValueError: odd\n")

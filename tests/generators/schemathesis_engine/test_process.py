"""Schemathesis runs in a process of its own, which never outlives the one that wanted it."""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread

import orjson
import pytest
from children import child, eventually

from contracts import load
from generators.schemathesis_engine.coverage import SchemathesisCoverage
from generators.schemathesis_engine.process import SchemathesisTask, run_task, settings

NOBODY = "http://127.0.0.1:1"
PATHS = {"/things": {"get": {"responses": {"200": {"description": "All things."}}}}}
TASK = SchemathesisTask(
    document={"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": PATHS}, base=NOBODY
)
WAITING = f"""
import sys
from generators.schemathesis_engine.process import SchemathesisProcess, SchemathesisTask
process = SchemathesisProcess()
lines = process.lines(SchemathesisTask(document={TASK.document!r}, base={NOBODY!r}), lambda: True)
print(process.pid, flush=True)
list(lines if sys.argv[1:] else ())  # which sends the task, and waits for nothing
sys.stdin.read()
"""


def is_alive(pid):
    """Say whether a process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - no path of ours
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_it_ends_when_its_time_is_over():
    """Whoever reads what it tells gets the hand back as soon as it is over, whether it has told anything or not."""
    asked = count()
    assert list(run_task(TASK, lambda: next(asked) > 0)) == []
    assert next(asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize("task", [(), ("sent",)], ids=["it waits for a task", "it has one"])
def test_it_ends_with_the_process_that_wanted_it(task):
    """A campaign that is killed leaves nothing behind."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-c", WAITING, *task]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as campaign:
        inner = int(campaign.stdout.readline())
        os.kill(campaign.pid, signal.SIGKILL)
        assert eventually(lambda: not is_alive(inner))


def test_one_that_ends_by_itself_is_told_with_its_last_words(tmp_path, monkeypatch):
    """Whoever waited for more learns with what code it ended, and why."""
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\necho first >&2\necho MemoryError: last >&2\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    (line,) = run_task(TASK)
    assert line["kind"] == "trouble"
    assert line["says"] == "its process exited with code 3: MemoryError: last"


@pytest.mark.parametrize(
    ("rate", "written"), [(100, "100/s"), (1.5, "1/s"), (0.5, "30/m"), (0.01, "36/h"), (0.0001, "8/d"), (1e-9, "1/d")]
)
def test_a_rate_is_written_in_whole_requests(rate, written):
    """The engine knows rates as numbers by second, minute, hour and day."""
    task = orjson.loads(SchemathesisTask(document={}, base="http://127.0.0.1", rate=rate).to_json())
    assert settings(task)["rate-limit"] == written
    assert "rate-limit" not in settings({**task, "rate": 0})


THING = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "id": {"type": "integer"}}}
ONE = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
SIZE = {"name": "per_page", "in": "query", "schema": {"type": "integer", "maximum": 10}}


def _answer(status, schema):
    return {status: {"description": "", "content": {"application/json": {"schema": schema}}}}


def _body(schema):
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _shop(shown):
    """Return a document of things; a deletion shows what `shown` says."""
    many, refused = {"type": "array", "items": THING}, {"400": {"description": ""}, "404": {"description": ""}}
    create = {"requestBody": _body(THING), "responses": {**_answer("201", THING), **refused}}
    batch = {"requestBody": _body({**many, "minItems": 1}), "responses": {**_answer("207", many), **refused}}
    delete = {"parameters": ONE, "responses": {**(_answer("200", THING) if shown else {"204": {"description": ""}})}}
    read = {"parameters": ONE, "responses": {**_answer("200", THING), **refused}}
    text = {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/things": {"get": {"parameters": [SIZE], "responses": _answer("200", many)}, "post": create},
            "/things/batch": {"post": batch},
            "/rows": {"post": {"requestBody": text, "responses": {**_answer("201", THING), **refused}}},
            "/things/{id}": {"get": read, "delete": {**delete, "responses": {**delete["responses"], **refused}}},
        },
    }


class Shop(BaseHTTPRequestHandler):
    """Reads values of a query as it likes, refuses items in their entries, and keeps what it deletes."""

    protocol_version, origin = "HTTP/1.1", ""

    def _serve(self):
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        thing = {"name": "a", "id": 1}
        is_one = path.startswith("/things/") and path[8:].isdigit()
        status, body = (200, thing) if is_one else (200, [thing]) if self.command == "GET" else (201, thing)
        if path.startswith("/things/") and not is_one:
            status, body = (207, [thing]) if path == "/things/batch" else (404, {})
        elif status == 201 and path != "/rows":
            try:
                is_right = isinstance(orjson.loads(given)["name"], str)
            except (ValueError, TypeError, KeyError):
                is_right = False
            status, body = (201, thing) if is_right else (400, {})
        text = orjson.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.origin:
            self.send_header("Bulkproof-Answer", self.origin)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names of the library

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module", params=[Shop])
def shop(request):
    """Run the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Imagined(Shop):
    """Says that what it answers is made up."""

    origin = "generated"


def _found(tmp_path, base, document, wanted=()):
    """Return the findings by shape, until all that is `wanted` is there."""
    (tmp_path / "shop.json").write_bytes(orjson.dumps(document))
    contract = load(tmp_path / "shop.json")
    run, found = SchemathesisCoverage(contract, contract.operations), {}
    task = run.task(document, base, phases=("coverage", "stateful"), seconds=30 if wanted else 6)
    for one in run.findings(task, lambda: bool(wanted) and found.keys() >= {*wanted}):
        found.setdefault(one.shape, one)
    return found


@pytest.mark.slow
def test_nothing_is_held_against_what_the_document_leaves_open(shop, tmp_path):
    """Values in a query may be read as a server likes, items be refused in entries, and a deletion keep a record.

    Any body is a text.
    """
    found = {shape.partition(" ")[0] for shape in _found(tmp_path, shop, _shop(shown=True))}
    assert found.isdisjoint(("negative_data_rejection", "use_after_free"))


@pytest.mark.slow
def test_what_the_document_says_is_judged_with_all_that_shows_it(shop, tmp_path):
    """Strict parameters are; and a record that is read after its deletion is shown with the deletion."""
    wanted = ("negative_data_rejection 200", "use_after_free 200")
    found = _found(tmp_path, shop, {**_shop(shown=False), "x-strict-parameters": True}, wanted)
    evidence = found["use_after_free 200"].evidence
    assert wanted[0] in found
    assert [exchange.request.method for exchange in evidence][-2:] == ["DELETE", "GET"]


@pytest.mark.slow
@pytest.mark.parametrize("shop", [Imagined], indirect=True)
def test_what_a_sandbox_makes_up_is_no_record_that_was_deleted(shop, tmp_path):
    """It answers so for any key."""
    found = _found(tmp_path, shop, _shop(shown=False))
    assert not [shape for shape in found if shape.startswith("use_after_free")]

"""What a job tells of its failures agrees with them: its mark (`failedIf`), and the number beside their list."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
import yaml

from contracts.bulk.model import OutcomeTest
from contracts.exchange.locations import holds
from contracts.messages import Headers, Request
from contracts.openapi.loading import load
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = "application/json"
PATH_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 100}}
LISTED = {
    "type": "object",
    "required": ["failures", "total"],
    "properties": {"failures": {"type": "array", "items": {"type": "object"}}, "total": {"type": "integer"}},
}
GOOD, BAD = {"code": "a"}, {"code": 7}


def of(schema):
    return {"description": "", "content": {JSON: {"schema": schema}}}


class Jobs:
    """A document whose items all go into jobs, served in this process."""

    def __init__(self, folder, test, mark):
        poll = {"type": "object", "properties": {"id": {"type": "string"}, "state": {"type": "string"}, **mark}}
        states = {"run": "running", "done": "done", "bad": "doneWithErrors"}
        outcomes = {"at": "/failures", "covers": "failed", "key": "/place", "error": "/why"}
        job = {"when": "always", "handle": "/id", "poll": "readJob", "results": ["readFailures"], "outcomes": outcomes}
        bulk = {
            "items": {"at": ""},
            "effect": {"action": "create", "resource": "things", "payload": ""},
            "key": {"by": "index"},
            "unit": {"of": "item"},
            "reply": {"status": {"accepted": 202}},
            "job": {**job, "state": {"at": "/state", "map": states}, "failedIf": test},
        }
        code = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}}
        post = {"operationId": "addThings", "x-bulk": bulk, "responses": {"202": of(poll)}}
        post["requestBody"] = {"content": {JSON: {"schema": {"type": "array", "items": {"type": "object"}}}}}
        job_path, list_path = "/jobs/{id}", "/jobs/{id}/failures"
        raw = {
            "openapi": "3.1.0",
            "info": {"title": "Things", "version": "1"},
            "x-resources": {
                "things": {"key": "id", "assigned": True, "schema": {"$ref": "#/components/schemas/Thing"}}
            },
            "components": {"schemas": {"Thing": code}},
            "paths": {
                "/things": {"post": post},
                job_path: {"get": {"operationId": "readJob", "parameters": [PATH_ID], "responses": {"200": of(poll)}}},
                list_path: {
                    "get": {
                        "operationId": "readFailures",
                        "parameters": [PATH_ID, LIMIT],
                        "responses": {"200": of(LISTED)},
                    }
                },
            },
        }
        (folder / "things.yaml").write_text(yaml.safe_dump(raw))
        self.api = Api(name="things", contract=load(folder / "things.yaml"), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"things": self.api}), NOW)

    def ask(self, method, path, body=None, query=(), at=NOW):
        data = b"" if body is None else orjson.dumps(body)
        request = Request(method=method, path=path, query=query, headers=Headers((("Content-Type", JSON),)), body=data)
        return handle(self.sandbox, self.api, request, at).data

    def ended(self, *items):
        """Return the path of a job with these items, and its poll at the end."""
        path = f"/jobs/{self.ask('POST', '/things', items)['id']}"
        return path, self.ask("GET", path, at=NOW + timedelta(minutes=1))


MARKS = [
    ({"not": None}, {"type": ["string", "null"]}),
    ({"not": None}, {"type": "string"}),
    ({"is": None}, {"type": ["string", "null"]}),
    ({"exists": True}, {"type": "string"}),
    ({"exists": False}, {"type": "string"}),
    ({"is": True}, {"type": "boolean"}),
    ({"not": True}, {"type": "boolean"}),
    ({"is": "some"}, {"enum": ["none", "some"]}),
    ({"not": 0}, {"type": "integer"}),
    ({"not": "2xx"}, {"type": "integer"}),
]


@pytest.mark.parametrize(("test", "mark"), MARKS, ids=str)
def test_an_ended_job_is_marked_exactly_when_an_item_failed(tmp_path, test, mark):
    """Whatever the test is, the poll meets it with failures, and does not meet it without."""
    jobs = Jobs(tmp_path, {"at": "/mark", **test}, {"mark": mark})
    ((word, value),) = test.items()
    told = OutcomeTest(at="/mark", word=word, value=value)
    assert [holds(told, jobs.ended(*items)[1]) for items in ((GOOD,), (GOOD, BAD), (BAD,))] == [False, True, True]


def test_a_running_job_has_no_mark(tmp_path):
    """Before the end nothing is said of failures."""
    jobs = Jobs(tmp_path, {"at": "/mark", "exists": True}, {"mark": {"type": "string"}})
    assert "mark" not in jobs.ask("POST", "/things", [BAD])


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_total_beside_listed_failures_is_theirs(tmp_path, failures):
    """The number of all failures is told on each page, none where there are none."""
    jobs = Jobs(tmp_path, {"at": "/mark", "exists": True}, {"mark": {"type": "string"}})
    path, _ = jobs.ended(GOOD, *[BAD] * failures)
    later = NOW + timedelta(minutes=1)
    listed = jobs.ask("GET", f"{path}/failures", query=(("limit", "1"),), at=later)
    assert (len(listed["failures"]), listed["total"]) == (min(failures, 1), failures)

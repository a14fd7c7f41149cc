"""What a server of ours answers with a failure of its own, or with a crash, has changed nothing that can be seen."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
import yaml

from contracts.messages import Headers, Request
from contracts.openapi.loading import load
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = "application/json"
THING = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
IMPOSSIBLE = {"not": {}}


def answer(schema):
    """Return a declared response with a body of a schema."""
    return {"description": "", "content": {JSON: {"schema": schema}}}


def acts(method, action, fits):
    """Return an operation on one record, whose replies fit its response or cannot."""
    status = "200" if action != "create" else "201"
    body = {"required": True, "content": {JSON: {"schema": THING}}}
    return {
        "operationId": f"{action}{fits}",
        "x-record": {"action": action, "resource": "things"},
        **({} if method == "delete" else {"requestBody": body}),
        "responses": {status: answer({} if fits else IMPOSSIBLE)},
    }


def bulk(fits, **more):
    """Return a bulk operation on things, whose replies fit its response or cannot."""
    statuses = {"allOk": 200, "someFailed": 200, "allFailed": 200}
    return {
        "operationId": f"bulk{fits}{'Job' if more else ''}",
        "requestBody": {"required": True, "content": {JSON: {"schema": {"type": "array", "items": THING}}}},
        "responses": {one: answer({} if fits else IMPOSSIBLE) for one in ("200", "202")},
        "x-bulk": {
            "items": {"at": ""},
            "effect": {"action": "upsert", "resource": "things"},
            "key": {"by": "target"},
            "unit": {"of": "item"},
            "reply": {
                "status": {**statuses, **({"accepted": 202} if more else {})},
                "outcomes": {"at": "", "covers": "all", "key": "/id", "failedIf": {"at": "/ok", "is": False}},
            },
            **more,
        },
    }


JOB = {
    "when": "always",
    "handle": "/job",
    "poll": "poll",
    "results": "here",
    "state": {"at": "/state", "map": {"run": "running", "done": "done", "bad": "doneWithErrors"}},
    "outcomes": {"at": "/results", "covers": "all", "key": "/id", "failedIf": {"at": "/ok", "is": False}},
}


def document():
    """Return a document with each kind of write twice: below `/fit` with replies that fit, below `/unfit` not."""
    paths = {"/jobs/{job}": {"get": {"operationId": "poll", "responses": {"200": answer({}), "404": answer({})}}}}
    name = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    for word, fits in (("/fit", True), ("/unfit", False)):
        paths[f"{word}/things"] = {"post": acts("post", "create", fits)}
        paths[f"{word}/things/{{id}}"] = {
            "parameters": name,
            **{
                one: acts(one, two, fits) for one, two in (("put", "upsert"), ("patch", "update"), ("delete", "delete"))
            },
        }
        paths[f"{word}/bulk"] = {"post": bulk(fits)}
        paths[f"{word}/jobs"] = {"post": bulk(fits, job=JOB)}
    paths["/jobs/{job}"]["parameters"] = [{**name[0], "name": "job"}]
    resources = {"things": {"key": "id"}}
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "x-resources": resources, "paths": paths}


class Served:
    """A sandbox that serves the document in this process, with one thing stored."""

    def __init__(self, folder):
        (folder / "things.yaml").write_text(yaml.safe_dump(document()))
        self.api = Api(name="things", contract=load(folder / "things.yaml"), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"things": self.api}), NOW)
        assert self.ask("PUT", "/fit/things/old", {"id": "old", "n": 1}).status == 200

    def ask(self, method, path, data=None, now=NOW):
        body = b"" if data is None else orjson.dumps(data)
        return handle(
            self.sandbox,
            self.api,
            Request(method=method, path=path, headers=Headers((("Content-Type", JSON),)), body=body),
            now,
        )

    def stored(self):
        state = self.sandbox.api_state(self.api, NOW)
        records = {one.key: one for name in state.store.collections() for one in state.store.scan(name)}
        return records, dict(state.jobs.jobs), dict(state.jobs.unfinished)


NEW = {"id": "new", "n": 2}
WRITES = {
    "create": ("POST", "things", NEW),
    "upsert of a new one": ("PUT", "things/new", NEW),
    "upsert of an old one": ("PUT", "things/old", {"id": "old", "n": 3}),
    "update": ("PATCH", "things/old", {"id": "old", "n": 3}),
    "bulk": ("POST", "bulk", [NEW, {"id": "old", "n": 4}, {"id": "newer"}]),
    "job": ("POST", "jobs", [NEW]),
}


@pytest.mark.parametrize("kind", WRITES)
def test_no_write_is_seen_after_a_reply_that_breaks_the_contract(tmp_path, kind):
    """The reply is 500 and the store is as before; the same call with a reply that fits changes it."""
    method, path, data = WRITES[kind]
    served = Served(tmp_path)
    before = served.stored()
    response = served.ask(method, f"/unfit/{path}", data)
    assert (response.status, "breaks the contract" in response.data["detail"]) == (500, True)
    assert served.stored() == before
    assert served.ask("GET", "/nowhere", now=NOW + timedelta(days=1)).status == 404  # what is due by then runs
    assert served.stored() == before
    assert served.ask(method, f"/fit/{path}", data).status < 300
    assert served.stored() != before


def test_no_write_is_seen_after_a_crash(tmp_path, monkeypatch):
    """A handler that fails after its writes leaves none of them."""
    served = Served(tmp_path)
    before = served.stored()

    def fail(*_given, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr("mockserver.bulk.execution.body_of", fail)
    with pytest.raises(ZeroDivisionError):
        served.ask("POST", "/fit/bulk", [NEW, {"id": "old", "n": 4}])
    assert served.stored() == before

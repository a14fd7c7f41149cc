"""A job has all of the call that made it: whatever a declaration reads, it reads the same at once and in a job."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
LATER = NOW + timedelta(hours=1)
ITEMS = [{"id": "late", "step": 2, "twin": "early"}, {"id": "early", "step": 1}]
PLACES = {"header": "header:X-In-Order", "query": "query:ordered", "path": "path:ordered", "body": "/ordered"}
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def document(when, action="upsert"):
    """Return a document whose bulk calls run grouped when a location says so; items refer to earlier ones."""
    answers = {
        "200": {"description": "done", "content": {JSON: {"schema": {"type": "object"}}}},
        "202": {"description": "a job"},
        "400": {"description": "refused"},
    }
    body = {"required": True, "content": {JSON: {"schema": {"type": "object"}}}}
    words = [{"name": "ordered", "in": where, "schema": {"type": "boolean"}} for where in ("query",)]
    outcomes = {"at": "/results", "covers": "all", "key": "/id", "failedIf": {"at": "/ok", "is": False}}
    job = {
        "when": "header:Prefer=respond-async",
        "handle": "header:Location",
        "poll": "readJob",
        "results": "here",
        "state": {"at": "/state", "map": {"run": "running", "done": "done", "bad": "doneWithErrors"}},
        "outcomes": outcomes,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "x-resources": {"things": {"key": "id", "references": {"twin": "things"}}},
        "paths": {
            "/{ordered}/things": {
                "parameters": [{"name": "ordered", "in": "path", "required": True, "schema": {"type": "string"}}],
                "post": {
                    "operationId": "putThings",
                    "parameters": words,
                    "requestBody": body,
                    "responses": answers,
                    "x-bulk": {
                        "items": {"at": "/things"},
                        "effect": {"action": action, "resource": "things"},
                        "key": {"by": "target"},
                        "unit": {"of": "item"},
                        "order": {"run": "grouped", "when": when, "groupBy": "/step"},
                        "reply": {"status": {"accepted": 202, "allOk": 200}, "outcomes": outcomes},
                        "job": job,
                    },
                },
            },
            "/{ordered}/jobs/{job}.json": {
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("ordered", "job")
                ],
                "get": {"operationId": "readJob", "responses": {"200": answers["200"], "404": {"description": "no"}}},
            },
        },
    }


class Served:
    """One sandbox that serves a document."""

    def __init__(self, tmp_path, raw):
        file = tmp_path / "things.yaml"
        file.write_text(yaml.safe_dump(raw))
        self.api = Api(name="things", contract=load(file), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"things": self.api}), NOW)

    def ask(self, method, path, data=None, *, now=NOW, query=(), **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b"" if data is None else orjson.dumps(data)
        pairs = {"Content-Type": JSON, **named} if body else named
        return handle(
            self.sandbox,
            self.api,
            Request(method=method, path=path, query=query, headers=Headers(pairs.items()), body=body),
            now,
        )


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_location_says_the_same_in_a_job(tmp_path, place, said):
    """What a header, the query, the path, or the body says holds at once and in a job alike."""
    found = []
    for wish in ({}, {"Prefer": "respond-async"}):
        served = Served(tmp_path, document(PLACES[place]))
        word = str(said).lower()
        reply = served.ask(
            "POST",
            f"/{word if place == 'path' else 'x'}/things",
            {"things": ITEMS, **({"ordered": said} if place == "body" else {})},
            query=(("ordered", word),) if place == "query" else (),
            **({"X_In_Order": word} if place == "header" else {}),
            **wish,
        )
        if wish:
            assert reply.status == 202
            path = reply.headers.get("Location").removeprefix("/things")
            reply = served.ask("GET", path, now=LATER)
        assert reply.status == 200
        found.append({one["id"]: one["ok"] for one in reply.data["results"]})
    assert found == [{"late": said, "early": True}] * 2


def test_a_wish_in_a_header_orders_a_job(tmp_path):
    """A location with a word, `header:X=grouped`, is read from the call that made the job."""
    served = Served(tmp_path, document("header:X-Order=grouped"))
    reply = served.ask("POST", "/x/things", {"things": ITEMS}, X_Order="grouped", Prefer="respond-async")
    polled = served.ask("GET", reply.headers.get("Location").removeprefix("/things"), now=LATER)
    assert [one["ok"] for one in polled.data["results"]] == [True, True]


def test_an_action_that_a_header_chooses_is_kept(tmp_path):
    """The action of the items is what the header of the call said, in a job too."""
    action = {"from": "header:X-Do", "map": {"put": "upsert", "drop": "delete"}}
    served = Served(tmp_path, document("query:ordered", action))
    made = served.ask("POST", "/x/things", {"things": [{"id": "a"}]}, X_Do="put")
    assert made.data["results"] == [{"id": "a", "ok": True}]
    reply = served.ask("POST", "/x/things", {"things": [{"id": "a"}]}, X_Do="drop", Prefer="respond-async")
    polled = served.ask("GET", reply.headers.get("Location").removeprefix("/things"), now=LATER)
    assert polled.data["results"] == [{"id": "a", "ok": True}]
    again = served.ask("POST", "/x/things", {"things": [{"id": "a"}]}, now=LATER, X_Do="drop")
    assert again.data["results"][0]["ok"] is False


@pytest.mark.parametrize("kind", ["string", "integer"])
def test_an_accepted_request_has_its_handle_in_a_header_and_the_job_in_its_body(tmp_path, kind):
    """Where 202 has a body, it tells of the job as the poll does, whose id is in the header's URL."""
    raw = yaml.safe_load((Path(__file__).parents[1] / "data" / "rooms.yaml").read_text())
    raw["components"]["schemas"]["Import"]["properties"]["id"] = {"type": kind}
    served = Served(tmp_path, raw)
    for api in (served.api, replace(served.api, plain=True)):
        served.api = api
        room = {"name": "One", "beds": 1}
        accepted = served.ask("POST", "/import", room, Content_Type="application/x-ndjson")
        address = accepted.headers.get("Location")
        polled = served.ask("GET", address.removeprefix("/hotel"), now=LATER)
        assert (accepted.status, polled.status) == (202, 200)
        assert address == f"/hotel/imports/{accepted.data['id']}"
        assert polled.data["id"] == accepted.data["id"]
    assert (accepted.data["lines"], accepted.data["state"]) == (1, "working")

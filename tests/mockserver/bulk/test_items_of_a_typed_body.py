"""Items that break the schema of the request's body fail by themselves where the operation reports outcomes."""

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
LATER = NOW + timedelta(hours=1)
JSON = "application/json"
ORDER = {
    "type": "object",
    "required": ["sku"],
    "properties": {"ref": {"type": "string"}, "sku": {"type": "string"}, "pieces": {"type": "integer"}},
}
GOOD, BAD = {"ref": "a", "sku": "x", "pieces": 1}, {"ref": "b", "pieces": "two"}
STRANGE = [BAD, 5, None, [], [None], {}, "text", {"sku": {}}]


def document(shape="array", unit="item", **x_bulk):
    """Return a document whose bulk operations, at once and as a job, have items of a type."""
    items = {"type": "array", "items": ORDER, "maxItems": 9, "minItems": 1}
    if shape == "map":
        items = {"type": "object", "additionalProperties": ORDER}
    schema = {"type": "object", "required": ["orders"], "properties": {"orders": items, "note": {"type": "string"}}}
    body = {"required": True, "content": {JSON: {"schema": schema}}}
    any_object = {"description": "", "content": {JSON: {"schema": {"type": "object"}}}}
    outcomes = {"at": "/results", "covers": "all", "failedIf": {"at": "/ok", "is": False}, "error": "/why"}
    declared = {
        "items": {"at": "/orders", **({"as": "map"} if shape == "map" else {})},
        "effect": {"action": "create", "like": "createOrder"},
        "key": {"by": "client", "at": "/ref"},
        "unit": {"of": unit},
        "reply": {
            "status": {"allOk": 200, "someFailed": 207, "allFailed": 207, "wholeFailed": 400},
            "outcomes": outcomes,
        },
        **x_bulk,
    }
    job = {
        "when": "always",
        "handle": "/job",
        "poll": "readJob",
        "results": "here",
        "state": {"at": "/state", "map": {"run": "running", "done": "done", "bad": "doneWithErrors"}},
        "outcomes": outcomes,
    }
    answers = dict.fromkeys(("200", "207", "400"), any_object)
    later = {**declared, "reply": {"status": {"accepted": 202}}, "job": job}
    single = {"operationId": "readOrder", "responses": {"200": any_object}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Orders", "version": "1"},
        "paths": {
            "/orders": {
                "get": {"responses": {"200": {"description": "", "content": {JSON: {"schema": {}}}}}},
                "post": {
                    "operationId": "createOrder",
                    "requestBody": {"required": True, "content": {JSON: {"schema": {"type": "object"}}}},
                    "responses": {"201": any_object},
                },
            },
            "/orders/{id}": {"parameters": [{"name": "id", "in": "path", "required": True}], "get": single},
            "/orders/bulk": {"post": {"requestBody": body, "responses": answers, "x-bulk": declared}},
            "/orders/jobs": {"post": {"requestBody": body, "responses": {"202": any_object}, "x-bulk": later}},
            "/jobs/{job}": {
                "parameters": [{"name": "job", "in": "path", "required": True}],
                "get": {"operationId": "readJob", "responses": {"200": any_object}},
            },
        },
    }


class Served:
    def __init__(self, folder, raw):
        (folder / "orders.yaml").write_text(yaml.safe_dump(raw))
        self.api = Api(name="orders", contract=load(folder / "orders.yaml"), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"orders": self.api}), NOW)

    def ask(self, path, data=None, now=NOW, method="POST"):
        headers = Headers([("Content-Type", JSON)])
        body = b"" if data is None else orjson.dumps(data)
        return handle(self.sandbox, self.api, Request(method=method, path=path, headers=headers, body=body), now)

    def stored(self):
        return [one["ref"] for one in self.ask("/orders", method="GET", now=LATER).data]


def test_each_item_that_breaks_the_schema_fails_and_says_why(tmp_path):
    """Whatever it is, it fails alone; the good items are carried out."""
    served = Served(tmp_path, document())
    response = served.ask("/orders/bulk", {"orders": [GOOD, *STRANGE[1:]]})
    told = response.data["results"]
    assert (response.status, [one["ok"] for one in told]) == (207, [True] + [False] * 7)
    assert "'sku'" in told[5]["why"]
    assert all(one["why"] for one in told[1:])
    assert served.stored() == ["a"]


@pytest.mark.parametrize("bad", STRANGE, ids=repr)
def test_a_request_of_bad_items_alone_reports_them_all(tmp_path, bad):
    """All fail with the status that is declared for that, though fewer items would be too few."""
    response = Served(tmp_path, document()).ask("/orders/bulk", {"orders": [bad]})
    assert (response.status, [one["ok"] for one in response.data["results"]]) == (207, [False])


def test_items_of_a_map_and_of_a_job_fail_by_themselves(tmp_path):
    """A job keeps what is wrong with its items until it runs."""
    served = Served(tmp_path, document("map", key={"by": "target", "at": ""}))
    assert served.ask("/orders/bulk", {"orders": {"a": GOOD, "b": BAD}}).status == 207
    served = Served(tmp_path, document())
    job = served.ask("/orders/jobs", {"orders": [GOOD, BAD, 5]}).data["job"]
    told = served.ask(f"/jobs/{job}", method="GET", now=LATER).data
    assert (told["state"], [one["ok"] for one in told["results"]]) == ("bad", [True, False, False])
    assert served.stored() == ["a"]


def test_a_whole_falls_with_one_of_its_items(tmp_path):
    """Where all items stand or fall together nothing is stored."""
    served = Served(tmp_path, document(unit="whole"))
    assert served.ask("/orders/bulk", {"orders": [GOOD, BAD]}).status == 400
    assert served.stored() == []


REFUSED = {
    "declared": ({"guard": {"refuse": {"malformedItem": 400}}}, {"orders": [GOOD, BAD]}),
    "beside": ({}, {"orders": [GOOD, BAD], "note": 7}),
    "too many": ({}, {"orders": [BAD] + [GOOD] * 9}),
    "key": ({}, {"orders": [GOOD, {"ref": 5, "sku": "x"}]}),
    "none": ({}, {"orders": []}),
    "no list": ({}, {"orders": 7}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_wrong_with_the_request_itself_refuses_it(tmp_path, kind):
    """So does an item where `malformedItem` is declared; nothing is stored."""
    x_bulk, body = REFUSED[kind]
    served = Served(tmp_path, document(**x_bulk))
    response = served.ask("/orders/bulk", body)
    assert (response.status, "results" in response.data) == (400, False)
    assert served.stored() == []

"""The reference model, held against an implementation that is another sandbox."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import orjson
import pytest

from contracts.exchange.locations import json_of
from contracts.messages import ABSENT, Exchange, Headers, Request
from contracts.openapi.model import Route
from contracts.openapi.routing import Router
from generators.oracles.reference_model import differences
from mockserver.apis.reference_model import sandbox_model
from mockserver.apis.sources import find_sources
from mockserver.domain.clock_and_ids import FROZEN_EPOCH
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate, default_settings

RES = "/api/tenants/contoso/sandbox/modules/res"
RISK = "/api/tenants/contoso/sandbox/modules/risk"
DELETION = "application/vnd.onkey.entitydeletecollection+json"
COLLECTION = "application/vnd.onkey.entitycollection+json"
ENTITY = "application/vnd.onkey.entity+json"
ROOMS = str(Path(__file__).parents[1] / "data" / "rooms.yaml")


class Implementation:
    """A sandbox that stands for somebody's server: its ids are not the model's."""

    def __init__(self, name):
        self.api = find_sources((name,))[0].load()
        self.router = Router(self.api.contract)
        template = SandboxTemplate(
            apis={name: self.api},
            settings=default_settings([self.api]),
            seed=7,
            mode="frozen",
            allows_preferences=False,
        )
        self.sandbox, self.now, self.n = Sandbox("theirs", template, FROZEN_EPOCH), datetime(2026, 1, 1, tzinfo=UTC), 0

    def ask(self, method, path, body=ABSENT, *, kind="application/json"):
        """Return the exchange of one call."""
        self.n += 1
        bare, _, query = path.partition("?")
        lines = body if kind.endswith("ndjson") else [body]
        content = b"" if body is ABSENT else b"\n".join(map(orjson.dumps, lines))
        headers = Headers((("Content-Type", kind),)) if content else Headers()
        call = Request(method=method, path=bare, query=tuple(parse_qsl(query)), headers=headers, body=content)
        reply = handle(self.sandbox, self.api, call, self.now)
        reply = replace(reply, data=json_of(reply.body))
        route = self.router.match(method, bare)
        name = route.operation.id if isinstance(route, Route) else None
        return Exchange(n=self.n, at=self.now, api=self.api.contract.name, operation=name, request=call, response=reply)


@pytest.fixture
def onkey():
    """Return an implementation of On Key's API."""
    return Implementation("onkey")


@pytest.fixture
def model():
    """Return a model of On Key's API that has seen nothing yet."""
    return sandbox_model("onkey")


def made(server, model, kind, properties):
    """Create a record that the model hears of, and return its id."""
    exchange = server.ask("POST", f"{RES}/{kind}", {"properties": properties}, kind=ENTITY)
    assert model.predict(exchange).status == exchange.response.status == 201
    return int(exchange.response.headers.get("OnKey-Resource-Id"))


def test_references_are_told_by_the_names_of_the_implementation(onkey, model):
    """The implementation's ids are learned from its answers, and what refers to a record is predicted with them."""
    trade = made(onkey, model, "trades", {"code": "T1"})
    resource = made(onkey, model, "resources", {"code": "R1", "defaultResourceTradeId": None})
    pair = made(onkey, model, "resourcetrades", {"resourceId": resource, "tradeId": trade})
    read = onkey.ask("GET", f"{RES}/resourcetrades/{pair}")
    record = model.predict(read).record
    assert (record["tradeId"], record["resourceId"]) == (trade, resource)
    assert record["tradeId"] == read.response.data["properties"]["tradeId"]


def test_a_list_with_the_records_of_others_teaches_nothing(onkey, model):
    """In a list that others write to as well, records do not stand at the same places."""
    foreign = onkey.ask("POST", f"{RES}/trades", {"properties": {"code": "A-FOREIGN"}}, kind=ENTITY)
    assert foreign.response.status == 201
    trade = made(onkey, model, "trades", {"code": "T1"})
    resource = made(onkey, model, "resources", {"code": "R1"})
    listed = onkey.ask("GET", f"{RES}/trades")
    assert foreign.response.headers.get("OnKey-Resource-Id") in str(listed.response.data)
    assert model.predict(listed).status == 200
    pair = made(onkey, model, "resourcetrades", {"resourceId": resource, "tradeId": trade})
    assert model.predict(onkey.ask("GET", f"{RES}/resourcetrades/{pair}")).record["tradeId"] == trade


def test_items_are_predicted_with_what_went_wrong(onkey, model):
    """What becomes of each item of a bulk call, and why it fails, is predicted in the order of the request."""
    items = [{"properties": {"code": "R1"}, "userObjectId": "a"}, {"properties": {"code": None}, "userObjectId": "b"}]
    exchange = onkey.ask("POST", f"{RES}/resources/batch?mode=PerRecord", items, kind=COLLECTION)
    predicted = model.predict(exchange)
    assert predicted.status == exchange.response.status
    assert predicted.results == ("done", "failed")
    assert predicted.errors[1] in str(exchange.response.data)


def test_a_model_gives_up_where_outcomes_are_missing(onkey, model):
    """Which id is whose cannot be told from a list that lacks one, so nothing is learned and nothing more predicted."""
    items = [{"properties": {"code": f"R{n}"}, "userObjectId": str(n)} for n in range(3)]
    exchange = onkey.ask("POST", f"{RES}/resources/batch?mode=PerRecord", items, kind=COLLECTION)
    messages = exchange.response.data["messages"]
    short = replace(exchange, response=replace(exchange.response, data={"messages": messages[1:]}))
    assert model.predict(short).results == ("done", "done", "done")
    assert model.predict(onkey.ask("GET", f"{RES}/resources/{messages[2]['objectId']}")) is None


def test_a_model_that_was_wrong_gives_up(onkey, model):
    """Once an implementation has done something else, nothing more is predicted of it."""
    exchange = onkey.ask("GET", f"{RES}/trades/1543844764239005")
    odd = replace(exchange, response=replace(exchange.response, status=200))
    assert model.predict(odd).status == exchange.response.status == 404
    assert model.predict(exchange) is None


def test_of_two_things_that_are_wrong_either_may_be_told(onkey, model):
    """A refusal of a call with a body is no difference from another refusal, and the model goes on."""
    trade = made(onkey, model, "trades", {"code": "T1"})
    both = onkey.ask("PATCH", f"{RES}/trades/{trade + 1}", {"code": "T2"}, kind=ENTITY)
    assert 400 <= both.response.status < 500
    other = 404 if both.response.status == 400 else 400
    assert not list(differences(model, replace(both, response=replace(both.response, status=other)), None))
    read = onkey.ask("GET", f"{RES}/trades/{trade + 1}")
    assert read.response.status == 404
    assert [
        one.shape for one in differences(model, replace(read, response=replace(read.response, status=400)), None)
    ] == ["400 for 404"]


def test_a_record_that_was_there_from_the_start_may_be_gone(onkey, model):
    """Others may have deleted it before: that is no difference, and the model goes on with what it has seen made."""
    address = f"{RISK}/assetimportances/batch"
    stock = [{"id": 1543843155164002, "version": 1}]
    assert onkey.ask("DELETE", address, stock, kind=DELETION).response.status == 200
    again = onkey.ask("DELETE", address, stock, kind=DELETION)
    assert again.response.status == 400
    assert not list(differences(model, again, None))
    trade = made(onkey, model, "trades", {"code": "T1"})
    assert model.predict(onkey.ask("GET", f"{RES}/trades/{trade}")).record["code"] == "T1"


def test_what_is_taken_where_it_should_be_refused_is_a_difference(onkey, model):
    """A call with a body that is done, and not refused, is told."""
    bad = onkey.ask("POST", f"{RES}/trades", {"properties": {}}, kind=ENTITY)
    done = replace(bad, response=replace(bad.response, status=201))
    assert [one.shape for one in differences(model, done, None)] == [f"201 for {bad.response.status}"]


def test_a_record_that_was_seen_made_was_not_there_from_the_start():
    """Though it was made before anything was read: a refusal to change it is a difference."""
    server, model = Implementation("genero"), sandbox_model("genero")
    address, block = "/api/v1/block/b1", {"blockId": "b1", "name": "One"}
    for one in (server.ask("PUT", address, block), server.ask("GET", address)):
        assert not list(differences(model, one, None))
    again = server.ask("PUT", address, block)
    refused = replace(again, response=replace(again.response, status=400))
    assert [one.shape for one in differences(model, refused, None)] == ["400 for 200"]


def test_nothing_is_predicted_while_a_job_is_under_way():
    """A record that a job may be changing is not predicted; when the job has ended, its effects are."""
    server, model = Implementation("genero"), sandbox_model("genero")
    path = "/api/v1/block/postJob?generoTenantId=publicapitest"
    posted = server.ask("POST", path, [{"blockId": "b1", "name": "One"}])
    assert model.predict(posted).status == posted.response.status == 200
    read = "/api/v1/block/b1?generoTenantId=publicapitest"
    assert model.predict(server.ask("GET", read)) is None
    server.now += timedelta(minutes=5)
    job = posted.response.data["correlationId"] if isinstance(posted.response.data, dict) else posted.response.data
    polled = server.ask("GET", f"/api/v1/block/jobStatus/{job}?generoTenantId=publicapitest")
    assert polled.response.data["batchJobStatus"] == "Completed"
    assert model.predict(polled).results == ("done",)
    assert model.predict(server.ask("GET", read)).record["name"] == "One"


def test_what_may_be_meant_is_unknown_once_results_were_told_too_early_to_learn_from(onkey, model):
    """A client that asks for a job's results alone may use ids in them that the model has not heard of."""
    tree = {"userObjectId": "1", "properties": {"code": "T1"}}
    forest = "/api/tenants/contoso/sandbox/modules/gc/permissiontrees"
    accepted = onkey.ask("POST", f"{forest}/batch?async=true", [tree], kind=COLLECTION)
    model.predict(accepted)
    own = accepted.response.headers.get("OnKey-Request-Id")
    task = f"/api/tenants/contoso/sandbox/modules/system/backgroundtasks/{own}"
    onkey.now += timedelta(minutes=5)
    steps = onkey.ask("GET", f"{task}/steps")
    (message,) = steps.response.data[0]["properties"]["messages"]
    for one in (steps, onkey.ask("GET", task)):
        model.predict(one)
    trade = {"userObjectId": "1", "properties": {"code": "TR", "permissionTreeId": int(message["objectId"])}}
    created = onkey.ask("POST", f"{RES}/trades/batch?mode=PerRecord", [trade], kind=COLLECTION)
    assert created.response.data["messages"][0]["code"] == "Core_Data_RecordCreated"
    assert model.predict(created) is None


def test_a_number_that_is_an_id_is_a_number_elsewhere():
    """Where ids are small numbers, only keys, references and paths name records: a room with one bed stays one."""
    server, model = Implementation(ROOMS), sandbox_model(ROOMS)
    first = server.ask("POST", "/rooms", {"name": "One", "beds": 4})
    key = first.response.data["id"]
    assert key <= 8
    assert not list(differences(model, first, None))
    alike = {"name": str(key), "beds": key, "besideId": key}
    requests = [
        {"id": str(key), "method": "POST", "url": "/rooms", "body": alike},
        {"id": "b", "after": [str(key)], "method": "PUT", "url": f"rooms/{key}", "body": {**alike, "name": "/1"}},
        {"id": "c", "method": "GET", "url": f"/hotel/rooms/{key}"},
    ]
    calls = [
        server.ask("POST", "/rooms", alike),
        server.ask("GET", f"/rooms/{key + 1}"),
        server.ask("POST", "/batch", {"requests": requests}),
        server.ask("GET", f"/rooms/{key}"),
        server.ask("POST", "/rooms", {**alike, "beds": 9}),
    ]
    assert [one.response.status for one in calls] == [201, 200, 200, 200, 422]
    assert [one["status"] for one in calls[2].response.data["replies"]] == [201, 200, 200]
    assert [one for call in calls for one in differences(model, call, None)] == []
    assert not model.gave_up


def test_ids_are_learned_from_results_that_are_lines():
    """The lines of a job's results are told one by one: what they say was made is known from then on."""
    server, model = Implementation(ROOMS), sandbox_model(ROOMS)
    server.ask("POST", "/rooms", {"name": "Theirs", "beds": 1})
    lines = [{"name": "One", "beds": 1}, {"name": "Two", "beds": 2}]
    accepted = server.ask("POST", "/import", lines, kind="application/x-ndjson")
    address = accepted.response.headers.get("Location").removeprefix("/hotel")
    assert accepted.response.data["id"] == address.rpartition("/")[2]
    server.now += timedelta(minutes=5)
    calls = [accepted, server.ask("GET", address), server.ask("GET", f"{address}/results")]
    second = json_of(calls[2].response.body.splitlines()[1])["room"]
    calls.append(server.ask("GET", f"/rooms/{second}"))
    assert [one.response.status for one in calls] == [202, 200, 200, 200]
    assert [one for call in calls for one in differences(model, call, None)] == []
    assert model.predict(calls[3]).record["name"] == "Two"

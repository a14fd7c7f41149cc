"""Reading bulk calls and answers of real APIs, as their declarations say."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml

from contracts.bulk.declarations import read_bulk
from contracts.bulk.model import Outcomes
from contracts.exchange.bulk_exchange import bulk_exchanges, read_outcomes
from contracts.exchange.bulk_request import read_bulk_request
from contracts.exchange.locations import find, find_all, holds, json_of, parse_request
from contracts.exchange.outcomes import entries_of
from contracts.messages import ABSENT, Exchange, ExchangeHistory, Headers, Request, Response
from contracts.openapi.loading import load
from contracts.openapi.model import Contract, Operation
from contracts.schemas.schema_set import SchemaSet
from generators.check.laws.catalogue import LAWS

APIS = yaml.load((Path(__file__).parents[1] / "data" / "apis.yaml").read_text(), yaml.CSafeLoader)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def contract_of(name, **extra):
    bulk = read_bulk(APIS[name]["x-bulk"])
    poll = bulk.job.poll if bulk.job is not None else "poll"
    operations = (
        Operation(id="bulk", method="POST", path="/bulk", pointer="", bulk=bulk),
        Operation(id=poll, method="GET", path="/jobs/{job}", pointer=""),
    )
    return Contract(
        name="api",
        title="",
        version="",
        mount="",
        operations=operations,
        resources={},
        schemas=SchemaSet({}),
        document={},
        **extra,
    )


def call_of(body, query=(), headers=()):
    return Request(method="POST", path="/bulk", query=tuple(query), headers=Headers(headers), body=orjson.dumps(body))


def read(name, body, **sent):
    contract = contract_of(name)
    return read_bulk_request(contract, parse_request(contract.operations[0], call_of(body, **sent), {}))


def view_of(name, body, status, answer, *, polls=(), headers=()):
    contract = contract_of(name)
    calls = [(call_of(body), Response(status=status, headers=Headers(headers), data=answer), "bulk")]
    asked = contract.operations[1].id
    calls += [(Request(method="GET", path="/jobs/7"), Response(status=200, data=poll), asked) for poll in polls]
    exchanges = tuple(
        Exchange(n=n, at=NOW, api="api", operation=operation, request=call, response=reply)
        for n, (call, reply, operation) in enumerate(calls, 1)
    )
    history = ExchangeHistory(exchanges=exchanges)
    return next(iter(bulk_exchanges(history, contract))), [
        one.law for law in LAWS for one in law.judge(history, contract)
    ]


def results(view):
    return [one.result for telling in view.reports for one in telling.outcomes]


SCIM = {
    "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {}},
        {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"members": [{"value": "bulkId:a"}]}},
        {"method": "DELETE", "path": "/Users/1"},
    ]
}


def test_items_say_what_they_want():
    """Actions are translated, keys found, and what an item lacks is ABSENT."""
    call = read("scim.bulk", SCIM)
    assert [item.action for item in call.items] == ["create", "create", "delete"]
    assert [item.key for item in call.items] == ["a", "b", ABSENT]
    assert call.unit == "item"


def test_an_item_that_is_a_request_is_for_the_record_that_its_operation_names():
    """Method and URL name an operation of the contract, in any of the ways in which a URL is written; else nothing."""
    contract = load(Path(__file__).parents[2] / "cases" / "contract_only" / "people.yaml")
    paths = ["/Users/1", "Groups/2", "/scim/v2/Users/3", "https://example.com/scim/v2/Users/4?x=1", "/Nothing/5"]
    items = [{"method": "DELETE", "path": path, "data": {"a": 1}} for path in paths]
    request = Request(method="POST", path="/Bulk", body=orjson.dumps({"Operations": items}))
    found = read_bulk_request(contract, parse_request(contract.operation("bulk"), request, {}))
    named = [("Users", "1"), (None, ABSENT), ("Users", "3"), ("Users", "4"), (None, ABSENT)]
    assert [(one.resource, one.target) for one in found.items] == named
    assert {one.action for one in found.items} == {"delete"}


@pytest.mark.parametrize(
    ("query", "unit"), [((), "whole"), ((("mode", "PERRECORD"),), "item"), ((("mode", "x"),), None)]
)
def test_the_unit_is_the_callers_choice(query, unit):
    """Left unsaid it is the default; case counts for nothing where that is declared; an unknown word is None."""
    assert read("onkey.batchCreate", [{"userObjectId": "1", "properties": {}}], query=query).unit == unit


def test_a_job_is_wished_for_by_a_header():
    """One preference among several is enough."""
    items = [{"userObjectId": "1", "properties": {}}]
    assert read("onkey.batchCreate", items, headers=[("Prefer", "wait=5, Respond-Async")]).as_job
    assert not read("onkey.batchCreate", items).as_job


def test_items_may_stand_in_other_places_and_shapes():
    """A second place, a map by key, and a list of lists are all read."""
    assert [one.raw for one in read("genero.postJob", {"data": [{"blockId": "1"}]}).items] == [{"blockId": "1"}]
    square = read("square.bulkCreateCustomers", {"customers": {"x": {"n": 1}, "y": {"n": 2}}})
    assert [(one.key, one.raw) for one in square.items] == [("x", {"n": 1}), ("y", {"n": 2})]
    batches = {"batches": [{"objects": [{"id": "#a"}]}, {"objects": [{"id": "#b"}, {"id": "#c"}]}]}
    assert [(one.key, one.group) for one in read("square.batchUpsertCatalog", batches).items] == [
        ("#a", 0),
        ("#b", 1),
        ("#c", 1),
    ]


def test_targets_of_a_fan_out_count_once():
    """A target that is named twice is one target."""
    body = {"generoTenantIds": ["a", "b", "a"], "data": [{"blockId": "1"}]}
    assert read("genero.postMultiTenantJob", body).targets == ("a", "b")


def test_a_body_without_items_is_no_bulk_call():
    """What cannot be taken apart is not judged."""
    assert read("scim.bulk", {"Operations": "many"}) is None


def test_outcomes_of_all_items():
    """Each entry is tied to its item by its key; of an item without one nothing is known, and nothing claimed."""
    answer = {"Operations": [{"bulkId": "a", "status": "201"}, {"bulkId": "b", "status": "400"}, {"status": "204"}]}
    view, broken = view_of("scim.bulk", SCIM, 200, answer)
    assert (results(view)[:2], broken) == (["done", "failed"], [])


def test_an_item_whose_reference_failed_is_not_run():
    """The declared word for it makes an entry of a waiting item one that was not run."""
    answer = {"Operations": [{"bulkId": "a", "status": "400"}, {"bulkId": "b", "status": "409"}, {"status": "204"}]}
    assert results(view_of("scim.bulk", SCIM, 200, answer)[0])[:2] == ["failed", "not-run"]


def test_a_map_names_by_its_place_what_has_no_key():
    """An item without a key is told under its place in the request; a place of one that has a key is no name of it."""
    body = [{"blockId": "1"}, {}, {"blockId": None}]
    named = {"1": "bad", "2": "worse"}
    view, broken = view_of("genero.postJob", body, 202, {"name": "7"}, polls=[{"x": 1}])
    del broken
    told = entries_of(view.bulk, view.bulk.job.outcomes, {"jobItemErrors": named}, view.request.items)
    assert [one.items for one in told] == [(0,), (2,)]
    other = entries_of(
        view.bulk, view.bulk.job.outcomes, {"jobItemErrors": {"0": "bad", "3": "worse"}}, view.request.items
    )
    assert [one.items for one in other] == [(), ()]


def test_outcomes_split_into_successes_and_failures():
    """What stands with the failures failed, wherever it says so."""
    body = {"Entries": [{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "y"}]}
    answer = {"Successful": [{"Id": "b", "MessageId": "9"}], "Failed": [{"Id": "a", "Code": "Bad"}]}
    view, broken = view_of("sqs.sendBatch", body, 200, answer)
    assert (results(view), broken) == (["failed", "done"], [])
    assert view.reports[0].outcomes[1].id == "9"


def test_a_split_answer_that_leaves_an_item_out_breaks_count():
    """Every item is either with the successes or with the failures."""
    body = {"Entries": [{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "y"}]}
    assert view_of("sqs.sendBatch", body, 200, {"Successful": [{"Id": "b"}], "Failed": []})[1] == ["count"]


def test_marked_items_of_a_failed_whole_were_not_run():
    """Innocent members of a failed unit bear the declared mark, and are no failures."""
    body = {
        "compositeRequest": [{"method": "POST", "referenceId": "r1"}, {"method": "POST", "referenceId": "r2"}],
        "allOrNone": True,
    }
    entries = [
        {"referenceId": "r1", "httpStatusCode": 400},
        {"referenceId": "r2", "httpStatusCode": "PROCESSING_HALTED"},
    ]
    view, _ = view_of("salesforce.composite", body, 200, {"compositeResponse": entries})
    assert results(view) == ["failed", "not-run"]


def test_errors_as_a_map_by_index():
    """Only failures are told, by the places of their items; the others are done."""
    body = {"requests": [{"book": {}}, {"book": {}}], "return_partial_success": True}
    poll = {"done": True, "metadata": {"failed_requests": {"1": {"code": 3}}}}
    view, broken = view_of("aip.batchCreate.lro", body, 200, {"name": "7"}, polls=[{"done": False}, poll])
    assert (view.kind, results(view), broken) == ("accepted", ["done", "failed"], [])


def test_failures_by_pointer_into_the_request():
    """A JSON Pointer to an item is its key."""
    body = {"atomic:operations": [{"op": "add", "data": {}}, {"op": "add", "data": {}}]}
    answer = {"errors": [{"source": {"pointer": "/atomic:operations/1/data"}}]}
    view, broken = view_of("jsonapi.atomic", body, 400, answer)
    assert (view.kind, results(view), broken) == ("answered", ["not-run", "failed"], [])


def test_a_refusal_is_no_answer():
    """A whole failure that speaks of no item of the request is a refusal, and not judged by what it lacks."""
    items = [{"userObjectId": "1", "properties": {}}]
    view, broken = view_of("onkey.batchCreate", items, 400, {"messages": [{"severity": "error", "code": "X"}]})
    assert (view.kind, broken) == ("refused", [])


def test_a_job_that_goes_backwards_breaks_job_moves():
    """A final state is the last one."""
    polls = [{"done": True, "metadata": {}}, {"done": False}]
    assert view_of("aip.batchCreate.lro", {"requests": [{}]}, 200, {"name": "7"}, polls=polls)[1] == ["job-moves"]


@pytest.mark.parametrize("shape", ["array", "map", "lines", "rows"])
@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-ndjson", b'{"line": "1"}\n'),
        ("application/jsonl; charset=utf-8", b'\n{"line": "1"}'),
        ("text/csv", b"line\r\n1\r\n"),
    ],
)
def test_results_are_read_as_their_media_type_says(shape, media_type, body):
    """Whatever is declared: one line alone looks like a JSON value."""
    reply = Response(status=200, headers=Headers([("Content-Type", media_type)]), body=body, data=json_of(body))
    assert read_outcomes(Outcomes(at="", shape=shape), reply) == [{"line": "1"}]


@pytest.mark.parametrize(
    ("shape", "body"), [("lines", b'{"line": "1"}'), ("rows", b"line\n1"), ("array", b'[{"line": "1"}]')]
)
def test_results_of_another_media_type_are_read_as_declared(shape, body):
    """Plain text, say."""
    reply = Response(status=200, headers=Headers([("Content-Type", "text/plain")]), body=body, data=json_of(body))
    assert read_outcomes(Outcomes(at="", shape=shape), reply) == [{"line": "1"}]


def test_a_handle_may_be_an_address():
    """The last variable of the address that is polled is the job's id."""
    polls = [{"data": {"attributes": {"status": "success"}}}, {"data": {"attributes": {"status": "running"}}}]
    view, broken = view_of(
        "oro.batch", {"data": [{"id": "1"}]}, 202, {}, polls=polls, headers=[("Content-Location", "/jobs/7")]
    )
    assert view.request.as_job is False
    assert broken == []


def test_values_at_pointers_with_stars():
    """A star stands for every member of an object and every element of an array."""
    assert list(find_all([{"a": {"x": 1}}, {"b": {"x": 2}}], "/*/*/x")) == [1, 2]
    assert find({"a": 1}, "/*/x") is ABSENT


@pytest.mark.parametrize(
    ("name", "entry", "failed"),
    [
        ("scim.bulk", {"status": "201"}, False),
        ("scim.bulk", {"status": 404}, True),
        ("scim.bulk", {}, True),
        ("salesforce.collections", {"success": False}, True),
        ("salesforce.collections", {"success": True}, False),
        ("elastic.bulk", {"index": {"error": {"type": "x"}}}, True),
        ("elastic.bulk", {"index": {"_id": "1"}}, False),
    ],
)
def test_what_makes_an_entry_a_failure(name, entry, failed):
    """The predicate looks at a class of statuses, a value, or whether something is there at all."""
    assert holds(read_bulk(APIS[name]["x-bulk"]).reply.outcomes.failed_if, entry) is failed


@pytest.mark.parametrize("name", APIS)
def test_laws_say_why_they_do_not_apply(name):
    """Of every law a declaration either leaves room for it, or there is a reason."""
    operation = contract_of(name).operations[0]
    reasons = [law.exempt_reason(operation) for law in LAWS]
    assert all(reason is None or len(reason) > 10 for reason in reasons)
    assert None in reasons

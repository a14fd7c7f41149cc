"""The vocabulary holds the bulk operations of many APIs, and reads them into values."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from contracts.bulk.declarations import read_bulk
from contracts.bulk.jobs import ActiveJobs, JobDuration
from contracts.bulk.model import BulkJob, Choice, FanOut, OutcomeTest, Quota
from contracts.openapi.document_checks import check_published, published_schema

DATA = Path(__file__).parents[1] / "data"
APIS = {name: api["x-bulk"] for name, api in yaml.load((DATA / "apis.yaml").read_text(), yaml.CSafeLoader).items()}
OVERLAY = yaml.load((DATA / "overlay-example.yaml").read_text(), yaml.CSafeLoader)["actions"][0]["update"]["x-bulk"]


POINTERS = {"csv:rows": "", "part:jsonl": "/jsonl"}


def validator():
    """Return the class of the package jsonschema for 2020-12, whose formats take a second to import."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above

    return Draft202012Validator


@pytest.mark.parametrize("name", ["openapi", "x-bulk", "x-record", "x-resources"])
def test_our_schemas_are_schemas(name):
    """What we publish is itself valid against JSON Schema 2020-12."""
    validator().check_schema(published_schema(name))


def test_there_are_36_declarations():
    """The collection of declarations is whole."""
    assert len(APIS) == 36


@pytest.mark.parametrize("name", [*APIS, "overlay"])
def test_every_declaration_is_valid_and_read(name):
    """Each declaration fits the vocabulary's schema and becomes a value that says where its items are."""
    declared = APIS.get(name, OVERLAY)
    assert [*validator()(published_schema("x-bulk")).iter_errors(declared)] == []
    bulk = read_bulk(declared)
    assert bulk.items.at == POINTERS.get(declared["items"]["at"], declared["items"]["at"])
    assert (bulk.job is None) == ("job" not in declared)


def test_genero_is_read_wholly():
    """A job, its guard and its quota arrive with units and defaults."""
    bulk = read_bulk(APIS["genero.postJob"])
    assert (bulk.items.also_at, bulk.items.min, bulk.items.max) == (("/data",), 1, 5000)
    assert bulk.effect.tombstone == {"/deleted": True}
    assert bulk.unit.of == Choice(constant="item")
    assert (bulk.job.when, bulk.job.results) == (("always",), ("here",))
    assert (bulk.job.every, bulk.job.timeout, bulk.job.keep) == (
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(days=30),
    )
    assert bulk.job.words["CompletedWithErrors"] == "doneWithErrors"
    assert bulk.job.active == ActiveJobs(max=1, per="client", breach="conduct")
    assert (bulk.job.outcomes.shape, bulk.job.outcomes.covers, bulk.job.outcomes.error) == ("map", "failed", "")
    assert bulk.guard.refuse["duplicateTarget"] == 400
    assert bulk.guard.quota == (Quota(what="max-size-batch", max=1, per=timedelta(days=7), breach="conduct"),)
    assert bulk.job.takes == JobDuration(base=timedelta(seconds=2), per_item=timedelta(milliseconds=1), queued=0.0)
    fan_out = read_bulk(APIS["genero.postMultiTenantJob"]).items.fan_out
    assert fan_out == FanOut(over="/generoTenantIds", succeeded="/postedSuccess", failed="/postedProblems")


def test_a_choice_is_read_wholly():
    """What the caller picks has a source, words, a default and its regard to case."""
    unit = read_bulk(APIS["onkey.batchCreate"]).unit
    assert unit.of == Choice(
        source="query:mode", words={"AllOrNone": "whole", "PerRecord": "item"}, default="AllOrNone", ignore_case=True
    )
    outcomes = read_bulk(APIS["onkey.batchCreate"]).reply.outcomes
    assert outcomes.failed_if == OutcomeTest(at="/severity", word="is", value="error")
    assert (outcomes.many, outcomes.in_order, outcomes.covers) == (True, True, "unless-failed")
    assert read_bulk(APIS["scim.bulk"]).reply.outcomes.failed_if == OutcomeTest(at="/status", word="not", value="2xx")
    assert read_bulk(APIS["elastic.bulk"]).reply.outcomes.failed_if == OutcomeTest(
        at="/*/error", word="exists", value=True
    )


def test_the_rest_of_the_vocabulary_is_read():
    """Later axes arrive too: idempotency, retry, order, groups, marks."""
    write = read_bulk(APIS["dynamodb.transactWrite"])
    assert (write.guard.idempotency.keep, write.unit.marked_as) == (timedelta(minutes=10), "None")
    assert read_bulk(APIS["dynamodb.batchWrite"]).guard.unprocessed == "/UnprocessedItems"
    assert read_bulk(APIS["msgraph.batch"]).guard.retry_codes == (429,)
    odata = read_bulk(APIS["odata.batch"])
    assert (odata.unit.group, odata.order.depends_on, odata.order.on_broken) == ("/atomicityGroup", "/dependsOn", 424)
    assert odata.effect.http["url"] == "/url"
    assert read_bulk(APIS["scim.bulk"]).key.only_for == ("create",)


MORE = {
    "items": {"at": ""},
    "effect": {"action": "create", "like": {"POST": "a", "PUT": "b"}},
    "key": {"by": "target"},
    "unit": {"of": {"from": "query:mode", "default": False}},
    "reply": {"status": {"allOk": 200}},
    "job": {
        "when": ["query:async=true", "header:Prefer=respond-async"],
        "handle": "/id",
        "poll": "p",
        "state": {"at": "", "map": {}},
        "takes": {"base": "PT5S", "perItem": "PT0.002S", "queued": 0.2},
    },
}


def test_what_was_added_is_read():
    """Several wishes, a simulated length, keys without a place, several like operations, a choice without words."""
    assert [*validator()(published_schema("x-bulk")).iter_errors(MORE)] == []
    bulk = read_bulk(MORE)
    assert bulk.job.when == ("query:async=true", "header:Prefer=respond-async")
    assert bulk.job.takes == JobDuration(base=timedelta(seconds=5), per_item=timedelta(milliseconds=2), queued=0.2)
    assert (bulk.key.at, bulk.effect.target, bulk.effect.like) == (None, (), ("a", "b"))
    assert bulk.unit.of == Choice(source="query:mode", default="false")


def test_published_schemas_are_plain_json():
    """The schemas can be handed to any tool: plain JSON with a title and a dialect."""
    for name in ("x-bulk", "x-record", "x-resources"):
        schema = json.loads(json.dumps(published_schema(name)))
        assert schema["$schema"].endswith("2020-12/schema")
        assert schema["title"]


def test_the_operations_of_a_job_are_in_one_order():
    """What is sent by them depends on the seed alone, and not on how a process hashes texts."""
    results = ("steps", "here", "poll", "log")
    job = BulkJob(when=("always",), handle="/id", poll="poll", cancel="stop", results=results, state_at="/s", words={})
    assert job.operations == ("poll", "stop", "steps", "log")


def test_where_results_are_may_be_a_list_of_operations():
    """A word in the place of a list is told with all that can be there."""
    declared = {"poll": "getJob", "handle": "/id", "when": "always", "state": {"at": "/s", "map": {"x": "done"}}}
    whole = {**APIS[min(APIS)], "job": {**declared, "results": "getResults"}}
    (told,) = [one for one in check_published("x-bulk", whole, "a.yaml") if one.pointer == "/job/results"]
    assert told.fact == 'it must be "here", an array or an object, not "getResults".'
    assert "a list of those for all" in told.cure

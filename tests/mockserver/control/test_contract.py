"""The control API on contracts: an API in words, and requests made from it, with bad items on purpose."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from generators.requests.profiles import DEFECTS
from mockserver.cli import main

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"


def made(client, /, **wish):
    answer = client.control("POST", "requests", wish)
    assert answer.status == 200, answer.data
    return answer.data


def sent(client, request):
    body = request["body"] or None
    return client.call(request["method"], request["path"], body and json.loads(body), headers=request["headers"])


def outcomes(client):
    last = client.control("GET", "exchanges").data["next"]
    return [one["result"] for one in client.control("GET", f"exchanges/{last}").data["outcomes"]]


@pytest.mark.parametrize("api", ["genero", "onkey"])
def test_an_api_is_explained_as_the_command_does(serving, api):
    """The control API says what `bulkproof explain` prints, and who the test clients are."""
    client = serving("genero", "onkey")
    told = client.send("GET", f"/_sandbox/apis/{api}/explanation").data
    clients = told.pop("clients")
    assert told == json.loads(CliRunner().invoke(main, ["explain", api, "--format", "json"]).stdout)
    assert (api == "genero") is any(one["admitted"] for one in clients)


def test_a_batch_has_as_many_bad_items_as_wanted(serving):
    """What is told of each item is what becomes of it: the good ones are done, the bad ones fail."""
    client = serving("genero", "onkey", mode="frozen")
    for bad in (0, 2, 10):
        request = made(client, api="onkey", operation="batchCreate", items=10, bad=bad, seed=bad)
        planned = ["failed" if "fault" in one else "done" for one in request["items"]]
        assert planned.count("failed") == bad
        assert sent(client, request).status == 200
        assert outcomes(client) == planned


def test_each_fault_that_is_offered_can_be_made(serving):
    """Each fault gives bad items of its kind, and tells whether the whole request is refused for it."""
    client = serving("genero", "onkey", mode="frozen")
    offered = made(client, api="onkey", operation="batchCreate")["faults"]
    assert {"invalid", "incomplete", "duplicate"} <= {one["name"] for one in offered}
    for n, fault in enumerate(offered):
        assert fault["says"] == DEFECTS[fault["name"]]
        wish = {"items": 5, "bad": 1, "fault": fault["name"], "seed": n}
        request = made(client, api="onkey", operation="batchCreate", **wish)
        assert [one["fault"] for one in request["items"] if "fault" in one] == [fault["name"]]
        assert (sent(client, request).status == 400) is fault["refusesAll"]


def test_items_are_about_the_records_of_the_sandbox(serving):
    """Updates and deletions name stored records; where there are too few it is said what to do."""
    client = serving("genero", "onkey", mode="frozen")
    refused = client.control("POST", "requests", {"api": "onkey", "operation": "batchUpdate", "items": 10})
    assert refused.status == 409
    assert "Create some first." in refused.data["detail"]
    sent(client, made(client, api="onkey", operation="batchCreate", items=20))
    imported = made(client, api="onkey", operation="import")  # its items can do anything: here they create
    assert {one["action"] for one in imported["items"]} <= {"create", "upsert"}
    request = made(client, api="onkey", operation="batchUpdate", items=10, bad=2)
    assert sent(client, request).status == 200
    assert outcomes(client).count("failed") == 2


def test_the_same_wish_gives_the_same_request(serving):
    """A request depends on the wish and the state alone."""
    one, other = serving("genero", mode="frozen"), serving("genero", mode="frozen")
    wish = {"api": "genero", "operation": "postJob", "bad": 3}
    assert made(one, **wish) == made(other, **wish)
    assert made(one, **wish)["body"] != made(one, **wish, seed=1)["body"]


def test_a_job_is_asked_for_and_its_outcomes_are_counted(serving):
    """A job tells how many of its items were done once it has run, and nothing before."""
    client = serving("genero", "onkey", mode="frozen")
    request = made(client, api="onkey", operation="batchCreate", bad=2, asJob=True)
    assert request["asJob"] is True
    assert sent(client, request).status == 202
    assert client.control("GET", "jobs?polls=true").data["jobs"][0]["outcomes"] is None
    client.control("POST", "clock/advance", {"to": "idle"})
    assert client.control("GET", "jobs?polls=true").data["jobs"][0]["outcomes"] == {"done": 8, "failed": 2, "notRun": 0}


def test_other_operations_have_valid_requests(serving):
    """A request of an operation that is not bulk is valid, takes parameters, and is about a stored record."""
    client = serving("genero", "onkey", mode="frozen")
    read = made(client, api="onkey", operation="read")
    assert sent(client, read).status == 200
    other = made(client, api="onkey", operation="read", parameters={"id": "7"})
    assert other["path"].endswith("/7")
    posted = made(client, api="genero", operation="putEntity", parameters={"entity": "chain"}, client="single")
    assert "/chain/" in posted["path"]
    assert posted["headers"]["Authorization"] == "Bearer sandbox-single"
    assert "Authorization" not in made(client, api="genero", operation="putEntity", client="")["headers"]


def test_any_document_has_requests(serving):
    """Each operation of a document without code of its own has a request, bulk or not."""
    client = serving(str(BOOKS), mode="frozen")
    told = client.send("GET", "/_sandbox/apis/books/explanation").data
    for one in told["operations"]:
        wish = {"items": 4, "bad": 1} if one["answered"] == "bulk" else {}
        answer = client.control("POST", "requests", {"api": "books", "operation": one["id"], **wish})
        assert answer.status in {200, 409}, (one["id"], answer.data)


@pytest.mark.parametrize(
    ("wish", "status", "says"),
    [
        ({"api": "no", "operation": "postJob"}, 404, "No API 'no' is served."),
        ({"api": "genero", "operation": "postJobs"}, 404, "Did you mean 'postJob'?"),
        ({"api": "genero", "operation": "postJob", "parameters": {"entitty": "block"}}, 400, "no parameter 'entitty'"),
        ({"api": "genero", "operation": "postJob", "parameters": {"entity": "bloc"}}, 400, "knows no 'bloc'"),
        ({"api": "genero", "operation": "postJob", "client": "nobody"}, 400, "no test client 'nobody'"),
        ({"api": "genero", "operation": "postJob", "items": 1, "bad": 2}, 400, "Of 1 items 2 cannot be bad."),
        ({"api": "genero", "operation": "getEntity", "bad": 1}, 400, "getEntity is no bulk operation"),
        ({"api": "genero", "operation": "postJob", "bad": 1, "fault": "stale"}, 409, "no item that names a version"),
        ({"api": "onkey", "operation": "batchCreate", "parameters": {"mode": "x"}}, 400, "'mode' is said by 'unit'"),
        ({"api": "genero", "operation": "postJob", "items": 1001}, 400, "1000"),
        ({"api": "genero", "operation": "postJob", "itmes": 1}, 400, "itmes"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_refused(serving, wish, status, says):
    """The refusal says what is wrong and what there is instead."""
    refused = serving("genero", "onkey").control("POST", "requests", wish)
    assert (refused.status, says in json.dumps(refused.data, ensure_ascii=False)) == (status, True), refused.data

"""What is accepted is carried out or told, however deep it is; a job that cannot be carried out fails and says so."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.messages import Headers
from contracts.syntax.json_text import MAX_BODY_DEPTH
from mockserver.apis.sources import find_sources
from mockserver.bulk import job_endpoints
from mockserver.http.service import Options, Service
from mockserver.stores.spooled_bodies import SpooledBody

TREES = Path(__file__).parents[1] / "data" / "trees.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}
CREATE = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
ONKEY = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord&async=true"
BLOCK = "/genero/api/v1/block/postJob"
PASSING = {
    "name": "passing",
    "summary": "nothing",
    "rules": [{"when": {"body": [{"pointer": "/0/id", "test": {"equals": "z"}}]}, "then": {"status": 400}}],
}
WAITING = {
    "name": "waiting",
    "summary": "waits",
    "rules": [{"when": {"api": "trees"}, "then": {"delay": "1ms", "at": "before-commit"}}],
}


class Door:
    """A service that is spoken to without sockets."""

    def __init__(self, limit):
        apis = [source.load() for source in find_sources((str(TREES), "genero", "onkey"))]
        self.service = Service(apis, Options(mode="frozen"), REAL)
        self.control("PATCH", "settings", {"limits": {"depth": limit}})

    def send(self, method, target, body=None, **headers):
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        fields = {**(JSON if body is not None else {}), **headers}
        reply = self.service.handle(method, target, Headers(tuple(fields.items())), data, REAL)
        return reply.status, orjson.loads(reply.body) if reply.body[:1] in {b"{", b"["} else reply.body, reply.headers

    def control(self, method, what, body=None):
        return self.send(method, f"/_sandbox/sandboxes/default/{what}", body)

    def advance(self, by="PT1M"):
        return self.control("POST", "clock/advance", {"by": by})[1]


def nested(levels):
    """Return JSON of arrays nested so deep, as bytes."""
    return b"[" * levels + b"]" * levels


def trees(levels, padding=0):
    """Return a list of one tree that is nested so deep altogether."""
    return b'[{"id":"a","pad":"%s","any":%s}]' % (b"x" * padding, nested(levels - 2))


@pytest.fixture
def quiet(caplog):
    yield
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.fixture(params=[1, 64, 100, MAX_BODY_DEPTH])
def limit(request):
    return request.param


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("padding", [0, 100_000])
@pytest.mark.parametrize("path", ["/trees/trees/jobs", "/trees/trees/lasting-jobs"])
def test_a_job_does_what_a_body_of_the_limits_depth_says(limit, path, padding):
    """Kept in memory or in a file, the body is read again as it was accepted."""
    if limit < 3:
        pytest.skip("a list of trees takes two levels, what is in them another")
    transport = Door(limit)
    status, _, headers = transport.send("POST", path, trees(limit, padding))
    assert status == 202
    transport.advance()
    status, told, _ = transport.send("GET", headers.get("Location"))
    assert (status, told["state"]) == (200, "FINE")
    assert told["results"] == [{"id": "a", "ok": True}]
    assert transport.send("GET", "/trees/trees/a")[1]["any"] == orjson.loads(nested(limit - 2))


@pytest.mark.usefixtures("quiet")
def test_a_vendors_job_does_what_a_body_of_the_limits_depth_says():
    """The messages of an On Key task speak of every record, those of a Genero job of every bad one."""
    transport = Door(MAX_BODY_DEPTH)
    good = b'{"userObjectId":"a","properties":{"code":"A","description":"x"}}'
    body = b"[" + good + b',{"userObjectId":"b","properties":{"descripton":%s}}]'
    status, _, headers = transport.send("POST", ONKEY, body % nested(MAX_BODY_DEPTH - 3), **CREATE)
    assert status == 202
    transport.advance()
    steps = transport.send(
        "GET", f"/onkey/{headers.get('OnKey-Request-Location').removeprefix('/onkey/').lstrip('/')}/steps"
    )
    assert steps[0] in {200, 404}, steps
    jobs = transport.control("GET", "jobs")[1]["jobs"]
    assert [job["state"] for job in jobs] == ["Completed"]
    codes = [
        row["body"]["properties"]["code"]
        for row in transport.control("GET", "entities/onkey/AssetImportance?dataset=contoso/sandbox")[1]["entities"]
    ]
    assert "A" in codes
    posted = b'[{"blockId":"b","name":"n","deleted":false,"extra":%s}]' % nested(MAX_BODY_DEPTH - 2)
    status, told, _ = transport.send("POST", BLOCK, posted)
    assert status == 200, told
    transport.advance()
    assert transport.send("GET", "/genero/api/v1/block/b")[0] == 200


@pytest.mark.usefixtures("quiet")
def test_every_form_of_an_exchange_tells_a_body_of_the_limits_depth():
    """Journal, exports, stored records, reconciliation and verdicts take what a call may send."""
    transport = Door(MAX_BODY_DEPTH)
    transport.control("PUT", "scenarios", {"scenarios": [PASSING, WAITING]})
    deep = trees(MAX_BODY_DEPTH)
    for headers in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
        assert transport.send("POST", "/trees/trees/batch", deep, **headers)[0] == 200
    assert transport.send("PUT", "/trees/trees/a", deep[1:-1])[0] in {200, 201}
    assert transport.send("GET", "/trees/trees/a")[1]["any"] == orjson.loads(nested(MAX_BODY_DEPTH - 2))
    assert transport.control("GET", "entities/trees/trees")[1]["total"] == 1
    for n in range(1, 6):
        status, told, _ = transport.control("GET", f"exchanges/{n}")
        assert status == 200, told
        assert n == 5 or told["call"]["body"] == orjson.loads(deep if n < 4 else deep[1:-1])
        for form in ("curl", "pytest", "http", "har"):
            assert transport.control("GET", f"exchanges/{n}/as/{form}")[0] == 200
    for form in ("json", "junit", "sarif", "html"):
        assert transport.control("GET", f"verdict?format={form}")[0] == 200
    wanted = b'{"api":"trees","kind":"trees","records":%s}' % deep
    status, told, _ = transport.control("POST", "reconcile", wanted)
    assert (status, told) == (200, {"lost": [], "phantom": [], "different": [], "same": 1})


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("levels", [1, 2, 54, 55, 300, 824, 825, 100_000])
def test_a_body_beyond_the_limit_is_refused_and_the_journal_still_tells_it(levels, limit):
    """Whatever the depth: 400, a sentence with the limit, and nothing carried out or broken."""
    if limit < 3:
        pytest.skip("a list of trees takes two levels, what is in them another")
    transport = Door(limit)
    for path in ("/trees/trees/batch", "/trees/trees/jobs"):
        status, told, _ = transport.send("POST", path, trees(limit + levels))
        assert status == 400
        assert f"more than {limit} deep" in told["detail"]
    assert transport.control("GET", "jobs")[1] == {"jobs": []}
    for n in (1, 2):
        assert transport.control("GET", f"exchanges/{n}")[0] == 200
        for form in ("curl", "pytest", "http", "har"):
            assert transport.control("GET", f"exchanges/{n}/as/{form}")[0] == 200
    assert transport.control("GET", "verdict")[0] == 200


@pytest.mark.usefixtures("quiet")
def test_a_fault_at_the_limits_depth_is_told():
    """A schema that refers to itself is explained as deep as a body may be."""
    transport = Door(MAX_BODY_DEPTH)
    levels = MAX_BODY_DEPTH - 4
    body = b'[{"id":"a","branch":%s{"leaf":5}%s}]' % (b'{"inner":' * levels, b"}" * levels)
    assert transport.send("POST", "/trees/trees/batch", body)[0] == 400
    assert transport.control("GET", "exchanges/1")[1]["violations"]
    headers = transport.send("POST", "/trees/trees/jobs", body)[2]
    transport.advance()
    assert "'branch'" in transport.send("GET", headers.get("Location"))[1]["results"][0]["error"]


@pytest.mark.usefixtures("quiet")
def test_no_limit_can_be_set_that_is_not_kept():
    """A depth that a reply could not be written with is refused as a setting."""
    transport = Door(64)
    for wrong in (MAX_BODY_DEPTH + 1, 500, 0):
        status, told, _ = transport.control("PATCH", "settings", {"limits": {"depth": wrong}})
        assert status == 400, told


@pytest.mark.usefixtures("quiet")
def test_a_job_keeps_what_its_headers_chose():
    """A header of the call decides what its items want, also when they are carried out later."""
    transport = Door(64)
    transport.send("POST", "/trees/trees/batch", [{"id": "a"}, {"id": "b"}])
    transport.send("POST", "/trees/trees/jobs", [{"id": "a"}], **{"X-Action": "delete"})
    transport.advance()
    assert [transport.send("GET", f"/trees/trees/{name}")[0] for name in "ab"] == [404, 200]


def a_fault(*args, **kwargs):
    del args, kwargs
    message = "on purpose"
    raise RuntimeError(message)


def failing_once(function):
    """Return what fails the first time, and is `function` from then on."""
    calls = iter([a_fault])

    def fails(*args, **kwargs):
        return next(calls, function)(*args, **kwargs)

    return fails


BREAKS = {
    "the items cannot be run": (job_endpoints, "run_batch"),
    "the results cannot be told": (job_endpoints, "split_entries"),
    "the body is gone": (SpooledBody, "read"),
    "the body is damaged": (SpooledBody, "read"),
}


@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.parametrize("kind", ["trees", "lasting", "genero", "onkey"])
def test_a_job_that_meets_a_fault_of_ours_fails_with_results(kind, what, monkeypatch, caplog):
    """Its state is the one declared for failure, every item has an outcome, one line is logged; other jobs go on."""
    transport = Door(64)
    calls = {
        "trees": ("/trees/trees/jobs", [{"id": "a"}, {"id": "b"}], JSON),
        "lasting": ("/trees/trees/lasting-jobs", [{"id": "a"}, {"id": "b"}], JSON),
        "genero": (BLOCK, [{"blockId": name, "name": "n", "deleted": False} for name in "ab"], JSON),
        "onkey": (
            ONKEY,
            [{"userObjectId": name, "properties": {"code": name, "description": "x"}} for name in "ab"],
            CREATE,
        ),
    }
    path, body, headers = calls[kind]
    status, told, fields = transport.send("POST", path, body, **headers)
    assert status in {200, 202}
    with monkeypatch.context() as patched:
        faults = {
            "the body is damaged": lambda _: b'[{"id":',
            "the results cannot be told": failing_once(job_endpoints.split_entries),
        }
        patched.setattr(*BREAKS[what], faults.get(what, a_fault))
        transport.advance()
    assert len([one for one in caplog.records if one.levelno >= logging.ERROR]) == 1
    job = transport.control("GET", "jobs")[1]["jobs"][0]
    if kind in {"trees", "lasting"}:
        status, told, _ = transport.send("GET", fields.get("Location"))
        assert (status, told["state"], job["state"]) == (200, "BROKEN", "BROKEN")
        assert [one["ok"] for one in told["results"]] == [False, False]
        assert all("mistake" in one["error"] for one in told["results"])
    elif kind == "genero":
        status, told, _ = transport.send("GET", f"/genero/api/v1/block/jobStatus/{job['id']}")
        assert (status, told["batchJobStatus"]) == (200, "CompletedWithErrors")
        assert len(told["jobItemErrors"]) == 2
    else:
        base = f"/onkey/api/tenants/contoso/sandbox/modules/system/backgroundtasks/{job['id']}"
        status, told, _ = transport.send("GET", base)
        assert (status, told["properties"]["status"], told["properties"]["isValid"]) == (200, "Completed", False)
        status, steps, _ = transport.send("GET", f"{base}/steps")
        assert (status, [one["properties"]["isValid"] for one in steps]) == (200, [False, False])
    transport.send("POST", path, body, **headers)
    assert transport.advance()["events"][-1]["says"].endswith(("FINE", "Completed", "MIXED"))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("query", ["", "?later=true"])
@pytest.mark.parametrize(
    ("member", "word", "hint"), [("do", "put", ""), ("do", "dropp", "drop"), ("kind", "tre", "tree"), ("do", None, "")]
)
def test_no_item_vanishes_for_a_word_that_means_nothing(query, member, word, hint):
    """An item whose action or kind nobody knows refuses the call; it is not left out."""
    transport = Door(64)
    item = {"do": "put", "kind": "tree", "record": {"id": "a"}, member: word}
    status, told, _ = transport.send(
        "POST", f"/trees/trees/changes{query}", [{"do": "put", "record": {"id": "b"}}, item]
    )
    if word == "put":
        assert status in {200, 202}
        return
    assert status == 400, told
    assert [one["pointer"] for one in told["errors"]] == [f"/1/{member}"]
    assert [one["hint"] for one in transport.control("GET", "exchanges/1")[1]["violations"]] == [hint]
    assert transport.send("GET", "/trees/trees/b")[0] == 404

"""Whatever a scenario says, and whatever is called: there is an answer, and it is none of the sandbox's own faults."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from contracts.messages import Headers
from mockserver.apis import genero, onkey
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = Service([genero.api(), onkey.api()], Options(mode="frozen"), REAL)
BATCH = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch"
JSON = (("Content-Type", "application/json"),)
LISTS = (("Content-Type", "application/vnd.onkey.entitycollection+json"),)
PAIR = [{"userObjectId": x, "properties": {"code": x, "description": "D"}} for x in "ab"]
A = {"blockId": "a", "name": "A"}
CALLS = (
    ("POST", "/genero/api/v1/block/postJob", JSON, [A, {**A, "blockId": "b"}]),
    ("POST", "/genero/api/v1/block/postJob", JSON, []),
    (
        "POST",
        "/genero/api/v1/block/multitenant/postJob",
        JSON,
        {"generoTenantIds": ["publicapitest", "x"], "data": [A]},
    ),
    ("PUT", "/genero/api/v1/block/a", JSON, A),
    ("GET", "/genero/api/v1/block", (), None),
    ("GET", "/genero/nowhere", (), None),
    ("DELETE", "/genero/api/v1/block/a", (), None),
    ("POST", f"{BATCH}?mode=PerRecord", LISTS, PAIR),
    ("POST", f"{BATCH}?mode=AllOrNone", LISTS, PAIR),
    ("POST", f"{BATCH}?mode=PerRecord&async=true", LISTS, PAIR),
    ("POST", BATCH, LISTS, {"no": "list"}),
    ("GET", "/onkey/api/tenants/contoso/sandbox/modules/res/trades/5000001003", (), None),
)

texts = st.sampled_from(["x", "${item.name}", "${item}", "$${", "{E->P} ${item.properties.code}"])
bodies = st.recursive(
    texts | st.none() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
YES = st.just(value=True)
points = st.sampled_from(["before-commit", "during-commit", "after-commit"])
failure = st.fixed_dictionaries({}, optional={"message": texts, "code": st.just("C"), "properties": st.just(["E->P"])})
wire = st.one_of(
    st.fixed_dictionaries({"fault": st.sampled_from(["EMPTY_RESPONSE", "CONNECTION_RESET_BY_PEER"]), "at": points}),
    st.fixed_dictionaries({"truncate": st.just(0.5), "at": points}),
    st.fixed_dictionaries({"dribble": st.just({"chunks": 2, "over_ms": 0}), "at": points}),
    st.fixed_dictionaries(
        {"delay": st.sampled_from(["0ms", {"uniform": {"lower_ms": 0, "upper_ms": 1}}]), "at": points}
    ),
    st.just({}),
)
acting = st.one_of(
    st.fixed_dictionaries({"fail": failure}),
    st.fixed_dictionaries({"lose": YES}),
    st.fixed_dictionaries({"skip": YES}),
)
jobs = st.one_of(
    st.fixed_dictionaries({"duration": st.sampled_from(["1s", "PT1H", "0s"])}),
    st.fixed_dictionaries({"never-ends": YES, "gone-after": st.just("1m")}),
    st.fixed_dictionaries({"progress": st.sampled_from(["at-end", "linear", "stepped"])}),
    st.fixed_dictionaries({"errors": st.dictionaries(st.sampled_from("abz"), texts, min_size=1)}),
)
tenants = st.one_of(
    st.fixed_dictionaries({"unknown-tenants": st.sampled_from([["*"], ["x"], ["publicapitest"]])}),
    st.fixed_dictionaries({"tenant-problems": st.sampled_from([{"*": "P"}, {"publicapitest": "P"}])}),
)
statuses = {"status": st.sampled_from([200, 202, 204, 207, 304, 400, 404, 418, 429, 599])}
replies = st.one_of(
    st.fixed_dictionaries(statuses),
    st.fixed_dictionaries({"body": bodies}, optional=statuses),
    st.fixed_dictionaries({"generate": YES}, optional=statuses),
    st.fixed_dictionaries({"example": st.sampled_from(["accepted", "refusedWhole", "vendorCompleted"])}),
    st.fixed_dictionaries({"headers": st.just({"X-A": 1, "Retry-After": 5}), "count": st.just("c")}),
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["POST", "GET", ["PUT", "DELETE"]]),
        "nth": st.integers(1, 3),
        "chance": st.sampled_from([0.0, 0.5]),
        "path": st.just("/api/**"),
        "counter": st.just({"name": "c", "is": 1}),
        "body": st.just([{"pointer": "/0/name", "test": {"exists": True}}]),
    },
)
picked = st.sampled_from([{"every": 1}, {"first": 1}, {"ratio": 0.5}, {"key": "a"}, {"where": {"name": "A"}}])
rest = {"when": conditions, "times": st.integers(1, 2)}


def doing(effect, **members):
    then = st.builds(lambda one, other: {**one, **other}, effect, wire)
    return st.fixed_dictionaries({"then": then, **members}, optional=rest)


rules = st.one_of(doing(acting, items=picked), doing(jobs), doing(tenants), doing(replies))


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(st.lists(rules, min_size=1, max_size=3), st.lists(st.sampled_from(CALLS), min_size=1, max_size=6), st.booleans())
def test_no_scenario_makes_the_sandbox_fail(documents, calls, moves):
    """Every call is answered, every exchange is written down, time can pass, and the control API tells it all."""
    document = {"name": "s", "rules": documents}
    assert send("POST", "/_sandbox/sandboxes/t/reset", JSON, {}).status == 200
    assume(send("PUT", "/_sandbox/sandboxes/t/scenarios", JSON, {"scenarios": [document]}).status == 200)
    for method, target, headers, body in calls:
        reply = send(method, f"/@t{target}", headers, body)
        assert reply.status != 500, reply.body
        if moves:
            assert send("POST", "/_sandbox/sandboxes/t/clock/advance", JSON, {"to": "next-event"}).status == 200
    for n in range(1, len(calls) + 1):
        told = send("GET", f"/_sandbox/sandboxes/t/exchanges/{n}", (), None)
        assert told.status == 200, told.body
    assert send("GET", "/_sandbox/sandboxes/t/jobs", (), None).status == 200


def send(method, target, headers, body):
    data = b"" if body is None else orjson.dumps(body)
    return SERVICE.handle(method, target, Headers(headers), data, REAL)

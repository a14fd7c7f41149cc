"""Composed batches sent to the sandbox: what is meant to succeed does, what is meant to fail does not."""

from collections import Counter
from datetime import UTC, datetime
from itertools import count
from urllib.parse import urlencode

import orjson
import pytest

from contracts.messages import Headers, Request
from generators.requests.batch import Composer
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import PROFILES, draw_profile
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EACH = 12
ENTITIES = ("block", "chain", "wholesaler", "customer", "customercontact")
MODULES = {
    "PermissionTree": ("gc", "permissiontrees"),
    "Trade": ("res", "trades"),
    "Resource": ("res", "resources"),
    "ResourceTrade": ("res", "resourcetrades"),
    "AssetImportance": ("risk", "assetimportances"),
}
BASE = "/api/tenants/contoso/sandbox/modules"
NUMBERS = count(1)


class World:
    """A sandbox of its own, in this process, with a ledger of what it holds."""

    def __init__(self, name):
        self.name = name
        self.api = find_sources((name,))[0].load()
        self.contract = self.api.contract
        self.service = Service([self.api], Options(mode="frozen"), NOW)
        self.sandbox = f"world{next(NUMBERS)}"
        self.known = KnownRecords(self.contract.resources, targets=("publicapitest", "publicapitest2"))
        STOCK[name](self)

    def send(self, call):
        query = f"?{urlencode(call.query)}" if call.query else ""
        target = f"/@{self.sandbox}{self.contract.mount}{call.path}{query}"
        reply = self.service.handle(call.method, target, call.headers, call.body, NOW)
        assert reply.status < 500
        return reply.status, orjson.loads(reply.body) if reply.body else None, reply.headers

    def post(self, path, body, content_type="application/json", **query):
        headers = Headers((("Content-Type", content_type),))
        call = Request(method="POST", path=path, query=tuple(query.items()), headers=headers, body=orjson.dumps(body))
        return self.send(call)

    def get(self, path):
        return self.send(Request(method="GET", path=path))[1]

    def pass_time(self):
        target, headers = f"/_sandbox/sandboxes/{self.sandbox}/clock/advance", (("Content-Type", "application/json"),)
        assert self.service.handle("POST", target, Headers(headers), b'{"by": "PT10M"}', NOW).status == 200


def stock_genero(environment):
    for entity in ENTITIES:
        declared = environment.contract.resources[entity]
        items = []
        for n in range(EACH):
            references = {member: f"{named}{n}" for member, named in declared.references.items() if n < EACH // 2}
            items.append({declared.key: f"{entity}{n}", "name": f"{entity} {n}", **references})
            environment.known.put(entity, f"{entity}{n}", values=items[-1])
        for tenant in environment.known.targets:
            assert environment.post(f"/api/v1/{entity}/postJob", items, generoTenantId=tenant)[0] == 200
        environment.pass_time()


def stock_onkey(environment):
    for name, (module, plural) in MODULES.items():
        items = [{"userObjectId": str(n), "properties": members_of(environment, name, n)} for n in range(EACH)]
        path, form = f"{BASE}/{module}/{plural}/batch", "application/vnd.onkey.entitycollection+json"
        _, body, _ = environment.post(path, items, form, mode="PerRecord")
        for item, message in zip(items, body["messages"], strict=True):
            assert message["severity"] == "information"
            environment.known.put(name, int(message["objectId"]), version=1, values=item["properties"])


def members_of(environment, name, n):
    declared = environment.contract.resources[name]
    members = {} if name == "ResourceTrade" else {"code": f"{name}{n}", "description": "a record"}
    for member, named in declared.references.items():
        if environment.known.live(named) and (n < EACH // 2 or member in declared.required):
            members[member] = environment.known.live(named)[n].key
    return members


def failed_in_genero(environment, batch, body):
    """Return the keys that a job says failed, job by job."""
    environment.pass_time()
    entity = batch.request.path.split("/")[3]
    ids = [body["correlationId"]] if "correlationId" in body else body["postedSuccess"].values()
    return [{*environment.get(f"/api/v1/{entity}/jobStatus/{one}")["jobItemErrors"]} for one in ids]


def failed_in_onkey(environment, batch, body, headers):
    """Return the keys that error messages speak of."""
    if batch.deferred:
        environment.pass_time()
        steps = environment.get(f"{BASE}/system/backgroundtasks/{headers.get('OnKey-Request-Id')}/steps")
        body = {"messages": [message for step in steps for message in step["properties"]["messages"]]}
    by = "objectId" if batch.operation in {"batchUpdate", "batchDelete", "matchUpdate"} else "userObjectId"
    return {message[by] for message in body["messages"] if message["severity"] == "error"}


def forget_codes(environment, batch):
    """Take for granted no more by what code a record is found that a batch may have given another."""
    for item in batch.items:
        live = None if item.target is None else environment.known.find(item.resource, item.target)
        if live is not None and "code" in (item.values or {}):
            values = {name: value for name, value in live.values.items() if name != "code"}
            environment.known.put(item.resource, item.target, version=live.version, values=values)


STOCK = {"genero": stock_genero, "onkey": stock_onkey}
CASES = [(name, one.id) for name in STOCK for one in find_sources((name,))[0].load().contract.operations if one.bulk]


def judged(environment, batch):
    """Hold what the sandbox answers to the batch's plan."""
    status, body, headers = environment.send(batch.request)
    forget_codes(environment, batch)
    bad = {str(item.key) for item in batch.items if item.intent != "good"}
    if batch.refusals:
        assert status == 400
    elif environment.name == "genero":
        assert status == (200 if all(batch.targets.values()) else 207)
        assert all(failed == bad for failed in failed_in_genero(environment, batch, body))
    elif batch.unit == "whole" and not batch.deferred:
        assert status == (400 if bad else 200)
    elif batch.unit == "item":
        assert status == (202 if batch.deferred else 200)
        assert failed_in_onkey(environment, batch, body, headers) == bad


@pytest.mark.parametrize(("name", "operation"), CASES)
def test_the_sandbox_does_what_each_item_is_meant_for(name, operation):
    """Good items are done, wrong ones fail, refused batches are refused: plan and sandbox agree on every item."""
    profiles = Counter()
    for seed, profile in enumerate(PROFILES.values()):
        environment = World(name)
        composer = Composer(environment.contract, environment.contract.operation(operation))
        batch = composer.compose(seed=seed, size=10, profile=profile, known=environment.known)
        profiles[profile.name] += 1
        judged(environment, batch)
    assert profiles.keys() == PROFILES.keys()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "operation"), CASES)
def test_the_sandbox_keeps_the_limits_that_sizes_are_around(name, operation):
    """Nothing and one too many are refused, all sizes between are not; here the large ones stand for themselves."""
    environment = World(name)
    composer = Composer(environment.contract, environment.contract.operation(operation))
    most = composer.design.bulk.items.max
    for size in (0, 1, 2, most + 1):
        batch = composer.compose(seed=1, size=size, profile=PROFILES["valid"], known=environment.known)
        is_clean = not batch.refusals and all(item.intent == "good" for item in batch.items)
        assert (environment.send(batch.request)[0] == 400) is (size in {0, most + 1} or not is_clean)
        assert bool(batch.refusals) is (size in {0, most + 1})


def test_drawn_profiles_agree_too():
    """Over drawn profiles and seeds, on one operation of each API."""
    from random import Random  # noqa: PLC0415 - only here

    rng = Random(5)
    for name, operation in (("genero", "postJob"), ("onkey", "import")):
        for seed in range(100, 106):
            environment = World(name)
            composer = Composer(environment.contract, environment.contract.operation(operation))
            judged(
                environment, composer.compose(seed=seed, size=14, profile=draw_profile(rng), known=environment.known)
            )

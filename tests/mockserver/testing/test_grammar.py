"""The tester's grammar: each word does what it says, in a sandbox of its own, for synchronous and asyncio tests."""

import asyncio
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, IncompleteRead
from urllib.parse import urlsplit

import pytest

from contracts.errors import MisuseError
from mockserver.testing import running

COLLECTION = "application/vnd.onkey.entitycollection+json"
BASE = "/api/tenants/contoso/sandbox/modules/risk/assetimportances"


def call(method, url, body=None, media="application/json"):
    """Return the status and the JSON value of an answer."""
    parts = urlsplit(url)
    data = None if body is None else json.dumps(body).encode()
    with closing(HTTPConnection(parts.hostname, parts.port, timeout=10)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", data, {"Content-Type": media} if data else {})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or "null")


def sync(base_url, *codes, mode="PerRecord", resend_all=False):
    """Create records until none fails, as a client would; it sends again what failed, or everything."""
    todo = {code: {"userObjectId": code, "properties": {"code": code, "description": code}} for code in codes}
    for _ in range(3):
        _, said = call("POST", f"{base_url}{BASE}/batch?mode={mode}", list(todo.values()), COLLECTION)
        failed = {one["userObjectId"] for one in said["messages"] if one["severity"] == "error"}
        if not failed:
            return
        todo = todo if resend_all else {code: todo[code] for code in failed}


def post_blocks(base_url, *keys):
    """Post a batch of blocks; return its job's id."""
    _, told = call("POST", f"{base_url}/api/v1/block/postJob", [{"blockId": key, "name": key} for key in keys])
    return told["correlationId"]


def test_resends_only_failed_records(bulkproof):
    """The example of the documentation: an item fails once, is sent again alone, and the verdict says so."""
    bulkproof.onkey.expect("batchCreate").items(where={"properties.code": "DEF"}).fail("Sandbox_BusinessRule").times(1)
    sync(bulkproof.onkey.url, "ABC", "DEF")
    assert bulkproof.onkey.stored("AssetImportance").codes == {"ABC", "DEF"}
    bulkproof.verdict().assert_passed("resent-only-failed")


def test_a_failed_law_is_shown_with_the_exchanges_that_show_it(bulkproof):
    """The message of a failed assertion holds the law, what it found, and the calls with their answers."""
    bulkproof.onkey.expect("batchCreate").items(key="DEF").fail("Sandbox_BusinessRule").times(1)
    sync(bulkproof.onkey.url, "ABC", "DEF", resend_all=True)
    verdict = bulkproof.verdict()
    verdict.assert_failed("resent-only-failed")
    with pytest.raises(AssertionError) as told:
        verdict.assert_passed("resent-only-failed")
    text = str(told.value)
    assert "resent-only-failed failed" in text
    assert "#1 POST /onkey" in text
    assert '"code":"Sandbox_BusinessRule"' in text
    assert "genero" not in text


def test_a_law_that_was_not_run_has_not_passed(bulkproof):
    """An assertion about a law that nobody had occasion to break fails, and a misspelt law is told."""
    with pytest.raises(AssertionError, match="was not run"):
        bulkproof.verdict().assert_passed("stopped-polling")
    with pytest.raises(AssertionError, match="Did you mean 'stopped-polling'"):
        bulkproof.verdict().assert_passed("stoped-polling")
    with pytest.warns(UserWarning, match="No law was exercised"):
        bulkproof.verdict().assert_passed()


def test_the_old_names_of_a_verdict_still_work(bulkproof):
    """Each old name answers as the new one does, and warns of it."""
    bulkproof.onkey.expect("batchCreate").items(key="DEF").fail("Sandbox_BusinessRule").times(1)
    sync(bulkproof.onkey.url, "ABC", "DEF", resend_all=True)
    verdict = bulkproof.verdict()
    for old, new in (("kept", "passed"), ("broken", "failed"), ("not_exercised", "not_run")):
        with pytest.warns(DeprecationWarning, match=f"Verdict.{old} is now Verdict.{new}"):
            assert getattr(verdict, old) == getattr(verdict, new)
    with pytest.warns(DeprecationWarning, match="assert_failed"):
        verdict.assert_broken("resent-only-failed")
    with pytest.warns(DeprecationWarning, match="assert_passed"), pytest.raises(AssertionError):
        verdict.assert_kept()


def test_the_clock_moves_when_it_is_told_to(bulkproof):
    """Frozen, the clock stands; advanced, jobs end; run to the next event, it stops there."""
    bulkproof.clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    job = post_blocks(bulkproof.genero.url, "a")
    assert bulkproof.clock.now == datetime(2026, 3, 1, tzinfo=UTC)
    assert bulkproof.genero.stored("block").keys == set()
    assert bulkproof.clock.advance(minutes=5) == ["genero postJob: Completed"]
    assert bulkproof.genero.stored("block").names == {"a"}
    assert call("GET", f"{bulkproof.genero.url}/api/v1/block/jobStatus/{job}")[1]["batchJobStatus"] == "Completed"
    post_blocks(bulkproof.genero.url, "b")
    assert bulkproof.clock.to_next_event() == ["genero postJob: Completed"]
    assert bulkproof.clock.to_idle() == []
    assert bulkproof.clock.advance(timedelta(seconds=1)) == []
    assert bulkproof.clock.now == datetime(2026, 3, 1, 0, 5, 3, 1000, tzinfo=UTC)
    bulkproof.clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    assert bulkproof.clock.now.year == 2027
    bulkproof.clock.run(factor=60)
    assert bulkproof.clock.now > datetime(2027, 1, 1, tzinfo=UTC)


def test_scenarios_begin_beside_those_that_are_active(bulkproof, tmp_path):
    """By name, as documents and from files; what was played before goes on."""
    bulkproof.expect("postJob").reply(503).times(1)
    assert call("POST", f"{bulkproof.genero.url}/api/v1/block/postJob", [{"blockId": "a", "name": "a"}])[0] == 503
    bulkproof.scenario("never-ends")
    file = tmp_path / "slow.yaml"
    file.write_text("name: slow\nrules:\n- when: {operation: jobStatus}\n  then: {headers: {X-Slow: 'yes'}}\n")
    bulkproof.scenario(file, {"name": "own", "rules": [{"when": {"operation": "list"}, "then": {"status": 500}}]})
    post_blocks(bulkproof.genero.url, "a")
    bulkproof.clock.advance(hours=10)
    assert [job["state"] for job in bulkproof.jobs] == ["InProgress"]
    assert [one.rules for one in bulkproof.exchanges] == [("expectation-1",), ("never-ends",)]
    with pytest.raises(MisuseError, match="never-ends"):
        bulkproof.scenario("never-end")


def test_every_effect_can_be_expected(bulkproof):
    """Items, jobs, tenants, replies, headers, counters and the wire: each word of the grammar does its work."""
    onkey, genero = bulkproof.onkey, bulkproof.genero
    onkey.expect("batchCreate", query={"mode": "PerRecord"}).items(first=1).lose().times(1)
    onkey.expect("batchCreate").items(index=[1]).skip().times(1)
    sync(onkey.url, "A", "B")
    sync(onkey.url, "C", "D")
    assert onkey.stored("AssetImportance").codes == {"B", "C", "D"}
    onkey.expect("list").reply(headers={"X-Seen": "1"}).count("lists").times(1)
    onkey.expect("list", counter={"name": "lists", "is": 1}).reply(418, {"messages": []})
    assert [call("GET", onkey.url + BASE)[0] for _ in range(2)] == [200, 418]
    genero.expect("postJob").job(duration=timedelta(hours=1), errors={"x": "No."}, progress="linear").times(1)
    genero.expect("postMultiTenantJob").tenants(problems={"publicapitest": "Closed."})
    job = post_blocks(genero.url, "x", "y")
    bulkproof.clock.advance(minutes=30)
    status = f"{genero.url}/api/v1/block/jobStatus/{job}"
    assert call("GET", status)[1]["noOfItemsProcessed"] == 1
    bulkproof.clock.advance(minutes=30)
    assert call("GET", status)[1]["jobItemErrors"] == {"x": "No."}
    both = {"generoTenantIds": ["publicapitest"], "data": [{"blockId": "z", "name": "z"}]}
    told = call("POST", f"{genero.url}/api/v1/block/multitenant/postJob", both)
    assert told == (207, {"postedSuccess": {}, "postedProblems": {"publicapitest": ["Closed."]}})
    genero.expect("getEntity").fault("CONNECTION_RESET_BY_PEER").times(1)
    with pytest.raises(OSError, match="reset"):
        call("GET", f"{genero.url}/api/v1/block/y")
    genero.expect("getEntity").delay("20ms").times(1)
    genero.expect("getEntity").truncate(0.5).times(1)
    assert call("GET", f"{genero.url}/api/v1/block/y")[0] == 200
    with pytest.raises(IncompleteRead):
        call("GET", f"{genero.url}/api/v1/block/y")
    assert bulkproof.exchanges.of("getEntity").last.done == 0


def test_planted_bugs_can_be_asked_for(bulkproof):
    """A bug in the whole sandbox, or in one call; the journal names it when it made a difference."""
    bulkproof.bug("duplicate-accepted")
    twice = [{"blockId": "a", "name": "first"}, {"blockId": "a", "name": "second"}]
    assert call("POST", f"{bulkproof.genero.url}/api/v1/block/postJob", twice)[0] == 200
    assert bulkproof.exchanges.last.rules == ("bug-duplicate-accepted", "bug:duplicate-accepted")
    bulkproof.onkey.expect("batchCreate", allow_unused=True).bug("outcome-doubled")
    with pytest.raises(MisuseError, match="there is no applicable bug named"):
        bulkproof.onkey.expect("batchCreate").bug("outcome-double")


def test_stored_speaks_of_what_the_client_did(bulkproof):
    """Seeded records count when they changed; keys, records, versions and deleted ones can be asked for."""
    onkey, genero = bulkproof.onkey, bulkproof.genero
    assert onkey.stored("AssetImportance").codes == set()
    assert onkey.stored("AssetImportance", seeded=True).codes == {"AI1", "AI2", "AI3", "AI4"}
    change = {"version": 1, "operations": [{"path": "AssetImportance->Description", "value": "changed"}]}
    patch = "application/vnd.onkey.entitypatch+json"
    assert call("PATCH", f"{onkey.url}{BASE}/1543843155165003", change, patch)[0] == 200
    changed = onkey.stored("AssetImportance")
    assert (changed.codes, changed.descriptions, changed.version(1543843155165003)) == ({"AI1"}, {"changed"}, 2)
    assert 1543843155165003 in changed
    assert len(changed) == 1
    for key in ("a", "b"):
        call("PUT", f"{genero.url}/api/v1/block/{key}", {"blockId": key, "name": f"Block {key}"})
    call("DELETE", f"{genero.url}/api/v1/block/b")
    blocks = genero.stored("block")
    assert (blocks.keys, blocks.block_ids, blocks.deleted) == ({"a"}, {"a"}, {"b"})
    assert blocks.records == [{"blockId": "a", "name": "Block a", "deleted": False}]
    assert blocks.get("b") is None
    with pytest.raises(AttributeError, match="'nams'"):
        _ = blocks.nams
    with pytest.raises(MisuseError, match="Did you mean 'block'"):
        genero.stored("blok")


def test_reconciling_names_what_is_lost(bulkproof):
    """What the client believes is held against the store, field by field."""
    call("PUT", f"{bulkproof.genero.url}/api/v1/block/a", {"blockId": "a", "name": "A"})
    found = bulkproof.genero.reconcile("block", [{"blockId": "a", "name": "B"}, {"blockId": "c"}])
    assert found["lost"] == ["c"]
    assert [one["pointer"] for one in found["different"]] == ["/name"]


def test_settings_and_seed(bulkproof):
    """Settings change what is answered; the same seed on a frozen clock gives the same ids, and rules begin anew."""
    assert bulkproof.settings(genero={"maxItems": 1})["genero"]["maxItems"] == 1
    two = [{"blockId": key, "name": key} for key in "ab"]
    assert call("POST", f"{bulkproof.genero.url}/api/v1/block/postJob", two)[0] == 400
    bulkproof.expect("postJob", nth=2).reply(503)
    ids = []
    for seed in (7, 7, 8):
        bulkproof.seed(seed)
        ids.append(post_blocks(bulkproof.genero.url, "a"))
        assert call("POST", f"{bulkproof.genero.url}/api/v1/block/postJob", two)[0] == 503
    assert ids[0] == ids[1] != ids[2]
    assert bulkproof.settings()["genero"]["maxItems"] == 5000


def test_exchanges_show_what_happened(bulkproof):
    """Exchanges are a sequence, by operation and by API, with bodies and outcomes to ask for."""
    bulkproof.onkey.expect("batchCreate").items(key=["X"]).fail(message="Not ${item.properties.code}.")
    sync(bulkproof.onkey.url, "X", "Y")
    call("GET", f"{bulkproof.genero.url}/api/v1/block/none")
    assert [one.operation for one in bulkproof.exchanges] == ["batchCreate"] * 3 + ["getEntity"]
    first, rest = bulkproof.exchanges[0], bulkproof.exchanges[1:]
    assert (first.done, first.failed, first.outcomes) == (1, 1, {"X": "failed", "Y": "done"})
    assert [one["userObjectId"] for one in first.request] == ["X", "Y"]
    assert first.response["messages"][0]["message"] == "Not X."
    assert len(rest.of("batchCreate")) == 2
    assert len(bulkproof.genero.exchanges) == 1
    assert "item X: failed, Not X." in str(first)
    assert repr(rest).count("\n") == 2


def test_each_test_has_a_sandbox_of_its_own(bulkproof):
    """Nothing of the tests above is here."""
    assert len(bulkproof.exchanges) == 0
    assert bulkproof.genero.stored("block").keys == set()
    with pytest.raises(AttributeError, match="Did you mean 'onkey'"):
        _ = bulkproof.onkye


def test_an_asyncio_client_is_served_while_the_test_looks_on(bulkproof):
    """A client in an event loop, and the grammar beside it, do not wait for each other."""

    async def client():
        bulkproof.genero.expect("getEntity").reply(404).delay("50ms")
        urls = [f"{bulkproof.genero.url}/api/v1/block/{n}" for n in range(4)]
        return await asyncio.gather(*(asyncio.to_thread(call, "GET", url) for url in urls))

    assert [status for status, _ in asyncio.run(client())] == [404] * 4
    assert len(bulkproof.exchanges) == 4


@pytest.mark.parametrize("word", ["fail", "lose", "skip"])
def test_what_is_about_items_needs_some(bulkproof, word):
    """As in a scenario, nothing is guessed: without `items` it is refused; `items()` is all of them."""
    expectation = bulkproof.genero.expect("postJob", allow_unused=True)
    with pytest.raises(MisuseError, match=f"{word}\\(\\) is about items, and none are selected"):
        getattr(expectation, word)()
    assert getattr(expectation.items(), word)().document["rules"][0]["items"] == {"every": 1}


def test_durations_are_texts_or_timedeltas(bulkproof):
    """Whatever takes a duration takes both, and refuses what is none."""
    bulkproof.clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    bulkproof.clock.advance("1h30m")
    bulkproof.clock.advance("PT30M")
    assert bulkproof.clock.now == datetime(2026, 3, 1, 2, tzinfo=UTC)
    api = bulkproof.genero
    for one in (api.expect("getEntity", allow_unused=True).dribble(2, over="20ms"),):
        assert one.document["rules"][0]["then"]["dribble"] == {"chunks": 2, "over_ms": 20}
    for refused in (
        lambda: bulkproof.clock.advance("soon"),
        lambda: api.expect("getEntity").delay("soon"),
        lambda: api.expect("getEntity", allow_unused=True).delay("1s").dribble(2, over="soon"),
    ):
        with pytest.raises(MisuseError, match=r"is not a duration\. Write it like 90s, 1h30m, 300ms or PT5M"):
            refused()


def never_fires(own):
    own.genero.expect("getEntity").delay("1ms").times(1)
    own.genero.expect("putEntity", allow_unused=True).reply(503)
    call("GET", f"{own.genero.url}/api/v1/block")


def is_reset(own):
    own.genero.expect("listEntities").delay("1ms")
    call("GET", f"{own.genero.url}/api/v1/block")
    own.seed(3)
    own.reset()


def has_no_effect(own):
    own.genero.expect("listEntities").times(2)


@pytest.mark.parametrize(
    ("acts", "says"),
    [
        (never_fires, ["'delay': '1ms'}, 'times': 1}) never fired. Request #1", "it is listEntities"]),
        (is_reset, []),
        (has_no_effect, ["has no effect"]),
    ],
)
def test_an_expectation_that_never_fires_is_told_with_the_nearest_request(acts, says):
    """At the end of `running` too; what fired before a reset has fired."""
    told = ""
    try:
        with running("genero") as own:
            acts(own)
    except AssertionError as error:
        told = str(error)
    assert all(one in told for one in says), told
    assert bool(told) == bool(says)
    assert "putEntity" not in told

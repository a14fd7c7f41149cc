"""What a server keeps is bounded in bytes, over all its sandboxes, and what waits is on disk."""

import gc
import re
import tracemalloc
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request, Response
from contracts.schemas.schema_set import SchemaSet
from mockserver.api.model import RequestContext
from mockserver.apis.sources import find_sources
from mockserver.domain.clock_and_ids import FROZEN_EPOCH
from mockserver.http.service import Options, Service
from mockserver.journal.journal import DEFAULT_MAX_BYTES, DEFAULT_MAX_EXCHANGES
from mockserver.sandbox import sandboxes as module
from mockserver.sandbox.sandboxes import Sandboxes, SandboxTemplate
from mockserver.stores.interface import Record

pytestmark = pytest.mark.slow  # each traces memory, or collects the garbage of the whole process
REAL = datetime(2026, 1, 1, tzinfo=UTC)
KIBIBYTE = 1024
JSON = Headers((("Content-Type", "application/json"),))
STEP_BYTES = 4 * KIBIBYTE
MOST_BYTES = 64 * KIBIBYTE
ROOT = Path(__file__).parents[3]
TICKETS = ROOT / "examples/any-api/tickets.yaml"
PACKAGES = ("contracts", "generators", "mockserver")
MANY = 40  # functions with a cache
CALLS = (("POST", "/tickets"), ("GET", "/tickets"))


@pytest.fixture(scope="module")
def apis():
    return [source.load() for source in find_sources(("genero", "onkey"))]


@contextmanager
def traced():
    """Yield a list that gets the bytes of Python's memory that the block took and did not give back."""
    taken = []
    gc.collect()
    tracemalloc.start()
    try:
        yield taken
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["/genero/api/v1/block/none", "/onkey/api/tenants/contoso/sandbox/modules/res/trades"])
def test_a_sandbox_that_does_nothing_costs_little(apis, path):
    """The contract, its validators and its settings are shared: a sandbox with one exchange takes a few kilobytes."""
    service, number = Service(apis, Options(mode="frozen"), REAL), 200
    service.handle("GET", f"/@first{path}", Headers(), b"", REAL)
    with traced() as taken:
        for n in range(number):
            assert service.handle("GET", f"/@s{n}{path}", Headers(), b"", REAL).status in {200, 404}
    assert taken[0] / number < 16 * KIBIBYTE


@pytest.mark.parametrize("size", [20, 100, 1000])
def test_a_body_that_waits_for_its_job_is_not_in_memory(apis, size):
    """Of many jobs that wait, memory holds less than a few kilobytes each, whatever they are to do."""
    settings = {"limits": {"journalExchanges": 1}}
    service, number = Service(apis, Options(mode="frozen", settings=settings), REAL), 100
    body = orjson.dumps([{"customerId": f"c{n}", "name": f"A customer with a name, {n}"} for n in range(size)])

    def post(n):
        assert service.handle("POST", f"/@s{n % 3}/genero/api/v1/customer/postJob", JSON, body, REAL).status == 200

    post(0)
    with traced() as taken:
        for n in range(number):
            post(n)
    waiting = [job for sandbox in service.sandboxes for job in sandbox.api_states["genero"].jobs.jobs.values()]
    assert [job.spooled_body.read() for job in waiting] == [body] * (number + 1)
    assert taken[0] / number < 4 * KIBIBYTE


def test_what_is_long_in_the_journal_is_not_in_memory(apis):
    """Of calls with large bodies and header fields memory holds a few kilobytes each; the journal shows all of it."""
    service, number = Service(apis, Options(mode="frozen"), REAL), 100
    headers, body = Headers((("Content-Type", "text/plain"), ("X-Large", "h" * 40_000))), b"b" * 60_000

    def post():
        service.handle("POST", "/genero/api/v1/customer/postJob", headers, body, REAL)

    post()
    with traced() as taken:
        for _ in range(number):
            post()
    assert taken[0] / number < 4 * KIBIBYTE
    for entry in service.sandboxes.use("default", REAL).journal.after(0, 1000):
        assert entry.request.body == body
        assert entry.request.headers == f"Content-Type: text/plain\nX-Large: {'h' * 40_000}"
        assert entry.request.digest == ""


def test_the_journal_has_room_for_all_the_batches_that_it_may_keep(apis):
    """As far as its bytes go, by default it keeps as many batches of five items, whose jobs have ended, as it says."""
    service = Service(apis, Options(mode="frozen"), REAL)
    body = orjson.dumps([{"blockId": f"b123456-{n}", "name": "a block", "deleted": False} for n in range(5)])
    service.handle("POST", "/genero/api/v1/block/postJob", JSON, body, REAL)
    service.handle("POST", "/_sandbox/sandboxes/default/clock/advance", JSON, b'{"by": "PT1H"}', REAL)
    (entry,) = service.sandboxes.use("default", REAL).journal.after(0, 10)
    assert entry.results is not None or entry.parts
    assert entry.size * DEFAULT_MAX_EXCHANGES < DEFAULT_MAX_BYTES


def test_header_fields_that_never_come_again_are_forgotten(apis):
    """What is worked out once for each media type holds so few of them that the longest do no harm."""
    service, number = Service(apis, Options(mode="frozen"), REAL), 600

    def post(n):
        long = f"{n:08d}" * 1900
        fields = Headers((("Content-Type", f"application/json; a={long}"), ("Accept", f"{long}/x")))
        service.handle("POST", "/genero/api/v1/customer/postJob", fields, b"[]", REAL)

    post(0)
    with traced() as taken:
        for n in range(1, number):
            post(n)
    assert taken[0] < 300 * 32 * KIBIBYTE


def test_a_contract_that_was_replaced_is_forgotten():
    """What was worked out for its schemas goes with it: a server that reloads its documents often does not grow."""

    def serve():
        service = Service([find_sources([str(TICKETS)])[0].load()], Options(), REAL)
        answers = [service.handle(*call, JSON, b'{"subject": 5}', REAL).status for call in CALLS]
        assert answers == [422, 200]

    serve()
    while gc.collect():  # what is finalized lets go of more
        pass
    kept = [one for one in gc.get_objects() if isinstance(one, SchemaSet)]
    assert [uri for one in kept for uri in one.documents if "tickets" in uri] == []


def test_no_cache_of_a_function_holds_a_contract():
    """A cache that asks for a schema would keep all of its contract: `SchemaSet.once` is there for it."""
    cached = re.compile(r"^@(?:lru_)?cache\b.*\n(?:async )?def (\w+)\(([^)]*)\)", re.MULTILINE)
    texts = [path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = [one for text in texts for one in cached.findall(text)]
    assert len(found) > MANY
    assert [name for name, given in found if re.search(r"\b(?:Schema|SchemaSet|Contract|Operation|Api)\b", given)] == []


def test_the_bodies_of_all_sandboxes_wait_in_one_file(apis):
    """A file for each sandbox would be more than a process may have open."""
    service = Service(apis, Options(mode="frozen"), REAL)
    body = orjson.dumps([{"customerId": f"c{n}"} for n in range(100)])
    for n in range(20):
        service.handle("POST", f"/@s{n}/genero/api/v1/customer/postJob", JSON, body, REAL)
    jobs = [job for sandbox in service.sandboxes for job in sandbox.api_states["genero"].jobs.jobs.values()]
    kept = [entry.request.kept for sandbox in service.sandboxes for entry in sandbox.journal.after(0, 9)]
    assert {id(body) for body in kept} == {id(job.spooled_body) for job in jobs}  # the journal has no other copy
    assert len({id(job.spooled_body.spool_file) for job in jobs}) == 1


BLOCKS = orjson.dumps([{"blockId": f"b{n}", "name": f"The name of block {n}"} for n in range(40)])
IMPORTANCES = orjson.dumps(
    [{"userObjectId": f"u{n}", "properties": {"code": f"c{n}", "description": "d"}} for n in range(40)]
)


@pytest.mark.parametrize(
    ("path", "media", "body"),
    [
        ("/genero/api/v1/block/postJob", "application/json", BLOCKS),
        (
            "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord",
            "application/vnd.onkey.entitycollection+json",
            IMPORTANCES,
        ),
    ],
    ids=["genero", "onkey"],
)
def test_a_sandbox_that_is_reset_frees_its_records_at_once(apis, path, media, body):
    """They are in no circle of references: large sandboxes would stay until a full collection, which is rare."""
    service = Service(apis, Options(mode="frozen"), REAL)

    def control(what, body):
        assert service.handle("POST", f"/_sandbox/sandboxes/default/{what}", JSON, body, REAL).status == 200

    def records():
        return sum(type(one) is Record for one in gc.get_objects())

    gc.collect()
    before = records()
    gc.disable()
    try:
        assert service.handle("POST", path, Headers((("Content-Type", media),)), body, REAL).status in {200, 201}
        control("clock/advance", b'{"by": "PT1H"}')
        assert records() >= before + 40
        control("reset", b"{}")
        assert records() <= before
    finally:
        gc.enable()


def test_records_of_sandboxes_that_are_idle_are_packed(apis):
    """Of those used before the last few, whatever their number; they answer as before, and are unpacked to do so."""
    service, number = Service(apis, Options(mode="frozen"), REAL), 12

    def call(n, method="GET", path="", body=b""):
        return service.handle(method, f"/@s{n}/genero/api/v1/block{path}", JSON, body, REAL)

    def held():
        return sum(type(one) is Record and type(one.body) is dict and "blockId" in one.body for one in gc.get_objects())

    with patch.object(module, "MAX_AWAKE", 3):
        for n in range(number):
            assert call(n, "POST", "/postJob", BLOCKS).status == 200
            service.handle("POST", f"/_sandbox/sandboxes/s{n}/clock/advance", JSON, b'{"by": "PT1H"}', REAL)
        gc.collect()
        assert held() <= 4 * 40
        listed = service.handle("GET", "/_sandbox/sandboxes", JSON, b"", REAL).data["sandboxes"]
        assert [one["records"] for one in listed] == [40] * number
        assert held() <= 4 * 40
        answers = [call(n).body for n in range(number)]
        assert len(set(answers)) == 1
        assert len(orjson.loads(answers[0])) == 40
        assert held() <= 4 * 40
        assert service.sandboxes.drop("s11")
        assert [call(n, "DELETE", "/b1").status for n in range(number)] == [*[204] * (number - 1), 404]


def exchange(size):
    request = Request(method="POST", path="/x", body=b"x" * size)
    return RequestContext(api=SimpleNamespace(name="toy"), api_state=None, request=request, now=FROZEN_EPOCH)


def crowd(most=MOST_BYTES):
    """Return sandboxes whose journals may take `most` bytes each, and together."""
    template = SandboxTemplate()
    template.settings["limits"] = {**template.settings["limits"], "journalBytes": most}
    return Sandboxes(template)


def sizes(sandboxes):
    return {sandbox.name: sandbox.journal.bytes for sandbox in sandboxes}


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 20_000)), max_size=80))
def test_all_journals_together_take_no_more_than_the_largest_may(calls):
    """Whoever does what: the bound is that of one journal, and who is within an equal share of it loses nothing."""
    sandboxes, told = crowd(), dict.fromkeys("abcdefgh", 0)
    with patch.object(module, "JOURNALS_STEP_BYTES", STEP_BYTES):
        for name, size in calls:
            sandbox = sandboxes.use(name, REAL)
            before = sandbox.journal.last
            sandbox.journal.record(exchange(size), Response.of(200, {}))
            told[name] += size + 2000  # more than an exchange takes beside its body
            assert sandbox.journal.last == before + 1
            assert sum(sizes(sandboxes).values()) <= MOST_BYTES + STEP_BYTES
    share = MOST_BYTES // max(1, len(sandboxes))
    within = [one for one in sandboxes if told[one.name] <= share]
    assert all(len(one.journal) == one.journal.last for one in within)


def test_the_sandbox_idle_longest_loses_its_oldest_exchanges_first():
    """What was done last is there longest, and a crowd of others takes nothing from it."""
    sandboxes = crowd()
    with patch.object(module, "JOURNALS_STEP_BYTES", STEP_BYTES):
        for name in "aaabbbc":
            sandboxes.use(name, REAL).journal.record(exchange(9 * 4000), Response.of(200, {}))
    kept = {sandbox.name: [entry.n for entry in sandbox.journal.after(0, 9)] for sandbox in sandboxes}
    assert kept == {"a": [2, 3], "b": [1, 2, 3], "c": [1]}


def test_a_journal_that_may_take_more_makes_room_for_it():
    """Who raises `limits.journalBytes` in one sandbox has that much, and keeps what it writes."""
    sandboxes = crowd()
    large = sandboxes.use("large", REAL)
    settings = {**large.settings, "limits": {**large.settings["limits"], "journalBytes": 4 * MOST_BYTES}}
    large.apply_settings(settings)
    with patch.object(module, "JOURNALS_STEP_BYTES", STEP_BYTES):
        for _ in range(20):
            sandboxes.use("large", REAL).journal.record(exchange(10_000), Response.of(200, {}))
    assert len(large.journal) == large.journal.last == 20


def test_the_path_and_the_query_count():
    """A long target takes as much as a long body."""
    sandboxes = crowd()
    journal = sandboxes.use("a", REAL).journal
    query = (("q" * 5000, "v" * 5000),)
    request = Request(method="GET", path="/" + "x" * 10_000, query=query)
    journal.record(
        RequestContext(api=SimpleNamespace(name="toy"), api_state=None, request=request, now=FROZEN_EPOCH),
        Response.of(404, {}),
    )
    assert journal.bytes > 20_000

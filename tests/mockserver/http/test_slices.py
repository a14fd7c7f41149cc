"""Long calls and jobs run in slices: others are served meanwhile, and each sandbox's calls keep their order."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.domain import slices
from mockserver.domain.slices import SlicedWork, breathe
from mockserver.engine.pipeline import run_due_jobs
from mockserver.http import service as service_module
from mockserver.http.lifecycle import new_loop, start
from mockserver.http.service import Options, Service

POST = "/genero/api/v1/customer/postJob"
CUSTOMERS = "/genero/api/v1/customer"


@pytest.fixture
def in_small_slices(monkeypatch):
    """Let every call with a body be long, and pause wherever it may."""
    monkeypatch.setattr(slices.Pausing, "seconds", 0.0)
    monkeypatch.setattr(service_module, "LONG_BODY_BYTES", 1)


class Client:
    """A connection to a server that runs in the same loop."""

    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def call(self, method, path, data=None):
        """Return status and value of a response."""
        body = b"" if data is None else json.dumps(data).encode()
        fields = ("Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join((f"{method} {path} HTTP/1.1", *fields, "", "")).encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        body = await self.reader.readexactly(length)
        return int(head.split()[1]), json.loads(body) if body else None


def running(work, **options):
    """Run `work` with a server in the same loop."""

    async def run():
        apis = [source.load() for source in find_sources(["genero"])]
        one = await start(Service(apis, Options(**options), datetime.now(UTC)))
        try:
            return await work(one)
        finally:
            await one.stop()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def customers(name, count=50):
    return [{"customerId": f"c{n}", "name": name} for n in range(count)]


@pytest.mark.usefixtures("in_small_slices")
def test_others_are_served_while_a_long_call_runs():
    """A bystander is answered before a call that began before; its own sandbox waits, and so does its control."""

    async def work(server):
        ended = []

        async def call(client, path, method="GET", data=None):
            await client.call(method, path, data)
            ended.append(path)

        paths = (f"/@busy{CUSTOMERS}/c1", "/_sandbox/sandboxes/busy", "/@idle/genero/x", "/_sandbox/health")
        async with AsyncExitStack() as opened, asyncio.TaskGroup() as group:
            poster, *others = [await opened.enter_async_context(Client(server.port)) for _ in range(5)]
            for client in others:
                await client.call("GET", "/@idle/genero/x")
                await client.call("GET", "/_sandbox/health")
            await poster.call("POST", f"/@busy{POST}", customers("a", 3000))
            group.create_task(call(poster, f"/@busy{POST}", "POST", customers("b", 3000)))
            while server.service.turns.are_free:  # noqa: ASYNC110 - it is the server's step that is waited for
                await asyncio.sleep(0)
            for client, path in zip(others, paths, strict=True):
                group.create_task(call(client, path))
        return ended

    order = running(work, mode="scaled", factor=100_000.0)
    assert set(order[:2]) == {"/@idle/genero/x", "/_sandbox/health"}
    assert order[2] == f"/@busy{POST}"


@pytest.mark.usefixtures("in_small_slices")
@pytest.mark.parametrize("seed", range(3))
def test_calls_of_a_sandbox_take_effect_one_after_the_other(seed):
    """Whatever comes at once, responses are as if the calls had come in the order in which the journal has them."""
    calls = [
        ("POST", POST, customers("a", 5 + seed)),
        ("GET", f"{CUSTOMERS}/c1", None),
        ("POST", POST, customers("b")),
        ("POST", POST, [{"customerId": "c1", "name": 7}]),
        ("GET", "/genero/api/v1/job/none", None),
    ]

    async def told(client, sandbox):
        listed = (await client.call("GET", f"/_sandbox/sandboxes/{sandbox}/exchanges?limit=1000"))[1]["exchanges"]
        every = [await client.call("GET", f"/_sandbox/sandboxes/{sandbox}/exchanges/{one['n']}") for one in listed]
        return [one for _, one in every]

    async def work(server):
        async def client_of(place):
            async with Client(server.port) as client:
                for n in range(len(calls)):
                    method, path, data = calls[(n * (seed + 1) + place) % len(calls)]
                    await client.call(method, f"/@one{path}", data)

        await asyncio.gather(*map(client_of, range(4)))
        async with Client(server.port) as client:
            first = await told(client, "one")
            for one in first:
                await client.call(one["method"], f"/@two{one['path']}", one["call"].get("body"))
            return first, await told(client, "two")

    first, second = running(work, mode="frozen")
    assert len(first) == 4 * len(calls)
    assert [one["reply"] for one in first] == [one["reply"] for one in second]


@pytest.mark.usefixtures("in_small_slices")
def test_a_job_runs_in_slices():
    """The run of a large job pauses, and ends as one that does not."""
    (api,) = [source.load() for source in find_sources(["genero"])]
    now = datetime.now(UTC)
    service = Service([api], Options(mode="frozen"), now)
    headers = Headers((("Content-Type", "application/json"),))
    sandbox = service.sandboxes.use("default", now)
    for name in ("a", "b"):
        service.handle("POST", POST, headers, json.dumps(customers(name, 3000)).encode(), now)
        work = SlicedWork(partial(run_due_jobs, sandbox, sandbox.now(now) + timedelta(days=1)))
        steps = 1
        while not work.step():
            steps += 1
        assert steps > 8
    reply = service.handle("GET", f"{CUSTOMERS}/c2999", headers, b"", now)
    assert json.loads(reply.body)["name"] == "b"


def test_work_that_fails_in_a_slice_fails(in_small_slices):
    """What sliced work raises is raised where it is run."""
    del in_small_slices

    def work():
        breathe()
        raise ValueError("no")

    sliced = SlicedWork(work)
    assert not sliced.step()
    with pytest.raises(ValueError, match="no"):
        sliced.step()

"""A sandbox server that counts the bulk requests that it answers; `GET /_counts` returns the counts.

An item is valid when the contract's schema of an item accepts it and the request was not refused as a whole; equal
items of one request count as one distinct item.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime

import orjson

from contracts.exchange.locations import find, json_of
from contracts.messages import Headers, Response
from contracts.openapi.model import Operation, Route
from contracts.openapi.routing import Router
from contracts.schemas.schema_set import Schema
from generators.requests.calls import body_schema
from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import start
from mockserver.http.service import Options, Service

try:
    import uvloop
except ImportError:  # no uvloop on this platform
    uvloop = None

COUNTS = "/_counts"


def places(operation: Operation) -> list[tuple[str, Schema]]:
    """Return the possible locations of the items of a bulk request, each with the schema of one item."""
    bulk, body = operation.bulk, body_schema(operation)
    at = [(one, body.at(one)) for one in (bulk.items.at, *bulk.items.also_at)]
    return [(one, inner.items() or inner.member("*")) for one, inner in at if inner is not None]


class Counted(Service):
    """A service that counts its requests."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.counts, self.first, self.last = Counter(), 0.0, 0.0
        self.routers = {name: Router(api.contract) for name, api in self.apis.items()}
        bulk = [one for api in self.apis.values() for one in api.contract.operations if one.bulk is not None]
        self.places = {one.id: places(one) for one in bulk}

    def find(self, raw: str, *given: object):
        if raw == COUNTS:
            told = {**self.counts, "seconds": self.last - self.first, "cpu": time.process_time()}
            self.counts, self.first = Counter(), 0.0
            return Response(status=200, headers=Headers(), body=orjson.dumps(told))
        return super().find(raw, *given)

    def play(self, place, method: str, headers: Headers, body: object, real: datetime):
        played = super().play(place, method, headers, body, real)
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.counts["calls"] += 1
        router = self.routers.get(place.api.name)
        found = router.match(method, place.target.path) if router is not None else None
        if isinstance(found, Route) and found.operation.bulk is not None and isinstance(body, bytes):
            self.count(found.operation, body, played.response)
        return played

    def count(self, operation: Operation, body: bytes, reply: Response | None) -> None:
        data = json_of(body)
        collections = ((find(data, at), schema) for at, schema in self.places[operation.id])
        items, schema = next(((one, schema) for one, schema in collections if isinstance(one, list | dict)), ((), None))
        self.counts["batches"] += 1
        self.counts["items"] += len(items)
        if reply is not None and 200 <= reply.status < 300:
            each = items.values() if isinstance(items, dict) else items
            self.counts["taken"] += 1
            valid = [one for one in each if schema is not None and schema.validator.is_valid(one)]
            self.counts["valid"] += len(valid)
            self.counts["different"] += len({orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in valid})


async def serve(names: list[str]) -> None:
    service = Counted([one.load() for one in find_sources(names)], Options(), datetime.now(UTC))
    running = await start(service)
    sys.stdout.write(f"{running.url}\n")
    sys.stdout.flush()
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    await running.stop(0)


if __name__ == "__main__":
    if uvloop is not None:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1:]))

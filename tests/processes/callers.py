"""A sandbox of one document in this process: `caller_of`."""

from datetime import UTC, datetime

import orjson

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))


def caller_of(document):
    """Return a function that sends a call, with a JSON body if there is one, and returns status and JSON."""
    service = Service([source.load() for source in find_sources((str(document),))], Options(mode="frozen"), REAL)

    def call(method, target, body=None):
        data = b"" if body is None else orjson.dumps(body)
        reply = service.handle(method, target, JSON if data else Headers(()), data, REAL)
        return reply.status, orjson.loads(reply.body) if reply.body else None

    return call

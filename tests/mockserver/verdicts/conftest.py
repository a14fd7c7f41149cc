"""A client of a sandbox inside the test process: it calls, lets time pass, and asks for the verdict."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from contracts.messages import Headers
from contracts.syntax.text import format_duration
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
TOY = Path(__file__).parent / "data" / "parcels.yaml"
_numbers = count(1)


class Client:
    """Calls one API of a frozen sandbox of its own; a call's first words are method and path below the mount."""

    def __init__(self, service, mount, headers=()):
        self.service, self.mount, self.headers = service, mount, dict(headers)
        self.sandbox = f"conduct-{next(_numbers)}"

    def call(self, method, path, body=None, media="application/json", *, mount=None, **headers):
        """Make a call; a body that is not bytes is sent as JSON. Return status, data and headers."""
        fields = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None:
            fields["Content-Type"] = media
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target = f"/@{self.sandbox}{mount or self.mount}{path}"
        return self.service.handle(method, target, Headers(fields.items()), data, REAL)

    def control(self, method, what, body=None):
        """Make a control call and return its data."""
        data = b"" if body is None else json.dumps(body).encode()
        fields = Headers((("Content-Type", "application/json"),))
        reply = self.service.handle(method, f"/_sandbox/sandboxes/{self.sandbox}/{what}", fields, data, REAL)
        assert reply.status < 300, reply.body
        return reply.data

    def wait(self, **length):
        """Let time pass: `minutes=5`."""
        self.control("POST", "clock/advance", {"by": format_duration(timedelta(**length))})

    def scenario(self, *rules, name="bad-day"):
        """Make a bad day of these rules."""
        self.control("PUT", "scenarios", {"scenarios": [{"name": name, "summary": "A bad day.", "rules": list(rules)}]})

    def entry(self, n):
        """Return an exchange as the journal keeps it."""
        return self.service.sandboxes.use(self.sandbox, REAL).journal.get(n)

    def judged(self, law, api):
        """Return what the verdict says of one law."""
        laws = self.control("GET", "verdict")["laws"]
        return next(one for one in laws if (one["id"], one["api"]) == (law, api))


@cache
def _service(name):
    return Service([source.load() for source in find_sources([name])], Options(mode="frozen"), REAL)


@pytest.fixture
def genero():
    """Return a client of Genero that speaks for every tenant."""
    return Client(_service("genero"), "/genero/api/v1")


@pytest.fixture
def onkey():
    """Return a client of On Key's data set."""
    return Client(_service("onkey"), "/onkey/api/tenants/contoso/sandbox/modules")


@pytest.fixture
def parcels():
    """Return a client of an API that is given only as a document."""
    return Client(_service(str(TOY)), "/parcels")

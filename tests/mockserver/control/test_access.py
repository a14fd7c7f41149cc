"""Who may call the control API: own pages and names, on this machine or with the token; mocked APIs stay open."""

import asyncio
from datetime import UTC, datetime
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.control.access import allowed_hosts, is_loopback
from mockserver.http.lifecycle import start
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)
RESET = ("POST", "/_sandbox/sandboxes/default/reset")
JOURNAL = ("GET", "/_sandbox/sandboxes/default/exchanges")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def apis():
    return [source.load() for source in find_sources(("genero",))]


def ask(apis, method, path, fields, **options):
    service = Service(apis, Options(**options), REAL)
    return service.handle(method, path, Headers(tuple(fields.items())), b"", REAL)


@pytest.mark.parametrize("call", [RESET, JOURNAL], ids=["reset", "journal"])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:8080"}, 200),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "team.localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "127.0.0.2"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8080"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "192.168.1.5:8080"}, 403),
        ({"Host": "[fe80::1]:8080"}, 403),
        ({"Host": "team.example"}, 200),
        ({"Host": "team.example:99"}, 200),
        ({"Host": "narrow.example:81"}, 200),
        ({"Host": "narrow.example:82"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}, 200),
        ({"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:3000"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://localhost:8080"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080@evil.example"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "null"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": ""}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://["}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "https://team.example"}, 200),
    ],
)
def test_only_own_names_and_pages_are_admitted(apis, call, fields, status):
    """A foreign host name (DNS rebinding) and a page of a foreign origin get 403, for reading and for changing."""
    allowed = allowed_hosts(EVERYWHERE, ("Team.example", "narrow.example:81"))
    answer = ask(apis, *call, JSON | fields, hosts=allowed)
    assert answer.status == status, answer.body
    if status == 403:
        assert b"--allowed-host" in answer.body


@pytest.mark.parametrize("media", ["", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        RESET,
        ("POST", "/_sandbox/sandboxes/default/clock/advance"),
        ("PUT", "/_sandbox/sandboxes/default/scenarios"),
        ("PATCH", "/_sandbox/sandboxes/default/settings"),
        ("DELETE", "/_sandbox/sandboxes/default"),
        ("DELETE", "/_sandbox/sandboxes/default/exchanges"),
    ],
)
def test_what_a_form_could_send_changes_nothing(apis, method, path, media):
    """A browser sends such a request to any origin without asking: JSON is asked for, without a body too."""
    answer = ask(apis, method, path, {"Content-Type": media} if media else {})
    assert answer.status == 415
    assert b"application/json" in answer.body


def test_health_and_contracts_are_open(apis):
    """Load balancers know no host names, and what is mocked is no secret; so is a mocked API itself."""
    foreign = {"Host": "lb.example", "Origin": "http://page.example"}
    for path in ("/_sandbox/health", "/_sandbox/ready", "/_sandbox/openapi.json", "/genero/openapi.json"):
        assert ask(apis, "GET", path, foreign).status == 200
    assert ask(apis, "GET", "/genero/api/v1/block/none", foreign).status in {401, 404}


@pytest.mark.parametrize(
    ("token", "host", "status"), [("", EVERYWHERE, 403), ("s3cret", EVERYWHERE, 200), ("", "127.0.0.1", 200)]
)
def test_beyond_loopback_the_control_api_needs_a_token(apis, monkeypatch, token, host, status):
    """Without one it answers this machine only, and says so to clients elsewhere."""
    monkeypatch.setattr("mockserver.http.server.is_loopback", lambda _: False)  # every client is elsewhere

    async def asked():
        running = await start(Service(apis, Options(control_token=token), datetime.now(UTC)), host=host)
        try:
            return await asyncio.to_thread(both, running.port), running.server.local_control
        finally:
            await running.stop(1.0)

    def both(port):
        guard = {"Authorization": f"Bearer {token}"} if token else {}
        return [call(port, path, guard) for path in ("/_sandbox/sandboxes", "/_sandbox/health", "/genero/openapi.json")]

    def call(port, path, fields):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path, headers=fields)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        return SimpleNamespace(status=reply.status, body=body)

    (sandboxes, *public), is_local = asyncio.run(asked())
    assert is_local == (status == 403)
    assert sandboxes.status == status
    assert status == 200 or b"--control-token" in sandboxes.body
    assert [one.status for one in public] == [200, 200]


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("", False),
        (EVERYWHERE, False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("::2", False),
        ("127.1", False),
    ],
)
def test_what_is_loopback(host, is_own):
    """Addresses and names as RFC 6761 has them; no lookup is made."""
    assert is_loopback(host) == is_own

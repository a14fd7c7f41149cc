"""Sending calls over HTTP: to any server in real time, and to a sandbox whose clock moves."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from http_servers import served

from contracts.errors import MisuseError
from contracts.messages import ABSENT, Headers, Request
from contracts.openapi.loading import load, load_bundled
from contracts.schemas.equality import with_integers
from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.client import http
from generators.client.environments import SandboxClient, TargetOptions, as_served, connect
from generators.client.http import HttpClient, NoAnswerError, RateLimit, base_url_of
from generators.client.session import Budget

GENERO = load_bundled("genero")


WRITTEN = ("1.0", "-1.0", "1.00", "1e0", "1E+2", "12e-1", "1.5e1", "1.0e0", "1.25", "0.10", "-0.0", "10")
TEXTS = ("1.0", "5e5", "2026-01-01T00:00:00.000Z", "a,1.0,b", "00000000-0000-0e00-0000-0000000000e0")


@pytest.mark.parametrize(
    "form", ["{}", " {} ", "[{}]", '[1,{},"x"]', '{{"a":{}}}', '{{"a" : {} , "b":[]}}', "[\n{}\n]"]
)
def test_numbers_that_are_integers_are_read_as_integers(form):
    """However a number is written, and wherever it stands, its value decides; texts are left as they are."""
    for value in (*WRITTEN, *map(json.dumps, TEXTS)):
        text = form.format(value)
        response = http.response_of(200, Headers((("Content-Type", "application/json"),)), text.encode())
        assert repr(response.data) == repr(with_integers(json.loads(text))), text


class Echo(BaseHTTPRequestHandler):
    """Tells what it was asked; `/drop` closes the connection, `/last` closes it after the answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.endswith("/drop"):
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length", 0))
        told = f'{{"path": "{self.path}", "from": {self.client_address[1]}, "mark": "{self.headers.get("Mark", "")}"}}'
        body = told.encode() if not self.path.endswith("/text") else b"plain"
        self.rfile.read(length)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path.endswith("/last")


def get(path, **more):
    return Request(method="GET", path=path, **more)


def test_calls_go_out_as_they_are_and_replies_come_back_whole():
    """Path, query and headers are sent, the caller's too unless the call has its own; header fields keep order."""
    with served(Echo) as url:
        client = HttpClient(f"{url}/base/", headers={"Mark": "caller"})
        reply = client.send(get("/a%2Fb", query=(("q", "å&="), ("q", "2"))))
        assert reply.data["path"] == "/base/a%2Fb?q=%C3%A5%26%3D&q=2"
        assert reply.data["mark"] == "caller"
        assert client.send(get("/x", headers=Headers((("mark", "call"),)))).data["mark"] == "call"
        assert reply.headers.get_all("set-cookie") == ("a=1", "b=2")
        assert client.send(get("/text")).data is ABSENT
        client.close()


def test_one_connection_serves_many_calls():
    """The connection is kept, and opened anew when the server has closed it, without sending anything twice."""
    with served(Echo) as url:
        client = HttpClient(url)
        ports = [client.send(get(path)).data["from"] for path in ("/1", "/2", "/last", "/3", "/4")]
        assert ports[0] == ports[1] == ports[2] != ports[3] == ports[4]
        client.close()


@pytest.mark.parametrize("path", ["/drop"])
def test_a_dropped_connection_is_no_answer(path):
    """What is no whole response is told, and the next call works again."""
    with served(Echo) as url:
        client = HttpClient(url)
        with pytest.raises(NoAnswerError, match=r"GET http://127.0.0.1:\d+/drop: "):
            client.send(get(path))
        assert client.send(get("/1")).status == 200
        client.close()


def test_nobody_there_is_no_answer():
    """A port that nobody listens on gives one sentence."""
    with pytest.raises(NoAnswerError, match="refused"):
        HttpClient("http://127.0.0.1:9").send(get("/"))


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_url_is_misuse(url):
    """A slip in the URL is told before anything is sent."""
    with pytest.raises(MisuseError, match=r"http://HOST:PORT"):
        HttpClient(url)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://x:1", "http://x:1/genero"),
        ("http://x:1/", "http://x:1/genero"),
        ("http://x:1/genero/", "http://x:1/genero"),
        ("http://x:1/@mine", "http://x:1/@mine/genero"),
        ("http://x:1/v2", "http://x:1/v2/genero"),
    ],
)
def test_the_mount_is_added_to_the_root_of_a_server(url, base):
    """A URL that ends with the contract's mount already is taken as it is."""
    assert base_url_of(GENERO, url) == base


def test_another_server_is_waited_for_in_real_time():
    """A server without our control API has no clock to be moved."""
    with served(Echo) as url:
        client = connect(GENERO, TargetOptions(url=url))
        assert isinstance(client, HttpClient)
        before = datetime.now(UTC)
        client.advance(timedelta(milliseconds=20))
        assert client.now() - before >= timedelta(milliseconds=20)
        client.close()


def test_a_sandbox_is_known_by_its_control_api(serving):
    """Its clock moves ahead of real time, in the sandbox that the URL or the header names, and in no other."""
    client = serving("genero")
    by_url = connect(GENERO, TargetOptions(url=f"{client.running.url}/@{client.sandbox}"))
    by_header = connect(GENERO, TargetOptions(url=client.running.url, headers={"sandbox": client.sandbox}))
    elsewhere = connect(GENERO, TargetOptions(url=client.running.url))
    assert [one.sandbox for one in (by_url, by_header, elsewhere)] == [client.sandbox, client.sandbox, "default"]
    assert isinstance(by_url, SandboxClient)
    client.control("PUT", "clock", {"mode": "frozen", "now": "2026-01-01T00:00:00Z"})
    by_url.advance(timedelta(hours=1))
    by_header.advance(timedelta(minutes=1))
    assert client.control("GET", "clock").data["now"].startswith("2026-01-01T01:01:00")
    assert by_url.now() - datetime.now(UTC) > timedelta(minutes=59)
    for one in (by_url, by_header, elsewhere):
        one.close()


def test_a_sandbox_that_asks_for_credentials_gets_made_up_ones(serving, tmp_path):
    """Where a document declares security and no credentials are given, its sandbox still serves every request."""
    file = tmp_path / "safe.json"
    key = {"type": "apiKey", "in": "query", "name": "key"}
    answer = {"responses": {"200": {"description": ""}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Safe", "version": "1"},
        "paths": {"/key": {"get": answer}, "/open": {"get": {**answer, "security": []}}},
        "components": {"securitySchemes": {"key": key}},
        "security": [{"key": []}],
    }
    file.write_text(json.dumps(document))
    running = serving(file).running
    contract = load(file)
    client = connect(contract, TargetOptions(url=running.url))
    assert [client.send(get(path)).status for path in ("/key", "/open")] == [200, 200]
    given = connect(contract, TargetOptions(url=running.url, headers={"Authorization": "Bearer mine"}))
    assert [given.send(get(path)).status for path in ("/key", "/open")] == [401, 200]
    client.close()
    given.close()


def test_laws_hold_over_the_wire(serving):
    """The same checks work over HTTP, with nothing but a URL."""
    client = serving("genero")
    client = connect(GENERO, TargetOptions(url=f"{client.running.url}/@{client.sandbox}"))
    only = ["isolated", "singular", "job-progress", "response", "postJob", "jobStatus"]
    events = list(run_checks(GENERO, client, only=only, budget=Budget(seconds=100)))
    client.close()
    assert [event.finding.says for event in events if isinstance(event, FindingFound)] == []
    assert {event.answer.word for event in events if isinstance(event, LawAnswered)} == {"passed"}


ROOT_API = """
openapi: 3.1.0
info: {title: %s, version: '1'}
paths:
  /%s/{id}:
    get:
      operationId: read
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: It.}}
    put:
      operationId: put
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {'200': {description: It.}}
"""


@pytest.mark.parametrize("names", [("pets",), ("pets", "cats")])
@pytest.mark.parametrize("place", ["", "/", "/@mine", "/pets", "/@mine/pets", "/@mine/pets/"])
def test_serve_and_its_clients_agree_where_an_api_is(serving, tmp_path, names, place):
    """The URL of the server or of the API, with a sandbox or without: an API without a path is found there."""
    if len(names) == 1 and "pets" in place:
        pytest.skip("nothing is served there")
    files = [tmp_path / f"{name}.yaml" for name in names]
    for file in files:
        file.write_text(ROOT_API % (file.stem, file.stem), encoding="utf-8")
    running = serving(*files).running
    contract = as_served(load(files[0]), TargetOptions(url=running.url + place))
    assert contract.mount == ("" if len(names) == 1 else "/pets")
    client = connect(contract, TargetOptions(url=running.url + place))
    assert isinstance(client, SandboxClient)
    assert client.sandbox == ("mine" if "@" in place else "default")
    assert client.base == f"{running.url}{'/@mine' if '@' in place else ''}{contract.mount}"
    client.close()


def test_a_rate_limit_spaces_requests(monkeypatch):
    """At most so many a second, whoever sends them; time that was not used is not made up for."""
    now, waits = [100.0], []
    monkeypatch.setattr(http, "monotonic", lambda: now[0])
    monkeypatch.setattr(http, "sleep", waits.append)
    limit = RateLimit(4)
    for at, wait in ((100.0, None), (100.0, 0.25), (100.0, 0.5), (100.5, 0.25), (109.0, None), (109.125, 0.125)):
        now[0] = at
        limit.wait()
        assert waits == ([] if wait is None else [wait])
        waits.clear()


def test_clients_of_a_host_share_its_rate(monkeypatch):
    """Two clients with the same limit wait for one another; one without does not wait."""
    waits = []
    monkeypatch.setattr(http, "sleep", waits.append)
    with served(Echo) as url:
        for rate in (0.001, 0.001, 0):
            client = HttpClient(url, rate=rate)
            client.send(get("/x"))
            client.close()
    assert len(waits) == 1

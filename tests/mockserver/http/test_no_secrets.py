"""A secret that was given is in nothing that the server keeps, sends or prints."""

import json
import os
import re
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest
from children import module

CONTROL = "control-s3cret-71c2"
BEARER = "bearer-s3cret-9f40"
PASSWORD = "password-s3cret-55aa"
KEY = "key-s3cret-0b1d"
COOKIE = "cookie-s3cret-e6e6"
SECRETS = (CONTROL, BEARER, PASSWORD, KEY, COOKIE)
FIELDS = {"Authorization": f"Bearer {BEARER}", "Cookie": f"session={COOKIE}", "Content-Type": "application/json"}
CALLS = [
    ("POST", "/genero/api/v1/token", {"Content-Type": "application/json"}, {"username": "u", "password": PASSWORD}),
    ("POST", "/genero/api/v1/block/postJob", FIELDS, [{"blockId": "b1", "name": "One"}]),
    ("POST", "/genero/api/v1/block/postJob", FIELDS, b"{not json"),
    ("GET", "/genero/api/v1/none", FIELDS, None),
    ("GET", "/genero/api/v1/block", FIELDS, None),
    ("GET", f"/kept/a?api_key={KEY}", {**FIELDS, "X-API-Key": KEY}, None),
    ("GET", f"/kept/b?api_key={KEY}", {"X-API-Key": KEY}, None),
    ("GET", "/_sandbox/sandboxes", {"Authorization": "Bearer wrong"}, None),
]
KEPT = {
    "openapi": "3.1.0",
    "info": {"title": "Kept", "version": "1"},
    "servers": [{"url": "/kept"}],
    "components": {
        "securitySchemes": {
            "head": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "query": {"type": "apiKey", "in": "query", "name": "api_key"},
        }
    },
    "paths": {
        f"/{name}": {"get": {"security": [{scheme: []}], "responses": {"200": {"description": "It."}}}}
        for name, scheme in (("a", "head"), ("b", "query"))
    },
}


def ask(port, method, path, fields=None, body=None):
    """Send a request and return all that comes back, head and body."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, data, fields or {})
    reply = connection.getresponse()
    text = f"{reply.status} {reply.getheaders()} {reply.read().decode('utf-8', 'replace')}"
    connection.close()
    return text


def told(port):
    """Yield all that the control API tells, by its path."""
    fields = {"Authorization": f"Bearer {CONTROL}", "Content-Type": "application/json"}
    root = "/_sandbox/sandboxes/default"
    paths = ["/metrics", "/_sandbox/sandboxes", "/_sandbox/apis", "/_sandbox/scenarios", "/_sandbox/health"]
    paths += [f"{root}/{one}" for one in ("exchanges", "jobs", "settings", "scenarios", "clock", "verdict")]
    paths += [f"{root}/verdict?format={form}" for form in ("json", "junit", "sarif", "html")]
    paths += [f"{root}/snapshot", f"{root}/entities/genero/block"]
    listed = json.loads(ask(port, "GET", f"{root}/exchanges", fields).partition(")] ")[2])["exchanges"]
    assert len(listed) >= 7
    for one in listed:
        paths += [
            f"{root}/exchanges/{one['n']}{form}" for form in ("", "/as/curl", "/as/pytest", "/as/http", "/as/har")
        ]
    for path in paths:
        yield path, ask(port, "GET", path, fields)
    yield "an error", ask(port, "PUT", f"{root}/clock", fields, {"mode": "none"})
    yield "no JSON", ask(port, "PUT", f"{root}/clock", fields, b"{")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_kept_told_or_printed(tmp_path, form):
    """Journal, exports, verdicts, metrics, snapshot, errors, log, store and command line have none of them."""
    (tmp_path / "kept.json").write_text(json.dumps(KEPT))
    store = tmp_path / "sandbox.db"
    words = ["serve", "genero", tmp_path / "kept.json", "--port", "0", "--log", "--log-format", form, "--store", store]
    environment = {**os.environ, "BULKPROOF_CONTROL_TOKEN": CONTROL, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": environment}
    with module("mockserver", *words, **pipes) as server:
        printed = ""
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)/_sandbox", printed)) is None:
            line = server.stdout.readline()
            assert line, printed
            printed += line
        port = int(found[1])
        for call in CALLS:
            ask(port, *call)
        everything = dict(told(port))
        title = Path(f"/proc/{server.pid}/cmdline")
        everything["the command line"] = title.read_text() if title.exists() else ""
        server.terminate()
        everything["what it printed"] = printed + server.stdout.read()
    everything |= {one.name: one.read_bytes().decode("latin-1") for one in tmp_path.iterdir() if one.is_file()}
    assert {(place, one) for place, text in everything.items() for one in SECRETS if one in text} == set()


LONG = {"type": "string", "maxLength": 4}
LOGIN = {
    "openapi": "3.1.0",
    "info": {"title": "Login", "version": "1"},
    "paths": {
        "/login": {
            "post": {
                "operationId": "login",
                "parameters": [
                    {"name": "api_key", "in": "query", "schema": LONG},
                    {"name": "X-API-Key", "in": "header", "schema": LONG},
                    {"name": "session", "in": "cookie", "schema": LONG},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "password": LONG,
                                    "inner": {"type": "object", "properties": {"access_token": {"type": "integer"}}},
                                    "whole": {"type": "string"},
                                },
                            }
                        }
                    }
                },
                "responses": {"200": {"description": "It."}, "422": {"description": "No."}},
            }
        }
    },
}
WRONG = [
    ("/login", {}, {"password": PASSWORD}),
    ("/login", {}, {"inner": {"access_token": PASSWORD}}),
    ("/login", {}, {"whole": {"password": PASSWORD}}),
    (f"/login?api_key={KEY}", {}, {}),
    ("/login", {"X-API-Key": KEY}, {}),
    ("/login", {"Cookie": f"session={COOKIE}"}, {}),
]
CONDITIONS = [
    {"header": {"Authorization": "Bearer other"}},
    {"header": {"X-API-Key": "other"}},
    {"header": {"Cookie": "session=other"}},
    {"query": {"api_key": "other"}},
    {"body": [{"pointer": "/password", "test": {"equals": "other"}}]},
    {"body": [{"pointer": "/whole", "test": {"equals": "other"}}]},
]


@pytest.fixture
def login(serving, tmp_path):
    """Return a client of a document whose requests can be wrong in each place that has secrets."""
    (tmp_path / "login.json").write_text(json.dumps(LOGIN))
    return serving(tmp_path / "login.json", mode="frozen")


def shown(client):
    """Return all that the journal of a client's sandbox shows, as text."""
    listed = client.control("GET", "exchanges").data["exchanges"]
    paths = [f"exchanges/{one['n']}{form}" for one in listed for form in ("", "/as/curl", "/as/pytest", "/as/scenario")]
    return [client.control("GET", path).body.decode() for path in ("exchanges", "verdict", *paths)]


@pytest.mark.parametrize(("path", "fields", "body"), WRONG)
def test_what_is_wrong_with_a_secret_is_told_without_it(login, path, fields, body):
    """The place and the rule are, and the value is hidden; the client is told what it sent."""
    assert login.call("POST", path, body, fields).status == 422
    texts = shown(login)
    assert "***" in texts[2]
    assert [one for one in texts if any(secret in one for secret in SECRETS)] == []


@pytest.mark.parametrize("when", CONDITIONS, ids=str)
def test_a_rule_that_nearly_matched_is_told_without_secrets(login, when):
    """It says what it wanted, and hides what came."""
    rule = {"when": when, "then": {"status": 503}}
    assert login.control("PUT", "scenarios", {"scenarios": [{"name": "own", "rules": [rule]}]}).status == 200
    body = {"password": PASSWORD, "whole": {"password": PASSWORD}}
    fields = {"Authorization": f"Bearer {BEARER}", "X-API-Key": KEY, "Cookie": f"session={COOKIE}"}
    login.call("POST", f"/login?api_key={KEY}", body, fields)
    texts = shown(login)
    assert "***" in texts[2]
    assert '"unmet":[' in texts[2]
    assert [one for one in texts if any(secret in one for secret in SECRETS)] == []

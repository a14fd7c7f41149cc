"""Recorded exchanges as something to paste: what is pasted gives the recorded answer."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from http.client import HTTPConnection, RemoteDisconnected
from urllib.parse import urlsplit

import pytest

ONKEY = "/onkey/api/tenants/contoso/sandbox/modules"
COLLECTION = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
BLOCKED = {
    "name": "blocked",
    "summary": "The record DEF fails once.",
    "rules": [
        {
            "when": {"operation": "batchCreate"},
            "items": {"where": {"properties.code": "DEF"}},
            "then": {"fail": {"code": "Sandbox_BusinessRule", "message": 'It\'s "blocked" at 5 % €'}},
            "times": 1,
        }
    ],
}


@pytest.fixture
def client(serving):
    return serving("genero", "onkey")


def paste(client, n, form, **headers):
    reply = client.control("GET", f"exchanges/{n}/as/{form}", headers=headers or None)
    assert reply.status == 200, reply.body
    return reply.body.decode()


def run_shell(script, cwd, **env):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    return run(["sh", "-eu"], cwd, env, input=script)


def run_pytest(module, cwd, **env):
    file = cwd / "test_pasted.py"
    file.write_text(module)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "-c", os.devnull, str(file)]
    run(words, cwd, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env})


def run(words, cwd, env, **options):
    surroundings = {**os.environ, **env}
    done = subprocess.run(words, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_requests(text, cwd):
    """Send the requests of an `.http` file and return the last reply's body."""
    del cwd
    said = b""
    for part in text.split("\n###")[1:]:
        head, _, body = part.partition("\n")[2].partition("\n\n")
        first, *fields = head.strip().split("\n")
        method, url, _ = first.split(" ")
        place = urlsplit(url)
        connection = HTTPConnection(place.netloc, timeout=10)
        headers = dict(field.split(": ", 1) for field in fields)
        connection.request(method, f"{place.path}?{place.query}", body.strip().encode() or None, headers)
        said = connection.getresponse().read()
        connection.close()
    return said.decode()


def bad_day(client):
    """Fail a record, send it again on a clock that moves, and read both; return the number of the last exchange."""
    client.control("PUT", "clock", {"mode": "frozen", "now": "2026-05-04T03:02:01Z"})
    client.control("PUT", "scenarios", {"scenarios": [BLOCKED]})
    records = [{"userObjectId": f"it's {code}", "properties": {"code": code}} for code in ("ABC", "DEF")]
    client.call("POST", f"{ONKEY}/res/trades/batch?mode=PerRecord", records, COLLECTION)
    client.control("POST", "clock/advance", {"by": "PT1H"})
    client.call("POST", f"{ONKEY}/res/trades/batch?mode=PerRecord", records[1:], COLLECTION)
    client.call("GET", f"{ONKEY}/res/trades?$filter=code+eq+'DEF'")
    return 3


def recorded(client, n):
    return client.control("GET", f"exchanges/{n}").data["reply"]["body"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_pasted_script_gives_the_recorded_answer(client, tmp_path, n):
    """The script makes a sandbox with the same seed, clock and scenarios, and what came before; twice the same."""
    bad_day(client)
    script = paste(client, n, "curl")
    assert json.loads(run_shell(script, tmp_path)) == recorded(client, n)
    assert json.loads(run_shell(script, tmp_path)) == recorded(client, n)


@pytest.mark.slow
def test_a_pasted_test_passes(client, tmp_path):
    """The test asserts the recorded status and answer, and leaves the sandbox that it came from alone."""
    n = bad_day(client)
    run_pytest(paste(client, n, "pytest"), tmp_path)
    assert len(client.control("GET", "exchanges").data["exchanges"]) == n


def test_pasted_requests_give_the_recorded_answer(client, tmp_path):
    """The requests of an editor's file do the same."""
    n = bad_day(client)
    assert json.loads(run_requests(paste(client, n, "http"), tmp_path)) == recorded(client, n)


def test_an_archive_holds_the_exchange(client):
    """HAR 1.2 with what was sent and answered; its request can be sent as it stands."""
    n = bad_day(client)
    log = json.loads(paste(client, n, "har"))["log"]
    (entry,) = log["entries"]
    assert (log["version"], entry["request"]["method"], entry["response"]["status"]) == ("1.2", "GET", 200)
    assert json.loads(entry["response"]["content"]["text"]) == recorded(client, n)
    assert entry["_bulkproof"]["scenarios"] == [BLOCKED]
    target = entry["request"]["url"].partition(f":{client.running.port}")[2]
    assert client.send("GET", target).data == recorded(client, n)


def test_a_body_too_large_to_keep_is_named(client, tmp_path):
    """Where the journal kept only a digest, the script says which body to put beside it, and then works."""
    blocks = [{"blockId": str(n), "name": "x" * 40} for n in range(2000)]
    body = json.dumps(blocks).encode()
    reply = client.call("POST", "/genero/api/v1/block/postJob", body, {"Content-Type": "application/json"})
    script = paste(client, 1, "curl")
    assert sha256(body).hexdigest() in script
    (tmp_path / "exchange-1.body").write_bytes(body)
    assert json.loads(run_shell(script, tmp_path)) == reply.data
    run_pytest(paste(client, 1, "pytest"), tmp_path)


def test_bytes_that_are_no_text_are_sent_as_they_were(client, tmp_path):
    """A body that is not UTF-8 gets the same refusal again."""
    headers = {"Content-Type": "application/json"}
    reply = client.call("POST", "/genero/api/v1/block/postJob", b'[{"blockId": "\xff\x00"}]', headers)
    assert reply.status == 400
    assert json.loads(run_shell(paste(client, 1, "curl"), tmp_path)) == reply.data
    run_pytest(paste(client, 1, "pytest"), tmp_path)


@pytest.mark.slow
def test_hidden_credentials_are_asked_for(serving, tmp_path):
    """What was hidden is not in the paste; with the token set, the call is who it was."""
    client = serving("genero")
    client.control("PATCH", "settings", {"auth": "strict"})
    client.call("GET", "/genero/api/v1/block", headers={"Authorization": "Bearer sandbox-single"})
    script = paste(client, 1, "curl")
    assert "sandbox-single" not in script
    assert json.loads(run_shell(script, tmp_path, TOKEN="sandbox-single")) == []
    assert json.loads(run_shell(script, tmp_path, TOKEN=""))["status"] == 401
    run_pytest(paste(client, 1, "pytest"), tmp_path, TOKEN="sandbox-single")


def test_a_guarded_server_is_set_up_with_its_token(serving, tmp_path):
    """Where control calls need a token, so do those that are pasted; the token itself is not in them."""
    client = serving("genero", control_token="s3cret")
    client.call("GET", "/genero/api/v1/block")
    for form, pasted in (("curl", run_shell), ("pytest", run_pytest)):
        text = paste(client, 1, form, Authorization="Bearer s3cret")
        assert "s3cret" not in text
        pasted(text, tmp_path, BULKPROOF_CONTROL_TOKEN="s3cret")


def test_a_reply_that_was_cut_off_is_cut_off_again(client, tmp_path):
    """The test of such an exchange passes when no whole reply arrives."""
    rule = {"when": {"operation": "listEntities"}, "then": {"fault": "EMPTY_RESPONSE"}}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "cut", "summary": "Cut.", "rules": [rule]}]})
    with pytest.raises(RemoteDisconnected):
        client.call("GET", "/genero/api/v1/block")
    text = paste(client, 1, "pytest")
    told = "What the client got: no response, the connection was closed (EMPTY_RESPONSE)."
    assert all(told in " ".join(paste(client, 1, form).replace("#", "").split()) for form in ("curl", "http", "har"))
    assert "EMPTY_RESPONSE" in text
    run_pytest(text, tmp_path)


def test_an_unknown_form_is_refused(client):
    """What can be pasted is one of five things."""
    client.call("GET", "/genero/api/v1/block")
    assert client.control("GET", "exchanges/1/as/word").status in {400, 404}
    assert client.control("GET", "exchanges/2/as/curl").status == 404

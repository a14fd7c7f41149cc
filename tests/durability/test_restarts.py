"""What a restart finds: sandboxes go on as if there had been none, whatever was changed beside calls."""

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from children import HANGS, module, run

from contracts.errors import MisuseError
from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.recovery import open_service
from mockserver.http.service import Options
from mockserver.scenarios.loading import load

THINGS = Path(__file__).parents[1] / "mockserver" / "http" / "data" / "things.yaml"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TYPE = Headers((("Content-Type", "application/json"),))
BOXES = "/_sandbox/sandboxes/default/entities/things/boxes"


@cache
def apis():
    return [source.load() for source in find_sources([str(THINGS)])]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox.db"


def call(service, method, target, body=None, now=NOW):
    return service.handle(method, target, TYPE, b"" if body is None else json.dumps(body).encode(), now)


def post(service, *names, sandbox="default"):
    return call(service, "POST", f"/@{sandbox}/things/boxes", [{"id": name} for name in names])


@contextmanager
def opened(path, served=None, **options):
    """Yield a server that is killed at the end."""
    service = open_service(served or apis(), Options(**options), path, NOW)
    try:
        yield service
    finally:
        service.log.file.close()


def total(service):
    return call(service, "GET", BOXES).data.get("total")


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_process_goes_on_where_it_ended(path, end):
    """Its records, jobs and exchanges are there, and a job ends at its time by the clock."""
    with served(path) as (process, url):
        fetch(url, "POST", "/things/boxes", [{"id": "a"}])
        _, _, fields = fetch(url, "POST", "/things/boxes/jobs", [{"id": "b"}])
        job = fields["Location"]
        before = [fetch(url, "GET", f"/_sandbox/sandboxes/default/{what}")[1] for what in ("jobs", "exchanges")]
        process.send_signal(end)
        assert process.wait(HANGS) == (0 if end == signal.SIGTERM else -end)
    with served(path, "--log") as (process, url):
        after = [fetch(url, "GET", f"/_sandbox/sandboxes/default/{what}")[1] for what in ("jobs", "exchanges")]
        assert after == before
        fetch(url, "POST", "/_sandbox/sandboxes/default/clock/advance", {"by": "PT1M"})
        assert fetch(url, "GET", job)[1]["state"] == "FINE"
        assert 'bulkproof_requests_total{api="things",operation="createBoxes"' not in fetch(url, "GET", "/metrics")[1]


@contextmanager
def served(path, *options):
    """Yield a process that serves from a file, and its URL."""
    words = ("serve", "--port", "0", "--store", path, "--clock", "frozen", *options, THINGS)
    with module("mockserver", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = []
        while not lines or not lines[-1].strip().startswith("curl"):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        assert f"  store     {path}\n" in lines
        yield process, re.search(r"http://[^/]*", "".join(lines))[0]


def fetch(url, method, path, body=None):
    """Return status, value and fields."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=HANGS)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), dict(TYPE.pairs))
        answer = connection.getresponse()
        content = answer.read().decode()
        return answer.status, json.loads(content) if content.startswith(("{", "[")) else content, answer.headers
    finally:
        connection.close()


def test_sync_without_store_is_refused():
    """An option that has no effect is a mistake."""
    ended = run([sys.executable, "-m", "mockserver", "serve", "--sync", "normal", THINGS])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--sync says how --store writes, and there is no --store." in ended.stderr


def test_a_changed_contract_is_served_to_stored_records(path):
    """What was called under the one before is stored before the change; a kill afterwards finds the new one."""
    changed = replace(apis()[0], contract=replace(apis()[0].contract, mount="/v2"))
    with opened(path) as service:
        post(service, "a")
        service.adopt(changed)
    with opened(path) as service:  # nothing has been served by the new one yet
        assert total(service) == 1
        service.adopt(changed)
        assert call(service, "POST", "/v2/boxes", [{"id": "b"}]).status == 200
    with pytest.raises(MisuseError, match="another contract of things"), opened(path):
        pass
    with opened(path, [changed]) as service:
        assert total(service) == 2


def test_a_changed_scenario_is_active_after_a_kill(path):
    """A file of a scenario that is watched changes sandboxes beside all calls."""
    scenario = {"name": "busy", "rules": [{"then": {"status": 503}}]}
    with opened(path) as service:
        call(service, "PUT", "/_sandbox/sandboxes/default/scenarios", {"scenarios": [scenario]})
        assert post(service, "a").status == 503
        changed = load({"name": "busy", "rules": [{"then": {"status": 429}}]})
        with service.changing():  # as `watch_scenarios` does
            service.sandboxes.template.catalogue.add(changed)
            for sandbox in service.sandboxes:
                sandbox.player.replace(changed)
        assert post(service, "a").status == 429
        options = {"catalogue": service.sandboxes.template.catalogue}
    with opened(path, **options) as service:
        assert post(service, "a").status == 429


def test_dropped_and_evicted_sandboxes_do_not_come_back(path):
    """Their calls and checkpoints are gone with them."""
    with opened(path, max_sandboxes=2) as service:
        for name in ("one", "two"):
            post(service, "a", sandbox=name)
            service.log.checkpoint(service.sandboxes.get(name))
            post(service, "b", sandbox=name)
        assert call(service, "DELETE", "/_sandbox/sandboxes/one").status == 204
        call(service, "POST", "/@three/things/boxes", [{"id": "a"}])
        call(service, "POST", "/@four/things/boxes", [{"id": "a"}], LATER)
    with opened(path, max_sandboxes=1) as service:  # fewer than there are: none is evicted until there is a new one
        assert sorted(one.name for one in service.sandboxes) == ["four", "three"]


def test_a_control_token_may_change(path):
    """Calls of the control API are stored without the token that admitted them."""
    secret = Headers((*TYPE.pairs, ("Authorization", "Bearer first-token")))
    with opened(path, control_token="first-token") as service:
        answer = service.handle("PATCH", "/_sandbox/sandboxes/default/settings", secret, b'{"strict": true}', NOW)
        assert answer.status == 200
        refused = call(service, "PATCH", "/_sandbox/sandboxes/default/settings", {"strict": False})
        assert refused.status == 401
    assert b"first-token" not in path.read_bytes()
    with opened(path) as service:
        assert call(service, "GET", "/_sandbox/sandboxes/default/settings").data["strict"] is True


def test_a_restart_takes_no_longer_than_its_calls(path, monkeypatch):
    """A sandbox is due for a checkpoint once its calls took a while; one that fails is tried again later."""
    monkeypatch.setattr("mockserver.http.durable_log.MIN_SPENT_SECONDS", 0.0)
    with opened(path) as service:
        log = service.log
        assert list(log.due()) == []
        post(service, "a")
        (due,) = log.due()
        log.checkpoint(due)
        assert log.file.is_empty
        assert list(log.due()) == []
    with opened(path) as service:
        assert total(service) == 1


def test_records_that_do_not_fit_the_contract_are_there(path):
    """They were stored, by a request that was excused or under another contract, and so they come back."""
    with opened(path) as service:
        post(service, "a")
        assert call(service, "POST", "/things/boxes/jobs", [{"id": f"b{n}"} for n in range(300)]).status == 202
        service.log.checkpoint_all()
    contract = apis()[0].contract
    resource = replace(contract.resources["boxes"], required=("id", "name"))
    narrower = replace(contract, resources={"boxes": resource}, operations=contract.operations[:1])
    with opened(path, [replace(apis()[0], contract=narrower)]) as service:
        assert total(service) == 1
        for what in ("jobs", "exchanges", "exchanges/2", "verdict", "snapshot"):
            assert call(service, "GET", f"/_sandbox/sandboxes/default/{what}").status == 200, what

"""A store that cannot be written: a clear answer, nothing is done, and the next call works once it can be again."""

import json
import os
import sqlite3
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.recovery import open_service
from mockserver.http.service import Options, Service

THINGS = Path(__file__).parents[1] / "mockserver" / "http" / "data" / "things.yaml"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TYPE = Headers((("Content-Type", "application/json"),))
MEBIBYTE = 1024 * 1024


@cache
def apis():
    return [source.load() for source in find_sources([str(THINGS)])]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox.db"


@pytest.fixture
def service(path):
    opened = opened_at(path)
    yield opened
    opened.log.file.close()


def opened_at(path):
    return open_service(apis(), Options(mode="frozen"), path, NOW)


def call(service, method, target, body=None):
    return service.handle(method, target, TYPE, b"" if body is None else json.dumps(body).encode(), NOW)


def post(service, name, *, more=0, sandbox="default"):
    """Post a box, and more of the same id, which are refused."""
    return call(service, "POST", f"/@{sandbox}/things/boxes", [{"id": name, "name": "x"}] * (1 + more))


def ids(service):
    answer = call(service, "GET", "/_sandbox/sandboxes/default/entities/things/boxes")
    return [one["key"] for one in answer.data.get("entities", [])]


class Failing:
    """A connection whose statements of a kind fail as SQLite says it."""

    def __init__(self, connection, words, code):
        self.connection, self.words, self.code = connection, words, code

    @property
    def in_transaction(self):
        return self.connection.in_transaction

    def execute(self, statement, *parameters):
        if statement.startswith(self.words):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return self.connection.execute(statement, *parameters)

    def close(self):
        self.connection.close()


@contextmanager
def full(service):
    """Let the file have no room, as SQLite finds it on a full disk."""
    database = service.log.file.database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    yield
    database.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def read_only(service):
    service.log.file.database.execute("PRAGMA query_only = ON")
    yield
    service.log.file.database.execute("PRAGMA query_only = OFF")


@contextmanager
def failing(service, words, code):
    file = service.log.file
    database, file.database = file.database, Failing(file.database, words, code)
    yield
    file.database = database


@contextmanager
def moved(service):
    path = service.log.file.path
    aside = path.rename(path.with_name("aside"))
    service.log.file.look()
    yield
    aside.rename(path)


FAILURES = {
    "full": (full, 507, "is full, and nothing was done; make room and send this again."),
    "read-only": (read_only, 503, "attempt to write a readonly database"),
    "no write": (lambda one: failing(one, "INSERT", sqlite3.SQLITE_IOERR_WRITE), 503, "disk I/O error"),
    "no sync": (lambda one: failing(one, "INSERT", sqlite3.SQLITE_IOERR_FSYNC), 503, "disk I/O error"),
    "moved": (moved, 503, "The store sandbox.db was moved or deleted; put it back."),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_is_done_that_cannot_be_stored(service, path, failure):
    """Each call is refused by a problem document, changes nothing, and works as soon as the store does."""
    begin, status, says = FAILURES[failure]
    memory = Service(apis(), Options(mode="frozen"), NOW)
    for one in (memory, service):
        assert post(one, "a").status == 200
    more = 500 if failure == "full" else 0
    with begin(service):
        for refused in (
            post(service, "b", more=more),
            call(service, "PATCH", "/_sandbox/sandboxes/default/settings", {"strict": True, "things": "x" * 20 * more}),
        ):
            assert refused.headers.get("Content-Type") == "application/problem+json"
            assert (refused.status, refused.data["status"]) == (status, status), refused.data
            assert says in refused.data["detail"]
        if failure != "full":  # which has room for a row without a body, and for less
            assert post(service, "b", sandbox="new").status == status
        if failure in {"read-only", "moved"}:
            assert call(service, "DELETE", "/_sandbox/sandboxes/default").status == status
        assert call(service, "GET", "/_sandbox/sandboxes/default/clock").status == 200
        assert [one.name for one in service.sandboxes] == ["default"]
        assert call(service, "GET", "/_sandbox/ready").status == 503
        service.log.look()  # as every half second
        ready = call(service, "GET", "/_sandbox/ready")
        assert ready.status == (200 if failure == "full" else 503)  # a file has room for what it had before
    service.log.look()
    assert call(service, "GET", "/_sandbox/ready").status == 200
    for one in (memory, service):
        assert post(one, "c").status == 200
    assert ids(service) == ids(memory) == ["a", "c"]
    service.log.file.close()
    again = opened_at(path)
    looks = [f"/_sandbox/sandboxes/default/{what}" for what in ("exchanges", "exchanges/2", "settings", "jobs")]
    assert [call(again, "GET", look) for look in looks] == [call(memory, "GET", look) for look in looks]
    again.log.file.close()


@pytest.mark.parametrize("words", ["BEGIN", "DELETE", "INSERT", "COMMIT"])
def test_a_checkpoint_that_fails_leaves_the_calls(service, path, words):
    """The calls are still there, and so is what came of them after a restart; a stop says so."""
    post(service, "a")
    with failing(service, words, sqlite3.SQLITE_FULL):
        service.log.close()
    again = opened_at(path)
    assert ids(again) == ["a"]
    again.log.file.close()


def test_a_held_call_is_not_completed_where_that_cannot_be_stored(service, path):
    """It is answered with the problem, and not there after a restart either."""
    rules = [{"when": {"method": "POST"}, "then": {"delay": "1s", "at": "before-commit"}}]
    call(service, "PUT", "/_sandbox/sandboxes/default/scenarios", {"scenarios": [{"name": "s", "rules": rules}]})
    with failing(service, "INSERT", sqlite3.SQLITE_FULL):
        assert post(service, "a").status == 507
    place = service.find("/things/boxes", TYPE, NOW)
    held = service.play(place, "POST", TYPE, b'[{"id": "b", "name": "B"}]', NOW)
    with failing(service, "INSERT", sqlite3.SQLITE_FULL):
        assert held.complete(NOW).status == 507
    assert ids(service) == []
    service.log.file.close()
    again = opened_at(path)
    assert ids(again) == []
    again.log.file.close()


def test_an_internal_error_is_followed_by_a_checkpoint(service, path, caplog):
    """What such a call left is stored as it is, since it might not come out again in the same way."""
    post(service, "a")
    caplog.clear()
    spool = service.sandboxes.get("default").api_states["things"].spool
    whole, failures = type(spool).store, iter([OSError("no room")])

    def store(self, content):
        for one in failures:
            raise one
        return whole(self, content)

    type(spool).store = store
    try:
        answer = call(service, "POST", "/things/boxes/jobs", [{"id": "b", "name": "B"}])
    finally:
        type(spool).store = whole
    assert answer.status == 500, answer
    post(service, "c")
    before = [call(service, "GET", f"/_sandbox/sandboxes/default/{what}") for what in ("exchanges", "jobs")]
    assert "no room" in caplog.text
    service.log.file.close()
    again = opened_at(path)
    assert [call(again, "GET", f"/_sandbox/sandboxes/default/{what}") for what in ("exchanges", "jobs")] == before
    again.log.file.close()


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder that is a disk of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_full(small_disk, request):
    """Calls are refused until there is room; whatever was answered is there, then and after a restart."""
    path = small_disk / "sandbox.db"
    service, stored, n = opened_at(path), [], 0
    request.addfinalizer(service.log.file.close)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (MEBIBYTE // 2))
    while (answer := post(service, f"b{n}", more=800)).status == 200:
        stored.append(f"b{n}")
        n += 1
    assert answer.status == 507
    assert call(service, "GET", "/_sandbox/sandboxes/default/clock").status == 200
    os.truncate(ballast, 0)
    assert post(service, "last").status == 200
    assert ids(service) == sorted([*stored, "last"])
    ballast.write_bytes(b"")
    service.log.file.close()
    again = opened_at(path)
    assert ids(again) == sorted([*stored, "last"])
    again.log.close()

"""A file that cannot be the store of this server is refused in one sentence, with the cure, and exit code 2."""

import json
import shutil
import sqlite3
import zlib
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.errors import BulkproofError
from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.cli import main
from mockserver.http.durable_log import DurableLog
from mockserver.http.recovery import open_service
from mockserver.http.service import Options
from mockserver.scenarios.loading import Catalogue, load

THINGS = Path(__file__).parents[1] / "mockserver" / "http" / "data" / "things.yaml"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TYPE = Headers((("Content-Type", "application/json"),))
BEGIN_ANEW = "move it away with sandbox.db-wal to begin anew."
AS_IT_WAS = "Start it once as it was and stop it with Ctrl-C, which stores all sandboxes; or name another file."


@cache
def apis():
    return [source.load() for source in find_sources([str(THINGS)])]


def opened(path, **options):
    return open_service(apis(), Options(settings=SERVED, **options), path, NOW)


SERVED = {  # what `bulkproof serve` has without options
    "conduct": "observe",
    "strict": False,
    "lenientJson": False,
    "validateRequests": "error",
    "errors": False,
    "dynamic": False,
}


def written(path, *, is_stopped=False, calls=60):
    """Make a file as a server leaves it that was stopped, or killed."""
    service = opened(path)
    for n in range(calls):
        body = json.dumps([{"id": f"b{n}", "name": "x" * 90}]).encode()
        assert service.handle("POST", "/things/boxes", TYPE, body, NOW).status == 200
    if is_stopped:
        service.log.close()
    else:
        service.log.file.close()


def changed(path, old, new):
    """Replace bytes of a file that are in it once or more."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def execute(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def text(path):
    path.write_text("This is no database. " * 100, encoding="utf-8")


def others(path):
    execute(path, "CREATE TABLE customers (name TEXT)")


def newer(path):
    written(path)
    execute(path, "PRAGMA user_version = 2")


def half(path):
    written(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path):
    written(path)
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)


def one_byte_of_a_call(path):
    written(path)
    changed(path, b'"b7"', b'"b8"')


def one_byte_of_a_checkpoint(path):
    written(path, is_stopped=True)
    with closing(sqlite3.connect(path)) as database:
        (document,) = database.execute("SELECT document FROM checkpoints").fetchone()
    middle = document[len(document) // 2 :][:16]
    changed(path, middle, bytes(16))


def other_version(path):
    written(path)
    execute(path, """UPDATE meta SET value = replace(value, 'version":"', 'version":"0.') WHERE name = 'served'""")


def other_contract(path):
    written(path)
    execute(path, """UPDATE meta SET value = replace(value, '"things":"', '"things":"0') WHERE name = 'served'""")


def other_options(path):
    service = opened(path, seed=7, mode="frozen")
    service.handle("GET", "/things/boxes/a", TYPE, b"", NOW)
    service.log.file.close()


def other_scenario(path):
    catalogue = Catalogue()
    catalogue.add(load({"name": "mine", "rules": [{"then": {"status": 503}}]}))
    service = opened(path, catalogue=catalogue, scenarios=("mine",))
    service.handle("GET", "/things/boxes/a", TYPE, b"", NOW)
    service.log.file.close()


FILES = {
    text: "is no SQLite file. Name another file with --store.",
    others: "is the SQLite file of another program. Name another file with --store.",
    newer: "was written by a newer version of Bulkproof (format 2). Use that version, or name another file",
    half: BEGIN_ANEW,
    overwritten: BEGIN_ANEW,
    one_byte_of_a_call: "is damaged: call 9 is not as it was written.",
    one_byte_of_a_checkpoint: BEGIN_ANEW,
    other_version: f"by a server that was killed. {AS_IT_WAS}",
    other_contract: f"served with another contract of things, by a server that was killed. {AS_IT_WAS}",
    other_options: "served with other options (clock, seed)",
    other_scenario: "served with another scenario mine and other options (scenarios)",
    Path.mkdir: "is no file. Name a file with --store.",
}


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_file_that_is_not_this_server_s(make, tmp_path):
    """Its sentence says which file, what is wrong, and what to do; the file stays as it is."""
    path = tmp_path / "sandbox.db"
    make(path)
    before = path.is_dir() or path.read_bytes()
    says = refused(path)
    assert FILES[make] in says, says
    assert says.startswith(f"Error: {path} ") or f" {path} " in says, says
    assert make is not text or path.read_bytes() == before


def refused(path):
    ended = CliRunner().invoke(main, ["serve", "--port", "0", "--store", str(path), str(THINGS)])
    assert (ended.exit_code, ended.stdout) == (2, ""), ended.exception
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


def test_a_folder_that_does_not_exist(tmp_path):
    """It is not made: most likely the name is mistyped."""
    assert "the folder" in refused(tmp_path / "no" / "sandbox.db")
    assert not (tmp_path / "no").exists()


def test_a_file_in_use(tmp_path):
    """A second server is refused while the first has the file."""
    path = tmp_path / "sandbox.db"
    service = opened(path)
    assert "is in use by another server. Stop that one, or name another file." in refused(path)
    service.log.close()
    opened(path).log.close()


def test_a_file_is_its_owner_s(tmp_path):
    """It holds credentials, as requests do."""
    path = tmp_path / "sandbox.db"
    service = opened(path)
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    service.log.close()


@pytest.mark.parametrize("content", [b"", None])
def test_a_file_becomes_its_owner_s(tmp_path, content):
    """One that somebody made, or copied from a server that was killed, is read by nobody else either."""
    path = tmp_path / "sandbox.db"
    if content is None:
        written(path)
    else:
        path.write_bytes(content)
    for one in tmp_path.iterdir():
        one.chmod(0o644)
    service = opened(path)
    service.handle("GET", "/things/boxes/a", TYPE, b"", NOW)
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    service.log.close()


def test_after_a_stop_anything_may_change(tmp_path, monkeypatch):
    """A server that was stopped leaves no calls: another version, contract or option takes its sandboxes over."""
    path = tmp_path / "sandbox.db"
    written(path, is_stopped=True)
    monkeypatch.setattr(DurableLog, "description", property(lambda _: '{"version": "9"}'))
    service = opened(path, seed=3)
    answer = service.handle("GET", "/_sandbox/sandboxes/default/entities/things/boxes", TYPE, b"", NOW)
    assert answer.data["total"] == 60
    service.log.close()


def test_a_copy_is_a_store(tmp_path):
    """The file of a server that was stopped is all there is of it."""
    path = tmp_path / "sandbox.db"
    written(path, is_stopped=True)
    assert [one.name for one in tmp_path.iterdir()] == ["sandbox.db"]
    service = opened(Path(shutil.copy(path, tmp_path / "copy.db")))
    assert len(service.sandboxes) == 1
    service.log.close()


ODD = [None, "", "x", "{}", "[]", 5, -1, 1.5, b"", b"{}", b"\xff", "2026-03-01", "9999-12-31T23:59:59+00:00", "a/b"]
COLUMNS = {
    "meta": ["name", "value"],
    "checkpoints": ["sandbox", "real", "document"],
    "calls": ["seq", "sandbox", "real", "kind", "head", "body", "digest"],
}
CHANGE = "UPDATE {0} SET {1} = ? WHERE rowid = (SELECT max(rowid) FROM {0})"
PLACES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


def with_its_digest(database, table):
    """Give the calls the digests that they should have, as one would who forges them."""
    if table == "calls":
        for seq, sandbox, head, body in database.execute("SELECT seq, sandbox, head, body FROM calls").fetchall():
            if isinstance(sandbox, str) and isinstance(head, str) and isinstance(body, bytes):
                digest = zlib.crc32(body, zlib.crc32(f"{sandbox}\n{head}".encode()))
                database.execute("UPDATE calls SET digest = ? WHERE seq = ?", (digest, seq))


@pytest.mark.parametrize(("table", "column"), PLACES, ids=[".".join(place) for place in PLACES])
def test_a_row_that_was_changed(table, column, tmp_path, caplog):
    """The server is not started, and a sentence says why; or it is started and serves."""
    whole, path = tmp_path / "whole.db", tmp_path / "sandbox.db"
    written(whole, is_stopped=table == "checkpoints", calls=3)
    for value in [*ODD, *(packed() if column == "document" else ())]:
        shutil.copy(whole, path)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            try:
                database.execute(CHANGE.format(table, column), (value,))
            except sqlite3.IntegrityError:
                continue
            if column != "digest":
                with_its_digest(database, table)
        service, refused_by = opened_or_not(path)
        if service is None:
            assert str(path) in refused_by, value
            assert "\n" not in refused_by, value
        else:
            answer = service.handle("GET", "/things/boxes", TYPE, b"", NOW)
            assert answer.status < 500, (value, answer.body)
            service.log.close()
    assert not [one for one in caplog.records if one.exc_info], caplog.text


def opened_or_not(path):
    """Return the server of a file, or None and why it is refused."""
    try:
        return opened(path), ""
    except BulkproofError as error:
        return None, str(error)


def packed():
    """Return documents that are no snapshots, compressed as checkpoints are."""
    return [zlib.compress(one) for one in (b"", b"[]", b"{}", b"\xff", b'{"format": 9}', b"[" * 100_000)]

"""Control calls about snapshots, `bulkproof snapshot`, and what a test loads."""

import json
import socket
from contextlib import closing
from http.client import HTTPConnection
from threading import Event, Thread
from time import sleep

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from contracts.errors import MisuseError
from mockserver.cli import main
from mockserver.domain.slices import Pausing, SlicedWork

BLOCKS = [{"blockId": "a", "name": "A"}, {"blockId": "b", "name": "B"}]
JSON_FIELDS = {"Content-Type": "application/json"}
POST = "/genero/api/v1/block/postJob"


@pytest.fixture
def genero(serving):
    return serving("genero", mode="frozen")


@pytest.fixture
def filled(genero):
    """Return a client whose sandbox has two blocks."""
    genero.call("POST", POST, BLOCKS)
    genero.control("POST", "clock/advance", {"to": "idle"})
    return genero


def test_what_was_read_can_be_put_into_any_sandbox(filled):
    """It is made where there is none."""
    document = filled.control("GET", "snapshot").data
    assert document["sandbox"] == filled.sandbox
    assert filled.send("PUT", "/_sandbox/sandboxes/copy-1/snapshot", document).data == {"name": "copy-1", "seed": 0}
    assert filled.send("GET", "/@copy-1/genero/api/v1/block").body == filled.call("GET", "/genero/api/v1/block").body
    again = filled.send("GET", "/_sandbox/sandboxes/copy-1/snapshot").data
    assert {**again, "sandbox": filled.sandbox} == document


def test_a_snapshot_has_what_has_become_due(genero):
    """A job that ended by now has run."""
    genero.control("PUT", "clock", {"mode": "scaled", "factor": 86400})
    genero.call("POST", POST, BLOCKS)
    document = genero.control("GET", "snapshot").data
    for _ in range(100):
        document = genero.control("GET", "snapshot").data
        if document["apis"]["genero"].get("results"):
            break
    assert len(document["apis"]["genero"]["records"]["publicapitest"]["block"]) == 2


def test_the_schema_is_served_and_fits(filled):
    """A snapshot with its journal keeps to it."""
    answer = filled.send("GET", "/_sandbox/snapshot.schema.json")
    assert answer.headers["content-type"] == "application/schema+json"
    document = filled.control("GET", "snapshot?journal=true").data
    assert list(Draft202012Validator(answer.data).iter_errors(document)) == []
    assert len(document["journal"]["exchanges"]) == 1


def test_what_does_not_fit_is_400_with_its_place(filled):
    """And nothing is changed."""
    document = filled.control("GET", "snapshot").data
    before = filled.control("GET", "snapshot").body
    document["apis"]["genero"]["records"]["publicapitest"]["block"][1]["body"]["name"] = 5
    answer = filled.control("PUT", "snapshot", document)
    place = "/apis/genero/records/publicapitest/block/1/body/name"
    assert (answer.status, answer.data["detail"]) == (400, f"{place}: 5 does not fit the schema of block.")
    assert filled.control("PUT", "snapshot", {"format": 1}).status == 400
    assert filled.control("GET", "snapshot").body == before


def test_a_snapshot_may_be_larger_than_other_bodies(genero):
    """It is read, and then refused for what it lacks."""
    answer = genero.control("PUT", "snapshot", b"{" + b" " * (33 * 1024 * 1024) + b"}", JSON_FIELDS)
    assert (answer.status, answer.data["detail"]) == (400, "snapshot: 'format' is missing. Add it.")
    assert genero.control("PUT", "settings", b"{" + b" " * (33 * 1024 * 1024) + b"}", JSON_FIELDS).status == 413


def test_a_snapshot_may_be_too_large(genero):
    """Then it is refused before it is read, with what to do instead; the connection is not cut in the middle."""
    place = f"/_sandbox/sandboxes/{genero.sandbox}/snapshot"
    with socket.create_connection(("127.0.0.1", genero.running.port), timeout=60) as connection:
        head = f"PUT {place} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {64 * 1024 * 1024 + 1}\r\n\r\n".encode())
        answer = connection.recv(1 << 16).decode()
    assert answer.startswith("HTTP/1.1 413 ")
    assert answer.endswith(
        '"detail":"A snapshot of more than 64 MiB cannot be put. Start a server with it: '
        'bulkproof serve --snapshot FILE."}'
    )


def test_an_export_without_secrets(genero, tmp_path):
    """Tokens are left out, and hidden are credentials in what waits; the rest is put back, and jobs run."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    credentials = b"grant_type=client_credentials&client_id=multi&client_secret=sandbox"
    token = genero.call("POST", "/genero/oauth/token", credentials, form).data["access_token"]
    genero.call("POST", POST, BLOCKS, {**JSON_FIELDS, "Authorization": f"Bearer {token}"})
    url, file = f"http://127.0.0.1:{genero.running.port}", tmp_path / "seed.json"
    assert token in command("export", genero.sandbox, "--url", url)[0]
    assert command("export", genero.sandbox, "--url", url, "--without-secrets", "-o", file) == ("", 0)
    assert token not in file.read_text()
    assert "Bearer ***" in file.read_text()
    assert command("import", file, "--url", url)[1] == 0
    assert genero.call("GET", "/genero/api/v1/block", b"", {"Authorization": f"Bearer {token}"}).status == 401
    genero.control("POST", "clock/advance", {"to": "idle"})
    assert len(genero.call("GET", "/genero/api/v1/block").data) == 2


def test_what_cannot_be_written_is_409_and_named(filled):
    """A plug-in may keep anything."""
    memory = (
        next(one for one in filled.running.service.sandboxes if one.name == filled.sandbox).api_states["genero"].memory
    )
    memory["own"] = object()
    answer = filled.control("GET", "snapshot")
    assert answer.status == 409
    assert answer.data["detail"].startswith("/apis/genero/memory/own: a value of builtins.object cannot be written.")


def test_a_large_snapshot_is_made_in_slices(genero, monkeypatch):
    """However fast the machine is: the work may pause within a thousand records."""
    genero.call("GET", "/genero/api/v1/block")
    steps, step = [], SlicedWork.step
    monkeypatch.setattr(Pausing, "seconds", 0.0)
    monkeypatch.setattr(SlicedWork, "step", lambda work: steps.append(work) or step(work))
    for count in (5_000, 10_000):
        genero.call("POST", POST, [{"blockId": f"k{count + n}", "name": "N"} for n in range(5_000)])
        genero.control("POST", "clock/advance", {"to": "idle"})
        steps.clear()
        genero.control("GET", "snapshot")
        assert len(steps) > count / 1_000


def test_others_are_served_while_a_snapshot_is_made(genero, monkeypatch):
    """A snapshot runs in slices; calls of its own sandbox wait until it is whole."""
    genero.call("GET", "/genero/api/v1/block")
    running = genero.running
    sandbox = next(one for one in running.service.sandboxes if one.name == genero.sandbox)
    callers, go_on, step = running.service.turns._callers, Event(), SlicedWork.step  # noqa: SLF001 - who waits
    monkeypatch.setattr(SlicedWork, "step", lambda work: go_on.is_set() and step(work))
    answers: dict[str, bytes] = {}

    def ask(name: str, target: str) -> None:
        with closing(HTTPConnection("127.0.0.1", running.port, timeout=60)) as connection:
            connection.request("GET", target)
            answers[name] = connection.getresponse().read()

    targets = {
        "snapshot": f"/_sandbox/sandboxes/{genero.sandbox}/snapshot",
        "own": f"/@{genero.sandbox}/genero/api/v1/block",
    }
    threads = [Thread(target=ask, args=one) for one in targets.items()]
    try:
        for n, one in enumerate(threads, 1):
            one.start()
            while callers[id(sandbox)] < n and one.is_alive():
                sleep(0.01)
        ask("other", "/@some/genero/api/v1/block")
        assert set(answers) == {"other"}
    finally:
        go_on.set()
        for one in threads:
            one.join()
    assert all(answers.values())
    assert set(answers) == {"other", "own", "snapshot"}


def command(*arguments):
    """Run `bulkproof snapshot`; return what it prints, and its exit code."""
    done = CliRunner().invoke(main, ["snapshot", *map(str, arguments)])
    return done.output, done.exit_code


def test_the_command_line_writes_a_file_and_puts_it_back(filled, tmp_path):
    """The file is indented, is the same each time, and knows its sandbox."""
    url, file = f"http://127.0.0.1:{filled.running.port}", tmp_path / "seed.json"
    assert command("export", filled.sandbox, "--url", url, "-o", file) == ("", 0)
    text, code = command("export", filled.sandbox, "--url", url)
    assert (text, code) == (file.read_text(), 0)
    assert text.startswith('{\n  "format": 1,\n')
    assert text.endswith("\n}\n")
    filled.call("POST", POST, [{"blockId": "c", "name": "C"}])
    filled.control("POST", "clock/advance", {"to": "idle"})
    told = f"{url}/@{filled.sandbox} has the state of {file}.\n"
    assert command("import", file, "--url", url) == (told, 0)
    assert len(filled.call("GET", "/genero/api/v1/block").data) == 2
    assert command("import", file, "--sandbox", "other-1", "--url", url)[1] == 0
    assert len(filled.send("GET", "/@other-1/genero/api/v1/block").data) == 2
    assert "journal" in json.loads(command("export", filled.sandbox, "--url", url, "--journal")[0])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "seed.json: cannot be read: No such file or directory."),
        ("{", "seed.json, line 1, column 2: "),
        ("[]", "seed.json: it must be a snapshot, a JSON object."),
        ("{}", "snapshot: 'format' is missing. Add it."),
    ],
)
def test_a_file_that_is_no_snapshot_is_one_sentence_and_code_2(genero, tmp_path, content, says):
    """Whoever finds it out, the command or the server."""
    file = tmp_path / "seed.json"
    if content is not None:
        file.write_text(content)
    told, code = command("import", file, "--url", f"http://127.0.0.1:{genero.running.port}")
    assert code == 2
    assert says in told
    assert told.count("\n") == 1


def test_no_server_is_one_sentence_and_code_2():
    """With what to do."""
    told, code = command("export", "--url", "http://127.0.0.1:9")
    assert code == 2
    assert "Start one with `bulkproof serve`, or give its URL with --url." in told
    told, code = command("export", "--url", "ftp://here")
    assert (code, told.count("\n")) == (2, 1)


def test_a_test_loads_a_snapshot(bulkproof, tmp_path):
    """From a file or a document; expectations of before the snapshot stay, and new ones are others."""
    bulkproof.clock.freeze()
    bulkproof.genero.expect("jobStatus", allow_unused=True).reply(503).times(2)
    document = bulkproof.snapshot()
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(document))
    bulkproof.reset()
    bulkproof.load(file)
    bulkproof.genero.expect("getEntity", allow_unused=True).delay("1s")
    names = [one["name"] for one in bulkproof._ask("GET", "scenarios")["scenarios"]]  # noqa: SLF001 - what is active
    assert names == ["expectation-1", "expectation-2"]
    bulkproof.load(str(file))
    bulkproof.load(document)
    assert bulkproof.snapshot() == document
    with pytest.raises(MisuseError, match=r"/format: the format 2 is not known"):
        bulkproof.load({**document, "format": 2})

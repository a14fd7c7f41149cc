"""`bulkproof serve` as a process: what it prints, how it ends, what it says when it cannot begin."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from children import HANGS, child, eventually, run
from click.testing import CliRunner

from mockserver.cli import main

ROOT = Path(__file__).parents[3]
CONTRACTS = Path(__file__).parents[1] / "http" / "data"
THINGS = CONTRACTS / "things.yaml"
BULKPROOF = [sys.executable, "-m", "mockserver"]


def bulkproof(*arguments):
    return run([*BULKPROOF, *map(str, arguments)], cwd=ROOT)


def refused(*arguments):
    """Return what the program says in this process when it refuses; it must exit with 2 and print nothing else."""
    ended = CliRunner().invoke(main, [*map(str, arguments)])
    assert (ended.exit_code, ended.stdout) == (2, ""), ended.exception
    return ended.stderr


@contextmanager
def served(*arguments):
    """Yield a running process with its URLs by name, and what it has printed so far."""
    command = [*BULKPROOF, "serve", "--port", "0", *map(str, arguments)]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        lines = []
        while not lines or not lines[-1].strip().startswith("curl"):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        process.urls = dict(re.findall(r"^  (\S+) +(http\S+)$", "".join(lines), re.MULTILINE))
        process.curl = lines[-1].strip()
        yield process


def fetch(url, method="GET", body=None, headers=None):
    """Return status and JSON value."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname, parts.port, timeout=HANGS)) as connection:
        fields = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, parts.path, None if body is None else json.dumps(body), fields)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")


def test_version_and_help_are_quick_and_light():
    """The version is the project file's; help lists the commands; neither loads the server."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert bulkproof("--version").stdout == f"bulkproof {version}\n"
    assert "serve" in bulkproof("--help").stdout
    assert bulkproof().stdout == bulkproof("--help").stdout
    probe = "import sys; from mockserver.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "mockserver.cli.serve" in loaded.split()
    assert not {"aiohttp", "asyncio", "orjson", "jsonschema_rs", "yaml"} & set(loaded.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["srve"], "Did you mean 'serve'?"),
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "--port", "70000"], "70000"),
        (["serve", "--clock", "fast"], "x60"),
        (["serve", "--clock", "x0"], "x60"),
        (["serve", "--graceful-timeout", "-1"], "--graceful-timeout"),
        (["serve", "--auth", "closed"], "'open', 'strict'"),
        (["serve", "gnero"], "Did you mean 'genero'?"),
        (["serve", "nowhere.yaml"], "there is no such file"),
        (["serve", str(CONTRACTS)], "directory"),
        (["serve", str(THINGS), str(THINGS)], "two APIs are named 'things'"),
        (["serve", str(THINGS), "--host", "no.such.host.invalid", "--port", "0"], "--host"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(arguments, says):
    """What is wrong with a command is said on one line, without a traceback."""
    told = refused(*arguments)
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_process_says_the_same_of_misuse():
    """The program as it is installed ends as the command does: one sentence, exit code 2."""
    ended = bulkproof("serve", "gnero")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", refused("serve", "gnero"))


def test_a_port_in_use_is_one_sentence_and_exit_code_2():
    """A port that somebody has is named, with the cure."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused("serve", THINGS, "--port", port)
    assert told == f"Error: port {port} of 127.0.0.1 is in use. Choose another with --port, or 0 for any free one.\n"


def test_a_broken_contract_names_each_fault(tmp_path):
    """Every mistake in a contract is a line of its own, with file and pointer."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("openapi: 3.1.0\ninfo: {title: T}\npaths: {/x: {gte: {}}}\n", encoding="utf-8")
    told = refused("serve", broken, "--strict")
    assert "Traceback" not in told
    assert all(line.removeprefix("Error: ").startswith("broken.yaml#/") for line in told.splitlines())
    assert len(told.splitlines()) >= 2


@pytest.mark.slow
def test_both_bundled_apis_are_served_and_the_shown_call_works():
    """Without a name both bundled APIs and the dashboard are there, under the printed URLs; the call succeeds."""
    with served() as process:
        assert set(process.urls) == {"genero", "onkey", "control", "dashboard"}
        _, _, _, method, url, _, header, _, body = shlex.split(process.curl)
        name, _, value = header.partition(": ")
        status, _ = fetch(url, method, json.loads(body), {name: value})
        assert status == 200
        assert fetch(f"{process.urls['control']}/health")[0] == 200
        if shutil.which("curl"):
            shown = subprocess.run(process.curl, shell=True, capture_output=True, text=True, check=True)  # noqa: S602 - pasting it
            assert "correlationId" in json.loads(shown.stdout)


@pytest.mark.slow
def test_options_become_the_sandboxes_defaults():
    """What the command line says is what a fresh or reset sandbox has."""
    options = [
        "--auth",
        "strict",
        "--conduct",
        "enforce",
        "--strict",
        "--lenient-json",
        *("--validate-requests", "warn"),
        "--errors",
        "--dynamic",
        "--clock",
        "x60",
        "--seed",
        "5",
    ]
    with served(THINGS, *options) as process:
        base = f"{process.urls['control']}/sandboxes/a"
        for _ in range(2):
            settings = fetch(f"{base}/settings")[1]
            assert [settings[name] for name in ("auth", "conduct", "strict", "lenientJson")] == [
                "strict",
                "enforce",
                True,
                True,
            ]
            assert [settings[name] for name in ("validateRequests", "errors", "dynamic")] == ["warn", True, True]
            clock = fetch(f"{base}/clock")[1]
            assert (clock["mode"], clock["factor"]) == ("scaled", 60)
            fetch(f"{base}/settings", "PATCH", {"auth": "open"})
            fetch(f"{base}/clock", "PUT", {"mode": "frozen"})
            assert fetch(f"{base}/reset", "POST")[1] == {"name": "a", "seed": 5}


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_what_is_in_flight(end):
    """A call whose body is still arriving when the signal comes is answered; then the process ends with 0.

    Meanwhile a connection that was kept is told that the server is not ready.
    """
    with served(THINGS) as process:
        port = urlsplit(process.urls["things"]).port
        with closing(HTTPConnection("127.0.0.1", port)) as kept, in_flight(port) as connection:
            kept.request("GET", "/_sandbox/ready")
            assert kept.getresponse().read().startswith(b'{"status":"ready"')
            process.send_signal(end)
            assert eventually(lambda: is_refused(port))
            kept.request("GET", "/_sandbox/ready")
            assert b"The server is stopping." in kept.getresponse().read()
            connection.sendall(b'"id":"a"}')
            received = connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 201 ")
        assert b"Connection: close" in received
        assert process.wait(timeout=HANGS) == 0
        assert process.stderr.read() == ""


@pytest.mark.slow
def test_the_end_has_a_deadline():
    """What is not finished by then is cut off, which is told; the process ends with 0."""
    with served(THINGS, "--graceful-timeout", "0") as process, in_flight(urlsplit(process.urls["things"]).port) as call:
        process.send_signal(signal.SIGTERM)
        assert call.recv(65536) == b""
        assert process.wait(timeout=HANGS) == 0
        assert process.stderr.read() == "Cut off 1 unfinished requests\n"


@pytest.mark.slow
@pytest.mark.parametrize("ends", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_at_once(ends):
    """Nothing that is under way is waited for then, whatever the deadline."""
    with served(THINGS, "--graceful-timeout", "3600") as process:
        port = urlsplit(process.urls["things"]).port
        with in_flight(port):
            process.send_signal(ends[0])
            assert eventually(lambda: is_refused(port))
            process.send_signal(ends[1])
            assert process.wait(timeout=HANGS) == 128 + ends[1]


@pytest.mark.slow
def test_every_line_of_a_json_log_is_an_event():
    """From the start to the end, what is cut off included; and nothing is on stderr."""
    command = [*BULKPROOF, "serve", str(THINGS), "--port", "0", "--log-format", "json", "--graceful-timeout", "0"]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        started = json.loads(process.stdout.readline())
        assert started["event"] == "started"
        with in_flight(urlsplit(started["apis"]["things"]).port):
            assert fetch(f"{started['control']}/ready")[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANGS) == 0
        events = [json.loads(line) for line in process.stdout.read().splitlines()]
        assert [one["event"] for one in events] == ["request", "stopping", "log", "stopped"]
        assert events[2]["message"] == "Cut off 1 unfinished requests"
        assert process.stderr.read() == ""


@contextmanager
def in_flight(port):
    """Yield a connection on which the first byte of a body of ten was sent, and waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANGS) as connection:
        head = b"PUT /things/boxes/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{")
        yield connection


def is_refused(port):
    """Say whether nobody listens on a port any more."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it is just closing
        return False
    return False


def wait_for(process, text):
    """Return the printed line that holds `text`; fail when the process ends, or hangs, without it."""
    timer = threading.Timer(HANGS, process.kill)
    timer.start()
    try:
        while line := process.stdout.readline():
            if text in line:
                return line
    finally:
        timer.cancel()
    raise AssertionError(f"{text!r} was not printed")


@pytest.mark.slow
def test_watch_reloads_and_keeps_state(tmp_path):
    """A changed contract is served with what was stored; a broken edit is told and the old contract stays."""
    for one in CONTRACTS.iterdir():
        shutil.copy(one, tmp_path)
    document = tmp_path / "things.yaml"
    good = document.read_text(encoding="utf-8")
    with served(document, "--watch") as process:
        url = process.urls["things"]
        assert fetch(f"{url}/boxes/a", "PUT", {"id": "a", "name": "kept"})[0] == 201
        document.write_text(good.replace("  /boxes/{id}:", "  /crates/{id}:"), encoding="utf-8")
        wait_for(process, "changed contract is served")
        assert fetch(f"{url}/boxes/a")[0] == 404
        assert fetch(f"{url}/crates/a") == (200, {"id": "a", "name": "kept"})
        document.write_text(good.replace("paths:", "paths: ["), encoding="utf-8")
        wait_for(process, "is invalid")
        assert fetch(f"{url}/crates/a")[0] == 200
        mistaken = good.replace("paths:", "paths:\n  /odd: {get: {responses: {'200': {}}}}", 1)
        document.write_text(mistaken, encoding="utf-8")
        assert "'description' is missing. It is taken as" in process.stderr.readline()
        document.write_text(good, encoding="utf-8")
        wait_for(process, "changed contract is served")
        wait_for(process, "changed contract is served")
        box = tmp_path / "box.json"
        box.write_text(box.read_text(encoding="utf-8").replace('"maxLength": 100', '"maxLength": 5'), encoding="utf-8")
        wait_for(process, "changed contract is served")
        assert fetch(f"{url}/boxes/b", "PUT", {"id": "b", "name": "too long"})[0] == 400
        assert fetch(f"{url}/boxes/a") == (200, {"id": "a", "name": "kept"})


def seed(file, sandbox, *names):
    """Write a snapshot with blocks of these names to a file."""
    instant = "2026-01-01T00:00:00Z"
    blocks = [
        {
            "key": name,
            "version": 1,
            "created": instant,
            "modified": instant,
            "body": {"blockId": name, "name": "N", "deleted": False},
        }
        for name in names
    ]
    document = {
        "format": 1,
        "sandbox": sandbox,
        "seed": 0,
        "clock": {"mode": "frozen", "factor": 1.0, "at": instant},
        "settings": {},
        "scenarios": {"active": [], "counters": {}, "played": []},
        "apis": {"genero": {"created": instant, "records": {"publicapitest": {"block": blocks}}}},
    }
    file.write_text(json.dumps(document))
    return file


@pytest.mark.slow
def test_it_begins_with_snapshots(tmp_path):
    """Each is in the sandbox that it names; with a store, what is stored stays, and that is told."""
    own, other = seed(tmp_path / "own.json", "default", "a"), seed(tmp_path / "other.json", "mine", "b", "c")
    store, words = tmp_path / "sandbox.db", ("genero", "--snapshot", own, "--snapshot", other)
    for more, told in (((), 1), (("--store", store), 1), (("--store", store), 2)):
        with served(*words, *more) as process:
            url = process.urls["genero"]
            assert [one["blockId"] for one in fetch(f"{url}/api/v1/block")[1]] == ["a", "new"][:told]
            mine = fetch(f"{url}/api/v1/block", headers={"Sandbox": "mine"})[1]
            assert [one["blockId"] for one in mine] == ["b", "c"]
            fetch(f"{url}/api/v1/block/new", "PUT", {"blockId": "new", "name": "N"})
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=HANGS)[1]
            assert process.returncode == 0
        kept = "is in the store already, and stays as it is:"
        assert said.count(kept) == (2 if told == 2 else 0), said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (None, "seed.json: cannot be read: No such file or directory."),
        ("[]", "seed.json: it must be a snapshot, a JSON object."),
        ({"sandbox": "no name"}, "seed.json cannot be put: /sandbox: "),
        ({"format": 2}, "seed.json cannot be put: /format: the format 2 is not known; it must be 1."),
        ({"apis": {"generö": {}}}, "seed.json cannot be put: /apis/generö: 'created' is missing."),
        ({}, "are both of the sandbox 'default'. Name another sandbox in one of them."),
    ],
)
def test_a_snapshot_that_cannot_be_put_is_one_sentence(tmp_path, changed, says):
    """With its file and its place; and no store is left behind that would be taken for the begun one."""
    good, file = seed(tmp_path / "good.json", "default", "a"), tmp_path / "seed.json"
    if changed is not None:
        whole = changed if isinstance(changed, str) else json.dumps({**json.loads(good.read_text()), **changed})
        file.write_text(whole)
    store = tmp_path / "sandbox.db"
    words = ("serve", "genero", "--port", "0", "--store", store, "--snapshot", file, "--snapshot", good)
    told = refused(*words)
    assert says in told
    assert told.count("\n") == 1
    with served("genero", "--store", store, "--snapshot", good) as process:
        blocks = fetch(f"{process.urls['genero']}/api/v1/block")[1]
    assert [one["blockId"] for one in blocks] == ["a"]

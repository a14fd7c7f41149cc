"""`bulkproof run`: any command beside a sandbox of its own, and the verdict on the clients that it is."""

import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from children import HANGS, eventually, module
from children import run as run_process
from click.testing import CliRunner

from mockserver.cli import main

CLIENT = """
import json, os, sys, urllib.request

URL = os.environ["BULKPROOF_GENERO_URL"]

def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.loads(reply.read() or "null")

def post():
    return call("POST", "/api/v1/block/postJob", [{"blockId": "a", "name": "A"}])
"""


def run(*words, code="", options=("genero",)):
    """Run a command, or Python code with the client's functions; return the exit code and what stderr says."""
    command = words or [sys.executable, "-c", CLIENT + code]
    done = CliRunner().invoke(main, ["run", *map(str, options), "--", *command], standalone_mode=True)
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("code", "options", "exit_code", "says"),
    [
        ("post()", (), 0, "passed   one-active-job"),
        ("post(); post()", (), 1, "failed   one-active-job"),
        ("post(); sys.exit(5)", (), 5, "passed   one-active-job"),
        ("post(); post(); sys.exit(5)", (), 5, "failed   one-active-job"),
        ("os.kill(os.getpid(), 9)", (), 137, "No law was exercised: no client has sent a request"),
        ("pass", (), 0, "No law was exercised: no client has sent a request"),
        ("pass", ("--require",), 1, "failed   exercised"),
        ("call('GET', '/api/v1/block')", ("--require",), 1, "failed   exercised"),
        ("post()", ("--require", "one-active-job"), 0, "passed   one-active-job"),
        ("post()", ("--require", "stopped-polling"), 1, "It is required, and was not exercised"),
    ],
)
def test_the_exit_code_is_the_worse_of_both(code, options, exit_code, says):
    """The command's own unless it is 0, then the verdict's."""
    got, told = run(code=code, options=("genero", *options))
    assert (got, says in told) == (exit_code, True), told


def test_the_program_is_told_where_the_sandbox_is():
    """By the usual variables, and by those that it reads anyway."""
    code = """
assert URL == os.environ["BULKPROOF_URL"] + "/genero" == os.environ["API_BASE"] == os.environ["BLOCKS_URL"]
assert call("GET", "/api/v1/block") == []
"""
    variables = ("--url-variable", "API_BASE", "--url-variable", "BLOCKS_URL=genero")
    assert run(code=code, options=("genero", *variables))[0] == 0


def test_scenarios_and_settings_are_those_of_serve():
    """What a served sandbox can do by options, this one can."""
    code = """
post()
try:
    post()
except urllib.error.HTTPError as refused:
    sys.exit(refused.code - 400)
"""
    options = ("genero", "--scenario", "never-ends", "--conduct", "enforce", "--clock", "frozen")
    got, told = run(code=code, options=options)
    assert (got, "failed   one-active-job" in told) == (9, True), told


def test_every_sandbox_is_judged_even_one_that_is_gone(tmp_path):
    """Tests that use a sandbox each, reset it and drop it, are judged by all that they sent."""
    code = """
root = os.environ["BULKPROOF_URL"]
for name in ("one", "two"):
    URL = f"{root}/@{name}/genero"
    post()
    post() if name == "two" else None
    for method, path in (("POST", "/reset"), ("DELETE", "")):
        URL = f"{root}/_sandbox/sandboxes/{name}"
        call(method, path, {})
sys.exit(3)
"""
    file = tmp_path / "verdict.xml"
    got, told = run(code=code, options=("genero", "--junit", file))
    assert got == 3
    assert "2 sandboxes" in told
    assert "two/genero" in told
    assert 'classname="two/genero" name="one-active-job"' in file.read_text()
    assert "<failure" in file.read_text()


@pytest.mark.parametrize(
    ("options", "command", "says"),
    [
        (("genero",), ("/no/such/command",), "cannot run '/no/such/command': No such file or directory."),
        (("genero",), (), "Write the command to run after --"),
        (("--url-variable", "X"), ("true",), "2 APIs are served. Write X=genero."),
        (("--url-variable", "X=onky"), ("true",), "Did you mean 'onkey'?"),
        (("--require", "stoped-polling"), ("true",), "Did you mean 'stopped-polling'?"),
        (("--scenario", "never-end"), ("true",), "Did you mean 'never-ends'?"),
    ],
)
def test_misuse_is_a_sentence(options, command, says):
    """Exit code 2, whatever cannot be begun."""
    done = CliRunner().invoke(main, ["run", *options, *(["--", *command] if command else [])], standalone_mode=True)
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX's")
def test_nothing_is_left_behind():
    """What the command leaves running is ended with it."""
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
    done = run_process([sys.executable, "-m", "mockserver", "run", "genero", "--", sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(number):
    """The command decides what a signal means; the verdict is told all the same."""
    code = f"""
import signal, sys, time
signal.signal({int(number)}, lambda *_: sys.exit(7))
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""
    words = ("run", "genero", "--", sys.executable, "-c", code)
    with module("mockserver", *words, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=HANGS)
    assert (process.returncode, "No law was exercised" in told) == (7, True), told


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no job control")
def test_it_is_stopped_and_goes_on_with_its_command():
    """Ctrl-Z stops both, and both go on."""
    code = """
import os, sys, time
print(os.getpid(), flush=True)
sys.stdin.readline()
"""
    words = ("run", "genero", "--", sys.executable, "-c", code)
    with module("mockserver", *words, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        inner = int(process.stdout.readline())
        process.send_signal(signal.SIGTSTP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        assert eventually(lambda: _state(inner) == "T")
        process.send_signal(signal.SIGCONT)
        assert eventually(lambda: _state(inner) == "S")
        process.communicate("\n", timeout=HANGS)
    assert process.returncode == 0


def _state(process):
    """Return the state of a process, a letter; this is Linux's."""
    file = Path(f"/proc/{process}/stat")
    if not file.is_file():
        pytest.skip("there is no /proc")
    return file.read_text().rpartition(")")[2].split()[0]

"""Commands that are ended leave nothing behind: no temporary file, whatever ends them."""

import os
import re
import signal
import subprocess
from contextlib import closing
from http.client import HTTPConnection

import orjson
import pytest
from children import HANGS, eventually, module

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals and shells as POSIX has them")]
GIT = """#!/bin/sh
case "$*" in
  *rev-parse*) echo "$TOP" ;;
  *ls-tree*) echo shop.yaml ;;
  *archive*) touch "$TOP/begun"; exec sleep 400 ;;
esac
"""


@pytest.fixture
def begun(tmp_path):
    """Return a function that starts a command with a folder for temporary files, in which it has written some.

    A process of its own says so by a file `begun`.
    """
    (tmp_path / "shop.yaml").write_text("openapi: 3.1.0")
    git, temporary = tmp_path / "bin" / "git", tmp_path / "temporary"
    git.parent.mkdir()
    temporary.mkdir()
    git.write_text(GIT)
    git.chmod(0o755)
    path = f"{git.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(temporary), "TOP": str(tmp_path)}

    def start(*words, **options):
        process = module("mockserver", *words, env=environment, cwd=tmp_path, **options)
        return process, lambda: list(temporary.iterdir())

    return start


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    "words",
    [
        ("diff", "--since", "HEAD", "shop.yaml"),
        ("mutants", "--api", "genero", "--", "sh", "-c", 'touch "$TOP/begun"; exec sleep 400'),
    ],
    ids=lambda words: words[0],
)
def test_an_interrupted_command_leaves_no_temporary_files(begun, tmp_path, words, number, code):
    """Whether by Ctrl-C or by SIGTERM, as a CI system sends it; the exit code says by which."""
    process, left = begun(*words)
    with process as command:
        assert eventually((tmp_path / "begun").exists)
        assert left() != []
        command.send_signal(number)
        assert command.wait(HANGS) == code
    assert left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_server_keeps_in_files_goes_with_it(begun, number):
    """Bodies that wait for their jobs are in files without a name: nothing is left even where it is killed."""
    process, left = begun("serve", "genero", "--port", "0", stdout=subprocess.PIPE)
    body = orjson.dumps([{"blockId": f"b{n}", "name": "A block"} for n in range(5000)])
    with process as server:
        port = next(int(found[1]) for line in server.stdout if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))
        with closing(HTTPConnection("127.0.0.1", port, timeout=HANGS)) as connection:
            connection.request("POST", "/genero/api/v1/block/postJob", body, {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200
        server.send_signal(number)
        server.wait(HANGS)
    assert left() == []

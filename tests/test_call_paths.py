"""The call paths in `ARCHITECTURE.md` are those that requests take, and none has more than fifteen files."""

import json
import re
import sys
from functools import cache
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from generators.client.connection import Connection
from mockserver.cli import main
from mockserver.stores.memory import Table
from mockserver.testing import running

ROOT = Path(__file__).parents[1]
PACKAGES = ("contracts", "generators", "mockserver")
BOOKS = str(ROOT / "tests" / "cases" / "contract_only" / "books.yaml")
MAX_FILES = 15


@cache
def documented_paths():
    """Return the lists of `## Call paths` in the page's order: of `check`, of `fuzz`, of the mock server."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition("\n## Call paths\n")[2].partition("\n## ")[0]
    lists = re.findall(r"^```[a-z]*\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    check, fuzz, server = (tuple(text.split()) for text in lists)
    return {"check": check, "fuzz": fuzz, "server": server}


HTTP_FILES = ("generators/client/http.py", "generators/client/connection.py")


def files_on_the_stack():
    """Return the project's files from the outermost frame to the caller of this, each once."""
    found, frame = [], sys._getframe(1)  # noqa: SLF001 - the stack is what is tested
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
            found.append(path.relative_to(ROOT).as_posix())
        frame = frame.f_back
    return tuple(dict.fromkeys(reversed(found)))


@pytest.fixture
def stacks_of(monkeypatch):
    """Return a function that records the stacks that a method is called from."""

    def record(owner, name):
        found, method = set(), getattr(owner, name)

        def recording(*arguments):
            found.add(files_on_the_stack())
            return method(*arguments)

        monkeypatch.setattr(owner, name, recording)
        return found

    return record


def require_documented(measured, name):
    """Require that the documented path is among those measured, and that none of them is too long."""
    assert measured
    assert max(map(len, measured)) <= MAX_FILES, max(measured, key=len)
    assert documented_paths()[name] in measured, f"ARCHITECTURE.md, {name}. Measured:\n{_listed(measured)}"


def _listed(paths):
    return "\n\n".join("\n".join(path) for path in sorted(paths))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "middle"),
    [
        (("check", "--only", "isolated", "--max-time", "20s"), "generators/check/run.py"),
        (("fuzz", "--no-schemathesis", "--max-time", "1s"), "generators/fuzz/worker.py"),
    ],
    ids=["check", "fuzz"],
)
def test_from_a_command_to_the_socket(command, middle, stacks_of, tmp_path, monkeypatch):
    """Every request of a command goes through the one session and the one client."""
    monkeypatch.chdir(tmp_path)
    stacks = stacks_of(Connection, "_receive")
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        name, *options = command
        CliRunner().invoke(main, [name, "genero", "--url", bulkproof.genero.url, *options])
    paths = {path for path in stacks if path[0].startswith("mockserver/cli/") and middle in path}
    require_documented(paths, name)
    assert all(path[-2:] == HTTP_FILES for path in paths if "generators/client/session.py" in path)


@pytest.mark.parametrize("method", ["put", "put_all"])
def test_from_the_socket_to_a_stored_record(method, stacks_of):
    """A bulk request goes from the server through pipeline and unit of work to the records in memory."""
    stacks = stacks_of(Table, method)
    items = [{"isbn": "1", "title": "One"}, {"isbn": "2"}]  # one is refused, so that the others are written one by one
    with running(BOOKS, mode="frozen") as bulkproof:
        body = post(f"{bulkproof.books.url}/books/bulk-each", items)
    assert '"status":201' in body
    require_documented({path for path in stacks if path[0].startswith("mockserver/http/")}, "server")


def post(url, items):
    """Send items, and return the response's body."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=30)
    connection.request("POST", f"/{path}", json.dumps(items), {"Content-Type": "application/json"})
    body = connection.getresponse().read().decode()
    connection.close()
    return body

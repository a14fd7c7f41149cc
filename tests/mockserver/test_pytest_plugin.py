"""The plug-in in a pytest of its own: light when unused, apart under xdist, and talkative when a test fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.testing import running
from mockserver.testing.bulkproof import served

ROOT = Path(__file__).parents[2]
GET = """
import urllib.request

def get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.status
"""


def run(folder, text, *options, **environment):
    """Run a test file in a pytest process; return what it prints and its exit code."""
    (folder / "test_own.py").write_text(GET + text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mockserver.pytest_plugin", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(folder)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    plain["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [*command, *options, str(folder / "test_own.py")],
        env={**plain, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr, done.returncode


def test_an_unused_plug_in_loads_nothing(tmp_path):
    """A test session that does not ask for the fixture imports neither aiohttp nor a validator."""
    text = """
import sys

def test_nothing_is_loaded():
    heavy = ("aiohttp", "jsonschema", "jsonschema_rs", "orjson", "yaml", "contracts", "mockserver.testing")
    assert [name for name in heavy if name in sys.modules] == []
"""
    told, code = run(tmp_path, text)
    assert code == 0, told


@pytest.mark.slow
def test_a_failed_test_shows_its_exchanges(tmp_path):
    """What the client sent and was answered stands in the report of a test that fails, and only there."""
    text = """
def test_fails(bulkproof):
    get(bulkproof.genero.url + "/api/v1/block")
    assert bulkproof.genero.stored("block").keys == {"a"}

def test_passes(bulkproof):
    get(bulkproof.genero.url + "/api/v1/chain")

def test_fails_without_a_call(bulkproof):
    assert not bulkproof

def test_fails_after_a_reset(bulkproof):
    bulkproof.genero.expect("listEntities").fault("CONNECTION_RESET_BY_PEER").times(1)
    try:
        get(bulkproof.genero.url + "/api/v1/block")
    except OSError:
        get(bulkproof.genero.url + "/api/v1/block")
    assert not bulkproof
"""
    told, code = run(tmp_path, text)
    assert code == 1
    assert "#1 GET /genero/api/v1/block -> 200" in told
    assert "/api/v1/chain" not in told
    assert "The client sent no request." in told
    assert "-> no response, the connection was reset (meant: 200)" in told
    assert "< not received: []" in told
    assert "it was to fire 1 time and has fired 1 time: it is used up" in told


@pytest.mark.slow
def test_an_expectation_must_fire(tmp_path):
    """A test that passes although one never fired, or has no effect, fails in words, and frames of ours are hidden."""
    text = """
import asyncio
import unittest
import pytest

def test_unused(bulkproof):
    bulkproof.genero.expect("postJob").reply(503)
    get(bulkproof.genero.url + "/api/v1/block")

def test_without_effect(bulkproof):
    bulkproof.genero.expect("listEntities").times(1)
    get(bulkproof.genero.url + "/api/v1/block")

def test_allowed(bulkproof):
    bulkproof.genero.expect("postJob", allow_unused=True).reply(503)

def test_failed_before(bulkproof):
    bulkproof.genero.expect("postJob").reply(503)
    assert bulkproof.exchanges

def test_misused(bulkproof):
    bulkproof.genero.expect("postJob").fail()

class Tests(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _sandbox(self, bulkproof):
        self.bulkproof = bulkproof

    def test_unit(self):
        self.bulkproof.genero.expect("listEntities").reply(200, []).times(1)
        self.assertEqual(get(self.bulkproof.genero.url + "/api/v1/block"), 200)

    def test_unit_unused(self):
        self.bulkproof.genero.expect("postJob").reply(503)
"""
    told, code = run(tmp_path, text)
    assert (code, "5 failed, 2 passed" in told) == (1, True), told
    for name in (" test_unused ", ".test_unit_unused "):
        assert "never fired" in told.partition(name)[2].partition("\n____")[0], told
    assert "operation must be postJob, and it is listEntities" in told
    assert "has no effect" in told
    assert told.count("never fired") == 2, told
    assert "expectations.py" not in told
    assert "bulkproof.py:" not in told


@pytest.mark.slow
def test_it_stands_beside_other_plug_ins(tmp_path):
    """Coroutines as tests, in a random order, on several workers."""
    for name in ("pytest_asyncio", "pytest_randomly", "xdist"):
        pytest.importorskip(name)
    text = """
import asyncio
import pytest

async def fetch(url):
    return await asyncio.to_thread(get, url)

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(4))
async def test_in_a_loop(bulkproof, n):
    bulkproof.genero.expect("listEntities").delay("20ms").times(1)
    urls = [bulkproof.genero.url + "/api/v1/block"] * (n + 1)
    assert await asyncio.gather(*map(fetch, urls)) == [200] * len(urls)
    assert len(bulkproof.exchanges) == n + 1

@pytest.mark.asyncio
async def test_unused(bulkproof):
    bulkproof.genero.expect("postJob").reply(503)
"""
    plug_ins = [word for name in ("pytest_asyncio.plugin", "xdist") for word in ("-p", name)]
    told, code = run(tmp_path, text, *plug_ins, "-p", "pytest_randomly", "-n", "2")
    assert (code, "1 failed, 4 passed" in told) == (1, True), told
    assert "never fired" in told


@pytest.mark.slow
def test_tests_stay_apart_under_xdist(tmp_path):
    """Each worker has a server, each test a sandbox: none sees another's calls."""
    pytest.importorskip("xdist")
    text = """
import pytest

@pytest.mark.parametrize("n", range(8))
def test_alone(bulkproof, n):
    for _ in range(n):
        get(bulkproof.genero.url + "/api/v1/block")
    assert len(bulkproof.exchanges) == n
"""
    told, code = run(tmp_path, text, "-p", "xdist", "-n", "2")
    assert (code, "8 passed" in told) == (0, True), told


@pytest.mark.slow
def test_the_apis_can_be_chosen(tmp_path):
    """An OpenAPI file of one's own is served in the place of the bundled APIs."""
    books = ROOT / "tests/cases/contract_only/books.yaml"
    text = """
def test_books(bulkproof):
    assert get(bulkproof.books.url + "/books") == 200
    assert not hasattr(bulkproof, "genero")
"""
    told, code = run(tmp_path, text, "-o", f"bulkproof_apis={books}")
    assert code == 0, told


@pytest.mark.slow
def test_a_server_that_runs_already_is_used(tmp_path):
    """With BULKPROOF_URL the same tests speak to another server, each in a sandbox of its own there."""
    text = """
def test_elsewhere(bulkproof):
    bulkproof.clock.freeze()
    bulkproof.genero.expect("listEntities").reply(200, []).times(1)
    assert [get(bulkproof.genero.url + "/api/v1/block") for _ in range(2)] == [200, 200]
    assert [one.rules for one in bulkproof.exchanges] == [("expectation-1",), ()]
"""
    with served("genero") as server:
        told, code = run(tmp_path, text, BULKPROOF_URL=server.transport.url)
        assert code == 0, told
        counted = server.transport.running.service.metrics.requests
        assert counted["genero", "listEntities", 200] == 2
    told, code = run(tmp_path, text, BULKPROOF_URL=server.transport.url)
    assert (code, "no server responds at" in told) == (1, True), told


def test_the_grammar_needs_no_pytest():
    """The same words in a block of any program."""
    with running("genero", mode="frozen", seed=3) as bulkproof:
        assert bulkproof.clock.now.year == 2026
        assert bulkproof.genero.url.startswith("http://127.0.0.1:")

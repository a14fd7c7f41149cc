"""What tests of a running sandbox share: a server in a thread, and a client with a sandbox of its own."""

import gc
import json
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib import import_module
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from sampling import ALL

if TYPE_CHECKING:
    from mockserver.http.lifecycle import Running

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.register_profile("whole", settings.get_profile("patient"), max_examples=50)
settings.register_profile("quick", settings.get_profile("patient"), max_examples=25)
settings.load_profile("patient" if ALL else "whole")
MAX_ID_CHARS = 80  # of a parameter in the id of a test
MANY_OBJECTS = (20_000, 20, 20)  # made between two collections of garbage, which are a twentieth of the time otherwise
TELLING = {"BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PYTEST_ADDOPTS", "PY_COLORS"}
UNUSED_PLUGINS = ("schemathesis", "faker", "anyio", "asyncio", "randomly")  # by pytest where tests start it: a second
_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Load the plug-in where no entry point names it; without the slow tests, properties have fewer examples."""
    if not config.pluginmanager.has_plugin("bulkproof"):
        config.pluginmanager.register(import_module("mockserver.pytest_plugin"), "bulkproof")
    if "not slow" in config.option.markexpr:
        settings.load_profile("quick")
    if sys.dont_write_bytecode and not sys.pycache_prefix and hasattr(config, "cache"):
        _keep_bytecode(str(config.cache.mkdir("bytecode")))


def _keep_bytecode(folder: str) -> None:
    """Let processes that tests start, workers among them, keep bytecode in the cache of pytest, if Python keeps none.

    Each of hundreds would compile the whole program anew.
    """
    del os.environ["PYTHONDONTWRITEBYTECODE"]
    os.environ["PYTHONPYCACHEPREFIX"] = folder


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every worker begin with slow tests: short ones fill up the time until the last worker is done.

    Each is handed as many tests as any other, one row of them, and steals from the ends of the others' rows. Slow tests
    of a file stay together, and so do those that use a browser.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow: dict[Any, list[pytest.Item]] = {}
    short = deque[pytest.Item]()
    for item in items:
        if item.get_closest_marker("slow") is None:
            short.append(item)
        else:
            slow.setdefault(item.path.parent if item.path.parent.name == "dashboard" else item.path, []).append(item)
    rows, number = list(slow.values()), len(items)
    items.clear()
    for worker in range(workers):
        end = len(items) + (number - len(items)) // (workers - worker)
        items += chain.from_iterable(rows[worker::workers])
        items += [short.popleft() for _ in range(min(len(short), end - len(items)))]
    items += short


def pytest_collection_finish() -> None:
    """Put aside what was collected and imported: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*MANY_OBJECTS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are processors: many tests wait for processes, answers and time limits."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _surroundings() -> Iterator[None]:
    """Take from the environment what makes the programs under test print, or do, something else than anywhere."""
    own = {"BULKPROOF_CASES_URL", "BULKPROOF_SOUNDNESS_SEEDS", "BULKPROOF_TEST_ALL"}
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - own:
            if name in TELLING or name.startswith(("BULKPROOF_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("SSL_CERT_FILE", os.devnull)  # no test trusts this machine's authorities; each process reads them
        patch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in UNUSED_PLUGINS))
        yield


def pytest_make_parametrize_id(val: object) -> str | None:
    """Shorten ids of long texts: the beginning, and how long they are; None leaves the id to pytest."""
    if not isinstance(val, str | bytes) or len(val) <= MAX_ID_CHARS:
        return None
    head = val[:20].decode("latin-1") if isinstance(val, bytes) else val[:20]
    return f"{head}...{len(val)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply as it came; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)


class Client:
    """Speaks to one sandbox of a running server over one kept connection."""

    def __init__(self, running: "Running") -> None:
        self.running = running
        self.sandbox = f"test-{next(_numbers)}"
        self._connection = HTTPConnection("127.0.0.1", running.port, timeout=30)

    def send(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request as it is; a body that is no bytes is sent as JSON, which control calls always ask for."""
        is_plain = body is None and not target.startswith("/_sandbox/")
        fields = {} if is_plain else {"Content-Type": "application/json"}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()  # the server has closed it, since it was idle
        self._connection.request(method, target, data, {**fields, **(headers or {})})
        reply = self._connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(status=reply.status, headers=found, body=reply.read())

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Call an API in this client's sandbox; `path` begins with the API's mount."""
        return self.send(method, f"/@{self.sandbox}{path}", body, headers)

    def control(self, method: str, what: str = "", body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Make a control call about this client's sandbox, such as `GET`, `clock`."""
        target = f"/_sandbox/sandboxes/{self.sandbox}{f'/{what}' if what else ''}"
        return self.send(method, target, body, headers)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


Serving = Callable[..., Client]


@pytest.fixture(scope="session")
def _servers() -> Iterator[Callable[..., "Running"]]:
    from mockserver.apis.sources import find_sources  # noqa: PLC0415 - most tests need no server
    from mockserver.http.lifecycle import in_thread  # noqa: PLC0415 - as above
    from mockserver.http.service import Options  # noqa: PLC0415 - as above

    running: dict[tuple[Any, ...], Running] = {}
    with ExitStack() as stack:

        def start(names: tuple[str, ...], body_seconds: float, options: dict[str, Any]) -> "Running":
            key = (names, body_seconds, repr(sorted(options.items())))
            if key not in running:
                apis = [source.load() for source in find_sources(names)]
                running[key] = stack.enter_context(in_thread(apis, Options(**options), body_seconds=body_seconds))
            return running[key]

        yield start


@pytest.fixture
def serving(_servers: Callable[..., "Running"]) -> Iterator[Serving]:
    """Return a function that serves APIs, bundled or files, and returns a client with a fresh sandbox.

    Keyword arguments are those of `Options`; a server is started once for all tests that want the same.
    """
    with ExitStack() as stack:

        def serve(*names: str, body_seconds: float = 30.0, **options: Any) -> Client:
            client = Client(_servers(tuple(map(str, names)), body_seconds, options))
            stack.callback(client.close)
            return client

        yield serve

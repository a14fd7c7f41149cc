"""The pytest plug-in: the fixture `bulkproof`, a fresh sandbox for each test. Loaded on first use.

See https://docs.pytest.org/en/stable/how-to/writing_plugins.html.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mockserver.testing import Bulkproof
    from mockserver.testing.bulkproof import Server

SHOWN = 20  # exchanges that a failed test shows
SANDBOX: "pytest.StashKey[Bulkproof]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option that names the served APIs."""
    says = "APIs that the fixture `bulkproof` serves: bundled ones, plug-ins or OpenAPI files (default: all bundled)"
    parser.addini("bulkproof_apis", says, type="args", default=[])


@pytest.fixture(scope="session")
def bulkproof_server(pytestconfig: pytest.Config) -> "Iterator[Server]":
    """Start one server for all tests of a process, or connect to the one that BULKPROOF_URL names."""
    import os  # noqa: PLC0415 - the plug-in imports nothing until a fixture is used

    from mockserver.testing.bulkproof import connected, served  # noqa: PLC0415 - only tests that use it wait for it

    url = os.environ.get("BULKPROOF_URL")
    if url:
        yield connected(url, token=os.environ.get("BULKPROOF_CONTROL_TOKEN", ""))
        return
    with served(*pytestconfig.getini("bulkproof_apis")) as server:
        yield server


@pytest.fixture
def bulkproof(bulkproof_server: "Server", request: pytest.FixtureRequest) -> "Iterator[Bulkproof]":
    """Return a fresh sandbox; the client's base URL of an API is `bulkproof.onkey.url`."""
    sandbox = request.node.stash[SANDBOX] = bulkproof_server.sandbox(request.node.name)
    yield sandbox
    sandbox.drop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has passed although an expectation never fired, or has no effect."""
    result = yield
    sandbox = item.stash.get(SANDBOX, None)
    fault = "" if sandbox is None else _fault_of_expectations(sandbox)
    if fault:
        pytest.fail(fault, pytrace=False)
    return result


def _fault_of_expectations(sandbox: "Bulkproof") -> str:
    try:
        sandbox.assert_expectations_fired()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the client's exchanges to the report of a failed test."""
    report = yield
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None and report.when == "call" and report.failed:
        report.sections.append(("bulkproof exchanges", _told(sandbox)))
    return report


def _told(sandbox: "Bulkproof") -> str:
    from contracts.errors import MisuseError  # noqa: PLC0415 - only where a test has failed

    try:
        exchanges = sandbox.exchanges
        left = len(exchanges) - SHOWN
        more = [f"({left} earlier ones)"] if left > 0 else []
        return "\n".join([*more, *(str(one) for one in exchanges[-SHOWN:])]) or "The client sent no request."
    except MisuseError as error:
        return f"What the client sent cannot be shown: {error}"

"""`.ci/supply_chain.py`: what it makes of the answers of its tools, and the page of licences that it writes."""

import json
import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINNED = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()}


@pytest.fixture(scope="module")
def script():
    spec = spec_from_file_location("supply_chain", ROOT / ".ci" / "supply_chain.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
UNREACHED = "Traceback ...\nrequests.exceptions.ConnectionError: no such host"
UNTRUSTED = "Traceback ...\nrequests.exceptions.SSLError: certificate verify failed"


@pytest.mark.parametrize(
    ("status", "found", "said", "verdict"),
    [
        (0, [CLEAN], "", (0, "no known vulnerability in 1 packages.")),
        (0, [CLEAN, SKIPPED], "", (0, "no known vulnerability in 1 packages; NOT CHECKED: b.")),
        (0, [SKIPPED], "No known vulnerabilities found", (0, "NOT CHECKED, the service")),
        (1, [CLEAN, BAD, SKIPPED], "", (1, "known vulnerabilities: c 2: PYSEC-1")),
        (1, None, UNREACHED, (0, "NOT CHECKED, the service of vulnerabilities cannot be reached")),
        (1, None, UNTRUSTED, (0, "NOT CHECKED, the service of vulnerabilities cannot be reached")),
        (1, None, "ERROR: invalid requirement", (1, "it failed with 1: ERROR: invalid requirement")),
        (0, None, "", (1, "it failed with 0")),
    ],
)
def test_nothing_is_clean_that_was_not_looked_at(script, status, found, said, verdict):
    """A service that cannot be asked fails nothing and is told; a vulnerability, or a tool that breaks, fails."""
    report = "" if found is None else json.dumps({"dependencies": found})
    failed, says = script.verdict(status, report, said)
    assert failed == verdict[0]
    assert says.startswith(verdict[1])


def test_a_licence_that_is_not_listed_is_found(script):
    """Rows are compared whatever their width; what another system needs may be listed beside."""
    page = "# Licences\n\n| Name | License |\n|---|---|\n| a    | MIT |\n| b | BSD |\n"
    assert script.unlisted("| Name | License |\n|-----|-----|\n| a | MIT      |\n", page) == []
    assert script.unlisted("| a | MIT |\n| b | GPL |\n| c | MIT |", page) == ["b: GPL", "c: MIT"]


def test_the_page_lists_what_users_install(script):
    """Every package of the page is locked, and every dependency of the project is on it."""
    listed = {row.partition(": ")[0] for row in script.rows(script.PAGE.read_text("utf-8"))}
    assert listed <= PINNED
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {re.match(r"[\w.-]+", one)[0] for one in (*project["dependencies"], *extras["campaign"], *extras["scale"])}
    assert {one.lower().replace("_", "-") for one in wanted} <= {one.lower().replace("_", "-") for one in listed}

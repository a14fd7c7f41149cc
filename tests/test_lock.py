"""The lock that the README, CONTRIBUTING and the gate install from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINNED = re.compile(r"([A-Za-z0-9._-]+)==[A-Za-z0-9.!+_-]+(?: ; [a-z_]+ [<>=!]+ '[\w.]+')?")
INSTALL, TEST = "-c constraints.txt ", "python -m pytest"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_each_line_is_one_version_of_one_package():
    """Only names, versions and markers: no place of one machine, no address of one registry."""
    pins = [PINNED.fullmatch(line) for line in LOCK if not line.startswith("#")]
    assert all(pins)
    names = [normal(one[1]) for one in pins]
    assert len(set(names)) == len(names)


def test_all_that_the_project_asks_for_is_locked():
    """Each dependency, of users and of developers, has its line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for some in project["optional-dependencies"].values() for one in some)]
    names = {normal(re.match(r"[\w.-]+", one)[0]) for one in wanted} - {"bulkproof"}
    assert names <= {normal(line.partition("=")[0]) for line in LOCK}


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_everybody_installs_from_it_and_tests_alike(file):
    """The gate runs the very command that is shown to readers."""
    lines = [line.removeprefix("$ ") for line in (ROOT / file).read_text("utf-8").splitlines()]
    assert [line for line in lines if "pip install" in line and INSTALL in line]
    assert TEST in lines

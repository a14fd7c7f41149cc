"""Every case below this folder, against the sandbox in this process or, with BULKPROOF_CASES_URL, against a server."""

import os
from pathlib import Path

import pytest
from case_inside import beside, inside, served_by
from case_run import new_sandbox, over_http, run_case
from case_text import read_cases

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("**/*.case"))
CASES = [case for file in FILES for case in read_cases(file)]
URL = os.environ.get("BULKPROOF_CASES_URL", "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case):
    """What the case expects is what is answered."""
    step = served_by(case)
    if not URL and case.needs_socket:
        with beside(case) as (server, mount):
            run_case(case, server, mount, sandbox=new_sandbox())
        return
    if not URL:
        server, mount = inside(case)
    elif step.word == "contract":
        pytest.skip("a server that runs already does not serve this case's contract")
    else:
        server, mount = over_http(URL), f"/{step.rest}"
    run_case(case, server, mount, sandbox=new_sandbox())


def test_no_title_stands_twice_in_a_file():
    """A failing case can be found by its title."""
    assert len({case.id for case in CASES}) == len(CASES)


def test_the_example_of_the_readme_works(tmp_path):
    """What the README shows is a case file, and its cases pass."""
    file = tmp_path / "readme.case"
    file.write_text((HERE / "README.md").read_text(encoding="utf-8").split("```")[1], encoding="utf-8")
    for case in read_cases(file):
        run_case(case, *inside(case), sandbox=new_sandbox())

"""The bundled scenarios: each is faultless, says what it is for, fits what is served, and is played in a case."""

import re
from pathlib import Path

import pytest

from contracts.errors import MisuseError
from contracts.openapi.loading import load, load_bundled
from mockserver.scenarios.loading import BUNDLED, Catalogue, bundled, bundled_names, load_file, ways_to_select
from mockserver.scenarios.validation import KnownNames, contract_faults

FILES = sorted(BUNDLED.glob("*/*.yaml"))
KNOWN = KnownNames(contracts={name: load_bundled(name) for name in ("genero", "onkey")})
CASES = Path(__file__).parents[2] / "cases" / "scenarios"
RETURNS_ITEMS = KnownNames(contracts={"database": load(CASES.parent / "contract_only" / "dynamodb.yaml")})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bundled_scenario_has_no_faults_and_is_called_as_its_file(path):
    """It loads as a user's would, stands in its API's folder, and says what it is for."""
    scenario = load_file(path)
    assert scenario == bundled(path.stem)
    assert (scenario.name, scenario.api or "any") == (path.stem, path.parent.name)
    assert scenario.summary.endswith(".")
    known = RETURNS_ITEMS if path.stem == "some-items-unprocessed" else KNOWN
    assert contract_faults(scenario, known, shown=path.name) == ()


def test_no_name_stands_twice_and_none_is_missing():
    """Names are unique across the folders, and all of them can be selected."""
    assert len(FILES) == len(bundled_names()) == len({path.stem for path in FILES})
    assert {one.name for one in Catalogue()} == set(bundled_names())


@pytest.mark.parametrize("name", bundled_names())
def test_every_bundled_scenario_is_played_in_a_case(name):
    """A whole-program case begins it, or asks for it, and its title says so."""
    texts = [file.read_text(encoding="utf-8") for file in CASES.glob("*.case")]
    whole = re.escape(name) + r"(?![A-Za-z0-9-])"
    assert any(re.search(rf"^= {whole}", text, re.MULTILINE) for text in texts)
    assert any(re.search(rf"(@ scenario|Prefer: scenario=) ?{whole}", text) for text in texts)


@pytest.mark.parametrize(
    "wanted",
    [
        *("genero-example-in-progress", "genero-example-partial-success", "onkey-example-import"),
        *("genero-partial-success", "onkey-partial-success", "onkey-all-or-none-fails", "all-items-fail"),
        *("genero-one-tenant-unknown", "genero-all-tenants-unknown"),
        *("slow-job", "never-ends", "job-with-errors", "genero-job-timed-out"),
        *("genero-denied-repeated", "genero-denied-empty", "genero-denied-too-many", "genero-denied-not-an-object"),
        *("onkey-version-conflict", "onkey-reference-not-found", "genero-reference-not-found"),
        *("genero-second-active-job", "genero-polled-too-often", "rate-limit"),
        *("time-out-before-commit", "time-out-during-commit", "time-out-after-commit"),
        *("empty-response", "malformed-chunk", "random-data", "connection-reset", "truncated-reply", "dribbled-reply"),
    ],
)
def test_the_bad_days_that_clients_meet_are_there(wanted):
    """The names under which people look for a bad day are not taken away."""
    assert wanted in bundled_names()


def test_an_unknown_name_is_answered_with_the_closest():
    """A slip of the pen is told."""
    with pytest.raises(MisuseError, match="Did you mean 'never-ends'"):
        Catalogue().get("never-end")


def test_a_file_comes_before_a_bundled_scenario_of_its_name(tmp_path):
    """What a user loads is what the name means from then on; a word with a suffix or a folder is a file."""
    path = tmp_path / "mine.yaml"
    path.write_text("name: never-ends\nsummary: Mine.\nrules: [{then: {}}]\n")
    catalogue = Catalogue()
    chosen, file = catalogue.choose(str(path))
    assert (chosen.summary, file) == ("Mine.", path)
    assert catalogue.choose("never-ends") == (chosen, None)
    assert len(catalogue.names()) == len(bundled_names())


def test_the_ways_to_select_name_the_scenario_and_the_server():
    """Each way is a line that can be pasted."""
    ways = ways_to_select("never-ends", "http://127.0.0.1:1234")
    assert set(ways) == {"header", "cli", "pytest", "control"}
    assert all("never-ends" in line for line in ways.values())
    assert "http://127.0.0.1:1234/_sandbox/sandboxes/default/scenarios" in ways["control"]

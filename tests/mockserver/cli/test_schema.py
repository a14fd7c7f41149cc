"""`bulkproof schema`: what it prints is what documents must fit, for editors that know no other schema of ours."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner

from contracts.syntax.documents import parse_yaml
from mockserver.cli import main
from mockserver.cli.schema import FILES, SCHEMAS
from mockserver.scenarios.loading import load

ROOT = Path(__file__).parents[3]
OVERLAYS = [*(ROOT / "examples").rglob("*.overlay.yaml")]
DOCUMENTS = [ROOT / "examples" / "your-own-api" / "openapi.yaml", *(ROOT / "tests/cases/presets").glob("*.yaml")]
SCENARIOS = sorted((ROOT / "mockserver" / "scenarios" / "bundled").rglob("*.yaml"))
WRONG = {  # schema: a document with a fault that its editor must show
    "scenario": {"name": "a", "rules": [{"then": {"nver-ends": True}}]},
    "overlay": {
        "overlay": "1.0.0",
        "info": {"title": "a", "version": "1"},
        "actions": [{"target": "$", "update": {"paths": {"/a": {"post": {"x-bulk": {"itmes": {}}}}}}}],
    },
    "openapi": {"paths": {"/a": {"post": {"x-bulk": {"items": {"at": "", "max": "many"}}}}}},
}


def printed(*words):
    done = CliRunner().invoke(main, ["schema", *words])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def schema(name):
    return jsonschema_rs.Draft202012Validator(json.loads(printed(name)), validate_formats=False)


def read(path):
    return parse_yaml(path.read_text("utf-8"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_whole(name):
    """It has no reference to another document, and each reference leads to a definition."""
    whole = json.loads(printed(name))
    assert [one for one in references(whole) if not one.startswith("#/$defs/") or one[8:] not in whole["$defs"]] == []
    jsonschema_rs.Draft202012Validator(whole)


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = node.values()
    if not isinstance(node, str | int | float | None):
        for one in node:
            yield from references(one)


@pytest.mark.parametrize(("name", "files"), [("scenario", SCENARIOS), ("overlay", OVERLAYS), ("openapi", DOCUMENTS)])
def test_right_documents_fit(name, files):
    """All of ours, each of which the program takes."""
    assert files
    fits = schema(name)
    assert {file.name: str(fault) for file in files for fault in fits.iter_errors(read(file))} == {}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_documents_do_not_fit(name):
    assert not schema(name).is_valid(WRONG[name])


def test_a_scenario_may_name_its_schema():
    """Editors find the schema of a JSON document by it."""
    document = {"$schema": "scenario.schema.json", "name": "a", "rules": [{"then": {"never-ends": True}}]}
    assert schema("scenario").is_valid(document)
    assert load(document).name == "a"


def test_without_a_name_all_are_listed():
    assert [line.split()[0] for line in printed().splitlines()] == list(SCHEMAS)


def test_a_catalogue_leads_to_the_files(tmp_path):
    """It has the form of SchemaStore's; its addresses are those of the files that were written with it."""
    printed("--all", str(tmp_path / "schemas"))
    catalogue = json.loads((tmp_path / "schemas" / "catalog.json").read_text("utf-8"))
    assert {tuple(one["fileMatch"]) for one in catalogue["schemas"]} == set(FILES.values())
    for one in catalogue["schemas"]:
        assert Path(one["url"].removeprefix("file://")).is_file()
    found = {one.name.removesuffix(".schema.json") for one in (tmp_path / "schemas").glob("*.schema.json")}
    assert found == set(SCHEMAS)


@pytest.mark.parametrize("words", [["scenario", "--all", "."], ["--output", "a.json"], ["scenaro"]])
def test_misuse_is_told(words):
    assert CliRunner().invoke(main, ["schema", *words]).exit_code == 2

"""`bulkproof init`: what it writes is an overlay that loads and serves; what it says when there is nothing to write."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from contracts.openapi.loading import load
from mockserver.cli import main

CASES = Path(__file__).parents[2] / "cases"


def run(*words):
    done = CliRunner().invoke(main, ["init", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def parcels(tmp_path):
    """Return a document with a bulk operation that nothing declares."""
    document = yaml.safe_load((CASES / "presets" / "zalando-207.yaml").read_text())
    del document["paths"]["/parcels/batch"]["post"]["x-bulk"]
    document["paths"]["/it's \\odd/bulk"] = {
        "post": {
            "requestBody": {
                "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
            },
            "responses": {"200": {"description": "done"}},
        }
    }
    path = tmp_path / "api.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_what_is_written_declares_the_operations(tmp_path, parcels):
    """It names its document, so that it loads by itself, from another folder too."""
    (tmp_path / "ours").mkdir()
    overlay = tmp_path / "ours" / "bulk.overlay.yaml"
    code, said, _ = run(parcels, "-o", overlay)
    assert (code, said) == (0, f"{overlay} declares 2 operations. See what they mean: bulkproof explain {overlay}\n")
    contract = load(overlay)
    bulk = contract.operation("createParcels").bulk
    assert (bulk.effect.like, bulk.key.at, bulk.reply.outcomes.at) == (("createParcel",), "/id", "/items")
    odd = next(one for one in contract.operations if "odd" in one.path)
    assert odd.bulk.effect.resource.constant in contract.resources


def test_without_a_file_it_is_printed_with_what_to_check(parcels):
    code, text, _ = run(parcels)
    assert code == 0
    assert (
        "# POST /parcels/batch (createParcels): its path says so, it declares 207 and its response has an entry" in text
    )
    assert "# Check how many items there may be" in text
    assert yaml.safe_load(text)["extends"] == parcels.as_posix()


def test_what_is_drafted_can_be_explained(tmp_path, parcels):
    overlay = tmp_path / "o.yaml"
    run(parcels, "-o", overlay)
    done = CliRunner().invoke(main, ["explain", str(overlay)])
    assert done.exit_code == 0
    assert "One entry for each item, in an array, at /items" in done.stdout


def test_what_is_there_is_not_overwritten(tmp_path, parcels):
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    code, _, says = run(parcels, "-o", mine)
    assert (code, says) == (2, f"Error: {mine}: it exists already. Name a new file, or remove it.\n")
    assert mine.read_text() == "mine"


def test_nothing_to_declare_is_said(tmp_path):
    path = tmp_path / "api.yaml"
    path.write_text("openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\n")
    says = f"Error: {path}: no likely bulk operation was found. Write x-bulk by hand: see docs/x-bulk.md.\n"
    assert run(path) == (2, "", says)
    gone = tmp_path / "gone.yaml"
    assert run(gone) == (2, "", f"Error: {gone}: there is no such file. Name an OpenAPI document.\n")


def test_other_commands_tell_of_what_nothing_declares(tmp_path, parcels, serving):
    overlay = tmp_path / "o.yaml"
    run(parcels, "-o", overlay)
    note = f"look like bulk operations, which no x-bulk declares; for a draft: bulkproof init {parcels}\n"
    plain, declared = (CliRunner().invoke(main, ["explain", str(one)]).stdout for one in (parcels, overlay))
    assert (plain.endswith(note), note in declared) == (True, False)
    client = serving(str(parcels))
    where = f"{client.running.url}/@{client.sandbox}"
    judged = CliRunner().invoke(main, ["check", str(parcels), "--url", where, "--read-only"])
    assert (judged.exit_code, judged.stderr.endswith(note)) == (0, True)

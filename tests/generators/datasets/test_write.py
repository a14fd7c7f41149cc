"""Data as it is written: streamed, reproducible, ready to post; and the command that writes it."""

import csv
import io
import json
import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.errors import MisuseError
from contracts.messages import ABSENT
from contracts.openapi.loading import load_bundled
from contracts.openapi.routing import Router
from contracts.syntax.text import look_up
from generators.datasets.rows import referenced_resources
from generators.datasets.write import data_source, write_data
from mockserver.cli.data import data

GENERO, ONKEY = load_bundled("genero"), load_bundled("onkey")
EVERY = [
    *(
        (GENERO, name)
        for name in ("postJob", "postMultiTenantJob", "putEntity", "fetchToken", "block", "customer", "job-status")
    ),
    *(
        (ONKEY, name)
        for name in ("batchCreate", "batchUpdate", "batchDelete", "matchUpdate", "import", "create", "Trade", "entity")
    ),
]


def written(contract, name, *, given=None, profile="realistic", **options):
    out = io.StringIO()
    write_data(data_source(contract, name, given or {}, profile), out, **{"n": 10, **options})
    return out.getvalue()


def body_fits(contract, name, value):
    operation = contract.operation(name)
    return operation.body.content[0].schema.is_valid(value)


@pytest.mark.parametrize(("contract", "name"), EVERY[:2] + EVERY[7:12], ids=lambda one: getattr(one, "name", one))
def test_json_of_a_bulk_operation_is_a_body_to_post(contract, name):
    """What is written for a bulk operation is its request body, with as many items as were asked for."""
    body = json.loads(written(contract, name, n=7))
    bulk = contract.operation(name).bulk
    assert body_fits(contract, name, body)
    assert len(body[bulk.items.at.strip("/")] if bulk.items.at else body) == 7
    assert json.loads(written(contract, name, n=0)) is not None


@pytest.mark.parametrize(("contract", "name"), EVERY, ids=lambda one: getattr(one, "name", one))
def test_the_three_formats_hold_the_same_values(contract, name):
    """JSON, lines and table have the same values in the same order."""
    lines = [json.loads(line) for line in written(contract, name, seed=3, form="ndjson").splitlines()]
    rows = list(csv.DictReader(io.StringIO(written(contract, name, seed=3, form="csv"))))
    text = written(contract, name, seed=3)
    assert len(lines) == len(rows) == 10
    assert all(json.dumps(line, ensure_ascii=False, separators=(",", ":")) in text for line in lines)
    for line, row in zip(lines, rows, strict=True):
        for column, cell in row.items():
            value = line if column != "*" else {}
            for token in column.split("."):
                value = value.get(token) if isinstance(value, dict) else None
            assert cell == (
                ""
                if value is None
                else value
                if isinstance(value, str)
                else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            )


@pytest.mark.parametrize(("contract", "name"), EVERY, ids=lambda one: getattr(one, "name", one))
def test_more_values_begin_with_the_same_ones(contract, name):
    """A value depends on the seed and its number alone: asking for more changes nothing before."""
    few, many = (written(contract, name, n=n, seed=5, form="ndjson", invalid=0.2) for n in (70, 150))
    assert many.startswith(few)
    assert many != written(contract, name, n=150, seed=6, form="ndjson", invalid=0.2)


def test_invalid_values_are_labelled_and_the_others_are_valid():
    """About the wished share is broken, each with its number, keyword and pointer; nothing else is."""
    labels = io.StringIO()
    lines = written(GENERO, "customer", n=400, invalid=0.05, form="ndjson", labels=labels).splitlines()
    said = {one["value"]: one for one in map(json.loads, labels.getvalue().splitlines())}
    schema = GENERO.schemas.schema(GENERO.resources["customer"].schema)
    assert 8 <= len(said) <= 40
    for n, line in enumerate(lines):
        errors = list(schema.validator.iter_errors(json.loads(line)))
        assert [error.schema_path[-1] for error in errors] == ([said[n]["keyword"]] if n in said else [])


@pytest.mark.parametrize("name", ["batchCreate", "batchUpdate", "batchDelete", "matchUpdate", "import"])
def test_labels_of_items_point_into_the_items(name):
    """A label's pointer leads into the value as it is written, through the list of changes too."""
    labels = io.StringIO()
    lines = written(ONKEY, name, n=80, invalid=0.5, form="ndjson", labels=labels).splitlines()
    items = [json.loads(line) for line in lines]
    said = list(map(json.loads, labels.getvalue().splitlines()))
    assert len(said) > 15
    for one in said:
        above = one["pointer"].rpartition("/")[0] if one["keyword"] == "additionalProperties" else one["pointer"]
        assert look_up(items[one["value"]], above) is not ABSENT


def test_keys_are_unique_and_references_hold_within_a_seed():
    """With one seed, records of one kind refer to the first ten of another as the same seed makes them."""
    made = {
        name: [
            json.loads(line)
            for line in written(GENERO, "postJob", n=100, seed=9, form="ndjson", given={"entity": name}).splitlines()
        ]
        for name in ("block", "wholesaler", "chain", "customer")
    }
    keys = {name: [one[GENERO.resources[name].key] for one in records] for name, records in made.items()}
    assert all(len(set(one)) == 100 for one in keys.values())
    used = {one["wholesalerId"] for one in made["customer"] if "wholesalerId" in one}
    assert used
    assert used <= set(keys["wholesaler"][:10])
    assert {one["blockId"] for one in made["chain"] if "blockId" in one} <= set(keys["block"][:10])
    assert referenced_resources(GENERO, "customercontact") == ["block", "wholesaler", "chain", "customer"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number():
    """Values are written as they are made."""

    class Sink:
        def write(self, _):
            pass

        def writelines(self, lines):
            for _ in lines:
                pass

    def peak(n):
        tracemalloc.start()
        write_data(data_source(GENERO, "postJob", {}), Sink(), n=n, invalid=0.05)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(4000)  # what is kept once and for all is there
    assert peak(4000) < 3 * peak(400)  # ten times, if they were kept


def test_what_has_no_data_is_said():
    """Unknown names, parameters and words, bodies and keywords that are not there: one sentence each."""
    for name, options, says in (
        ("postjob", {}, "Did you mean 'postJob'?"),
        ("jobStatus", {}, "jobStatus has no body."),
        ("postJob", {"given": {"entty": "block"}}, "Did you mean 'entity'?"),
        ("postJob", {"given": {"entity": "blok"}}, "Did you mean 'block'?"),
    ):
        with pytest.raises(MisuseError) as caught:
            written(GENERO, name, **options)
        assert says in str(caught.value)


def test_a_value_that_no_column_takes_is_said(tmp_path):
    """A table never drops a member in silence: what has no column is refused, with the way out."""
    from contracts.openapi.loading import load  # noqa: PLC0415 - only here

    file = tmp_path / "open.yaml"
    file.write_text(
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\ncomponents:\n  schemas:\n"
        "    Open: {properties: {a: {type: integer}}, additionalProperties: {type: integer}, minProperties: 3}\n"
        "    Any: true\n"
    )
    with pytest.raises(MisuseError, match="which is not a column"):
        written(load(file), "Open", form="csv")
    with pytest.raises(MisuseError, match="Any has no keyword that can be violated"):
        written(load(file), "Any", invalid=0.1)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["genero", "block", "-n", "2", "--format", "csv"], 0, "blockId,name,deleted\n"),
        (["onkey", "Trade", "-n", "1", "--invalid", "5%"], 0, "[{"),
        (["genero", "block", "--invalid", "lots"], 2, "'lots' is not a share such as 5% or 0.05."),
        (["genero", "block", "--invalid", "500%"], 2, "'500%' is not a share"),
        (["genero", "block", "--param", "entity"], 2, "'entity' is not NAME=VALUE."),
        (["genero", "block", "-n", "-1"], 2, "-1 is not in the range"),
    ],
)
def test_the_command(arguments, status, says):
    """The command writes to standard output; what is wrong with it is one sentence and exit code 2."""
    ran = CliRunner().invoke(data, arguments)
    assert (ran.exit_code, says in ran.output) == (status, True)


def test_the_commands_of_the_page_work(tmp_path, monkeypatch):
    """Every command on the page about data runs and writes something."""
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    commands = [line.split()[2:] for line in page.splitlines() if line.startswith("bulkproof data ")]
    assert len(commands) >= 4
    monkeypatch.chdir(tmp_path)
    for command in commands:
        ran = CliRunner().invoke(data, command)
        assert ran.exit_code == 0
        assert ran.output or (tmp_path / command[-1]).stat().st_size


@pytest.mark.slow
def test_the_command_writes_the_same_bytes_in_another_process():
    """The same command gives the same bytes, whatever process runs it."""
    command = [
        sys.executable,
        "-m",
        "mockserver",
        "data",
        "genero",
        "postJob",
        "-n",
        "80",
        "--seed",
        "7",
        "--invalid",
        "5%",
    ]
    one, other = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert one == other
    assert len(json.loads(one)) == 80


def test_every_operation_resource_and_schema_has_data():
    """Whatever a contract names, data can be made of, but for operations without a body."""
    for contract in (GENERO, ONKEY):
        names = [one.id for one in contract.operations if one.body is not None]
        for name in (*names, *(one.name for one in contract.resources.values() if one.schema)):
            assert len(list(islice(data_source(contract, name, {}).rows(1, 0.0), 3))) == 3
        assert Router(contract)


@pytest.mark.parametrize(("contract", "name"), [(GENERO, "customer"), (ONKEY, "Trade"), (ONKEY, "batchCreate")])
def test_a_profile_changes_the_values_and_not_what_is_valid(contract, name):
    """Wide values go through references, keys and labels as realistic ones do, and differ from them."""
    written_as = {
        one: written(contract, name, n=60, form="ndjson", profile=one) for one in ("realistic", "plain", "wide")
    }
    assert len(set(written_as.values())) == 3
    assert written_as["realistic"] == written(contract, name, n=60, form="ndjson")
    assert {text.isascii() for text in (written_as["plain"].replace("\n", ""), written_as["wide"])} >= {False}
    table = list(csv.reader(io.StringIO(written(contract, name, n=60, form="csv", profile="wide"), newline="")))
    assert {len(row) for row in table} == {len(table[0])}
    assert len(table) == 61


def test_the_command_knows_the_profiles():
    """`--profile` chooses the spread of values; another word is refused with the known ones."""
    runner = CliRunner()
    wide = runner.invoke(data, ["onkey", "Trade", "-n", "30", "--profile", "wide"])
    assert wide.exit_code == 0
    assert wide.output != runner.invoke(data, ["onkey", "Trade", "-n", "30"]).output
    refused = runner.invoke(data, ["onkey", "Trade", "--profile", "wild"])
    assert refused.exit_code == 2
    assert "'realistic', 'plain', 'wide'" in refused.output

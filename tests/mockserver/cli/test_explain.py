"""`bulkproof explain`: who answers, what a bulk operation means, what is inferred, missing and not judged."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mockserver.cli import main

CASES = Path(__file__).parents[2] / "cases"
BOOKS = CASES / "contract_only" / "books.yaml"
PLAIN = """
openapi: 3.1.0
info: {title: Plain, version: "1"}
paths:
  /pets:
    get: {operationId: listPets, responses: {"200": {description: all}}}
    post:
      operationId: createPet
      requestBody: {content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}
      responses: {"201": {description: made, content: {application/json: {schema: {type: object}}}}}
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    put: {operationId: putPet, x-record: {action: replace, resource: pets}, responses: {"200": {description: it}}}
  /weather:
    get: {operationId: weather, responses: {"200": {description: it}}}
  /things/bulk:
    post:
      operationId: bulk
      requestBody: {content: {application/json: {schema: {type: array}}}}
      responses: {"200": {description: told}}
      x-bulk:
        items: {at: ""}
        effect: {action: create}
        key: {by: index}
        unit: {of: item}
        reply: {status: {allOk: 200, someFailed: 207}, outcomes: {at: /r, failedIf: {at: /ok, is: false}}}
"""


def run(*words):
    done = CliRunner().invoke(main, ["explain", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def explained(*words):
    return {one["id"]: one for one in json.loads(run(*words, "--format", "json"))["operations"]}


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    return path


def test_each_operation_has_its_answerer(plain):
    found = {name: (one["answered"], one["says"]) for name, one in explained(plain).items()}
    assert found["createPet"] == ("record", "creates a record of pets, inferred from method and path")
    assert found["putPet"] == ("record", "replaces a record of pets, as its x-record says")
    assert found["weather"] == ("document", "the document answers it: an example, else a value made from the schema")
    assert found["bulk"] == ("bulk", "a bulk operation, as its x-bulk says")
    found = {name: (one["answered"], one["says"]) for name, one in explained("genero").items()}
    assert found["fetchToken"] == ("own", "the API's own code answers it, mockserver.apis.genero.access.fetch_token")
    assert found["jobStatus"] == ("job", "polls the jobs of postJob and postMultiTenantJob")
    assert explained(BOOKS)["cancelJob"]["says"] == "cancels the jobs of postJob"


def test_what_a_declaration_lacks_is_said(plain):
    assert explained(plain)["bulk"]["missing"] == [
        "No 'effect.like': items cannot be compared with calls for single records.",
        "No 'key' or 'inOrder' in outcomes: an entry does not say of which item it is.",
        "No 'error' in outcomes: why an item failed is not said.",
        "The response 200 has no schema: what it has is not validated.",
        "No response 207 is declared, which is the status for 'someFailed'.",
    ]


def test_an_unknown_resource_is_said(plain):
    """Two resources, and neither is named in the path."""
    document = yaml.safe_load(PLAIN)
    document["paths"] |= {path.replace("pets", "cats"): {} for path in ("/pets", "/pets/{id}")}
    document["paths"]["/cats"] = {"get": {"responses": {"200": {"description": "all"}}}}
    document["paths"]["/cats/{id}"] = {
        "parameters": document["paths"]["/pets/{id}"]["parameters"],
        "get": {"responses": {"200": {"description": "one"}}},
    }
    plain.write_text(yaml.safe_dump(document))
    says = "No resource: say whose records the items change, by 'effect.like' or 'effect.resource'."
    assert explained(plain)["bulk"]["missing"][0] == says


def test_what_is_inferred_and_what_is_not_judged_is_said():
    each = explained(BOOKS)["createEach"]
    assert each["inferred"][0] == "The resource is books, that of createBook."
    assert each["missing"] == []
    assert each["notJudged"]["atomic"] == "its items do not succeed or fail as a unit"
    assert "count" not in each["notJudged"]


@pytest.mark.parametrize("api", ["genero", "onkey", *sorted(CASES.glob("*/*.yaml"))], ids=lambda api: Path(api).stem)
def test_the_text_has_every_operation_and_every_axis(api):
    text = run(api)
    for name, one in explained(api).items():
        assert f"{one['method']} {one['path']}  {name}" in text
        for sentences in one.get("axes", {}).values():
            assert all(sentence in text for sentence in sentences)


def test_one_operation_can_be_asked_for():
    assert [*explained(BOOKS, "--operation", "readBook")] == ["readBook"]
    done = CliRunner().invoke(main, ["explain", str(BOOKS), "--operation", "readBok"])
    assert (done.exit_code, done.stderr) == (2, "Error: there is no operation 'readBok'. Did you mean 'readBook'?\n")


def test_presets_and_overlays_are_told():
    """What is explained is the declaration in full."""
    api = CASES / "presets" / "zalando-207.yaml"
    assert explained(api)["createParcels"]["axes"]["key"] == ["By the caller's own name for the item, at /id."]


def test_sources_are_told(tmp_path):
    """Where a document says who says what, each operation tells it: of itself, its axes, and its further facts."""
    document = yaml.safe_load(BOOKS.read_text("utf-8"))
    path, method = next(
        (path, method)
        for path, item in document["paths"].items()
        for method, one in item.items()
        if isinstance(one, dict) and "x-bulk" in one
    )
    operation = document["paths"][path][method]
    operation["x-source"] = [
        {"says": "stated", "page": "https://books.example/guide"},
        {"says": "assumed", "of": ["/x-bulk/unit"], "note": "one by one"},
        {"says": "assumed", "of": [], "note": "takes a while"},
    ]
    file = tmp_path / "books.json"
    file.write_text(json.dumps(document))
    result = CliRunner().invoke(main, ["explain", str(file), "--operation", operation["operationId"]])
    assert "  source     operation, items," in result.output
    assert "stated at https://books.example/guide\n             unit: assumed" in result.output
    assert "unit: one by one (assumed)\n             takes a while (assumed)\n" in result.output
    told = CliRunner().invoke(main, ["explain", str(file), "--format", "json"]).output
    found = next(one for one in json.loads(told)["operations"] if one["id"] == operation["operationId"])["sources"]
    assert {"of": ["unit"], "says": "assumed", "page": "", "title": "", "note": "one by one"} in found


def test_operations_of_an_apis_own_code_are_explained_too():
    """Who answers an operation says nothing of what its batch means; errors are told by kind of fault."""
    found = explained("onkey")["import"]
    assert found["answered"] == "own"
    assert found["axes"]["items"][0] == "An array, the whole body."
    assert "codes by fault (" in " ".join(found["axes"]["reply"])
    assert "length: Core_LengthValidator" in " ".join(found["axes"]["reply"])


def test_what_is_done_to_a_record_is_told():
    """Nothing says what such an operation does; it shows the record."""
    one = explained(CASES.parent / "mockserver" / "data" / "stock.yaml")["countGood"]
    assert (one["answered"], one["says"]) == (
        "record",
        "shows a record of goods as it is: nothing says what this does to it",
    )

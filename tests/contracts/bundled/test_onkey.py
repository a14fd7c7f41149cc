"""The bundled On Key contract: it loads, it holds the vendor's examples, and its schemas draw the rules' lines."""

import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts.openapi.loading import bundled_path, load, load_bundled
from contracts.openapi.model import NoRoute
from contracts.openapi.routing import Router

PATH = bundled_path("onkey")
CONTRACTS = PATH.parents[2]
ONKEY = load_bundled("onkey")
BASE = "/api/tenants/{client}/{connection}/modules"
RECORDS = f"{BASE}/{{module}}/{{resources}}"
OPERATIONS = {
    "batchCreate": f"POST {RECORDS}/batch",
    "batchUpdate": f"PATCH {RECORDS}/batch",
    "batchDelete": f"DELETE {RECORDS}/batch",
    "batchGet": f"GET {RECORDS}/batch/{{ids}}",
    "matchUpdate": f"PATCH {RECORDS}/matchbatch",
    "list": f"GET {RECORDS}",
    "create": f"POST {RECORDS}",
    "read": f"GET {RECORDS}/{{id}}",
    "update": f"PATCH {RECORDS}/{{id}}",
    "delete": f"DELETE {RECORDS}/{{id}}",
    "import": f"POST {BASE}/system/imports",
    "importByPatch": f"PATCH {BASE}/system/imports",
    "readTask": f"GET {BASE}/system/backgroundtasks/{{id}}",
    "cancelTask": f"DELETE {BASE}/system/backgroundtasks/{{id}}",
    "listTaskSteps": f"GET {BASE}/system/backgroundtasks/{{id}}/steps",
    "fetchToken": "POST /connect/token",
}
DECLARED = {
    "AssetImportance": ["code", "description", "notes", "weight", "isActive", "permissionTreeId"],
    "Resource": ["code", "description", "isActive", "defaultResourceTradeId", "permissionTreeId"],
    "Trade": ["code", "description", "permissionTreeId"],
    "ResourceTrade": ["resourceId", "tradeId", "permissionTreeId"],
    "PermissionTree": ["code", "description", "parentId"],
}
# as they stand on the vendor's page, but for one trailing comma
VENDOR = {
    "vendorBatchCreate": """[{"userObjectId": "record1", "properties": {"code": "ABC", "description": "111111",
        "notes": "notes1", "weight": 1}}, {"userObjectId": "record2", "properties": {"code": "DEF", "description": null,
        "notes": "notes2", "weight": 2}}]""",
    "vendorBatchCreatePerRecordReply": """{"messages": [{"code": "Core_Data_RecordCreated",
        "message": "Record successfully created", "objectId": "1543841451656001", "objectType": "AssetImportance",
        "severity": "information", "userObjectId": "record1"}, {"code": "Core_LengthValidator",
        "message": "{AssetImportance->Description} must be between 1 and 100 characters. You entered 0 characters",
        "objectType": "AssetImportance", "properties": ["AssetImportance->Description"], "severity": "error",
        "userObjectId": "record2"}]}""",
    "vendorBatchCreateAllOrNoneReply": """{"messages": [{"code": "Core_Resources_SystemRequiredPropertyMissing",
        "message": "{AssetImportance->Description} should not be missing or null", "objectType": "AssetImportance",
        "properties": ["AssetImportance->Description"], "severity": "error", "userObjectId": "record2"}]}""",
    "vendorBatchUpdate": """[{"id": 1543843155165003, "version": 1, "operations": [{"path": "description",
        "value": "changed AA"}]}, {"id": 1543843155164002, "version": 1, "operations": [{"path": "description",
        "value": "changed BB"}, {"path": "notes", "value": "some notes update"}]}]""",
    "vendorBatchUpdateReplyAsPrinted": """{"messages": [{"code": "Core_Data_RecordUpdated",
        "message": "Record successfully updated", "objectId": "1543843155164002", "objectType": "AssetImportance",
        "severity": "information"}, {"code": "Core_Data_RecordUpdated", "message": "Record successfully updated",
        "objectId": "1543843155164002", "severity": "information"}]}""",
    "vendorBatchUpdateAllOrNoneReply": """{"messages": [{"code": "Core_LengthValidator",
        "message": "{AssetImportance->Description} must be between 1 and 100 characters. You entered 0 characters",
        "objectId": "1543844764239005", "objectType": "AssetImportance", "properties": ["AssetImportance->Description"],
        "severity": "error"}]}""",
    "vendorMatchUpdate": """{"records": [{"id": 1543843155165003, "version": 1}, {"id": 1543843155165002,
        "version": 3}], "operations": [{"path": "description", "value": "Same value for all records"}]}""",
    "vendorImport": """[{"entityType": "ResourceTrade", "action": "Merge", "userObjectId": "record1", "groupOrder": "1",
        "Id": {"converter": "ReferenceLookup", "type": "Custom", "properties": {"ResourceTrade->Resource_Code": "SHBE",
        "ResourceTrade->Trade_Code": "HAND"}}, "properties": {"resourceId": {"converter": "ReferenceLookup",
        "code": "SHBE"}, "tradeId": {"converter": "ReferenceLookup", "code": "HAND"}, "permissionTreeId":
        {"converter": "ReferenceLookup", "code": "A20"}}}, {"entityType": "Resource", "action": "Update",
        "userObjectId": "record2", "groupOrder": "2", "Id": {"converter": "ReferenceLookup", "type": "Custom",
        "properties": {"Resource->Code": "SHBE"}}, "properties": {"defaultResourceTradeId": {"converter":
        "ReferenceLookup", "type": "Custom", "properties": {"ResourceTrade->Resource_Code": "SHBE",
        "ResourceTrade->Trade_Code": "HAND"}}}}]""",
    "vendorImportReply": """{"messages": [{"code": "Core_Data_RecordCreated", "message": "Record successfully created",
        "objectId": "1624859842827473", "objectType": "ResourceTrade", "severity": "information", "userObjectId":
        "record1"}, {"code": "Core_Data_RecordUpdated", "message": "Record successfully updated", "objectId":
        "5000001002", "objectType": "Resource", "severity": "information", "userObjectId": "record2"}]}""",
}


def media_types():
    """Yield where each body is declared, with its media type."""
    for operation in ONKEY.operations:
        for media in operation.body.content if operation.body else ():
            yield f"{operation.id} request {media.media_range}", media
        for status, response in operation.responses.items():
            for media in response.content:
                yield f"{operation.id} {status}", media


MEDIA = dict(media_types())
EXAMPLES = [
    (f"{place} {name}", media.schema, value) for place, media in MEDIA.items() for name, value in media.examples.items()
]


@cache
def schema(name):
    """Return the schema in a file of the contract."""
    return ONKEY.schemas.schema(f"contract:/onkey/schemas/{name}.json#")


@cache
def second(ref):
    """Return the pure Python validator of a schema."""
    rules = ONKEY.schemas.schema(ref).standalone()
    return Draft202012Validator(rules, format_checker=Draft202012Validator.FORMAT_CHECKER)


def both_say(shape, value):
    """Return the verdict on a value that both validators share."""
    verdict = shape.is_valid(value)
    assert verdict == second(shape.ref).is_valid(value)
    return verdict


def raw_documents():
    """Yield each file of the contract as it stands, with its path."""
    yield PATH, yaml.load(PATH.read_text("utf-8"), yaml.CSafeLoader)
    for path in sorted(PATH.parent.glob("schemas/*.json")):
        yield path, json.loads(path.read_text("utf-8"))


def nodes(value):
    """Yield every mapping inside a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def test_nothing_is_wrong_with_the_document():
    """The document keeps to OpenAPI, its schemas to JSON Schema, its declarations to the vocabulary."""
    assert load(PATH, name="onkey", check=True).title == ONKEY.title


def test_the_operations_are_those_of_the_specification():
    """Every call has the operationId, method and path that clients and scenarios name it by."""
    assert {one.id: f"{one.method} {one.path}" for one in ONKEY.operations} == OPERATIONS
    assert ONKEY.mount == "/onkey"
    assert ONKEY.ignore_case
    assert set(ONKEY.reserved) == {"batch", "matchbatch"}


@pytest.mark.parametrize(("path", "document"), list(raw_documents()), ids=lambda one: getattr(one, "name", ""))
def test_every_reference_leads_somewhere(path, document):
    """Each `$ref`, followed by hand, names a file and a value that are there."""
    refs = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    for ref in refs:
        file, _, pointer = ref.partition("#")
        found = document if not file else json.loads((path.parent / file).read_text("utf-8"))
        for token in pointer.split("/")[1:]:
            found = found[token]
        assert isinstance(found, dict)
    assert refs or path != PATH


def test_every_schema_file_is_in_use():
    """No shape is declared that nothing refers to."""
    used = {Path(uri).name for uri in ONKEY.schemas.documents}
    assert {path.name for path in PATH.parent.glob("schemas/*.json")} == used - {PATH.name}


def test_every_component_is_in_use():
    """No parameter, header, response or example is declared that nothing refers to."""
    document = dict(raw_documents())[PATH]
    used = {node["$ref"] for node in nodes(document) if "$ref" in node}
    kinds = ("parameters", "headers", "responses", "examples")
    declared = {f"#/components/{kind}/{name}" for kind in kinds for name in document["components"][kind]}
    assert declared - used == set()


@pytest.mark.parametrize("operation", ONKEY.operations, ids=lambda one: one.id)
def test_every_answer_has_a_shape(operation):
    """Each status has schemas, save 202, which has no body; every answer has the trace header; refusals are told."""
    for status, response in operation.responses.items():
        assert bool(response.content) == (status != "202")
        assert all(media.schema is not None for media in response.content)
        assert ("OnKey-Trace-Context", True) in {(one.name, one.required) for one in response.headers}
    assert {"400", "401", "404", "405", "500"} <= set(operation.responses)
    assert {"408", "413", "415"} <= set(operation.responses) or operation.body is None


@pytest.mark.parametrize("place", [place for place in MEDIA if " request " in place])
def test_every_request_has_an_example(place):
    """No request body is left without a named example."""
    assert MEDIA[place].examples


@pytest.mark.parametrize(("shape", "value"), [case[1:] for case in EXAMPLES], ids=[case[0] for case in EXAMPLES])
def test_every_example_is_valid(shape, value):
    """Each named example fits its schema, by both validators."""
    assert both_say(shape, value)


def test_the_vendors_examples_stand_to_the_letter():
    """Each JSON text of the page is an example of the same content and order of members."""
    examples = dict(raw_documents())[PATH]["components"]["examples"]
    found = {name: json.dumps(one["value"]) for name, one in examples.items() if name.startswith("vendor")}
    assert found == {name: json.dumps(json.loads(text)) for name, text in VENDOR.items()}
    assert set(VENDOR) <= {label.rpartition(" ")[2] for label, _, _ in EXAMPLES}


def test_a_fault_of_a_record_is_no_fault_of_the_request():
    """The vendor's bad record fits the request's schema and breaks the payload's; its neighbour fits both."""
    good, bad = json.loads(VENDOR["vendorBatchCreate"])
    assert both_say(schema("batch-create-request"), [good, bad])
    assert both_say(schema("AssetImportance"), good["properties"])
    assert not both_say(schema("AssetImportance"), bad["properties"])


@pytest.mark.parametrize("fold", [str, str.lower, str.upper])
@pytest.mark.parametrize("operation", ONKEY.operations, ids=lambda one: one.id)
def test_a_path_is_found_however_it_is_written(fold, operation):
    """Case counts neither in a path's words nor in those of its variables that have a choice of words."""
    given = {one.name: one.schema.raw.get("enum", ["7"])[0] for one in operation.parameters if one.where == "path"}
    found = Router(ONKEY).match(operation.method, fold(operation.path.format(**given)))
    assert (found.operation, found.variables) == (operation, given)


def test_a_reserved_word_is_no_id():
    """What only `batch` or `matchbatch` could be has no other methods, and nothing below `matchbatch` is served."""
    base = RECORDS.format(client="a", connection="b", module="risk", resources="trades")
    assert set(Router(ONKEY).match("GET", f"{base}/batch").allow) == {"POST", "PATCH", "DELETE"}
    matched = RECORDS.format(client="a", connection="b", module="risk", resources="assetimportances")
    assert Router(ONKEY).match("GET", f"{matched}/MatchBatch") == NoRoute(allow=("PATCH",))
    assert Router(ONKEY).match("GET", f"{base}/MatchBatch") == NoRoute(allow=None)
    assert Router(ONKEY).match("GET", f"{base}/matchbatch/7") == NoRoute(allow=None)


@pytest.mark.parametrize("word", ["x-bulk", "x-record", "x-resources"])
def test_declarations_keep_to_the_vocabulary(word):
    """Each declaration fits the published schema of its word."""
    rule = Draft202012Validator(json.loads((CONTRACTS / f"{word}.schema.json").read_text("utf-8")))
    found = [node[word] for node in nodes(dict(raw_documents())[PATH]) if word in node]
    assert [error.message for one in found for error in rule.iter_errors(one)] == []
    assert len(found) == {"x-bulk": 6, "x-record": 5, "x-resources": 1}[word]


@pytest.mark.parametrize("name", ["batchCreate", "batchUpdate", "batchDelete", "matchUpdate", "import"])
def test_outcomes_are_tied_to_items_by_a_key_that_both_have(name):
    """An item's key is required of it, and the outcomes' key is a member of a message, at once as in a task's steps."""
    bulk = ONKEY.operation(name).bulk
    item = ONKEY.operation(name).body.content[0].schema.at(f"{bulk.items.at}/*")
    assert bulk.key.at.removeprefix("/") in item.raw["required"]
    assert bulk.reply.outcomes.key == {"client": "/userObjectId", "target": "/objectId"}[bulk.key.by]
    assert bulk.job.outcomes.key == bulk.reply.outcomes.key
    assert bulk.reply.outcomes.key.removeprefix("/") in schema("message").raw["properties"]
    assert ("duplicateKey" in bulk.guard.refuse) == (bulk.key.by == "client")


def test_both_ways_to_import_mean_the_same():
    """PATCH is declared as POST is, but for being only as printed."""
    post, patch = ONKEY.operation("import"), ONKEY.operation("importByPatch")
    assert (post.bulk, post.body, post.parameters) == (patch.bulk, patch.body, patch.parameters)
    assert (post.extras, patch.extras) == ({}, {"x-as-printed": "PATCH"})


@pytest.mark.parametrize("kind", DECLARED)
def test_a_resource_is_declared_written_and_shown_alike(kind):
    """Properties stand in the declared order; what is declared of them names some; all are shown, with two instants."""
    resource, written = ONKEY.resources[kind], schema(kind).raw
    assert list(written["properties"]) == DECLARED[kind]
    assert written["additionalProperties"] is False
    assert list(schema(f"{kind}Properties").raw["properties"]) == [*DECLARED[kind], "createdOn", "modifiedOn"]
    said = [*resource.required, *resource.defaults, *sum(resource.unique, ()), *resource.extras["x-match-update"]]
    assert set(said) <= set(DECLARED[kind])
    refers = {name for name, one in written["properties"].items() if "reference.json" in json.dumps(one)}
    assert set(resource.references) == refers


def test_resources_are_addressed_as_the_parameters_say():
    """Each declared resource has its module and plural in the paths' words, and match update where it is declared."""
    words = {
        one.name: one.schema.raw["enum"]
        for one in ONKEY.operation("list").parameters
        if one.where == "path" and "enum" in one.schema.raw
    }
    declared = {name: ONKEY.resources[name].extras for name in DECLARED}
    assert set(words["resources"]) == {one["x-plural"] for one in declared.values()}
    assert set(words["module"]) == {one["x-module"] for one in declared.values()}
    assert ONKEY.operation("list").record.resource.words == {one["x-plural"]: name for name, one in declared.items()}
    matched = next(one for one in ONKEY.operation("matchUpdate").parameters if one.name == "resources").schema.raw[
        "enum"
    ]
    assert set(matched) == {one["x-plural"] for one in declared.values() if one["x-match-update"]}

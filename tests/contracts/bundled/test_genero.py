"""The bundled Genero contract: it loads, it holds the vendor's examples, and its schemas draw the rules' lines."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts.openapi.loading import bundled_path, load, load_bundled

PATH = bundled_path("genero")
CONTRACTS = PATH.parents[2]
GENERO = load_bundled("genero")
KINDS = ("block", "chain", "wholesaler", "customer", "customercontact")
OPERATIONS = {
    "fetchToken": "POST /oauth/token",
    "postJob": "POST /api/v1/{entity}/postJob",
    "jobStatus": "GET /api/v1/{entity}/jobStatus/{correlationId}",
    "postMultiTenantJob": "POST /api/v1/{entity}/multitenant/postJob",
    "getEntity": "GET /api/v1/{entity}/{id}",
    "putEntity": "PUT /api/v1/{entity}/{id}",
    "deleteEntity": "DELETE /api/v1/{entity}/{id}",
    "listEntities": "GET /api/v1/{entity}",
}
# as they stand on the vendor's page
VENDOR = {
    "multi-tenant request": """{ "generoTenantIds": [ "publicapitest", "publicapitestWRONG" ], "data": [
        { "blockId": "blockId1", "name": "Batch TEST block 1", "deleted": false },
        { "blockId": "blockId2", "name": "Batch TEST block 2", "deleted": false } ] }""",
    "multi-tenant reply": """{ "postedSuccess": { "publicapitest": "6df8d937-129b-44ed-9bf2-740717f134a7" },
        "postedProblems": { "publicapitestWRONG": [ "Unable to find tenant by identifier: publicapitestWRONG." ] } }""",
    "vendorInProgress": """{ "correlationId": "e08434ee-a17f-445e-b9b5-e25fc354d840", "batchJobStatus": "InProgress",
        "noOfItemsPosted": 200, "noOfItemsProcessed": 0, "jobItemErrors": {} }""",
    "vendorCompleted": """{ "correlationId": "e08434ee-a17f-445e-b9b5-e25fc354d840", "batchJobStatus": "Completed",
        "noOfItemsPosted": 200, "noOfItemsProcessed": 200, "jobItemErrors": {} }""",
    "vendorCompletedWithErrors": """{ "correlationId": "7c3c05ee-444f-4966-b368-9f8417baf6fb",
        "batchJobStatus": "CompletedWithErrors", "noOfItemsPosted": 200, "noOfItemsProcessed": 200,
        "jobItemErrors": { "1": "Block id 3 is not found in database." } }""",
}


def media_types():
    """Yield where each body is declared, with its media type."""
    for operation in GENERO.operations:
        for media in operation.body.content if operation.body else ():
            yield f"{operation.id} request", media
        for status, response in operation.responses.items():
            for media in response.content:
                yield f"{operation.id} {status}", media


MEDIA = list(media_types())
EXAMPLES = [
    (f"{place} {name}", media.schema, value) for place, media in MEDIA for name, value in media.examples.items()
]


def example(place, name):
    return next(value for label, _, value in EXAMPLES if label == f"{place} {name}")


def schema(name):
    """Return the schema in a file of the contract."""
    uri = next(uri for uri in GENERO.schemas.documents if uri.endswith(f"/schemas/{name}.json"))
    return GENERO.schemas.schema(f"{uri}#")


def both_say(shape, value):
    """Return the verdict on a value that both validators share."""
    second = Draft202012Validator(shape.standalone(), format_checker=Draft202012Validator.FORMAT_CHECKER).is_valid(
        value
    )
    first = shape.is_valid(value)
    assert first == second
    return first


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
    assert load(PATH, name="genero", check=True).title == GENERO.title


def test_the_operations_are_those_of_the_specification():
    """Every call has the operationId, method and path that clients and scenarios name it by."""
    assert {one.id: f"{one.method} {one.path}" for one in GENERO.operations} == OPERATIONS
    assert GENERO.mount == "/genero"
    assert set(GENERO.reserved) == {"jobStatus", "multitenant", "postJob"}


@pytest.mark.parametrize(
    ("path", "document"), list(raw_documents()), ids=lambda one: one.name if isinstance(one, Path) else ""
)
def test_every_reference_leads_somewhere(path, document):
    """Each `$ref` and `externalValue`, followed by hand, names a file and a value that are there."""
    refs = [node[word] for node in nodes(document) for word in ("$ref", "externalValue") if word in node]
    for ref in refs:
        file, _, pointer = ref.partition("#")
        found = document if not file else json.loads((path.parent / file).read_text("utf-8"))
        for token in pointer.split("/")[1:]:
            found = found[token]
        assert isinstance(found, dict | list)
    assert refs or path != PATH


def test_every_schema_file_is_in_use():
    """No shape is declared that nothing refers to."""
    used = {Path(uri).name for uri in GENERO.schemas.documents}
    assert {path.name for path in PATH.parent.glob("schemas/*.json")} <= used


@pytest.mark.parametrize(("place", "media"), MEDIA, ids=[place for place, _ in MEDIA])
def test_every_body_has_a_shape_and_an_example(place, media):
    """No request or response body is left without a schema in a file of its own, or without a named example."""
    assert media.schema is not None, place
    assert "/schemas/" in json.dumps(media.schema.raw) + media.schema.ref
    assert media.examples


@pytest.mark.parametrize(("shape", "value"), [case[1:] for case in EXAMPLES], ids=[case[0] for case in EXAMPLES])
def test_every_example_is_valid(shape, value):
    """Each named example fits its schema, by both validators."""
    assert both_say(shape, value)


@pytest.mark.parametrize(
    ("label", "value"), [(label, value) for label, _, value in EXAMPLES if "request" in label and "Token" not in label]
)
def test_every_example_item_fits_its_kind(label, value):
    """The items of a batch's example, and the body of a PUT's, fit the schema of the kind whose key they begin with."""
    inner = value.get("data", [value]) if isinstance(value, dict) else value
    kinds = {resource.key: resource.schema for resource in GENERO.resources.values()}
    assert inner, label
    assert all(both_say(GENERO.schemas.schema(kinds[next(iter(item))]), item) for item in inner)


def test_the_vendors_examples_stand_to_the_letter():
    """The page's request, reply and three statuses are examples of the same content."""
    found = {name: example("jobStatus 200", name) for name in VENDOR if name.startswith("vendor")} | {
        "multi-tenant request": example("postMultiTenantJob request", "vendorPartialSuccess"),
        "multi-tenant reply": example("postMultiTenantJob 207", "vendorPartialSuccess"),
    }
    assert found == {name: json.loads(text) for name, text in VENDOR.items()}


def test_the_batches_of_200_are_what_the_statuses_speak_of():
    """One batch has 200 sound blocks, the other 200 chains of which that with key 1 alone refers to block 3."""
    blocks, chains = (example("postJob request", name) for name in ("twoHundredBlocks", "twoHundredChains"))
    assert len({block["blockId"] for block in blocks}) == len({chain["chainId"] for chain in chains}) == 200
    assert [(chain["chainId"], chain["blockId"]) for chain in chains if "blockId" in chain] == [("1", "3")]


@pytest.mark.parametrize("word", ["x-bulk", "x-record", "x-resources"])
def test_declarations_keep_to_the_vocabulary(word):
    """Each declaration fits the published schema of its word."""
    rule = Draft202012Validator(json.loads((CONTRACTS / f"{word}.schema.json").read_text("utf-8")))
    document = dict(raw_documents())[PATH]
    found = [node[word] for node in nodes(document) if word in node]
    assert [error.message for one in found for error in rule.iter_errors(one)] == []
    assert len(found) == {"x-bulk": 2, "x-record": 4, "x-resources": 1}[word]


def test_both_batches_mean_the_same_but_for_the_tenants():
    """The two declarations of bulk differ in where items are, in the reply and in the handle, and in nothing else."""
    one, many = (GENERO.operation(name).bulk for name in ("postJob", "postMultiTenantJob"))
    assert (one.effect, one.key, one.unit, one.order, one.guard) == (
        many.effect,
        many.key,
        many.unit,
        many.order,
        many.guard,
    )
    assert (one.job.words, one.job.takes, one.job.keep) == (many.job.words, many.job.takes, many.job.keep)
    assert many.items.fan_out is not None
    assert one.items.fan_out is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_declared_and_shown_alike(kind):
    """Only the key must be posted; references are shaped as keys; what is shown has the posted fields, no others."""
    resource, posted, shown = GENERO.resources[kind], schema(kind), schema(f"entity-{kind}")
    assert posted.raw["required"] == [resource.key]
    assert list(posted.raw["properties"]) == list(shown.raw["properties"])
    for member, target in resource.references.items():
        own = posted.raw["properties"][member]
        theirs = schema(target).raw["properties"][GENERO.resources[target].key]
        assert {**own, "description": ""} == {**theirs, "description": ""}
    entity = {resource.key: "1", "name": "One", "deleted": False}
    assert both_say(schema("entity"), entity)
    assert not both_say(schema("entity"), {**entity, "colour": "red"})
    assert not both_say(schema("entity"), {**entity, "deleted": True})


@pytest.mark.parametrize(
    ("kind", "item", "fits"),
    [
        ("block", {"blockId": "1"}, True),
        ("block", {"blockId": "1", "deleted": True}, True),
        ("block", {"blockId": "1", "customerId": 7, "email": "none"}, True),
        ("block", {"blockId": "x" * 50, "name": "y" * 100}, True),
        ("block", {"blockId": "\U0001f600" * 50}, True),
        ("block", {"blockId": "x" * 51}, False),
        ("block", {"blockId": "1", "name": "y" * 101}, False),
        ("block", {"blockId": ""}, False),
        ("block", {"blockId": "1", "name": ""}, False),
        ("block", {"blockId": "1", "name": None}, False),
        ("block", {"blockId": 1}, False),
        ("block", {"blockId": "1", "deleted": "true"}, False),
        ("block", {"name": "One"}, False),
        ("block", ["blockId"], False),
        ("chain", {"blockId": "1", "name": "One"}, False),
        ("chain", {"chainId": "1", "blockId": "x" * 51}, False),
        ("wholesaler", {"wholesalerId": "1", "salesDistrictId": "x" * 100}, True),
        ("customer", {"customerId": "1", "email": "a@example.com"}, True),
        ("customer", {"customerId": "1", "email": "nobody"}, False),
        ("customercontact", {"customerContactId": "1", "customerId": "1", "phone": ""}, False),
    ],
)
def test_what_an_item_may_be(kind, item, fits):
    """An item is interpreted or not as the rules on keys, texts, types and unknown members say."""
    assert both_say(schema(kind), item) is fits


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (5000, True), (5001, False)])
def test_how_long_a_batch_may_be(count, fits):
    """A batch has 1 to 5000 items in each of the three places where it can stand."""
    items = [{"blockId": str(n)} for n in range(count)]
    assert both_say(schema("batch"), items) is fits
    assert both_say(schema("batch"), {"data": items}) is fits
    assert both_say(schema("multi-tenant-batch"), {"generoTenantIds": ["a"], "data": items}) is fits


@pytest.mark.parametrize("body", [None, 1, "[]", {}, {"Data": [{"blockId": "1"}]}, {"data": {"blockId": "1"}}])
def test_what_no_batch_may_be(body):
    """A batch is a list, or an object with the list as `data`, and nothing else."""
    assert not both_say(schema("batch"), body)


@pytest.mark.parametrize(
    ("status", "errors", "fits"),
    [
        ("InProgress", {}, True),
        ("InProgress", {"1": "wrong"}, False),
        ("Completed", {}, True),
        ("Completed", {"1": "wrong"}, False),
        ("CompletedWithErrors", {"1": "wrong"}, True),
        ("CompletedWithErrors", {"1": ["wrong"]}, False),
        ("CompletedWithErrors", [{"1": "wrong"}], False),
        ("CompletedWithErrors", {}, False),
        ("completedWithErrors", {"1": "wrong"}, False),
        ("In Progress", {}, False),
    ],
)
def test_a_job_has_errors_exactly_when_it_says_so(status, errors, fits):
    """The words are the table's, and the map of errors is filled exactly with `CompletedWithErrors`."""
    value = {**json.loads(VENDOR["vendorCompleted"]), "batchJobStatus": status, "jobItemErrors": errors}
    assert both_say(schema("job-status"), value) is fits


@pytest.mark.parametrize(
    ("posted", "problems", "status"),
    [
        ({"a": "6df8d937-129b-44ed-9bf2-740717f134a7"}, {}, "200"),
        ({"a": "6df8d937-129b-44ed-9bf2-740717f134a7"}, {"b": ["no"]}, "207"),
        ({}, {"": ["no"]}, "207"),
        ({}, {}, None),
        ({"a": "6DF8D937-129B-44ED-9BF2-740717F134A7"}, {}, None),
        ({}, {"b": "no"}, None),
        ({}, {"b": []}, None),
    ],
)
def test_the_status_of_a_multi_tenant_reply_says_whether_there_were_problems(posted, problems, status):
    """A reply fits 200 when no tenant had a problem, 207 when one had, and never both."""
    value = {"postedSuccess": posted, "postedProblems": problems}
    responses = GENERO.operation("postMultiTenantJob").responses
    fitting = [one for one in ("200", "207") if both_say(responses[one].content[0].schema, value)]
    assert fitting == ([status] if status else [])

"""Drafts of `x-bulk` for plain documents: what is taken for a bulk operation, and what is drafted from its schemas."""

import pytest
import yaml

from contracts.bulk.names import collection_path, tells_of_bulk, tells_of_reading
from contracts.drafts.bulk_drafts import find_drafts
from contracts.openapi.loading import load

ITEM = {"type": "object", "properties": {"name": {"type": "string"}}}
LISTED = {"type": "array", "items": ITEM}


def obj(**members):
    return {"type": "object", "properties": members}


def listed(**members):
    return {"type": "array", "items": obj(**members)}


TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def operation(body=LISTED, answer=None, status="200", **members):
    content = {"content": {"application/json": {"schema": answer}}} if answer is not None else {}
    asked = {"requestBody": {"content": {"application/json": {"schema": body}}}} if body is not None else {}
    return {**asked, "responses": {status: {"description": "D", **content}}, **members}


def drafted(tmp_path, paths):
    path = tmp_path / "api.yaml"
    path.write_text(yaml.safe_dump({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths}))
    return find_drafts(load(path))


LIKELY = {
    "a path that ends in bulk": ("/pets/bulk", "post", operation()),
    "a path with a verb of its own": ("/pets:batchCreate", "post", operation()),
    "an operationId": ("/pets", "post", operation(operationId="createPetsBulk")),
    "a 207": ("/pets", "post", operation(answer={}, status="207")),
    "a status for each": ("/pets", "post", operation(answer=listed(status=NUMBER))),
    "a mark for each": ("/pets", "put", operation(answer=obj(results=listed(success=FLAG)))),
    "failures apart": ("/pets", "post", operation(answer=obj(results=listed(id=TEXT), errors=listed(message=TEXT)))),
    "a member of the body": ("/pets/batch", "post", operation(body=obj(pets=LISTED, dry=FLAG))),
    "the member that is required": (
        "/pets/batch",
        "post",
        operation(body={**obj(pets=LISTED, owners=LISTED), "required": ["pets"]}),
    ),
}
UNLIKELY = {
    "a list in an order": ("/orders", "post", operation(body=obj(lines=LISTED))),
    "a list of the response": ("/pets", "post", operation(answer=listed(id=TEXT))),
    "an error beside each entry alone": ("/pets", "post", operation(answer=listed(error=TEXT))),
    "a list of texts": ("/pets/bulk", "post", operation(body={"type": "array", "items": TEXT})),
    "tags": ("/pets/batch", "post", operation(body=obj(tags=LISTED))),
    "two lists": ("/pets/batch", "post", operation(body=obj(pets=LISTED, owners=LISTED))),
    "no body": ("/pets/bulk", "post", operation(body=None)),
    "reading": ("/pets:batchGet", "post", operation()),
    "checking": ("/pets/bulk", "post", operation(operationId="checkBulkPets")),
    "one to many": ("/rules", "put", operation(operationId="updateOneToManyRules")),
    "a declaration of its own": (
        "/pets/bulk",
        "post",
        operation(
            **{
                "x-bulk": {
                    "items": {"at": ""},
                    "effect": {"action": "create"},
                    "key": {"by": "index"},
                    "unit": {"of": "item"},
                    "reply": {"status": {"allOk": 200, "someFailed": 422}},
                }
            }
        ),
    ),
}


@pytest.mark.parametrize("name", LIKELY)
def test_what_is_taken_for_a_bulk_operation(tmp_path, name):
    path, method, one = LIKELY[name]
    (draft,) = drafted(tmp_path, {path: {method: one}})
    assert draft.reasons
    assert draft.bulk["items"]["at"] == ("/pets" if "body" in name or "required" in name else "")


@pytest.mark.parametrize("name", UNLIKELY)
def test_what_is_not(tmp_path, name):
    path, method, one = UNLIKELY[name]
    assert drafted(tmp_path, {path: {method: one}}) == ()


OUTCOMES = {
    "a status": (listed(status=NUMBER, error=TEXT), {"failedIf": {"at": "/status", "not": "2xx"}, "error": "/error"}),
    "a mark": (listed(ok=FLAG), {"failedIf": {"at": "/ok", "is": False}}),
    "errors": (
        listed(errors=listed(message=TEXT), name=TEXT),
        {"failedIf": {"at": "/errors", "exists": True}, "error": "/errors/0/message"},
    ),
    "an index": (listed(index=NUMBER, success=FLAG), {"key": "/index"}),
    "an own key": (listed(externalId=TEXT, success=FLAG), {"key": "/externalId"}),
    "an error object": (listed(success=FLAG, error=obj(code=TEXT, message=TEXT)), {"error": "/error/message"}),
    "an id": (listed(success=FLAG, id=TEXT), {"id": "/id", "inOrder": True}),
    "failures apart": (
        obj(results=listed(id=TEXT), failed=listed(externalId=TEXT, reason=TEXT)),
        {"at": "/results", "failedAt": "/failed", "covers": "split", "key": "/externalId", "error": "/reason"},
    ),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_are_read_from_the_response(tmp_path, name):
    answer, expected = OUTCOMES[name]
    body = listed(externalId=TEXT, name=TEXT)
    (draft,) = drafted(tmp_path, {"/pets/bulk": {"post": operation(body=body, answer=answer)}})
    outcomes = draft.bulk["reply"]["outcomes"]
    assert {member: outcomes.get(member) for member in expected} == expected


def pets(answer=None, **bulk):
    """Return paths with records of `pets`, and a bulk operation."""
    parameters = [{"name": "id", "in": "path", "required": True, "schema": TEXT}]
    return {
        "/pets": {"post": operation(body=ITEM, operationId="createPet"), "get": operation(body=None)},
        "/pets/{id}": {"parameters": parameters, "patch": operation(body=ITEM, operationId="changePet")},
        "/pets/batch": {"post": operation(answer=answer, **bulk)},
    }


def test_the_single_record_operation_is_found_by_path_and_action(tmp_path):
    (draft,) = drafted(tmp_path, pets())
    assert (draft.bulk["effect"], draft.resource) == ({"action": "create", "like": "createPet"}, None)
    (draft,) = drafted(tmp_path, pets(operationId="updatePets", body=listed(id=TEXT, name=TEXT)))
    assert draft.bulk["effect"] == {"action": "update", "target": ["/id"], "like": "changePet"}


def test_records_without_operations_get_a_resource_of_the_paths_name(tmp_path):
    (draft,) = drafted(tmp_path, {"/v1/cats/bulk": {"post": operation()}})
    assert (draft.resource, draft.bulk["effect"]["resource"]) == ("cats", "cats")
    assert "which records it changes" in draft.checks[0]


def test_limits_payloads_and_http_requests_are_read_from_the_items(tmp_path):
    body = {**listed(pet=obj(name=TEXT), mask=TEXT), "minItems": 1, "maxItems": 9}
    (draft,) = drafted(tmp_path, pets(body=body))
    assert draft.bulk["items"] == {"at": "", "min": 1, "max": 9}
    assert draft.bulk["effect"]["payload"] == "/pet"
    (draft,) = drafted(tmp_path, {"/batch": {"post": operation(body=listed(method=TEXT, url=TEXT, body=obj()))}})
    places = {"method": "/method", "url": "/url", "body": "/body"}
    assert draft.bulk["effect"] == {"action": {"from": "/method", "map": {}}, "http": places}


def test_a_job_is_found_with_its_poll_and_its_words(tmp_path):
    state = {**TEXT, "enum": ["QUEUED", "IN_PROGRESS", "COMPLETED", "CANCELED", "odd"]}
    job = obj(id=TEXT, status=state)
    parameters = [{"name": "job", "in": "path", "required": True, "schema": TEXT}]
    paths = pets(answer=job, status="202")
    paths["/pets/batch/{job}"] = {"parameters": parameters, "get": operation(body=None, answer=job, operationId="poll")}
    (draft,) = drafted(tmp_path, paths)
    words = {"QUEUED": "queued", "IN_PROGRESS": "running", "COMPLETED": "done", "CANCELED": "cancelled"}
    assert draft.bulk["job"] == {
        "when": "always",
        "handle": "/id",
        "poll": "poll",
        "results": "here",
        "state": {"at": "/status", "map": words},
        "error": "/error",
    }
    assert any("job.error" in one for one in draft.checks)
    assert draft.bulk["reply"] == {"status": {"accepted": 202}}
    assert "its response is a job that can be polled" in draft.reasons


@pytest.mark.parametrize(
    ("name", "bulk", "reading"),
    [
        ("createMany", True, False),
        ("users.batchUpdate", True, False),
        ("Examples_Batch", True, False),
        ("batch_reports", True, False),
        ("BatchGetImage", True, True),
        ("getBulkPermissions", True, True),
        ("updateOneToManyRules", False, False),
        ("germany", False, False),
        ("combatants", False, False),
        ("important", False, False),
        ("getaway", False, False),
    ],
)
def test_words_of_names(name, bulk, reading):
    assert (tells_of_bulk(name), tells_of_reading(name)) == (bulk, reading)


@pytest.mark.parametrize(
    "path", ["/users/bulk", "/users:batchCreate", "/users/batch/create", "/users/$batch", "/users/bulk-create/"]
)
def test_the_collection_of_a_bulk_path(path):
    assert collection_path(path) == "/users"
    assert collection_path("/users") == "/users"
    assert collection_path("/_bulk") == "/_bulk"

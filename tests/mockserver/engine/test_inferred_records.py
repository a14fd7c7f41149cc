"""A plain document's records: what clients create is real, what they only name is imagined, and every reply fits."""

from datetime import UTC, datetime

import orjson
import pytest
import yaml

from contracts.messages import Headers, Request
from contracts.openapi.loading import load
from contracts.openapi.validation import validate_response
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.inferred_resources import keeps_state
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = "application/json"
NEW_PET = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "tag": {"type": "string"}},
}
PET = {
    "type": "object",
    "required": ["id", "name", "created", "owner"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "tag": {"type": "string"},
        "created": {"type": "string", "format": "date-time"},
        "owner": {"type": "object", "required": ["login"], "properties": {"login": {"type": "string"}}},
    },
}


def around(name, schema, **others):
    """Return the schema of an envelope, its other members required too."""
    return {"type": "object", "required": [name, *others], "properties": {name: schema, **others}}


def listing(schema):
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


FLAG, NUMBER = {"type": "boolean"}, {"type": "integer"}
SHAPES = {
    "bare": (PET, listing(PET), NEW_PET),
    "data": (around("data", PET), around("data", listing(PET), has_more=FLAG, total=NUMBER), NEW_PET),
    "named": (
        around("pet", PET, ok={"const": True}),
        around("pets", listing(PET), count=NUMBER),
        around("pet", NEW_PET),
    ),
    "deep": (around("result", PET), around("response", around("items", listing(PET), totalCount=NUMBER)), NEW_PET),
    "embedded": (PET, around("_embedded", around("pets", listing(PET))), NEW_PET),
}
NO_BODY = {"description": ""}
OUTCOMES = {"at": "", "covers": "all", "failedIf": {"at": "/ok", "is": False}}


def answer(schema, **members):
    """Return a declared response with a body of a schema."""
    return {"description": "", "content": {JSON: {"schema": schema, **members}}}


def body(schema):
    """Return a request body of a schema."""
    return {"required": True, "content": {JSON: {"schema": schema}}}


def document(one, every, new, *, base="/pets", variable="petId", **changes):
    """Return a document of one resource, its operations changed by `METHOD_on_one` or `METHOD_on_all`."""
    on_all = {
        "get": {"responses": {"200": answer(every)}},
        "post": {"requestBody": body(new), "responses": {"201": answer(one)}},
    }
    on_one = {
        "get": {"responses": {"200": answer(one)}},
        "put": {"requestBody": body(new), "responses": {"200": answer(one)}},
        "patch": {"requestBody": body({"type": "object"}), "responses": {"200": answer(one)}},
        "delete": {"responses": {"204": NO_BODY}},
    }
    for name, change in changes.items():
        method, _, where = name.partition("_on_")
        target = on_one if where == "one" else on_all
        target[method] = {**target[method], **change}
    names = [part[1:-1] for part in f"{base}/{{{variable}}}".split("/") if part.startswith("{")]
    path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    paths = {base: {"parameters": path[:-1], **on_all}, f"{base}/{{{variable}}}": {"parameters": path, **on_one}}
    return {"openapi": "3.1.0", "info": {"title": "Pets", "version": "1"}, "paths": paths}


class Served:
    """A sandbox that serves a document in this process; every answer of it is held against the document."""

    def __init__(self, folder, raw):
        (folder / "pets.yaml").write_text(yaml.safe_dump(raw))
        self.api = Api(name="pets", contract=load(folder / "pets.yaml"), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"pets": self.api}), NOW)

    def ask(self, method, path, data=None, expect=200, query=(), **headers):
        content = b"" if data is None else orjson.dumps(data)
        pairs = {"Content-Type": JSON, **{name.replace("_", "-"): one for name, one in headers.items()}}
        request = Request(method=method, path=path, query=query, headers=Headers(pairs.items()), body=content)
        response = handle(self.sandbox, self.api, request, NOW)
        assert response.status == expect, response.body
        found = [
            one
            for one in self.api.contract.operations
            if one.method == method and one.path.count("/") == path.count("/")
        ]
        if found and (response.status < 400 or found[0].response(response.status)):
            assert not validate_response(found[0], response).violations, response.body
        return response


def record_in(value, name="name"):
    """Return the first object inside a JSON value that has a member."""
    if isinstance(value, dict):
        inner = (record_in(one, name) for one in value.values())
        return value if name in value else next((one for one in inner if one), None)
    return next((one for one in map(record_in, value) if one), None) if isinstance(value, list) else None


def names_in(value):
    """Return the names of all records inside a JSON value."""
    if isinstance(value, dict):
        return [value["name"]] if "name" in value else [one for inner in value.values() for one in names_in(inner)]
    return [one for inner in value for one in names_in(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_client_creates_is_real_in_any_envelope(tmp_path, shape):
    """It is listed, read back, changed and replaced, in replies that fit and agree; once deleted it is unknown."""
    one, every, new = SHAPES[shape]
    served = Served(tmp_path, document(one, every, new))
    wrap = (lambda data: {"pet": data}) if shape == "named" else (lambda data: data)
    created = served.ask("POST", "/pets", wrap({"name": "Ann"}), 201)
    assert created.headers.get("Bulkproof-Answer") == "stored"
    pet = record_in(created.data)
    assert record_in(served.ask("GET", f"/pets/{pet['id']}").data) == pet
    listed = served.ask("GET", "/pets")
    assert (names_in(listed.data), record_in(listed.data)) == (["Ann"], pet)
    changed = record_in(served.ask("PATCH", f"/pets/{pet['id']}", wrap({"tag": "red"})).data)
    assert changed == {**pet, "tag": "red"}
    replaced = record_in(served.ask("PUT", f"/pets/{pet['id']}", wrap({"name": "Bea"})).data)
    assert (replaced["id"], replaced["name"], "tag" in replaced) == (pet["id"], "Bea", False)
    assert record_in(served.ask("GET", f"/pets/{pet['id']}").data) == replaced
    assert served.ask("DELETE", f"/pets/{pet['id']}", None, 204).headers.get("Bulkproof-Answer") == "stored"
    served.ask("GET", f"/pets/{pet['id']}", None, 404)
    served.ask("DELETE", f"/pets/{pet['id']}", None, 204)
    served.ask("PATCH", f"/pets/{pet['id']}", wrap({"tag": "red"}), 404)
    assert names_in(served.ask("GET", "/pets").data) == []


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["/pets/{petId}/feed", "/pets/{id}:feed"])
def test_what_is_done_to_a_record_shows_the_record(tmp_path, shape, path):
    """An operation one word below a record shows what was created, and 404 once that is deleted; others as ever."""
    one, every, new = SHAPES[shape]
    raw = document(one, every, new)
    names = [{"name": path.partition("{")[2].partition("}")[0], "in": "path", "required": True, "schema": {}}]
    done = {"post": {"responses": {"200": answer(one), "404": NO_BODY}}, "get": {"responses": {"200": answer(NUMBER)}}}
    raw["paths"][path] = {"parameters": names, **done}
    served = Served(tmp_path, raw)
    pet = record_in(
        served.ask("POST", "/pets", {"pet": {"name": "Ann"}} if shape == "named" else {"name": "Ann"}, 201).data
    )
    fed, unknown = (path.replace(path[path.index("{") : path.index("}") + 1], key) for key in (pet["id"], "nobody"))
    assert record_in(served.ask("POST", fed).data) == pet
    assert record_in(served.ask("POST", unknown).data)["id"] == "nobody"
    assert served.ask("GET", fed).headers.get("Bulkproof-Answer") == "generated"
    served.ask("DELETE", f"/pets/{pet['id']}", None, 204)
    served.ask("POST", fed, None, 404)


def test_a_new_record_is_where_the_header_fields_and_links_of_its_response_say(tmp_path):
    """With a body or without one; a field that leads to another resource is left alone."""
    fields = {"Location": {}, "X-Pet": {"schema": {"type": "string"}}, "X-Owner": {"schema": {"const": "me"}}}
    one = "~1pets~1{petId}"
    links = {
        "pet": {"operationRef": f"#/paths/{one}/get", "parameters": {"petId": "$response.header.X-Pet"}},
        "owner": {"operationId": "GET /owners/{ownerId}", "parameters": {"ownerId": "$response.header.X-Owner"}},
    }
    for told in (NO_BODY, answer(PET)):
        raw = document(PET, listing(PET), NEW_PET, post_on_all={"responses": {"201": {**told, "headers": fields}}})
        raw["paths"]["/pets"]["post"]["responses"]["201"]["links"] = links
        served = Served(tmp_path, raw)
        made = served.ask("POST", "/pets", {"name": "Ann"}, 201).headers
        key, owner = made.get("X-Pet"), made.get("X-Owner")
        assert (made.get("Location"), owner) == (f"/pets/{key}", "me")
        assert served.ask("GET", f"/pets/{key}").data["name"] == "Ann"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_nobody_created_is_imagined(tmp_path, shape):
    """A read shows the key of the path, the same each time; a change is kept, a deletion forgets it."""
    served = Served(tmp_path, document(*SHAPES[shape]))
    wrap = (lambda data: {"pet": data}) if shape == "named" else (lambda data: data)
    first = served.ask("GET", "/pets/seven")
    assert first.headers.get("Bulkproof-Answer") == "generated"
    pet = record_in(first.data)
    assert pet["id"] == "seven"
    assert served.ask("GET", "/pets/seven").data == first.data
    assert record_in(served.ask("PATCH", "/pets/seven", wrap({"tag": "red"})).data) == {**pet, "tag": "red"}
    assert record_in(served.ask("GET", "/pets/seven").data) == {**pet, "tag": "red"}
    served.ask("DELETE", "/pets/seven", None, 204)
    assert served.ask("GET", "/pets/seven").data == first.data
    assert served.ask("GET", "/pets").headers.get("Bulkproof-Answer")


def test_a_list_without_records_is_the_documents(tmp_path):
    """Before anything is created the list is the declared example, afterwards what is stored."""
    example = [{"id": "1", "name": "Example", "created": "2026-01-01T00:00:00Z", "owner": {"login": "o"}}]
    raw = document(PET, listing(PET), NEW_PET, get_on_all={"responses": {"200": answer(listing(PET), example=example)}})
    served = Served(tmp_path, raw)
    assert served.ask("GET", "/pets").data == example
    served.ask("POST", "/pets", {"name": "Ann"}, 201)
    assert names_in(served.ask("GET", "/pets").data) == ["Ann"]


def test_records_below_different_parents_never_meet(tmp_path):
    """The collections of two parents are two."""
    served = Served(tmp_path, document(PET, listing(PET), NEW_PET, base="/shops/{shop}/pets"))
    served.ask("POST", "/shops/a/pets", {"name": "Ann"}, 201)
    assert names_in(served.ask("GET", "/shops/a/pets").data) == ["Ann"]
    assert "Ann" not in names_in(served.ask("GET", "/shops/b/pets").data)


def test_resources_of_one_name_in_different_places_are_different(tmp_path):
    """`/pets` and `/old/pets` share no records in a plain document."""
    raw = document(PET, listing(PET), NEW_PET)
    raw["paths"] |= document(PET, listing(PET), NEW_PET, base="/old/pets")["paths"]
    served = Served(tmp_path, raw)
    served.ask("POST", "/pets", {"name": "Ann"}, 201)
    assert "Ann" not in names_in(served.ask("GET", "/old/pets").data)


KEYS = {
    "petId": ("petId", {"type": "string"}, "p-1"),
    "pet_id": ("petId", {"type": "integer"}, 12),
    "id": ("petId", {"type": "integer"}, 12),
    "uuid": ("pet_uuid", {"type": "string", "format": "uuid"}, "6fa459ea-ee8a-4ca4-894e-db77e160355e"),
    "name": ("petName", {"type": "string"}, "Ann"),
    "code": ("code", {"type": "string", "pattern": "^[A-Z]{3}$"}, "ABC"),
}


@pytest.mark.parametrize("member", KEYS)
def test_the_key_is_found_in_the_response(tmp_path, member):
    """A record is stored under the key that its reply shows, given by the client or made by the server."""
    variable, schema, given = KEYS[member]
    record = {"type": "object", "required": [member], "properties": {member: schema, "note": {"type": "string"}}}
    served = Served(tmp_path, document(record, listing(record), {"type": "object"}, variable=variable))
    echoed = served.ask("POST", "/pets", {member: given, "note": "given"}, 201).data
    made = served.ask("POST", "/pets", {"note": "made"}, 201).data
    assert (echoed[member], made["note"]) == (given, "made")
    for one in (echoed, made):
        assert served.ask("GET", f"/pets/{one[member]}").data == one
    assert served.ask("POST", "/pets", {member: given, "note": "new"}, 201).data["note"] == "new"


def test_a_conflict_and_a_second_deletion_are_refused_where_the_document_says_so(tmp_path):
    """409 for a key that is taken, 404 for what is deleted already: where they are declared, else the call succeeds."""
    taken = {"201": answer(PET), "409": NO_BODY}
    gone = {"204": NO_BODY, "404": NO_BODY}
    raw = document(PET, listing(PET), NEW_PET, post_on_all={"responses": taken}, delete_on_one={"responses": gone})
    served = Served(tmp_path, raw)
    served.ask("POST", "/pets", {"id": "a", "name": "Ann"}, 201)
    served.ask("POST", "/pets", {"id": "a", "name": "Bea"}, 409)
    served.ask("DELETE", "/pets/a", None, 204)
    served.ask("DELETE", "/pets/a", None, 404)


UNFIT = {
    "no record": {"type": "object", "required": ["job"], "properties": {"job": {"type": "string"}}},
    "text": {"type": "string"},
    "contradiction": {"allOf": [PET, {"properties": {"name": {"maxLength": 1}}}]},
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_reply_that_cannot_fit_is_the_documents_and_nothing_is_stored(tmp_path, kind):
    """The document answers a creation whose reply shows no record; the list stays the document's."""
    served = Served(
        tmp_path, document(PET, listing(PET), NEW_PET, post_on_all={"responses": {"201": answer(UNFIT[kind])}})
    )
    before = served.ask("GET", "/pets").data
    response = served.ask("POST", "/pets", {"name": "Anna"}, 201)
    assert response.headers.get("Bulkproof-Answer").startswith("generated")
    assert served.ask("GET", "/pets").data == before
    by_method = {(one.method, one.record.key is None): one for one in served.api.contract.operations}
    assert keeps_state(served.api, by_method["POST", True]) is (kind == "contradiction")
    assert keeps_state(served.api, by_method["GET", False])


def test_members_of_a_request_that_a_reply_does_not_declare_are_not_shown(tmp_path):
    """A password is stored and never shown; a member of another type than the reply's is replaced by one that fits."""
    new = {"type": "object", "properties": {"name": {}, "password": {"type": "string"}, "owner": {"type": "string"}}}
    served = Served(tmp_path, document({**PET, "additionalProperties": False}, listing(PET), new))
    pet = served.ask("POST", "/pets", {"name": "Ann", "password": "secret", "owner": "o1"}, 201).data
    assert ("password" in pet, type(pet["owner"])) == (False, dict)
    assert served.ask("GET", f"/pets/{pet['id']}").data == pet


def test_put_creates_where_201_is_declared(tmp_path):
    """The first PUT is 201 and real, so that its deletion is too."""
    responses = {"200": answer(PET), "201": answer(PET)}
    served = Served(tmp_path, document(PET, listing(PET), NEW_PET, put_on_one={"responses": responses}))
    assert served.ask("PUT", "/pets/p1", {"name": "Ann"}, 201).data["id"] == "p1"
    assert served.ask("PUT", "/pets/p1", {"name": "Bea"}, 200).data["name"] == "Bea"
    served.ask("DELETE", "/pets/p1", None, 204)
    served.ask("GET", "/pets/p1", None, 404)
    served.ask("PUT", "/pets/p1", {"name": "Cat"}, 201)


def test_pages_and_counts_of_a_list(tmp_path):
    """Windows follow the declared parameters, and counts are those of all records."""
    query = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("offset", "limit")]
    every = around("data", listing(PET), has_more=FLAG, total=NUMBER)
    served = Served(tmp_path, document(PET, every, NEW_PET, get_on_all={"parameters": query}))
    for n in range(5):
        served.ask("POST", "/pets", {"name": f"n{n}"}, 201)
    first = served.ask("GET", "/pets", query=(("limit", "3"),)).data
    rest = served.ask("GET", "/pets", query=(("offset", "3"), ("limit", "3"))).data
    assert (len(first["data"]), first["has_more"], first["total"]) == (3, True, 5)
    assert (len(rest["data"]), rest["has_more"], rest["total"]) == (2, False, 5)
    assert sorted(names_in([first, rest])) == [f"n{n}" for n in range(5)]


def test_a_named_resource_has_real_state(tmp_path):
    """A resource that `x-record` or `x-resources` names knows no imagined records."""
    raw = document(PET, listing(PET), NEW_PET)
    raw["paths"]["/pets"]["post"]["x-record"] = {"action": "create", "resource": "pets"}
    Served(tmp_path, raw).ask("GET", "/pets/seven", None, 404)
    raw = {**document(PET, listing(PET), NEW_PET), "x-resources": {"pets": {"key": "id"}}}
    Served(tmp_path, raw).ask("GET", "/pets/seven", None, 404)


def test_a_body_may_not_name_another_record_than_the_path(tmp_path):
    """Beside the payload or in it, where `sameKey` says so; the same key is the path's once more."""
    act = {"action": "update", "resource": "pets", "key": "path:petId", "payload": "/pet", "sameKey": True}
    raw = document(PET, listing(PET), NEW_PET, patch_on_one={"x-record": act})
    served = Served(tmp_path, raw)
    pet = served.ask("POST", "/pets", {"name": "Ann"}, 201).data
    path = f"/pets/{pet['id']}"
    served.ask("PATCH", path, {"id": "other", "pet": {"name": "Bob"}}, 400)
    served.ask("PATCH", path, {"pet": {"id": "other", "name": "Bob"}}, 400)
    assert served.ask("GET", path).data["name"] == "Ann"
    served.ask("PATCH", path, {"id": pet["id"], "pet": {"name": "Bob"}})
    assert served.ask("GET", path).data["name"] == "Bob"


def test_the_status_of_a_wrong_content_is_the_declared_one(tmp_path):
    """`invalid` says it, of what is in use too; that there is no such record is 404 all the same."""
    act = {"action": "update", "resource": "pets", "key": "path:petId", "invalid": 418}
    told = {"200": answer(PET), "404": answer({})}
    raw = {
        **document(PET, listing(PET), NEW_PET, patch_on_one={"x-record": act, "responses": told}),
        "x-resources": {"pets": {"key": "id", "unique": [["name"]]}},
    }
    served = Served(tmp_path, raw)
    pets = [served.ask("POST", "/pets", {"id": name, "name": name}, 201).data for name in ("Ann", "Bob")]
    served.ask("PATCH", f"/pets/{pets[1]['id']}", {"name": "Ann"}, 418)
    served.ask("PATCH", "/pets/nobody", {"name": "Cid"}, 404)


@pytest.mark.parametrize("shape", SHAPES)
def test_records_of_a_bulk_request_are_shown_in_the_envelopes_of_single_ones(tmp_path, shape):
    """What a bulk request stores is listed and read where the responses have it, and unknown keys are 404."""
    one, every, new = SHAPES[shape]
    raw = document(one, every, new, post_on_all={"operationId": "createPet"})
    entry = {"type": "object", "properties": {"id": {"type": "string"}, "ok": FLAG}}
    raw["paths"]["/pets/bulk"] = {
        "post": {
            "operationId": "createPets",
            "requestBody": body(listing(NEW_PET)),
            "responses": {"200": answer(listing(entry))},
            "x-bulk": {
                "items": {"at": ""},
                "effect": {"action": "create", "like": ["createPet"]},
                "key": {"by": "index"},
                "unit": {"of": "item"},
                "reply": {
                    "status": {"allOk": 200, "someFailed": 200, "allFailed": 200},
                    "outcomes": {**OUTCOMES, "inOrder": True, "id": "/id"},
                },
            },
        }
    }  # fmt: skip
    served = Served(tmp_path, raw)
    request = Request(
        method="POST", path="/pets/bulk", headers=Headers({"Content-Type": JSON}.items()), body=b'[{"name": "Ann"}]'
    )
    stored = handle(served.sandbox, served.api, request, NOW).data[0]["id"]
    shown = record_in(served.ask("GET", f"/pets/{stored}").data)
    assert (shown["id"], shown["name"]) == (stored, "Ann")
    assert names_in(served.ask("GET", "/pets").data) == ["Ann"]
    wrap = (lambda data: {"pet": data}) if shape == "named" else (lambda data: data)
    created = record_in(served.ask("POST", "/pets", wrap({"name": "Bea"}), 201).data)
    assert (created["name"], sorted(names_in(served.ask("GET", "/pets").data))) == ("Bea", ["Ann", "Bea"])
    assert record_in(served.ask("GET", f"/pets/{created['id']}").data) == created
    served.ask("GET", "/pets/unknown", None, 404)


def test_a_method_that_a_path_does_not_have_is_refused_as_its_other_operations_declare(tmp_path):
    """In their own body for an error."""
    error = answer({"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}})
    raw = document(PET, listing(PET), NEW_PET, get_on_all={"responses": {"200": answer(listing(PET)), "405": error}})
    refused = Served(tmp_path, raw).ask("PUT", "/pets", {}, 405)
    assert (refused.data, refused.headers.get("Allow")) == ({"message": "PUT is not allowed here."}, "GET, POST")

"""Documents of both OpenAPI versions become the same kind of contract."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import yaml

from contracts import ContractError, MisuseError, load, load_bundled
from contracts.bulk.model import Choice
from contracts.messages import ABSENT
from contracts.openapi.loading import LoadOptions

DATA = Path(__file__).parents[1] / "data"
PETS = load(DATA / "pets30.yaml")
ROOMS = load(str(DATA / "rooms31.yaml"), name="rooms")


def test_a_contract_knows_its_face():
    """Name, title, version and mount come from the file and the document; server variables are filled in."""
    assert (PETS.name, PETS.title, PETS.version, PETS.mount) == ("pets30", "Pets in OpenAPI 3.0", "1.2.0", "/toys/v1")
    assert (ROOMS.name, ROOMS.version, ROOMS.mount, ROOMS.ignore_case, ROOMS.reserved) == (
        "rooms",
        "2",
        "/rooms-api",
        True,
        ("batch",),
    )


@pytest.mark.parametrize(
    ("servers", "mount"),
    [
        (None, ""),
        ([], ""),
        ([{"url": "/"}], ""),
        ([{"url": "https://pets.example"}], ""),
        ([{"url": "https://pets.example:8443/"}], ""),
        ([{"url": "https://pets.example?a=/b#/c"}], ""),
        ([{"url": "https://pets.example/v1/?x=1"}], "/v1"),
        ([{"url": "//pets.example/v1//"}], "/v1"),
        ([{"url": "v1"}], "/v1"),
        ([{"url": "./v1"}], "/v1"),
        ([{"url": "/a/../v1"}, {"url": "/v2"}], "/v1"),
        ([{"url": "{scheme}://{host}:{port}/v1"}], "/v1"),
        ([{"url": "{baseUrl}/v1"}], "/v1"),
        ([{"url": "{{baseUrl}}"}], ""),
        ([{"url": "https://pets.example/{stage}"}], "/stage"),
        ([{"url": "{base}/x", "variables": {"base": {"default": "http://h/v1"}}}], "/v1/x"),
    ],
)
def test_the_mount_is_the_path_of_the_first_server(tmp_path, servers, mount):
    """Without a path there the API is at the root; a variable that has no default stands for its name, or a base."""
    document = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {}}
    (tmp_path / "x.json").write_text(json.dumps(document if servers is None else {**document, "servers": servers}))
    assert load(tmp_path / "x.json").mount == mount


def test_operations_stand_in_order_and_have_names():
    """Operations keep the document's order; one without an operationId is named by method and path."""
    assert [one.id for one in PETS.operations] == [
        "listPets",
        "createPet",
        "readPet",
        "putPetsById",
        "getPetsMine",
        "bulkPets",
    ]
    assert PETS.operation("putPetsById").method == "PUT"
    assert PETS.operation("nobody") is None
    assert PETS.operation("readPet").pointer == "/paths/~1pets~1{id}/get"


def test_parameters_of_a_path_are_merged():
    """An operation's own parameter replaces its path's of that place and name; content headers are not parameters."""
    own = {one.name: one for one in PETS.operation("readPet").parameters}
    shared = {one.name: one for one in PETS.operation("putPetsById").parameters}
    assert own["verbose"].required
    assert not shared["verbose"].required
    assert (own["id"].where, own["id"].style, own["id"].explode) == ("path", "simple", False)
    listing = PETS.operation("listPets").parameters
    assert [(one.name, one.style, one.explode) for one in listing] == [("limit", "form", True), ("tag", "form", True)]


def test_statuses_are_found_by_number_class_and_default():
    """A status has its own response, else its class's, else the default."""
    operation = PETS.operation("listPets")
    assert operation.response(207).description == "Pets."
    assert operation.response(500).description == "A problem."
    assert PETS.operation("createPet").response(200) is None
    assert operation.response(200).headers[0].required


def test_security_is_the_operations_or_the_documents():
    """An operation's own security replaces the document's, also with none."""
    assert PETS.operation("listPets").security == ()
    assert PETS.operation("createPet").security == ({"token": ()},)
    assert PETS.security_schemes["token"]["scheme"] == "bearer"


def test_the_dialect_of_30_becomes_2020_12():
    """Nullable, boolean exclusive limits, examples and what stands beside a reference mean what 3.0 says."""
    pet = PETS.operation("createPet").body.content[0].schema
    assert pet.is_valid({"name": "Rex", "weight": None})
    assert not pet.is_valid({"name": None})
    assert not pet.is_valid({"name": "Rex", "weight": 0})
    assert pet.is_valid({"name": "Rex", "age": 0})
    assert not pet.is_valid({"name": "Rex", "age": 30})
    assert pet.is_valid({"name": "Rex", "mother": {"name": "Bell", "age": 9}})
    assert pet.member("name").raw["examples"] == ["Rex"]


def test_siblings_of_a_reference_count_in_31():
    """A reference beside other rules means both; beside annotations alone it is followed."""
    strict = ROOMS.operation("batchRooms").response(200).content[0].schema
    assert not strict.is_valid({})
    assert strict.is_valid({"code": "A"})
    assert not strict.is_valid({"code": "a"})
    assert strict.member("code").raw["pattern"] == "^[A-Z]+$"


def test_references_lead_through_files_and_circles():
    """A schema in another file, an anchor, and a schema inside itself are found."""
    room = ROOMS.operation("readRoom").response(200).content[0].schema
    assert room.ref == "contract:/rooms/parts/schemas.json#/$defs/Room"
    assert room.at("/beside/0/beside/*/code") == ROOMS.operation("readRoom").parameters[0].schema
    assert room.is_valid({"beside": [{"beside": []}]})
    assert not room.is_valid({"beside": [{"beside": [{"code": "a"}]}]})


def test_the_schema_of_items_is_found_in_any_form():
    """The item schema of a bare array and of an envelope is found although both are branches of one schema."""
    batch = ROOMS.operation("batchRooms").body.media("application/x+json").schema
    assert batch.items().ref.endswith("#/$defs/Room")
    assert batch.at("/data/7").ref.endswith("#/$defs/Strict")
    assert batch.at("/nothing") is None


def test_the_most_specific_content_wins():
    """A content type fits its own entry before a suffix, before the rest."""
    body = ROOMS.operation("batchRooms").body
    wanted = {
        "Application/vnd.Rooms+JSON; charset=utf-8": "application/vnd.rooms+json",
        "application/other+json": "application/*+json",
        "text/plain": "*/*",
    }
    assert {sent: body.media(sent).media_range for sent in wanted} == wanted
    assert PETS.operation("createPet").body.media("text/plain") is None


def test_examples_come_inline_and_from_files():
    """Examples are values, also those in files and behind references; text stays text."""
    examples = ROOMS.operation("batchRooms").body.media("application/vnd.rooms+json").examples
    assert examples == {
        "inline": {"a": 1},
        "data": {"code": "B", "floor": 2},
        "text": "code,floor\nB,2\n",
        "shared": [1, 2],
    }
    assert ROOMS.operation("batchRooms").response(200).content[0].examples == {"example": {"code": "A"}}


def test_declared_records_are_read():
    """x-record and x-resources become values; a key that is not declared stands in the path's last variable."""
    read, put = ROOMS.operation("readRoom").record, ROOMS.operation("putRoom").record
    assert (read.action, read.resource, read.key) == (Choice(constant="read"), Choice(constant="room"), "path:code")
    assert put.action == Choice(constant="replace")
    assert put.resource == Choice(source="query:of", words={"rooms": "room"}, default="room", ignore_case=True)
    assert (put.payload, put.version, put.page.skip, put.page.default) == ("/room", "header:If-Match", "query:skip", 5)
    room, floor = ROOMS.resources["room"], ROOMS.resources["floor"]
    assert room.schema == "contract:/rooms/parts/schemas.json#/$defs/Room"
    assert (room.unique, room.references, room.required) == ((("floor", "number"),), {"floor": "floor"}, ("number",))
    assert (room.restrict, room.extras, room.version) == (True, {"x-colour": "green"}, "revision")
    assert (floor.key, floor.assigned, floor.schema) == ("level", True, None)


def test_records_are_inferred_from_plain_paths():
    """Collection and item paths without declarations say what they do; other paths say nothing."""
    actions = {one.id: one.record and one.record.action.constant for one in PETS.operations}
    assert actions == {
        "listPets": "list",
        "createPet": "create",
        "readPet": "read",
        "putPetsById": "replace",
        "getPetsMine": None,
        "bulkPets": None,
    }
    assert PETS.operation("readPet").record.key == "path:id"
    page = PETS.operation("listPets").record.page
    assert (page.skip, page.take, page.total) == (None, "query:limit", "header:X-Total-Count")


def test_resources_are_inferred_from_single_operations():
    """The collection names the resource; key, payload and version come from path, body and x-bulk."""
    pets = PETS.resources["pets"]
    assert (pets.key, pets.version, pets.assigned) == ("id", "revision", True)
    assert pets.schema == "contract:/pets30/pets30.yaml#/components/schemas/Pet"


def test_other_extensions_are_kept():
    """Members of an operation that begin with x- and are none of ours are handed on."""
    assert PETS.operation("bulkPets").extras == {"x-note": "kept"}
    assert PETS.operation("bulkPets").bulk.effect.like == ("createPet",)


def test_json_and_yaml_are_the_same(tmp_path):
    """A document in JSON gives the contract that it gives in YAML."""
    (tmp_path / "pets30.json").write_text(json.dumps(yaml.safe_load((DATA / "pets30.yaml").read_text())))
    again = load(tmp_path / "pets30.json")
    assert [one.id for one in again.operations] == [one.id for one in PETS.operations]
    assert again.document == json.loads(json.dumps(PETS.document).replace("pets30.yaml", "pets30.json"))


def test_nothing_shows_where_the_files_lie(tmp_path):
    """Neither the document nor a fault has a machine's path in it."""
    folder = tmp_path / "secret"
    shutil.copytree(DATA, folder)
    contract = load(folder / "rooms31.yaml")
    assert "secret" not in json.dumps(contract.document)
    (folder / "parts" / "room.json").unlink()
    with pytest.raises(ContractError) as caught:
        load(folder / "rooms31.yaml", options=LoadOptions(strict=True))
    assert "secret" not in str(caught.value)


def test_a_contract_survives_pickling():
    """A contract sent to another process judges as before."""
    again = pickle.loads(pickle.dumps(ROOMS))  # noqa: S301 - our own bytes
    assert not again.operation("batchRooms").response(200).content[0].schema.is_valid({})


def test_a_schema_alone_needs_no_other_document():
    """A standalone schema holds everything it refers to, and judges alike."""
    room = ROOMS.operation("readRoom").response(200).content[0].schema
    alone = room.standalone()
    assert "contract:" not in json.dumps(alone)
    assert alone["$defs"]


def test_what_is_not_there_is_a_lookup_error():
    """A reference to nothing raises; `ABSENT` is not taken for a value."""
    with pytest.raises(LookupError):
        PETS.schemas.schema("contract:/pets30/pets30.yaml#/components/schemas/Cat")
    assert PETS.schemas.value("contract:/pets30/pets30.yaml#/info/title") is not ABSENT


def test_only_bundled_names_are_bundled():
    """Another name is misuse, with the closest one named."""
    with pytest.raises(MisuseError, match="Did you mean 'genero'"):
        load_bundled("genera")


def test_patterns_are_loaded_in_the_form_that_is_used(tmp_path):
    """A schema's own pattern and those of names are rewritten where an engine needs that, wherever they stand."""
    schema = {"pattern": r"[\w-.]", "patternProperties": {r"\p{XDigit}": {"pattern": "^a$"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {},
        "components": {"schemas": {"S": {"allOf": [schema]}}},
    }
    (tmp_path / "x.json").write_text(json.dumps(document))
    loaded = load(tmp_path / "x.json").document["components"]["schemas"]["S"]["allOf"][0]
    assert loaded == {"pattern": r"[\w\-.]", "patternProperties": {"[0-9A-Fa-f]": {"pattern": "^a$"}}}

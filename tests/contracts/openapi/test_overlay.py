"""Overlays 1.0 and 1.1: what each action does to a document, and what is said of those that cannot be done."""

from copy import deepcopy
from http.server import SimpleHTTPRequestHandler

import pytest
import yaml
from http_servers import served

from contracts.errors import ContractError
from contracts.openapi.loading import LoadOptions, load
from contracts.openapi.overlay import apply_overlay, read_overlay, unshared

SHELVES = yaml.safe_load("""
openapi: 3.0.3
info: {title: Shelves, version: 1.0.0, license: {name: MIT}}
servers:
  - {url: 'https://shelves.example/v1', description: Live}
  - {url: 'https://trial.shelves.example/v1', description: Trial}
paths:
  /shelves:
    get:
      operationId: listShelves
      summary: The shelves
      tags: [shelves]
      parameters: [{name: page, in: query, schema: {type: integer}}, {name: old, in: query, schema: {type: string}}]
      responses:
        '200': {description: All of them, content: {application/json: {schema: {$ref: '#/components/schemas/Shelf'}}}}
        '500': {description: Broken}
        default: {description: Other}
  /shelves/{id}:
    get:
      operationId: readShelf
      tags: [shelves]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: One}, '500': {description: Broken}}
components:
  schemas:
    Shelf:
      type: object
      properties: {label: {type: string, example: A1}, width: {type: integer}, room: {type: string}}
""")
GET = ("paths", "/shelves", "get")
PROPERTIES = ("components", "schemas", "Shelf", "properties")


def overlaid(*actions, version="1.0.0"):
    document = deepcopy(SHELVES)
    overlay = {"overlay": version, "info": {"title": "T", "version": "1"}, "actions": [*actions]}
    return document, apply_overlay(document, overlay, shown="o.yaml")


def at(document, *tokens):
    for token in tokens:
        document = document[token]
    return document


def update(target, value):
    return {"target": target, "update": value}


def remove(target):
    return {"target": target, "remove": True}


WORKED = {
    "a member of the root": (
        [update("$", {"info": {"x-seen": True}, "x-new": [1]})],
        {("info", "x-seen"): True, ("info", "title"): "Shelves", ("x-new",): [1]},
    ),
    "a member that is there is replaced": (
        [update("$.info.license", {"name": "BSD"})],
        {("info", "license", "name"): "BSD"},
    ),
    "description and summary of an operation": (
        [update("$.paths['/shelves'].get", {"description": "D", "summary": "S"})],
        {(*GET, "description"): "D", (*GET, "summary"): "S", (*GET, "operationId"): "listShelves"},
    ),
    "actions see what those before them did": (
        [update("$.paths.*.get", {"tags": ["all"]}), update("$.paths['/shelves'].get", {"tags": ["one"]})],
        {(*GET, "tags"): ["shelves", "all", "one"], ("paths", "/shelves/{id}", "get", "tags"): ["shelves", "all"]},
    ),
    "an element is appended to an array": (
        [update("$.paths['/shelves'].get.parameters", {"name": "new", "in": "query"})],
        {(*GET, "parameters", 2): {"name": "new", "in": "query"}},
    ),
    "a primitive member is removed": (
        [remove("$.components.schemas.Shelf.properties['label'].example")],
        {(*PROPERTIES, "label"): {"type": "string"}},
    ),
    "each node of a filter is removed": (
        [remove("$.components.schemas..properties[?(@.type == 'string')]")],
        {PROPERTIES: {"width": {"type": "integer"}}},
    ),
    "an element of an array is removed": (
        [remove("$.servers[?( @.description == 'Trial' )]")],
        {("servers",): [SHELVES["servers"][0]]},
    ),
    "all elements of an array are removed": ([remove("$.servers[*]")], {("servers",): []}),
    "nodes at any depth are removed": (
        [remove("$.paths..responses['500']"), remove("$.paths..responses['default']")],
        {("paths", "/shelves/{id}", "get", "responses"): {"200": {"description": "One"}}},
    ),
    "a list is replaced by removing it first": (
        [remove("$.servers"), update("$", {"servers": [{"url": "http://127.0.0.1"}]})],
        {("servers",): [{"url": "http://127.0.0.1"}]},
    ),
    "nothing is removed with remove: false": (
        [{"target": "$.info", "remove": False, "update": {"title": "T"}}],
        {("info", "title"): "T"},
    ),
    "remove wins over update": (
        [{**remove("$.info.license"), "update": {"name": "x"}}],
        {("info",): {"title": "Shelves", "version": "1.0.0"}},
    ),
}
WORKED_1_1 = {
    "an array is joined to an array": (
        [update("$.paths['/shelves'].get.tags", ["a", "b"])],
        {(*GET, "tags"): ["shelves", "a", "b"]},
    ),
    "a primitive is replaced": ([update("$.info.title", "New")], {("info", "title"): "New"}),
    "a node is copied": (
        [
            update("$.paths", {"/racks": {}}),
            {"target": "$.paths['/racks']", "copy": "$.paths['/shelves']"},
            update("$.paths['/racks'].get", {"operationId": "listRacks"}),
        ],
        {("paths", "/racks", "get", "operationId"): "listRacks", (*GET, "operationId"): "listShelves"},
    ),
}


@pytest.mark.parametrize("name", WORKED)
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_what_actions_do(name, version):
    actions, expected = WORKED[name]
    document, faults = overlaid(*actions, version=version)
    assert faults == []
    assert {tokens: at(document, *tokens) for tokens in expected} == expected


@pytest.mark.parametrize("name", WORKED_1_1)
def test_what_actions_of_1_1_do(name):
    actions, expected = WORKED_1_1[name]
    document, faults = overlaid(*actions, version="1.1.0")
    assert faults == []
    assert {tokens: at(document, *tokens) for tokens in expected} == expected


def test_an_array_in_an_array_is_an_element_of_it_in_1_0():
    document, _ = overlaid(update("$.paths['/shelves'].get.tags", ["a"]))
    assert at(document, *GET, "tags") == ["shelves", ["a"]]


FAULTY = {
    "nothing matches": (
        update("$.paths['/shelfs'].get", {}),
        "o.yaml#/actions/0/target: it matches nothing. The action is left out. Did you mean '/shelves'?",
    ),
    "no element matches": (
        remove("$.servers[?@.description == 'None']"),
        "o.yaml#/actions/0/target: it matches nothing. The action is left out. Correct it, or remove the action.",
    ),
    "no JSONPath": (update("$.paths[", {}), "o.yaml#/actions/0/target: it is no JSONPath: unexpected end of query."),
    "the root is removed": (remove("$"), "o.yaml#/actions/0/target: the whole document cannot be removed."),
    "a list for an object": (update("$.info", ["x"]), "o.yaml#/actions/0/update: the target '/info' is an object"),
    "a primitive is selected": (
        update("$.info.title", "x"),
        "o.yaml#/actions/0/target: the target '/info/title' is a string",
    ),
    "an object for an array, inside": (
        update("$", {"servers": {"url": "/"}}),
        "o.yaml#/actions/0/update: '/servers' is an array, and cannot be merged with an object.",
    ),
    "null for an object, inside": (
        update("$", {"info": None}),
        "o.yaml#/actions/0/update: '/info' is an object, and cannot be merged with null.",
    ),
    "a copy of nothing": (
        {"target": "$.info", "copy": "$.inof"},
        "o.yaml#/actions/0/copy: it matches nothing. Select one node.",
    ),
    "a copy of many": ({"target": "$.info", "copy": "$.servers[*]"}, "o.yaml#/actions/0/copy: it selects 2 nodes."),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_said_of_an_action_that_cannot_be_done(name):
    action, says = FAULTY[name]
    document, faults = overlaid(action)
    assert [str(fault)[: len(says)] for fault in faults] == [says]
    assert document == SHELVES


def test_all_faulty_actions_are_named_and_the_others_done():
    document, faults = overlaid(update("$.nope", {}), update("$.info", {"title": "T"}), remove("$.gone"))
    assert [fault.pointer for fault in faults] == ["/actions/0/target", "/actions/2/target"]
    assert document["info"]["title"] == "T"


MALFORMED = {
    "no actions": ({"actions": None}, ["/actions"]),
    "an empty list of actions": ({"actions": []}, ["/actions"]),
    "a version that is not known": ({"overlay": "2.0.0"}, ["/overlay"]),
    "no info": ({"info": ...}, [""]),
    "a version of two parts": ({"overlay": "1.0"}, ["/overlay"]),
    "a numeric version": ({"info": {"title": "T", "version": 1.0}}, ["/info/version"]),
    "an unknown member": ({"action": []}, [""]),
    "an action without target": ({"actions": [{"update": {}}]}, ["/actions/0"]),
    "an action that does nothing": ({"actions": [{"target": "$"}]}, ["/actions/0"]),
    "a target that is no path from the root": ({"actions": [{"target": "paths", "update": {}}]}, ["/actions/0/target"]),
    "a remove that is text": ({"actions": [{"target": "$.info", "remove": "yes"}]}, ["/actions/0/remove"]),
    "both update and copy": ({"actions": [{"target": "$", "update": {}, "copy": "$.info"}]}, ["/actions/0"]),
    "an unknown member of an action": ({"actions": [{"target": "$", "updte": {}}]}, ["/actions/0", "/actions/0"]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_has_not_the_shape_of_an_overlay_is_refused_with_its_place(tmp_path, name):
    changes, pointers = MALFORMED[name]
    overlay = {"overlay": "1.0.0", "info": {"title": "T", "version": "1"}, "actions": [update("$", {})], **changes}
    path = tmp_path / "o.yaml"
    path.write_text(yaml.safe_dump({key: one for key, one in overlay.items() if one is not ...}))
    if name == "an unknown member of an action":
        pointers = pointers[:1]
    with pytest.raises(ContractError) as caught:
        read_overlay(path)
    assert [fault.pointer for fault in caught.value.faults] == pointers


@pytest.fixture
def shelves(tmp_path):
    path = tmp_path / "shelves.yaml"
    path.write_text(yaml.safe_dump(SHELVES))
    return path


def written(folder, name, *actions, **members):
    overlay = {"overlay": "1.0.0", "info": {"title": "T", "version": "1"}, "actions": [*actions], **members}
    path = folder / name
    path.write_text(yaml.safe_dump(overlay))
    return path


def test_overlays_are_applied_in_turn_before_the_document_is_read(tmp_path, shelves):
    first = written(tmp_path, "a.yaml", update("$.info", {"title": "A"}), update("$.paths", {"/racks": {}}))
    second = written(tmp_path, "b.yaml", update("$.info", {"title": "B"}), remove("$.paths['/racks']"))
    contract = load(shelves, options=LoadOptions(overlays=(first, second)))
    assert contract.title == "B"
    assert {one.path for one in contract.operations} == {"/shelves", "/shelves/{id}"}
    assert set(contract.files) == {first, second, shelves}


def test_an_overlay_can_mend_what_would_be_refused(tmp_path, shelves):
    broken = {key: one for key, one in SHELVES.items() if key != "info"}
    shelves.write_text(yaml.safe_dump(broken))
    cure = written(tmp_path, "o.yaml", update("$", {"info": {"title": "Mended", "version": "1"}}))
    assert load(shelves, options=LoadOptions(overlays=(cure,))).title == "Mended"


def test_an_overlay_that_names_its_document_is_a_document(tmp_path, shelves):
    (tmp_path / "ours").mkdir()
    first = written(tmp_path / "ours", "a.yaml", update("$.info", {"title": "A"}), extends="../shelves.yaml")
    second = written(tmp_path, "b.yaml", update("$.info", {"version": "2"}), extends="ours/a.yaml")
    contract = load(second)
    assert (contract.name, contract.title, contract.version) == ("b", "A", "2")
    assert {path.resolve() for path in contract.files} == {first, second, shelves}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (
            {},
            "it is an overlay, and does not say of what. Name the document, and add this file with '--overlay o.yaml'",
        ),
        ({"extends": "https://shelves.example/openapi.yaml"}, "it is at another host than this machine."),
        ({"extends": "urn:shelves"}, "'urn:shelves' is not read."),
        ({"extends": "o.yaml"}, "it extends itself."),
        ({"extends": "gone.yaml"}, "there is no such file."),
    ],
)
def test_an_overlay_without_a_document_that_can_be_read_is_refused(tmp_path, members, says):
    path = written(tmp_path, "o.yaml", update("$", {}), **members)
    with pytest.raises(ContractError, match=says.replace("(", r"\(")):
        load(path)


@pytest.fixture
def at_url(tmp_path, shelves):  # noqa: ARG001 - the document lies in the folder
    """Return the URL of the folder with the document."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=str(tmp_path))

    with served(Handler) as url:
        yield url


def test_overlays_at_urls_are_read_as_documents_are(tmp_path, shelves, at_url):
    """The overlay, what it extends, or both are at a URL of this machine; what an overlay extends is relative to it."""
    written(tmp_path, "a.yaml", update("$.info", {"title": "A"}), extends="shelves.yaml")
    here = written(tmp_path, "b.yaml", update("$.info", {"title": "B"}), extends=f"{at_url}/shelves.yaml")
    assert load(f"{at_url}/a.yaml").title == "A"
    assert load(f"{at_url}/shelves.yaml", options=LoadOptions(overlays=(f"{at_url}/a.yaml",))).repairs == ()
    assert load(here).title == "B"
    contract = load(shelves, options=LoadOptions(overlays=(f"{at_url}/a.yaml", here)))
    assert contract.title == "B"
    assert set(contract.files) == {here, shelves}
    assert [one.pointer for one in contract.repairs] == ["/extends"] * 2  # they are for the document at the URL


def test_an_overlay_at_another_host_is_read_only_where_that_is_allowed(shelves):
    """As documents are, and its cure is the same."""
    with pytest.raises(ContractError, match="--allow-remote"):
        load(shelves, options=LoadOptions(overlays=("https://shelves.example/o.yaml",)))


def test_what_aliases_share_is_changed_in_one_place_only():
    shared = {"type": "string"}
    document = unshared({"a": shared, "b": [shared]})
    assert apply_overlay(document, {"overlay": "1.0.0", "actions": [update("$.a", {"x": 1})]}, shown="o") == []
    assert document == {"a": {"type": "string", "x": 1}, "b": [{"type": "string"}]}


def test_a_target_that_matches_nothing_is_told_and_refused_when_strict(tmp_path, shelves):
    """RFC 9535 lets a query select nothing; a slip would pass unseen, so it is said."""
    overlay = written(tmp_path, "o.yaml", update("$.paths['/shelfs'].get", {}), update("$.info", {"title": "T"}))
    contract = load(shelves, options=LoadOptions(overlays=(overlay,)))
    assert contract.title == "T"
    assert [one.pointer for one in contract.repairs] == ["/actions/0/target"]
    with pytest.raises(ContractError, match="it matches nothing"):
        load(shelves, options=LoadOptions(overlays=(overlay,), strict=True))


def test_an_overlay_for_another_document_is_applied_and_that_is_told(tmp_path, shelves):
    for target, is_told in (("shelves.yaml", False), ("other.yaml", True), ("https://shelves.example/x.yaml", True)):
        overlay = written(tmp_path, "o.yaml", update("$.info", {"title": "T"}), extends=target)
        contract = load(shelves, options=LoadOptions(overlays=(overlay,)))
        assert (contract.title, [one.pointer for one in contract.repairs]) == ("T", ["/extends"] * is_told)

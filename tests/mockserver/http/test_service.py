"""Where a request is answered, without sockets: mounts, documents, links, and what cannot be served together."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import MisuseError
from contracts.messages import Headers
from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.export.first_call import curl_line
from mockserver.http.service import Options, Service

THINGS = Path(__file__).parent / "data" / "things.yaml"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def things():
    (source,) = find_sources([str(THINGS)])
    return source.load()


def mounted(api, name, mount):
    return replace(api, name=name, contract=replace(api.contract, mount=mount))


def get(service, target, **headers):
    return service.handle("GET", target, Headers(headers.items()), b"", NOW)


def test_the_longer_mount_wins(things):
    """An API inside another's path is reached; a path that only begins alike is nobody's."""
    service = Service([mounted(things, "a", "/v1"), mounted(things, "b", "/v1/b")], Options(), NOW)
    assert get(service, "/v1/b/boxes/x").data["detail"] == "No record of boxes has the key x."
    assert service.find("/v1/b/boxes/x", Headers(), NOW).api.name == "b"
    assert service.find("/v1/boxes/x", Headers(), NOW).api.name == "a"
    assert "Served: /v1, /v1/b" in get(service, "/v1b/boxes").data["detail"]


def test_case_counts_unless_the_contract_says_otherwise(things):
    """A mount is matched as its contract matches paths."""
    folded = replace(things, contract=replace(things.contract, ignore_case=True))
    assert get(Service([folded], Options(), NOW), "/THINGS/boxes/x").data["detail"].startswith("No record of boxes")
    assert get(Service([things], Options(), NOW), "/THINGS/boxes/x").data["detail"].startswith("Nothing is served")


@pytest.mark.parametrize("mount", ["/_sandbox", "/_sandbox/x", "/metrics", "/@x"])
def test_taken_mounts(things, mount):
    """What the control API and the sandbox prefix need cannot be an API's mount."""
    with pytest.raises(MisuseError, match="taken"):
        Service([mounted(things, "a", mount)], Options(), NOW)


def test_two_apis_in_one_place(things):
    """Two APIs of one name, or of one mount, are refused with both names."""
    with pytest.raises(MisuseError, match="two APIs are named 'things'"):
        Service([things, things], Options(), NOW)
    with pytest.raises(MisuseError, match="'b' and 'a' are both served at /v1"):
        Service([mounted(things, "a", "/v1"), mounted(things, "b", "/v1")], Options(), NOW)


def test_an_api_without_a_path_is_served_at_the_root(things):
    """Its paths are the server's own; the control API, the document and sandboxes named by a prefix are there too."""
    service = Service([mounted(things, "things", "")], Options(), NOW)
    json = Headers([("Content-Type", "application/json")])
    made = service.handle("POST", "/@here/boxes/jobs", json, b'[{"id":"a"}]', NOW)
    assert made.headers.get("Location").startswith("/@here/boxes/jobs/")
    assert get(service, made.headers.get("Location")).status == 200
    assert get(service, "/boxes/x").data["detail"] == "No record of boxes has the key x."
    assert get(service, "/_sandbox/health").data["status"] == "ok"
    assert get(service, "/openapi.json").data["info"]["title"] == "Things"
    (listed,) = get(service, "/_sandbox/apis").data["apis"]
    assert (listed["mount"], listed["openapi"]) == ("/", "/openapi.json")


def test_the_control_api_wins_over_an_api_at_the_root(things):
    """Only where the API has a `/metrics` of its own, that path is not the control API's."""
    first, *others = things.contract.operations
    for path, owner in (("/_sandbox/health", "_sandbox"), ("/metrics", "things"), ("/boxes", "_sandbox")):
        contract = replace(things.contract, operations=(replace(first, path=path), *others), mount="")
        service = Service([replace(things, contract=contract)], Options(), NOW)
        asked = "/metrics" if path == "/boxes" else path
        assert service.find(asked, Headers(), NOW).api.name == owner


def test_several_apis_without_a_path_are_served_at_their_names(things):
    """Each of them has its name for a path, also after its contract was read again."""
    named = [mounted(things, "a", ""), mounted(things, "b", ""), mounted(things, "c", "/v1")]
    service = Service(named, Options(), NOW)
    assert {name: api.mount for name, api in service.apis.items()} == {"a": "/a", "b": "/b", "c": "/v1"}
    assert service.at_their_names == {"a", "b"}
    service.adopt(named[0])
    service.adopt(mounted(things, "c", ""))
    assert {name: api.mount for name, api in service.apis.items()} == {"a": "/a", "b": "/b", "c": ""}


def test_links_lead_back_into_the_sandbox(things):
    """A link in an answer stays in the sandbox that the path named; one picked by header needs none."""
    service = Service([things], Options(), NOW)
    sent = Headers([("Content-Type", "application/json"), ("Sandbox", "here")])
    by_header = service.handle("POST", "/things/boxes/jobs", sent, b'[{"id":"a"}]', NOW).headers.get("Location")
    by_path = service.handle("POST", "/@here/things/boxes/jobs", sent, b'[{"id":"b"}]', NOW).headers.get("Location")
    assert by_header.startswith("/things/boxes/jobs/")
    assert by_path.startswith("/@here/things/boxes/jobs/")
    assert get(service, by_path).status == 200


def test_links_to_other_pages_lead_into_the_same_sandbox():
    """A client that follows the URL of the next page stays where its first request was."""
    (source,) = find_sources([str(THINGS.with_name("pages.yaml"))])
    service = Service([source.load()], Options(), NOW)
    sent = Headers((("Content-Type", "application/json"), ("Host", "here")))
    for name in "abc":
        service.handle("POST", "/@one/pets", sent, b'{"id":"%s"}' % name.encode(), NOW)
    first = service.handle("GET", "/@one/pets?limit=2", sent, b"", NOW)
    assert first.data["next"] == "http://here/@one/pets?limit=2&page=2"
    assert first.headers.get("Link").startswith(f"<{first.data['next']}>")
    following = service.handle("GET", first.data["next"].removeprefix("http://here"), sent, b"", NOW)
    assert [one["id"] for one in following.data["data"]] == ["c"]


def test_nothing_of_the_control_api_under_a_prefix(things):
    """The control API names its sandbox in its own paths, so a prefix before it is a mistake."""
    assert get(Service([things], Options(), NOW), "/@a/_sandbox/health").status == 404


def test_a_fault_of_our_own_is_told_and_logged(things, caplog):
    """Should a behaviour fail, the client gets a problem document, the log the traceback."""

    def broken(context):
        raise RuntimeError(context)

    service = Service([replace(things, behaviours={"getBox": broken})], Options(), NOW)
    reply = get(service, "/things/boxes/a")
    assert (reply.status, reply.data["title"]) == (500, "Internal Server Error")
    assert "RuntimeError" in caplog.text
    assert "RuntimeError" not in reply.body.decode()


def test_a_changed_contract_keeps_what_is_stored(things):
    """Adopting an API anew leaves its records, and finds them by what is unique in the new contract."""
    service = Service([things], Options(), NOW)
    json = Headers([("Content-Type", "application/json")])
    for name in ("a", "b"):
        body = b'{"id":"%s","name":"N%s"}' % (name.encode(), name.encode())
        assert service.handle("PUT", f"/things/boxes/{name}", json, body, NOW).status == 201
    boxes = things.contract.resources["boxes"]
    contract = replace(things.contract, resources={"boxes": replace(boxes, unique=(("name",),))})
    service.adopt(replace(things, contract=contract))
    assert get(service, "/things/boxes/a").data == {"id": "a", "name": "Na"}
    taken = service.handle("PUT", "/things/boxes/c", json, b'{"id":"c","name":"Na"}', NOW)
    assert taken.status == 400
    assert service.handle("PUT", "/things/boxes/c", json, b'{"id":"c","name":"Nc"}', NOW).status == 201


def test_sources():
    """A name is a bundled API, a path is a file, and anything else is refused with the closest name."""
    assert [source.load().name for source in find_sources(BUNDLED)] == ["genero", "onkey"]
    with pytest.raises(MisuseError, match="Did you mean 'genero'"):
        find_sources(["gnero"])
    with pytest.raises(MisuseError, match="there is no such file"):
        find_sources(["nowhere.yaml"])[0].load()


def test_a_source_names_the_files_it_was_read_from(things):
    """Watching a contract means watching every file that it refers to."""
    (source,) = find_sources([str(THINGS)])
    assert {path.name for path in source.files(things.contract)} == {"things.yaml", "box.json"}
    (bundled,) = find_sources(["genero"])
    assert all(path.is_file() for path in bundled.files(bundled.load().contract))


def test_bundled_names_are_the_project_files():
    """The two ways to the bundled APIs, by name and by entry point, lead to the same functions."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["bulkproof.apis"] == BUNDLED


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("genero", "curl -sS -X POST http://h:1/genero/api/v1/block/postJob "),
        (
            "onkey",
            "curl -sS -X POST 'http://h:1/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?",
        ),
    ],
)
def test_the_first_call_to_a_bundled_api_creates_records(name, begins):
    """A new user's first command adds something, in a batch; it takes away nothing that is there."""
    api = find_sources([name])[0].load()
    line = curl_line(api, Service([api], Options(), NOW).sandboxes.template, "http://h:1", NOW)
    assert line.startswith(begins), line


def test_the_curl_line_is_a_call_that_works(things):
    """The shown command is made of an example that a fresh sandbox takes."""
    service = Service([things], Options(), NOW)
    line = curl_line(things, service.sandboxes.template, "http://h:1", NOW)
    assert line.startswith("curl -sS -X POST http://h:1/things/boxes ")
    assert """-d '[{"id":"a","name":"A"},{"id":"b","name":"B"}]'""" in line
    without = replace(things, contract=replace(things.contract, operations=things.contract.operations[1:]))
    assert curl_line(without, service.sandboxes.template, "http://h:1", NOW) is None

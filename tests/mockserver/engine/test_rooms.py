"""What is declared of rooms is served: the names of a map as targets, addresses, and refusals that are declared."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml

from contracts.messages import Headers, Request
from generators.requests.envelope import unsupported_reason
from mockserver.apis.sources import find_sources
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOMS = yaml.safe_load((Path(__file__).parents[1] / "data" / "rooms.yaml").read_text())
JSON, LINES = "application/json", "application/x-ndjson"
ROOM = {"name": "One", "beds": 1}


class Hotel:
    """A sandbox that serves the rooms, as changed by what a test says of them."""

    def __init__(self, tmp_path, change=len):
        raw = yaml.safe_load(yaml.safe_dump(ROOMS))
        change(raw)
        file = tmp_path / "rooms.yaml"
        file.write_text(yaml.safe_dump(raw))
        self.api = find_sources((str(file),))[0].load()
        self.sandbox = Sandbox("s", SandboxTemplate(apis={self.api.name: self.api}), NOW)

    def ask(self, method, path, data=None, kind=JSON):
        body = data if isinstance(data, bytes) else b"" if data is None else orjson.dumps(data)
        headers = Headers((("Content-Type", kind),)) if data is not None else Headers()
        return handle(self.sandbox, self.api, Request(method=method, path=path, headers=headers, body=body), NOW)


SPELLINGS = {
    "target": {"target": ["/~name"], "key": {"by": "target"}},
    "target and key": {"target": ["/~name"], "key": {"by": "target", "at": "/~name"}},
    "key": {"key": {"by": "target", "at": ""}},
    "of the client": {"target": ["/~name"], "key": {"by": "client", "at": "/~name"}},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_names_of_a_map_are_the_keys_of_its_records(tmp_path, spelling):
    """However that is said, each item is for the record whose key is its name, and its payload is the item alone."""
    said = dict(SPELLINGS[spelling])

    def change(raw):
        bulk = raw["paths"]["/rooms"]["patch"]["x-bulk"]
        del bulk["effect"]["target"]
        bulk["key"] = said.pop("key")
        bulk["effect"] |= said

    hotel = Hotel(tmp_path, change)
    key = hotel.ask("POST", "/rooms", ROOM).data["id"]
    done = hotel.ask("PATCH", "/rooms", {str(key): {"name": "New", "beds": 2}, "77": ROOM})
    assert {name: one["ok"] for name, one in done.data.items()} == {str(key): True, "77": False}
    assert hotel.ask("GET", f"/rooms/{key}").data["name"] == "New"
    reason = unsupported_reason(hotel.api.contract.operation("changeRooms"))
    if spelling == "of the client":
        assert reason == "items whose effect.target is /~name in x-bulk are not composed"
    else:
        assert reason is None


def test_an_empty_map_is_no_list(tmp_path):
    refused = Hotel(tmp_path).ask("PATCH", "/rooms", {})
    assert refused.status == 400
    assert "list" not in refused.data["detail"]


def test_a_call_without_lines_is_a_list_of_no_items(tmp_path):
    """It is refused as declared of those; where nothing is, its body is missing."""
    assert Hotel(tmp_path).ask("POST", "/import", b"", LINES).status == 400
    undeclared = Hotel(tmp_path, lambda raw: raw["paths"]["/import"]["post"]["x-bulk"].pop("guard"))
    assert undeclared.ask("POST", "/import", b"", LINES).data["detail"] == "The body is missing."


@pytest.mark.parametrize(("declared", "status"), [((), 404), (("422",), 422), (("400", "404"), 400)])
def test_a_path_parameter_of_another_kind_is_refused_as_declared(tmp_path, declared, status):
    """Where no status of what does not fit is declared, no record has such a key."""
    answers = {one: {"description": "refused"} for one in declared}
    hotel = Hotel(tmp_path, lambda raw: raw["paths"]["/rooms/{id}"]["get"]["responses"].update(answers))
    refused = hotel.ask("GET", "/rooms/first")
    assert (refused.status, hotel.ask("GET", "/rooms/77").status) == (status, 404)


@pytest.mark.parametrize("required", [True, False])
def test_a_new_record_is_where_its_header_fields_say(tmp_path, required):
    """Its address is that of the operation which reads it, in the answer to an item too; its key is the key."""
    fields = {
        "Location": {"required": required, "schema": {"type": "string"}, "x-tells": "address"},
        "X-Room": {"required": required, "schema": {"type": "integer"}, "x-tells": "key"},
    }

    def change(raw):
        raw["paths"]["/rooms"]["post"]["responses"]["201"]["headers"] = fields
        raw["paths"]["/batch"]["post"]["x-bulk"]["reply"]["outcomes"]["http"]["headers"] = "/headers"

    hotel = Hotel(tmp_path, change)
    made = hotel.ask("POST", "/rooms", ROOM)
    item = {"id": "a", "method": "POST", "url": "/rooms", "body": ROOM}
    entry = hotel.ask("POST", "/batch", {"requests": [item]}).data["replies"][0]
    for key, told in ((made.data["id"], dict(made.headers)), (entry["body"]["id"], entry["headers"])):
        assert (told["Location"], told["X-Room"]) == (f"/hotel/rooms/{key}", str(key))

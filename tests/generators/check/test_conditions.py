"""Writes under false conditions, or of what others refer to: who does what was asked all the same is found."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from in_process import InProcess

from contracts.messages import ABSENT, Request
from generators.check.run import FindingFound, run_checks
from generators.client.session import Budget
from mockserver.apis.sources import find_sources

FILE = Path(__file__).parents[2] / "cases" / "contract_only" / "pages.yaml"
NOTES = Path(__file__).parent / "data" / "notes.yaml"
BATCH = """
  /batch:
    post:
      operationId: batch
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [requests]}}}}
      responses: {"200": {description: done, content: {application/json: {schema: {type: object}}}}}
      x-bulk: {preset: odata-json-batch, unit: {of: item, group: null, rolledBack: null, markedAs: null}}
x-resources:"""
PLACE = "{name: number, in: path, required: true, schema: {type: string}}"
FIELDS = ", ".join(f"{{name: {name}, in: header, schema: {{type: string}}}}" for name in ("If-Match", "If-None-Match"))


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """Return an API whose single calls declare both conditions, and make records."""
    file = tmp_path_factory.mktemp("pages") / "pages.yaml"
    text = FILE.read_text().replace(f"[{PLACE}]", f"[{PLACE}, {FIELDS}]", 1)
    file.write_text(text.replace("key: number, assigned: true", "key: number"))
    return find_sources((str(file),))[0].load()


class Blind(InProcess):
    """A sandbox that does not see a header field, of any record or of those that are not there."""

    def __init__(self, api, field="", *, absent_only=False):
        super().__init__(api)
        self.field, self.absent_only = field, absent_only

    def send(self, call):
        is_there = self.absent_only and super().send(Request(method="GET", path=call.path)).status == 200
        if self.field and not is_there:
            call = replace(call, headers=call.headers.without(self.field))
        return super().send(call)


def shapes(server):
    events = run_checks(server.api.contract, server, budget=Budget(seconds=1000), only=("writes",))
    return {event.finding.shape for event in events if isinstance(event, FindingFound)}


def test_a_referred_record_that_is_deleted_is_found():
    """A single deletion is refused for what refers to its record."""
    shop = find_sources((str(FILE.with_name("shop.yaml")),))[0].load()

    class Loose(InProcess):
        """A sandbox that tells of every deletion as done."""

        def send(self, call):
            if call.method == "DELETE":
                return replace(super().send(call), status=204, body=b"", data=ABSENT)
            return super().send(call)

    assert "single delete of a record that others refer to is done" in shapes(Loose(shop))


def test_a_change_that_marks_no_record_as_deleted_is_found(tmp_path):
    """A single update that sets the tombstone deletes, too."""
    place = "    delete: {operationId: deleteCustomer"
    body = "{required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Customer'}}}}"
    change = f"    patch: {{operationId: changeCustomer, requestBody: {body}, responses: *changed}}"
    text = FILE.with_name("shop.yaml").read_text().replace(place, f"{change}\n{place}", 1)
    text = text.replace(
        'responses: {"200": {description: changed', 'responses: &changed {"200": {description: changed', 1
    )
    (tmp_path / "shop.yaml").write_text(text)
    shop = find_sources((str(tmp_path / "shop.yaml"),))[0].load()

    class Deaf(InProcess):
        """A sandbox that leaves the mark out of changes."""

        def send(self, call):
            body = call.body.replace(b'"gone":true', b'"gone":false') if call.method == "PATCH" else call.body
            return super().send(replace(call, body=body))

    assert "record is there that must not be" in shapes(Deaf(shop))
    assert shapes(InProcess(shop)) == set()


def test_a_right_server_gives_no_finding(api):
    """False conditions are refused, with any status."""
    assert shapes(Blind(api)) == set()


@pytest.mark.parametrize(
    ("field", "absent_only", "shape"),
    [
        ("If-Match", False, "false If-Match of a record that is there is taken"),
        ("If-Match", True, "false If-Match of no record is taken"),
        ("If-None-Match", False, "false If-None-Match of a record that is there is taken"),
    ],
)
def test_a_condition_that_is_not_looked_at_is_found(api, field, absent_only, shape):
    """A record that is there has another version, or is there at all; one that is not has none."""
    assert shape in shapes(Blind(api, field, absent_only=absent_only))


def test_a_condition_of_an_item_that_is_not_looked_at_is_found(tmp_path):
    """An item that is a request has header fields of its own, with which it is as a single call is."""
    (tmp_path / "notes.yaml").write_text(NOTES.read_text().replace("\nx-resources:", BATCH))
    notes = find_sources((str(tmp_path / "notes.yaml"),))[0].load()

    class Hurried(InProcess):
        """A sandbox that does not see the header fields of items."""

        def send(self, call):
            if call.path.endswith("/batch"):
                items = [{**one, "headers": {}} for one in orjson.loads(call.body)["requests"]]
                call = replace(call, body=orjson.dumps({"requests": items}))
            return super().send(call)

    found = {"update under a false If-Match is done", "delete under a false If-Match is done"}
    assert shapes(Hurried(notes)) == found
    assert shapes(InProcess(notes)) == set()

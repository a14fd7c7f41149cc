"""Calls that are made of an operation: their paths, whatever the template, and the preconditions that they carry."""

from pathlib import Path

import pytest

from contracts.exchange.job_traces import handle_id, last_variable
from contracts.openapi.loading import load
from contracts.openapi.routing import Router
from generators.requests.calls import draft
from generators.requests.single import RecordSite, write_request

TOY = load(Path(__file__).parents[2] / "cases" / "contract_only" / "pages.yaml")


def test_paths_are_made_of_variables_inside_segments():
    """A variable that is a part of a segment is filled in, and found again in a job's handle."""
    cancel = TOY.operation("stopImport")
    assert draft(cancel, {"name": "a b"}).request().path == "/imports/a%20b:stop"
    assert last_variable(cancel) == "name"
    assert handle_id(TOY, Router(TOY), "http://host/pages-api/imports/a%20b.json") == "a b"


@pytest.mark.parametrize(("name", "said"), [("putCarefully", '"3"'), ("changePlainly", "3")])
def test_a_version_in_if_match_is_an_entity_tag(name, said):
    """A call says the version that it has seen as an entity tag, or as it is where the contract has no quotes."""
    operation = TOY.operation(name)
    action = operation.record.action.constant
    place = RecordSite(resource=TOY.resources["pages"], operations={action: operation}, values={})
    assert write_request(place, action, {}, key=7, version=3).request().headers.get("If-Match") == said

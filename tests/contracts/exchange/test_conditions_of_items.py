"""An item that is a request names the version that it has seen as a single call does: in its own header fields."""

from pathlib import Path

import orjson

from contracts.exchange.bulk_request import read_bulk_request
from contracts.exchange.locations import parse_request
from contracts.messages import Headers, Request
from contracts.openapi.loading import load

FILE = Path(__file__).parents[2] / "cases" / "presets" / "odata-json-batch.yaml"


def test_the_version_is_that_of_the_field():
    """Judges expect what a single call under it does."""
    contract = load(FILE)
    item = {"id": "1", "method": "GET", "url": "/Products/1", "headers": {"If-Match": '"7"'}}
    body = orjson.dumps({"requests": [item]})
    headers = Headers((("Content-Type", "application/json"),))
    sent = parse_request(
        contract.operation("batch"), Request(method="POST", path="/$batch", headers=headers, body=body), {}
    )
    assert [one.version for one in read_bulk_request(contract, sent).items] == ['"7"']

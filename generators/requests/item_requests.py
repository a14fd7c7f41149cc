"""Write items that are HTTP requests: each is the single-record request that does the same.

Begin with `item_request`. Source: `x-bulk.effect.http`, as in SCIM (RFC 7644, 3.7) and OData (4.01, 11.7).
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from contracts.bulk.model import Bulk, Location
from contracts.exchange.locations import choose
from contracts.messages import ABSENT
from contracts.openapi.model import Contract
from generators.errors import NotApplicableError
from generators.requests.items import ItemContent
from generators.requests.options import Option
from generators.requests.single import RecordSite, record_operations, write_request

WRITING_ACTIONS = ("create", "replace", "update", "upsert", "delete")


def item_actions(contract: Contract, bulk: Bulk, resource: str) -> list[Option]:
    """Return what items that are HTTP requests can do to a resource: what the contract has an operation for."""
    found = contract.resources.get(resource)
    acts = record_operations(contract, found) if found is not None else {}
    words = bulk.effect.action
    known = {
        name
        for name, one in acts.items()
        if not words.words or choose(words, one.method) is not None or choose(words, one.method.lower()) is not None
    }
    return [Option(None, name) for name in WRITING_ACTIONS if name in known]


def item_resources(contract: Contract, bulk: Bulk) -> list[str]:
    """Return the resources whose records items that are HTTP requests can write."""
    return [name for name in contract.resources if item_actions(contract, bulk, name)]


def item_request(
    contract: Contract, bulk: Bulk, resource: str, values: Mapping[str, str], content: ItemContent
) -> Mapping[Location, object]:
    """Return the members of an item that is an HTTP request, by location. Raises NotApplicableError for no such one."""
    places, found = bulk.effect.http, contract.resources[resource]
    if content.action not in {one.meaning for one in item_actions(contract, bulk, resource)}:
        raise NotApplicableError(f"no request in an item can {content.action} one {resource}")
    site = RecordSite(resource=found, values=values, operations=record_operations(contract, found))
    made = write_request(site, content.action, content.values, key=content.target)
    body, request = made.data, made.request()
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {name: value for name, value in request.headers if name.lower() != "content-type"}
    if headers and "headers" not in places:
        raise NotApplicableError(f"an item has no header fields, as {made.operation.id} needs")
    parts = {
        "method": _method(bulk, request.method),
        "url": f"{request.path}{query}",
        "headers": headers or ABSENT,
        "body": body,
    }
    if body is not ABSENT and "body" not in places:
        raise NotApplicableError(f"an item has no body, as {made.operation.id} needs")
    return {places[name]: value for name, value in parts.items() if name in places and value is not ABSENT}


def _method(bulk: Bulk, method: str) -> str:
    """Return a method as the declaration writes it: its word, in capitals unless that is another."""
    return method if not bulk.effect.action.words or method in bulk.effect.action.words else method.lower()

"""Build single-record requests: create, read, list, update and delete one record at one site of an API.

Begin with `RecordSite` and `record_request`. An item of a bulk request may be such a request too (`item_request`):
`x-bulk.effect.http`, as in SCIM (RFC 7644, 3.7) and OData (4.01, 11.7).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from contracts.bulk.lists import ListRules, Pagination
from contracts.bulk.model import Bulk, Location, Resource
from contracts.exchange import preconditions
from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.locations import choose, is_outside, put
from contracts.exchange.outcomes import RepresentationReader, representation_reader
from contracts.exchange.preconditions import CONDITIONS
from contracts.messages import ABSENT
from contracts.openapi.model import Contract, Operation
from contracts.openapi.parameters import read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import text_of
from generators.errors import NotApplicableError
from generators.requests.calls import RequestDraft, body_schema, draft
from generators.requests.items import ItemContent, change_members, encode_members
from generators.requests.options import Option, option_for

Members: TypeAlias = dict[str, Any]
NOTHING_ASKED: Final[Mapping[Location, object]] = {}
MAX_PAGE_SIZE: Final = 1000  # records requested at a time, where more are allowed
WRITING_ACTIONS: Final = ("create", "replace", "update", "upsert", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSite:
    """A resource at one place of an API.

    `values` maps parameter names to values; `operations` maps actions to single-record operations. `reader` reads
    records from response bodies.
    """

    resource: Resource
    values: Mapping[str, str]
    operations: Mapping[str, Operation]
    reader: RepresentationReader = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make what is asked for with every record."""
        object.__setattr__(self, "reader", representation_reader(self.resource, self.operations.values()))
        object.__setattr__(self, "_hash", hash((self.resource.name, tuple(sorted(self.values.items())))))

    @property
    def page(self) -> Pagination:
        """The paging parameters of the list operation."""
        record = self.operations["list"].record if "list" in self.operations else None
        return record.page if record is not None else Pagination()

    @property
    def rules(self) -> ListRules:
        """What the list operation is declared to show."""
        record = self.operations["list"].record if "list" in self.operations else None
        return record.rules if record is not None else ListRules()

    @property
    def changing_action(self) -> str | None:
        """The action that changes a part of a record, else one that writes all of it; None without any."""
        return next((one for one in ("update", "upsert", "replace") if one in self.operations), None)

    def at_target(self, overs: Collection[str], target: str) -> "RecordSite | None":
        """Return the site of one fan-out target's records, None when no operation has a parameter for targets.

        `overs` are the locations at which fan-outs list their targets.
        """
        operations = self.operations.values()
        named = {
            name: value
            for act in operations
            for over in overs
            for name, value in target_parameters(act, over, target).items()
        }
        return replace(self, values={**self.values, **named}) if named else None

    def __hash__(self) -> int:
        return self._hash


def record_operations(contract: Contract, resource: Resource) -> dict[str, Operation]:
    """Return the operations on single records of a resource, the first of each action."""
    found: dict[str, Operation] = {}
    for one in contract.operations:
        if one.record is not None and option_for(one, one.record.resource, resource.name) is not None:
            found.setdefault(one.record.action.constant, one)
    lister, reads = found.get("list"), found.get("read")
    if lister is not None and lister.record is not None and lister.record.inferred and _selects(lister, reads):
        del found["list"]
    return found


def _selects(lister: Operation, reads: Operation | None) -> bool:
    """Say whether a list must be asked for with values that reads do not have: it may show some records alone."""
    needed = {one.name for one in lister.parameters if one.where == "query" and one.required}
    other = {one.name for one in reads.parameters if one.where == "query"} if reads is not None else set()
    return not needed <= other


def record_request(site: RecordSite, action: str, *, key: object = None) -> RequestDraft:
    """Return a single-record request for an action. Raises NotApplicableError when the contract has none."""
    operation = site.operations.get(action)
    if operation is None or operation.record is None:
        raise NotApplicableError(f"the contract has no call to {action} one {site.resource.name}")
    made = draft(operation, site.values)
    if key is not None and operation.record.key is not None:
        made.put(operation.record.key, key)
    return made


def write_request(
    site: RecordSite, action: str, members: Mapping[str, Any], *, key: object = None, version: object = None
) -> RequestDraft:
    """Return the single-record request that creates, updates or deletes one record."""
    made = record_request(site, action, key=key)
    operation, record = made.operation, made.operation.record
    if record is None:
        return made
    if operation.body is None:
        return _with_version(made, record.version, version) if is_outside(record.version or "") else made
    schema = body_schema(operation)
    inner = schema.at(record.payload) if schema is not None else None
    own = without_key(inner, site.resource, members)
    content = {} if action == "delete" else encode_members(own, change_members(inner))
    made.data = put({}, record.payload, content)
    return _with_version(made, record.version, version)


def without_key(schema: Schema | None, resource: Resource | None, members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return members without a key that their schema excludes: it stands beside them."""
    is_beside = schema is not None and resource is not None and _is_closed_to(schema, resource.key)
    return {name: one for name, one in members.items() if not (is_beside and resource and name == resource.key)}


def _is_closed_to(schema: Schema, name: str) -> bool:
    """Say whether an object has no member of a name, nor others than those that it declares."""
    return schema.raw.get("additionalProperties") is False and name not in schema.members()


def _with_version(made: RequestDraft, at: Location | None, version: object) -> RequestDraft:
    """Return the request with the expected version, as an entity tag in If-Match (RFC 9110, section 13.1.1)."""
    if at is None or version is None:
        return made
    where, _, name = at.partition(":")
    is_condition = where == "header" and name.lower() in {one.lower() for one in CONDITIONS}
    made.put(at, preconditions.precondition_value(made.operation, name, version) if is_condition else version)
    return made


def list_request(
    site: RecordSite, *, skip: int = 0, take: int | None = None, asked: Mapping[Location, object] = NOTHING_ASKED
) -> RequestDraft:
    """Return a request for a part of the list of all records, as far as the contract has paging parameters.

    `asked` are values of further parameters by location.
    """
    made = record_request(site, "list")
    for at, number in ((site.page.take, take), (site.page.skip, skip)):
        if at is not None and number:
            made.put(at, number)
    for at, value in asked.items():
        made.put(at, value)
    return made


def takes(site: RecordSite, asked: Mapping[Location, object]) -> bool:
    """Return whether the parameters of a list have schemas that allow these values."""
    parameters = site.operations["list"].parameters if "list" in site.operations else ()
    schemas = {f"{one.where}:{one.name}": one.schema for one in parameters}
    sent = [(schemas.get(at), text_of(value)) for at, value in asked.items()]
    return all(schema is None or schema.is_valid(read_text(text, schema)) for schema, text in sent)


def page_size(page: Pagination) -> int | None:
    """Return how many records to request from a list: the declared maximum up to 1000, None without one."""
    return None if page.take is None or page.max is None else min(page.max, MAX_PAGE_SIZE)


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

"""The default hooks, `DEFAULT_HOOKS`: they serve a plain OpenAPI document."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from contracts.bulk.model import Resource
from contracts.bulk.normalisation import normaliser
from contracts.exchange.locations import is_outside, put_at
from contracts.messages import Headers, Response
from contracts.openapi.inference import KeyType, key_type
from contracts.openapi.model import ClientIdentity, Operation
from contracts.openapi.security import challenge, client_of, is_authorised
from contracts.schemas.schema_set import Schema
from generators.data.completion import fitted, time_text
from generators.errors import UnsatisfiableError
from generators.requests.calls import lookup_members
from mockserver.api.model import Api, Entries, Hooks, ItemRun, Members, Prepare, Refusal, RequestContext, problem
from mockserver.bulk.outcome_entries import declared_entry
from mockserver.bulk.outcome_rendering import status_of
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.jobs import Job
from mockserver.domain.values import FanOutTarget, ItemFault, Resolution
from mockserver.engine.document_responses import answer_header, success_status, with_declared_headers
from mockserver.engine.error_responses import error_response
from mockserver.engine.stages import finish_response, respond, validate_request
from mockserver.journal.stored_messages import fingerprint
from mockserver.stores.interface import Collection, Key, Record, View

SCOPE = "default"


def admit(context: RequestContext) -> Refusal | None:
    """Accept everybody as one client; with `--auth strict` a request must carry the declared security's credentials.

    Where the document names test clients, strict means the credentials of one of them, and those that are `refused` are
    refused in either mode.
    """
    credentials = context.request.headers.get("Authorization")
    context.client = fingerprint(credentials) if credentials else "anonymous"
    operation, contract = context.operation, context.api.contract
    if operation is None or not operation.security:
        return None
    known = client_of(contract, operation, context.request)
    asked = challenge(contract, operation)
    headers = Headers((("WWW-Authenticate", asked),) if asked else ())
    if known is not None and known.refused is not None:
        detail = "These credentials are refused."
        return Refusal(status=known.refused, kind="unauthenticated", detail=detail, headers=headers)
    context.client = known.name if known is not None else context.client
    if context.api_state.settings["auth"] != "strict":
        return None
    names = [one.name for one in contract.clients if one.auth and one.refused is None]
    is_sent = is_authorised(contract, operation, context.request)
    if known is not None or (is_sent and not any(one.auth for one in contract.clients)):
        return None
    detail = f"The operation asks for credentials that were not sent: {asked}."
    if is_sent:
        detail = f"The credentials that were sent are those of no test client. The test clients: {', '.join(names)}."
    return Refusal(status=401, kind="unauthenticated", detail=detail, headers=headers)


def scope(context: RequestContext) -> str | Refusal:
    """Use a data set for each tenant of the test clients and each value of the declared scopes, else one for all."""
    contract, client = context.api.contract, _test_client(context)
    given = {**context.query, **context.variables}
    names = [client.tenant] if client is not None and client.tenant else []
    for name in contract.scopes:
        if name in given:
            value = str(given[name])
            if client is not None and value not in client.scopes.get(name, (value,)):
                return Refusal(status=404, kind="not-found", detail=f"There is no {name} {value}.")
            names.append(value)
    return "/".join(names) or SCOPE


def stock(run: ItemRun, view: View) -> None:
    """Begin without records."""
    del run, view


def canon(context: RequestContext, data: object) -> object:
    """Leave names as they are."""
    del context
    return data


def refuse(context: RequestContext, refusal: Refusal) -> Response:
    """Respond with a problem document (RFC 9457), for a plain document with the error body that it declares."""
    return error_response(context, refusal) if context.api.plain else problem(refusal)


def max_items(context: RequestContext) -> int | None:
    """Use the contract's limit."""
    del context
    return None


def target(context: RequestContext, name: object) -> FanOutTarget:
    """Use every target as a data set of that name, that of the test client's tenant; some clients have a few alone."""
    client = _test_client(context)
    known = [one for values in client.scopes.values() for one in values] if client is not None else []
    names = [client.tenant] if client is not None and client.tenant else []
    problems = (unknown_target(str(name)),) if known and str(name) not in known else ()
    return FanOutTarget("/".join((*names, str(name))), problems)


def _test_client(context: RequestContext) -> ClientIdentity | None:
    return next((one for one in context.api.contract.clients if one.name == context.client), None)


def unknown_target(name: str) -> str:
    """Return the text that a target does not exist."""
    return f"There is no {name}."


def conduct(context: RequestContext, items: int) -> Refusal | None:
    """Accept every request."""
    del context, items
    return None


def sees(context: RequestContext, job: Job) -> bool:
    """Show the jobs of the request's own data set; where its path names none, all that its client may use."""
    contract, client = context.api.contract, _test_client(context)
    if job.scope == context.scope or any(one.name in contract.scopes for one in context.routed.parameters):
        return job.scope == context.scope
    own, values = [] if context.scope == SCOPE else context.scope.split("/"), job.scope.split("/")
    limits = {} if client is None else client.scopes
    barred = {one for name, known in limits.items() for one in contract.scopes[name] if one not in known}
    barred |= {one.tenant for one in contract.clients if one.tenant} - {*own}
    return values[: len(own)] == own and barred.isdisjoint(values)


def precedence(job: Job) -> int:
    """Run jobs in the order of their arrival."""
    del job
    return 0


def changes(resource: Resource, payloads: Sequence[object]) -> Sequence[Members]:
    """Return the payloads; a list of `{path, value}` operations sets each path's last token to its value."""
    del resource
    if set(map(type, payloads)) == {dict}:
        return payloads  # type: ignore[return-value] # each of them is an object
    return [_changes(one) for one in payloads]


def _changes(payload: object) -> Members:
    if isinstance(payload, dict):
        return payload
    if isinstance(payload, list):
        steps = [one for one in payload if isinstance(one, dict) and "path" in one]
        return {str(one["path"]).rpartition("/")[2]: one.get("value") for one in steps}
    return {}


def prepare(run: ItemRun, resource: Resource) -> Prepare | None:
    """Return what normalises the members of a resource before they are stored, None where they are stored as sent."""
    if not resource.normalize:
        return None
    schema = prepared(run.api).record_rules[resource.name].payloads.schema
    members = {} if schema is None else schema.members()
    normalised = normaliser(
        resource.normalize, lambda name, value: name not in members or members[name].validator.is_valid(value)
    )
    return lambda _, changes: list(map(normalised, changes))


def new_keys(run: ItemRun, resource: Resource) -> Callable[[int], Sequence[Key]]:
    """Name records by the next UUID, by a counter where the schema requires a number, else as the schema wants it."""
    ids, kind, keys = run.api_state.ids, f"{run.scope}/{resource.name}", key_type(run.api.contract, resource)
    if keys.is_number:
        return lambda size: range(first := ids.count(kind, size) + 1, first + size)
    return lambda size: [_id_of(ids, kind, keys.schema) for _ in range(size)]


def _id_of(ids: IdSource, kind: str, schema: Schema | None) -> str:
    """Return the next UUID, or a drawn text where a UUID is not valid."""
    uuid = ids.uuid(kind)
    if schema is None or schema.is_valid(uuid):
        return uuid
    from generators.data.compile import generator_of  # noqa: PLC0415 - few keys have a form of their own

    with suppress(UnsatisfiableError):
        return str(generator_of(schema, edges=0.0).draw(ids.random(f"{kind}/id")))
    return uuid


def resolve(run: ItemRun, view: View, resource: Resource, member: str, value: object) -> Resolution:
    """Return the key of the one record that a lookup fits, or the fault; any other value is the key itself."""
    if not isinstance(value, dict):
        return Resolution(value)  # type: ignore[arg-type] # it is looked at by who asks
    is_target, resources = member == resource.key, run.api.contract.resources
    named = resource if is_target else resources[resource.references[member]]
    wanted = lookup_members(named, value)
    found = [] if wanted is None else list(_LookupSearch(resources, view, run.scope).matching(named, wanted))
    if len(found) == 1:
        return Resolution(found[0].key)
    if found:
        return Resolution(None, ItemFault("ambiguous", (member,), value, {"count": len(found)}))
    if is_target:
        return Resolution(None, ItemFault("not-found", (), value))
    return Resolution(None, ItemFault("reference", (member,), value, {"resource": named.name}))


@dataclass(frozen=True, slots=True)
class _LookupSearch:
    """The records of one scope in a view of the store."""

    resources: Mapping[str, Resource]
    view: View
    scope: str

    def matching(self, resource: Resource, wanted: Mapping[str, object]) -> Iterator[Record]:
        """Yield the records that are there and have every wanted value, types included: `true` is not 1."""
        for one in self._candidates(resource, wanted):
            values = ((self._value(resource, one, name.split("/")), value) for name, value in wanted.items())
            if not one.deleted and all(
                own == value and isinstance(own, bool) == isinstance(value, bool) for own, value in values
            ):
                yield one

    def _candidates(self, resource: Resource, wanted: Mapping[str, object]) -> Iterable[Record]:
        """Return the records to search: by a unique index where the wanted values have one, else all."""
        collection = Collection(self.scope, resource.name)
        index = next((one for one in resource.unique if wanted.keys() >= set(one)), None)
        if index is None:
            return self.view.scan(collection)
        keys = self.view.find(collection, index, tuple(wanted[name] for name in index))
        return [one for one in self.view.get_all(collection, list(keys)) if one is not None]

    def _value(self, resource: Resource, record: Record, path: list[str]) -> object:
        """Return the value at the end of a path of references, None where one of them is not set."""
        name, *rest = path
        value = record.key if name == resource.key else record.body.get(name)
        if not rest:
            return value
        named = self.resources[resource.references[name]]
        found = self.view.get(Collection(self.scope, named.name), value) if isinstance(value, str | int) else None
        return None if found is None else self._value(named, found, rest)


def job_id(context: RequestContext, items: int) -> str:
    """Name a job by the next UUID, by a counter where its handle is a number, else as the handle's schema wants it."""
    del items
    ids, operation = context.api_state.ids, context.operation
    if operation is None:
        return ids.uuid("job")
    known = prepared(context.api).job_ids
    if operation.id not in known:
        known[operation.id] = _job_id_schema(context.api, operation)
    told = known[operation.id]
    if told is None:
        return ids.uuid("job")
    kind, schema = told
    return str(ids.count("job") + 1) if kind.is_number else _id_of(ids, "job", schema)


def _job_id_schema(api: Api, operation: Operation) -> tuple[KeyType, Schema | None] | None:
    """Return the type of a job's handle, and the schema of its id; None where no body tells it."""
    opened = prepared(api).opens.get(operation.id, ())
    bulk = opened[0].bulk if opened else operation.bulk
    if bulk is None or bulk.job is None:
        return None
    at, status = bulk.job.handle, success_status(operation) if opened else status_of(bulk.reply.status, "accepted")
    response = operation.response(status)
    if is_outside(at):
        poll, at = api.contract.operation(bulk.job.poll), bulk.job.id_at or ""
        response = None if poll is None or not at else poll.response(success_status(poll))
    media = None if response is None else response.media("application/json")
    schema = None if media is None or media.schema is None else media.schema.at(at)
    return KeyType(schema), None if bulk.job.handle_as is not None else schema


def render(run: ItemRun, resource: Resource, record: Record) -> object:
    """Return the stored members, with the key, and what else the resource declares of a record that is shown.

    Members that the response's schema requires beside them are filled in, the same whenever the record is shown.
    """
    shown: dict[str, object] = {resource.key: record.key}
    if resource.payload:
        put_at(shown, resource.payload, {name: one for name, one in record.body.items() if name != resource.key})
    else:
        shown |= record.body
        shown[resource.key] = record.key
    if resource.version is not None:
        shown[resource.version] = record.version
    for at, time in ((resource.created, record.created), (resource.modified, record.modified)):
        if at is not None:
            put_at(shown, at, time_text(time))
    for at, value in resource.set_members.items():
        put_at(shown, at, value)
    schema = prepared(run.api).representations.get(resource.name)
    if schema is None:
        return shown
    return fitted(schema, shown, f"{run.api_state.ids.seed}/{resource.name}/{record.key}", record.created)


def entries(run: ItemRun) -> Entries:
    """Render outcomes as the operation declares it: see `mockserver.bulk.outcome_entries`."""
    return lambda outcomes: [(declared_entry(run, one),) for one in outcomes]


def dispatch(context: RequestContext) -> Response:
    """Serve a request that is an item of another one."""
    return finish_response(context, respond(context, validate_request(context)))


def finish(context: RequestContext, response: Response) -> Response:
    """Return the response; that of a plain document says where it comes from, such as `stored`.

    It has the header fields that the document requires.
    """
    if not context.api.plain:
        return response
    context.answer_origin = context.answer_origin or "stored"
    response = with_declared_headers(context, response, required=True)
    headers = _with_field(response.headers, answer_header(context))
    return Response(status=response.status, headers=headers, body=response.body, data=response.data)


@lru_cache(maxsize=100)
def _with_field(headers: Headers, pair: tuple[str, str]) -> Headers:
    return headers.with_(pair)


DEFAULT_HOOKS: Final = Hooks(
    authenticate=admit,
    scope=scope,
    populate=stock,
    canonicalise=canon,
    refuse=refuse,
    max_items=max_items,
    target=target,
    unknown_target=unknown_target,
    perform=None,
    check_conduct=conduct,
    may_see_job=sees,
    precedence=precedence,
    changed_members=changes,
    prepare=prepare,
    resolve=resolve,
    new_keys=new_keys,
    job_id=job_id,
    render=render,
    entries=entries,
    dispatch=dispatch,
    finish=finish,
)

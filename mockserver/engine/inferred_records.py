"""Serve single records of resources that are only inferred from paths and methods: `serve_inferred`.

Nothing in a plain document says that its resources are stored, so this obliges: what clients create is real, and what
they name without having created it is imagined, that is, answered from the document with that key. A reply is built
and validated before anything is written; where it cannot fit, the document answers and nothing is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from contracts.bulk.model import RecordAct
from contracts.exchange.locations import put, put_at
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.inference import KeyType, RecordAction
from contracts.openapi.model import Operation, is_json
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import look_up
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.guards import check_if_match, etag_headers, matches_if_none_match, not_modified
from mockserver.bulk.outcome_rendering import message_of
from mockserver.bulk.units import with_item_effects
from mockserver.domain.values import Item, Outcome, merge_patched
from mockserver.engine.document_responses import (
    answer_from_document,
    concrete_media_type,
    document_response,
    success_status,
    with_body,
)
from mockserver.engine.inferred_lists import AskedList, asked_list, list_headers
from mockserver.engine.inferred_resources import (
    InferredResource,
    RecordReply,
    address_headers,
    inferred_resource,
    json_media,
    keeps_state,
    with_place,
)
from mockserver.stores.interface import Collection, Key, Record, key_order

IMAGINED: Final = "imagined"  # the memory of stored records that no client created


def serve_inferred(context: RequestContext) -> Response:
    """Serve an operation of an inferred resource: with state where its reply fits, else by the document."""
    operation = context.routed
    assert operation.record is not None  # noqa: S101 - the engine calls this for such an operation only
    resource = inferred_resource(context.api, operation.record.resource.constant)
    declared = operation.response(success_status(operation))
    content = () if declared is None else declared.content
    if resource is None or (content and not any(is_json(concrete_media_type(one)) for one in content)):
        return answer_from_document(context)
    context.in_json = True
    server = InferredServer(context, operation, operation.record, resource)
    return getattr(server, operation.record.action.constant)() or answer_from_document(context)


def serve_inferred_action(context: RequestContext, action: RecordAction) -> Response:
    """Serve an operation that acts on an inferred record: it shows the record as it is, or what the document says."""
    resource = inferred_resource(context.api, action.act.resource.constant)
    if resource is None:
        return answer_from_document(context)
    status = success_status(context.routed)
    shown = resource.replies[action.reading.id].shown if action.shows else None
    reply = RecordReply(status=status, media=json_media(context.routed.response(status)), shown=shown)
    return InferredServer(context, context.routed, action.act, resource, reply).act_on() or answer_from_document(
        context
    )


class InferredServer:
    """Serves one request for a record of an inferred resource; its methods return None where the document answers."""

    def __init__(
        self,
        context: RequestContext,
        operation: Operation,
        act: RecordAct,
        resource: InferredResource,
        reply: RecordReply | None = None,
    ) -> None:
        self.context, self.operation, self.act, self.resource = context, operation, act, resource
        self.reply = reply or resource.replies[operation.id]
        variable = act.key.removeprefix("path:") if act.key is not None else None
        above = [value for name, value in context.variables.items() if name != variable]
        self.collection = Collection("/".join((context.scope, *above)), resource.name)
        self.store = context.api_state.store
        self.key: Any = resource.kind.typed(context.variables[variable]) if variable is not None else ABSENT

    def list(self) -> Response | None:
        """List the stored records that the request asks for, if any were ever stored."""
        every = list(self.store.scan(self.collection))
        shown = self.reply.shown
        if not every or shown is None:
            return None
        records = sorted((one for one in every if not one.deleted), key=key_order)
        asked = asked_list(
            self.context,
            self.operation,
            shown.record,
            records,
            lambda one: self._fitted(shown.record, one.body, one.key),
        )
        values = [self._fitted(shown.record, one.body, one.key) for one in asked.records]
        fields = list_headers(self.operation, self.reply.status, asked, self.act.page.total)
        return self._response(self.reply, values, "list", fields, asked=asked)

    def read(self) -> Response | None:
        """Return the stored record; 404 for one that was deleted, else the imagined one."""
        record = self.store.get(self.collection, self.key)
        if record is None:
            return self._imagined_response()
        if record.deleted:
            return self._not_found()
        refusal = check_if_match(self.context, self.operation, record)
        if refusal is not None:
            return self.context.refuse(refusal)
        headers = etag_headers(self.operation, self.reply.status, record)
        if headers and matches_if_none_match(self.context, self.operation, record):
            return not_modified(headers)
        return self._record_response(self.reply, record)

    def act_on(self) -> Response | None:
        """Return the record as `read` does; for a deleted one None where no 404 is declared."""
        record = self.store.get(self.collection, self.key)
        is_gone = record is not None and record.deleted
        return None if is_gone and self.operation.response(404) is None else self.read()

    def create(self) -> Response | None:
        """Store a new record under the key that the reply tells: the client's, or a new one.

        A key that is taken is a conflict where the document declares 409; else the new record takes its place.
        """
        payload = self._payload()
        shown = self.reply.shown
        if payload is None or not keeps_state(self.context.api, self.operation):
            return None
        given = payload.get(self.resource.key)
        records = [shown.record] if shown is not None else self.resource.records()
        own = next((one for record in records if (one := record.member(self.resource.key)) is not None), None)
        if self._is_key(given) and not (own is not None and own.raw.get("readOnly")):
            key: Any = given
            existing = self.store.get(self.collection, key)
            if existing is not None and not existing.deleted and self.operation.response(409) is not None:
                return self._conflict(key)
        else:
            key = self._new_key(own)
        return self._write("create", key, payload, None)

    def replace(self) -> Response | None:
        """Replace the stored or imagined record; where 201 is declared, what is not stored is created."""
        payload = self._payload()
        existing = self.store.get(self.collection, self.key)
        is_new = existing is None or existing.deleted
        if payload is None:
            return None
        if existing is not None and existing.deleted and "201" not in self.operation.responses:
            return self._not_found()
        if is_new and "201" in self.operation.responses:
            return self._write("create", self.key, payload, None, status=201)
        return self._write("update", self.key, payload, None if is_new else existing)

    def update(self) -> Response | None:
        """Change the stored or imagined record."""
        payload = self._payload()
        existing = self.store.get(self.collection, self.key)
        if existing is not None and existing.deleted:
            return self._not_found()
        base = existing.body if existing is not None else self._imagined()
        if payload is None or base is None:
            return None
        return self._write("update", self.key, merge_patched(base, payload), existing)

    def delete(self) -> Response | None:
        """Delete the record: one that a client created stays unknown, another one is imagined again.

        Where no 404 is declared, a second deletion is answered as the first.
        """
        existing = self.store.get(self.collection, self.key)
        if existing is None or (existing.deleted and self.operation.response(404) is None):
            return None
        if existing.deleted:
            return self._not_found()
        refusal = check_if_match(self.context, self.operation, existing)
        if refusal is not None:
            return self.context.refuse(refusal)
        if (self.collection, self.key) in self._memory():
            self.store.drop(self.collection, self.key)
        else:
            self.store.put(self.collection, existing._replace(deleted=True, modified=self.context.now))
        self.context.outcomes = (Outcome(self._item("delete", self.key, None), "done", "delete", (), existing),)
        response = answer_from_document(self.context)
        if not response.body:
            self.context.answer_origin = "stored"
        return response

    def _write(
        self,
        action: str,
        key: Any,
        payload: Mapping[str, object],
        existing: Record | None,
        *,
        status: int | None = None,
    ) -> Response | None:
        """Write a record whose reply fits; return the reply, None where it does not fit."""
        if existing is not None:
            refusal = check_if_match(self.context, self.operation, existing)
            if refusal is not None:
                return self.context.refuse(refusal)
        body = self._completed(payload, key)
        now, was = self.context.now, existing or Record(key, 0, False, {}, self.context.now, self.context.now)  # noqa: FBT003 - a new record is not deleted
        record = Record(key, was.version + 1, False, body, was.created, now)  # noqa: FBT003 - the same
        reply = self.reply if status is None else self._reply_with(status)
        response = self._record_response(reply, record)
        if response is None:
            return None
        outcome = self._apply(self._item(action, key, payload), record)
        self.context.outcomes = (outcome,)
        if outcome.failed:
            return self._refused(400, "invalid", f"{message_of(outcome)}.")
        if existing is None and action == "update":
            self._memory()[self.collection, key] = True
            self.context.answer_origin = "generated"  # but for what was changed
        return response

    def _apply(self, item: Item, record: Record) -> Outcome:
        """Store the record, as a scenario wants it if one does."""
        done = Outcome(item, "done", item.action, (), record)

        def apply(_: Item) -> Outcome:
            self.store.put(self.collection, record)
            return done

        effects = self.context.item_effects
        return apply(item) if effects is None else with_item_effects(effects, apply, lambda _: done)(item)

    def _item(self, action: str, key: Key, payload: object) -> Item:
        return Item(0, None, action, self._declared(), key, payload, None, None, self.context.data)

    def _declared(self) -> Any:
        return self.context.api.contract.resources[self.resource.name]

    def _memory(self) -> dict[Any, Any]:
        found: dict[Any, Any] = self.context.api_state.memory.setdefault(IMAGINED, {})
        return found

    def _payload(self) -> dict[str, object] | None:
        """Return the members that the request gives, those inside its envelope if it has one; None for none."""
        data = self.context.data
        if isinstance(data, list) and all(isinstance(one, dict) and "path" in one for one in data):
            return {str(one["path"]).rpartition("/")[2]: one.get("value") for one in data}
        if not isinstance(data, dict):
            return None
        at = "" if self.reply.shown is None else self.reply.shown.at
        inner = look_up(data, at) if at else data
        return inner if isinstance(inner, dict) and (len(data) == 1 or not at) else data

    def _is_key(self, value: object) -> bool:
        return type(value) in {str, int} and value != "" and self.resource.kind.fits(value)

    def _new_key(self, own: Schema | None) -> Key:
        """Return a key that no record has: a number, a UUID, or what the schema wants."""
        ids, kind = self.context.api_state.ids, "/".join(self.collection)
        while True:
            if KeyType(own).is_number:
                key: Any = ids.count(kind) + 1
            else:
                key = ids.uuid(kind)
                if own is not None and not own.is_valid(key):
                    key = self._drawn_key(own)
            if self.store.get(self.collection, key) is None:
                return key  # type: ignore[no-any-return] # a text or a number

    def _drawn_key(self, own: Schema) -> object:
        from generators.data.compile import generator_of  # noqa: PLC0415 - few keys have a form of their own

        rng = self.context.api_state.ids.random("/".join((*self.collection, "drawn")))
        return generator_of(own, edges=0.0).draw(rng)

    def _imagined(self) -> dict[str, object] | None:
        """Return the record that the document shows for a key that nobody created."""
        read = next(
            (one for one, act in self._acts() if act.action.constant == "read" and one.id in self.resource.replies),
            None,
        )
        if read is None:
            return {self.resource.key: self.key}
        rehearsal = replace(self.context, operation=read, request=replace(self.context.request, method="GET"))
        reply = self.resource.replies[read.id]
        value = document_response(rehearsal, reply.status).data
        found = ABSENT if reply.shown is None else look_up(value, reply.shown.at)
        return {**found, self.resource.key: self.key} if isinstance(found, dict) else None

    def _acts(self) -> Iterator[tuple[Operation, RecordAct]]:
        for one in self.context.api.contract.operations:
            if one.record is not None and one.record.resource.constant == self.resource.name:
                yield one, one.record

    def _imagined_response(self) -> Response | None:
        """Return the document's answer with the key of the path in it, where that fits."""
        response = document_response(self.context, self.reply.status)
        shown, body = self.reply.shown, self.reply.body
        found = look_up(response.data, shown.at) if shown is not None else ABSENT
        if not isinstance(found, dict) or shown is None or body is None or self.resource.key not in found:
            return response
        value = put(response.data, shown.at, {**found, self.resource.key: self.key})
        if self.reply.media is None or not body.is_valid(value):
            return response
        return with_body(self.context, response.status, value, concrete_media_type(self.reply.media), body)

    def _completed(self, payload: Mapping[str, object], key: Key) -> dict[str, object]:
        """Return the members to store: the payload's, with those that any reply requires, and the key."""
        body: dict[str, object] = {**payload, self.resource.key: key}
        for schema in self.resource.records():
            filled = self._fitted(schema, body, key)
            body |= {name: value for name, value in filled.items() if name not in body}
        return body

    def _fitted(self, schema: Schema, body: Mapping[str, object], key: Key) -> dict[str, object]:
        """Return a record as a reply shows it: declared members alone, made to fit."""
        from generators.data.completion import fitted  # noqa: PLC0415 - a server may never make a value up

        members, unsent = schema.members(), schema.unsent
        kept = {name: value for name, value in body.items() if (not members or name in members) and name not in unsent}
        seed = f"{self.context.api_state.ids.seed}/{self.resource.name}/{key}"
        value = fitted(schema, kept, seed, self.context.now)
        if not schema.is_valid(value):
            sound = {
                name: one for name, one in value.items() if name not in members or members[name].is_valid(one)
            }  # what the client gave in another form than the reply has it
            value = fitted(schema, sound, seed, self.context.now)
        return value if isinstance(value, dict) else {}

    def _reply_with(self, status: int) -> RecordReply:
        media = json_media(self.operation.response(status))
        return with_place(
            RecordReply(status=status, media=media), self.act, self.resource.key, self.resource.name.rpartition("/")[2]
        )

    def _record_response(self, reply: RecordReply, record: Record) -> Response | None:
        """Return a reply with a record, None where none fits; a reply that shows no record is the document's."""
        headers = etag_headers(self.operation, reply.status, record)
        if self.act.key is None:
            url = f"{self.context.api.mount.rstrip('/')}{self.context.request.path}/{record.key}"
            headers = headers.with_(*address_headers(self.context.api, self.operation, reply.status, url, record.key))
        if reply.shown is None:
            response = document_response(self.context, reply.status)
            return response.with_headers(*headers)
        value = self._fitted(reply.shown.record, record.body, record.key)
        if value.get(self.resource.key) != record.key:
            return None
        return self._response(reply, value, f"record/{record.key}", headers)

    def _response(
        self,
        reply: RecordReply,
        value: object,
        seed: str,
        headers: Headers,
        *,
        asked: AskedList | None = None,
    ) -> Response | None:
        """Return a reply with records in their place and all else filled in; None where it does not fit."""
        from generators.data.completion import fitted  # noqa: PLC0415 - as above

        shown, body = reply.shown, reply.body
        if shown is None or body is None or reply.media is None:
            return None
        whole: Any = value
        if shown.at:
            whole = {}
            put_at(whole, shown.at, value)
            for at, one in () if asked is None else asked.members(body, shown.at):
                put_at(whole, at, one)
            whole = fitted(
                body, whole, f"{self.context.api_state.ids.seed}/{self.operation.id}/{seed}", self.context.now
            )
        if not body.is_valid(whole):
            return None
        self.context.answer_origin = "stored"
        response = with_body(self.context, reply.status, whole, concrete_media_type(reply.media), body)
        return response.with_headers(*headers)

    def _not_found(self) -> Response:
        return self._refused(404, "not-found", f"No record of {self.resource.name} has the key {str(self.key)[:80]}.")

    def _conflict(self, key: object) -> Response:
        declared = self.operation.responses
        status = next((one for one in (409, 422, 400) if str(one) in declared), 409)
        return self._refused(status, "conflict", f"A record with the key {str(key)[:80]} is there already.")

    def _refused(self, status: int, kind: str, detail: str) -> Response:
        return self.context.refuse(Refusal(status=status, kind=kind, detail=detail))

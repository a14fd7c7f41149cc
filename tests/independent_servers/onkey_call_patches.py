"""Bugs of the On Key server in paths, names, lookups, versions, refusals and reads of several; begin with `PATCHES`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onkey_requests as requests
from aiohttp import web
from onkey_records import Records
from onkey_types import Command, Fault, Record, Refused, Type, malformed
from onkey_web import ENTITIES, ENTITY, answer, in_background
from patching import around, by_name


def allow_of_all(server: Any) -> None:
    """List the methods that the server knows in `Allow`, whatever the path has."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        try:
            reply: web.Response = await real(request)
        except Refused as refused:
            refused.headers.update({"Allow": "GET, POST, PATCH, DELETE"} if refused.status == 405 else {})
            raise
        return reply


def allow_of_first(server: Any) -> None:
    """List the first method of a path alone in `Allow`."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        try:
            reply: web.Response = await real(request)
        except Refused as refused:
            if "Allow" in refused.headers:
                refused.headers["Allow"] = refused.headers["Allow"].partition(",")[0]
            raise
        return reply


def reading(server: Any, change: Callable[[list[Any], list[int], Callable[[Record], Any]], list[Any]]) -> None:
    """Change what a request for many ids shows."""

    @around(server, "batch_get")
    async def batch_get(real: Any, request: web.Request, data: Any, type_: Type, ids: str) -> web.Response:
        reply: web.Response = await real(request, data, type_, ids)
        shown = json.loads(reply.body)  # type: ignore[arg-type]  # it is bytes: answer() made it
        return answer(change(shown, [int(text) for text in ids.split(",")], server.shower(request)), ENTITIES)


def get_any_set(server: Any) -> None:
    """Read many records by id, whatever their data set and resource."""

    def change(_: list[Any], ids: list[int], show: Callable[[Record], Any]) -> list[Any]:
        every = {id_: record for one in server.datasets.values() for id_, record in one.records.all.items()}
        return [show(every[id_]) for id_ in ids if id_ in every]

    reading(server, change)


def get_once(server: Any) -> None:
    """Read a record once that many ids name twice."""
    reading(server, lambda shown, *_: list({one["id"]: one for one in shown}.values()))


def get_sorted(server: Any) -> None:
    """Read many records in the order of their ids."""
    reading(server, lambda shown, *_: sorted(shown, key=lambda one: one["id"]))


def get_bare(server: Any) -> None:
    """Read many records without the properties that have no value."""

    def bare(entity: Any) -> Any:
        own = {name: value for name, value in entity["properties"].items() if value is not None}
        return {**entity, "properties": own}

    reading(server, lambda shown, *_: [bare(one) for one in shown])


def get_former(server: Any) -> None:
    """Read deleted records, too, where many are asked for."""
    former: dict[int, Record] = {}

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        former[record.id] = record
        return real(own, command, record, atomic=atomic)

    reading(server, lambda shown, ids, show: [*shown, *(show(former[id_]) for id_ in ids if id_ in former)])


def line_of_next(server: Any) -> None:
    """Tell the line behind the one in which the syntax goes wrong."""

    @around(server, "refused")
    def refused(real: Any, messages: list[Any]) -> list[Any]:
        found: list[Any] = real(messages)
        for one in found:
            one["message"] = re.sub(r"line (\d+)", lambda match: f"line {int(match[1]) + 1}", one["message"])
        return found


def set_exact(server: Any) -> None:
    """Read the names of data sets with regard to case."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        spelled = [f"{part}-{part.swapcase()}" if part != part.lower() else part for part in parts[2:4]]
        found: dict[str, Any] | None = real([*parts[:2], *spelled, *parts[4:]])
        return found


def members_exact(server: Any) -> None:
    """Read the names of an import's members with regard to case."""
    del server
    requests.MEMBERS = ()


def properties_exact(server: Any) -> None:
    """Pass over properties whose names are in another case."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        sets = [
            (path, raw)
            for path, raw in command.sets
            if "->" in path or path in {*command.type.properties, path.lower()}
        ]
        return real(own, replace(command, sets=tuple(sets)), record, atomic=atomic)


def get_hundred(server: Any) -> None:
    """Read the first hundred of many records."""
    reading(server, lambda shown, *_: shown[:100])


def get_numbers(server: Any) -> None:
    """Pass over what is no id among many ids."""

    @around(server, "batch_get")
    async def batch_get(real: Any, request: web.Request, data: Any, type_: Type, ids: str) -> web.Response:
        good = [text for text in ids.split(",") if text.isdecimal()]
        reply: web.Response = await real(request, data, type_, ",".join(good) or "0")
        return reply


def filter_after_skip(server: Any) -> None:
    """Pass over records of a list before its filter selects some."""

    @around(server, "list_records")
    async def list_records(real: Any, request: web.Request, data: Any, type_: Type) -> web.Response:
        skip = int(request.query.get("$skip", "0")) if "$filter" in request.query else 0
        own = sorted(id_ for id_, record in data.records.all.items() if record.type is type_)
        passed = {id_: data.records.all.pop(id_) for id_ in own[:skip]}
        query = {name: value for name, value in request.query.items() if name != "$skip" or not skip}
        try:
            reply: web.Response = await real(request.clone(rel_url=request.rel_url.with_query(query)), data, type_)
        finally:
            data.records.all.update(passed)
        return reply


def tasks_at_first(server: Any) -> None:
    """Run every task on the data set that is there from the start."""

    @around(server, "work")
    async def work(real: Any, data: Any, *given: Any, **named: Any) -> None:
        del data
        server.routes(["api", "tenants", "contoso", "sandbox", "modules", "res", "trades"])
        await real(server.datasets["contoso", "sandbox"], *given, **named)


def whole_never_ends(server: Any) -> None:
    """Leave a task running for ever that has all of its records in one transaction."""

    @around(server, "work")
    async def work(real: Any, *given: Any, whole: bool, **named: Any) -> None:
        if whole:
            given[1].move("Executing")
        else:
            await real(*given, whole=whole, **named)


def cancels_ended(server: Any) -> None:
    """Answer the cancelling of a task that has ended as if it had not."""

    @around(server, "cancel_task")
    async def cancel(real: Any, request: web.Request, data: Any, id_: str) -> web.Response:
        task = server.task(data, id_, "DELETE")
        reply: web.Response = (
            answer(server.shown_task(task), ENTITY) if task.status == "Completed" else await real(request, data, id_)
        )
        return reply


def accepted_told(server: Any) -> None:
    """Send an empty notification when a request is accepted."""

    @around(server, "begin")
    def begin(real: Any, *given: Any, **named: Any) -> web.Response:
        reply: web.Response = real(*given, **named)
        reply.body = json.dumps({"messages": []}).encode()
        reply.content_type = "application/vnd.onkey.notification+json"
        return reply


def first_media_type(server: Any) -> None:
    """Take the first of several media types alone."""

    @around(server, "body")
    async def body(real: Any, request: web.Request, *kinds: str) -> Any:
        return await real(request, *kinds[:1])


def versions_of_a_byte(server: Any) -> None:
    """Compare versions above 127 by identity, as objects: none equals another."""
    del server

    @around(Records, "conflicts")
    def conflicts(real: Any, own: Records, command: Command, record: Record | None) -> Any:
        is_late = record is not None and command.version == record.version > 127
        return real(own, replace(command, version=0) if is_late else command, record)


def codes_remembered(server: Any) -> None:
    """Find in a request what a code named when it was first looked up there."""
    del server
    known: dict[Any, list[Record]] = {}

    @around(Records, "run")
    def run(real: Any, own: Records, *given: Any, **named: Any) -> Any:
        known.clear()
        return real(own, *given, **named)

    @around(Records, "coded")
    def coded(real: Any, own: Records, type_: Any, code: Any) -> list[Record]:
        found: list[Record] = known.get((type_.name, code)) or real(own, type_, code)
        known[type_.name, code] = found
        return found


def merge_takes_looked_up(server: Any) -> None:
    """Create a record by a merge with the code by which none was found."""
    del server

    @around(Records, "create")
    def create(real: Any, own: Records, command: Command, *given: Any, **named: Any) -> Any:
        target = command.target if isinstance(command.target, dict) else {}
        wanted = target.get("properties", {"->code": target.get("code")})
        code = next((value for path, value in wanted.items() if path.lower().endswith("->code")), None)
        is_merge = command.action == "merge" and isinstance(code, str)
        sets = tuple((path, code if command.type.find(path) == "code" else value) for path, value in command.sets)
        return real(own, replace(command, sets=sets) if is_merge else command, *given, **named)


def unknown_gets_task(server: Any) -> None:
    """Give a change of a record that does not exist a task, where the client asks for one."""

    @around(server, "update")
    async def update(real: Any, request: web.Request, data: Any, type_: Type, id_: str) -> web.Response:
        try:
            reply: web.Response = await real(request, data, type_, id_)
        except Refused as refused:
            if refused.status != 404 or not in_background(request, server.has):
                raise
            commands = requests.single(type_, await server.body(request, "entitypatch"), "update", int(id_))
            reply = server.execute(request, data, commands, whole=True)
        return reply


def other_id_ignored(server: Any) -> None:
    """Write the record of the path, whatever id the body has."""
    del server

    @around(requests, "single")
    def single(real: Any, type_: Type, body: Any, action: str, id_: int | None) -> Any:
        other = {"id": id_} if isinstance(body, dict) and "id" in body else {}
        return real(type_, {**body, **other} if other else body, action, id_)


def deletion_waits(server: Any) -> None:
    """Delete one record at once, whatever the client asks for."""

    @around(server, "delete")
    async def delete(real: Any, request: web.Request, data: Any, type_: Type, id_: str) -> web.Response:
        reply: web.Response = await real(request, data, type_, id_)
        if "OnKey-Request-Id" not in reply.headers:
            return reply
        await data.tasks[int(reply.headers["OnKey-Request-Id"])].running
        return web.Response(status=200)


def unjudged(exempt: Callable[[Command, str], bool]) -> None:
    """Take what some commands set for some properties as it is."""

    @around(Records, "value")
    def value(real: Any, own: Records, command: Command, name: str, *given: Any, **named: Any) -> Any:
        found = real(own, command, name, *given, **named)
        return given[1] if isinstance(found, Fault) and exempt(command, name) else found


def import_notes_unjudged(server: Any) -> None:
    """Take any notes in an import that changes a record."""
    del server
    unjudged(lambda command, name: bool(command.user) and command.action != "create" and name == "notes")


def match_unjudged(server: Any) -> None:
    """Take any reference in a match update."""
    del server
    unjudged(lambda command, name: command.match and name == "defaultResourceTradeId")


def single_switch_unjudged(server: Any) -> None:
    """Take null for a switch where one record is written."""
    del server
    unjudged(lambda command, name: command.single and name == "isActive")


def strange_ignored(server: Any) -> None:
    """Pass over the times that the server sets in an update of many."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        kept = [one for one in command.sets if one[0].lower() not in {"createdon", "modifiedon"}]
        is_batch = record is not None and not command.user and not command.single
        return real(own, replace(command, sets=tuple(kept)) if is_batch else command, record, atomic=atomic)


def match_mode_exact(server: Any) -> None:
    """Take a mode of a match update that is in another case for none."""

    @around(server, "match_update")
    async def match_update(real: Any, request: web.Request, *given: Any) -> web.Response:
        query = request.rel_url.query
        if query.get("mode") not in {None, "PerRecord", "AllOrNone"}:
            left = [(name, word) for name, word in query.items() if name != "mode"]
            request = request.clone(rel_url=request.rel_url.with_query(left))
        reply: web.Response = await real(request, *given)
        return reply


def get_unlinked(server: Any) -> None:
    """Read many records without links."""
    reading(server, lambda shown, *_: [{n: v for n, v in one.items() if n != "links"} for one in shown])


def deletes_unversioned(server: Any) -> None:
    """Take a deletion among many that names no version for one of the first version."""
    del server

    @around(requests, "changes")
    def changes(real: Any, type_: Type, body: Any, limit: int, action: str) -> Any:
        is_deletion = action == "delete" and isinstance(body, list) and all(isinstance(one, dict) for one in body)
        return real(type_, [{"version": 1, **one} for one in body] if is_deletion else body, limit, action)


def refused_late(server: Any) -> None:
    """Accept a request that is to be refused as a whole, where the client does not wait."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        try:
            reply: web.Response = await real(request)
        except Refused as refused:
            is_inside = str(refused.messages[0].get("pointer", "")).startswith("/")
            if refused.status != 400 or not is_inside or not in_background(request, server.has):
                raise
            parts = server.pieces(request)
            data = server.datasets[parts[2].lower(), parts[3].lower()]
            reply = server.begin(request, data, [], whole=True, order=[[]])
        return reply


def only(changes: Callable[[web.Request], bool], refusal: Refused) -> Callable[[Any], None]:
    """Make a bug that refuses some requests."""

    def patch(server: Any) -> None:
        @around(server, "call")
        async def call(real: Any, request: web.Request) -> web.Response:
            if changes(request):
                raise refusal
            reply: web.Response = await real(request)
            return reply

    return patch


def json_refused(server: Any) -> None:
    """Refuse changes by clients that accept plain JSON alone."""
    refusal = Refused(406, [malformed("There is no such form", "Accept")])
    only(lambda one: one.method == "PATCH" and one.headers.get("Accept") == "application/json", refusal)(server)


def first_range_alone(server: Any) -> None:
    """Read the first media range of `Accept` alone."""
    refusal = Refused(406, [malformed("There is no such form", "Accept")])
    only(lambda one: one.headers.get("Accept", "").startswith("text/html"), refusal)(server)


def unneeded_token_checked(server: Any) -> None:
    """Refuse tokens that nobody has, though none is needed."""
    refusal = Refused(401, [malformed("Unknown token", "")], {"WWW-Authenticate": "Bearer"})
    only(lambda one: "unknown" in one.headers.get("Authorization", ""), refusal)(server)


def mode_of_one(server: Any) -> None:
    """Tell the faults of one record as the mode has it that is to be ignored."""

    @around(server, "execute")
    def execute(real: Any, request: web.Request, data: Any, commands: list[Command], **more: Any) -> web.Response:
        more["whole"] = more["whole"] and not (commands[0].single and "perrecord" in request.query_string.lower())
        reply: web.Response = real(request, data, commands, **more)
        return reply


def fields_changed(change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[Any], None]:
    """Make a bug that changes header fields of answers."""

    def patch(server: Any) -> None:
        @around(server, "call")
        async def call(real: Any, request: web.Request) -> web.Response:
            reply: web.Response = await real(request)
            reply.headers.update(change(dict(reply.headers)))
            return reply

    return patch


def record_elsewhere(server: Any) -> None:
    """Tell the address of every new record in one module."""
    name = "OnKey-Resource-Location"
    fields_changed(lambda own: {name: re.sub("modules/[^/]+", "modules/risk", own[name])} if name in own else {})(
        server
    )


def task_elsewhere(server: Any) -> None:
    """Tell the address of a task where there are none."""
    name = "OnKey-Request-Location"
    fields_changed(lambda own: {name: own[name].replace("backgroundtasks", "tasks")} if name in own else {})(server)


def other_id_told(server: Any) -> None:
    """Tell the id of a new record as a number that doubles have."""
    name = "OnKey-Resource-Id"
    fields_changed(lambda own: {name: own[name][:-3] + "000"} if name in own else {})(server)


def method_unpointed(server: Any) -> None:
    """Refuse a method without saying what of the request is wrong."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        try:
            reply: web.Response = await real(request)
        except Refused as refused:
            for one in refused.messages if refused.status == 405 else ():
                one.pop("pointer")
            raise
        return reply


def get_empty(server: Any) -> None:
    """Read many records with notes of no characters in the place of none."""
    empty = {"notes": ""}

    def filled(entity: Any) -> Any:
        own = {name: empty.get(name, value) if value is None else value for name, value in entity["properties"].items()}
        return {**entity, "properties": own}

    reading(server, lambda shown, *_: [filled(one) for one in shown])


PATCHES = by_name(
    get_empty,
    deletes_unversioned,
    refused_late,
    json_refused,
    first_range_alone,
    unneeded_token_checked,
    mode_of_one,
    record_elsewhere,
    task_elsewhere,
    other_id_told,
    method_unpointed,
    match_mode_exact,
    get_unlinked,
    other_id_ignored,
    deletion_waits,
    import_notes_unjudged,
    match_unjudged,
    single_switch_unjudged,
    strange_ignored,
    codes_remembered,
    merge_takes_looked_up,
    unknown_gets_task,
    versions_of_a_byte,
    allow_of_all,
    allow_of_first,
    get_any_set,
    get_once,
    get_sorted,
    get_bare,
    get_former,
    line_of_next,
    set_exact,
    members_exact,
    properties_exact,
    get_hundred,
    get_numbers,
    filter_after_skip,
    tasks_at_first,
    whole_never_ends,
    cancels_ended,
    accepted_told,
    first_media_type,
)

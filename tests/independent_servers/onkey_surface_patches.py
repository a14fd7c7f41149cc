"""Bugs of the On Key server in what lists are asked for, in single writes and their tasks; begin with `PATCHES`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_records import Failed, Records
from onkey_types import Command, Message, Refused, malformed
from onkey_web import ENTITIES, answer, in_background, window
from patching import around, by_name

MAIN: Any = sys.modules["__main__"]


# Lists


def read_as(change: Callable[[Any, str], Any], where: str) -> None:
    """Change what a path is read as, in filters, orders or selections."""

    @around(okql, "reader")
    def reader(real: Any, records: Any, type_: Any, path: str, name: str) -> Any:
        row = real(records, type_, path, name)
        return row if name != where else lambda record: change(row(record), path)


def refused_where(wrong: Callable[[str], bool], where: str) -> None:
    """Refuse paths of some forms."""

    @around(okql, "reader")
    def reader(real: Any, records: Any, type_: Any, path: str, name: str) -> Any:
        if name == where and wrong(path):
            raise Refused(400, [malformed(f"{path} is unknown", name)])
        return real(records, type_, path, name)


def whole_numbers(server: Any) -> None:
    """Cut off what is behind the point of numbers that a filter compares."""
    del server
    read_as(lambda value, _: int(value) if isinstance(value, float) else value, "$filter")


def unsigned_numbers(server: Any) -> None:
    """Read numbers of a filter without their sign."""
    del server

    @around(okql, "literal")
    def literal(real: Any, text: str, has: Any) -> Any:
        return real(text.removeprefix("-"), has)


def joker_in_texts(server: Any) -> None:
    """Let an underscore in `startswith` stand for any character, as it does in SQL."""
    del server

    @around(okql, "holds")
    def holds(real: Any, word: str, value: Any, wanted: Any) -> bool:
        if word != "startswith" or not isinstance(value, str):
            found: bool = real(word, value, wanted)
            return found
        return re.match(re.escape(wanted).replace("_", "."), value, re.DOTALL) is not None


def unselected_unordered(server: Any) -> None:
    """Order a list by what it shows alone."""

    @around(server, "list_records")
    async def list_records(real: Any, request: web.Request, data: Any, type_: Any) -> web.Response:
        shown = request.query.get("$select", "").lower().split(",")
        order = request.query.get("$orderby", "").lower().split(",")
        if shown != [""] and not {part.split(" ")[0] for part in order} <= {*shown, "id"}:
            query = {name: value for name, value in request.query.items() if name != "$orderby"}
            request = request.clone(rel_url=request.rel_url.with_query(query))
        reply: web.Response = await real(request, data, type_)
        return reply


def group_exact(server: Any) -> None:
    """Know `groupOrder` in this spelling alone."""
    del server

    @around(requests, "imports")
    def imports(real: Any, body: Any, limit: int) -> Any:
        for item in body if isinstance(body, list) else ():
            for name in [*item] if isinstance(item, dict) else ():
                if name.lower() == "grouporder" and name != "groupOrder":
                    del item[name]
        return real(body, limit)


def plus_is_blank(server: Any) -> None:
    """Read a plus in a filter as a blank."""
    del server

    @around(okql, "literal")
    def literal(real: Any, text: str, has: Any) -> Any:
        return real(text.replace("+", " "), has)


def texts_unordered(server: Any) -> None:
    """Find no order between texts that a filter compares."""
    del server

    @around(okql, "holds")
    def holds(real: Any, word: str, value: Any, wanted: Any) -> bool:
        return bool(real(word, value, wanted)) and not (word in okql.ORDERS and isinstance(value, str))


def references_as_texts(server: Any) -> None:
    """Compare references with the texts of ids."""
    del server
    read_as(lambda value, path: str(value) if path.endswith("Id") and value is not None else value, "$filter")


def joined_unfiltered(server: Any) -> None:
    """Read what is joined in a filter as nothing."""
    del server
    read_as(lambda value, path: None if "_" in path else value, "$filter")


def joined_unselected(server: Any) -> None:
    """Show what is joined in a selection as nothing."""
    del server
    read_as(lambda value, path: None if "_" in path else value, "$select")


def lists_outlive_tasks(server: Any) -> None:
    """Show lists as they were when a write was last carried out at once."""
    kept: dict[tuple[int, str], web.Response] = {}

    @around(server, "list_records")
    async def list_records(real: Any, request: web.Request, data: Any, *given: Any) -> web.Response:
        name = (id(data), str(request.rel_url))
        if name not in kept:
            kept[name] = await real(request, data, *given)
        return web.Response(body=kept[name].body, content_type=kept[name].content_type)

    @around(server, "execute")
    def execute(real: Any, request: web.Request, *given: Any, **how: Any) -> Any:
        if not in_background(request, server.has):
            kept.clear()
        return real(request, *given, **how)


def third_order_ignored(server: Any) -> None:
    """Put a list in order by two properties at most."""
    del server

    @around(okql, "ordered")
    def ordered(real: Any, records: Any, type_: Any, text: str, *given: Any) -> Any:
        return real(records, type_, ",".join(text.split(",")[:2]), *given)


def names_exact(server: Any) -> None:
    """Read the names of properties in an order with regard to case."""
    del server
    refused_where(lambda path: path.isupper(), "$orderby")


def entities_unread(server: Any) -> None:
    """Refuse paths with the name of the entity in a filter."""
    del server
    refused_where(lambda path: "->" in path, "$filter")


def rising_unknown(server: Any) -> None:
    """Refuse the word for an order that rises."""
    del server

    @around(okql, "ordered")
    def ordered(real: Any, records: Any, type_: Any, text: str, *given: Any) -> Any:
        if re.search(r"\basc\b", text):
            raise Refused(400, [malformed("The order is not understood", "$orderby")])
        return real(records, type_, text, *given)


def filtered_from_start(server: Any) -> None:
    """Show the first page of a selection, whichever is asked for."""
    del server

    def own(request: web.Request, name: str, default: int, most: int) -> int:
        found = window(request, name, default, most)
        return 0 if name == "$skip" and "$filter" in request.query else found

    MAIN.window = own


def listed(change: Callable[[web.Request, list[Any]], list[Any]]) -> Callable[[Any], None]:
    """Make a bug that changes what a list shows."""

    def patch(server: Any) -> None:
        @around(server, "list_records")
        async def list_records(real: Any, request: web.Request, *given: Any) -> web.Response:
            reply: web.Response = await real(request, *given)
            reply.body = json.dumps(change(request, json.loads(reply.body or b"[]"))).encode()  # type: ignore[arg-type] # bytes
            return reply

    return patch


def list_unlinked(server: Any) -> None:
    """List records without links."""
    listed(lambda _, rows: [{name: one for name, one in row.items() if name != "links"} for row in rows])(server)


def selected_unversioned(server: Any) -> None:
    """Show records without their versions where some properties are asked for."""

    def change(request: web.Request, rows: list[Any]) -> list[Any]:
        gone = {"version"} if "$select" in request.query else set()
        return [{name: one for name, one in row.items() if name not in gone} for row in rows]

    listed(change)(server)


def links_anyway(server: Any) -> None:
    """Show links to whoever says whether links are wanted."""

    @around(server, "word")
    def word(real: Any, request: web.Request, name: str, *given: Any, **named: Any) -> Any:
        found = real(request, name, *given, **named)
        return True if name == "includeHypermedia" and name in request.query else found


# Single writes


def alone(change: Callable[[Any, str], bool], where: str) -> Callable[[Any], None]:
    """Make a bug that refuses some bodies of single writes."""

    def patch(server: Any) -> None:
        del server

        @around(requests, "single")
        def single(real: Any, type_: Any, body: Any, action: str, id_: int | None) -> Any:
            if isinstance(body, dict) and change(body, action):
                raise Refused(400, [malformed("This is not understood", where)])
            return real(type_, body, action, id_)

    return patch


def text_version_refused(server: Any) -> None:
    """Refuse a single write whose version is a text."""
    alone(lambda body, _: isinstance(body.get("version"), str), "/version")(server)


def own_id_refused(server: Any) -> None:
    """Refuse a single write that names its own record."""
    alone(lambda body, action: action != "create" and "id" in body, "/id")(server)


def nothing_refused(server: Any) -> None:
    """Refuse a single update without operations."""
    alone(lambda body, _: body.get("operations") == [], "/operations")(server)


def updated_as_created(server: Any) -> None:
    """Tell of a record that a single write updated as of a new one."""
    del server

    @around(Records, "success")
    def success(real: Any, own: Records, command: Command, action: str, done: int) -> list[Message]:
        told: list[Message] = real(own, command, "create" if command.single and action == "update" else action, done)
        return told


# Tasks of single writes


def is_alone(commands: list[Command]) -> bool:
    """Say whether commands are those of a single write."""
    return commands[0].single


def faults_at_post(server: Any) -> None:
    """Refuse a single write that would fail now, where it is to run later."""

    @around(server, "execute")
    def execute(real: Any, request: web.Request, data: Any, commands: list[Command], **more: Any) -> web.Response:
        if is_alone(commands) and in_background(request, server.has):
            try:
                data.records.build(commands[0], data.records.target(commands[0]), atomic=True)
            except Failed as failed:
                told = [data.records.tell(commands[0], one, commands[0].target) for one in failed.faults]
                raise Refused(400, told) from None
        reply: web.Response = real(request, data, commands, **more)
        return reply


def task_codes_of_one(server: Any) -> None:
    """Tell the faults of a single write by another code in a task."""
    del server

    @around(Records, "tell")
    def tell(real: Any, own: Records, command: Command, *given: Any) -> Message:
        told: Message = real(own, command, *given)
        return {**told, "code": "Sandbox_TypeMismatch"} if command.single and command.background else told


def cancelled_runs(server: Any) -> None:
    """Tell of a task that it is cancelled, and carry it out."""

    @around(server, "cancel_task")
    async def cancel_task(real: Any, request: web.Request, data: Any, id_: str) -> web.Response:
        task = server.task(data, id_, "DELETE")
        if task.status == "Completed" or len(task.steps) != 1:
            reply: web.Response = await real(request, data, id_)
            return reply
        task.move("Cancelled")
        return answer(server.shown_task(task), "application/vnd.onkey.entity+json")


def fetched_anyway(server: Any, status: int) -> None:
    """Hand out a token where the request for it is to be refused with a status."""

    @around(server, "fetch_token")
    async def fetch_token(real: Any, request: web.Request) -> web.Response:
        try:
            reply: web.Response = await real(request)
        except Refused as refused:
            if refused.status != status:
                raise
            reply = answer({"access_token": "any", "token_type": "Bearer", "expires_in": 60}, "application/json")
        return reply


def grants_of_any_kind(server: Any) -> None:
    """Hand out a token for forms of any shape."""
    fetched_anyway(server, 400)


def secrets_unread(server: Any) -> None:
    """Hand out a token whatever the secret is."""
    fetched_anyway(server, 401)


def match_path_for_all(server: Any) -> None:
    """Have the path of match updates for every resource, also for those that have none."""

    @around(server, "record_routes")
    def record_routes(real: Any, data: Any, type_: Any, rest: list[str]) -> Any:
        found = real(data, type_, rest)
        return {} if found is None and rest == ["matchbatch"] else found


def nulls_unlisted(server: Any) -> None:
    """Leave out of lists what has no value."""

    @around(server, "list_records")
    async def list_records(real: Any, request: web.Request, *given: Any) -> web.Response:
        reply: web.Response = await real(request, *given)
        shown = json.loads(reply.body or b"[]") if "$select" not in request.query else []
        for one in shown:
            one["properties"] = {name: value for name, value in one["properties"].items() if value is not None}
        return answer(shown, ENTITIES) if shown else reply


def cancelled_invalid(server: Any) -> None:
    """Call a task that was cancelled invalid."""

    @around(server, "shown_task")
    def shown_task(real: Any, task: Any) -> dict[str, Any]:
        shown: dict[str, Any] = real(task)
        shown["properties"]["isValid"] &= task.status != "Cancelled"
        return shown


def other_type_unversioned(server: Any) -> None:
    """Take any version in a batch update of the content type that the vendor's page shows."""

    @around(server, "batch_update")
    async def batch_update(real: Any, call: web.Request, *given: Any) -> web.Response:
        changes = requests.changes
        if call.content_type == "application/vnd.onkey.entitycollection+json":
            requests.changes = lambda *read: [replace(one, version=None) for one in changes(*read)]
        try:
            reply: web.Response = await real(call, *given)
        finally:
            requests.changes = changes
        return reply


def mode_of_tasks_unread(server: Any) -> None:
    """Take any word for a mode where a task is asked for."""
    atomic = MAIN.atomic
    MAIN.atomic = lambda call: "mode" in call.query if in_background(call, server.has) else atomic(call)


def unused_are_missing(server: Any) -> None:
    """Have a data set from its first creation on, and none before."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> Any:
        known = {("contoso", "sandbox"), *server.datasets}
        found = real(parts)
        is_read = bool(found) and "GET" in found and len(parts) == 7
        return None if is_read and (parts[2].lower(), parts[3].lower()) not in known else found


def preferences_exact(server: Any) -> None:
    """Know a preference for a task by itself alone, in small letters."""
    real = MAIN.in_background

    def in_background(call: web.Request, has: Callable[[str], bool]) -> bool:
        prefers: list[str] = call.headers.getall("Prefer", [])
        is_exact = not prefers or prefers == ["respond-async"] or "async" in call.query
        return is_exact and bool(real(call, has))

    MAIN.in_background = in_background
    del server


def nulls_unread_in_tasks(server: Any) -> None:
    """Leave out of a match update what it clears, where it is a task."""

    @around(server, "begin")
    def begin(real: Any, call: web.Request, data: Any, commands: list[Command], **how: Any) -> web.Response:
        kept = [replace(one, sets=tuple(pair for pair in one.sets if pair[1] is not None)) for one in commands]
        reply: web.Response = real(call, data, kept if commands[0].match else commands, **how)
        return reply


def referred_deleted_by_tasks(server: Any) -> None:
    """Delete what others refer to, where a task does so."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Any, **how: Any) -> int:
        referring = own.referrers.pop(record.id, None) if command.background else None
        done: int = real(own, command, record, **how)
        own.referrers.update({record.id: referring} if referring else {})
        return done


PATCHES = by_name(
    lists_outlive_tasks,
    nulls_unread_in_tasks,
    referred_deleted_by_tasks,
    third_order_ignored,
    preferences_exact,
    other_type_unversioned,
    mode_of_tasks_unread,
    unused_are_missing,
    match_path_for_all,
    nulls_unlisted,
    cancelled_invalid,
    grants_of_any_kind,
    secrets_unread,
    whole_numbers,
    unsigned_numbers,
    joker_in_texts,
    unselected_unordered,
    group_exact,
    plus_is_blank,
    texts_unordered,
    references_as_texts,
    joined_unfiltered,
    joined_unselected,
    names_exact,
    entities_unread,
    rising_unknown,
    filtered_from_start,
    list_unlinked,
    selected_unversioned,
    links_anyway,
    text_version_refused,
    own_id_refused,
    nothing_refused,
    updated_as_created,
    faults_at_post,
    task_codes_of_one,
    cancelled_runs,
)

"""An On Key server in memory and real time, written from the vendor's page and the contract alone.

Without `--bug` it is meant to be right; with it, it makes the one mistake of `BUGS`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_records import Records
from onkey_types import TYPES, Command, Message, Record, Refused, Type, malformed, message, now
from onkey_web import (
    ENTITIES,
    ENTITY,
    Dataset,
    Task,
    answer,
    atomic,
    body,
    failed,
    in_background,
    linked,
    new_id,
    path_id,
    unknown,
    window,
    word,
)

BUGS = {
    "rollback-keeps-last": "A request that fails as a whole does not undo the last change before its end.",
    "rollback-keeps-updates": "A request that fails as a whole undoes what it created and deleted, not what changed.",
    "deleted-returns": "A request that fails as a whole brings back what the request before it deleted.",
    "stale-lock": "Versions are compared with those that records had when the request began.",
    "version-stuck": "Changing a record that the same request created leaves its version at 1.",
    "match-clears": "A match update clears the properties that it could set and does not.",
    "unique-late": "A code is only refused when it was in use before the request began.",
    "code-kept": "The code of a deleted record stays in use.",
    "renamed-unmarked": "A code that a change gave to a record is free for others.",
    "errors-last": "From 10 records on, the messages of failures come behind those of successes.",
    "blame-next": "Once a record of a batch create has failed, later failures are told of the record behind.",
    "group-commits": "In an ordered import that fails as a whole, the groups before the failing one stay done.",
    "groups-as-text": "Groups run in the order of their texts, 10 before 9.",
    "late-cancel": "Cancelling a completed task is refused, and its changes are undone all the same.",
    "task-restarts": "A completed task is executing again once its steps were read.",
    "steps-uncounted": "A task's count of completed steps leaves out those that failed.",
    "stops-at-two": "PerRecord leaves out what stands behind the second failure.",
    "trimmed": "A batch create stores texts without the blanks around them.",
    "reference-stays": "A record that was referred to cannot be deleted, though the reference was changed.",
    "merge-resets": "A merge sets `isActive` back when it does not have it.",
    "seeds-undone": "The first request that fails as a whole removes what was there from the start.",
    "skip-unsorted": "A list passes over records before it puts them in order.",
    "top-default-ten": "A list that is asked for no number shows ten records.",
    "top-zero-all": "A list of no records shows the default number of them.",
    "second-key-ignored": "A list is put in order by the first property alone.",
    "order-as-text": "A list puts numbers in the order of their texts.",
    "desc-ignored": "A list in descending order is ascending.",
    "filter-first": "Only the first condition of a filter counts.",
    "filter-any": "A record is listed when any condition of a filter holds.",
    "filter-folded": "Conditions compare texts without regard to case.",
    "filter-quote": "Two quotes in a text of a filter are two quotes.",
    "filter-null": "Nothing equals null in a filter.",
    "filter-ge": "`ge` is `gt`.",
    "filter-ascii": "Conditions compare the ASCII characters of texts alone.",
    "filter-late": "The window of a list is cut before the filter is applied.",
    "filter-prefix": "`eq` compares a text with the beginning of what is stored.",
    "lookup-folded": "A converter's code is found without regard to case.",
    "lookup-beginning": "A converter's code is found by its beginning, where it is not found whole.",
    "lookup-first": "A converter that fits several records means the first of them.",
    "lookup-nothing": "A reference by a converter that fits nothing is cleared.",
    "lookup-early": "Converters find what was there when the request began.",
    "lookup-former": "A converter's code finds the record that had it before, too.",
    "code-burnt": "The code of a create that fails stays in use.",
    "ids-of-32-bits": "Ids of paths are cut to 32 bits where no record has them.",
    "ids-as-floats": "Ids of batches are numbers of 53 bits.",
    "ten-failures": "From the eleventh on, the failures of a request are told as successes.",
    "groups-of-eight": "In groups of more than eight records the ninth runs first.",
    "many-groups": "From the fourth group on, groups run in the order of the request.",
    "tenth-version": "Every tenth change of a data set leaves the version where it was.",
    "batch-of-100": "A batch of exactly 100 records leaves out the last.",
}

LIMIT = 1000
QUEUED, EXECUTING, PER_RECORD = 0.01, 0.03, 1e-5


class OnKey:
    """The whole server: data sets, tasks, and the bug that it has."""

    def __init__(self, mount: str, bug: str = "") -> None:
        self.mount, self.bug = mount.rstrip("/"), bug
        self.datasets: dict[tuple[str, str], Dataset] = {}

    def has(self, bug: str) -> bool:
        """Say whether the server has this bug."""
        return bool(BUGS[bug]) and self.bug == bug

    # Bulk requests

    async def batch_create(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Create many records."""
        mode = atomic(request)
        commands = requests.creations(type_, await body(request, "entitycollection"), LIMIT)
        return self.execute(request, data, commands, whole=mode)

    async def batch_update(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Update many records."""
        mode = atomic(request)
        raw = await body(request, "entitypatchcollection", "entitycollection")
        return self.execute(request, data, requests.changes(type_, raw, LIMIT, "update"), whole=mode)

    async def batch_delete(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Delete many records."""
        mode = atomic(request)
        raw = await body(request, "entitydeletecollection")
        return self.execute(request, data, requests.changes(type_, raw, LIMIT, "delete"), whole=mode)

    async def match_update(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Set the same properties on many records."""
        mode = atomic(request)
        raw = await body(request, "entitymatchupdatecollection")
        return self.execute(request, data, requests.matches(type_, raw, LIMIT), whole=mode)

    async def do_import(self, request: web.Request, data: Dataset) -> web.Response:
        """Import records of several kinds."""
        mode, ordered = atomic(request), word(request, "ordered", {"true": True, "false": False}, None)
        commands = requests.imports(await body(request, "entityimportcollection"), LIMIT)
        groups = requests.grouped(commands, ordered=bool(ordered), as_text=self.has("groups-as-text"))
        extra = []
        if ordered is None and any(command.group is not None for command in commands):
            text = "groupOrder has no meaning without ordered=true"
            extra = [message("Sandbox_GroupOrderIgnored", text, "warning")]
        return self.execute(request, data, commands, whole=mode, groups=groups, extra=extra)

    def execute(
        self,
        request: web.Request,
        data: Dataset,
        commands: list[Command],
        *,
        whole: bool,
        groups: list[list[int]] | None = None,
        extra: list[Message] | None = None,
    ) -> web.Response:
        """Do commands at once or in the background, and answer."""
        order = groups or [list(range(len(commands)))]
        if in_background(request):
            return self.begin(request, data, commands, whole=whole, order=order)
        outcomes = data.records.run(commands, atomic=whole, groups=order)
        if self.has("errors-last") and len(outcomes) >= 10 and not whole:
            outcomes.sort(key=failed)
        wrong = [m for outcome in outcomes for m in outcome if m["severity"] == "error"]
        if whole and wrong:
            raise Refused(400, wrong)
        return answer({"messages": [m for outcome in outcomes for m in outcome] + (extra or [])})

    # Background tasks

    def begin(
        self,
        request: web.Request,
        data: Dataset,
        commands: list[Command],
        *,
        whole: bool,
        order: list[list[int]],
    ) -> web.Response:
        """Start a task and tell where it is."""
        task = Task(id=new_id(), steps=[(new_id(), []) for _ in range(1 if whole else len(commands))])
        data.tasks[task.id] = task
        task.running = asyncio.create_task(self.work(data, task, commands, whole=whole, order=order))
        parts = self.pieces(request)
        place = "/".join([*parts[:5], "system", "backgroundtasks", str(task.id)])
        return web.Response(status=202, headers={"OnKey-Request-Id": str(task.id), "OnKey-Request-Location": place})

    async def work(
        self, data: Dataset, task: Task, commands: list[Command], *, whole: bool, order: list[list[int]]
    ) -> None:
        """Run a task to its end."""
        await asyncio.sleep(QUEUED)
        task.started = now()
        task.move("Executing")
        await asyncio.sleep(EXECUTING + PER_RECORD * len(commands))
        before = dict(data.records.all) if self.has("late-cancel") else {}
        outcomes = data.records.run(commands, atomic=whole, groups=order)
        wrong = [m for outcome in outcomes for m in outcome if m["severity"] == "error"]
        told = [wrong or [m for outcome in outcomes for m in outcome]] if whole else outcomes
        task.steps = [(id_, messages) for (id_, _), messages in zip(task.steps, told, strict=True)]
        task.completed = now()
        task.undo = [(id_, before.get(id_)) for id_ in data.records.all.keys() | before.keys()] if before else []
        task.undo = [(id_, old) for id_, old in task.undo if data.records.all.get(id_) != old]
        task.move("Completed")

    def shown_task(self, task: Task) -> dict[str, Any]:
        """Show a task as an entity."""
        done = task.status == "Completed"
        steps = [s for s in task.steps if not (self.has("steps-uncounted") and failed(s[1]))]
        properties = {
            "status": task.status,
            "isValid": not any(failed(messages) for _, messages in task.steps),
            "createdOn": task.created,
            "startedOn": task.started,
            "completedOn": task.completed if done else None,
            "stepCount": len(task.steps),
            "completedStepCount": len(steps) if done else 0,
        }
        return {"class": "BackgroundTask", "id": task.id, "version": task.version, "properties": properties}

    def task(self, data: Dataset, text: str) -> Task:
        """Find a task."""
        if (found := data.tasks.get(path_id(text))) is None:
            raise unknown("BackgroundTask", path_id(text))
        return found

    async def read_task(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Show where a task stands."""
        del request
        return answer(self.shown_task(self.task(data, id_)), ENTITY)

    async def list_steps(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Show the steps of a task."""
        del request
        task = self.task(data, id_)
        steps = [
            {
                "class": "BackgroundTaskStep",
                "id": step,
                "version": 2 if messages else 1,
                "properties": {"isValid": not failed(messages), "messages": messages},
            }
            for step, messages in task.steps
        ]
        if self.has("task-restarts") and task.status == "Completed":
            task.status = "Executing"
        return answer(steps, ENTITIES)

    async def cancel_task(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Cancel a task, unless it has completed."""
        del request
        task = self.task(data, id_)
        if task.status == "Completed":
            for record, old in task.undo:
                data.records.put(record, old)
            task.undo.clear()
            data.records.undo.clear()
            raise Refused(409, [malformed("The task has completed", "id")])
        if task.running and task.status != "Cancelled":
            task.running.cancel()
            task.move("Cancelled")
        return answer(self.shown_task(task), ENTITY)

    # Single records

    async def create(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Create one record."""
        atomic(request)
        commands = requests.single(type_, await body(request, "entity"), "create", None)
        reply = self.execute(request, data, commands, whole=True)
        if reply.status == 200:
            id_ = json.loads(reply.body)["messages"][0]["objectId"]  # type: ignore[arg-type]  # it is bytes: answer() made it
            place = "/".join([*self.pieces(request)[:7], id_])
            reply.set_status(201)
            reply.headers.update({"OnKey-Resource-Id": id_, "OnKey-Resource-Location": place})
        return reply

    def found(self, data: Dataset, type_: Type, text: str) -> Record:
        """Find a record."""
        record = data.records.all.get(path_id(text))
        if record is None and self.has("ids-of-32-bits"):
            record = next((one for id_, one in data.records.all.items() if id_ % 2**32 == path_id(text) % 2**32), None)
        if record is None or record.type is not type_:
            raise unknown(type_.name, path_id(text))
        return record

    async def update(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Change one record."""
        atomic(request)
        record = self.found(data, type_, id_)
        commands = requests.single(type_, await body(request, "entitypatch"), "update", record.id)
        return self.execute(request, data, commands, whole=True)

    async def delete(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Delete one record."""
        atomic(request)
        record = self.found(data, type_, id_)
        commands = requests.single(type_, await body(request, "entitydelete"), "delete", record.id)
        return self.execute(request, data, commands, whole=True)

    async def read(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Show one record."""
        show = self.shower(request)
        return answer(show(self.found(data, type_, id_)), ENTITY)

    async def batch_get(self, request: web.Request, data: Dataset, type_: Type, ids: str) -> web.Response:
        """Show many records."""
        show = self.shower(request)
        found = [data.records.all.get(path_id(text)) for text in ids.split(",")]
        return answer([show(record) for record in found if record and record.type is type_], ENTITIES)

    async def list_records(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Show a window of records."""
        show, query, records = self.shower(request), request.query, data.records
        default = 10 if self.has("top-default-ten") else 50
        top, skip = window(request, "$top", default, 1000), window(request, "$skip", 0, 2**63)
        if self.has("top-zero-all"):
            top = top or default
        rows = [record for record in records.all.values() if record.type is type_]
        if self.has("skip-unsorted"):
            rows, skip = rows[skip:], 0
        rows.sort(key=lambda record: record.id)
        if "$filter" in query:
            if self.has("filter-late"):
                rows, skip = rows[skip : skip + top], 0
            tests = okql.conditions(records, type_, query["$filter"], self.has)
            rows = [record for record in rows if okql.fits(record, tests, self.has)]
        if "$orderby" in query:
            rows = okql.ordered(records, type_, query["$orderby"], rows, self.has)
        shown = [show(record) for record in rows[skip : skip + top]]
        if "$select" in query:
            members = okql.selected(records, type_, query["$select"])
            for entity, record in zip(shown, rows[skip : skip + top], strict=True):
                entity["properties"] = {name: row(record) for name, row in members.items()}
        return answer(shown, ENTITIES)

    def shower(self, request: web.Request) -> Callable[[Record], dict[str, Any]]:
        """Make what shows a record, with links or without."""
        links = word(request, "includeHypermedia", {"": True, "true": True, "false": False}, default=False)
        start = "/".join([*self.pieces(request)[:5]])

        def show(record: Record) -> dict[str, Any]:
            stamps = {"createdOn": record.created, "modifiedOn": record.modified}
            entity = {
                "class": record.type.name,
                "id": record.id,
                "version": record.version,
                "properties": {**record.values, **stamps},
            }
            return {**entity, "links": linked(start, record)} if links else entity

        return show

    async def fetch_token(self, request: web.Request) -> web.Response:
        """Hand out a token."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise Refused(415, [malformed("Send a form", "Content-Type")])
        form = parse_qs((await request.read()).decode(errors="replace"), keep_blank_values=True)
        missing = [name for name in ("grant_type", "client_id", "client_secret") if name not in form]
        if missing or form["grant_type"][0] != "client_credentials":
            where = missing[0] if missing else "grant_type"
            raise Refused(400, [malformed(f"{where} is missing or wrong", f"/{where}")])
        if (form["client_id"][0], form["client_secret"][0]) != ("sandbox", "sandbox"):
            raise Refused(401, [malformed("Id or secret is wrong", "")], {"WWW-Authenticate": "Bearer"})
        token = {"access_token": secrets.token_hex(12), "token_type": "Bearer", "expires_in": 7200}
        return answer(token, "application/json")

    # Routing

    def pieces(self, request: web.Request) -> list[str]:
        """Give the pieces of the path behind the mount."""
        path = request.rel_url.raw_path
        if not path.lower().startswith(f"{self.mount.lower()}/"):
            return []
        return [unquote(piece) for piece in path[len(self.mount) :].split("/")[1:]]

    def routes(self, parts: list[str]) -> dict[str, Any] | None:
        """Give the methods of a path, or None where there is no such path."""
        lower = [part.lower() for part in parts]
        if lower == ["connect", "token"]:
            return {"POST": (self.fetch_token,)}
        if len(lower) < 7 or lower[:2] != ["api", "tenants"] or lower[4] != "modules" or not all(lower):
            return None
        data = self.datasets.setdefault((lower[2], lower[3]), Dataset(Records(self.has)))
        if lower[5] == "system":
            return self.system_routes(data, lower[6:])
        type_ = next((t for t in TYPES.values() if [t.module, t.plural] == lower[5:7]), None)
        return self.record_routes(data, type_, lower[7:]) if type_ else None

    def system_routes(self, data: Dataset, rest: list[str]) -> dict[str, Any] | None:
        """Give the methods of a path that is about no resource."""
        match rest:
            case ["imports"]:
                return dict.fromkeys(("POST", "PATCH"), (self.do_import, data))
            case ["backgroundtasks", id_]:
                return {"GET": (self.read_task, data, id_), "DELETE": (self.cancel_task, data, id_)}
            case ["backgroundtasks", id_, "steps"]:
                return {"GET": (self.list_steps, data, id_)}
        return None

    def record_routes(self, data: Dataset, type_: Type, rest: list[str]) -> dict[str, Any] | None:
        """Give the methods of a path below a resource."""
        calls: dict[str, Any] | None = None
        match rest:
            case []:
                calls = {"GET": self.list_records, "POST": self.create}
            case ["batch"]:
                calls = {"POST": self.batch_create, "PATCH": self.batch_update, "DELETE": self.batch_delete}
            case ["batch", _]:
                calls = {"GET": self.batch_get}
            case ["matchbatch"]:
                matching = any(its.match for its in type_.properties.values())
                calls = {"PATCH": self.match_update} if matching else None
            case [_]:
                calls = {"GET": self.read, "PATCH": self.update, "DELETE": self.delete}
        arguments = rest[-1:] if rest and rest[-1] not in ("batch", "matchbatch") else []
        return calls and {method: (call, data, type_, *arguments) for method, call in calls.items()}

    async def call(self, request: web.Request) -> web.Response:
        """Find the call that a request makes, and make it."""
        methods = self.routes(self.pieces(request))
        if methods is None:
            raise Refused(404, [malformed("There is no such path", "")])
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            allowed = {"Allow": ", ".join(methods)}
            raise Refused(405, [malformed("The path does not have this method", "")], allowed)
        function, *arguments = methods[method]
        reply: web.Response = await function(request, *arguments)
        return reply

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request, refusals included."""
        try:
            reply = await self.call(request)
        except Refused as refused:
            reply = answer({"messages": refused.messages}, status=refused.status, **refused.headers)
        reply.headers["OnKey-Trace-Context"] = f"{secrets.token_hex(8)}_{secrets.token_hex(4)}"
        return reply


async def serve(server: OnKey, port: int) -> None:
    """Serve on loopback until the process ends, and print the address."""
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}{server.mount}", flush=True)  # noqa: T201 - the starter reads it
    await asyncio.Event().wait()


def main() -> None:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mount", default="/onkey")
    parser.add_argument("--bug", default="", choices=["", *BUGS])
    options = parser.parse_args()
    asyncio.run(serve(OnKey(options.mount, options.bug), options.port))


if __name__ == "__main__":
    main()

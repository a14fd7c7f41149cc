"""An On Key server in memory and real time, written from the vendor's page and the contract alone.

Without `--bug` it is meant to be right; with it, it makes the one mistake of `BUGS` or `PATCHES`, or differs as
`VARIANTS` say in what nobody has said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, unquote

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_patches import PATCHES
from onkey_records import Records
from onkey_types import MALFORMED, TYPES, Command, Message, Record, Refused, Type, malformed, message, now
from onkey_variants import VARIANTS
from onkey_web import (
    ENTITIES,
    ENTITY,
    Dataset,
    Done,
    Task,
    answer,
    atomic,
    body,
    completed,
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
    "ids-as-floats": "Ids of batches are numbers of 24 bits, times a power of two.",
    "ten-failures": "From the eleventh on, the failures of a request are told as successes.",
    "groups-of-eight": "In groups of more than eight records the ninth runs first.",
    "many-groups": "From the fourth group on, groups run in the order of the request.",
    "tenth-version": "Every tenth change of a data set leaves the version where it was.",
    "batch-of-100": "A batch of exactly 100 records leaves out the last.",
    "first-fault": "A record that has several faults gets a message for the first of them only.",
    "first-record": "A request that fails as a whole tells the first failing record only.",
    "property-of-first": "All messages of a record name the properties of its first fault.",
    "no-properties": "The message of a reference that is not there names no property.",
    "mode-codes": "In PerRecord a reference that is not there is told as a wrong type.",
    "task-codes": "A task tells an empty value as AllOrNone does, also in PerRecord.",
    "single-codes": "A single update tells a text that is too long as a wrong type.",
    "good-blamed": "When a request fails as a whole, the record behind a failing one is told as failed too.",
    "length-of-bytes": "The text of a wrong length counts bytes.",
    "limits-swapped": "The text of a wrong length names the limits the wrong way round.",
    "version-of-sender": "The text of a stale version names the sent version as the current one.",
    "value-of-first": "The text of a value in use names the first such value of the request.",
    "pointer-of-next": "The pointers of a refused request name the element behind the wrong one.",
    "steps-fall": "The count of completed steps is above 0 while a task is executing, and falls.",
    "valid-though-failed": "A task stays valid when steps of it have failed.",
    "step-valid": "A step stays valid when its messages tell of an error.",
    "one-step-more": "A task counts one step more than it lists.",
    "ended-before-start": "A task has completed before it was started.",
    "created-moves": "The time at which a task was created is that of the call.",
    "completed-moves": "The time at which a task completed moves with each call.",
    "cancel-ignored": "A task that is told as cancelled is carried out all the same.",
    "cancelled-messages": "The steps of a cancelled task tell of success.",
    "cancel-undone-late": "A task that was cancelled is told as completed from the third call on.",
    "task-anywhere": "A task is found at every connection.",
    "steps-of-next": "Two tasks that wait together have each other's steps.",
    "unknown-steps": "The steps of a task that never was are an empty list.",
    "looked-up-at-post": "References are resolved when a task is made, not when it runs.",
    "version-at-post": "Versions are compared with those that records had when the task was made.",
    "messages-early": "The steps of a task tell of success while it is executing.",
    "steps-once": "The messages of a task's steps are told once.",
    "steps-fade": "A second after its end a task's failed steps are gone.",
    "steps-shared": "The steps of a task are shown whatever the data set.",
    "cancels-any": "A task can be cancelled from another data set.",
    "reads-any-set": "What a data set does not have is read from the others.",
    "reads-any-type": "A record is read under every resource.",
    "deletes-any-set": "A batch delete removes records of other data sets.",
    "updates-any-type": "A batch update changes records of other resources.",
    "updates-any-set": "An update of one record changes that of another data set.",
    "reference-any-set": "A reference may name a record of another data set.",
    "codes-shared": "A code that is in use in one data set is refused in the others.",
    "tells-of-others": "A record of another data set is refused with 403.",
    "lists-every-set": "A list shows the records of every data set.",
    "set-by-client": "Connections of one client share their records.",
    "comments": "Comments in JSON are passed over.",
    "single-quotes": "Texts in single quotes are read.",
    "unquoted-names": "Names without quotes are read.",
    "any-vendor-type": "Every content type of the vendor is taken for every request.",
    "any-media-type": "The content type of a body is not looked at.",
    "exact-media-type": "A content type with a charset is refused.",
    "case-of-media-type": "A content type in capitals is refused.",
    "cut-off-applied": "Of a batch that is cut off, the records before the cut are created, and 400 is answered.",
    "closed-for-you": "A batch that is cut off is completed and done.",
    "empty-is-done": "An empty body is answered with success.",
    "type-crash": "A body that is no list breaks the server.",
    "bad-bytes-crash": "Bytes that are no UTF-8 break the server.",
    "words-in-any-case": "The words of query parameters are read without regard to case.",
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

    async def body(self, request: web.Request, *kinds: str) -> Any:
        """Read a body that has one of some content types."""
        if self.has("empty-is-done") and not await request.read():
            raise Done
        return await body(request, *kinds, has=self.has)

    def word(self, request: web.Request, name: str, words: dict[str, Any], default: Any) -> Any:
        """Read a parameter that is one of some words."""
        return word(request, name, words, default, has=self.has)

    # Bulk requests

    async def batch_create(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Create many records."""
        mode = atomic(request)
        try:
            raw = await self.body(request, "entitycollection")
        except Refused:
            if self.has("cut-off-applied") and (half := completed(await request.read())):
                data.records.run(requests.creations(type_, half, LIMIT), atomic=False, groups=[list(range(len(half)))])
            raise
        commands = requests.creations(type_, raw, LIMIT)
        return self.execute(request, data, commands, whole=mode)

    async def batch_update(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Update many records."""
        mode = atomic(request)
        raw = await self.body(request, "entitypatchcollection", "entitycollection")
        return self.execute(request, data, requests.changes(type_, raw, LIMIT, "update"), whole=mode)

    async def batch_delete(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Delete many records."""
        mode = atomic(request)
        raw = await self.body(request, "entitydeletecollection")
        return self.execute(request, data, requests.changes(type_, raw, LIMIT, "delete"), whole=mode)

    async def match_update(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Set the same properties on many records."""
        mode = atomic(request)
        raw = await self.body(request, "entitymatchupdatecollection")
        return self.execute(request, data, requests.matches(type_, raw, LIMIT), whole=mode)

    async def do_import(self, request: web.Request, data: Dataset) -> web.Response:
        """Import records of several kinds."""
        mode, ordered = atomic(request), self.word(request, "ordered", {"true": True, "false": False}, None)
        commands = requests.imports(await self.body(request, "entityimportcollection"), LIMIT)
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
        if in_background(request, self.has):
            return self.begin(request, data, commands, whole=whole, order=order)
        outcomes = data.records.run(commands, atomic=whole, groups=order)
        if self.has("errors-last") and len(outcomes) >= 10 and not whole:
            outcomes.sort(key=failed)
        wrong = [m for outcome in outcomes for m in outcome if m["severity"] == "error"]
        if whole and wrong:
            raise Refused(400, self.told(outcomes))
        return answer({"messages": [m for outcome in outcomes for m in outcome] + (extra or [])})

    def told(self, outcomes: list[list[Message]]) -> list[Message]:
        """Give the messages of a request that failed as a whole."""
        if self.has("first-record"):
            return next(outcome for outcome in outcomes if failed(outcome))
        for before, one in pairwise(outcomes):
            if self.has("good-blamed") and failed(before) and not failed(one):
                cause = {name: before[0][name] for name in ("code", "message", "severity")}
                one[0] = {n: v for n, v in one[0].items() if n != "objectId" or "userObjectId" not in one[0]} | cause
                break
        return [m for outcome in outcomes for m in outcome if m["severity"] == "error"]

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
        records = data.records
        ids = [command.target if isinstance(command.target, int) else -1 for command in commands]
        seen = [records.all[id_].version if id_ in records.all else None for id_ in ids]
        commands = [replace(c, background=True, seen=v) for c, v in zip(commands, seen, strict=True)]
        if self.has("looked-up-at-post"):
            commands = [replace(command, resolved=records.resolved(command)) for command in commands]
        waiting = [one for one in data.tasks.values() if one is not task and one.status in ("Queued", "Executing")]
        if waiting and self.has("steps-of-next") and waiting[-1].twin is None:
            task.twin, waiting[-1].twin = waiting[-1], task
        task.running = asyncio.create_task(self.work(data, task, commands, whole=whole, order=order))
        parts = self.pieces(request)
        place = "/".join([*parts[:5], "system", "backgroundtasks", str(task.id)])
        return web.Response(status=202, headers={"OnKey-Request-Id": str(task.id), "OnKey-Request-Location": place})

    async def work(
        self, data: Dataset, task: Task, commands: list[Command], *, whole: bool, order: list[list[int]]
    ) -> None:
        """Run a task to its end."""
        await asyncio.sleep(QUEUED)
        if task.status != "Cancelled":
            task.started = now()
            task.move("Executing")
        await asyncio.sleep(EXECUTING + PER_RECORD * len(commands))
        before = dict(data.records.all) if self.has("late-cancel") else {}
        outcomes = data.records.run(commands, atomic=whole, groups=order)
        wrong = [m for outcome in outcomes for m in outcome if m["severity"] == "error"]
        told = [wrong or [m for outcome in outcomes for m in outcome]] if whole else outcomes
        task.steps = [(id_, messages) for (id_, _), messages in zip(task.steps, told, strict=True)]
        task.completed, task.ended = now(), time.monotonic()
        if self.has("ended-before-start"):
            task.completed = task.created
        task.undo = [(id_, before.get(id_)) for id_ in data.records.all.keys() | before.keys()] if before else []
        task.undo = [(id_, old) for id_, old in task.undo if data.records.all.get(id_) != old]
        if task.status != "Cancelled":
            task.move("Completed")

    def shown_task(self, task: Task) -> dict[str, Any]:
        """Show a task as an entity."""
        done = task.status == "Completed"
        steps = [s for s in task.steps if not (self.has("steps-uncounted") and failed(s[1]))]
        valid = self.has("valid-though-failed") or not any(failed(messages) for _, messages in task.steps)
        completed, count = task.completed if done else None, len(steps) if done else 0
        if done and self.has("completed-moves"):
            completed = now()
        if self.has("steps-fall") and task.status == "Executing":
            task.polls += 1
            count = max(0, len(steps) + 1 - task.polls)
        properties = {
            "status": task.status,
            "isValid": valid,
            "createdOn": min(now(), task.started or now()) if self.has("created-moves") else task.created,
            "startedOn": task.started,
            "completedOn": completed,
            "stepCount": len(task.steps) + (1 if self.has("one-step-more") else 0),
            "completedStepCount": count + (1 if done and self.has("one-step-more") else 0),
        }
        return {"class": "BackgroundTask", "id": task.id, "version": task.version, "properties": properties}

    def task(self, data: Dataset, text: str, how: str) -> Task:
        """Find a task."""
        found = data.tasks.get(path_id(text))
        shared = {"GET": "task-anywhere", "STEPS": "steps-shared", "DELETE": "cancels-any"}[how]
        if found is None and (self.has("task-anywhere") or self.has(shared)):
            found = next((d.tasks[path_id(text)] for d in self.datasets.values() if path_id(text) in d.tasks), None)
        if found is not None and found.status == "Cancelled" and self.has("cancel-undone-late"):
            found.polls += 1
            if found.polls > 2:
                found.started, found.completed, found.status = found.started or now(), now(), "Completed"
        if found is None:
            raise unknown("BackgroundTask", path_id(text))
        return found

    async def read_task(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Show where a task stands."""
        del request
        return answer(self.shown_task(self.task(data, id_, "GET")), ENTITY)

    async def list_steps(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Show the steps of a task."""
        del request
        if self.has("unknown-steps") and path_id(id_) not in data.tasks:
            return answer([], ENTITIES)
        task = self.task(data, id_, "STEPS")
        shown = self.steps(task)
        steps = [
            {
                "class": "BackgroundTaskStep",
                "id": step,
                "version": 2 if messages else 1,
                "properties": {"isValid": not failed(messages) or self.has("step-valid"), "messages": messages},
            }
            for step, messages in shown
        ]
        if self.has("task-restarts") and task.status == "Completed":
            task.status = "Executing"
        return answer(steps, ENTITIES)

    def steps(self, task: Task) -> list[tuple[int, list[Message]]]:
        """Give the steps of a task as they are told."""
        shown = list(task.steps)
        early = task.status == "Executing" and self.has("messages-early")
        if early or (task.status == "Cancelled" and self.has("cancelled-messages")):
            done = message("Core_Data_RecordUpdated", "Record successfully updated", "information")
            shown = [(step, [done]) for step, _ in shown]
        if task.status != "Completed":
            return shown
        if task.twin is not None and len(task.twin.steps) == len(shown):
            shown = list(task.twin.steps)
        if self.has("steps-once"):
            task.steps = [(step, []) for step, _ in task.steps]
        if self.has("steps-fade") and time.monotonic() - task.ended > 1:
            shown = [(step, [] if failed(messages) else messages) for step, messages in shown]
        return shown

    async def cancel_task(self, request: web.Request, data: Dataset, id_: str) -> web.Response:
        """Cancel a task, unless it has completed."""
        del request
        task = self.task(data, id_, "DELETE")
        if task.status == "Completed":
            for record, old in task.undo:
                data.records.put(record, old)
            task.undo.clear()
            data.records.undo.clear()
            raise Refused(409, [malformed("The task has completed", "id")])
        if task.running and task.status != "Cancelled":
            if not self.has("cancel-ignored"):
                task.running.cancel()
            task.move("Cancelled")
        return answer(self.shown_task(task), ENTITY)

    # Single records

    async def create(self, request: web.Request, data: Dataset, type_: Type) -> web.Response:
        """Create one record."""
        atomic(request)
        commands = requests.single(type_, await self.body(request, "entity"), "create", None)
        reply = self.execute(request, data, commands, whole=True)
        if reply.status == 200:
            id_ = json.loads(reply.body)["messages"][0]["objectId"]  # type: ignore[arg-type]  # it is bytes: answer() made it
            place = "/".join([*self.pieces(request)[:7], id_])
            reply.set_status(201)
            reply.headers.update({"OnKey-Resource-Id": id_, "OnKey-Resource-Location": place})
        return reply

    def found(self, data: Dataset, type_: Type, text: str, *, reads: bool = False) -> Record:
        """Find a record."""
        record = data.records.all.get(path_id(text))
        if record is None and self.has("ids-of-32-bits"):
            record = next((one for id_, one in data.records.all.items() if id_ % 2**32 == path_id(text) % 2**32), None)
        others = [d.records.all[path_id(text)] for d in self.datasets.values() if path_id(text) in d.records.all]
        if record is None and others and self.has("tells-of-others"):
            raise Refused(403, [malformed("You may not see this record", "id")])
        if record is None and others and (self.has("reads-any-set" if reads else "updates-any-set")):
            record = others[0]
        if reads and record and self.has("reads-any-type"):
            return record
        if record is None or record.type is not type_:
            raise unknown(type_.name, path_id(text))
        return record

    async def update(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Change one record."""
        atomic(request)
        record = self.found(data, type_, id_)
        if record.id not in data.records.all:
            data = next(one for one in self.datasets.values() if record.id in one.records.all)
        commands = requests.single(type_, await self.body(request, "entitypatch"), "update", record.id)
        return self.execute(request, data, commands, whole=True)

    async def delete(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Delete one record."""
        atomic(request)
        record = self.found(data, type_, id_)
        commands = requests.single(type_, await self.body(request, "entitydelete"), "delete", record.id)
        return self.execute(request, data, commands, whole=True)

    async def read(self, request: web.Request, data: Dataset, type_: Type, id_: str) -> web.Response:
        """Show one record."""
        show = self.shower(request)
        return answer(show(self.found(data, type_, id_, reads=True)), ENTITY)

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
        every = self.datasets.values() if self.has("lists-every-set") else [data]
        rows = [record for one in every for record in one.records.all.values() if record.type is type_]
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
        links = self.word(request, "includeHypermedia", {"": True, "true": True, "false": False}, default=False)
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

    def refused(self, messages: list[Message]) -> list[Message]:
        """Give the messages of a refused call."""
        if not messages or messages[0]["code"] != MALFORMED:
            return messages
        for one in messages if self.has("pointer-of-next") else []:
            one["pointer"] = re.sub(r"^(/records)?/(\d+)", lambda m: f"{m[1] or ''}/{int(m[2]) + 1}", one["pointer"])
        return messages

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
        name = (lower[2], "" if self.has("set-by-client") else lower[3])
        if name not in self.datasets:
            others = [one.records for one in self.datasets.values()]
            self.datasets[name] = Dataset(Records(self.has, others))
            for one in others:
                one.others.append(self.datasets[name].records)
        data = self.datasets[name]
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
        except Done:
            reply = answer({"messages": []})
        except Refused as refused:
            refused.messages = self.refused(refused.messages)
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
    parser.add_argument("--bug", default="", choices=["", *BUGS, *PATCHES, *VARIANTS])
    options = parser.parse_args()
    server = OnKey(options.mount, options.bug)
    if options.bug in PATCHES | VARIANTS:
        (PATCHES | VARIANTS)[options.bug](server)
    asyncio.run(serve(server, options.port))


if __name__ == "__main__":
    main()

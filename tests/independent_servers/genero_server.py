"""A Genero server in memory and real time, written from the vendor's pages and the contract alone.

Without `--bug` it is meant to be right; with it, it makes the one mistake of `BUGS` or `PATCHES`, or differs as
`VARIANTS` say in what nobody has said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
import uuid
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs, unquote

from aiohttp import web
from genero_jobs import TENANTS, Job, Jobs
from genero_patches import PATCHES
from genero_rules import (
    KINDS,
    LENIENT,
    Item,
    Problem,
    item_faults,
    leniently,
    list_faults,
    parsed,
    posted_keys,
    refusal,
    salvaged,
    tenant_faults,
    whole,
)
from genero_variants import VARIANTS

BUGS = {
    "carried-count": "A job's processed count begins at the number of failed items of the tenant's job before it.",
    "remembered-keys": "A denied batch leaves its keys behind, and the next batch that has one of them is denied.",
    "limit": "A batch of 5000 items is denied.",
    "revive-bare": "An entity that a batch revives keeps its name only, and loses its other fields.",
    "touch-revives": "A batch that changes a deleted entity without a word on `deleted` brings it back.",
    "fanout-replaces": "A batch for several tenants clears the optional fields that it does not have.",
    "fanout-empty": "The tenants that are named behind an unknown one get a job that does nothing.",
    "error-shifted": "Behind a deletion that had nothing to delete, errors stand under the key of the item before.",
    "shared-errors": "A tenant's finished jobs of one kind all show the errors of the last one.",
    "status-flips": "From the third poll after its end on, a job is in progress again.",
    "late-errors": "The first poll after the end tells no errors, later ones do.",
    "trimmed": "Batches store texts without the blanks around them, PUT with them.",
    "missing-cached": "What a batch once did not find stays missing for that tenant's later batches.",
    "deleted-reference": "Batches may refer to what a DELETE call deleted.",
    "folded-delete": "A batch that deletes a key deletes those that differ from it in case, too.",
    "default-again": "A batch that changes a customer without a word on `prio` sets it back to N.",
    "half-applied": "A failed item still gives an existing entity its name.",
    "stops-at-two": "A job leaves out what stands behind its second failing item.",
    "shared-record": "Entities that one call creates at several tenants are one object, and change together.",
    "page-of-deleted": "The pages of a list pass over deleted entities as if they were shown.",
    "total-of-page": "The total is the number of entities on the page.",
    "total-with-deleted": "The total counts deleted entities.",
    "default-of-fifty": "A list that is asked for no number shows fifty entities.",
    "largest-page-short": "A page of more than 500 entities ends after 500.",
    "skip-in-pages": "A page begins at a multiple of its size.",
    "page-overlaps": "Each page but the first begins with the last entity of the page before.",
    "order-of-arrival": "A list is in the order in which entities were first stored.",
    "order-folded": "A list is in the order of keys without regard to case.",
    "list-cached": "Lists show the texts that entities had when they were first listed.",
    "list-keeps-deleted": "Entities that a batch deletes stay in the list.",
    "revived-unlisted": "An entity that a batch revives is read, and not listed.",
    "tenth-bare": "Every tenth entity that batches create keeps its name only.",
    "twin-of-64": "The 65th item of a batch gets the name of the 64th.",
    "thousandth-lost": "The 1000th item of a batch is done and not stored.",
    "power-of-two": "The last item of a batch of 64, 128, 256 and so on is done and not stored.",
    "ten-errors": "A job tells ten errors at most.",
    "first-bad-item": "A denial tells the faults of the first bad item only.",
    "one-fault-an-item": "A denial tells one fault of an item that has several.",
    "bare-pointers": "The pointers of a denial leave out `/data`.",
    "pointers-from-one": "The pointers of a denial count items from 1.",
    "total-of-groups": "The total of a denial counts the groups that it lists.",
    "group-of-one": "A denial says that each of its groups has one item.",
    "rule-of-first": "All groups of a denial have the rule of the first one.",
    "first-reference": "The error of an item tells the first of its missing references only.",
    "names-referrer": "The error of a missing reference names the item that refers, not what is missing.",
    "wrong-word": "The error of a missing reference has the word of the item's kind.",
    "good-blamed": "Behind the third failed item of a job, the next good one is listed with its error, and done.",
    "progress-falls": "While a job is in progress, its processed count begins high and falls.",
    "errors-fade": "A second after its end a job tells no errors any more.",
    "errors-by-next": "The end of a tenant's next job takes away the errors of the one before.",
    "any-kind": "A job is found under the path of every kind.",
    "any-tenant": "A job is found at every tenant of the client.",
    "looked-up-at-post": "References are looked up when a batch is posted, not when its job runs.",
    "merged-at-post": "Entities are read when a batch is posted; what changes until its job runs is lost.",
    "swapped-jobs": "Of two jobs of a tenant that wait together each gets the other's id.",
    "head-start": "The first item of a batch is applied when it is posted.",
    "done-early": "A job says that it is completed a moment before its last item is applied.",
    "unknown-job": "A job that never was is told as completed.",
    "one-id": "A batch for several tenants gives them the id of the first one's job.",
    "posted-shrinks": "The posted count of a finished job leaves out the items that failed.",
    "reads-any-tenant": "What a tenant does not have is read from the others.",
    "reads-any-kind": "An entity is read under another kind, if that has none with the key.",
    "lists-every-tenant": "A list shows the entities of every tenant.",
    "deletes-any-tenant": "DELETE marks what the other tenants have under the key, too.",
    "batch-any-tenant": "A batch that deletes a key deletes it at the other tenants, too.",
    "reference-any-tenant": "Batches may refer to what another tenant has.",
    "tells-of-others": "What another tenant has is said to belong to it.",
    "agency-ignored": "A client may name any tenant that exists.",
    "fanout-any-tenant": "A batch for several tenants reaches those outside the client's agency.",
    "fanout-tells": "A tenant outside the client's agency is refused in other words than an unknown one.",
    "any-token": "A token that is not known counts as none.",
    "fetches-uncounted": "Tokens may be fetched without end.",
    "wrong-challenge": "The refusal of a token asks for a password.",
    "trailing-comma": "A comma before a closing bracket is passed over.",
    "first-value": "What stands behind the first JSON value of a body is not looked at.",
    "constants": "NaN and Infinity are read as numbers.",
    "replaced-bytes": "Bytes that are no UTF-8 are replaced.",
    "any-media-type": "The content type of a body is not looked at.",
    "exact-media-type": "A content type with a charset is refused.",
    "crashes-on-syntax": "A body that is cut off breaks the server.",
    "crashes-on-depth": "A body that is nested very deep breaks the server.",
    "salvaged": "The entities before a fault in the syntax of a batch are stored, though the batch is denied.",
    "empty-is-object": "An empty body of PUT changes nothing and is answered with the entity.",
    "charset-decoded": "A body is decoded by the charset of its content type.",
}

FREEDOMS = {
    "district-again": "An entity that a batch revives takes the `salesDistrictId` that only new ones take.",
}
"""What a right server may do or not."""
LIMIT = 5000
DAY = 24 * 3600.0
KEEP = 30 * DAY
AGENCIES = {"single": TENANTS[:1], "multi": TENANTS}
FETCHES = ((DAY, 5), (30 * DAY, 150))


class Genero:
    """The whole server: tenants, jobs, tokens, and the bug that it has."""

    def __init__(self, mount: str, bug: str = "") -> None:
        self.mount, self.bug = mount.rstrip("/"), bug
        self.jobs = Jobs(self.has)
        self.tenants = self.jobs.tenants
        self.tokens = {f"sandbox-{client}": client for client in AGENCIES}
        self.fetches: dict[str, list[float]] = defaultdict(list)
        self.remembered: set[str] = set()

    def has(self, bug: str) -> bool:
        """Say whether the server has this bug, or takes this freedom."""
        return bool(BUGS.get(bug) or FREEDOMS[bug]) and self.bug == bug

    # Lists of entities

    def check_list(self, kind: str, items: Any, where: str, more: tuple[tuple[str, str, str], ...] = ()) -> None:
        """Deny a list that cannot become a job."""
        limit = LIMIT - 1 if self.has("limit") else LIMIT
        own = list(list_faults(KINDS[kind], items, limit))
        if self.has("first-bad-item"):
            own = [fault for fault in own if fault[0].split("/")[:2] == own[0][0].split("/")[:2]]
        if self.has("one-fault-an-item"):
            own = list({tuple(fault[0].split("/")[:2]): fault for fault in reversed(own)}.values())[::-1]
        if self.has("pointers-from-one"):
            own = [(re.sub(r"^/(\d+)", lambda m: f"/{int(m[1]) + 1}", at), *fault) for at, *fault in own]
        faults = [*more, *((("" if self.has("bare-pointers") else where) + at, rule, words) for at, rule, words in own)]
        keys = posted_keys(KINDS[kind].key, items)
        if self.has("remembered-keys") and not faults and keys & self.remembered:
            faults = [(f"{where}/0/{KINDS[kind].key}", "uniqueItems", "An entity is in the list twice.")]
            keys = set()
        self.remembered = keys if faults else set()
        if faults:
            raise self.spoiled(refusal(faults))

    def spoiled(self, problem: Problem) -> Problem:
        """Make the mistakes that are made of a whole refusal."""
        errors: list[Item] = problem.body["errors"]
        if self.has("total-of-groups"):
            problem.body["total"] = len(errors)
        for error in errors:
            error["items"] = 1 if self.has("group-of-one") else error["items"]
            error["rule"] = errors[0]["rule"] if self.has("rule-of-first") else error["rule"]
        return problem

    # Calls

    def client(self, request: web.Request) -> str:
        """Find out who calls."""
        sent = request.headers.get("Authorization")
        if sent is None:
            return "multi"
        scheme, _, token = sent.partition(" ")
        if scheme.lower() != "bearer" or token.strip() not in self.tokens:
            if self.has("any-token"):
                return "multi"
            asked = "Basic realm=genero" if self.has("wrong-challenge") else "Bearer"
            raise Problem(401, "This token is not known.", {"WWW-Authenticate": asked})
        return self.tokens[token.strip()]

    def tenant(self, request: web.Request) -> str:
        """Find the tenant that a call is about."""
        agency = AGENCIES[self.client(request)]
        name = request.query.get("generoTenantId", agency[0])
        if name not in (TENANTS if self.has("agency-ignored") else agency):
            raise Problem(404, f"Unable to find tenant by identifier: {name}.")
        return name

    async def body(self, request: web.Request) -> Any:
        """Read a JSON body."""
        sent = request.headers.get("Content-Type", "") if self.has("exact-media-type") else request.content_type
        if sent != "application/json" and not self.has("any-media-type"):
            raise Problem(415, "Send application/json.")
        raw = await request.read()
        return parsed(raw) if self.bug not in LENIENT else leniently(self.bug, raw, request.charset)

    async def fetch_token(self, request: web.Request) -> web.Response:
        """Hand out a token."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise Problem(415, "Send a form.")
        raw = (await request.read()).decode(errors="replace")
        form = {name: values[0] for name, values in parse_qs(raw).items()}
        missing = [name for name in ("grant_type", "client_id", "client_secret") if name not in form]
        if missing:
            raise refusal([("", "required", f"{name} is missing.") for name in missing])
        if form["grant_type"] != "client_credentials":
            raise refusal([("/grant_type", "const", "Only client_credentials is offered.")])
        client = form["client_id"]
        if client not in AGENCIES or form["client_secret"] != "sandbox":
            raise Problem(401, "Client or secret is wrong.", {"WWW-Authenticate": "Bearer"})
        if not self.has("fetches-uncounted"):
            self.count_fetch(client)
        token = uuid.uuid4().hex
        self.tokens[token] = client
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": int(KEEP)})

    def count_fetch(self, client: str) -> None:
        """Hold a client to its quotas of tokens."""
        now, past = time.time(), self.fetches[client]
        for window, most in FETCHES:
            recent = [at for at in past if now - at < window]
            if len(recent) >= most:
                wait = int(recent[-most] + window - now) + 1
                raise Problem(429, "Too many tokens were fetched.", {"Retry-After": str(wait)})
        past.append(now)

    async def post_job(self, request: web.Request, kind: str) -> web.Response:
        """Take a batch for one tenant."""
        tenant = self.tenant(request)
        try:
            body = await self.body(request)
        except Problem as problem:
            if self.has("salvaged") and problem.status == 400:
                self.jobs.enqueue(kind, tenant, salvaged(await request.read(), KINDS[kind].key))
            raise
        if isinstance(body, dict) and "data" not in body:
            raise refusal([("", "required", "data is missing.")])
        items, where = (body["data"], "/data") if isinstance(body, dict) else (body, "")
        self.check_list(kind, items, where)
        return web.json_response({"correlationId": self.jobs.enqueue(kind, tenant, items).id})

    async def post_multi(self, request: web.Request, kind: str) -> web.Response:
        """Take a batch for several tenants."""
        agency, body = AGENCIES[self.client(request)], await self.body(request)
        if not isinstance(body, dict):
            raise refusal([("", "type", "The body has to be an object.")])
        faults = [("", "required", f"{name} is missing.") for name in ("generoTenantIds", "data") if name not in body]
        if faults:
            raise refusal(faults)
        names = body["generoTenantIds"]
        self.check_list(kind, body["data"], "/data", tuple(tenant_faults(names)))
        good: dict[str, str] = {}
        bad: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            if name in agency or (name in TENANTS and self.has("fanout-any-tenant")):
                job = self.jobs.enqueue(kind, name, body["data"], fanned=True)
                job.void, good[name] = bool(bad) and self.has("fanout-empty"), job.id
                if self.has("one-id"):
                    good[name] = next(iter(good.values()))
            else:
                unseen = name in TENANTS and self.has("fanout-tells")
                what = f"No agency for tenant {name}." if unseen else f"Unable to find tenant by identifier: {name}."
                bad[name] = [what]
        return web.json_response({"postedSuccess": good, "postedProblems": bad}, status=207 if bad else 200)

    async def job_status(self, request: web.Request, kind: str, correlation: str) -> web.Response:
        """Answer a poll."""
        agency, tenant = AGENCIES[self.client(request)], self.tenant(request)
        job = self.jobs.all.get(correlation)
        if self.has("unknown-job") and not job:
            job = Job(kind=kind, tenant=tenant, items=[{}], id=correlation, done=True, processed=1, ended=time.time())
        known = job and (job.kind == kind or self.has("any-kind")) and job.tenant in agency
        if not job or not known or (job.done and time.time() - job.ended > KEEP):
            raise Problem(404, "There is no such job.")
        if "generoTenantId" in request.query and job.tenant != tenant and not self.has("any-tenant"):
            raise Problem(404, "There is no such job.")
        return web.json_response(self.jobs.status(job, correlation))

    async def get_entity(self, request: web.Request, kind: str, key: str) -> web.Response:
        """Show one entity."""
        return web.json_response(self.living(request, kind, key))

    def living(self, request: web.Request, kind: str, key: str) -> Item:
        """Find an entity that is not deleted."""
        tenant = self.tenant(request)
        found = self.tenants[tenant].records[kind].get(key)
        others = [] if found else [(t, k, r[key]) for t, k, r in self.shelves() if key in r]
        if self.has("reads-any-tenant"):
            found = next((one for t, k, one in others if k == kind), found)
        if self.has("reads-any-kind"):
            found = next((one for t, k, one in others if t == tenant), found)
        if others and self.has("tells-of-others"):
            raise Problem(404, f"{KINDS[kind].word} id {key} belongs to tenant {others[0][0]}.")
        if found is None or found["deleted"]:
            raise Problem(404, f"{KINDS[kind].word} id {key} is not found in database.")
        return found

    def shelves(self) -> list[tuple[str, str, dict[str, Item]]]:
        """List the entities of every tenant and kind."""
        return [(name, kind, its) for name, tenant in self.tenants.items() for kind, its in tenant.records.items()]

    async def put_entity(self, request: web.Request, kind: str, key: str) -> web.Response:
        """Create, change or delete one entity."""
        tenant = self.tenants[self.tenant(request)]
        if self.has("empty-is-object") and not await request.read():
            return web.json_response({"deleted": False, "name": "-", KINDS[kind].key: key})
        item = await self.body(request)
        faults = list(item_faults(KINDS[kind], item))
        if faults:
            raise refusal(faults)
        if item[KINDS[kind].key] != key:
            raise refusal([(f"/{KINDS[kind].key}", "const", "The key is not that of the path.")])
        if item.get("deleted"):
            self.living(request, kind, key)
        old = tenant.records[kind].get(key)
        if texts := self.jobs.faults(tenant, KINDS[kind], item, old):
            raise Problem(400, " ".join(texts))
        new = tenant.records[kind][key] = self.jobs.merged(KINDS[kind], old, {"deleted": False, **item})
        tenant.unlinked.discard((kind, key))
        if new["deleted"]:
            return web.Response(status=204)
        return web.json_response(new, status=201 if old is None or old["deleted"] else 200)

    async def delete_entity(self, request: web.Request, kind: str, key: str) -> web.Response:
        """Delete one entity."""
        found = self.living(request, kind, key)
        tenant = self.tenants[self.tenant(request)]
        for name, other, records in self.shelves():
            if other == kind and key in records and (self.has("deletes-any-tenant") or name == self.tenant(request)):
                records[key] = {**records[key], "deleted": True}
        tenant.records[kind][key] = {**found, "deleted": True}
        tenant.unlinked.add((kind, key))
        return web.Response(status=204)

    async def list_entities(self, request: web.Request, kind: str) -> web.Response:
        """Show a page of entities."""
        records = self.tenants[self.tenant(request)].records[kind]
        default = 50 if self.has("default-of-fifty") else 100
        skip, take = whole(request, "skip", 0, 0, None), whole(request, "take", default, 1, 1000)
        if self.has("lists-every-tenant"):
            records = {key: one for _, other, its in self.shelves() if other == kind for key, one in its.items()}
        rows, living = self.jobs.rows(kind, records)
        if self.has("page-overlaps") and skip:
            skip -= 1
        if self.has("skip-in-pages"):
            skip -= skip % take
        page = living[skip : skip + (min(take, 500) if self.has("largest-page-short") else take)]
        if self.has("page-of-deleted"):
            page = [row for row in rows[skip : skip + take] if not row["deleted"]]
        total = len(page) if self.has("total-of-page") else len(rows if self.has("total-with-deleted") else living)
        return web.json_response(page, headers={"X-Total-Count": str(total)})

    # Routing

    def routes(self, parts: list[str]) -> dict[str, Any] | None:
        """Give the methods of a path, or None where there is no such path."""
        match parts:
            case ["oauth", "token"]:
                return {"POST": (self.fetch_token,)}
            case ["api", "v1", kind, *rest] if kind in KINDS:
                return self.entity_routes(kind, rest)
        return None

    def entity_routes(self, kind: str, rest: list[str]) -> dict[str, Any] | None:
        """Give the methods of a path below a kind of entity."""
        found: dict[str, Any] | None = None
        match rest:
            case []:
                found = {"GET": (self.list_entities, kind)}
            case ["postJob"]:
                found = {"POST": (self.post_job, kind)}
            case ["multitenant", "postJob"]:
                found = {"POST": (self.post_multi, kind)}
            case ["jobStatus", correlation] if correlation:
                found = {"GET": (self.job_status, kind, correlation)}
            case ["jobStatus" | "multitenant"]:
                found = {}
            case [key] if key:
                calls = {"GET": self.get_entity, "PUT": self.put_entity, "DELETE": self.delete_entity}
                found = {method: (call, kind, key) for method, call in calls.items()}
        return found

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Find the call that a request makes, and make it."""
        path = request.rel_url.raw_path
        inside = path.startswith(f"{self.mount}/")
        methods = self.routes([unquote(part) for part in path.removeprefix(self.mount).split("/")[1:]])
        if not inside or methods is None:
            raise Problem(404, "Nothing is here.")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            raise Problem(405, "This cannot be done here.", {"Allow": ", ".join(methods)})
        call, *arguments = methods[method]
        reply: web.StreamResponse = await call(request, *arguments)
        return reply

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request, refusals included."""
        try:
            return await self.answer(request)
        except Problem as e:
            body = json.dumps(e.body)
            return web.Response(status=e.status, text=body, headers=e.headers, content_type="application/problem+json")

    def application(self) -> web.Application:
        """Build the web application, workers included."""
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self.handle)
        app.on_startup.append(self.start)
        return app

    async def start(self, app: web.Application) -> None:
        """Start a worker for each tenant."""
        workers = [asyncio.create_task(self.jobs.work(tenant)) for tenant in self.tenants.values()]
        app[web.AppKey("workers", list)] = workers


async def serve(server: Genero, port: int) -> None:
    """Serve on loopback until the process ends, and print the address."""
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}{server.mount}", flush=True)  # noqa: T201 - the starter reads it
    await asyncio.Event().wait()


def main() -> None:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mount", default="/genero")
    parser.add_argument("--bug", default="", choices=["", *BUGS, *FREEDOMS, *PATCHES, *VARIANTS])
    options = parser.parse_args()
    server = Genero(options.mount, options.bug)
    if options.bug in PATCHES | VARIANTS:
        (PATCHES | VARIANTS)[options.bug](server)
    asyncio.run(serve(server, options.port))


if __name__ == "__main__":
    main()

"""More bugs of the Genero server, each a patch; begin with `PATCHES`."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlencode

import genero_call_patches
import genero_item_patches
from aiohttp import web
from genero_rules import KINDS, Item, Problem, refusal
from patching import around, by_name


def tenant_sticks(server: Any) -> None:
    """Take the tenant that `multi` named last where a call of it names none."""
    server.last = "publicapitest"

    @around(server, "tenant")
    def tenant(real: Any, request: web.Request) -> str:
        name: str = real(request)
        if server.client(request) != "multi":
            return name
        server.last = name if "generoTenantId" in request.query else server.last
        return str(server.last)


def fetched_is_multi(server: Any) -> None:
    """Let a token that the client `single` fetched act as `multi`."""

    @around(server, "fetch_token")
    async def fetch(real: Any, request: web.Request) -> web.Response:
        reply: web.Response = await real(request)
        server.tokens[json.loads(str(reply.text))["access_token"]] = "multi"
        return reply


def token_folded(server: Any) -> None:
    """Compare tokens without regard to case."""

    class Folded(dict[str, str]):
        def __contains__(self, key: object) -> bool:
            return any(str(key).lower() == own.lower() for own in self)

        def __getitem__(self, key: str) -> str:
            return next(client for own, client in self.items() if own.lower() == key.lower())

    server.tokens = Folded(server.tokens)


def secret_prefix(server: Any) -> None:
    """Take a secret for the right one that begins with it."""

    @around(server, "fetch_token")
    async def fetch(real: Any, request: web.Request) -> web.Response:
        form = parse_qs((await request.read()).decode())
        if "sandbox".startswith(form.get("client_secret", ["-"])[0]):
            body = urlencode({name: values[0] for name, values in form.items()} | {"client_secret": "sandbox"})
            request._read_bytes = body.encode()  # noqa: SLF001 - what `read` gives again
        reply: web.Response = await real(request)
        return reply


def deletion_unchecked(server: Any) -> None:
    """Look up nothing that a deletion refers to."""

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Any, item: Item) -> Any:
        return iter(()) if item.get("deleted") else real(tenant, kind, item)


def problem_twice(server: Any) -> None:
    """Tell the problem of a tenant as often as it is named."""

    @around(server, "post_multi")
    async def post(real: Any, request: web.Request, kind: str) -> web.Response:
        reply: web.Response = await real(request, kind)
        told, names = json.loads(str(reply.text)), json.loads(await request.read())["generoTenantIds"]
        told["postedProblems"] = {name: says * names.count(name) for name, says in told["postedProblems"].items()}
        return web.json_response(told, status=reply.status)


def order_natural(server: Any) -> None:
    """Put numbers in keys in the order of their size, in lists."""

    @around(server.jobs, "rows")
    def rows(real: Any, kind: str, store: dict[str, Item]) -> tuple[list[Item], list[Item]]:
        every, living = real(kind, store)
        key = KINDS[kind].key
        living.sort(key=lambda row: [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", row[key])])
        return every, living


def total_stale(server: Any) -> None:
    """Count the total again behind a batch, and not behind PUT and DELETE."""
    totals: dict[tuple[str, str], str] = {}

    @around(server, "list_entities")
    async def show(real: Any, request: web.Request, kind: str) -> web.Response:
        reply: web.Response = await real(request, kind)
        own = reply.headers["X-Total-Count"]
        reply.headers["X-Total-Count"] = totals.setdefault((server.tenant(request), kind), own)
        return reply

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        totals.clear()


def same_reference_unchecked(server: Any) -> None:
    """Look no reference up that an entity has already."""

    @around(server.jobs, "faults")
    def faults(real: Any, tenant: Any, kind: Any, item: Item, old: Item | None) -> Any:
        same = {name for name in kind.references if old and name in item and old.get(name) == item[name]}
        return real(tenant, kind, {name: value for name, value in item.items() if name not in same}, old)


def flag_as_text(server: Any) -> None:
    """Read the texts true and false in `deleted`."""
    words = {"true": True, "false": False}

    def read(item: Any) -> Any:
        flag = item.get("deleted") if isinstance(item, dict) else None
        return {**item, "deleted": words.get(flag, flag)} if isinstance(flag, str) else item

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        found = await real(request)
        if isinstance(found, dict) and isinstance(found.get("data"), list):
            return {**found, "data": [read(item) for item in found["data"]]}
        return [read(item) for item in found] if isinstance(found, list) else read(found)


def errors_rounded(server: Any) -> None:
    """Tell no errors of less than one percent of the items."""

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        job.errors = {} if len(job.errors) * 100 < len(job.items) else job.errors


def final_thrice(server: Any) -> None:
    """Tell the errors of a finished job three times."""

    @around(server.jobs, "status")
    def status(real: Any, job: Any, asked: str) -> Item:
        job.errors = {} if job.polls > 2 else job.errors
        told: Item = real(job, asked)
        return told


def put_of_deleted_200(server: Any) -> None:
    """Answer 200 to a PUT that revives an entity."""

    @around(server, "put_entity")
    async def put(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        was = key in server.tenants[server.tenant(request)].records[kind]
        reply: web.Response = await real(request, kind, key)
        if reply.status == 201 and was:
            reply.set_status(200)
        return reply


def put_unlisted(server: Any) -> None:
    """Leave an entity out of lists that PUT revives."""
    genero_call_patches.unlisted(server, lambda was: was)


def delete_wipes(server: Any) -> None:
    """Clear all fields but the name of what a DELETE call deletes."""

    @around(server, "delete_entity")
    async def delete(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        reply: web.Response = await real(request, kind, key)
        store = server.tenants[server.tenant(request)].records[kind]
        own = {"name": store[key]["name"], KINDS[kind].key: key}
        store[key] = {**own, **KINDS[kind].defaults, "deleted": True}
        return reply


def references_reversed(server: Any) -> None:
    """Tell the last of an item's faults first."""

    @around(server.jobs, "faults")
    def faults(real: Any, *given: Any) -> Any:
        return list(real(*given))[::-1]


def twenty_groups(server: Any) -> None:
    """List twenty groups of faults at most."""

    @around(server, "spoiled")
    def spoiled(real: Any, problem: Problem) -> Problem:
        found: Problem = real(problem)
        found.body["errors"] = found.body["errors"][:20]
        return found


def twenty_errors(server: Any) -> None:
    """Tell the errors of twenty items of a job at most."""

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        job.errors = dict(list(job.errors.items())[:20])


def twice_folded(server: Any) -> None:
    """Deny a batch with two keys that differ in case alone."""

    @around(server, "check_list")
    def check_list(real: Any, kind: str, items: Any, where: str, *given: Any) -> None:
        real(kind, items, where, *given)
        keys = [item[KINDS[kind].key] for item in items]
        if len({key.lower() for key in keys}) < len(keys):
            raise refusal([(f"{where}/1/{KINDS[kind].key}", "uniqueItems", "An entity is in the list twice.")])


def one_token(server: Any) -> None:
    """Forget the tokens of a client when it fetches another one."""
    fixed = set(server.tokens)

    @around(server, "fetch_token")
    async def fetch(real: Any, request: web.Request) -> web.Response:
        before = set(server.tokens) - fixed
        reply: web.Response = await real(request)
        server.tokens = {token: client for token, client in server.tokens.items() if token not in before}
        return reply


def order_of_utf16(server: Any) -> None:
    """Put keys in the order of their UTF-16 code units, in lists."""

    @around(server.jobs, "rows")
    def rows(real: Any, kind: str, store: dict[str, Item]) -> tuple[list[Item], list[Item]]:
        every, living = real(kind, store)
        living.sort(key=lambda row: row[KINDS[kind].key].encode("utf-16-be"))
        return every, living


def lists_customers_too(server: Any) -> None:
    """List customers among the contacts of customers."""

    @around(server, "list_entities")
    async def show(real: Any, request: web.Request, kind: str) -> web.Response:
        reply: web.Response = await real(request, kind)
        if kind == "customercontact":
            customers = server.tenants[server.tenant(request)].records["customer"].values()
            reply.text = json.dumps([*json.loads(str(reply.text)), *customers])
        return reply


def take_at_most(server: Any) -> None:
    """Show a page of the largest size to whoever asks for a larger one."""

    @around(server, "list_entities")
    async def show(real: Any, request: web.Request, kind: str) -> web.Response:
        size = request.query.get("take", "")
        query = {**request.query, "take": str(min(int(size), 1000))} if size.isdecimal() else dict(request.query)
        reply: web.Response = await real(request.clone(rel_url=request.rel_url.with_query(query)), kind)
        return reply


def last_page_short(server: Any) -> None:
    """Leave the last record off a page that ends with the list."""

    @around(server, "list_entities")
    async def show(real: Any, request: web.Request, kind: str) -> web.Response:
        reply: web.Response = await real(request, kind)
        rows, take = json.loads(str(reply.text)), int(request.query.get("take", 100))
        total = int(reply.headers["X-Total-Count"])
        if len(rows) == take and int(request.query.get("skip", 0)) + take == total and take > 1:
            reply.text = json.dumps(rows[:-1])
        return reply


def one_target_as_text(server: Any) -> None:
    """Take a text for the list that has it alone, as tenants."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        data = await real(request)
        if isinstance(data, dict) and isinstance(data.get("generoTenantIds"), str):
            data["generoTenantIds"] = [data["generoTenantIds"]]
        return data


def name_last(server: Any) -> None:
    """Tell a new entity's missing name behind its missing references."""

    @around(server.jobs, "faults")
    def faults(real: Any, *given: Any) -> Any:
        return sorted(real(*given), key=lambda text: str(text).endswith("has no name."))


PATCHES = by_name(
    name_last,
    twice_folded,
    one_token,
    order_of_utf16,
    lists_customers_too,
    take_at_most,
    last_page_short,
    one_target_as_text,
    twenty_groups,
    twenty_errors,
    references_reversed,
    tenant_sticks,
    fetched_is_multi,
    token_folded,
    secret_prefix,
    deletion_unchecked,
    problem_twice,
    order_natural,
    total_stale,
    same_reference_unchecked,
    flag_as_text,
    errors_rounded,
    final_thrice,
    put_of_deleted_200,
    put_unlisted,
    delete_wipes,
)
PATCHES |= genero_item_patches.PATCHES
PATCHES |= genero_call_patches.PATCHES

"""Bugs of the Genero server in paths, names and refusals, each a patch; begin with `PATCHES`."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

from aiohttp import web
from genero_rules import KINDS, Item, Problem
from patching import around, by_name


def allow_missing(server: Any) -> None:
    """Refuse a method without the field `Allow`."""

    @around(server, "answer")
    async def answer(real: Any, request: web.Request) -> web.StreamResponse:
        try:
            reply: web.StreamResponse = await real(request)
        except Problem as problem:
            problem.headers.pop("Allow", None)
            raise
        return reply


def entity_folded(server: Any) -> None:
    """Read the kind of entity in a path without regard to case."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real([part.lower() if at == 2 else part for at, part in enumerate(parts)])
        return found


def key_folded(server: Any) -> None:
    """Find an entity by its key without regard to case, where it is not found exactly."""

    @around(server, "living")
    def living(real: Any, request: web.Request, kind: str, key: str) -> Item:
        own = server.tenants[server.tenant(request)].records[kind]
        found: Item = real(request, kind, next((one for one in own if one.lower() == key.lower()), key))
        return found


def other_key_ignored(server: Any) -> None:
    """Write the entity of the path, whatever key the body of a PUT call has."""

    @around(server, "put_entity")
    async def put_entity(real: Any, request: web.Request, kind: str, key: str) -> Any:
        read = server.body

        async def body(asked: web.Request) -> Any:
            item = await read(asked)
            name = KINDS[kind].key
            return {**item, name: key} if isinstance(item, dict) and isinstance(item.get(name), str) else item

        server.body = body
        try:
            return await real(request, kind, key)
        finally:
            server.body = read


def reference_404(server: Any) -> None:
    """Refuse a PUT call with 404 where what the entity refers to is not found."""

    @around(server, "put_entity")
    async def put_entity(real: Any, request: web.Request, kind: str, key: str) -> Any:
        try:
            return await real(request, kind, key)
        except Problem as problem:
            if "not found" not in problem.body["detail"]:
                raise
            raise Problem(404, problem.body["detail"]) from None


def path_split_late(server: Any) -> None:
    """Split a path once it is decoded."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real("/".join(parts).split("/"))
        return found


def names_folded(server: Any) -> None:
    """Read the names of fields in a batch without regard to case."""

    @around(server, "check_list")
    def check_list(real: Any, kind: str, items: Any, *given: Any) -> None:
        names = {name.lower(): name for name in KINDS[kind].fields}
        for item in items if isinstance(items, list) else ():
            for name in list(item) if isinstance(item, dict) else ():
                item[names.get(name.lower(), name)] = item.pop(name)
        real(kind, items, *given)


def put_folded(server: Any) -> None:
    """Read the names of fields in a PUT call without regard to case."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        found = await real(request)
        names = {name.lower(): name for kind in KINDS.values() for name in kind.fields}
        return {names.get(name.lower(), name): found[name] for name in found} if isinstance(found, dict) else found


def place(server: Any, change: Callable[[int, int], tuple[int, int]]) -> None:
    """Change the line and the column of a fault in the syntax."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        try:
            return await real(request)
        except Problem as problem:
            if "line" in problem.body:
                problem.body["line"], problem.body["column"] = change(problem.body["line"], problem.body["column"])
            raise


def place_swapped(server: Any) -> None:
    """Tell the line of a fault in the syntax as its column, and the column as its line."""
    place(server, lambda line, column: (column, line))


def column_of_next(server: Any) -> None:
    """Tell the column behind the one at which the syntax goes wrong."""
    place(server, lambda line, column: (line, column + 1))


def plus_as_blank(server: Any) -> None:
    """Read a plus sign in a path as a blank."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real([part.replace("+", " ") for part in parts])
        return found


def job_of_first_tenant(server: Any) -> None:
    """Find jobs of the first tenant alone, where a call names none."""

    @around(server, "job_status")
    async def status(real: Any, request: web.Request, kind: str, correlation: str) -> web.Response:
        reply: web.Response = await real(request, kind, correlation)
        if "generoTenantId" not in request.query and server.jobs.all[correlation].tenant != "publicapitest":
            raise Problem(404, "There is no such job.")
        return reply


def job_at_any_name(server: Any) -> None:
    """Find a job whatever tenant a call names, if there is no such tenant."""

    @around(server, "tenant")
    def tenant(real: Any, request: web.Request) -> str:
        name, job = request.query.get("generoTenantId"), server.jobs.all.get(request.path.rpartition("/")[2])
        known = job is None or name is None or name in server.tenants
        return str(real(request)) if known else str(job.tenant)


def refusal_ends_tokens(server: Any) -> None:
    """Forget the tokens of a client that fetches too many."""
    fixed = set(server.tokens)

    @around(server, "count_fetch")
    def count(real: Any, client: str) -> None:
        try:
            real(client)
        except Problem:
            for token in [one for one, own in server.tokens.items() if own == client and one not in fixed]:
                del server.tokens[token]
            raise


def order_of_letters(server: Any) -> None:
    """Put letters with accents beside those without, in lists."""

    @around(server.jobs, "rows")
    def rows(real: Any, kind: str, store: dict[str, Item]) -> tuple[list[Item], list[Item]]:
        every, living = real(kind, store)
        return every, sorted(living, key=lambda row: unicodedata.normalize("NFD", row[KINDS[kind].key]))


def one_for_list(server: Any) -> None:
    """Take one entity for a list of one."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        found = await real(request)
        is_bare = isinstance(found, dict) and request.path.endswith("/postJob") and "name" in found
        return [found] if is_bare else found


def any_json_type(server: Any) -> None:
    """Take a body of any media type that ends with json."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        is_json = request.content_type.endswith("+json")
        return json.loads(await request.read()) if is_json else await real(request)


def form_as_json(server: Any) -> None:
    """Take JSON where a form is asked for."""

    @around(server, "fetch_token")
    async def fetch(real: Any, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            reply: web.Response = await real(request)
            return reply
        server.tokens["by-json"] = json.loads(await request.read())["client_id"]
        return web.json_response({"access_token": "by-json", "token_type": "Bearer", "expires_in": 2592000})


def unlisted(server: Any, hides: Callable[[bool], bool]) -> set[tuple[int, str]]:
    """Leave out of lists what PUT makes, where `hides`, given whether it was there before, says so; return which."""
    hidden: set[tuple[int, str]] = set()

    @around(server, "put_entity")
    async def put(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        store = server.tenants[server.tenant(request)].records[kind]
        was = key in store
        reply: web.Response = await real(request, kind, key)
        if reply.status == 201 and hides(was):
            hidden.add((id(store), key))
        return reply

    @around(server.jobs, "rows")
    def rows(real: Any, kind: str, store: dict[str, Item]) -> tuple[list[Item], list[Item]]:
        every, living = real(kind, store)
        return every, [row for row in living if (id(store), row[KINDS[kind].key]) not in hidden]

    return hidden


def made_unlisted(server: Any) -> None:
    """Leave out of lists what PUT makes, until the next batch."""
    hidden = unlisted(server, lambda was: not was)

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        hidden.clear()


def total_of_shown(server: Any) -> None:
    """Count in the total of a refusal the faults that it lists."""

    @around(server, "spoiled")
    def spoiled(real: Any, problem: Problem) -> Problem:
        found: Problem = real(problem)
        if "errors" in found.body:
            found.body["total"] = sum(one["items"] for one in found.body["errors"])
        return found


def posts_anywhere(server: Any) -> None:
    """Take a batch for any tenant that exists, whoever sends it."""

    @around(server, "tenant")
    def tenant(real: Any, request: web.Request) -> str:
        name = request.query.get("generoTenantId", "")
        return name if request.method == "POST" and name in server.tenants else str(real(request))


def empty_target_refused(server: Any) -> None:
    """Refuse a batch for several tenants that names an empty one."""

    @around(server, "post_multi")
    async def post(real: Any, request: web.Request, kind: str) -> web.Response:
        reply: web.Response = await real(request, kind)
        if "" in json.loads(reply.body)["postedProblems"]:  # type: ignore[arg-type] # it is bytes
            raise Problem(400, "A tenant has no name.")
        return reply


def dead_for_good(server: Any) -> None:
    """Take what an item has once not found, as it was deleted, for missing ever after."""
    dead: set[tuple[int, str, str]] = set()

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Any, item: Item) -> list[tuple[str, str]]:
        found = list(real(tenant, kind, item))
        dead.update((id(tenant), *one) for one in found if one[1] in tenant.records[one[0]])
        named = [(target, item[name]) for name, target in kind.references.items() if name in item]
        return [one for one in named if one in found or (id(tenant), *one) in dead]


def dead_by_put_found(server: Any) -> None:
    """Find what an item refers to although a PUT call has deleted it."""
    gone: set[tuple[int, str, str]] = set()

    @around(server, "put_entity")
    async def put(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        reply: web.Response = await real(request, kind, key)
        (gone.add if reply.status == 204 else gone.discard)((id(server.tenants[server.tenant(request)]), kind, key))
        return reply

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Any, item: Item) -> list[tuple[str, str]]:
        return [one for one in real(tenant, kind, item) if (id(tenant), *one) not in gone]


def gone_again(server: Any) -> None:
    """Answer 204 to a DELETE call for what is deleted already."""

    @around(server, "delete_entity")
    async def delete(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        found = server.tenants[server.tenant(request)].records[kind].get(key, {})
        reply: web.Response = web.Response(status=204) if found.get("deleted") else await real(request, kind, key)
        return reply


def put_any_address(server: Any) -> None:
    """Take any text for the address of a contact in a PUT call."""

    @around(server, "put_entity")
    async def put(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        sent = await server.body(request)
        address = sent.get("email") if kind == "customercontact" and isinstance(sent, dict) else None
        if isinstance(address, str) and address:
            request._read_bytes = json.dumps({**sent, "email": "a@b.c"}).encode()  # noqa: SLF001 - there is no other way
        reply: web.Response = await real(request, kind, key)
        return reply


def put_needs_name(server: Any) -> None:
    """Refuse a PUT call without a name that brings back what was deleted."""

    @around(server, "put_entity")
    async def put(real: Any, request: web.Request, kind: str, key: str) -> web.Response:
        old = server.tenants[server.tenant(request)].records[kind].get(key)
        sent = await server.body(request)
        reply: web.Response = await real(request, kind, key)
        if reply.status == 201 and old and "name" not in sent:
            server.tenants[server.tenant(request)].records[kind][key] = old
            raise Problem(400, f"{kind} {key} has no name.")
        return reply


def words_are_keys(server: Any) -> None:
    """Read words with which the paths of other calls begin as keys of entities."""

    @around(server, "entity_routes")
    def routes(real: Any, kind: str, rest: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real(kind, rest)
        return {**found, "GET": (server.get_entity, kind, rest[0])} if found is not None and len(rest) == 1 else found


PATCHES = by_name(
    words_are_keys,
    job_of_first_tenant,
    job_at_any_name,
    refusal_ends_tokens,
    order_of_letters,
    one_for_list,
    any_json_type,
    form_as_json,
    made_unlisted,
    total_of_shown,
    allow_missing,
    entity_folded,
    key_folded,
    other_key_ignored,
    reference_404,
    path_split_late,
    names_folded,
    put_folded,
    place_swapped,
    column_of_next,
    plus_as_blank,
    posts_anywhere,
    empty_target_refused,
    dead_for_good,
    dead_by_put_found,
    gone_again,
    put_any_address,
    put_needs_name,
)

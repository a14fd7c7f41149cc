"""Servers of On Key that differ in what is left open; begin with `VARIANTS`."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import sys
from types import SimpleNamespace
from typing import Any

import onkey_okql as okql
import onkey_records
from aiohttp import web
from onkey_freedoms import FREE
from onkey_types import MALFORMED, Record
from patching import all_at_once, around, body_of, by_name, rewritten

MAIN: Any = sys.modules["__main__"]


def slow_tasks(server: Any) -> None:
    """Let tasks wait for half a second, and execute for another and more."""
    del server
    MAIN.QUEUED, MAIN.EXECUTING, MAIN.PER_RECORD = 0.4, 0.6, 1e-3


def other_ids(server: Any) -> None:
    """Give ids in an order that falls, and longer traces."""
    free = itertools.count(9007199254740000, -7)
    onkey_records.secrets = SimpleNamespace(randbelow=lambda _: next(free) - 10**15)
    MAIN.new_id = lambda: next(free)

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        reply.headers["OnKey-Trace-Context"] = f"{secrets.token_hex(16)}_{secrets.token_hex(8)}"
        return reply


def other_words(server: Any) -> None:
    """Refuse whole requests in other words."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        body = body_of(reply) if reply.body and reply.status >= 400 else {}
        for one in body.get("messages", []):
            if one["code"] == MALFORMED:
                one["message"] = f"Pas bon \u2013 {one['message'].lower()}!"
        return rewritten(reply, body) if body else reply


def pretty_chunks(server: Any) -> None:
    """Send answers in chunks and on many lines, members in the order of the alphabet, with more headers."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        if reply.body:
            text = json.dumps(body_of(reply), indent=1, sort_keys=True, ensure_ascii=False)
            reply.body = f"{text}\r\n".encode("utf-8", "surrogatepass")
            reply.headers["Content-Type"] = f"{reply.content_type}; charset=utf-8"
            reply.enable_chunked_encoding()
        reply.headers.update({"X-Frame-Options": "DENY", "Cache-Control": "private", "OnKey-Api-Version": "5.1"})
        return reply


def ties(server: Any) -> None:
    """List what is equal in an order with falling ids, and nothing behind something."""
    del server

    @around(okql, "sortable")
    def sortable(real: Any, value: Any) -> tuple[int, Any]:
        return (2, 0) if value is None else real(value)

    @around(okql, "ordered")
    def ordered(real: Any, *given: Any) -> list[Record]:
        rows: list[Record] = given[3]
        rows.reverse()
        return real(*given)


def numbers_and_links(server: Any) -> None:
    """Write weights as 5.0, properties in the order of the alphabet, and links with more relations."""

    @around(server, "shower")
    def shower(real: Any, request: web.Request) -> Any:
        show = real(request)

        def own(record: Record) -> dict[str, Any]:
            entity = show(record)
            entity["properties"] = dict(sorted(entity["properties"].items()))
            if "links" in entity:
                more = {"rel": "collection", "href": entity["links"][0]["href"].rpartition("/")[0], "method": "GET"}
                entity["links"] = [more, *reversed(entity["links"])]
            return entity

        return own

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        if reply.body and request.method in ("GET", "HEAD"):
            reply.body = re.sub(rb'("weight": -?[0-9]{1,15})(?=[,}])', rb"\1.0", reply.body)
        return reply


VARIANTS = by_name(other_ids, other_words, ties, numbers_and_links, pretty_chunks)  # last: chunks are not changed
VARIANTS |= {"all-freedoms": all_at_once(*VARIANTS.values()), "slow-tasks": slow_tasks}
VARIANTS |= FREE

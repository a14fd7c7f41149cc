"""Servers of Genero that differ in what is left open; begin with `VARIANTS`."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from email.utils import formatdate
from typing import Any

from aiohttp import web
from genero_freedoms import FREE
from genero_rules import Problem
from patching import all_at_once, around, body_of, by_name, rewritten

TEXTS = ("Unable to find tenant", "is not found in database.", "has no name.")


def slow_jobs(server: Any) -> None:
    """Take nearly a second for a job, and a millisecond for each item."""

    @around(server.jobs, "work")
    async def work(real: Any, tenant: Any) -> None:
        del real
        while True:
            _, _, job = await tenant.queue.get()
            await asyncio.sleep(0.8 + 1e-3 * len(job.items))
            server.jobs.run(job)
            server.jobs.share(job)


def other_words(server: Any) -> None:
    """Use other words where none are stated, other types of problem, and more members in problems."""

    def other(text: str) -> str:
        return text if any(known in text for known in TEXTS) else f"Refus\u00e9: {text.lower()}"

    @around(server, "answer")
    async def answer(real: Any, request: web.Request) -> Any:
        try:
            return await real(request)
        except Problem as problem:
            body = problem.body
            body |= {"detail": other(body["detail"]), "title": f"Problem {problem.status}"}
            body |= {"type": f"https://problems.example/{problem.status}", "instance": request.path, "traceId": "7f"}
            for error in body.get("errors", ()):
                error["detail"] = other(error["detail"])
            raise


def pretty(server: Any) -> None:
    """Write JSON on many lines, with characters as they are, members in the order of the alphabet backwards."""

    def turned(body: Any) -> Any:
        if isinstance(body, dict):
            return {name: turned(body[name]) for name in sorted(body, reverse=True)}
        return [turned(one) for one in body] if isinstance(body, list) else body

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        if reply.body:
            text = json.dumps(turned(body_of(reply)), indent=3, ensure_ascii=False, separators=(" ,", " : "))
            reply.body = f"\r\n{text}\n".encode("utf-8", "surrogatepass")
        return reply


def chunked(server: Any) -> None:
    """Send answers in chunks, with more headers, and with a charset in other letters."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        more = {"X-Request-Id": secrets.token_hex(8), "Cache-Control": "no-store", "X-Powered-By": "Genero"}
        reply.headers.update(more | {"Strict-Transport-Security": "max-age=1", "Set-Cookie": "a=b; Path=/"})
        if reply.body:
            kind = reply.headers["Content-Type"].partition(";")[0]
            reply.headers["Content-Type"] = f"{kind};charset=UTF-8"
            reply.headers["ETag"] = f'W/"{secrets.token_hex(4)}"'
            reply.enable_chunked_encoding()
        return reply


def orders(server: Any) -> None:
    """Tell groups of faults, errors of items and tenants of an answer in other orders."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        body = body_of(reply) if reply.body else None
        if not isinstance(body, dict):
            return reply
        for name in ("jobItemErrors", "postedSuccess", "postedProblems"):
            if name in body:
                body[name] = dict(reversed(body[name].items()))
        if "errors" in body:
            body["errors"].reverse()
        return rewritten(reply, dict(reversed(body.items())))


def tokens(server: Any) -> None:
    """Hand out long tokens with a scope, challenge at length, and tell a date after which to try again."""

    @around(server, "fetch_token")
    async def fetch(real: Any, request: web.Request) -> web.Response:
        try:
            reply = await real(request)
        except Problem as problem:
            if "Retry-After" in problem.headers:
                at = time.time() + int(problem.headers["Retry-After"])
                problem.headers["Retry-After"] = formatdate(at, usegmt=True)
            raise
        body = body_of(reply)
        client = server.tokens.pop(body["access_token"])
        body |= {"access_token": ".".join(secrets.token_urlsafe(200) for _ in range(3)), "scope": "batch crud"}
        server.tokens[body["access_token"]] = client
        reply.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
        return rewritten(reply, body)

    @around(server, "answer")
    async def answer(real: Any, request: web.Request) -> Any:
        try:
            return await real(request)
        except Problem as problem:
            if problem.status == 401:
                problem.headers["WWW-Authenticate"] = 'Bearer realm="genero", error="invalid_token"'
            raise


VARIANTS = by_name(other_words, orders, tokens, pretty, chunked)  # chunks last: what is in them is not changed
VARIANTS |= {"all-freedoms": all_at_once(*VARIANTS.values()), "slow-jobs": slow_jobs}
VARIANTS |= FREE

"""Bugs, and freedoms, as patches of a server that is right: functions with their names, and with what they do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

Patch = Callable[[Any], None]


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate what is called in the place of a method, with the method before its arguments."""
    real = getattr(owner, name)

    def use(new: Callable[..., Any]) -> Callable[..., Any]:
        setattr(owner, name, lambda *given, **named: new(real, *given, **named))
        return new

    return use


def by_name(*patches: Patch) -> dict[str, Patch]:
    """Return patches by the names of their bugs."""
    return {patch.__name__.replace("_", "-"): patch for patch in patches}


def all_at_once(*patches: Patch) -> Patch:
    """Return a patch that applies these, one after the other."""

    def apply(server: Any) -> None:
        for patch in patches:
            patch(server)

    return apply


def body_of(reply: web.Response) -> Any:
    """Return the JSON of a reply."""
    return json.loads(reply.body)  # type: ignore[arg-type]  # the servers have no bodies but bytes


def rewritten(reply: web.Response, body: Any) -> web.Response:
    """Return a reply with another JSON body."""
    reply.body = json.dumps(body).encode()
    return reply

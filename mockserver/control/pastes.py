"""The control call that returns an exchange as something to paste."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from contracts.messages import Headers, Reply
from mockserver.control.desk import Desk, RefusedError
from mockserver.control.exchanges import entry_of
from mockserver.pasting import Trail, as_curl, as_har, as_http, as_pytest, trail_of
from mockserver.turn import Turn

HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
TEXTS: Final[Mapping[str, tuple[str, Callable[[Trail], str]]]] = {
    "curl": ("text/plain; charset=utf-8", as_curl),
    "http": ("text/plain; charset=utf-8", as_http),
    "pytest": ("text/x-python; charset=utf-8", as_pytest),
}


def get_exchange_as(desk: Desk, turn: Turn) -> Reply:
    """Export one exchange."""
    entry = entry_of(desk, turn)
    if entry.api not in desk.apis:
        detail = f"Exchange {entry.n} is with '{entry.api}', which is no longer served."
        raise RefusedError(HTTPStatus.NOT_FOUND, detail, kind="not-found")
    headers = turn.call.headers
    host = headers.get("Host")
    base = f"http://{host if HOST.fullmatch(host) else '127.0.0.1:8080'}"
    trail = trail_of(desk.sandbox(turn), desk.apis, entry, base, guarded="Authorization" in headers)
    form = turn.variables["form"]
    if form not in TEXTS:
        return Reply.of(200, as_har(trail))
    media_type, write = TEXTS[form]
    return Reply(status=200, headers=Headers((("Content-Type", media_type),)), body=write(trail).encode())

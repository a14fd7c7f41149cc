"""An exchange as evidence: a line that names it, the call as a `curl` command that can be pasted, and the answer."""

from collections.abc import Iterator
from shlex import quote
from typing import Final
from urllib.parse import urlencode

from contracts.messages import Exchange
from contracts.texts import clipped

LONGEST: Final = 2_000  # characters of a body that are shown
SECRET: Final = frozenset(("authorization", "cookie", "proxy-authorization", "x-api-key"))
OWN: Final = frozenset(("accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"))


def told(exchange: Exchange, base: str) -> str:
    """Return lines about an exchange; paths are put behind `base`, and secrets are hidden."""
    return "\n".join(_lines(exchange, base))


def _lines(exchange: Exchange, base: str) -> Iterator[str]:
    call, reply = exchange.call, exchange.reply
    number = f"#{exchange.n} " if exchange.n else ""
    yield f"{number}{call.method} {call.path} → {reply.status or 'no answer'}"
    yield _command(exchange, base)
    if reply.status:
        yield f"HTTP {reply.status}"
        yield from (f"{name}: {value}" for name, value in reply.headers)
        yield ""
        yield _body(reply.body)


def _command(exchange: Exchange, base: str) -> str:
    call = exchange.call
    target = f"{base}{call.path}{f'?{urlencode(call.query)}' if call.query else ''}"
    words = ["curl", "-sS", "-i", *(["-X", call.method] if call.method != "GET" else []), quote(target)]
    words += [f"-H {quote(_header(name, value))}" for name, value in call.headers if name.lower() not in OWN]
    if len(call.body) > LONGEST:
        words.append(f"# with a body of {len(call.body)} bytes: {clipped(_text(call.body), LONGEST)}")
    elif call.body:
        words.append(f"--data-binary {quote(_text(call.body))}")
    return " ".join(words)


def _header(name: str, value: str) -> str:
    return f"{name}: {'HIDDEN' if name.lower() in SECRET else value}"


def _body(body: bytes) -> str:
    return clipped(_text(body), LONGEST)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")

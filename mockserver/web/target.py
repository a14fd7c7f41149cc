"""Request targets: the sandbox that a path prefix names, the path, and the query as decoded pairs."""

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus, unquote_to_bytes

_ORIGIN: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
PREFIX: Final = "/@"


class Target(NamedTuple):
    """A request target taken apart.

    `sandbox` is None when the path names none. `fault` says what is wrong with the target, "" when it can be used; a
    target with a fault has no query.
    """

    sandbox: str | None
    path: str
    query: tuple[tuple[str, str], ...] = ()
    fault: str = ""

    @property
    def prefix(self) -> str:
        """Return what stands before the path: `/@name`, or "" when no sandbox is named."""
        return "" if self.sandbox is None else f"{PREFIX}{self.sandbox}"


def read_target(raw: str) -> Target:
    """Take a request target apart: a path with a query, or a whole URL as proxies send it."""
    if not raw.startswith("/"):
        origin = _ORIGIN.match(raw)
        if origin is None:
            return Target(None, "/", fault="The request target must be a path that begins with '/'.")
        raw = raw[origin.end() :]
        raw = raw if raw.startswith("/") else f"/{raw}"
    path, mark, query = raw.partition("#")[0].partition("?")
    sandbox = None
    if path.startswith(PREFIX):
        sandbox, _, path = path[len(PREFIX) :].partition("/")
        path = f"/{path}"
    if raw.isascii() and "%" not in raw:
        return Target(sandbox, path, _pairs(query) if mark else ())
    return _encoded(sandbox, path, query)


def _encoded(sandbox: str | None, path: str, query: str) -> Target:
    if not (path.isascii() and query.isascii()):
        encoded = quote(path, safe="/%", errors="replace")
        return Target(sandbox, encoded, fault="The request target must be ASCII; percent-encode other characters.")
    bad = _BAD_ESCAPE.search(path) or _BAD_ESCAPE.search(query)
    if bad is not None:
        after = bad.string[bad.start() : bad.start() + 3]
        return Target(
            sandbox, path, fault=f"'{after}' in the request target is no percent-encoded byte; write % as %25."
        )
    try:
        unquote_to_bytes(path).decode()
        return Target(sandbox, path, _pairs(query) if query else ())
    except UnicodeDecodeError:
        return Target(sandbox, path, fault="The request target's percent-encoded bytes are not UTF-8.")


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return tuple([(_decoded(name), _decoded(value)) for name, _, value in pairs])


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text

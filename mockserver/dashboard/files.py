"""Serve the dashboard's files: `index.html`, its style, its modules. Main entries: `file_response`, `redirect`.

The pages run nothing but these files and load nothing from other hosts: Content Security Policy Level 3,
https://www.w3.org/TR/CSP3/. A browser asks each time whether a file has changed (RFC 9110, section 13.1.2).
"""

from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final

from contracts.messages import Headers, Response
from contracts.openapi.model import is_accepted_as_well

PATH: Final = "/_sandbox/ui"
ALIASES: Final = frozenset(("/", f"{PATH}/"))
"""What people type; a browser is sent on to `PATH`."""

STATIC: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
REPORT_INDEX: Final = "report.html"
"""The page that shows reports alone, without a sandbox."""
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_FIELDS: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def file_response(name: str, known: str = "") -> Response | None:
    """Return the response with a file, None when there is none of that name.

    `name` is its path below `static`, such as `pages/journal.js`; `known` is the `If-None-Match` of the request.
    """
    path = _paths().get(name)
    if path is None:
        return None
    body = path.read_bytes()
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    fields = (("ETag", tag), ("Cache-Control", "no-cache"), *SECURITY_FIELDS)
    if tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=Headers(fields))
    media_type = MEDIA_TYPES[path.suffix]
    return Response(status=HTTPStatus.OK, headers=Headers((("Content-Type", media_type), *fields)), body=body)


def redirect(method: str, accept: str) -> Response | None:
    """Return the redirect to the dashboard for a browser, which prefers HTML to JSON; None for any other client."""
    if method != "GET" or "text/html" not in accept or is_accepted_as_well("application/json", "text/html", accept):
        return None
    return Response(status=HTTPStatus.FOUND, headers=Headers((("Location", PATH), ("Vary", "Accept"))))


@cache
def _paths() -> dict[str, Path]:
    """Return the files by name: nothing else can be asked for, whatever a path says."""
    found = (path for path in STATIC.rglob("*") if path.suffix in MEDIA_TYPES)
    return {path.relative_to(STATIC).as_posix(): path for path in found}

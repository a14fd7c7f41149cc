"""Cross-origin requests from browsers (CORS, WHATWG Fetch) to plain documents: every origin may do everything.

`answer_options` answers a preflight, and OPTIONS of a path that does not declare it; `with_cors` opens any response.
"""

from functools import lru_cache
from typing import Final

from contracts.messages import Headers, Request, Response
from contracts.openapi.model import NoRoute
from mockserver.api.model import Api
from mockserver.bulk.prepared_api import prepared

METHODS: Final = "GET,HEAD,PUT,PATCH,POST,DELETE"
ASKING: Final = "access-control-request-"  # how the header fields of a preflight begin
SAFE_FIELDS: Final = frozenset(
    ("cache-control", "content-language", "content-length", "content-type", "expires", "vary")
)


def answer_options(api: Api, request: Request) -> Response | None:
    """Return the response to a preflight, or to OPTIONS of a path without it; None for every other request."""
    if request.method != "OPTIONS":
        return None
    headers = request.headers
    is_preflight = "Origin" in headers and any(name.lower().startswith(ASKING) for name, _ in headers)
    found = prepared(api).router.match("OPTIONS", request.path, request)
    if not is_preflight and (not isinstance(found, NoRoute) or found.allow is None):
        return None
    allow = found.allow if isinstance(found, NoRoute) and found.allow else ()
    asked = headers.get("Access-Control-Request-Headers") or "*"
    fields = [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Allow-Headers", asked)]
    fields += [("Allow", ", ".join((*allow, "OPTIONS")))] if allow else []
    return with_cors(request.headers, Response(status=204, headers=Headers(fields)))


def with_cors(headers: Headers, response: Response) -> Response:
    """Return a response that a script of any origin may read, with credentials; `headers` are the request's."""
    if "Access-Control-Allow-Origin" in response.headers:
        return response
    opened = _opened(response.headers, headers.get("Origin"))
    return Response(status=response.status, headers=opened, body=response.body, data=response.data)


@lru_cache(maxsize=100)
def _opened(headers: Headers, origin: str) -> Headers:
    """Return the header fields of a response with those that open it to a script of the origin, "" where none asks."""
    fields = [("Access-Control-Allow-Origin", origin or "*")]
    if origin:
        fields.append(("Access-Control-Allow-Credentials", "true"))
        fields.append(("Vary", ", ".join((*headers.get_all("Vary"), "Origin"))))
    names = (name for name, _ in headers if not name.lower().startswith("access-control-"))
    shown = [name for name in names if name.lower() not in SAFE_FIELDS]
    if shown:
        fields.append(("Access-Control-Expose-Headers", ", ".join(shown)))
    return headers.with_(*fields)

"""Read documents from URLs: this machine's own, others where that is allowed. Begin with `fetch_text`.

Only `http` and `https` (RFC 9110); size and time are limited, redirects are followed under the same rules.
"""

from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from contracts.errors import Fault
from contracts.syntax.documents import UnreadableError

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

MAX_BYTES: Final = 64 * 2**20
MAX_SECONDS: Final = 30.0
CHUNK_BYTES: Final = 2**16
SCHEMES: Final = ("http://", "https://")
NOT_ALLOWED: Final = "it is at another host than this machine."
ALLOW: Final = "Save it in a file, or allow it with --allow-remote."


def is_url(text: str) -> bool:
    """Say whether a text is the URL of a document."""
    return text.lower().startswith(SCHEMES)


def is_loopback(url: str) -> bool:
    """Say whether a URL is one of this machine: `localhost`, or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def fetch_text(url: str, *, allow_remote: bool) -> str:
    """Return the UTF-8 text at a URL.

    Raises UnreadableError: another host that is not allowed, no response, a status but 2xx, more than `MAX_BYTES`, more
    than `MAX_SECONDS`, or not UTF-8.
    """
    from http.client import HTTPException  # noqa: PLC0415 - files need none of these
    from urllib.error import HTTPError, URLError  # noqa: PLC0415 - only for URLs

    if not allow_remote and not is_loopback(url):
        raise _unreadable(url, NOT_ALLOWED, ALLOW)
    try:
        return _read(_opener(allow_remote=allow_remote), url).decode("utf-8-sig")
    except HTTPError as error:
        error.close()
        fact, cure = f"the server answers {error.code}.", "Check the URL."
    except UnicodeDecodeError as error:
        fact, cure = f"byte {error.start} is not UTF-8.", "Serve the document as UTF-8."
    except (URLError, HTTPException, OSError, ValueError) as error:
        fact, cure = f"it cannot be read: {getattr(error, 'reason', None) or error}.", "Check the URL and the server."
    raise _unreadable(url, fact, cure)


def _read(opener: "OpenerDirector", url: str) -> bytes:
    from urllib.request import Request  # noqa: PLC0415 - files need none of these

    ends = monotonic() + MAX_SECONDS
    request = Request(url, headers={"Accept": "application/json, application/yaml, */*"})  # noqa: S310 - http or https
    content = bytearray()
    with opener.open(request, timeout=MAX_SECONDS) as response:
        while chunk := response.read1(CHUNK_BYTES):
            content += chunk
            if len(content) > MAX_BYTES:
                raise _unreadable(url, f"it is larger than {MAX_BYTES // 2**20} MiB.", "Save a part of it in a file.")
            if monotonic() > ends:
                raise _unreadable(url, f"it took more than {MAX_SECONDS:g} seconds.", "Save it in a file.")
    return bytes(content)


def _opener(*, allow_remote: bool) -> "OpenerDirector":
    """Return what opens URLs: without proxies on this machine, redirects under the same rules."""
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener  # noqa: PLC0415 - only for URLs

    class Redirects(HTTPRedirectHandler):
        """Follows redirects to the hosts that are allowed."""

        def redirect_request(self, *given: Any) -> Any:
            """Return the next request; its URL is the last argument. Raises UnreadableError: it is not allowed."""
            url = str(given[-1])
            if not is_url(url) or not (allow_remote or is_loopback(url)):
                raise _unreadable(url, NOT_ALLOWED, ALLOW)
            return super().redirect_request(*given)

    return build_opener(Redirects, *(() if allow_remote else (ProxyHandler({}),)))


def _unreadable(url: str, fact: str, cure: str) -> UnreadableError:
    return UnreadableError(Fault(file=url, pointer="", fact=fact, cure=cure))

"""Replay a finding of Bulkproof with nothing but the standard library of Python 3.9 or newer.

Usage: replay.py [URL]     by default BULKPROOF_URL, else where the finding was made
Exit code: 1 the finding is reproduced, 0 it is not, 2 the replay could not run.
It reads the finding.json beside it. BULKPROOF_AUTH is the value of an Authorization header, BULKPROOF_AUTH_ALICE that
of the test client alice.
"""

import json
import os
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

# {{...}} stands for a name that is generated anew each time, or for a value from an earlier response.
BLANK = re.compile(r"\{\{([a-z]+\d*)(:number|:fraction)?\}\}")
DELAYS = (0.1, 0.2, 0.4, 0.8, 1.6, *(2.0,) * 9)  # seconds between two polls of unfinished work
TRAVELLING = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"))
DIGITS = 20  # of a text that becomes a number
RETRY_LATER = (429, 503)  # with a Retry-After (RFC 9110, section 10.2.3) they say when to send the request again
RETRIES = 8  # repetitions of such a request
MAX_WAIT = 60  # seconds that a Retry-After is obeyed
NOBODY = "$BULKPROOF_AUTH_NONE"  # a field that is not sent, although others have one
ABSENT = object()  # the JSON value of a body that is none
Response = tuple[int, Mapping[str, str], Any]
"""Status, headers by lower-case name, and the JSON value of the body."""
Pairs = list[tuple[str, str]]


def is_reproduced(finding: Mapping[str, Any], url: str = "") -> bool:
    """Return whether every response that showed the finding is what it was when the finding was made."""
    server = Server(url or os.environ.get("BULKPROOF_URL") or finding["url"], finding["mount"])
    names = fresh_names(finding["numbers"])
    seen: dict[int, Response] = {}
    for number, step in enumerate(finding["steps"]):
        if "wait" in step:
            server.wait(step["wait"])
        elif not lacks(step, names):
            *_, seen[number] = responses(server, step, names)
    signatures = finding["signs"]
    return bool(signatures) and all(one["step"] in seen and shows(one, seen[one["step"]], names) for one in signatures)


def fresh_names(numbers: Mapping[str, int]) -> dict[str, str]:
    """Return what is known before the first step: a new prefix in its three cases, two braces, and new numbers."""
    name_prefix = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(5))
    base = 7 * 10**14 + int(name_prefix, 36) * 10**8
    own = {name: str(base + offset) for name, offset in numbers.items()}
    prefixes = {"prefix": f"b{name_prefix}", "capitals": f"B{name_prefix.upper()}", "capital": f"B{name_prefix}"}
    return {**prefixes, "braces": "{{", **own}


def lacks(step: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """Return whether a request needs a value that no response had."""
    asked = json.dumps([step.get(name) for name in ("path", "query", "headers", "json", "text")])
    return any(found[1] not in names for found in BLANK.finditer(asked))


def responses(server: Any, step: Mapping[str, Any], names: dict[str, str]) -> Iterator[Response]:
    """Send a request, and repeat it while its response reports unfinished work; yield each response.

    A server has `send(method, path, query, headers, body)`, which returns a response, and `wait(seconds)`.
    """
    response = send(server, step, names)
    yield response
    for delay in DELAYS if "busy" in step else ():
        if value_of(step["busy"], response, names) not in step["busy"]["words"]:
            break
        server.wait(delay)
        response = send(server, step, names)
        yield response


def send(server: Any, step: Mapping[str, Any], names: dict[str, str]) -> Response:
    """Send a request, later again where its response asks for that, and give values of the response a name."""
    settle = step.get("settle")
    response: Response = server.send(step["method"], *request_of(step, names), settle=settle)
    for _ in range(0 if step.get("once") else RETRIES):
        seconds = retry_after(response)
        if seconds is None:
            break
        server.wait(seconds)
        response = server.send(step["method"], *request_of(step, names), settle=settle)
    for capture in step.get("learn", []):
        value = value_of(capture, response, names)
        if value is not None:
            names[capture["name"]] = value
    return response


def request_of(step: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, Pairs, Pairs, bytes]:
    """Return path, query, header and body of a request, with the blanks filled."""
    path = "/".join(quote(str(fill(part, names)), safe="") for part in step["path"])
    query = [(name, str(fill(value, names))) for name, value in step.get("query", [])]
    headers = [(name, str(fill(value, names))) for name, value in step.get("headers", [])]
    if "json" not in step:
        return f"/{path}", query, headers, filled_text(step.get("text", ""), names)
    text = json.dumps(fill(step["json"], names), ensure_ascii=False, separators=(",", ":"))
    return f"/{path}", query, headers, text.encode()


class Server:
    """Where the requests go: `mount` is put behind the URL, unless the URL ends with it already."""

    def __init__(self, url: str, mount: str) -> None:
        parts = urlsplit(url.rstrip("/").removesuffix(mount) + mount)
        self.kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.netloc, self.path = parts.netloc, parts.path.rstrip("/")
        self.written = time.monotonic()

    def send(
        self, method: str, path: str, query: Pairs, headers: Pairs, body: bytes, *, settle: Any = None
    ) -> Response:
        """Send a request to a path of the API and return its response. Raises OSError, HTTPException.

        `settle` are the seconds that must have passed since the last write; None for a write.
        """
        left = 0 if settle is None else settle - (time.monotonic() - self.written)
        if left > 0:
            self.wait(left)
        response = self.exchange(method, f"{self.path}{path}", urlencode(query), dict(headers), body)
        if settle is None:
            self.written = time.monotonic()
        return response

    def exchange(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a request to a path of the server and return its response. Raises OSError, HTTPException."""
        auth = {"Authorization": os.environ["BULKPROOF_AUTH"]} if os.environ.get("BULKPROOF_AUTH") else {}
        connection = self.kind(self.netloc, timeout=60)
        fields = {name: secret_of(value) for name, value in {**auth, **headers}.items() if value != NOBODY}
        connection.request(method, f"{path}?{query}" if query else path, body or None, fields)
        response = connection.getresponse()
        fields, raw = {name.lower(): value for name, value in response.getheaders()}, response.read()
        connection.close()
        try:
            return response.status, fields, json.loads(raw)
        except ValueError:
            return response.status, fields, ABSENT

    def wait(self, seconds: float) -> None:
        """Advance the clock of a Bulkproof sandbox; wait when the server is another one."""
        sandbox = re.match(r"/@([^/]+)/", f"{self.path}/")
        path = f"/_sandbox/sandboxes/{sandbox[1] if sandbox else 'default'}/clock/advance"
        body = json.dumps({"by": f"PT{seconds:f}S"}).encode()
        if self.exchange("POST", path, "", {"Content-Type": "application/json"}, body)[0] != 200:  # noqa: PLR2004 - HTTP's own number
            time.sleep(seconds)


def retry_after(response: Response) -> Any:
    """Return the seconds that a refusal asks to wait, at most a minute; None for other responses."""
    status, fields, _ = response
    asked = fields.get("retry-after", "").strip()
    if status not in RETRY_LATER or not asked:
        return None
    try:
        if asked.isdecimal():
            return min(int(asked[:DIGITS]), MAX_WAIT)
        now = parsedate_to_datetime(fields["date"]).timestamp() if "date" in fields else time.time()
        return min(max(parsedate_to_datetime(asked).timestamp() - now, 0) + 1, MAX_WAIT)
    except (TypeError, ValueError):
        return None


def secret_of(value: str) -> str:
    """Return the credentials that the environment has for a placeholder; any other value as it is."""
    return os.environ.get(value[1:], value) if value.startswith("$BULKPROOF_AUTH_") else value


def fill(value: Any, names: Mapping[str, str]) -> Any:
    """Return a JSON value with the blanks in its texts filled; those without a name stay."""
    if isinstance(value, str):
        whole = BLANK.fullmatch(value) if "{{" in value else None
        if whole and whole[2]:
            known = names.get(whole[1], value)
            is_number = known.isascii() and known.isdecimal() and len(known) <= DIGITS
            return (float if whole[2] == ":fraction" else int)(known) if is_number else known
        return BLANK.sub(lambda found: names.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        return {str(fill(name, names)): fill(inner, names) for name, inner in value.items()}
    return [fill(inner, names) for inner in value] if isinstance(value, list) else value


def filled_text(text: str, names: Mapping[str, str]) -> bytes:
    """Return a body that is not JSON, whose bytes are written as characters, with its blanks filled."""
    own = text.encode("latin-1").decode("utf-8", "surrogateescape")
    return BLANK.sub(lambda found: names.get(found[1], found[0]), own).encode("utf-8", "surrogateescape")


def value_of(capture: Mapping[str, Any], response: Response, names: Mapping[str, str]) -> Any:
    """Return the text that a response has under a name: that of a header, or at a path in the body; None for none."""
    _, fields, data = response
    value = fields.get(capture["header"].lower()) if capture.get("header") else value_at(capture["path"], data, names)
    if capture.get("is_address") and isinstance(value, str):
        value = value.rstrip("/").rpartition("/")[2]
    return str(value) if isinstance(value, (str, int)) else None


def value_at(path: Iterable[Any], value: Any, names: Mapping[str, str]) -> Any:
    """Return the value at a path: of a token's name, its index, or its members, which single out an element."""
    for token in path:
        if isinstance(token, Mapping):
            wanted, some = fill(token, names).items(), value if isinstance(value, list) else []
            value = next((one for one in some if isinstance(one, dict) and wanted <= one.items()), None)
        elif isinstance(token, str):
            value = value.get(fill(token, names)) if isinstance(value, dict) else None
        else:
            value = value[token] if isinstance(value, list) and token < len(value) else None
    return value


def shows(signature: Mapping[str, Any], response: Response, names: Mapping[str, str]) -> bool:
    """Return whether a response is what it was when the finding was made; context of another status says nothing."""
    status, fields, data = response
    if signature.get("is_context") and status != signature["status"]:
        return True
    own = [one for one in fill(list(signature.get("marks", ())), names) if not BLANK.search(one)]
    values = dict(parts(data, "", own)) if data is not ABSENT else {}
    wanted = {fill(at, names): fill(value, names) for at, value in signature.get("values", {}).items()}
    sizes = {fill(at, names): size for at, size in signature.get("sizes", {}).items()}
    headers = signature.get("headers")
    return (
        status == signature["status"]
        and fields.get("content-type", "").partition(";")[0].strip().lower() == signature.get("media_type", "")
        and (headers is None or sorted(headers) == sorted({*fields} - TRAVELLING))
        and all(at in values and same(values[at], value) for at, value in wanted.items())
        and all(at in values and size_of(values[at]) == size for at, size in sizes.items())
    )


def same(one: object, other: object) -> bool:
    """Return whether two scalars are one JSON value."""
    return type(one) is type(other) and one == other


def size_of(value: object) -> Any:
    """Return the number of members or elements, None for a scalar."""
    return len(value) if isinstance(value, (dict, list)) else None


def parts(value: Any, at: str, own: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value by JSON Pointer; of lists only the elements that have one of our `own` names."""
    if own and isinstance(value, list):
        value = [one for one in value if has_any(json.dumps(one, ensure_ascii=False), own)]
    yield at, value
    inner = value.items() if isinstance(value, dict) else named(value, own) if isinstance(value, list) else ()
    for name, one in inner:
        yield from parts(one, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}", own)


def has_any(text: str, own: Any) -> bool:
    """Say whether a text has one of our `own` names."""
    return any(name in text for name in own)


def named(elements: Any, own: Any) -> Iterator[tuple[Any, Any]]:
    """Yield elements with the member by which each is told from all others, or with its index."""
    every = [texts(one) if own else [] for one in elements]
    counts = Counter(pair for pairs in every for pair in set(pairs))
    for n, (one, pairs) in enumerate(zip(elements, every, strict=True)):
        ours = (pair for pair in pairs if counts[pair] == 1 and has_any(pair[1], own))
        alone = next(ours, None)
        yield (n if alone is None else "@{}={}".format(*alone)), one


def texts(element: Any) -> list[tuple[str, str]]:
    """Return the texts and integers of an object, and of those right in it, by their members' names."""
    own = list(element.items()) if isinstance(element, dict) else []
    inner = [pair for _, value in own if isinstance(value, dict) for pair in value.items()]
    return [(name, str(value)) for name, value in own + inner if isinstance(value, (str, int))]


def main() -> int:
    """Replay the finding beside this file."""
    try:
        finding = json.loads(Path(__file__).with_name("finding.json").read_text("utf-8"))
        reproduced = is_reproduced(finding, *sys.argv[1:2])
    except (HTTPException, OSError, ValueError) as error:
        sys.stderr.write(f"The replay could not run: {error}\n")
        return 2
    sys.stdout.write("Reproduced.\n" if reproduced else "Not reproduced.\n")
    return int(reproduced)


if __name__ == "__main__":
    sys.exit(main())

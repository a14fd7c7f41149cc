"""What is kept of a message: header fields and body without secrets, long ones in a file. See `stored_message`.

`stored_writes` keeps what a request wrote to the store.

Secrets are credentials, cookies, tokens and passwords: they are hidden before anything is kept.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from contracts.messages import Headers
from contracts.schemas.violations import Violation
from mockserver.stores.interface import Collection, Key, Record, View
from mockserver.stores.memory import Undo
from mockserver.stores.spooled_bodies import MAX_BYTES_IN_MEMORY, Spool, SpooledBody

MAX_WHOLE_BODY_BYTES: Final = 64 * 1024  # bytes; a larger body is kept as digest and head
BODY_HEAD_BYTES: Final = 1024  # bytes kept of a larger body
SPOOLED_BYTES_PER_BYTE: Final = 4  # in a file, so that no more exchanges are kept than with their facts
SPOOLED_BYTES: Final = 320  # what is kept in memory of what is in a file
MAX_SHARED: Final = 500  # header texts that are kept once for all messages with them
HIDDEN: Final = "***"
SCHEME_ONLY: Final = frozenset(("authorization", "proxy-authorization"))
SECRET_HEADERS: Final = frozenset(("api-key", "apikey", "cookie", "set-cookie", "x-api-key", "x-auth-token"))
_SECRET: Final = SCHEME_ONLY | SECRET_HEADERS
SECRET_NAMES: Final = ("access_token", "client_secret", "id_token", "password", "refresh_token")
SECRET_PARAMETERS: Final = frozenset((*SECRET_NAMES, "api-key", "api_key", "apikey"))  # of a query
_JSON: Final = re.compile(rb'("(?:' + "|".join(SECRET_NAMES).encode() + rb')"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.DOTALL)
_PLACE: Final = re.compile(r"[./: ]")  # what stands between the names in a place
_FORM: Final = re.compile(rb"((?:^|[&?])(?:" + "|".join(SECRET_NAMES).encode() + rb")=)[^&\s]*")


@lru_cache(maxsize=MAX_SHARED)
def _shared(text: str) -> str:
    """Return the text itself, or the equal one that was asked for before: clients send the same fields each time."""
    return text


def redact_headers(headers: Headers) -> str:
    """Return header fields, one a line, with secrets hidden; the scheme of `Authorization` is kept."""
    if _SECRET.isdisjoint(headers.names):
        return "\n".join(map(": ".join, headers.pairs))
    return "\n".join([f"{name}: {redact_header(name, value)}" for name, value in headers.pairs])


def redact_header(name: str, value: str) -> str:
    """Return a header field's value with its secret hidden."""
    lower = name.lower()
    if lower in SCHEME_ONLY:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {HIDDEN}" if space else HIDDEN
    return HIDDEN if lower in SECRET_HEADERS else value


def redact_body(body: bytes) -> bytes:
    """Return a body with the values of secret members and form fields hidden."""
    if not _may_have_secret(body):
        return body
    hidden = HIDDEN.encode()
    return _FORM.sub(rb"\g<1>" + hidden, _JSON.sub(rb'\g<1>"' + hidden + b'"', body))


def _may_have_secret(body: bytes) -> bool:
    """Tell whether a body has a part of one of `SECRET_NAMES`; a letter is found forty times faster than a word."""
    return (
        (b"w" in body and b"password" in body)
        or (b"k" in body and b"_token" in body)
        or (b"_" in body and b"_secret" in body)
    )


def redact_query(query: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return query parameters with the values of secret ones hidden."""
    return tuple((name, HIDDEN if name.lower() in SECRET_PARAMETERS else value) for name, value in query)


def is_secret(name: str) -> bool:
    """Tell whether what has this name, or the place that ends with it, is hidden: `header:X-API-Key`, `/a/password`."""
    last = _PLACE.split(name.lower())[-1]
    return last in _SECRET or last in SECRET_PARAMETERS or name.startswith("cookie")


def redact_value(value: object) -> object:
    """Return a value of a request, or a text about it, with secret members hidden."""
    if isinstance(value, str):
        return redact_body(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    if isinstance(value, dict | list):
        return orjson.loads(redact_body(orjson.dumps(value, default=str)))
    return value


def redact_violation(violation: Violation) -> Violation:
    """Return a violation that quotes no secret."""
    if is_secret(violation.where) or is_secret(violation.pointer) or is_secret(violation.field):
        return replace(violation, got=HIDDEN)
    return replace(violation, got=str(redact_value(violation.got)), detail=str(redact_value(violation.detail)))


def fingerprint(credentials: str) -> str:
    """Return a short name of the client with these credentials, from their SHA-256: `Bearer 1f2e3d4c5b6a`."""
    from hashlib import sha256  # noqa: PLC0415 - only an API without clients of its own needs it

    scheme, space, _ = credentials.partition(" ")
    return (
        f"{scheme}{space}{sha256(credentials.encode()).hexdigest()[:12]}"
        if space
        else sha256(credentials.encode()).hexdigest()[:12]
    )


class StoredMessage(NamedTuple):
    """The stored form of a message: header fields as lines `name: value`, and what is kept of a body of `size` bytes.

    What is long is in a file. Of a body over 64 KiB no more than the beginning is shown: all of it is kept in the file,
    to be read again, or no more than that with its `sha256`.
    """

    fields: str | SpooledBody
    kept: bytes | SpooledBody
    size: int
    sha256: str = ""

    @property
    def headers(self) -> str:
        """Return the header fields, one a line."""
        return self.fields if isinstance(self.fields, str) else self.fields.read().decode("utf-8", "surrogatepass")

    @property
    def body(self) -> bytes:
        """Return what is shown of the body."""
        if isinstance(self.kept, bytes):
            return self.kept
        return self.kept.read(None if self.size <= MAX_WHOLE_BODY_BYTES else BODY_HEAD_BYTES)

    @property
    def digest(self) -> str:
        """Return "" for a body that is shown whole, else the SHA-256 of the body that was sent."""
        shown = self.size <= MAX_WHOLE_BODY_BYTES
        return "" if shown else self.sha256 or sha256(self.content).hexdigest()

    @property
    def content(self) -> bytes:
        """Return the whole body where there is one to be read again, else what is kept of it."""
        return self.kept if isinstance(self.kept, bytes) else self.kept.read()

    @property
    def memory(self) -> int:
        """Return the approximate size in memory, in bytes; of what is in a file a quarter, which bounds files."""
        return _memory(self.fields) + _memory(self.kept)


def stored_message(
    headers: Headers, body: bytes, spool: Spool, *, again: bool = False, stored: SpooledBody | None = None
) -> StoredMessage:
    """Return what is kept of a message; with `again` the whole body, which may be `stored` already."""
    text, size = redact_headers(headers), len(body)
    text = _shared(text) if len(text) <= MAX_BYTES_IN_MEMORY else text
    fields = text if len(text) <= MAX_BYTES_IN_MEMORY else spool.store(text.encode("utf-8", "surrogatepass"))
    if again and stored is not None and stored.length:
        return StoredMessage(fields, stored, size)
    if again or size <= MAX_WHOLE_BODY_BYTES:
        return StoredMessage(fields, _kept(body if again else redact_body(body), spool), size)
    head = redact_body(body[: 2 * BODY_HEAD_BYTES])[:BODY_HEAD_BYTES]
    return StoredMessage(fields, head, size, sha256(body).hexdigest())


MAX_WRITES: Final = 5  # records of which is kept how they were before and after a request


class StoredWrites(NamedTuple):
    """What a request wrote to the store: a list of JSON for the first `MAX_WRITES` records, and how many there were."""

    kept: bytes | SpooledBody
    total: int

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the records written: `kind`, `scope`, `key`, and version and body `before` and `after`, or null."""
        found: list[dict[str, Any]] = orjson.loads(self.kept if isinstance(self.kept, bytes) else self.kept.read())
        return found

    @property
    def memory(self) -> int:
        """Return the approximate size in memory, in bytes."""
        return _memory(self.kept)


def stored_writes(writes: Sequence[Undo], store: View, spool: Spool) -> StoredWrites | None:
    """Return what is kept of writes, each record as it was before the first and after the last of them; None of none.

    Secrets are hidden; a record that has been deleted, with or without a trace, is null.
    """
    first: dict[tuple[Collection, Key], Record | None] = {}
    each = ((collection, *one) for collection, keys, before in writes for one in zip(keys, before, strict=True))
    for collection, key, record in islice(each, MAX_WRITES):
        first.setdefault((collection, key), record)
    shown = [
        {
            "kind": collection.resource,
            "scope": collection.scope,
            "key": key,
            "before": _version(record),
            "after": _version(store.get(collection, key)),
        }
        for (collection, key), record in first.items()
    ]
    if not shown:
        return None
    text = orjson.dumps(shown, default=str, option=orjson.OPT_NON_STR_KEYS)
    total = sum([len(keys) for _, keys, _ in writes])
    return StoredWrites(_kept(redact_body(text), spool), len(shown) if total <= MAX_WRITES else total)


def _version(record: Record | None) -> dict[str, object] | None:
    return None if record is None or record.deleted else {"version": record.version, "body": record.body}


def _memory(part: str | bytes | SpooledBody) -> int:
    return SPOOLED_BYTES + part.length // SPOOLED_BYTES_PER_BYTE if isinstance(part, SpooledBody) else len(part)


def _kept(body: bytes, spool: Spool) -> bytes | SpooledBody:
    """Return a body as it is kept: in memory as a copy, as one that orjson made holds 4 KiB however short it is."""
    return bytes(memoryview(body)) if len(body) <= MAX_BYTES_IN_MEMORY else spool.store(body)

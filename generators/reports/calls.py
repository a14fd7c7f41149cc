"""A call as a person reads it, and as a `curl` command that a POSIX shell runs: `exchange_text`, `step_text`.

No secrets are in it: fields of credentials read environment variables, `Authorization` that of `BULKPROOF_AUTH`, but
for credentials that the contract names and those that nobody has.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from shlex import quote
from typing import Final
from urllib.parse import urlencode

import orjson

from contracts.exchange.locations import find, json_of
from contracts.messages import ABSENT, Exchange
from contracts.openapi.model import Contract
from contracts.openapi.security import PLACEHOLDER, WRONG_CREDENTIALS, public_credentials
from contracts.syntax.text import clipped, counted
from generators.triage.corpus import step_target
from generators.triage.script import RequestStep, Script, Step, raw_bytes
from generators.triage.standalone import BLANK, fill

MAX_BODY_CHARS: Final = 2_000  # of a body that are shown
MAX_ANSWER_CHARS: Final = 160  # of a body in a line
SECRET_HEADERS: Final = frozenset(("authorization", "cookie", "proxy-authorization", "x-api-key"))
HIDDEN_HEADERS: Final = frozenset(("set-cookie",))  # of responses
TOKENS: Final = re.compile(r'("(?:access|refresh|id)_token"\s*:\s*")[^"]*')
CONNECTION_HEADERS: Final = frozenset(
    ("accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent")
)
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # characters that no argument of a command should have
NO_VARIABLE: Final = re.compile("[^A-Z0-9]")  # what no variable of a shell has in its name
NO_ANSWER: Final = "no answer"
DEMO_PREFIX: Final = "b00000"  # stands for the names that a replay generates
DEMO_NUMBER: Final = 700_000_000_000_000


def exchange_text(exchange: Exchange, base: str, contract: Contract | None = None, given: Sequence[str] = ()) -> str:
    """Return an exchange in lines: what was sent and what came back, the curl command, the response in full.

    `given` are the names of header fields that go with every request.
    """
    return "\n".join(_exchange_lines(exchange, base, contract, given))


def call_line(exchange: Exchange, base: str, contract: Contract | None = None) -> str:
    """Return an exchange in one line: `POST http://x/books with 3 items → 200 {"done": 3}`."""
    request = exchange.request
    size = f" with {_size_text(exchange, contract)}" if request.body else ""
    return f"{request.method} {_target(exchange, base)}{size} → {answer_text(exchange)}"


def answer_text(exchange: Exchange) -> str:
    """Return a response in one line: its status and the beginning of its body."""
    response = exchange.response
    if not response.status:
        return NO_ANSWER
    body = CONTROL.sub("�", " ".join(_shown(response.body).split()))
    return f"{response.status} {clipped(body, MAX_ANSWER_CHARS)}".strip()


def _size_text(exchange: Exchange, contract: Contract | None) -> str:
    operation = contract.operation(exchange.operation or "") if contract is not None else None
    data = json_of(exchange.request.body)
    for place in operation.bulk.items.places if operation is not None and operation.bulk is not None else ():
        items = find(data, place) if data is not ABSENT and place[:1] in {"", "/"} else ABSENT
        if isinstance(items, list | dict):
            return counted(len(items), "item")
    return f"a body of {len(exchange.request.body)} bytes"


def _exchange_lines(exchange: Exchange, base: str, contract: Contract | None, given: Sequence[str]) -> Iterator[str]:
    response = exchange.response
    yield f"{f'#{exchange.n} ' if exchange.n else ''}{call_line(exchange, base, contract)}"
    yield exchange_command(exchange, base, contract, given)
    if response.status:
        yield f"HTTP {response.status}"
        yield from (
            f"{name}: {'HIDDEN' if name.lower() in HIDDEN_HEADERS else value}" for name, value in response.headers
        )
        yield ""
        yield clipped(_shown(response.body), MAX_BODY_CHARS)


def _target(exchange: Exchange, base: str) -> str:
    request = exchange.request
    return f"{base}{request.path}{f'?{urlencode(request.query)}' if request.query else ''}"


def _shown(body: bytes) -> str:
    return TOKENS.sub(r"\1HIDDEN", body.decode("utf-8", "replace"))


def exchange_command(exchange: Exchange, base: str, contract: Contract | None = None, given: Sequence[str] = ()) -> str:
    """Return the curl command of a request; `given` are the names of fields that go with every request.

    Credentials that the contract names, and those that nobody has, are shown.
    """
    request, public = exchange.request, WRONG_CREDENTIALS
    if contract is not None:
        public |= public_credentials(contract)
    target, fields = quote(_target(exchange, base)), tuple(request.headers)
    return curl(request.method, target, fields, request.body, given=given, public=public)


def curl(
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    given: Sequence[str] = (),
    public: Collection[str] = (),
    has_variables: bool = False,
) -> str:
    """Return a curl command in one line; `target` is the URL as the shell reads it.

    A body that is too long to show, or that no argument can be, is read from a file: a comment says how it begins.
    Credentials, and the values of the fields in `given`, are environment variables, but for those in `public`.
    With `has_variables` the body has variables of a script, `{{id1}}`, which become those of the shell.
    """
    words = ["curl", "-sSig"]  # silent but for errors, with the header fields, brackets in URLs as they are
    words += ["-I"] if method == "HEAD" else ["-X", quote(method)] if method != "GET" else []
    words += ["--path-as-is"] if "/." in target else []
    words.append(target)
    fields = [(name, value) for name, value in headers if name.lower() not in CONNECTION_HEADERS]
    known = {name.lower() for name, _ in fields}
    words += [_secret_field(name) for name in given if name.lower() not in known]
    words += [f"-H {_field(name, value, public)}" for name, value in fields]
    if not body:
        return " ".join(words)
    if not any(name.lower() == "content-type" for name, _ in fields):
        words.append("-H 'Content-Type:'")  # curl would add one of its own
    text = _argument(body, has_variables=has_variables)
    if text is not None:
        return " ".join([*words, f"--data-raw {text}"])
    begins = clipped(CONTROL.sub(" ", " ".join(body.decode("utf-8", "replace").split())), MAX_ANSWER_CHARS)
    return " ".join([*words, f"--data-binary @body.bin # {len(body)} bytes: {begins}"])


def _field(name: str, value: str, public: Collection[str]) -> str:
    """Return a header field as the shell reads it; a credential that is not public is an environment variable."""
    if name.lower() in SECRET_HEADERS and value not in public:
        own = quote(f"{name}: ") + f'"{value}"' if value.startswith(PLACEHOLDER) else ""
        return own or _secret_field(name).removeprefix("-H ")
    return quote(f"{name}: {value}" if value else f"{name};")


def _secret_field(name: str) -> str:
    """Return the option for a field whose value is in the environment; its name, a user's, is quoted."""
    return f'-H {quote(f"{name}: ")}"${variable_of(name)}"'


def variable_of(header: str) -> str:
    """Return the environment variable that has the value of a secret header field."""
    letters = NO_VARIABLE.sub("_", header.upper())
    return "BULKPROOF_AUTH" if header.lower() == "authorization" else f"BULKPROOF_{letters}"


def _argument(body: bytes, *, has_variables: bool) -> str | None:
    """Return a body as the shell reads it, None when no argument can be that."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if len(text) > MAX_BODY_CHARS or CONTROL.search(text):
        return None
    return _with_variables(text) if has_variables else quote(text)


def _with_variables(text: str) -> str:
    """Return a text as the shell reads it; `{{id1}}` becomes `$id1`, without its quotes where it is a number."""
    parts, last = [], 0
    for found in BLANK.finditer(text):
        start, end = found.span()
        if found[2] and text[start - 1 : start] == '"' == text[end : end + 1]:
            start, end = start - 1, end + 1
        parts += [quote(text[last:start]) if text[last:start] else "", f'"${found[1]}"']
        last = end
    return "".join([*parts, quote(text[last:]) if text[last:] or not parts else ""])


def step_text(n: int, step: Step, script: Script, url: str, given: Sequence[str] = ()) -> str:
    """Return a step of a script with its number, a request with its curl command in a second line.

    Generated names have a fixed prefix; values of earlier responses are variables of the shell.
    """
    if not isinstance(step, RequestStep):
        return f"{n}. wait {step.seconds:g} s"
    call = f"{step.method} {url}/{step_target(_filled(step, script))} ({step.operation})"
    return f"{n}. {BLANK.sub(lambda found: f'${found[1]}', call)}\n{step_command(step, script, url, given)}"


def step_command(step: RequestStep, script: Script, url: str, given: Sequence[str] = ()) -> str:
    """Return the curl command of a step; a script has no `Authorization` but public ones and placeholders."""
    filled = _filled(step, script)
    own = [value for name, value in filled.headers if name.lower() == "authorization"]
    public = [value for value in own if not value.startswith(PLACEHOLDER)]
    body = filled.raw if filled.data is ABSENT else orjson.dumps(filled.data)
    target = _with_variables(f"{url}/{step_target(filled)}")
    made = curl(step.method, target, filled.headers, body, given=given, public=public, has_variables=True)
    learned = ", ".join(f"${one.name}" for one in step.captures)
    return f"{made} # its answer has {learned}" if learned and " # " not in made else made


def _filled(step: RequestStep, script: Script) -> RequestStep:
    """Return a step with all names filled that are known before the first one."""
    names = script.names(DEMO_PREFIX, DEMO_NUMBER)
    return replace(
        step,
        path=tuple(str(fill(one, names)) for one in step.path),
        query=tuple((name, str(fill(value, names))) for name, value in step.query),
        headers=tuple((name, str(fill(value, names))) for name, value in step.headers),
        data=fill(step.data, names),
        raw=raw_bytes(str(fill(step.raw_text, names))),
    )

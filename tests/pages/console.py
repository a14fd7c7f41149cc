"""Pages whose console blocks are run: the commands with what is shown below them, and `curl` against a service."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from contracts.messages import Headers, Response
from mockserver.http.service import Service

DOCS = Path(__file__).parents[2] / "docs"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
VALUED = {"-H", "-d", "-X", "-o", "-D", "-w"}


def commands(page: Path, program: str = "curl") -> Iterator[tuple[list[str], str]]:
    """Yield the words of each command of a program in the console blocks of a page, and what is shown below it."""
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for lines in _steps(block.replace("\\\n", "")):
            words, rest = _command(lines)
            if words[0] == program:
                yield words, "\n".join(rest).strip("\n")


def _steps(block: str) -> list[list[str]]:
    """Return the lines of each command with those below it."""
    return [step.splitlines() for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def _command(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of a command, which ends with the line that closes its last quotation, and the lines below."""
    for n in range(1, len(lines) + 1):
        try:
            return shlex.split("\n".join(lines[:n])), lines[n:]
        except ValueError:
            continue
    raise ValueError(lines)


def split_command(text: str) -> tuple[str, list[str]]:
    """Return a command as it is typed, without the prompts of its further lines, and the lines below it."""
    lines = text.splitlines()
    count = 1
    while lines[count - 1].endswith("\\"):
        count += 1
    count = max(count, len(lines) - len(_command(["\n".join(lines[:count]), *lines[count:]])[1]))
    while count < len(lines) and lines[count].startswith("> "):
        count += 1
    return "\n".join([lines[0], *(one.removeprefix("> ") for one in lines[1:count])]), lines[count:]


@dataclass
class Asked:
    """A `curl` command: what it sends, and what of the answer it prints."""

    method: str = ""
    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | None = None
    options: set[str] = field(default_factory=set)
    grep: str = ""
    form: str = ""

    @property
    def target(self) -> str:
        """Return the path with its query."""
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def is_silent(self) -> bool:
        """Say whether the answer is thrown away."""
        return bool({">/dev/null", "/dev/null"} & self.options)


def asked(words: list[str]) -> Asked:
    """Read a `curl` command."""
    left, found = iter(words[1:]), Asked()
    for word in left:
        value = next(left) if word in VALUED else ""
        if word == "-H":
            name, _, text = value.partition(": ")
            found.headers.append((name, text))
        elif word == "-d":
            found.body = value
        elif word == "-X":
            found.method = value
        elif word == "-w":
            found.form = value
        elif word == "|":
            found.grep = [*left][-1]
        elif word.startswith(("-", ">")):
            found.options |= {word, value}
        else:
            found.url = word
    found.method = found.method or ("GET" if found.body is None else "POST")
    return found


def answer(service: Service, one: Asked) -> Response:
    """Return what a service answers to a command, at the instant at which all walks begin."""
    body = (one.body or "").encode()
    return service.handle(one.method, one.target, Headers(one.headers), body, NOW)


def printed(one: Asked, reply: Response) -> str:
    """Return what a command prints of an answer."""
    if one.form:
        return one.form.replace("%{http_code}", str(reply.status)).replace("\\n", "")
    if one.is_silent:
        return ""
    body = reply.body.decode()
    head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    fields = [f"{name}: {value}" for name, value in reply.headers]
    if one.grep:
        return "\n".join(line for line in fields if one.grep in line)
    return "\n".join([*head, *fields, "", body]) if "-i" in one.options else body


def walk(service: Service, page: Path) -> int:
    """Run the `curl` commands of a page in order, compare what is shown byte for byte, and return how many there are.

    Below a command that prints an answer without showing it nothing is compared but that it succeeded.
    """
    steps = [*commands(page)]
    for words, shown in steps:
        one = asked(words)
        reply = answer(service, one)
        if shown or one.is_silent or not reply.body:
            assert (words, printed(one, reply)) == (words, shown)
        else:
            assert reply.status < HTTPStatus.BAD_REQUEST, (words, reply)
    return len(steps)

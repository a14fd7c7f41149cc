"""The walk in `docs/apis/onkey.md` does what it shows."""

import itertools
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from contracts.messages import Headers
from mockserver.apis.onkey import api
from mockserver.web.service import Options, Service

PAGE = Path(__file__).parents[3] / "docs" / "apis" / "onkey.md"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def walk():
    """Yield each `curl` of the page's console blocks with the output shown below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*?)\n((?:(?!\$ ).*\n)*)", block.replace("\\\n", ""), re.MULTILINE):
            if command.startswith("curl"):
                yield shlex.split(command), shown.strip()


def asked(words):
    """Return method, target, headers and body of a `curl` command."""
    options = dict(itertools.pairwise(words))
    url = urlsplit("//" + next(word for word in words[1:] if word.startswith("localhost")))
    name, _, value = options.get("-H", "").partition(": ")
    body = options.get("-d", "").encode()
    return "POST" if body else "GET", url.path + (f"?{url.query}" if url.query else ""), Headers(((name, value),)), body


def told(words, reply):
    """Return what a `curl` command prints of a reply: the body, or the headers that `grep` lets through."""
    if "grep" not in words:
        return "" if ">/dev/null" in words else reply.body.decode()
    return "\n".join(f"{name}: {value}" for name, value in reply.headers if words[-1] in name)


def test_the_walk_works_as_shown():
    """Every answer on the page is byte for byte what a fresh sandbox on a frozen clock gives, ids included."""
    service = Service([api()], Options(mode="frozen"), NOW)
    steps = list(walk())
    assert len(steps) == 7
    for words, shown in steps:
        method, target, headers, body = asked(words)
        assert told(words, service.handle(method, target, headers, body, NOW)) == shown

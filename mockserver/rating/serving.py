"""The other process of a rating: serves one variant of an API after the other, as it is told on its input.

`{"plant": NAME or null}` ends what is served and serves a variant, `{"fired": true}` asks whether its bug has made a
difference; each is answered with a JSON line. The end of the input is the end.
"""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from mockserver.api import Api
from mockserver.bugs import planted
from mockserver.sources import find_sources
from mockserver.web.running import in_thread


def main() -> None:
    """Serve variants of the API that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    api, lines = find_sources(sys.argv[1:2])[0].load(), iter(sys.stdin.buffer)
    wanted = next(lines, b"")
    while wanted:
        wanted = _serve(api, orjson.loads(wanted)["plant"], lines)


def _serve(api: Api, bug: str | None, lines: Iterator[bytes]) -> bytes:
    """Serve a variant until another one is wanted; return the line that says so, nothing at the end."""
    fired: set[str] = set()
    variant = api if bug is None else planted(api, bug, fired=fired.add)
    with in_thread([variant]) as running:
        _tell(url=running.url)
        for line in lines:
            if "plant" in orjson.loads(line):
                return line
            _tell(fired=bool(fired))
    return b""


def _tell(**said: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

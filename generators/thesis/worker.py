"""The other process: reads a task from its input, runs schemathesis, and writes JSON lines.

`{"kind": "scenario"}` tells how the calls of an operation were answered, `finding` what was found with call and reply,
`trouble` what kept schemathesis from working, `end` that all is told.
"""

import os
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from threading import Thread
from typing import Any

import orjson

from generators.thesis.task import settings

LARGEST = 1 << 20  # bytes of a body that is handed on


def main() -> None:
    """Do one task."""
    task = orjson.loads(sys.stdin.buffer.readline())
    Thread(target=_end_with_the_other, daemon=True).start()
    out, sys.stdout = sys.stdout, sys.stderr  # nothing but our lines goes there
    for line in _until_it_fails(task):
        out.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        out.buffer.flush()


def _end_with_the_other() -> None:
    """End at once when the process that wanted this one is gone, however it went."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _until_it_fails(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from told(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other process must be told
        says = " ".join(f"{type(error).__name__}: {error}".split())
        yield {"kind": "trouble", "operation": "", "says": f"schemathesis failed: {says}"}
    yield {"kind": "end"}


def told(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a run tells."""
    import schemathesis  # noqa: PLC0415 - heavy, and only this process needs it
    from schemathesis.engine import from_schema  # noqa: PLC0415

    config = schemathesis.Config.from_dict(settings(task))
    schema = schemathesis.openapi.from_dict({**task["document"], "openapi": "3.1.0"}, config=config)
    seen: set[tuple[str, ...]] = set()
    for event in from_schema(schema).execute():
        yield from _event(event, seen)


def _event(event: Any, seen: set[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    kind = type(event).__name__
    if kind in {"ScenarioFinished", "FuzzScenarioFinished"}:
        recorder = event.recorder
        statuses = Counter(str(one.response.status_code) for one in recorder.interactions.values() if one.response)
        yield {"kind": "scenario", "operation": recorder.label, "statuses": statuses}
        yield from _findings(recorder, seen)
    elif kind == "NonFatalError":
        yield {"kind": "trouble", "operation": event.label, "says": f"{event.info.title}: {event.info.message}"}
    elif kind == "FatalError":
        yield {"kind": "trouble", "operation": "", "says": str(event.exception)}


def _findings(recorder: Any, seen: set[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    for case_id, nodes in recorder.checks.items():
        for node in nodes:
            if node.failure_info is None:
                continue
            failure, exchange = node.failure_info.failure, recorder.interactions.get(case_id)
            told = _exchange(exchange) if exchange is not None else None
            key = (failure.operation or recorder.label, node.name, str(told and told["status"]))
            if key not in seen:
                seen.add(key)
                yield {
                    "kind": "finding",
                    "operation": key[0],
                    "check": node.name,
                    "title": failure.title,
                    "says": failure.message,
                    "exchange": told,
                }


def _exchange(interaction: Any) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    found: dict[str, Any] = {
        "method": request.method,
        "uri": request.uri,
        "headers": [[name, value] for name, values in request.headers.items() for value in values],
        "body": _bytes(request.body),
        "status": None,
    }
    if response is not None:
        found["status"] = response.status_code
        found["answer"] = [[name, value] for name, values in response.headers.items() for value in values]
        found["content"] = _bytes(response.content)
    return found


def _bytes(body: bytes | None) -> str:
    return b64encode((body or b"")[:LARGEST]).decode()


if __name__ == "__main__":
    main()

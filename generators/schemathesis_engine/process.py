"""Run schemathesis in a process of its own, and read what it reports; it ends with its time limit or with this process.

Begin with `run_task`. The other process runs this module: it reads a task from standard input and writes JSON lines.
`{"kind": "scenario"}` counts the responses of an operation by status, `finding` is a finding with its exchange,
`trouble` an error of schemathesis, and `end` is the last line.
"""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import Any, Final

import orjson

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "use_after_free",
)
UNSOUND_CHECKS: Final[Mapping[str, str]] = {
    "positive_data_acceptance": "a schema cannot say which references hold, so refusing a valid body proves nothing",
    "unsupported_method": "paths may overlap, so another operation may answer rightly",
    "allow_header_conformance": "for the same reason",
    "ensure_resource_availability": "what is made by a job is not there at once",
    "ignored_auth": "a server may take calls without credentials where the contract leaves that open",
    "object_level_authorization": "it needs a second identity",
}
MISSING_HEADER_STATUSES: Final = (400, 401, 403, 406, 415, 422, 428)  # RFC 6585, 3: a precondition is required
RATE_UNITS: Final = (("s", 1), ("m", 60), ("h", 3600), ("d", 86_400))
ANSWER_HEADER: Final = "bulkproof-answer"  # of a sandbox
JSON_TYPE: Final = re.compile(r"[^;]*[/+]json\s*(;|$)", re.IGNORECASE)
MULTI_STATUS: Final = 207  # what is wrong with an item is told in its entry
CHECKS_OFF_FOR_BULK: Final = ("negative_data_rejection",)  # a bulk response is a success even if it refuses items


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemathesisTask:
    """One run. `document` is an OpenAPI document without external references, `bulk` lists `METHOD /path` with x-bulk.

    `strict` says that query parameters are refused whose values their schemas exclude, `kept` lists the deletions that
    may leave a record behind.
    `phases` are of `examples`, `coverage`, `fuzzing`, `stateful`. `seconds` is the time limit, `timeout` that of
    each request, `rate` the maximum of requests a second, 0 for no limit. With `safe` no methods are sent that the
    document does not have. With `plain` schemathesis uses its default checks.
    """

    document: Mapping[str, Any]
    base: str
    phases: tuple[str, ...] = ("coverage",)
    bulk: tuple[str, ...] = ()
    strict: bool = False
    kept: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 60.0
    timeout: float = 30.0
    rate: float = 0
    safe: bool = False
    plain: bool = False

    def to_json(self) -> bytes:
        """Return the task as one JSON line."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)


def settings(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemathesis configuration for a task that was read from JSON."""
    phases: dict[str, Any] = {
        name: {"enabled": name in task["phases"]} for name in ("examples", "coverage", "fuzzing", "stateful")
    }
    if task["safe"]:
        phases["coverage"]["unexpected-methods"] = []
    chosen = {
        "checks": {
            **{name: {"enabled": name in CHECKS} for name in (*CHECKS, *UNSOUND_CHECKS)},
            "missing_required_header": {"expected-statuses": [str(one) for one in MISSING_HEADER_STATUSES]},
        },
        "operations": [_bulk_settings(one) for one in task["bulk"]],
    }
    return {
        "base-url": task["base"],
        "seed": task["seed"],
        "max-time": max(1, int(task["seconds"])),
        "request-timeout": task["timeout"],
        "headers": task["headers"],
        "continue-on-failure": True,
        "workers": 1,
        "cache": {"enabled": False},
        "output": {"sanitization": {"enabled": False}},
        "generation": {"database": "none"},
        "phases": phases,
        **({"rate-limit": _rate_limit(task["rate"])} if task["rate"] else {}),
        **({} if task["plain"] else chosen),
    }


def _rate_limit(rate: float) -> str:
    """Return a rate in requests a second as schemathesis writes it, in whole requests: `100/s`, at least `1/d`."""
    found = ((unit, int(rate * seconds)) for unit, seconds in RATE_UNITS if rate * seconds >= 1)
    unit, count = next(found, ("d", 1))
    return f"{count}/{unit}"


def _bulk_settings(name: str) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    return {
        "include-path": path,
        "include-method": method,
        "checks": {check: {"enabled": False} for check in CHECKS_OFF_FOR_BULK},
    }


END_TIMEOUT: Final = 5.0  # seconds to end by itself after the time limit
POLL_INTERVAL: Final = 0.2  # seconds between two checks whether the run is over
MAX_ERROR_CHARS: Final = 300  # of the last line of a failed process
MISSING_MESSAGE: Final = "schemathesis is missing: install bulkproof[campaign]"
Line = dict[str, Any]


def is_installed() -> bool:
    """Return whether schemathesis is installed."""
    return find_spec("schemathesis") is not None


def run_task(task: SchemathesisTask, is_over: Callable[[], bool] = lambda: False) -> Iterator[Line]:
    """Run a task in another process and yield its lines, `trouble` when it fails or exceeds its time."""
    with closing(SchemathesisProcess()) as process:
        yield from process.lines(task, is_over)


class SchemathesisProcess:
    """Another process that imports schemathesis, then waits for one task. `close` ends it, whatever it does."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "generators.schemathesis_engine.process"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
        if "SSL_CERT_FILE" in os.environ:
            environment["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"]  # the name that its client knows
        self._errors = TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()
        self._deadline: float | None = None  # of the task that has begun

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def begin(self, task: SchemathesisTask) -> None:
        """Let a task begin, whose lines are read later."""
        self._deadline = monotonic() + task.seconds + END_TIMEOUT
        self._send(task)

    def lines(self, task: SchemathesisTask, is_over: Callable[[], bool] = lambda: False) -> Iterator[Line]:
        """Run a task, unless it has begun, and yield its lines, `trouble` when it fails or exceeds its time."""
        if self._deadline is None:
            self.begin(task)
        assert self._deadline is not None  # noqa: S101 - set when a task begins
        yield from _report_lines(self._lines, self._deadline, is_over, self._exit_text)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with self._process, self._errors:  # waits for it, and closes its pipes
            self._reading.join()

    def _send(self, task: SchemathesisTask) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(task.to_json())
            self._process.stdin.flush()  # and not closed: its end tells the other process that this one is gone
        except BrokenPipeError:  # it has ended by itself, which is told when nothing comes from it
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _exit_text(self) -> str:
        """Return how the process ended that should have reported more."""
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"its process exited with code {code}{f': {said[-1][:MAX_ERROR_CHARS]}' if said else ''}"


def _report_lines(
    lines: "SimpleQueue[bytes | None]", deadline: float, is_over: Callable[[], bool], how_it_ended: Callable[[], str]
) -> Iterator[Line]:
    while not is_over():
        try:
            line = lines.get(timeout=min(POLL_INTERVAL, max(0.0, deadline - monotonic())))
        except Empty:
            if monotonic() < deadline:
                continue
            yield _trouble("it did not end in time")
            return
        if line is None:
            yield _trouble(how_it_ended())
            return
        told: Line = orjson.loads(line)
        if told["kind"] == "end":
            return
        yield told


def _trouble(says: str) -> Line:
    return {"kind": "trouble", "operation": "", "says": says}


MAX_BODY_BYTES = 1 << 20  # of a body that is passed on


def main() -> None:
    """Import what takes time, then run one task."""
    with suppress(Exception):  # which is told when there is a task
        _rehearse()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    task = orjson.loads(line)
    Thread(target=_exit_with_parent, daemon=True).start()
    out, sys.stdout = sys.stdout, sys.stderr  # nothing but our lines goes there
    for line in _guarded_lines(task):
        out.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        out.buffer.flush()


def _rehearse() -> None:
    """Load an API without operations, for which schemathesis imports what it needs for others; nothing is sent."""
    task = SchemathesisTask(document={"info": {"title": "", "version": ""}, "paths": {}}, base="http://127.0.0.1")
    _engine(orjson.loads(task.to_json()))


def _exit_with_parent() -> None:
    """Exit at once when the parent process is gone, however it ended."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _guarded_lines(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from lines_of(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent process must be told
        says = " ".join(f"{type(error).__name__}: {error}".split())
        yield {"kind": "trouble", "operation": "", "says": f"schemathesis failed: {says}"}
    yield {"kind": "end"}


def lines_of(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the lines that a run reports."""
    seen: set[tuple[str, ...]] = set()
    for event in _engine(task).execute():
        yield from _event(event, seen, task)


def _engine(task: dict[str, Any]) -> Any:
    """Return schemathesis' engine with a task loaded."""
    import schemathesis  # noqa: PLC0415 - heavy, and only this process needs it
    from schemathesis.engine import from_schema  # noqa: PLC0415 - as above

    config = schemathesis.Config.from_dict(settings(task))
    return from_schema(schemathesis.openapi.from_dict({**task["document"], "openapi": "3.1.0"}, config=config))


def _event(event: Any, seen: set[tuple[str, ...]], task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = type(event).__name__
    if kind in {"ScenarioFinished", "FuzzScenarioFinished"}:
        recorder = event.recorder
        statuses = Counter(str(one.response.status_code) for one in recorder.interactions.values() if one.response)
        yield {"kind": "scenario", "operation": recorder.label, "statuses": statuses}
        yield from _findings(recorder, seen, task)
    elif kind == "NonFatalError":
        yield {"kind": "trouble", "operation": event.label, "says": f"{event.info.title}: {event.info.message}"}
    elif kind == "FatalError":
        yield {"kind": "trouble", "operation": "", "says": str(event.exception)}


def _findings(recorder: Any, seen: set[tuple[str, ...]], task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for case_id, nodes in recorder.checks.items():
        for node in nodes:
            if node.failure_info is None or (not task["plain"] and _is_open(recorder, case_id, node, task)):
                continue
            failure, exchange = node.failure_info.failure, recorder.interactions.get(case_id)
            reported = _exchange_json(exchange) if exchange is not None else None
            key = (failure.operation or recorder.label, node.name, str(reported and reported["status"]))
            if key not in seen:
                seen.add(key)
                yield {
                    "kind": "finding",
                    "operation": key[0],
                    "check": node.name,
                    "title": failure.title,
                    "says": failure.message,
                    "before": list(_before(recorder, case_id, failure)),
                    "exchange": reported and {**reported, "operation": _label(recorder, case_id)},
                }


def _is_open(recorder: Any, case_id: str, node: Any, task: Mapping[str, Any]) -> bool:
    """Return whether a server may answer as it did, although a check has something against it."""
    failure, exchange = node.failure_info.failure, recorder.interactions.get(case_id)
    if node.name == "use_after_free":
        return failure.operation in task["kept"] or _is_made_up(exchange)
    if node.name != "negative_data_rejection":
        return False
    status = exchange.response.status_code if exchange is not None and exchange.response is not None else None
    meta = recorder.cases[case_id].value.meta
    is_query = not task["strict"] and _is_value_in(meta, "QUERY")
    return status == MULTI_STATUS or is_query or (_is_value_in(meta, "BODY") and _is_text(exchange))


def _is_text(exchange: Any) -> bool:
    """Return whether the body of a request is no JSON: all values are texts there, and any text may be right."""
    sent = exchange.request.headers if exchange is not None else {}
    types = [one for name, values in sent.items() if name.lower() == "content-type" for one in values]
    return bool(types) and not JSON_TYPE.match(types[0])


def _is_made_up(exchange: Any) -> bool:
    """Return whether a response says of itself that it was made from the document: nothing is stored there."""
    headers = exchange.response.headers if exchange is not None and exchange.response is not None else {}
    return any(one.startswith(("example", "generated")) for one in headers.get(ANSWER_HEADER, ()))


def _is_value_in(meta: Any, place: str) -> bool:
    """Return whether all that is wrong with a request is a value in one part of it; a missing one is something else."""
    if meta is None or getattr(meta.phase.data, "scenario", None) == "missing_parameter":
        return False
    return {part.name for part, one in meta.components.items() if one.mode.is_negative} == {place}


def _label(recorder: Any, case_id: str) -> str:
    return str(recorder.cases[case_id].value.operation.label) if case_id in recorder.cases else ""


def _before(recorder: Any, case_id: str, failure: Any) -> Iterator[dict[str, Any]]:
    """Yield the exchanges on which a finding rests, such as the deletion of what is read."""
    related = failure.related_case_ids()
    for one in recorder.iter_chain_cases(case_id=case_id, related_case_ids=related) if related else ():
        exchange = recorder.interactions.get(one.id)
        if exchange is not None and one.id != case_id:
            yield {**_exchange_json(exchange), "operation": one.operation.label}


def _exchange_json(interaction: Any) -> dict[str, Any]:
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
    return b64encode((body or b"")[:MAX_BODY_BYTES]).decode()


if __name__ == "__main__":
    main()

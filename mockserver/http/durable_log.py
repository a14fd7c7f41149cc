"""The log of a durable server: a call is stored before it is carried out. Begin with `DurableLog.play`.

Calls are logged, not what they change: time is an argument and ids come from seed and counters, so the same calls at
the same instants make the same state. `mockserver.http.recovery` carries them out again.
"""

import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson

from contracts.errors import BulkproofError
from contracts.messages import Headers, Request, Response
from mockserver import VERSION
from mockserver.api.model import Refusal, problem
from mockserver.control.routes import CONTROL_NAME
from mockserver.domain.slices import breathe
from mockserver.engine.scenario_execution import Continuation, DeferredResponse
from mockserver.http.request_reading import IncomingCall
from mockserver.sandbox.sandboxes import Sandbox, Sandboxes
from mockserver.sandbox.snapshot import snapshot_of
from mockserver.sandbox.value_forms import quick_content_form
from mockserver.stores.interface import NotStoredError
from mockserver.stores.sqlite_log import CallLog, Kind

MIN_SPENT_SECONDS: Final = 2.0  # of calls that are not yet in a checkpoint: what a restart takes at least
SHARE: Final = 8.0  # of the cost of a checkpoint, which calls take before the next one
CHUNK_BYTES: Final = 1024 * 1024  # of a document that are compressed in one go
REFUSAL_MEMBERS: Final = ("status", "kind", "detail")  # of a body that could not be read, beside header fields
FILE: Final = "store"  # among the impediments
CREDENTIALS: Final = ("Authorization", "Cookie")  # of the control API: its calls have been admitted
_log: Final = logging.getLogger("bulkproof")


def row_of(call: IncomingCall) -> str:
    """Return everything of a call but its body as JSON."""
    request, refusal = call.request, call.refusal
    members: dict[str, object] = {
        "api": call.api,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers.pairs,
        "prefix": request.prefix,
        "scheme": request.scheme,
    }
    if refusal is not None:
        members["refusal"] = {name: getattr(refusal, name) for name in REFUSAL_MEMBERS}
        members["refusalHeaders"] = refusal.headers.pairs
    return orjson.dumps(members).decode()


def call_of(row: str, body: bytes) -> IncomingCall:
    """Return the call of a row. Raises ValueError: it is not as `row_of` writes it."""
    try:
        members: dict[str, Any] = orjson.loads(row)
        refused = members.get("refusal")
        request = Request(
            method=_text(members["method"]),
            path=_text(members["path"]),
            query=_pairs(members["query"]),
            headers=Headers(_pairs(members["headers"])),
            body=body,
            prefix=_text(members["prefix"]),
            scheme=_text(members.get("scheme", "http")),
        )
        refusal = None if refused is None else Refusal(**refused, headers=Headers(_pairs(members["refusalHeaders"])))
        return IncomingCall(_text(members["api"]), request, refusal)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no call: {error}") from None


def _pairs(values: list[list[object]]) -> tuple[tuple[str, str], ...]:
    return tuple([(_text(name), _text(value)) for name, value in values])


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(type(value))
    return value


@dataclass(slots=True)
class Unsaved:
    """What of a sandbox is in no checkpoint: the rows of its calls, and their seconds; `saved_to` is before them.

    `checkpoint_seconds` is what the last checkpoint took. `is_doubtful` tells that carrying out the calls again might
    not give the same state: one ended in an internal error, or something else than a call changed the sandbox. Then
    there is a checkpoint before the next call.
    """

    seconds: float = 0.0
    rows: list[int] = field(default_factory=list)
    saved_to: int = 0
    checkpoint_seconds: float = 0.0
    is_doubtful: bool = False

    @property
    def is_much(self) -> bool:
        """Tell whether a checkpoint is worth its while."""
        return self.seconds > max(MIN_SPENT_SECONDS, SHARE * self.checkpoint_seconds)


class HeldCall:
    """The rest of a call that a scenario holds: it is logged when it is completed."""

    def __init__(self, log: "DurableLog", sandbox: Sandbox, seq: int, rest: Continuation) -> None:
        self.log, self.sandbox, self.seq, self.rest = log, sandbox, seq, rest

    def __call__(self, now: datetime) -> Response:
        """Complete the call as of `now`; a problem document when that cannot be stored."""
        try:
            return self.log.complete(self, now)
        except NotStoredError as error:
            return _refused(error)


class DurableLog:
    """The log of all sandboxes of a server. `held` are the calls that scenarios hold, `unsaved` is by sandbox.

    `impediments` are the server's: a file that cannot be written is one.
    """

    def __init__(self, file: CallLog, sandboxes: Sandboxes, impediments: dict[str, str], *, cors: bool) -> None:
        self.file, self.sandboxes, self.impediments, self.cors = file, sandboxes, impediments, cors
        self.unsaved: dict[str, Unsaved] = {}
        self.held: WeakValueDictionary[int, HeldCall] = WeakValueDictionary()
        self._controlled: tuple[str, datetime] | None = None
        self._description: str | None = None

    @property
    def description(self) -> str:
        """Return what calls are carried out with, as JSON: version, options, digests of contracts and scenarios."""
        template = self.sandboxes.template
        members = {
            "version": VERSION,
            "options": {
                "settings": template.settings,
                "seed": template.seed,
                "clock": [template.mode, template.factor],
                "scenarios": template.scenarios,
                "cors": self.cors,
            },
            "scenarios": {name: _digest(one.document) for name, one in template.catalogue.loaded.items()},
            "apis": {
                name: _digest([api.mount, api.bugs, dict(api.contract.schemas.documents)])
                for name, api in template.apis.items()
            },
        }
        return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode()

    def describe(self) -> None:
        """Note what calls are carried out with from now on; it is stored before the next one."""
        self._description = self.description

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Change what calls are carried out with, or sandboxes beside them. Raises NotStoredError: before that."""
        self.checkpoint_all()
        yield
        self.describe()
        self.doubt("")

    def play(
        self, sandbox: Sandbox, call: IncomingCall, real: datetime, carry_out: Callable[[], DeferredResponse]
    ) -> DeferredResponse:
        """Log a call and carry it out; a problem document when it cannot be stored. The control API logs its own."""
        if call.api == CONTROL_NAME:
            return self._play_control(carry_out)
        if sandbox.is_dropped:
            return carry_out()
        try:
            seq = self._append(sandbox.name, real, "call", call)
        except NotStoredError as error:
            return DeferredResponse(response=_refused(error))
        started = perf_counter()
        played = carry_out()
        self._spend(sandbox.name, started)
        return played if played.continuation is None else self.hold(sandbox, seq, played)

    def _play_control(self, carry_out: Callable[[], DeferredResponse]) -> DeferredResponse:
        self._controlled, started = None, perf_counter()
        played = carry_out()
        if self._controlled is not None:
            self._spend(self._controlled[0], started)
        return played

    def _spend(self, name: str, started: float) -> None:
        unsaved = self.unsaved.get(name)
        if unsaved is not None:
            unsaved.seconds += perf_counter() - started

    def hold(self, sandbox: Sandbox, seq: int, played: DeferredResponse) -> DeferredResponse:
        """Return a response whose rest is logged when it is carried out."""
        assert played.continuation is not None  # noqa: S101 - there is a rest
        rest = self.held[seq] = HeldCall(self, sandbox, seq, played.continuation)
        return played._replace(continuation=rest)

    def complete(self, held: HeldCall, now: datetime) -> Response:
        """Carry out the rest of a call, which is logged before, or in a checkpoint where the call itself is in one."""
        sandbox = held.sandbox
        if sandbox.is_dropped:
            return held.rest(now)
        self.held.pop(held.seq, None)
        if held.seq > self.unsaved[sandbox.name].saved_to:
            self._write(sandbox.name, now, "completion", str(held.seq))
            return held.rest(now)
        response = held.rest(now)
        self.checkpoint(sandbox)
        return response

    def create(self, name: str, real: datetime) -> None:
        """Log the creation of a sandbox, unless a logged call of the control API creates it."""
        if self._controlled != (name, real):
            self._write(name, real, "create")

    def drop(self, name: str) -> None:
        """Delete everything about a sandbox."""
        self.file.forget(name, self.unsaved[name].rows)
        del self.unsaved[name]

    def control(self, name: str, request: Request, real: datetime) -> None:
        """Log a call of the control API that was admitted, without its credentials."""
        admitted = Request(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers.without(*CREDENTIALS),
            body=request.body,
        )
        self._append(name, real, "control", IncomingCall(CONTROL_NAME, admitted, None))
        self._controlled = name, real

    def doubt(self, name: str) -> None:
        """Note that a sandbox has to be stored before its next call; "" stands for all of them."""
        for unsaved in [self.unsaved[name]] if name in self.unsaved else self.unsaved.values():
            unsaved.is_doubtful = True

    def _append(self, name: str, real: datetime, kind: Kind, call: IncomingCall) -> int:
        unsaved, sandbox = self.unsaved.get(name), self.sandboxes.get(name)
        if unsaved is not None and unsaved.is_doubtful and sandbox is not None:
            self.checkpoint(sandbox)
        return self._write(name, real, kind, row_of(call), call.request.body)

    def _write(self, name: str, real: datetime, kind: Kind, head: str = "", body: bytes = b"") -> int:
        try:
            if self._description is not None:
                self.file.describe(self._description)
                self._description = None
            seq = self.file.append(name, real, kind, head, body)
        except NotStoredError as error:
            self.impediments[FILE] = error.detail
            raise
        self.unsaved.setdefault(name, Unsaved()).rows.append(seq)
        return seq

    def look(self) -> None:
        """Look whether the file is at its place, and whether one that could not be written can be now."""
        self.file.look()
        if FILE in self.impediments or not self.file.is_there:
            try:
                self.file.touch()
            except NotStoredError as error:
                self.impediments[FILE] = error.detail
            else:
                self.impediments.pop(FILE, None)

    def due(self) -> Iterator[Sandbox]:
        """Yield the sandboxes that need a checkpoint: a restart would take long. One with a held call waits."""
        waiting = {one.sandbox.name for one in self.held.values()}
        for name, unsaved in tuple(self.unsaved.items()):
            sandbox = self.sandboxes.get(name)
            if unsaved.is_much and name not in waiting and sandbox is not None:
                yield sandbox

    def checkpoint(self, sandbox: Sandbox) -> None:
        """Store a sandbox as it is, in the place of its calls. Raises NotStoredError."""
        real, unsaved, started = sandbox.used, self.unsaved.setdefault(sandbox.name, Unsaved()), perf_counter()
        unsaved.seconds = 0.0  # when it fails, it is tried again after as much as now
        try:
            packed = _compressed(orjson.dumps(snapshot_of(sandbox, real, journal=True, content=quick_content_form)))
            if sandbox.is_dropped:
                return
            self.file.checkpoint(sandbox.name, real, packed, unsaved.rows)
        except (BulkproofError, orjson.JSONEncodeError) as error:
            raise NotStoredError(
                HTTPStatus.SERVICE_UNAVAILABLE, f"The sandbox {sandbox.name} cannot be stored: {error}"
            ) from None
        finally:
            unsaved.checkpoint_seconds = perf_counter() - started
        unsaved.saved_to, unsaved.rows, unsaved.is_doubtful = self.file.last, [], False

    def checkpoint_all(self) -> None:
        """Store every sandbox that has calls in no checkpoint. Raises NotStoredError."""
        for name in [name for name, unsaved in self.unsaved.items() if unsaved.rows or unsaved.is_doubtful]:
            sandbox = self.sandboxes.get(name)
            if sandbox is None:  # it was never made: its calls were refused
                self.drop(name)
            else:
                self.checkpoint(sandbox)

    def close(self, *, whole: bool = True) -> None:
        """Store every sandbox and close the file; where that fails, calls are carried out again at the next start.

        `whole` tells that no call was cut off while it ran.
        """
        try:
            if whole and not self.held:
                self.checkpoint_all()
        except NotStoredError as error:
            _log.warning("%s The next start takes longer.", error)
        self.file.close()


def _digest(value: object) -> str:
    return sha256(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)).hexdigest()


def _compressed(document: bytes) -> bytes:
    packer = zlib.compressobj(1)
    parts = []
    for begin in range(0, len(document), CHUNK_BYTES):
        parts.append(packer.compress(document[begin : begin + CHUNK_BYTES]))
        breathe()
    return b"".join((*parts, packer.flush()))


def _refused(error: NotStoredError) -> Response:
    return problem(Refusal(status=error.status, kind="fault", detail=error.detail))

"""Open a durable server (`open_service`): its sandboxes from their checkpoints, then the calls that came after.

Calls are carried out again at their own instants and on the same path as the first time; nobody is told of them.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import orjson

from contracts.errors import BulkproofError, MisuseError
from contracts.messages import Headers, Request
from contracts.syntax.text import short
from mockserver.api.model import Api
from mockserver.control.routes import CONTROL_NAME
from mockserver.domain.slices import SlicedWork
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.http.durable_log import DurableLog, Unsaved, call_of
from mockserver.http.request_reading import SANDBOXES_PATH, IncomingCall
from mockserver.http.service import Options, Service
from mockserver.journal.journal import JournalEntry
from mockserver.sandbox.sandboxes import DEFAULT_SANDBOX, Sandbox, is_name
from mockserver.sandbox.snapshot import read_snapshot, restore
from mockserver.stores.interface import NotStoredError
from mockserver.stores.sqlite_log import CallLog, LoggedCall, Sync

CHECKPOINT_INTERVAL_SECONDS: Final = 0.5  # between two looks at what a restart would take


class Held(NamedTuple):
    """A call that a scenario held when the server was killed, and how often its sandbox had been reset before."""

    sandbox: Sandbox
    played: DeferredResponse
    reset_count: int


_CURE: Final = "Start it once as it was and stop it with Ctrl-C, which stores all sandboxes; or name another file."


def open_service(apis: Iterable[Api], options: Options, path: Path, real: datetime, *, sync: Sync = "full") -> Service:
    """Return a server whose sandboxes are those of a file, made when it is missing.

    Raises MisuseError: the file is none of ours, in use or damaged, or its calls were served by something else.
    """
    echo = _Echo(options.on_exchange)
    service = Service(apis, options if options.on_exchange is None else replace(options, on_exchange=echo), real)
    file = CallLog(path, sync=sync)
    log = DurableLog(file, service.sandboxes, service.impediments, cors=options.cors)
    try:
        held = _recover(service, log)
    except BulkproofError:
        file.close()
        raise
    service.metrics.clear()
    echo.is_on = True
    service.log = service.sandboxes.log = log
    log.describe()
    _complete(log, held, real)
    return service


def put_snapshots(service: Service, files: Iterable[Path], real: datetime) -> list[str]:
    """Put snapshots into the sandboxes that they name, which are made; those that a store has stay as they are.

    Return what is to be told of the latter. Raises MisuseError: a file that cannot be put, or a second one for a
    sandbox; then no sandbox is made, and the store is closed.
    """
    stored, put, kept = {one.name for one in service.sandboxes}, dict[str, Path](), list[str]()
    try:
        for file in files:
            document = read_snapshot(file)
            name = str(document.get("sandbox"))
            if name in put:
                cure = "Name another sandbox in one of them."
                raise MisuseError(f"{file} and {put[name]} are both of the sandbox '{name[:80]}'.", cure=cure)
            put[name] = file
            if name in stored:
                kept.append(f"The sandbox {name} is in the store already, and stays as it is: {file} was not put.")
            else:
                _put(service, file, document, name if is_name(name) else DEFAULT_SANDBOX, real)
    except (BulkproofError, NotStoredError) as error:
        for one in {sandbox.name for sandbox in service.sandboxes} - stored:
            service.sandboxes.drop(one)
        if service.log is not None:
            service.log.close()
        raise MisuseError(str(error)) if isinstance(error, NotStoredError) else error from None
    return kept


def _put(service: Service, file: Path, document: object, name: str, real: datetime) -> None:
    """Put a snapshot as the control API does, and store the sandbox."""
    path, fields = f"{SANDBOXES_PATH}/{name}/snapshot", Headers((("Content-Type", "application/json"),))
    request = Request(method="PUT", path=path, headers=fields, body=orjson.dumps(document))
    control = replace(service.control, hooks=DEFAULT_HOOKS)
    played = service.carry_out(service.backstage, control, IncomingCall(CONTROL_NAME, request, None), real)
    answer: Any = played.complete(real).data
    if "detail" in answer:
        raise MisuseError(f"{file} cannot be put: {answer['detail']}")
    sandbox = service.sandboxes.use(name, real)
    if service.log is not None:
        service.log.checkpoint(sandbox)


def _recover(service: Service, log: DurableLog) -> Mapping[int, Held]:
    if not log.file.is_empty:
        _require_same(log.file, log.description)
    most, service.sandboxes.most = service.sandboxes.most, sys.maxsize
    _restore(service, log)
    held = _Replay(service, log).run()
    service.sandboxes.most = most
    return held


class _Echo:
    """Passes exchanges on once it is on."""

    def __init__(self, tell: Callable[[JournalEntry], None] | None) -> None:
        self.tell, self.is_on = tell, False

    def __call__(self, entry: JournalEntry) -> None:
        if self.is_on and self.tell is not None:
            self.tell(entry)


def _require_same(file: CallLog, now: str) -> None:
    before = file.description
    if before == now:
        return
    try:
        was, served = orjson.loads(before or "{}"), orjson.loads(now)
        if was.get("version") != served["version"]:
            other = f"Bulkproof {was.get('version')}"
        else:
            other = " and ".join(_differences(was, served)) or "other options"
    except (AttributeError, KeyError, TypeError, ValueError):
        raise file.damaged("what its calls were served with cannot be read") from None
    raise MisuseError(f"{file.path} has calls that were served with {other}, by a server that was killed.", cure=_CURE)


def _differences(was: dict[str, Any], served: dict[str, Any]) -> Iterator[str]:
    for kind, shown in (("apis", "another contract of"), ("scenarios", "another scenario")):
        names = sorted(name for name in was[kind] | served[kind] if was[kind].get(name) != served[kind].get(name))
        if names:
            yield f"{shown} {', '.join(names)}"
    if was["options"] != served["options"]:
        names = sorted(name for name in was["options"] if was["options"][name] != served["options"].get(name))
        yield f"other options ({', '.join(names)})"


def _restore(service: Service, log: DurableLog) -> None:
    for one in log.file.checkpoints():
        started = perf_counter()
        _require_name(log.file, one.sandbox)
        try:
            document = orjson.loads(one.document)
        except ValueError as error:
            raise log.file.damaged(error) from None
        try:
            restore(service.sandboxes.use(one.sandbox, one.real), document, one.real, is_own=True)
        except BulkproofError as error:
            cure = "Serve what it was made with, or name another file."
            raise MisuseError(
                f"the sandbox {one.sandbox} of {log.file.path} cannot be restored: {error}", cure=cure
            ) from None
        log.unsaved[one.sandbox] = Unsaved(checkpoint_seconds=perf_counter() - started)


def _require_name(file: CallLog, name: str) -> None:
    if not is_name(name):
        raise file.damaged(f"{short(name)} is no name of a sandbox")


class _Replay:
    """Carries out the calls of a log again; what a scenario held then is held here."""

    def __init__(self, service: Service, log: DurableLog) -> None:
        self.service, self.log = service, log
        self.held: dict[int, Held] = {}

    @cached_property
    def control(self) -> Api:
        """Return the control API for calls that have been admitted."""
        return replace(self.service.control, hooks=DEFAULT_HOOKS)

    def run(self) -> Mapping[int, Held]:
        """Carry out all rows, and return the calls whose rest has not been carried out."""
        for row in self.log.file.calls():
            started = perf_counter()
            unsaved = self.log.unsaved.setdefault(row.sandbox, Unsaved())
            try:
                self._step(row)
            except (KeyError, ValueError):
                raise self.log.file.damaged(f"call {row.seq} is not as it was written") from None
            unsaved.rows.append(row.seq)
            unsaved.seconds += perf_counter() - started
        return self.held

    def _step(self, row: LoggedCall) -> None:
        if row.sandbox or row.kind != "control":  # such as a call about all of them
            _require_name(self.log.file, row.sandbox)
        if row.kind == "completion":
            held = self.held.pop(int(row.head), None)
            if held is not None:
                held.played.complete(row.real)
        elif row.kind == "control":
            backstage = self.service.backstage
            self.service.carry_out(backstage, self.control, call_of(row.head, row.body), backstage.now(row.real))
        else:
            sandbox = self.service.sandboxes.use(row.sandbox, row.real)
            if row.kind == "call":
                self._call(row, sandbox)

    def _call(self, row: LoggedCall, sandbox: Sandbox) -> None:
        call = call_of(row.head, row.body)
        played = self.service.carry_out(sandbox, self.service.apis[call.api], call, sandbox.now(row.real))
        if played.continuation is not None:
            self.held[row.seq] = Held(sandbox, played, sandbox.reset_count)


def _complete(log: DurableLog, held: Mapping[int, Held], real: datetime) -> None:
    """Carry out the rest of calls that were answered before; a call that was not answered is given up."""
    for seq, (sandbox, played, era) in held.items():
        is_over = sandbox.is_dropped or (played.on_clock and sandbox.reset_count != era)
        if played.response is not None and not is_over:
            log.hold(sandbox, seq, played).complete(sandbox.now(real))


async def keep_checkpoints(service: Service, say: Callable[[str], None]) -> None:
    """Make checkpoints, in slices, so that a restart takes not long; until cancelled."""
    log = service.log
    while log is not None:
        await asyncio.sleep(CHECKPOINT_INTERVAL_SECONDS)
        log.look()
        for sandbox in log.due():
            async with service.turns.of(sandbox):
                work = SlicedWork(partial(log.checkpoint, sandbox))
                try:
                    while not work.step():  # noqa: ASYNC110 - there is nothing to wait for
                        await asyncio.sleep(0)
                except NotStoredError as error:
                    say(str(error))

"""The server without its sockets: the served APIs, their sandboxes, and routing. Begin with `Service`."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from contracts.errors import MisuseError
from contracts.messages import Headers, Response
from contracts.syntax.text import merge_patch
from mockserver.api.model import Api, Refusal, problem
from mockserver.bulk.prepared_api import MAX_KEPT, MAX_KEPT_CHARS
from mockserver.control.access import ControlAccess
from mockserver.control.metrics import Metrics
from mockserver.control.routes import CONTROL_NAME, ControlContext, RefusedError, control_api, find_sandbox
from mockserver.dashboard.files import ALIASES, redirect
from mockserver.domain.clock_and_ids import ClockMode
from mockserver.engine import pipeline
from mockserver.engine.scenario_execution import Continuation, DeferredResponse
from mockserver.http.cors import answer_options, with_cors
from mockserver.http.request_reading import (
    CONTROL_PATH,
    MAX_SNAPSHOT_BYTES,
    METRICS_PATH,
    SANDBOXES_PATH,
    SNAPSHOT_PATH,
    IncomingCall,
    RequestTarget,
    incoming_call,
    is_control_path,
    read_target,
)
from mockserver.http.turns import Turns
from mockserver.journal.journal import JournalEntry
from mockserver.sandbox import sandboxes
from mockserver.sandbox.sandboxes import DEFAULT_SANDBOX, MAX_SANDBOXES, Sandbox, Sandboxes, SandboxTemplate
from mockserver.scenarios.loading import Catalogue

if TYPE_CHECKING:
    from ssl import SSLContext

    from mockserver.http.durable_log import DurableLog

LONG_BODY_BYTES: Final = 64 * 1024  # of a body whose request is served in slices
PROBE_PATHS: Final = frozenset((f"{CONTROL_PATH}/health", f"{CONTROL_PATH}/ready"))
DOCUMENT_PATH: Final = "/openapi.json"
LINK_FIELDS: Final = frozenset(("content-location", "location", "operation-location"))
_log: Final = logging.getLogger("bulkproof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The configuration of a server.

    `settings` are changes to the defaults, in the shape of a sandbox's settings. `scenarios` are names in `catalogue`
    that are active in every fresh sandbox. `max_sandboxes` bounds their number. `control_token`, when not empty, is
    required of every control request. `hosts` are the host names, beside loopback's, by which the control API may be
    called. `cors` lets browsers of any origin use plain documents.
    `on_exchange` is called with every recorded exchange. With `tls` it is served by https.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    mode: ClockMode = "system"
    factor: float = 1.0
    catalogue: Catalogue = field(default_factory=Catalogue)
    scenarios: tuple[str, ...] = ()
    max_sandboxes: int = MAX_SANDBOXES
    control_token: str = ""
    hosts: frozenset[str] = frozenset()
    cors: bool = True
    on_exchange: Callable[[JournalEntry], None] | None = None
    tls: "SSLContext | None" = None


class Destination(NamedTuple):
    """The sandbox, the API and the target of a request. `prefix` is the part of the path that names the sandbox."""

    sandbox: Sandbox
    api: Api
    target: RequestTarget
    prefix: str = ""

    @property
    def is_snapshot(self) -> bool:
        """Tell whether it is the snapshot of a sandbox."""
        return self.api.name == CONTROL_NAME and SNAPSHOT_PATH.fullmatch(self.target.path) is not None

    @property
    def body_limit(self) -> int:
        """Return the maximum size of the body, in bytes."""
        if self.is_snapshot:
            return MAX_SNAPSHOT_BYTES
        limit: int = self.sandbox.settings["limits"]["bodyBytes"]
        return limit

    @property
    def is_guarded(self) -> bool:
        """Whether it is a control request that shows or changes what a sandbox has."""
        path = self.target.path
        return self.api.name == CONTROL_NAME and path not in PROBE_PATHS and not path.endswith(DOCUMENT_PATH)


class _Place(NamedTuple):
    """The API and the target of a request in the sandbox that its path names, None for none."""

    named: str | None
    api: Api
    target: RequestTarget
    prefix: str


class Service:
    """The served APIs with their sandboxes, and the control API. `log` is that of a durable server."""

    def __init__(self, apis: Iterable[Api], options: Options, real: datetime) -> None:
        self.apis = _by_name(apis)
        roots = [name for name, api in self.apis.items() if not api.mount]
        self.at_their_names = frozenset(roots if len(roots) > 1 else ())  # several APIs whose servers have no path
        self.apis |= {name: _at_its_name(self.apis[name]) for name in self.at_their_names}
        for path in (one for api in self.apis.values() for one in api.scenarios):
            options.catalogue.read(path)
        self.metrics = Metrics()
        self.impediments: dict[str, str] = {}  # why the server is not ready, by cause
        template = SandboxTemplate(
            apis=self.apis,
            settings=sandboxes.default_settings(self.apis.values(), options.settings),
            seed=options.seed,
            mode=options.mode,
            factor=options.factor,
            on_exchange=_both(self.metrics.tell, options.on_exchange),
            catalogue=options.catalogue,
            scenarios=options.scenarios,
        )
        self.sandboxes = Sandboxes(template, most=options.max_sandboxes)
        self._mounts = _mounts(self.apis.values())
        self._places: dict[str, _Place] = {}
        self.turns = Turns()
        self.log: DurableLog | None = None
        self.options = options
        self.scheme = "https" if options.tls else "http"
        self._begun = real

    @cached_property
    def control(self) -> Api:
        """Return the control API, loaded on first use."""
        control = ControlContext(
            apis=self.apis,
            sandboxes=self.sandboxes,
            metrics=self.metrics,
            catalogue=self.options.catalogue,
            settle=pipeline.run_due_jobs,
            impediments=self.impediments,
        )
        return control_api(control, ControlAccess(self.options.control_token, self.options.hosts))

    @cached_property
    def backstage(self) -> Sandbox:
        """Return the sandbox behind the control API."""
        return Sandbox("", _control_template(self.control, self.metrics), self._begun)

    def adopt(self, api: Api) -> None:
        """Replace the contract of an API; stored state stays. Raises MisuseError (mount in use) or NotStoredError."""
        if not api.mount and (api.name in self.at_their_names or self._is_root_taken(but_by=api.name)):
            api = _at_its_name(api)
        with self.changing():
            self._mounts = _mounts({**self.apis, api.name: api}.values())
            self._places.clear()
            self.apis[api.name] = api
            for sandbox in self.sandboxes:
                sandbox.replace_contract(api)

    def changing(self) -> AbstractContextManager[None]:
        """Change what is served, or sandboxes beside calls: see `DurableLog.changing`."""
        return nullcontext() if self.log is None else self.log.changing()

    def find(self, raw: str, headers: Headers, real: datetime, method: str = "GET") -> Destination | Response:
        """Return the destination of a request, or the response where there is none: a problem, a redirect."""
        if raw in ALIASES and (page := redirect(method, headers.get("Accept"))) and not self._declares(raw):
            return page
        place = self._places.get(raw) or self._place(raw)
        if not isinstance(place, _Place):
            return place
        try:
            sandbox = find_sandbox(self.sandboxes, _sandbox_name(place.named, headers), real)
        except RefusedError as refused:
            return problem(refused.refusal)
        return Destination(sandbox, place.api, place.target, place.prefix)

    def _declares(self, path: str) -> bool:
        return any(one.path == path for mount, api in self._mounts if not mount for one in api.contract.operations)

    def _place(self, raw: str) -> "_Place | Destination | Response":
        """Return the API and the target of a request, which are kept; the destination of a call of the control API."""
        target = read_target(raw)
        if target.sandbox is None and self._is_control(target.path):
            return Destination(self.backstage, self.control, target)
        found = self._mounted(target)
        if found is None:
            return self._unmounted(target)
        if target.path == found.mount + DOCUMENT_PATH and all(
            one.path != DOCUMENT_PATH for one in found.contract.operations
        ):
            inner = target._replace(path=f"{CONTROL_PATH}/apis/{found.name}{DOCUMENT_PATH}")
            return Destination(self.backstage, self.control, inner)
        inner = target._replace(path=target.path[len(found.mount) :] or "/")
        place = _Place(target.sandbox, found, inner, target.prefix)
        if len(raw) <= MAX_KEPT_CHARS:
            if len(self._places) >= MAX_KEPT:
                self._places.clear()
            self._places[raw] = place
        return place

    def is_free(self, place: Destination, method: str) -> bool:
        """Tell whether a request need not wait for one that runs in slices."""
        if place.api.name != CONTROL_NAME:
            return self.turns.is_free(place.sandbox)
        return self.turns.are_free or (method == "GET" and not place.target.path.startswith(SANDBOXES_PATH))

    def turn(self, place: Destination) -> AbstractAsyncContextManager[None]:
        """Return what waits for a request's turn; a snapshot concerns its sandbox alone."""
        if place.is_snapshot and (found := self.sandboxes.get(unquote(place.target.path.split("/")[-2]))):
            return self.turns.of(found)
        return self.turns.of_all() if place.api.name == CONTROL_NAME else self.turns.of(place.sandbox)

    def takes_long(self, place: Destination, size: int, real: datetime) -> bool:
        """Tell whether a request is served in slices: its body has many bytes, jobs are due, it is a snapshot."""
        if place.api.name == CONTROL_NAME:
            return place.is_snapshot
        state = place.sandbox.api_states.get(place.api.name)
        due = None if state is None else state.jobs.next_due()
        return size >= LONG_BODY_BYTES or (due is not None and due <= place.sandbox.now(real))

    def answer(
        self, place: Destination, method: str, headers: Headers, body: bytes | Refusal, real: datetime
    ) -> Response:
        """Return the response to a request without delays; a body that is a Refusal was not readable."""
        return self.play(place, method, headers, body, real).complete(place.sandbox.now(real))

    def play(
        self, place: Destination, method: str, headers: Headers, body: bytes | Refusal, real: datetime
    ) -> DeferredResponse:
        """Return the response to a request, with the delays and faults that its scenario asks for."""
        started = perf_counter()
        sandbox, api = place.sandbox, place.api
        call = incoming_call(api.name, place.target, method, headers, body, prefix=place.prefix, scheme=self.scheme)
        if self.log is None:
            played = self.carry_out(sandbox, api, call, sandbox.now(real))
        else:
            carry_out = partial(self.carry_out, sandbox, api, call, sandbox.now(real))
            played = self.log.play(sandbox, call, real, carry_out)
        self.metrics.observe(api.name, perf_counter() - started)
        if self.options.cors and api.plain:
            played = played.map_response(partial(with_cors, headers))
        return played.map_response(partial(_with_prefixed_links, place)) if place.prefix else played

    def handle(self, method: str, raw: str, headers: Headers, body: bytes, real: datetime) -> Response:
        """Return the response to a request given as values, without sockets and their limits."""
        place = self.find(raw, headers, real)
        return place if isinstance(place, Response) else self.answer(place, method, headers, body, real)

    def carry_out(self, sandbox: Sandbox, api: Api, call: IncomingCall, now: datetime) -> DeferredResponse:
        """Return the response to a call as of `now` on the sandbox's clock; the call is not logged."""
        request, refusal = call.request, call.refusal
        try:
            if self.options.cors and api.plain and (allowed := answer_options(api, request)) is not None:
                return DeferredResponse(response=allowed)
            if refusal is not None:
                return DeferredResponse(response=pipeline.refuse(sandbox, api, request, now, refusal))
            played = pipeline.begin(sandbox, api, request, now)
        except Exception:  # noqa: BLE001 - the last resort: nothing that is sent may end in a traceback
            return DeferredResponse(response=self._internal_error(sandbox, api.name, request.method))
        if played.continuation is None:
            return played
        return played._replace(continuation=self._guarded(sandbox, played.continuation, api.name, request.method))

    def _guarded(self, sandbox: Sandbox, rest: Continuation, api: str, method: str) -> Continuation:
        """Return `rest` with every exception logged and answered with 500."""

        def guarded(now: datetime) -> Response:
            try:
                return rest(now)
            except Exception:  # noqa: BLE001 - as above
                return self._internal_error(sandbox, api, method)

        return guarded

    def _internal_error(self, sandbox: Sandbox, api: str, method: str) -> Response:
        """Log the exception that is being handled, and return the 500 response."""
        _log.exception("Internal error while handling %s %s", api, method)
        if self.log is not None:
            self.log.doubt(sandbox.name)
        detail = "Internal error of Bulkproof; see the server's log. Please report it."
        return problem(Refusal(status=HTTPStatus.INTERNAL_SERVER_ERROR, kind="fault", detail=detail))

    def _is_control(self, path: str) -> bool:
        """Say whether a path is the control API's: it wins over an API at the root, whose own `/metrics` wins."""
        return is_control_path(path) and not (path == METRICS_PATH and self._declares(path))

    def _is_root_taken(self, *, but_by: str) -> bool:
        return any(not one.mount for one in self.apis.values() if one.name != but_by)

    def _mounted(self, target: RequestTarget) -> Api | None:
        path, folded = target.path, target.path.lower()
        for mount, api in self._mounts:
            given = folded if api.contract.ignore_case else path
            if given.startswith(mount) and given[len(mount) : len(mount) + 1] in {"", "/"}:
                return api
        return None

    def _unmounted(self, target: RequestTarget) -> Response:
        if target.fault:
            return problem(Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=target.fault))
        served = ", ".join(api.mount or "/" for api in self.apis.values())
        detail = f"Nothing is served at {target.path[:200]}. Served: {served}, and {CONTROL_PATH}/openapi.json."
        return problem(Refusal(status=HTTPStatus.NOT_FOUND, kind="no-path", detail=detail))


def _both(
    first: Callable[[JournalEntry], None], other: Callable[[JournalEntry], None] | None
) -> Callable[[JournalEntry], None]:
    def tell(entry: JournalEntry) -> None:
        first(entry)
        if other is not None:
            other(entry)

    return first if other is None else tell


def _by_name(apis: Iterable[Api]) -> dict[str, Api]:
    found: dict[str, Api] = {}
    for api in apis:
        if api.name in found:
            raise MisuseError(f"two APIs are named '{api.name}'.", cure="Rename one of the files.")
        found[api.name] = api
    return found


def _at_its_name(api: Api) -> Api:
    return replace(api, contract=replace(api.contract, mount=f"/{api.name}"))


def _mounts(apis: Iterable[Api]) -> tuple[tuple[str, Api], ...]:
    """Return the APIs by mount, longest first. Raises MisuseError: a mount is used twice, or reserved."""
    found: dict[str, Api] = {}
    for api in apis:
        mount = api.mount.lower() if api.contract.ignore_case else api.mount
        if mount in found:
            raise MisuseError(
                f"'{api.name}' and '{found[mount].name}' are both served at {api.mount or '/'}.",
                cure="Change a server URL.",
            )
        if is_control_path(mount) or mount.startswith("/@"):
            raise MisuseError(
                f"'{api.name}' cannot be served at {mount}, which is taken.", cure="Change its server URL."
            )
        found[mount] = api
    return tuple(sorted(found.items(), key=lambda one: -len(one[0])))


def _control_template(control: Api, metrics: Metrics) -> SandboxTemplate:
    """Return the template of the sandbox behind the control API: it counts requests and keeps no journal."""
    own = merge_patch(
        sandboxes.DEFAULT_SETTINGS, {"limits": {"journalExchanges": 0, "depth": sandboxes.MAX_SNAPSHOT_DEPTH}}
    )
    return SandboxTemplate(
        apis={control.name: control}, settings=own, on_exchange=metrics.tell, allows_preferences=False
    )


def _sandbox_name(in_path: str | None, headers: Headers) -> str:
    """Return the sandbox that prefix and `Sandbox` field name. Raises RefusedError: they name different ones."""
    if "Sandbox" not in headers:
        return DEFAULT_SANDBOX if in_path is None else in_path
    named = {value.strip() for value in headers.get_all("Sandbox")}
    if in_path is not None:
        named.add(in_path)
    if len(named) > 1:
        raise RefusedError(f"The call names different sandboxes: {', '.join(sorted(named))[:200]}.")
    return next(iter(named), DEFAULT_SANDBOX)


def _with_prefixed_links(place: Destination, response: Response) -> Response:
    """Return a response whose links lead into the sandbox that the path names."""
    mount = place.api.mount
    moved = [
        (name, f"{place.prefix}{value}")
        for name, value in response.headers.pairs
        if name.lower() in LINK_FIELDS and value.startswith(f"{mount}/")
    ]
    return response.with_headers(*moved) if moved else response

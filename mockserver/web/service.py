"""A server without its sockets: what is served, which sandbox and API a request means, and the answer to it."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, NamedTuple

from contracts.errors import MisuseError
from contracts.jsontext import DEEPEST
from contracts.messages import Call, Headers, Reply
from mockserver import engine, settings
from mockserver.api import Api
from mockserver.clock import Mode
from mockserver.control import Desk, control_api
from mockserver.control.desk import RefusedError, find_sandbox
from mockserver.metrics import Metrics
from mockserver.problems import problem
from mockserver.sandbox import DEFAULT, MAX_SANDBOXES, Blank, Sandbox, Sandboxes
from mockserver.scenario.catalogue import Catalogue
from mockserver.turn import Refusal
from mockserver.underway import Played, Rest
from mockserver.web.target import Target, read_target

CONTROL: Final = "/_sandbox"
METRICS: Final = "/metrics"
AROUND: Final = 8  # levels that a control call puts around records, at most
DOCUMENT: Final = "/openapi.json"
LINKS: Final = frozenset(("content-location", "location", "operation-location"))
_log: Final = logging.getLogger("bulkproof")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a server is set up. `settings` are changes to the defaults, in the shape of a sandbox's settings.

    `scenarios` are the names, in `catalogue`, of those that are active in every fresh sandbox.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    mode: Mode = "system"
    factor: float = 1.0
    catalogue: Catalogue = field(default_factory=Catalogue)
    scenarios: tuple[str, ...] = ()
    max_sandboxes: int = MAX_SANDBOXES
    control_token: str = ""


class Place(NamedTuple):
    """Where a request is answered. `prefix` is the part of the path that named the sandbox."""

    sandbox: Sandbox
    api: Api
    target: Target
    prefix: str = ""

    @property
    def body_limit(self) -> int:
        """Return how large the body may be, in bytes."""
        limit: int = self.sandbox.settings["limits"]["bodyBytes"]
        return limit


class Service:
    """The served APIs with their sandboxes, and the control API over them."""

    def __init__(self, apis: Iterable[Api], options: Options, real: datetime) -> None:
        self.apis = _by_name(apis)
        self.metrics = Metrics()
        blank = Blank(
            apis=self.apis,
            settings=settings.defaults(self.apis.values(), options.settings),
            seed=options.seed,
            mode=options.mode,
            factor=options.factor,
            tell=self.metrics.tell,
            catalogue=options.catalogue,
            scenarios=options.scenarios,
        )
        self.sandboxes = Sandboxes(blank, most=options.max_sandboxes)
        desk = Desk(
            apis=self.apis,
            sandboxes=self.sandboxes,
            metrics=self.metrics,
            catalogue=options.catalogue,
            settle=engine.settle,
        )
        self.control = control_api(desk, token=options.control_token)
        self._backstage = Sandbox("", _backstage(self.control, self.metrics), real)
        self._mounts = _mounts(self.apis.values())

    def adopt(self, api: Api) -> None:
        """Serve a changed contract; what the sandboxes know stays. Raises MisuseError: its mount is taken."""
        self._mounts = _mounts({**self.apis, api.name: api}.values())
        self.apis[api.name] = api
        for sandbox in self.sandboxes:
            sandbox.adopt(api)

    def find(self, raw: str, headers: Headers, real: datetime) -> Place | Reply:
        """Return where a request with that target is answered, or the problem document that says why nowhere."""
        target = read_target(raw)
        if target.sandbox is None and _is_control(target.path):
            return Place(self._backstage, self.control, target)
        found = self._mounted(target)
        if found is None:
            return self._unmounted(target)
        if target.path == found.mount + DOCUMENT and all(one.path != DOCUMENT for one in found.contract.operations):
            inner = target._replace(path=f"{CONTROL}/apis/{found.name}{DOCUMENT}")
            return Place(self._backstage, self.control, inner)
        try:
            sandbox = find_sandbox(self.sandboxes, _chosen(target, headers), real)
        except RefusedError as refused:
            return problem(refused.refusal)
        inner = target._replace(path=target.path[len(found.mount) :] or "/")
        return Place(sandbox, found, inner, target.prefix)

    def answer(self, place: Place, method: str, headers: Headers, body: bytes | Refusal, real: datetime) -> Reply:
        """Answer a request at its place, at once; a body that is a Refusal could not be read."""
        return self.play(place, method, headers, body, real).at_once(place.sandbox.now(real))

    def play(self, place: Place, method: str, headers: Headers, body: bytes | Refusal, real: datetime) -> Played:
        """Take a request in hand: the answer to it, and what happens to that on its way."""
        started = perf_counter()
        played = self._play(place, method, headers, body, place.sandbox.now(real))
        self.metrics.observe(place.api.name, perf_counter() - started)
        return played.mapped(partial(_linked, place)) if place.prefix else played

    def handle(self, method: str, raw: str, headers: Headers, body: bytes, real: datetime) -> Reply:
        """Answer a whole request, without sockets and their limits."""
        place = self.find(raw, headers, real)
        return place if isinstance(place, Reply) else self.answer(place, method, headers, body, real)

    def _play(self, place: Place, method: str, headers: Headers, body: bytes | Refusal, now: datetime) -> Played:
        sandbox, api, target = place.sandbox, place.api, place.target
        refusal = body if isinstance(body, Refusal) else None
        if target.fault:
            refusal = Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=target.fault)
        call = Call(
            method=method,
            path=target.path,
            query=target.query,
            headers=headers,
            body=b"" if isinstance(body, Refusal) else body,
        )
        try:
            if refusal is not None:
                return Played(reply=engine.refuse(sandbox, api, call, now, refusal))
            played = engine.play(sandbox, api, call, now)
        except Exception:  # noqa: BLE001 - the last resort: nothing that is sent may end in a traceback
            return Played(reply=_own_fault(api.name, method))
        return played if played.rest is None else played._replace(rest=_guarded(played.rest, api.name, method))

    def _mounted(self, target: Target) -> Api | None:
        path, folded = target.path, target.path.lower()
        for mount, api in self._mounts:
            given = folded if api.contract.ignore_case else path
            if given.startswith(mount) and given[len(mount) : len(mount) + 1] in {"", "/"}:
                return api
        return None

    def _unmounted(self, target: Target) -> Reply:
        if target.fault:
            return problem(Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=target.fault))
        served = ", ".join(api.mount for api in self.apis.values())
        detail = f"Nothing is served at {target.path[:200]}. Served: {served}, and {CONTROL}/openapi.json."
        return problem(Refusal(status=HTTPStatus.NOT_FOUND, kind="no-path", detail=detail))


def _own_fault(api: str, method: str) -> Reply:
    """Log the exception that is being handled, and return what the client is told of it."""
    _log.exception("Internal error while handling %s %s", api, method)
    detail = "Internal error of Bulkproof; see the server's log. Please report it."
    return problem(Refusal(status=HTTPStatus.INTERNAL_SERVER_ERROR, kind="fault", detail=detail))


def _guarded(rest: Rest, api: str, method: str) -> Rest:
    """Return what carries the rest of a call out, whatever happens."""

    def guarded(now: datetime) -> Reply:
        try:
            return rest(now)
        except Exception:  # noqa: BLE001 - as above
            return _own_fault(api, method)

    return guarded


def _by_name(apis: Iterable[Api]) -> dict[str, Api]:
    found: dict[str, Api] = {}
    for api in apis:
        if api.name in found:
            raise MisuseError(f"two APIs are named '{api.name}'.", cure="Rename one of the files.")
        found[api.name] = api
    return found


def _mounts(apis: Iterable[Api]) -> tuple[tuple[str, Api], ...]:
    """Return the APIs by mount, longer ones first. Raises MisuseError when two have the same, or one is ours."""
    found: dict[str, Api] = {}
    for api in apis:
        mount = api.mount.lower() if api.contract.ignore_case else api.mount
        if mount in found:
            raise MisuseError(
                f"'{api.name}' and '{found[mount].name}' are both served at {api.mount}.", cure="Change a server URL."
            )
        if _is_control(mount) or mount.startswith("/@"):
            raise MisuseError(
                f"'{api.name}' cannot be served at {mount}, which is taken.", cure="Change its server URL."
            )
        found[mount] = api
    return tuple(sorted(found.items(), key=lambda one: -len(one[0])))


def _is_control(path: str) -> bool:
    return path == METRICS or (path.startswith(CONTROL) and path[len(CONTROL) : len(CONTROL) + 1] in {"", "/"})


def _backstage(control: Api, metrics: Metrics) -> Blank:
    """Return what the sandbox behind the control API is like: it keeps no journal, and counts all the same."""
    own = settings.merge(settings.BASE, {"limits": {"journalExchanges": 0, "depth": DEEPEST + AROUND}})
    return Blank(apis={control.name: control}, settings=own, tell=metrics.tell, plays=False)


def _chosen(target: Target, headers: Headers) -> str:
    """Return the sandbox that prefix and header name. Raises RefusedError when they name different ones."""
    named = {value.strip() for value in headers.get_all("Sandbox")} if "Sandbox" in headers else set()
    if target.sandbox is not None:
        named.add(target.sandbox)
    if len(named) > 1:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, f"The call names different sandboxes: {', '.join(sorted(named))[:200]}."
        )
    return next(iter(named), DEFAULT)


def _linked(place: Place, reply: Reply) -> Reply:
    """Return a reply whose links lead into the sandbox that the path named."""
    mount = place.api.mount
    moved = [
        (name, f"{place.prefix}{value}")
        for name, value in reply.headers.pairs
        if name.lower() in LINKS and value.startswith(f"{mount}/")
    ]
    return replace(reply, headers=reply.headers.with_(*moved)) if moved else reply

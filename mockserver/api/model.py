"""The plug-in interface: an API (`Api`, `Hooks`), what its hooks receive (`RequestContext`, `ItemRun`), and refusals.

A `Refusal` is rendered by the API's own hook; `problem` renders it as a problem document (RFC 9457).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from contracts.bulk.model import Bulk, Outcomes, Resource
from contracts.errors import MisuseError
from contracts.messages import ABSENT, Headers, Request, Response
from contracts.openapi.model import Contract, Operation, is_json
from contracts.openapi.validation import Violation
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.jobs import Job, JobRegistry
from mockserver.domain.values import FanOutTarget, HalfCommit, Item, ItemEffect, Outcome, Resolution
from mockserver.stores.interface import Key, Record, View
from mockserver.stores.memory import MemoryStore, Overlay, Undo
from mockserver.stores.spooled_bodies import Spool, SpooledBody

if TYPE_CHECKING:
    from generators.oracles.findings import Law
    from mockserver.scenarios.player import Decision

MEMORY_KEYED_BY_JOB = (
    "polls",
    "bugs/early",
    "bugs/processed",
    "bugs/results",
    "bugs/told",
)  # memory whose keys are job ids
ItemEffects: TypeAlias = Mapping[int, ItemEffect]  # what a scenario does to items, by their place in the request
Behaviour: TypeAlias = Callable[["RequestContext"], Response]
Entries: TypeAlias = Callable[[Sequence[Outcome]], Sequence[Sequence[object]]]
Perform: TypeAlias = Callable[["RequestContext", "Batch", str], Sequence[Outcome]]
RereadItem: TypeAlias = Callable[[Item, object], Item]
ServeItem: TypeAlias = Callable[[Item, MemoryStore | Overlay], Outcome]
Members: TypeAlias = Mapping[str, object]
Prepare: TypeAlias = Callable[[Sequence[Record | None], Sequence[Members]], Sequence[Members]]


@dataclass(slots=True, kw_only=True)
class ApiState:
    """The mutable state of one API in one sandbox. `settings` are the sandbox's, shared by its APIs.

    `memory` belongs to the API's hooks (tokens, quotas). `populated` are the scopes that hold their initial records.
    `on_job_end` is called with each job that ran, and the outcomes of its items.
    `undo` takes back what a request in progress changed beside the store.
    """

    store: MemoryStore | Overlay
    ids: IdSource
    settings: dict[str, Any]
    jobs: JobRegistry = field(default_factory=JobRegistry)
    memory: dict[str, Any] = field(default_factory=dict)
    populated: set[str] = field(default_factory=set)
    spool: Spool = field(default_factory=Spool)
    created: datetime
    expiring: list[tuple[datetime, int, str, Hashable]] = field(default_factory=list)
    remember_count: int = 0
    on_job_end: Callable[[Job, Sequence[Outcome]], object] | None = None
    undo: list[Callable[[], object]] = field(default_factory=list)

    def begin(self) -> None:
        """Begin a request whose writes can be taken back."""
        self.undo.clear()
        self.store.undo = []

    def commit(self) -> None:
        """Keep what the request in progress wrote."""
        self.undo.clear()
        self.store.undo = None

    def on_roll_back(self, step: Callable[[], object]) -> None:
        """Call `step` if the request in progress is taken back."""
        if self.store.undo is not None:
            self.undo.append(step)

    def roll_back(self) -> None:
        """Take back what the request in progress wrote: records, jobs, what is remembered."""
        self.store.roll_back()
        while self.undo:
            self.undo.pop()()

    def remember(self, kind: str, key: Hashable, value: object, until: datetime) -> None:
        """Store `value` in the memory of that kind until the instant `until` of the sandbox's clock."""
        self.memory.setdefault(kind, {})[key] = value
        self.on_roll_back(lambda: self.memory[kind].pop(key, None))
        self.remember_count += 1
        heappush(self.expiring, (until, self.remember_count, kind, key))

    def drop_expired(self, now: datetime) -> None:
        """Drop what has expired by `now`: remembered values, and ended jobs with what is stored about them.

        The cost depends on what is dropped, not on what remains.
        """
        while self.expiring and self.expiring[0][0] <= now:
            _, _, kind, key = heappop(self.expiring)
            self.memory.get(kind, {}).pop(key, None)
        for job in self.jobs.drop_expired(now):
            for kind in MEMORY_KEYED_BY_JOB:
                self.memory.get(kind, {}).pop(job, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a whole request is refused.

    `kind` is one of: no-path, no-method, unauthenticated, forbidden, media-type, charset, malformed, invalid
    (violations say why), empty, tooFew, tooMany, duplicateKey, duplicateTarget, malformedItem, badMode, not-found,
    not-acceptable, too-big, too-deep, too-slow, conflict, precondition, quota, broken-contract. `total` counts single
    violations; `line` and `column` count from 1, 0 is unknown.
    """

    status: int
    kind: str
    detail: str
    violations: Sequence[Violation] = ()
    total: int = 0
    line: int = 0
    column: int = 0
    headers: Headers = field(default_factory=Headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The items of an admitted request, with their unit and order.

    `valid` names the resources whose payloads are all valid. `stop_after` is the number of failures after which nothing
    more is run, 0 for any number.
    """

    operation: Operation
    bulk: Bulk
    items: Sequence[Item]
    unit: str
    grouped: bool
    valid: frozenset[str]
    stop_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The behaviour of one API; `mockserver.engine.default_hooks` has the defaults for a plain OpenAPI document.

    authenticate: authenticate and authorise; sets `context.client`; a Refusal rejects the request
    scope:      return the data set or tenant of the request, or a Refusal; a scope is populated on first use
    populate:   write the initial records of a new scope to the view
    canonicalise: return the body's JSON value with member names as the contract spells them, before validation
    refuse:     render a Refusal as a response in the API's own format
    max_items:  return the largest number of items that settings allow, None for the contract's limit
    target:     resolve one target of a fan-out
    unknown_target: return the error text for a target that does not exist
    perform:    apply a batch to a scope, set `context.outcomes`, return the outcomes to report; None for the default
    check_conduct: check a request before it makes jobs, or polls one; a Refusal rejects it
    may_see_job: tell whether the request may read a job
    precedence: return the order of jobs of one scope that are due at the same instant, smaller first
    changed_members: return the members that each payload sets: itself, or the effect of a list of operations
    prepare:    for one run, return a function that selects the writable members of each item, given its stored record
                or None, and the members that it sets
    resolve:    return the key that a reference (a member of the resource) or a target (its key) names
    new_keys:   for one run, return a function that makes the keys of that many records that the server names
    job_id:     return the id of a new job of that many items
    render:     return a stored record as the API represents it
    entries:    for one run, return a function that renders each outcome as its entries in the response or the job
    dispatch:   serve a request that is an item of another one, all but recording it
    finish:     return the response with its final changes: common header fields, warnings
    """

    authenticate: Callable[["RequestContext"], Refusal | None]
    scope: Callable[["RequestContext"], str | Refusal]
    populate: Callable[["ItemRun", View], None]
    canonicalise: Callable[["RequestContext", object], object]
    refuse: Callable[["RequestContext", Refusal], Response]
    max_items: Callable[["RequestContext"], int | None]
    target: Callable[["RequestContext", object], FanOutTarget]
    unknown_target: Callable[[str], str]
    perform: Perform | None
    check_conduct: Callable[["RequestContext", int], Refusal | None]
    may_see_job: Callable[["RequestContext", Job], bool]
    precedence: Callable[[Job], int]
    changed_members: Callable[[Resource, Sequence[object]], Sequence[Members]]
    prepare: Callable[["ItemRun", Resource], Prepare | None] | None
    resolve: Callable[["ItemRun", View, Resource, str, object], Resolution] | None
    new_keys: Callable[["ItemRun", Resource], Callable[[int], Sequence[Key]]]
    job_id: Callable[["RequestContext", int], str]
    render: Callable[["ItemRun", Resource, Record], object]
    entries: Callable[["ItemRun"], Entries]
    dispatch: Behaviour
    finish: Callable[["RequestContext", Response], Response]


class ClientLaw(Protocol):
    """A law of client conduct: see `mockserver.verdicts.conduct_law`."""

    @property
    def id(self) -> str:
        """Return the law's id."""


def _no_bugs(api: "Api", *names: str) -> "Api":
    raise MisuseError(
        f"{api.name} cannot have planted bugs: {', '.join(names)}.", cure="Load it through `find_sources`."
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Api:
    """One API to be served.

    `behaviours` replace the default handler of an operationId. `settings` are the API's default settings, shown under
    its name in a sandbox's settings and validated by `settings_schema` (a JSON Schema). `laws` are the laws of client
    conduct that apply, None for all that its contract allows (see `mockserver.verdicts.verdict`). `checks` are laws of
    its own, which `bulkproof check` applies too; `scenarios` are files of scenarios to choose from. `memory_types` are
    the types of what its hooks keep in `ApiState.memory`, by kind, such as `{"tokens": dict[str, datetime]}`: snapshots
    write it by them; without, only plain values can be written. `bugs` names its planted bugs; `plant` returns a
    variant with more of them (see `mockserver.mutants.planting`).

    `plain` says that all there is is the document: it is served by the conventions of document mock servers (declared
    security is asked for, refusals are declared ones, `Accept` is honoured); false for an API with its own conventions.
    `memo` has what was computed of it once; a copy begins without.
    """

    name: str
    contract: Contract
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    hooks: Hooks
    settings: Mapping[str, object] = field(default_factory=dict)
    settings_schema: Mapping[str, object] = field(default_factory=dict)
    laws: tuple[ClientLaw, ...] | None = None
    checks: tuple["Law", ...] = ()
    scenarios: tuple[Path, ...] = ()
    memory_types: Mapping[str, Any] = field(default_factory=dict)
    bugs: tuple[str, ...] = ()
    plant: Callable[..., "Api"] = _no_bugs
    plain: bool = True
    memo: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    @property
    def mount(self) -> str:
        """Return the path prefix under which the API is served: `/genero`, or "" at the server's root."""
        return self.contract.mount


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request on its way through the pipeline, whose stages fill it in; `now` is the sandbox's time of its arrival.

    `variables` are the percent-decoded path parameters; `query` has the parsed query parameters by name, with defaults;
    `data` is the parsed body. `client` identifies the client, `scope` the data set or tenant. `targets` are those of a
    fan-out that was carried out, `outcomes` and `jobs` what came of its items. `violations` are the
    request's, and those of an own response that was not sent because it breaks the contract.

    A scenario sets `decision`, `item_effects` and `half_commit`; `arrived_at` is the arrival when that was before
    `now`. `bugs` are the planted bugs that changed the response. `answer_origin` says where the answer of a plain
    document comes from (`stored`, `example`, `generated`, `problem`), `answer_warning` what is best effort in it.

    `excused` says that the request cannot be served with state, and is answered from the document: it is invalid and
    the settings allow that, or its body cannot be read as data. `in_json` prefers JSON where `Accept` does not decide.
    `writes` are those to the store that were kept.
    """

    api: Api
    api_state: ApiState
    request: Request
    now: datetime
    operation: Operation | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    data: object = ABSENT
    client: str = ""
    scope: str = ""
    outcomes: Sequence[Outcome] = ()
    jobs: Sequence[Job] = ()
    targets: Mapping[str, FanOutTarget] = field(default_factory=dict)
    violations: Sequence[Violation] = ()
    decision: "Decision | None" = None
    item_effects: ItemEffects | None = None
    half_commit: HalfCommit | None = None
    arrived_at: datetime | None = None
    bugs: list[str] = field(default_factory=list)
    answer_origin: str = ""
    answer_warning: str = ""
    excused: bool = False
    in_json: bool = False
    spooled_body: SpooledBody | None = None
    writes: Sequence[Undo] = ()

    @property
    def routed(self) -> Operation:
        """Return the operation of a request that was routed to one, as are all that reach a behaviour."""
        assert self.operation is not None  # noqa: S101 - behaviours are for routed requests only
        return self.operation

    def refuse(self, refusal: Refusal) -> Response:
        """Return the response to the request when it is refused, in the API's own format."""
        return self.api.hooks.refuse(self, refusal)

    def spool_body(self) -> SpooledBody:
        """Return the request's body as it waits to be read again; it is stored once."""
        if self.spooled_body is None:
            self.spooled_body = self.api_state.spool.store(self.request.body)
        return self.spooled_body


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRun:
    """What the items of one run share: API, state, scope, time and unit (`whole`, `item`, `group`).

    `valid` names the resources whose payloads are all valid, `failed_keys` has the keys of items that failed before.
    `stop_after` is the batch's. `serve_item` applies an item that is an HTTP request, to a store; None for other items.
    `reread_item` makes an item of another value in its place in the body, once references in it are replaced.
    `outcomes` is how they are reported where that is not as the operation's own response does it.
    """

    api: Api
    api_state: ApiState
    scope: str
    now: datetime
    unit: str = "item"
    operation: Operation | None = None
    client: str = ""
    valid: frozenset[str] = frozenset()
    item_effects: ItemEffects | None = None
    failed_keys: frozenset[object] = frozenset()
    stop_after: int = 0
    serve_item: "ServeItem | None" = None
    reread_item: "RereadItem | None" = None
    outcomes: Outcomes | None = None


PROBLEM_MEDIA_TYPE = "application/problem+json"
REGISTERED_STATUSES = frozenset(map(int, HTTPStatus))


def problem(refusal: Refusal) -> Response:
    """Return the problem document of a refusal (RFC 9457)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": reason_phrase(refusal.status),
        "status": refusal.status,
        "detail": refusal.detail,
    }
    if refusal.violations:
        body["errors"] = [_error(one) for one in refusal.violations]
        body["total"] = refusal.total or sum(one.items for one in refusal.violations)
    if refusal.line:
        body |= {"line": refusal.line, "column": refusal.column}
    return Response.of(refusal.status, body, media_type=PROBLEM_MEDIA_TYPE, headers=refusal.headers)


def reason_phrase(status: int) -> str:
    """Return HTTP's reason phrase of a status code (RFC 9110, section 15), `Status N` where it has none."""
    return HTTPStatus(status).phrase if status in REGISTERED_STATUSES else f"Status {status}"


def _error(violation: Violation) -> dict[str, object]:
    error: dict[str, object] = {
        "pointer": violation.pointer,
        "rule": violation.rule,
        "detail": violation.detail,
        "items": violation.items,
    }
    return error | ({"in": violation.where} if violation.where != "body" else {})


def json_response(context: RequestContext, status: int, data: object, headers: Headers | None = None) -> Response:
    """Return a JSON response of the declared media type; a status that declares no content has no body."""
    operation = context.operation
    response = None if operation is None else operation.response(status)
    if response is None or data is ABSENT:
        return Response.of(status, data, headers=headers)
    if not response.content:
        return Response(status=status, headers=headers or Headers())
    content = [one.media_range for one in response.content]
    declared = next(filter(is_json, content), content[0])
    return Response.of(status, data, media_type="application/json" if "*" in declared else declared, headers=headers)

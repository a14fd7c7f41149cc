"""The `x-bulk` vocabulary as frozen values: `Bulk` and its eight parts.

The parts are independent of one another. A `Location` is a JSON Pointer (RFC 6901) into a body in which `*` stands for
every member or element, or `header:Name`, `query:name`, `path:name`. Defaults are those of `x-bulk.schema.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from contracts.bulk.jobs import ActiveJobs, JobDuration
from contracts.bulk.lists import ListRules, Pagination, placeholders_of
from contracts.bulk.normalisation import Rules

Location: TypeAlias = str
SetMembers: TypeAlias = Mapping[Location, object]
Collection: TypeAlias = Literal["array", "map", "line-pairs", "lines", "rows", "parts"]
Covers: TypeAlias = Literal["all", "failed", "split", "unless-failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A constant (`constant`), or a word that the request has at `source`, translated by `words`.

    Without `words` it is taken as it is. `default` is the word of a request that has none, before it is translated.
    """

    constant: str = ""
    source: Location = ""
    words: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    ignore_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """The request is executed once for each target listed at `over`; the response maps targets to results.

    `succeeded` and `failed` are the locations of these maps in the response.
    """

    over: Location
    succeeded: Location
    failed: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkItems:
    """Where the items of a request are, and how many there may be.

    `at` is the location of the collection, `also_at` are tried when `at` does not fit the body. `shared` are locations
    of values that apply to all items, `groups` is the location of a group's items inside the group. `min` and `max`
    count items, `max_bytes` limits the whole body, `max_item_bytes` one item. `ignore_case`: that of names in an item.
    """

    at: Location
    also_at: tuple[Location, ...] = ()
    shape: Collection = "array"
    shared: tuple[Location, ...] = ()
    groups: Location | None = None
    min: int = 0
    max: int | None = None
    max_bytes: int | None = None
    max_item_bytes: int | None = None
    ignore_case: bool = False
    fan_out: FanOut | None = None

    @property
    def places(self) -> tuple[Location, ...]:
        """Return every location of the collection, in the order in which they are tried."""
        return (self.at, *self.also_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkEffect:
    """What an item does: an action on a resource. Locations are relative to the item.

    `target` are the members that identify the record, empty when the resource's own key does (see `x-resources`).
    `payload` is the content to write, `payload_of` where it is for single actions, `version` the expected version.
    `like` are the operationIds of single-record operations with the same effect. `tombstone` maps a member's pointer to
    the value that makes the action a delete. `http` locates method, path and body in items that are HTTP requests.
    """

    action: Choice
    resource: Choice | None = None
    target: tuple[Location, ...] = ()
    payload: Location = ""
    payload_of: Mapping[str, Location] = field(default_factory=dict)
    version: Location | None = None
    like: tuple[str, ...] = ()
    tombstone: Mapping[Location, object] = field(default_factory=dict)
    http: Mapping[str, Location] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkKey:
    """How an outcome is matched to its item.

    `by` is the item's index, a key chosen by the client, the record's key, or the order of the outcomes. `at` is None
    when the resource's own key is used. `only_for` lists the actions that have a key, () for all of them.
    """

    by: Literal["index", "client", "target", "order"]
    at: Location | None = None
    optional: bool = False
    only_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUnit:
    """Which items succeed or fail together: `of` yields `whole`, `item` or `group`.

    `group` is the location of the group's name. `stop_after` is the number of failures after which nothing more is
    executed (0: never), or its location in the request; where a condition such as `header:Prefer=continue-on-error`
    stands, the first failure stops a request that does not meet it. `rolled_back` is how the other items of a failed
    unit are reported; `marked_as` is their status or error code when that is `marked`.
    """

    of: Choice
    group: Location | None = None
    stop_after: int | Location = 0
    rolled_back: Literal["nothing", "marked", "skipped"] = "nothing"
    marked_as: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOrder:
    """In which order items are executed.

    `when` is a condition on the request for `grouped` to apply, `group_by` the location of an item's group; smaller
    groups come first. `depends_on` is the location of the keys of items to execute before, `reference` the pattern of
    such a key inside values (`bulkId:{key}`). `forward` permits references to later items. `on_broken` is the status or
    error code of an item whose dependency failed.
    """

    run: Literal["any", "listed", "grouped"] = "any"
    when: Location | None = None
    group_by: Location | None = None
    depends_on: Location | None = None
    reference: str | None = None
    forward: bool = False
    on_broken: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTest:
    """A test of one outcome entry: the value at `at` is, is not, or exists; `value` may be a class such as `2xx`."""

    __test__ = False  # not a pytest class
    at: Location
    word: Literal["is", "not", "exists"]
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Where outcomes are and how they are written. Locations but `at` and `failed_at` are relative to an entry.

    `failed_at` is a collection of failures alone, `failed_key` where those have their key if not at `key`, `key_as` how
    it is written. `covers` is which are reported; with `gaps` a list has null in the place of an item without an entry.
    With `many` an item may have several. `record` is where a success has the record, "" for the entry; `status` the
    code of the item alone, `message` the text of a failure whose code is `error`; `codes` and `statuses` say these for
    kinds of faults. `set_members`, `set_done`, `set_failed` are further members, `set_not_run` those of items not run,
    which a cancelled job then lists. `http` locates status, headers and body of the response to an HTTP request.
    `members` is where a failure names the members at fault, `member_as` how it writes them (`{resource}`, `{member}`,
    `{Member}`); with `every` each fault of an item is told (a text: joined by it), in `fault_order`: of its `version`,
    of members as `sent` or as `declared`, of `missing` ones. `names` lists by kind of fault what its text names, in
    this order. `alike` is where the refusal of the item alone, by the operation that it is like, has such entries.
    """

    at: Location
    failed_at: Location | None = None
    shape: Collection = "array"
    covers: Covers = "all"
    in_order: bool = False
    key: Location | None = None
    failed_if: OutcomeTest | None = None
    many: bool = False
    id: Location | None = None
    version: Location | None = None
    error: Location | None = None
    failed_key: Location | None = None
    key_as: str | None = None
    record: Location | None = None
    status: Location | None = None
    message: Location | None = None
    codes: Mapping[str, str | int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    gaps: bool = False
    set_members: SetMembers = field(default_factory=dict)
    set_done: SetMembers = field(default_factory=dict)
    set_failed: SetMembers = field(default_factory=dict)
    set_not_run: SetMembers = field(default_factory=dict)
    http: Mapping[str, Location] = field(default_factory=dict)
    members: Location | None = None
    member_as: str = "{member}"
    every: bool | str = False
    fault_order: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alike: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReply:
    """How results are reported: the status code of each class, and where outcomes and counters are.

    The classes are `accepted`, `allOk`, `someFailed`, `allFailed` and `wholeFailed`. `error` is where the response
    tells why the whole request failed, `set_members` are further members.
    """

    status: Mapping[str, int]
    outcomes: Outcomes | None = None
    counts: Mapping[str, Location] = field(default_factory=dict)
    error: Location | None = None
    set_members: SetMembers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """When a request becomes a job, how the job is polled, and the words of its states (of `JOB_TRANSITIONS`).

    `when` lists conditions of which any makes a job: `always`, `header:Prefer=respond-async`, `query:async=true`.
    `handle` is the location of the job's id or URL in the response. `words` maps the API's state words to ours.
    `open` makes a job that this request fills, `start` sets it going. `results` are the operations that return outcomes
    (`here`: the poll itself), `results_of` the result of each that has but one. `every` is the polling interval,
    `timeout` and `keep` how long a job may run and is kept. `id_at` is where the poll has the `handle`, `handle_as` the
    handle as text with `{id}` in it, `error` why a whole job failed, `set_members` and `set_in_state` further members.
    `within` are values of the request that name the job, too (with `?` if they are said), `look_up` says when what
    items name is looked up, `times` locate `created`, `started`, `ended` in the poll. `failed_if` is met by failures.
    `steps` locate its units in the results (`at`), and outcomes in each; those with failures meet `step_failed_if`.
    """

    when: tuple[str, ...]
    handle: Location
    poll: str
    state_at: Location
    words: Mapping[str, str]
    progress: Mapping[str, Location] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    start: str | None = None
    open: str | None = None
    cancel: str | None = None
    cancel_until: Literal["end"] | None = None  # how long it can be cancelled
    every: timedelta | None = None
    timeout: timedelta | None = None
    keep: timedelta | None = None
    active: ActiveJobs | None = None
    outcomes: Outcomes | None = None
    takes: JobDuration = field(default_factory=JobDuration)
    results_of: Mapping[str, str] = field(default_factory=dict)
    id_at: Location | None = None
    handle_as: str | None = None
    error: Location | None = None
    set_members: SetMembers = field(default_factory=dict)
    set_in_state: Mapping[str, SetMembers] = field(default_factory=dict)
    within: tuple[Location, ...] = ()
    look_up: Literal["run"] | None = None
    times: Mapping[str, Location] = field(default_factory=dict)
    failed_if: OutcomeTest | None = None
    steps: Mapping[str, Location] = field(default_factory=dict)
    step_failed_if: OutcomeTest | None = None

    @property
    def operations(self) -> tuple[str, ...]:
        """Return the ids of the operations on one job in this order: poll, cancel, results; each once."""
        return tuple(dict.fromkeys(name for name in (self.poll, self.cancel, *self.results) if name and name != "here"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A key under which the same content is executed once (IETF draft httpapi-idempotency-key-header), for `keep`.

    `mismatch` is the response to other content under a known key, `concurrent` to a repetition while the first request
    is processed: a status code, an error code, or None when undefined.
    """

    key: Location
    scope: Literal["request", "item"] = "request"
    keep: timedelta | None = None
    replay: Literal["same-reply", "current-state"] = "same-reply"
    mismatch: int | str | None = None
    concurrent: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `max` of `what` in a window of `per` (0: in a request); `breach` as in ActiveJobs, or `unprocessed`.

    `by` is where a request says who is counted, None for its credentials.
    """

    what: str
    max: int
    per: timedelta
    breach: int | str = "conduct"
    by: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkGuard:
    """What rejects a request before any item is executed.

    `refuse` maps reasons to status codes. `unprocessed` is the location of items that are returned to be sent again,
    `retry_codes` are the statuses and error codes of failures that may be retried. `faults` locate the list of faults
    in a refusal for its items (`at`), in each the `pointer` into the request, the `rule` that is broken and the number
    of `items` that break it so, the `total`; `every_fault`: all, equal ones once. `fault_points`: what pointers mean.
    """

    refuse: Mapping[str, int | str] = field(default_factory=dict)
    idempotency: Idempotency | None = None
    unprocessed: Location | None = None
    retry_codes: tuple[str | int, ...] = ()
    quota: tuple[Quota, ...] = ()
    faults: Mapping[str, Location] = field(default_factory=dict)
    fault_points: Mapping[str, str] = field(default_factory=dict)
    every_fault: bool | Literal["first"] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """One `x-bulk` declaration."""

    items: BulkItems
    effect: BulkEffect
    key: BulkKey
    unit: BulkUnit
    reply: BulkReply
    order: BulkOrder = field(default_factory=BulkOrder)
    job: BulkJob | None = None
    guard: BulkGuard = field(default_factory=BulkGuard)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAct:
    """What a single-record operation does (`x-record`, else inferred from method and path).

    `key` locates the key, `payload` the content; `page` and `rules` are of lists. `same_key`: a body's other key is
    refused; `invalid`: the status of wrong content. `reply` locates what is shown. `inferred`: no `x-record` says so.
    """

    action: Choice
    resource: Choice
    key: Location | None = None
    payload: Location = ""
    version: Location | None = None
    same_key: bool = False
    invalid: int | None = None
    page: Pagination = field(default_factory=Pagination)
    rules: ListRules = field(default_factory=ListRules)
    reply: Location = ""
    set_members: SetMembers = field(default_factory=dict)
    inferred: bool = False
    keeps: bool = False  # a deletion may leave its record


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of record (`x-resources`, else inferred from the single-record operations).

    `schema` refers (`uri#pointer`) to the schema of a payload, None if unknown. `key`, `version` and `tombstone` are
    members of a record in a response. A version that is no counter (not `has_counter`) only changes; one that
    `counts_writes` counts all. After `consistency` reads show a write at the latest. `assigned`: the server makes the
    key. `unique` are tuples of members whose values differ between records, `likely` members of which that is not said;
    `references` maps a member to the resource whose key it has, `required` are what a new record must have, `defaults`
    fill absent members of it, `normalize`: how values are stored. `restrict`: a record that others refer to cannot be
    deleted. `ignore_case`: whether case of member names counts. `lookups` are templates of JSON values that may replace
    a key, `{member}` a value of it, `{reference/member}` of what it refers to. `payload` is where it has its payload,
    `created` and `modified` the times of its first and last write, `set_members` others. `inferred`: by no `x-`.
    """

    name: str
    schema: str | None = None
    key: str = "id"
    assigned: bool = False
    version: str | None = None
    has_counter: bool = True
    counts_writes: bool = False
    consistency: timedelta | None = None
    tombstone: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    likely: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    normalize: Rules = field(default_factory=dict)
    restrict: bool = False
    ignore_case: bool | None = None
    lookups: tuple[object, ...] = ()
    inferred: bool = False
    payload: Location = ""
    created: Location | None = None
    modified: Location | None = None
    set_members: SetMembers = field(default_factory=dict)
    extras: Mapping[str, object] = field(default_factory=dict)

    @property
    def sure_lookups(self) -> tuple[object, ...]:
        """The lookups by members that are unique, alone or with others, so that they never name several records."""
        return tuple(one for one in self.lookups if any({*names} <= {*placeholders_of(one)} for names in self.unique))

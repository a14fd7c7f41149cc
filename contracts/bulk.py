"""The `x-bulk` vocabulary as frozen values: what a bulk operation means, on eight independent axes.

A *location* is a JSON Pointer into the body ("" is the whole body), or `header:Name`, `query:name`, `path:name`.
`x-bulk.schema.json` beside this file is the vocabulary's JSON Schema; `docs/x-bulk.md` explains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

Location: TypeAlias = str
Collection: TypeAlias = Literal["array", "map", "line-pairs", "lines", "rows", "parts"]
Covers: TypeAlias = Literal["all", "failed", "split", "unless-failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A constant (`constant`), or a word that the caller gives at `source`, translated by `words`.

    `words` empty means that the caller's word is taken as it is. `default` is the caller's word when none is given,
    before it is translated.
    """

    constant: str = ""
    source: Location = ""
    words: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    ignore_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """The whole request is done once for each target named at `over`; the reply maps targets to results."""

    over: Location
    succeeded: Location
    failed: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Where the items are. `also_at` are places tried when `at` does not fit the body."""

    at: Location
    also_at: tuple[Location, ...] = ()
    shape: Collection = "array"
    shared: tuple[Location, ...] = ()
    groups: Location | None = None
    min: int = 0
    max: int | None = None
    max_bytes: int | None = None
    max_item_bytes: int | None = None
    fan_out: FanOut | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an item wants: an action on a resource. Locations are relative to the item.

    `target` are the members that name the record, empty when the resource's own key does (see `x-resources`).
    `tombstone` maps a member's pointer to the value that turns the action into a delete.
    """

    action: Choice
    resource: Choice | None = None
    target: tuple[Location, ...] = ()
    payload: Location = ""
    version: Location | None = None
    like: tuple[str, ...] = ()
    tombstone: Mapping[Location, object] = field(default_factory=dict)
    http: Mapping[str, Location] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What ties an outcome to its item; `at` is None when the resource's own key does."""

    by: Literal["index", "client", "target", "order"]
    at: Location | None = None
    optional: bool = False
    only_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What stands or falls together: `of` yields `whole`, `item` or `group`."""

    of: Choice
    group: Location | None = None
    stop_after: int | Location = 0
    rolled_back: Literal["nothing", "marked", "skipped"] = "nothing"
    marked_as: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order items run. `when` is a location that must say true for `grouped` to hold."""

    run: Literal["any", "listed", "grouped"] = "any"
    when: Location | None = None
    group_by: Location | None = None
    depends_on: Location | None = None
    reference: str | None = None
    forward: bool = False
    on_broken: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A predicate on one outcome entry: the value at `at` is, is not, or exists; `not` may be a class such as `2xx`."""

    __test__ = False  # not a pytest class

    at: Location
    word: Literal["is", "not", "exists"]
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Where outcomes stand and how they are shaped. Locations other than `at` and `failed_at` are inside an entry."""

    at: Location
    failed_at: Location | None = None
    shape: Collection = "array"
    covers: Covers = "all"
    in_order: bool = False
    key: Location | None = None
    failed_if: Test | None = None
    many: bool = False
    id: Location | None = None
    version: Location | None = None
    error: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReply:
    """How it is said: the status of each class (`accepted`, `allOk`, `someFailed`, `allFailed`, `wholeFailed`)."""

    status: Mapping[str, int]
    outcomes: Outcomes | None = None
    counts: Mapping[str, Location] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """How many jobs may be unfinished at a time; `breach` is a status, or `conduct` when nobody is refused."""

    max: int
    per: str = ""
    breach: int | str = "conduct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """How long a simulated job lasts: `base` plus `per_item` for each; `queued` is the share of it spent waiting."""

    base: timedelta = timedelta(seconds=2)
    per_item: timedelta = timedelta(milliseconds=1)
    queued: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """When a request becomes a job, how it is polled, and what its states are called.

    `when` lists wishes: `always`, `header:Prefer=respond-async`, `query:async=true`; any of them makes a job.
    `words` maps the API's state words to the classes of `contracts.lifecycle`.
    """

    when: tuple[str, ...]
    handle: Location
    poll: str
    state_at: Location
    words: Mapping[str, str]
    progress: Mapping[str, Location] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    start: str | None = None
    cancel: str | None = None
    every: timedelta | None = None
    timeout: timedelta | None = None
    keep: timedelta | None = None
    active: Active | None = None
    outcomes: Outcomes | None = None
    takes: Takes = field(default_factory=Takes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A key under which the same content is answered once."""

    key: Location
    scope: Literal["request", "item"] = "request"
    keep: timedelta | None = None
    replay: Literal["same-reply", "current-state"] = "same-reply"
    mismatch: int | str | None = None
    concurrent: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `max` of `what` in any window of `per`; `breach` is a status, or `conduct`."""

    what: str
    max: int
    per: timedelta
    breach: int | str = "conduct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What refuses the whole before any item is looked at: refusal word to status."""

    refuse: Mapping[str, int | str] = field(default_factory=dict)
    idempotency: Idempotency | None = None
    unprocessed: Location | None = None
    retry_codes: tuple[str | int, ...] = ()
    quota: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """One `x-bulk` declaration."""

    items: Items
    effect: Effect
    key: Key
    unit: Unit
    reply: BulkReply
    order: Order = field(default_factory=Order)
    job: BulkJob | None = None
    guard: Guard = field(default_factory=Guard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where a list operation takes its window and says its total."""

    skip: Location | None = None
    take: Location | None = None
    default: int = 100
    max: int | None = None
    total: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAct:
    """What a single-record operation does (`x-record`, else inferred from method and path).

    `key` is where the record's key stands, `payload` where its content does; `page` is for `list` alone.
    """

    action: Choice
    resource: Choice
    key: Location | None = None
    payload: Location = ""
    version: Location | None = None
    page: Page = field(default_factory=Page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of record (`x-resources`, else inferred from the single-record operations).

    `schema` refers (`uri#pointer`) to the JSON Schema of a payload, None when it is not known. `key`, `version` and
    `tombstone` are member names of a record as it is shown. `assigned`: the server makes the key. `unique` are tuples
    of payload members, `references` maps a payload member to the resource that it names, `required` are members that a
    new record must have, `defaults` fill absent members of a new record. `restrict`: a record that others refer to
    cannot be deleted. `ignore_case`: member names are read without regard to case. `lookups` are templates of JSON
    values that stand for a key: `{member}` is what a member of the record is. `extras` are its `x-` members.
    """

    name: str
    schema: str | None = None
    key: str = "id"
    assigned: bool = False
    version: str | None = None
    tombstone: str | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    restrict: bool = False
    ignore_case: bool = False
    lookups: tuple[object, ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict)

"""Values of bulk execution: items, faults, outcomes, and the order and grouping of items.

Main entries: `Item`, `ItemFault`, `Outcome`, and `PayloadValidator`, which validates a payload against its JSON Schema
(2020-12). Updates follow JSON Merge Patch at the top level (RFC 7396).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import Final, Literal, NamedTuple, TypeAlias

from contracts.bulk.model import Resource
from contracts.exchange.bulk_request import in_group_order
from contracts.exchange.preconditions import Version
from contracts.messages import ABSENT, Response
from contracts.schemas.schema_set import Schema
from contracts.schemas.wording import known_words
from contracts.syntax.text import closest
from mockserver.stores.interface import Collection, Key, Record, View


class Item(NamedTuple):
    """One item of a bulk request.

    `key` correlates its outcome with it, `target` is the key of the record that it names.

    `index` is its place in the request from 0, `version` the version that the client expects, `group` its declared
    group, `raw` the JSON value as it was received.
    """

    index: int  # type: ignore[assignment] # its place in the list; nobody looks an element of an item up
    key: Key | None
    action: str
    resource: Resource
    target: object
    payload: object
    version: Version | None
    group: object
    raw: object


class ItemFault(NamedTuple):
    """One reason why an item failed.

    `kind` is one of: missing, unknown, choice (the operation may not set the member), type, length, schema (another
    keyword), reference, ambiguous, converter, duplicate, not-found, version, referenced, locked, broken (an item that
    it depends on failed), scenario, cut-off, unprocessed (returned to be sent again).
    `members` are the names of the payload members concerned, `value` the given value. `facts` has details by kind:
    `min`, `max`, `length`, `expected`, `keyword`, `current`, `count`, `closest`, `nearest`, `words`, `resource`,
    `code`, `message`, `status`, `word`.
    """

    kind: str
    members: tuple[str, ...] = ()
    value: object = ABSENT
    facts: Mapping[str, object] = {}


class Outcome(NamedTuple):
    """The outcome of one item: `result` is `done`, `failed` or `not-run`.

    `action` is what was applied: an upsert becomes `create` or `update`. `record` is the record written or deleted.
    """

    item: Item
    result: str
    action: str
    faults: Sequence[ItemFault] = ()
    record: Record | None = None

    @property
    def failed(self) -> bool:
        """Tell whether the item failed."""
        return self.result == "failed"


class ServedOutcome(Outcome):
    """The outcome of an item that is an HTTP request: with its response, and the path that it was sent to."""

    response: Response
    path: str


class ItemEffect(NamedTuple):
    """The effect on selected items: they `fail`, `leave` undone, `lose` their change, or `skip` the response.

    Items that break the schema of the request are `invalid`, whatever a scenario says: `code` is the keyword then.
    """

    kind: Literal["fail", "invalid", "leave", "lose", "skip"]
    message: str | None = None
    code: str | None = None
    properties: tuple[str, ...] = ()


class Resolution(NamedTuple):
    """The key that a reference or a target resolves to, or the fault that explains why it resolves to none."""

    key: Key | None
    fault: ItemFault | None = None


def named_record(view: View, collection: Collection, member: str, value: object) -> Resolution:
    """Return the key of the record whose unique member has a value, None where none has it."""
    if value is ABSENT or value is None:
        return Resolution(None, ItemFault("missing", (member,)))
    return Resolution(next(iter(view.find(collection, (member,), (value,))), None))


class FanOutTarget(NamedTuple):
    """One target of a fan-out: its scope, or the problems because of which it is not served."""

    scope: str
    problems: tuple[str, ...] = ()


_LENGTHS = {"minLength", "maxLength"}
_SHAPES = {"type", "anyOf", "oneOf"}


class PayloadValidator:
    """Validates the payloads of a resource.

    `schema` is None when the contract declares none: then every payload is valid.
    """

    __slots__ = ("_fold", "_members", "is_closed", "resource", "schema")

    def __init__(self, resource: Resource, schema: Schema | None) -> None:
        self.resource, self.schema = resource, schema
        self._members = {} if schema is None else schema.members()
        self.is_closed = schema is not None and schema.raw.get("additionalProperties") is False
        self._fold = {name.lower(): name for name in self._members} if resource.ignore_case else {}

    @property
    def may_have_key(self) -> bool:
        """Tell whether a payload may have the record's key in it: clients choose it, and the schema allows it."""
        return not self.resource.assigned and (not self.is_closed or self.resource.key in self._members)

    def all_valid(self, payloads: Sequence[object]) -> bool:
        """Tell whether every payload is valid as it stands; a fast check before the detailed one."""
        return self.schema is not None and self.schema.are_valid(payloads)

    def canonical_name(self, given: str) -> str:
        """Return a member's name as the schema spells it, `given` itself when the schema does not have it."""
        return self._fold.get(given.lower(), given) if self._fold else given

    def validate(
        self, payload: Mapping[str, object], *, creating: bool, key: object = None
    ) -> tuple[Mapping[str, object], list[ItemFault]]:
        """Return the payload with canonical names, and its faults; `creating` demands what a whole record must be.

        `key` is the record's, which may be stated beside the payload, None where the server names it.
        """
        (named,) = self.canonical((payload,))
        faults = [fault for name, value in named.items() if (fault := self._fault(name, value)) is not None]
        if creating:
            faults += [self.missing_fault(name) for name in self.resource.required if name not in named]
            faults += () if faults else self._faults_of_whole(named, key)
        return named, faults

    def canonical(self, payloads: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """Return payloads with canonical names; of two spellings of one name in a payload the later one counts."""
        if not self._fold:
            return payloads
        own = {name: self.canonical_name(name) for name in set[str]().union(*payloads)}
        if all(map(eq, own, own.values())):
            return payloads
        return [{own[name]: value for name, value in one.items()} for one in payloads]

    def misfits(self, payloads: Sequence[Mapping[str, object]]) -> Iterator[int]:
        """Yield the places of the payloads with canonical names of which `validate` finds fault with a member."""
        for name in set[str]().union(*payloads):
            member = self._members.get(name)
            if member is None and self.is_closed:
                yield from (n for n, one in enumerate(payloads) if name in one)
            elif member is not None and not member.are_valid([one[name] for one in payloads if name in one]):
                fits = member.validator.is_valid
                yield from (n for n, one in enumerate(payloads) if name in one and not fits(one[name]))

    def _faults_of_whole(self, named: Mapping[str, object], key: object) -> Iterator[ItemFault]:
        """Yield the fault of members that are valid one by one and not together."""
        if self.schema is None or self.schema.is_valid(named):
            return
        own = self.resource.key
        whole = {own: key, **named} if key is not None and own in self._members else named
        error = self.schema.error_of_whole(whole)
        if error is None:
            return
        if error.kind.name == "required" and not error.instance_path:
            yield self.missing_fault(str(error.kind.as_dict()["property"]))
            return
        name, keyword = next(map(str, error.instance_path), ""), str(error.schema_path[-1])
        says = f"{name} breaks {keyword} beside the other members" if name else f"the members together break {keyword}"
        yield ItemFault(
            "schema", (name,) if name else (), named.get(name, ABSENT), {"keyword": keyword, "message": says}
        )

    def keeps_null(self, name: str) -> bool:
        """Tell whether a member is required and may be null: null is stored in it, and removes any other member."""
        return name in self.resource.required and name in self._members and self._members[name].is_valid(None)

    def missing_fault(self, name: str) -> ItemFault:
        """Return the fault of a required member that is absent."""
        return ItemFault("missing", (name,), facts=self._bounds(name))

    def _fault(self, name: str, value: object) -> ItemFault | None:
        if self.schema is None:
            return None
        member = self._members.get(name)
        if member is None:
            return (
                ItemFault("unknown", (name,), value, {"closest": closest(name, self._members)})
                if self.is_closed
                else None
            )
        validator = member.validator
        if validator.is_valid(value):
            return None
        if value is None and name in self.resource.required:
            return ItemFault("missing", (name,), None, self._bounds(name))
        return self._broken(name, value, str(next(iter(validator.iter_errors(value))).schema_path[-1]))

    def _broken(self, name: str, value: object, keyword: str) -> ItemFault:
        if keyword in _LENGTHS and isinstance(value, str):
            return ItemFault("length", (name,), value, {**self._bounds(name), "length": len(value)})
        kind = "type" if keyword in _SHAPES else "schema"
        return ItemFault(
            kind, (name,), value, {**self._bounds(name), "keyword": keyword, **self._words(name, value, keyword)}
        )

    def _words(self, name: str, value: object, keyword: str) -> dict[str, object]:
        """Return the words that a member may be, and the closest of them, where its schema lists some."""
        member = self._members.get(name)
        raw = next((form.raw for form in member.forms() if keyword in form.raw), {}) if member is not None else {}
        words = known_words(keyword, raw.get(keyword), raw)
        return {"words": words, "nearest": closest(value, words) if isinstance(value, str) else ""} if words else {}

    def _bounds(self, name: str) -> dict[str, object]:
        """Return what the schema says of a member: its `expected` type, `min` and `max` length."""
        member = self._members.get(name)
        raw = {} if member is None else member.raw
        words = raw.get("type", ())
        kinds = [words] if isinstance(words, str) else [word for word in words if word != "null"]  # type: ignore[attr-defined] # a schema that was checked
        expected = kinds[0] if kinds else "integer" if name in self.resource.references else "value"
        return {"expected": expected, "min": raw.get("minLength", 0), "max": raw.get("maxLength")}


def in_payload_order(faults: list[ItemFault], changes: Mapping[str, object], resource: Resource) -> list[ItemFault]:
    """Return faults in the order of the payload's members, then of the required members."""
    given = {name: place for place, name in enumerate(changes)}
    declared = {name: len(given) + place for place, name in enumerate(resource.required)}
    last = len(given) + len(declared)

    def place(fault: ItemFault) -> int:
        name = fault.members[0] if fault.members else ""
        return given.get(name, declared.get(name, last if name else -1))

    return sorted(faults, key=place)


def merge_patched(
    old: Mapping[str, object], new: Mapping[str, object], keeps_null: Callable[[str], bool] | None = None
) -> dict[str, object]:
    """Return `old` with the members of `new`; null removes what does not keep it (RFC 7396, top level only)."""
    both = {**old, **new}
    if None not in both.values():
        return both
    return {name: value for name, value in both.items() if value is not None or (keeps_null and keeps_null(name))}


RunItems: TypeAlias = Callable[[Sequence[Item], frozenset[object]], list[Outcome]]
UNPROCESSED: Final = ItemFault("unprocessed", facts={"message": "it was not processed; it may be sent again"})
NOT_APPLIED: Final = ItemFault("cut-off", facts={"message": "the connection broke before it was applied"})


def transaction_units(unit: str, items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """Split the items into transactions: one per group in unit `group`, else all of them together."""
    if unit != "group":
        return (items,)
    groups: dict[object, list[Item]] = {}
    for item in items:
        groups.setdefault(("own", item.index) if item.group is None else ("of", str(item.group)), []).append(item)
    return groups.values()


def index_of(outcome: Outcome) -> int:
    """Return the index of an outcome's item in the request."""
    return outcome.item.index


def split_in_halves(unit: str, items: Sequence[Item], *, grouped: bool) -> tuple[list[Item], list[Item]]:
    """Return the items applied in the first half, in the order of execution, and the rest.

    The first half is rounded down; in unit `group` it has only whole groups.
    """
    ordered = [item for some in transaction_units(unit, in_group_order(items) if grouped else items) for item in some]
    size = len(ordered) // 2
    if unit == "group":
        ends = [0]
        for some in transaction_units(unit, ordered):
            ends.append(ends[-1] + len(some))
        size = max(end for end in ends if end <= size)
    return ordered[:size], ordered[size:]


def unprocessed_outcome(item: Item) -> Outcome:
    """Return the outcome of an item that is returned to be sent again: it was neither done, nor did it fail."""
    return Outcome(item, "not-run", item.action, (UNPROCESSED,))


def is_unprocessed(outcome: Outcome) -> bool:
    """Tell whether an item is returned to be sent again."""
    return outcome.result == "not-run" and UNPROCESSED in outcome.faults


def not_run_outcomes(items: Sequence[Item]) -> list[Outcome]:
    """Return the outcomes of items that are not applied because the connection broke."""
    return [Outcome(item, "not-run", item.action, (NOT_APPLIED,)) for item in items]


@dataclass(slots=True)
class HalfCommit:
    """Which half of a request's items is being applied; `first_outcomes` are those of the first half, by scope."""

    is_second: bool = False
    first_outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def apply(self, scope: str, unit: str, items: Sequence[Item], run: RunItems, *, grouped: bool) -> list[Outcome]:
        """Apply the current half with `run`; return the outcomes of all items, in the order of the request."""
        first, rest = split_in_halves(unit, items, grouped=grouped)
        if not self.is_second:
            self.first_outcomes[scope] = run(first, frozenset())
            return sorted((*self.first_outcomes[scope], *not_run_outcomes(rest)), key=index_of)
        before = self.first_outcomes[scope]
        broken = frozenset(one.item.key for one in before if one.result != "done")
        return sorted((*before, *run(rest, broken)), key=index_of)

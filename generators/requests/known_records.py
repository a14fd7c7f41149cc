"""Records that the client knows to be stored, and fresh names and keys for new ones.

Begin with `KnownRecords` and `RecordContext`.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from random import Random
from re import sub
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import NAMESPACE_DNS, uuid5

from contracts.bulk.model import Resource
from contracts.schemas.equality import key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import is_text_or_integer
from generators.errors import NotApplicableError

MAX_KEY_DRAWS: Final = 200
MAX_NUMBER_DRAWS: Final = 10
DRAWN_BELOW: Final = (2**53, 2**31, 2**23, 2 * 10**5)  # bounds of drawn numbers, each at least half of it
FIRST_DRAWN: Final = 10**5  # numbers from here on are found in texts; smaller ones may stand for something else there
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
WIDTHS: Final = (12, 10, 9, 8, 7, 6, 5, 4)  # of short values, in digits
FEW_DIGITS: Final = 4  # drawn values with fewer are often the same
FIRST_NUMBER: Final = 7 * 10**14  # fresh numbers start here: unlikely to be in use, and exact as IEEE 754 doubles


@dataclass(slots=True)
class Names:
    """Fresh names of one trial; `text(slot)` begins with a prefix that no other trial has.

    `slots_by_value` maps every value that was handed out to its slot, `parents` each member with the key of a record
    that was made for it to refer to. Values that have no room for a name are counted: by `serial`, behind what the
    names of all trials begin with, `run`. `is_scarce` says that some had no room for that either.
    """

    prefix: str
    number: int
    run: str = ""
    serial: Iterator[int] = field(default_factory=count)
    is_scarce: bool = False
    slots_by_value: dict[Any, str] = field(default_factory=dict)
    parents: dict[tuple[str, str], str] = field(default_factory=dict)

    def text(self, slot: object) -> str:
        """Return the name of a slot."""
        return f"{self.prefix}{slot}"

    def fresh_value(self, schema: Schema | None, slot: str) -> Any:
        """Return a new valid value for a schema: a name, a number, an address with it, a short or a drawn one.

        What is drawn depends on the trial's prefix, so that no other trial has it. Raises NotApplicableError.
        """
        number, name = self.number + len(self.slots_by_value), self.text(slot)
        for value in chain((name, number, str(number)), _addresses(name), self._short_values()):
            if value not in self.slots_by_value and (schema is None or schema.is_valid(value)):
                return self.register(value, slot)
        own = Random(f"{name}/{number}")
        drawn = _draw_key(schema, self.slots_by_value, own)
        self.is_scarce = self.is_scarce or len(str(drawn)) < FEW_DIGITS
        return self.register(drawn, slot)

    def _short_values(self) -> Iterator[Any]:
        """Yield values of few characters, which are counted through all trials."""
        n = next(self.serial)
        yield f"{self.run}{_written(n, 36, 4)}"
        start = Random(self.run or self.prefix).getrandbits(64) + n
        for width in WIDTHS:
            yield from (_written(start, 36, width), _written(start, 36, width).upper(), _written(start, 10, width))
            least = 10 ** (width - 1)
            yield from (least + start % (9 * least), least + start % (least // 2))

    def register(self, value: Any, slot: object) -> Any:
        """Record a value under a slot and return it."""
        self.slots_by_value[value] = str(slot)
        return value

    def marker(self, members: Mapping[str, object]) -> "Marker | None":
        """Return the first fresh value among a record's members, by which a list shows it; None when there is none."""
        return next((Marker(name, value) for name, value in members.items() if self.is_fresh(value)), None)

    def is_fresh(self, value: object) -> bool:
        """Return whether a value was handed out here."""
        return is_text_or_integer(value) and value in self.slots_by_value

    def normalise(self, value: object) -> object:
        """Return a JSON value with every fresh value replaced by its slot, so that equal trials compare equal."""
        if isinstance(value, dict):
            return {name: self._normalised_member(name, inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.normalise(inner) for inner in value]
        if isinstance(value, str):
            return self._normalised_text(value)
        known = isinstance(value, int) and not isinstance(value, bool) and value >= FIRST_NUMBER
        return f"~{self.slots_by_value[value]}" if known and value in self.slots_by_value else value

    def _normalised_member(self, name: str, value: object) -> object:
        slot = None if isinstance(value, dict | list) else self.parents.get((name, key_text(value)))
        return self.normalise(value) if slot is None else f"~{slot}"

    def _normalised_text(self, text: str) -> str:
        if text in self.slots_by_value:
            return f"~{self.slots_by_value[text]}"
        for value, slot in self.slots_by_value.items():
            word = str(value)
            if word not in text:
                continue
            if isinstance(value, int):
                text = sub(rf"(?<![1-9]){word}(?!\d)", f"~{slot}", text) if value >= FIRST_DRAWN else text
            elif self.prefix not in word and len(word) >= FEW_DIGITS:
                text = text.replace(word, f"~{slot}")
        return text.replace(self.prefix, "~")


class Marker(NamedTuple):
    """A member with a value that no other record has."""

    member: str
    value: object

    @property
    def text(self) -> str:
        """The value as keys are written."""
        return key_text(self.value)


def _written(number: int, base: int, width: int) -> str:
    """Return the last digits of a number, so many of them."""
    return "".join(DIGITS[number // base**place % base] for place in reversed(range(width)))


def _addresses(name: str) -> Iterator[str]:
    """Yield values of common formats with a name in them: email, hostname, URI, UUID."""
    host = f"{name.lower()}.example.com"
    yield from (f"{name}@example.com", host, f"https://{host}/")
    yield str(uuid5(NAMESPACE_DNS, name))


def _draw_key(schema: Schema | None, taken: Iterable[object], rng: Random) -> object:
    from generators.data.compile import generator_of  # noqa: PLC0415 - only unusual keys need it
    from generators.errors import UnsatisfiableError  # noqa: PLC0415 - only unusual keys need it

    used = set(taken)
    try:
        numbers = (rng.randrange(most // 2, most) for most in DRAWN_BELOW for _ in range(MAX_NUMBER_DRAWS))
        values = (generator_of(schema).draw(rng) for _ in range(MAX_KEY_DRAWS)) if schema is not None else iter(())
        wanted = (one for one in chain(numbers, values) if schema is not None and schema.is_valid(one))
        return next(value for value in wanted if isinstance(value, str | int) and value not in used)
    except (UnsatisfiableError, StopIteration):
        raise NotApplicableError("no fresh key could be made for the key's schema") from None


MAX_PICKS: Final = 10
SAME_BATCH_SHARE: Final = 0.3  # share of references to records of the same batch, where there are some

StoredKey: TypeAlias = str | int
NO_MEMBERS: Mapping[str, Any] = {}


class KnownRecord(NamedTuple):
    """A stored record: its key, its version (None when it has none) and its known members."""

    key: StoredKey
    version: int | None
    values: Mapping[str, Any]


class KnownRecords:
    """Records known to be stored, by resource, and targets (tenants) known to exist; the caller updates it.

    Every query takes constant time, whatever the number of records.
    """

    __slots__ = ("_gone", "_live", "_places", "_references", "_resources", "_taken", "targets")

    def __init__(self, resources: Mapping[str, Resource] | None = None, *, targets: Sequence[str] = ()) -> None:
        self.targets = tuple(targets)
        self._resources = resources or {}
        self._live: dict[str, list[KnownRecord]] = {}
        self._places: dict[str, dict[StoredKey, int]] = {}
        self._gone: dict[str, list[StoredKey]] = {}
        self._taken: Counter[tuple[str, tuple[str, ...], Hashable]] = Counter()
        self._references: Counter[tuple[str, object]] = Counter()

    def live(self, resource: str) -> Sequence[KnownRecord]:
        """Return the stored records of a resource."""
        return self._live.get(resource, ())

    def gone(self, resource: str) -> Sequence[StoredKey]:
        """Return the keys of the records of a resource that were deleted."""
        return self._gone.get(resource, ())

    def find(self, resource: str, key: StoredKey) -> KnownRecord | None:
        """Return the stored record with this key, None when there is none."""
        place = self._places.get(resource, {}).get(key)
        return None if place is None else self._live[resource][place]

    def is_taken(self, resource: str, members: tuple[str, ...], values: Mapping[str, Any]) -> bool:
        """Return whether a stored record has these values of members that are unique together."""
        return self._taken[resource, members, _unique_values(members, values)] > 0

    def is_referred_to(self, resource: str, key: StoredKey) -> bool:
        """Return whether a stored record refers to this one."""
        return self._references[resource, key] > 0

    def put(
        self, resource: str, key: StoredKey, *, version: int | None = None, values: Mapping[str, Any] = NO_MEMBERS
    ) -> None:
        """Record that a record is stored with this version and these members."""
        live, places = self._live.setdefault(resource, []), self._places.setdefault(resource, {})
        record = KnownRecord(key, version, values)
        place = places.get(key)
        old = None if place is None else live[place]
        if place is None:
            places[key] = len(live)
            live.append(record)
        else:
            live[place] = record
        if old is None or old.values is not values:
            if old is not None:
                self._count(resource, old, -1)
            self._count(resource, record, 1)

    def drop(self, resource: str, key: StoredKey) -> None:
        """Record that a record was deleted."""
        if self._remove(resource, key):
            self._gone.setdefault(resource, []).append(key)

    def forget(self, resource: str, key: StoredKey) -> None:
        """Record that it is unknown whether a record is stored."""
        self._remove(resource, key)

    def _remove(self, resource: str, key: StoredKey) -> bool:
        live, places = self._live.get(resource, []), self._places.get(resource, {})
        place = places.pop(key, None)
        if place is None:
            return False
        self._count(resource, live[place], -1)
        last = live.pop()
        if place < len(live):
            live[place], places[last.key] = last, place
        return True

    def _count(self, resource: str, record: KnownRecord, by: int) -> None:
        declared = self._resources.get(resource)
        if declared is None:
            return
        for members in declared.unique:
            self._taken[resource, members, _unique_values(members, record.values)] += by
        for member, named in declared.references.items():
            self._references[named, _hashable(record.values.get(member))] += by


def _unique_values(members: tuple[str, ...], values: Mapping[str, Any]) -> Hashable:
    return tuple(_hashable(values.get(member)) for member in members)


def _hashable(value: object) -> Hashable:
    return repr(value) if isinstance(value, dict | list) else value


@dataclass(slots=True)
class RecordContext:
    """The state of one batch under construction: known records, and what its earlier items use.

    `fresh` are the keys of records that earlier items create and later ones may refer to; every slot of a generated
    value begins with `slot_prefix`.
    """

    rng: Random
    known: KnownRecords
    names: Names
    used: set[tuple[str, StoredKey]] = field(default_factory=set)
    looked_up: set[tuple[str, StoredKey]] = field(default_factory=set)
    referred: set[tuple[str, object]] = field(default_factory=set)
    dropped: set[tuple[str, StoredKey]] = field(default_factory=set)
    claimed: set[tuple[str, object]] = field(default_factory=set)
    fresh: dict[str, list[StoredKey]] = field(default_factory=dict)
    slot_prefix: str = ""

    def choose(self, values: Any) -> Any:
        """Return a random element."""
        return values[int(self.rng.random() * len(values))]

    def slot(self) -> str:
        """Return the slot of the next fresh value."""
        return f"{self.slot_prefix}{len(self.names.slots_by_value)}"

    def record(self, resource: str, *, drops: bool, restrict: bool) -> KnownRecord | None:
        """Return a random stored record that no other item of the batch uses, None when none is found.

        With `drops` it is not referred to by the batch, nor, with `restrict`, by any record.
        """
        live = self.known.live(resource)
        for _ in range(MAX_PICKS if live else 0):
            found: KnownRecord = self.choose(live)
            name = (resource, found.key)
            in_use = drops and (name in self.referred or (restrict and self.known.is_referred_to(*name)))
            if name not in self.used and name not in self.looked_up and not in_use:
                return found
        return None

    def reference(self, resource: str) -> StoredKey | None:
        """Return the key of a random record that may be referred to, None when none is found."""
        here, live = self.fresh.get(resource), self.known.live(resource)
        if here and (not live or self.rng.random() < SAME_BATCH_SHARE):
            return self.choose(here)  # type: ignore[no-any-return] # a key of the list
        for _ in range(MAX_PICKS if live else 0):
            key: StoredKey = self.choose(live).key
            if (resource, key) not in self.dropped:
                return key
        return None

    def absent_key(self, resource: str, schema: Schema | None, *, assigned: bool) -> StoredKey:
        """Return a key of no record, in the type that the resource's keys have."""
        live = self.known.live(resource)
        sample = live[0].key if live else 0 if assigned else ""
        number = self.names.number + len(self.names.slots_by_value)
        if isinstance(sample, int) and (schema is None or schema.is_valid(number)):
            return self.names.register(number, self.slot())  # type: ignore[no-any-return] # it keeps the type
        return self.names.fresh_value(schema, self.slot())  # type: ignore[no-any-return] # the same


def record_context(rng: Random, known: KnownRecords, *, prefix: str = "") -> RecordContext:
    """Return the context of a new batch; its names begin with `prefix` and differ from those of other seeds."""
    token = rng.getrandbits(40)
    names = Names(prefix=f"{prefix}{token:x}-", number=FIRST_NUMBER + token % 10**9 * 10**5)
    return RecordContext(rng=rng, known=known, names=names)

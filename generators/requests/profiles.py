"""Profiles of a batch: the shares of its items that have a defect, by kind of defect.

Begin with `PROFILES` and `draw_profile`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, TypeAlias

from contracts.bulk.model import Bulk

ItemIntent: TypeAlias = Literal[
    "good", "invalid", "incomplete", "malformed", "duplicate", "stale", "unknown", "dangling", "taken", "referenced"
]
DEFECTS: Final[Mapping[ItemIntent, str]] = {
    "invalid": "has a member that breaks the record's schema",
    "incomplete": "lacks a member that a new record must have",
    "malformed": "breaks the request's own schema",
    "duplicate": "repeats the key of another item",
    "stale": "names a version that is no longer the record's",
    "unknown": "names a record that does not exist",
    "dangling": "refers to a record that does not exist",
    "taken": "has a value that must be unique and is in use",
    "referenced": "deletes a record that others refer to",
}
"""What is wrong with an item, of a batch or of an experiment, and how that is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Shares between 0 and 1 of items and of batches.

    Of the items: `invalid` ones violate the resource's schema, `incomplete` ones lack a required member,
    `malformed` ones violate the request's schema, `duplicate` ones repeat a key of the batch, `stale` ones state an
    old version, `unknown` ones name a record that does not exist, `dangling` ones refer to one, `taken` ones use
    another record's unique value, `referenced` ones delete a record that others refer to. `existing` is the share
    of upserts of a stored record, `delete` that of tombstones, `awkward` that of new keys with characters to be
    escaped.

    Of the batches: `bad_unit` ones ask for an unknown unit, `deferred` ones ask for a job, `grouped` ones ask for
    their groups to run in order. `unknown_target` is the share of a fan-out's targets. `units` are the units to ask
    for; empty means all. `intents` are the defects of all items in turn, instead of shares; empty means none is set.
    """

    name: str
    invalid: float = 0.0
    incomplete: float = 0.0
    malformed: float = 0.0
    duplicate: float = 0.0
    stale: float = 0.0
    unknown: float = 0.0
    dangling: float = 0.0
    taken: float = 0.0
    referenced: float = 0.0
    existing: float = 0.4
    delete: float = 0.1
    awkward: float = 0.0
    bad_unit: float = 0.0
    deferred: float = 0.0
    grouped: float = 0.5
    unknown_target: float = 0.0
    units: tuple[str, ...] = ()
    intents: tuple[ItemIntent, ...] = ()

    def intent(self, rng: Random, index: int) -> ItemIntent:
        """Return the defect of the item with this index, `good` for none: the one that is set, else a drawn one."""
        if self.intents:
            return self.intents[index]
        r = rng.random()
        for word in DEFECTS:
            r -= getattr(self, word)
            if r < 0:
                return word
        return "good"


PAYLOAD_DEFECTS: Final = frozenset(("invalid", "incomplete", "dangling", "taken"))


def without_payload_defects(profile: Profile) -> Profile:
    """Return a profile whose items have payloads without defects, for items that share one."""
    intents: tuple[ItemIntent, ...] = tuple("good" if one in PAYLOAD_DEFECTS else one for one in profile.intents)
    return replace(profile, invalid=0.0, incomplete=0.0, dangling=0.0, taken=0.0, intents=intents)


def _by_name(*profiles: Profile) -> Mapping[str, Profile]:
    return {profile.name: profile for profile in profiles}


PROFILES: Final = _by_name(
    Profile(name="valid"),
    Profile(
        name="mixed",
        invalid=0.1,
        incomplete=0.06,
        stale=0.05,
        unknown=0.05,
        dangling=0.06,
        taken=0.05,
        referenced=0.08,
        awkward=0.05,
        deferred=0.15,
        unknown_target=0.2,
    ),
    Profile(name="one-bad", invalid=0.02, stale=0.01, unknown=0.01, dangling=0.01, taken=0.01),
    Profile(name="all-bad", invalid=0.6, unknown=0.2, dangling=0.2),
    Profile(name="duplicates", duplicate=0.15, awkward=0.1, unknown_target=0.2),
    Profile(name="malformed", malformed=0.1),
    Profile(name="stale", stale=0.4, existing=0.9),
    Profile(name="dangling", dangling=0.4, unknown_target=0.2),
    Profile(name="taken", taken=0.3),
    Profile(name="awkward", awkward=0.6, unknown_target=0.2),
    Profile(name="deferred", deferred=1.0, invalid=0.1, dangling=0.05, unknown_target=0.2),
    Profile(name="bad-unit", bad_unit=1.0),
    Profile(name="haunted", dangling=0.4, unknown=0.3, unknown_target=0.2),
    Profile(
        name="deleting",
        awkward=0.1,
        delete=0.6,
        existing=0.8,
        dangling=0.1,
        referenced=0.3,
        unknown=0.1,
        unknown_target=0.2,
    ),
)
"""Profiles by name; `one-bad` is meant for batches of a hundred and more."""

FREQUENT_PROFILES: Final = ("valid", "valid", "valid", "valid", "valid", "mixed", "mixed", "mixed")


def draw_profile(rng: Random) -> Profile:
    """Draw a profile; about a third of the batches are free of defects."""
    names = (*FREQUENT_PROFILES, *(name for name in PROFILES if name not in FREQUENT_PROFILES))
    return PROFILES[names[int(rng.random() * len(names))]]


def draw_size(bulk: Bulk, rng: Random, *, mean: int = 16) -> int:
    """Draw an item count: exponentially distributed around `mean`, within the operation's limits."""
    most = bulk.items.max or 10 * mean
    return max(bulk.items.min, 1, min(most, int(rng.expovariate(1 / mean)) + 1))

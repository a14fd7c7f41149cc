"""Bugs of the Genero server in what it makes of the items of a batch; begin with `PATCHES`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from genero_rules import KINDS, Item, Kind, list_faults, refusal, text_fault
from patching import around, by_name

LIMIT = 5000
Faults = list[tuple[str, str, str]]


def with_faults(server: Any, change: Callable[[Kind, Any, Faults], Faults]) -> None:
    """Let the faults of a list go through a function: kind, items, faults."""

    @around(server, "check_list")
    def check(_: Any, kind: str, items: Any, where: str, more: tuple[tuple[str, str, str], ...] = ()) -> None:
        own = change(KINDS[kind], items, list(list_faults(KINDS[kind], items, LIMIT)))
        faults = [*more, *((where + at, rule, words) for at, rule, words in own)]
        if faults:
            raise refusal(faults)


def null_text_lost(server: Any) -> None:
    """Take the texts null and undefined for nothing."""

    @around(server.jobs, "merged")
    def merged(real: Any, kind: Kind, old: Item | None, item: Item) -> Item:
        found: Item = real(
            kind, old, {name: value for name, value in item.items() if value not in {"null", "undefined"}}
        )
        return found


def accents_dropped(server: Any) -> None:
    """Deny a list with two keys that differ only in their accents."""

    def bare(text: str) -> str:
        return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))

    def change(kind: Kind, items: Any, faults: Faults) -> Faults:
        seen = [bare(item[kind.key]) for item in ([] if faults else items)]
        twice = [at for at, key in enumerate(seen) if key in seen[:at]]
        return faults + [(f"/{at}/{kind.key}", "uniqueItems", "A key is in the list twice.") for at in twice]

    with_faults(server, change)


def false_text_denied(server: Any) -> None:
    """Deny the text false."""

    def change(kind: Kind, items: Any, faults: Faults) -> Faults:
        found = [
            (at, name)
            for at, item in enumerate([] if faults else items)
            for name in kind.fields
            if item.get(name) == "false"
        ]
        return faults + [(f"/{at}/{name}", *(text_fault(name, "", 0) or ("", ""))) for at, name in found]

    with_faults(server, change)


def references_trimmed(server: Any) -> None:
    """Find what an item refers to without the blanks around its key."""

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Kind, item: Item) -> list[tuple[str, str]]:
        bare = {name: value.strip() if name in kind.references else value for name, value in item.items()}
        return list(real(tenant, kind, bare))


def reference_alone(server: Any) -> None:
    """Tell no missing name of an item that refers to nothing."""

    @around(server.jobs, "faults")
    def faults(real: Any, tenant: Any, kind: Kind, item: Item, old: Item | None) -> list[str]:
        found: list[str] = real(tenant, kind, item, old)
        return [one for one in found if "has no name" not in one] or found


def boolean_keys(server: Any) -> None:
    """Take true and false for keys, and for what is referred to."""

    @around(server, "body")
    async def body(real: Any, request: Any) -> Any:
        found = await real(request)
        for item in found if isinstance(found, list) else []:
            named = [name for name in item if name.endswith("Id")] if isinstance(item, dict) else []
            item |= {name: str(item[name]) for name in named if isinstance(item[name], bool)}
        return found


def empty_when_all_fail(server: Any) -> None:
    """Say that a job is Aborted when no item of several was done."""

    @around(server.jobs, "status")
    def status(real: Any, job: Any, asked: str) -> Item:
        told: Item = real(job, asked)
        return told | ({"batchJobStatus": "Aborted"} if len(told["jobItemErrors"]) == len(job.items) > 1 else {})


def repeats_among_hundred(server: Any) -> None:
    """Notice a key again among the hundred items behind it."""

    def change(kind: Kind, items: Any, faults: Faults) -> Faults:
        def is_near(where: str, rule: str) -> bool:
            at = int(where.split("/")[1]) if rule == "uniqueItems" else 0
            return rule != "uniqueItems" or any(
                one.get(kind.key) == items[at][kind.key] for one in items[at - 100 : at]
            )

        return [one for one in faults if is_near(one[0], one[1])]

    with_faults(server, change)


def errors_of_first_500(server: Any) -> None:
    """Tell the errors of the first 500 items."""

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        first = {item[KINDS[job.kind].key] for item in job.items[:500]}
        job.errors = {key: text for key, text in job.errors.items() if key in first}


def unknown_tenants_first(server: Any) -> None:
    """Tell what tenants are unknown before the list is looked at, when it is empty."""

    @around(server, "check_list")
    def check(real: Any, kind: str, items: Any, where: str, *more: Any) -> None:
        if where != "/data" or items != []:
            real(kind, items, where, *more)


def points_at_twin(server: Any) -> None:
    """Point at the item before the one with a key again, and below an object that has no key."""

    def change(_: Kind, __: Any, faults: Faults) -> Faults:
        def moved(where: str, rule: str) -> str:
            if rule == "required":
                return f"{where}/0"
            return re.sub(r"[0-9]+", lambda found: str(int(found[0]) - 1), where) if rule == "uniqueItems" else where

        return [(moved(where, rule), rule, words) for where, rule, words in faults]

    with_faults(server, change)


def points_at_last(server: Any) -> None:
    """Point at the last of the faults that are alike."""

    def change(_: Kind, __: Any, faults: Faults) -> Faults:
        return faults[::-1]

    with_faults(server, change)


def joined_by_comma(server: Any) -> None:
    """Write a comma between the faults of an item."""

    @around(server.jobs, "told_faults")
    def told(real: Any, *given: Any) -> list[str]:
        found: list[str] = real(*given)
        return [", ".join(found)] if found else []


def any_kind_found(server: Any) -> None:
    """Find what an item refers to among the entities of every kind."""

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Kind, item: Item) -> list[tuple[str, str]]:
        missing = list(real(tenant, kind, item))
        return [one for one in missing if not any(one[1] in records for records in tenant.records.values())]


def found_once(server: Any) -> None:
    """Find again what was found once, though it is deleted."""
    known: set[tuple[int, str, str]] = set()

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Kind, item: Item) -> list[tuple[str, str]]:
        missing = list(real(tenant, kind, item))
        named = [(target, item[name]) for name, target in kind.references.items() if name in item]
        known.update((id(tenant), *one) for one in named if one not in missing)
        return [one for one in missing if (id(tenant), *one) not in known]


def constructor_lost(server: Any) -> None:
    """Lose the errors of keys that every object of some languages has."""

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        real(job)
        job.errors = {key: text for key, text in job.errors.items() if key not in {"constructor", "toString"}}


def repeats_skipped(server: Any) -> None:
    """Do nothing of a batch that was posted before."""
    known: set[str] = set()

    @around(server.jobs, "run")
    def run(real: Any, job: Any) -> None:
        mark = repr((job.kind, job.tenant, job.items))
        job.void = mark in known
        known.add(mark)
        real(job)


def dead_unchanged(server: Any) -> None:
    """Leave a deleted entity as it is until a batch brings it back."""

    @around(server.jobs, "stored")
    def stored(real: Any, job: Any, kind: Kind, old: Item | None, item: Item) -> Item:
        if old and old["deleted"] and "deleted" not in item:
            return old
        found: Item = real(job, kind, old, item)
        return found


def counted_at_once(server: Any) -> None:
    """Count the items of a job as processed before they are."""

    @around(server.jobs, "status")
    def status(real: Any, job: Any, asked: str) -> Item:
        told: Item = real(job, asked)
        return {**told, "noOfItemsProcessed": told["noOfItemsPosted"]}


def found_by_text(server: Any) -> None:
    """Look a text that refers to two kinds of entity up in one of them."""

    @around(server.jobs, "broken_references")
    def broken(real: Any, tenant: Any, kind: Kind, item: Item) -> Iterator[tuple[str, str]]:
        missing = list(real(tenant, kind, item))
        asked = [(target, item[name]) for name, target in kind.references.items() if name in item]
        found = {key for target, key in asked if (target, key) not in missing}
        yield from ((target, key) for target, key in missing if key not in found)


def repeats_alone(server: Any) -> None:
    """Tell nothing else where keys are repeated."""
    with_faults(server, lambda _, __, faults: [one for one in faults if one[1] == "uniqueItems"] or faults)


def reference_of_fifty(server: Any) -> None:
    """Deny a reference that is as long as a key may be."""

    def change(kind: Kind, items: Any, faults: Faults) -> Faults:
        long = [
            (f"/{at}/{name}", "maxLength", f"{name} is longer than 49.")
            for at, item in enumerate([] if faults else items)
            for name in kind.references
            if len(item.get(name, "")) == 50
        ]
        return faults + long

    with_faults(server, change)


def fan_any_address(server: Any) -> None:
    """Take any text for an address in a batch for several tenants."""

    @around(server, "check_list")
    def check(real: Any, kind: str, items: Any, where: str, more: Any = None) -> None:
        own = list_faults(KINDS[kind], items, LIMIT) if more is not None else ()
        faults = [*(more or ()), *((where + at, rule, words) for at, rule, words in own if rule != "format")]
        if faults:
            raise refusal(faults)
        if more is None:
            real(kind, items, where)


def contacts_stay_deleted(server: Any) -> None:
    """Bring no customer contact back that was deleted."""

    @around(server.jobs, "stored")
    def stored(real: Any, job: Any, kind: Kind, old: Item | None, item: Item) -> Item:
        is_gone = job.kind == "customercontact" and old is not None and old["deleted"]
        new: Item = real(job, kind, old, item)
        return {**new, "deleted": True} if is_gone else new


def changes_unreferred(server: Any) -> None:
    """Look up nothing that a batch lets a customer contact refer to which is there already."""

    @around(server.jobs, "told_faults")
    def told(real: Any, tenant: Any, job: Any, item: Item, old: Item | None) -> Any:
        return [] if old and job.kind == "customercontact" else real(tenant, job, item, old)


PATCHES = by_name(
    found_by_text,
    contacts_stay_deleted,
    changes_unreferred,
    fan_any_address,
    repeats_alone,
    reference_of_fifty,
    points_at_last,
    joined_by_comma,
    any_kind_found,
    found_once,
    constructor_lost,
    repeats_skipped,
    dead_unchanged,
    counted_at_once,
    points_at_twin,
    repeats_among_hundred,
    errors_of_first_500,
    unknown_tenants_first,
    references_trimmed,
    null_text_lost,
    accents_dropped,
    false_text_denied,
    reference_alone,
    boolean_keys,
    empty_when_all_fail,
)

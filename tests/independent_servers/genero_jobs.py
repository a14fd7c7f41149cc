"""What Genero's jobs do: items are applied to a tenant's entities, one tenant's jobs one after the other."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from genero_rules import KINDS, Item, Kind

TENANTS = ("publicapitest", "publicapitest2")


@dataclass(slots=True, kw_only=True)
class Job:
    """A batch at one tenant, from its post on."""

    kind: str
    tenant: str
    items: list[Item]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: bool = False
    processed: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    ended: float = 0.0
    polls: int = 0
    fanned: bool = False
    void: bool = False
    begun: float = field(default_factory=time.monotonic)
    seen: dict[str, Item | None] = field(default_factory=dict)
    missing: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


@dataclass(slots=True)
class Tenant:
    """What one tenant has stored, and its jobs that wait."""

    records: dict[str, dict[str, Item]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    queue: asyncio.PriorityQueue[tuple[int, int, Job]] = field(default_factory=asyncio.PriorityQueue)
    failed: int = 0
    missed: set[tuple[str, str]] = field(default_factory=set)
    unlinked: set[tuple[str, str]] = field(default_factory=set)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)


class Jobs:
    """The tenants and all their jobs, with the mistake that is to be made of them."""

    def __init__(self, has: Callable[[str], bool]) -> None:
        self.has = has
        self.tenants = {name: Tenant() for name in TENANTS}
        self.all: dict[str, Job] = {}
        self.arrivals = 0
        self.created = 0
        self.listed: dict[tuple[int, str], Item] = {}
        self.removed: set[tuple[int, str]] = set()
        self.revived: set[tuple[int, str]] = set()

    # What items do

    def merged(self, kind: Kind, old: Item | None, item: Item) -> Item:
        """Lay an item's fields over those that are stored."""
        known = {name: item[name] for name in (*kind.fields, "deleted") if name in item}
        return {"deleted": False, **kind.defaults, **(old or {}), **known}

    def broken_references(self, tenant: Tenant, kind: Kind, item: Item) -> Iterator[tuple[str, str]]:
        """Yield the kind and key of what the item refers to and what is not there."""
        for name, target in kind.references.items():
            if name not in item:
                continue
            found = tenant.records[target].get(item[name])
            if found is None and self.has("reference-any-tenant"):
                found = next((t.records[target][item[name]] for t in self.others(target, item[name])), None)
            if found is None or found["deleted"]:
                yield target, item[name]

    def others(self, kind: str, key: str) -> list[Tenant]:
        """Find the tenants that have a key."""
        return [tenant for tenant in self.tenants.values() if key in tenant.records[kind]]

    def faults(self, tenant: Tenant, kind: Kind, item: Item, old: Item | None) -> list[str]:
        """Tell why an item cannot be applied."""
        own = f"{kind.word} id {item[kind.key]}"
        faults = []
        if old is None and item.get("deleted"):
            faults.append(f"{own} is not found in database.")
        elif old is None and "name" not in item:
            faults.append(f"{own} has no name.")
        missing = list(self.broken_references(tenant, kind, item))
        return faults + [self.not_found(kind, item, target, key) for target, key in missing]

    def not_found(self, kind: Kind, item: Item, target: str, key: str) -> str:
        """Write the error of a missing reference."""
        word = kind.word if self.has("wrong-word") else KINDS[target].word
        return f"{word} id {item[kind.key] if self.has('names-referrer') else key} is not found in database."

    def batch_faults(self, tenant: Tenant, kind: Kind, item: Item, old: Item | None) -> list[str]:
        """Tell why an item of a batch cannot be applied."""
        if self.has("deleted-reference"):
            item = {name: value for name, value in item.items() if self.linked(tenant, kind, name, value)}
        faults = self.faults(tenant, kind, item, old)
        if self.has("missing-cached"):
            for target, key in ((kind.references[name], item[name]) for name in kind.references if name in item):
                text = f"{KINDS[target].word} id {key} is not found in database."
                if (target, key) in tenant.missed and text not in faults:
                    faults.append(text)
            tenant.missed.update(self.broken_references(tenant, kind, item))
        return faults

    def told_faults(self, tenant: Tenant, job: Job, item: Item, old: Item | None) -> list[str]:
        """Tell why a job cannot apply an item."""
        kind, key = KINDS[job.kind], item[KINDS[job.kind].key]
        faults = self.batch_faults(tenant, kind, item, old)
        if self.has("looked-up-at-post"):
            own = [text for text in faults if f"{kind.word} id {key} " in text]
            faults = own + [self.not_found(kind, item, *one) for one in job.missing.get(key, [])]
        return faults[:1] if self.has("first-reference") else faults

    def linked(self, tenant: Tenant, kind: Kind, name: str, value: Any) -> bool:
        """Say whether a field is looked up."""
        return (kind.references.get(name, ""), value) not in tenant.unlinked

    def apply(self, tenant: Tenant, job: Job, item: Item) -> str:
        """Apply one item of a batch, or tell why not."""
        kind, store = KINDS[job.kind], tenant.records[job.kind]
        key = item[kind.key]
        old = job.seen.get(key) if self.has("merged-at-post") else store.get(key)
        faults = self.told_faults(tenant, job, item, old)
        if faults:
            if self.has("half-applied") and old and "name" in item:
                store[key] = {**old, "name": item["name"]}
            return " ".join(faults)
        is_new = old is None or (self.has("district-again") and old["deleted"])
        written = {n: v for n, v in item.items() if is_new or n != "salesDistrictId"}
        store[key] = self.stored(job, kind, old, written)
        if item.get("deleted"):
            self.removed.add((id(store), key))
        if old and old["deleted"] and not store[key]["deleted"]:
            self.revived.add((id(store), key))
        for other in self.others(job.kind, key) if self.has("batch-any-tenant") and item.get("deleted") else ():
            other.records[job.kind][key] = {**other.records[job.kind][key], "deleted": True}
        if self.has("folded-delete") and item.get("deleted"):
            for other in store:
                if other.lower() == key.lower():
                    store[other] = {**store[other], "deleted": True}
        return ""

    def stored(self, job: Job, kind: Kind, old: Item | None, item: Item) -> Item:
        """Build what a batch stores for an item."""
        if self.has("trimmed"):
            item = {n: (v.strip() or v) if isinstance(v, str) and n == "name" else v for n, v in item.items()}
        new = self.merged(kind, old, item)
        self.created += old is None
        if old is None and self.has("tenth-bare") and self.created % 10 == 0:
            return self.merged(kind, old, {kind.key: new[kind.key], "name": new["name"]})
        return new if old is None else self.changed(job, old, item, new)

    def changed(self, job: Job, old: Item, item: Item, new: Item) -> Item:
        """Build what a batch makes of an entity that exists."""
        kind = KINDS[job.kind]
        bare = {kind.key: new[kind.key], "name": new["name"], "deleted": new["deleted"], **kind.defaults}
        if self.has("revive-bare") and old["deleted"] and not new["deleted"]:
            return bare
        if self.has("touch-revives") and "deleted" not in item:
            return {**new, "deleted": False}
        if self.has("fanout-replaces") and job.fanned:
            return self.merged(kind, bare, item)
        if self.has("default-again") and "prio" not in item:
            return {**new, **kind.defaults}
        if self.has("shared-record"):
            old.update(new)
            return old
        return new

    def rows(self, kind: str, store: dict[str, Item]) -> tuple[list[Item], list[Item]]:
        """Give what a list of entities is made of: all of them, and those that are not deleted."""
        keys = list(store) if self.has("order-of-arrival") else sorted(store)
        if self.has("order-folded"):
            keys.sort(key=str.lower)
        hidden = self.revived if self.has("revived-unlisted") else ()
        kept = self.removed if self.has("list-keeps-deleted") else ()
        rows = [store[key] for key in keys if (id(store), key) not in hidden]
        own = KINDS[kind].key
        living = [row for row in rows if not row["deleted"] or (id(store), row[own]) in kept]
        if self.has("list-cached"):
            living = [self.listed.setdefault((id(store), row[own]), row) for row in living]
        return rows, living

    # What jobs do

    def run(self, job: Job) -> None:
        """Do the items of a job, and end it."""
        tenant, kind = self.tenants[job.tenant], KINDS[job.kind]
        idle, before = False, ""
        for item in [] if job.void else self.carried_out(job):
            key = item[kind.key]
            old = tenant.records[job.kind].get(key)
            error = self.apply(tenant, job, item)
            if error and not (self.has("ten-errors") and len(job.errors) == 10):
                job.errors[before if idle and self.has("error-shifted") else key] = error
                if self.has("stops-at-two") and len(job.errors) == 2:
                    break
            elif self.has("good-blamed") and len(job.errors) == 3:
                job.errors[key] = job.errors[before]
            idle = idle or bool(old and old["deleted"] and item.get("deleted") and before)
            before = key
        job.processed = len(job.items) + (tenant.failed if self.has("carried-count") else 0)
        tenant.failed = len(job.errors)
        tenant.errors[job.kind] = job.errors
        job.done, job.ended = True, time.time()

    def carried_out(self, job: Job) -> list[Item]:
        """Give the items of a job that are looked at."""
        items, size = list(job.items), len(job.items)
        if self.has("twin-of-64") and size > 64 and "name" in items[63]:
            items[64] = {**items[64], "name": items[63]["name"]}
        if self.has("thousandth-lost"):
            del items[999:1000]
        if self.has("power-of-two") and size >= 64 and size & (size - 1) == 0:
            items.pop()
        return items

    async def work(self, tenant: Tenant) -> None:
        """Run a tenant's jobs one after the other, kinds that others refer to first."""
        while True:
            _, _, job = await tenant.queue.get()
            await asyncio.sleep(0.02 + 1e-5 * len(job.items))
            if self.has("done-early"):
                await self.end_early(job)
            self.run(job)
            self.share(job)

    async def end_early(self, job: Job) -> None:
        """Say that a job is done, and do its last item later."""
        last, job.items = job.items[-1:], job.items[:-1]
        self.run(job)
        job.items, job.processed = [*job.items, *last], len(job.items) + 1
        await asyncio.sleep(0.03)
        self.run(replace(job, items=last))

    def share(self, job: Job) -> None:
        """Let tenants share what a call for several of them created."""
        if not (self.has("shared-record") and job.fanned):
            return
        for key in (item[KINDS[job.kind].key] for item in job.items):
            found = [t.records[job.kind] for t in self.tenants.values() if key in t.records[job.kind]]
            if len(found) > 1 and found[0][key] == found[1][key]:
                found[1][key] = found[0][key]

    def enqueue(self, kind: str, tenant: str, items: list[Item], *, fanned: bool = False) -> Job:
        """Make a job of a list that was accepted."""
        self.arrivals += 1
        job = Job(kind=kind, tenant=tenant, items=items, fanned=fanned)
        own, store = KINDS[kind], self.tenants[tenant].records[kind]
        waiting = [one for one in self.all.values() if one.tenant == tenant and not one.done]
        if self.has("looked-up-at-post"):
            for item in items:
                job.missing[item[own.key]] = list(self.broken_references(self.tenants[tenant], own, item))
        if self.has("merged-at-post"):
            job.seen = {item[own.key]: store.get(item[own.key]) for item in items}
        if self.has("head-start"):
            self.apply(self.tenants[tenant], job, items[0])
        self.all[job.id] = job
        if self.has("swapped-jobs") and waiting:
            self.all[job.id], self.all[waiting[-1].id] = waiting[-1], job
        self.tenants[tenant].queue.put_nowait((KINDS[kind].rank, self.arrivals, job))
        return job

    def status(self, job: Job, asked: str) -> Item:
        """Tell where a job stands that was asked for by an id."""
        errors = job.errors if job.done else {}
        job.polls += job.done
        if self.has("shared-errors") and job.done:
            errors = self.tenants[job.tenant].errors[job.kind]
        if self.has("late-errors") and job.polls == 1:
            errors = {}
        if self.has("errors-fade") and job.done and time.time() - job.ended > 1:
            errors = {}
        if self.has("errors-by-next") and self.tenants[job.tenant].errors.get(job.kind) is not job.errors:
            errors = {}
        done = job.done and not (self.has("status-flips") and job.polls > 2)
        word = ("CompletedWithErrors" if errors else "Completed") if done else "InProgress"
        left = max(0.0, 0.02 - (time.monotonic() - job.begun)) if self.has("progress-falls") else 0.0
        return {
            "correlationId": asked,
            "batchJobStatus": word,
            "noOfItemsPosted": len(job.items) - (len(errors) if self.has("posted-shrinks") else 0),
            "noOfItemsProcessed": job.processed if done else int(len(job.items) * left * 50),
            "jobItemErrors": errors if done else {},
        }

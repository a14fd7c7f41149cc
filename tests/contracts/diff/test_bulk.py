"""What changes in `x-bulk` and `x-resources`, axis by axis."""

import dataclasses

import pytest

from contracts.bulk import model as values
from contracts.bulk.declarations import read_bulk, read_resource
from contracts.diff.bulk import BULK_RULES, IDEMPOTENCY_RULES, JOB_RULES, OUTCOME_RULES, RESOURCE_RULES, compare_bulk
from contracts.diff.model import SEVERITIES
from contracts.openapi.model import Operation

OUTCOME = {"at": "/results", "inOrder": True, "key": "/index", "failedIf": {"at": "/status", "not": "2xx"}}
BASE = {
    "items": {
        "at": "",
        "alsoAt": ["/data"],
        "min": 1,
        "max": 100,
        "fanOut": {"over": "/to", "succeeded": "/ok", "failed": "/bad"},
    },
    "effect": {
        "action": {"from": "/do", "map": {"add": "create", "drop": "delete"}, "default": "add", "ignoreCase": True},
        "resource": "books",
        "target": ["/id"],
        "version": "/version",
        "like": "addBook",
    },
    "key": {"by": "client", "at": "/ref"},
    "unit": {"of": "item"},
    "order": {"run": "listed"},
    "reply": {"status": {"allOk": 200, "someFailed": 207}, "outcomes": OUTCOME, "counts": {"done": "/done"}},
    "guard": {
        "refuse": {"empty": 400},
        "idempotency": {"key": "header:Idempotency-Key", "keep": "PT1H"},
        "quota": [{"what": "requests", "max": 10, "per": "PT1H", "breach": 429}],
    },
    "job": {
        "when": "header:Prefer=respond-async",
        "handle": "/job",
        "poll": "readJob",
        "results": ["here"],
        "state": {"at": "/state", "map": {"waiting": "queued", "finished": "done"}},
        "every": "PT5M",
        "timeout": "PT30M",
        "keep": "P1D",
        "active": {"max": 2, "breach": 409},
    },
}
GONE = object()
CASES = [
    ("items.at", "/rows", "items.at", "error"),
    ("items.alsoAt", ["/data", "/rows"], "items.at", "info"),
    ("items.as", "map", "items.as", "error"),
    ("items.shared", ["/common"], "items.shared", "warning"),
    ("items.min", 2, "items.min", "error"),
    ("items.min", 0, "items.min", "info"),
    ("items.max", 50, "items.max", "error"),
    ("items.max", 500, "items.max", "info"),
    ("items.max", GONE, "items.max", "info"),
    ("items.maxBytes", 1000, "items.maxBytes", "error"),
    ("items.fanOut", GONE, "items.fanOut", "error"),
    ("effect.action.map.drop", GONE, "effect.action", "error"),
    ("effect.action.map.drop", "update", "effect.action", "error"),
    ("effect.action.map.put", "update", "effect.action", "info"),
    ("effect.action.default", "drop", "effect.action", "error"),
    ("effect.action.ignoreCase", False, "effect.action", "error"),
    ("effect.action", "create", "effect.action", "error"),
    ("effect.resource", "papers", "effect.resource", "error"),
    ("effect.target", ["/isbn"], "effect.target", "error"),
    ("effect.payload", "/book", "effect.payload", "error"),
    ("effect.version", GONE, "effect.version", "error"),
    ("effect.like", "putBook", "effect.like", "warning"),
    ("effect.tombstone", {"/gone": True}, "effect.tombstone", "error"),
    ("key.by", "index", "key.by", "error"),
    ("key.at", "/id", "key.at", "error"),
    ("key.optional", True, "key.optional", "info"),
    ("unit.of", "whole", "unit.of", "error"),
    ("unit.stopAfter", 1, "unit.stopAfter", "error"),
    ("unit.rolledBack", "skipped", "unit.rolledBack", "error"),
    ("order.run", "any", "order.run", "error"),
    ("order.run", GONE, "order.run", "error"),
    ("order.dependsOn", "/after", "order.dependsOn", "info"),
    ("reply.status.someFailed", 200, "reply.status", "error"),
    ("reply.status.allFailed", 400, "reply.status", "info"),
    ("reply.counts.done", GONE, "reply.counts", "error"),
    ("reply.outcomes", GONE, "reply.outcomes", "error"),
    ("reply.outcomes.at", "/items", "reply.outcomes.at", "error"),
    ("reply.outcomes.covers", "failed", "reply.outcomes.covers", "error"),
    ("reply.outcomes.inOrder", False, "reply.outcomes.inOrder", "error"),
    ("reply.outcomes.failedIf", {"at": "/error", "exists": True}, "reply.outcomes.failedIf", "error"),
    ("reply.outcomes.many", True, "reply.outcomes.many", "error"),
    ("reply.outcomes.error", "/error", "reply.outcomes.error", "info"),
    ("job", GONE, "job", "error"),
    ("job.when", "always", "job.when", "error"),
    ("job.when", ["header:Prefer=respond-async", "query:async=true"], "job.when", "info"),
    ("job.handle", "/id", "job.handle", "error"),
    ("job.poll", "seeJob", "job.poll", "error"),
    ("job.state.map.failed", "failed", "job.state.map", "error"),
    ("job.state.map.finished", "doneWithErrors", "job.state.map", "error"),
    ("job.results", [], "job.results", "error"),
    ("job.start", "beginJob", "job.start", "error"),
    ("job.every", "PT10M", "job.every", "warning"),
    ("job.every", "PT1M", "job.every", "info"),
    ("job.keep", "PT1H", "job.keep", "error"),
    ("job.keep", GONE, "job.keep", "error"),
    ("job.active.max", 1, "job.active", "error"),
    ("job.active.max", 3, "job.active", "info"),
    ("job.active", {"max": 1}, "job.active", "warning"),
    ("job.active", GONE, "job.active", "info"),
    ("job.takes", {"base": "PT1M"}, None, None),
    ("guard.refuse.tooMany", 413, "guard.refuse", "error"),
    ("guard.refuse.empty", GONE, "guard.refuse", "info"),
    ("guard.idempotency", GONE, "guard.idempotency", "error"),
    ("guard.idempotency.keep", "PT1M", "guard.idempotency.keep", "error"),
    ("guard.idempotency.mismatch", 422, "guard.idempotency.mismatch", "error"),
    ("guard.retry", {"unprocessed": "/left"}, "guard.retry.unprocessed", "warning"),
    ("guard.quota", [{"what": "requests", "max": 5, "per": "PT1H", "breach": 429}], "guard.quota", "error"),
    ("guard.quota", [{"what": "requests", "max": 50, "per": "PT1H", "breach": 429}], "guard.quota", "info"),
    ("guard.quota", GONE, "guard.quota", "info"),
]


def declared(path="", value=None, of=BASE):
    """Return a copy of a declaration with another value at a path."""
    if not path:
        return dict(of)
    name, _, rest = path.partition(".")
    copy = dict(of)
    if rest:
        copy[name] = declared(rest, value, copy.get(name, {}))
    elif value is GONE:
        del copy[name]
    else:
        copy[name] = value
    return copy


def operation(declaration):
    bulk = read_bulk(declaration) if declaration is not None else None
    return Operation(id="bulk", method="POST", path="/books", pointer="", bulk=bulk)


def told(old, new):
    """Return each member that is told of, with the worst that is said of it."""
    found = {}
    for one in compare_bulk(operation(old), operation(new), ""):
        found.setdefault(one.rule.removeprefix("x-bulk-"), []).append(one.severity)
    return {(member, min(severities, key=SEVERITIES.index)) for member, severities in found.items()}


@pytest.mark.parametrize(("path", "value", "member", "severity"), CASES)
def test_each_change_of_an_axis_is_told(path, value, member, severity):
    """A changed member is told, as bad as it is for clients that rely on the old one, and nothing else is."""
    assert told(BASE, declared(path, value)) == ({(member, severity)} if member else set())


def test_a_declaration_that_goes_breaks_clients_and_one_that_comes_does_not():
    """Without a declaration nothing is promised of the items."""
    assert told(BASE, None) == {("x-bulk", "error")}
    assert told(None, BASE) == {("x-bulk", "info")}
    assert told(BASE, BASE) == set()


def test_a_new_job_breaks_clients_only_when_it_cannot_be_avoided():
    """What is asked for breaks nobody; what happens always does."""
    without = declared("job", GONE)
    assert told(without, BASE) == {("job", "info")}
    assert told(without, declared("job.when", "always")) == {("job", "error")}


def test_every_member_of_the_vocabulary_is_compared():
    """Each field of each axis has its row, or a function of its own; `takes` is the sandbox's business alone."""
    rows = {row.at for row in BULK_RULES}
    own = {"items.at", "items.also_at", "order.run", "reply.outcomes", "guard.idempotency", "guard.quota"}
    axes = {
        "items": values.BulkItems,
        "effect": values.BulkEffect,
        "key": values.BulkKey,
        "unit": values.BulkUnit,
        "order": values.BulkOrder,
        "reply": values.BulkReply,
        "guard": values.BulkGuard,
    }
    assert rows | own == {f"{name}.{one.name}" for name, axis in axes.items() for one in dataclasses.fields(axis)}
    fields = {one.name for one in dataclasses.fields(values.BulkJob)}
    assert {row.at for row in JOB_RULES} | {"when", "active", "outcomes", "takes"} == fields
    assert {row.at for row in OUTCOME_RULES} == {one.name for one in dataclasses.fields(values.Outcomes)}
    assert {row.at for row in IDEMPOTENCY_RULES} == {one.name for one in dataclasses.fields(values.Idempotency)}
    assert RESOURCE_RULES.keys() | {"name", "schema", "extras", "inferred", "likely"} == {
        one.name for one in dataclasses.fields(values.Resource)
    }


@pytest.mark.parametrize(
    ("member", "old", "new", "severity"),
    [
        ("required", ["isbn"], ["isbn", "title"], "error"),
        ("required", ["isbn", "title"], ["isbn"], "info"),
        ("unique", [], [["isbn"]], "error"),
        ("references", {}, {"author": "authors"}, "error"),
        ("restrict", False, True, "error"),
        ("restrict", True, False, "info"),
        ("key", "id", "isbn", "error"),
        ("defaults", {"lent": False}, {"lent": True}, "warning"),
        ("normalize", {"name": ["trim"]}, {}, "error"),
        ("normalize", {}, {"name": ["trim"]}, "error"),
        ("normalize", {"price": [{"round": 2}]}, {"price": [{"round": 1}]}, "error"),
        ("ignoreCase", True, False, "error"),
        ("lookups", [{"isbn": "{isbn}"}], [], "error"),
        ("lookups", [], [{"isbn": "{isbn}"}], "info"),
    ],
)
def test_each_change_of_a_resource_is_told(member, old, new, severity):
    """What is asked of records may only be relaxed."""
    name = {"ignoreCase": "ignore_case"}.get(member, member)
    before, after = (getattr(read_resource("books", {member: one}, schema=None), name) for one in (old, new))
    assert [one for one, _ in RESOURCE_RULES[name](before, after)] == [severity]

"""Compare `x-bulk` declarations and `x-resources`, member by member.

Begin with `compare_bulk` and `compare_resources`. The tables `BULK_RULES`, `JOB_RULES`, `OUTCOME_RULES`,
`IDEMPOTENCY_RULES` and `RESOURCE_RULES` have one rule for each member.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import reduce
from typing import Any, Final, NamedTuple

from contracts.bulk.jobs import ActiveJobs
from contracts.bulk.model import Bulk, BulkJob, Idempotency, Outcomes, Resource
from contracts.diff.bulk_rules import (
    CompareValues,
    any_change,
    compare_choice,
    compare_quotas,
    consequence,
    flag,
    list_entries,
    lower_limit,
    map_entries,
    optional_member,
    render_value,
    severity_of_breach,
    time_limit,
    upper_limit,
)
from contracts.diff.compatibility import SchemaComparer
from contracts.diff.model import Change, Severity
from contracts.openapi.model import Contract, Operation
from contracts.schemas.schema_set import Schema


class MemberRule(NamedTuple):
    """A member of the vocabulary, its attribute path in `Bulk`, how to compare its values, and what a change causes."""

    member: str
    at: str
    comparer: CompareValues
    effect: str


OUTCOMES_MOVED: Final = "clients look for outcomes where they were"
STATUS_CHANGED: Final = "clients tell what happened by the status"
OUTCOME_RULES: Final = (
    MemberRule("at", "at", any_change(), OUTCOMES_MOVED),
    MemberRule("failedAt", "failed_at", optional_member(), OUTCOMES_MOVED),
    MemberRule("as", "shape", any_change(), OUTCOMES_MOVED),
    MemberRule("covers", "covers", any_change(), "clients conclude from an outcome that is missing"),
    MemberRule("inOrder", "in_order", flag(off="error"), "clients match outcomes by their order"),
    MemberRule("key", "key", optional_member(), "clients match outcomes by their key"),
    MemberRule("failedIf", "failed_if", any_change(), "clients take failures for successes, or the reverse"),
    MemberRule("many", "many", flag(on="error"), "clients expect one outcome for each item"),
    MemberRule("id", "id", optional_member(), "clients learn ids there"),
    MemberRule("version", "version", optional_member(), "clients learn versions there"),
    MemberRule("error", "error", optional_member(), "clients read errors there"),
    MemberRule("failedKey", "failed_key", any_change(), "clients match failures by their key"),
    MemberRule("keyAs", "key_as", any_change(), "clients match outcomes by their key"),
    MemberRule("record", "record", optional_member(), "clients read records there"),
    MemberRule("status", "status", optional_member(), "clients read the status of an item there"),
    MemberRule("message", "message", optional_member(), "clients read errors there"),
    MemberRule("codes", "codes", map_entries(), "clients know errors by their code"),
    MemberRule("statuses", "statuses", map_entries(), "clients know errors by their status"),
    MemberRule("gaps", "gaps", any_change(), "clients match outcomes by their place"),
    MemberRule("set", "set_members", map_entries(), "clients read the member there"),
    MemberRule("setDone", "set_done", map_entries(), "clients read the member there"),
    MemberRule("setFailed", "set_failed", map_entries(), "clients read the member there"),
    MemberRule("setNotRun", "set_not_run", map_entries(), "clients tell by it what was not run"),
    MemberRule("http", "http", map_entries(), "clients read responses there"),
    MemberRule("members", "members", optional_member(), "clients read there which members are wrong"),
    MemberRule("faultOrder", "fault_order", optional_member(removed="warning"), "the first fault is another one"),
    MemberRule("memberAs", "member_as", any_change(), "clients know members by these names"),
    MemberRule("every", "every", flag(off="warning"), "clients mend one fault and meet the next"),
    MemberRule("names", "names", map_entries(removed="warning"), "texts tell people less"),
    MemberRule("alike", "alike", optional_member(removed="warning"), "the same fault is told otherwise of one record"),
)
BULK_RULES: Final = (
    MemberRule("items.as", "items.shape", any_change(), "what clients send is not read any more"),
    MemberRule(
        "items.shared", "items.shared", list_entries(added="warning"), "what clients say once for all items is lost"
    ),
    MemberRule("items.groups", "items.groups", optional_member(added="error"), "what clients send is read otherwise"),
    MemberRule("items.min", "items.min", lower_limit("items"), "smaller requests are refused"),
    MemberRule("items.max", "items.max", upper_limit("items"), "larger requests are refused"),
    MemberRule("items.maxBytes", "items.max_bytes", upper_limit("bytes"), "larger requests are refused"),
    MemberRule("items.maxItemBytes", "items.max_item_bytes", upper_limit("bytes an item"), "larger items are refused"),
    MemberRule("items.ignoreCase", "items.ignore_case", flag(off="error"), "names in another case are not read"),
    MemberRule(
        "items.fanOut", "items.fan_out", optional_member(added="warning"), "targets are named or answered otherwise"
    ),
    MemberRule("effect.action", "effect.action", compare_choice, "the same item does something else"),
    MemberRule("effect.resource", "effect.resource", compare_choice, "the same item speaks of another kind of record"),
    MemberRule("effect.target", "effect.target", optional_member(added="error"), "items name other records"),
    MemberRule("effect.payload", "effect.payload", any_change(), "what clients write is looked for elsewhere"),
    MemberRule("effect.payload", "effect.payload_of", map_entries(), "what clients write is looked for elsewhere"),
    MemberRule(
        "effect.version",
        "effect.version",
        optional_member(added="warning"),
        "concurrent changes are reported otherwise",
    ),
    MemberRule("effect.like", "effect.like", list_entries(removed="warning"), "items need not get that call's verdict"),
    MemberRule("effect.tombstone", "effect.tombstone", map_entries(added="error"), "other items delete records"),
    MemberRule("effect.http", "effect.http", map_entries(), "what clients send is read otherwise"),
    MemberRule("key.by", "key.by", any_change(), "clients match outcomes otherwise"),
    MemberRule("key.at", "key.at", optional_member(added="error"), "clients give the key elsewhere"),
    MemberRule("key.optional", "key.optional", flag(off="error"), "items without a key are refused"),
    MemberRule("key.onlyFor", "key.only_for", any_change("warning"), "keys are asked of other items"),
    MemberRule("unit.of", "unit.of", compare_choice, "other items fall together"),
    MemberRule("unit.group", "unit.group", optional_member(added="error"), "other items fall together"),
    MemberRule("unit.stopAfter", "unit.stop_after", any_change(), "other items are left undone"),
    MemberRule("unit.rolledBack", "unit.rolled_back", any_change(), "innocent items of a failed unit report otherwise"),
    MemberRule(
        "unit.markedAs",
        "unit.marked_as",
        optional_member(added="error"),
        "innocent items of a failed unit report otherwise",
    ),
    MemberRule("order.when", "order.when", any_change(), "clients ask for the order otherwise"),
    MemberRule("order.groupBy", "order.group_by", any_change(), "items run in another order"),
    MemberRule("order.dependsOn", "order.depends_on", optional_member(), "items refer to one another otherwise"),
    MemberRule("order.reference", "order.reference", optional_member(), "items refer to one another otherwise"),
    MemberRule("order.forward", "order.forward", flag(off="error"), "items may not refer to later ones"),
    MemberRule("order.onBroken", "order.on_broken", optional_member(), "items that were not run say so otherwise"),
    MemberRule("reply.status", "reply.status", map_entries(removed="warning"), STATUS_CHANGED),
    MemberRule("reply.counts", "reply.counts", map_entries(), "clients read the counter there"),
    MemberRule("reply.error", "reply.error", optional_member(), "clients read there why a request failed"),
    MemberRule("reply.set", "reply.set_members", map_entries(), "clients read the member there"),
    MemberRule(
        "guard.refuse", "guard.refuse", map_entries(removed="info", added="error"), "what was let through is refused"
    ),
    MemberRule("guard.faults", "guard.faults", map_entries(), "clients read there what is wrong with items"),
    MemberRule("guard.faults.points", "guard.fault_points", map_entries(removed="warning"), "clients look elsewhere"),
    MemberRule(
        "guard.faults.every", "guard.every_fault", flag(off="warning"), "clients mend one fault and meet the next"
    ),
    MemberRule(
        "guard.retry.unprocessed",
        "guard.unprocessed",
        optional_member(added="warning"),
        "items are handed back otherwise",
    ),
    MemberRule(
        "guard.retry.codes",
        "guard.retry_codes",
        list_entries(removed="warning"),
        "clients try the wrong failures again",
    ),
)
JOB_RULES: Final = (
    MemberRule("handle", "handle", any_change(), "clients learn there how to ask for the job"),
    MemberRule("handleAs", "handle_as", any_change("warning"), "handles look otherwise"),
    MemberRule("id", "id_at", optional_member(), "clients read the job's id there"),
    MemberRule("error", "error", optional_member(), "clients read there why a job failed"),
    MemberRule("set", "set_members", map_entries(), "clients read the member there"),
    MemberRule("state.set", "set_in_state", map_entries(), "clients read the member there"),
    MemberRule("poll", "poll", any_change(), "clients ask for the job by that call"),
    MemberRule("state.at", "state_at", any_change(), "clients read the state there"),
    MemberRule("state.map", "words", map_entries(added="error"), "clients do not know the word"),
    MemberRule("progress", "progress", map_entries(), "clients read progress there"),
    MemberRule("results", "results", list_entries(), "clients fetch results there"),
    MemberRule("results", "results_of", map_entries(), "clients fetch results there"),
    MemberRule("open", "open", optional_member(added="error"), "jobs are made otherwise"),
    MemberRule("start", "start", optional_member(added="error"), "jobs are begun otherwise"),
    MemberRule("cancel", "cancel", optional_member(), "jobs are cancelled otherwise"),
    MemberRule(
        "cancelUntil", "cancel_until", optional_member(removed="warning"), "jobs may go on after a wish to cancel"
    ),
    MemberRule("every", "every", time_limit(shorter="info", longer="warning"), "clients ask too often"),
    MemberRule(
        "timeout", "timeout", time_limit(shorter="info", longer="warning"), "clients give a job up that goes on"
    ),
    MemberRule("keep", "keep", time_limit(shorter="error", longer="info"), "finished jobs are gone earlier"),
    MemberRule("within", "within", list_entries(removed="info", added="error"), "jobs are not found where they were"),
    MemberRule("lookUp", "look_up", optional_member(removed="warning"), "what items refer to must be there earlier"),
    MemberRule("times", "times", map_entries(), "clients read times there"),
    MemberRule("failedIf", "failed_if", any_change(), "clients take jobs with failures for good ones"),
    MemberRule("steps", "steps", map_entries(), "clients look for outcomes where they were"),
    MemberRule("steps.failedIf", "step_failed_if", any_change(), "clients take failures for successes"),
)
IDEMPOTENCY_RULES: Final = (
    MemberRule("key", "key", any_change(), "clients give the key elsewhere"),
    MemberRule("scope", "scope", any_change(), "a key speaks of something else"),
    MemberRule("keep", "keep", time_limit(shorter="error", longer="info"), "a repetition is done again"),
    MemberRule("replay", "replay", any_change(), "a repetition is answered otherwise"),
    MemberRule(
        "mismatch",
        "mismatch",
        optional_member(added="error", removed="warning"),
        "other content under a key is answered otherwise",
    ),
    MemberRule(
        "concurrent",
        "concurrent",
        optional_member(added="warning", removed="warning"),
        "a repetition in flight is answered otherwise",
    ),
)


ALWAYS: Final = "always"


class MemberChange(NamedTuple):
    """A change of one member of `x-bulk`; `says` is a clause for reports."""

    member: str
    severity: Severity
    says: str


def compare_bulk(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    """Yield the changes of an operation's `x-bulk` and `x-quota`; `name` is the operation in reports."""
    for one in _compare_declarations(was.bulk, now.bulk):
        place = f"x-bulk {one.member}".rstrip()
        rule = "-".join(part for part in ("x-bulk", one.member) if part)
        yield Change(rule=rule, severity=one.severity, operation=name, place=place, says=one.says)
    for severity, says in compare_quotas(was.quota, now.quota):
        yield Change(rule="x-quota", severity=severity, operation=name, place="x-quota", says=says)


def _compare_declarations(old: Bulk | None, new: Bulk | None) -> Iterator[MemberChange]:
    if old is None or new is None:
        if old is not None:
            yield MemberChange("", "error", "it is not declared any more how the items are taken and answered")
        if new is not None:
            yield MemberChange("", "info", "it is declared now how the items are taken and answered")
        return
    yield from _compare_members("", BULK_RULES, old, new)
    yield from _compare_locations(old, new)
    yield from _compare_order(old, new)
    yield from _compare_outcomes("reply.outcomes", old.reply.outcomes, new.reply.outcomes)
    yield from _compare_jobs(old.job, new.job)
    yield from _compare_idempotency(old.guard.idempotency, new.guard.idempotency)
    yield from (MemberChange("guard.quota", *one) for one in compare_quotas(old.guard.quota, new.guard.quota))


def _compare_members(prefix: str, rows: Sequence[MemberRule], old: object, new: object) -> Iterator[MemberChange]:
    for row in rows:
        for severity, says in row.comparer(_attribute(old, row.at), _attribute(new, row.at)):
            clause = f"{says}: {row.effect}" if severity != "info" else says
            yield MemberChange(f"{prefix}{row.member}", severity, clause)


def _attribute(value: object, path: str) -> object:
    return reduce(getattr, path.split("."), value)


def _compare_locations(old: Bulk, new: Bulk) -> Iterator[MemberChange]:
    before, after = old.items.places, new.items.places
    for one in before:
        if one not in after:
            yield MemberChange("items.at", "error", f"items are not taken from {_location(one)} any more")
    for one in after:
        if one not in before:
            yield MemberChange("items.at", "info", f"items are taken from {_location(one)} too")


def _location(location: str) -> str:
    return f"'{location}'" if location else "the body itself"


def _compare_order(old: Bulk, new: Bulk) -> Iterator[MemberChange]:
    was, now = old.order.run, new.order.run
    if was == now:
        return
    if was == "any":
        yield MemberChange("order.run", "info", f"items run {now} now, which was left open")
    else:
        yield MemberChange("order.run", "error", f"items run {now}, not {was}: clients rely on what was done before")


def _compare_outcomes(member: str, old: Outcomes | None, new: Outcomes | None) -> Iterator[MemberChange]:
    if old is not None and new is not None:
        yield from _compare_members(f"{member}.", OUTCOME_RULES, old, new)
    elif old is not None:
        yield MemberChange(member, "error", "outcomes are no longer reported")
    elif new is not None:
        yield MemberChange(member, "info", "outcomes are reported now")


def _compare_jobs(old: BulkJob | None, new: BulkJob | None) -> Iterator[MemberChange]:
    if old is not None and new is not None:
        yield from _compare_job_conditions(old, new)
        yield from _compare_members("job.", JOB_RULES, old, new)
        yield from _compare_outcomes("job.outcomes", old.outcomes, new.outcomes)
        yield from _compare_active_jobs(old.active, new.active)
    elif old is not None:
        yield MemberChange("job", "error", "a request is never a job any more: clients ask for one in vain")
    elif new is not None and ALWAYS in new.when:
        yield MemberChange("job", "error", "every request is a job now: clients expect the outcomes at once")
    elif new is not None:
        yield MemberChange("job", "info", f"a request becomes a job on request: {render_value(new.when)}")


def _compare_job_conditions(old: BulkJob, new: BulkJob) -> Iterator[MemberChange]:
    for one in old.when:
        if one not in new.when and ALWAYS not in new.when:
            yield MemberChange("job.when", "error", f"{render_value(one)} makes no job any more: clients wait for one")
    for one in new.when:
        if one not in old.when and ALWAYS not in old.when:
            severity: Severity = "error" if one == ALWAYS else "info"
            yield MemberChange("job.when", severity, f"{render_value(one)} makes a job now")


def _compare_active_jobs(old: ActiveJobs | None, new: ActiveJobs | None) -> Iterator[MemberChange]:
    if old == new:
        return
    if new is None:
        yield MemberChange("job.active", "info", "any number of jobs may be unfinished")
        return
    says = f"{new.max} unfinished jobs{f' for each {new.per}' if new.per else ''}, more are {consequence(new.breach)}"
    tighter = old is None or new.max < old.max or new.per != old.per or new.breach != old.breach
    yield MemberChange("job.active", severity_of_breach(new.breach) if tighter else "info", f"at most {says}")


def _compare_idempotency(old: Idempotency | None, new: Idempotency | None) -> Iterator[MemberChange]:
    if old is not None and new is not None:
        yield from _compare_members("guard.idempotency.", IDEMPOTENCY_RULES, old, new)
    elif old is not None:
        yield MemberChange("guard.idempotency", "error", "a repeated request is done again: clients rely on its key")
    elif new is not None:
        yield MemberChange("guard.idempotency", "info", f"a key at {new.key} makes repeating safe")


def _compare_consistency(old: timedelta | None, new: timedelta | None) -> Iterator[tuple[Severity, str]]:
    before, after = (timedelta(0) if one is None else one for one in (old, new))
    if before != after:
        says = f"reads show a write after {render_value(after)} at the latest, it was {render_value(before)}"
        yield ("error" if after > before else "info"), says


RESOURCE_RULES: Final[dict[str, CompareValues]] = {
    "key": any_change(),
    "assigned": any_change(),
    "version": optional_member(),
    "has_counter": flag(off="error"),
    "counts_writes": flag(on="warning", off="warning"),
    "consistency": _compare_consistency,
    "tombstone": optional_member(),
    "unique": list_entries(removed="info", added="error"),
    "references": map_entries(removed="info", added="error"),
    "required": list_entries(removed="info", added="error"),
    "defaults": map_entries(removed="warning", changed="warning", added="info"),
    "normalize": map_entries(added="error"),
    "restrict": flag(on="error"),
    "ignore_case": flag(off="error"),
    "lookups": list_entries(removed="error", added="info"),
    "payload": any_change(),
    "created": optional_member(),
    "modified": optional_member(),
    "set_members": map_entries(),
}
DOCUMENT_NAMES: Final = {
    "has_counter": "versioning",
    "counts_writes": "versioning",
    "ignore_case": "ignoreCase",
    "set_members": "set",
}


def compare_resources(old: Contract, new: Contract, comparer: SchemaComparer) -> Iterator[Change]:
    """Yield the changes of declared resources (`x-resources`) and of their schemas."""
    declared = _declared_resources(old), _declared_resources(new)
    for name, was in declared[0].items():
        now = declared[1].get(name) or new.resources.get(name)
        if now is None:
            yield _resource_change(name, "error", "there are no such records any more")
        else:
            yield from _compare_resource(name, was, now)
            schemas = (_schema(old, was), _schema(new, now))
            yield from comparer.compare(*schemas, direction="request", operation="", place=f"x-resources {name}")
    for name in declared[1]:
        if name not in old.resources:
            yield _resource_change(name, "info", "there are such records now")


def _declared_resources(contract: Contract) -> dict[str, Resource]:
    found: Any = contract.document.get("x-resources", {})
    return {name: contract.resources[name] for name in found}


def _schema(contract: Contract, resource: Resource) -> Schema | None:
    return contract.schemas.schema(resource.schema) if resource.schema is not None else None


def _compare_resource(name: str, was: Resource, now: Resource) -> Iterator[Change]:
    for member, compare in RESOURCE_RULES.items():
        for severity, says in compare(getattr(was, member), getattr(now, member)):
            yield _resource_change(f"{name} {DOCUMENT_NAMES.get(member, member)}", severity, says, member)


def _resource_change(place: str, severity: Severity, says: str, member: str = "") -> Change:
    rule = "-".join(part for part in ("x-resources", DOCUMENT_NAMES.get(member, member)) if part)
    return Change(rule=rule, severity=severity, operation="", place=f"x-resources {place}", says=says)

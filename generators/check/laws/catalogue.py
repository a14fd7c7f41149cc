"""The laws of bulk semantics (`LAWS`) and of effects (`EFFECT`); with those of lists and calls (`ALL_LAWS`)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_exchange import BulkExchange
from contracts.openapi.inference import key_type
from contracts.openapi.model import Contract, Operation
from generators.check import warm_up
from generators.check.laws.calls.catalogue import CALL_LAWS
from generators.check.laws.concurrent_jobs import active, known_by_name
from generators.check.laws.errors.fault_order import declared_outcomes
from generators.check.laws.errors.faults import errors, tells_errors
from generators.check.laws.exact import exact
from generators.check.laws.fan_out import fan_out
from generators.check.laws.idempotency import idempotent, unprocessed
from generators.check.laws.job_lookups import looks_up_at_run
from generators.check.laws.keys import identity, text_keys
from generators.check.laws.limits import boundary, duplicate, refuses_duplicates
from generators.check.laws.lists.catalogue import LIST_LAWS
from generators.check.laws.lookups import lookup
from generators.check.laws.metamorphic import async_is_sync, permuted, singular, split
from generators.check.laws.ordering import grouped
from generators.check.laws.references import broken_reference, isolated_until_stopped
from generators.check.laws.stored_state import atomic, effect, reuse, stale_version
from generators.check.laws.uniformity import MANY, uniform
from generators.oracles import job_laws, reference_model, response_laws
from generators.oracles.findings import Law
from generators.requests.options import actions_of, stops_at_failure, units_of
from generators.schemathesis_engine import coverage


def _first_of(*reasons: Callable[[Operation], str | None]) -> Callable[[Operation], str | None]:
    """Return a function that returns the first of several reasons that holds for an operation."""
    return lambda operation: next(filter(None, (reason(operation) for reason in reasons)), None)


def _unless(reason: str, holds: Callable[[Bulk], object]) -> Callable[[Operation], str | None]:
    """Return a function that returns `reason` for operations whose declaration does not hold, else None."""

    def exempt_reason(operation: Operation) -> str | None:
        if operation.bulk is None:
            return "it declares no x-bulk"
        return None if holds(operation.bulk) else reason

    return exempt_reason


def _has_outcomes(view: BulkExchange) -> bool:
    return bool(view.reports)


def _is_processed(view: BulkExchange) -> bool:
    return view.kind != "refused"


def _has_counters(view: BulkExchange) -> bool:
    return bool(view.traces) or (bool(view.reports) and bool(view.bulk.reply.counts))


def _was_polled(view: BulkExchange) -> bool:
    return any(trace.polls or trace.gone for trace in view.traces)


def _items_are_independent(bulk: Bulk) -> bool:
    return "item" in units_of(bulk) and not stops_at_failure(bulk)


def _counts(bulk: Bulk) -> bool:
    progress = bulk.job.progress if bulk.job is not None else {}
    return bool(bulk.reply.counts) or bool({"posted", "failed", "done", "succeeded"} & progress.keys())


def _progresses(bulk: Bulk) -> bool:
    return bulk.job is not None and (bool(bulk.job.progress) or bulk.job.outcomes is not None)


def _is_bounded(bulk: Bulk) -> bool:
    return bulk.items.max is not None or bulk.items.min > 0 or bulk.items.max_bytes is not None


def _refers(bulk: Bulk) -> bool:
    return bulk.order.depends_on is not None or bulk.order.reference is not None


def _looks_up_at_run(bulk: Bulk) -> bool:
    if bulk.job is None or bulk.job.look_up != "run" or bulk.items.fan_out is not None:
        return False
    return bulk.effect.payload not in bulk.items.shared and bulk.effect.action.constant not in {"delete", "read"}


def _can_choose_job(bulk: Bulk) -> bool:
    return bulk.job is not None and "always" not in bulk.job.when


def _writes_members(bulk: Bulk) -> bool:
    return bool({"create", "replace", "update", "upsert"} & set(actions_of(bulk)))


def _sets_members(bulk: Bulk) -> bool:
    return _writes_members(bulk) and bulk.effect.payload not in bulk.items.shared


def _has_many(bulk: Bulk) -> bool:
    return (bulk.items.max or 0) >= MANY


LAWS: Final[tuple[Law, ...]] = (
    Law(
        name="count",
        says="Each item that must have an outcome has exactly one; failures are among the items.",
        exempt_reason=_unless("it declares no outcomes", declared_outcomes),
        judge_exchange=response_laws.count,
        applies_to=_has_outcomes,
    ),
    Law(
        name="key",
        says="Each outcome's key is a key of the request, and none occurs twice.",
        exempt_reason=_unless("it declares no outcomes", declared_outcomes),
        judge_exchange=response_laws.key,
        applies_to=_has_outcomes,
    ),
    Law(
        name="outcome-order",
        says="Outcomes are in request order where that is declared.",
        exempt_reason=_unless(
            "it declares no order of outcomes", lambda bulk: any(one.in_order for one in declared_outcomes(bulk))
        ),
        judge_exchange=response_laws.outcome_order,
        applies_to=_has_outcomes,
    ),
    Law(
        name="atomic",
        says="After a unit of several items has failed, reading back shows no change.",
        exempt_reason=_unless(
            "its items do not succeed or fail as a unit", lambda bulk: set(units_of(bulk)) - {"item"}
        ),
        experiment=atomic,
    ),
    Law(
        name="isolated",
        says="Removing the failed items changes nothing for the others, until as many failed as stop a request.",
        exempt_reason=_unless("its items succeed or fail as a unit", lambda bulk: "item" in units_of(bulk)),
        experiment=isolated_until_stopped,
    ),
    Law(
        name="singular",
        says="An item gets the same outcome and state as the equivalent single-record request.",
        exempt_reason=_unless(
            "it declares no equivalent single-record operation", lambda bulk: bulk.effect.like or bulk.effect.http
        ),
        experiment=singular,
    ),
    Law(
        name="split",
        says="One request has the same effect as its two halves, one after the other.",
        exempt_reason=_unless(
            "its items are not declared to run one by one as listed, whatever fails",
            lambda bulk: _items_are_independent(bulk) and bulk.order.run == "listed",
        ),
        experiment=split,
    ),
    Law(
        name="permuted",
        says="The order of the items changes neither outcomes nor state.",
        exempt_reason=_unless(
            "it is declared to run in an order, or to stop at a failure",
            lambda bulk: bulk.order.run == "any" and not stops_at_failure(bulk),
        ),
        experiment=permuted,
    ),
    Law(
        name="grouped",
        says="Changes of a smaller group are visible to a larger one, whatever their order in the request.",
        exempt_reason=_unless("it declares no groups", lambda bulk: bulk.order.run == "grouped"),
        experiment=grouped,
    ),
    Law(
        name="broken-reference",
        says="An item whose dependency failed is not run, and is reported as declared.",
        exempt_reason=_unless("its items do not refer to one another", _refers),
        experiment=broken_reference,
    ),
    Law(
        name="status-class",
        says="The status is the one declared for the outcomes, and so is a job's final state.",
        exempt_reason=_unless("it declares no status", lambda bulk: bulk.reply.status),
        judge_exchange=response_laws.status_class,
        applies_to=_is_processed,
    ),
    Law(
        name="counts",
        says="Declared counters agree with the outcomes and with the number of items.",
        exempt_reason=_unless("it declares no counters", _counts),
        judge_exchange=response_laws.counts,
        applies_to=_has_counters,
    ),
    Law(
        name="boundary",
        says="The maximum number of items is accepted; one more is refused, and so is none where the minimum is one.",
        exempt_reason=_unless("it declares no limits", _is_bounded),
        experiment=boundary,
    ),
    Law(
        name="duplicate",
        says="Duplicates are refused as declared, and a refused request changes nothing.",
        exempt_reason=_unless(
            "it declares no refusal of duplicates, malformed items or unknown modes", refuses_duplicates
        ),
        experiment=duplicate,
    ),
    Law(
        name="stale-version",
        says="A stale version fails its item and no other; each change increments the version by one.",
        exempt_reason=_unless("its items name no version", lambda bulk: bulk.effect.version is not None),
        experiment=stale_version,
    ),
    Law(
        name="idempotent",
        says="A repeated key with the same content is processed once; other content under that key is refused.",
        exempt_reason=_unless("it declares no idempotency key", lambda bulk: bulk.guard.idempotency),
        experiment=idempotent,
    ),
    Law(
        name="job-moves",
        says="A job's state makes only allowed transitions, it ends, and a final state does not change.",
        exempt_reason=_unless("it makes no jobs", lambda bulk: bulk.job),
        judge_exchange=job_laws.job_moves,
        applies_to=_was_polled,
    ),
    Law(
        name="job-progress",
        says="The processed count never falls, never exceeds the posted count, and reaches it; results do not change.",
        exempt_reason=_unless("its jobs report neither progress nor results", _progresses),
        judge_exchange=job_laws.job_progress,
        applies_to=_was_polled,
    ),
    Law(
        name="async-is-sync",
        says="A request has the same outcomes and state whether it runs as a job or at once.",
        exempt_reason=_unless("a caller cannot choose whether it becomes a job", _can_choose_job),
        experiment=async_is_sync,
    ),
    Law(
        name="fan-out",
        says="Each target gets the same result as from a request of its own; targets do not affect each other.",
        exempt_reason=_unless("it has no targets", lambda bulk: bulk.items.fan_out),
        experiment=fan_out,
    ),
    Law(
        name="unprocessed",
        says="Resending the unprocessed items ends with every item done.",
        exempt_reason=_unless("it reports no items as not processed", lambda bulk: bulk.guard.unprocessed is not None),
        experiment=unprocessed,
    ),
    Law(
        name="active",
        says="The limit on unfinished jobs is enforced as declared: by refusal, or as a rule for clients.",
        exempt_reason=_unless(
            "it declares no limit on active jobs", lambda bulk: bulk.job is not None and bulk.job.active
        ),
        experiment=active,
    ),
    Law(
        name="job-name",
        says="A job is known by its own name alone: not by an id that no job has, nor under another path or target.",
        exempt_reason=_unless("it makes no jobs", lambda bulk: bulk.job),
        experiment=known_by_name,
    ),
    Law(
        name="job-lookup",
        says="What a job's items refer to, change and compare is as it is when the job runs.",
        exempt_reason=_unless("no content of its items is declared to be looked up at the run", _looks_up_at_run),
        experiment=looks_up_at_run,
    ),
    Law(
        name="errors",
        says="Each fault of an item is told, with its code, its member and the facts of its text; no good item is.",
        exempt_reason=_unless(
            "it does not declare what failures are like",
            lambda bulk: bulk.guard.faults or any(map(tells_errors, declared_outcomes(bulk))),
        ),
        experiment=errors,
    ),
    Law(
        name="lookup",
        says="A lookup or key names the one record with exactly this value, an earlier item's too, or the item fails.",
        exempt_reason=_unless("its items set no references of their own", _sets_members),
        experiment=lookup,
    ),
    Law(
        name="exact",
        says="What is sent is taken as it is (0, blanks, keys nearly equal), but for what is in use or may not be set.",
        exempt_reason=_unless("its items set no members", _writes_members),
        experiment=exact,
    ),
    Law(
        name="reuse",
        says="The unique values of a new record that failed, or was undone, are free: a valid one may have them.",
        exempt_reason=_first_of(
            _unless("its items create no records", lambda bulk: "create" in actions_of(bulk)),
            _unless(
                "its requests have idempotency keys, which repeat failures too", lambda bulk: not bulk.guard.idempotency
            ),
        ),
        experiment=reuse,
    ),
    Law(
        name="identity",
        says="A key names one record: numbers near it name none, and its text names it too where that is allowed.",
        exempt_reason=_unless(
            "its items name no records that exist", lambda bulk: {"update", "delete"} & set(actions_of(bulk))
        ),
        experiment=identity,
    ),
    Law(
        name="keys",
        says="A key that a client chooses names its own record, whatever its characters, and no other one's.",
        exempt_reason=_unless("it creates no records", lambda bulk: {"create", "upsert"} & set(actions_of(bulk))),
        experiment=text_keys,
    ),
    Law(
        name="uniform",
        says="In large requests the 10th, 64th or 1000th item fares as the first does, and many failures as a few.",
        exempt_reason=_unless("it declares no limit of many items in a request", _has_many),
        experiment=uniform,
    ),
)
EFFECT: Final = Law(
    name="effect",
    says="Items reported as done can be read back, and items reported as failed changed nothing.",
    exempt_reason=_unless("it declares no x-bulk", lambda bulk: bulk),
    experiment=effect,
)


OTHER_CHECKS: Final = (warm_up.EXAMPLES_CHECK, response_laws.CHECK, reference_model.CHECK)
ALL_LAWS: Final = (*LAWS, EFFECT, *LIST_LAWS, *CALL_LAWS)
CHECKS: Final = (*OTHER_CHECKS, *(law.name for law in ALL_LAWS))
CHECK_NAMES: Final = (*CHECKS, coverage.CHECK)


def _is_named(contract: Contract, name: str) -> bool:
    """Say whether a record has lookups, or refers to another by a lookup or a key that a client chooses."""
    own = contract.resources[name]
    named = [contract.resources[one] for one in own.references.values() if one in contract.resources]
    return bool(own.lookups) or any(one.lookups or not one.assigned for one in named)


def _resources(contract: Contract, operation: Operation) -> list[str]:
    """Return the resources that a bulk operation may act on; all of them where it does not say which."""
    choice = operation.bulk.effect.resource if operation.bulk is not None else None
    named = ({choice.constant} if choice.constant else set(choice.words.values())) if choice is not None else set()
    return [name for name in contract.resources if not named or name in named]


def laws_for(contract: Contract) -> tuple[Law, ...]:
    """Return all laws; those that need what no record of an operation has do not apply to it."""
    resources = contract.resources
    needs: dict[str, tuple[str, Callable[[str], object]]] = {
        "lookup": (
            "no record refers to another by a lookup, or a key that a client chooses",
            partial(_is_named, contract),
        ),
        "keys": ("no record has a key that a client chooses", lambda name: not resources[name].assigned),
        "identity": ("no record has a number as its key", lambda name: not key_type(contract, resources[name]).is_text),
    }

    def exempt_reason(law: Law, operation: Operation) -> str | None:
        reason, holds = needs[law.name]
        return law.exempt_reason(operation) or (None if any(map(holds, _resources(contract, operation))) else reason)

    return tuple(
        replace(one, exempt_reason=partial(exempt_reason, one)) if one.name in needs else one for one in ALL_LAWS
    )

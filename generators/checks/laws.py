"""The 22 laws of bulk semantics, in the order of their axes, and one check that stands beside them."""

from collections.abc import Callable
from typing import Final

from contracts.bulk import Bulk, Outcomes
from contracts.model import Operation
from generators.checks import job_laws, outcome_laws
from generators.checks.activity import active
from generators.checks.alone import singular
from generators.checks.comparing import async_is_sync, isolated, permuted, split
from generators.checks.effects import effect
from generators.checks.findings import Law
from generators.checks.limits import boundary, duplicate, refuses_duplicates
from generators.checks.ordering import broken_reference, grouped
from generators.checks.repeating import idempotent, unprocessed
from generators.checks.requests import stops, units_of
from generators.checks.targets import fan_out
from generators.checks.undoing import atomic
from generators.checks.versions import stale_version
from generators.checks.views import View


def _unless(reason: str, holds: Callable[[Bulk], object]) -> Callable[[Operation], str | None]:
    """Return what exempts an operation, for `reason`, when its declaration does not hold."""

    def exempts(operation: Operation) -> str | None:
        if operation.bulk is None:
            return "it declares no x-bulk"
        return None if holds(operation.bulk) else reason

    return exempts


def _outcomes(bulk: Bulk) -> list[Outcomes]:
    told = (bulk.reply.outcomes, bulk.job.outcomes if bulk.job is not None else None)
    return [one for one in told if one is not None]


def _told(view: View) -> bool:
    return bool(view.tellings)


def _answered(view: View) -> bool:
    return view.kind != "refused"


def _numbered(view: View) -> bool:
    return bool(view.traces) or (bool(view.tellings) and bool(view.bulk.reply.counts))


def _asked_about(view: View) -> bool:
    return any(trace.polls or trace.gone for trace in view.traces)


def _stand_alone(bulk: Bulk) -> bool:
    return "item" in units_of(bulk) and not stops(bulk)


def _counts(bulk: Bulk) -> bool:
    progress = bulk.job.progress if bulk.job is not None else {}
    return bool(bulk.reply.counts) or bool({"posted", "failed", "done", "succeeded"} & progress.keys())


def _progresses(bulk: Bulk) -> bool:
    return bulk.job is not None and (bool(bulk.job.progress) or bulk.job.outcomes is not None)


def _is_bounded(bulk: Bulk) -> bool:
    return bulk.items.max is not None or bulk.items.min > 0


def _refers(bulk: Bulk) -> bool:
    return bulk.order.depends_on is not None or bulk.order.reference is not None


def _can_wish(bulk: Bulk) -> bool:
    return bulk.job is not None and "always" not in bulk.job.when


LAWS: Final[tuple[Law, ...]] = (
    Law(
        name="count",
        says="Each item that must have an outcome has exactly one; failures are among the items.",
        exempts=_unless("it declares no outcomes", _outcomes),
        looks=outcome_laws.count,
        concerns=_told,
    ),
    Law(
        name="key",
        says="Each outcome's key is a key of the request, and none occurs twice.",
        exempts=_unless("it declares no outcomes", _outcomes),
        looks=outcome_laws.key,
        concerns=_told,
    ),
    Law(
        name="outcome-order",
        says="Outcomes are in request order where that is declared.",
        exempts=_unless("it declares no order of outcomes", lambda bulk: any(one.in_order for one in _outcomes(bulk))),
        looks=outcome_laws.outcome_order,
        concerns=_told,
    ),
    Law(
        name="atomic",
        says="After a unit of several items has failed, reading back shows no change.",
        exempts=_unless("its items do not succeed or fail as a unit", lambda bulk: set(units_of(bulk)) - {"item"}),
        experiment=atomic,
    ),
    Law(
        name="isolated",
        says="Removing the failed items changes nothing for the others.",
        exempts=_unless("its items succeed or fail as a unit, or stop at a failure", _stand_alone),
        experiment=isolated,
    ),
    Law(
        name="singular",
        says="An item gets the same outcome and state as the equivalent single-record request.",
        exempts=_unless("it declares no equivalent single-record operation", lambda bulk: bulk.effect.like),
        experiment=singular,
    ),
    Law(
        name="split",
        says="One request has the same effect as its two halves, one after the other.",
        exempts=_unless(
            "its items are not declared to run one by one as listed, whatever fails",
            lambda bulk: _stand_alone(bulk) and bulk.order.run == "listed",
        ),
        experiment=split,
    ),
    Law(
        name="permuted",
        says="The order of the items changes neither outcomes nor state.",
        exempts=_unless(
            "it is declared to run in an order, or to stop at a failure",
            lambda bulk: bulk.order.run == "any" and not stops(bulk),
        ),
        experiment=permuted,
    ),
    Law(
        name="grouped",
        says="Changes of a smaller group are visible to a larger one, whatever their order in the request.",
        exempts=_unless("it declares no groups", lambda bulk: bulk.order.run == "grouped"),
        experiment=grouped,
    ),
    Law(
        name="broken-reference",
        says="An item whose dependency failed is not run, and is reported as declared.",
        exempts=_unless("its items do not refer to one another", _refers),
        experiment=broken_reference,
    ),
    Law(
        name="status-class",
        says="The status is the one declared for the outcomes, and so is a job's final state.",
        exempts=_unless("it declares no status", lambda bulk: bulk.reply.status),
        looks=outcome_laws.status_class,
        concerns=_answered,
    ),
    Law(
        name="counts",
        says="Declared counters agree with the outcomes and with the number of items.",
        exempts=_unless("it declares no counters", _counts),
        looks=outcome_laws.counts,
        concerns=_numbered,
    ),
    Law(
        name="boundary",
        says="The maximum number of items is accepted; one more is refused, and so is none where the minimum is one.",
        exempts=_unless("it declares no limits", _is_bounded),
        experiment=boundary,
    ),
    Law(
        name="duplicate",
        says="Duplicates are refused as declared, and a refused request changes nothing.",
        exempts=_unless("it declares no refusal of duplicates, malformed items or unknown modes", refuses_duplicates),
        experiment=duplicate,
    ),
    Law(
        name="stale-version",
        says="A stale version fails its item and no other; each change increments the version by one.",
        exempts=_unless("its items name no version", lambda bulk: bulk.effect.version is not None),
        experiment=stale_version,
    ),
    Law(
        name="idempotent",
        says="A repeated key with the same content is processed once; other content under that key is refused.",
        exempts=_unless("it declares no idempotency key", lambda bulk: bulk.guard.idempotency),
        experiment=idempotent,
    ),
    Law(
        name="job-moves",
        says="A job's state makes only allowed transitions, and a final state does not change.",
        exempts=_unless("it makes no jobs", lambda bulk: bulk.job),
        looks=job_laws.job_moves,
        concerns=_asked_about,
    ),
    Law(
        name="job-progress",
        says="The processed count never falls, never exceeds the posted count, and reaches it; results do not change.",
        exempts=_unless("its jobs report neither progress nor results", _progresses),
        looks=job_laws.job_progress,
        concerns=_asked_about,
    ),
    Law(
        name="async-is-sync",
        says="A request has the same outcomes and state whether it runs as a job or at once.",
        exempts=_unless("a caller cannot choose whether it becomes a job", _can_wish),
        experiment=async_is_sync,
    ),
    Law(
        name="fan-out",
        says="Each target gets the same result as from a request of its own; targets do not affect each other.",
        exempts=_unless("it has no targets", lambda bulk: bulk.items.fan_out),
        experiment=fan_out,
    ),
    Law(
        name="unprocessed",
        says="Resending the unprocessed items ends with every item done.",
        exempts=_unless("it reports no items as not processed", lambda bulk: bulk.guard.unprocessed is not None),
        experiment=unprocessed,
    ),
    Law(
        name="active",
        says="The limit on unfinished jobs is enforced as declared: by refusal, or as a rule for clients.",
        exempts=_unless("it declares no limit on active jobs", lambda bulk: bulk.job is not None and bulk.job.active),
        experiment=active,
    ),
)
EFFECT: Final = Law(
    name="effect",
    says="Items reported as done can be read back, and items reported as failed changed nothing.",
    exempts=_unless("it declares no x-bulk", lambda bulk: bulk),
    experiment=effect,
)

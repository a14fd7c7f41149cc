"""The laws of lists of records (`LIST_LAWS`)."""

from collections.abc import Callable
from typing import Final

from contracts.bulk.model import RecordAct
from contracts.openapi.model import Operation
from generators.check.laws.lists.joined_orders import selections
from generators.check.laws.lists.listing import listing
from generators.oracles.findings import Law


def _unless_list(reason: str, holds: Callable[[RecordAct], object]) -> Callable[[Operation], str | None]:
    """Return a function that returns `reason` for lists whose declaration does not hold, else None."""

    def exempt_reason(operation: Operation) -> str | None:
        if operation.record is None or operation.record.action.constant != "list":
            return "it lists no records"
        return None if holds(operation.record) else reason

    return exempt_reason


LIST_LAWS: Final = (
    Law(
        name="listing",
        says="Pages are parts of one list: each record once, in the declared order, as it is when it is read.",
        exempt_reason=_unless_list("it lists no records", lambda act: act),
        experiment=listing,
    ),
    Law(
        name="filter",
        says="A list shows exactly the records that its filter selects, and their members, in the order asked for.",
        exempt_reason=_unless_list(
            "it declares no filter and no order of the client's",
            lambda act: act.rules.filter or act.rules.where or act.rules.sort or act.rules.select,
        ),
        experiment=selections,
    ),
)

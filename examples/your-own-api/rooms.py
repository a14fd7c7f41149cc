"""The API of `openapi.yaml`: what cannot be declared is here, a behaviour, a check and a scenario.

`bulkproof serve examples/your-own-api/rooms.py:api`
"""

from collections.abc import Iterator
from pathlib import Path

from contracts.exchange.bulk_exchange import BulkExchange
from contracts.messages import Response
from contracts.openapi.loading import load
from contracts.openapi.model import Operation
from generators.oracles.findings import Finding, Law
from mockserver.api.model import Api, Refusal, RequestContext, json_response
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.stores.interface import Collection

HERE = Path(__file__).parent
CENTS_A_NIGHT = {"garden": 9_000, "tower": 12_500}


def price_stay(context: RequestContext) -> Response:
    """Answer what a stored stay costs: the seventh night is free."""
    key = context.variables["id"]
    record = context.api_state.store.get(Collection(context.scope, "stays"), key)
    if record is None or record.deleted:
        refusal = Refusal(status=404, kind="not-found", detail=f"There is no stay {key}.")
        return context.api.hooks.refuse(context, refusal)
    nights = record.body["nights"]
    total = (nights - nights // 7) * CENTS_A_NIGHT[record.body["room"]]
    return json_response(context, 200, {"nights": nights, "total": total})


def _has_no_reason(operation: Operation) -> str | None:
    return None if operation.id == "createStays" else "it books no stays"


def explains_failures(exchange: BulkExchange) -> Iterator[Finding]:
    """Yield a finding when a stay that was not booked has no description."""
    for report in exchange.reports:
        entries = report.body["items"] if isinstance(report.body, dict) else []
        silent = [n for n, one in enumerate(entries) if one["status"] >= 400 and not one.get("description")]
        if silent:
            says = f"entry {silent[0]} failed without a description"
            yield Finding(
                law="explains", operation="createStays", shape="silent", says=says, evidence=(exchange.exchange,)
            )


EXPLAINS = Law(
    name="explains",
    says="A stay that was not booked says why.",
    exempt_reason=_has_no_reason,
    judge_exchange=explains_failures,
    applies_to=lambda exchange: bool(exchange.reports),
)


def api() -> Api:
    """Return the API."""
    return Api(
        name="rooms",
        contract=load(HERE / "openapi.yaml", name="rooms"),
        behaviours={"priceStay": price_stay},
        hooks=DEFAULT_HOOKS,
        checks=(EXPLAINS,),
        scenarios=(HERE / "tower-closed.yaml",),
    )

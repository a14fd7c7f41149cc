"""Write one record as a batch of one; the properties that a list of operations or a match update sets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import orjson

from contracts.bulk.model import Resource
from contracts.exchange.bulk_request import becomes_job
from contracts.messages import Headers, Response
from mockserver.api.model import Members, RequestContext, json_response
from mockserver.apis.onkey.data_set import base_of, data_set
from mockserver.apis.onkey.lists import BAD_ID_TEXT
from mockserver.apis.onkey.messages import entries, invalid, not_found
from mockserver.apis.onkey.resource_types import ObjectType, key_of
from mockserver.apis.onkey.scope import kind_of
from mockserver.bulk.execution import accept_jobs, run_batch, run_of
from mockserver.bulk.guards import Admission, make_batch
from mockserver.bulk.prepared_api import prepared


def create(context: RequestContext) -> Response:
    """Create one record."""
    return _write(context, "batchCreate", context.data)


def update(context: RequestContext) -> Response:
    """Update one record, 404 when there is none."""
    return _change(context, "batchUpdate")


def delete(context: RequestContext) -> Response:
    """Delete one record, 404 when there is none."""
    return _change(context, "batchDelete")


def _change(context: RequestContext, batch: str) -> Response:
    """Apply a batch to the record that the path names."""
    kind, key, data = kind_of(context), key_of(context.variables["id"]), cast("dict[str, Any]", context.data)
    if key is None:
        return invalid(context, "id", BAD_ID_TEXT)
    if data.get("id", key) != key:
        return invalid(context, "/id", f"The id in the body must be the path's; got {data['id']}.")
    if data_set(context).get(kind, key) is None:
        return not_found(kind.name, key)
    return _write(context, batch, {**data, "id": key})


def _write(context: RequestContext, operation: str, record: object) -> Response:
    """Run a batch of one, at once or as a task."""
    plan = prepared(context.api).plans[operation]
    alone = replace(context, data=[record], request=context.request.with_body(orjson.dumps([record])))
    if plan.bulk.job is not None and becomes_job(plan.bulk, context):
        response = accept_jobs(alone, Admission(plan=plan, size=1, unit="whole"), plan.bulk.job)
        context.jobs = alone.jobs
        return response
    batch = make_batch(alone, plan, "whole")
    (outcome,) = context.outcomes = run_batch(alone, batch, context.scope)
    messages = {"messages": list(entries(run_of(alone, batch, context.scope))((outcome,))[0])}
    if outcome.record is None:
        return json_response(context, 400, messages)
    if outcome.action != "create":
        return json_response(context, 200, messages)
    return json_response(context, 201, messages, _located(context, kind_of(context), str(outcome.record.key)))


def _located(context: RequestContext, kind: ObjectType, key: str) -> Headers:
    """Return the URL of a new record."""
    location = f"{base_of(context)}/modules/{kind.module}/{kind.plural}/{key}"
    return Headers((("OnKey-Resource-Id", key), ("OnKey-Resource-Location", location)))


def changes(resource: Resource, payloads: Sequence[Any]) -> Sequence[Members]:
    """Return the properties that each payload sets; of two operations on one property the later wins."""
    if set(map(type, payloads)) == {dict}:
        return payloads
    own = f"{resource.name}->".lower()
    lists = (one for one in payloads if isinstance(one, list))
    names = {path: own_name(path, own) for path in {str(one["path"]) for some in lists for one in some}}
    return [one if isinstance(one, dict) else _operations(one, names) for one in payloads]


def _operations(payload: object, names: Mapping[str, str]) -> Members:
    return {names[str(one["path"])]: one["value"] for one in payload} if isinstance(payload, list) else {}


def own_name(path: str, own: str) -> str:
    """Return the own property in a path: `Resource->Code` gives `Code` for `resource->`; others are unchanged."""
    return path[len(own) :] if path[: len(own)].lower() == own else path

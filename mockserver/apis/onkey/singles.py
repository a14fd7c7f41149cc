"""Writing one record: a batch of one, said with a status and headers of its own."""

from dataclasses import replace
from typing import Any, cast

import orjson

from contracts.messages import Headers, Reply
from mockserver.apis.onkey.dataset import data_set
from mockserver.apis.onkey.entities import base_of
from mockserver.apis.onkey.kinds import Kind, key_of
from mockserver.apis.onkey.listing import BAD_ID
from mockserver.apis.onkey.messages import entries
from mockserver.apis.onkey.refusals import invalid, not_found
from mockserver.apis.onkey.scope import kind_of
from mockserver.behaviours.bulk import accepted, perform, run_of
from mockserver.domain.places import wished
from mockserver.guard import Admission, opened
from mockserver.replying import reply_with
from mockserver.served import served
from mockserver.turn import Turn


def create(turn: Turn) -> Reply:
    """Create one record."""
    return _write(turn, "batchCreate", turn.data)


def update(turn: Turn) -> Reply:
    """Update one record, 404 when there is none."""
    return _change(turn, "batchUpdate")


def delete(turn: Turn) -> Reply:
    """Delete one record, 404 when there is none."""
    return _change(turn, "batchDelete")


def _change(turn: Turn, batch: str) -> Reply:
    """Do to the record that the path names what a batch would do to it."""
    kind, key, data = kind_of(turn), key_of(turn.variables["id"]), cast("dict[str, Any]", turn.data)
    if key is None:
        return invalid(turn, "id", BAD_ID)
    if data.get("id", key) != key:
        return invalid(turn, "/id", f"The id in the body must be the path's; got {data['id']}.")
    if data_set(turn).get(kind, key) is None:
        return not_found(kind.name, key)
    return _write(turn, batch, {**data, "id": key})


def _write(turn: Turn, operation: str, record: object) -> Reply:
    """Do a batch of one, at once or as a task."""
    plan = served(turn.api).plans[operation]
    alone = replace(turn, data=[record], call=replace(turn.call, body=orjson.dumps([record])))
    if plan.bulk.job is not None and any(wished(turn, wish) for wish in plan.bulk.job.when):
        reply = accepted(alone, Admission(plan=plan, size=1, unit="whole"), plan.bulk.job)
        turn.jobs = alone.jobs
        return reply
    batch = opened(alone, plan, "whole")
    (outcome,) = turn.outcomes = perform(alone, batch, turn.scope)
    messages = {"messages": list(entries(run_of(alone, batch, turn.scope))(outcome))}
    if outcome.record is None:
        return reply_with(turn, 400, messages)
    if outcome.action != "create":
        return reply_with(turn, 200, messages)
    return reply_with(turn, 201, messages, _located(turn, kind_of(turn), str(outcome.record.key)))


def _located(turn: Turn, kind: Kind, key: str) -> Headers:
    """Return where a new record is."""
    location = f"{base_of(turn)}/modules/{kind.module}/{kind.plural}/{key}"
    return Headers((("OnKey-Resource-Id", key), ("OnKey-Resource-Location", location)))

"""States of `library.yaml`, and effects on them. Generated names of the environment begin with `b00000`."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import orjson

from contracts import load
from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from generators.client.environments import Environment
from generators.oracles.intended_effects import IntendedEffect, RecordTypes
from generators.oracles.state_model import RecordSet, RecordState, StateModel

LIBRARY = load(Path(__file__).with_name("library.yaml"))
TYPES = RecordTypes(LIBRARY)
ENVIRONMENT = Environment(client=SimpleNamespace(controlled=True), name_prefix="00000")
AT = datetime(2026, 1, 1, tzinfo=UTC)
OPERATIONS = {"authors": "readAuthor", "books": "readBook", "cards": "readCard"}
OPERATIONS |= {"tickets": "readTicket", "boxes": "readBox"}


def place(resource, scope=""):
    """Return where records of a resource are."""
    return RecordSet(scope, resource)


def record(resource, key, present=True, *, scope="", **known):  # noqa: FBT002 - it reads as a sentence
    """Return what is known of a record."""
    return RecordState(where=place(resource, scope), key=key, present=present, **known)


def state(*records, first_versions=None):
    """Return a state model with these records."""
    model = StateModel(LIBRARY.resources, ENVIRONMENT, first_versions, canonical=TYPES.canonical)
    for one in records:
        model.put(one)
    return model


def effect(resource, action, key=ABSENT, members=None, *, scope="", **more):
    """Return an effect on a record; an update is partial."""
    members = {} if members is None and action == "delete" else members
    return IntendedEffect(
        action=action,
        where=place(resource, scope),
        record_type=TYPES[resource],
        key=key,
        members=members,
        partial=more.pop("partial", action == "update"),
        **more,
    )


def exchange(n=1, status=200, data=None, *, path="/", method="GET", operation="", query=(), headers=()):
    """Return an exchange, the n-th of its session."""
    body = b"" if data is ABSENT else orjson.dumps(data)
    return Exchange(
        n=n,
        at=AT,
        api="library",
        operation=operation,
        request=Request(method=method, path=path, query=tuple(query)),
        response=Response(status=status, headers=Headers(headers), body=body, data=data),
    )

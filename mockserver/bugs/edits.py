"""Editing the data of a reply: a copy with one place changed."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import orjson

from contracts.messages import ABSENT, Reply
from contracts.pointers import look_up
from mockserver.domain.places import put_at


def edited(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    """Return a reply with `change` done to a copy of its data; the reply itself when that makes no difference."""
    data: Any = change(deepcopy(reply.data))
    return reply if data == reply.data else replace(reply, data=data, body=orjson.dumps(data))


def placed(data: Any, at: str, value: object) -> Any:
    """Return data with a value at a pointer."""
    if at == "":
        return value
    put_at(data, at, value)
    return data


def setting(at: str, value: object) -> Callable[[Any], Any]:
    """Return what writes a value where there is one already."""
    return lambda data: data if look_up(data, at) is ABSENT else placed(data, at, value)

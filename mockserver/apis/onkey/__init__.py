"""On Key, as far as its contract cannot say it: message texts, converters, OKQL, and the shapes of its answers."""

from functools import partial
from typing import Final

from contracts.document import load
from contracts.registry import bundled_path
from mockserver.api import Api, Hooks
from mockserver.apis.onkey import canon, converters, entities, imports, listing, messages, refusals, replies, scope, singles, stock, tasks
from mockserver.apis.onkey.kinds import Kinds, kinds_of

MOST: Final = 1000  # records in a request, the contract's limit


def api() -> Api:
    """Return the On Key API."""
    contract = load(bundled_path("onkey"))
    kinds = kinds_of(contract)
    ...

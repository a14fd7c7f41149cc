"""Sandboxes in tests, with or without pytest: expectations, exchanges, stored records, verdicts.

    with running("onkey") as bulkproof:
        bulkproof.onkey.expect("batchCreate").items(where={"properties.code": "DEF"}).fail("Sandbox_BusinessRule")
        my_client.sync(base_url=bulkproof.onkey.url)

Names are imported from their modules on first use, so that an unused plug-in costs nothing.
"""

from typing import TYPE_CHECKING, Final

from contracts import lazy_getattr

if TYPE_CHECKING:
    from mockserver.testing.bulkproof import Bulkproof, Mock, Server, connected, running, served
    from mockserver.testing.exchanges import Exchange, Exchanges, Verdict
    from mockserver.testing.expectations import Expectation
    from mockserver.testing.stored_records import StoredRecords

_HOME: Final = {
    "bulkproof": (
        "Bulkproof",
        "Mock",
        "Server",
        "connected",
        "running",
        "served",
    ),
    "exchanges": (
        "Exchange",
        "Exchanges",
        "Verdict",
    ),
    "expectations": ("Expectation",),
    "stored_records": ("StoredRecords",),
}

__all__ = [
    "Bulkproof",
    "Exchange",
    "Exchanges",
    "Expectation",
    "Mock",
    "Server",
    "StoredRecords",
    "Verdict",
    "connected",
    "running",
    "served",
]

__getattr__ = lazy_getattr(__name__, _HOME)

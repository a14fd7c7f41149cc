"""The tester's grammar: a sandbox as a test sees it, with or without pytest.

    with running("onkey") as bulkproof:
        bulkproof.onkey.expect("batchCreate").items(where={"properties.code": "DEF"}).fail("Sandbox_BusinessRule")
        my_client.sync(base_url=bulkproof.onkey.url)

Names are imported from their modules when they are first used, so that a plug-in that nobody uses costs nothing.
"""

from typing import TYPE_CHECKING, Final

from contracts.lazily import names_of

if TYPE_CHECKING:
    from mockserver.testing.bulkproof import Bulkproof, Mock
    from mockserver.testing.exchanges import Exchange, Exchanges
    from mockserver.testing.expecting import Expectation
    from mockserver.testing.servers import Server, connected, running, served
    from mockserver.testing.stored import Stored
    from mockserver.testing.verdicts import Verdict

_HOME: Final = {
    "bulkproof": ("Bulkproof", "Mock"),
    "exchanges": ("Exchange", "Exchanges"),
    "expecting": ("Expectation",),
    "servers": ("Server", "connected", "running", "served"),
    "stored": ("Stored",),
    "verdicts": ("Verdict",),
}

__all__ = [
    "Bulkproof",
    "Exchange",
    "Exchanges",
    "Expectation",
    "Mock",
    "Server",
    "Stored",
    "Verdict",
    "connected",
    "running",
    "served",
]

__getattr__ = names_of(__name__, _HOME)

"""The tester's grammar: a sandbox as a test sees it, with or without pytest.

    with running("onkey") as bulkproof:
        bulkproof.onkey.expect("batchCreate").items(where={"properties.code": "DEF"}).fail("Sandbox_BusinessRule")
        my_client.sync(base_url=bulkproof.onkey.url)

Names are imported from their modules when they are first used, so that a plug-in that nobody uses costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

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
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}

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


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mockserver.testing' has no attribute {name!r}")
    return getattr(import_module(f"mockserver.testing.{_MODULE_OF[name]}"), name)

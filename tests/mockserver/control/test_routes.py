"""The control API's behaviours, which are imported when they are first called."""

from contracts.openapi.loading import load
from mockserver.control.routes import DOCUMENT, HANDLERS, handler_of


def test_every_control_call_has_a_behaviour():
    """What the document declares is exactly what is served, and each behaviour is there when it is called."""
    named = [(home, name) for home, names in HANDLERS.items() for name in names]
    assert sorted(name for _, name in named) == sorted(one.id for one in load(DOCUMENT, name="_sandbox").operations)
    assert all(callable(handler_of(home, name)) for home, name in named)

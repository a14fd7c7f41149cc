"""The control API's behaviours, which are imported when they are first called."""

import pytest

from contracts.openapi.loading import load
from mockserver.control.routes import DOCUMENT, HANDLERS, handler_of


def test_every_control_call_has_a_behaviour():
    """What the document declares is exactly what is served, and each behaviour is there when it is called."""
    named = [(home, name) for home, names in HANDLERS.items() for name in names]
    assert sorted(name for _, name in named) == sorted(one.id for one in load(DOCUMENT, name="_sandbox").operations)
    assert all(callable(handler_of(home, name)) for home, name in named)


LOOKS = [
    one.path.rpartition("{sandbox}")[2]
    for one in load(DOCUMENT, name="_sandbox").operations
    if one.method == "GET" and "{sandbox}" in one.path and one.id != "streamEvents"
]
NAMES = {"{api}": "genero", "{kind}": "block", "{n}": "1", "{form}": "curl", "{name}": "never-ends"}


@pytest.mark.parametrize("path", LOOKS)
def test_looking_at_a_sandbox_does_not_make_it(serving, path):
    """With `Sandbox-Create: false`, one that does not exist is shown as a fresh one, and there is none afterwards."""
    client = serving("genero", mode="frozen")
    for variable, value in NAMES.items():
        path = path.replace(variable, value)
    query = "?tenant=publicapitest" if path.endswith("block") else ""
    wanted = 404 if "exchanges/1" in path else 200
    only = {"Sandbox-Create": "false"}
    assert client.control("GET", f"{path[1:]}{query}", headers=only).status == wanted
    named = {one["name"] for one in client.send("GET", "/_sandbox/sandboxes").data["sandboxes"]}
    assert client.sandbox not in named

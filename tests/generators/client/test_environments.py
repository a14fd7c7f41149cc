"""Environments in an implementation under test: sandboxes, or new names on any other server."""

from contracts.messages import Request
from contracts.openapi.loading import load_bundled
from contracts.openapi.security import EMPTY_TOKEN, as_client, is_authorised, without_credentials
from generators.client.environments import SandboxTarget, TargetOptions, admission


def test_a_target_is_closed_while_a_thread_opens_another_environment():
    """Threads that a campaign left behind may do so until they notice its end."""

    class Control:
        root = "http://127.0.0.1:1"

        def __init__(self):
            self.dropped = []

        def get(self, _sandbox, what):
            return {"scenarios": []} if what == "scenarios" else {"auth": "open"}

        def reset(self, *_):
            """Nothing is reset."""

        def drop(self, name):
            self.dropped.append(name)
            target.fresh(f"late-{len(self.dropped)}")

        def close(self):
            """Nothing is open."""

    control = Control()
    target = SandboxTarget(load_bundled("genero"), TargetOptions(url="http://127.0.0.1:1"), control, "default", "own")
    target.fresh("one")
    target.fresh("two")
    target.close()
    assert control.dropped == ["own-one", "own-two"]


def test_a_sandbox_that_asks_for_credentials_gets_some_but_where_a_request_is_to_have_none():
    """Nor where it has others, which may be wrong."""
    contract = load_bundled("genero")
    operation = next(one for one in contract.operations if one.security and one.method == "GET")
    bare = Request(method="GET", path=operation.path)
    admitted = admission(contract, {}, {"auth": "strict"})
    assert is_authorised(contract, operation, admitted(bare))
    for request in (without_credentials(contract, operation, bare), as_client(contract, operation, bare, EMPTY_TOKEN)):
        assert admitted(request) == request

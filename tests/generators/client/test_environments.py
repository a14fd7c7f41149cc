"""Environments in an implementation under test: sandboxes, or new names on any other server."""

from contracts.openapi.loading import load_bundled
from generators.client.environments import SandboxTarget, TargetOptions


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

"""The deepest JSON that a sandbox can be told to take is stored, answered and shown."""

from pathlib import Path

from contracts.syntax.json_text import MAX_BODY_DEPTH

THINGS = str(Path(__file__).parent / "data" / "things.yaml")


def nested(levels):
    """Return a box with boxes inside: each takes two levels of JSON."""
    return b'{"id":"a","inside":[' * (levels // 2) + b"]}" * (levels // 2)


def test_what_is_taken_can_be_given_back(serving):
    """A value of as many levels as `limits.depth` allows at most comes back, alone, in lists and in the journal."""
    client = serving(THINGS)
    assert client.control("PATCH", "settings", {"limits": {"depth": MAX_BODY_DEPTH}}).status == 200
    kind = {"Content-Type": "application/json"}
    assert client.call("PUT", "/things/boxes/a", nested(MAX_BODY_DEPTH), kind).status == 201
    assert client.call("GET", "/things/boxes/a").body == nested(MAX_BODY_DEPTH)
    assert client.call("POST", "/things/boxes/jobs", b"[" + nested(MAX_BODY_DEPTH - 2) + b"]", kind).status == 202
    for what in ("exchanges", "exchanges/1", "exchanges/2", "entities/things/boxes", "jobs"):
        assert client.control("GET", what).status == 200
    assert client.call("PUT", "/things/boxes/a", nested(MAX_BODY_DEPTH + 2), kind).status == 400


def test_more_cannot_be_asked_for(serving):
    """A limit beyond what can be written is refused."""
    assert serving(THINGS).control("PATCH", "settings", {"limits": {"depth": MAX_BODY_DEPTH + 1}}).status == 400

"""What tests of the campaign make findings of, and requests of their steps."""

from contracts.messages import Headers, Request
from generators.fuzz.progress import CampaignState
from generators.triage import standalone
from generators.triage.response_signature import ResponseSignature
from generators.triage.script import RequestStep, Script, step_json
from generators.triage.stored_finding import StoredFinding

PLACE = ("api", "resources", "batch")


def asking(*codes, operation="batchCreate", **given):
    """Return a bulk call of items with these codes."""
    items = [{"properties": {"code": one, "description": "some long text"}} for one in codes]
    return RequestStep(**{"operation": operation, "method": "POST", "path": PLACE, "data": items, **given})


def build_request(step, names):
    """Return the request of a step with its variables filled."""
    path, query, headers, body = standalone.request_of(step_json(step), names)
    return Request(method=step.method, path=path, query=tuple(query), headers=Headers(headers), body=body)


def kept(fingerprint, *, law="count", shape="outcomes missing", steps=(), **given):
    """Return a finding that was made small and confirmed, unless something else is said."""
    script = Script(steps=tuple(steps) or (asking("a"),))
    plain = {"operation": "batchCreate", "says": "It is so.", "contract": "onkey", "small": True}
    plain |= {"confirmed": 3, "tries": 3, "url": "http://127.0.0.1:1/onkey", "mount": "/onkey"}
    signatures = (ResponseSignature(step=len(script.steps) - 1, status=200, media_type="application/json"),)
    own = {"fingerprint": fingerprint * (16 // len(fingerprint)), "law": law, "shape": shape}
    return StoredFinding(**{**plain, **own, "signatures": signatures, **given}, script=script)


def state_of(*some):
    """Return the state of a campaign with these findings."""
    state = CampaignState()
    for one in some:
        state.add(one)
    return state

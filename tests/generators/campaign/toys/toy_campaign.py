"""What tests of the campaign make findings of."""

from generators.campaign.kept import Kept
from generators.campaign.signs import Sign
from generators.campaign.steps import Asking, Script

PLACE = ("api", "resources", "batch")


def asking(*codes, operation="batchCreate", **given):
    """Return a bulk call of items with these codes."""
    items = [{"properties": {"code": one, "description": "some long text"}} for one in codes]
    return Asking(**{"operation": operation, "method": "POST", "path": PLACE, "data": items, **given})


def kept(fingerprint, *, law="count", shape="outcomes missing", steps=(), **given):
    """Return a finding that was made small and confirmed, unless something else is said."""
    script = Script(steps=tuple(steps) or (asking("a"),))
    plain = {"operation": "batchCreate", "says": "It is so.", "contract": "onkey", "small": True}
    plain |= {"confirmed": 3, "tries": 3, "url": "http://127.0.0.1:1/onkey", "mount": "/onkey"}
    signs = (Sign(step=len(script.steps) - 1, status=200, media_type="application/json"),)
    own = {"fingerprint": fingerprint * (16 // len(fingerprint)), "law": law, "shape": shape}
    return Kept(**{**plain, **own, "signs": signs, **given}, script=script)

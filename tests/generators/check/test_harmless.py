"""What a parameter with its default leaves as it is: what is shown, not the links that repeat the request."""

from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from contracts.messages import Exchange, Request, Response
from generators.check.laws.calls.harmless import shown_otherwise

PLAIN = Request(method="GET", path="/things", query=(("status", "new"),))
ASKED = Request(method="GET", path="/things", query=(("status", "new"), ("skip", "0")))


def answering(link, items=lambda _: [1, 2]):
    """Return a session whose server tells a link and items of each request's query."""

    def probe(request):
        data = {"items": items(request.query), "next": link(request.query)}
        return Exchange(
            n=1, at=None, api="a", operation="list", request=request, response=Response(status=200, data=data)
        )

    return SimpleNamespace(probe=probe)


@pytest.mark.parametrize(
    "link",
    [
        lambda query: "/things?" + urlencode([*query, ("take", "20")]),
        lambda query: "/things?" + urlencode([("take", "20"), *reversed(query)]),
        lambda query: "?" + urlencode({**dict(query), "skip": "20"}),
        lambda query: "https://host/things?" + urlencode(sorted({**dict(query), "skip": "20"}.items())),
        lambda _: None,
    ],
)
def test_a_link_may_repeat_the_request_in_any_order(link):
    """What a default changes in a link is no other list."""
    assert shown_otherwise(answering(link), PLAIN, ASKED) is None


def test_other_records_and_another_page_are_shown_otherwise():
    """Links are compared by all that the request does not say, and items as they are."""
    assert shown_otherwise(answering(lambda query: f"/things?after={len(query)}"), PLAIN, ASKED) is not None
    assert shown_otherwise(answering(lambda _: None, items=list), PLAIN, ASKED) is not None

"""What a response must be: as declared for its status, unless any gateway may say it."""

import pytest

from contracts.messages import Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from generators.oracles.response_laws import check_response

GENERO = load_bundled("genero")
LATER = ("Retry-After", "1")


def shapes(operation, status, *fields):
    """Return what is wrong with a refusal in plain text."""
    response = Response(status=status, headers=Headers((("Content-Type", "text/plain"), *fields)), body=b"Slow down.")
    request = Request(method="GET", path="/")
    exchange = Exchange(n=1, at=None, api="genero", operation=operation, request=request, response=response)
    return {one.shape for one in check_response(GENERO, exchange)}


@pytest.mark.parametrize(
    ("operation", "status", "fields", "is_judged"),
    [
        ("putEntity", 429, [LATER], False),  # only `default` covers it
        ("putEntity", 429, [], True),
        ("putEntity", 503, [LATER], False),
        ("putEntity", 503, [], True),
        ("putEntity", 500, [LATER], True),
        ("putEntity", 418, [LATER], True),
        ("putEntity", 431, [], False),
        ("jobStatus", 429, [LATER], True),
    ],
)
def test_a_gateway_has_words_of_its_own_where_a_status_is_not_declared_itself(operation, status, fields, is_judged):
    """A rate limit, a server that is busy and a request that is too large may be told before the server is reached."""
    assert bool(shapes(operation, status, *fields)) is is_judged

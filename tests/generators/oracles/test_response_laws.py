"""What a response must be: as declared for its status, unless any gateway may say it."""

from pathlib import Path

import pytest

from contracts.messages import Exchange, Headers, Request, Response
from contracts.openapi.loading import load, load_bundled
from contracts.openapi.routing import Router
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


@pytest.mark.parametrize(
    ("method", "status", "is_judged"), [("GET", 400, False), ("GET", 418, True), ("POST", 400, True)]
)
def test_any_server_refuses_what_is_malformed_where_no_refusal_is_declared(method, status, is_judged):
    """Where one is declared, it has another status."""
    contract = load(Path(__file__).parent / "data" / "boxes.yaml")
    route = Router(contract).match(method, "/boxes/7" if method == "GET" else "/boxes")
    request, response = Request(method=method, path="/boxes"), Response(status=status, headers=Headers())
    exchange = Exchange(n=1, at=None, api="b", operation=route.operation.id, request=request, response=response)
    assert bool(list(check_response(contract, exchange))) is is_judged

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
    ("method", "path", "status", "is_judged"),
    [
        ("GET", "/boxes/7", 400, False),
        ("GET", "/boxes/7", 404, False),
        ("GET", "/boxes/7", 418, True),
        ("POST", "/boxes", 400, True),  # 422 is declared
        ("POST", "/boxes", 404, True),  # there is nothing that it could lack
        ("PUT", "/bins/7", 410, True),  # 404 is declared
        ("HEAD", "/bins/7", 200, False),
        ("PUT", "/bins/7", 202, True),
    ],
)
def test_what_any_server_answers_is_no_fault_where_nothing_of_its_kind_is_declared(method, path, status, is_judged):
    """A success, a refusal of what is malformed, and one of what is not there."""
    contract = load(Path(__file__).parent / "data" / "boxes.yaml")
    route = Router(contract).match(method, path)
    request, response = Request(method=method, path=path), Response(status=status, headers=Headers())
    exchange = Exchange(n=1, at=None, api="b", operation=route.operation.id, request=request, response=response)
    assert bool(list(check_response(contract, exchange))) is is_judged

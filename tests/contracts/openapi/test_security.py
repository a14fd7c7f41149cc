"""Credentials are judged by their form, asked for by a challenge, and made up where a client has none."""

import itertools

import pytest

from contracts.messages import Headers, Request
from contracts.openapi.model import Contract, Operation
from contracts.openapi.security import challenge, is_authorised, key_places, with_credentials
from contracts.schemas.schema_set import SchemaSet

SCHEMES = {
    "basic": {"type": "http", "scheme": "Basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "digest": {"type": "http", "scheme": "digest"},
    "hoba": {"type": "http", "scheme": "hoba"},
    "oauth2": {"type": "oauth2"},
    "openId": {"type": "openIdConnect"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "SESSION"},
    "tls": {"type": "mutualTLS"},
}
CONTRACT = Contract(
    name="c",
    title="C",
    version="1",
    mount="",
    operations=(),
    resources={},
    schemas=SchemaSet({}),
    document={},
    security_schemes=SCHEMES,
)
BARE = Request(method="GET", path="/")


def operation(*alternatives):
    return Operation(id="o", method="GET", path="/", pointer="", security=tuple(alternatives))


@pytest.mark.parametrize(
    "names", [*((one,) for one in SCHEMES), *itertools.combinations(("basic", "header", "query", "cookie"), 3)], ids=str
)
def test_made_up_credentials_are_what_is_asked_for(names):
    """Whatever the schemes, a request with made-up credentials has the form that they want; its own are kept."""
    one = operation(dict.fromkeys(names, ()))
    assert is_authorised(CONTRACT, one, BARE) is (names == ("tls",))
    admitted = with_credentials(CONTRACT, one, BARE)
    assert is_authorised(CONTRACT, one, admitted)
    assert with_credentials(CONTRACT, one, admitted) == admitted


def test_what_needs_no_credentials_gets_none():
    """No requirement, an empty alternative and a scheme that nobody defines ask for nothing."""
    for one in (operation(), operation({}, {"basic": ()}), operation({"undefined": ()})):
        assert is_authorised(CONTRACT, one, BARE)
        assert with_credentials(CONTRACT, one, BARE) is BARE
        assert "undefined" not in challenge(CONTRACT, one)


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        ("basic", "Basic"),
        ("basic", "Basic abc123"),
        ("basic", "Basic !!!"),
        ("basic", "Bearer dXNlcjpzZWNyZXQ="),
        ("bearer", "Bearer "),
        ("bearer", "Basic dXNlcjpzZWNyZXQ="),
        ("digest", 'Digest username="a"'),
        ("oauth2", "Digest abc"),
    ],
)
def test_credentials_of_another_form_are_refused(scheme, given):
    """Another scheme, no credentials, or some that cannot be of the scheme."""
    request = Request(method="GET", path="/", headers=Headers((("Authorization", given),)))
    assert not is_authorised(CONTRACT, operation({scheme: ()}), request)


def test_a_challenge_names_every_scheme_once():
    """Schemes that are asked for in the same way are named once; keys say where they stand."""
    said = challenge(CONTRACT, operation({"oauth2": (), "basic": ()}, {"bearer": ()}, {"query": ()}, {"tls": ()}))
    assert said == 'Bearer, Basic realm="*", ApiKey in="query", name="key"'
    assert key_places(CONTRACT, operation({"query": ()}, {"basic": ()})) == (("query", "key"),)

"""Tokens and quotas of Genero's clients."""

from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers, Request
from mockserver.api.model import ApiState, RequestContext
from mockserver.apis.genero import access, api
from mockserver.apis.genero.access import STATIC_TOKENS, admit, fetch_token
from mockserver.bulk.limits import count_call
from mockserver.domain.clock_and_ids import IdSource
from mockserver.stores.memory import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
API = api()
QUOTAS = [(one.per, one.max) for one in API.contract.operation("fetchToken").quota]
FORM = {"grant_type": "client_credentials", "client_id": "multi", "client_secret": "sandbox"}


def api_state(**changes):
    whole = {"auth": "open", "conduct": "observe", "genero": access.DEFAULTS} | changes
    return ApiState(store=MemoryStore(), ids=IdSource(), settings=whole, created=START)


def context(of, operation, *, now=START, token=None, data=None):
    headers = Headers((("Authorization", token),) if token is not None else ())
    call = Request(method="POST", path="/", headers=headers)
    return RequestContext(
        api=API, api_state=of, request=call, now=now, operation=API.contract.operation(operation), data=data
    )


def fetch(of, now):
    """Fetch a token as a request does: what succeeds is counted."""
    here = context(of, "fetchToken", now=now, data=FORM)
    response = fetch_token(here)
    if response.status == 200:
        count_call(here)
    return response


def inside(fetched, now, window):
    return [at for at in fetched if now - window < at <= now]


@given(st.lists(st.integers(0, 60 * 24 * 40), max_size=60))
def test_no_window_ever_holds_more_fetches_than_its_quota(gaps):
    """Whatever the pace, tokens are given while every window has room, and refused with the wait until it has."""
    here, now, fetched = api_state(), START, []
    for gap in gaps:
        now += timedelta(minutes=gap % 600)
        reply = fetch(here, now)
        full = [
            inside(fetched, now, window)[-most] + window
            for window, most in QUOTAS
            if len(inside(fetched, now, window)) >= most
        ]
        assert reply.status == (429 if full else 200)
        if full:
            assert reply.headers.get("Retry-After") == str(ceil((max(full) - now).total_seconds()))
        else:
            fetched.append(now)


def test_the_monthly_quota_holds_where_the_daily_one_has_room():
    """With 150 fetches in the last 30 days but none today, the month's quota alone refuses."""
    here = api_state()
    for n in range(150):
        count_call(context(here, "fetchToken", now=START + timedelta(minutes=n), data=FORM))
    now = START + timedelta(days=20)
    reply = fetch(here, now)
    assert reply.status == 429
    assert reply.headers.get("Retry-After") == str(10 * 24 * 3600)
    assert fetch(here, START + timedelta(days=30)).status == 200


def test_fetches_are_remembered_for_the_longest_window_only():
    """What is kept of a client is bounded by its monthly quota."""
    here = api_state()
    for day in range(200):
        assert fetch(here, START + timedelta(days=day)).status == 200
    assert sorted(map(len, here.memory["quota"].values())) == [1, 30]
    assert len(here.memory["tokens"]) == 30


def test_tokens_are_the_same_for_the_same_seed_and_never_twice():
    """Two worlds of one seed hand out the same tokens; one world hands out different ones."""
    one, two = api_state(), api_state()
    first = [fetch_token(context(one, "fetchToken", data=FORM)).data["access_token"] for _ in range(3)]
    assert first == [fetch_token(context(two, "fetchToken", data=FORM)).data["access_token"] for _ in range(3)]
    assert len(set(first)) == 3


def test_static_tokens_speak_for_their_clients():
    """The fixed tokens work in both modes, whatever the case of the scheme."""
    for auth in ("open", "strict"):
        for token, client in STATIC_TOKENS.items():
            one = context(api_state(auth=auth), "listEntities", token=f"BEARER {token}")
            assert admit(one) is None
            assert one.client == client


def test_every_operation_but_the_token_call_needs_a_token_in_strict_mode():
    """No operation is forgotten."""
    refused = {
        one.id for one in API.contract.operations if admit(context(api_state(auth="strict"), one.id)) is not None
    }
    assert refused == {one.id for one in API.contract.operations} - {"fetchToken"}

"""The journal: bounded, numbered, and without secrets."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.model import Resource
from contracts.messages import Headers, Request, Response
from mockserver.api.model import RequestContext
from mockserver.domain.clock_and_ids import FROZEN_EPOCH
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.journal.journal import Journal
from mockserver.journal.stored_messages import (
    BODY_HEAD_BYTES,
    MAX_WHOLE_BODY_BYTES,
    SECRET_NAMES,
    fingerprint,
    redact_body,
    redact_header,
)


def context(request=None, outcomes=(), violations=()):
    return RequestContext(
        api=SimpleNamespace(name="toy"),
        api_state=None,
        request=request or Request(method="GET", path="/x"),
        now=FROZEN_EPOCH,
        scope="here",
        client="me",
        outcomes=outcomes,
        violations=violations,
    )


OK = Response.of(200, {"fine": True})


@given(st.integers(1, 50), st.integers(0, 120))
def test_the_newest_exchanges_are_kept(most, made):
    """However many exchanges there are, the newest remain, with the numbers they were given."""
    journal = Journal(exchanges=most)
    for _ in range(made):
        journal.record(context(), OK)
    kept = [entry.n for entry in journal.after(0, 1000)]
    assert kept == list(range(max(1, made - most + 1), made + 1))
    assert all(journal.get(n).n == n for n in kept)
    assert journal.get(made - most) is None
    assert journal.get(made + 1) is None


@given(st.lists(st.integers(0, 3000), max_size=40))
def test_bytes_are_bounded_and_add_up(sizes):
    """What is kept never takes more than it may, and its count is that of the entries."""
    journal = Journal(max_bytes=20_000)
    for size in sizes:
        journal.record(context(Request(method="POST", path="/x", body=b"x" * size)), OK)
        assert journal.bytes <= 20_000
        assert journal.bytes == sum(entry.size for entry in journal.after(0, 1000))


def test_pages_follow_one_another():
    """Asking for what comes after the last one seen goes through all of them once."""
    journal = Journal(exchanges=10)
    for _ in range(15):
        journal.record(context(), OK)
    seen, after = [], 0
    while page := list(journal.after(after, 4)):
        seen += [entry.n for entry in page]
        after = page[-1].n
    assert seen == list(range(6, 16))


def test_clearing_keeps_the_count():
    """After clearing, numbers go on, so that no number means two exchanges."""
    journal = Journal()
    journal.record(context(), OK)
    journal.clear()
    journal.record(context(), OK)
    assert ([entry.n for entry in journal.after(0, 9)], journal.get(1)) == ([2], None)


def test_smaller_bounds_forget_at_once():
    """Narrowing the bounds takes effect without waiting for the next exchange."""
    journal = Journal()
    for _ in range(5):
        journal.record(context(), OK)
    journal.set_limits(exchanges=2, max_bytes=10**6)
    assert len(journal) == 2


@pytest.mark.parametrize(
    ("size", "whole"), [(0, True), (MAX_WHOLE_BODY_BYTES, True), (MAX_WHOLE_BODY_BYTES + 1, False)]
)
def test_large_bodies_become_a_digest_and_a_head(size, whole):
    """A body over 64 KiB is known by its SHA-256 and its beginning."""
    journal = Journal()
    journal.record(context(Request(method="POST", path="/x", body=b"x" * size)), OK)
    kept = journal.get(1).request
    assert (kept.size, len(kept.body), bool(kept.digest)) == (size, size if whole else BODY_HEAD_BYTES, not whole)


def test_outcomes_are_told_per_item():
    """Each item's key and result is kept, with the reason for those that failed."""
    box = Resource(name="box")
    items = [Item(n, key, "create", box, key, {}, None, None, {}) for n, key in enumerate(["a", "b", None])]
    outcomes = [
        Outcome(items[0], "done", "create"),
        Outcome(items[1], "failed", "create", (ItemFault("missing", ("name",)),)),
        Outcome(items[2], "not-run", "create"),
    ]
    journal = Journal()
    journal.record(context(outcomes=outcomes), OK)
    entry = journal.get(1)
    assert entry.tally == (1, 1, 1, 0)
    assert [tuple(one) for one in entry.results] == [
        ("a", "done", ""),
        ("b", "failed", "name is required"),
        (2, "not-run", "not run"),
    ]


def test_whoever_listens_hears_of_each_exchange():
    """The listener is told of every exchange, also of one that no room is made for."""
    delivered = []
    journal = Journal(exchanges=0, tell=delivered.append)
    journal.record(context(), OK)
    assert ([entry.n for entry in delivered], len(journal)) == ([1], 0)


SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "body",
    [
        f"grant_type=client_credentials&client_id=a&client_secret={SECRET}",
        f"client_secret={SECRET}&grant_type=x",
        f'{{"access_token": "{SECRET}", "token_type": "Bearer"}}',
        f'{{"a": {{"password":"{SECRET}\\""}}, "b": 1}}',
        f'{{"refresh_token": "{SECRET}',
    ],
)
def test_secrets_in_bodies_are_hidden(body):
    """Client secrets, passwords and tokens leave no trace, in forms as in JSON, whole or cut off."""
    hidden = redact_body(body.encode())
    assert SECRET.encode() not in hidden
    assert b"***" in hidden


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_each_secret_name_is_looked_for(name):
    """A body that has nothing but one of them is not taken for one without secrets."""
    assert SECRET.encode() not in redact_body(f'{{"{name}":"{SECRET}"}}'.encode())
    assert SECRET.encode() not in redact_body(f"{name}={SECRET}".encode())


@given(st.binary())
def test_bodies_without_secrets_stay_as_they_are(body):
    """What names no secret is kept byte for byte."""
    if not any(sign in body for sign in (b"_token", b"_secret", b"password")):
        assert redact_body(body) is body


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Authorization", f"Bearer {SECRET}", "Bearer ***"),
        ("AUTHORIZATION", SECRET, "***"),
        ("Cookie", f"a={SECRET}", "***"),
        ("X-Api-Key", SECRET, "***"),
        ("Accept", "*/*", "*/*"),
    ],
)
def test_secrets_in_headers_are_hidden(name, value, kept):
    """Of `Authorization` the scheme remains, of other credentials nothing."""
    assert redact_header(name, value) == kept


def test_headers_and_query_go_through_the_same_sieve():
    """A recorded call has neither its credentials nor secrets from its query."""
    call = Request(
        method="GET",
        path="/x",
        query=(("access_token", SECRET), ("q", "1")),
        headers=Headers([("Authorization", f"Basic {SECRET}"), ("X-Y", "z")]),
    )
    journal = Journal()
    journal.record(context(call), OK)
    entry = journal.get(1)
    assert SECRET not in repr(entry)
    assert entry.request.headers == "Authorization: Basic ***\nX-Y: z"
    assert entry.query == (("access_token", "***"), ("q", "1"))


def test_a_fingerprint_tells_clients_apart_and_nothing_more():
    """Who sends the same credentials has the same name; the credentials are not in it."""
    assert fingerprint(f"Bearer {SECRET}") == fingerprint(f"Bearer {SECRET}")
    assert fingerprint("Bearer a") != fingerprint("Bearer b")
    assert SECRET not in fingerprint(f"Bearer {SECRET}")

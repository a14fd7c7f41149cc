"""The laws on quotas and lifetimes of tokens: silent on right servers, and each mistake of another one is found."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.messages import Headers, Response
from contracts.openapi.loading import load
from generators.check.run import FindingFound, LawAnswered, run_checks

SOURCE = Path(__file__).parents[2] / "cases" / "contract_only" / "tokens.yaml"
CONTRACT = load(SOURCE)
WINDOWS = ((timedelta(days=1), 3), (timedelta(days=7), 7))
LIFETIME = timedelta(hours=1)
START = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)


class Tokens:
    """A server of tokens and notes, right but for its mistake; `used` are fetches of others."""

    def __init__(self, mistake="", *, controlled=True, used=0):
        self.mistake, self.controlled, self.at = mistake, controlled, START
        self.tokens, self.fetches = {}, [START] * used

    def advance(self, by):
        self.at += by

    def now(self):
        return self.at

    def send(self, call):
        if call.path == "/token":
            return self.fetch()
        token = call.headers.get("Authorization").removeprefix("Bearer ")
        until = self.tokens.get(token)
        good = {"eternal": until is not None, "short": until is not None and self.at < until - LIFETIME / 2}.get(
            self.mistake, until is not None and self.at < until
        )
        return reply(200, [] if call.path == "/notes" else {"id": "a"}) if good else reply(401, {})

    def fetch(self):
        waits = [
            self.fetches[-most] + per - self.at
            for per, most in self.windows()
            if len(self.fetches) >= most and self.fetches[-most] + per > self.at
        ]
        if waits and self.mistake != "uncounted":
            wait = max(waits).total_seconds() / (2 if self.mistake == "impatient" else 1)
            return reply(403 if self.mistake == "forbids" else 429, {}, ("Retry-After", f"{wait:.0f}"))
        self.fetches.append(self.at)
        token = f"t{len(self.fetches)}"
        self.tokens[token] = self.at + LIFETIME
        seconds = int(LIFETIME.total_seconds())
        return reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})

    def windows(self):
        return {
            "four a day": ((timedelta(days=1), 4), WINDOWS[1]),
            "two a day": ((timedelta(days=1), 2), WINDOWS[1]),
            "short day": ((timedelta(hours=12), 3), WINDOWS[1]),
            "any week": WINDOWS[:1],
            "eight a week": (WINDOWS[0], (timedelta(days=7), 8)),
        }.get(self.mistake, WINDOWS)


def reply(status, data, *fields):
    media = "application/json" if status == 200 else "application/problem+json"
    body = json.dumps(data).encode()
    return Response(status=status, headers=Headers((("Content-Type", media), *fields)), body=body, data=data)


def checked(server, law, *, contract=CONTRACT):
    """Return the shapes of what a law finds, and its answers for the operation that hands out tokens."""
    events = list(run_checks(contract, server, only=[law, "fetchToken"], name_prefix="00001"))
    shapes = {event.finding.shape for event in events if isinstance(event, FindingFound)}
    return shapes, [event.answer.word for event in events if isinstance(event, LawAnswered)]


@pytest.mark.parametrize("law", ["quota", "expiry"])
@pytest.mark.parametrize("used", [0, 2, 3])
def test_a_right_server_is_silent(law, used):
    """Whatever others have used before, where time can be moved."""
    assert checked(Tokens(used=used), law) == (set(), ["passed"])


@pytest.mark.parametrize(
    ("mistake", "law", "shape"),
    [
        ("uncounted", "quota", "too many accepted"),
        ("four a day", "quota", "too many accepted"),
        ("short day", "quota", "too many accepted"),
        ("any week", "quota", "too many accepted"),
        ("eight a week", "quota", "too many accepted"),
        ("two a day", "quota", "refused too early"),
        ("forbids", "quota", "refused with 403"),
        ("eternal", "expiry", "an expired token is accepted"),
        ("short", "expiry", "a token is refused before it expires"),
    ],
)
def test_a_mistake_is_found(mistake, law, shape):
    """Each is told once."""
    assert checked(Tokens(mistake), law) == ({shape}, ["failed"])


def test_a_wait_that_is_too_short_is_no_mistake_of_the_quota():
    """Whoever comes again too soon is told so again."""
    assert checked(Tokens("impatient"), "quota") == (set(), ["passed"])


@pytest.mark.parametrize(
    ("mistake", "used", "found"),
    [
        ("", 0, (set(), ["passed"])),
        ("", 2, (set(), ["not-run"])),
        ("", 3, (set(), ["not-run"])),
        ("two a day", 0, (set(), ["not-run"])),
        ("uncounted", 0, ({"too many accepted"}, ["failed"])),
        ("four a day", 0, ({"too many accepted"}, ["failed"])),
    ],
)
def test_on_servers_with_other_clients_only_too_much_is_a_finding(mistake, used, found):
    """Where time is real, others may have used the quota."""
    assert checked(Tokens(mistake, controlled=False, used=used), "quota") == found


def test_lifetimes_are_not_waited_for_in_real_time():
    """A token of an hour outlives a check."""
    assert checked(Tokens("eternal", controlled=False), "expiry") == (set(), ["not-run"])


def test_a_server_that_looks_at_no_tokens_is_not_judged_by_their_lifetime():
    """What nobody checks expires for nobody; the law on credentials tells that."""

    class Open(Tokens):
        def send(self, call):
            return super().send(call) if call.path == "/token" else reply(200, [])

    assert checked(Open(), "expiry") == (set(), ["not-run"])


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_quota_of_each_client_is_used_up_for_one_alone(is_shared, tmp_path):
    """A second client, of another example, has its own requests left."""
    alice = "{public: {value: {client_id: alice, client_secret: wonder}}"
    bob = "other: {value: {client_id: bob, client_secret: builder}}}"
    path = tmp_path / "tokens.yaml"
    path.write_text((SOURCE.read_text()).replace(f"{alice}}}", f"{alice}, {bob}"))

    class PerClient(Tokens):
        """A server with counts of its own for each client, unless they are shared."""

        def send(self, call):
            if call.path == "/token":
                client = "all" if is_shared else json.loads(call.body)["client_id"]
                self.fetches = self.__dict__.setdefault(client, [])
            return super().send(call)

    found = checked(PerClient(), "quota", contract=load(path))
    assert found == (({"counted together"}, ["failed"]) if is_shared else (set(), ["passed"]))

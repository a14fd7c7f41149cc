"""The laws on who may do what: silent on a right server, and each mistake of another one is found."""

from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from in_process import InProcess

from contracts.messages import Headers, Request, Response
from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.check.separate_places import similar_id
from generators.client.http import HttpClient
from generators.client.session import Budget, Session
from mockserver.apis.sources import find_sources

DOCUMENT = Path(__file__).parent / "data" / "tenants.yaml"
ALICE = ("Authorization", "Bearer alice-token")


class Guarded(InProcess):
    """A sandbox that asks for credentials; calls without any have those of `alice`, as a client would send them."""

    def __init__(self, api, mistake=None):
        super().__init__(api)
        self.sandbox.apply_settings({**self.sandbox.settings, "auth": "strict"})
        self.mistake = mistake or (lambda _server, call, answer: answer(call))

    def send(self, call):
        sent = call.headers.get("Authorization")
        if not sent:
            call = replace(call, headers=call.headers.with_(ALICE))
        elif sent.startswith("$"):
            call = replace(call, headers=call.headers.without("Authorization"))
        return self.mistake(self, call, super().send)


def anybody(_server, call, answer):
    """Take whoever has no valid credentials for alice."""
    reply = answer(call)
    return answer(replace(call, headers=call.headers.with_(ALICE))) if reply.status == 401 else reply


def carries_out(_server, call, answer):
    """Refuse who has no valid credentials, and do what was asked all the same."""
    reply = answer(call)
    if reply.status == 401:
        answer(replace(call, headers=call.headers.with_(ALICE)))
    return reply


def forbids(_server, call, answer):
    """Refuse with 403."""
    reply = answer(call)
    return replace(reply, status=403) if reply.status == 401 else reply


def asks_for_password(_server, call, answer):
    """Ask for another scheme."""
    reply = answer(call)
    headers = reply.headers.with_(("WWW-Authenticate", 'Basic realm="notes"'))
    return replace(reply, headers=headers) if reply.status == 401 else reply


def shows(_server, call, answer):
    """Refuse a read, with the record in the answer."""
    reply = answer(call)
    if reply.status == 401 and call.method == "GET":
        body = answer(replace(call, headers=call.headers.with_(ALICE))).body
        return replace(reply, body=body)
    return reply


def at_other_tenants(methods, refusal=None):
    """Return a mistake: what is not found is taken from the other tenant, or refused in its own way if it is there."""

    def found_there(_server, call, answer):
        reply = answer(call)
        here, there = ("/north/", "/south/") if call.path.startswith("/north/") else ("/south/", "/north/")
        if reply.status != 404 or call.method not in methods:
            return reply
        moved = replace(call, path=call.path.replace(here, there))
        if refusal is None:
            return answer(moved)
        return refusal if answer(replace(moved, method="GET")).status == 200 else reply

    return found_there


def one_client(_server, call, answer):
    """Take every client for alice."""
    return answer(replace(call, headers=call.headers.with_(ALICE)) if "Bearer bob" in str(call.headers) else call)


FORBIDDEN = Response(status=403, headers=Headers(), body=b"")
MISTAKES = {
    "none": (None, {}),
    "nobody is refused": (anybody, {"credentials": "no credentials accepted"}),
    "a refused call is carried out": (carries_out, {"credentials": "a refused request leaves a trace"}),
    "another status": (forbids, {"credentials": "the credentials of expired refused with 403"}),
    "another challenge": (asks_for_password, {"credentials": "another scheme is asked for"}),
    "a refusal shows the record": (shows, {"credentials": "a refusal shows a record"}),
    "reads anywhere": (at_other_tenants({"GET"}), {"isolation": "is reached from elsewhere"}),
    "deletes anywhere": (at_other_tenants({"DELETE"}), {"isolation": "is changed from elsewhere"}),
    "changes anywhere": (at_other_tenants({"PATCH"}), {"isolation": "is changed from elsewhere"}),
    "tells by the status": (at_other_tenants({"GET"}, FORBIDDEN), {"isolation": "its existence is told elsewhere"}),
    "clients share records": (one_client, {"isolation": "is reached from elsewhere"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_has_its_finding(mistake):
    """Each mistake is found by the law that it breaks; without one there is no finding, and everything is judged."""
    change, wanted = MISTAKES[mistake]
    api = find_sources((str(DOCUMENT),))[0].load()
    client = Guarded(api, change)
    events = list(
        run_checks(
            api.contract, client, name_prefix="00001", budget=Budget(seconds=1000), only=["credentials", "isolation"]
        )
    )
    found = {(one.finding.law, one.finding.shape) for one in events if isinstance(one, FindingFound)}
    assert wanted.items() <= found
    assert bool(found) == bool(wanted), found
    answers = [one.answer for one in events if isinstance(one, LawAnswered)]
    assert {one.law for one in answers} == {"credentials", "isolation"}
    assert [one for one in answers if one.word == "not-run"] == []


BASIC = f"Basic {b64encode(b'carol:s3cret').decode()}"


def begins_alike(_server, call, answer):
    """Take a password for right that begins as the right one does."""
    word, _, sent = call.headers.get("Authorization").partition(" ")
    user = b64decode(sent).startswith(b"carol:s3") if word == "Basic" else False
    return answer(replace(call, headers=call.headers.with_(("Authorization", BASIC))) if user else call)


@pytest.mark.parametrize(("mistake", "shapes"), [(None, ()), (begins_alike, ("cut by", "and"))])
def test_a_password_that_is_almost_right_is_tried(mistake, shapes, tmp_path):
    """A client of each scheme that an operation takes is tried, not the first client alone."""
    text = DOCUMENT.read_text().replace("security: [{token: []}]", "security: [{token: []}, {password: []}]")
    text = text.replace("  bob: {auth", f"  carol: {{auth: {BASIC}, tenant: third}}\n  bob: {{auth")
    text = text.replace("securitySchemes: {", "securitySchemes: {password: {type: http, scheme: basic}, ")
    (tmp_path / "tenants.yaml").write_text(text)
    api = find_sources((str(tmp_path / "tenants.yaml"),))[0].load()
    client, budget = Guarded(api, mistake), Budget(seconds=1000)
    events = run_checks(api.contract, client, name_prefix="00001", budget=budget, only=["credentials"])
    found = {one.finding.shape for one in events if isinstance(one, FindingFound)}
    assert {f"the credentials of carol {shape} a character accepted" for shape in shapes} <= found
    assert bool(found) == bool(shapes)


@pytest.mark.parametrize(
    "key", ["e08434ee-a17f-445e-b9b5-e25fc354d840", 4417203958810067, "17", 7, "abc", "ABC", "x", "B00001n7"]
)
def test_a_similar_id_has_the_form_of_the_id_and_is_another(key):
    """Type, length and version of a UUID are kept."""
    for seed in range(20):
        made = similar_id(key, Random(seed))
        assert type(made) is type(key)
        assert made != key
        assert len(str(made)) == len(str(key))
        assert str(made)[14:15] == str(key)[14:15]


def test_what_is_sent_as_another_client_is_not_observed():
    """The state model knows one client alone: what others see and do is theirs."""
    api = find_sources((str(DOCUMENT),))[0].load()
    seen = []

    class Observer:
        def observe(self, exchange):
            seen.append(exchange.n)

        def observe_failure(self, operation, error):
            raise AssertionError(operation, error)

    session = Session(api.contract, Guarded(api), observer=Observer())
    asked = Request(method="GET", path="/north/notes")
    assert session.send(asked).response.status == 200
    session.identity = next(one for one in api.contract.clients if one.name == "bob")
    other = session.send(asked)
    assert other.response.status == 200
    assert other.request.headers.get("Authorization") == "Bearer bob-token"
    assert seen == [1]


def test_a_client_of_one_place_is_sent_to_no_other():
    """Whoever gives the credentials of a test client is tried where that may be, and at no other place."""
    contract = find_sources((str(DOCUMENT),))[0].load().contract
    headers = {"Authorization": "Bearer clerk-token"}
    contract = replace(contract, scopes={"tenant": ("south", "north")})
    clerk, other = (Session(contract, HttpClient("http://127.0.0.1:1", headers=one)) for one in (headers, {}))
    assert (clerk.given, other.given) == ({"tenant": "north"}, {})
    assert (clerk.places_of("tenant"), other.places_of("tenant")) == (("north",), ("south", "north"))

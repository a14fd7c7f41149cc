"""Running checks: what is chosen, what is told, what is sent, and what happens when things go wrong."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from shelf_server import CONTRACT, START, Shelves

from contracts.errors import MisuseError
from contracts.messages import Headers, Request, Response
from contracts.schemas.schema_set import SchemaSet
from generators.check.run import FindingFound, Finished, LawAnswered, Started, run_checks
from generators.client.http import NoAnswerError
from generators.client.session import Budget, Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Prediction


class Listening(Shelves):
    """Keeps every call."""

    def __init__(self, broken=""):
        super().__init__(broken)
        self.calls = []

    def send(self, call):
        self.calls.append(call)
        return super().send(call)


def run(client=None, **options):
    return list(run_checks(CONTRACT, client or Shelves(), **{"name_prefix": "00001", **options}))


def answers(events):
    return [event.answer for event in events if isinstance(event, LawAnswered)]


@pytest.mark.parametrize(("schema", "is_sent"), [({"enum": ["respond-async", "wait=30"]}, False), ({}, True)])
def test_a_preference_is_written_as_the_document_allows_it(schema, is_sent):
    """A header whose schema lists its values has no others."""
    posting = CONTRACT.operation("createBooks")
    prefer = SchemaSet({"": schema}).schema("#")
    parameters = tuple(replace(one, schema=prefer) if one.name == "Prefer" else one for one in posting.parameters)
    limited = replace(posting, parameters=parameters)
    operations = tuple(limited if one.id == limited.id else one for one in CONTRACT.operations)
    client = Listening()
    list(run_checks(replace(CONTRACT, operations=operations), client, only=["async-is-sync"], name_prefix="00001"))
    texts = {call.headers.get("Prefer") for call in client.calls}
    assert "respond-async" in texts
    assert any("lenient" in text for text in texts) is is_sent


def test_events_begin_and_end_a_run():
    """The first event says what will be answered, the last counts the answers that came between."""
    events = run(only=["count", "duplicate"])
    assert isinstance(events[0], Started)
    assert events[0].checks == ("count", "duplicate")
    assert isinstance(events[-1], Finished)
    assert sum(events[-1].words.values()) == len(answers(events)) == 2 * len(events[0].operations)
    assert events[-1].calls > 100
    assert events[-1].items > 100


@pytest.mark.slow
def test_the_same_seed_makes_the_same_calls():
    """Seed and salt alone decide what is sent, byte for byte."""
    first, second = Listening(), Listening()
    run(first, seed=3)
    run(second, seed=3)
    assert first.calls == second.calls


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"seed": 4}, {"name_prefix": "00002"}])
def test_another_seed_or_salt_makes_other_calls(change):
    """Contents follow the seed, and names the salt."""
    first, second = Listening(), Listening()
    run(first, seed=3, only=["isolated"])
    run(second, **{"seed": 3, **change}, only=["isolated"])
    assert first.calls != second.calls


@pytest.mark.slow
def test_a_used_server_can_be_checked_again():
    """Names are fresh with another salt, so that nothing from an earlier run is met."""
    server = Shelves()
    for name_prefix in ("00001", "00002"):
        assert [
            event.finding for event in run(server, name_prefix=name_prefix) if isinstance(event, FindingFound)
        ] == []


def test_names_in_only_and_skip_choose_checks_and_operations():
    """A name of an operation narrows operations, a name of a check narrows checks."""
    chosen = {(one.law, one.operation) for one in answers(run(only=["isolated", "count", "changeBooks"]))}
    assert chosen == {("isolated", "changeBooks"), ("count", "changeBooks")}
    left = {(one.law, one.operation) for one in answers(run(only=["isolated", "count"], skip=["count", "createBooks"]))}
    assert "count" not in {law for law, _ in left}
    assert "createBooks" not in {operation for _, operation in left}


def test_an_unknown_name_is_refused_with_the_closest_one():
    """A slip is told at once, before anything is sent."""
    with pytest.raises(MisuseError, match=r"'isolate' is neither a check .* Did you mean 'isolated'\?"):
        run(only=["isolate"])


def test_read_only_sends_nothing_but_safe_calls():
    """No law that needs a write is run, and the answers say so."""
    client = Listening()
    events = run(client, read_only=True)
    assert {call.method for call in client.calls} == {"GET"}
    assert {one.word for one in answers(events) if one.law == "atomic"} == {"not-run", "not-applicable"}
    assert "--read-only allows no writes" in {one.reason for one in answers(events)}


def test_a_budget_that_is_used_up_ends_experiments():
    """What there was no time for is not run, for that reason."""
    seconds = iter(range(1000))
    events = run(budget=Budget(seconds=3, clock=lambda: float(next(seconds))), only=["isolated"])
    assert {one.reason for one in answers(events) if one.word == "not-run"} == {"the time budget was used up"}


def test_waits_in_real_time_count_against_the_budget():
    """A target whose clock cannot be moved is not waited for longer than there is time."""

    class Slow(Shelves):
        controlled = False

    client = Slow()
    session = Session(
        CONTRACT, client, seed=0, name_prefix="00001", budget=Budget(seconds=2, clock=lambda: 0.0), given={}
    )
    session.wait(timedelta(seconds=1))
    assert client.at - START == timedelta(seconds=1)
    with pytest.raises(NotApplicableError, match="time budget"):
        session.wait(timedelta(seconds=2))


def test_a_call_that_is_told_to_come_later_does():
    """Retry-After is waited for, and the call sent again."""

    class Busy(Shelves):
        busy = 2

        def send(self, call):
            if self.busy:
                self.busy -= 1
                return Response(status=429, headers=Headers((("Retry-After", "30"),)))
            return super().send(call)

    client = Busy()
    session = Session(CONTRACT, client, seed=0, name_prefix="00001", budget=Budget(), given={})
    exchange = session.send(Request(method="GET", path="/books"))
    assert (exchange.response.status, exchange.n, client.at - START) == (200, 3, timedelta(seconds=60))


@pytest.mark.parametrize("turn", range(4))
def test_a_refusal_for_now_is_no_verdict(turn):
    """Where there is no time to come again later, nothing is said of what was refused: no law is broken by it."""

    class Limited(Shelves):
        controlled, calls = False, 0

        def send(self, call):
            self.calls += 1
            if self.calls > 60 and self.calls % 4 == turn:
                return Response(status=429, headers=Headers((("Retry-After", "30"),)))
            return super().send(call)

    events = run(Limited(), budget=Budget(seconds=20, clock=lambda: 0.0))
    assert [event.finding for event in events if isinstance(event, FindingFound)] == []
    assert any("would pass the time budget" in one.reason for one in answers(events))


@pytest.mark.parametrize(("status", "is_told"), [(503, True), (429, False)])
def test_a_server_that_is_never_available_is_told(status, is_told):
    """A rate limit may last; one that asks to come again each time, and is never there, does not serve."""
    told = []

    class Down(Shelves):
        def send(self, call):
            del call
            return Response(status=status, headers=Headers((("Retry-After", "1"),)))

    class Observer:
        observe = staticmethod(lambda _: None)
        observe_failure = staticmethod(lambda _, error: told.append(str(error)))

    session = Session(CONTRACT, Down(), seed=0, name_prefix="00001", budget=Budget(), given={}, observer=Observer())
    with pytest.raises(NotApplicableError, match=str(status)):
        session.send(Request(method="GET", path="/books"))
    assert [one.startswith("it was answered 503 9 times") for one in told] == [True] * is_told


def test_a_server_that_does_not_answer_at_all_is_misuse():
    """Nothing can be said of what is not there: one sentence, and no answers."""

    class Gone(Shelves):
        def send(self, call):
            raise NoAnswerError(f"{call.path}: connection refused")

    with pytest.raises(MisuseError, match=r"No response: .*: connection refused"):
        run(Gone())


def test_a_call_that_is_not_answered_is_a_finding():
    """A server that drops a connection on the way has broken its contract, and the law is not run."""

    class Dropping(Shelves):
        def send(self, call):
            if call.method == "PATCH" and call.path == "/books/batch":
                raise NoAnswerError("the connection was closed")
            return super().send(call)

    events = run(Dropping(), only=["isolated", "response", "changeBooks"])
    found = [event.finding for event in events if isinstance(event, FindingFound)]
    assert [(one.law, one.operation, one.shape) for one in found] == [("response", "changeBooks", "no answer")]
    assert answers(events)[0].word == "not-run"


def test_every_reply_is_held_to_the_contract():
    """An undeclared status, a broken schema and a server's fault are told once for each operation, with the reply."""

    class Odd(Shelves):
        def send(self, call):
            reply = super().send(call)
            if call.method == "GET" and call.path == "/books":
                return Response(status=418, headers=reply.headers, body=reply.body, data=reply.data)
            if call.method == "PUT":
                return Response(status=500, headers=reply.headers, body=reply.body, data=reply.data)
            if call.method == "GET" and call.path.startswith("/books/"):
                data = {**reply.data, "version": str(reply.data.get("version"))}
                return Response(status=reply.status, headers=reply.headers, body=json.dumps(data).encode(), data=data)
            return reply

    events = run(Odd(), only=["response"], skip=["examples"])
    found = {
        event.finding.operation: event.finding
        for event in events
        if isinstance(event, FindingFound) and event.finding.law == "response"
    }
    assert found["listBooks"].shape == "418 status  status"
    assert found["putShelf"].shape == "status 500"
    assert found["readBook"].shape == "200 body /version type"
    assert [one.word for one in answers(events) if (one.law, one.operation) == ("response", "listBooks")] == ["failed"]


def test_a_model_that_is_handed_in_is_compared():
    """What a reference model predicts of status, outcomes and records must be what was answered."""

    class Strict:
        """Expects that nothing ever fails."""

        def predict(self, exchange):
            if exchange.operation == "changeBooks" and exchange.response.status == 207:
                return Prediction(results=("done",) * len(json.loads(exchange.request.body)["books"]))
            if exchange.operation == "readBook" and exchange.response.status == 200:
                return Prediction(status=200, record={"title": exchange.response.data["title"], "pages": -1})
            return Prediction(status=204) if exchange.operation == "listBooks" else None

    events = run(model=Strict(), only=["isolated", "singular", "model"], skip=["examples"])
    found = {(event.finding.operation, event.finding.shape) for event in events if isinstance(event, FindingFound)}
    assert found == {
        ("changeBooks", "failed for done"),
        ("readBook", "a member reads otherwise at /pages"),
        ("listBooks", "200 for 204"),
    }
    assert {one.law for one in answers(events)} == {"isolated", "singular", "model"}


def test_a_model_alone_has_the_calls_of_the_laws_to_judge():
    """Where nothing but the model is asked for, there must be something that it is compared with."""

    class Wrong:
        def predict(self, exchange):
            return Prediction(status=418) if exchange.operation == "changeBooks" else None

    events = run(model=Wrong(), only=["model", "changeBooks"])
    assert {event.finding.law for event in events if isinstance(event, FindingFound)} == {"model"}


def test_runs_that_begin_at_one_moment_have_names_of_their_own():
    """Two runs do not meet each other's names, however close they are."""
    first, second = Listening(), Listening()
    for client in (first, second):
        run(client, only=["count"], name_prefix=None)
    sent = [b"".join(call.body for call in client.calls) for client in (first, second)]
    prefixes = [{*re.findall(rb'"B([0-9a-z]{5})\d+n', body)} for body in sent]
    assert [len(some) for some in prefixes] == [1, 1]
    assert prefixes[0] != prefixes[1]


def test_a_list_must_hold_what_can_be_read():
    """A record that its list leaves out is told, and a list that cannot be seen to its end is not accused."""

    class Forgetful(Shelves):
        def send(self, call):
            reply = super().send(call)
            if call.method == "GET" and call.path == "/books" and reply.data:
                body = json.dumps(reply.data[:-1]).encode()
                return Response(status=200, headers=reply.headers, body=body, data=reply.data[:-1])
            return reply

    found = [event.finding for event in run(Forgetful(), only=["response"]) if isinstance(event, FindingFound)]
    assert [(one.operation, one.shape) for one in found] == [("listBooks", "list lacks a record")]


def test_records_in_long_lists_are_told_by_creating_them_again():
    """Laws hold, and are run, where more is stored than is looked through."""
    client = Shelves()
    for n in range(700):
        client.store.add_book({"isbn": f"old{n}", "title": "Old"})
    events = run(client, only=["atomic", "isolated", "duplicate", "createBooks"])
    assert {one.word for one in answers(events)} == {"passed"}
    broken = Shelves("atomic")
    broken.store.books = dict(client.store.books)
    broken.store.made = client.store.made
    assert {one.word for one in answers(run(broken, only=["atomic", "createBooks"]))} == {"failed"}


@pytest.mark.slow
def test_jobs_in_real_time_are_waited_for_as_long_as_the_last_one_took():
    """Without a clock to move few polls are made, and every law on jobs is still run."""

    class Real(Shelves):
        controlled = False

    client = Real()

    def clock():
        """Return the only time that passes: what was waited."""
        return (client.at - START).total_seconds()

    events = run(client, budget=Budget(seconds=300, clock=clock), skip=["examples"])
    assert [one for one in answers(events) if one.word in {"failed", "not-run"}] == []
    assert clock() < 200


def test_what_any_server_may_say_to_a_request_that_is_too_much_needs_no_declaration():
    """A refusal of something too large is HTTP's own, listed or not; one of another kind is held to the contract."""

    class Refusing(Shelves):
        status = 413

        def send(self, call):
            reply = super().send(call)
            return (
                Response(status=self.status, headers=Headers())
                if (call.method, call.path) == ("GET", "/books")
                else reply
            )

    class Unheard(Refusing):
        status = 418

    def told(client):
        events = run(client, only=["response"], skip=["examples"])
        return {one.finding.shape for one in events if isinstance(one, FindingFound) and one.finding.law == "response"}

    assert told(Refusing()) == set()
    assert told(Unheard()) == {"418 status  status"}

"""The laws on an implementation in the test tree: a right one, and one that breaks each law."""

from itertools import count
from pathlib import Path

import pytest
from shelf_server import CONTRACT, Shelves

from contracts.exchange.locations import json_of
from contracts.messages import Exchange, ExchangeHistory
from generators.check.laws.catalogue import LAWS
from generators.check.run import FindingFound, Finished, LawAnswered, run_checks

OTHERS = {"lookup", "identity"}  # the shelves' records have no other names than their keys, and these are texts
NAMES = [law.name for law in LAWS if law.name not in OTHERS]
LOOKING = [law for law in LAWS if law.judge_exchange is not None]


def checked(broken="", **options):
    return list(run_checks(CONTRACT, Shelves(broken), name_prefix="00001", **options))


def findings(events):
    return [event.finding for event in events if isinstance(event, FindingFound)]


def test_the_laws_are_those_of_the_vocabulary_in_their_order():
    """The table has every law once, in the order in which the vocabulary tells them."""
    assert NAMES == [
        "count",
        "key",
        "outcome-order",
        "atomic",
        "isolated",
        "singular",
        "split",
        "permuted",
        "grouped",
        "broken-reference",
        "status-class",
        "counts",
        "boundary",
        "duplicate",
        "stale-version",
        "idempotent",
        "job-moves",
        "job-progress",
        "async-is-sync",
        "fan-out",
        "unprocessed",
        "active",
        "job-name",
        "job-lookup",
        "errors",
        "exact",
        "reuse",
        "keys",
        "uniform",
    ]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_a_right_implementation_keeps_every_law(seed):
    """No law raises a false alarm, and every law is run on some operation."""
    events = checked(seed=seed)
    assert findings(events) == []
    answers = [event.answer for event in events if isinstance(event, LawAnswered)]
    assert {answer.law for answer in answers if answer.word == "passed"} >= {*NAMES, "effect", "response"}
    assert [answer for answer in answers if answer.word == "not-run"] == []


def test_a_wrong_error_is_shown_by_a_request_with_one_item():
    """The trial has many items, each with faults of its own; a reader needs the one that is told wrongly."""
    found = findings(checked("errors", only=("errors",)))
    sizes = [len(bulk_request(one)) for one in found if one.law == "errors" and "alone" not in one.shape]
    assert sizes
    assert set(sizes) == {1}


def test_whoever_is_refused_since_jobs_of_others_run_asks_again():
    """Every second job is over the limit; no law takes that for a verdict on its items."""

    class Occupied(Shelves):
        def __init__(self):
            super().__init__()
            self.asked, self.bulk._active = count(), lambda: 2 * (next(self.asked) % 2)  # noqa: SLF001 - of others

    laws = ("job-moves", "job-progress", "async-is-sync", "job-lookup")
    events = list(run_checks(CONTRACT, Occupied(), name_prefix="00001", only=[*laws, "createBooks"]))
    assert findings(events) == []
    answers = {one.answer.law: one.answer.word for one in events if isinstance(one, LawAnswered)}
    assert answers == dict.fromkeys(laws, "passed")


def bulk_request(finding):
    """Return the items of the bulk request in a finding's evidence."""
    bodies = [json_of(one.request.body) for one in finding.evidence]
    lists = [
        body if isinstance(body, list) else next(filter(is_list, body.values()), None) for body in filter(None, bodies)
    ]
    return next(filter(is_list, lists))


def is_list(value):
    return isinstance(value, list)


@pytest.mark.slow
@pytest.mark.parametrize("law", [*NAMES, "effect"])
def test_an_implementation_that_breaks_a_law_is_found(law):
    """The law itself finds what breaks it, in bulk alone or in single calls too; its answer says so with evidence."""
    events = checked(law, only=[law])
    broken = [event.answer for event in events if isinstance(event, LawAnswered) and event.answer.word == "failed"]
    assert {answer.law for answer in broken} == {law}
    assert all(finding.evidence and finding.says.endswith(".") for answer in broken for finding in answer.findings)
    assert isinstance(events[-1], Finished)
    assert events[-1].words["failed"] == len(broken)


@pytest.mark.slow
@pytest.mark.parametrize("law", LOOKING, ids=lambda law: law.name)
def test_laws_that_look_judge_any_history(law):
    """A law on single answers or on jobs finds in plain exchanges what it finds while checking."""
    kept: list[Exchange] = []

    class Keeping(Shelves):
        def send(self, call):
            reply = super().send(call)
            route = self._router.match(call.method, call.path)
            kept.append(
                Exchange(
                    n=len(kept) + 1,
                    at=self.at,
                    api="shelves",
                    operation=route.operation.id,
                    request=call,
                    response=reply,
                )
            )
            return reply

    found = findings(run_checks(CONTRACT, Keeping(law.name), name_prefix="00001", only=[law.name]))
    judged = law.judge(ExchangeHistory(exchanges=tuple(kept)), CONTRACT)
    assert {one.fingerprint for one in judged} >= {one.fingerprint for one in found if "acts" not in one.shape}
    assert judged


def test_laws_that_experiment_say_nothing_of_a_history():
    """What takes an experiment to find is not claimed of exchanges that were none."""
    assert {law.judge(ExchangeHistory(), CONTRACT) for law in LAWS if law.experiment is not None} == {()}


def test_a_fingerprint_depends_on_law_operation_and_shape_alone():
    """The same breach found in another run is the same finding."""
    first, second = (findings(checked("counts", only=["counts"], seed=seed)) for seed in (0, 1))
    assert {one.fingerprint for one in first} == {one.fingerprint for one in second}
    assert first[0].evidence != second[0].evidence


def test_the_page_on_laws_has_each_of_them_as_it_stands():
    """Name and sentence of every law are told in the documentation."""
    page = (Path(__file__).parents[3] / "docs" / "laws.md").read_text(encoding="utf-8")
    assert [law.name for law in LAWS if f"| `{law.name}` | {law.says} |" not in page] == []

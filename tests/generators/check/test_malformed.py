"""The law on malformed requests: its faults are faults, and a server that takes one is found."""

import json
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml
from in_process import InProcess

from contracts.exchange.locations import json_of
from contracts.messages import ABSENT
from generators.check.laws.calls.malformed import BODY_FAULTS
from generators.check.run import FindingFound, LawAnswered, run_checks
from generators.client.session import Budget
from mockserver.apis.sources import find_sources

LABELS = Path(__file__).parents[2] / "cases" / "contract_only" / "labels.yaml"
BODY = b'{"items":[{"id":1,"name":"first"},{"id":2,"name":"second"}],"mode":"whole"}'


def refused(text):
    """Refuse a word that JSON does not have."""
    raise ValueError(text)


@pytest.mark.parametrize("fault", [one for one in BODY_FAULTS if one.sure], ids=lambda one: one.name)
def test_a_fault_makes_a_body_that_is_no_json(fault):
    """Two strict parsers refuse it; the body itself is JSON."""
    broken = fault.change(BODY)
    assert json_of(BODY) is not ABSENT
    assert json_of(broken) is ABSENT
    with pytest.raises((ValueError, RecursionError)):
        json.loads(broken.decode(), parse_constant=refused)


@pytest.mark.parametrize("body", [b"", b"7", b"[]", b"{}", b'["a"]', b'{"a":1}', b"[[1]]"])
def test_a_fault_has_its_place_or_is_left_out(body):
    """Whatever the body, a fault changes it to bytes or has no place in it."""
    for fault in BODY_FAULTS:
        assert isinstance(fault.change(body), bytes | None)


class Lenient(InProcess):
    """A server that mends bodies before it reads them, or answers with another status."""

    def __init__(self, api, mend=None, answer=None):
        super().__init__(api)
        self.mend, self.answer = mend or (lambda call: call), answer or (lambda _, reply: reply)

    def send(self, call):
        return self.answer(call, super().send(self.mend(call)))


def with_body(change):
    """Return what changes the body of a call."""
    return lambda call: replace(call, body=change(call.body))


def with_type(change):
    """Return what changes the content type of a call."""

    def mend(call):
        media = call.headers.get("Content-Type")
        return replace(call, headers=call.headers.with_(("Content-Type", change(media)))) if media else call

    return mend


def crash(call, reply):
    """Answer 500 to what is no JSON."""
    is_broken = call.body and json_of(call.body) is ABSENT
    return replace(reply, status=500) if is_broken else reply


def strict_type(call, reply):
    """Refuse a charset."""
    return replace(reply, status=415) if ";" in call.headers.get("Content-Type") else reply


MISTAKES = {
    "nothing": ({}, set()),
    "a trailing comma is passed over": (
        {"mend": with_body(lambda body: body.replace(b",]", b"]").replace(b",}", b"}"))},
        {"trailing comma accepted"},
    ),
    "a cut is closed": ({"mend": with_body(lambda body: body[:1] and body.rstrip(b"]") + b"]")}, {"cut off accepted"}),
    "the first value is read": (
        {"mend": with_body(lambda body: body.partition(b" bulkproof")[0])},
        {"several values accepted"},
    ),
    "bytes are replaced": (
        {"mend": with_body(lambda body: body.decode(errors="replace").encode())},
        {"encoding accepted"},
    ),
    "no content type is looked at": (
        {"mend": with_type(lambda _: "application/json")},
        {"media type accepted"},
    ),
    "a syntax fault breaks the server": ({"answer": crash}, {"cut off answered 500", "quotes answered 500"}),
    "a charset is refused": ({"answer": strict_type}, {"equal media type refused"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_server_that_takes_what_is_malformed_is_found(mistake):
    """Each mistake has its finding; without one there is none."""
    options, shapes = MISTAKES[mistake]
    api = find_sources(("genero",))[0].load()
    told = list(
        run_checks(
            api.contract,
            Lenient(api, **options),
            name_prefix="00001",
            budget=Budget(seconds=1000),
            only=["malformed", "postJob"],
        )
    )
    found = {event.finding.shape for event in told if isinstance(event, FindingFound)}
    assert shapes <= found
    assert bool(shapes) == bool(found)
    words = {event.answer.word for event in told if isinstance(event, LawAnswered)}
    assert words == ({"failed"} if shapes else {"passed"})


def test_a_request_that_is_refused_and_carried_out_is_found():
    """A batch that is cut off is answered 400, and its first items are stored all the same."""

    class Salvaging(InProcess):
        def send(self, call):
            if call.body and json_of(call.body) is ABSENT and call.path.endswith("postJob"):
                text = call.body.decode(errors="replace")
                try:
                    first, _ = json.JSONDecoder().raw_decode(text[1:])
                    super().send(replace(call, body=orjson.dumps([first])))
                except (TypeError, ValueError, RecursionError):
                    pass
            return super().send(call)

    api = find_sources(("genero",))[0].load()
    told = run_checks(
        api.contract,
        Salvaging(api),
        name_prefix="00001",
        budget=Budget(seconds=1000),
        only=["malformed", "postJob"],
    )
    shapes = [event.finding.shape for event in told if isinstance(event, FindingFound)]
    assert shapes == ["a refused request leaves a trace"]


def test_where_no_refusal_is_declared_a_lenient_parser_is_right():
    """A parser may read more than JSON (RFC 8259, section 9), and the contract says nothing against it."""
    api = find_sources(("genero",))[0].load()
    kept = [
        replace(one, responses={status: told for status, told in one.responses.items() if status.startswith("2")})
        for one in api.contract.operations
    ]
    options, _ = MISTAKES["a trailing comma is passed over"]
    told = run_checks(
        replace(api.contract, operations=tuple(kept)),
        Lenient(api, **options),
        name_prefix="00001",
        budget=Budget(seconds=1000),
        only=["malformed", "postJob"],
    )
    shapes = {event.finding.shape for event in told if isinstance(event, FindingFound)}
    assert shapes == set()


def shapes_of(contract, server, operation):
    """Return the shapes of what the law finds of one operation."""
    told = run_checks(contract, server, name_prefix="00001", budget=Budget(seconds=1000), only=["malformed", operation])
    return {event.finding.shape for event in told if isinstance(event, FindingFound)}


def last_counts(body):
    """Return a body in which the last of two equal names counts, as most parsers read it."""
    data = json_of(body)
    return body if data is ABSENT else orjson.dumps(data)


@pytest.mark.parametrize(("is_declared", "shapes"), [(True, {"names accepted"}), (False, set())])
def test_names_that_occur_twice_are_judged_where_their_refusal_is_declared(is_declared, shapes):
    """JSON leaves open what they mean (RFC 8259, section 4)."""
    api = find_sources(("genero",))[0].load()
    contract = replace(api.contract, has_unique_names=is_declared)
    assert shapes_of(contract, Lenient(api, mend=with_body(last_counts)), "postJob") == shapes
    assert shapes_of(contract, Lenient(api), "postJob") == set()


def test_words_of_a_body_in_another_case_are_refused(tmp_path):
    """The words of a schema are exact."""
    document = yaml.safe_load(LABELS.read_text())
    for name in ("LabelFields", "NewLabel", "Label"):
        document["components"]["schemas"][name]["properties"]["size"] = {"enum": ["small", "large"]}
    document["components"]["schemas"]["NewLabel"]["required"].append("size")
    document["x-resources"]["labels"]["required"].append("size")
    path = tmp_path / "labels.yaml"
    path.write_text(yaml.safe_dump(document))
    api = find_sources((str(path),))[0].load()
    any_case = with_body(lambda body: body.replace(b"SMALL", b"small").replace(b"LARGE", b"large"))
    assert shapes_of(api.contract, Lenient(api), "createLabel") == set()
    assert shapes_of(api.contract, Lenient(api, mend=any_case), "createLabel") == {"words at /size accepted"}

"""The case runner itself: it must find fault where there is one."""

import json

import pytest
from case_match import body_of_call, differences, differences_of_body, spread
from case_run import Answer, CaseFailed, run_case
from case_text import CaseError, Exchange, read_cases

UUID = "6df8d937-129b-44ed-9bf2-740717f134a7"


def found(expected, got, names=None):
    return list(differences(expected, got, {} if names is None else names, ""))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": 1, "...": ""}, {"a": 1, "b": 2}),
        ([1, "..."], [1, 2, 3]),
        ("{{:uuid}}", UUID),
        ("{{n:integer}}", 3),
        ({"a": "{{absent}}"}, {}),
        ("Job {{id:/[0-9]+/}} of {{who}}.", "Job 12 of me."),
        ({"a": "{{x:any}}", "b": "{{x}}"}, {"a": [1], "b": [1]}),
    ],
)
def test_what_fits_is_passed(expected, got):
    """A value that is as written, or fits its pattern, has no differences."""
    assert found(expected, got) == []


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ([1], [1, 2]),
        ([1, "..."], []),
        ("{{:uuid}}", UUID.upper()),
        ("{{n:integer}}", True),
        ("{{:instant}}", "yesterday"),
        ({"a": "{{absent}}"}, {"a": None}),
        ("Job {{id:/[0-9]+/}} of {{who}}.", "Job x of me."),
        ({"a": "{{x:any}}", "b": "{{x}}"}, {"a": 1, "b": 2}),
    ],
)
def test_what_does_not_fit_is_found(expected, got):
    """Each way of being different gives exactly one difference."""
    assert len(found(expected, got)) == 1


def test_a_name_is_kept_and_compared():
    """A name taken down in one reply must be the same in the next."""
    names = {}
    assert found({"id": "{{job:uuid}}"}, {"id": UUID}, names) == []
    assert names == {"job": UUID}
    assert found({"{{job}}": "about {{job}}"}, {UUID: f"about {UUID}"}, names) == []
    assert len(found("{{job}}", "another", names)) == 1


def test_ranges_are_spread():
    """A range stands for its elements, each numbered; an integer may be asked for."""
    text = '[{"{{n}}": "2..3", "id": "k{{n}}", "n": "{{n:integer}}"}, {"id": "{{a*3}}"}]'
    assert json.loads(body_of_call(text, {})) == [{"id": "k2", "n": 2}, {"id": "k3", "n": 3}, {"id": "aaa"}]
    assert spread([{"{{n}}": "1..0"}]) == []


def test_a_body_without_ranges_is_sent_as_written():
    """Broken JSON stays broken, spaces stay where they are."""
    assert body_of_call('{"a" : {{id}},]', {"id": 7}) == b'{"a" : 7,]'


def test_bodies_that_are_no_json():
    """A body that is expected as text is compared as text."""
    assert list(differences_of_body("so {{what}}", b"so be it", {})) == []
    assert list(differences_of_body('{"a": 1}', b"nonsense", {})) != []


CASE = """
# a comment
@ header X-Who: me

= First
Explained here.

> GET /things/{{sandbox}}
> Accept: text/plain
< 200 text/plain
< X-Count: {{count}}
there are {{count}}

> 2 x POST /things
{
  "a": 1
}
< 204
"""


@pytest.fixture
def case(tmp_path):
    file = tmp_path / "some.case"
    file.write_text(CASE, encoding="utf-8")
    (one,) = read_cases(file)
    return one


def server_of(answers, seen):
    def answer(method, target, headers, body):
        if target.startswith("/_sandbox/"):
            return Answer(status=200, headers=(), body=b"{}")
        seen.append((method, target, dict(headers), body))
        return answers[len(seen) - 1]

    return answer


def plain(status, body=b"", **headers):
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status=status, headers=pairs, body=body)


GOOD = plain(200, b"there are 2", Content_Type="text/plain; charset=utf-8", X_Count="2")


def test_a_case_is_read_and_run(case):
    """Calls go out as written, in order, with the headers and the number of times asked for."""
    seen = []
    run_case(case, server_of([GOOD, plain(204), plain(204)], seen), "", sandbox="here")
    assert [one[:2] for one in seen] == [
        ("GET", "/@here/things/here"),
        ("POST", "/@here/things"),
        ("POST", "/@here/things"),
    ]
    assert seen[0][2] == {"X-Who": "me", "Accept": "text/plain"}
    assert seen[1][2:] == ({"X-Who": "me", "Content-Type": "application/json"}, b'{\n  "a": 1\n}')


@pytest.mark.parametrize(
    "answers",
    [
        [plain(500, b"there are 2", Content_Type="text/plain", X_Count="2")],
        [plain(200, b"there are 2", Content_Type="text/html", X_Count="2")],
        [plain(200, b"there are 3", Content_Type="text/plain", X_Count="2")],
        [plain(200, b"there are 2", Content_Type="text/plain")],
        [GOOD, plain(204), plain(204, b"more")],
        [GOOD, plain(204), plain(400)],
    ],
)
def test_a_reply_that_does_not_fit_ends_the_case(case, answers):
    """Status, media type, body, header, an unexpected body and a later repetition are all looked at."""
    with pytest.raises(CaseFailed):
        run_case(case, server_of(answers, []), "", sandbox="here")


@pytest.mark.parametrize(
    "text",
    [
        "= A\n> GET /x\n",
        "= A\n> GET /x\n= B\n> GET /x\n< 200\n",
        "= A\n< 200\n",
        "= A\n> GET\n< 200\n",
        "= A\n> GET /x\n< fine\n",
        "= A\n> GET /x\n> no header\n< 200\n",
        "= A\n@ dance\n> GET /x\n< 200\n",
        "= A\nonly words\n",
        "words\n= A\n> GET /x\n< 200\n",
    ],
)
def test_a_faulty_file_is_refused(tmp_path, text):
    """Each mistake names the file and the line."""
    file = tmp_path / "faulty.case"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError, match=r"faulty\.case, line \d"):
        read_cases(file)


def test_steps_above_the_first_case_begin_each(tmp_path):
    """What stands before the first title belongs to every case of the file."""
    file = tmp_path / "two.case"
    file.write_text("@ api toy\n= A\n> GET /a\n< 200\n= B\n> GET /b\n< 200\n", encoding="utf-8")
    both = read_cases(file)
    assert [case.title for case in both] == ["A", "B"]
    assert all(case.steps[0].word == "api" and isinstance(case.steps[1], Exchange) for case in both)


@pytest.mark.parametrize(
    ("expected", "answer", "fits"),
    [
        ("reset", Answer(status=0, broken="reset"), True),
        ("reset", Answer(status=0, broken="closed"), False),
        ("reset", plain(200), False),
        ("200", Answer(status=0, broken="reset"), False),
        ("200", plain(200), True),
    ],
)
def test_a_reply_that_broke_on_its_way_is_no_other(tmp_path, expected, answer, fits):
    """How a connection broke must be as expected, and a whole reply where one is; only the former needs a socket."""
    file = tmp_path / "broken.case"
    file.write_text(f"= A\n@ scenario never-ends\n> GET /a\n< {expected}\n", encoding="utf-8")
    (case,) = read_cases(file)
    assert case.needs_socket is (expected == "reset")
    if fits:
        run_case(case, server_of([answer], []), "", sandbox="here")
    else:
        with pytest.raises(CaseFailed):
            run_case(case, server_of([answer], []), "", sandbox="here")

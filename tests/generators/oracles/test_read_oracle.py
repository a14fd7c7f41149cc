"""What a read or a list may show, by what is known of the records: tables of state, what is shown, and findings."""

import pytest
from library import ENVIRONMENT, OPERATIONS, TYPES, effect, exchange, place, record, state

from contracts.messages import ABSENT
from generators.oracles.expected_outcome import apply_effect
from generators.oracles.read_oracle import ReadOracle
from generators.oracles.state_model import ANY_VALUE, REVIVAL, PreviousValues, StateModel

ANN, BOB = "b00000-ann", "b00000-bob"
CARD, SHOUTED = "0f0e0d0c-0b0a-4908-8706-050403020100", "0F0E0D0C-0B0A-4908-8706-050403020100"
EMMA = {"isbn": "b00000-1", "title": "Emma", "year": 1815}
BORN, SAME_INSTANT, OTHER_INSTANT = "1775-12-16T00:00:00Z", "1775-12-16T01:00:00.000+01:00", "1775-12-16T01:00:00Z"

author, book, card, ticket = (
    lambda key=name, present=True, kind=kind, **known: record(kind, key, present, by="put", at=exchange(1), **known)
    for kind, name in (("authors", ANN), ("books", 7), ("cards", CARD), ("tickets", "b00000-t"))
)


def reads(model, *shown, is_exclusive=True, oracle=None):
    """Return the shapes of the findings in reads of single records, one after the other; ABSENT is 404."""
    oracle = oracle or ReadOracle(model, TYPES, is_exclusive=is_exclusive)
    found = []
    for n, (resource, key, body) in enumerate(shown, 10):
        seen = exchange(
            n, 404 if body is ABSENT else 200, None if body is ABSENT else body, operation=OPERATIONS[resource]
        )
        found += [one.shape for one in oracle.judge_read(effect(resource, "read", key, {}), seen)]
    return found


READS = [
    # whether it is there
    ("a stored record", author(), {"handle": ANN}, []),
    ("a stored record that is gone", author(), ABSENT, ["stored record is gone"]),
    ("a deleted record", author(present=False), ABSENT, []),
    ("a deleted record that is there", author(present=False), {"handle": ANN}, ["record is there that must not be"]),
    ("one that may be there", author(present=None), {"handle": ANN}, []),
    ("one that may not be there", author(present=None), ABSENT, []),
    ("one that a job may delete", author(jobs=frozenset({3})), ABSENT, []),
    # members
    ("what was written", book(members=EMMA), {"id": 7, **EMMA}, []),
    ("something else", book(members=EMMA), {"id": 7, **EMMA, "year": 1816}, ["member reads otherwise at /year"]),
    ("nothing", book(members=EMMA), {"id": 7, "isbn": "b00000-1", "title": "Emma"}, ["member is lost at /year"]),
    ("null for nothing", book(members={**EMMA, "price": None}), {"id": 7, **EMMA}, []),
    ("an equal instant", author(members={"born": BORN}), {"handle": ANN, "born": SAME_INSTANT}, []),
    (
        "another instant",
        author(members={"born": BORN}),
        {"handle": ANN, "born": OTHER_INSTANT},
        ["member reads otherwise at /born"],
    ),
    ("an equal number", book(members={"price": 3}), {"id": 7, "price": 3.0}, []),
    ("a member that nobody has declared", book(members=EMMA), {"id": 7, **EMMA, "rank": 3}, []),
    (
        "a member that the server sets",
        author(members={"name": "Ann"}, unset=True),
        {"handle": ANN, "name": "Ann", "seenAt": BORN},
        [],
    ),
    ("a member that is never shown", author(members={"password": "x"}), {"handle": ANN}, []),
    ("a member that nothing is known of", book(members={}), {"id": 7, **EMMA}, []),
    # members that were changed
    ("the new value", book(members=EMMA, before={"year": PreviousValues((1814,), "put")}), {"id": 7, **EMMA}, []),
    (
        "the old value, which may be for ever",
        book(members=EMMA, before={"year": PreviousValues((1814,), "put")}),
        {"id": 7, **EMMA, "year": 1814},
        [],
    ),
    (
        "neither of them",
        book(members=EMMA, before={"year": PreviousValues((1814,), "put")}),
        {"id": 7, **EMMA, "year": 1},
        ["member reads otherwise at /year"],
    ),
    (
        "what a record that comes back had",
        card(members={"colour": "red"}, before={"colour": PreviousValues(("blue",), REVIVAL)}),
        {"code": CARD, "colour": "blue"},
        [],
    ),
    (
        "what it may have had",
        card(members={"colour": "red"}, before={"colour": PreviousValues((ANY_VALUE,), REVIVAL)}),
        {"code": CARD, "colour": "green"},
        [],
    ),
    (
        "what it never had",
        card(members={"colour": "red"}, before={"colour": PreviousValues(("blue",), REVIVAL)}),
        {"code": CARD, "colour": "green"},
        ["member reads otherwise at /colour"],
    ),
    # versions
    ("the version after one change", book(version=4), {"id": 7, "version": 4}, []),
    ("another version", book(version=4), {"id": 7, "version": 5}, ["version moved otherwise"]),
    ("a version where none is known", book(), {"id": 7, "version": 5}, []),
    ("an opaque version that jumps", ticket(version=70), {"number": "b00000-t", "tag": 95}, []),
    ("a key in other letters", card(members={"holder": "x"}), {"code": SHOUTED, "holder": "x"}, []),
]


@pytest.mark.parametrize(("known", "shown", "shapes"), [row[1:] for row in READS], ids=[row[0] for row in READS])
def test_what_a_read_may_show(known, shown, shapes):
    """What was written or reported, in any notation, and anything where nothing is known."""
    model = state(known)
    assert reads(model, (known.where.resource, known.key, shown)) == shapes


@pytest.mark.parametrize(
    ("answer", "shapes"),
    [
        ({"id": 7, **EMMA}, ["member keeps its old value at /year"]),
        ({"id": 7, **EMMA, "year": 1814}, []),
        ({"id": 7, "year": 1815, "title": "E"}, ["member keeps its old value at /year"]),
        ({"id": 7}, []),
        (None, []),
    ],
)
def test_what_the_answer_to_a_change_shows_is_read(answer, shapes):
    """A change that is shown and not stored is told at once; one that is not shown may be none for ever."""
    model = state(book(members=EMMA, before={"year": PreviousValues((1814,), "put")}))
    oracle = ReadOracle(model, TYPES)
    assert list(oracle.judge_answer(effect("books", "update", 7, {"year": 1815}), exchange(9, 200, answer))) == []
    assert reads(model, ("books", 7, {"id": 7, **EMMA, "year": 1814}), oracle=oracle) == shapes


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_refused_read_says_nothing(status):
    """Only a success and a 404 or 410 tell whether a record is there."""
    model = state(author(members={"name": "Ann"}))
    oracle = ReadOracle(model, TYPES)
    assert list(oracle.judge_read(effect("authors", "read", ANN, {}), exchange(9, status, {}))) == []
    assert model.find(place("authors"), ANN).present is True


def test_what_is_read_is_known_from_then_on():
    """Also of a record that nobody had named; in the notation in which it was written, where that is the same value."""
    model = state(author(members={"born": BORN}, present=True))
    assert (
        reads(
            model,
            ("authors", ANN, {"handle": ANN, "born": SAME_INSTANT}),
            ("authors", "austen", {"handle": "austen", "name": "A"}),
        )
        == []
    )
    assert model.find(place("authors"), ANN).members["born"] == BORN
    assert model.find(place("authors"), "austen").members["name"] == "A"
    assert reads(model, ("authors", "austen", {"handle": "austen", "name": "B"})) == ["member reads otherwise at /name"]


@pytest.mark.parametrize(
    ("first", "second", "shapes"),
    [
        (1815, 1815, []),
        (1815, 1814, ["member keeps its old value at /year"]),
        (1814, 1815, ["member keeps its old value at /year"]),
        (1814, 1814, []),
    ],
    ids=["both change", "the second sticks", "the first stuck", "neither changes"],
)
def test_a_member_that_keeps_its_value_is_told_when_a_like_change_was_seen(first, second, shapes):
    """Until then it may be one that cannot be changed."""
    changed = {"members": EMMA, "before": {"year": PreviousValues((1814,), "put")}}
    model = state(book(7, **changed), book(8, **changed))
    assert (
        reads(model, ("books", 7, {"id": 7, **EMMA, "year": first}), ("books", 8, {"id": 8, **EMMA, "year": second}))
        == shapes
    )


@pytest.mark.parametrize(("by", "shapes"), [("", []), ("post", []), ("put", ["member keeps its old value at /colour"])])
def test_a_record_that_comes_back_must_take_what_its_operation_can_change(by, shapes):
    """A member that a write by the same operation was seen to change is none that only new records take."""
    back = card(CARD, members={"colour": "red"}, before={"colour": PreviousValues(("blue",), REVIVAL)})
    other = card("b00000-d", members={"colour": "red"}, before={"colour": PreviousValues(("blue",), by)})
    model = state(back, other)
    seen = [("cards", "b00000-d", {"code": "b00000-d", "colour": "red"})] if by else []
    assert reads(model, *seen, ("cards", CARD, {"code": CARD, "colour": "blue"})) == shapes


@pytest.mark.parametrize("taken", ["red", "blue"])
def test_two_records_that_come_back_may_do_so_in_two_ways(taken):
    """What one of them takes, the other need not."""
    before = {"colour": PreviousValues(("blue",), REVIVAL)}
    model = state(
        card(CARD, members={"colour": "red"}, before=before), card("b00000-d", members={"colour": "red"}, before=before)
    )
    shown = [
        ("cards", CARD, {"code": CARD, "colour": "red"}),
        ("cards", "b00000-d", {"code": "b00000-d", "colour": taken}),
    ]
    assert reads(model, *shown) == []


@pytest.mark.parametrize(("second", "shapes"), [(1, []), (2, ["member that was left out has a value at /copies"])])
def test_what_was_left_out_reads_the_same_everywhere(second, shapes):
    """Whatever a server puts there, it puts there always."""
    model = state(book(7, members=EMMA, unset=True), book(8, members=EMMA, unset=True))
    assert (
        reads(model, ("books", 7, {"id": 7, **EMMA, "copies": 1}), ("books", 8, {"id": 8, **EMMA, "copies": second}))
        == shapes
    )


def test_an_object_that_was_written_since_was_not_left_out():
    """How it is merged with what was there is not known; that it was written is."""
    label, size = {"label": "x"}, {"size": {"w": 1}}
    model = state(record("boxes", 5, members=label, unset=True), record("boxes", 6, members=label, unset=True))
    apply_effect(model, effect("boxes", "update", 6, size), key=6, by="put", at=exchange(2))
    assert reads(model, ("boxes", 5, {"id": 5, **label}), ("boxes", 6, {"id": 6, **label, **size})) == []


@pytest.mark.parametrize(
    ("shown", "acts"), [({"handle": ANN, "name": "A"}, True), ({"handle": ANN, "name": "Ann"}, False), (ABSENT, False)]
)
def test_a_read_while_a_job_runs_is_kept_for_its_next_poll(shown, acts):
    """It shows whether the job has acted already."""
    model = state(author(members={"name": "Ann"}, jobs=frozenset({3})))
    oracle = ReadOracle(model, TYPES)
    assert reads(model, ("authors", ANN, shown), oracle=oracle) == []
    assert [one.has_effect(effect("authors", "update", ANN, {"name": "A"})) for one in oracle.early] == [acts]


@pytest.mark.parametrize(("kept", "acts"), [((), True), (("B",), True), (("A",), False), ((ANY_VALUE,), False)])
def test_a_read_shows_no_effect_by_a_value_that_the_record_may_have_kept(kept, acts):
    """A member that an earlier write may have left as it was reads like a write of that value."""
    before = {"name": PreviousValues(kept, "post")} if kept else {}
    model = state(author(members={"name": "Ann"}, before=before, jobs=frozenset({3})))
    oracle = ReadOracle(model, TYPES)
    assert reads(model, ("authors", ANN, {"handle": ANN, "name": "A"}), oracle=oracle) == []
    assert [one.has_effect(effect("authors", "update", ANN, {"name": "A"})) for one in oracle.early] == [acts]


def lists(model, *pages, oracle=None, is_exclusive=True):
    """Return the shapes of the findings in lists of authors, one after the other: keys or records, and the query."""
    oracle = oracle or ReadOracle(model, TYPES, is_exclusive=is_exclusive)
    found = []
    for n, (shown, query, total) in enumerate(pages, 20):
        bodies = [one if isinstance(one, dict) else {"handle": one} for one in shown]
        headers = [("X-Total", str(total))] if total is not None else []
        seen = exchange(n, 200, bodies, operation="listAuthors", query=query.items(), headers=headers)
        found += [one.shape for one in oracle.judge_list(effect("authors", "list", ABSENT, {}), seen)]
    return found


LISTS = [
    ("all that is stored", [author(), author(BOB)], ([ANN, BOB], {}, 2), []),
    ("in any order", [author(), author(BOB)], ([BOB, ANN], {}, 2), []),
    ("beside those of others", [author()], (["austen", ANN], {}, 2), []),
    ("not one of them", [author(), author(BOB)], ([ANN], {}, 1), ["stored record is not listed"]),
    ("a page of them", [author(), author(BOB)], ([ANN], {"take": "1"}, 2), []),
    ("a later page", [author(), author(BOB)], ([BOB], {"skip": "1"}, 2), []),
    ("one that may be there", [author(present=None)], ([], {}, 0), []),
    ("one that a job may delete", [author(jobs=frozenset({3}))], ([], {}, 0), []),
    ("one that was deleted", [author(present=False)], ([ANN], {}, 1), ["record is there that must not be"]),
    (
        "one that reads otherwise",
        [author(members={"name": "Ann"})],
        ([{"handle": ANN, "name": "A"}], {}, 1),
        ["member reads otherwise at /name"],
    ),
    ("some members of it", [author(members={"name": "Ann"})], ([ANN], {"only": "handle"}, 1), []),
    ("all members of it", [author(members={"name": "Ann"})], ([ANN], {}, 1), ["member is lost at /name"]),
    ("fewer than the total says", [], (["austen"], {}, 2), ["list is shorter than its total"]),
    ("fewer than a page holds, of more", [], (["austen"], {"take": "2"}, 5), ["list is shorter than its total"]),
    ("the end of them", [], (["austen"], {"skip": "4"}, 5), []),
    ("something that is no list", [author()], ([], {"take": "0"}, None), []),
]


@pytest.mark.parametrize(("records", "page", "shapes"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_what_a_list_may_show(records, page, shapes):
    """Every stored record where it is whole, and no record that must not be there."""
    assert lists(state(*records), page) == shapes


def test_a_listed_record_of_ours_must_not_come_from_a_request_that_failed():
    """Its names were forbidden; those of others, and those that may exist, are not."""
    model = state()
    model.forbidden["b00000-m"] = exchange(3, operation="putAuthor")
    shown = {"handle": "b00000-x", "mail": "b00000-m"}
    assert lists(model, ([{"handle": "austen", "mail": "m"}], {}, 1)) == []
    assert lists(model, ([shown], {}, 1)) == ["undone record is stored"]
    pending = state()
    pending.forbidden["b00000-m"] = exchange(3, operation="putAuthor")
    pending.add_pending(place("authors"), {"mail": "b00000-m"})
    assert lists(pending, ([shown], {}, 1)) == []


@pytest.mark.parametrize(
    ("is_exclusive", "shapes"), [(True, ["record that nobody deleted is gone"]), (False, [])], ids=["alone", "shared"]
)
def test_a_record_of_others_may_go_only_where_there_are_others(is_exclusive, shapes):
    """In a sandbox of our own nobody else deletes."""
    pages = (["austen", "shelley"], {}, 2), (["shelley"], {}, 1)
    assert lists(state(), *pages, is_exclusive=is_exclusive) == shapes


def test_pages_are_parts_of_the_whole_list():
    """Those that differ are told where the list was the same before and after."""
    whole, changed = (["a", "b", "c"], {}, 3), (["a", "b", "d"], {}, 3)
    right, wrong = (["b"], {"skip": "1", "take": "1"}, 3), (["c"], {"skip": "1", "take": "1"}, 3)
    assert lists(state(), whole, right, whole) == []
    assert lists(state(), whole, wrong, whole) == ["window shows other records"]
    assert lists(state(), whole, wrong, changed, is_exclusive=False) == []
    assert lists(state(), whole, wrong, whole, wrong, whole, is_exclusive=False) == []
    assert lists(state(), whole, wrong, whole, wrong, whole, wrong, whole, is_exclusive=False) == [
        "window shows other records"
    ]


@pytest.mark.parametrize(("key", "present"), [(7, None), (ENVIRONMENT.base, False)], ids=["theirs", "ours"])
def test_a_key_that_is_not_taken_may_be_the_next_of_others(key, present):
    """Where others write too, only names of ours stay absent."""
    model = state(book(key, present=None))
    assert reads(model, ("books", key, ABSENT), is_exclusive=False) == []
    assert model.find(place("books"), key).present is present
    assert list(model.unknown) == []


@pytest.mark.parametrize(
    ("known", "shapes"),
    [({}, []), ({"existed": True}, ["record is there that must not be"])],
    ids=["was never there", "was deleted"],
)
def test_a_key_that_is_not_taken_may_be_given_to_a_record_of_ours(known, shapes):
    """A record was created, and its key was not reported: it may have one that was read as absent before."""
    model = state(book(7, present=False, **known))
    model.mark_effect_unknown(place("books"), ABSENT, EMMA)
    assert reads(model, ("books", 7, {"id": 7, **EMMA})) == shapes


def test_a_state_model_needs_no_schemas():
    """Without them values are compared as they are."""
    assert StateModel({}, ENVIRONMENT).find(place("authors"), ANN) is None

"""What must become of one effect, by what is known of the records: tables of state, effect and expectation."""

import pytest
from library import TYPES, effect, exchange, place, record, state

from contracts.messages import ABSENT
from generators.oracles.expected_outcome import apply_effect, expected_outcome
from generators.oracles.state_model import ANY_VALUE, REVIVAL, PreviousValues

ANN, BOB = "b00000-ann", "b00000-bob"  # names of ours: no record of others has them
NEW = {"name": "Ann"}
BOOK = {"isbn": "b00000-1", "title": "b00000-emma", "year": 1815}
DONE, OPEN = ("done", ""), ("open", "")


def failed(reason):
    return "failed", reason


GONE, THERE = failed("of a record that is not there"), failed("of a record that is there already")
NOTHING, IN_USE = failed("that refers to nothing"), failed("with a value that is in use")
UNFIT, UNKNOWN_MEMBER = failed("with a member that does not fit its schema"), failed("with a member that is not known")
STALE, LACKING = failed("with a stale version"), failed("without a member that it must have")
REFERRED = failed("of a record that others refer to")

author, book, box, card, ticket = (
    lambda key=name, present=True, kind=kind, **known: record(kind, key, present, **known)
    for kind, name in (("authors", ANN), ("books", 7), ("boxes", 5), ("cards", "b00000-c"), ("tickets", "b00000-t"))
)

EXPECTED = [
    # the record that is named
    ("creating a record that is not there", [], effect("authors", "create", ANN, NEW), DONE),
    ("creating one that is there", [author()], effect("authors", "create", ANN, NEW), THERE),
    ("creating one that was deleted", [author(present=False)], effect("authors", "create", ANN, NEW), DONE),
    ("creating one that may be there", [author(present=None)], effect("authors", "create", ANN, NEW), OPEN),
    (
        "writing the record that has a value, with another one in use: it may be its own",
        [book(members=BOOK)],
        effect("books", "upsert", {"isbn": "b00000-2"}, BOOK),
        OPEN,
    ),
    ("creating one with a name of others", [], effect("authors", "create", "austen", NEW), OPEN),
    (
        "creating one that a job may create",
        [author(present=False, jobs=frozenset({3}))],
        effect("authors", "create", ANN, NEW),
        OPEN,
    ),
    ("creating one without a name", [], effect("authors", "create", ABSENT, NEW), OPEN),
    ("creating one whose name the server makes", [], effect("books", "create", ABSENT, BOOK), DONE),
    (
        "a key beside what the server names, which no member of a closed schema is",
        [],
        effect("books", "create", ABSENT, {**BOOK, "id": 9}),
        UNFIT,
    ),
    ("changing one that is there", [author()], effect("authors", "update", ANN, {"name": "A"}), DONE),
    ("changing one that is not there", [], effect("authors", "update", ANN, {"name": "A"}), GONE),
    ("changing one that was deleted", [author(present=False)], effect("authors", "update", ANN, {"name": "A"}), GONE),
    ("changing one that may be there", [author(present=None)], effect("authors", "update", ANN, {"name": "A"}), OPEN),
    ("changing one that others may have made", [], effect("authors", "update", "austen", {"name": "A"}), OPEN),
    (
        "changing one of another data set",
        [author(scope="a/x")],
        effect("authors", "update", ANN, NEW, scope="a/"),
        OPEN,
    ),
    ("deleting one that is there", [author()], effect("authors", "delete", ANN), DONE),
    ("deleting one that is not there", [], effect("authors", "delete", ANN), GONE),
    (
        "deleting one that has a tombstone",
        [card(present=False, existed=True)],
        effect("cards", "delete", "b00000-c"),
        OPEN,
    ),
    (
        "writing one that the server names and that has a tombstone",
        [box(present=False, existed=True)],
        effect("boxes", "upsert", 5, {"label": "x"}),
        OPEN,
    ),
    (
        "a blank beside a deletion, which may be refused",
        [box()],
        effect("boxes", "delete", 5, {"label": " "}),
        OPEN,
    ),
    (
        "a reference to nothing beside a deletion, which nobody has to look at",
        [box()],
        effect("boxes", "delete", 5, {"owner": ANN}),
        OPEN,
    ),
    (
        "a reference to nothing beside a member that deletes",
        [box()],
        effect("boxes", "delete", 5, {"owner": ANN}, is_marked=True),
        NOTHING,
    ),
    ("writing one, there or not", [], effect("authors", "upsert", ANN, NEW), DONE),
    ("writing one that is there", [author()], effect("authors", "upsert", ANN, {"name": "A"}), DONE),
    ("writing one that may be there", [author(present=None)], effect("authors", "upsert", ANN, NEW), OPEN),
    ("replacing one that is not there and is named by clients", [], effect("authors", "replace", ANN, NEW), DONE),
    (
        "replacing one that is not there and is named by the server",
        [book(present=False)],
        effect("books", "replace", 7, BOOK),
        GONE,
    ),
    (
        "replacing one where that may create it",
        [book(present=False)],
        effect("books", "replace", 7, BOOK, creates=True),
        DONE,
    ),
    ("reading one", [author()], effect("authors", "read", ANN, {}), OPEN),
    ("an effect that cannot be read", [author()], effect("authors", "update", ANN, None), OPEN),
    # versions
    ("the current version", [book(version=3)], effect("books", "update", 7, {"price": 1}, version=3), DONE),
    ("one that is shown as text", [book(version="3")], effect("books", "update", 7, {"price": 1}, version=3), DONE),
    ("an older version", [book(version=3)], effect("books", "update", 7, {"year": 1}, version=2), STALE),
    ("a version where none is known", [book()], effect("books", "update", 7, {"year": 1}, version=2), OPEN),
    ("a version to delete by", [book(version=3)], effect("books", "delete", 7, version=2), STALE),
    (
        "a version of one that is not there",
        [author(present=False)],
        effect("authors", "upsert", ANN, NEW, version=1),
        OPEN,
    ),
    (
        "a version of one that comes back",
        [card(present=False, existed=True, version=2)],
        effect("cards", "upsert", "b00000-c", {"holder": "x"}, version=1),
        OPEN,
    ),
    (
        "an opaque version that was read",
        [ticket(version=70)],
        effect("tickets", "upsert", "b00000-t", {"seat": "1"}, version=9),
        STALE,
    ),
    # what is written
    ("a new one without a required member", [], effect("authors", "create", ANN, {"mail": "b00000-m"}), LACKING),
    ("a required member that is null", [], effect("authors", "create", ANN, {"name": None}), UNFIT),
    ("one that is there, without it", [author()], effect("authors", "update", ANN, {"mail": "b00000-m"}), DONE),
    (
        "one that is written and may be there, without it",
        [author(present=None)],
        effect("authors", "upsert", ANN, {"mail": "b00000-m"}),
        OPEN,
    ),
    ("one that is replaced, without it", [author()], effect("authors", "replace", ANN, {"mail": "b00000-m"}), OPEN),
    ("a member that does not fit", [author()], effect("authors", "update", ANN, {"name": 7}), UNFIT),
    ("a member that nobody knows, of an open schema", [author()], effect("authors", "update", ANN, {"pets": 2}), OPEN),
    (
        "a member that nobody knows, of a closed one",
        [book()],
        effect("books", "update", 7, {"pets": 2}),
        UNKNOWN_MEMBER,
    ),
    ("a readOnly member, whatever its value", [author()], effect("authors", "update", ANN, {"seenAt": "soon"}), DONE),
    (
        "a member that the operation may not set",
        [book()],
        effect("books", "update", 7, {"price": 1}, settable=frozenset({"title"})),
        failed("with a member that it may not set"),
    ),
    (
        "a member that it may set",
        [book()],
        effect("books", "update", 7, {"price": 1}, settable=frozenset({"price"})),
        DONE,
    ),
    ("null where null is a value", [book()], effect("books", "update", 7, {"price": None}), DONE),
    # references
    ("a reference to a record", [book(), author()], effect("books", "update", 7, {"author": ANN}), DONE),
    ("a reference to none", [book()], effect("books", "update", 7, {"author": ANN}), NOTHING),
    (
        "a reference to one that was deleted",
        [book(), author(present=False)],
        effect("books", "update", 7, {"author": ANN}),
        NOTHING,
    ),
    (
        "a reference to one that may be there",
        [book(), author(present=None)],
        effect("books", "update", 7, {"author": ANN}),
        OPEN,
    ),
    ("a reference to one of others", [book()], effect("books", "update", 7, {"author": "austen"}), OPEN),
    ("a reference that is taken away", [book()], effect("books", "update", 7, {"author": None}), UNFIT),
    (
        "a change of one that refers to none any more",
        [book(members={"author": ANN}), author(present=False)],
        effect("books", "update", 7, {"year": 1}),
        OPEN,
    ),
    (
        "a change of one that refers to a record",
        [book(members={"author": ANN}), author()],
        effect("books", "update", 7, {"price": 1}),
        DONE,
    ),
    ("deleting one that nothing refers to", [author(), book()], effect("authors", "delete", ANN), DONE),
    (
        "deleting one that another refers to",
        [author(), book(members={"author": ANN})],
        effect("authors", "delete", ANN),
        REFERRED,
    ),
    (
        "deleting one that a deleted one referred to",
        [author(), book(present=False, members={"author": ANN})],
        effect("authors", "delete", ANN),
        DONE,
    ),
    (
        "deleting one that another may refer to",
        [author(), book(members={"author": ANN}, jobs=frozenset({3}))],
        effect("authors", "delete", ANN),
        OPEN,
    ),
    # what is unique
    (
        "a value that is free",
        [author(BOB, members={"mail": "b00000-m"})],
        effect("authors", "create", ANN, {**NEW, "mail": "b00000-n"}),
        DONE,
    ),
    (
        "a value in use",
        [author(BOB, members={"mail": "b00000-m"})],
        effect("authors", "create", ANN, {**NEW, "mail": "b00000-m"}),
        IN_USE,
    ),
    (
        "its own value",
        [author(members={"mail": "b00000-m"})],
        effect("authors", "update", ANN, {"mail": "b00000-m"}),
        DONE,
    ),
    (
        "a value that may be in use",
        [author(BOB, members={"mail": "b00000-m"}, jobs=frozenset({3}))],
        effect("authors", "create", ANN, {**NEW, "mail": "b00000-m"}),
        OPEN,
    ),
    (
        "a value of a deleted record",
        [author(BOB, present=False, members={"mail": "b00000-m"})],
        effect("authors", "create", ANN, {**NEW, "mail": "b00000-m"}),
        DONE,
    ),
    ("a value that others may use", [], effect("authors", "create", ANN, {**NEW, "mail": "a@example.com"}), OPEN),
    (
        "a pair of values in use",
        [book(members=BOOK)],
        effect("books", "create", ABSENT, {**BOOK, "isbn": "b00000-2"}),
        IN_USE,
    ),
    (
        "one member of a pair of values",
        [book(members=BOOK)],
        effect("books", "create", ABSENT, {"isbn": "b00000-2", "title": "b00000-emma"}),
        DONE,
    ),
    (
        "half of a pair, the other half being stored",
        [book(members=BOOK), record("books", 8, members={"title": "b00000-emma", "year": 1816})],
        effect("books", "update", 8, {"year": 1815}),
        IN_USE,
    ),
    (
        "half of a pair, the other half being unknown",
        [book(members={})],
        effect("books", "update", 7, {"year": 1815}),
        OPEN,
    ),
]


@pytest.mark.parametrize(
    ("records", "intended", "expected"), [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED]
)
def test_what_must_become_of_an_effect(records, intended, expected):
    """One certain reason makes it fail, one possible reason leaves it open, and without any it must be done."""
    assert expected_outcome(state(*records), intended)[:2] == expected


@pytest.mark.parametrize(
    ("records", "since", "expected"),
    [
        ([author(at=exchange(2))], 2, DONE),
        ([author(at=exchange(3))], 2, OPEN),
        ([author(at=exchange(3))], None, DONE),
        ([author(present=False, at=exchange(3))], 2, OPEN),
        ([author(present=False)], 2, GONE),
    ],
)
def test_a_job_runs_at_some_time_so_that_only_what_has_not_changed_since_is_certain(records, since, expected):
    """`since` is the request that became the job."""
    assert expected_outcome(state(*records), effect("authors", "update", ANN, NEW), since=since)[:2] == expected


@pytest.mark.parametrize(("since", "expected"), [(None, DONE), (2, OPEN)], ids=["at once", "by a job"])
def test_what_a_record_had_may_still_be_taken_while_a_job_runs(since, expected):
    """A value that is free now may have been in use when the job's item ran."""
    model = state(author(BOB, members={"mail": "b00000-m"}), author(BOB, present=False, members={"mail": "b00000-m"}))
    assert (
        expected_outcome(model, effect("authors", "create", ANN, {**NEW, "mail": "b00000-m"}), since=since)[:2]
        == expected
    )


@pytest.mark.parametrize(
    ("members", "is_only"), [({"name": 7}, True), ({"name": 7, "mail": 7}, False), ({"name": 7, "pets": 1}, False)]
)
def test_the_only_reason_is_told_from_one_of_several(members, is_only):
    """Of several faults of an item, any may be reported."""
    assert expected_outcome(state(author()), effect("authors", "update", ANN, members)).is_only_reason is is_only


def test_a_value_of_a_record_under_an_unknown_key_may_be_in_use():
    """A creation that may have happened keeps its names taken until its record is seen."""
    model = state()
    model.add_pending(place("authors"), {"mail": "b00000-m"})
    creation = effect("authors", "create", ANN, {**NEW, "mail": "b00000-m"})
    assert expected_outcome(model, creation).result == "open"
    model.remove_pending(place("authors"), {"mail": "b00000-m"})
    assert expected_outcome(model, creation).result == "done"


def applied(model, intended, key=ABSENT, **more):
    """Apply an effect, and return what is then known of its record."""
    apply_effect(model, intended, key=key, by="put", at=exchange(5), **more)
    named = intended.key if intended.key is not ABSENT else key
    return model.find(intended.where, named)


def known(entry):
    return None if entry is None else (entry.present, dict(entry.members), entry.version)


APPLIED = [
    (
        "a new record has what was written, and the defaults",
        [],
        effect("books", "create", ABSENT, BOOK),
        9,
        (True, {"copies": 1, **BOOK}, None),
    ),
    (
        "a default is not for what was written",
        [],
        effect("books", "create", ABSENT, {**BOOK, "copies": 4}),
        9,
        (True, {**BOOK, "copies": 4}, None),
    ),
    (
        "a change keeps the others and counts",
        [book(members=BOOK, version=3)],
        effect("books", "update", 7, {"year": 1}),
        7,
        (True, {**BOOK, "year": 1}, 4),
    ),
    (
        "a write of what is there may be no change",
        [book(members=BOOK, version=3)],
        effect("books", "update", 7, {"year": 1815}),
        7,
        (True, BOOK, None),
    ),
    (
        "nor may one of what is not known to be there",
        [book(members={}, version=3)],
        effect("books", "update", 7, {"year": 1815}),
        7,
        (True, {"year": 1815}, None),
    ),
    (
        "a replacement by the same, with the defaults, may be no change",
        [book(members={**BOOK, "copies": 1}, version=3)],
        effect("books", "replace", 7, BOOK),
        7,
        (True, BOOK, None),
    ),
    (
        "what is stored in its normal form may be no change",
        [box(members={"label": "x"}, version=3)],
        effect("boxes", "update", 5, {"label": " x "}),
        5,
        (True, {"label": " x "}, None),
    ),
    (
        "a change of one without a known version",
        [book(members=BOOK)],
        effect("books", "update", 7, {"year": 1}),
        7,
        (True, {**BOOK, "year": 1}, None),
    ),
    (
        "an opaque version becomes unknown",
        [ticket(members={"seat": "1"}, version=70)],
        effect("tickets", "upsert", "b00000-t", {"seat": "2"}),
        ABSENT,
        (True, {"seat": "2"}, None),
    ),
    (
        "a replacement keeps nothing",
        [book(members=BOOK, version=3)],
        effect("books", "replace", 7, {"isbn": "b00000-2"}),
        7,
        (True, {"isbn": "b00000-2"}, 4),
    ),
    ("a deletion", [book(members=BOOK, version=3)], effect("books", "delete", 7), ABSENT, (False, BOOK, 3)),
    ("a deletion of what is not known", [], effect("authors", "delete", "austen"), ABSENT, (False, {}, None)),
    (
        "a write of what may be there",
        [author(present=None)],
        effect("authors", "upsert", ANN, NEW),
        ABSENT,
        (None, {}, None),
    ),
    (
        "an effect that cannot be read",
        [author(members=NEW)],
        effect("authors", "update", ANN, None),
        ABSENT,
        (None, {}, None),
    ),
    (
        "a lookup is stored as something else",
        [book(members=BOOK)],
        effect("books", "update", 7, {"author": {"isbn": "x"}}),
        7,
        (True, BOOK, None),
    ),
    (
        "a card that comes back has what was written",
        [card(present=False, existed=True, members={"holder": "a"}, version=2)],
        effect("cards", "upsert", "b00000-c", {"holder": "b", "gone": False}),
        ABSENT,
        (True, {"holder": "b", "gone": False}, None),
    ),
    (
        "without its tombstone it may not come back",
        [card(present=False, existed=True)],
        effect("cards", "upsert", "b00000-c", {"holder": "b"}),
        ABSENT,
        (None, {"holder": "b"}, None),
    ),
]


@pytest.mark.parametrize(
    ("records", "intended", "key", "expected"), [row[1:] for row in APPLIED], ids=[row[0] for row in APPLIED]
)
def test_what_is_known_after_an_effect(records, intended, key, expected):
    """Presence, members and version follow from what was carried out, and from nothing else."""
    assert known(applied(state(*records), intended, key)) == expected


def test_a_reported_version_is_the_record_s():
    """What the response says goes before what was counted."""
    change = effect("books", "update", 7, {"year": 1})
    assert applied(state(book(version=3)), change, 7, version=9).version == 9


def test_a_new_record_begins_with_the_version_that_others_began_with():
    """It is learned from the first record that was seen."""
    assert applied(state(first_versions={"books": 1}), effect("books", "create", ABSENT, BOOK), 9).version == 1


def test_a_created_record_without_a_key_leaves_its_names_pending():
    """Its record exists under a key that nobody has told."""
    model = state()
    apply_effect(model, effect("books", "create", ABSENT, BOOK), key=ABSENT, by="put", at=exchange())
    assert model.is_pending("b00000-1")
    assert list(model.entries(place("books"))) == []


def test_a_write_by_a_lookup_may_have_changed_any_record():
    """What it named is known only while it is certain which record that is; it may also have made one."""
    model = state(book(7, members=BOOK, version=1), book(8, members=BOOK, version=1))
    apply_effect(model, effect("books", "upsert", {"isbn": "b00000-1"}, {}), key=ABSENT, by="put", at=exchange())
    assert [one.present for one in model.entries(place("books"))] == [None, None]


def test_what_was_forbidden_is_permitted_once_it_is_written():
    """A name of a refused request may be used by a later one."""
    model = state()
    model.forbidden["b00000-1"] = exchange()
    apply_effect(model, effect("books", "create", ABSENT, BOOK), key=9, by="put", at=exchange())
    assert model.forbidden == {}


def test_previous_values_are_kept_until_the_next_read():
    """A member that cannot be changed shows one of them."""
    model = state(book(members=BOOK))
    applied(model, effect("books", "update", 7, {"year": 1}), 7)
    after = applied(model, effect("books", "update", 7, {"year": 2}), 7)
    assert after.before == {"year": PreviousValues((1815, 1), "put")}


def test_a_record_that_comes_back_may_have_kept_what_it_had():
    """Of a member that it was not known to have, any value."""
    gone = card(present=False, existed=True, members={"holder": "a"})
    after = applied(state(gone), effect("cards", "upsert", "b00000-c", {"holder": "b", "colour": "red", "gone": False}))
    assert after.before["holder"] == PreviousValues(("a",), REVIVAL)
    assert after.before["colour"] == PreviousValues((ANY_VALUE,), REVIVAL)


def test_a_card_that_was_deleted_was_there_whatever_was_known_of_it():
    """What is written to it is no new record, and gets no defaults."""
    model = state()
    applied(model, effect("cards", "delete", "others"))
    after = applied(model, effect("cards", "upsert", "others", {"holder": "b", "gone": False}))
    assert after.existed
    assert not after.fresh
    assert not after.unset


def test_a_change_of_a_member_that_nobody_knew_may_have_kept_any_value():
    """What a record that came back has of the members that were not written is not known, and may not be changeable."""
    back = card(members={"holder": "b"})
    after = applied(state(back), effect("cards", "upsert", "b00000-c", {"colour": "red", "gone": False}))
    assert after.before["colour"] == PreviousValues((ANY_VALUE,), "put")
    fresh = card(members={"holder": "b"}, unset=True)
    after = applied(state(fresh), effect("cards", "upsert", "b00000-c", {"colour": "red", "gone": False}))
    assert after.before["colour"] == PreviousValues((None,), "put")


def test_an_effect_in_one_data_set_may_be_one_in_another_that_may_be_the_same():
    """Which tenant is meant where none is named, nobody can say."""
    model = state(author(scope="a/x", members=NEW))
    applied(model, effect("authors", "delete", ANN, scope="a/"))
    assert model.find(place("authors", "a/x"), ANN).present is None
    assert TYPES["authors"].resource.restrict

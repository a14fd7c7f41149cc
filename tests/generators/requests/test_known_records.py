"""Fresh values of what leaves little room are counted; where even that has no room, the names say so."""

from itertools import count

import pytest

from contracts.schemas.schema_set import SchemaSet
from generators.requests.known_records import FIRST_DRAWN, FIRST_NUMBER, Names

ROOMS = {
    "a code": {"type": "string", "minLength": 1, "maxLength": 10},
    "a short code": {"type": "string", "maxLength": 6},
    "capitals": {"type": "string", "pattern": "^[A-Z0-9]{8}$"},
    "digits": {"type": "string", "pattern": "^[0-9]{5}$"},
    "a number": {"type": "integer", "minimum": 1, "maximum": 99_999},
}


def trials(size=30):
    """Return the names of some trials of one run."""
    serial = count()
    return [Names(prefix=f"Babcde{n}n", number=FIRST_NUMBER + n, run="Babcde", serial=serial) for n in range(size)]


@pytest.mark.parametrize("room", ROOMS)
def test_short_values_of_a_run_are_different(room):
    """In one trial and in others; each is valid, and the same text in an error has the slot's name in its place."""
    schema, found = SchemaSet({"": ROOMS[room]}).schema("#"), []
    for names in trials():
        values = [names.fresh_value(schema, f"{n:05}") for n in range(50)]
        assert not names.is_scarce
        assert all(schema.is_valid(value) for value in values)
        is_found = not isinstance(values[7], int) or values[7] >= FIRST_DRAWN  # smaller ones may stand for other things
        assert names.normalise(f"{values[7]} is taken") == ("~00007" if is_found else f"{values[7]}") + " is taken"
        found += values
    assert len({*found}) == len(found)


def test_values_that_have_no_room_are_scarce():
    """They are drawn, and those of two trials may be the same."""
    names = trials(1)[0]
    names.fresh_value(SchemaSet({"": {"type": "string", "maxLength": 3}}).schema("#"), "n0")
    assert names.is_scarce

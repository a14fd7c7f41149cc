"""Delta debugging: what is left shows it, needs every element, and stands in the order in which it stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.data.shrink import ddmin, least, shortest_suffix, simplest_scalar

numbers = st.lists(st.integers(0, 40), unique=True, max_size=40)


def subset_of(parts):
    return st.sets(st.sampled_from(parts)) if parts else st.just(set())


needs = numbers.flatmap(lambda parts: st.tuples(st.just(parts), subset_of(parts)))


@given(needs)
def test_what_is_needed_is_what_is_left(case):
    """When some elements are needed and nothing else matters, exactly these are left, in order."""
    parts, needed = case
    assert ddmin(parts, lambda some: needed <= set(some)) == [one for one in parts if one in needed]


@given(numbers, st.randoms(use_true_random=False))
def test_no_element_can_be_taken_from_the_result(parts, rng):
    """Whatever it hangs on, the result shows it, is a part in order, and without any one element it does not show."""
    verdicts = {}

    def shows(some):
        whole = len(some) == len(parts)
        return verdicts.setdefault(tuple(some), whole or rng.random() < 0.3)

    kept = ddmin(parts, shows)
    assert shows(kept)
    assert kept == [one for one in parts if one in set(kept)]
    if len(kept) > 1:
        assert not any(shows(kept[:n] + kept[n + 1 :]) for n in range(len(kept)))
    if len(kept) == 1:
        assert not shows([])


@given(numbers, st.integers(1, 5))
def test_as_many_are_kept_as_there_must_be(parts, least):
    """Fewer elements than the least are never tried."""
    tried = []
    kept = ddmin(parts, lambda some: tried.append(len(some)) or True, least=least)
    assert len(kept) == min(least, len(parts))
    assert all(size >= least for size in tried)


@given(st.integers(0, 400), st.integers(0, 399))
def test_few_tries_suffice_for_one_needed_element(size, at):
    """One of n elements is singled out in some 4 log n tries."""
    tries = []
    ddmin(range(size), lambda some: tries.append(1) or at in some)
    assert len(tries) <= 4 * max(size, 1).bit_length() + 2 or at >= size


@given(numbers, st.integers(1, 50))
def test_the_shortest_tail_is_an_end_that_shows_it(parts, needed):
    """The result is an end of the parts; half as long an end would not do."""
    tail = list(shortest_suffix(parts, lambda some: len(some) >= needed))
    assert tail == parts[len(parts) - len(tail) :]
    assert len(tail) >= min(needed, len(parts))
    assert len(tail) < 2 * needed or len(tail) <= 1


@given(st.integers(-1, 1000), st.integers(1, 10**18))
def test_the_least_number_is_found_by_halves(low, more):
    """Of numbers that all show it from one on, that one is found, in as many tries as it has bits."""
    tries = []
    first = low + max(1, more // 3)
    assert least(low, low + more, lambda one: tries.append(one) or one >= first) == first
    assert len(tries) <= more.bit_length() + 1


SIMPLEST = [
    (973.55, lambda one: one > 10, 11),
    (973, lambda one: one > 10, 11),
    (-973.5, lambda one: one < -10, -11),
    (736.33, lambda one: one != int(one), 0.5),
    (736.33, lambda one: one != int(one) and one > 10, 10.5),
    (0.07, lambda one: round(one, 1) != one, 0.07),
    (3.0, lambda _: True, 0),
    (2**53 + 7, lambda one: one > 2**53, 2**53 + 1),
    (1e-300, lambda one: 0 < one < 1, 1e-300),
    ("abcdefghijklmnopqrstuvwxyz", lambda one: len(one) >= 5, "xxxxx"),
    ("some words and then é among others", lambda one: "é" in one, "é"),
    ("one \n two", lambda one: "\n" in one and len(one) >= 3, "xx\n"),
    ("  padded  ", lambda one: one != one.strip(), " "),
    ("anything", lambda _: True, ""),
    ("north", lambda one: one == "north", "north"),
    ("3600", lambda one: one.isdecimal() and int(one) >= 60, "60"),
    ("2031-05-06T07:08:09Z", lambda one: "T" in one, "2000-01-01T00:00:00Z"),
    ("2031-05-06", lambda one: one > "2020", "2031-05-06"),
    (True, lambda _: True, True),
    (None, lambda _: True, None),
]


@pytest.mark.parametrize(("value", "shows", "simplest"), SIMPLEST, ids=lambda one: repr(one)[:20])
def test_numbers_and_texts_get_simple(value, shows, simplest):
    """What is left shows it and is the shortest, plainest value that does; some dozens of tries suffice."""
    tries = []
    found = simplest_scalar(value, lambda one: tries.append(one) or shows(one))
    assert (found, type(found)) == (simplest, type(simplest))
    assert len(tries) <= 64


@given(
    st.text(max_size=12) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.randoms(use_true_random=False),
)
def test_the_simplest_value_was_tried_or_is_the_first(value, rng):
    """Whatever shows it, the result does, and is of the kind of the value."""
    verdicts = {}
    found = simplest_scalar(value, lambda one: verdicts.setdefault(repr(one), rng.random() < 0.4))
    assert found == value or verdicts[repr(found)]
    assert isinstance(found, str) == isinstance(value, str)

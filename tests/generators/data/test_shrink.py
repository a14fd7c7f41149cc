"""Delta debugging: what is left shows it, needs every element, and stands in the order in which it stood."""

from hypothesis import given
from hypothesis import strategies as st

from generators.data.shrink import ddmin, shortest_suffix

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

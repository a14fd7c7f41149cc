"""What makes two violations one finding: law, operation, and a shape that names the member and the error codes."""

import pytest

from generators.oracles.findings import Finding, general_shape, is_accepted, member_at, shape_at

SHAPES = [
    (("reads otherwise",), "reads otherwise"),
    (("reads otherwise", "/price"), "reads otherwise at /price"),
    (("reads otherwise", "/unit price"), "reads otherwise at /unitprice"),
    (("good create fails", "", "E-17"), "good create fails with code E-17"),
    (("good create fails", "", 4711), "good create fails with code 4711"),
    (("good create fails", "", "https://example.com/problems/out-of-stock"), None),
    (("good create fails", "", "The name b00000-17 is taken."), "good create fails"),
    (("good create fails", "", "b000007c6ac36ee8-1"), "good create fails"),
    (("good create fails", "", {"code": "E-17"}), "good create fails"),
    (("good create fails", "", True), "good create fails"),
    (("another error", "", "E17", "E18"), "another error with code E17 for E18"),
    (("another error", "", None, "TAKEN"), "another error with code none for TAKEN"),
]


@pytest.mark.parametrize(("given", "told"), SHAPES)
def test_a_shape_names_the_member_and_codes_and_no_values(given, told):
    """A sentence, which may quote a generated name, is no code; what was added can be taken away again."""
    shape = shape_at(*given)
    assert shape == (told or f"{given[0]} with code {given[2]}")
    assert general_shape(shape) == given[0]
    assert bool(member_at(shape)) == (len(given) > 1 and bool(given[1]))


@pytest.mark.parametrize(
    "shape",
    ["failed is wrong at the end", "200 body /a/b type", "status 500", "too many refused with 409", "done for failed"],
)
def test_other_shapes_are_general_already(shape):
    """Words that look alike are no member and no code."""
    assert (general_shape(shape), member_at(shape)) == (shape, "")


def test_a_baseline_accepts_a_member_and_an_older_one_every_member():
    """What is known of one member says nothing of another; an entry without a member means what it always meant."""
    price, starts = (Finding(law="read-back", operation="x", shape=shape_at("s", at), says="") for at in ("/p", "/s"))
    older = Finding(law="read-back", operation="x", shape="s", says="")
    assert len({price.fingerprint, starts.fingerprint, older.fingerprint}) == 3
    for known, one, accepted in [(price, price, True), (price, starts, False), (older, price, True)]:
        assert is_accepted({known.fingerprint}, one.law, one.operation, one.shape) is accepted
    assert not is_accepted({price.fingerprint}, older.law, older.operation, older.shape)
    assert not is_accepted({older.fingerprint}, "model", older.operation, older.shape)

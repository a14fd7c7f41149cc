"""HTTP responses in the parts of a multipart body: what is written is read back, and nothing raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.exchange.item_text import BOUNDARY, read_response_parts, write_response_parts

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)
NAMES = st.from_regex("[A-Za-z]{1,6}", fullmatch=True)
VALUES = st.one_of(st.integers(-9, 9), TEXT, st.lists(TEXT, max_size=2))
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from([200, 201, 204, 400, 404, 424, 500, 599]), "headers": st.just({"X-A": "b c"})},
        optional={
            "id": st.from_regex("[a-z0-9 +.-]{0,3}[a-z0-9]", fullmatch=True).map(str.strip),
            "body": st.dictionaries(NAMES, VALUES),
        },
    ),
    max_size=4,
)


@given(ENTRIES)
def test_what_is_written_is_read_back(entries):
    """Identity, status, header fields and JSON of each response, in their order."""
    found = read_response_parts(*write_response_parts(entries))
    assert found is not None
    own = [{**one, "headers": {"X-A": one["headers"]["X-A"]}} for one in found]
    assert own == entries


def test_a_body_that_has_the_boundary_has_another_one():
    """No part ends in another one's text."""
    entries = [{"status": 200, "headers": {"Content-Type": "text/plain"}, "body": f"a\r\n--{BOUNDARY}--"}]
    (found,) = read_response_parts(*write_response_parts(entries))
    assert BOUNDARY in found["body"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--x--"),
        ("multipart/mixed; boundary=x", b"--x"),
        ("multipart/mixed; boundary=x", b"--x\nContent-Type: text/plain\n\na\n--x--"),
        ("multipart/mixed; boundary=x", b"--x\nContent-Type: application/http\n\nGET / HTTP/1.1\n\n--x--"),
        ("multipart/mixed; boundary=x", b"--x\nContent-Type: application/http\n\n\n--x--"),
    ],
)
def test_other_parts_are_no_responses(content_type, body):
    """They are not read, and not an error."""
    assert read_response_parts(content_type, body) is None

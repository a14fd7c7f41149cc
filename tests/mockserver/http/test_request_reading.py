"""Request targets: what a path prefix, escapes and a query come to."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.http.request_reading import read_target


@pytest.mark.parametrize(
    ("raw", "sandbox", "path", "query"),
    [
        ("/genero/api", None, "/genero/api", ()),
        ("/@a.b-c_1/genero/api?x=1", "a.b-c_1", "/genero/api", (("x", "1"),)),
        ("/@a", "a", "/", ()),
        ("/@/genero", "", "/genero", ()),
        (
            "http://localhost:8080/genero?x=a+b&y=%2B&z&=1",
            None,
            "/genero",
            (("x", "a b"), ("y", "+"), ("z", ""), ("", "1")),
        ),
        ("HTTP://host", None, "/", ()),
        ("http://host?x=1", None, "/", (("x", "1"),)),
        ("/a#fragment?no", None, "/a", ()),
        ("/a?x=1&x=2", None, "/a", (("x", "1"), ("x", "2"))),
        ("/a/%00?y=%00", None, "/a/%00", (("y", "\0"),)),
    ],
)
def test_a_target_is_taken_apart(raw, sandbox, path, query):
    """Prefix, path and query are told apart; the path stays encoded, the query is decoded."""
    assert read_target(raw) == (sandbox, path, query, "")


@pytest.mark.parametrize(
    "raw",
    [
        "*",
        "host:80",
        "",
        "ftp://x/y",
        "/a%",
        "/a%g1",
        "/a?x=%zz",
        "/%ff",
        "/a?x=%C3",
        "/\udcff",
        "/ä",
        "/a?ö",
        "/@a/%e4",
    ],
)
def test_a_target_that_cannot_be_read_says_so(raw):
    """What is no path, no escape or no UTF-8 is a fault in words, never an exception."""
    target = read_target(raw)
    assert target.fault.endswith((".", "%25."))
    assert target.query == ()


@given(st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_what_a_client_encodes_is_decoded(path, query):
    """Every text survives the way through an encoded path and query."""
    target = read_target(f"/x/{quote(path, safe='', errors='ignore')}?{urlencode(query, errors='ignore')}")
    kept = tuple(
        (name.encode(errors="ignore").decode(), value.encode(errors="ignore").decode()) for name, value in query
    )
    assert (target.fault, target.query) == ("", kept)


@given(st.text())
def test_no_target_breaks_the_reader(raw):
    """Whatever stands in a request line, there is an answer."""
    target = read_target(raw)
    assert target.path.startswith("/")
    assert target.path.isascii()

"""Text that nearly fits: words beside those that are allowed, and formats broken in the ways that people break them."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

BROKEN_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "uuid": ("00000000-0000-4000-8000-00000000000g", "00000000-0000-4000-8000-00000000000", "not-a-uuid"),
    "date": ("2024-02-30", "2024-13-01", "24-01-31", "31.01.2024"),
    "time": ("25:00:00Z", "08:61:00Z", "08:30", "8.30"),
    "date-time": (
        "2024-02-30T08:30:00Z",
        "2024-01-31T25:00:00Z",
        "2024-01-31 08.30",
        "2024-01-31",
        "2024-01-31T08:30:00",
    ),
    "duration": ("PT", "1D", "P1H", "P1DT"),
    "email": ("nobody", "@example.com", "nobody@", "no body@example.com", "nobody@example..com"),
    "idn-email": ("nobody", "@example.com", "nobody@"),
    "hostname": ("-a.example.com", "a..example.com", "a_b.example.com", "a.example.com-", f"{'a' * 64}.example.com"),
    "idn-hostname": ("-a.example.com", "a..example.com"),
    "ipv4": ("256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4"),
    "ipv6": ("1::2::3", "12345::", ":::", "1:2:3:4:5:6:7:8:9"),
    "uri": ("example.com/path", "http://exa mple.com", "/path", "://example.com"),
    "uri-reference": ("/a b", "\\path", "http://[::1"),
    "iri": ("/path", "http://exa mple.com"),
    "iri-reference": ("/a b", "\\path"),
    "uri-template": ("/a/{b", "/a/{}b}"),
    "json-pointer": ("a/b", "/a/~2", "/~"),
    "relative-json-pointer": ("/a", "-1/a", "01/a"),
    "regex": ("(", "[a", "a{2,1}", "*"),
}


def respelled(text: str, rng: Random) -> Iterator[str]:
    """Yield text with one character changed, added or dropped, at a place drawn once."""
    at = int(rng.random() * len(text)) if text else 0
    for sign in ("#", " ", "é", "!", "0", "a", "A", "-"):
        if text:
            yield f"{text[:at]}{sign}{text[at + 1 :]}"
        yield f"{text[:at]}{sign}{text[at:]}"
        yield f"{sign}{text}"
        yield f"{text}{sign}"
    if text:
        yield f"{text[:at]}{text[at + 1 :]}"
        yield text.swapcase()


def near_words(value: object) -> Iterator[object]:
    """Yield values of the same type beside a given one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (value.swapcase(), f"{value}x", f" {value}", value[:-1], "")
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, -value, value + 0.5)
    elif isinstance(value, list):
        yield from ([*value, None], value[1:], [])
    elif isinstance(value, dict):
        yield from ({**value, "unexpected": None}, {})
    else:
        yield from (0, "", False)

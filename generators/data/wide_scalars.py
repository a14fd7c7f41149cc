"""Scalars of the profiles `fuzz` and `wide`: numbers of every magnitude and sign, texts of many scripts, all spellings.

Begin with `wide_whole`, `wide_number` and `wide_text`. Sizes are log-uniform: each power of two is as likely. What
RFC 7493 (I-JSON) excludes, lone surrogates and noncharacters, is never drawn, nor is U+0000, which many stores refuse.
"""

import struct
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import cache
from itertools import chain
from math import ceil, floor, inf
from random import Random
from string import ascii_letters, digits
from typing import Final, TypeAlias

from generators.data.formats import time, uuid, word

TextDraw: TypeAlias = Callable[[Random], str]
NumberDraw: TypeAlias = Callable[[Random], float]


def log_size(rng: Random, most: int) -> int:
    """Return a number from 0 to `most`, each power of two as likely as any other."""
    bits = int(rng.random() * (most.bit_length() + 1))
    size = rng.getrandbits(bits) | 1 << (bits - 1) if bits else 0
    return size if size <= most else rng.randrange(most + 1)


FORMAT_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    "double-int": (-(2**53) + 1, 2**53 - 1),
}
"""The least and the greatest integer of each `format` (OpenAPI Format Registry)."""
INTEROPERABLE: Final = FORMAT_BOUNDS["double-int"]  # RFC 7493, section 2.2
POWERS_OF_TWO: Final = (7, 8, 15, 16, 31, 32, 53, 63, 64)
LANDMARKS: Final = tuple(
    sorted({0, 1, *(10**n for n in (1, 2, 3, 6, 9)), *(2**bits + by for bits in POWERS_OF_TWO for by in (-1, 0, 1))})
)
"""Whole numbers at which implementations change their behaviour; the negative ones too."""
UNIFORM_SHARE: Final = 0.2  # share of numbers that are spread evenly


def wide_whole(first: int, last: int, step: Fraction, edges: float) -> Callable[[Random], int]:
    """Return a function that draws n from `first` to `last`, of either sign, the magnitude of n log-uniform.

    With probability `edges` n is at an end, or n times `step` is near a landmark.
    """
    near = {floor(sign * mark / step) + by for mark in LANDMARKS for sign in (-1, 1) for by in (0, 1)}
    marks = sorted({n for n in near if first <= n <= last} | {min(first + 1, last), max(last - 1, first)})
    marks += [first, last] * (len(marks) // 4 + 1)
    origin = min(max(0, first), last)
    below, above = origin - first, last - origin

    def draw(rng: Random) -> int:
        r = rng.random()
        if r < edges:
            return marks[int(r / edges * len(marks))]
        if r > 1 - UNIFORM_SHARE:
            return rng.randrange(first, last + 1)
        if below and (not above or rng.random() < 1 / 2):
            return origin - log_size(rng, below)
        return origin + log_size(rng, above)

    return draw


MAX_DECIMALS: Final = 4
OPEN_MAGNITUDE: Final = 10**11  # of numbers without bounds: with their decimals they have at most 15 digits
FLOAT_BOUNDS: Final[Mapping[str, float]] = {"float": 3.4028234663852886e38, "double": 1.7976931348623157e308}
FLOAT_LANDMARKS: Final[Mapping[str, tuple[float, ...]]] = {
    "float": (2.0**-126, 16777217.0, FLOAT_BOUNDS["float"]),
    "double": (2.0**-1022, 5e-324, 2.0**53, 0.1 + 0.2, FLOAT_BOUNDS["double"]),
}


def wide_number(low: float, high: float, form: str, edges: float) -> NumberDraw | None:
    """Return a function that draws numbers within bounds, with up to 4 decimals; infinite bounds are open ones.

    None where the bounds have no room for decimals. `form` is the `format`: `float` and `double` have landmarks.
    """
    least, most = max(low, -OPEN_MAGNITUDE) if high > -OPEN_MAGNITUDE else low, high
    most = min(most, OPEN_MAGNITUDE) if least < OPEN_MAGNITUDE else most
    if inf in (abs(least), abs(most)):
        return None
    grids: list[tuple[int, Callable[[Random], int]]] = []
    for scale in (10**n for n in range(MAX_DECIMALS + 1)):
        first, last = ceil(Fraction(least) * scale), floor(Fraction(most) * scale)
        if first < last:
            grids.append((scale, wide_whole(first, last, Fraction(1, scale), edges)))
    marks = [value for mark in FLOAT_LANDMARKS.get(form, ()) for value in (mark, -mark) if low <= value <= high]

    def draw(rng: Random) -> float:
        if marks and rng.random() < edges:
            return marks[int(rng.random() * len(marks))]
        scale, grid = grids[int(rng.random() * len(grids))]
        n = grid(rng)
        value = n if scale == 1 else n / scale
        return _single(value) if form == "float" else value

    return draw if grids else None


def _single(value: float) -> float:
    """Return the nearest number of single precision."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


SOURCE_SIZE: Final = 4096
SOURCE_SEED: Final = 7
PLAIN_CHARS: Final = ascii_letters + digits


def _range(*ends: int) -> str:
    """Return the characters of ranges, each given by its first and its last."""
    return "".join(
        chr(code) for first, last in zip(ends[::2], ends[1::2], strict=True) for code in range(first, last + 1)
    )


ALPHABETS: Final[Sequence[tuple[int, Sequence[str]]]] = (
    (8, PLAIN_CHARS),
    (4, _range(0x20, 0x7E)),
    (2, _range(0xA1, 0xAC, 0xAE, 0xFF) + ascii_letters),  # Latin-1
    (1, _range(0x100, 0x17F) + "\u1e9e\u01c6\ufb01\u212b\u2126\u0345"),  # letters that change length with their case
    (1, _range(0x391, 0x3A1, 0x3A3, 0x3C9, 0x410, 0x44F)),  # Greek, Cyrillic
    (1, _range(0x5D0, 0x5EA, 0x627, 0x63A, 0x660, 0x669) + " \u200f"),  # right to left
    (1, _range(0x4E00, 0x4E7F, 0x3041, 0x3096, 0xAC00, 0xAC3F)),  # East Asian
    (1, ("e\u0301", "\xe9", "n\u0303", "\xf1", "A\u030a", "\u212b", "\u1ec7", "e\u0323\u0302", "\u1100\u1161")),  # NFD
    (1, _range(0x905, 0x939, 0x93E, 0x94D, 0xE01, 0xE2E, 0xE34, 0xE3A)),  # vowel signs
    (1, _range(0x1F600, 0x1F64F, 0x1D400, 0x1D433, 0x20000, 0x2003F)),  # two UTF-16 units each
    (
        1,
        ("\U0001f44d\U0001f3fd", "\U0001f469\u200d\U0001f4bb", "\U0001f1e8\U0001f1ed", "\u2764\ufe0f", "1\ufe0f\u20e3"),
    ),
    (1, f" \t\n\r\xa0\u2003\u2028\u2029\u200b\u3000\ufeff{ascii_letters}"),  # white space
    (1, _range(0x01, 0x1F) + f"\x7f\x85\xad{PLAIN_CHARS}"),  # control characters
    (1, ("'", '"', "\\", "/", "<", ">", "&", "%41", "${a}", "{{a}}", ";--", "\\u0041", "\\n", ",", "|", "`", "=1+1")),
)
"""Weights and alphabets: characters, or texts of several."""


@cache
def _sources() -> tuple[str, ...]:
    """Return a source of text for each alphabet, as often as its weight says."""
    rng = Random(SOURCE_SEED)
    made = ((weight, "".join(rng.choices(alphabet, k=SOURCE_SIZE))[:SOURCE_SIZE]) for weight, alphabet in ALPHABETS)
    return tuple(chain.from_iterable((text,) * weight for weight, text in made))


USUAL_TEXT: Final = 255  # characters of a text whose length is not limited


def wide_text(least: int, most: int) -> TextDraw:
    """Return a function that draws texts of many alphabets, their lengths log-uniform."""
    sources = _sources()
    span = max(0, min(most, max(USUAL_TEXT, 2 * least)) - least)
    count = len(sources)

    def draw(rng: Random) -> str:
        source = sources[int(rng.random() * count)]
        length = least + (log_size(rng, span) or least == 0 < span)
        start = int(rng.random() * (SOURCE_SIZE - 1))
        text = source[start : start + length]
        while len(text) < length:
            text += source[: length - len(text)]
        return text

    return draw


REGEX_CHARS: Final = _range(0xC0, 0xD6, 0xF8, 0xFF, 0x391, 0x3A1, 0x5D0, 0x5EA, 0x4E00, 0x4E0F)
"""Characters of wide patterns: letters of one UTF-16 unit, about which the dialects of regular expressions agree."""
OFFSETS: Final = ("Z", "Z", "+00:00", "+01:00", "-05:00", "+05:30", "+05:45", "-09:30", "+14:00", "-12:00")
FRACTIONS: Final = (0, 0, 0, 1, 2, 3, 3)  # digits; finer ones are lost where milliseconds are kept
NOTED_DAYS: Final = (
    *("0001-01-02", "1752-12-31", "1900-01-01", "1969-12-31", "1970-01-01", "1999-12-31", "2000-02-29", "2001-09-09"),
    *("2024-02-29", "2024-12-31", "2027-01-03", "2038-01-19", "2038-01-20", "2100-02-28", "2106-02-07", "9999-12-30"),
)
NOTED_TIMES: Final = ("00:00:00", "23:59:59", "12:00:00", "03:14:07", "02:30:00")
FIRST_WIDE_DAY: Final = date(1900, 1, 1).toordinal()
WIDE_DAYS: Final = date(2101, 1, 1).toordinal() - FIRST_WIDE_DAY
NOTED_SHARE: Final = 0.2


def _one_of(texts: Sequence[str]) -> TextDraw:
    return lambda rng: texts[int(rng.random() * len(texts))]


def wide_day(rng: Random) -> str:
    """Return a date of the years 1900 to 2100, sometimes one that implementations stumble over."""
    if rng.random() < NOTED_SHARE:
        return NOTED_DAYS[int(rng.random() * len(NOTED_DAYS))]
    return date.fromordinal(FIRST_WIDE_DAY + int(rng.random() * WIDE_DAYS)).isoformat()


def wide_time(rng: Random) -> str:
    """Return a time of day with an offset, and sometimes a fraction of up to three digits (RFC 3339)."""
    count = FRACTIONS[int(rng.random() * len(FRACTIONS))]
    fraction = f".{int(rng.random() * 10**count):0{count}}" if count else ""
    clock = NOTED_TIMES[int(rng.random() * len(NOTED_TIMES))] if rng.random() < NOTED_SHARE else time(rng)[:-1]
    return f"{clock}{fraction}{OFFSETS[int(rng.random() * len(OFFSETS))]}"


def _uuid(rng: Random) -> str:
    """Return a UUID of version 1, 4 or 7 (RFC 9562), sometimes in upper case."""
    text = uuid(rng)
    text = f"{text[:14]}{'147'[int(rng.random() * 3)]}{text[15:]}"
    return text.upper() if rng.random() < NOTED_SHARE else text


DURATIONS: Final = (
    *("P{}Y", "P{}M", "P{}W", "P{}D", "PT{}H", "PT{}M", "PT{}S", "P{}Y{}M", "P{}Y{}M{}D", "P{}M{}D"),
    *("PT{}H{}M", "PT{}H{}M{}S", "P{}DT{}H{}M", "PT0S", "P0D"),
)


def _filled(forms: Sequence[str], draw_word: TextDraw) -> TextDraw:
    """Return a function that draws one of the forms with words in its braces."""
    return lambda rng: forms[int(rng.random() * len(forms))].format(draw_word(rng), draw_word(rng), draw_word(rng))


def _count(rng: Random) -> str:
    return str(log_size(rng, 999))


def _label(rng: Random) -> str:
    """Return a label of a host name (RFC 1123), up to 63 characters."""
    middle = "".join(rng.choices(HOST_CHARS, k=log_size(rng, 61))).replace("--", "-0")
    return f"{HOST_CHARS[int(rng.random() * 36)]}{middle}{HOST_CHARS[int(rng.random() * 36)]}"


HOST_CHARS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-"
WIDE_FORMATS: Final[Mapping[str, TextDraw]] = {
    "uuid": _uuid,
    "date": wide_day,
    "time": wide_time,
    "date-time": lambda rng: f"{wide_day(rng)}T{wide_time(rng)}",
    "duration": _filled(DURATIONS, _count),
    "email": _filled(
        ("{}@example.com", "{}.{}@example.org", "{}+{}@{}.example.net", "o'{}@example.com", "{}_{}@example.com"), word
    ),
    "idn-email": _filled(("{}@example.com", "j\xf6rg.{}@example.org", "\u7528\u6237{}@example.com"), word),
    "hostname": _filled(("{}.example.com", "{}.{}.example.net", "{}.EXAMPLE.org"), _label),
    "idn-hostname": _filled(("{}.example.com", "b\xfccher{}.example.com", "\u4f8b{}.example.com"), word),
    "ipv4": _one_of(("10.0.0.0", "10.255.255.255", "192.168.0.1", "172.16.254.1", "198.51.100.99", "203.0.113.0")),
    "ipv6": _one_of(
        ("2001:db8::", "2001:db8::1", "2001:DB8:0:0:1::1", "fd00::1", "2001:db8:1:2:3:4:5:6", "::ffff:10.0.0.1")
    ),
    "uri": _filled(
        ("https://{}.example.com", "http://{}.example.com:8080/{}?q={}&x=", "https://example.com/{}%20{}#{}",
         "urn:example:{}", "mailto:{}@example.com", "HTTPS://example.com/a/../{}", "https://example.com/?a=%C3%A9;b={},{}"),
        word,
    ),
    "iri": _filled(
        ("https://example.com/\xe9{}", "http://b\xfccher.example/{}?\u7528={}", "https://example.com/{}#\xe4"), word
    ),
    "uri-reference": _filled(("/{}", "{}/{}", "../{}", "?{}={}", "#{}", "//example.com/{}", "./{}:{}"), word),
    "iri-reference": _filled(("/\xe9{}", "#\u7528{}", "?q=\xe4", "{}/\u05d0"), word),
    "uri-template": _filled(("/{}/{{id}}", "/{}{{?a,b*}}", "{{+path}}/{}", "/{{x:3}}{{#y}}", "/{}"), word),
    "json-pointer": _filled(("", "/", "/{}/0/-", "/~0{}~1", "/\xe9 {}", "//{}"), word),
    "relative-json-pointer": _filled(("0", "0#", "1/{}", "12/~0{}/0", "2/\xe9"), word),
    "regex": _filled(("^{}$", "{}|{}", "[a-z{}]+?", "({})\\d{{2,}}", "(?={}).", "\\.\\u00e9"), word),
    "byte": lambda rng: b64encode(rng.randbytes(1 + log_size(rng, 99))).decode(),
}  # fmt: skip
"""Strings of each format, in spellings that differ as much as the format allows."""

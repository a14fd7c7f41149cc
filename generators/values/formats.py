"""A plain value for each `format` of JSON Schema 2020-12."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import date
from random import Random
from typing import Final, TypeAlias

FormatDraw: TypeAlias = Callable[[Random], str]

FIRST_DAY: Final = date(2000, 1, 1).toordinal()
DAYS: Final = 366 * 36  # to the end of 2035 and a little
WORDS: Final = (
    "alder", "amber", "aspen", "birch", "cedar", "clover", "coral", "ember", "fern",
    "flint", "hazel", "heath", "indigo", "ivory", "jasper", "juniper", "lark", "linden",
    "maple", "moss", "oak", "olive", "onyx", "opal", "pearl", "pine", "quartz",
    "reed", "rowan", "russet", "sage", "slate", "sorrel", "thyme", "tulip", "willow",
)  # fmt: skip
ZONES: Final = ("com", "net", "org")


def _word(rng: Random) -> str:
    return WORDS[int(rng.random() * len(WORDS))]


def uuid(rng: Random) -> str:
    """Return a lower-case UUID of version 4."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(rng.random() * 4)]}{digits[17:20]}-{digits[20:]}"


def day(rng: Random) -> str:
    """Return a date of the years 2000 to 2035."""
    return date.fromordinal(FIRST_DAY + int(rng.random() * DAYS)).isoformat()


def time(rng: Random) -> str:
    """Return a time of day in UTC."""
    second = int(rng.random() * 86400)
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def _spelled_time(digits: int, zone: str) -> FormatDraw:
    """Return a time with so many fraction digits in a zone."""
    if not digits:
        return lambda rng: f"{time(rng)[:-1]}{zone}"
    return lambda rng: f"{time(rng)[:-1]}.{rng.randrange(10**digits):0{digits}}{zone}"


def _spelled_instant(of_day: FormatDraw) -> FormatDraw:
    return lambda rng: f"{day(rng)}T{of_day(rng)}"


def hostname(rng: Random) -> str:
    """Return a host name under a reserved example domain."""
    return f"{_word(rng)}-{int(rng.random() * 10000)}.example.{ZONES[int(rng.random() * 3)]}"


def email(rng: Random) -> str:
    """Return a mail address under a reserved example domain."""
    return f"{_word(rng)}.{_word(rng)}{int(rng.random() * 10000)}@example.{ZONES[int(rng.random() * 3)]}"


def ipv4(rng: Random) -> str:
    """Return an address of the private range 10/8."""
    bits = rng.getrandbits(24)
    return f"10.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def ipv6(rng: Random) -> str:
    """Return an address of the documentation range 2001:db8/32."""
    digits = f"{rng.getrandbits(96):024x}"
    return f"2001:db8:{':'.join(digits[n : n + 4] for n in range(0, 24, 4))}"


def duration(rng: Random) -> str:
    """Return an ISO 8601 duration below ten days."""
    bits = rng.getrandbits(20)
    return f"P{bits % 10}DT{(bits >> 4) % 24}H{(bits >> 10) % 60}M"


def path(rng: Random) -> str:
    """Return an absolute path of two words and a number."""
    return f"/{_word(rng)}/{_word(rng)}/{int(rng.random() * 10000)}"


FORMATS: Final[Mapping[str, FormatDraw]] = {
    "uuid": uuid,
    "date": day,
    "time": time,
    "date-time": lambda rng: f"{day(rng)}T{time(rng)}",
    "duration": duration,
    "email": email,
    "idn-email": email,
    "hostname": hostname,
    "idn-hostname": hostname,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "uri": lambda rng: f"https://{hostname(rng)}{path(rng)}",
    "iri": lambda rng: f"https://{hostname(rng)}{path(rng)}",
    "uri-reference": path,
    "iri-reference": path,
    "uri-template": lambda rng: f"{path(rng)}/{{id}}",
    "json-pointer": path,
    "relative-json-pointer": lambda rng: f"{int(rng.random() * 5)}/{_word(rng)}",
    "regex": lambda rng: f"^{_word(rng)}-[0-9]{{{1 + int(rng.random() * 9)}}}$",
    "byte": lambda rng: b64encode(rng.randbytes(3 * (1 + int(rng.random() * 8)))).decode(),
}
TIMES: Final = tuple(
    _spelled_time(digits, zone) for zone in ("Z", "+00:00", "+02:00") for digits in (0, 3, 6, 7, 9, 1, 2)
)
SPELLINGS: Final[Mapping[str, tuple[FormatDraw, ...]]] = {
    "time": TIMES,
    "date-time": tuple(map(_spelled_instant, TIMES)),
}
"""Other ways to write the same, for a schema whose pattern asks for one of them."""

ENCODED: Final = {"base64": "byte"}
"""`contentEncoding` and the format whose values are so encoded."""

"""Strings for each `format` of JSON Schema 2020-12, and realistic text by property name.

Begin with `FORMATS`, and `pool` for realistic text. Hosts and addresses are reserved for documentation and private use
(RFC 2606, RFC 3849, RFC 1918).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from operator import methodcaller
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from faker import Faker


FormatDraw: TypeAlias = Callable[[Random], str]

FIRST_DAY: Final = date(2000, 1, 1).toordinal()
DAY_SPAN: Final = 366 * 36  # days, to the end of 2035
WORDS: Final = (
    "alder", "amber", "aspen", "birch", "cedar", "clover", "coral", "ember", "fern",
    "flint", "hazel", "heath", "indigo", "ivory", "jasper", "juniper", "lark", "linden",
    "maple", "moss", "oak", "olive", "onyx", "opal", "pearl", "pine", "quartz",
    "reed", "rowan", "russet", "sage", "slate", "sorrel", "thyme", "tulip", "willow",
)  # fmt: skip
TOP_LEVEL_DOMAINS: Final = ("com", "net", "org")


def word(rng: Random) -> str:
    """Return a short word."""
    return WORDS[int(rng.random() * len(WORDS))]


def uuid(rng: Random) -> str:
    """Return a UUID of version 4 (RFC 9562) in lower case."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(rng.random() * 4)]}{digits[17:20]}-{digits[20:]}"


def day(rng: Random) -> str:
    """Return a date of the years 2000 to 2035."""
    return date.fromordinal(FIRST_DAY + int(rng.random() * DAY_SPAN)).isoformat()


def time(rng: Random) -> str:
    """Return a time of day in UTC."""
    second = int(rng.random() * 86400)
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def _spelled_time(digits: int, zone: str) -> FormatDraw:
    """Return a function that draws times with this number of fraction digits and this offset."""
    if not digits:
        return lambda rng: f"{time(rng)[:-1]}{zone}"
    return lambda rng: f"{time(rng)[:-1]}.{rng.randrange(10**digits):0{digits}}{zone}"


def _spelled_instant(of_day: FormatDraw) -> FormatDraw:
    return lambda rng: f"{day(rng)}T{of_day(rng)}"


def hostname(rng: Random) -> str:
    """Return a host name under a reserved example domain (RFC 2606)."""
    return f"{word(rng)}-{int(rng.random() * 10000)}.example.{TOP_LEVEL_DOMAINS[int(rng.random() * 3)]}"


def email(rng: Random) -> str:
    """Return an e-mail address at a reserved example domain (RFC 2606)."""
    return f"{word(rng)}.{word(rng)}{int(rng.random() * 10000)}@example.{TOP_LEVEL_DOMAINS[int(rng.random() * 3)]}"


def ipv4(rng: Random) -> str:
    """Return an address of the private range 10/8 (RFC 1918)."""
    bits = rng.getrandbits(24)
    return f"10.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def ipv6(rng: Random) -> str:
    """Return an address of the documentation range 2001:db8/32 (RFC 3849)."""
    digits = f"{rng.getrandbits(96):024x}"
    return f"2001:db8:{':'.join(digits[n : n + 4] for n in range(0, 24, 4))}"


def duration(rng: Random) -> str:
    """Return an ISO 8601 duration of less than ten days."""
    bits = rng.getrandbits(20)
    return f"P{bits % 10}DT{(bits >> 4) % 24}H{(bits >> 10) % 60}M"


def path(rng: Random) -> str:
    """Return an absolute path of two words and a number."""
    return f"/{word(rng)}/{word(rng)}/{int(rng.random() * 10000)}"


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
    "relative-json-pointer": lambda rng: f"{int(rng.random() * 5)}/{word(rng)}",
    "regex": lambda rng: f"^{word(rng)}-[0-9]{{{1 + int(rng.random() * 9)}}}$",
    "byte": lambda rng: b64encode(rng.randbytes(3 * (1 + int(rng.random() * 8)))).decode(),
}
TIMES: Final = tuple(
    _spelled_time(digits, zone) for zone in ("Z", "+00:00", "+02:00") for digits in (0, 3, 6, 7, 9, 1, 2)
)
ALTERNATIVE_SPELLINGS: Final[Mapping[str, tuple[FormatDraw, ...]]] = {
    "time": TIMES,
    "date-time": tuple(map(_spelled_instant, TIMES)),
}
"""Other spellings of a format, for a schema whose pattern requires one of them."""

FORMAT_BY_ENCODING: Final = {"base64": "byte"}
"""Values of `contentEncoding`, and the format of strings so encoded."""


POOL_SIZE: Final = 1000
FAKED_SIZE: Final = 100  # values of a provider that a schema names
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
TIMED_PROVIDERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "date": lambda fake: fake.date(end_datetime=_NOW),
    "date_time": lambda fake: fake.date_time(tzinfo=UTC, end_datetime=_NOW),
    "past_datetime": lambda fake: fake.date_time(tzinfo=UTC, end_datetime=_NOW),
    "future_datetime": lambda fake: fake.date_time_between(_NOW, _NOW.replace(year=2036), tzinfo=UTC),
}  # providers that would read the clock

POOL_FILLERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "city": lambda fake: fake.city(),
    "color": lambda fake: fake.color_name(),
    "company": lambda fake: fake.company(),
    "country": lambda fake: fake.country(),
    "country_code": lambda fake: fake.country_code(),
    "currency_code": lambda fake: fake.currency_code(),
    "email": lambda fake: fake.email(),
    "first_name": lambda fake: fake.first_name(),
    "iban": lambda fake: fake.iban(),
    "job": lambda fake: fake.job(),
    "language_code": lambda fake: fake.language_code(),
    "last_name": lambda fake: fake.last_name(),
    "name": lambda fake: fake.name(),
    "notes": lambda fake: fake.paragraph(nb_sentences=2),
    "phone": lambda fake: fake.numerify("+1-555-###-####"),
    "postcode": lambda fake: fake.postcode(),
    "sentence": lambda fake: fake.catch_phrase(),
    "state": lambda fake: fake.state(),
    "street": lambda fake: fake.street_address(),
    "time_zone": lambda fake: fake.timezone(),
    "username": lambda fake: fake.user_name(),
}
"""Kinds of pooled text, and the Faker call for each."""

UNPOOLED_KINDS: Final[Mapping[str, Callable[[Random], str]]] = {
    "code": lambda rng: f"{_letters(rng)}-{int(rng.random() * 1e6):06}",
    "url": FORMATS["uri"],
}
"""Kinds drawn anew for each value, which should differ from one another."""

KIND_BY_NAME: Final[Mapping[str, str]] = {
    "address": "street",
    "addressline1": "street",
    "city": "city",
    "code": "code",
    "color": "color",
    "colour": "color",
    "comment": "notes",
    "comments": "notes",
    "company": "company",
    "companyname": "company",
    "country": "country",
    "countrycode": "country_code",
    "currency": "currency_code",
    "currencycode": "currency_code",
    "description": "sentence",
    "email": "email",
    "emailaddress": "email",
    "employer": "company",
    "familyname": "last_name",
    "firstname": "first_name",
    "fullname": "name",
    "givenname": "first_name",
    "homepage": "url",
    "iban": "iban",
    "jobtitle": "job",
    "language": "language_code",
    "lastname": "last_name",
    "login": "username",
    "mail": "email",
    "message": "sentence",
    "mobile": "phone",
    "name": "name",
    "note": "notes",
    "notes": "notes",
    "organisation": "company",
    "organization": "company",
    "phone": "phone",
    "phonenumber": "phone",
    "postalcode": "postcode",
    "postcode": "postcode",
    "profession": "job",
    "province": "state",
    "remark": "notes",
    "sku": "code",
    "state": "state",
    "street": "street",
    "streetaddress": "street",
    "subject": "sentence",
    "summary": "sentence",
    "surname": "last_name",
    "telephone": "phone",
    "timezone": "time_zone",
    "title": "sentence",
    "town": "city",
    "uri": "url",
    "url": "url",
    "username": "username",
    "website": "url",
    "zip": "postcode",
    "zipcode": "postcode",
}
"""Property names in lower case without separators, and the kind of their text; ends of longer names match too."""

FORMAT_KINDS: Final[Mapping[str, str]] = {"email": "email", "idn-email": "email"}


@cache
def kind_of(name: str) -> str:
    """Return the kind of text in a property of that name, "" when the name is not known."""
    plain = "".join(filter(str.isalnum, name)).lower()
    tails = (plain[n:] for n in range(max(1, len(plain) - 3)))
    return next((KIND_BY_NAME[tail] for tail in tails if tail in KIND_BY_NAME), "")


@cache
def pool(kind: str) -> tuple[str, ...]:
    """Return the texts of a kind, none when Faker is not installed or the kind is unknown."""
    fill = POOL_FILLERS.get(kind)
    fake = _faker() if fill else None
    if fill is None or fake is None:
        return ()
    fake.seed_instance(kind)
    return tuple(fill(fake) for _ in range(POOL_SIZE))


@cache
def faked(provider: str) -> tuple[object, ...]:
    """Return JSON values of one of Faker's providers, none when Faker is not installed or has no such provider."""
    fake = _faker()
    if fake is None or not hasattr(fake, provider):
        return ()
    fake.seed_instance(provider)
    make = TIMED_PROVIDERS.get(provider) or methodcaller(provider)
    return tuple(_json_value(make(fake)) for _ in range(FAKED_SIZE))


def _json_value(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value if isinstance(value, str | int | float) else float(value)


@cache
def _faker() -> "Faker | None":
    try:
        from faker import Faker  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        return None
    return Faker(use_weighting=False)


def _letters(rng: Random) -> str:
    bits = int(rng.random() * 26**3)
    return f"{chr(65 + bits // 676)}{chr(65 + bits // 26 % 26)}{chr(65 + bits % 26)}"

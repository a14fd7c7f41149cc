"""Realistic text by property name and format: pools that Faker fills once, indexed afterwards.

A pool is the same for every seed, so that a campaign over a thousand seeds fills each pool once; the seed decides what
is taken from it. Without Faker there are no pools, and values are plain but as valid.
"""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Final

from generators.values.formats import FORMATS

if TYPE_CHECKING:
    from faker import Faker

SIZE: Final = 1000

KINDS: Final[Mapping[str, Callable[[Any], str]]] = {
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
"""Kinds of pools, and the call to Faker that fills each."""

FRESH: Final[Mapping[str, Callable[[Random], str]]] = {
    "code": lambda rng: f"{_letters(rng)}-{int(rng.random() * 1e6):06}",
    "url": FORMATS["uri"],
}
"""Kinds that are drawn anew for each value: they ought to differ, or lead nowhere."""

NAMES: Final[Mapping[str, str]] = {
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
"""Property names, in lower case without separators, and the kind of their text. The end of a longer name counts too."""

FORMAT_KINDS: Final[Mapping[str, str]] = {"email": "email", "idn-email": "email"}


@cache
def kind_of(name: str) -> str:
    """Return the kind of text that a property of that name holds, "" when the name says nothing."""
    plain = "".join(filter(str.isalnum, name)).lower()
    tails = (plain[n:] for n in range(max(1, len(plain) - 3)))
    return next((NAMES[tail] for tail in tails if tail in NAMES), "")


@cache
def pool(kind: str) -> tuple[str, ...]:
    """Return the texts of a kind, none when Faker is not installed or the kind is unknown."""
    fill = KINDS.get(kind)
    fake = _faker() if fill else None
    if fill is None or fake is None:
        return ()
    fake.seed_instance(kind)
    return tuple(fill(fake) for _ in range(SIZE))


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

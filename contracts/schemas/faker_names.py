"""`x-faker`, the name of a made-up kind of value: names of faker.js, as the provider of Python's Faker that makes it.

Begin with `provider_of`; `check_faker` finds names that mean nothing here. Sources: https://fakerjs.dev/api, in its
older names too, which json-schema-faker and Prism took up; https://faker.readthedocs.io/en/stable/providers.html.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from contracts.errors import Fault
from contracts.syntax.text import did_you_mean, pointer_of

KEYWORD: Final = "x-faker"
FAKER_JS: Final[Mapping[str, str]] = {
    "address.buildingnumber": "building_number",
    "address.city": "city",
    "address.country": "country",
    "address.countrycode": "country_code",
    "address.latitude": "latitude",
    "address.longitude": "longitude",
    "address.secondaryaddress": "secondary_address",
    "address.state": "state",
    "address.stateabbr": "state_abbr",
    "address.street": "street_name",
    "address.streetaddress": "street_address",
    "address.streetname": "street_name",
    "address.timezone": "timezone",
    "address.zipcode": "postcode",
    "color.human": "color_name",
    "color.rgb": "hex_color",
    "commerce.color": "color_name",
    "commerce.department": "bs",
    "commerce.productname": "catch_phrase",
    "company.bs": "bs",
    "company.buzzphrase": "bs",
    "company.catchphrase": "catch_phrase",
    "company.companyname": "company",
    "company.name": "company",
    "datatype.boolean": "pybool",
    "datatype.float": "pyfloat",
    "datatype.number": "random_int",
    "datatype.uuid": "uuid4",
    "date.future": "future_datetime",
    "date.month": "month_name",
    "date.past": "past_datetime",
    "date.weekday": "day_of_week",
    "finance.account": "bban",
    "finance.bic": "swift",
    "finance.creditcardnumber": "credit_card_number",
    "finance.currencycode": "currency_code",
    "finance.currencyname": "currency_name",
    "finance.iban": "iban",
    "hacker.phrase": "catch_phrase",
    "image.url": "image_url",
    "internet.color": "hex_color",
    "internet.displayname": "user_name",
    "internet.domainname": "domain_name",
    "internet.domainword": "domain_word",
    "internet.email": "email",
    "internet.exampleemail": "safe_email",
    "internet.ip": "ipv4",
    "internet.ipv4": "ipv4",
    "internet.ipv6": "ipv6",
    "internet.mac": "mac_address",
    "internet.password": "password",
    "internet.url": "url",
    "internet.useragent": "user_agent",
    "internet.username": "user_name",
    "location.buildingnumber": "building_number",
    "location.city": "city",
    "location.country": "country",
    "location.countrycode": "country_code",
    "location.latitude": "latitude",
    "location.longitude": "longitude",
    "location.state": "state",
    "location.street": "street_name",
    "location.streetaddress": "street_address",
    "location.timezone": "timezone",
    "location.zipcode": "postcode",
    "lorem.paragraph": "paragraph",
    "lorem.sentence": "sentence",
    "lorem.slug": "slug",
    "lorem.text": "text",
    "lorem.word": "word",
    "name.firstname": "first_name",
    "name.findname": "name",
    "name.fullname": "name",
    "name.jobtitle": "job",
    "name.lastname": "last_name",
    "name.prefix": "prefix",
    "name.suffix": "suffix",
    "number.float": "pyfloat",
    "number.int": "random_int",
    "person.firstname": "first_name",
    "person.fullname": "name",
    "person.jobtitle": "job",
    "person.lastname": "last_name",
    "person.prefix": "prefix",
    "person.suffix": "suffix",
    "phone.number": "phone_number",
    "phone.phonenumber": "phone_number",
    "random.boolean": "pybool",
    "random.number": "random_int",
    "random.uuid": "uuid4",
    "random.word": "word",
    "string.uuid": "uuid4",
    "system.filename": "file_name",
    "system.mimetype": "mime_type",
}
PROVIDERS: Final = frozenset(FAKER_JS.values()) | {
    "address",
    "company_email",
    "date",
    "date_time",
    "ean13",
    "isbn13",
    "uri",
}


NUMBERS: Final = frozenset(("latitude", "longitude", "pyfloat", "random_int"))


def provider_of(name: object) -> str | None:
    """Return the provider of a name of faker.js, such as `name.firstName`, or of Python's Faker; None for no other."""
    if not isinstance(name, str):
        return None
    return FAKER_JS.get(name.lower(), name if name in PROVIDERS else None)


def check_faker(documents: Mapping[str, object], shown: Mapping[str, str]) -> Iterator[Fault]:
    """Yield a mended fault for each `x-faker` that is not known; `shown` has the names of documents for users."""
    for uri, document in documents.items():
        waiting: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
        while waiting:
            value, at = waiting.pop()
            if isinstance(value, Mapping):
                waiting += [(one, (*at, name)) for name, one in value.items() if name not in {"example", "examples"}]
                if KEYWORD in value and "properties" not in at[-1:] and (wrong := _wrong_with(value)) is not None:
                    place, mended = pointer_of((*at, KEYWORD)), "It is ignored."
                    yield Fault(file=shown[uri], pointer=place, fact=wrong[0], cure=wrong[1], mended=mended)
            elif isinstance(value, list):
                waiting += [(one, (*at, n)) for n, one in enumerate(value)]


def _wrong_with(schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return a fact and a cure where a schema's `x-faker` means nothing, or not a value of its type; else None."""
    name, types = schema[KEYWORD], schema.get("type")
    provider = provider_of(name)
    if not isinstance(name, str):
        return "it is no name.", "Write one, such as name.firstName."
    if provider is None:
        return f"'{name}' is no provider that is known.", did_you_mean(name, _NAMES) or "Drop it, or give examples."
    wanted = {"boolean"} if provider == "pybool" else {"integer", "number"} if provider in NUMBERS else {"string"}
    if types is None or not wanted.isdisjoint([types] if isinstance(types, str) else types):
        return None
    return f"'{name}' makes no value of the type '{types}'.", f"Write the type '{max(wanted)}', or drop it."


_NAMES: Final = (*FAKER_JS, *sorted(PROVIDERS))

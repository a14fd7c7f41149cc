"""`x-faker`: names of faker.js and of Faker are known; what means nothing, or cannot fit, is told."""

import pytest

from contracts.schemas.faker_names import FAKER_JS, check_faker, provider_of


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("name.firstName", "first_name"),
        ("person.firstName", "first_name"),
        ("INTERNET.EMAIL", "email"),
        ("street_address", "street_address"),
        ("name.shoeSize", None),
        ("system", None),
        ({"helpers.arrayElement": [[1]]}, None),
        (None, None),
    ],
)
def test_names_of_both_libraries_are_known(name, provider):
    """Those of faker.js in any case, those of Faker as they are."""
    assert provider_of(name) == provider


WRONG = [
    ({"type": "string", "x-faker": "name.firstNme"}, "'name.firstNme' is no provider that is known."),
    ({"type": "string", "x-faker": {"a": 1}}, "it is no name."),
    ({"type": "integer", "x-faker": "name.firstName"}, "'name.firstName' makes no value of the type 'integer'."),
    ({"type": "string", "x-faker": "datatype.number"}, "'datatype.number' makes no value of the type 'string'."),
    ({"type": ["string", "null"], "x-faker": "name.firstName"}, None),
    ({"type": "number", "x-faker": "datatype.float"}, None),
    ({"x-faker": "internet.email"}, None),
    ({"properties": {"x-faker": {"type": "string"}}}, None),
    ({"example": {"x-faker": 1}}, None),
]


@pytest.mark.parametrize(("schema", "fact"), WRONG)
def test_what_means_nothing_is_told_with_its_place(schema, fact):
    """The place is the keyword's; a name that is nearly right has the right one as its cure."""
    found = [*check_faker({"d": {"a": [schema]}}, {"d": "d.yaml"})]
    assert [(one.file, one.pointer, one.fact) for one in found] == ([("d.yaml", "/a/0/x-faker", fact)] if fact else [])
    assert all(one.mended == "It is ignored." and one.cure for one in found)
    assert "firstNme" not in str(fact) or "name.firstname" in found[0].cure


def test_names_are_in_lower_case():
    """They are looked up so."""
    assert all(name == name.lower() for name in FAKER_JS)

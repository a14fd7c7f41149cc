"""What a mistake in a contract is called: facts and cures made of jsonschema's errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contracts.names import did_you_mean
from contracts.texts import listed, short, type_name

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Said: TypeAlias = Iterable[tuple[str, str]]


def facts(error: "ValidationError") -> Iterator[tuple[str, str]]:
    """Yield a fact and a cure for each mistake that one error stands for."""
    say = SAID.get(str(error.validator), _other)
    yield from say(error)


def _unknown(error: "ValidationError") -> Said:
    schema: Mapping[str, Any] = error.schema  # type: ignore[assignment] # it has additionalProperties
    known = list(schema.get("properties", ()))
    others = _cure(error) or (f"Known are {listed(known)}." if known else "")
    for name in _extras(error):
        yield f"'{name}' is not known here.", did_you_mean(name, known) or others


def _extras(error: "ValidationError") -> list[str]:
    import re  # noqa: PLC0415

    schema: Mapping[str, Any] = error.schema  # type: ignore[assignment] # it has additionalProperties
    patterns = [*schema.get("patternProperties", ())]
    instance: Mapping[str, Any] = error.instance  # type: ignore[assignment] # additionalProperties speaks of objects
    return [
        name
        for name in instance
        if name not in schema.get("properties", ()) and not any(re.search(one, name) for one in patterns)
    ]


def _missing(error: "ValidationError") -> Said:
    wanted: list[str] = error.validator_value  # type: ignore[assignment] # the value of `required`
    instance: Mapping[str, Any] = error.instance  # type: ignore[assignment] # required speaks of objects
    return [(f"'{name}' is missing.", "Add it.") for name in wanted if name not in instance]


def _type(error: "ValidationError") -> Said:
    wanted: Any = error.validator_value
    names = [wanted] if isinstance(wanted, str) else [*map(str, wanted)]
    yield f"it must be {listed(names, 'or')}, not {type_name(error.instance)}.", _cure(error)


def _enum(error: "ValidationError") -> Said:
    known = [str(one) for one in error.validator_value]  # type: ignore[union-attr] # the value of `enum`
    hint = did_you_mean(error.instance, known) if isinstance(error.instance, str) else ""
    yield f"{short(error.instance)} is not one of {listed(known)}.", hint


def _const(error: "ValidationError") -> Said:
    yield f"it must be {short(error.validator_value)}, not {short(error.instance)}.", _cure(error)


def _pattern(error: "ValidationError") -> Said:
    yield f"{short(error.instance)} has not the right form.", _cure(error)


def _any(error: "ValidationError") -> Said:
    branches = [one for one in error.context or () if one.validator in SAID and one.validator != "anyOf"]
    said = list(dict.fromkeys(fact for one in branches for fact, _ in facts(one)))
    yield (
        (
            " Or ".join(fact[:1].upper() + fact[1:] for fact in said)
            or f"{short(error.instance)} fits none of its forms."
        ),
        "",
    )


def _other(error: "ValidationError") -> Said:
    text = error.message if len(error.message) <= MAX_MESSAGE else f"{short(error.instance)} breaks '{error.validator}'"
    yield f"{text}.", _cure(error)


def _cure(error: "ValidationError") -> str:
    schema = error.schema
    said = schema.get("description", "") if isinstance(schema, Mapping) and "$schema" not in schema else ""
    return f"{said}." if said else ""


MAX_MESSAGE: Final = 160
SAID: Final[Mapping[str, Callable[["ValidationError"], Said]]] = {
    "additionalProperties": _unknown,
    "anyOf": _any,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "required": _missing,
    "type": _type,
}

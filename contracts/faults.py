"""What a mistake in a contract is called: facts and cures made of jsonschema's errors."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contracts.names import did_you_mean
from contracts.texts import listed, short, type_name
from contracts.wording import type_words

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Said: TypeAlias = Iterable[tuple[str, str]]


def facts(error: "ValidationError") -> Iterator[tuple[str, str]]:
    """Yield a fact and a cure for each mistake that one error stands for."""
    say = SAID.get(str(error.validator), _other)
    yield from say(error)


def _unknown(error: "ValidationError") -> Said:
    schema: Any = error.schema
    known = list(schema.get("properties", ()))
    others = _cure(error) or (f"Known: {listed(known)}." if known else "")
    for name in _extras(error):
        yield f"'{name}' is not known here.", did_you_mean(name, known) or others


def _extras(error: "ValidationError") -> list[str]:
    schema: Any = error.schema
    patterns = [*schema.get("patternProperties", ())]
    instance: Any = error.instance
    return [
        name
        for name in instance
        if name not in schema.get("properties", ()) and not any(re.search(one, name) for one in patterns)
    ]


def _missing(error: "ValidationError") -> Said:
    wanted: Any = error.validator_value
    instance: Any = error.instance
    return [(f"'{name}' is missing.", "Add it.") for name in wanted if name not in instance]


def _type(error: "ValidationError") -> Said:
    wanted: Any = error.validator_value
    words = type_words(wanted)
    yield f"it must be {words}, not {type_words(type_name(error.instance))}.", _cure(error) or f"Write {words}."


def _enum(error: "ValidationError") -> Said:
    options: Any = error.validator_value
    known = [str(one) for one in options]
    hint = did_you_mean(error.instance, known) if isinstance(error.instance, str) else ""
    yield f"{short(error.instance)} is not known here.", hint or f"Write {listed(known, 'or')}."


def _const(error: "ValidationError") -> Said:
    wanted = short(error.validator_value)
    yield f"it must be {wanted}, not {short(error.instance)}.", _cure(error) or f"Write {wanted}."


def _pattern(error: "ValidationError") -> Said:
    yield f"{short(error.instance)} has not the right form.", _cure(error) or f"It must match {error.validator_value}."


def _any(error: "ValidationError") -> Said:
    """Speak of the branches whose type fits, when there are any."""
    context = error.context or ()
    near = [one for one in context if one.validator != "type"]
    if near:
        return [said for one in near for said in facts(one)]
    words = listed(dict.fromkeys(type_words(one.validator_value) for one in context), "or")
    return [(f"it must be {words}, not {type_words(type_name(error.instance))}.", _cure(error) or f"Write {words}.")]


def _other(error: "ValidationError") -> Said:
    text = error.message if len(error.message) <= MAX_MESSAGE else f"{short(error.instance)} breaks '{error.validator}'"
    yield f"{text}.", _cure(error) or "Correct it."


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

"""The words that a caller may choose, each with what it means, and the resource that is meant where none is named."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from contracts.bulk import Choice
from contracts.model import Operation
from contracts.parameters import read_text
from contracts.schemas import Schema
from generators.locations import is_outside

UNITS: Final = ("item", "whole", "group")


class Word(NamedTuple):
    """What the caller writes, and what it means; None is written where there is nothing to choose."""

    written: str | None
    meaning: str


def place_schema(operation: Operation, element: Schema | None, location: str) -> Schema | None:
    """Return the schema of the value at a location of a call, or of an item."""
    where, _, name = location.partition(":")
    if is_outside(location):
        named = (one for one in operation.parameters if one.where == where and one.name == name)
        return next((one.schema for one in named), None)
    return element.at(location) if element is not None else None


def words_of(choice: Choice, schema: Schema | None, meanings: Sequence[str] = ()) -> list[Word]:
    """Return the words of a choice that its place takes; without words of its own, those that the place lists."""
    if not choice.source:
        return [Word(None, choice.constant)]
    listed = schema.raw.get("enum") if schema is not None else None
    own = {str(word): str(word) for word in listed} if isinstance(listed, list) else {word: word for word in meanings}
    found = [Word(word, meaning) for word, meaning in (choice.words or own).items()]
    return [word for word in found if schema is None or schema.is_valid(read_text(str(word.written), schema))]


def word_for(operation: Operation, choice: Choice, meaning: str, element: Schema | None = None) -> str | None:
    """Return a word by which a caller says `meaning`, None when it cannot. `element` is the schema of an item."""
    schema = place_schema(operation, element, choice.source) if choice.source else None
    words = (word.written or meaning for word in words_of(choice, schema, [meaning]) if word.meaning == meaning)
    return next(words, None)

"""Patterns that are a list of words in disguise: `^(?:[Aa]sc|[Dd]esc)$` allows `asc` and `desc`."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

WHOLE: Final = re.compile(r"\^(?P<early>\(\?i\))?(?:\((?:\?:|(?P<flag>\?i:))?(?P<inner>[^()]*)\)|(?P<bare>[^()|]*))\$")
WORD: Final = re.compile(r"(?:\[([A-Za-z])([A-Za-z])\]|[\w -]|\\[-./])+", re.ASCII)
LETTER: Final = re.compile(r"\[([A-Za-z])([A-Za-z])\]")
MOST: Final = 100  # alternatives; more are no list that anybody reads


def words_of(pattern: object, raw: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return the words that a pattern allows, () when it allows anything else.

    A letter in both cases counts once. `raw` is the schema that has the pattern: its default and examples tell how a
    word is written where the pattern does not care.
    """
    found = _words(pattern) if isinstance(pattern, str) else ()
    if not found or raw is None:
        return found
    spelled = {one.lower(): one for one in _spellings(raw)}
    return tuple(spelled.get(one.lower(), one) for one in found)


def _spellings(raw: Mapping[str, Any]) -> Iterator[str]:
    examples = raw.get("examples")
    for one in (*(examples if isinstance(examples, list) else ()), raw.get("example"), raw.get("default")):
        if isinstance(one, str):
            yield one


@lru_cache(maxsize=1_000)
def _words(pattern: str) -> tuple[str, ...]:
    found = WHOLE.fullmatch(pattern.replace("(?i)^", "^(?i)", 1))
    if found is None:
        return ()
    parts = (found["inner"] if found["bare"] is None else found["bare"]).split("|")
    if len(parts) > MOST or not all(map(WORD.fullmatch, parts)):
        return ()
    if any(one.lower() != other.lower() for one, other in LETTER.findall(pattern)):
        return ()  # `[ab]` is another word for each
    return tuple(dict.fromkeys(_shown(part) for part in parts))


def _shown(part: str) -> str:
    """Return a word with its two-case letters in lower case, but for the first, which leads as the pattern has it."""
    first = LETTER.match(part)
    lead, rest = (first[1], part[first.end() :]) if first else ("", part)
    return (lead + LETTER.sub(lambda pair: pair[1].lower(), rest)).replace("\\", "")

"""JSON values, pointers and merge patches, durations, renderings of values, closest names, words in patterns."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeGuard

import orjson

from contracts.messages import ABSENT


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name most similar to `name` (difflib, ratio 0.6 or more), "" when there is none."""
    from difflib import get_close_matches  # noqa: PLC0415 - only faults need it

    by_fold = {one.casefold(): one for one in known}
    found = get_close_matches(name.casefold()[:100], by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `Did you mean 'x'?`, or "" when no known name is similar."""
    hint = closest(name, known)
    return f"Did you mean '{hint}'?" if hint else ""


MAX_NAMES: Final = 8  # that a message lists
MAX_NEAREST_NAMES: Final = 3  # that a message lists of more than those


def names_hint(name: str, known: Iterable[str], label: str = "Known") -> str:
    """Return a cure for an unknown name: the similar one, else all that are known, of many the three nearest."""
    names = list(dict.fromkeys(known))
    if (meant := did_you_mean(name, names)) or not names:
        return meant
    if len(names) <= MAX_NAMES:
        return f"{label}: {', '.join(names)}."
    from difflib import get_close_matches  # noqa: PLC0415 - only faults need it

    near = get_close_matches(name[:100], names, n=MAX_NEAREST_NAMES, cutoff=0.1) or names[:MAX_NEAREST_NAMES]
    return f"Nearest of {len(names)}: {', '.join(near)}."


MAX_INDEX_DIGITS: Final = 20  # of the largest number of 64 bits
MAX_SHORT_CHARS: Final = 80  # of a rendering
TYPE_NAMES: Final = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (dict, "object"))


def parse_digits(text: str) -> int | None:
    """Return the number of ASCII digits, None for any other text and for more than 20 digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_INDEX_DIGITS else None


def type_name(value: object) -> str:
    """Return JSON Schema's name for the type of a JSON value."""
    if value is None:
        return "null"
    return next((name for kind, name in TYPE_NAMES if isinstance(value, kind)), "array")


def is_text_or_integer(value: object) -> TypeGuard[str | int]:
    """Return whether a JSON value is a string or an integer, which keys and error codes are."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def is_text_or_number(value: object) -> TypeGuard[str | int | float]:
    """Return whether a JSON value is a string or a number, as keys and handles are."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def as_list(value: object) -> list[Any]:
    """Return a JSON value that is an array, an empty array for any other."""
    return value if isinstance(value, list) else []


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON value that is an object, an empty object for any other."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: object) -> str:
    """Return a value as it is written in a URL or a map of words: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def short(value: object) -> str:
    """Return a JSON value as text of at most 80 characters; arrays and objects are shown by their size."""
    if isinstance(value, dict):
        return f"an object of {counted(len(value), 'member')}"
    if isinstance(value, list | tuple):
        return f"an array of {counted(len(value), 'element')}"
    if isinstance(value, str):
        return _quoted(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else orjson.dumps(value).decode()


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return `a, b and c`."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def with_article(noun: str) -> str:
    """Return `a create`, `an update`; only the first letter is looked at."""
    return f"{'an' if noun[:1].lower() in {'a', 'e', 'i', 'o', 'u'} else 'a'} {noun}"


def clipped(text: str, limit: int = MAX_SHORT_CHARS) -> str:
    """Return at most `limit` characters of a text, with an ellipsis at its end when it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _quoted(text: str) -> str:
    body = orjson.dumps(text[:MAX_SHORT_CHARS].encode("utf-8", "replace").decode()).decode()
    return (
        body
        if len(body) <= MAX_SHORT_CHARS and len(text) <= MAX_SHORT_CHARS
        else f'{body[: MAX_SHORT_CHARS - 2].rstrip(chr(92))}…"'
    )


def counted(number: int, noun: str) -> str:
    """Return `1 poll`, `3 polls`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith(("ch", "s", "sh", "x")) else "s"
    return f"{number} {noun}{ending}"


_NUMBER: Final = r"\d+(?:[.,]\d+)?"
DURATION_PATTERN: Final = (  # as schemas have it, where \d is a digit of ASCII
    rf"^(?:P(?=.)(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
    rf"|(?=\d)(?:{_NUMBER}w)?(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?)$"
)
DURATION_SAMPLES: Final = "90s, 1h30m, 300ms or PT5M"
DURATION_UNITS: Final = {
    "w": "weeks",
    "d": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
}
_DURATION: Final = re.compile(DURATION_PATTERN, re.ASCII)
_DURATION_PARTS: Final = re.compile(rf"({_NUMBER})(ms|[wdhms])", re.ASCII | re.IGNORECASE)
_CALENDAR_DURATION: Final = re.compile(rf"P(?:{_NUMBER}[YM])+", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the length of a duration: `90s`, `1h30m`, `300ms`, or in ISO 8601 `PT5M`.

    Raises ValueError, a fact and a cure: no duration, one in years or months, or one over 999,999,999 days.
    """
    shown = repr(clipped(text))
    if _DURATION.match(text) is None or text.endswith("\n"):
        if _CALENDAR_DURATION.match(text):
            raise ValueError(f"{shown} has years or months, whose length is not fixed. Count in weeks or days.")
        raise ValueError(f"{shown} is not a duration. Write it like {DURATION_SAMPLES}.")
    parts = _DURATION_PARTS.findall(text)
    try:
        return timedelta(**{DURATION_UNITS[unit.lower()]: float(number.replace(",", ".")) for number, unit in parts})
    except OverflowError:
        raise ValueError(f"{shown} is too long. Write a shorter one.") from None


def duration_fault(text: str) -> tuple[str, str]:
    """Return what is wrong with a text that is no duration, and the cure; two empty texts when it is one."""
    try:
        parse_duration(text)
    except ValueError as error:
        fact, _, cure = str(error).rpartition(". ")
        return f"{fact}.", cure
    return "", ""


def format_duration(length: timedelta) -> str:
    """Return a length as an ISO 8601 duration in days and seconds."""
    seconds = f"{length.seconds + length.microseconds / 1e6:.6f}".rstrip("0").rstrip(".")
    days = f"{length.days}D" if length.days else ""
    return f"P{days}T{seconds}S" if seconds != "0" else f"P{days or 'T0S'}"


def escape(token: str | int) -> str:
    """Return a token as written in a pointer: `a/b` gives `a~1b`."""
    text = str(token)
    return text.replace("~", "~0").replace("/", "~1") if "~" in text or "/" in text else text


def unescape(token: str) -> str:
    """Return the member name of a pointer's token."""
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def pointer_of(tokens: Iterable[str | int]) -> str:
    """Return the pointer of those tokens; no tokens give the empty pointer."""
    return "".join(f"/{escape(token)}" for token in tokens)


@lru_cache(maxsize=10_000)
def tokens_of(pointer: str) -> tuple[str, ...]:
    """Return the unescaped tokens of a pointer; the empty pointer has none."""
    return tuple(map(unescape, pointer.split("/")[1:]))


def step(value: object, token: str) -> object:
    """Return the member or element of `value` at a token, `ABSENT` when there is none."""
    if type(value) is dict or isinstance(value, Mapping):  # the first test is fast and nearly always true
        return value.get(token, ABSENT)
    if isinstance(value, list | tuple) and (index := parse_digits(token)) is not None and index < len(value):
        return value[index]
    return ABSENT


def look_up(value: object, pointer: str) -> object:
    """Return the value at `pointer`, `ABSENT` when there is none."""
    for token in tokens_of(pointer):
        value = step(value, token)
        if value is ABSENT:
            break
    return value


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON Merge Patch (RFC 7396) applied; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    kept = as_mapping(target)
    changed = {name: merge_patch(kept.get(name), value) for name, value in patch.items() if value is not None}
    return {**{name: value for name, value in kept.items() if name not in patch or name in changed}, **changed}


def split_ref(ref: str) -> tuple[str, str]:
    """Return the URI and the pointer of a reference."""
    uri, _, pointer = ref.partition("#")
    return uri, pointer


ANCHORED_PATTERN: Final = re.compile(
    r"\^(?P<early>\(\?i\))?(?:\((?:\?:|(?P<flag>\?i:))?(?P<inner>[^()]*)\)|(?P<bare>[^()|]*))\$"
)
WORD: Final = re.compile(r"(?:\[([A-Za-z])([A-Za-z])\]|[\w -]|\\[-./])+", re.ASCII)
LETTER: Final = re.compile(r"\[([A-Za-z])([A-Za-z])\]")
MAX_WORDS: Final = 100  # alternatives of a pattern


def words_of(pattern: object, raw: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return the words that a pattern matches, () when it matches anything else.

    A letter in both cases counts once. `raw` is the schema of the pattern: its default and examples give the spelling
    where the pattern ignores case.
    """
    found = _words(pattern) if isinstance(pattern, str) else ()
    if not found or raw is None:
        return found
    spelled = {one.lower(): one for one in _spellings(raw)}
    return tuple(spelled.get(one.lower(), one) for one in found)


def _spellings(raw: Mapping[str, Any]) -> Iterator[str]:
    for one in (*as_list(raw.get("examples")), raw.get("example"), raw.get("default")):
        if isinstance(one, str):
            yield one


@lru_cache(maxsize=1_000)
def _words(pattern: str) -> tuple[str, ...]:
    found = ANCHORED_PATTERN.fullmatch(pattern.replace("(?i)^", "^(?i)", 1))
    if found is None:
        return ()
    parts = (found["inner"] if found["bare"] is None else found["bare"]).split("|")
    if len(parts) > MAX_WORDS or not all(map(WORD.fullmatch, parts)):
        return ()
    if any(one.lower() != other.lower() for one, other in LETTER.findall(pattern)):
        return ()  # `[ab]` is a different word for each letter
    return tuple(dict.fromkeys(_shown(part) for part in parts))


def _shown(part: str) -> str:
    """Return a word with its two-case letters in lower case, except the first, which is as in the pattern."""
    first = LETTER.match(part)
    lead, rest = (first[1], part[first.end() :]) if first else ("", part)
    return (lead + LETTER.sub(lambda pair: pair[1].lower(), rest)).replace("\\", "")

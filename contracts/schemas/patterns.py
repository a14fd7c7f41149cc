r"""Regular expressions of ECMA-262, and of its neighbours, in the form that jsonschema-rs and the generator take.

Begin with `usable_pattern`. A schema's patterns are rewritten once, when its document is loaded, so that the validator,
the explanation and the generator read the same text. ECMA-262, 22.2 and annex B.1.2; what documents take from Java,
PCRE and Ruby (`\p{Alnum}`, `\Z`, `(?>...)`, `/.../i`) is read as it is meant there, and said.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from contracts.schemas.schema_set import compiled

TextPredicate: TypeAlias = Callable[[str], bool]

MAX_REGEX_BYTES: Final = 1 << 20  # bytes that a compiled expression of linear time may take
MAX_REPEATS: Final = 1_000  # beyond, a repeated expression takes megabytes when compiled
MAX_COPIES: Final = 65_535  # of the parts of a pattern, repetitions written out; beyond, it is not given to an engine
ASTRAL: Final = "\U00010000-\U0010ffff"
ASCII_CLASSES: Final[Mapping[str, str]] = {  # Java, java.util.regex.Pattern
    "ASCII": r"\x00-\x7F",
    "Alnum": "0-9A-Za-z",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1F\x7F",
    "Digit": "0-9",
    "Graph": "!-~",
    "L1": r"\x00-\xFF",
    "LD": r"\p{L}\p{Nd}",
    "Print": " -~",
    "Punct": r"!-\/:-@\[-`{-~",
    "Space": r"\s",
    "XDigit": "0-9A-Fa-f",
    "all": r"\p{Any}",
    "javaAlphabetic": r"\p{Alphabetic}",
    "javaLetter": r"\p{L}",
    "javaLetterOrDigit": r"\p{L}\p{Nd}",
    "javaLowerCase": r"\p{Ll}",
    "javaUpperCase": r"\p{Lu}",
}
COMPLEMENTS: Final[Mapping[str, str]] = {
    "ASCII": rf"\x80-\uFFFF{ASTRAL}",
    "Cntrl": rf" -~\x80-\uFFFF{ASTRAL}",
    "Digit": r"\D",
    "Print": rf"\x00-\x1F\x7F-\uFFFF{ASTRAL}",
    "Space": r"\S",
    "XDigit": rf"\x00-\/:-@G-`g-\uFFFF{ASTRAL}",
    "all": "",
}
CLASS_ESCAPES: Final = frozenset("dDsSwW")
TOKEN: Final = re.compile(
    r"""\\Q(?P<quoted>.*?)(?:\\E|$)
      | \\[pP]\{(?P<named>\^?[\w=:. -]+)\}
      | \\k<(?P<group>\w+)>
      | \\u[dD](?P<high>[89abAB][0-9a-fA-F]{2})\\u[dD](?P<low>[c-fC-F][0-9a-fA-F]{2})
      | \\u[dD](?P<lone>[89a-fA-F][0-9a-fA-F]{2})
      | \\(?P<octal>0[0-7]{0,2})
      | \\(?:u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)
      | \(\?\#[^)]*\)
      | \(\?(?:<[=!]|P?<(?P<opened>\w+)>|[^)\w]|[a-zA-Z-]+[:)])
      | \{\s*(?P<least>\d*)\s*(?:(?P<to>,|-)\s*(?P<most>\d*)\s*)?\}
      | .""",
    re.DOTALL | re.VERBOSE,
)
DELIMITED: Final = re.compile(r"/(\^.*\$)/([a-z]*)", re.DOTALL)
TOO_LARGE: Final = ("too large: its repetitions, multiplied, are too many", "with minLength and maxLength")
LENGTH: Final = re.compile(r"\^(?:\.|\[\\s\\S\])\{(\d{1,15}),(\d{1,15})\}\$")  # a pattern that bounds a length
PLAIN: Final = re.compile(r"(?:[\w ,;:@#%&=<>~'\"!-]|\\[dDsSwW.^$*+?(){}\[\]|/-]|[\^$.*+?()|])*", re.ASCII)


class UsablePattern(NamedTuple):
    """A pattern in the form in which it is used, None where there is none; and what was read otherwise, if anything.

    `unlike` says what the pattern is or is not, and `cure` how to write it, for a message.
    """

    text: str | None
    remark: str = ""
    unlike: str = "not one of ECMA-262"
    cure: str = "in ECMA-262's syntax"


@lru_cache(maxsize=10_000)
def usable_pattern(pattern: str) -> UsablePattern:
    """Return the form in which a pattern is used. It is the pattern itself for all of ECMA-262's usual syntax.

    `remark` is a sentence for the document's author where the pattern is not of ECMA-262 but was understood, or where a
    part of it is not checked, or all of it because it is too large; "" otherwise.
    """
    delimited = DELIMITED.fullmatch(pattern)
    if delimited is not None:
        flags = "(?i)" if "i" in delimited[2] else ""
        inner = usable_pattern(f"{flags}{delimited[1]}")
        return UsablePattern(inner.text, inner.remark or "The slashes around it are taken for delimiters.")
    if _copies(pattern) <= MAX_COPIES and _compiles(pattern) and not re.search(r"\\[AZz]", pattern):
        return UsablePattern(pattern)
    for limit in (None, MAX_REPEATS):
        translator = _Translator(pattern, limit)
        text = translator.text()
        if _copies(text) <= MAX_COPIES and _compiles(text):
            return UsablePattern(text, translator.remark, *(TOO_LARGE if limit else ()))
    return UsablePattern(None, *(("It is not checked.", *TOO_LARGE) if _copies(text) > MAX_COPIES else ()))


@lru_cache(maxsize=1024)
def linear_regex(expression: str) -> TextPredicate:
    """Return a predicate that tells whether an expression is found in a text, in time linear in its length.

    Raises ValueError for an invalid expression, for look-around and back-references, and for one that is too large.
    """
    try:
        options = RegexOptions(size_limit=MAX_REGEX_BYTES, dfa_size_limit=MAX_REGEX_BYTES)
        found = Draft202012Validator({"pattern": expression}, pattern_options=options).is_valid
    except (ValidationError, ValueError):
        raise ValueError(f"{expression!r} is no regular expression that can be used.") from None
    return lambda text: found(text if text.isascii() else text.encode("utf-8", "replace").decode())


def _copies(pattern: str) -> int:
    """Return how many parts a pattern has with its repetitions written out: those of a group count with all in it."""
    groups, before, in_class = [0], 0, False
    for token in TOKEN.finditer(pattern):
        sign = token[0]
        in_class = (in_class or sign == "[") and sign != "]"
        if in_class or sign in {"?", "*", "+"}:
            continue
        if token["least"] is not None:
            times = max(1, _number(token["least"]), _number(token["most"]))
            groups[-1] += before * (times - 1)
            before *= times
        elif sign[0] == "(" and sign[-1] != ")":
            groups.append(0)
        else:
            before = groups.pop() if sign == ")" and len(groups) > 1 else 1
            groups[-1] += before
    return sum(groups)


def _number(digits: str | None) -> int:
    """Return a number of repetitions; of many digits the first ones, which are enough to compare it."""
    return int((digits or "").lstrip("0")[:9] or 0)


def use_patterns(schema: dict[str, object]) -> Iterator[tuple[str, UsablePattern]]:
    """Rewrite the patterns of one schema in place; yield those that were read otherwise, and those that have no form.

    What has no form stays as it is; what is too large to be used is taken out. Where such a pattern says no more than
    how long a text is, its bounds become those of the schema.
    """
    pattern, named = schema.get("pattern"), schema.get("patternProperties")
    if isinstance(pattern, str):
        found, length = usable_pattern(pattern), LENGTH.fullmatch(pattern)
        schema["pattern"] = found.text or pattern
        if found.remark and length is not None:
            found = found._replace(remark="Its bounds are read as minLength and maxLength.")
            schema["minLength"] = max(_length(schema, "minLength", 0), int(length[1]))
            schema["maxLength"] = min(_length(schema, "maxLength", int(length[2])), int(length[2]))
        if found.text is None and found.remark:
            del schema["pattern"]
        if found.text is None or found.remark:
            yield pattern, found
    if isinstance(named, dict):
        used = {name: usable_pattern(name) for name in named}
        kept = {name: one for name, one in named.items() if used[name].text is not None or not used[name].remark}
        schema["patternProperties"] = {used[name].text or name: one for name, one in kept.items()}
        yield from ((name, found) for name, found in used.items() if found.text is None or found.remark)


def _length(schema: dict[str, object], keyword: str, default: int) -> int:
    found = schema.get(keyword)
    return found if isinstance(found, int) else default


def _compiles(pattern: str) -> bool:
    try:
        compiled({"pattern": pattern})
    except (ValidationError, ValueError):  # ValueError: of lone surrogates
        return False
    return True


class _Translator:
    """One pass over a pattern. `limit` is the greatest number of repetitions that is kept as it is."""

    def __init__(self, pattern: str, limit: int | None) -> None:
        self.remark = ""
        self._tokens = [*TOKEN.finditer(pattern)]
        self._limit = limit
        self._groups = {name: n for n, name in enumerate(self._opened(), 1) if name}
        self._at = 0

    def _opened(self) -> Iterator[str]:
        """Yield the name of each capturing group, "" for one without a name."""
        in_class = False
        for one in self._tokens:
            in_class = (in_class or one[0] == "[") and one[0] != "]"
            if not in_class and (one[0] == "(" or one["opened"]):
                yield one["opened"] or ""

    def text(self) -> str:
        """Return the pattern translated."""
        parts: list[str] = []
        while self._at < len(self._tokens):
            token = self._next()
            parts.append(self._class() if token[0] == "[" else self._outside(token, parts))
        return "".join(parts)

    def _next(self) -> re.Match[str]:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _says(self, remark: str) -> None:
        self.remark = self.remark or remark

    def _outside(self, token: re.Match[str], before: list[str]) -> str:
        """Return a token that stands in no class."""
        text = token[0]
        if text in MEANT:
            self._says(f"'{text}' is read as '{MEANT[text]}'.")
            return MEANT[text]
        if token["quoted"] is not None:
            self._says("What stands between '\\Q' and '\\E' is taken literally.")
            return re.escape(token["quoted"])
        if token["group"] in self._groups:
            return f"\\{self._groups[token['group']]}"
        if text[0] == "{":
            return self._repeats(token, bool(before) and before[-1] not in {"(", "|", "^", "(?:"})
        found = self._set(token)
        if found is None or found == text:
            return "" if text.startswith("(?#") else self._character(token)
        return f"[{found}]" if found else "(?!)"

    def _repeats(self, token: re.Match[str], follows: bool) -> str:  # noqa: FBT001 - an inner step
        """Return a quantifier; a brace that begins none stands for itself (annex B.1.2)."""
        least, to, most = token["least"], token["to"], token["most"]
        if least is None or not follows or not (least or most):
            return re.sub(r"([{}])", r"\\\1", token[0])
        if to == "-" or not least:
            self._says(f"'{token[0]}' is read as a number of repetitions.")
        least = least or "0"
        if self._limit is not None and _number(most) > self._limit:
            self._says(f"The upper bound in '{token[0]}' is not checked.")
            most = ""
        return f"{{{least}{',' if to else ''}{most or ''}}}"

    def _set(self, token: re.Match[str]) -> str | None:
        """Return the content of a class for a token that stands for a set of characters, None for any other."""
        if token["lone"]:
            return ASTRAL
        if token["named"] is None:
            return token[0] if token[0][:1] == "\\" and token[0][1:] in CLASS_ESCAPES else None
        name, is_negated = token["named"].removeprefix("^"), (token[0][1] == "P") != token["named"].startswith("^")
        known = (COMPLEMENTS if is_negated else ASCII_CLASSES).get(name)
        if known is None or _compiles(token[0]):
            return f"\\{'P' if is_negated else 'p'}{{{name}}}"
        self._says(f"'{token[0]}' is read as in Java.")
        return known

    def _character(self, token: re.Match[str]) -> str:
        if token["high"]:
            return chr(0x10000 + ((int(token["high"], 16) & 0x3FF) << 10) + (int(token["low"], 16) & 0x3FF))
        if token["octal"]:
            return f"\\x{int(token['octal'], 8):02X}"
        if token[0] == "{":
            return "\\{"
        return token[0]

    def _class(self) -> str:
        """Return a class whose `[` was read."""
        is_negated = self._has("^")
        if self._has("]"):
            return "[\\s\\S]" if is_negated else "(?!)"
        items: list[str] = []
        halves: set[str] = set()
        while self._at < len(self._tokens) and not self._has("]"):
            items.append(self._class_item(halves))
        if self._tokens[self._at - 1][0] != "]":
            return "["  # it has no end
        if halves == {"low"} and len(items) == 1:
            return ""  # the second half of a character that the class before it stands for
        content = "".join(dict.fromkeys(items))
        return f"[{'^' if is_negated else ''}{content}]" if content else "(?!)"

    def _has(self, sign: str) -> bool:
        """Read a sign if it is the next one."""
        found = self._at < len(self._tokens) and self._tokens[self._at][0] == sign
        self._at += found
        return found

    def _class_item(self, halves: set[str]) -> str:
        """Return a character, a set or a range of a class."""
        first = self._next()
        ranges = self._at + 1 < len(self._tokens) and self._tokens[self._at][0] == "-" != self._tokens[self._at + 1][0]
        if not ranges or self._tokens[self._at + 1][0] == "]":
            return self._class_atom(first, halves)
        self._at += 1
        last = self._next()
        atoms = [self._class_atom(first, halves), self._class_atom(last, halves)]
        if first["lone"] or last["lone"]:
            return ASTRAL if first["lone"] else f"{atoms[0]}-\uffff{ASTRAL}"
        if self._set(first) is None and self._set(last) is None:
            return "-".join(atoms)
        return "\\-".join(atoms)

    def _class_atom(self, token: re.Match[str], halves: set[str]) -> str:
        found = self._set(token)
        if token["lone"]:
            halves.add("low" if token["lone"][0] in "cdefCDEF" else "high")
        if found is not None:
            return found
        if token[0] == "\\b":
            return "\\x08"
        return f"\\{token[0]}" if token[0] in "[&~-^" else self._class_text(token)

    def _class_text(self, token: re.Match[str]) -> str:
        """Return the text of a token that a class takes sign by sign."""
        text = self._character(token)
        return re.sub(r"([\[&~^-])", r"\\\1", text) if len(text) > 1 and text[0] != "\\" else text


MEANT: Final[Mapping[str, str]] = {
    "(?>": "(?:",
    r"\A": "^",
    r"\R": r"(?:\r\n|[\n\r])",
    r"\Z": "$",
    r"\e": r"\x1B",
    r"\h": r"[ \t]",
    r"\z": "$",
}

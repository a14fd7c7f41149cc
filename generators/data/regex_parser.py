r"""Parse regular expressions of ECMA-262 into a tree to draw strings from. Begin with `parse_regex`.

The characters of a class such as `\w` or `[^/]` are those that the validating engine matches. What is looked for
ahead at the end of a pattern, or behind at its start, is drawn too; other look-arounds, word boundaries and flags are
ignored here, so that drawn strings must be validated.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from generators.data.plan import pattern_predicate
from generators.data.wide_scalars import REGEX_CHARS
from generators.errors import ContradictionError

PRINTABLE_ASCII: Final = tuple(map(chr, range(0x20, 0x7F)))
WIDER_RANGES: Final = (
    (0, 0x20),
    (0x7F, 0x500),
    (0x5D0, 0x600),
    (0x4E00, 0x4E40),
    (0x10000, 0x10010),
    (0x1F600, 0x1F640),
)
WIDER_CHARS: Final = tuple(chr(code) for first, end in WIDER_RANGES for code in range(first, end))
ASCII_WEIGHT: Final = 3  # how often each printable ASCII character counts beside one beyond
LOOKING: Final = {"?=": "ahead", "?<=": "behind", "?!": "", "?<!": ""}
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
CLASSES: Final = "dDwWsSpP"
FLAGS: Final = re.compile(r"\?[a-zA-Z-]*[:)]")


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of several."""

    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """A sequence of parts."""

    parts: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Alt:
    """One of several alternatives."""

    ways: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part repeated `least` to `most` times; None is unlimited."""

    part: "Tree"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group, stored for back references."""

    part: "Tree"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackReference:
    """The text that a group has matched before."""

    name: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """An assertion: `^`, `$`, or `?` for one that is ignored when drawing."""

    symbol: str


Tree: TypeAlias = Chars | Seq | Alt | Repeat | Group | BackReference | Anchor


@cache
def class_members(text: str, *, is_wide: bool = False) -> tuple[str, ...]:
    """Return characters that the class `text` matches: printable ASCII if there are any, else from a wider range.

    Where `is_wide`, letters beyond ASCII are among them, but for classes of word characters: engines disagree on these.
    """
    is_member = pattern_predicate(f"^{text}$")
    known = (PRINTABLE_ASCII, WIDER_CHARS, dict.fromkeys(text))
    found = next((kept for chars in known if (kept := tuple(filter(is_member, chars)))), ())
    if not found:
        raise ContradictionError("pattern", f"no character is known for {text}")
    is_wide = is_wide and "\\w" not in text.lower()
    return (*found * ASCII_WEIGHT, *filter(is_member, REGEX_CHARS)) if is_wide else found


@cache
def parse_regex(pattern: str, *, is_wide: bool = False) -> Tree:
    """Return the tree of a regular expression, with classes as `class_members` says.

    Raises ContradictionError when it cannot be parsed.
    """
    reader = _Reader(pattern, is_wide=is_wide)
    try:
        pattern_predicate(pattern)
        tree = reader.alternation()
    except (ValueError, IndexError) as error:
        raise ContradictionError("pattern", f"{pattern} cannot be read as a regular expression") from error
    if reader.at < len(pattern):
        raise ContradictionError("pattern", f"{pattern} cannot be read at character {reader.at + 1}")
    return tree


class _Reader:
    def __init__(self, text: str, *, is_wide: bool) -> None:
        self.text, self.is_wide, self.at, self.groups, self.depth = text, is_wide, 0, 0, 0

    def peek(self, n: int = 1) -> str:
        return self.text[self.at : self.at + n]

    def take(self, n: int = 1) -> str:
        taken = self.peek(n)
        self.at += n
        return taken

    def until(self, end: str) -> str:
        stop = self.text.index(end, self.at)
        taken, self.at = self.text[self.at : stop], stop + len(end)
        return taken

    def alternation(self) -> Tree:
        ways = [self.sequence()]
        while self.peek() == "|":
            self.take()
            ways.append(self.sequence())
        return ways[0] if len(ways) == 1 else Alt(tuple(ways))

    def sequence(self) -> Tree:
        parts: list[Tree] = []
        starts = True
        while self.peek() and self.peek() not in "|)":
            atom = self.atom(starts=starts and self.depth == 0)
            parts.append(self.quantified(atom))
            starts = False
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def quantified(self, part: Tree) -> Tree:
        least_most = self.quantifier()
        if least_most is None:
            return part
        if self.peek() in {"?", "+"}:  # lazy or possessive: the strings are the same
            self.take()
        return Repeat(part, *least_most)

    def quantifier(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.peek() in simple:
            return simple[self.take()]
        if self.peek() != "{":
            return None
        self.take()
        least, comma, most = self.until("}").partition(",")
        return int(least), (int(most) if most else None) if comma else int(least)

    def atom(self, *, starts: bool) -> Tree:
        symbol = self.take()
        if symbol == "(":
            return self.group(starts=starts)
        if symbol == "[":
            return Chars(class_members(self.bracket(), is_wide=self.is_wide))
        if symbol == "\\":
            return self.escape()
        if symbol in "^$":
            return Anchor(symbol)
        return Chars(class_members(".", is_wide=self.is_wide) if symbol == "." else (symbol,))

    def bracket(self) -> str:
        start, depth = self.at - 1, 1
        if self.peek() == "^":
            self.take()
        while depth:
            symbol = self.take()
            if not symbol:
                raise ValueError(self.text)
            if symbol == "\\":
                self.take()
            depth += (symbol == "[") - (symbol == "]")
        return self.text[start : self.at]

    def group(self, *, starts: bool) -> Tree:
        for opening, looks in LOOKING.items():
            if self.peek(len(opening)) == opening:
                self.take(len(opening))
                part = self.inner()
                is_drawn = (looks == "ahead" and self.at == len(self.text)) or (looks == "behind" and starts)
                return part if is_drawn else Anchor("?")
        flags = FLAGS.match(self.text, self.at)
        if flags is not None:
            self.at = flags.end()
            return Seq(()) if flags[0][-1] == ")" else self.inner()
        names = self.names()
        return Group(self.inner(), names)

    def inner(self) -> Tree:
        self.depth += 1
        part = self.alternation()
        self.depth -= 1
        if self.take() != ")":
            raise ValueError(self.text)
        return part

    def names(self) -> tuple[str, ...]:
        self.groups += 1
        number = str(self.groups)
        for opening in ("?<", "?P<"):
            if self.peek(len(opening)) == opening:
                self.take(len(opening))
                return number, self.until(">")
        if self.peek() == "?":
            raise ValueError(self.text)
        return (number,)

    def escape(self) -> Tree:
        symbol = self.take()
        if symbol in CLASSES:
            told = f"\\{symbol}{self.property_name() if symbol in 'pP' else ''}"
            return Chars(class_members(told, is_wide=self.is_wide))
        if symbol in "bB":
            return Anchor("?")
        if symbol == "k":
            self.take()
            return BackReference(self.until(">"))
        if symbol.isdecimal() and symbol != "0":
            return BackReference(self.number(symbol))
        return Chars((self.character(symbol),))

    def property_name(self) -> str:
        return f"{{{self.until('}')}}}" if self.take() == "{" else self.text[self.at - 1]

    def number(self, first: str) -> str:
        while self.peek().isdecimal():
            first += self.take()
        return first

    def character(self, symbol: str) -> str:
        if symbol == "x":
            return chr(int(self.take(2), 16))
        if symbol == "u":
            braced = self.peek() == "{"
            return chr(int(self.until("}")[1:] if braced else self.take(4), 16))
        if symbol == "c":
            return chr(ord(self.take()) % 32)
        return ESCAPES.get(symbol, symbol)

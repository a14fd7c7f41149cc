r"""Regular expressions of ECMA-262 read into a tree that strings are drawn from.

What a class such as `\w` or `[^/]` holds is asked of the engine that judges the values; look-arounds and word
boundaries are passed over here and left to the judge.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from generators.values.judging import matches
from generators.values.unsatisfiable import ContradictionError

PLAIN: Final = tuple(map(chr, range(0x20, 0x7F)))
WIDER: Final = tuple(map(chr, (*range(0x20), *range(0x7F, 0x500), *range(0x5D0, 0x600), *range(0x4E00, 0x4E40))))
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
CLASSES: Final = "dDwWsSpP"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of several."""

    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """Parts in order."""

    parts: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Alt:
    """One of several."""

    ways: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part from `least` to `most` times; None is without end."""

    part: "Tree"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group, remembered for what refers back to it."""

    part: "Tree"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Back:
    """What a group has matched before."""

    name: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place: `^`, `$`, or `?` for one that only the judge knows."""

    sign: str


Tree: TypeAlias = Chars | Seq | Alt | Repeat | Group | Back | Anchor


@cache
def members(text: str) -> tuple[str, ...]:
    """Return characters that the class `text` matches: printable ASCII if there are any, else from a wider range."""
    is_member = matches(f"^{text}$")
    found = tuple(filter(is_member, PLAIN)) or tuple(filter(is_member, WIDER))
    if not found:
        raise ContradictionError("pattern", f"no character is known for {text}")
    return found


@cache
def parsed(pattern: str) -> Tree:
    """Return the tree of a regular expression. Raises ContradictionError when it cannot be read."""
    reader = _Reader(pattern)
    try:
        matches(pattern)
        tree = reader.alternation()
    except (ValueError, IndexError) as error:
        raise ContradictionError("pattern", f"{pattern} cannot be read as a regular expression") from error
    if reader.at < len(pattern):
        raise ContradictionError("pattern", f"{pattern} cannot be read at character {reader.at + 1}")
    return tree


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.groups = text, 0, 0

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
        while self.peek() and self.peek() not in "|)":
            parts.append(self.quantified(self.atom()))
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

    def atom(self) -> Tree:
        sign = self.take()
        if sign == "(":
            return self.group()
        if sign == "[":
            return Chars(members(self.bracket()))
        if sign == "\\":
            return self.escape()
        if sign in "^$":
            return Anchor(sign)
        return Chars(members(".") if sign == "." else (sign,))

    def bracket(self) -> str:
        start, depth = self.at - 1, 1
        if self.peek() == "^":
            self.take()
        while depth:
            sign = self.take()
            if not sign:
                raise ValueError(self.text)
            if sign == "\\":
                self.take()
            depth += (sign == "[") - (sign == "]")
        return self.text[start : self.at]

    def group(self) -> Tree:
        for opening in ("?=", "?!", "?<=", "?<!"):
            if self.peek(len(opening)) == opening:
                self.take(len(opening))
                self.alternation()
                self.take()
                return Anchor("?")
        if self.peek(2) == "?:":
            self.take(2)
            names: tuple[str, ...] = ()
        else:
            names = self.names()
        part = self.alternation()
        if self.take() != ")":
            raise ValueError(self.text)
        return Group(part, names) if names else part

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
        sign = self.take()
        if sign in CLASSES:
            return Chars(members(f"\\{sign}{self.property_name() if sign in 'pP' else ''}"))
        if sign in "bB":
            return Anchor("?")
        if sign == "k":
            self.take()
            return Back(self.until(">"))
        if sign.isdecimal() and sign != "0":
            return Back(self.number(sign))
        return Chars((self.character(sign),))

    def property_name(self) -> str:
        return f"{{{self.until('}')}}}" if self.take() == "{" else self.text[self.at - 1]

    def number(self, first: str) -> str:
        while self.peek().isdecimal():
            first += self.take()
        return first

    def character(self, sign: str) -> str:
        if sign == "x":
            return chr(int(self.take(2), 16))
        if sign == "u":
            braced = self.peek() == "{"
            return chr(int(self.until("}")[1:] if braced else self.take(4), 16))
        if sign == "c":
            return chr(ord(self.take()) % 32)
        return ESCAPES.get(sign, sign)

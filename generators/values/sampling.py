"""Strings drawn from the tree of a regular expression, of a wished length where the expression has one."""

from collections.abc import Callable, Mapping, MutableMapping
from random import Random
from typing import Any, Final, TypeAlias

from generators.values.patterns import Alt, Anchor, Back, Chars, Group, Repeat, Seq, Tree

Groups: TypeAlias = MutableMapping[str, str]
Sample: TypeAlias = Callable[[Random, int, Groups], str]
MORE: Final = 12  # how much longer than need be a string of open length may be
ENDLESS: Final = 1 << 40
PADDING: Final = "abcdefghijklmnopqrstuvwxyz"


def span(tree: Tree) -> tuple[int, int]:
    """Return the least and the greatest length of a tree's strings."""
    return _SPANS[type(tree)](tree)


def _span_repeat(tree: Repeat) -> tuple[int, int]:
    least, most = span(tree.part)
    return least * tree.least, min(ENDLESS, most * (ENDLESS if tree.most is None else tree.most))


def _span_seq(tree: Seq) -> tuple[int, int]:
    spans = [span(part) for part in tree.parts]
    return sum(least for least, _ in spans), min(ENDLESS, sum(most for _, most in spans))


def _span_alt(tree: Alt) -> tuple[int, int]:
    spans = [span(way) for way in tree.ways]
    return min(least for least, _ in spans), max(most for _, most in spans)


_SPANS: Final[Mapping[type, Callable[[Any], tuple[int, int]]]] = {
    Chars: lambda _: (1, 1),
    Anchor: lambda _: (0, 0),
    Back: lambda _: (0, 0),
    Group: lambda tree: span(tree.part),
    Repeat: _span_repeat,
    Seq: _span_seq,
    Alt: _span_alt,
}


def ends(tree: Tree) -> tuple[bool, bool]:
    """Say whether the strings of a tree are tied to the start and to the end of the whole."""
    if isinstance(tree, Anchor):
        return tree.sign == "^", tree.sign == "$"
    if isinstance(tree, Group):
        return ends(tree.part)
    if isinstance(tree, Alt):
        tied = [ends(way) for way in tree.ways]
        return any(start for start, _ in tied), any(end for _, end in tied)
    if isinstance(tree, Seq) and tree.parts:
        return ends(tree.parts[0])[0], ends(tree.parts[-1])[1]
    return False, False


def is_exact(tree: Tree) -> bool:
    """Say whether every string that is drawn fits: nothing was passed over, and anchors stand at the ends."""
    inner = tree.parts if isinstance(tree, Seq) else (tree,)
    return all(ends(tree)) and isinstance(tree, Seq) and not any(map(_doubtful, inner[1:-1]))


def _doubtful(tree: Tree) -> bool:
    if isinstance(tree, Anchor | Back):
        return True
    parts = {Seq: "parts", Alt: "ways"}.get(type(tree))
    if parts:
        return any(map(_doubtful, getattr(tree, parts)))
    return isinstance(tree, Group | Repeat) and _doubtful(tree.part)


def sampler(tree: Tree, least: int, most: int) -> Callable[[Random], str]:
    """Return a closure that draws strings of a tree, in `least` to `most` characters where that can be."""
    low, high = span(tree)
    sample = sample_of(tree)
    at_start, at_end = ends(tree)
    can_pad = not (at_start and at_end)
    low = max(low, min(least, high))
    high = max(low, min(high, most, low + MORE))

    def draw(rng: Random) -> str:
        text = sample(rng, low + int(rng.random() * (high - low + 1)), {})
        if len(text) < least and can_pad:
            padding = "".join(rng.choices(PADDING, k=least - len(text)))
            return padding + text if at_end else text + padding
        return text

    return draw


def sample_of(tree: Tree) -> Sample:
    """Return the closure of a tree: it takes the length to aim at, and the groups matched so far."""
    return _SAMPLES[type(tree)](tree)


def _chars(tree: Chars) -> Sample:
    signs, count = tree.members, len(tree.members)
    if count == 1:
        return lambda _rng, _length, _groups: signs[0]
    return lambda rng, _length, _groups: signs[int(rng.random() * count)]


def _group(tree: Group) -> Sample:
    inner = sample_of(tree.part)

    def sample(rng: Random, length: int, groups: Groups) -> str:
        text = inner(rng, length, groups)
        groups.update(dict.fromkeys(tree.names, text))
        return text

    return sample


def _alt(tree: Alt) -> Sample:
    ways = [(*span(way), sample_of(way)) for way in tree.ways]

    def sample(rng: Random, length: int, groups: Groups) -> str:
        fitting = [way for least, most, way in ways if least <= length <= most] or [ways[0][2]]
        return fitting[int(rng.random() * len(fitting))](rng, length, groups)

    return sample


def _seq(tree: Seq) -> Sample:
    parts = [(sample_of(part), *span(part)) for part in tree.parts]
    needed = sum(least for _, least, _ in parts)
    slack = [most - least for _, least, most in parts]

    def sample(rng: Random, length: int, groups: Groups) -> str:
        more = shares(rng, length - needed, slack)
        return "".join([draw(rng, least + extra, groups) for (draw, least, _), extra in zip(parts, more, strict=True)])

    return sample


def shares(rng: Random, amount: int, limits: list[int]) -> list[int]:
    """Split `amount` at random into parts that keep `limits`; the last that can takes what is left."""
    given, rest = [], sum(limits)
    for limit in limits:
        rest -= limit
        least, most = max(0, amount - rest), min(limit, max(0, amount))
        part = least if most <= least else least + int(rng.random() * (most - least + 1))
        given.append(part)
        amount -= part
    return given


def _repeat(tree: Repeat) -> Sample:
    inner, (least, most) = sample_of(tree.part), span(tree.part)
    top = ENDLESS if tree.most is None else tree.most

    def sample(rng: Random, length: int, groups: Groups) -> str:
        fewest = max(tree.least, -(-length // most)) if most else tree.least
        greatest = min(top, length // least) if least else min(top, max(fewest, tree.least + 1))
        times = min(top, fewest + int(rng.random() * max(1, greatest - fewest + 1)))
        if most == least:
            return "".join([inner(rng, least, groups) for _ in range(times)])
        more = shares(rng, length - least * times, [most - least] * times)
        return "".join([inner(rng, least + extra, groups) for extra in more])

    return sample


_SAMPLES: Final[Mapping[type, Callable[[Any], Sample]]] = {
    Chars: _chars,
    Anchor: lambda _: lambda _rng, _length, _groups: "",
    Back: lambda tree: lambda _rng, _length, groups: groups.get(tree.name, ""),
    Group: _group,
    Alt: _alt,
    Seq: _seq,
    Repeat: _repeat,
}

"""Draw strings from the tree of a regular expression, with a length in given bounds where it has one.

Begin with `sampler`.
"""

from collections.abc import Callable, Mapping, MutableMapping
from random import Random
from typing import Any, Final, TypeAlias

from generators.data.regex_parser import PRINTABLE_ASCII, Alt, Anchor, BackReference, Chars, Group, Repeat, Seq, Tree
from generators.data.wide_scalars import REGEX_CHARS, USUAL_TEXT, log_size

Groups: TypeAlias = MutableMapping[str, str]
Sample: TypeAlias = Callable[[Random, int, Groups], str]
MAX_EXTRA_CHARS: Final = 12  # characters beyond the least length
UNBOUNDED_LENGTH: Final = 1 << 40
PADDING_CHARS: Final = "abcdefghijklmnopqrstuvwxyz"
WIDE_PADDING_CHARS: Final = (*PRINTABLE_ASCII, *REGEX_CHARS)


def length_range(tree: Tree) -> tuple[int, int]:
    """Return the least and the greatest length of a tree's strings, in characters."""
    return _SPANS[type(tree)](tree)


def _span_repeat(tree: Repeat) -> tuple[int, int]:
    least, most = length_range(tree.part)
    return least * tree.least, min(UNBOUNDED_LENGTH, most * (UNBOUNDED_LENGTH if tree.most is None else tree.most))


def _span_seq(tree: Seq) -> tuple[int, int]:
    spans = [length_range(part) for part in tree.parts]
    return sum(least for least, _ in spans), min(UNBOUNDED_LENGTH, sum(most for _, most in spans))


def _span_alt(tree: Alt) -> tuple[int, int]:
    spans = [length_range(way) for way in tree.ways]
    return min(least for least, _ in spans), max(most for _, most in spans)


_SPANS: Final[Mapping[type, Callable[[Any], tuple[int, int]]]] = {
    Chars: lambda _: (1, 1),
    Anchor: lambda _: (0, 0),
    BackReference: lambda _: (0, 0),
    Group: lambda tree: length_range(tree.part),
    Repeat: _span_repeat,
    Seq: _span_seq,
    Alt: _span_alt,
}


def anchored_ends(tree: Tree) -> tuple[bool, bool]:
    """Say whether a tree is anchored at the start, and at the end."""
    if isinstance(tree, Anchor):
        return tree.symbol == "^", tree.symbol == "$"
    if isinstance(tree, Group):
        return anchored_ends(tree.part)
    if isinstance(tree, Alt):
        tied = [anchored_ends(way) for way in tree.ways]
        return any(start for start, _ in tied), any(end for _, end in tied)
    if isinstance(tree, Seq) and tree.parts:
        return anchored_ends(tree.parts[0])[0], anchored_ends(tree.parts[-1])[1]
    return False, False


def is_exact(tree: Tree) -> bool:
    """Say whether every drawn string matches: no assertion was ignored, and anchors are only at the ends."""
    inner = tree.parts if isinstance(tree, Seq) else (tree,)
    return all(anchored_ends(tree)) and isinstance(tree, Seq) and not any(map(_is_uncertain, inner[1:-1]))


def _is_uncertain(tree: Tree) -> bool:
    if isinstance(tree, Anchor | BackReference):
        return True
    parts = {Seq: "parts", Alt: "ways"}.get(type(tree))
    if parts:
        return any(map(_is_uncertain, getattr(tree, parts)))
    return isinstance(tree, Group | Repeat) and _is_uncertain(tree.part)


def sampler(tree: Tree, least: int, most: int, *, is_wide: bool = False, pads: bool = False) -> Callable[[Random], str]:
    """Return a closure that draws strings of a tree, with `least` to `most` characters where possible.

    With `pads` more characters follow at an end that is not anchored, or precede. Where `is_wide` lengths are
    log-uniform, and these characters are not ASCII alone.
    """
    low, high = length_range(tree)
    cells = fixed_cells(tree)
    sample = sample_of(tree) if cells is None else _of_cells(cells)
    at_start, at_end = anchored_ends(tree)
    can_pad = not (at_start and at_end)
    low = max(low, min(least, high))
    high = max(low, min(high, most, max(USUAL_TEXT, 2 * low) if is_wide else low + MAX_EXTRA_CHARS))
    if cells is not None and not (can_pad and (pads or low < least)):
        return lambda rng: sample(rng, low, {})
    span, padding = high - low, WIDE_PADDING_CHARS if is_wide else PADDING_CHARS

    def draw(rng: Random) -> str:
        length = low + (log_size(rng, span) if is_wide else int(rng.random() * (span + 1)))
        text = sample(rng, length, {})
        missing = least - len(text)
        if can_pad and pads:
            missing = max(missing, min(most - len(text), log_size(rng, MAX_EXTRA_CHARS)))
        if can_pad and missing > 0:
            more = "".join(rng.choices(padding, k=missing))
            before = missing if at_end else int(rng.random() * (missing + 1)) if pads and not at_start else 0
            return more[:before] + text + more[before:]
        return text

    return draw


MAX_CELLS: Final = 1000


def fixed_cells(tree: Tree) -> list[tuple[str, ...]] | None:
    """Return the characters that there may be at each place of a tree's strings, None when these differ in length."""
    if isinstance(tree, Chars | Anchor):
        return [tree.members] if isinstance(tree, Chars) else []
    if isinstance(tree, Group):
        return fixed_cells(tree.part)
    if isinstance(tree, Repeat):
        part = fixed_cells(tree.part) if tree.least == tree.most else None
        return None if part is None or len(part) * tree.least > MAX_CELLS else part * tree.least
    if not isinstance(tree, Seq):
        return None
    cells: list[tuple[str, ...]] = []
    for part in map(fixed_cells, tree.parts):
        if part is None:
            return None
        cells += part
    return cells


def _of_cells(cells: list[tuple[str, ...]]) -> Sample:
    counted = [(members, len(members)) for members in cells]

    def sample(rng: Random, _length: int, _groups: Groups) -> str:
        random = rng.random
        return "".join([members[int(random() * count)] for members, count in counted])

    return sample


def sample_of(tree: Tree) -> Sample:
    """Return the closure of a tree: from random source, length to aim at, and groups matched so far, to a string."""
    return _SAMPLES[type(tree)](tree)


def _chars(tree: Chars) -> Sample:
    symbols, count = tree.members, len(tree.members)
    if count == 1:
        return lambda _rng, _length, _groups: symbols[0]
    return lambda rng, _length, _groups: symbols[int(rng.random() * count)]


def _group(tree: Group) -> Sample:
    inner = sample_of(tree.part)

    def sample(rng: Random, length: int, groups: Groups) -> str:
        text = inner(rng, length, groups)
        groups.update(dict.fromkeys(tree.names, text))
        return text

    return sample


def _alt(tree: Alt) -> Sample:
    ways = [(*length_range(way), sample_of(way)) for way in tree.ways]

    def sample(rng: Random, length: int, groups: Groups) -> str:
        fitting = [way for least, most, way in ways if least <= length <= most] or [ways[0][2]]
        return fitting[int(rng.random() * len(fitting))](rng, length, groups)

    return sample


def _seq(tree: Seq) -> Sample:
    parts = [(sample_of(part), *length_range(part)) for part in tree.parts]
    needed = sum(least for _, least, _ in parts)
    slack = [most - least for _, least, most in parts]
    loose = [n for n, more in enumerate(slack) if more]
    if len(loose) <= 1:
        only = loose[0] if loose else -1

        def sample_around(rng: Random, length: int, groups: Groups) -> str:
            extra = max(0, length - needed)
            return "".join([draw(rng, least + extra * (n == only), groups) for n, (draw, least, _) in enumerate(parts)])

        return sample_around

    def sample(rng: Random, length: int, groups: Groups) -> str:
        more = split_randomly(rng, length - needed, slack)
        return "".join([draw(rng, least + extra, groups) for (draw, least, _), extra in zip(parts, more, strict=True)])

    return sample


def split_randomly(rng: Random, amount: int, limits: list[int]) -> list[int]:
    """Split `amount` at random into parts within `limits`; the last that can takes the remainder."""
    given, rest = [], sum(limits)
    for limit in limits:
        rest -= limit
        least, most = max(0, amount - rest), min(limit, max(0, amount))
        part = least if most <= least else least + int(rng.random() * (most - least + 1))
        given.append(part)
        amount -= part
    return given


def _repeat_chars(chars: Chars, fewest: int, greatest: int) -> Sample:
    symbols, count = chars.members, len(chars.members)

    def sample(rng: Random, length: int, _groups: Groups) -> str:
        random = rng.random
        return "".join([symbols[int(random() * count)] for _ in range(max(fewest, min(greatest, length)))])

    return sample


def _repeat(tree: Repeat) -> Sample:
    if isinstance(tree.part, Chars):
        return _repeat_chars(tree.part, tree.least, UNBOUNDED_LENGTH if tree.most is None else tree.most)
    inner, (least, most) = sample_of(tree.part), length_range(tree.part)
    top = UNBOUNDED_LENGTH if tree.most is None else tree.most

    def sample(rng: Random, length: int, groups: Groups) -> str:
        fewest = max(tree.least, -(-length // most)) if most else tree.least
        greatest = min(top, length // least) if least else min(top, max(fewest, tree.least + 1))
        times = min(top, fewest + int(rng.random() * max(1, greatest - fewest + 1)))
        if most == least:
            return "".join([inner(rng, least, groups) for _ in range(times)])
        more = split_randomly(rng, length - least * times, [most - least] * times)
        return "".join([inner(rng, least + extra, groups) for extra in more])

    return sample


_SAMPLES: Final[Mapping[type, Callable[[Any], Sample]]] = {
    Chars: _chars,
    Anchor: lambda _: lambda _rng, _length, _groups: "",
    BackReference: lambda tree: lambda _rng, _length, groups: groups.get(tree.name, ""),
    Group: _group,
    Alt: _alt,
    Seq: _seq,
    Repeat: _repeat,
}

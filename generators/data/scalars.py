"""Plan integers, numbers and strings within their bounds.

Begin with `plan_integer`, `plan_number` and `plan_string`.
"""

from fractions import Fraction
from functools import partial
from itertools import permutations
from math import ceil, floor, inf, isfinite, lcm
from random import Random
from string import ascii_letters, digits
from typing import Final

from generators.data.formats import (
    ALTERNATIVE_SPELLINGS,
    FORMAT_BY_ENCODING,
    FORMAT_KINDS,
    FORMATS,
    UNPOOLED_KINDS,
    pool,
)
from generators.data.normalise import Flat
from generators.data.plan import Draw, DrawPlan, Planner, Predicate
from generators.data.regex_parser import parse_regex
from generators.data.regex_sampler import is_exact, length_range, sampler
from generators.data.wide_scalars import (
    FORMAT_BOUNDS,
    INTEROPERABLE,
    WIDE_FORMATS,
    TextDraw,
    wide_number,
    wide_text,
    wide_whole,
)
from generators.errors import ContradictionError

OPEN_RANGE: Final = 1000  # distance from a bound when the other side is open
WIDE_FRACTIONS: Final = (-(10**9), 10**9)  # numbers of a step that is not whole, where they have no bounds
MAX_FLOAT_STEPS: Final = 2**50  # up to here `random()` times the count reaches every step


def plan_integer(planner: Planner, flat: Flat, _where: str, _kind: str) -> DrawPlan:
    """Plan integers. Raises ContradictionError when none is in the bounds."""
    return _stepped(planner, flat, lcm_of(Fraction(1), _step(flat)))


def plan_number(planner: Planner, flat: Flat, _where: str, _kind: str) -> DrawPlan:
    """Plan numbers, integers or not. Raises ContradictionError when none is in the bounds."""
    if "multipleOf" in flat:
        return _stepped(planner, flat, _step(flat))
    low, high = _close_bounds(*_bounds(flat))
    if low > high or (low == high and not _fits(low, flat)):
        raise ContradictionError("minimum", f"nothing is between {low} and {high}")

    def build() -> Draw:
        wide = wide_number(*_bounds(flat), flat.get("format", ""), planner.edges) if planner.is_wide else None
        if wide is not None:
            return lambda rng, _fuel: wide(rng)
        return _continuous(flat, float(low), float(high), planner.edges)

    return DrawPlan(build=build, risk=_exclusive(flat) or ("minimum" if planner.is_wide else ""))


def _step(flat: Flat) -> Fraction:
    return Fraction(str(flat.get("multipleOf", 1)))


def lcm_of(one: Fraction, other: Fraction) -> Fraction:
    """Return the least common multiple of two fractions."""
    over = lcm(one.denominator, other.denominator)
    return Fraction(lcm(int(one * over), int(other * over)), over)


def _exclusive(flat: Flat) -> str:
    return next((keyword for keyword in ("exclusiveMinimum", "exclusiveMaximum") if keyword in flat), "")


def _bounds(flat: Flat) -> tuple[float, float]:
    low = max(flat.get("minimum", -inf), flat.get("exclusiveMinimum", -inf))
    return low, min(flat.get("maximum", inf), flat.get("exclusiveMaximum", inf))


def _close_bounds(low: float, high: float) -> tuple[float, float]:
    """Return finite bounds: an open side is at most `OPEN_RANGE` from the other, and includes 0 where possible."""
    if low == -inf:
        low = min(0, high - OPEN_RANGE) if isfinite(high) else 0
    return low, (low + max(OPEN_RANGE, abs(low)) if high == inf else high)


def _fits(value: float | Fraction, flat: Flat) -> bool:
    return value not in (flat.get("exclusiveMinimum"), flat.get("exclusiveMaximum"))


def _stepped(planner: Planner, flat: Flat, step: Fraction) -> DrawPlan:
    low, high = (_wide_bounds if planner.is_wide else _near_bounds)(flat, step)
    least, most = FORMAT_BOUNDS.get(flat.get("format", ""), FORMAT_BOUNDS["int64"])
    if flat.get("format") in FORMAT_BOUNDS or (low <= most and high >= least):  # a whole range beyond 64 bits is kept
        low, high = max(low, least), min(high, most)
    first, last = ceil(Fraction(low) / step), floor(Fraction(high) / step)
    first += not _fits(first * step, flat)
    last -= not _fits(last * step, flat)
    if first > last:
        raise ContradictionError(
            "multipleOf" if "multipleOf" in flat else "minimum", f"no step of {step} is in the bounds"
        )
    if planner.is_wide:
        return DrawPlan(build=lambda: _wide_grid(first, last, step, planner.edges))
    return DrawPlan(build=lambda: _grid(first, last, step, planner.edges))


def _near_bounds(flat: Flat, step: Fraction) -> tuple[float | Fraction, float | Fraction]:
    """Return finite bounds, an open side some steps from the other."""
    open_low, open_high = _bounds(flat)
    low, high = _close_bounds(open_low, open_high)
    if high - low < step * OPEN_RANGE and (open_low == -inf or open_high == inf):
        return (low, low + step * OPEN_RANGE) if open_high == inf else (high - step * OPEN_RANGE, high)
    return low, high


def _wide_bounds(flat: Flat, step: Fraction) -> tuple[float | Fraction, float | Fraction]:
    """Return finite bounds, an open side at the end of the format, or some steps beyond the other."""
    low, high = _bounds(flat)
    usual = INTEROPERABLE if step.denominator == 1 else WIDE_FRACTIONS
    least, most = FORMAT_BOUNDS.get(flat.get("format", ""), usual)
    if low == -inf:
        low = least if high >= least else floor(high) - ceil(step * OPEN_RANGE)
    if high == inf:
        high = most if low <= most else ceil(low) + ceil(step * OPEN_RANGE)
    return low, high


def _wide_grid(first: int, last: int, step: Fraction, edges: float) -> Draw:
    draw = wide_whole(first, last, step, edges)
    if step.denominator == 1:
        whole = int(step)
        return lambda rng, _fuel: whole * draw(rng)
    return lambda rng, _fuel: float(draw(rng) * step)


def _grid(first: int, last: int, step: Fraction, edges: float) -> Draw:
    if step.denominator == 1:
        return _whole(first * int(step), last - first + 1, int(step), edges)
    count = last - first + 1
    return lambda rng, _fuel: float((first + rng.randrange(count)) * step)


def _whole(low: int, count: int, step: int, edges: float) -> Draw:
    edge_values = sorted({low, low + (count - 1) * step, *((0,) if low <= 0 < low + count * step else ())})

    def draw(rng: Random, _fuel: int) -> object:
        r = rng.random()
        if r < edges:
            return edge_values[int(r / edges * len(edge_values))]
        return low + step * (int(rng.random() * count) if count < MAX_FLOAT_STEPS else rng.randrange(count))

    return draw


def _continuous(flat: Flat, low: float, high: float, edges: float) -> Draw:
    edge_values = [value for value in (low, high) if _fits(value, flat)] or [(low + high) / 2]
    decimals = 2 if high - low >= 1 else None  # a span below one needs every digit

    def draw(rng: Random, _fuel: int) -> object:
        r = rng.random()
        if r < edges:
            return edge_values[int(r / edges * len(edge_values))]
        value = 2 * (low / 2 + rng.random() * (high / 2 - low / 2))  # halves, so that no span overflows
        return min(max(round(value, decimals) if decimals else value, low), high)

    return draw


MAX_EXTRA_CHARS: Final = 20  # characters beyond the least length
MAX_TRIED_CHARS: Final = 20_000  # a greater maxLength is not tested
SPELLING_SAMPLES: Final = 8  # values drawn to test a spelling
STRING_KEYWORDS: Final = frozenset(("minLength", "maxLength", "pattern", "format", "allOf"))
NAMES: Final = "member name"
"""The kind of texts that must differ from one another, as the names of members."""
WIDE_SPELLING_SHARE: Final = 0.7  # share of strings of a format in a spelling other than the usual one
MIN_POOL_TEXTS: Final = 12  # with fewer valid texts a pool is not used
TEXT_SOURCE: Final = "".join(Random(0).choices(ascii_letters + digits, k=65_536))
EDGE_CASE_STRINGS: Final = (
    "O'Brien",
    'say "hi"',
    "Ünïcödé",
    "漢字かな",
    "🙂👍🏽",
    "עברית",
    "null",
    "0",
    "-1",
    " padded ",
    "a/b~c",
    "<b>&amp;",
    "a\\b",
    "tab\there",
    "e\u0301",
    "%41+b",
)
"""Strings that often expose faults: quotes, Unicode, escapes, and words of other types."""


def plan_string(planner: Planner, flat: Flat, _where: str, kind: str) -> DrawPlan:
    """Plan strings. Raises ContradictionError when no length or pattern is possible."""
    least = flat.get("minLength", 0)
    most = flat.get("maxLength", max(MAX_TRIED_CHARS, least + MAX_EXTRA_CHARS))
    if least > most:
        raise ContradictionError("minLength", f"{least} is above the greatest length, {most}")
    is_valid = planner.predicate({keyword: value for keyword, value in flat.items() if keyword in STRING_KEYWORDS})
    drawn, risk = _source(flat, least, most, is_valid, is_wide=planner.is_wide, is_name=kind == NAMES)
    if planner.profile == "realistic":
        drawn = _realistic(flat, kind, is_valid) or drawn
    if {"pattern", "format", "contentEncoding"} & flat.keys():
        return DrawPlan(build=lambda: lambda rng, _fuel: drawn(rng), risk=risk)
    return DrawPlan(build=lambda: _with_edges(drawn, edge_text(least, most), planner.edges))


def _source(
    flat: Flat, least: int, most: int, is_valid: Predicate, *, is_wide: bool, is_name: bool
) -> tuple[TextDraw, str]:
    """Return what draws the strings, and the keyword that they may violate ("" for none)."""
    form = flat.get("format") or FORMAT_BY_ENCODING.get(flat.get("contentEncoding", ""), "")
    for spelling in (
        (FORMATS[form], *ALTERNATIVE_SPELLINGS.get(form, ())) if form in FORMATS and "pattern" in flat else ()
    ):
        if all(is_valid(spelling(Random(n))) for n in range(SPELLING_SAMPLES)):
            return spelling, "pattern"
    more = [unit["pattern"] for unit in flat.get("allOf", ()) if "pattern" in unit]
    if more:
        pads = is_wide or is_name
        return _joined_patterns([flat["pattern"], *more], least, most, is_valid, pads=pads), "pattern"
    if "pattern" in flat:
        tree = parse_regex(flat["pattern"], is_wide=is_wide)
        low, high = length_range(tree)
        sure = is_exact(tree) and low >= least and high <= most and form not in FORMATS
        drawn = sampler(tree, least, most, is_wide=is_wide, pads=is_wide or is_name)
        return drawn, "" if sure else "pattern"
    if form in FORMATS:
        return _formatted(form, flat, is_valid, is_wide=is_wide)
    return (wide_text if is_wide else plain_text)(least, most), ""


def _formatted(form: str, flat: Flat, is_valid: Predicate, *, is_wide: bool) -> tuple[TextDraw, str]:
    """Return what draws the strings of a format; in a wide profile all spellings that the schema allows somewhere."""
    usual, risk = FORMATS[form], "format" if {"minLength", "maxLength"} & flat.keys() else ""
    wide = WIDE_FORMATS.get(form) if is_wide else None
    if wide is None or (risk and not any(is_valid(wide(Random(n))) for n in range(SPELLING_SAMPLES))):
        return usual, risk
    return lambda rng: wide(rng) if rng.random() < WIDE_SPELLING_SHARE else usual(rng), risk


def _joined_patterns(
    patterns: list[str], least: int, most: int, is_valid: Predicate, *, pads: bool = False
) -> TextDraw:
    """Return what satisfies all patterns most often: strings of one of them, or of two concatenated."""
    single = [sampler(parse_regex(pattern), least, most, pads=pads) for pattern in patterns]
    short = [sampler(parse_regex(pattern), 0, most, pads=pads) for pattern in patterns]
    ways: list[TextDraw] = [*single, *(partial(_concatenated, one, other) for one, other in permutations(short, 2))]
    return max(ways, key=lambda way: sum(is_valid(way(Random(n))) for n in range(4 * SPELLING_SAMPLES)))


def _concatenated(one: TextDraw, other: TextDraw, rng: Random) -> str:
    return one(rng) + other(rng)


def _realistic(flat: Flat, kind: str, is_valid: Predicate) -> TextDraw | None:
    words = [word for word in flat.get("examples", ()) if str(word).isalpha() and is_valid(word)]
    if words and "pattern" in flat:
        return lambda rng: words[int(rng.random() * len(words))]
    if kind in UNPOOLED_KINDS and is_valid(UNPOOLED_KINDS[kind](Random(0))):
        return UNPOOLED_KINDS[kind]
    most = flat.get("maxLength", MAX_TRIED_CHARS)
    texts = pool(FORMAT_KINDS.get(flat.get("format", ""), kind))
    found = tuple(text for text in (text[:most].rstrip() for text in texts) if is_valid(text))
    count = len(found)
    return (lambda rng: found[int(rng.random() * count)]) if len(set(found)) >= MIN_POOL_TEXTS else None


def plain_text(least: int, most: int) -> TextDraw:
    """Return a function that draws letters and digits, 2^32 different texts of one length."""
    least = max(least, min(1, most))
    count = min(most, least + MAX_EXTRA_CHARS) - least + 1
    text = TEXT_SOURCE + TEXT_SOURCE * (least // len(TEXT_SOURCE) + 1)

    def draw(rng: Random) -> str:
        length = least + int(rng.random() * count)
        half, bits = length // 2, rng.getrandbits(32)
        first, second = bits & 0xFFFF, bits >> 16
        return text[first : first + half] + text[second : second + length - half]

    return draw


def edge_text(least: int, most: int) -> TextDraw:
    """Return a function that draws edge-case strings, and strings of the least and the greatest length."""
    awkward = [text for text in EDGE_CASE_STRINGS if least <= len(text) <= most]
    lengths = [plain_text(length, length) for length in (least, most) if length < MAX_TRIED_CHARS] or [
        plain_text(least, most)
    ]
    ways: list[TextDraw] = [*lengths, *((lambda rng: awkward[int(rng.random() * len(awkward))],) if awkward else ())]
    return lambda rng: ways[int(rng.random() * len(ways))](rng)


def _with_edges(usual: TextDraw, edge: TextDraw, edges: float) -> Draw:
    if edges <= 0:
        return lambda rng, _fuel: usual(rng)
    return lambda rng, _fuel: edge(rng) if rng.random() < edges else usual(rng)

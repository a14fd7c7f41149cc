"""Strings: by pattern, by format, realistic by name, else plain; in the lengths that the schema allows."""

from collections.abc import Callable
from functools import partial
from itertools import permutations
from random import Random
from string import ascii_letters, digits
from typing import Final, TypeAlias

from generators.values.formats import ENCODED, FORMATS, SPELLINGS
from generators.values.merging import Flat
from generators.values.node import Draw, Plan, Planner
from generators.values.patterns import parsed
from generators.values.pools import FORMAT_KINDS, FRESH, pool
from generators.values.sampling import is_exact, sampler, span
from generators.values.unsatisfiable import ContradictionError

TextDraw: TypeAlias = Callable[[Random], str]
Predicate: TypeAlias = Callable[[object], bool]

MORE: Final = 20  # how much longer than need be a plain string is at most
LONGEST: Final = 20_000  # a greater maxLength is not tried out
SAMPLE: Final = 8  # values by which a spelling is judged
SPOKEN: Final = frozenset(("minLength", "maxLength", "pattern", "format", "allOf"))
FEW: Final = 12  # with fewer texts that fit, a pool is no help
TEXT: Final = "".join(Random(0).choices(ascii_letters + digits, k=65_536))
AWKWARD: Final = (
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
"""Text that careless code stumbles over."""


def plan_string(planner: Planner, flat: Flat, _where: str, kind: str) -> Plan:
    """Plan strings."""
    least = flat.get("minLength", 0)
    most = flat.get("maxLength", max(LONGEST, least + MORE))
    if least > most:
        raise ContradictionError("minLength", f"{least} is above the greatest length, {most}")
    is_valid = planner.judge({keyword: value for keyword, value in flat.items() if keyword in SPOKEN})
    drawn, risk = _source(flat, least, most, is_valid)
    if planner.realistic:
        drawn = _realistic(flat, kind, is_valid) or drawn
    if {"pattern", "format", "contentEncoding"} & flat.keys():
        return Plan(build=lambda: lambda rng, _fuel: drawn(rng), risk=risk)
    return Plan(build=lambda: _edged(drawn, edge_text(least, most), planner.edges))


def _source(flat: Flat, least: int, most: int, is_valid: Predicate) -> tuple[TextDraw, str]:
    """Return what draws the strings, and the keyword that it may miss."""
    form = flat.get("format") or ENCODED.get(flat.get("contentEncoding", ""), "")
    for spelling in (FORMATS[form], *SPELLINGS.get(form, ())) if form in FORMATS and "pattern" in flat else ():
        if all(is_valid(spelling(Random(n))) for n in range(SAMPLE)):
            return spelling, "pattern"
    more = [unit["pattern"] for unit in flat.get("allOf", ()) if "pattern" in unit]
    if more:
        return _joined([flat["pattern"], *more], least, most, is_valid), "pattern"
    if "pattern" in flat:
        tree = parsed(flat["pattern"])
        low, high = span(tree)
        sure = is_exact(tree) and low >= least and high <= most and form not in FORMATS
        return sampler(tree, least, most), "" if sure else "pattern"
    if form in FORMATS:
        return FORMATS[form], "format" if {"minLength", "maxLength"} & flat.keys() else ""
    return plain_text(least, most), ""


def _joined(patterns: list[str], least: int, most: int, is_valid: Predicate) -> TextDraw:
    """Return what most often keeps all patterns: strings of one of them, or of two behind each other."""
    single = [sampler(parsed(pattern), least, most) for pattern in patterns]
    short = [sampler(parsed(pattern), 0, most) for pattern in patterns]
    ways: list[TextDraw] = [*single, *(partial(_behind, one, other) for one, other in permutations(short, 2))]
    return max(ways, key=lambda way: sum(is_valid(way(Random(n))) for n in range(4 * SAMPLE)))


def _behind(one: TextDraw, other: TextDraw, rng: Random) -> str:
    return one(rng) + other(rng)


def _realistic(flat: Flat, kind: str, is_valid: Predicate) -> TextDraw | None:
    words = [word for word in flat.get("examples", ()) if str(word).isalpha() and is_valid(word)]
    if words and "pattern" in flat:
        return lambda rng: words[int(rng.random() * len(words))]
    if kind in FRESH and is_valid(FRESH[kind](Random(0))):
        return FRESH[kind]
    most = flat.get("maxLength", LONGEST)
    texts = pool(FORMAT_KINDS.get(flat.get("format", ""), kind))
    found = tuple(text for text in (text[:most].rstrip() for text in texts) if is_valid(text))
    count = len(found)
    return (lambda rng: found[int(rng.random() * count)]) if len(set(found)) >= FEW else None


def plain_text(least: int, most: int) -> TextDraw:
    """Return what draws letters and digits; of two parts, so that four milliard texts of a length differ."""
    least = max(least, min(1, most))
    count = min(most, least + MORE) - least + 1
    text = TEXT + TEXT * (least // len(TEXT) + 1)

    def draw(rng: Random) -> str:
        length = least + int(rng.random() * count)
        half, bits = length // 2, rng.getrandbits(32)
        first, second = bits & 0xFFFF, bits >> 16
        return text[first : first + half] + text[second : second + length - half]

    return draw


def edge_text(least: int, most: int) -> TextDraw:
    """Return what draws awkward text, and text of the least and the greatest length."""
    awkward = [text for text in AWKWARD if least <= len(text) <= most]
    lengths = [plain_text(length, length) for length in (least, most) if length < LONGEST] or [plain_text(least, most)]
    ways: list[TextDraw] = [*lengths, *((lambda rng: awkward[int(rng.random() * len(awkward))],) if awkward else ())]
    return lambda rng: ways[int(rng.random() * len(ways))](rng)


def _edged(usual: TextDraw, edge: TextDraw, edges: float) -> Draw:
    if edges <= 0:
        return lambda rng, _fuel: usual(rng)
    return lambda rng, _fuel: edge(rng) if rng.random() < edges else usual(rng)

"""How servers normalise what clients write before they store it, as `normalize` of `x-resources` says.

Begin with `normaliser`, for servers, and `stored_forms`, for judges: where a rule leaves something open, such as how a
half is rounded, or what a blank is beside those of ASCII, there are several right forms of one value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final, TypeAlias

Rule: TypeAlias = str | Mapping[str, int]
"""One of `TEXT_RULES`, or `{"round": DIGITS}`."""
Rules: TypeAlias = Mapping[str, Sequence[Rule]]
"""Rules of members, in the order in which they apply."""
Fits: TypeAlias = Callable[[str, object], bool]
"""Tells whether the schema of a member, by its name, allows a value: lower case, say, can be longer than upper case."""
ASCII_BLANKS: Final = " \t\n\v\f\r"
TEXT_RULES: Final[Mapping[str, tuple[Callable[[str], str], ...]]] = {
    "trim": (str.strip, lambda text: text.strip(ASCII_BLANKS), lambda text: text.strip(" ")),
    "lowercase": (str.lower, str.casefold, lambda text: text.translate(ASCII_LOWER)),
    "uppercase": (str.upper, lambda text: text.translate(ASCII_UPPER)),
}
"""The functions of each rule for texts: the sandbox's first, others that servers may mean too."""
ASCII_LOWER: Final[Mapping[int, int]] = {one: one + 32 for one in range(ord("A"), ord("Z") + 1)}
ASCII_UPPER: Final[Mapping[int, int]] = {one + 32: one for one in ASCII_LOWER}
HALVES: Final = (ROUND_HALF_UP, ROUND_HALF_EVEN)
EXACT: Final = Context(prec=400)  # enough for the digits before and after the point of any number


def normaliser(rules: Rules, fits: Fits) -> Callable[[Mapping[str, object]], Mapping[str, object]]:
    """Return a function that returns members as a server stores them: as sent where the normal form does not fit."""

    def stored(name: str, value: object) -> object:
        form = _first(rules[name], value)
        return form if form == value or fits(name, form) else value

    def normalised(members: Mapping[str, object]) -> Mapping[str, object]:
        return {name: stored(name, value) if name in rules else value for name, value in members.items()}

    return normalised


def stored_forms(rules: Rules, name: str, value: object, fits: Fits | None = None) -> Sequence[object]:
    """Return all forms in which a member may be stored that was written as `value`.

    With `fits` that is also as it was written, where one of its normal forms does not fit.
    """
    forms: list[object] = [value]
    for rule in rules.get(name, ()):
        forms = [form for one in forms for form in _forms(rule, one)]
    return forms if fits is None or all(fits(name, form) for form in forms) else [*forms, value]


def _first(rules: Sequence[Rule], value: object) -> object:
    for rule in rules:
        value = next(_forms(rule, value))
    return value


def _forms(rule: Rule, value: object) -> Iterator[object]:
    """Yield the forms of one value by one rule; a value that the rule says nothing of is itself."""
    if isinstance(rule, str):
        yield from (change(value) for change in TEXT_RULES[rule]) if isinstance(value, str) else (value,)
    elif isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        yield from _rounded(value, rule["round"])
    else:
        yield value


def _rounded(value: float, digits: int) -> Iterator[float]:
    """Yield a number with so many digits after its point; of a binary fraction near a half, both neighbours."""
    exact, unit = Decimal(repr(value)), Decimal(1).scaleb(-digits)
    if isinstance(value, int) or not exact.is_finite():
        yield value
        return
    found: list[Any] = [exact.quantize(unit, how, EXACT) for how in HALVES]
    below, above = (exact.quantize(unit, how, EXACT) for how in (ROUND_FLOOR, ROUND_CEILING))
    found += [below, above] if abs((exact - below) - (above - exact)) * 1000 < unit else []
    yield from map(float, found)

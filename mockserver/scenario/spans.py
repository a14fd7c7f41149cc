"""Lengths of time as scenarios write them: `300ms`, `2s`, `5m`, `1h`, or ISO 8601 `PT5M`."""

import re
from datetime import timedelta
from typing import Final

from contracts.durations import duration

UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
SHORT: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|s|m|h)", re.ASCII)
LONGEST: Final = timedelta(days=36_525)  # a hundred years: far from the end of a sandbox's calendar
SAMPLES: Final = "300ms, 2s, 5m, 1h or PT5M"


def span(text: str) -> timedelta:
    """Return the length that `text` says. Raises ValueError: no length of time, or longer than a hundred years."""
    short = SHORT.fullmatch(text)
    try:
        length = timedelta(**{UNITS[short[2]]: float(short[1])}) if short else duration(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a duration.") from None
    if length > LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years.")
    return length

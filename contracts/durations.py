"""ISO 8601 durations of a fixed length: `PT5M`, `P7D`, `PT0.001S`."""

import re
from datetime import timedelta
from typing import Final

NUMBER: Final = r"\d+(?:\.\d+)?"
PATTERN: Final = (
    rf"^P(?=.)(?:(?P<weeks>{NUMBER})W)?(?:(?P<days>{NUMBER})D)?"
    rf"(?:T(?=.)(?:(?P<hours>{NUMBER})H)?(?:(?P<minutes>{NUMBER})M)?(?:(?P<seconds>{NUMBER})S)?)?$"
)
_COMPILED: Final = re.compile(PATTERN, re.ASCII)


def duration(text: str) -> timedelta:
    """Return the length that `text` says.

    Raises ValueError: no duration, one in years or months, or one over 999,999,999 days.
    """
    found = _COMPILED.match(text)
    if found is None or text.endswith("\n"):
        raise ValueError(f"{text!r} is not a duration such as PT5M or P7D")
    try:
        return timedelta(**{unit: float(number) for unit, number in found.groupdict().items() if number})
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None


def iso(length: timedelta) -> str:
    """Return a length as an ISO 8601 duration in days and seconds."""
    seconds = f"{length.seconds + length.microseconds / 1e6:.6f}".rstrip("0").rstrip(".")
    days = f"{length.days}D" if length.days else ""
    return f"P{days}T{seconds}S" if seconds != "0" else f"P{days or 'T0S'}"

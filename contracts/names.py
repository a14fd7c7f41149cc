"""The closest known name, for hints."""

from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like `name`, "" when none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only faults need it

    by_fold = {one.casefold(): one for one in known}
    found = get_close_matches(name.casefold()[:100], by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `Did you mean 'x'?`, or "" when nothing is close."""
    hint = closest(name, known)
    return f"Did you mean '{hint}'?" if hint else ""

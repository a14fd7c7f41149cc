"""Path templates of OpenAPI: the variables in them, and the paths that values make of them.

A variable may be a whole segment (`/jobs/{job}`) or a part of one (`/jobs/{job}.json`, `/jobs/{job}:cancel`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Final
from urllib.parse import quote, unquote

VARIABLES: Final = re.compile(r"\{([^{}]+)\}")


@lru_cache(maxsize=10_000)
def variables_of(template: str) -> tuple[str, ...]:
    """Return the names of a template's variables in their order."""
    return tuple(VARIABLES.findall(template))


def last_variable(template: str) -> str | None:
    """Return the name of a template's last variable, None when it has none."""
    return next(reversed(variables_of(template)), None)


def own_variable(template: str) -> str | None:
    """Return the variable of a template's last segment, None when that has none or several."""
    names = variables_of(template.rpartition("/")[2])
    return names[0] if len(names) == 1 else None


@lru_cache(maxsize=10_000)
def segment_pattern(segment: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return what matches a decoded segment of a path, with a group for each of its variables."""
    literals = map(re.escape, map(unquote, VARIABLES.split(segment)[::2]))
    return re.compile("(.+?)".join(literals), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def pieces_of(segment: str, text: str) -> tuple[str, ...]:
    """Return a decoded segment cut around its variables: text, value, text, value, ..., text.

    What is not of the template, or of one without variables, is the value of one.
    """
    names = variables_of(segment)
    found = segment_pattern(segment).fullmatch(text) if names else None
    if found is None:
        return ("", text, "")
    cuts = [0, *(at for n in range(len(names)) for at in found.span(n + 1)), len(text)]
    return tuple(text[begin:end] for begin, end in pairwise(cuts))


def segments_of(template: str, path: str) -> tuple[tuple[str, ...], ...]:
    """Return the segments of a path, decoded and cut as `pieces_of` does; one of another template has whole values."""
    texts = [unquote(one) for one in path.split("/")[1:]]
    wanted = template.split("/")[1:]
    return tuple(map(pieces_of, wanted if len(wanted) == len(texts) else [""] * len(texts), texts))


def expanded(template: str, values: Mapping[str, object]) -> str:
    """Return the path that values make of a template, percent-encoded; a variable without a value stays as it is."""

    def filled(found: re.Match[str]) -> str:
        return quote(str(values[found[1]]), safe="") if found[1] in values else found[0]

    return VARIABLES.sub(filled, template)

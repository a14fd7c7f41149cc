"""Path templates of OpenAPI: the variables in them, and the paths that values make of them.

A variable may be a whole segment (`/jobs/{job}`) or a part of one (`/jobs/{job}.json`, `/jobs/{job}:cancel`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

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


def expanded(template: str, values: Mapping[str, object]) -> str:
    """Return the path that values make of a template, percent-encoded; a variable without a value stays as it is."""

    def filled(found: re.Match[str]) -> str:
        return quote(str(values[found[1]]), safe="") if found[1] in values else found[0]

    return VARIABLES.sub(filled, template)

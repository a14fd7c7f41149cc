"""Regular expressions and globs that take linear time, whatever is asked and of what."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

Fits: TypeAlias = Callable[[str], bool]

LARGEST: Final = 1 << 20  # bytes that a compiled expression may take
GLOB: Final = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
SIGN: Final = re.compile(r"\*\*|\*|\?")


@lru_cache(maxsize=1024)
def regex(expression: str) -> Fits:
    """Return what tells whether an expression is found in a text.

    Raises ValueError: it is none, it looks around or back, or it is too large to be compiled.
    """
    try:
        options = RegexOptions(size_limit=LARGEST, dfa_size_limit=LARGEST)
        found = Draft202012Validator({"pattern": expression}, pattern_options=options).is_valid
    except (ValidationError, ValueError):
        raise ValueError(f"{expression!r} is no regular expression that can be used.") from None
    return lambda text: found(text if text.isascii() else text.encode("utf-8", "replace").decode())


@lru_cache(maxsize=1024)
def glob(text: str) -> Fits:
    """Return what tells whether a whole path fits a glob: `*` and `?` stop at a `/`, `**` does not."""
    signs = SIGN.findall(text)
    literals = map(re.escape, SIGN.split(text))
    return regex(
        "(?s)^" + "".join(a + b for a, b in zip(literals, [*(GLOB[sign] for sign in signs), ""], strict=True)) + "$"
    )

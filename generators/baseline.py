"""Findings that were accepted: a file of fingerprints, with what each says for those who read it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from contracts.errors import MisuseError
from generators.checks.findings import Finding

FORM: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
CURE: Final = "Write one with --baseline-update."


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline. Raises MisuseError."""
    try:
        data: Any = orjson.loads(path.read_bytes())
        return frozenset(data["findings"])
    except OSError as error:
        raise MisuseError(f"it cannot be read: {error.strerror}.", where=str(path), cure=CURE) from None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise MisuseError("it is no baseline of findings.", where=str(path), cure=CURE) from None


def write_baseline(path: Path, findings: Iterable[Finding]) -> None:
    """Write a baseline of these findings, the same bytes for the same findings. Raises MisuseError."""
    told = {
        one.fingerprint: {"law": one.law, "operation": one.operation, "shape": one.shape, "says": one.says}
        for one in findings
    }
    try:
        path.write_bytes(orjson.dumps({"findings": told}, option=FORM))
    except OSError as error:
        raise MisuseError(f"it cannot be written: {error.strerror}.", where=str(path), cure="Name a file.") from None

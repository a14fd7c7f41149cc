"""The settings of a sandbox: their defaults, what they may be, and changing some of them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from contracts.jsontext import DEEPEST
from mockserver.api import Api
from mockserver.journal import BYTES, EXCHANGES

MEBI: Final = 1024 * 1024
BASE: Final[Mapping[str, Any]] = {
    "auth": "open",
    "conduct": "observe",
    "strict": False,
    "lenientJson": False,
    "limits": {
        "bodyBytes": 32 * MEBI,
        "depth": 64,
        "timeoutSeconds": 120,
        "journalExchanges": EXCHANGES,
        "journalBytes": BYTES,
    },
}


def _range(says: str, least: int, most: int, unit: str) -> dict[str, object]:
    description = f"{says}: {least} to {most} {unit}."
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


_SCHEMAS: Final[Mapping[str, Any]] = {
    "auth": {"enum": ["open", "strict"], "description": "Whether requests need valid credentials."},
    "conduct": {
        "enum": ["observe", "enforce"],
        "description": "Whether breaches of the rules of client conduct are recorded or refused.",
    },
    "strict": {
        "type": "boolean",
        "description": "Whether the stricter reading applies where a vendor's documentation contradicts itself.",
    },
    "lenientJson": {"type": "boolean", "description": "Whether trailing commas in JSON are accepted."},
    "limits": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "bodyBytes": _range("The largest body of a call, once inflated", 1, 1024 * MEBI, "bytes"),
            "depth": _range("How deep JSON may be nested", 1, DEEPEST, "levels"),
            "timeoutSeconds": _range("How long a scenario may leave a call unanswered", 1, 3600, "seconds"),
            "journalExchanges": _range("How much the journal keeps", 1, 1_000_000, "exchanges"),
            "journalBytes": _range("How much the journal keeps", MEBI, 4096 * MEBI, "bytes"),
        },
    },
}


def defaults(apis: Iterable[Api], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a fresh sandbox: ours, those of each API under its name, and `given` over them."""
    whole = {**BASE, **{api.name: api.settings for api in apis if api.settings}}
    merged: dict[str, Any] = merge(whole, given or {})
    return merged


def schema(apis: Iterable[Api]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the settings when these APIs are served."""
    own = {api.name: dict(api.settings_schema) for api in apis if api.settings_schema}
    return {"type": "object", "additionalProperties": False, "properties": {**_SCHEMAS, **own}}


def merge(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON Merge Patch (RFC 7396) applied; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    kept = target if isinstance(target, Mapping) else {}
    changed = {name: merge(kept.get(name), value) for name, value in patch.items() if value is not None}
    return {**{name: value for name, value in kept.items() if name not in patch or name in changed}, **changed}


def filled(given: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with what is absent taken from those of a fresh sandbox."""
    return {**fresh, **{name: _filled(value, fresh.get(name)) for name, value in given.items()}}


def _filled(value: Any, fresh: Any) -> Any:
    return filled(value, fresh) if isinstance(value, Mapping) and isinstance(fresh, Mapping) else value

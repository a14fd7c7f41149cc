"""What schemathesis is to do, in values that another process understands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "use_after_free",
)
UNSOUND: Final[Mapping[str, str]] = {
    "positive_data_acceptance": "a schema cannot say which references hold, so refusing a valid body proves nothing",
    "unsupported_method": "paths may overlap, so another operation may answer rightly",
    "allow_header_conformance": "for the same reason",
    "ensure_resource_availability": "what is made by a job is not there at once",
    "ignored_auth": "a server may take calls without credentials where the contract leaves that open",
    "object_level_authorization": "it needs a second identity",
}
BY_ITEM: Final = ("negative_data_rejection",)  # a bulk reply is a success although it refuses items


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One run. `document` is an OpenAPI document without outside references; `bulk` lists `METHOD /path` with x-bulk.

    `phases` are of `examples`, `coverage`, `fuzzing`, `stateful`. `seconds` is the time it may take. With `safe` no
    other method is sent than those of the document. With `plain` schemathesis checks what it checks by itself.
    """

    document: Mapping[str, Any]
    base: str
    phases: tuple[str, ...] = ("coverage",)
    bulk: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 60.0
    timeout: float = 30.0
    safe: bool = False
    plain: bool = False

    def to_json(self) -> bytes:
        """Return it as one line."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)


def settings(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of schemathesis for a task that was read from JSON."""
    phases: dict[str, Any] = {
        name: {"enabled": name in task["phases"]} for name in ("examples", "coverage", "fuzzing", "stateful")
    }
    if task["safe"]:
        phases["coverage"]["unexpected-methods"] = []
    chosen = {
        "checks": {name: {"enabled": name in CHECKS} for name in (*CHECKS, *UNSOUND)},
        "operations": [_of_bulk(one) for one in task["bulk"]],
    }
    return {
        "base-url": task["base"],
        "seed": task["seed"],
        "max-time": max(1, int(task["seconds"])),
        "request-timeout": task["timeout"],
        "headers": task["headers"],
        "continue-on-failure": True,
        "workers": 1,
        "cache": {"enabled": False},
        "output": {"sanitization": {"enabled": False}},
        "generation": {"database": "none"},
        "phases": phases,
        **({} if task["plain"] else chosen),
    }


def _of_bulk(name: str) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    return {
        "include-path": path,
        "include-method": method,
        "checks": {check: {"enabled": False} for check in BY_ITEM},
    }

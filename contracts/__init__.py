"""What an API promises: operations, JSON Schemas, the meaning of bulk calls, and judging calls and replies.

Names are imported from their modules when they are first used, so that `import contracts` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contracts.bulk import Bulk, RecordAct, Resource
    from contracts.document import load, load_bundled
    from contracts.errors import BulkproofError, ContractError, Fault, MisuseError, ScenarioError
    from contracts.findings import Violation
    from contracts.jsontext import JsonFault, read_json
    from contracts.messages import ABSENT, Call, Exchange, Headers, Reply
    from contracts.model import Contract, NoRoute, Operation, Route
    from contracts.registry import BUNDLED, bundled_path
    from contracts.routing import Router
    from contracts.schemas import Schema, SchemaSet
    from contracts.validation import Report, check_call, check_reply, check_value, parse_parameters

_HOME: Final = {
    "bulk": ("Bulk", "RecordAct", "Resource"),
    "document": ("load", "load_bundled"),
    "errors": ("BulkproofError", "ContractError", "Fault", "MisuseError", "ScenarioError"),
    "findings": ("Violation",),
    "jsontext": ("JsonFault", "read_json"),
    "messages": ("ABSENT", "Call", "Exchange", "Headers", "Reply"),
    "model": ("Contract", "NoRoute", "Operation", "Route"),
    "registry": ("BUNDLED", "bundled_path"),
    "routing": ("Router",),
    "schemas": ("Schema", "SchemaSet"),
    "validation": ("Report", "check_call", "check_reply", "check_value", "parse_parameters"),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "ABSENT",
    "BUNDLED",
    "Bulk",
    "BulkproofError",
    "Call",
    "Contract",
    "ContractError",
    "Exchange",
    "Fault",
    "Headers",
    "JsonFault",
    "MisuseError",
    "NoRoute",
    "Operation",
    "RecordAct",
    "Reply",
    "Report",
    "Resource",
    "Route",
    "Router",
    "ScenarioError",
    "Schema",
    "SchemaSet",
    "Violation",
    "bundled_path",
    "check_call",
    "check_reply",
    "check_value",
    "load",
    "load_bundled",
    "parse_parameters",
    "read_json",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'contracts' has no attribute {name!r}")
    return getattr(import_module(f"contracts.{_MODULE_OF[name]}"), name)

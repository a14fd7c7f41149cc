"""What an API promises: operations, JSON Schemas, the meaning of bulk calls, and judging calls and replies.

Names are imported from their modules when they are first used, so that `import contracts` stays light.
"""

from typing import TYPE_CHECKING, Final

from contracts.lazily import names_of

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

__getattr__ = names_of(__name__, _HOME)

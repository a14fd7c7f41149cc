"""The contract of an API: OpenAPI operations, JSON Schemas, the `x-bulk` vocabulary, validation and breaking changes.

Begin with `load` (a Contract from an OpenAPI document), `validate_request` and `validate_response`. Public names are
imported from their modules on first use, so that `import contracts` stays light.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contracts.bulk.model import Bulk, RecordAct, Resource
    from contracts.errors import BulkproofError, ContractError, Fault, MisuseError, ScenarioError
    from contracts.messages import ABSENT, Exchange, Headers, Request, Response
    from contracts.openapi.loading import BUNDLED, bundled_path, load, load_bundled
    from contracts.openapi.model import Contract, NoRoute, Operation, Route
    from contracts.openapi.routing import Router
    from contracts.openapi.validation import (
        Report,
        parse_parameters,
        validate_request,
        validate_response,
        validate_value,
    )
    from contracts.schemas.schema_set import Schema, SchemaSet
    from contracts.schemas.violations import Violation
    from contracts.syntax.json_text import JsonFault, read_json

_HOME: Final = {
    "bulk.model": (
        "Bulk",
        "RecordAct",
        "Resource",
    ),
    "errors": (
        "BulkproofError",
        "ContractError",
        "Fault",
        "MisuseError",
        "ScenarioError",
    ),
    "messages": (
        "ABSENT",
        "Exchange",
        "Headers",
        "Request",
        "Response",
    ),
    "openapi.loading": (
        "BUNDLED",
        "bundled_path",
        "load",
        "load_bundled",
    ),
    "openapi.model": (
        "Contract",
        "NoRoute",
        "Operation",
        "Route",
    ),
    "openapi.routing": ("Router",),
    "openapi.validation": (
        "Report",
        "parse_parameters",
        "validate_request",
        "validate_response",
        "validate_value",
    ),
    "schemas.schema_set": (
        "Schema",
        "SchemaSet",
    ),
    "schemas.violations": ("Violation",),
    "syntax.json_text": (
        "JsonFault",
        "read_json",
    ),
}

__all__ = [
    "ABSENT",
    "BUNDLED",
    "Bulk",
    "BulkproofError",
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
    "Report",
    "Request",
    "Resource",
    "Response",
    "Route",
    "Router",
    "ScenarioError",
    "Schema",
    "SchemaSet",
    "Violation",
    "bundled_path",
    "lazy_getattr",
    "load",
    "load_bundled",
    "parse_parameters",
    "read_json",
    "validate_request",
    "validate_response",
    "validate_value",
]


def lazy_getattr(package: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """Return a package's `__getattr__` (PEP 562); `homes` maps its modules to the public names that they define."""
    module_of = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    return find


__getattr__ = lazy_getattr(__name__, _HOME)

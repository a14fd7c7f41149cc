"""What a name means in a contract, so that data can be made of it: an operation, a resource or a schema."""

from collections.abc import Mapping
from typing import Any

from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from contracts.schemas import Schema
from generators.data.items import items_of
from generators.data.records import bodies_of, records_of, values_of
from generators.data.subject import Subject


def subject_of(contract: Contract, name: str, given: Mapping[str, str]) -> Subject:
    """Return what a name means: an operationId, else a resource, else a schema. Raises MisuseError when it is none."""
    operation = contract.operation(name)
    if operation is not None:
        _check_given(operation, given)
        return (
            items_of(contract, operation, given)
            if operation.bulk is not None
            else bodies_of(contract, operation, given)
        )
    resource, schemas = contract.resources.get(name), _schemas(contract)
    if resource is not None and resource.schema is not None:
        return records_of(contract, resource)
    if name in schemas:
        return values_of(name, schemas[name])
    known = [*(one.id for one in contract.operations if one.body is not None), *contract.resources, *schemas]
    cure = did_you_mean(name, known) or f"It has {', '.join(known)}."
    raise MisuseError(f"{contract.name} has no operation, resource or schema '{name}'.", cure=cure)


def _check_given(operation: Operation, given: Mapping[str, str]) -> None:
    known = [one.name for one in operation.parameters]
    for name in given:
        if name not in known:
            cure = did_you_mean(name, known) or f"It has {', '.join(known) or 'none'}."
            raise MisuseError(f"{operation.id} has no parameter '{name}'.", cure=cure)


def _schemas(contract: Contract) -> dict[str, Schema]:
    """Return the schemas that have names: those of the components, and files that hold a schema."""
    found: dict[str, Schema] = {}
    for uri, document in contract.schemas.documents.items():
        parts: Any = document.get("components", {}) if isinstance(document, Mapping) else {}
        for name in parts.get("schemas", ()) if isinstance(parts, Mapping) else ():
            found.setdefault(name, contract.schemas.schema(f"{uri}#/components/schemas/{name}"))
        stem, dot, _ = uri.rpartition("/")[2].rpartition(".")
        if dot and isinstance(document, Mapping) and document.keys() & {"$schema", "type", "properties"}:
            found.setdefault(stem, contract.schemas.schema(f"{uri}#"))
    return found

"""What data can be made of in a contract: items of a bulk operation, bodies of another, records, values of a schema."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, islice
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.bulk import Resource
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from contracts.pointers import tokens_of
from contracts.schemas import Schema
from generators.batches import Composer, Known, Profile
from generators.batches.design import Design
from generators.batches.making import Maker, making_of
from generators.batches.words import place_schema, words_of
from generators.checks.calls import body_schema
from generators.checks.locations import is_outside, put
from generators.columns import columns_of
from generators.mutations import Mutation, invalid_variant
from generators.values import compile_schema

BLOCK: Final = 64  # values drawn from one seeding
REFERRED: Final = 10  # records of another resource that are referred to: as many as are made when no number is given
PLACE: Final = "\0items\0"
WHOLE: Final = frozenset(("create", "replace", "upsert"))


class Row(NamedTuple):
    """One value, its name where values are named, and how it was broken, if it was."""

    value: object
    name: str = ""
    mutation: Mutation | None = None


Rows: TypeAlias = Callable[[int, float], Iterator[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that data can be made of.

    `rows` yields its endless row of values for a seed and a share of broken ones. `around` returns what stands before
    and after the values in a JSON document of them; `named` values are an object's members, others an array's elements.
    """

    name: str
    rows: Rows
    columns: tuple[str, ...]
    named: bool = False
    around: Callable[[], tuple[str, str]] = field(default=lambda: ("", ""))


def subject_of(contract: Contract, name: str, given: Mapping[str, str]) -> Subject:
    """Return what a name means: an operationId, else a resource, else a schema. Raises MisuseError when it is none."""
    operation = contract.operation(name)
    if operation is not None:
        _check_given(operation, given)
        return _bulk(contract, operation, given) if operation.bulk is not None else _body(contract, operation, given)
    resource, schemas = contract.resources.get(name), _schemas(contract)
    if resource is not None and resource.schema is not None:
        return _records(contract, resource)
    if name in schemas:
        return _values(name, schemas[name])
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


def _bulk(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Subject:
    place = operation.bulk.effect.resource.source if operation.bulk and operation.bulk.effect.resource else ""
    parameter = place.partition(":")[2] if is_outside(place) else ""
    others = {name: value for name, value in given.items() if name != parameter}
    words = {word.meaning: word.written or "" for word in Composer(contract, operation, given=others).design.resources}
    chosen = Composer(contract, operation, given=given).design.resources[0].meaning

    def composer_of(name: str) -> Composer:
        return Composer(contract, operation, given={**others, parameter: words[name]} if parameter else given)

    composer = composer_of(chosen)
    design = composer.design

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        known = Known(contract.resources)
        for name in before(contract, chosen) if parameter else ():
            if name in words:
                batch = composer_of(name).compose(seed=seed << 32, size=BLOCK, profile=_profile(0.0), known=known)
                _stock(known, name, ((item.target, item.values) for item in batch.items))
        for block in count():
            batch = composer.compose(seed=(seed << 32) + block, size=BLOCK, profile=_profile(invalid), known=known)
            yield from (Row(item.value, str(item.key), item.mutation) for item in batch.items)

    def around() -> tuple[str, str]:
        body = composer.compose(seed=0, size=1, profile=_profile(0.0)).body
        first, _, last = json.dumps(put(body, design.bulk.items.at, PLACE)).partition(json.dumps(PLACE))
        return first, last

    return Subject(
        name=operation.id,
        rows=rows,
        columns=_columns(design, design.makers[chosen].schema if design.fixed else None),
        named=design.bulk.items.shape == "map",
        around=around,
    )


def _profile(invalid: float) -> Profile:
    return Profile(name="data", invalid=invalid, existing=0.0, delete=0.0)


def before(contract: Contract, name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """Return the resources that one refers to, by itself or through others, each behind those that it refers to.

    Resources whose keys the server makes are left out: what they will be called is not known.
    """
    found: list[str] = []
    resource = contract.resources.get(name)
    for other in resource.references.values() if resource is not None else ():
        named = contract.resources.get(other)
        if named is not None and not named.assigned and other not in seen and other != name:
            found += [one for one in (*before(contract, other, (*seen, name)), other) if one not in found]
    return found


def _stock(known: Known, name: str, records: Iterable[tuple[object, Mapping[str, object] | None]]) -> None:
    """Note the first records of a resource as stored, so that others refer to them."""
    for key, values in islice(records, REFERRED):
        if isinstance(key, str | int):
            known.put(name, key, values=values or {})


def _columns(design: Design, payload: Schema | None) -> tuple[str, ...]:
    """Return the columns of items, those of the payload as the resource declares it."""
    at, element = tokens_of(design.bulk.effect.payload), design.wrapper.element
    if not at:
        return tuple(columns_of(payload or element, {}))
    return tuple(columns_of(element, {".".join(at): payload} if payload is not None else {}))


def _body(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Subject:
    """Return the bodies of an operation that is not bulk; those that write a record are made as records are."""
    schema, record = body_schema(operation), operation.record
    if schema is None:
        raise MisuseError(f"{operation.id} has no JSON body.", cure="Name an operation that sends one.")
    resource = _written(contract, operation, given) if record is not None else None
    if record is None or resource is None or record.action.constant not in WHOLE:
        return _values(operation.id, schema)
    inner, at = _records(contract, resource), record.payload

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        for row in inner.rows(seed, invalid):
            mutation = row.mutation and replace(row.mutation, pointer=f"{at}{row.mutation.pointer}")
            yield Row(put({}, at, row.value), "", mutation)

    above = "".join(f"{token}." for token in tokens_of(at))
    return Subject(name=operation.id, rows=rows, columns=tuple(f"{above}{one}" for one in inner.columns))


def _written(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Resource | None:
    """Return the resource that a single-record operation writes: the one that is given, else the first it knows."""
    assert operation.record is not None  # noqa: S101 - asked before
    choice = operation.record.resource
    schema = place_schema(operation, None, choice.source) if choice.source else None
    words = words_of(choice, schema, [*contract.resources])
    chosen = given.get(choice.source.partition(":")[2], words[0].written if words else None)
    return next((contract.resources.get(word.meaning) for word in words if word.written == chosen), None)


def _records(contract: Contract, resource: Resource) -> Subject:
    """Return records of a resource, with keys and unique values of their own.

    They refer to the first records that the same seed makes of other resources.
    """
    maker = _maker(contract, resource)

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        known = Known(contract.resources)
        for name in before(contract, resource.name):
            other = contract.resources[name]
            made = islice(_made(_maker(contract, other), seed, 0, known), REFERRED)
            _stock(known, name, [(values.get(other.key), values) for _, values in made])
        for block in count():
            for rng, values in _made(maker, seed, block, known):
                yield _broken(maker.schema, values, rng, invalid)

    return Subject(name=resource.name, rows=rows, columns=tuple(columns_of(maker.schema, {})))


def _maker(contract: Contract, resource: Resource) -> Maker:
    return Maker(contract, resource, fallback=None, named_at=None)


def _made(maker: Maker, seed: int, block: int, known: Known) -> Iterator[tuple[Random, dict[str, Any]]]:
    making = making_of(Random(f"{maker.name}/{seed}/{block}"), known)
    for _ in range(BLOCK):
        values = maker.whole(making)
        values = maker.drawn(making) if values is None else values
        if maker.resource is not None and not maker.is_assigned:
            values[maker.resource.key] = maker.new_key(making)
        yield making.rng, values


def _values(name: str, schema: Schema) -> Subject:
    generator = compile_schema(schema)

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        for block in count():
            rng = Random(f"{name}/{seed}/{block}")
            for value in generator.stream(seed, BLOCK, start=block * BLOCK):
                yield _broken(schema, value, rng, invalid)

    return Subject(name=name, rows=rows, columns=tuple(columns_of(schema, {})))


def _broken(schema: Schema | None, value: object, rng: Random, share: float) -> Row:
    mutation = invalid_variant(schema, value, rng) if schema is not None and rng.random() < share else None
    return Row(value) if mutation is None else Row(mutation.value, "", mutation)

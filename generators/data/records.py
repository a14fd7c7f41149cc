"""Records of a resource, bodies that write them, and values of a schema, as data."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from random import Random
from typing import Any, Final

from contracts.bulk import Resource
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.pointers import tokens_of
from contracts.schemas import Schema
from generators.batches import Known
from generators.batches.making import Maker, making_of
from generators.data.columns import columns_of
from generators.data.stock import REFERRED, before, stock
from generators.data.subject import BLOCK, Row, Subject
from generators.locations import put
from generators.mutations import invalid_variant
from generators.requests.calls import body_schema
from generators.requests.words import place_schema, words_of
from generators.values import compile_schema

WHOLE: Final = frozenset(("create", "replace", "upsert"))


def records_of(contract: Contract, resource: Resource) -> Subject:
    """Return records of a resource, with keys and unique values of their own.

    They refer to the first records that the same seed makes of other resources.
    """
    maker = _maker(contract, resource)

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        known = Known(contract.resources)
        for name in before(contract, resource.name):
            other = contract.resources[name]
            made = islice(_made(_maker(contract, other), seed, 0, known), REFERRED)
            stock(known, name, [(values.get(other.key), values) for _, values in made])
        for block in count():
            for rng, values in _made(maker, seed, block, known):
                yield _broken(maker.schema, values, rng, invalid)

    return Subject(name=resource.name, rows=rows, columns=tuple(columns_of(maker.schema, {})))


def values_of(name: str, schema: Schema) -> Subject:
    """Return the values of a schema. Raises UnsatisfiableError."""
    generator = compile_schema(schema)

    def rows(seed: int, invalid: float) -> Iterator[Row]:
        for block in count():
            rng = Random(f"{name}/{seed}/{block}")
            for value in generator.stream(seed, BLOCK, start=block * BLOCK):
                yield _broken(schema, value, rng, invalid)

    return Subject(name=name, rows=rows, columns=tuple(columns_of(schema, {})))


def bodies_of(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Subject:
    """Return the bodies of an operation that is not bulk; those that write a record are made as records are.

    Raises MisuseError for an operation without a body.
    """
    record, content = operation.record, operation.body.content if operation.body is not None else ()
    schema = body_schema(operation) or next((media.schema for media in content if media.schema is not None), None)
    if schema is None:
        raise MisuseError(f"{operation.id} has no body.", cure="Name an operation that sends one.")
    resource = _written(contract, operation, given) if record is not None else None
    if record is None or resource is None or record.action.constant not in WHOLE:
        return values_of(operation.id, schema)
    inner, at = records_of(contract, resource), record.payload

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


def _broken(schema: Schema | None, value: object, rng: Random, share: float) -> Row:
    mutation = invalid_variant(schema, value, rng) if schema is not None and rng.random() < share else None
    return Row(value) if mutation is None else Row(mutation.value, "", mutation)

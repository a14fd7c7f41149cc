"""Write generated data: items of a bulk operation, records of a resource, values of a schema.

Begin with `data_source` and `write_data`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from random import Random
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson

from contracts.bulk.model import Resource
from contracts.errors import MisuseError
from contracts.exchange.locations import is_outside, put
from contracts.openapi.model import Contract, Operation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import names_hint, tokens_of
from generators.data.compile import compile_schema
from generators.data.mutation import invalid_variant
from generators.data.plan import ValueProfile
from generators.datasets.rows import (
    MAX_REFERENCED_RECORDS,
    REST_COLUMN,
    VALUES_PER_SEED,
    DataRow,
    DataSource,
    add_stored_records,
    columns_of,
    referenced_resources,
    with_assumed_records,
    write_rows,
)
from generators.requests.batch import Composer
from generators.requests.calls import body_schema
from generators.requests.envelope import OperationSpec
from generators.requests.known_records import KnownRecords, record_context
from generators.requests.options import options_of, place_schema
from generators.requests.profiles import Profile
from generators.requests.record_factory import RecordFactory

ITEMS_PLACEHOLDER: Final = "\0items\0"


class ComposersByResource:
    """The composers of one operation by resource; `chosen` is the given resource, else the first."""

    __slots__ = ("_contract", "_given", "_operation", "_parameter", "_profile", "chosen", "words")

    def __init__(
        self, contract: Contract, operation: Operation, given: Mapping[str, str], profile: ValueProfile
    ) -> None:
        choice = operation.bulk.effect.resource if operation.bulk else None
        place = choice.source if choice is not None else ""
        self._contract, self._operation, self._profile = contract, operation, profile
        self._parameter = place.partition(":")[2] if is_outside(place) else ""
        self._given = {name: value for name, value in given.items() if name != self._parameter}
        every = Composer(contract, operation, given=self._given).design.resources
        self.words = {word.meaning: word.written for word in every} if self._parameter else {}
        self.chosen = Composer(contract, operation, given=given).design.resources[0].meaning

    def composer(self, name: str) -> Composer:
        """Return the composer for one resource."""
        word = self.words.get(name)
        given = {**self._given, self._parameter: word} if word is not None else self._given
        return Composer(self._contract, self._operation, given=given, values=self._profile)


def items_of(contract: Contract, operation: Operation, given: Mapping[str, str], profile: ValueProfile) -> DataSource:
    """Return the items of a bulk operation. Raises MisuseError when they cannot be composed."""
    kinds = ComposersByResource(contract, operation, given, profile)
    composer = kinds.composer(kinds.chosen)
    design = composer.design

    def rows(seed: int, invalid: float) -> Iterator[DataRow]:
        known, defects = _referenced_records(contract, kinds, seed), _profile(design, invalid)
        for block in count():
            assumed = with_assumed_records(known, design, f"{seed}/{block}")
            batch = composer.compose(seed=(seed << 32) + block, size=VALUES_PER_SEED, profile=defects, known=assumed)
            yield from (DataRow(item.value, str(item.key), item.mutation) for item in batch.items)

    def around() -> tuple[str, str]:
        body = composer.compose(seed=0, size=1, profile=_profile(design, 0.0)).body
        first, _, last = json.dumps(put(body, design.bulk.items.at, ITEMS_PLACEHOLDER)).partition(
            json.dumps(ITEMS_PLACEHOLDER)
        )
        return first, last

    return DataSource(
        name=operation.id,
        rows=rows,
        columns=_columns(design, design.makers[kinds.chosen].schema if design.has_one_resource else None),
        named=design.bulk.items.shape == "map",
        around=around,
    )


def _referenced_records(contract: Contract, kinds: ComposersByResource, seed: int) -> KnownRecords:
    """Return the records that the same seed makes of the resources that the chosen one refers to."""
    known = KnownRecords(contract.resources)
    for name in referenced_resources(contract, kinds.chosen):
        if name in kinds.words:
            composer = kinds.composer(name)
            profile = _profile(composer.design, 0.0)
            batch = composer.compose(seed=seed << 32, size=VALUES_PER_SEED, profile=profile, known=known)
            add_stored_records(known, name, ((item.target, item.values) for item in batch.items))
    return known


def _profile(design: OperationSpec, invalid: float) -> Profile:
    """Return a profile that mutates payloads, or items where they have no payload of their own."""
    shared = design.bulk.effect.payload in design.bulk.items.shared
    if shared or all(word.meaning == "delete" for word in design.actions):
        return Profile(name="data", malformed=invalid, existing=0.0, delete=0.0)
    return Profile(name="data", invalid=invalid, existing=0.0, delete=0.0)


def _columns(design: OperationSpec, payload: Schema | None) -> tuple[str, ...]:
    """Return the columns of items, those of the payload as the resource declares it."""
    at, element = tokens_of(design.bulk.effect.payload), design.encoder.element
    if not at and not design.bulk.effect.target:
        return tuple(columns_of(payload or element, {}))
    inner = {} if payload is None or not at or design.encoder.lists_changes else {".".join(at): payload}
    return tuple(columns_of(element, inner))


WHOLE_RECORD_ACTIONS: Final = frozenset(("create", "replace", "upsert"))


def records_of(contract: Contract, resource: Resource, profile: ValueProfile) -> DataSource:
    """Return records of a resource with distinct keys and unique values.

    They refer to the first records that the same seed makes of other resources.
    """
    maker = _record_factory(contract, resource, profile)

    def rows(seed: int, invalid: float) -> Iterator[DataRow]:
        known = KnownRecords(contract.resources)
        for name in referenced_resources(contract, resource.name):
            other = contract.resources[name]
            made = islice(
                _new_records(_record_factory(contract, other, profile), seed, 0, known), MAX_REFERENCED_RECORDS
            )
            add_stored_records(known, name, [(values.get(other.key), values) for _, values in made])
        for block in count():
            for rng, values in _new_records(maker, seed, block, known):
                yield _maybe_mutated(maker.schema, values, rng, invalid)

    return DataSource(name=resource.name, rows=rows, columns=tuple(columns_of(maker.schema, {})))


def values_of(name: str, schema: Schema, profile: ValueProfile) -> DataSource:
    """Return the values of a schema. Raises UnsatisfiableError."""
    generator = compile_schema(schema, profile=profile)

    def rows(seed: int, invalid: float) -> Iterator[DataRow]:
        for block in count():
            rng = Random(f"{name}/{seed}/{block}")
            for value in generator.stream(seed, VALUES_PER_SEED, start=block * VALUES_PER_SEED):
                yield _maybe_mutated(schema, value, rng, invalid)

    return DataSource(name=name, rows=rows, columns=tuple(columns_of(schema, {})))


def bodies_of(contract: Contract, operation: Operation, given: Mapping[str, str], profile: ValueProfile) -> DataSource:
    """Return the request bodies of an operation that is not bulk; those that write a record are made as records.

    Raises MisuseError for an operation without a body.
    """
    record, content = operation.record, operation.body.content if operation.body is not None else ()
    schema = body_schema(operation) or next((media.schema for media in content if media.schema is not None), None)
    if schema is None:
        raise MisuseError(f"{operation.id} has no body.", cure="Name an operation that sends one.")
    resource = _written(contract, operation, given) if record is not None else None
    if record is None or resource is None or record.action.constant not in WHOLE_RECORD_ACTIONS:
        return values_of(operation.id, schema, profile)
    inner, at = records_of(contract, resource, profile), record.payload

    def rows(seed: int, invalid: float) -> Iterator[DataRow]:
        for row in inner.rows(seed, invalid):
            mutation = row.mutation and replace(row.mutation, pointer=f"{at}{row.mutation.pointer}")
            yield DataRow(put({}, at, row.value), "", mutation)

    above = "".join(f"{token}." for token in tokens_of(at))
    return DataSource(name=operation.id, rows=rows, columns=tuple(f"{above}{one}" for one in inner.columns))


def _written(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Resource | None:
    """Return the resource that a single-record operation writes: the given one, else the first possible."""
    assert operation.record is not None  # noqa: S101 - asked before
    choice = operation.record.resource
    schema = place_schema(operation, None, choice.source) if choice.source else None
    words = options_of(choice, schema, [*contract.resources])
    chosen = given.get(choice.source.partition(":")[2], words[0].written if words else None)
    return next((contract.resources.get(word.meaning) for word in words if word.written == chosen), None)


def _record_factory(contract: Contract, resource: Resource, profile: ValueProfile) -> RecordFactory:
    return RecordFactory(contract, resource, fallback=None, target_schema=None, profile=profile)


def _new_records(
    maker: RecordFactory, seed: int, block: int, known: KnownRecords
) -> Iterator[tuple[Random, dict[str, Any]]]:
    making = record_context(Random(f"{maker.name}/{seed}/{block}"), known)
    for _ in range(VALUES_PER_SEED):
        values = maker.record_members(making)
        values = maker.draw(making) if values is None else values
        if maker.resource is not None and not maker.is_assigned:
            values[maker.resource.key] = maker.new_key(making)
        yield making.rng, values


def _maybe_mutated(schema: Schema | None, value: object, rng: Random, share: float) -> DataRow:
    mutation = invalid_variant(schema, value, rng) if schema is not None and rng.random() < share else None
    return DataRow(value) if mutation is None else DataRow(mutation.value, "", mutation)


def data_source(
    contract: Contract, name: str, given: Mapping[str, str], profile: ValueProfile = "realistic"
) -> DataSource:
    """Return the source for an operationId, else a resource, else a schema. Raises MisuseError for an unknown name.

    `given` are values of an operation's parameters by name, `profile` is the spread of the values.
    """
    operation = contract.operation(name)
    if operation is not None:
        _check_given(operation, given)
        return (
            items_of(contract, operation, given, profile)
            if operation.bulk is not None
            else bodies_of(contract, operation, given, profile)
        )
    resource, schemas = contract.resources.get(name), _schemas(contract)
    if resource is not None and resource.schema is not None:
        return records_of(contract, resource, profile)
    if name in schemas:
        return values_of(name, schemas[name], profile)
    known = [*(one.id for one in contract.operations if one.body is not None), *contract.resources, *schemas]
    cure = names_hint(name, known, "It has")
    raise MisuseError(f"{contract.name} has no operation, resource or schema '{name}'.", cure=cure)


def _check_given(operation: Operation, given: Mapping[str, str]) -> None:
    known = [one.name for one in operation.parameters]
    for name in given:
        if name not in known:
            cure = names_hint(name, known, "It has") or "It has none."
            raise MisuseError(f"{operation.id} has no parameter '{name}'.", cure=cure)


def _schemas(contract: Contract) -> dict[str, Schema]:
    """Return the named schemas: those of the components, and files that contain a schema."""
    found: dict[str, Schema] = {}
    for uri, document in contract.schemas.documents.items():
        parts: Any = document.get("components", {}) if isinstance(document, Mapping) else {}
        for name in parts.get("schemas", ()) if isinstance(parts, Mapping) else ():
            found.setdefault(name, contract.schemas.schema(f"{uri}#/components/schemas/{name}"))
        stem, dot, _ = uri.rpartition("/")[2].rpartition(".")
        if dot and isinstance(document, Mapping) and document.keys() & {"$schema", "type", "properties"}:
            found.setdefault(stem, contract.schemas.schema(f"{uri}#"))
    return found


Form: TypeAlias = Literal["json", "ndjson", "csv"]

MAX_PROBED_VALUES: Final = 32  # values tried before reporting that none can be mutated


def write_data(
    source: DataSource,
    out: TextIO,
    *,
    n: int,
    seed: int = 0,
    invalid: float = 0.0,
    form: Form = "json",
    labels: TextIO | None = None,
) -> None:
    """Write `n` values to `out`, one at a time; the same arguments give the same bytes.

    `invalid` is the share (0 to 1) of values that violate one keyword; `labels` gets a line of JSON for each of them:
    its number, the keyword, the pointer, and what is wrong. JSON is the request body for a bulk operation, an array for
    others; NDJSON has one value on a line, CSV one in a row. Raises MisuseError, and UnsatisfiableError for a schema
    without valid values.
    """
    if invalid:
        _check_breakable(source, seed)
    rows = islice(source.rows(seed, invalid), n)
    WRITERS[form](source, rows if labels is None else _write_labels(rows, labels), out, invalid > 0)


def _check_breakable(source: DataSource, seed: int) -> None:
    if all(row.mutation is None for row in islice(source.rows(seed, 1.0), MAX_PROBED_VALUES)):
        raise MisuseError(f"{source.name} has no keyword that can be violated.", cure="Remove --invalid.")


def _write_labels(rows: Iterable[DataRow], labels: TextIO) -> Iterator[DataRow]:
    for n, row in enumerate(rows):
        if row.mutation is not None:
            label = {"keyword": row.mutation.keyword, "pointer": row.mutation.pointer, "says": row.mutation.says}
            labels.write(f"{compact_json({'value': n, **label})}\n")
        yield row


def compact_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_json(source: DataSource, rows: Iterable[DataRow], out: TextIO, _: bool) -> None:  # noqa: FBT001 - one of a table
    opening_text, closing_text = source.around()
    opening, closing = "{}" if source.named else "[]"
    out.write(f"{opening_text}{opening}")
    for n, row in enumerate(rows):
        text = f"{compact_json(row.name)}:{compact_json(row.value)}" if source.named else compact_json(row.value)
        out.write(f",\n{text}" if n else text)
    out.write(f"{closing}{closing_text}\n")


def _write_lines(_: DataSource, rows: Iterable[DataRow], out: TextIO, __: bool) -> None:  # noqa: FBT001 - the same
    out.writelines(f"{compact_json(row.value)}\n" for row in rows)


def _write_table(source: DataSource, rows: Iterable[DataRow], out: TextIO, broken: bool) -> None:  # noqa: FBT001 - the same
    columns = [*source.columns, *((REST_COLUMN,) if broken or not source.columns else ())]
    write_rows((row.value for row in rows), columns, out)


WRITERS: Final = {"json": _write_json, "ndjson": _write_lines, "csv": _write_table}

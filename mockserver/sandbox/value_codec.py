"""Typed Python values as JSON, and back, for snapshots: jobs, outcomes, recorded exchanges, what hooks remember.

Begin with `ValueCodec`. A value is written by the annotation of its place. Where that does not say its class (`object`,
several classes), what is no JSON value is an object with one member whose name begins with `$`: `{"$instant": "..."}`,
`{"$tuple": [...]}`, `{"$Outcome": {...}}`. What can be read is a closed list: a document names no code.
"""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import orjson

from contracts.bulk.model import Resource
from contracts.exchange.preconditions import EntityTag, EntityTagList
from contracts.messages import Headers, Request, Response
from contracts.schemas.violations import Violation
from contracts.syntax.text import escape, listed, short
from mockserver.bulk.http_items import NO_RESOURCE
from mockserver.bulk.idempotency import IdempotencyRecord
from mockserver.bulk.item_keys import KeptItem
from mockserver.domain.columns import DoneOutcomes, ItemColumns
from mockserver.domain.jobs import Job, JobResult
from mockserver.domain.values import Item, ItemEffect, ItemFault, Outcome, ServedOutcome
from mockserver.sandbox.value_forms import (
    FORMS,
    NONE_TYPE,
    SCALARS,
    Content,
    SnapshotError,
    content_form,
    is_json_scalar,
    read_form,
    require_in_range,
    require_sendable,
    unwritable,
    write_form,
    wrong,
)
from mockserver.scenarios.player import NearMiss
from mockserver.stores.interface import Collection, Record
from mockserver.stores.spooled_bodies import Spool, SpooledBody


class Shape(NamedTuple):
    """What an annotation says: a class with the shapes `inner` to it, `object` where it does not decide.

    `words` are the values of a Literal, or the classes of a union. `is_fixed`: a tuple has one shape for each place.
    """

    kind: Any
    inner: tuple["Shape", ...] = ()
    is_optional: bool = False
    is_fixed: bool = False
    words: tuple[object, ...] = ()


ANY: Final = Shape(object, is_optional=True)
LISTS: Final = frozenset((list, tuple, Sequence))
MAPS: Final = frozenset((dict, Mapping))
COLUMNS: Final = frozenset((DoneOutcomes, ItemColumns))
PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = {str: str.__str__, int: int, float: float}
UNIONS: Final = frozenset((Union, types.UnionType))


@lru_cache(maxsize=1024)
def shape_of(annotation: Any) -> Shape:
    """Return the shape of an annotation."""
    kind, args = get_origin(annotation) or annotation or NONE_TYPE, get_args(annotation)
    if kind in UNIONS:
        some = [one for one in args if one is not NONE_TYPE]
        only = shape_of(some[0]) if len(some) == 1 else Shape(object, words=tuple(shape_of(one).kind for one in some))
        return only._replace(is_optional=only.is_optional or len(some) < len(args))
    if kind is Literal:
        return Shape(Literal, words=args)
    if kind in {Any, object}:
        return ANY
    inner = tuple(shape_of(one) for one in args if one is not Ellipsis)
    return Shape(kind, inner, is_optional=kind is NONE_TYPE, is_fixed=kind is tuple and Ellipsis not in args)


class FieldForm(NamedTuple):
    """A field of a class: its name, the name of its member in JSON, its shape and default."""

    name: str
    said: str
    shape: Shape
    default: Callable[[], object] | None


MEMBER_NAMES: Final = {"spooled_body": "body"}  # others are the field's in camel case


@lru_cache(maxsize=256)
def members_of(kind: type) -> tuple[FieldForm, ...]:
    """Return the fields of a dataclass or a named tuple."""
    hints = get_type_hints(kind, localns=NAMED_ELSEWHERE)
    return tuple(FieldForm(name, _camel(name), shape_of(hints[name]), default) for name, default in _defaults(kind))


NAMED_ELSEWHERE: Final[dict[str, Any]] = {"NearMiss": NearMiss}  # by annotations of modules that do not import it


def _defaults(kind: Any) -> Iterable[tuple[str, Callable[[], object] | None]]:
    if is_dataclass(kind):
        for one in fields(kind):
            constant = None if one.default is MISSING else partial(_same, one.default)
            yield one.name, constant if one.default_factory is MISSING else one.default_factory
        return
    known = kind._field_defaults
    for name in kind._fields:
        yield name, partial(_same, known[name]) if name in known else None


def _same(value: object) -> object:
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return MEMBER_NAMES.get(name) or first + "".join(map(str.title, rest))


CLASSES: Final = (
    Collection,
    EntityTag,
    EntityTagList,
    IdempotencyRecord,
    Item,
    ItemEffect,
    ItemFault,
    Job,
    JobResult,
    KeptItem,
    Outcome,
    Record,
    Request,
    Response,
    ServedOutcome,
    Violation,
)


class ValueCodec:
    """Writes and reads the values of one API: `write` and `read`. Both raise SnapshotError, with a JSON Pointer.

    What this server itself has not written (not `is_own`) may have no instants or durations beyond all use. `content`
    writes bytes.
    """

    __slots__ = ("_content", "_is_own", "_resources", "_spool")

    def __init__(
        self, resources: Mapping[str, Resource], spool: Spool, *, is_own: bool = True, content: Content = content_form
    ) -> None:
        self._resources, self._spool, self._is_own, self._content = resources, spool, is_own, content

    def write(self, value: object, annotation: Any = object, at: str = "") -> Any:
        """Return the JSON value of a value; `at` is its place."""
        try:
            return self._write(value, shape_of(annotation), at)
        except RecursionError:
            raise SnapshotError("this is nested too deeply, or contains itself.", where=at) from None

    def read(self, data: object, annotation: Any = object, at: str = "") -> Any:
        """Return the value of a JSON value."""
        return self._read(data, shape_of(annotation), at)

    def _write(self, value: Any, shape: Shape, at: str) -> Any:
        kind = type(value)
        if kind in SCALARS:
            return value if is_json_scalar(value) else {FORMS[kind].tag: FORMS[kind].write(value)}
        if kind in LISTS or kind in COLUMNS:
            return self._write_list(value, shape, at)
        if kind is dict or kind is types.MappingProxyType:
            return self._write_map(value, shape, at)
        if isinstance(value, str | int | float):  # of a class of its own, such as HTTPStatus: what it says is kept
            return self._write(PLAIN[next(one for one in PLAIN if isinstance(value, one))](value), shape, at)
        tag, data = self._written(value, kind, at)
        if kind is shape.kind:
            return data
        if tag not in TAGS or TAGS[tag] is not kind:
            raise unwritable(value, at)
        return {tag: data}

    def _write_list(self, value: Sequence[Any], shape: Shape, at: str) -> Any:
        is_said = shape.kind in LISTS
        inner = shape.inner if is_said and shape.inner else (ANY,)
        each = inner if shape.is_fixed and len(inner) == len(value) else inner[:1] * len(value)
        data = [self._write(one, of, f"{at}/{n}") for n, (one, of) in enumerate(zip(value, each, strict=True))]
        return data if is_said or type(value) is list else {"$tuple": data}

    def _write_map(self, value: Mapping[Any, Any], shape: Shape, at: str) -> Any:
        of_key, of_value = shape.inner if shape.kind in MAPS and shape.inner else (ANY, ANY)
        if all(type(name) is str and name[:1] != "$" and is_json_scalar(name) for name in value):
            return {name: self._write(one, of_value, f"{at}/{escape(name)}") for name, one in value.items()}
        pairs = [
            [self._write(name, of_key, f"{at}/$map/{n}/0"), self._write(one, of_value, f"{at}/$map/{n}/1")]
            for n, (name, one) in enumerate(value.items())
        ]
        return {"$map": pairs}

    def _written(self, value: Any, kind: type, at: str) -> tuple[str, Any]:
        """Return the tag of a value that is neither a JSON value nor a tuple, and how it is written."""
        if kind is bytes or kind is SpooledBody:
            return ("$bytes", self._content(value)) if kind is bytes else ("$body", self._content(value.read()))
        if kind in FORMS:
            return FORMS[kind].tag, write_form(value, FORMS[kind], at)
        if kind is Headers:
            return "$headers", self._write_list(value.pairs, HEADERS, at)
        if kind is Resource:
            return "$resource", self._resource_name(value, at)
        if kind in {set, frozenset}:
            some = [self._write(one, ANY, at) for one in value]
            return f"${kind.__name__}", sorted(some, key=orjson.dumps)
        if is_dataclass(kind) or hasattr(kind, "_field_defaults"):
            return f"${kind.__name__}", self._write_members(value, kind, at)
        raise unwritable(value, at)

    def _write_members(self, value: Any, kind: type, at: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, said, shape, default in members_of(kind):
            one = getattr(value, name)
            usual = MISSING if default is None else default()
            if usual is not one and (type(usual) is not type(one) or usual != one):
                data[said] = self._write(one, shape, f"{at}/{said}")
        if kind is ServedOutcome:
            data |= {"response": self._write(value.response, RESPONSE, at), "path": value.path}
        return data

    def _resource_name(self, value: Resource, at: str) -> str:
        if value.name and self._resources.get(value.name) != value:
            raise SnapshotError(f"the resource '{value.name}' is not the contract's.", where=at)
        return value.name

    def _read(self, data: Any, shape: Shape, at: str) -> Any:
        if data is None and shape.is_optional:
            return None
        if type(data) is dict and len(data) == 1 and shape.kind not in LISTS and next(iter(data))[:1] == "$":
            return self._read_tagged(data, shape, at)
        if shape.kind is object and shape.words and type(data) not in shape.words:
            raise wrong(data, _meant(shape), at)
        return self._readers.get(shape.kind, ValueCodec._read_class_of)(self, data, shape, at)

    def _read_scalar(self, data: Any, shape: Shape, at: str) -> Any:
        if type(data) is not shape.kind and (shape.kind is not float or type(data) is not int):
            raise wrong(data, _meant(shape), at)
        if not self._is_own:
            require_in_range(data, at)
        return data

    def _read_word(self, data: Any, shape: Shape, at: str) -> Any:
        if data not in shape.words:
            cure = f"Write {listed(map(str, shape.words), 'or')}."
            raise SnapshotError(f"{short(data)} is not known here.", where=at, cure=cure)
        return data

    def _read_json(self, data: Any, shape: Shape, at: str) -> Any:
        del shape
        if type(data) is list:
            return [self._read(one, ANY, f"{at}/{n}") for n, one in enumerate(data)]
        if type(data) is dict:
            return {name: self._read(one, ANY, f"{at}/{escape(name)}") for name, one in data.items()}
        return data

    def _read_list(self, data: Any, shape: Shape, at: str) -> Any:
        if type(data) is not list:
            raise wrong(data, "an array", at)
        inner = shape.inner or (ANY,)
        if shape.is_fixed and len(inner) != len(data):
            raise SnapshotError(f"it must have {len(inner)} elements, not {len(data)}.", where=at)
        each = inner if shape.is_fixed else inner[:1] * len(data)
        found = [self._read(one, of, f"{at}/{n}") for n, (one, of) in enumerate(zip(data, each, strict=True))]
        return found if shape.kind is list else tuple(found)

    def _read_map(self, data: Any, shape: Shape, at: str) -> dict[Any, Any]:
        if type(data) is not dict:
            raise wrong(data, "an object", at)
        of_key, of_value = shape.inner or (ANY, ANY)
        if data and of_key.kind not in {str, object}:
            raise wrong(data, "an object with the member $map", at)
        return {name: self._read(one, of_value, f"{at}/{escape(name)}") for name, one in data.items()}

    def _read_tagged(self, data: dict[str, Any], shape: Shape, at: str) -> Any:
        ((tag, inner),) = data.items()
        at = f"{at}/{tag}"
        if tag == "$map" and (shape.kind in MAPS or (shape.kind is object and not shape.words)):
            return self._read_pairs(inner, shape, at)
        kind = TAGS.get(tag)
        if kind is None:
            raise SnapshotError(f"'{tag[:80]}' names no kind of value.", where=at)
        found = self._read_class(inner, kind, at)
        wanted = (shape.words or (object,)) if shape.kind is object else (shape.kind,)
        if not any(isinstance(one, type) and issubclass(kind, one) for one in wanted):
            raise SnapshotError(f"it must be {_meant(shape)}, not '{tag[:80]}'.", where=at)
        return found

    def _read_pairs(self, data: Any, shape: Shape, at: str) -> dict[Any, Any]:
        of_key, of_value = shape.inner or (ANY, ANY)
        pairs = self._read_list(data, Shape(tuple, (Shape(tuple, (of_key, of_value), is_fixed=True),)), at)
        try:
            return dict(pairs)
        except TypeError:
            raise SnapshotError("a key must be a string, a number, or a tuple of such.", where=at) from None

    def _read_class_of(self, data: Any, shape: Shape, at: str) -> Any:
        return self._read_class(data, shape.kind, at)

    def _read_class(self, data: Any, kind: Any, at: str) -> Any:
        if kind in FORMS:
            return read_form(data, FORMS[kind], at, is_own=self._is_own)
        if kind in {tuple, set, frozenset}:
            return self._read_group(data, kind, at)
        if kind is Headers:
            return Headers(self._read_list(data, HEADERS, at))
        if kind is Resource:
            return self._named_resource(data, at)
        if kind is SpooledBody:
            return self._spool.store(read_form(data, FORMS[bytes], at))
        return self._read_members(data, kind, at)

    def _read_group(self, data: Any, kind: Any, at: str) -> Any:
        try:
            return kind(self._read_list(data, Shape(list), at))
        except TypeError:
            raise SnapshotError(
                "each element of a set must be a string, a number, or a tuple of such.", where=at
            ) from None

    def _named_resource(self, data: Any, at: str) -> Resource:
        if data == "":
            return NO_RESOURCE
        if type(data) is not str or data not in self._resources:
            raise SnapshotError(
                f"the contract has no resource {short(data)}.", where=at, cure=f"It has {listed(self._resources)}."
            )
        return self._resources[data]

    def _read_members(self, data: Any, kind: Any, at: str) -> Any:
        if type(data) is not dict:
            raise wrong(data, "an object", at)
        extra = ("response", "path") if kind is ServedOutcome else ()
        values: dict[str, Any] = {}
        for name, said, shape, default in members_of(kind):
            if said in data:
                values[name] = self._read(data[said], shape, f"{at}/{said}")
            elif default is None:
                raise SnapshotError(f"'{said}' is missing.", where=at, cure="Add it.")
        known = {one.said for one in members_of(kind)}.union(extra)
        unknown = next((name for name in data if name not in known), None)
        if unknown is not None:
            raise SnapshotError(
                f"'{unknown[:80]}' is not known here.", where=at, cure=f"Known: {listed(sorted(known))}."
            )
        found = kind(**values)
        if kind is Response:
            require_sendable(found, at)
        if extra:
            found.response = self._read(data.get("response"), RESPONSE, f"{at}/response")
            found.path = self._read(data.get("path"), Shape(str), f"{at}/path")
        return found

    _readers: ClassVar[Mapping[Any, Callable[["ValueCodec", Any, Shape, str], Any]]] = {
        object: _read_json,
        Literal: _read_word,
        **dict.fromkeys(SCALARS, _read_scalar),
        **dict.fromkeys(LISTS, _read_list),
        **dict.fromkeys(MAPS, _read_map),
    }
    """By what a shape says; any other class by `_read_class_of`."""


HEADERS: Final = shape_of(tuple[tuple[str, str], ...])
RESPONSE: Final = shape_of(Response)
TAGS: Final[Mapping[str, Any]] = {
    "$body": SpooledBody,
    "$frozenset": frozenset,
    "$headers": Headers,
    "$resource": Resource,
    "$set": set,
    "$tuple": tuple,
    **{form.tag: kind for kind, form in FORMS.items()},
    **{f"${kind.__name__}": kind for kind in CLASSES},
}
"""What may be read where no annotation says the class."""


def _meant(shape: Shape) -> str:
    if shape.kind is object and shape.words:
        return listed(dict.fromkeys(_meant(Shape(one)) for one in shape.words), "or")
    kind = shape.kind
    return KIND_WORDS.get(kind) or (
        FORMS[kind].meant if kind in FORMS else "an array" if kind in LISTS else "an object"
    )


KIND_WORDS: Final = {str: "a string", int: "an integer", float: "a number", bool: "true or false", NONE_TYPE: "null"}

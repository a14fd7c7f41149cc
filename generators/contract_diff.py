"""Find witnesses for the changes between two contracts, and render a comparison as text, Markdown or JSON.

Begin with `render_diff`; `find_witness` searches for a value that one version of a schema accepts and the other
refuses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from random import Random
from typing import Any, Final, TypeAlias

import orjson

from contracts.diff.model import SEVERITIES, Change, Diff, Severity, WitnessHint
from contracts.messages import ABSENT
from contracts.schemas.keywords import rewrite_references
from contracts.schemas.schema_set import Schema, SchemaSet
from contracts.syntax.text import clipped, listed
from generators.data.compile import Generator, compile_schema
from generators.data.shrink import shrink_value
from generators.errors import UnsatisfiableError

Raw: TypeAlias = Mapping[str, Any]
REFUSING_PREFIX: Final = (
    "t"  # begins the names of the refusing side's definitions, where the accepting side's have an "s"
)


def directed_schema(accepting: Schema, refusing: Schema, hint: WitnessHint) -> dict[str, object]:
    """Return a schema of the values that `accepting` accepts and `refusing` refuses for the reason in `hint`."""
    known = hint.within.within is accepting.within
    inside = _at_location(hint, {"$ref": hint.within.ref} if known else {})
    accepted = accepting.within.enclosed({"allOf": [{"$ref": accepting.ref}, inside]})
    refused = _rename_definitions(refusing.within.enclosed(_at_location(hint, hint.violation)))
    definitions = {**_definitions(accepted), **_definitions(refused)}
    return {"allOf": [accepted, refused], "$defs": definitions}


def _definitions(schema: dict[str, object]) -> dict[str, object]:
    found: Any = schema.pop("$defs", {})
    return dict(found)


def _rename_definitions(schema: dict[str, object]) -> dict[str, object]:
    def other(ref: str) -> str:
        return ref.replace("#/$defs/s", f"#/$defs/{REFUSING_PREFIX}", 1)

    whole = rewrite_references(schema, other)
    if "$defs" in whole:
        whole["$defs"] = {f"{REFUSING_PREFIX}{name[1:]}": one for name, one in _definitions(whole).items()}
    return whole


def _at_location(hint: WitnessHint, schema: Raw) -> Raw:
    """Return a schema of values that have, at the hint's place, a value of `schema`."""
    for keyword, *more in reversed(hint.steps):
        wrap = WRAPS.get(keyword)
        schema = wrap(more, schema) if wrap is not None else schema
    return schema


def _member(name: str, schema: Raw) -> Raw:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _by_pattern(pattern: str, schema: Raw) -> Raw:
    try:
        name = compile_schema({"type": "string", "pattern": pattern}).draw(Random(0))
    except UnsatisfiableError:
        return {}
    return _member(str(name), schema)


def _element(n: int, schema: Raw) -> Raw:
    return {"type": "array", "minItems": n + 1, "prefixItems": [*({} for _ in range(n)), schema]}


WRAPS: Final[Mapping[str, Callable[[list[str], Raw], Raw]]] = {
    "properties": lambda more, schema: _member(more[0], schema),
    "additionalProperties": lambda more, schema: _member(more[0], schema),
    "patternProperties": lambda more, schema: _by_pattern(more[0], schema),
    "dependentSchemas": lambda more, schema: {"allOf": [{"type": "object", "required": [more[0]]}, schema]},
    "propertyNames": lambda _, schema: {"type": "object", "minProperties": 1, "propertyNames": schema},
    "items": lambda _, schema: _element(0, schema),
    "prefixItems": lambda more, schema: _element(int(more[0]), schema),
    "contains": lambda _, schema: {"type": "array", "contains": schema},
}


MAX_SHRINK_TRIES: Final = 400  # smaller values tried
DIRECTED_DRAWS: Final = 60  # values drawn with a hint
BLIND_DRAWS: Final = 500  # values drawn from the accepting schema, when a hint led to none
MAX_BLIND_BYTES: Final = 100_000  # total size of values drawn without a hint
MAX_WITNESSES: Final = 5  # witnesses to choose the best from
MAX_COUNTED_ERRORS: Final = 20  # violations counted in a witness


def find_witness(accepting: Schema, refusing: Schema, hint: WitnessHint | None) -> object:
    """Return a small value that `accepting` accepts and `refusing` refuses, ABSENT when none is found.

    With a `hint` the value has the violation at the hint's place, and as few others as possible. The result depends on
    the arguments alone.
    """
    goal = _goal(accepting, refusing, hint)

    def shows(value: object) -> bool:
        return accepting.is_valid(value) and not refusing.is_valid(value) and (goal is None or goal.is_valid(value))

    def badness(value: object) -> tuple[int, int]:
        faults = sum(1 for _ in islice(refusing.validator.iter_errors(value), MAX_COUNTED_ERRORS))
        return faults, len(orjson.dumps(value))

    towards = _drawn(lambda: compile_schema(goal, profile="plain"), DIRECTED_DRAWS) if goal is not None else iter(())
    found = [*islice(filter(shows, chain(towards, _blind(accepting))), MAX_WITNESSES)]
    if not found:
        return ABSENT
    best = min(found, key=badness)
    most, tries = badness(best)[0], iter(range(MAX_SHRINK_TRIES))
    return _smallest(best, lambda value: next(tries, None) is not None and shows(value) and badness(value)[0] <= most)


def _smallest(value: object, shows: Callable[[object], bool]) -> object:
    """Return a value from which no more can be removed within `MAX_SHRINK_TRIES`."""
    while (smaller := shrink_value(value, shows)) != value:
        value = smaller
    return value


def _goal(accepting: Schema, refusing: Schema, hint: WitnessHint | None) -> Schema | None:
    if hint is None:
        return None
    return SchemaSet({"": directed_schema(accepting, refusing, hint)}).schema("#")


def _blind(accepting: Schema) -> Iterator[object]:
    size = 0
    for value in _drawn(lambda: compile_schema(accepting, profile="plain", edges=0.3), BLIND_DRAWS):
        size += len(orjson.dumps(value))
        yield value
        if size > MAX_BLIND_BYTES:
            return


def _drawn(compiled: Callable[[], Generator], tries: int) -> Iterator[object]:
    """Yield up to `tries` values; none when the schema is unsatisfiable."""
    rng = Random(0)
    try:
        generator = compiled()
        for _ in range(tries):
            yield generator.draw(rng)
    except UnsatisfiableError:
        return


MAX_WITNESS_CHARS: Final = 400  # characters of a witness in text; JSON has it whole
MAX_LISTED_PLACES: Final = 3  # other places in text; JSON has all
MAX_WHOLE_ELEMENTS: Final = 4  # a longer array is abridged
SHOWN_ELEMENTS: Final = 2  # of an abridged array
MAX_STRING_CHARS: Final = 60  # a longer string is abridged
NO_CHANGES: Final = "No changes."
WITNESS_LABELS: Final[Mapping[str, str]] = {
    "request": "accepted before, rejected now",
    "response": "impossible before, possible now",
}
SEVERITY_HEADINGS: Final[Mapping[Severity, str]] = {
    "error": "Breaks clients",
    "warning": "May break clients",
    "info": "Breaks no client",
}
PROVEN: Final = " (proven compatible)"


def render_diff(diff: Diff, form: str) -> str:
    """Return a comparison in one of `FORMATS`."""
    return FORMATS[form](diff)


def _title(diff: Diff) -> str:
    return f"{' '.join(diff.old)} → {' '.join(diff.new)}"


def _counts(diff: Diff) -> str:
    parts = [f"{number} {name}{'s' if number != 1 else ''}" for name, number in diff.counts.items() if number]
    return listed(parts) if parts else ""


def _description(change: Change) -> str:
    """Return the change as a clause; a change that is proven compatible says so."""
    return change.says + (PROVEN if change.proof == "containment" and change.severity == "info" else "")


def _other_places(places: Sequence[str]) -> str:
    return listed(places) if len(places) <= MAX_LISTED_PLACES else f"{len(places)} other places"


def _witness(change: Change) -> str:
    return clipped(_abridge(change.witness), MAX_WITNESS_CHARS)


def _abridge(value: Any) -> str:
    """Return a JSON value as text, long arrays and strings by their beginning."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_abridge(name)}: {_abridge(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        more = [f"… {len(value) - SHOWN_ELEMENTS} more"] if len(value) > MAX_WHOLE_ELEMENTS else []
        return "[" + ", ".join([*map(_abridge, value[: SHOWN_ELEMENTS if more else MAX_WHOLE_ELEMENTS]), *more]) + "]"
    if isinstance(value, str) and len(value) > MAX_STRING_CHARS:
        return f'{orjson.dumps(value[:MAX_STRING_CHARS]).decode()[:-1]}…" ({len(value)} characters)'
    return orjson.dumps(value).decode()


def as_text(diff: Diff) -> str:
    """Return a comparison as lines for a terminal."""
    lines = [_title(diff)]
    for one in diff.changes:
        lines += ["", *_text_lines(one)]
    return "\n".join([*lines, "", f"{_counts(diff)}." if diff.changes else NO_CHANGES]) + "\n"


def _text_lines(one: Change) -> Iterator[str]:
    where = " ".join(part for part in (one.operation, one.place) if part) or "the contract"
    yield f"{one.severity:<8} {where}"
    yield f"         {_description(one)} [{one.rule}]"
    if one.witness is not ABSENT:
        yield f"         {WITNESS_LABELS[one.direction]}: {_witness(one)}"
    if one.also:
        yield f"         the same in {_other_places(one.also)}"


def as_markdown(diff: Diff) -> str:
    """Return a comparison as Markdown, with a section for each severity."""
    lines = [f"# {_escape(_title(diff))}", "", f"{_counts(diff)}." if diff.changes else NO_CHANGES]
    for severity in SEVERITIES:
        found = [one for one in diff.changes if one.severity == severity]
        if found:
            lines += ["", f"## {SEVERITY_HEADINGS[severity]}", ""]
            lines += [line for one in found for line in _markdown_lines(one)]
    return "\n".join(lines) + "\n"


def _markdown_lines(one: Change) -> Iterator[str]:
    where = ", ".join(part for part in (f"`{one.operation}`" if one.operation else "", _escape(one.place)) if part)
    yield f"- **{where or 'the contract'}**: {_escape(_description(one))} (`{one.rule}`)"
    if one.witness is not ABSENT:
        yield f"  - {WITNESS_LABELS[one.direction]}: {_code_span(_witness(one))}"
    if one.also:
        yield f"  - the same in {_other_places([f'`{name}`' for name in one.also])}"


def _code_span(text: str) -> str:
    """Return text as code, fenced with more backticks than it has in a row."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _escape(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text)


def as_json(diff: Diff) -> str:
    """Return a comparison as a JSON document; a change without a witness has no member `witness`."""
    document = {
        "old": dict(zip(("title", "version"), diff.old, strict=True)),
        "new": dict(zip(("title", "version"), diff.new, strict=True)),
        "counts": diff.counts,
        "changes": list(map(_data, diff.changes)),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _data(one: Change) -> dict[str, Any]:
    named = ("rule", "severity", "operation", "place", "schema", "says", "proof", "also")
    found = {name: getattr(one, name) for name in named}
    return found if one.witness is ABSENT else {**found, "witness": one.witness}


FORMATS: Final[Mapping[str, Callable[[Diff], str]]] = {"text": as_text, "markdown": as_markdown, "json": as_json}

"""Validate requests and responses against their operation. Begin with `validate_request` and `validate_response`.

Violations are grouped by rule and field, and counted exactly.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from contracts.messages import ABSENT, Request, Response, essence
from contracts.openapi.model import Body, DeclaredResponse, HeaderField, MediaType, Operation, Parameter, is_json
from contracts.openapi.parameters import REPEATED, coerce, describes_text, read_parameters, read_text
from contracts.schemas.explanation import explain
from contracts.schemas.schema_set import Schema
from contracts.schemas.violations import MAX_GROUPS, Findings, Path, Violation
from contracts.schemas.wording import check
from contracts.syntax.text import clipped, listed, short, tokens_of

__all__ = [
    "Report",
    "Violation",
    "parse_parameters",
    "validate_items",
    "validate_request",
    "validate_response",
    "validate_value",
]

Side = Literal["call", "reply"]
MISSING_PARAMETER: Final = check("required", "is missing", "a value")
REPEATED_PARAMETER: Final = check("maxItems", "must be given only once", "one value")
NO_CONTENT_STATUS: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The violations of a request or a response; false when there are none.

    `violations` are groups of like violations, at most as many as requested; `total` counts single ones and `bad_items`
    the items that have any. `values` are the parameters of a request by location and name, typed, defaults filled in.
    """

    violations: tuple[Violation, ...] = ()
    total: int = 0
    bad_items: int = 0
    values: Mapping[tuple[str, str], Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.total > 0

    def __iter__(self) -> Iterator[Violation]:
        return iter(self.violations)

    def __len__(self) -> int:
        return len(self.violations)

    def __add__(self, other: "Report") -> "Report":
        return Report(
            violations=self.violations + other.violations,
            total=self.total + other.total,
            bad_items=self.bad_items + other.bad_items,
            values={**self.values, **other.values},
        )


NO_VIOLATIONS: Final = Report()


def validate_value(
    schema: Schema,
    value: object,
    *,
    side: Side = "call",
    where: str = "body",
    items_at: Collection[str] = (),
    most: int = MAX_GROUPS,
) -> Report:
    """Validate a value. `items_at` are pointers of collections with items, `most` limits the groups of violations."""
    if schema.is_valid(value):
        return NO_VIOLATIONS
    found = Findings(items_at=items_at, most=most)
    explain(schema, value, None, found)
    return Report(violations=found.violations(side=side, where=where), total=found.total, bad_items=found.bad_items)


def validate_items(schema: Schema, items: Sequence[object], *, at: str = "") -> Report:
    """Validate each of `items`, the elements of the array at the pointer `at` of a request's body."""
    schema = schema.request
    if schema.are_valid(items):
        return NO_VIOLATIONS
    fits = schema.validator.is_valid
    bad = [n for n, item in enumerate(items) if not fits(item)]
    found = Findings()
    parent: Path = None
    for token in tokens_of(at):
        parent = (parent, token)
    for n in bad:
        item = (parent, n)
        found.enter(item)
        explain(schema, items[n], item, found)
    return Report(violations=found.violations(side="call", where="body"), total=found.total, bad_items=found.bad_items)


def validate_request(
    operation: Operation,
    request: Request,
    variables: Mapping[str, str],
    *,
    data: object = ABSENT,
    most: int = MAX_GROUPS,
) -> Report:
    """Validate a request: parameters, content type, body.

    `variables` are the path variables, `data` is the JSON value of the body or the members of a form; without it the
    content of the body is not validated. At most `most` groups are listed for the body.
    """
    values, violations = parse_parameters(operation, request, variables)
    report = Report(violations=violations, total=len(violations), values=values)
    return report + _check_body(operation, operation.body, request, data, most) if operation.body else report


def parse_parameters(
    operation: Operation, request: Request, variables: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Any], tuple[Violation, ...]]:
    """Return the parameters by location and name, typed, defaults filled in, and their violations."""
    values: dict[tuple[str, str], Any] = {}
    violations: list[Violation] = []
    for parameter, value in read_parameters(operation, request, variables):
        kept = value
        if value is not ABSENT or parameter.required:
            violations += _check_parameter(parameter, value)
        if value is ABSENT and parameter.schema:
            kept = parameter.schema.raw.get("default", ABSENT)
        if kept is not ABSENT and kept is not REPEATED:
            values[parameter.where, parameter.name] = kept
    return values, tuple(violations)


def validate_response(operation: Operation, response: Response) -> Report:
    """Validate a response: status code, header fields, content type, body."""
    documented = operation.response(response.status)
    if documented is None:
        expected, got = listed(sorted(operation.responses), "or"), str(response.status)
        return _single_violation(
            "reply", "status", "status", f"Status {got} is not declared.", expected=expected, got=got
        )
    broken = [found for one in documented.headers if (found := _check_header(one, response))]
    check = _check_emptiness if documented.is_empty and operation.is_declared else _check_content
    content = check(operation, documented, response)
    return sum(broken, NO_VIOLATIONS) + content if broken else content


def _single_violation(side: Side, where: str, rule: str, detail: str, *, expected: str, got: str = "nothing") -> Report:
    one = Violation(
        side=side,
        where=where,
        pointer="",
        rule=rule,
        expected=clipped(expected),
        got=clipped(got),
        detail=clipped(detail, 200),
    )
    return Report(violations=(one,), total=1)


def _check_parameter(parameter: Parameter, value: object) -> tuple[Violation, ...]:
    if parameter.allow_empty and value == "":
        return ()
    if value is not ABSENT and value is not REPEATED and (parameter.schema is None or parameter.schema.is_valid(value)):
        return ()
    where = f"{parameter.where}:{parameter.name}"
    found = Findings()
    if value is ABSENT:
        found.add(MISSING_PARAMETER, None, value)
    elif value is REPEATED:
        found.add(REPEATED_PARAMETER, None, "several")
    elif parameter.schema:
        return validate_value(parameter.schema, value, where=where).violations
    return found.violations(side="call", where=where)


def _check_body(operation: Operation, body: Body, request: Request, data: object, most: int) -> Report:
    if not request.body and data is ABSENT:
        return _missing_body("call") if body.required else NO_VIOLATIONS
    sent = request.headers.get("content-type")
    media = body.media(sent)
    if media is None:
        return _wrong_media_type("call", body.content, sent, "taken")
    if media.schema is None or data is ABSENT:
        return NO_VIOLATIONS
    bulk = operation.bulk
    items_at = bulk.items.places if bulk else ()
    return validate_value(media.schema.request, data, items_at=items_at, most=most)


def _missing_body(side: Side) -> Report:
    return _single_violation(side, "body", "required", "The body is missing.", expected="a body")


def _wrong_media_type(side: Side, content: tuple[MediaType, ...], sent: str, word: str) -> Report:
    expected = listed([one.media_range for one in content], "or")
    detail = f"The content type {short(sent)} is not {word}." if sent else "The content type is missing."
    return _single_violation(side, "content-type", "contentType", detail, expected=expected, got=sent or "nothing")


def _check_header(header: HeaderField, response: Response) -> Report:
    where = f"header:{header.name}"
    if header.name in response.headers:
        value = read_text(response.headers.get(header.name), header.schema)
        return validate_value(header.schema, value, side="reply", where=where) if header.schema else NO_VIOLATIONS
    if header.required:
        return _single_violation(
            "reply", where, "required", f"The header '{header.name}' is missing.", expected="a value"
        )
    return NO_VIOLATIONS


def _check_content(operation: Operation, documented: DeclaredResponse, response: Response) -> Report:
    if not documented.content or response.status in NO_CONTENT_STATUS or operation.method == "HEAD":
        return NO_VIOLATIONS
    sent = response.headers.get("content-type")
    if not response.body and response.data is ABSENT and not is_lines(sent):
        return _missing_body("reply")
    media = documented.media(sent)
    if media is None:
        return _wrong_media_type("reply", documented.content, sent, "declared")
    value = _value(response, sent, media)
    if value is ABSENT and is_json(sent):
        return _single_violation("reply", "body", "json", "The body is no JSON.", expected="JSON", got="something else")
    if media.schema is None or value is ABSENT:
        return NO_VIOLATIONS
    outcomes = operation.bulk.reply.outcomes if operation.bulk else None
    items_at = (outcomes.at,) if outcomes else ()
    return validate_value(media.schema.response, value, side="reply", items_at=items_at)


def _check_emptiness(operation: Operation, documented: DeclaredResponse, response: Response) -> Report:
    del operation, documented
    if not response.body:
        return NO_VIOLATIONS
    got = f"{len(response.body)} bytes"
    return _single_violation("reply", "body", "empty", "There is a body.", expected="no body", got=got)


def is_lines(content_type: str) -> bool:
    """Return whether a body is lines of JSON: there may be none, and one line alone looks like JSON."""
    return essence(content_type).endswith(("ndjson", "jsonl"))


def _value(response: Response, content_type: str, media: MediaType) -> object:
    """Return the value of a body; ABSENT where its schema describes what is written in another notation than JSON."""
    is_text = is_lines(content_type) or (response.data is ABSENT and content_type.lower().startswith("text/"))
    if is_text and not describes_text(media.schema):
        return ABSENT
    if is_text:
        return coerce(response.body.decode(errors="replace"), media.schema)
    return response.data

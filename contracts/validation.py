"""Holding calls and replies to a contract: what breaks it comes back as Violations, grouped, and counted exactly."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from contracts.explaining import explain
from contracts.findings import LISTED, Findings, Path, Violation
from contracts.media import is_json
from contracts.messages import ABSENT, Call, Reply
from contracts.model import Body, HeaderField, MediaType, Operation, Parameter, Response
from contracts.parameters import REPEATED, read_parameters, read_text
from contracts.pointers import tokens_of
from contracts.schemas import Schema
from contracts.texts import clipped, listed, short
from contracts.wording import check

__all__ = ["Report", "Violation", "check_call", "check_items", "check_reply", "check_value", "parse_parameters"]

Side = Literal["call", "reply"]
MISSING: Final = check("required", "is missing", "a value")
TWICE: Final = check("maxItems", "must be given only once", "one value")
BODILESS: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is wrong with a call or a reply: nothing when it is false.

    `violations` are groups of like faults, at most as many as were asked for; `total` counts single faults and
    `bad_items` the items that have any, exactly. `values` are a call's parameters by place and name, typed, defaults
    filled in.
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


FINE: Final = Report()


def check_value(
    schema: Schema,
    value: object,
    *,
    side: Side = "call",
    where: str = "body",
    items_at: Collection[str] = (),
    most: int = LISTED,
) -> Report:
    """Hold a value to a schema. `items_at` are pointers of collections whose members count as items."""
    if schema.is_valid(value):
        return FINE
    found = Findings(items_at=items_at, most=most)
    explain(schema, value, None, found)
    return Report(violations=found.violations(side=side, where=where), total=found.total, bad_items=found.bad_items)


def check_items(schema: Schema, items: Sequence[object], *, at: str = "", most: int = LISTED) -> Report:
    """Hold each of `items` to a schema; they stand in a body's list at the pointer `at`."""
    fits = schema.validator.is_valid
    if all(map(fits, items)):
        return FINE
    bad = [n for n, item in enumerate(items) if not fits(item)]
    found = Findings(most=most)
    parent: Path = None
    for token in tokens_of(at):
        parent = (parent, token)
    for n in bad:
        item = (parent, n)
        found.enter(item)
        explain(schema, items[n], item, found)
    return Report(violations=found.violations(side="call", where="body"), total=found.total, bad_items=found.bad_items)


def check_call(
    operation: Operation, call: Call, variables: Mapping[str, str], *, data: object = ABSENT, most: int = LISTED
) -> Report:
    """Hold a call to its operation: parameters, content type, body.

    `variables` are the path's, `data` the JSON value of the body or a form's members; without it the body's content is
    not judged. At most `most` groups are listed for the body.
    """
    values, violations = parse_parameters(operation, call, variables)
    report = Report(violations=violations, total=len(violations), values=values)
    return report + _check_body(operation, operation.body, call, data, most) if operation.body else report


def parse_parameters(
    operation: Operation, call: Call, variables: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Any], tuple[Violation, ...]]:
    """Return the parameters by place and name, typed, defaults filled in, and what is wrong with them."""
    values: dict[tuple[str, str], Any] = {}
    violations: list[Violation] = []
    for parameter, value in read_parameters(operation, call, variables):
        kept = value
        if value is not ABSENT or parameter.required:
            violations += _check_parameter(parameter, value)
        if value is ABSENT and parameter.schema:
            kept = parameter.schema.raw.get("default", ABSENT)
        if kept is not ABSENT and kept is not REPEATED:
            values[parameter.where, parameter.name] = kept
    return values, tuple(violations)


def check_reply(operation: Operation, reply: Reply, *, most: int = LISTED) -> Report:
    """Hold a reply to its operation: status, headers, content type, body.

    At most `most` groups are listed for the body.
    """
    response = operation.response(reply.status)
    if response is None:
        expected, got = listed(sorted(operation.responses), "or"), str(reply.status)
        return _single("reply", "status", "status", f"Status {got} is not declared.", expected=expected, got=got)
    headers = sum((_check_header(one, reply) for one in response.headers), FINE)
    return headers + _check_content(operation, response, reply, most)


def _single(side: Side, where: str, rule: str, detail: str, *, expected: str, got: str = "nothing") -> Report:
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
    if value is not ABSENT and value is not REPEATED and (parameter.schema is None or parameter.schema.is_valid(value)):
        return ()
    where = f"{parameter.where}:{parameter.name}"
    found = Findings()
    if value is ABSENT:
        found.add(MISSING, None, value)
    elif value is REPEATED:
        found.add(TWICE, None, "several")
    elif parameter.schema:
        return check_value(parameter.schema, value, where=where).violations
    return found.violations(side="call", where=where)


def _check_body(operation: Operation, body: Body, call: Call, data: object, most: int) -> Report:
    if not call.body and data is ABSENT:
        return _bodiless("call") if body.required else FINE
    sent = call.headers.get("content-type")
    media = body.media(sent)
    if media is None:
        return _wrong_type("call", body.content, sent, "taken")
    if media.schema is None or data is ABSENT:
        return FINE
    bulk = operation.bulk
    items_at = (bulk.items.at, *bulk.items.also_at) if bulk else ()
    return check_value(media.schema, data, items_at=items_at, most=most)


def _bodiless(side: Side) -> Report:
    return _single(side, "body", "required", "The body is missing.", expected="a body")


def _wrong_type(side: Side, content: tuple[MediaType, ...], sent: str, word: str) -> Report:
    expected = listed([one.media_range for one in content], "or")
    said = f"The content type {short(sent)} is not {word}." if sent else "The content type is missing."
    return _single(side, "content-type", "contentType", said, expected=expected, got=sent or "nothing")


def _check_header(header: HeaderField, reply: Reply) -> Report:
    where = f"header:{header.name}"
    if header.name in reply.headers:
        value = read_text(reply.headers.get(header.name), header.schema)
        return check_value(header.schema, value, side="reply", where=where) if header.schema else FINE
    if header.required:
        return _single("reply", where, "required", f"The header '{header.name}' is missing.", expected="a value")
    return FINE


def _check_content(operation: Operation, response: Response, reply: Reply, most: int) -> Report:
    if not response.content or reply.status in BODILESS or operation.method == "HEAD":
        return FINE
    if not reply.body and reply.data is ABSENT:
        return _bodiless("reply")
    sent = reply.headers.get("content-type")
    media = response.media(sent)
    if media is None:
        return _wrong_type("reply", response.content, sent, "declared")
    value = _value(reply, sent)
    if value is ABSENT and is_json(sent):
        return _single("reply", "body", "json", "The body is no JSON.", expected="JSON", got="something else")
    if media.schema is None or value is ABSENT:
        return FINE
    outcomes = operation.bulk.reply.outcomes if operation.bulk else None
    return check_value(media.schema, value, side="reply", items_at=(outcomes.at,) if outcomes else (), most=most)


def _value(reply: Reply, content_type: str) -> object:
    if reply.data is ABSENT and content_type.lower().startswith("text/"):
        return reply.body.decode(errors="replace")
    return reply.data

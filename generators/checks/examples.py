"""Replaying the examples of a contract: every call for which it gives enough."""

from collections.abc import Iterator
from typing import Final

from contracts.messages import Exchange
from contracts.model import Operation, Parameter
from generators.checks.bench import Bench
from generators.checks.following import follow
from generators.impossible import ImpossibleError
from generators.requests.calls import FORM, CallDraft, draft, json_media

CHECK: Final = "examples"
SAFE: Final = frozenset(("GET", "HEAD"))


def replay(bench: Bench, operation: Operation, *, read_only: bool) -> None:
    """Send the examples of one operation; jobs that they make are followed to their end."""
    if read_only and operation.method not in SAFE:
        return
    for made in _drafts(bench, operation):
        try:
            _see_through(bench, operation, bench.send(made.call()))
        except ImpossibleError:
            continue


def _drafts(bench: Bench, operation: Operation) -> Iterator[CallDraft]:
    """Yield the calls that the examples of an operation make."""
    if not all(_is_known(bench, one) for one in operation.parameters if one.required):
        return
    if operation.body is None or not operation.body.required:
        yield draft(operation, bench.given)
    for example in _bodies(operation):
        made = draft(operation, bench.given)
        made.data = example
        yield made


def _is_known(bench: Bench, parameter: Parameter) -> bool:
    raw = parameter.schema.raw if parameter.schema is not None else {}
    told = parameter.examples or {"default", "enum", "examples", "const"} & raw.keys()
    return parameter.name in bench.given or bool(told)


def _bodies(operation: Operation) -> Iterator[object]:
    media = json_media(operation)
    content = operation.body.content if operation.body is not None else ()
    forms = [one for one in content if one.media_range == FORM]
    for one in [media] if media is not None else forms:
        yield from one.examples.values()


def _see_through(bench: Bench, operation: Operation, exchange: Exchange) -> None:
    if operation.bulk is not None and operation.bulk.job is not None:
        follow(bench, exchange)

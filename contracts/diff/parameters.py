"""What became of the parameters of an operation."""

from collections.abc import Iterator

from contracts.diff.changes import Change, Severity
from contracts.diff.verdicts import Judge
from contracts.model import Operation, Parameter

Key = tuple[str, str]


def compare_parameters(was: Operation, now: Operation, name: str, judge: Judge) -> Iterator[Change]:
    """Yield the changes of all parameters outside the body."""
    before, after = _by_name(was), _by_name(now)
    for key, one in before.items():
        if key in after:
            yield from _compared(one, after[key], name, judge)
        else:
            says = "it is gone: what is sent is ignored, or refused"
            yield _change("parameter-removed", "warning", name, one, says)
    for key, one in after.items():
        if key not in before:
            yield _added(one, name)


def _by_name(operation: Operation) -> dict[Key, Parameter]:
    return {(one.where, _folded(one)): one for one in operation.parameters}


def _folded(parameter: Parameter) -> str:
    return parameter.name.lower() if parameter.where == "header" else parameter.name


def _place(parameter: Parameter) -> str:
    return f"{parameter.where} parameter '{parameter.name}'"


def _change(rule: str, severity: Severity, operation: str, parameter: Parameter, says: str) -> Change:
    return Change(rule=rule, severity=severity, operation=operation, place=_place(parameter), says=says)


def _added(one: Parameter, name: str) -> Change:
    if one.required:
        return _change("required-parameter-added", "error", name, one, "it is new, and required")
    return _change("parameter-added", "info", name, one, "it is new, and may be left out")


def _compared(was: Parameter, now: Parameter, name: str, judge: Judge) -> Iterator[Change]:
    if now.required and not was.required:
        yield _change("parameter-became-required", "error", name, was, "it is required now")
    if was.required and not now.required:
        yield _change("parameter-became-optional", "info", name, was, "it may be left out now")
    if (was.style, was.explode) != (now.style, now.explode):
        says = f"it is written in the style {_style(now)}, not {_style(was)}"
        yield _change("parameter-style-changed", "error", name, was, says)
    place = _place(was)
    yield from judge.schemas(was.schema, now.schema, direction="request", operation=name, place=place)


def _style(parameter: Parameter) -> str:
    return f"{parameter.style}, {'exploded' if parameter.explode else 'not exploded'}"

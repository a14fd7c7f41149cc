"""Compare operations: paths and methods, parameters, bodies, responses and security.

Begin with `pair_operations`. Severities follow what a generated client relies on: a removed or narrowed request element
and an added or widened response element break it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from contracts.diff.compatibility import SchemaComparer
from contracts.diff.model import Change, Severity
from contracts.openapi.model import Contract, DeclaredResponse, HeaderField, MediaType, Operation, Parameter, best_media
from contracts.syntax.text import listed, short

VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
OperationKey = tuple[str, str]


def operation_title(operation: Operation) -> str:
    """Return the name of an operation in reports: `POST /pets`."""
    return f"{operation.method} {operation.path}"


def pair_operations(old: Contract, new: Contract) -> tuple[list[tuple[Operation, Operation]], list[Change]]:
    """Return the pairs of operations with the same method and path template, and the changes for those without a pair.

    Names of path variables are not compared.
    """
    before, after = _by_method_and_path(old), _by_method_and_path(new)
    pairs = [(was, _renamed(after[key], was)) for key, was in before.items() if key in after]
    return pairs, [*_removed_operations(before, after), *_added_operations(before, after)]


def _by_method_and_path(contract: Contract) -> dict[OperationKey, Operation]:
    return {(one.method, _shape(one.path, contract)): one for one in contract.operations}


def _shape(path: str, contract: Contract) -> str:
    return VARIABLE.sub("{}", path.lower() if contract.ignore_case else path)


def _renamed(now: Operation, was: Operation) -> Operation:
    """Return the new operation with the names of the old one's path variables."""
    names = dict(zip(VARIABLE.findall(now.path), VARIABLE.findall(was.path), strict=True))
    parameters = tuple(_with_name(one, names) for one in now.parameters)
    return replace(now, path=was.path, parameters=parameters)


def _with_name(parameter: Parameter, names: dict[str, str]) -> Parameter:
    return (
        replace(parameter, name=names.get(parameter.name, parameter.name)) if parameter.where == "path" else parameter
    )


def _removed_operations(
    before: dict[OperationKey, Operation], after: dict[OperationKey, Operation]
) -> Iterator[Change]:
    paths = {shape for _, shape in after}
    for key, one in before.items():
        if key not in after:
            rule, what = ("method-removed", "the method") if key[1] in paths else ("path-removed", "the path")
            says = f"{what} is gone"
            yield Change(rule=rule, severity="error", operation=operation_title(one), place="", says=says)


def _added_operations(before: dict[OperationKey, Operation], after: dict[OperationKey, Operation]) -> Iterator[Change]:
    paths = {shape for _, shape in before}
    for key, one in after.items():
        if key not in before:
            rule, what = ("method-added", "the method") if key[1] in paths else ("path-added", "the path")
            yield Change(rule=rule, severity="info", operation=operation_title(one), place="", says=f"{what} is new")


def compare_identities(old: Contract, new: Contract) -> Iterator[Change]:
    """Yield the changes of the contract as a whole: server path, case of paths, reserved words."""
    if old.mount != new.mount:
        says = f"the server's path is '{new.mount or '/'}', not '{old.mount or '/'}': clients need another base URL"
        yield Change(rule="server-path-changed", severity="warning", operation="", place="servers", says=says)
    if old.ignore_case and not new.ignore_case:
        says = "the case of paths matters now"
        yield Change(rule="path-case-narrowed", severity="error", operation="", place="x-path-case", says=says)
    if new.ignore_case and not old.ignore_case:
        says = "the case of paths does not matter any more"
        yield Change(rule="path-case-widened", severity="info", operation="", place="x-path-case", says=says)
    for word in new.reserved:
        if word not in old.reserved:
            says = f"no path variable may be '{word}' any more"
            yield Change(rule="reserved-word-added", severity="warning", operation="", place="x-reserved", says=says)


SUCCESS_CLASSES: Final = frozenset("23")


def compare_requests(was: Operation, now: Operation, name: str, comparer: SchemaComparer) -> Iterator[Change]:
    """Yield the changes of the request body."""
    if was.body is None or now.body is None:
        yield from _compare_body_presence(was, now, name)
        return
    if now.body.required and not was.body.required:
        yield _change("request-body-became-required", "error", name, "request body", "it is required now")
    if was.body.required and not now.body.required:
        yield _change("request-body-became-optional", "info", name, "request body", "it may be left out now")
    for one in was.body.content:
        taken = best_media(now.body.content, one.media_range)
        place = f"request body {one.media_range}"
        if taken is None:
            says = "the media type is not taken any more"
            yield _change("request-media-type-removed", "error", name, place, says)
        else:
            yield from comparer.compare(one.schema, taken.schema, direction="request", operation=name, place=place)
    for one in _added_media_types(was.body.content, now.body.content):
        place = f"request body {one.media_range}"
        yield _change("request-media-type-added", "info", name, place, "the media type is taken too")


def _compare_body_presence(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    if was.body is not None:
        says = "no body is described any more"
        yield _change("request-body-removed", "error", name, "request body", says)
    elif now.body is not None and now.body.required:
        yield _change("required-request-body-added", "error", name, "request body", "it is new, and required")
    elif now.body is not None:
        yield _change("request-body-added", "info", name, "request body", "it is new, and may be left out")


def _added_media_types(old: Iterable[MediaType], new: Iterable[MediaType]) -> list[MediaType]:
    known = tuple(old)
    return [one for one in new if best_media(known, one.media_range) is None]


def compare_responses(was: Operation, now: Operation, name: str, comparer: SchemaComparer) -> Iterator[Change]:
    """Yield the changes of status codes, header fields and bodies."""
    for status, one in was.responses.items():
        other = _declared(now, status)
        if other is None:
            yield _removed_status(status, name)
        elif other.status == status:
            yield from _compare_response(one, other, name, f"response {status}", comparer)
    for status, one in now.responses.items():
        known = _declared(was, status)
        if known is None:
            yield _added_status(status, name)
        elif known.status != status:
            yield from _compare_response(known, one, name, f"response {status}", comparer)


def _declared(operation: Operation, status: str) -> DeclaredResponse | None:
    """Return the response of a status code or class: its own, else that of its class, else the default."""
    declared = operation.responses
    return declared.get(status) or declared.get(f"{status[0]}XX") or declared.get("default")


def _removed_status(status: str, name: str) -> Change:
    severity: Severity = "error" if status[0] in SUCCESS_CLASSES else "info"
    kind = "success" if status[0] in SUCCESS_CLASSES else "failure"
    return _change(f"{kind}-status-removed", severity, name, f"response {status}", "it is not described any more")


def _added_status(status: str, name: str) -> Change:
    if status[0] in SUCCESS_CLASSES:
        says = "it is new: a success that clients do not know"
        return _change("success-status-added", "error", name, f"response {status}", says)
    says = "it is new: a failure that clients do not know"
    return _change("failure-status-added", "warning", name, f"response {status}", says)


def _compare_response(
    was: DeclaredResponse, now: DeclaredResponse, name: str, place: str, comparer: SchemaComparer
) -> Iterator[Change]:
    yield from _compare_headers(was, now, name, place, comparer)
    if was.content and not now.content:
        yield _change("response-body-removed", "error", name, place, "no body is described any more")
        return
    severity: Severity = "warning" if was.content else "info"
    used = set()
    for one in now.content:
        known, at = best_media(was.content, one.media_range), f"{place} {one.media_range}"
        if known is None:
            yield _change("response-media-type-added", severity, name, at, "the media type is given too")
        else:
            used.add(known.media_range)
            yield from comparer.compare(known.schema, one.schema, direction="response", operation=name, place=at)
    for one in was.content:
        if one.media_range not in used:
            says = "the media type is not given any more"
            yield _change("response-media-type-removed", "error", name, f"{place} {one.media_range}", says)


def _compare_headers(
    was: DeclaredResponse, now: DeclaredResponse, name: str, place: str, comparer: SchemaComparer
) -> Iterator[Change]:
    after = {one.name.lower(): one for one in now.headers}
    for one in was.headers:
        other, at = after.pop(one.name.lower(), None), f"{place} header {one.name}"
        if other is None:
            severity: Severity = "error" if one.required else "warning"
            yield _change("response-header-removed", severity, name, at, "it is not described any more")
        else:
            yield from _compare_header(one, other, name, at, comparer)
    for one in after.values():
        yield _change("response-header-added", "info", name, f"{place} header {one.name}", "it is new")


def _compare_header(
    was: HeaderField, now: HeaderField, name: str, at: str, comparer: SchemaComparer
) -> Iterator[Change]:
    if was.required and not now.required:
        yield _change("response-header-became-optional", "error", name, at, "it may be absent now")
    if now.required and not was.required:
        yield _change("response-header-became-required", "info", name, at, "it is always there now")
    yield from comparer.compare(was.schema, now.schema, direction="response", operation=name, place=at)


def _change(rule: str, severity: Severity, operation: str, place: str, says: str) -> Change:
    return Change(rule=rule, severity=severity, operation=operation, place=place, says=says)


ParameterKey = tuple[str, str]


def compare_parameters(was: Operation, now: Operation, name: str, comparer: SchemaComparer) -> Iterator[Change]:
    """Yield the changes of the parameters in path, query, header and cookie."""
    before, after = _by_name(was), _by_name(now)
    for key, one in before.items():
        if key in after:
            yield from _compare_parameter(one, after[key], name, comparer)
        else:
            says = "it is gone: what is sent is ignored, or refused"
            yield _parameter_change("parameter-removed", "warning", name, one, says)
    for key, one in after.items():
        if key not in before:
            yield _added_parameter(one, name)


def _by_name(operation: Operation) -> dict[ParameterKey, Parameter]:
    return {(one.where, _folded(one)): one for one in operation.parameters}


def _folded(parameter: Parameter) -> str:
    return parameter.name.lower() if parameter.where == "header" else parameter.name


def _parameter_place(parameter: Parameter) -> str:
    return f"{parameter.where} parameter '{parameter.name}'"


def _parameter_change(rule: str, severity: Severity, operation: str, parameter: Parameter, says: str) -> Change:
    return Change(rule=rule, severity=severity, operation=operation, place=_parameter_place(parameter), says=says)


def _added_parameter(one: Parameter, name: str) -> Change:
    if one.required:
        return _parameter_change("required-parameter-added", "error", name, one, "it is new, and required")
    return _parameter_change("parameter-added", "info", name, one, "it is new, and may be left out")


def _compare_parameter(was: Parameter, now: Parameter, name: str, comparer: SchemaComparer) -> Iterator[Change]:
    if now.required and not was.required:
        yield _parameter_change("parameter-became-required", "error", name, was, "it is required now")
    if was.required and not now.required:
        yield _parameter_change("parameter-became-optional", "info", name, was, "it may be left out now")
    if (was.style, was.explode) != (now.style, now.explode):
        says = f"it is written in the style {_render_style(now)}, not {_render_style(was)}"
        yield _parameter_change("parameter-style-changed", "error", name, was, says)
    place = _parameter_place(was)
    yield from comparer.compare(was.schema, now.schema, direction="request", operation=name, place=place)


def _render_style(parameter: Parameter) -> str:
    return f"{parameter.style}, {'exploded' if parameter.explode else 'not exploded'}"


Alternative: TypeAlias = Mapping[str, tuple[str, ...]]
NO_SECURITY: Final[tuple[Alternative, ...]] = ({},)
SCHEME_MEMBERS: Final = ("type", "in", "name", "scheme", "openIdConnectUrl", "flows")


def compare_security(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    """Yield the credentials that are no longer sufficient, and those that are now."""
    before, after = was.security or NO_SECURITY, now.security or NO_SECURITY
    for one in before:
        if not any(_suffices(one, other) for other in after):
            says = f"{_credentials(one)} does not suffice any more: {_render_alternatives(after)} is asked"
            yield Change(rule="security-tightened", severity="error", operation=name, place="security", says=says)
    for one in after:
        if not any(_suffices(one, other) for other in before):
            says = f"{_credentials(one)} suffices now"
            yield Change(rule="security-relaxed", severity="info", operation=name, place="security", says=says)


def _suffices(available: Alternative, required: Alternative) -> bool:
    return all(scheme in available and set(scopes) <= set(available[scheme]) for scheme, scopes in required.items())


def _credentials(one: Alternative) -> str:
    if not one:
        return "no credential"
    return listed(f"{name} ({', '.join(scopes)})" if scopes else name for name, scopes in one.items())


def _render_alternatives(alternatives: tuple[Alternative, ...]) -> str:
    return listed(map(_credentials, alternatives), "or")


def compare_schemes(old: Contract, new: Contract) -> Iterator[Change]:
    """Yield the security schemes whose meaning has changed."""
    for name, was in old.security_schemes.items():
        now = new.security_schemes.get(name)
        for member in SCHEME_MEMBERS if now is not None else ():
            before, after = was.get(member), (now or {}).get(member)
            if before != after:
                yield _scheme_change(name, member, before, after)


def _scheme_change(name: str, member: str, before: object, after: object) -> Change:
    place = f"security scheme '{name}'"
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        says = f"its {member} are described otherwise"
        return Change(rule="security-scheme-changed", severity="warning", operation="", place=place, says=says)
    says = f"its {member} is {short(after)}, not {short(before)}"
    return Change(rule="security-scheme-changed", severity="error", operation="", place=place, says=says)

"""What became of bodies, statuses and response headers."""

from collections.abc import Iterable, Iterator
from typing import Final

from contracts.diff.changes import Change, Severity
from contracts.diff.verdicts import Judge
from contracts.media import best_media
from contracts.model import HeaderField, MediaType, Operation, Response

SUCCESS: Final = frozenset("23")


def compare_requests(was: Operation, now: Operation, name: str, judge: Judge) -> Iterator[Change]:
    """Yield what became of the request's body."""
    if was.body is None or now.body is None:
        yield from _whether_body(was, now, name)
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
            yield from judge.schemas(one.schema, taken.schema, direction="request", operation=name, place=place)
    for one in _new_types(was.body.content, now.body.content):
        place = f"request body {one.media_range}"
        yield _change("request-media-type-added", "info", name, place, "the media type is taken too")


def _whether_body(was: Operation, now: Operation, name: str) -> Iterator[Change]:
    if was.body is not None:
        says = "no body is described any more"
        yield _change("request-body-removed", "error", name, "request body", says)
    elif now.body is not None and now.body.required:
        yield _change("required-request-body-added", "error", name, "request body", "it is new, and required")
    elif now.body is not None:
        yield _change("request-body-added", "info", name, "request body", "it is new, and may be left out")


def _new_types(old: Iterable[MediaType], new: Iterable[MediaType]) -> list[MediaType]:
    known = tuple(old)
    return [one for one in new if best_media(known, one.media_range) is None]


def compare_responses(was: Operation, now: Operation, name: str, judge: Judge) -> Iterator[Change]:
    """Yield what became of the statuses, their headers and their bodies."""
    for status, one in was.responses.items():
        other = _declared(now, status)
        if other is None:
            yield _lost_status(status, name)
        elif other.status == status:
            yield from _response(one, other, name, f"response {status}", judge)
    for status, one in now.responses.items():
        known = _declared(was, status)
        if known is None:
            yield _new_status(status, name)
        elif known.status != status:
            yield from _response(known, one, name, f"response {status}", judge)


def _declared(operation: Operation, status: str) -> Response | None:
    """Return what is said of a status or class: by itself, by its class, by the default."""
    declared = operation.responses
    return declared.get(status) or declared.get(f"{status[0]}XX") or declared.get("default")


def _lost_status(status: str, name: str) -> Change:
    severity: Severity = "error" if status[0] in SUCCESS else "info"
    kind = "success" if status[0] in SUCCESS else "failure"
    return _change(f"{kind}-status-removed", severity, name, f"response {status}", "it is not described any more")


def _new_status(status: str, name: str) -> Change:
    if status[0] in SUCCESS:
        says = "it is new: a success that clients do not know"
        return _change("success-status-added", "error", name, f"response {status}", says)
    says = "it is new: a failure that clients do not know"
    return _change("failure-status-added", "warning", name, f"response {status}", says)


def _response(was: Response, now: Response, name: str, place: str, judge: Judge) -> Iterator[Change]:
    yield from _headers(was, now, name, place, judge)
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
            yield from judge.schemas(known.schema, one.schema, direction="response", operation=name, place=at)
    for one in was.content:
        if one.media_range not in used:
            says = "the media type is not given any more"
            yield _change("response-media-type-removed", "error", name, f"{place} {one.media_range}", says)


def _headers(was: Response, now: Response, name: str, place: str, judge: Judge) -> Iterator[Change]:
    after = {one.name.lower(): one for one in now.headers}
    for one in was.headers:
        other, at = after.pop(one.name.lower(), None), f"{place} header {one.name}"
        if other is None:
            severity: Severity = "error" if one.required else "warning"
            yield _change("response-header-removed", severity, name, at, "it is not described any more")
        else:
            yield from _header(one, other, name, at, judge)
    for one in after.values():
        yield _change("response-header-added", "info", name, f"{place} header {one.name}", "it is new")


def _header(was: HeaderField, now: HeaderField, name: str, at: str, judge: Judge) -> Iterator[Change]:
    if was.required and not now.required:
        yield _change("response-header-became-optional", "error", name, at, "it may be absent now")
    if now.required and not was.required:
        yield _change("response-header-became-required", "info", name, at, "it is always there now")
    yield from judge.schemas(was.schema, now.schema, direction="response", operation=name, place=at)


def _change(rule: str, severity: Severity, operation: str, place: str, says: str) -> Change:
    return Change(rule=rule, severity=severity, operation=operation, place=place, says=says)

"""Control requests about the server: health, metrics, documents, the dashboard, live events, exports, verdicts.

Live events follow the WHATWG's server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.grammar import GRAMMAR, DocumentObject, members
from contracts.openapi.model import Contract, is_json
from contracts.syntax.text import escape, split_ref, tokens_of
from generators.reports.html import html_page
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import Report
from mockserver import VERSION
from mockserver.api.model import RequestContext
from mockserver.bugs.catalogue import BUGS, bugs_for
from mockserver.control.exchanges import entry_of, summary
from mockserver.control.metrics import MEDIA_TYPE, exposition
from mockserver.control.routes import ControlContext, RefusedError, clock_of, instant
from mockserver.dashboard.files import INDEX, file_response
from mockserver.export.formats import as_curl, as_har, as_http, as_pytest
from mockserver.export.prerequisites import Prerequisites, prerequisites_of
from mockserver.export.scenario import as_scenario
from mockserver.sandbox.live_events import EventReader, LiveResponse
from mockserver.verdicts.verdict import as_json, judge, report_of


def list_bugs(control: ControlContext, context: RequestContext) -> Response:
    """List all planted bugs; with `?api=` those that the contract of this API allows."""
    name = context.query.get("api")
    bugs = BUGS if name is None else bugs_for([control.named(str(name)).contract])
    told = [{"name": bug.name, "law": bug.law, "needs": list(bug.needs), "says": bug.description} for bug in bugs]
    return Response.of(200, {"bugs": told})


STREAM_HEADERS: Final = Headers(
    (
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Accel-Buffering", "no"),  # nginx would gather events otherwise
    )
)
FIRST_EVENT: Final = b"retry: 1000\n\n"  # milliseconds before an event source comes back


def stream_events(control: ControlContext, context: RequestContext) -> Response:
    """Stream exchanges, resets and other changes; `Last-Event-ID` or `?after=` says where to begin."""
    sandbox = control.sandbox(context)
    last, known = sandbox.journal.last, _last_seen(context)
    after = last if known is None else 0 if known > last else known  # a number yet to come is from before a reset
    reader = EventReader(sandbox, control.sandboxes, after, partial(summary, control), clock_of)
    return LiveResponse(status=200, headers=STREAM_HEADERS, body=FIRST_EVENT, reader=reader)


def _last_seen(context: RequestContext) -> int | None:
    """Return the number of the last exchange that the client has seen, None when it sends none."""
    given = context.request.headers.get("Last-Event-ID") or context.request.parameter("after")
    return int(given) if given else None


HOST_PATTERN: Final = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
EXPORT_FORMATS: Final[Mapping[str, tuple[str, Callable[[Prerequisites], str]]]] = {
    "curl": ("text/plain; charset=utf-8", as_curl),
    "http": ("text/plain; charset=utf-8", as_http),
    "pytest": ("text/x-python; charset=utf-8", as_pytest),
    "scenario": ("application/yaml", as_scenario),
}


def get_exchange_as(control: ControlContext, context: RequestContext) -> Response:
    """Export one exchange with its prerequisites as curl, HTTP file, pytest or HAR; or as a scenario."""
    entry = entry_of(control, context)
    if entry.api not in control.apis:
        detail = f"Exchange {entry.n} is with '{entry.api}', which is no longer served."
        raise RefusedError(detail, HTTPStatus.NOT_FOUND)
    headers = context.request.headers
    host = headers.get("Host")
    base = f"{context.request.scheme}://{host if HOST_PATTERN.fullmatch(host) else '127.0.0.1:8080'}"
    prerequisites = prerequisites_of(
        control.sandbox(context), control.apis, entry, base, guarded="Authorization" in headers
    )
    form = context.variables["form"]
    if form not in EXPORT_FORMATS:
        return Response.of(200, as_har(prerequisites))
    media_type, write = EXPORT_FORMATS[form]
    return Response(status=200, headers=Headers((("Content-Type", media_type),)), body=write(prerequisites).encode())


def get_health(control: ControlContext, context: RequestContext) -> Response:
    """Report that the server is alive."""
    del control, context
    return Response.of(200, {"status": "ok", "version": VERSION})


def get_ready(control: ControlContext, context: RequestContext) -> Response:
    """Report that calls are served. Raises RefusedError (503): why they are not."""
    del context
    if control.impediments:
        raise RefusedError(" ".join(control.impediments.values()), HTTPStatus.SERVICE_UNAVAILABLE)
    return Response.of(200, {"status": "ready", "version": VERSION})


def list_apis(control: ControlContext, context: RequestContext) -> Response:
    """List the served APIs."""
    del context
    apis = [
        {
            "name": api.name,
            "title": api.contract.title,
            "version": api.contract.version,
            "mount": api.mount or "/",
            "openapi": f"{api.mount}/openapi.json",
            "kinds": sorted(api.contract.resources),
        }
        for api in control.apis.values()
    ]
    return Response.of(200, {"apis": apis})


def get_metrics(control: ControlContext, context: RequestContext) -> Response:
    """Return the counters as Prometheus text."""
    del context
    text = exposition(control.metrics, control.sandboxes)
    return Response(status=200, headers=Headers((("Content-Type", MEDIA_TYPE),)), body=text.encode())


def get_dashboard(control: ControlContext, context: RequestContext) -> Response:
    """Return the dashboard's page."""
    del control
    return _file(context, INDEX)


def get_dashboard_file(control: ControlContext, context: RequestContext) -> Response:
    """Return a file of the dashboard. Raises RefusedError (404)."""
    del control
    return _file(context, "/".join(context.variables[name] for name in ("folder", "file") if name in context.variables))


get_dashboard_module = get_dashboard_file


def _file(context: RequestContext, name: str) -> Response:
    found = file_response(name, context.request.headers.get("If-None-Match"))
    if found is None:
        raise RefusedError(f"The dashboard has no file '{name[:80]}'.", HTTPStatus.NOT_FOUND)
    return found


REPORT_WRITERS: Final[Mapping[str, tuple[str, Callable[[Report], bytes]]]] = {
    "html": ("text/html; charset=utf-8", html_page),
    "junit": ("application/xml", junit_xml),
    "sarif": ("application/sarif+json", sarif_log),
}


def get_verdict(control: ControlContext, context: RequestContext) -> Response:
    """Return the verdict on the clients of a sandbox, judged from its journal."""
    sandbox = control.sandbox(context)
    journal = sandbox.journal
    told = as_json(judge(sandbox.name, control.apis.values(), journal.after(0, len(journal))))
    writer = REPORT_WRITERS.get(str(context.query.get("format")))
    if writer is None:
        return Response.of(200, told)
    facts = [
        ("exchanges", str(len(journal))),
        ("clock", instant(sandbox.now(context.now))),
        ("seed", str(sandbox.seed)),
    ]
    return _written(*writer, report_of(told, facts))


def _written(media_type: str, write: Callable[[Report], bytes], report: Report) -> Response:
    body = write(report)
    data = orjson.loads(body) if is_json(media_type) else ABSENT
    return Response(status=200, headers=Headers((("Content-Type", media_type),)), body=body, data=data)


SECTIONS: Final = {member.kind: name for name, member in GRAMMAR["components"].items()}
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


def get_api_document(control: ControlContext, context: RequestContext) -> Response:
    """Return the contract of a served API."""
    return Response.of(200, bundled(control.api(context).contract))


def get_control_document(control: ControlContext, context: RequestContext) -> Response:
    """Return the control API's own contract."""
    del control
    return Response.of(200, bundled(context.api.contract))


def bundled(contract: Contract) -> dict[str, Any]:
    """Return a contract's document with all references resolved into it."""
    return _Bundle(contract).document


class _Bundle:
    """A copy of a document while it is bundled; `moved` maps each external location to its new name."""

    def __init__(self, contract: Contract) -> None:
        self.documents = contract.schemas.documents
        self.contract = contract
        self.root = next(uri for uri, one in self.documents.items() if one is contract.document)
        self.document: dict[str, Any] = deepcopy(dict(contract.document))
        self.moved: dict[tuple[str, str], str] = {}
        self.waiting = [DocumentObject("document", self.root, (), self.document)]
        while self.waiting:
            self._visit(self.waiting.pop())

    def _visit(self, place: DocumentObject) -> None:
        node = place.node
        if not isinstance(node, dict):
            return
        if isinstance(node.get("$ref"), str):
            node["$ref"] = self._here(place.kind, node["$ref"])
        discriminator = node.get("discriminator")
        if (
            place.kind == "schema"
            and isinstance(discriminator, dict)
            and isinstance(discriminator.get("mapping"), dict)
        ):
            named = discriminator["mapping"]
            discriminator["mapping"] = {value: self._here("schema", ref) for value, ref in named.items()}
        self.waiting += members(place)

    def _here(self, kind: str, ref: str) -> str:
        """Return a reference inside this document to the target of `ref`."""
        uri, pointer = split_ref(ref)
        if uri == self.root:
            return f"#{pointer}"
        if uri not in self.documents:
            return ref
        known = self.moved.get((kind, ref))
        return known if known is not None else self._bring(kind, ref)

    def _bring(self, kind: str, ref: str) -> str:
        section = self.document.setdefault("components", {}).setdefault(SECTIONS[kind], {})
        name = _unused_name(_name(ref), section)
        section[name] = value = deepcopy(self.contract.schemas.value(ref))
        self.moved[kind, ref] = f"#/components/{SECTIONS[kind]}/{escape(name)}"
        self.waiting.append(DocumentObject(kind, split_ref(ref)[0], (), value))
        return self.moved[kind, ref]


def _name(ref: str) -> str:
    uri, pointer = split_ref(ref)
    parts = (PurePosixPath(uri).stem, *(token for token in tokens_of(pointer) if token not in {"$defs", "properties"}))
    return _UNFIT.sub("_", ".".join(parts)) or "schema"


def _unused_name(name: str, taken: Mapping[str, object]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free

"""The coverage phase of schemathesis as one more check: every case that the schemas define, once.

Begin with `SchemathesisCoverage`. The phase: https://schemathesis.readthedocs.io/ (Coverage).
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from contracts.drafts.bulk_drafts import find_drafts
from contracts.exchange.locations import json_of
from contracts.messages import RETRY_LATER, Exchange, Headers, Request, Response
from contracts.openapi.model import Contract, Operation
from generators.oracles.findings import CheckResult, Finding
from generators.oracles.response_laws import is_undeclared_kind
from generators.schemathesis_engine.process import (
    MISSING_MESSAGE,
    Line,
    SchemathesisProcess,
    SchemathesisTask,
    is_installed,
    run_task,
)

CHECK: Final = "coverage"
STATEMENT: Final = "Every case that the schemas define gets a declared response; invalid requests are refused."
GENERIC_STATUSES: Final = frozenset(
    (405, 406, 408, 411, 412, 413, 414, 415, 431)
)  # few contracts list what any server may say
UNAUTHORIZED: Final = 401  # where the operation declares security
TIME_USED_UP: Final = "the time budget was used up"


@contextmanager
def waiting_process(*, is_wanted: bool) -> Iterator[SchemathesisProcess | None]:
    """Start the process that runs schemathesis, so that it is ready later; None where it is not wanted or installed."""
    if not is_wanted or not is_installed():
        yield None
        return
    with closing(SchemathesisProcess()) as process:
        yield process


class SchemathesisCoverage:
    """One run on some operations. `statuses` counts the responses by operation and status while it runs."""

    def __init__(self, contract: Contract, operations: Iterable[Operation]) -> None:
        self._contract = contract
        self._by_name = {f"{one.method} {one.path}": one for one in operations}
        self._found: dict[str, dict[str, Finding]] = {one.id: {} for one in self._by_name.values()}
        self._troubles: dict[str, str] = {}
        self.statuses: dict[str, Counter[int]] = {}

    def task(self, document: Mapping[str, Any], base: str, **more: Any) -> SchemathesisTask:
        """Return the task for a base URL; `document` is the contract without external references."""
        likely = {one.operation.id for one in find_drafts(self._contract)}
        return SchemathesisTask(
            document=_with_operations(document, self._by_name),
            base=base,
            bulk=tuple(name for name, one in self._by_name.items() if one.bulk is not None or one.id in likely),
            strict=self._contract.has_strict_parameters,
            kept=tuple(name for name, one in self._by_name.items() if one.record is not None and one.record.keeps),
            **more,
        )

    def findings(
        self,
        task: SchemathesisTask,
        is_over: Callable[[], bool] = lambda: False,
        process: SchemathesisProcess | None = None,
    ) -> Iterator[Finding]:
        """Run a task and yield its findings, each once, until it ends or `is_over` returns True.

        `process` is one that was started before, so that nobody waits for its imports.
        """
        run = run_task if process is None else process.lines
        for line in run(task, is_over) if is_installed() else ():
            operation = self._by_name.get(line["operation"])
            if line["kind"] == "trouble":
                self._troubles[operation.id if operation is not None else ""] = line["says"]
            elif operation is not None and line["kind"] == "scenario":
                found = Counter({int(status): number for status, number in line["statuses"].items()})
                self.statuses[operation.id] = self.statuses.get(operation.id, Counter()) + found
            elif operation is not None and not (_is_generic_refusal(operation, line) or _is_rate_limited(line)):
                yield from self._new(self._finding(operation, line, task.base))

    def _new(self, finding: Finding) -> Iterator[Finding]:
        known = self._found[finding.operation]
        if finding.fingerprint not in known:
            known[finding.fingerprint] = finding
            yield finding

    def _finding(self, operation: Operation, line: Line, base: str) -> Finding:
        seen = [*line.get("before", ()), *filter(None, [line["exchange"]])]
        evidence = tuple(self._exchange(one, operation, base) for one in seen)
        exchange = evidence[-1] if line["exchange"] else None
        status = f" {exchange.response.status}" if exchange is not None and exchange.response.status else ""
        says = ": ".join(" ".join(text.split()) for text in (line["title"], line["says"]) if text.strip())
        return Finding(
            law=CHECK,
            operation=operation.id,
            shape=f"{line['check']}{status}",
            says=f"{says.rstrip('.')}.",
            evidence=evidence,
        )

    def _exchange(self, line: Line, operation: Operation, base: str) -> Exchange:
        return _exchange(line, self._by_name.get(line.get("operation", ""), operation), self._contract.name, base)

    def classes(self) -> Mapping[str, Counter[str]]:
        """Return how often each operation was answered with a status of each class, such as `2xx`."""
        found: dict[str, Counter[str]] = {}
        for name, statuses in self.statuses.items():
            for status, number in statuses.items():
                found.setdefault(name, Counter())[f"{status // 100}xx"] += number
        return found

    def answers(self) -> Iterator[CheckResult]:
        """Yield the result of each operation."""
        for one in self._by_name.values():
            found = tuple(self._found[one.id].values())
            if found:
                yield CheckResult(law=CHECK, operation=one.id, word="failed", findings=found)
            elif one.id in self.statuses:
                yield CheckResult(law=CHECK, operation=one.id, word="passed")
            else:
                yield CheckResult(law=CHECK, operation=one.id, word="not-run", reason=self._why_not(one))

    def _why_not(self, operation: Operation) -> str:
        if not is_installed():
            return MISSING_MESSAGE
        return self._troubles.get(operation.id) or self._troubles.get("") or TIME_USED_UP


def _is_generic_refusal(operation: Operation, line: Line) -> bool:
    """Return whether a request was refused with a generic HTTP status that the contract does not list."""
    status = (line["exchange"] or {}).get("status")
    is_generic = status in GENERIC_STATUSES or (status == UNAUTHORIZED and bool(operation.security))
    is_generic = is_generic or (status is not None and is_undeclared_kind(operation, status))
    return line["check"] == "status_code_conformance" and is_generic


def _is_rate_limited(line: Line) -> bool:
    """Return whether a request was refused for now, with Retry-After, and so was not looked at."""
    exchange = line["exchange"] or {}
    answer = {name.lower() for name, _ in exchange.get("answer") or ()}
    return exchange.get("status") in RETRY_LATER and "retry-after" in answer


def _with_operations(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a document with only these operations."""
    wanted: dict[str, set[str]] = {}
    for name in names:
        method, _, path = name.partition(" ")
        wanted.setdefault(path, set()).add(method.lower())
    paths = {path: _methods(item, wanted[path]) for path, item in document["paths"].items() if path in wanted}
    return {**document, "paths": paths}


def _methods(item: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
    return {name: one for name, one in item.items() if name not in methods or name in wanted}


def _exchange(line: Mapping[str, Any], operation: Operation, api: str, base: str) -> Exchange:
    parts = urlsplit(line["uri"])
    path = parts.path.removeprefix(urlsplit(base).path.rstrip("/")) or "/"
    request = Request(
        method=line["method"],
        path=path,
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers=_headers(line["headers"]),
        body=b64decode(line["body"]),
    )
    body = b64decode(line.get("content") or "")
    response = Response(
        status=line["status"] or 0, headers=_headers(line.get("answer") or ()), body=body, data=json_of(body)
    )
    return Exchange(n=0, at=datetime.now(UTC), api=api, operation=operation.id, request=request, response=response)


def _headers(pairs: Iterable[list[str]]) -> Headers:
    return Headers((name, value) for name, value in pairs)

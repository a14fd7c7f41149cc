"""The sandbox inside the test process: the whole program but for its sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache

from case_run import Answer, Pairs, Server, over_http
from case_text import Case, CaseError, Step

from contracts.messages import Headers
from mockserver.api.model import Api
from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options, Service

REAL = datetime(2026, 1, 1, tzinfo=UTC)


def served_by(case: Case) -> Step:
    """Return the step that says what a case speaks to; raises `CaseError` when there is not exactly one."""
    found = [step for step in case.steps if isinstance(step, Step) and step.word in {"api", "contract"}]
    if len(found) != 1:
        raise CaseError(
            f"{case.file.name}, line {case.line}: a case has one '@ api' or '@ contract', not {len(found)}."
        )
    return found[0]


def inside(case: Case) -> tuple[Server, str]:
    """Return a server of what `case` speaks to, and where it is mounted there."""
    api = api_of(case)
    service = _service(api)

    def answer(method: str, target: str, headers: Pairs, body: bytes) -> Answer:
        reply = service.handle(method, target, Headers(headers), body, REAL)
        return Answer(status=reply.status, headers=reply.headers.pairs, body=reply.body)

    return answer, api.mount


@contextmanager
def beside(case: Case) -> Iterator[tuple[Server, str]]:
    """Serve what `case` speaks to from a thread, for replies that break on their way; yield it, and its mount."""
    api = api_of(case)
    with in_thread([api], Options(mode="frozen")) as running:
        yield over_http(running.url), api.mount


def api_of(case: Case) -> Api:
    """Return what a case speaks to, loaded."""
    step = served_by(case)
    return _api(step.rest if step.word == "api" else str(case.file.parent / step.rest))


@cache
def _api(name: str) -> Api:
    return find_sources((name,))[0].load()


@cache
def _service(api: Api) -> Service:
    return Service([api], Options(mode="frozen"), REAL)

"""The pipeline: a request in, a response out, at once (`handle`) or deferred by a scenario (`begin`).

It does no input or output and does not wait: time is an argument, and all state is the sandbox's. `stages` has the
stages that each request passes through.
"""

from datetime import datetime

from contracts.messages import Request, Response
from mockserver.api.model import Api, Refusal
from mockserver.bulk.job_endpoints import run_due_jobs as run_due_jobs_of
from mockserver.engine.conventions import has_preferences
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.engine.stages import finish_and_record, make_context, respond, route, validate_request
from mockserver.sandbox.sandboxes import Sandbox


def handle(sandbox: Sandbox, api: Api, request: Request, now: datetime) -> Response:
    """Return the response to a request as of `now` on the sandbox's clock, without waiting.

    Every request has a response. A scenario's delays and wire faults are left out, except for their effect on the
    commit.
    """
    return begin(sandbox, api, request, now).complete(now)


def begin(sandbox: Sandbox, api: Api, request: Request, now: datetime) -> DeferredResponse:
    """Serve a request as of `now` on the sandbox's clock; return its response, or how to complete it later."""
    context = make_context(sandbox, api, request, now)
    if _may_have_scenario(sandbox, request):
        from mockserver.engine.scenario_execution import execute  # noqa: PLC0415 - most servers play nothing

        return execute(sandbox, context)
    response = respond(context, validate_request(context))
    return DeferredResponse(response=finish_and_record(sandbox, context, response))


def _may_have_scenario(sandbox: Sandbox, request: Request) -> bool:
    """Tell whether anything but the ordinary may happen to a call."""
    return sandbox.is_playing or (sandbox.template.allows_preferences and has_preferences(request))


def refuse(sandbox: Sandbox, api: Api, request: Request, now: datetime, refusal: Refusal) -> Response:
    """Refuse a request that could not be read at all, in the API's own format."""
    context = make_context(sandbox, api, request, now)
    route(context)
    return finish_and_record(sandbox, context, context.refuse(refusal))


def run_due_jobs(sandbox: Sandbox, now: datetime) -> None:
    """Run the jobs of every API that are due by `now`."""
    for api in sandbox.apis:
        if api.name in sandbox.api_states:
            run_due_jobs_of(api, sandbox.api_states[api.name], now)

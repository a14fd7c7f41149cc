"""Select what happens to a request: the scenario that applies, or what its `Prefer` header field asks for.

Main entry: `select_scenario`. `Prefer` follows RFC 7240; `code`, `example` and `dynamic`, and the query parameters with
two underscores, are Prism's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from contracts.bulk.declarations import unreturnable
from contracts.errors import MisuseError
from contracts.exchange.bulk_request import becomes_job
from contracts.exchange.locations import is_outside, locate
from contracts.messages import ABSENT, Request
from contracts.syntax.text import as_list, clipped, short
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.guards import admit
from mockserver.bulk.prepared_api import plan_of, prepared
from mockserver.engine.conventions import PREFERENCE_PREFIX
from mockserver.journal.stored_messages import HIDDEN, SECRET_NAMES, is_secret, redact_header, redact_value
from mockserver.sandbox.sandboxes import Sandbox
from mockserver.scenarios.matching import MatchedItem, RequestFacts, RequestPurpose, Unmet
from mockserver.scenarios.model import Effects, ResponseEffect, Scenario
from mockserver.scenarios.player import Decision, NearMiss

PREFERENCES: Final = ("scenario", "code", "example", "dynamic", "seed")
PREFERENCE: Final = re.compile(r'\s*([A-Za-z0-9_-]+)\s*(?:=\s*(?:"([^"]*)"|([^,;"]*)))?[^,;]*(?:[,;]|$)')
MIN_STATUS: Final = 200
MAX_STATUS: Final = 599


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The preferences of a request; "" and None where it has none."""

    scenario: str = ""
    code: int | None = None
    example: str = ""
    dynamic: bool | None = None
    seed: int | None = None

    @property
    def replaces(self) -> bool:
        """Tell whether the request asks for a response in place of the handler's."""
        return self.code is not None or self.example != "" or self.dynamic is True

    @property
    def applied(self) -> tuple[str, ...]:
        """Return the preferences as `Preference-Applied` reports them, `name=value` each."""
        given = {"code": self.code, "example": self.example or None, "dynamic": "true" if self.dynamic else None}
        return tuple(f"{name}={value}" for name, value in {**given, "seed": self.seed}.items() if value is not None)


NO_PREFERENCES: Final = Preferences()


def read_preferences(request: Request) -> Preferences | Refusal:
    """Return the preferences of a request, a Refusal when one is invalid. A header field overrides the query."""
    given = _of_header(request.headers.get_all("Prefer")) or _of_query(request.query)
    if not given:
        return NO_PREFERENCES
    for name, (pattern, wanted) in PREFERENCE_FORMS.items():
        if name in given and not re.fullmatch(pattern, given[name]):
            return Refusal(status=400, kind="invalid", detail=f"{name} must be {wanted}; got '{given[name][:80]}'.")
    return Preferences(
        scenario=given.get("scenario", ""),
        code=int(given["code"]) if "code" in given else None,
        example=given.get("example", ""),
        dynamic=given["dynamic"] == "true" if "dynamic" in given else None,
        seed=int(given["seed"]) if "seed" in given else None,
    )


def _of_header(values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        for name, quoted, plain in PREFERENCE.findall(value):
            if name.lower() in PREFERENCES:
                found.setdefault(name.lower(), quoted or plain.strip())
    return found


def _of_query(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in query:
        if name.removeprefix(PREFERENCE_PREFIX) in PREFERENCES and name.startswith(PREFERENCE_PREFIX):
            found.setdefault(name.removeprefix(PREFERENCE_PREFIX), value)
    return found


PREFERENCE_FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "scenario": (r".+", "the name of a scenario"),
    "code": (r"[2-5][0-9]{2}", f"a status from {MIN_STATUS} to {MAX_STATUS}"),
    "example": (r".+", "the name of an example"),
    "dynamic": (r"true|false", "true or false"),
    "seed": (r"-?[0-9]{1,18}", "a whole number"),
}


MAX_VALUE_CHARS: Final = 200  # characters of a value that a near miss shows
READ_ACTIONS: Final = frozenset(("read", "list"))


@dataclass(frozen=True, slots=True)
class SingleItem:
    """The record that a single-record request writes, as its only item."""

    index: int
    key: object
    raw: object


def select_scenario(sandbox: Sandbox, context: RequestContext, *, refused: bool) -> Decision | Refusal:
    """Return the decision about a request; `refused` when the request is refused anyhow.

    A Refusal tells that a preference is invalid, or names a scenario that does not exist.
    """
    wanted = read_preferences(context.request)
    if isinstance(wanted, Refusal):
        return wanted
    if wanted.replaces and not wanted.scenario:
        return Decision() if refused else _preferred(wanted)
    try:
        first = _named(sandbox, wanted.scenario)
    except MisuseError as error:
        return Refusal(status=400, kind="invalid", detail=str(error))
    decision = sandbox.player.decide(_facts(context, refused=refused), first)
    if decision.scenario == "" and wanted.replaces and not refused:
        return replace(_preferred(wanted), near_misses=_without_secrets(decision.near_misses))
    asked = bool(first) and decision.scenario == wanted.scenario
    return replace(
        decision,
        applied_preferences=(f"scenario={wanted.scenario}",) if asked else (),
        seed=wanted.seed,
        near_misses=_without_secrets(decision.near_misses),
    )


def _named(sandbox: Sandbox, name: str) -> Sequence[Scenario]:
    if not name:
        return ()
    active = [one for one in sandbox.player.scenarios if one.name == name]
    return active or (sandbox.template.catalogue.get(name),)


def _preferred(wanted: Preferences) -> Decision:
    source: Any = "generate" if wanted.dynamic else "example" if wanted.example else ""
    response = ResponseEffect(status=wanted.code, source=source, example=wanted.example)
    return Decision(effects=Effects(response=response), applied_preferences=wanted.applied, seed=wanted.seed)


def _facts(context: RequestContext, *, refused: bool) -> RequestFacts:
    request = context.request
    return RequestFacts(
        api=context.api.name,
        operation="" if context.operation is None else context.operation.id,
        method=request.method,
        path=unquote(request.path),
        tenant=context.scope,
        client=context.client,
        headers=request.headers,
        query=request.query,
        body=context.data,
        ignore_case=context.api.contract.ignore_case,
        purpose=cache(lambda: RequestPurpose() if refused else _work(context)),
        items=cache(lambda: () if refused else _items(context)),
    )


def _work(context: RequestContext) -> RequestPurpose:
    """Return what the call would do if nothing happened to it."""
    plan = plan_of(context)
    if plan is None or isinstance(admission := admit(context, plan), Refusal):
        return RequestPurpose(makes_job=plan is None and _is_deferred(context))
    fan_out = plan.bulk.items.fan_out
    named = locate(context, fan_out.over) if fan_out is not None else ()
    tenants = tuple(map(str, as_list(named)))
    return RequestPurpose(
        unit=admission.unit,
        makes_job=becomes_job(plan.bulk, context),
        tenants=tenants,
        returns_items=not unreturnable(plan.bulk),
    )


def _items(context: RequestContext) -> Sequence[MatchedItem]:
    plan = plan_of(context)
    if plan is not None:
        return () if isinstance(admit(context, plan), Refusal) else plan.item_reader.items(context)
    act = None if context.operation is None else context.operation.record
    if act is None or act.action.constant in READ_ACTIONS or context.data is ABSENT:
        return ()
    key = locate(context, act.key) if act.key is not None and is_outside(act.key) else None
    return (SingleItem(0, key, context.data),)


def _is_deferred(context: RequestContext) -> bool:
    """Tell whether a single-record call becomes a job, as the bulk calls do that it is like."""
    own = "" if context.operation is None else context.operation.id
    return any(
        own in plan.bulk.effect.like and becomes_job(plan.bulk, context)
        for plan in prepared(context.api).plans.values()
    )


def _without_secrets(misses: Sequence[NearMiss]) -> tuple[NearMiss, ...]:
    """Return near misses fit to be kept: without secrets, and short."""
    return tuple(replace(miss, unmet=tuple(map(_redacted, miss.unmet))) for miss in misses)


def _redacted(unmet: Unmet) -> Unmet:
    kind, _, name = unmet.field.rpartition(".")
    got = unmet.got
    if kind.endswith("header") and got is not None:
        got = redact_header(name, got) if isinstance(got, str) else HIDDEN
    elif got is not None:
        got = HIDDEN if is_secret(unmet.field) or unmet.field.endswith(SECRET_NAMES) else redact_value(got)
    return unmet._replace(wanted=_short(unmet.wanted), got=_short(got))


def _short(value: object) -> object:
    if isinstance(value, str):
        return clipped(value, MAX_VALUE_CHARS)
    flat = isinstance(value, list) and all(isinstance(one, str | int | float) or one is None for one in value)
    if flat and len(value) <= MAX_VALUE_CHARS // 10:  # type: ignore[arg-type] # it is a list
        return [_short(one) for one in value]  # type: ignore[attr-defined] # the same
    small = isinstance(value, dict) and len(value) == 1 and all(isinstance(one, str) for one in value.values())
    return value if small or value is None or isinstance(value, bool | int | float) else short(value)

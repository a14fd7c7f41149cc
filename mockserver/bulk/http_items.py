"""Serve items that are HTTP requests: each is sent to the contract's own operation. Begin with `http_item`.

`serve_http_item` applies one: its verdict, its response and the records after it are those of the request sent alone.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from contracts.bulk.model import Bulk, Outcomes, Resource
from contracts.exchange.http_items import action_of, request_of, route_item, target_of, with_media_type
from contracts.exchange.locations import chooser, put_at
from contracts.messages import ABSENT, Request, Response
from contracts.openapi.inference import KeyType
from contracts.openapi.routing import Router
from contracts.syntax.text import look_up
from mockserver.api.model import RequestContext
from mockserver.domain.values import Item, ItemFault, Outcome, ServedOutcome
from mockserver.stores.memory import MemoryStore, Overlay

OF_THE_SERVER: Final = frozenset(("bulkproof-answer", "content-length"))  # header fields of no item
NO_RESOURCE: Final = Resource(name="")
"""The resource of an item whose request is for none."""


def http_item(
    context: RequestContext,
    bulk: Bulk,
    router: Router,
    resources: Mapping[str, Resource],
    keys: Mapping[str, KeyType],
) -> Callable[[int, object, object, object], Item]:
    """Return a function that makes the item of an HTTP request: of its index, key, group, and value in the body."""

    def make(n: int, key: object, group: object, raw: object) -> Item:
        request = _request(context, bulk, raw)
        route = route_item(router, request)
        act = None if route is None else route.operation.record
        resource = NO_RESOURCE if act is None else resources.get(act.resource.constant, NO_RESOURCE)
        target = ABSENT if route is None else target_of(route, request)
        if resource.name in keys:
            target = keys[resource.name].typed(target)
        body = look_up(raw, bulk.effect.http["body"]) if "body" in bulk.effect.http else ABSENT
        payload = body if act is None or body is ABSENT else look_up(body, act.payload)
        named = key if isinstance(key, str | int) else None
        return Item(n, named, action_of(route, request), resource, target, payload, None, group, raw)

    return make


def unknown_method(bulk: Bulk, raw: object) -> bool:
    """Tell whether an item's method is not among those that its declaration lists."""
    action = bulk.effect.action
    return bool(action.words) and chooser(action)(look_up(raw, action.source)) is None


def serve_http_item(
    context: RequestContext, bulk: Bulk, router: Router, item: Item, store: MemoryStore | Overlay
) -> ServedOutcome:
    """Send an item to its operation, with its writes to `store`, and return its outcome."""
    state, kept, undo = context.api_state, context.api_state.store, context.api_state.undo
    inner = RequestContext(api=context.api, api_state=state, request=_request(context, bulk, item.raw), now=context.now)
    route = route_item(router, inner.request)
    if route is not None:
        inner.request = with_media_type(inner.request, route.operation)
    own = Overlay(store)  # the request has a transaction of its own inside that of the whole
    state.store, state.undo = own, []
    try:
        response = context.api.hooks.dispatch(inner)
    finally:
        state.store, state.undo = kept, undo
    own.commit()
    return _outcome(item, inner, response)


def _outcome(item: Item, inner: RequestContext, response: Response) -> ServedOutcome:
    own = inner.outcomes[0] if inner.outcomes else None
    failed = response.status >= HTTPStatus.BAD_REQUEST
    faults = () if not failed else own.faults if own is not None and own.faults else (_fault(response),)
    made = item.action if own is None or failed else own.action
    outcome = ServedOutcome(
        item, "failed" if failed else "done", made, faults, own.record if own and not failed else None
    )
    outcome.response, outcome.path = response, inner.request.path
    return outcome


def put_response(entry: dict[str, Any], declared: Outcomes, outcome: Outcome) -> bool:
    """Set status, header fields and body of an item's response in its entry; tell whether that body says the error."""
    if not isinstance(outcome, ServedOutcome) or not declared.http:
        return False
    response, places = outcome.response, declared.http
    if "status" in places:
        put_at(entry, places["status"], response.status)
    if "headers" in places:
        shown = {name: value for name, value in response.headers if name.lower() not in OF_THE_SERVER}
        put_at(entry, places["headers"], shown)
    if "body" in places and response.data is not ABSENT:
        put_at(entry, places["body"], response.data)
    return "body" in places and (declared.error or "").startswith(f"{places['body']}/")


def _fault(response: Response) -> ItemFault:
    detail = look_up(response.data, "/detail")
    message = detail if isinstance(detail, str) else f"status {response.status}"
    return ItemFault("refused", facts={"message": message.removesuffix(".")})


def _request(context: RequestContext, bulk: Bulk, raw: object) -> Request:
    return request_of(bulk.effect, raw, mount=context.api.mount, headers=context.request.headers)

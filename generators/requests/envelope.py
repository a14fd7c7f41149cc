"""Build the request around the items of a bulk operation: unit, order, targets, keys, job setting.

Begin with `operation_spec` (`OperationSpec`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from contracts.bulk.model import Bulk, Choice, Location
from contracts.errors import MisuseError
from contracts.exchange.locations import find, is_outside, put
from contracts.messages import ABSENT
from contracts.openapi.inference import settable_members
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import tokens_of
from generators.data.plan import ValueProfile
from generators.errors import NotApplicableError
from generators.requests.calls import (
    RequestDraft,
    body_examples,
    body_schema,
    draft,
    item_media,
    json_media,
)
from generators.requests.items import WRAPPER, ItemContent, ItemEncoder, Part, fill_required
from generators.requests.known_records import RecordContext
from generators.requests.options import (
    UNITS,
    Option,
    action_options,
    example_targets,
    option_for,
    options_of,
    place_schema,
    resource_options,
)
from generators.requests.profiles import Profile
from generators.requests.record_factory import RecordFactory
from generators.requests.serialisation import is_cell
from generators.requests.single import item_actions, item_request, item_resources, without_key


def unsupported_reason(operation: Operation, *, groups: bool = True) -> str | None:
    """Return why requests of a bulk operation cannot be composed, None when they can.

    With `groups` false an operation whose items are a list of lists is not supported either.
    """
    assert operation.bulk is not None  # noqa: S101 - asked before
    bulk = operation.bulk
    inner = [("items.at", bulk.items.at), ("effect.action", bulk.effect.action.source)]
    inner += [("effect.payload", bulk.effect.payload), *(("effect.target", at) for at in bulk.effect.target)]
    as_text = bulk.items.shape not in {"array", "map"}
    if json_media(operation) is None and not as_text:
        return "its request body is no JSON"
    if as_text and (item_media(operation) is None or (bulk.items.shape == "parts" and not bulk.effect.http)):
        return f"items as {bulk.items.shape} are not composed"
    is_pairs = bulk.items.shape == "line-pairs" and bulk.effect.action.source == "/~action"
    spared = WRAPPER if bulk.items.shape == "array" else ""
    odd = next((f"{word} is {at}" for word, at in inner if "/~" in at and at != spared), None)
    if not is_pairs and odd is not None:
        return f"items whose {odd} in x-bulk are not composed"
    is_opened = bulk.job is not None and bulk.job.open is not None
    is_grouped = not groups and bulk.items.groups is not None
    grouped = "a list of lists is not composed" if is_grouped else None
    return "a job that another call opens is not composed" if is_opened else grouped


def example_frame(operation: Operation, at: Location) -> Any:
    """Return the first example body with items at a location, without settings that the client chooses; {} for none."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    bulk = operation.bulk
    wanted = dict if bulk.items.shape == "map" else list
    example: Any = (
        next((one for one in body_examples(operation) if isinstance(find(one, at), wanted)), {}) if at else {}
    )
    places = (bulk.unit.of.source, bulk.order.when, bulk.unit.stop_after, *(bulk.job.when if bulk.job else ()))
    places += (bulk.guard.idempotency.key if bulk.guard.idempotency else None,)
    chosen = {tokens_of(str(one).partition("=")[0])[:1] for one in places if str(one).startswith("/")}
    return {name: value for name, value in example.items() if (name,) not in chosen}


NO_OPTION: Final = Option(None, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """What a request states beside its items; an option that is None is not sent.

    `unit` is `whole`, `item` or `group`; `as_job` a setting such as `query:async=true`; `more` maps locations to
    values. `order` lists the indices of the items to send, by default all in their order.
    """

    unit: str | None = None
    order: Sequence[int] | None = None
    as_job: str | None = None
    grouped: bool | None = None
    targets: Sequence[str] = ()
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One bulk operation: its choices of action and resource, its item schema, and a record factory per resource.

    `writable` are the members that the operation may set, by resource. `has_one_resource` and `has_one_action` tell
    whether all items of a request share one resource or one action.
    """

    contract: Contract
    operation: Operation
    bulk: Bulk
    given: Mapping[str, str]
    encoder: ItemEncoder
    resources: tuple[Option, ...]
    actions: tuple[Option, ...]
    makers: Mapping[str, RecordFactory]
    writable: Mapping[str, tuple[str, ...]]
    has_one_resource: bool
    has_one_action: bool

    def values(self, resource: Option, action: Option) -> dict[str, str]:
        """Return parameter values by name, including those that the resource's `x-` members give."""
        found = self.contract.resources.get(resource.meaning)
        extras = found.extras if found is not None else {}
        own = {name.removeprefix("x-"): str(value) for name, value in extras.items() if isinstance(value, str)}
        for choice, word in ((self.bulk.effect.resource, resource), (self.bulk.effect.action, action)):
            if choice is not None and word.written is not None and is_outside(choice.source):
                own[choice.source.partition(":")[2]] = word.written
        return {**own, **self.given}

    def actions_of(self, resource: Option) -> Sequence[Option]:
        """Return the options of what an item can do to a resource."""
        return item_actions(self.contract, self.bulk, resource.meaning) if self.bulk.effect.http else self.actions

    def item(self, content: ItemContent, rng: Random, *, action: str | None, resource: str | None, kind: str) -> object:
        """Return an item as it is sent, with the given words for its action and resource, of which `kind` is the name.

        Raises UnsatisfiableError, and NotApplicableError for an item that is an HTTP request that there is not.
        """
        parts: dict[Part, object] = {
            "target": content.target,
            "key": content.key,
            "version": content.version,
            "action": action,
            "resource": resource,
            "group": content.group,
            "awaited": list(content.awaited) or None,
        }
        if self.bulk.effect.http:
            request = item_request(self.contract, self.bulk, kind, self.given, content)
            return self.encoder.item(None, {**parts, "action": None}, rng, request=request)
        if self.sendable(kind, content.values) != content.values:
            raise NotApplicableError("a cell of a row cannot have such a value")
        members, own = content.members, self.makers[kind].resource
        if members and own is not None and self.bulk.effect.payload and members.get(own.key, ABSENT) == content.target:
            members = without_key(self.makers[kind].schema, own, members)
        payload = None if members is None else self.encoder.payload(members)
        spared = self.makers[kind].members if content.incomplete else ()
        return self.encoder.item(payload, parts, rng, action=content.action, spared=spared)

    def sendable(self, resource: str, members: Mapping[str, object]) -> Mapping[str, object]:
        """Return the members that an item can have: all, or of a row those that its cells can have."""
        if self.bulk.items.shape != "rows":
            return members
        schemas = self.makers[resource].members
        return {name: value for name, value in members.items() if is_cell(value, schemas.get(name))}

    def item_option(self, choice: Choice | None, meaning: str) -> Option:
        """Return the option by which an item states `meaning`; its word is None when the item states nothing."""
        settings = None if choice is None else option_for(self.operation, choice, meaning, self.encoder.element)
        return Option(settings, meaning)

    def request_option(self, choice: Choice | None, meanings: Iterable[str]) -> Option:
        """Return the option by which the request states a meaning for all items, NO_OPTION if each item does.

        Raises NotApplicableError when no option has the meaning, or when `meanings` differ.
        """
        if choice is None or not is_outside(choice.source):
            return NO_OPTION
        meant = set(meanings)
        if len(meant) > 1:
            raise NotApplicableError("one request has one action")
        return next((self._required_option(choice, meaning) for meaning in meant), NO_OPTION)

    def _required_option(self, choice: Choice, meaning: str) -> Option:
        word = option_for(self.operation, choice, meaning, body_schema(self.operation))
        if word is None:
            raise NotApplicableError(f"the caller cannot choose '{meaning}'")
        return Option(word, meaning)

    def request(
        self,
        items: Sequence[object],
        options: SendOptions,
        rng: Random,
        *,
        action: Option,
        resource: Option,
        keys: Sequence[object] = (),
        at: Location | None = None,
        shared: object = ABSENT,
    ) -> RequestDraft:
        """Return a request with these items; other required body members come from an example, or are drawn.

        `action` and `resource` are options outside the body. `keys` name the items of a map, `at` is the
        location of the items, `shared` the payload of all items. Raises NotApplicableError when the contract
        has no location for an option.
        """
        operation, bulk, fan_out = self.operation, self.bulk, self.bulk.items.fan_out
        at = bulk.items.at if at is None else at
        made, by_key = draft(operation, self.values(resource, action)), bulk.items.shape == "map"
        made.data = example_frame(operation, at)
        named = fan_out is None or options.targets or fan_out.over in options.more
        if fan_out is not None and not named and find(made.data, fan_out.over) in (ABSENT, []):
            fact = "no target is known: neither an example nor the caller names one"
            raise NotApplicableError(f"{fact} at {fan_out.over}")
        made.put(at, dict(zip(map(str, keys), items, strict=True)) if by_key else list(items))
        if shared is not ABSENT:
            made.put(bulk.effect.payload, shared)
        if bulk.unit.of.source and options.unit is not None:
            made.put(bulk.unit.of.source, self._required_option(bulk.unit.of, options.unit).written)
        if fan_out is not None and options.targets:
            made.put(fan_out.over, list(options.targets))
        for location, value in options.more.items():
            made.put(location, value)
        goes_on = bulk.unit.stop_after if "=" in str(bulk.unit.stop_after) else None
        for wish in (bulk.order.when if options.grouped else None, options.as_job, goes_on):
            if wish is not None:
                made.apply_setting(str(wish))
        made.data = fill_required(made.data, body_schema(operation), rng)
        return made


def operation_spec(
    contract: Contract, operation: Operation, given: Mapping[str, str], values: ValueProfile = "realistic"
) -> OperationSpec:
    """Return the specification of a bulk operation, whose records have `values` of this spread.

    Raises MisuseError when its requests cannot be composed.
    """
    bulk = operation.bulk
    if bulk is None:
        raise MisuseError(f"{operation.id} is no bulk operation.", cure="Name one that has 'x-bulk'.")
    reason = unsupported_reason(operation)
    if reason is not None:
        raise MisuseError(f"Requests of {operation.id} cannot be made: {reason}.")
    encoder = ItemEncoder(bulk, body_schema(operation))
    element = encoder.element
    target_schema = element.at(bulk.effect.target[0]) if element is not None and bulk.effect.target else None
    resource = contract.resources.get
    resources = resource_options(contract, operation, element, given)
    if bulk.effect.http:
        resources = [Option(None, name) for name in item_resources(contract, bulk)]
    if not resources:
        raise MisuseError(f"Requests of {operation.id} cannot be made: no operation writes single records.")
    return OperationSpec(
        contract=contract,
        operation=operation,
        bulk=bulk,
        given=given,
        encoder=encoder,
        resources=tuple(resources),
        actions=tuple(action_options(operation, element)),
        makers={
            one.meaning: RecordFactory(
                contract,
                resource(one.meaning),
                fallback=encoder.payload_schema,
                target_schema=target_schema,
                profile=values,
            )
            for one in resources
        },
        writable=settable_members(contract, operation),
        has_one_resource=not bulk.effect.http
        and (bulk.effect.resource is None or is_outside(bulk.effect.resource.source)),
        has_one_action=is_outside(bulk.effect.action.source),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The parts of a request that a profile chooses, without the items.

    `unit` is None when the request asks for an unknown unit; `targets` maps each target to whether it is known to
    exist.
    """

    options: SendOptions
    unit: str | None
    deferred: bool
    targets: Mapping[str, bool]


UNKNOWN_UNIT: Final = "NoSuchUnit"
DEFAULT_UNIT_SHARE: Final = 0.2  # share of requests that leave the unit to its default
MAX_TARGETS: Final = 3


def group_items(items: Sequence[object], at: Location, rng: Random) -> list[object]:
    """Return items as a list of groups of one to three items each."""
    groups, start = [], 0
    while start < len(items):
        stop = start + 1 + int(rng.random() * 3)
        groups.append(put({}, at, list(items[start:stop])))
        start = stop
    return groups


def draw_envelope(spec: OperationSpec, context: RecordContext, profile: Profile) -> Envelope:
    """Draw the request options for a profile."""
    bulk, rng, more = spec.bulk, context.rng, dict[str, object]()
    unit = _draw_unit(more, spec, context, profile)
    grouped = bulk.order.run == "grouped" and (bulk.order.when is None or rng.random() < profile.grouped)
    wishes = bulk.job.when if bulk.job is not None else ()
    always = bulk.job is not None and "always" in wishes
    wish: str | None = context.choose(wishes) if wishes and not always and rng.random() < profile.deferred else None
    targets = _draw_targets(more, spec.operation, context, profile)
    if bulk.guard.idempotency is not None and bulk.guard.idempotency.scope == "request":
        more[bulk.guard.idempotency.key] = context.names.fresh_value(None, context.slot())
    options = SendOptions(as_job=wish, grouped=grouped, more=more)
    return Envelope(options=options, unit=unit, deferred=always or wish is not None, targets=targets)


def _draw_unit(
    settings: dict[str, object], spec: OperationSpec, context: RecordContext, profile: Profile
) -> str | None:
    choice, rng = spec.bulk.unit.of, context.rng
    if not choice.source:
        return choice.constant
    if rng.random() < profile.bad_unit:
        settings[choice.source] = UNKNOWN_UNIT
        return None
    every = options_of(choice, place_schema(spec.operation, body_schema(spec.operation), choice.source), UNITS)
    words = [word for word in every if not profile.units or word.meaning in profile.units]
    by_default = [word for word in words if word.written == choice.default]
    if by_default and rng.random() < DEFAULT_UNIT_SHARE:
        return by_default[0].meaning
    chosen: Option = context.choose(words or every)
    settings[choice.source] = chosen.written
    return chosen.meaning


def _draw_targets(
    settings: dict[str, object], operation: Operation, context: RecordContext, profile: Profile
) -> dict[str, bool]:
    fan_out = operation.bulk.items.fan_out if operation.bulk else None
    if fan_out is None:
        return {}
    known = context.known.targets or tuple(dict.fromkeys(names[0] for names in example_targets(operation) if names))
    count = min(len(known), 1 + int(context.rng.random() * MAX_TARGETS))
    named = dict.fromkeys(context.rng.sample(known, count), True)
    while context.rng.random() < profile.unknown_target:
        named[str(context.names.fresh_value(None, context.slot()))] = False
    targets = list(named)
    context.rng.shuffle(targets)
    settings[fan_out.over] = targets
    return {target: named[target] for target in targets}

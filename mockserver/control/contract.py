"""Control requests about contracts: an API in words, and made-up requests of its operations, bad items included."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

from contracts.errors import BulkproofError
from contracts.messages import Request, Response
from contracts.openapi.model import ClientIdentity, Contract, Operation
from contracts.openapi.security import as_client, with_credentials
from contracts.syntax.text import names_hint
from generators.errors import NotApplicableError
from generators.requests.batch import Composer, PlannedBatch, PlannedItem
from generators.requests.calls import valid_request
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import DEFECTS, ItemIntent, Profile
from mockserver.api.model import Api, ItemRun, RequestContext
from mockserver.apis.explanation import explanation
from mockserver.bulk.execution import populate_scope
from mockserver.control.routes import ControlContext, RefusedError
from mockserver.engine.stages import find_scope, make_context
from mockserver.stores.interface import Collection

KNOWN_RECORDS: Final = 200  # of a resource, for items to change, delete and refer to
CLIENT_FIELDS: Final = frozenset(("content-length", "host"))  # that whoever sends it writes
CREATING_ACTIONS: Final = frozenset(("create", "upsert"))
FAULTS: Final[tuple[ItemIntent, ...]] = (
    *("invalid", "incomplete", "dangling", "unknown", "taken", "stale", "referenced", "duplicate", "malformed"),
)
"""Faults of items, the one that is tried first in front."""


def explain_api(control: ControlContext, context: RequestContext) -> Response:
    """Return an API in words: who answers each operation, who says so, what a bulk operation means."""
    api = control.api(context)
    told = explanation(api)
    told["clients"] = [{"name": one.name, "admitted": one.refused is None} for one in api.contract.clients]
    return Response.of(200, told)


def make_request(control: ControlContext, context: RequestContext) -> Response:
    """Make a request of an operation from its contract, and say what is wrong with which item. Nothing is sent."""
    wanted: Any = context.data
    api = control.named(wanted["api"])
    operation = api.contract.operation(wanted["operation"])
    if operation is None:
        hint = names_hint(wanted["operation"], [one.id for one in api.contract.operations])
        detail = f"{api.contract.title} has no operation '{wanted['operation'][:80]}'. {hint}"
        raise RefusedError(detail, HTTPStatus.NOT_FOUND)
    given = wanted.get("parameters", {})
    known_names = [one.name for one in operation.parameters]
    for name in given:
        if name not in known_names:
            hint = names_hint(name, known_names, "It has")
            raise RefusedError(f"{operation.id} has no parameter '{name[:80]}'. {hint}")
    maker = _RequestMaker(control, context, api, operation, wanted)
    try:
        return Response.of(200, maker.single() if operation.bulk is None else maker.batch())
    except NotApplicableError as error:
        raise RefusedError(f"Such a request cannot be made: {error}", HTTPStatus.CONFLICT) from None
    except BulkproofError as error:
        raise RefusedError(str(error)) from None


class _RequestMaker:
    """Makes the requests of one operation in a sandbox, as `wanted` says; the records there are those to refer to."""

    def __init__(
        self, control: ControlContext, context: RequestContext, api: Api, operation: Operation, wanted: dict[str, Any]
    ) -> None:
        self._api, self._operation, self._wanted = api, operation, wanted
        self._sandbox, self._now = control.sandbox(context), context.now
        self._given: dict[str, str] = wanted.get("parameters", {})
        self._seed: int = wanted.get("seed", 0)
        self._client = _client(api.contract, wanted.get("client"))

    def single(self) -> dict[str, Any]:
        """Return a valid request of an operation that is not bulk; it is about a stored record where there is one."""
        contract, operation, given = self._api.contract, self._operation, dict(self._given)
        if self._wanted.get("bad"):
            raise RefusedError(f"{operation.id} is no bulk operation: it has no items.")
        made = valid_request(contract, operation, self._seed, given)
        act = operation.record
        if act is not None and act.key is not None and act.action.constant in {"read", "update", "replace", "delete"}:
            name = act.key.removeprefix("path:")
            live = self._known(self._credited(made.request)).live(act.resource.constant or "")
            if live and name not in given and name in {one.name for one in operation.parameters}:
                made = valid_request(contract, operation, self._seed, {**given, name: str(live[0].key)})
        return {**self._told(made.request), "items": [], "faults": [], "warning": made.warning}

    def batch(self) -> dict[str, Any]:
        """Return a bulk request with as many bad items as wanted, and the faults that its items can have.

        Where the caller leaves the resource open it is the first whose bad items do not have the whole request refused.
        """
        number, bad = self._wanted.get("items", 10), self._wanted.get("bad", 0)
        if bad > number:
            raise RefusedError(f"Of {number} items {bad} cannot be bad.")
        mode = self._operation.bulk.unit.of.source.partition(":")[2] if self._operation.bulk is not None else ""
        if mode and mode in self._given:
            raise RefusedError(f"'{mode}' is said by 'unit': item, group or whole.")
        refused: dict[str, Any] | None = None
        error: NotApplicableError | None = None
        for composer in self._composers():
            try:
                told, is_refused = self._batch(composer, number, bad)
            except NotApplicableError as found:
                error = error or found
                continue
            if not is_refused:
                return told
            refused = refused or told
        if refused is None:
            raise error or NotApplicableError("it has no resource to write")
        return refused

    def _composers(self) -> Iterator[Composer]:
        """Yield what makes requests: of any action, and where there are several of those alone that create records."""
        for given in self._choices():
            composer = Composer(self._api.contract, self._operation, given=given)
            yield composer
            actions = {word.meaning for word in composer.design.actions}
            if len(actions) > 1 and actions & CREATING_ACTIONS:
                yield Composer(self._api.contract, self._operation, given=given, actions=CREATING_ACTIONS)

    def _choices(self) -> list[dict[str, str]]:
        """Return values of parameters: the given ones, with each resource that they leave open."""
        choice = self._operation.bulk.effect.resource if self._operation.bulk is not None else None
        where, _, name = (choice.source if choice is not None else "").partition(":")
        if where != "path" or name in self._given:
            return [self._given]
        every = Composer(self._api.contract, self._operation, given=self._given).design.resources
        return [{**self._given, name: str(one.written)} for one in every if one.written is not None] or [self._given]

    def _batch(self, composer: Composer, number: int, bad: int) -> tuple[dict[str, Any], bool]:
        probe = self._composed(composer, KnownRecords(self._api.contract.resources), "good", number=1, bad=0)
        known = self._known(self._credited(probe.request))
        faults = {one: made for one in FAULTS if (made := self._with_fault(composer, known, one, 2, 1)) is not None}
        chosen = self._chosen(faults) if bad else "good"
        batch = self._with_fault(composer, known, chosen, number, bad)
        if batch is None:
            raise NotApplicableError(self._why_not(composer, chosen, bad, number))
        told = {
            **self._told(batch.request),
            "items": [_item(one) for one in batch.items],
            "faults": [
                {"name": name, "says": DEFECTS[name], "refusesAll": bool(one.refusals)} for name, one in faults.items()
            ],
            "unit": batch.unit or "item",
            "asJob": batch.deferred,
            "warning": "",
        }
        return told, bool(batch.refusals)

    def _chosen(self, faults: Mapping[ItemIntent, PlannedBatch]) -> ItemIntent:
        """Return the wanted fault, else the first that does not have the whole request refused."""
        wanted: ItemIntent | None = self._wanted.get("fault")
        if wanted is not None and wanted not in faults:
            possible = f"Those can have: {', '.join(faults)}." if faults else "They can have none."
            raise NotApplicableError(f"{self._operation.id} has no item that {DEFECTS[wanted]}. {possible}")
        fitting = [one for one, made in faults.items() if not made.refusals] or [*faults]
        if not fitting:
            raise NotApplicableError(f"no item of {self._operation.id} can be made bad.")
        return wanted or fitting[0]

    def _why_not(self, composer: Composer, fault: ItemIntent, bad: int, number: int) -> str:
        actions = {word.meaning for word in composer.design.actions}
        if fault == "good" or not actions & CREATING_ACTIONS:
            return "there are too few records for its items to change or delete. Create some first."
        cure = "Ask for more items, or for fewer bad ones."
        return f"{bad} of {number} are more than can be bad so: one that {DEFECTS[fault]}. {cure}"

    def _with_fault(
        self, composer: Composer, known: KnownRecords, fault: ItemIntent, number: int, bad: int
    ) -> PlannedBatch | None:
        """Return a batch with bad items of one fault, None when that cannot be."""
        try:
            batch = self._composed(composer, known, fault, number=number, bad=bad)
        except NotApplicableError:
            if fault == "good":
                raise
            return None
        found = [one.intent for one in batch.items if one.intent != "good"]
        return batch if found == [fault] * bad else None

    def _composed(
        self, composer: Composer, known: KnownRecords, fault: ItemIntent, *, number: int, bad: int
    ) -> PlannedBatch:
        first = 1 if number > bad else 0  # a duplicate needs one before it
        places = Random(f"{self._seed}/{number}/{bad}").sample(range(first, number), bad)
        intents = tuple(fault if n in places else "good" for n in range(number))
        unit = self._wanted.get("unit", "item")
        as_job = float(self._wanted.get("asJob", False))
        profile = Profile(name="made", intents=intents, units=(unit,), deferred=as_job, delete=0.0, grouped=0.0)
        return composer.compose(seed=self._seed, size=number, profile=profile, known=known)

    def _known(self, request: Request) -> KnownRecords:
        """Return the records in the scope of a request, none when it would be refused."""
        known = KnownRecords(self._api.contract.resources)
        context = make_context(self._sandbox, self._api, request, self._sandbox.now(self._now))
        if find_scope(context) is not None:
            return known
        populate_scope(ItemRun(api=self._api, api_state=context.api_state, scope=context.scope, now=context.now))
        for name in self._api.contract.resources:
            records = context.api_state.store.scan(Collection(context.scope, name))
            for one in islice((one for one in records if not one.deleted), KNOWN_RECORDS):
                known.put(name, one.key, version=one.version, values=one.body)
        return known

    def _credited(self, request: Request) -> Request:
        contract, operation = self._api.contract, self._operation
        if self._wanted.get("client") == "":
            return request
        if self._client is not None:
            return as_client(contract, operation, request, self._client.auth)
        return with_credentials(contract, operation, request)

    def _told(self, request: Request) -> dict[str, Any]:
        sent = self._credited(request)
        query = f"?{urlencode(sent.query)}" if sent.query else ""
        headers = {name: value for name, value in sent.headers if name.lower() not in CLIENT_FIELDS}
        return {
            "method": sent.method,
            "path": f"{self._api.mount}{sent.path}{query}",
            "headers": headers,
            "body": sent.body.decode("utf-8", "replace"),
        }


def _client(contract: Contract, name: str | None) -> ClientIdentity | None:
    """Return the client of that name, by default the first that is admitted; None for nobody, and for none known."""
    known: Iterable[ClientIdentity] = [one for one in contract.clients if one.auth]
    if name:
        found = next((one for one in known if one.name == name), None)
        if found is None:
            hint = names_hint(name, [one.name for one in known], "It has")
            raise RefusedError(f"{contract.title} has no test client '{name[:80]}'. {hint}")
        return found
    return next((one for one in known if one.refused is None), None) if name is None else None


def _item(one: PlannedItem) -> dict[str, Any]:
    told: dict[str, Any] = {"index": one.index, "action": one.action}
    if isinstance(one.key, str | int):
        told["key"] = one.key
    if one.intent != "good":
        told |= {"fault": one.intent, "says": DEFECTS[one.intent]}
        told |= {"pointer": one.mutation.pointer, "detail": one.mutation.says} if one.mutation is not None else {}
    return told

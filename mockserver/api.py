"""What an API hands over to be served: its contract, and the little that a contract cannot say.

Found through the entry-point group `bulkproof.apis`; each entry point is a function without arguments that returns an
`Api`. The bundled APIs come through the same door as a user's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from contracts.bulk import Resource
from contracts.messages import Reply
from contracts.model import Contract
from mockserver import plain
from mockserver.domain.jobs import Job
from mockserver.domain.values import Fault, Item, Outcome, Resolution, Target
from mockserver.stores import Key, Record, View
from mockserver.turn import Refusal, Run, Turn

if TYPE_CHECKING:
    from mockserver.conduct.law import Law
    from mockserver.guard import Batch

Behaviour: TypeAlias = Callable[[Turn], Reply]
Entries: TypeAlias = Callable[[Outcome], Sequence[object]]
Inspect: TypeAlias = Callable[[Item, Mapping[str, object]], Sequence[Fault]]
Perform: TypeAlias = Callable[[Turn, "Batch", str], Sequence[Outcome]]
Prepare: TypeAlias = Callable[[Record | None, Mapping[str, object]], Mapping[str, object]]

__all__ = ["Api", "Behaviour", "Entries", "Hooks", "Inspect", "Perform", "Prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What an API does in its own way; the defaults serve a plain OpenAPI document.

    admit:      authenticate and authorise; sets `turn.client`, returns a Refusal to turn the call away
    scope:      name the data set or tenant of the call, or refuse; the scope is stocked on first use
    stock:      put what a fresh scope holds into the view
    canon:      return the body's JSON value with names as the contract writes them, before it is validated
    refuse:     put a Refusal into the API's own shape
    max_items:  the largest collection that settings allow, None for what the contract says
    target:     resolve a target of a fan-out
    unknown_target: the text for a target that does not exist
    perform:    apply the items of a batch to a data set, note their outcomes in the turn, return what is told of them;
                None for the engine's own way
    conduct:    what to do before a call that makes jobs is accepted, or polls one: a Refusal turns it away
    sees:       whether the call may know of a job at all
    precedence: the order of jobs of one scope that are due at the same instant, smaller first
    changes:    the members that an item sets: the payload itself, or what a list of operations amounts to
    prepare:    for one run, what picks the members that may be written, given the stored record or None
    resolve:    what a value in a reference (a member of the resource) or in a target (its key) means
    new_keys:   for one run, what gives the key of each record that the server names
    job_id:     the id of a new job of so many items
    inspect:    for one run, what finds faults of an item that its resource's declaration does not say
    render:     a stored record as the API shows it
    entries:    for one run, what says an outcome as the API does: its entries in the reply or in the job's results
    finish:     the last word on a reply: headers that every answer has, warnings
    """

    admit: Callable[[Turn], Refusal | None] = plain.admit
    scope: Callable[[Turn], str | Refusal] = plain.scope
    stock: Callable[[Run, View], None] = plain.stock
    canon: Callable[[Turn, object], object] = plain.canon
    refuse: Callable[[Turn, Refusal], Reply] = plain.refuse
    max_items: Callable[[Turn], int | None] = plain.max_items
    target: Callable[[Turn, object], Target] = plain.target
    unknown_target: Callable[[str], str] = plain.unknown_target
    perform: Perform | None = None
    conduct: Callable[[Turn, int], Refusal | None] = plain.conduct
    sees: Callable[[Turn, Job], bool] = plain.sees
    precedence: Callable[[Job], int] = plain.precedence
    changes: Callable[[Item], Mapping[str, object]] = plain.changes
    prepare: Callable[[Run, Resource], Prepare | None] | None = None
    resolve: Callable[[Run, View, Resource, str, object], Resolution] | None = None
    new_keys: Callable[[Run, Resource], Callable[[], Key]] = plain.new_keys
    job_id: Callable[[Turn, int], str] = plain.job_id
    inspect: Callable[[Run, Resource], Inspect | None] | None = None
    render: Callable[[Run, Resource, Record], object] = plain.render
    entries: Callable[[Run], Entries] = plain.entries
    finish: Callable[[Turn, Reply], Reply] = plain.finish


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Api:
    """One API to be served.

    `behaviours` replace the engine's own doing for an operationId. `settings` are the API's own defaults, shown under
    its name in a sandbox's settings and checked by `settings_schema` (a JSON Schema). `laws` are those that its clients
    are judged by, None for all that its contract gives a hold for (see `mockserver.conduct.table`). `bugs` names the
    planted ones that it has (see `mockserver.bugs`).
    """

    name: str
    contract: Contract
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    settings: Mapping[str, object] = field(default_factory=dict)
    settings_schema: Mapping[str, object] = field(default_factory=dict)
    laws: "tuple[Law, ...] | None" = None
    bugs: tuple[str, ...] = ()

    @property
    def mount(self) -> str:
        """Return the path prefix under which the API is served, such as `/genero`."""
        return self.contract.mount or f"/{self.name}"

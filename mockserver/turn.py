"""One call in hand, why it may be refused, and what the items of one run share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from contracts.messages import ABSENT, Call, Headers
from contracts.model import Operation
from contracts.validation import Violation
from mockserver.domain.values import Outcome

if TYPE_CHECKING:
    from mockserver.api import Api
    from mockserver.domain.acting import Acts
    from mockserver.domain.halves import Halves
    from mockserver.domain.jobs import Job
    from mockserver.scenario.player import Decision
    from mockserver.world import World


@dataclass(slots=True, kw_only=True)
class Turn:
    """One call in hand. The stages of the pipeline fill it in; `now` is the sandbox's clock when it arrived.

    `variables` are the path's, percent-decoded; `query` holds parsed values by name, defaults filled in; `data` is the
    body's object value. `client` is who calls and `scope` the data set or tenant that it speaks of.
    `violations` are the call's, and those of a reply that the sandbox then did not send.

    The rest is for calls that a scenario may decide: its `decision`, what becomes of single items (`acts`), which half
    of them is being applied, and when the call `arrived` if that was before `now`. `bugs` are the planted ones that
    made a difference to it.
    """

    api: "Api"
    world: "World"
    call: Call
    now: datetime
    operation: Operation | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    data: object = ABSENT
    client: str = ""
    scope: str = ""
    outcomes: Sequence[Outcome] = ()
    jobs: Sequence["Job"] = ()
    violations: Sequence[Violation] = ()
    decision: "Decision | None" = None
    acts: "Acts | None" = None
    halves: "Halves | None" = None
    arrived: datetime | None = None
    bugs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a whole call is refused.

    `kind` is one of: no-path, no-method, unauthenticated, forbidden, media-type, charset, malformed, invalid
    (violations say why), empty, tooFew, tooMany, duplicateKey, duplicateTarget, malformedItem, badMode, not-found,
    too-big, too-deep, too-slow, conflict, precondition, quota, broken-contract. `total` counts single faults, `line`
    and `column` are counted from 1, 0 is none.
    """

    status: int
    kind: str
    detail: str
    violations: Sequence[Violation] = ()
    total: int = 0
    line: int = 0
    column: int = 0
    headers: Headers = field(default_factory=Headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every item of one run shares: where, when, in which unit (`whole`, `item`, `group`), by which API.

    `valid` are the resources whose payloads all fit, `broken` the keys of items that failed before this run.
    """

    api: "Api"
    world: "World"
    scope: str
    now: datetime
    unit: str = "item"
    operation: Operation | None = None
    client: str = ""
    valid: frozenset[str] = frozenset()
    acts: "Acts | None" = None
    broken: frozenset[object] = frozenset()

"""What a scenario may know of a call: facts, and the work that it would do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from contracts.messages import ABSENT, Headers


class Part(Protocol):
    """One item of a call; `raw` is what was sent."""

    @property
    def index(self) -> int:
        """Return its place in the list, counted from 0."""

    @property
    def key(self) -> object:
        """Return what names it, None when nothing does."""

    @property
    def raw(self) -> object:
        """Return the item as it was sent."""


class Unmet(NamedTuple):
    """A condition that a call does not fit; `got` is None where there was nothing."""

    field: str
    wanted: object
    got: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a call would do when it is carried out; the empty one is that of a call that is refused, or changes nothing.

    `unit` is `whole`, `item` or `group`, "" when it is no bulk call. `makes_job`: it becomes a job, or several.
    `tenants` are those that a fan-out names.
    """

    unit: str = ""
    makes_job: bool = False
    tenants: tuple[str, ...] = ()


def _idle() -> Work:
    return Work()


def _nothing() -> Sequence[Part]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """One call as rules see it. `work` and `items` are asked only when a rule needs them.

    `path` is percent-decoded and below the API's mount; `ignore_case` is how the API compares paths. A call that writes
    one record has it as its only item.
    """

    api: str
    operation: str
    method: str
    path: str
    tenant: str = ""
    client: str = ""
    headers: Headers = field(default_factory=Headers)
    query: tuple[tuple[str, str], ...] = ()
    body: object = ABSENT
    ignore_case: bool = False
    work: Callable[[], Work] = _idle
    items: Callable[[], Sequence[Part]] = _nothing

"""What a check is given, `CheckPlan`, the checks and operations that this selects, `selection`, and its events.

Begin with `CheckPlan` and `Event`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from contracts.errors import MisuseError
from contracts.openapi.model import Contract
from contracts.syntax.text import names_hint
from generators.check import warm_up
from generators.check.laws.catalogue import CHECK_NAMES, laws_for
from generators.client.environments import SandboxClient
from generators.oracles import reference_model, response_laws
from generators.oracles.findings import CheckResult, Finding, Law, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """The options of a check.

    `only` and `skip` are names of checks (`CHECK_NAMES`) and operationIds. `seconds` is the time limit. `document`
    is the contract as one OpenAPI document, `base` the URL that its paths are appended to; without a document there
    is no coverage phase. `headers` are sent with every request, `timeout` is in seconds, `rate` in requests a second
    (0: no limit). `given` maps parameter names to values; `name_prefix` begins every generated name, by default it is
    random. `model` is a reference model, None for none. `laws` are laws of the API's own, beside those
    of the catalogue. `beside` opens a sandbox of its own for the coverage phase, which then runs while the laws are
    tested; without it the phase comes last, on the server as it is.
    """

    seed: int = 0
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    read_only: bool = False
    seconds: float = 60.0
    given: Mapping[str, str] = field(default_factory=dict)
    name_prefix: str | None = None
    model: Model | None = None
    document: Mapping[str, Any] | None = None
    base: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    rate: float = 0
    laws: Sequence[Law] = ()
    beside: Callable[[], SandboxClient] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The checks to run by name, the laws among them, and the operations by operationId."""

    checks: tuple[str, ...]
    laws: tuple[Law, ...]
    operations: frozenset[str]


def selection(contract: Contract, only: Sequence[str], skip: Sequence[str], own: Sequence[Law] = ()) -> Selection:
    """Return the selected checks and operations; `own` are laws of the API's own. Raises MisuseError: an unknown name.

    Selecting the examples also selects the check of responses, and selecting the model also selects all laws:
    without these they would have nothing to judge.
    """
    operations = [one.id for one in contract.operations]
    names, every = (*CHECK_NAMES, *(law.name for law in own)), (*laws_for(contract), *own)
    for name in (*only, *skip):
        if name not in names and name not in operations:
            known = (*names, *operations)
            cure = names_hint(name, known)
            raise MisuseError(f"'{name}' is neither a check nor an operationId of {contract.title}.", cure=cure)
    asked = (*only, response_laws.CHECK) if warm_up.EXAMPLES_CHECK in only else only
    if reference_model.CHECK in only and not any(law.name in only for law in every):
        asked = (*asked, *(law.name for law in every))
    checks = _selected(names, asked, skip)
    return Selection(
        checks=checks,
        laws=tuple(law for law in every if law.name in checks),
        operations=frozenset(_selected(operations, only, skip)),
    )


def _selected(names: Sequence[str], only: Sequence[str], skip: Sequence[str]) -> tuple[str, ...]:
    """Return the names in `only`, or all names when it has none of them, without those in `skip`."""
    wanted = [name for name in names if name in only] or names
    return tuple(name for name in wanted if name not in skip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first event: the contract's title, its operations with `x-bulk`, and the checks to be reported."""

    contract: str
    version: str
    operations: tuple[str, ...]
    checks: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LawAnswered:
    """The result of one check on one operation."""

    answer: CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFound:
    """A finding; emitted once per fingerprint, as soon as it is known."""

    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun:
    """The check begins to do something, such as `isolated on createBooks`; `calls` were sent until then."""

    doing: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The check has ended. `words` counts results by status, `calls` requests, `items` items; `seconds` are real."""

    words: Mapping[str, int]
    findings: tuple[Finding, ...]
    calls: int
    items: int
    seconds: float


Event: TypeAlias = Started | StepBegun | LawAnswered | FindingFound | Finished

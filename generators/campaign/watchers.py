"""What judging takes beside a world: the contract made ready once, what was learned, and a model if there is one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.model import Contract
from contracts.routing import Router
from generators.campaign.kinds import Kinds
from generators.campaign.watching import Watcher
from generators.campaign.worlds import World
from generators.checks.findings import Model

MakeModel = Callable[[], Model]


@dataclass(slots=True, kw_only=True)
class Outfit:
    """Makes watchers for the worlds of one contract. `first_versions` are learned by one and known to the next."""

    contract: Contract
    make_model: MakeModel | None = None
    first_versions: dict[str, int] = field(default_factory=dict)
    router: Router = field(init=False)
    kinds: Kinds = field(init=False)

    def __post_init__(self) -> None:
        self.router, self.kinds = Router(self.contract), Kinds(self.contract)

    def watcher(self, world: World, *, modelled: bool = True) -> Watcher:
        """Return a watcher for a new world, with a model if it is to have one and there is one."""
        return Watcher(
            self.contract,
            world,
            model=self.make_model() if self.make_model is not None and modelled else None,
            router=self.router,
            first_versions=self.first_versions,
            kinds=self.kinds,
        )

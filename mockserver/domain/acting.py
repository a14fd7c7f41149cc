"""What a scenario does to single items of a run: they fail, lose their effect, or go unmentioned."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from mockserver.domain.values import Fault, Item, Outcome

if TYPE_CHECKING:
    from mockserver.scenario.effects import ItemEffect
    from mockserver.turn import Run

Apply: TypeAlias = Callable[[Item], Outcome]
Acts: TypeAlias = Mapping[int, "ItemEffect"]  # by the item's place in the request


def acting(acts: Acts, apply: Apply, try_only: Apply) -> Apply:
    """Return what applies items as a scenario wants; `try_only` says what would become of one, and leaves no trace."""

    def act(item: Item) -> Outcome:
        effect = acts.get(item.index)
        if effect is None or effect.kind == "skip":
            return apply(item)
        return try_only(item) if effect.kind == "lose" else struck(item, effect)

    return act


def struck(item: Item, effect: "ItemEffect") -> Outcome:
    """Return the outcome of an item that a scenario lets fail."""
    from mockserver.scenario.filling import fill_text  # noqa: PLC0415 - only where a scenario is played

    said = {"code": effect.code, "message": effect.message and fill_text(effect.message, item.raw)}
    facts = {name: text for name, text in said.items() if text is not None}
    return Outcome(item, "failed", item.action, (Fault(KIND, effect.properties, facts=facts),))


def is_told(run: "Run", outcome: Outcome) -> bool:
    """Tell whether the answer speaks of an outcome."""
    effect = None if run.acts is None else run.acts.get(outcome.item.index)
    return effect is None or effect.kind != "skip"


KIND: Final = "scenario"  # of the fault of an item that a scenario lets fail
